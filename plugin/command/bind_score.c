/* bind_score.c - how well the tasks sit, in figures */
#include <jansson.h>

#include "bind_command.h"

static const char *of(struct weft_arena *a, unsigned n, unsigned all)
{
	return weft_arena_printf(a, "%u of %u", n, all);
}

static int add_row(struct weft_table *t, struct weft_arena *a, const char *name,
	bool nics, const struct weft_place_score *s)
{
	unsigned near = s->with_gpu - s->far_nic;
	const char *cell[] = {*name ? name : "-", of(a, s->local, s->tasks),
		s->wants_gpu ? of(a, s->with_gpu, s->tasks) : "-",
		nics && s->with_gpu ? of(a, near, s->with_gpu) : "-",
		weft_arena_printf(a, "%.3f", s->jain),
		s->edges ? of(a, s->edges_inside, s->edges) : "-"};

	for (size_t i = 0; i < WEFT_COUNT(cell); i++)
		if (!cell[i])
			return -1;
	return weft_table_row(t, cell);
}

int bind_score_table(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, struct weft_str *out, struct weft_err *err)
{
	static const char *const head[] = {
		"STEP", "LOCAL", "WITH GPU", "NEAR NIC", "EVEN", "EDGES INSIDE"};
	struct weft_table *t = weft_table_new(WEFT_COUNT(head), head);
	struct weft_style style = cmd_style(stdout);
	struct weft_place_load load;
	struct weft_arena a = {0};
	int rc = t ? 0 : weft_err_nomem(err);

	for (size_t i = 0; i < p->n_steps && !rc; i++) {
		struct weft_place_score s;
		rc = weft_place_score(m, p, r->place, i, &s, err);
		if (!rc && add_row(t, &a, r->step[i].name, m->n_nics > 0, &s))
			rc = weft_err_nomem(err);
	}
	if (!rc) {
		weft_place_load(m, r->has_allowed ? &r->allowed : NULL, p, &load);
		weft_str_addc(out, '\n');
		weft_table_print(t, &style, out);
		weft_str_printf(out, "%u of %u cores idle, %u CPUs shared by tasks\n",
			load.idle_cores, load.cores, load.shared_cpus);
	}
	weft_table_free(t);
	weft_arena_free(&a);
	return rc;
}

static struct json_t *step_json(const char *name, const struct weft_place_score *s)
{
	return json_pack(
		"{s:s?, s:i, s:i, s:b, s:i, s:i, s:i, s:f, s:i, s:i, s:f, s:f}", "step",
		*name ? name : NULL, "tasks", s->tasks, "local", s->local,
		"local_possible", s->local_possible, "with_gpu", s->with_gpu, "far_nic",
		s->far_nic, "uneven_nic", s->uneven_nic, "jain", s->jain, "edges",
		s->edges, "edges_inside", s->edges_inside, "bytes", s->bytes,
		"bytes_inside", s->bytes_inside);
}

struct json_t *bind_score_json(const struct bind_request *r,
	const struct weft_machine *m, const struct weft_placement *p,
	struct weft_err *err)
{
	json_t *steps = json_array();
	struct weft_place_load load;

	for (size_t i = 0; i < p->n_steps; i++) {
		struct weft_place_score s;
		if (weft_place_score(m, p, r->place, i, &s, err)) {
			json_decref(steps);
			return NULL;
		}
		json_array_append_new(steps, step_json(r->step[i].name, &s));
	}
	weft_place_load(m, r->has_allowed ? &r->allowed : NULL, p, &load);
	json_t *score =
		json_pack("{s:o, s:i, s:i, s:i}", "steps", steps, "cores", load.cores,
			"idle_cores", load.idle_cores, "shared_cpus", load.shared_cpus);
	if (!score)
		weft_err_nomem(err);
	return score;
}
