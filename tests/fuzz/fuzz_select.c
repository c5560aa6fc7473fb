/*
 * fuzz_select.c - planning: a workflow, a line "---", a cluster (none: a small one).
 * The same input gives the same plan, and a plan keeps its own rules.
 */
#include "fuzz.h"
#include "select/select.h"
#include "tests/unit/plan_rules.h"

static const char small[] =
	"select_by_memory: true\n"
	"max_array_size: 1001\n"
	"partitions:\n"
	"  - {name: cpu, nodes: \"c[1-4]\", default: true, max_time: 1d}\n"
	"  - {name: gpu, nodes: \"g[1-2]\", default_time: 30m, max_nodes: 1}\n"
	"nodes:\n"
	"  - {nodes: \"c[1-4]\", state: idle, cpus: 16, cores: 16, sockets: 1, "
	"threads_per_core: 1, mem: 64G}\n"
	"  - {nodes: \"g[1-2]\", state: mixed, cpus: 32, cores: 16, sockets: 2, "
	"threads_per_core: 2, mem: 128G, gpus: {a100: 4}}\n";

static void plan(const struct weft_workflow *wf, const struct weft_cluster *c,
	enum weft_group_mode mode, struct weft_str *out)
{
	const struct weft_select_options opt = {.group = mode};
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	struct weft_plan *p, *again;

	if (weft_select_plan(wf, c, NULL, &opt, &p, &errs)) {
		fuzz_must(!p && errs.n);
		for (size_t i = 0; i < errs.n; i++) {
			weft_autofree char *line = weft_err_line(&errs.v[i]);

			weft_str_add(out, line);
		}
		weft_errs_clear(&errs);
		return;
	}
	const char *rule = plan_broken(wf, c, p);
	if (rule)
		fuzz_broken(rule, "plan_rules.h", 0);
	fuzz_must(weft_plan_print_json(p, out) == 0);
	fuzz_must(weft_plan_parse_json(out->s, out->len, &again, &err) == 0);
	weft_plan_free(again);
	weft_plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_text(data, size);
	char *cut = strstr(text, "\n---\n");
	const char *cluster = cut ? cut + 5 : small;
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	struct weft_workflow *wf;
	struct weft_cluster *c;

	if (cut)
		cut[1] = '\0';
	if (weft_spec_parse("/f/w.yaml", text, strlen(text), NULL, &wf, &errs)) {
		weft_errs_clear(&errs);
		return 0;
	}
	if (weft_cluster_parse("c.yaml", cluster, strlen(cluster), &c, &err)) {
		fuzz_refused(&err);
	} else {
		for (int mode = WEFT_GROUP_AUTO; mode <= WEFT_GROUP_ALL; mode++) {
			weft_autostr struct weft_str one = {0}, two = {0};

			plan(wf, c, (enum weft_group_mode)mode, &one);
			plan(wf, c, (enum weft_group_mode)mode, &two);
			fuzz_must(weft_streq(one.s, two.s));
		}
		weft_cluster_free(c);
	}
	weft_spec_free(wf);
	return 0;
}
