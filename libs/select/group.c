/*
 * group.c - which steps share an allocation, and what each waits for.
 *
 * Steps are taken in dependency order.  One joins the group of the last thing that
 * it needs where that saves a wait in the queue and leaves little of the allocation
 * idle; else it has a group of its own.  A group only ever needs earlier ones, so
 * that no two can wait for each other.
 */
#include "select/draft.h"

#include <stdlib.h>
#include <string.h>

#define FEW 64 /* comparisons that finding out about a join may take */

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

static double cpus_of(const struct weft_plan_step *p)
{
	return (double)p->nodes * (double)pack_node_cpus(p);
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

size_t draft_rounds(const struct drafts *ds, const struct weft_step *s)
{
	return s->loop != WEFT_NO_LOOP && ds->apart[s->loop] ? 1 : pack_rounds(s);
}

static bool part_in(const struct work *w, const struct drafts *ds,
	const struct draft *d, const struct weft_plan_step *shape,
	const struct weft_step *s, const struct packing *k, struct part *out)
{
	const struct weft_plan_step *p = &w->plan->step[s->index];
	size_t rounds = draft_rounds(ds, s);
	size_t at_once = pack_holds(shape, p);

	out->members = d->tasks > 1 ? d->block : p->members / pack_rounds(s);
	if (p->max_parallel && at_once > p->max_parallel)
		at_once = p->max_parallel;
	if (!at_once)
		return false;
	out->waves = pack_ceil_div(out->members, at_once);
	/* Side by side it would have been faster in jobs of its own. */
	if (w->group == WEFT_GROUP_AUTO && s->loop == WEFT_NO_LOOP && d->tasks <= 1 &&
		out->waves > 1 && k->tasks > 1)
		return false;
	if (p->time &&
		(double)out->waves * (double)rounds > (double)(INT64_MAX / 4 / p->time))
		return false;
	out->time = p->time * (int64_t)(out->waves * rounds);
	out->members *= rounds;
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

/* That a member keeps busy. */
static double gpus_of(const struct weft_plan_step *p)
{
	return (double)p->gpus / weft_plan_step_sharers(p);
}

double draft_waste(const struct draft *d, const struct weft_plan_step *shape,
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
	/* Rounds go on in the one job that began them. */
	bool same_loop = s->loop != WEFT_NO_LOOP && s->loop == d->loop;
	bool automatic = w->group == WEFT_GROUP_AUTO && !same_loop;
	struct part part;

	if (s->loop != WEFT_NO_LOOP && !same_loop)
		return false;
	/* A job of one round isn't there for what comes after all of them. */
	if (!same_loop && d->loop != WEFT_NO_LOOP && ds->apart[d->loop])
		return false;
	/* Members that come while it runs are for one engine to know of. */
	if (d->tasks > 1 && s->sweep.growing)
		return false;
	if (d->closed || after_failure(s) || !same_job(w, d->first, s->index) ||
		(d->tasks > 1 && (p->members != w->plan->step[d->first].members ||
					 !corresponds(w, s, group))))
		return false;
	if (!pack_merge(w, &shape, p) || !part_in(w, ds, d, &shape, s, k, &part) ||
		(automatic && !delays_none(w, ds, s, group)))
		return false;
	bool limited = d->time && part.time;
	int64_t time = limited ? d->time + part.time : 0;
	double cpus = cpus_of(p) * (double)part.members * (double)p->time;
	double gpus = gpus_of(p) * (double)part.members * (double)p->time;

	if (same_loop) {
		/* What is longer than a job may be goes on in the next one. */
		if (limit && limited && time > limit)
			time = limit;
	} else if ((limit && (!limited || time > limit)) ||
		   (automatic && limited && time > rules.time))
		return false;
	if (automatic && limited &&
		draft_waste(d, &shape, cpus, gpus, d->span + (double)part.time) >
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
	bool array = sweep && !s->sweep.growing;

	*d = (struct draft){.shape = *p,
		.first = s->index,
		.last = s->index,
		.n_steps = 1,
		.n_edges = s->n_edges,
		.wanted = ds->wanted[s->index],
		.tasks = array && (k->tasks > 1 || w->group == WEFT_GROUP_NONE)
				 ? k->tasks
				 : 0,
		.block = sweep ? pack_ceil_div(p->members / pack_rounds(s), k->tasks)
			       : 1,
		.width = k->width,
		.time = p->time * (int64_t)(k->waves * draft_rounds(ds, s)),
		.loop = s->loop,
		.closed = late || after_failure(s)};
	pack_widen(w, &d->shape, k->width + k->more);
	d->span = (double)d->time;
	double used = (double)(d->block * draft_rounds(ds, s)) * (double)p->time;

	d->cpus = cpus_of(p) * used;
	d->gpus = gpus_of(p) * used;
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

/* Each round has jobs of its own: a step joins that of the last thing that it needs
 * there, where it can. */
static int draft_apart(
	struct work *w, struct drafts *ds, const struct weft_step *s, struct packing *k)
{
	struct weft_plan_step *p = &w->plan->step[s->index];
	unsigned youngest = 0;
	bool any = false;

	for (size_t e = 0; e < s->n_edges; e++) {
		unsigned g = w->plan->step[s->edge[e].step].group;

		youngest = !any || g > youngest ? g : youngest;
		any = true;
	}
	if (any && w->group != WEFT_GROUP_NONE && ds->v[youngest].loop == s->loop &&
		join(w, ds, s, k, youngest)) {
		p->group = youngest;
		return 0;
	}
	p->group = (unsigned)ds->n;
	begin(w, ds, s, k, false);
	return 0;
}

/* All steps of a loop are in one job, if they can. */
static int draft_loop(
	struct work *w, struct drafts *ds, const struct weft_step *s, struct packing *k)
{
	const struct weft_loop *l = &w->wf->loop[s->loop];
	struct weft_plan_step *p = &w->plan->step[s->index];
	unsigned with = WEFT_NO_STEP;

	for (size_t i = 0; i < l->n_steps && with == WEFT_NO_STEP; i++)
		if (l->step[i] != s->index &&
			w->plan->step[l->step[i]].group != WEFT_NO_GROUP)
			with = l->step[i];
	p->group = with == WEFT_NO_STEP ? (unsigned)ds->n : w->plan->step[with].group;
	if (with == WEFT_NO_STEP) {
		begin(w, ds, s, k, false);
		return ds->v[p->group].closed ? 0 : remember(w, ds, s);
	}
	if (!join(w, ds, s, k, p->group))
		ds->apart[s->loop] = ds->again = true;
	return 0;
}

static int draft_step(
	struct work *w, struct drafts *ds, const struct weft_step *s, bool late)
{
	struct weft_plan_step *p = &w->plan->step[s->index];
	struct weft_plan_step round = *p;
	struct packing k;
	size_t group;

	round.members /= pack_rounds(s);
	if (pack_members(w, &round, s->sweep.growing || s->loop != WEFT_NO_LOOP, &k) <
		0) {
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
	if (s->steer.cpus && pack_steer(w, &round, &s->steer, &k) < 0) {
		struct weft_err err = {0};

		weft_err_set(&err, WEFT_EPLACE,
			"no node of %s has room for a member and the program that "
			"steers: %u CPUs, %u GPUs",
			p->partition, s->steer.cpus, s->steer.gpus);
		weft_err_hint(
			&err, s->steer.gpus && !p->gpus_per_node
				      ? "it runs beside the members, which have no GPUs"
				      : "ask for less in `steer.resources`");
		blame(w->wf, s, 0, KEY_NONE, &err);
		weft_errs_add(w->errs, &err);
	}
	if (s->loop != WEFT_NO_LOOP)
		return ds->apart[s->loop] ? draft_apart(w, ds, s, &k)
					  : draft_loop(w, ds, s, &k);
	/* A job that others were the measure of may have no room for who steers. */
	if (w->group != WEFT_GROUP_NONE && !late && !s->steer.cpus) {
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

static int draft_all(struct work *w, struct drafts *ds, const bool *late)
{
	const struct weft_workflow *wf = w->wf;

	ds->n = ds->n_early = ds->n_latest = 0;
	ds->again = false;
	weft_map_free(&ds->alike);
	for (size_t i = 0; i < wf->n_steps; i++)
		w->plan->step[i].group = WEFT_NO_GROUP;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t k = 0; k < wf->n_steps; k++) {
			const struct weft_step *s = &wf->step[wf->order[k]];

			if (late[s->index] == (pass == 1) &&
				draft_step(w, ds, s, pass == 1) < 0)
				return -1;
			if (ds->again)
				return 0;
		}
		if (pass == 0)
			ds->n_early = ds->n;
	}
	return 0;
}

int make_groups(struct work *w, struct weft_err *err)
{
	const struct weft_workflow *wf = w->wf;
	weft_autofree bool *late = calloc(wf->n_steps + 1, sizeof(*late));
	struct drafts ds = {.v = calloc(wf->n_steps + 1, sizeof(*ds.v)),
		.next = calloc(wf->n_steps + 1, sizeof(*ds.next)),
		.span = calloc(wf->n_steps + 1, sizeof(*ds.span)),
		.latest = calloc(wf->n_steps + 1, sizeof(*ds.latest)),
		.wanted = calloc(wf->n_steps + 1, sizeof(*ds.wanted)),
		.apart = calloc(wf->n_loops + 1, sizeof(*ds.apart))};
	int rc = -1;

	if (!late || !ds.v || !ds.next || !ds.span || !ds.latest || !ds.wanted ||
		!ds.apart)
		goto out;
	mark_late(wf, late);
	for (size_t i = 0; i < wf->n_steps; i++)
		for (size_t e = 0; !late[i] && e < wf->step[i].n_edges; e++)
			ds.wanted[wf->step[i].edge[e].step]++;
	do
		if (draft_all(w, &ds, late))
			goto out;
	while (ds.again);
	rc = finish_groups(w, &ds);
out:
	free(ds.v);
	free(ds.next);
	free(ds.span);
	free(ds.latest);
	free(ds.wanted);
	free(ds.apart);
	weft_map_free(&ds.alike);
	return rc < 0 ? weft_err_nomem(err) : 0;
}
