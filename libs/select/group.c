/*
 * group.c - which steps share an allocation, and what each waits for.
 *
 * Steps are taken in dependency order.  One joins the group of the last thing that
 * it needs where that saves a wait in the queue and leaves little of the allocation
 * idle; else it has a group of its own.  A group only ever needs earlier ones, so
 * that no two can wait for each other.
 */
#include "select/pack.h"

#include <stdlib.h>
#include <string.h>

#define FEW 64 /* comparisons that finding out about a join may take */

/* A group while steps still join it. */
struct draft {
	struct weft_plan_step shape;
	unsigned first, last; /* steps: a list through drafts.next */
	unsigned n_steps;
	size_t n_edges;
	size_t wanted; /* ways that lead to it from steps outside */
	size_t tasks, block;
	unsigned width;
	int64_t time;            /* of one job; 0: not limited */
	double cpus, gpus, span; /* used: units x seconds, and the seconds */
	bool closed;             /* nothing joins */
};

struct drafts {
	struct draft *v;
	size_t n, n_early;
	unsigned *next; /* step -> the next of its group */
	size_t *wanted; /* step -> ways that lead to it, from other than late steps */
	int64_t *span;  /* step -> its seconds in one job */
	/* --group all: what must be the same -> place in latest, the last such group */
	struct weft_map alike;
	size_t *latest, n_latest;
};

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

/* Runs also when the run has been stopped: ends with nobody else's job. */
static bool after_failure(const struct weft_step *s)
{
	for (size_t e = 0; e < s->n_edges; e++)
		if (s->edge[e].state != WEFT_DEP_DONE)
			return true;
	return s->finally;
}

static bool same_pairs(const struct weft_pairs *a, const struct weft_pairs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const char *x = a->v[i].value.s, *y = b->v[i].value.s;

		if (!weft_streq(a->v[i].name, b->v[i].name) ||
			!weft_streq(x ? x : "", y ? y : ""))
			return false;
	}
	return true;
}

/* Would sbatch be told the same of both, but for how much of everything? */
static bool same_job(const struct work *w, unsigned x, unsigned y)
{
	const struct weft_plan_step *a = &w->plan->step[x], *b = &w->plan->step[y];

	return weft_streq(a->partition, b->partition) &&
	       weft_streq(a->account, b->account) && weft_streq(a->qos, b->qos) &&
	       weft_streq(a->reservation, b->reservation) &&
	       weft_streq(a->constraint, b->constraint) &&
	       weft_streq(a->exclude, b->exclude) &&
	       weft_streq(a->nodelist, b->nodelist) &&
	       weft_streq(a->licenses, b->licenses) && weft_streq(a->gres, b->gres) &&
	       a->exclusive == b->exclusive &&
	       same_pairs(&w->wf->step[x].slurm, &w->wf->step[y].slurm);
}

static double units(unsigned a, unsigned b, unsigned c)
{
	return (double)a * b * c;
}

static double cpus_of(const struct weft_plan_step *p)
{
	return units(p->nodes, p->ntasks_per_node, p->cpus_per_task);
}

static size_t ceil_div(size_t a, size_t b)
{
	return (a + b - 1) / b;
}

/* Do all ways to the group lead from member i to member i? */
static bool corresponds(const struct work *w, const struct weft_step *s, unsigned group)
{
	for (size_t e = 0; e < s->n_edges; e++) {
		const struct weft_edge *edge = &s->edge[e];

		if (w->plan->step[edge->step].group == group &&
			(edge->all || edge->optional ||
				!weft_spec_one_to_one(w->wf, s, edge)))
			return false;
	}
	return true;
}

/* How a step runs in one job of a group: its members there, how often after each
 * other, its seconds (0: not limited). */
struct part {
	size_t members, waves;
	int64_t time;
};

static bool part_in(const struct work *w, const struct draft *d,
	const struct weft_plan_step *shape, const struct weft_step *s,
	const struct packing *k, struct part *out)
{
	const struct weft_plan_step *p = &w->plan->step[s->index];
	size_t at_once = pack_holds(shape, p);

	out->members = d->tasks > 1 ? d->block : p->members;
	if (p->max_parallel && at_once > p->max_parallel)
		at_once = p->max_parallel;
	if (!at_once)
		return false;
	out->waves = ceil_div(out->members, at_once);
	/* Side by side it would have been faster in jobs of its own. */
	if (w->group == WEFT_GROUP_AUTO && d->tasks <= 1 && out->waves > 1 &&
		k->tasks > 1)
		return false;
	if (p->time && out->waves > (size_t)(INT64_MAX / 4 / p->time))
		return false;
	out->time = p->time * (int64_t)out->waves;
	return true;
}

static size_t edges_into(
	const struct work *w, const struct weft_step *s, unsigned group)
{
	size_t n = 0;

	for (size_t e = 0; e < s->n_edges; e++)
		n += w->plan->step[s->edge[e].step].group == group;
	return n;
}

/* Does nobody wait longer?  The group starts when it would have: everything else that
 * the step needs had to end before.  And no other step waits for the group's end. */
static bool delays_none(const struct work *w, const struct drafts *ds,
	const struct weft_step *s, unsigned group)
{
	const struct draft *d = &ds->v[group];
	size_t into = edges_into(w, s, group);

	if (d->wanted > into || (s->n_edges - into) * d->n_edges > FEW)
		return false;
	for (size_t e = 0; e < s->n_edges; e++) {
		unsigned need = w->plan->step[s->edge[e].step].group;
		bool known = need == group;

		for (unsigned i = d->first; !known; i = ds->next[i]) {
			const struct weft_step *m = &w->wf->step[i];

			for (size_t k = 0; k < m->n_edges; k++)
				known |= w->plan->step[m->edge[k].step].group == need;
			if (i == d->last)
				break;
		}
		if (!known)
			return false;
	}
	return true;
}

/* The share of an allocation that would lie idle. */
static double waste_of(const struct draft *d, const struct weft_plan_step *shape,
	double cpus, double gpus, double span)
{
	double all_cpus = cpus_of(shape) * span, all_gpus = shape->gpus * span;
	double idle = all_cpus > 0 ? 1 - (d->cpus + cpus) / all_cpus : 0;
	double idle_gpus = all_gpus > 0 ? 1 - (d->gpus + gpus) / all_gpus : 0;

	return idle > idle_gpus ? idle : idle_gpus;
}

static bool join(struct work *w, struct drafts *ds, const struct weft_step *s,
	const struct packing *k, unsigned group)
{
	const struct weft_plan_step *p = &w->plan->step[s->index];
	struct draft *d = &ds->v[group];
	struct pack_rules rules = pack_rules(w);
	struct weft_plan_step shape = d->shape;
	int64_t limit = pack_time_limit(w, p);
	bool automatic = w->group == WEFT_GROUP_AUTO;
	struct part part;

	if (d->closed || after_failure(s) || !same_job(w, d->first, s->index) ||
		(d->tasks > 1 && (p->members != w->plan->step[d->first].members ||
					 !corresponds(w, s, group))))
		return false;
	if (!pack_merge(w, &shape, p) || !part_in(w, d, &shape, s, k, &part) ||
		(automatic && !delays_none(w, ds, s, group)))
		return false;
	bool limited = d->time && part.time;
	int64_t time = limited ? d->time + part.time : 0;
	double cpus = cpus_of(p) * (double)part.members * (double)p->time;
	double gpus = p->gpus * (double)part.members * (double)p->time;

	if ((limit && (!limited || time > limit)) ||
		(automatic && limited && time > rules.time))
		return false;
	if (automatic && limited &&
		waste_of(d, &shape, cpus, gpus, d->span + (double)part.time) >
			rules.waste)
		return false;
	/* Without limits only what is alike can't waste anything. */
	if (automatic && !limited &&
		(part.waves > 1 || cpus_of(&shape) != cpus_of(p) ||
			shape.gpus != p->gpus || d->width > 1))
		return false;
	d->shape = shape;
	d->time = time;
	d->cpus += cpus;
	d->gpus += gpus;
	d->span += (double)part.time;
	d->n_edges += s->n_edges;
	d->wanted += ds->wanted[s->index] - edges_into(w, s, group);
	d->n_steps++;
	ds->next[d->last] = s->index;
	d->last = s->index;
	ds->span[s->index] = part.time;
	return true;
}

static void begin(struct work *w, struct drafts *ds, const struct weft_step *s,
	const struct packing *k, bool late)
{
	const struct weft_plan_step *p = &w->plan->step[s->index];
	struct draft *d = &ds->v[ds->n++];
	bool sweep = s->sweep.kind != WEFT_SWEEP_NONE;

	*d = (struct draft){.shape = *p,
		.first = s->index,
		.last = s->index,
		.n_steps = 1,
		.n_edges = s->n_edges,
		.wanted = ds->wanted[s->index],
		.tasks = sweep && (k->tasks > 1 || w->group == WEFT_GROUP_NONE)
				 ? k->tasks
				 : 0,
		.block = sweep ? ceil_div(p->members, k->tasks) : 1,
		.width = k->width,
		.time = p->time * (int64_t)k->waves,
		.closed = late || after_failure(s)};
	pack_widen(w, &d->shape, d->width);
	d->span = (double)d->time;
	d->cpus = cpus_of(p) * (double)d->block * (double)p->time;
	d->gpus = p->gpus * (double)d->block * (double)p->time;
	ds->span[s->index] = d->time;
}

/* What must be the same for --group all, as text. */
static char *job_key(struct work *w, const struct weft_step *s)
{
	const struct weft_plan_step *p = &w->plan->step[s->index];
	const char *const texts[] = {p->partition, p->account, p->qos, p->reservation,
		p->constraint, p->exclude, p->nodelist, p->licenses, p->gres};
	weft_autostr struct weft_str key = {0};

	for (size_t i = 0; i < WEFT_COUNT(texts); i++)
		weft_str_printf(&key, "%s\x1f", texts[i]);
	weft_str_printf(&key, "%d", p->exclusive);
	for (size_t i = 0; i < s->slurm.n; i++)
		weft_str_printf(&key, "\x1f%s=%s", s->slurm.v[i].name,
			s->slurm.v[i].value.s ? s->slurm.v[i].value.s : "");
	return key.failed ? NULL : weft_arena_strdup(&w->scratch, key.s);
}

/* The group that a step may join: that of what it needs last; with --group all the
 * last one like it that no need of the step is younger than. */
static int find(
	struct work *w, struct drafts *ds, const struct weft_step *s, size_t *group)
{
	size_t youngest = 0;
	bool any = false;

	for (size_t e = 0; e < s->n_edges; e++) {
		unsigned g = w->plan->step[s->edge[e].step].group;

		if (!any || g > youngest)
			youngest = g;
		any = true;
	}
	*group = youngest;
	if (w->group == WEFT_GROUP_AUTO)
		return any ? 1 : 0;
	char *key = job_key(w, s);
	size_t slot;

	if (!key)
		return -1;
	if (!weft_map_get(&ds->alike, key, &slot))
		return 0;
	*group = ds->latest[slot];
	return !any || youngest <= *group;
}

static int remember(struct work *w, struct drafts *ds, const struct weft_step *s)
{
	char *key;
	size_t slot;

	if (w->group != WEFT_GROUP_ALL)
		return 0;
	if (!(key = job_key(w, s)) ||
		weft_map_add(&ds->alike, key, ds->n_latest, NULL) < 0 ||
		!weft_map_get(&ds->alike, key, &slot))
		return -1;
	ds->n_latest += slot == ds->n_latest;
	ds->latest[slot] = ds->n - 1;
	return 0;
}

static int draft_step(
	struct work *w, struct drafts *ds, const struct weft_step *s, bool late)
{
	struct weft_plan_step *p = &w->plan->step[s->index];
	struct packing k;
	size_t group;

	if (pack_members(w, p, &k) < 0) {
		struct weft_err err = {0};

		weft_err_set(&err, WEFT_EPLACE,
			"%zu members are more than an array job of this cluster holds: "
			"%u",
			p->members, w->cluster->max_array_size);
		weft_err_hint(&err,
			w->group == WEFT_GROUP_NONE
				? "leave out --group=none: several members share a job "
				  "then"
				: "split the sweep into several steps, or give a "
				  "member less time (MaxArraySize of slurm.conf)");
		blame(w->wf, s, 0, KEY_NONE, &err);
		weft_errs_add(w->errs, &err);
		k = (struct packing){.tasks = 1, .width = 1, .waves = 1};
	}
	if (w->group != WEFT_GROUP_NONE && !late) {
		int found = find(w, ds, s, &group);

		if (found < 0)
			return -1;
		if (found && group < ds->n && join(w, ds, s, &k, (unsigned)group)) {
			p->group = (unsigned)group;
			return 0;
		}
	}
	p->group = (unsigned)ds->n;
	begin(w, ds, s, &k, late);
	return ds->v[p->group].closed ? 0 : remember(w, ds, s);
}

/* ---- from drafts to groups ----------------------------------------------- */

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

static const char *why_of(struct work *w, const struct draft *d)
{
	weft_autostr struct weft_str why = {0};
	double idle = waste_of(d, &d->shape, 0, 0, d->span);

	if (d->block > 1) {
		weft_str_printf(&why, "%zu members a job", d->block);
		if (d->width > 1)
			weft_str_printf(&why, ", %u at a time", d->width);
	}
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

/* What a job of several may take, dealt to its steps by their time. */
static void set_hours(struct work *w, const struct drafts *ds, const struct draft *d)
{
	struct weft_plan_step whole = d->shape;

	whole.time = d->time;
	whole.members = d->tasks ? d->tasks : 1;
	pack_hours(w, &whole);
	for (unsigned i = d->first;; i = ds->next[i]) {
		double share = d->time ? (double)ds->span[i] / (double)d->time : 0;
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
	g->why = why_of(w, d);
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

int make_groups(struct work *w, struct weft_err *err)
{
	const struct weft_workflow *wf = w->wf;
	struct weft_plan *plan = w->plan;
	weft_autofree bool *late = calloc(wf->n_steps + 1, sizeof(*late));
	struct drafts ds = {.v = calloc(wf->n_steps + 1, sizeof(*ds.v)),
		.next = calloc(wf->n_steps + 1, sizeof(*ds.next)),
		.span = calloc(wf->n_steps + 1, sizeof(*ds.span)),
		.latest = calloc(wf->n_steps + 1, sizeof(*ds.latest)),
		.wanted = calloc(wf->n_steps + 1, sizeof(*ds.wanted))};
	struct needs ns = {.at = calloc(wf->n_steps + 1, sizeof(*ns.at))};
	struct weft_plan_need *shared = NULL;
	int rc = -1;

	if (!late || !ds.v || !ds.next || !ds.span || !ds.latest || !ds.wanted ||
		!ns.at)
		goto out;
	mark_late(wf, late);
	for (size_t i = 0; i < wf->n_steps; i++)
		for (size_t e = 0; !late[i] && e < wf->step[i].n_edges; e++)
			ds.wanted[wf->step[i].edge[e].step]++;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t k = 0; k < wf->n_steps; k++) {
			const struct weft_step *s = &wf->step[wf->order[k]];

			if (late[s->index] == (pass == 1) &&
				draft_step(w, &ds, s, pass == 1) < 0)
				goto out;
		}
		if (pass == 0)
			ds.n_early = ds.n;
	}
	plan->n_groups = ds.n;
	plan->group = weft_arena_alloc(&plan->arena, (ds.n + 1) * sizeof(*plan->group));
	if (!plan->group)
		goto out;
	for (unsigned g = 0; g < ds.n; g++)
		if (finish(w, &ds, g, &ns, &shared) < 0)
			goto out;
	rc = 0;
out:
	free(ds.v);
	free(ds.next);
	free(ds.span);
	free(ds.latest);
	free(ds.wanted);
	free(ns.v);
	free(ns.at);
	weft_map_free(&ds.alike);
	return rc < 0 ? weft_err_nomem(err) : 0;
}
