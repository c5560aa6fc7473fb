/* group_finish.c - drafts of groups become the plan's: name, needs, hours, limits. */
#include "select/draft.h"

#include <stdlib.h>
#include <string.h>

/* "a+b", and beyond three "a+7". */
static const char *name_of(
	struct work *w, const struct drafts *ds, const struct draft *d)
{
	const struct weft_plan_step *step = w->plan->step;
	unsigned b = ds->next[d->first];

	if (d->n_steps == 1)
		return step[d->first].name;
	if (d->n_steps == 2)
		return weft_arena_printf(
			&w->plan->arena, "%s+%s", step[d->first].name, step[b].name);
	if (d->n_steps == 3)
		return weft_arena_printf(&w->plan->arena, "%s+%s+%s",
			step[d->first].name, step[b].name, step[ds->next[b]].name);
	return weft_arena_printf(
		&w->plan->arena, "%s+%u", step[d->first].name, d->n_steps - 1);
}

/* A loop: how many rounds, and how long one is. */
static void add_rounds(const struct drafts *ds, const struct draft *d,
	const struct work *w, struct weft_str *why)
{
	size_t rounds = pack_rounds(&w->wf->step[d->first]);
	char time[WEFT_UNIT_MAX];
	int64_t all = 0;

	if (d->loop == WEFT_NO_LOOP || rounds < 2)
		return;
	for (unsigned i = d->first;; i = ds->next[i]) {
		if (w->wf->step[i].loop == d->loop)
			all += ds->span[i];
		if (i == d->last)
			break;
	}
	weft_str_printf(why, "%s", why->len ? "; " : "");
	if (ds->apart[d->loop])
		weft_str_printf(why, "a job a round, %zu at most", rounds);
	else if (all)
		weft_str_printf(why, "%zu rounds at most of %s", rounds,
			weft_format_duration(time, all / (int64_t)rounds));
	else
		weft_str_printf(why, "%zu rounds at most", rounds);
}

static const char *why_of(
	struct work *w, const struct drafts *ds, const struct draft *d)
{
	weft_autostr struct weft_str why = {0};
	double idle = draft_waste(d, &d->shape, 0, 0, d->span);

	if (d->block > 1) {
		weft_str_printf(&why, "%zu members a job", d->block);
		if (d->width > 1)
			weft_str_printf(&why, ", %u at a time", d->width);
	}
	add_rounds(ds, d, w, &why);
	if (d->n_steps > 1)
		weft_str_printf(&why, "%s%u steps without another wait in the queue",
			why.len ? "; " : "", d->n_steps);
	if (why.len && d->time && idle >= 0.005)
		weft_str_printf(&why, "; %.0f %% may lie idle", 100 * idle);
	return why.failed ? NULL
			  : weft_arena_strdup(&w->plan->arena, why.s ? why.s : "");
}

/* needs of one step into a list that grows; at: group -> 1 + its place in it. */
struct needs {
	struct weft_plan_need *v;
	size_t n, cap;
	size_t *at;
};

static int add_need(struct needs *ns, unsigned group, bool corresponding)
{
	if (ns->at[group]) {
		ns->v[ns->at[group] - 1].corresponding &= corresponding;
		return 0;
	}
	if (weft_grow(ns->v, ns->n, ns->cap) < 0)
		return -1;
	ns->v[ns->n++] = (struct weft_plan_need){group, corresponding};
	ns->at[group] = ns->n;
	return 0;
}

static int collect_needs(
	struct work *w, const struct drafts *ds, unsigned group, struct needs *ns)
{
	const struct draft *d = &ds->v[group];

	for (unsigned i = d->first;; i = ds->next[i]) {
		const struct weft_step *s = &w->wf->step[i];

		for (size_t e = 0; e < s->n_edges; e++) {
			const struct weft_edge *edge = &s->edge[e];
			unsigned from = w->plan->step[edge->step].group;
			/* A task of several members fails with any of them: what waits
			 * for the others would never start. */
			bool same = d->tasks && ds->v[from].tasks == d->tasks &&
				    ds->v[from].block == 1 &&
				    w->plan->step[edge->step].members ==
					    w->plan->step[i].members &&
				    edge->state == WEFT_DEP_DONE && !edge->optional &&
				    !edge->all && weft_spec_one_to_one(w->wf, s, edge);

			if (from != group && add_need(ns, from, same) < 0)
				return -1;
		}
		if (i == d->last)
			return 0;
	}
}

static int set_needs(struct work *w, const struct drafts *ds, unsigned group,
	struct needs *ns, struct weft_plan_need **shared)
{
	struct weft_plan_group *g = &w->plan->group[group];
	bool last = w->wf->step[ds->v[group].first].finally;

	for (size_t i = 0; i < ns->n; i++)
		ns->at[ns->v[i].group] = 0;
	ns->n = 0;
	/* The steps of `finally` wait for all that are not late. */
	for (unsigned i = 0; last && i < ds->n_early && !*shared; i++)
		if (add_need(ns, i, false) < 0)
			return -1;
	if (last && *shared) {
		/* One list serves them all, unless one needs another. */
		bool more = false;

		for (size_t e = 0; e < w->wf->step[ds->v[group].first].n_edges; e++)
			more |= w->plan->step
					[w->wf->step[ds->v[group].first].edge[e].step]
						.group >= ds->n_early;
		if (!more) {
			g->need = *shared;
			g->n_needs = ds->n_early;
			return 0;
		}
		for (unsigned i = 0; i < ds->n_early; i++)
			if (add_need(ns, i, false) < 0)
				return -1;
	}
	if (collect_needs(w, ds, group, ns) < 0)
		return -1;
	g->n_needs = ns->n;
	if (!ns->n)
		return 0;
	g->need = weft_arena_alloc(&w->plan->arena, ns->n * sizeof(*g->need));
	if (!g->need)
		return -1;
	memcpy(g->need, ns->v, ns->n * sizeof(*g->need));
	if (last && ns->n == ds->n_early && !*shared)
		*shared = g->need;
	return 0;
}

/* Seconds in which a job of the group would run all of a step's members that are for
 * it: more than the job's, where what doesn't fit goes on in another one. */
static int64_t takes(const struct work *w, const struct drafts *ds,
	const struct draft *d, unsigned i)
{
	const struct weft_step *s = &w->wf->step[i];
	const struct weft_plan_step *p = &w->plan->step[i];
	size_t n = d->tasks > 1 ? d->block : p->members / pack_rounds(s);
	size_t beside = pack_holds(&d->shape, p);

	if (p->max_parallel && beside > p->max_parallel)
		beside = p->max_parallel;
	int64_t all = p->time * (int64_t)(pack_ceil_div(n, beside ? beside : 1) *
					  draft_rounds(ds, s));
	return all > ds->span[i] ? all : ds->span[i];
}

/* What jobs of several may take, dealt to their steps by their time. */
static void set_hours(struct work *w, const struct drafts *ds, const struct draft *d)
{
	struct weft_plan_step whole = d->shape;

	whole.time = 0;
	for (unsigned i = d->first;; i = ds->next[i]) {
		whole.time += takes(w, ds, d, i);
		if (i == d->last)
			break;
	}
	/* Of all rounds, whichever jobs they are in. */
	whole.members = (d->tasks ? d->tasks : 1) *
			(pack_rounds(&w->wf->step[d->first]) /
				draft_rounds(ds, &w->wf->step[d->first]));
	pack_hours(w, &whole);
	for (unsigned i = d->first;; i = ds->next[i]) {
		double share = whole.time
				       ? (double)takes(w, ds, d, i) / (double)whole.time
				       : 0;
		struct weft_plan_step *p = &w->plan->step[i];

		p->node_hours = round_hours(whole.node_hours * share);
		p->core_hours = round_hours(whole.core_hours * share);
		p->gpu_hours = round_hours(whole.gpu_hours * share);
		if (i == d->last)
			return;
	}
}

/* Array tasks at a time, so that no step has more members running than it may; 0: no
 * limit. */
static unsigned throttle(const struct draft *d, const struct weft_plan_step *p)
{
	size_t beside = pack_holds(&d->shape, p);

	if (!p->max_parallel)
		return 0;
	if (beside > d->block)
		beside = d->block;
	return beside && p->max_parallel > beside ? (unsigned)(p->max_parallel / beside)
						  : 1;
}

static int finish(struct work *w, const struct drafts *ds, unsigned group,
	struct needs *ns, struct weft_plan_need **shared)
{
	struct weft_plan_group *g = &w->plan->group[group];
	const struct draft *d = &ds->v[group];
	bool several = d->n_steps > 1 || d->block > 1;

	g->name = name_of(w, ds, d);
	g->why = why_of(w, ds, d);
	g->step = weft_arena_alloc(&w->plan->arena, d->n_steps * sizeof(*g->step));
	if (!g->name || !g->why || !g->step)
		return -1;
	for (unsigned i = d->first;; i = ds->next[i]) {
		unsigned most = d->tasks ? throttle(d, &w->plan->step[i]) : 0;

		if (most && (!g->max_parallel || most < g->max_parallel))
			g->max_parallel = most;
		g->step[g->n_steps++] = i;
		if (i == d->last)
			break;
	}
	g->tasks = d->tasks;
	g->block = d->block;
	g->width = d->width;
	g->shape = d->shape;
	g->shape.name = g->name;
	g->shape.group = group;
	if (several) {
		set_hours(w, ds, d);
		g->shape.time = pack_job_time(w, &d->shape, d->time);
		g->shape.members = d->tasks ? d->tasks : 1;
		g->shape.node_hours = g->shape.core_hours = g->shape.gpu_hours = 0;
		for (size_t i = 0; i < g->n_steps; i++) {
			const struct weft_plan_step *p = &w->plan->step[g->step[i]];

			g->shape.node_hours += p->node_hours;
			g->shape.core_hours += p->core_hours;
			g->shape.gpu_hours += p->gpu_hours;
		}
	}
	return set_needs(w, ds, group, ns, shared);
}

int finish_groups(struct work *w, const struct drafts *ds)
{
	struct weft_plan *plan = w->plan;
	struct needs ns = {.at = calloc(ds->n + 1, sizeof(*ns.at))};
	struct weft_plan_need *shared = NULL;
	int rc = -1;

	plan->n_groups = ds->n;
	plan->group =
		weft_arena_alloc(&plan->arena, (ds->n + 1) * sizeof(*plan->group));
	if (!ns.at || !plan->group)
		goto out;
	for (unsigned g = 0; g < ds->n; g++)
		if (finish(w, ds, g, &ns, &shared) < 0)
			goto out;
	pack_turns(w);
	rc = 0;
out:
	free(ns.v);
	free(ns.at);
	return rc;
}
