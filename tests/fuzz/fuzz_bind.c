/*
 * fuzz_bind.c - the texts of `weft bind`, a line each: the visible GPUs, Slurm's GPUs,
 * a CPU list, then steps and, with a colon, who talks to whom.  What is placed from
 * them names no GPU that isn't visible.
 */
#include "bind/bind.h"
#include "fuzz_machine.h"
#include "plugin/command/bind_command.h"

/* Is every entry of the list also one of the others? */
static bool all_in(const char *list, const char *others)
{
	for (;;) {
		size_t n = strcspn(list, ",");
		bool found = false;

		for (const char *o = others;; o++) {
			size_t len = strcspn(o, ",");

			found |= len == n && strncmp(o, list, n) == 0;
			o += len;
			if (!*o)
				break;
		}
		if (!found)
			return false;
		if (!list[n])
			return true;
		list += n + 1;
	}
}

static void bind(const struct weft_machine *m, const struct bind_request *r,
	const char *slurm, const char *visible)
{
	const struct weft_cpuset *allowed = r->has_allowed ? &r->allowed : NULL;
	unsigned gpu[WEFT_MAX_DEVICES];
	size_t n = weft_bind_usable_gpus(m, slurm, visible, gpu);
	struct weft_placement *p;
	struct weft_err err = {0};
	struct weft_binding b;

	fuzz_must(n <= m->n_gpus);
	for (size_t i = 0; i < n; i++) {
		fuzz_must(gpu[i] < m->n_gpus);
		for (size_t j = 0; j < i; j++)
			fuzz_must(gpu[i] != gpu[j]);
	}
	if (weft_place(m, allowed, gpu, n, r->place, r->n_steps, &p, &err)) {
		fuzz_refused(&err);
		return;
	}
	for (size_t i = 0; i < p->n_tasks; i++) {
		size_t step = r->n_steps - 1;

		while (p->first[step] > i)
			step--;
		fuzz_must(p->task[i].n_gpus <= n);
		if (weft_bind_prepare(m, &p->task[i], &r->place[step], gpu, n, visible,
			    false, &b, &err)) {
			fuzz_refused(&err);
			continue;
		}
		for (size_t v = 0; v < b.n_vars; v++)
			if (visible &&
				weft_streq(b.var[v].name, weft_bind_visible_name(m)))
				fuzz_must(!b.var[v].value[0] ||
					  all_in(b.var[v].value, visible));
	}
	weft_placement_free(p);
}

static void read_cpus(const char *line, struct bind_request *r)
{
	char list[8 * WEFT_MAX_CPUS];
	struct weft_cpuset again;

	r->has_allowed = line && weft_cpuset_parse(line, &r->allowed);
	if (!r->has_allowed)
		return;
	fuzz_must(weft_cpuset_print(&r->allowed, list, sizeof(list)));
	fuzz_must(weft_cpuset_parse(list, &again));
	fuzz_must(memcmp(&r->allowed, &again, sizeof(again)) == 0);
}

static void read_line(const char *line, struct bind_request *r)
{
	struct weft_err err = {0};

	if (strchr(line, ':')) {
		if (r->n_talks < BIND_MAX_STEPS &&
			bind_parse_talk(line, &r->talk[r->n_talks], &err) == 0)
			r->n_talks++;
	} else if (r->n_steps < BIND_MAX_STEPS &&
		   bind_parse_step(line, &r->step[r->n_steps], &err) == 0 &&
		   r->step[r->n_steps].place.ntasks <= 64) {
		r->n_steps++;
	}
	if (err.code)
		fuzz_refused(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct weft_machine *m = fuzz_machine();
	weft_autofree char *text = fuzz_text(data, size);
	char *rest = text;
	const char *visible = fuzz_line(&rest), *slurm = fuzz_line(&rest);
	struct bind_request r = {0};
	struct weft_err err = {0};

	read_cpus(fuzz_line(&rest), &r);
	for (const char *line; (line = fuzz_line(&rest));)
		read_line(line, &r);
	if (bind_find_talks(&r, &err)) {
		fuzz_refused(&err);
		return 0;
	}
	for (size_t i = 0; i < r.n_steps; i++)
		r.place[i] = r.step[i].place;
	if (r.n_steps)
		bind(m, &r, slurm, visible);
	return 0;
}
