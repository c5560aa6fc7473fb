/*
 * estimate.c - when each group and step starts and ends, and what it moves.
 *
 * The plan is played through: a group may start when its needs have ended, and does
 * when its partition has room, which is what the snapshot says less what earlier groups
 * of the plan take.  Groups wait in the order in which they could have started; those
 * behind one that must wait go on where that doesn't make it later, as Slurm's backfill
 * lets them.  An array takes more places as they come.  Events are in a heap, so that
 * it takes O((groups + needs + releases) log) time.
 *
 * Partitions that share nodes are played by themselves, and nodes are divided as if
 * their free parts lay together: it is an estimate.
 */
#include "select/forecast.h"
#include "select/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD 16 /* groups that are looked at behind one that waits */
#define NONE UINT32_MAX
#define LITTLE 1e-9  /* of a node: rounding */
#define INSTANT 1e-6 /* seconds */

/* What can happen; in this order where it does at the same time. */
enum what { END, FIRST, ROOM };

struct event {
	double time;
	enum what what;
	unsigned id; /* group or lane */
	unsigned version;
};

/* A partition, as the plan's groups see it. */
struct lane {
	const struct pool *pool;
	const struct room *whole;
	size_t step;    /* of whole: what is free by now */
	double taken;   /* nodes that the plan's groups hold */
	double last;    /* when all of these have ended, at the latest */
	double awaited; /* the next moment to look again; INFINITY */
	/* Lists through job.next: those that wait, arrays that could take more. */
	unsigned wait, last_wait, grow, last_grow;
	bool dirty;
};

enum state { NEEDS, WAITS, RUNS, ENDED };

struct job {
	enum state state;
	unsigned lane, next;
	unsigned barrier; /* what it waits for */
	unsigned version; /* of its end */
	unsigned nodes;
	double tasks, most;    /* of the array; at a time */
	double run;            /* seconds of a task */
	double part;           /* nodes that one takes */
	double slots, left;    /* running now; tasks to do, at `changed` */
	double changed, grown; /* when; INFINITY: never */
	double ready, start, end;
	double when; /* it has room, whatever the plan takes; INFINITY */
	const struct room *room;
};

/* A list of needs; groups that wait for the same one share it. */
struct barrier {
	size_t open;
	unsigned first, last; /* jobs, through waiter */
};

struct play {
	struct work *w;
	struct weft_plan *plan;
	struct job *job;
	unsigned *waiter; /* job -> the next that waits for the same */
	struct lane *lane;
	size_t n_lanes;
	struct barrier *barrier;
	size_t n_barriers;
	/* Group -> the barriers that it is in, twice that and whether its first task is
	 * enough. */
	size_t *from;
	unsigned *to;
	struct event *heap;
	size_t n_events, cap;
	double now;
	bool failed;
	double *first, *last; /* of steps: seconds into a job of their group */
};

/* ---- the heap --------------------------------------------------------------- */

static bool before(const struct event *a, const struct event *b)
{
	if (a->time != b->time)
		return a->time < b->time;
	if (a->what != b->what)
		return a->what < b->what;
	return a->id < b->id;
}

static void push(
	struct play *p, double time, enum what what, unsigned id, unsigned version)
{
	struct event e = {time, what, id, version};
	size_t i;

	if (!(time < INFINITY))
		return;
	if (weft_grow(p->heap, p->n_events, p->cap) < 0) {
		p->failed = true;
		return;
	}
	for (i = p->n_events++; i && before(&e, &p->heap[(i - 1) / 2]); i = (i - 1) / 2)
		p->heap[i] = p->heap[(i - 1) / 2];
	p->heap[i] = e;
}

static struct event pop(struct play *p)
{
	struct event top = p->heap[0], e = p->heap[--p->n_events];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < p->n_events; i = child) {
		child += child + 1 < p->n_events &&
			 before(&p->heap[child + 1], &p->heap[child]);
		if (!before(&p->heap[child], &e))
			break;
		p->heap[i] = p->heap[child];
	}
	p->heap[i] = e;
	return top;
}

/* ---- a job of a group ------------------------------------------------------- */

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
static double in_job(void *ctx, unsigned from, double members)
{
	const struct group_of *o = ctx;

	(void)members;
	if (&o->plan->group[o->plan->step[from].group] != o->g)
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
	bool known = false;

	for (size_t i = 0; i < g->n_steps; i++) {
		const struct weft_step *s = &p->w->wf->step[g->step[i]];
		struct weft_plan_step *out = &p->plan->step[s->index];
		size_t members = g->tasks > 1 ? g->block : out->members;
		double start = taken, run = run_time(p->w, s), waves, at_once;
		struct traffic t;

		at_once = (double)beside(g, out);
		waves = ceil((double)members / at_once);
		for (size_t e = 0; e < s->n_edges; e++)
			if (p->plan->step[s->edge[e].step].group == out->group &&
				p->last[s->edge[e].step] > start)
				start = p->last[s->edge[e].step];
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
	if (g->shape.time && whole > (double)g->shape.time)
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

/* ---- room ------------------------------------------------------------------- */

static double free_nodes(struct play *p, struct lane *l)
{
	while (l->step < l->whole->n && l->whole->time[l->step] <= p->now)
		l->step++;
	return (l->step ? l->whole->place[l->step - 1] : 0) - l->taken;
}

/* Looks at the lane again at that time. */
static void look(struct play *p, struct lane *l, double time)
{
	if (!(time > p->now) || !(time < l->awaited))
		return;
	l->awaited = time;
	push(p, time, ROOM, (unsigned)(l - p->lane), 0);
}

static void append(struct play *p, unsigned *first, unsigned *last, unsigned id)
{
	p->job[id].next = NONE;
	if (*first == NONE)
		*first = id;
	else
		p->job[*last].next = id;
	*last = id;
}

/* Takes the one behind `prev` (NONE: the first) off a list. */
static void unlink_after(struct play *p, unsigned *first, unsigned *last, unsigned prev)
{
	unsigned id = prev == NONE ? *first : p->job[prev].next;

	if (prev == NONE)
		*first = p->job[id].next;
	else
		p->job[prev].next = p->job[id].next;
	if (*last == id)
		*last = prev;
}

static void expect_end(struct play *p, struct job *j)
{
	unsigned id = (unsigned)(j - p->job);

	j->version++;
	if (j->grown < INFINITY) {
		j->end = j->changed + j->left * j->run / j->slots;
		if (j->end < j->grown + j->run)
			j->end = j->grown + j->run;
	} else {
		j->end = j->start + ceil(j->tasks / j->slots) * j->run;
	}
	push(p, j->end, END, id, j->version);
}

/* How many more of its tasks could run now. */
static double more_slots(struct play *p, struct lane *l, const struct job *j)
{
	double n = floor((free_nodes(p, l) + LITTLE) / j->part);
	double most = room_jobs(j->room, j->nodes, p->now) - j->slots;

	n = n < most ? n : most;
	return n < j->most - j->slots ? n : j->most - j->slots;
}

static void hold(struct lane *l, struct job *j, double slots)
{
	j->slots += slots;
	l->taken += slots * j->part;
}

/* Takes more places, unless it keeps them longer than `limit`.  True: it has all that
 * it could use. */
static bool grow(struct play *p, struct lane *l, struct job *j, double limit)
{
	double n = more_slots(p, l, j);

	if (!(n > 0) || p->now + j->run > limit)
		return j->slots >= j->most;
	j->left -= (p->now - j->changed) * j->slots / j->run;
	j->changed = p->now;
	if (!(j->left > LITTLE))
		return true; /* the last ones run already */
	hold(l, j, n < ceil(j->left) ? n : ceil(j->left));
	j->grown = p->now;
	expect_end(p, j);
	l->last = j->end > l->last ? j->end : l->last;
	return j->slots >= j->most;
}

enum answer { STARTED, BLOCKED, LATER, NEVER };

/* BLOCKED: by what the plan's own groups hold; LATER: by what others do. */
static enum answer start(struct play *p, struct lane *l, struct job *j, double limit)
{
	double n;

	if (!(j->when < INFINITY))
		return NEVER;
	if (j->when > p->now) {
		look(p, l, j->when);
		return LATER;
	}
	/* With all of the plan's own gone, what the snapshot says is enough. */
	if (l->taken > LITTLE && j->part > free_nodes(p, l) + LITTLE)
		return BLOCKED;
	n = more_slots(p, l, j);
	n = n > 1 ? n : 1;
	if (p->now + ceil(j->tasks / n) * j->run > limit)
		return BLOCKED;
	j->state = RUNS;
	j->start = j->changed = p->now;
	j->left = j->tasks;
	j->grown = INFINITY;
	hold(l, j, n);
	push(p, p->now + j->run, FIRST, (unsigned)(j - p->job), 0);
	expect_end(p, j);
	l->last = j->end > l->last ? j->end : l->last;
	return STARTED;
}

/* In the order in which they could have started. */
static bool earlier(const struct play *p, unsigned a, unsigned b)
{
	const struct job *x = &p->job[a], *y = &p->job[b];

	return x->ready != y->ready ? x->ready < y->ready : a < b;
}

/* To its place among the arrays that grow, or to the end where there are many. */
static void insert(struct play *p, struct lane *l, unsigned id)
{
	unsigned prev = NONE, at = l->grow;

	for (unsigned seen = 0; at != NONE && earlier(p, at, id); seen++) {
		if (seen == AHEAD) {
			append(p, &l->grow, &l->last_grow, id);
			return;
		}
		prev = at;
		at = p->job[at].next;
	}
	p->job[id].next = at;
	if (prev == NONE)
		l->grow = id;
	else
		p->job[prev].next = id;
	if (at == NONE)
		l->last_grow = id;
}

/* Those that wait and those that grow, both in their order. */
static void serve(struct play *p, struct lane *l)
{
	unsigned before_wait = NONE, wait = l->wait, before_grow = NONE, more = l->grow;
	unsigned seen = 0;
	double limit = INFINITY;

	while (seen++ < 2 * AHEAD && (wait != NONE || more != NONE)) {
		if (more != NONE && (wait == NONE || earlier(p, more, wait))) {
			struct job *j = &p->job[more];
			unsigned next = j->next;

			if (j->state != RUNS || grow(p, l, j, limit))
				unlink_after(p, &l->grow, &l->last_grow, before_grow);
			else
				before_grow = more;
			more = next;
			continue;
		}
		struct job *j = &p->job[wait];
		unsigned next = j->next, id = wait;
		enum answer a = start(p, l, j, limit);

		if (a == STARTED || a == NEVER)
			unlink_after(p, &l->wait, &l->last_wait, before_wait);
		else
			before_wait = wait;
		/* What would end after all that runs now would make it later. */
		if (a == BLOCKED && !(limit < INFINITY))
			limit = l->last;
		if (a == STARTED && j->slots < j->most) {
			insert(p, l, id);
			/* It has had its turn; the next in line is behind it. */
			before_grow = id;
			more = p->job[id].next;
		}
		seen -= a == STARTED; /* many may start at once */
		wait = next;
	}
	free_nodes(p, l); /* what comes next is what is left of the curve */
	if ((l->wait != NONE || l->grow != NONE) && l->step < l->whole->n)
		look(p, l, l->whole->time[l->step]);
}

/* ---- what happens ----------------------------------------------------------- */

static void is_ready(struct play *p, unsigned id)
{
	struct job *j = &p->job[id];
	struct lane *l = &p->lane[j->lane];

	j->state = WAITS;
	j->ready = p->now;
	append(p, &l->wait, &l->last_wait, id);
	l->dirty = true;
}

/* first: the first task has ended; else all of them. */
static void tell(struct play *p, unsigned id, bool first)
{
	for (size_t i = p->from[id]; i < p->from[id + 1]; i++) {
		struct barrier *b = &p->barrier[p->to[i] / 2];

		if ((p->to[i] & 1) != first || --b->open)
			continue;
		for (unsigned k = b->first; k != NONE; k = p->waiter[k])
			is_ready(p, k);
	}
}

/* Task i ends after task i of what it corresponds with: the last one's end, or 0. */
static double not_before(const struct play *p, unsigned id)
{
	const struct weft_plan_group *g = &p->plan->group[id];
	double end = 0;

	for (size_t i = 0; i < g->n_needs; i++) {
		const struct job *j = &p->job[g->need[i].group];

		if (g->need[i].corresponding && j->state != ENDED && j->end > end)
			end = j->end;
	}
	return end;
}

static void has_ended(struct play *p, unsigned id, unsigned version)
{
	struct job *j = &p->job[id];
	struct lane *l = &p->lane[j->lane];
	double other;

	if (version != j->version)
		return;
	other = not_before(p, id);
	if (other > 0) {
		j->end = other + j->run;
		push(p, j->end, END, id, ++j->version);
		return;
	}
	j->state = ENDED;
	l->taken -= j->slots * j->part;
	l->taken = l->taken > LITTLE ? l->taken : 0;
	l->dirty = true;
	tell(p, id, false);
}

static void happen(struct play *p, const struct event *e)
{
	switch (e->what) {
	case END:
		has_ended(p, e->id, e->version);
		break;
	case FIRST:
		tell(p, e->id, true);
		break;
	case ROOM:
		p->lane[e->id].awaited = INFINITY;
		p->lane[e->id].dirty = true;
		break;
	}
}

static void play(struct play *p)
{
	for (unsigned i = 0; i < p->plan->n_groups; i++)
		if (p->job[i].barrier == NONE)
			is_ready(p, i);
	for (;;) {
		for (size_t i = 0; i < p->n_lanes; i++)
			if (p->lane[i].dirty) {
				p->lane[i].dirty = false;
				serve(p, &p->lane[i]);
			}
		if (!p->n_events || p->failed)
			return;
		p->now = p->heap[0].time;
		while (p->n_events && p->heap[0].time <= p->now) {
			struct event e = pop(p);

			happen(p, &e);
		}
	}
}

/* ---- before and after ------------------------------------------------------- */

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
			? LITTLE / 1000
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

static int play_through(struct play *p)
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
	play(p);
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
		rc = play_through(&p);
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
