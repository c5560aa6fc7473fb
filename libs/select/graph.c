/* graph.c - a group for each step or sweep, and the groups that it waits for. */
#include "select/work.h"

#include <stdlib.h>
#include <string.h>

/* Steps that run after all others: `finally`, and what needs one of them. */
static void mark_late(const struct weft_workflow *wf, bool *late)
{
	for (size_t k = 0; k < wf->n_steps; k++) {
		const struct weft_step *s = &wf->step[wf->order[k]];

		late[s->index] = s->finally;
		for (size_t e = 0; e < s->n_edges; e++)
			late[s->index] |= late[s->edge[e].step];
	}
}

static void add_need(struct weft_plan_group *g, unsigned group, bool corresponding)
{
	for (size_t i = 0; i < g->n_needs; i++)
		if (g->need[i].group == group) {
			g->need[i].corresponding &= corresponding;
			return;
		}
	g->need[g->n_needs++] =
		(struct weft_plan_need){.group = group, .corresponding = corresponding};
}

static int edge_needs(
	struct work *w, const struct weft_step *s, struct weft_plan_group *g)
{
	if (!s->n_edges)
		return 0;
	g->need = weft_arena_alloc(&w->plan->arena, s->n_edges * sizeof(*g->need));
	if (!g->need)
		return -1;
	for (size_t e = 0; e < s->n_edges; e++) {
		const struct weft_edge *edge = &s->edge[e];
		const struct weft_plan_step *from = &w->plan->step[edge->step];
		bool same = g->tasks && w->plan->group[from->group].tasks == g->tasks &&
			    edge->state == WEFT_DEP_DONE && !edge->optional &&
			    !edge->all && weft_spec_one_to_one(w->wf, s, edge);

		add_need(g, from->group, same);
	}
	return 0;
}

/* The steps of `finally` wait for all that are not late; one list serves them. */
static int late_needs(struct work *w, struct weft_plan_group *g, size_t n_early,
	struct weft_plan_need **shared)
{
	struct weft_plan_need *own = g->need;
	size_t n_own = g->n_needs, extra = 0;

	for (size_t i = 0; i < n_own; i++)
		extra += own[i].group >= n_early;
	if (!*shared || extra) {
		struct weft_plan_need *v = weft_arena_alloc(
			&w->plan->arena, (n_early + extra + 1) * sizeof(*v));

		if (!v)
			return -1;
		for (size_t i = 0; i < n_early; i++)
			v[i].group = (unsigned)i;
		size_t n = n_early;

		for (size_t i = 0; i < n_own; i++)
			if (own[i].group >= n_early)
				v[n++] = own[i];
		g->need = v;
		if (!extra)
			*shared = v;
	} else {
		g->need = *shared;
	}
	g->n_needs = n_early + extra;
	return 0;
}

static int make_group(struct work *w, const struct weft_step *s, unsigned index)
{
	struct weft_plan *plan = w->plan;
	struct weft_plan_group *g = &plan->group[index];
	struct weft_plan_step *p = &plan->step[s->index];

	p->group = index;
	g->name = p->name;
	g->step = weft_arena_alloc(&plan->arena, sizeof(*g->step));
	if (!g->step)
		return -1;
	g->step[0] = s->index;
	g->n_steps = 1;
	g->tasks = s->sweep.kind == WEFT_SWEEP_NONE ? 0 : s->sweep.count;
	g->max_parallel = p->max_parallel;
	g->shape = *p;
	return edge_needs(w, s, g);
}

int make_groups(struct work *w, struct weft_err *err)
{
	const struct weft_workflow *wf = w->wf;
	struct weft_plan *plan = w->plan;
	weft_autofree bool *late = calloc(wf->n_steps + 1, sizeof(*late));
	struct weft_plan_need *shared = NULL;
	size_t n_early = 0;

	plan->group = weft_arena_alloc(
		&plan->arena, (wf->n_steps + 1) * sizeof(*plan->group));
	if (!late || !plan->group)
		return weft_err_nomem(err);
	mark_late(wf, late);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t k = 0; k < wf->n_steps; k++) {
			const struct weft_step *s = &wf->step[wf->order[k]];

			if (late[s->index] != (pass == 1))
				continue;
			if (make_group(w, s, (unsigned)plan->n_groups) < 0)
				return weft_err_nomem(err);
			if (s->finally && late_needs(w, &plan->group[plan->n_groups],
						  n_early, &shared) < 0)
				return weft_err_nomem(err);
			plan->n_groups++;
		}
		if (pass == 0)
			n_early = plan->n_groups;
	}
	return 0;
}
