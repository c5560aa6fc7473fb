/* match.c - which members of one sweep need which of another. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

/* The axis of `dep` that axis `a` of `s` matches, or -1. */
static int matching(const struct weft_sweep *s, size_t a, const struct weft_sweep *dep)
{
	for (size_t b = 0; b < dep->n_axes; b++)
		if (&s->axis[a] == &dep->axis[b] ||
			(s->axis[a].shared && dep->axis[b].shared &&
				!strcmp(s->axis[a].name, dep->axis[b].name)))
			return (int)b;
	return -1;
}

static bool same_values(const struct weft_axis *a, const struct weft_axis *b)
{
	if (a->range != b->range || a->n != b->n)
		return false;
	return a->range ? a->first == b->first && a->step == b->step
			: a->value == b->value;
}

/* {each: STEP}: the very same members. */
static bool same_root(const struct weft_sweep *s, const struct weft_sweep *dep)
{
	return s->kind != WEFT_SWEEP_NONE && s->kind != WEFT_SWEEP_ROUNDS &&
	       dep->kind != WEFT_SWEEP_NONE && s->root == dep->root;
}

bool weft_spec_matches(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_edge *edge)
{
	const struct weft_sweep *dep = &wf->step[edge->step].sweep;
	if (edge->all || !step->sweep.n_axes || !dep->n_axes)
		return false;
	if (same_root(&step->sweep, dep))
		return true;
	for (size_t a = 0; a < step->sweep.n_axes; a++)
		if (matching(&step->sweep, a, dep) >= 0)
			return true;
	return false;
}

bool weft_spec_one_to_one(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_edge *edge)
{
	const struct weft_sweep *s = &step->sweep, *dep = &wf->step[edge->step].sweep;
	if (same_root(s, dep) && !edge->all)
		return true;
	if (s->rows || dep->rows || !weft_spec_matches(wf, step, edge) ||
		s->n_axes != dep->n_axes || s->count != dep->count ||
		(s->zip != dep->zip && s->n_axes > 1))
		return false;
	for (size_t a = 0; a < s->n_axes; a++)
		if (matching(s, a, dep) != (int)a ||
			!same_values(&s->axis[a], &dep->axis[a]))
			return false;
	return true;
}

static int compare(
	int rc_x, struct weft_value *x, int rc_y, struct weft_value *y, bool *equal)
{
	int rc = rc_x ? rc_x : rc_y;
	*equal = rc == 0 && spec_value_equal(x, y);
	weft_value_clear(x);
	weft_value_clear(y);
	return rc;
}

static int equal_at(const struct weft_axis *a, size_t i, const struct weft_axis *b,
	size_t k, bool *equal)
{
	struct weft_value x = {0}, y = {0};
	int rc_x = spec_axis_value(a, i, &x), rc_y = spec_axis_value(b, k, &y);
	return compare(rc_x, &x, rc_y, &y, equal);
}

/* Members of a step, from a base on: all of them, or those of a round. */
struct part {
	size_t base, n;
	int (*f)(void *ctx, size_t index);
	void *ctx;
};

static int give(const struct part *part, size_t k)
{
	return part->f(part->ctx, part->base + k);
}

/* Is a member's value on axis `a` the k-th of the other axis? */
static int has_at(const struct weft_sweep *s, size_t a, size_t index,
	const struct weft_axis *b, size_t k, bool *equal)
{
	struct weft_value x = {0}, y = {0};
	int rc_x = spec_sweep_value(s, a, index, &x), rc_y = spec_axis_value(b, k, &y);
	return compare(rc_x, &x, rc_y, &y, equal);
}

/* A grid: the matched coordinates are fixed, the others run. */
static int each_of_grid(const struct weft_sweep *s, size_t index,
	const struct weft_sweep *dep, const struct part *part)
{
	weft_autofree size_t *first = calloc(dep->n_axes, sizeof(*first));
	weft_autofree size_t *count = calloc(dep->n_axes, sizeof(*count));
	if (!first || !count)
		return -1;
	size_t total = 1;
	for (size_t b = 0; b < dep->n_axes; b++)
		count[b] = dep->axis[b].n;
	for (size_t a = 0; a < s->n_axes; a++) {
		int b = matching(s, a, dep);
		if (b < 0)
			continue;
		bool equal = !s->rows && same_values(&s->axis[a], &dep->axis[b]) &&
			     dep->axis[b].distinct;
		size_t at = equal ? spec_coordinate(s, a, index) : 0;
		while (!equal && at < dep->axis[b].n) {
			if (has_at(s, a, index, &dep->axis[b], at, &equal) < 0)
				return -1;
			at += !equal;
		}
		if (!equal)
			return 0;
		first[b] = at;
		count[b] = 1;
	}
	for (size_t b = 0; b < dep->n_axes; b++)
		total *= count[b];
	for (size_t i = 0; i < total; i++) {
		size_t rest = i, member = 0, stride = 1;
		for (size_t b = dep->n_axes; b-- > 0;) {
			member += (first[b] + rest % count[b]) * stride;
			rest /= count[b];
			stride *= dep->axis[b].n;
		}
		int rc = give(part, member);
		if (rc)
			return rc;
	}
	return 0;
}

static int give_index(void *ctx, size_t k)
{
	return give(ctx, k);
}

/* Rows: those that have the same values. */
static int each_of_rows(const struct weft_sweep *s, size_t index,
	const struct weft_sweep *dep, struct part *part)
{
	weft_autostr struct weft_str key = {0};
	uint64_t axes = 0;
	for (size_t b = 0; b < dep->n_axes; b++)
		for (size_t a = 0; a < s->n_axes; a++) {
			struct weft_value v = {0};
			if (matching(s, a, dep) != (int)b)
				continue;
			int bad = spec_sweep_value(s, a, index, &v) ||
				  spec_index_key(&key, &v);
			weft_value_clear(&v);
			if (bad)
				return -1;
			axes |= (uint64_t)1 << b;
		}
	return spec_index_each(spec_rows_index(dep->rows), dep, axes,
		key.s ? key.s : "", part->n, give_index, part);
}

/* Member by member, where there are no coordinates to go by. */
static int each_by_value(const struct weft_sweep *s, size_t index,
	const struct weft_sweep *dep, const struct part *part)
{
	for (size_t i = 0; i < part->n; i++) {
		bool equal = true;
		for (size_t a = 0; equal && a < s->n_axes; a++) {
			struct weft_value x = {0}, y = {0};
			int b = matching(s, a, dep);
			if (b < 0)
				continue;
			int rc_x = spec_sweep_value(s, a, index, &x);
			int rc_y = spec_sweep_value(dep, (size_t)b, i, &y);
			if (compare(rc_x, &x, rc_y, &y, &equal) < 0)
				return -1;
		}
		int rc = equal ? give(part, i) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static int each_of(const struct weft_workflow *wf, const struct weft_step *step,
	size_t index, const struct weft_edge *edge, struct part *part)
{
	const struct weft_sweep *s = &step->sweep, *dep = &wf->step[edge->step].sweep;
	if (!weft_spec_matches(wf, step, edge)) {
		int rc = 0;
		for (size_t i = 0; rc == 0 && i < part->n; i++)
			rc = give(part, i);
		return rc;
	}
	if (s->round)
		index %= s->round;
	if (same_root(s, dep))
		return index < part->n ? give(part, index) : 0;
	if (weft_spec_one_to_one(wf, step, edge) && s->axis[0].distinct)
		return give(part, index);
	if (dep->rows && dep->n_axes <= 64)
		return each_of_rows(s, index, dep, part);
	return dep->zip || dep->rows ? each_by_value(s, index, dep, part)
				     : each_of_grid(s, index, dep, part);
}

int weft_spec_each_in_round(const struct weft_workflow *wf,
	const struct weft_step *step, size_t index, const struct weft_edge *edge,
	size_t round, int (*f)(void *ctx, size_t index), void *ctx)
{
	const struct weft_sweep *dep = &wf->step[edge->step].sweep;
	struct part part = {round * dep->round, dep->round, f, ctx};
	return each_of(wf, step, index, edge, &part);
}

static bool same_loop(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_edge *edge)
{
	return step->loop != WEFT_NO_LOOP && step->loop == wf->step[edge->step].loop;
}

int weft_spec_each_match(const struct weft_workflow *wf, const struct weft_step *step,
	size_t index, const struct weft_edge *edge, int (*f)(void *ctx, size_t index),
	void *ctx)
{
	const struct weft_step *of = &wf->step[edge->step];
	struct part part = {0, of->sweep.count, f, ctx};
	if (of->loop == WEFT_NO_LOOP)
		return each_of(wf, step, index, edge, &part);
	size_t last = wf->loop[of->loop].rounds - 1;
	return weft_spec_each_in_round(wf, step, index, edge,
		same_loop(wf, step, edge) ? index / step->sweep.round : last, f, ctx);
}

bool weft_spec_whole(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_edge *edge)
{
	const struct weft_sweep *dep = &wf->step[edge->step].sweep;
	return !dep->growing || same_loop(wf, step, edge) ||
	       (!dep->round && same_root(&step->sweep, dep) && !edge->all);
}

/* ---- when the file is read ---- */

#define MAX_COMPARED 1000000u /* values; beyond, the run will tell */

static bool has_value(const struct weft_axis *a, size_t i, const struct weft_axis *b)
{
	bool equal = false;
	for (size_t k = 0; !equal && k < b->n; k++)
		if (equal_at(a, i, b, k, &equal) < 0)
			return true;
	return equal;
}

static void check_ref(struct spec_parser *p, const struct spec_ref *r)
{
	struct weft_workflow *wf = p->wf;
	const struct weft_sweep *s = &wf->step[r->owner].sweep;
	size_t to;
	if (r->all || r->optional || !weft_map_get(&wf->by_name, r->step, &to))
		return;
	const struct weft_sweep *dep = &wf->step[to].sweep;
	if (s->rows || dep->rows)
		return; /* the run will tell */
	for (size_t a = 0; a < s->n_axes; a++) {
		int b = matching(s, a, dep);
		if (b < 0 || same_values(&s->axis[a], &dep->axis[b]) ||
			s->axis[a].n > MAX_COMPARED / dep->axis[b].n)
			continue;
		for (size_t i = 0; i < s->axis[a].n; i++) {
			if (has_value(&s->axis[a], i, &dep->axis[b]))
				continue;
			struct weft_value v = {0};
			struct weft_str text = {0};
			if (spec_axis_value(&s->axis[a], i, &v) == 0)
				weft_value_json(&text, &v);
			spec_bad_path(p, r->node, r->path,
				"give both the same values, or write `NAME.*` for all "
				"members",
				"no member of `%s` has %s = %s", r->step,
				s->axis[a].name, text.s ? text.s : "?");
			weft_str_free(&text);
			weft_value_clear(&v);
			return;
		}
	}
}

void spec_check_matches(struct spec_parser *p)
{
	for (size_t i = 0; i < p->n_ref; i++)
		check_ref(p, &p->ref[i]);
}
