/* values.c - what expressions may ask of a run: inputs, outputs, other steps */
#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>

bool output_is_glob(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

/* The folder part of a glob: what is before its first wild component. */
static char *glob_folder(const char *path)
{
	size_t wild = strcspn(path, "*?[");

	while (wild > 0 && path[wild - 1] != '/')
		wild--;
	return strndup(path, wild);
}

char *unit_output_path(
	const struct unit *u, const struct weft_output *out, struct weft_err *err)
{
	weft_autofree char *text = NULL;

	if (weft_scope_text(&u->scope, &out->path, &text, err))
		return NULL;
	if (!weft_path_is_inside(text)) {
		weft_err_set(err, WEFT_ESPEC,
			"output '%s' is '%s': outside the working directory", out->name,
			text);
		return NULL;
	}
	weft_autofree char *rel =
		output_is_glob(text) ? glob_folder(text) : strdup(text);
	char *path = rel ? weft_path_absolute(u->work, rel) : NULL;
	if (!path)
		weft_err_nomem(err);
	return path;
}

static int string_of(struct weft_value *v, const char *s, struct weft_err *err)
{
	return weft_value_set_string(v, s) ? weft_err_nomem(err) : 0;
}

static int input_value(const struct unit *u, const char *name, struct weft_value *out,
	struct weft_err *err)
{
	for (size_t i = 0; i < u->n_inputs; i++) {
		if (!weft_streq(u->input[i].def->name, name))
			continue;
		return u->input[i].absent ? 1 : string_of(out, u->input[i].path, err);
	}
	return 1;
}

static int own_output(const struct unit *u, const char *name, struct weft_value *out,
	struct weft_err *err)
{
	for (size_t i = 0; i < u->step->n_outputs; i++) {
		if (!weft_streq(u->step->output[i].name, name))
			continue;
		weft_autofree char *path =
			unit_output_path(u, &u->step->output[i], err);
		return path ? string_of(out, path, err) : -1;
	}
	return 1;
}

/* One member's answer about steps.NAME.WHAT[.X]. */
static int member_value(struct unit *u, const struct weft_step *of, size_t index,
	const struct weft_name *name, struct weft_value *out, struct weft_err *err)
{
	struct weft_member m;

	if (weft_sweep_member(u->e->wf, of, index, &m, err))
		return -1;
	weft_autofree char *dir = weft_run_step_dir(u->e->run, of, &m);
	weft_member_clear(&m);
	if (!dir)
		return weft_err_nomem(err);
	const char *what = name->part[2], *key = name->n > 3 ? name->part[3] : "";
	if (weft_streq(what, "dir"))
		return string_of(out, dir, err);
	if (weft_streq(what, "metrics")) {
		weft_autofree char *file = weft_path_join(dir, "metrics.jsonl");
		return file ? weft_metric_last(file, key, out, err)
			    : weft_err_nomem(err);
	}
	struct weft_records *records = unit_records(u, err);
	struct weft_record *r;
	int got = records ? weft_records_read(records, of->index, index, &r, err) : -1;
	if (got)
		return got;
	got = 1;
	if (weft_streq(what, "state"))
		got = string_of(out, weft_state_name(r->state), err);
	else if (weft_streq(what, "hosts"))
		got = string_of(out, r->hosts, err);
	else if (weft_streq(what, "outputs"))
		for (size_t i = 0; got == 1 && i < r->n_outputs; i++)
			if (weft_streq(r->output[i].name, key))
				got = string_of(out, r->output[i].path, err);
	weft_record_free(r);
	return got;
}

struct gather {
	struct unit *u;
	const struct weft_step *of;
	const struct weft_name *name;
	struct weft_value *list;
	size_t cap;
	struct weft_err *err;
	int result;
};

static int gather_one(void *ctx, size_t index)
{
	struct gather *g = ctx;
	struct weft_value v = {0};
	int got = member_value(g->u, g->of, index, g->name, &v, g->err);

	if (got > 0)
		return 0; /* a member without a value isn't in the list */
	if (got < 0 || weft_grow(g->list->item, g->list->n, g->cap)) {
		weft_value_clear(&v);
		g->result = -1;
		return 1;
	}
	g->list->item[g->list->n++] = v;
	return 0;
}

static int step_value(struct unit *u, const struct weft_name *name,
	struct weft_value *out, struct weft_err *err)
{
	const struct weft_step *of = weft_spec_step(u->e->wf, name->part[1]);
	const struct weft_edge *edge = NULL;

	if (!of || name->n < 3)
		return 1;
	if (of->sweep.kind == WEFT_SWEEP_NONE)
		return member_value(u, of, 0, name, out, err);
	/* Of a sweep: the member that matches, or a list of all. */
	struct weft_edge all = {.step = of->index, .all = true};
	for (size_t i = 0; !u->whole && i < u->step->n_edges; i++)
		if (u->step->edge[i].step == of->index)
			edge = &u->step->edge[i];
	bool one = of->sweep.kind == WEFT_SWEEP_ROUNDS ||
		   (edge && weft_spec_matches(u->e->wf, u->step, edge));
	struct gather g = {u, of, name, out, 0, err, 0};
	*out = (struct weft_value){.kind = WEFT_V_LIST};
	weft_spec_each_match(
		u->e->wf, u->step, u->index, edge ? edge : &all, gather_one, &g);
	if (g.result == 0 && one && out->n == 1) {
		struct weft_value first = out->item[0];

		free(out->item);
		*out = first;
	}
	if (g.result) {
		weft_value_clear(out);
		return -1;
	}
	if (out->kind == WEFT_V_LIST && !out->n)
		return 1;
	return 0;
}

int unit_lookup(void *unit, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	struct unit *u = unit;

	*out = (struct weft_value){0};
	if (name->n >= 2 && weft_streq(name->part[0], "inputs"))
		return input_value(u, name->part[1], out, err);
	if (name->n >= 2 && weft_streq(name->part[0], "outputs"))
		return own_output(u, name->part[1], out, err);
	if (name->n >= 3 && weft_streq(name->part[0], "steps"))
		return step_value(u, name, out, err);
	return 1;
}
