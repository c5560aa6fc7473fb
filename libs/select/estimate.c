/*
 * estimate.c - when each group and step starts and ends, and what it moves: what goes
 * on in one job, and the whole plan in time.
 */
#include "select/forecast.h"
#include "select/pack.h"
#include "select/play.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NONE PLAY_NONE
#define INSTANT 1e-6 /* seconds */

static uint64_t cpus_node(const struct weft_plan_step *s)
{
	return (uint64_t)s->ntasks_per_node * s->cpus_per_task;
}

/* Members that run beside each other in a job of the group. */
static size_t beside(const struct weft_plan_group *g, const struct weft_plan_step *m)
{
	size_t n = pack_holds(&g->shape, m);

	return m->max_parallel && m->max_parallel < n ? m->max_parallel : n ? n : 1;
}

struct group_of {
	const struct weft_plan *plan;
	const struct weft_plan_group *g;
};

/* What the same job makes is on its nodes: on the only one, or on one of several. */
static double in_job(void *ctx, const struct weft_input *in, double members)
{
	const struct group_of *o = ctx;

	(void)members;
	if (&o->plan->group[o->plan->step[in->from->step].group] != o->g)
		return 0;
	return 1.0 / o->g->shape.nodes;
}

static double round_ms(double v)
{
	return v < INFINITY ? floor(v * 1000 + 0.5) / 1000 : -1;
}

/* Seconds that a member runs; INFINITY: nobody says. */
static double run_time(const struct work *w, const struct weft_step *s)
{
	const struct weft_plan_step *p = &w->plan->step[s->index];
	double run = p->time ? (double)p->time : INFINITY;

	/* Which of several alternatives an earlier run took is not known. */
	if (w->past && w->past[s->index].n && s->n_resources == 1 &&
		w->past[s->index].seconds < run)
		run = w->past[s->index].seconds;
	return run;
}

/* Nothing is expected to fail. */
static bool after_failure(const struct weft_step *s)
{
	for (size_t e = 0; e < s->n_edges; e++)
		if (s->edge[e].state == WEFT_DEP_FAILED)
			return true;
	return false;
}

/* The steps of a group in one of its jobs, after each other as they need it or as the
 * CPUs are taken. */
static double play_job(struct play *p, struct weft_plan_group *g)
{
	struct group_of of = {p->plan, g};
	double whole = 0, moved = 0, taken = 0;
	double cpus = (double)cpus_node(&g->shape) * g->shape.nodes;
	bool known = false, goes_on = false;

	for (size_t i = 0; i < g->n_steps; i++) {
		const struct weft_step *s = &p->w->wf->step[g->step[i]];
		struct weft_plan_step *out = &p->plan->step[s->index];
		size_t rounds = pack_rounds(s);
		size_t members = g->tasks > 1 ? g->block : out->members / rounds;
		double start = taken, run = run_time(p->w, s), waves, at_once;
		struct traffic t;

		at_once = (double)beside(g, out);
		waves = ceil((double)members / at_once) * (double)rounds;
		for (size_t e = 0; e < s->n_edges; e++)
			if (p->plan->step[s->edge[e].step].group == out->group &&
				p->last[s->edge[e].step] > start)
				start = p->last[s->edge[e].step];
		goes_on |= s->sweep.growing || s->loop != WEFT_NO_LOOP;
		out->run = round_ms(run);
		out->bytes = WEFT_NO_BYTES;
		if (step_traffic(p->w, s, in_job, &of, &t)) {
			out->bytes = (uint64_t)(t.moved * (double)out->members);
			moved += (double)out->bytes;
			known = true;
			run += traffic_seconds(p->w, t.moved);
		}
		if (after_failure(s))
			waves = run = 0;
		p->first[s->index] = start;
		p->last[s->index] = start + waves * run;
		if (p->last[s->index] > whole)
			whole = p->last[s->index];
		at_once = at_once < (double)members ? at_once : (double)members;
		if (cpus > 0 && run > 0)
			taken += waves * run * at_once * (double)cpus_node(out) *
				 out->nodes / cpus;
	}
	g->shape.bytes = known ? (uint64_t)moved : WEFT_NO_BYTES;
	/* What doesn't fit into the job of a loop goes on in another one. */
	if (!goes_on && g->shape.time && whole > (double)g->shape.time)
		whole = (double)g->shape.time;
	g->shape.run = round_ms(whole);
	/* Nothing takes no time at all. */
	return whole > INSTANT ? whole : INSTANT;
}

static void no_estimate(struct weft_plan_step *s)
{
	s->run = s->wait = s->start = s->end = -1;
	s->bytes = WEFT_NO_BYTES;
}

static int prepare_lanes(struct play *p)
{
	struct pools *ps = &p->w->pools;

	p->n_lanes = ps->n;
	p->lane = calloc(ps->n + 1, sizeof(*p->lane));
	if (!p->lane)
		return -1;
	for (size_t i = 0; i < ps->n; i++)
		p->lane[i] = (struct lane){.pool = &ps->pool[i],
			.awaited = INFINITY,
			.wait = NONE,
			.grow = NONE};
	return 0;
}

static int prepare_job(struct play *p, unsigned id, const struct weft_map *lanes)
{
	struct weft_plan_group *g = &p->plan->group[id];
	const struct weft_plan_step *s = &g->shape;
	struct job *j = &p->job[id];
	struct ask a = {.gpu_type = s->gpu_type,
		.constraint = s->constraint,
		.exclude = s->exclude,
		.nodelist = s->nodelist,
		.reservation = s->reservation,
		.tmp = s->tmp};
	struct sized size = {.nodes = s->nodes,
		.gpus_node = s->gpus_per_node,
		.cpus_node = cpus_node(s),
		.mem = s->mem};
	struct lane *l;
	size_t lane;

	if (!weft_map_get(lanes, s->partition, &lane))
		return -1;
	l = &p->lane[lane];
	if (!l->whole)
		l->whole = room_whole(&p->w->pools, l->pool);
	*j = (struct job){.lane = (unsigned)lane,
		.barrier = NONE,
		.nodes = s->nodes,
		.tasks = g->tasks ? (double)g->tasks : 1,
		.run = play_job(p, g),
		.ready = INFINITY,
		.start = INFINITY,
		.end = INFINITY,
		.room = room_of(&p->w->pools, l->pool, &a, &size, s->exclusive)};
	if (!l->whole || !j->room)
		return -1;
	j->when = forecast_wait(p->w->pools.forecasts, s);
	if (j->when < 0)
		j->when = room_wait(j->room, j->nodes);
	j->most = g->max_parallel && g->max_parallel < j->tasks ? g->max_parallel
								: j->tasks;
	size.mem = fit_mem(&p->w->pools, l->pool->part, &size);
	/* Reserved nodes are nobody else's: no part of what is shared. */
	j->part =
		*s->reservation
			? PLAY_LITTLE / 1000
			: s->nodes * room_part(p->w->cluster, j->room->node, &size,
					     s->exclusive || l->pool->part->exclusive);
	return 0;
}

/* Lists that groups share, such as that of all steps of `finally`, are followed once.
 */
static int prepare_needs(struct play *p)
{
	struct weft_plan *plan = p->plan;
	size_t n = plan->n_groups, total = 0;
	weft_autofree size_t *fill = calloc(n + 1, sizeof(*fill));
	const struct weft_plan_need *shared = NULL;
	unsigned shared_barrier = NONE;

	p->barrier = calloc(n + 1, sizeof(*p->barrier));
	p->waiter = calloc(n + 1, sizeof(*p->waiter));
	p->from = calloc(n + 2, sizeof(*p->from));
	if (!fill || !p->barrier || !p->waiter || !p->from)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		const struct weft_plan_group *g = &plan->group[i];

		p->waiter[i] = NONE;
		if (!g->n_needs)
			continue;
		if (g->need == shared) {
			struct barrier *b = &p->barrier[shared_barrier];

			p->job[i].barrier = shared_barrier;
			p->waiter[b->last] = i;
			b->last = i;
			continue;
		}
		shared = g->need;
		shared_barrier = p->job[i].barrier = (unsigned)p->n_barriers++;
		p->barrier[shared_barrier] = (struct barrier){g->n_needs, i, i};
		for (size_t k = 0; k < g->n_needs; k++)
			p->from[g->need[k].group + 1]++;
		total += g->n_needs;
	}
	for (size_t i = 0; i < n; i++)
		p->from[i + 1] += p->from[i];
	p->to = calloc(total + 1, sizeof(*p->to));
	if (!p->to)
		return -1;
	memcpy(fill, p->from, n * sizeof(*fill));
	shared = NULL;
	for (unsigned i = 0; i < n; i++) {
		const struct weft_plan_group *g = &plan->group[i];

		if (!g->n_needs || g->need == shared)
			continue;
		shared = g->need;
		for (size_t k = 0; k < g->n_needs; k++)
			p->to[fill[g->need[k].group]++] =
				2 * p->job[i].barrier + g->need[k].corresponding;
	}
	return 0;
}

static void write_back(struct play *p)
{
	struct weft_plan *plan = p->plan;
	double end = 0, moved = 0;
	bool known = false;

	for (unsigned i = 0; i < plan->n_groups; i++) {
		struct weft_plan_group *g = &plan->group[i];
		const struct job *j = &p->job[i];

		g->shape.wait = round_ms(j->start - j->ready);
		if (!(j->start < INFINITY))
			g->shape.wait = -1;
		g->shape.start = round_ms(j->start);
		g->shape.end = round_ms(j->end);
		end = j->end > end ? j->end : end;
		if (g->shape.bytes != WEFT_NO_BYTES) {
			moved += (double)g->shape.bytes;
			known = true;
		}
		for (size_t k = 0; k < g->n_steps; k++) {
			struct weft_plan_step *s = &plan->step[g->step[k]];

			s->wait = g->shape.wait;
			s->start = round_ms(j->start + p->first[g->step[k]]);
			s->end = round_ms(j->end - (j->run - p->last[g->step[k]]));
			if (!(j->end < INFINITY) || s->end > g->shape.end)
				s->end = g->shape.end;
		}
	}
	plan->end = round_ms(end);
	plan->bytes = known ? (uint64_t)moved : WEFT_NO_BYTES;
}

static int play_plan(struct play *p)
{
	struct weft_map lanes = {0};
	size_t n = p->plan->n_groups, steps = p->plan->n_steps;
	int rc = -1;

	p->job = calloc(n + 1, sizeof(*p->job));
	p->first = calloc(steps + 1, sizeof(*p->first));
	p->last = calloc(steps + 1, sizeof(*p->last));
	if (!p->job || !p->first || !p->last || prepare_lanes(p) < 0)
		return -1;
	for (size_t i = 0; i < p->n_lanes; i++)
		if (weft_map_add(&lanes, p->lane[i].pool->part->name, i, NULL) < 0)
			goto out;
	for (unsigned i = 0; i < n; i++)
		if (prepare_job(p, i, &lanes) < 0)
			goto out;
	if (prepare_needs(p) < 0)
		goto out;
	play_through(p);
	if (!p->failed)
		write_back(p);
	rc = p->failed ? -1 : 0;
out:
	weft_map_free(&lanes);
	return rc;
}

int make_estimate(struct work *w, struct weft_err *err)
{
	struct play p = {.w = w, .plan = w->plan};
	int rc = 0;

	w->plan->end = -1;
	w->plan->bytes = WEFT_NO_BYTES;
	for (size_t i = 0; i < w->plan->n_steps; i++)
		no_estimate(&w->plan->step[i]);
	for (size_t i = 0; i < w->plan->n_groups; i++)
		no_estimate(&w->plan->group[i].shape);
	/* On this machine members run as it has room for them, and nobody waits. */
	if (!w->local)
		rc = play_plan(&p);
	free(p.job);
	free(p.waiter);
	free(p.lane);
	free(p.barrier);
	free(p.from);
	free(p.to);
	free(p.heap);
	free(p.first);
	free(p.last);
	return rc < 0 ? weft_err_nomem(err) : 0;
}
