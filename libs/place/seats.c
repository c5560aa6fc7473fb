/*
 * seats - how many cores or threads of which domain each task gets at least.
 *
 * Tried in this order, the first that fits all tasks wins: whole cores near the
 * GPUs; single threads near the GPUs; GPU tasks that find no thread there in the
 * nearest domain that has room; fewer CPUs than asked; at last CPUs given twice.
 */
#include "place/inner.h"

#include <stdlib.h>
#include <string.h>

struct room {
	struct job *j;
	bool cores;       /* units are cores, else threads */
	bool span;        /* a task may lie over several domains, though it fits one */
	bool overflow;    /* a GPU's task may go to another domain */
	bool twice;       /* CPUs are given twice: */
	unsigned each;    /* so often each of them, */
	size_t extra;     /* and so many once more */
	bool memory;      /* a domain's memory is to hold its tasks' needs */
	unsigned *free;   /* units of each domain */
	unsigned *cap;    /* of it at the beginning */
	unsigned *seated; /* tasks in it */
	unsigned *want;   /* of the run of tasks in hand */
	uint64_t *left;   /* bytes of memory near each domain */
	uint64_t *best;   /* set of domains that suit a leaning task best */
	double *cost;     /* of each domain to it */
	double *next;     /* to the task after it */
};

static unsigned need(const struct room *r, const struct task *t)
{
	return r->cores ? t->need_cores : t->need_cpus;
}

/* Is domain a better than b for one more task of u units?  Spread: the emptiest,
 * then in the emptier package; compact: the first. */
static bool better(
	const struct room *r, unsigned a, unsigned b, unsigned u, bool compact)
{
	const struct shape *s = &r->j->shape;
	uint64_t x, y;

	if (compact)
		return false; /* a comes after b */
	if (r->twice) {
		x = (uint64_t)(r->seated[a] + 1) * r->cap[b];
		y = (uint64_t)(r->seated[b] + 1) * r->cap[a];
	} else {
		x = (uint64_t)(r->cap[a] - r->free[a] + u) * r->cap[b];
		y = (uint64_t)(r->cap[b] - r->free[b] + u) * r->cap[a];
	}
	if (x != y)
		return x < y;
	if (s->dom[a].package == s->dom[b].package)
		return false;
	uint64_t seated[2] = {0, 0};
	for (unsigned d = 0; d < s->n_doms; d++) {
		seated[0] += s->dom[d].package == s->dom[a].package ? r->seated[d] : 0;
		seated[1] += s->dom[d].package == s->dom[b].package ? r->seated[d] : 0;
	}
	return seated[0] < seated[1];
}

static uint64_t bytes(const struct room *r, const struct task *t)
{
	return r->memory ? r->j->step[t->step].mem_per_task : 0;
}

static bool has_room(const struct room *r, const struct task *t, unsigned d)
{
	if (r->memory && r->left[d] < bytes(r, t))
		return false;
	if (r->twice)
		return r->seated[d] < r->cap[d] * (r->each + (r->extra > 0));
	return r->free[d] >= need(r, t);
}

static void occupy(struct room *r, const struct task *t, unsigned d)
{
	if (r->twice)
		r->extra -= r->seated[d] >= r->cap[d] * r->each;
	else
		r->free[d] -= need(r, t);
	r->seated[d]++;
	r->left[d] -= bytes(r, t);
}

static int pick(
	const struct room *r, const struct task *t, const uint64_t *near, bool compact)
{
	unsigned u = need(r, t);
	int best = -1;

	for (unsigned d = 0; d < r->j->shape.n_doms; d++)
		if (in_set(near, d) && has_room(r, t, d) &&
			(best < 0 || better(r, d, (unsigned)best, u, compact)))
			best = (int)d;
	return best;
}

/* The domain with room that is nearest to any of the set. */
static int pick_nearest(
	const struct room *r, const struct task *t, const uint64_t *near)
{
	const struct shape *s = &r->j->shape;
	unsigned best_far = UINT32_MAX;
	int best = -1;

	for (unsigned d = 0; d < s->n_doms; d++) {
		if (!has_room(r, t, d))
			continue;
		for (unsigned n = 0; n < s->n_doms; n++) {
			if (!in_set(near, n))
				continue;
			unsigned far = weft_place_distance(s, d, n);
			if (far < best_far) {
				best_far = far;
				best = (int)d;
			}
		}
	}
	return best;
}

static int pick_cheapest(const struct room *r, const struct task *t)
{
	int best = -1;

	for (unsigned d = 0; d < r->j->shape.n_doms; d++)
		if (has_room(r, t, d) && (best < 0 || r->cost[d] < r->cost[best]))
			best = (int)d;
	return best;
}

static unsigned short *units(const struct room *r, const struct task *t, unsigned d)
{
	return &r->j->units[(size_t)(t - r->j->task) * r->j->shape.n_doms + d];
}

/* One task over several domains, the emptiest first. */
static bool span(struct room *r, struct task *t, const uint64_t *near)
{
	unsigned left = need(r, t), total = 0;

	for (unsigned d = 0; d < r->j->shape.n_doms; d++)
		total += in_set(near, d) ? r->free[d] : 0;
	if (total < left)
		return false;
	t->spans = true;
	for (bool first = true; left; first = false) {
		int best = -1;
		for (unsigned d = 0; d < r->j->shape.n_doms; d++)
			if (in_set(near, d) && r->free[d] &&
				(best < 0 ||
					(first ? r->free[d] > r->free[best]
					       : weft_place_distance(
							 &r->j->shape, d, t->home) <
								weft_place_distance(
									&r->j->shape,
									(unsigned)best,
									t->home))))
				best = (int)d;
		if (best < 0)
			return false;
		unsigned n = r->free[best] < left ? r->free[best] : left;
		if (first)
			t->home = (unsigned)best;
		*units(r, t, (unsigned)best) = (unsigned short)n;
		r->free[best] -= n;
		left -= n;
	}
	r->seated[t->home]++;
	return true;
}

static void sit(struct room *r, struct task *t, unsigned d)
{
	unsigned u = need(r, t);

	t->home = d;
	*units(r, t, d) = (unsigned short)u;
}

/* Tasks t[0..n) of one step that want the same: counted by domain first, then dealt
 * in rank order, so that neighbours in rank are neighbours on the node. */
static bool seat_run(
	struct room *r, struct task *t, size_t n, const uint64_t *near, bool leans)
{
	const struct weft_place_step *s = &r->j->step[t->step];
	unsigned u = need(r, t), widest = 0;
	size_t placed = 0;
	bool compact = s->cpus == WEFT_PLACE_COMPACT;

	memset(r->want, 0, r->j->shape.n_doms * sizeof(*r->want));
	for (unsigned d = 0; d < r->j->shape.n_doms; d++)
		if (in_set(near, d) && r->cap[d] > widest)
			widest = r->cap[d];
	for (; placed < n; placed++) {
		int d = pick(r, &t[placed], near, compact);
		if (d < 0)
			break;
		r->want[d]++;
		occupy(r, &t[placed], (unsigned)d);
	}
	size_t at = 0;
	for (unsigned d = 0; d < r->j->shape.n_doms; d++)
		while (r->want[d]) {
			r->want[d]--;
			sit(r, &t[at++], d);
		}
	for (; at < n; at++) {
		/* Too wide for one domain, or these are full. */
		if ((u > widest || r->span) && span(r, &t[at], near))
			continue;
		if (!leans && !r->overflow)
			return false;
		int d = leans ? pick_cheapest(r, &t[at])
			      : pick_nearest(r, &t[at], near);
		if (d < 0 && span(r, &t[at], NULL)) {
			t[at].far = t[at].n_gpus > 0;
			continue;
		}
		if (d < 0)
			return false;
		occupy(r, &t[at], (unsigned)d);
		sit(r, &t[at], (unsigned)d);
		t[at].far = t[at].n_gpus > 0;
	}
	return true;
}

static void cheapest(const struct room *r)
{
	const struct shape *s = &r->j->shape;
	unsigned best = 0;

	for (unsigned d = 1; d < s->n_doms; d++)
		if (r->cost[d] < r->cost[best])
			best = d;
	memset(r->best, 0, s->words * sizeof(*r->best));
	for (unsigned d = 0; d < s->n_doms; d++)
		if (r->cost[d] <= r->cost[best])
			r->best[d / 64] |= UINT64_C(1) << (d % 64);
}

static bool seat_step(struct room *r, size_t step)
{
	struct job *j = r->j;
	struct task *t = &j->task[j->first[step]];
	size_t all = j->step[step].ntasks, size = j->shape.n_doms * sizeof(*r->cost), n;
	bool leans = weft_place_leans(j, step);

	for (size_t i = 0; i < all; i += n) {
		if (leans)
			weft_place_lean(j, step, i, r->cost);
		for (n = 1; i + n < all; n++) {
			if (leans)
				weft_place_lean(j, step, i + n, r->next);
			if (leans ? memcmp(r->cost, r->next, size) != 0
				  : t[i].near != t[i + n].near)
				break;
		}
		if (leans)
			cheapest(r);
		if (!seat_run(r, &t[i], n, leans ? r->best : t[i].near, leans))
			return false;
	}
	j->seated[step] = true;
	return true;
}

static bool attempt(struct room *r)
{
	struct job *j = r->j;
	size_t step;

	memset(j->units, 0, j->n_tasks * j->shape.n_doms * sizeof(*j->units));
	memset(j->seated, 0, j->n_steps * sizeof(*j->seated));
	r->each = (unsigned)(j->n_tasks / j->shape.n_cpus);
	r->extra = j->n_tasks % j->shape.n_cpus;
	for (unsigned d = 0; d < j->shape.n_doms; d++) {
		r->cap[d] = r->cores ? j->shape.dom[d].n_cores : j->shape.dom[d].n_cpus;
		r->free[d] = r->cap[d];
		r->seated[d] = 0;
		r->left[d] = j->knows_memory ? j->memory[d] : 0;
		j->by_core[d] = r->cores;
	}
	for (size_t i = 0; i < j->n_tasks; i++)
		j->task[i].spans = j->task[i].far = false;
	while ((step = weft_place_next_step(j)) < j->n_steps)
		if (!seat_step(r, step))
			return false;
	return true;
}

/* Asked for in all is more than there is: one for everyone, then shares of the
 * rest. */
static void ask_less(struct job *j)
{
	uint64_t extra = 0, rest = 0;

	for (size_t i = 0; i < j->n_tasks; i++)
		extra += j->task[i].need_cpus - 1;
	if (extra + j->n_tasks <= j->shape.n_cpus)
		return;
	if (j->shape.n_cpus > j->n_tasks)
		rest = j->shape.n_cpus - j->n_tasks;
	for (size_t i = 0; i < j->n_tasks; i++) {
		struct task *t = &j->task[i];
		if (t->need_cpus == 1)
			continue;
		t->need_cpus = 1 + (unsigned)((t->need_cpus - 1) * rest / extra);
		t->fewer = true;
	}
}

/* Domains that can give every task of theirs whole cores do. */
static void back_to_cores(struct job *j)
{
	const struct shape *s = &j->shape;

	for (unsigned d = 0; d < s->n_doms; d++) {
		uint64_t cores = 0;
		bool odd = false;
		for (size_t i = 0; i < j->n_tasks; i++)
			if (j->units[i * s->n_doms + d]) {
				cores += j->task[i].need_cores;
				odd |= j->task[i].spans || j->task[i].fewer;
			}
		if (odd || cores > s->dom[d].n_cores)
			continue;
		j->by_core[d] = true;
		for (size_t i = 0; i < j->n_tasks; i++)
			if (j->units[i * s->n_doms + d])
				j->units[i * s->n_doms + d] =
					(unsigned short)j->task[i].need_cores;
	}
}

static bool all_elastic(const struct job *j)
{
	for (size_t i = 0; i < j->n_tasks; i++)
		if (!j->task[i].elastic)
			return false;
	return true;
}

static bool try_all(struct room *r)
{
	static const struct {
		bool cores, span, overflow, less, memory;
	} ways[] = {
		{.cores = true, .memory = true},
		{.cores = true, .span = true, .memory = true},
		{.span = true, .memory = true},
		{.cores = true},
		{.cores = true, .span = true},
		{.span = true},
		{.span = true, .overflow = true},
		{.span = true, .overflow = true, .less = true},
	};
	struct job *j = r->j;
	/* Cores of unequal width cannot be counted for who asks for threads. */
	bool may_core = j->shape.uniform || all_elastic(j);

	for (size_t i = 0; i < WEFT_COUNT(ways); i++) {
		if (ways[i].less)
			ask_less(j);
		r->cores = ways[i].cores;
		r->span = ways[i].span;
		r->overflow = ways[i].overflow;
		r->memory = ways[i].memory;
		if ((r->cores && !may_core) || (r->memory && !j->knows_memory) ||
			!attempt(r))
			continue;
		if (!r->cores && may_core)
			back_to_cores(j);
		return true;
	}
	/* Everyone gets one thread, as near as there is any that has no more tasks than
	 * it must. */
	r->twice = r->overflow = true;
	r->span = false;
	for (size_t i = 0; i < j->n_tasks; i++)
		j->task[i].need_cpus = 1;
	return attempt(r);
}

int weft_place_seats(struct job *j, struct weft_err *err)
{
	struct room r = {.j = j};
	size_t n = j->shape.n_doms;
	weft_autofree unsigned *counts = calloc(4 * n, sizeof(*counts));
	weft_autofree uint64_t *wide = calloc(n + j->shape.words, sizeof(*wide));
	weft_autofree double *cost = calloc(2 * n, sizeof(*cost));

	if (!counts || !wide || !cost)
		return weft_err_nomem(err);
	r.free = counts;
	r.cap = counts + n;
	r.seated = counts + 2 * n;
	r.want = counts + 3 * n;
	r.left = wide;
	r.best = wide + n;
	r.cost = cost;
	r.next = cost + n;
	if (!try_all(&r))
		return weft_err_set(err, WEFT_EPLACE,
			"no room for %zu tasks on this node", j->n_tasks);
	return 0;
}
