/* json_read.c - a plan from JSON: from a run directory, so it may be damaged. */
#include "select/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct weft_plan *plan;
	struct weft_err *err;
};

static int damaged(struct reader *r, const char *what)
{
	weft_err_set(r->err, WEFT_ESPEC, "the plan is damaged: %s", what);
	return weft_err_hint(r->err, "make it again with `weft plan --json`");
}

static int read_text(
	struct reader *r, const json_t *o, const char *key, const char **out)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s)
		return damaged(r, key);
	*out = *s ? weft_arena_strdup(&r->plan->arena, s) : "";
	return *out ? 0 : weft_err_nomem(r->err);
}

static int read_int(struct reader *r, const json_t *o, const char *key, json_int_t min,
	json_int_t max, json_int_t *out)
{
	const json_t *v = json_object_get(o, key);

	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= min && *out <= max ? 0 : damaged(r, key);
}

static int read_hours(struct reader *r, const json_t *o, const char *key, double *out)
{
	const json_t *v = json_object_get(o, key);

	*out = json_number_value(v);
	return json_is_number(v) && *out >= 0 && isfinite(*out) ? 0 : damaged(r, key);
}

/* An older plan has none: then it is not known, as where it is null. */
static int read_expected(
	struct reader *r, const json_t *o, const char *key, double *out)
{
	const json_t *v = json_object_get(o, key);

	*out = -1;
	return !v || json_is_null(v) ? 0 : read_hours(r, o, key, out);
}

static int read_moved(struct reader *r, const json_t *o, const char *key, uint64_t *out)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = 0;

	*out = WEFT_NO_BYTES;
	if (!v || json_is_null(v))
		return 0;
	if (read_int(r, o, key, 0, INT64_MAX, &n) < 0)
		return -1;
	*out = (uint64_t)n;
	return 0;
}

static int read_launch(
	struct reader *r, const json_t *o, const char *key, enum weft_launch *out)
{
	const char *s = json_string_value(json_object_get(o, key));

	for (enum weft_launch l = WEFT_LAUNCH_SINGLE; s && l <= WEFT_LAUNCH_TORCHRUN;
		l++)
		if (strcmp(s, weft_launch_name(l)) == 0) {
			*out = l;
			return 0;
		}
	return damaged(r, key);
}

static int read_field(struct reader *r, const json_t *o, const struct plan_field *f,
	struct weft_plan_step *s)
{
	void *p = (char *)s + f->at;
	json_int_t v;

	switch (f->kind) {
	case TEXT:
		return read_text(r, o, f->name, p);
	case UINT:
		if (read_int(r, o, f->name, 0, UINT32_MAX, &v) < 0)
			return -1;
		*(unsigned *)p = (unsigned)v;
		return 0;
	case RARE:
		*(unsigned *)p = 0;
		if (!json_object_get(o, f->name))
			return 0;
		if (read_int(r, o, f->name, 2, WEFT_MAX_TASKS, &v) < 0)
			return -1;
		*(unsigned *)p = (unsigned)v;
		return 0;
	case SIZE:
		if (read_int(r, o, f->name, 0, INT64_MAX, &v) < 0)
			return -1;
		*(size_t *)p = (size_t)v;
		return 0;
	case BYTES:
		if (read_int(r, o, f->name, 0, INT64_MAX, &v) < 0)
			return -1;
		*(uint64_t *)p = (uint64_t)v;
		return 0;
	case SOME:
		*(uint64_t *)p = 0;
		if (!json_object_get(o, f->name))
			return 0;
		if (read_int(r, o, f->name, 0, INT64_MAX, &v) < 0)
			return -1;
		*(uint64_t *)p = (uint64_t)v;
		return 0;
	case SECONDS:
		if (read_int(r, o, f->name, 0, INT64_MAX, &v) < 0)
			return -1;
		*(int64_t *)p = v;
		return 0;
	case BOOLEAN:
		*(bool *)p = json_is_true(json_object_get(o, f->name));
		return json_is_boolean(json_object_get(o, f->name))
			       ? 0
			       : damaged(r, f->name);
	case INTEGER:
		if (read_int(r, o, f->name, -1, INT32_MAX, &v) < 0)
			return -1;
		*(int *)p = (int)v;
		return 0;
	case HOURS:
		return read_hours(r, o, f->name, p);
	case LAUNCH:
		return read_launch(r, o, f->name, p);
	case EXPECTED:
		return read_expected(r, o, f->name, p);
	case MOVED:
		return read_moved(r, o, f->name, p);
	}
	return -1;
}

static int read_step(struct reader *r, const json_t *o, struct weft_plan_step *s)
{
	for (size_t i = 0; i < N_PLAN_FIELDS; i++)
		if (read_field(r, o, &plan_fields[i], s) < 0)
			return -1;
	if (!s->nodes || !s->ntasks || !s->ntasks_per_node || !s->cpus_per_task ||
		!s->members)
		return damaged(r, "a count is 0");
	return 0;
}

static int read_group(struct reader *r, const json_t *o, size_t index)
{
	struct weft_plan *plan = r->plan;
	struct weft_plan_group *g = &plan->group[index];
	const json_t *steps = json_object_get(o, "steps"),
		     *needs = json_object_get(o, "needs");
	json_int_t v;

	if (!json_is_array(steps) || !json_is_array(needs))
		return damaged(r, "steps or needs of a group");
	g->n_steps = json_array_size(steps);
	g->n_needs = json_array_size(needs);
	g->step = weft_arena_alloc(&plan->arena, (g->n_steps + 1) * sizeof(*g->step));
	g->need = weft_arena_alloc(&plan->arena, (g->n_needs + 1) * sizeof(*g->need));
	if (!g->step || !g->need)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < g->n_steps; i++) {
		const json_t *e = json_array_get(steps, i);

		v = json_integer_value(e);
		if (!json_is_integer(e) || v < 0 || (size_t)v >= plan->n_steps)
			return damaged(r, "a step of a group");
		g->step[i] = (unsigned)v;
	}
	for (size_t i = 0; i < g->n_needs; i++) {
		const json_t *e = json_array_get(needs, i);
		const json_t *same = json_object_get(e, "corresponding");

		/* Needed groups come first, so no group waits for itself. */
		if (read_int(r, e, "group", 0, (json_int_t)index - 1, &v) < 0)
			return -1;
		if (!json_is_boolean(same))
			return damaged(r, "corresponding");
		g->need[i].group = (unsigned)v;
		g->need[i].corresponding = json_is_true(same);
	}
	if (read_text(r, o, "name", &g->name) < 0 ||
		read_text(r, o, "why", &g->why) < 0 ||
		read_int(r, o, "tasks", 0, INT64_MAX, &v) < 0)
		return -1;
	g->tasks = (size_t)v;
	if (read_int(r, o, "block", 1, INT64_MAX, &v) < 0)
		return -1;
	g->block = (size_t)v;
	if (read_int(r, o, "width", 1, UINT32_MAX, &v) < 0)
		return -1;
	g->width = (unsigned)v;
	if (read_int(r, o, "max_parallel", 0, UINT32_MAX, &v) < 0)
		return -1;
	g->max_parallel = (unsigned)v;
	return read_step(r, json_object_get(o, "shape"), &g->shape);
}

static int read_plan(struct reader *r, const json_t *root)
{
	struct weft_plan *plan = r->plan;
	const json_t *steps = json_object_get(root, "steps");
	const json_t *groups = json_object_get(root, "groups");
	json_int_t v;

	if (read_int(r, root, "format", PLAN_FORMAT, PLAN_FORMAT, &v) < 0 ||
		read_text(r, root, "workflow", &plan->workflow) < 0 ||
		read_hours(r, root, "node_hours", &plan->node_hours) < 0 ||
		read_hours(r, root, "core_hours", &plan->core_hours) < 0 ||
		read_hours(r, root, "gpu_hours", &plan->gpu_hours) < 0 ||
		read_expected(r, root, "end", &plan->end) < 0 ||
		read_moved(r, root, "bytes", &plan->bytes) < 0)
		return -1;
	if (!json_is_array(steps) || !json_is_array(groups))
		return damaged(r, "steps or groups");
	plan->n_steps = json_array_size(steps);
	plan->n_groups = json_array_size(groups);
	plan->step = weft_arena_alloc(
		&plan->arena, (plan->n_steps + 1) * sizeof(*plan->step));
	plan->group = weft_arena_alloc(
		&plan->arena, (plan->n_groups + 1) * sizeof(*plan->group));
	if (!plan->step || !plan->group)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < plan->n_steps; i++) {
		if (read_step(r, json_array_get(steps, i), &plan->step[i]) < 0)
			return -1;
		if (plan->step[i].group >= plan->n_groups)
			return damaged(r, "group of a step");
	}
	for (size_t i = 0; i < plan->n_groups; i++)
		if (read_group(r, json_array_get(groups, i), i) < 0)
			return -1;
	return 0;
}

int weft_plan_parse_json(
	const char *text, size_t n, struct weft_plan **plan, struct weft_err *err)
{
	struct reader r = {.err = err};
	json_error_t why;
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	int rc;

	*plan = NULL;
	if (!root)
		return weft_err_set(err, WEFT_ESPEC, "the plan is damaged: line %d: %s",
			why.line, why.text);
	r.plan = calloc(1, sizeof(*r.plan));
	rc = r.plan ? read_plan(&r, root) : weft_err_nomem(err);
	json_decref(root);
	if (rc < 0) {
		weft_plan_free(r.plan);
		return -1;
	}
	*plan = r.plan;
	return 0;
}
