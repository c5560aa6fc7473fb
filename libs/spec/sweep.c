#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

static void too_many(
	struct spec_parser *p, const struct weft_yaml_node *n, double count)
{
	spec_bad(
		p, n, NULL, "has %.15g members, more than %u", count, SPEC_MAX_MEMBERS);
}

/* Decimals as written, so that a range of tenths has tenths; -1: has an exponent. */
static int decimals(const char *s)
{
	const char *dot = strchr(s, '.');
	size_t n = dot ? strlen(dot + 1) : 0;
	return strpbrk(s, "eE") || n > 17 ? -1 : (int)n;
}

static void read_range(
	struct spec_parser *p, struct weft_axis *axis, const struct weft_yaml_node *map)
{
	struct weft_yaml_node *at[N_FIELDS];
	double v[3] = {0, 0, 1};
	spec_collect(p, map, IN_AXIS, at);
	const struct weft_yaml_node *n = at[AXIS_range];
	if (!n)
		return;
	spec_enter(p, "range");
	if (n->n < 2 || n->n > 3) {
		spec_bad(p, n, "as in `{range: [1, 20]}` or `{range: [0, 1, 0.1]}`",
			"must be [first, last] or [first, last, step]");
		goto out;
	}
	for (size_t i = 0; i < n->n; i++) {
		if (spec_is_bad(p, n->item[i]) ||
			!spec_parse_number(n->item[i]->text, &v[i]))
			goto out;
		int d = decimals(n->item[i]->text);
		if (i != 1 && axis->decimals >= 0)
			axis->decimals =
				d < 0 || d > axis->decimals ? d : axis->decimals;
	}
	double count = floor((v[1] - v[0]) / v[2] * (1 + 1e-12) + 1e-9) + 1;
	if (v[2] == 0)
		spec_bad(p, n->item[2], NULL, "the step is 0");
	else if (count < 1)
		spec_bad(p, n,
			n->n == 3 ? "turn the sign of the step"
				  : "give a step below 0 to count down",
			"the range is empty");
	else if (!(count <= SPEC_MAX_MEMBERS))
		too_many(p, n, count);
	else {
		axis->range = axis->distinct = true;
		axis->first = v[0];
		axis->last = v[1];
		axis->step = v[2];
		axis->n = (size_t)count;
	}
out:
	spec_leave(p);
}

/* Equal values would be members with the same name. */
static bool all_distinct(struct spec_parser *p, const struct weft_axis *axis)
{
	struct weft_arena texts = {0};
	struct weft_map seen = {0};
	bool distinct = true;
	for (size_t i = 0; distinct && i < axis->n; i++) {
		struct weft_str s = {0};
		char *text = NULL;
		if (spec_canonical(&s, &axis->value[i]) == 0 && !s.failed)
			text = weft_arena_strndup(&texts, s.s, s.len);
		int new = text ? weft_map_add(&seen, text, i, NULL) : -1;
		if (new < 0)
			spec_nomem(p);
		distinct = new != 0;
		weft_str_free(&s);
	}
	weft_map_free(&seen);
	weft_arena_free(&texts);
	return distinct;
}

/* Without n, if something was wrong and reported. */
static void read_axis(struct spec_parser *p, struct weft_axis *axis,
	const struct weft_yaml_node *key, const struct weft_yaml_node *n)
{
	axis->name = spec_dup(p, key->text);
	axis->pos = key->pos;
	if (spec_is_bad(p, n) || spec_is_bad(p, key))
		return;
	spec_enter(p, key->text);
	if (n->kind == WEFT_YAML_MAP) {
		read_range(p, axis, n);
	} else if (!n->n) {
		spec_bad(p, n, "give at least one value", "is empty");
	} else {
		bool ok = true;
		axis->value = spec_alloc(p, n->n, sizeof(*axis->value));
		for (size_t i = 0; axis->value && i < n->n; i++) {
			spec_enter_item(p, i);
			ok &= spec_value(p, n->item[i], &axis->value[i]) == 0;
			spec_leave(p);
		}
		axis->n = axis->value && ok ? n->n : 0;
		axis->distinct = axis->n && all_distinct(p, axis);
	}
	spec_leave(p);
}

void spec_params(struct spec_parser *p, const struct weft_yaml_node *map)
{
	if (!map || map->kind != WEFT_YAML_MAP)
		return;
	p->param = spec_alloc(p, map->n, sizeof(*p->param));
	spec_enter(p, "params");
	for (size_t i = 0; p->param && i < map->n; i++) {
		struct weft_axis *axis = &p->param[p->n_params];
		read_axis(p, axis, map->key[i], map->item[i]);
		axis->shared = true;
		if (!axis->name || weft_map_add(&p->param_by_name, axis->name,
					   p->n_params, NULL) < 0)
			spec_nomem(p);
		else
			p->n_params++;
	}
	spec_leave(p);
}

static void unknown_param(struct spec_parser *p, const struct weft_yaml_node *n)
{
	const char **words = spec_alloc(p, p->n_params, sizeof(*words));
	for (size_t i = 0; words && i < p->n_params; i++)
		words[i] = p->param[i].name;
	const char *hint =
		words ? spec_did_you_mean(p, n->text, words, p->n_params) : NULL;
	spec_bad(p, n,
		hint ? hint : "define its values under `params` at the top level",
		"there is no axis `%s` in `params`", n->text);
}

static void read_names(
	struct spec_parser *p, struct weft_sweep *sweep, const struct weft_yaml_node *n)
{
	struct weft_map seen = {.fold = true};
	if (!n->n)
		spec_bad(p, n, "leave `sweep` out, or name axes of `params`",
			"is empty");
	sweep->axis = spec_alloc(p, n->n, sizeof(*sweep->axis));
	for (size_t i = 0; sweep->axis && i < n->n; i++) {
		const struct weft_yaml_node *item = n->item[i];
		size_t at;
		if (item->kind != WEFT_YAML_SCALAR || spec_is_bad(p, item))
			continue;
		spec_enter_item(p, i);
		if (!weft_map_get(&p->param_by_name, item->text, &at))
			unknown_param(p, item);
		else if (!weft_map_add(&seen, item->text, 0, NULL))
			spec_bad(p, item, NULL, "is there twice");
		else
			sweep->axis[sweep->n_axes++] = p->param[at];
		spec_leave(p);
	}
	weft_map_free(&seen);
}

static void read_own_axes(
	struct spec_parser *p, struct weft_sweep *sweep, const struct weft_yaml_node *n)
{
	if (!n->n)
		spec_bad(p, n, "leave `sweep` out, or give axes", "is empty");
	sweep->axis = spec_alloc(p, n->n, sizeof(*sweep->axis));
	for (size_t i = 0; sweep->axis && i < n->n; i++) {
		struct weft_axis *axis = &sweep->axis[sweep->n_axes++];
		read_axis(p, axis, n->key[i], n->item[i]);
		axis->shared =
			axis->name && weft_map_get(&p->param_by_name, axis->name, NULL);
	}
}

/* An error of the file that a sweep names. */
static void bad_file(struct spec_parser *p, struct weft_err *err)
{
	p->failed = true;
	err->path = err->path ? err->path : strdup(spec_path(p));
	weft_errs_add(p->errs, err);
}

static void read_rows(
	struct spec_parser *p, struct weft_sweep *sweep, const struct weft_yaml_node *n)
{
	struct weft_err err = {0};
	const char *dot = strrchr(n->text, '.');
	weft_autofree char *path =
		p->points ? weft_printf("%s/%s%s", p->points, p->wf->step[p->step].name,
				    dot ? dot : "")
			  : weft_path_absolute(p->wf->dir, n->text);

	sweep->file = path ? spec_dup(p, path) : NULL;
	if (!sweep->file) {
		spec_nomem(p);
	} else if (spec_rows_read(sweep->file, sweep->most, &sweep->rows, &err)) {
		if (!err.file)
			spec_bad(p, n, err.hint, "%s", err.text ? err.text : "?");
		else
			bad_file(p, &err);
		weft_err_clear(&err);
	} else if (!spec_rows_count(sweep->rows)) {
		spec_bad(p, n, NULL, "the file has no rows");
	} else {
		sweep->axis = spec_rows_axes(sweep->rows, &sweep->n_axes);
		sweep->count = spec_rows_count(sweep->rows);
		sweep->most = sweep->count;
		for (size_t a = 0; a < sweep->n_axes; a++)
			sweep->axis[a].shared = weft_map_get(
				&p->param_by_name, sweep->axis[a].name, NULL);
	}
}

static void read_file(struct spec_parser *p, struct weft_sweep *sweep,
	const struct weft_yaml_node *n, struct weft_yaml_node **at)
{
	if (n->n > 1 + (weft_yaml_get(n, "max") != NULL)) {
		if (!spec_has_bad_key(p, n))
			spec_bad(p, n, NULL,
				"beside `file` there may be `max` and nothing else");
		return;
	}
	sweep->kind = WEFT_SWEEP_FILE;
	sweep->from = WEFT_NO_STEP;
	sweep->count = 0;
	if (at[SWEEP_max])
		sweep->most = (size_t)strtod(at[SWEEP_max]->text, NULL);
	if (!at[SWEEP_file])
		return;
	spec_enter(p, "file");
	if (spec_is_path(at[SWEEP_file]->text)) {
		read_rows(p, sweep, at[SWEEP_file]);
	} else if (!at[SWEEP_max] && !weft_yaml_get(n, "max")) {
		spec_bad(p, at[SWEEP_file], "add `max: N`, what a plan reckons with",
			"how many members there will be is not known");
	} else {
		sweep->growing = true;
		spec_sweep_needs(p, at[SWEEP_file]);
	}
	spec_leave(p);
}

static void read_special(
	struct spec_parser *p, struct weft_sweep *sweep, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	spec_collect(p, n, IN_SWEEP, at);
	if (weft_yaml_get(n, "file")) {
		read_file(p, sweep, n, at);
		return;
	}
	if (n->n != 1) {
		if (spec_has_bad_key(p, n))
			return;
		spec_bad(p, n, "axes have lists of values",
			"`each` and `replicas` stand alone in a sweep");
		return;
	}
	if (at[SWEEP_replicas]) {
		struct weft_axis *axis = spec_alloc(p, 1, sizeof(*axis));
		if (!axis)
			return;
		double count = strtod(at[SWEEP_replicas]->text, NULL);
		*axis = (struct weft_axis){.name = "replica",
			.pos = n->pos,
			.range = true,
			.last = count - 1,
			.step = 1,
			.n = (size_t)count,
			.distinct = true};
		sweep->kind = WEFT_SWEEP_REPLICAS;
		sweep->axis = axis;
		sweep->n_axes = 1;
		sweep->count = axis->n;
	}
	if (at[SWEEP_each]) {
		spec_enter(p, "each");
		struct spec_each each = {at[SWEEP_each], spec_path(p), p->step};
		spec_leave(p);
		if (weft_grow(p->each, p->n_each, p->cap_each) < 0)
			spec_nomem(p);
		else
			p->each[p->n_each++] = each;
		sweep->kind = WEFT_SWEEP_EACH;
		sweep->each = WEFT_NO_STEP;
	}
}

/* In a zip a tuple must not come twice. */
static bool tuples_distinct(struct spec_parser *p, const struct weft_sweep *sweep)
{
	struct weft_axis whole = {.n = sweep->count};
	bool distinct = false;
	for (size_t a = 0; a < sweep->n_axes; a++)
		if (sweep->axis[a].distinct)
			return true;
	whole.value = calloc(whole.n, sizeof(*whole.value));
	struct weft_value *items = calloc(whole.n * sweep->n_axes, sizeof(*items));
	if (whole.value && items) {
		for (size_t i = 0; i < whole.n; i++) {
			struct weft_value *item = items + i * sweep->n_axes;
			for (size_t a = 0; a < sweep->n_axes; a++)
				item[a] = sweep->axis[a].value[i];
			whole.value[i] = (struct weft_value){
				.kind = WEFT_V_LIST, .item = item, .n = sweep->n_axes};
		}
		distinct = all_distinct(p, &whole);
	} else {
		spec_nomem(p);
	}
	free(items);
	free(whole.value);
	return distinct;
}

static void combine(
	struct spec_parser *p, struct weft_sweep *sweep, const struct weft_yaml_node *n)
{
	double count = 1;
	sweep->kind = WEFT_SWEEP_AXES;
	for (size_t a = 0; a < sweep->n_axes; a++) {
		const struct weft_axis *axis = &sweep->axis[a];
		if (!axis->n)
			return; /* reported */
		if (sweep->zip && axis->n != sweep->axis[0].n) {
			spec_bad(p, n, "axes of a zip have the same number of values",
				"`%s` has %zu values, `%s` has %zu",
				sweep->axis[0].name, sweep->axis[0].n, axis->name,
				axis->n);
			return;
		}
		if (!sweep->zip && !axis->distinct) {
			spec_bad(p, n, "for repetitions, add an axis of seeds",
				"axis `%s` has the same value twice", axis->name);
			return;
		}
		count = sweep->zip ? (double)axis->n : count * (double)axis->n;
	}
	if (count > SPEC_MAX_MEMBERS) {
		too_many(p, n, count);
		return;
	}
	sweep->count = (size_t)count;
	if (sweep->zip && sweep->n_axes && !tuples_distinct(p, sweep))
		spec_bad(p, n, "for repetitions, add an axis of seeds",
			"two members have the same params");
}

void spec_sweep(struct spec_parser *p, struct weft_step *s,
	const struct weft_yaml_node *n, const struct weft_yaml_node *mode)
{
	struct weft_sweep *sweep = &s->sweep;
	sweep->count = sweep->most = 1;
	sweep->root = s->index;
	if (!n)
		return;
	sweep->most = 0;
	sweep->zip =
		mode && mode->kind == WEFT_YAML_SCALAR && !strcmp(mode->text, "zip");
	spec_enter(p, "sweep");
	if (n->kind == WEFT_YAML_SEQ) {
		read_names(p, sweep, n);
	} else if (n->kind == WEFT_YAML_MAP) {
		if (spec_is_special_sweep(n))
			read_special(p, sweep, n);
		else
			read_own_axes(p, sweep, n);
	}
	if (sweep->kind == WEFT_SWEEP_NONE && sweep->n_axes)
		combine(p, sweep, n);
	if (!sweep->most)
		sweep->most = sweep->count;
	spec_leave(p);
}

void spec_each(struct spec_parser *p)
{
	struct weft_workflow *wf = p->wf;
	for (size_t i = 0; i < p->n_each; i++) {
		struct spec_each *e = &p->each[i];
		size_t to;
		if (!weft_map_get(&wf->by_name, e->node->text, &to))
			spec_bad_path(p, e->node, e->path,
				spec_nearest_step(p, e->node->text),
				"there is no step `%s`", e->node->text);
		else
			wf->step[e->owner].sweep.each = (unsigned)to;
	}
	/* An each of an each: follow to the end, and not for ever. */
	spec_check_steer(p);
	for (size_t i = 0; i < p->n_each; i++) {
		struct spec_each *e = &p->each[i];
		struct weft_sweep *sweep = &wf->step[e->owner].sweep;
		unsigned at = sweep->each, hops = 0;
		while (at != WEFT_NO_STEP &&
			wf->step[at].sweep.kind == WEFT_SWEEP_EACH &&
			hops++ < SPEC_MAX_NESTED)
			at = wf->step[at].sweep.each;
		if (at == WEFT_NO_STEP)
			continue;
		const struct weft_sweep *of = &wf->step[at].sweep;
		if (of->kind == WEFT_SWEEP_EACH) {
			spec_bad_path(p, e->node, e->path, NULL,
				"leads back to itself, or through more than %d steps",
				SPEC_MAX_NESTED);
		} else if (of->kind == WEFT_SWEEP_NONE && p->failed) {
			continue; /* its sweep may be what was wrong */
		} else if (of->kind == WEFT_SWEEP_NONE) {
			spec_bad_path(p, e->node, e->path, NULL,
				"step `%s` has no sweep", wf->step[at].name);
		} else {
			sweep->root = at;
			sweep->most = of->most;
			sweep->growing = of->growing;
			sweep->rows = of->rows;
			sweep->fixed = of->fixed;
			sweep->zip = of->zip;
			sweep->axis = of->axis;
			sweep->n_axes = of->n_axes;
			sweep->count = of->count;
		}
	}
}
