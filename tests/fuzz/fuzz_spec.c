/* fuzz_spec.c - a workflow file: refused with reasons, or sound to its last member */
#include "fuzz.h"
#include "journal/journal.h"
#include "spec/spec.h"

static int count(void *ctx, size_t index)
{
	size_t *left = ctx;

	(void)index;
	return --*left ? 0 : 1;
}

/* What the engine does before a member runs. */
static void look(const struct weft_workflow *wf, const struct weft_step *step, size_t i)
{
	char hex[WEFT_DIGEST_HEX];
	struct weft_member m;
	struct weft_err err = {0};
	struct weft_scope scope = {.wf = wf, .step = step, .member = &m};
	struct weft_resources r = {0};
	weft_autofree char *run = NULL;
	bool yes;

	fuzz_must(weft_sweep_member(wf, step, i, &m, &err) == 0);
	fuzz_must(m.index == i && m.count == step->sweep.count);
	if (step->run.s && weft_scope_text(&scope, &step->run, &run, &err))
		fuzz_refused(&err);
	if (step->when_expr && weft_scope_when(&scope, step, &yes, &err))
		fuzz_refused(&err);
	for (size_t a = 0; a < step->n_resources; a++) {
		scope.variant = (int)a;
		if (weft_scope_resources(&scope, step, a, &r, &err))
			fuzz_refused(&err);
		weft_resources_clear(&r);
	}
	if (weft_record_digest(wf, step, &m, hex, &err))
		fuzz_refused(&err);
	for (size_t e = 0; e < step->n_edges; e++) {
		size_t left = 50;

		fuzz_must(step->edge[e].step < wf->n_steps);
		weft_spec_matches(wf, step, &step->edge[e]);
		weft_spec_one_to_one(wf, step, &step->edge[e]);
		fuzz_must(weft_spec_each_match(
				  wf, step, i, &step->edge[e], count, &left) >= 0);
	}
	weft_member_clear(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_bytes(data, size);
	struct weft_errs errs = {0};
	struct weft_workflow *wf;

	if (weft_spec_parse("/f/w.yaml", text, size, NULL, &wf, &errs)) {
		fuzz_must(!wf && errs.n && errs.total >= errs.n);
		for (size_t i = 0; i < errs.n; i++) {
			weft_autofree char *line = weft_err_line(&errs.v[i]);

			fuzz_must(line && errs.v[i].code == WEFT_ESPEC);
		}
		weft_errs_clear(&errs);
		return 0;
	}
	fuzz_must(errs.n == 0);
	for (size_t i = 0; i < wf->n_steps && i < 20; i++) {
		const struct weft_step *s = &wf->step[i];

		fuzz_must(s->index == i && s->n_resources);
		fuzz_must(weft_spec_step(wf, s->name) == s);
		/* None are known yet of those that a step will write. */
		fuzz_must(s->sweep.count || s->sweep.growing);
		if (s->sweep.count)
			look(wf, s, 0);
		if (s->sweep.count > 1)
			look(wf, s, s->sweep.count - 1);
	}
	weft_spec_free(wf);
	return 0;
}
