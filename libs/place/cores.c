/*
 * cores - hands the counted units of each domain to the tasks: whole caches within
 * one task where that can be, the cache beside a task's GPU first.
 */
#include "place/inner.h"

#include <stdlib.h>
#include <string.h>

struct cache {
	unsigned start, len, free;
	unsigned want; /* tasks of the run in hand */
};
/* One domain while its units are dealt. */
struct deal {
	const struct job *j;
	struct weft_placed_task *out;
	unsigned d, n; /* domain, its units */
	bool *used;
	struct cache *cache;
	unsigned n_caches;
};

static unsigned units(const struct deal *x, size_t t)
{
	return x->j->units[t * x->j->shape.n_doms + x->d];
}

/* The core that unit u of the domain is, or lies in. */
static const struct core *core_of(const struct deal *x, unsigned u)
{
	const struct shape *s = &x->j->shape;
	const struct domain *dom = &s->dom[x->d];
	unsigned lo = dom->core0, hi = dom->core0 + dom->n_cores - 1;

	if (x->j->by_core[x->d])
		return &s->core[dom->core0 + u];
	while (lo < hi) {
		unsigned mid = (lo + hi + 1) / 2;
		if (s->core[mid].cpu0 <= dom->cpu0 + u)
			lo = mid;
		else
			hi = mid - 1;
	}
	return &s->core[lo];
}

static void take(struct deal *x, size_t t, unsigned u)
{
	const struct shape *s = &x->j->shape;
	struct weft_cpuset *cpus = &x->out[t].cpus;
	unsigned smt = x->j->step[x->j->task[t].step].smt;

	x->used[u] = true;
	if (!x->j->by_core[x->d]) {
		weft_cpuset_add(cpus, s->cpu[s->dom[x->d].cpu0 + u]);
		return;
	}
	const struct core *c = core_of(x, u);
	for (unsigned i = 0; i < c->n && (!smt || i < smt); i++)
		weft_cpuset_add(cpus, s->cpu[c->cpu0 + i]);
}

static unsigned take_from(struct deal *x, size_t t, struct cache *c, unsigned n)
{
	unsigned got = 0;

	for (unsigned u = c->start; u < c->start + c->len && got < n; u++)
		if (!x->used[u]) {
			take(x, t, u);
			c->free--;
			got++;
		}
	return got;
}

/* Is the cache nearer to the task's GPU than others of the domain? */
static bool beside_gpu(
	const struct deal *x, const struct task *t, const struct cache *c)
{
	const struct shape *s = &x->j->shape;

	return t->n_gpus && weft_cpuset_has(&s->m->gpu[t->gpu[0]].cpus,
				    s->cpu[core_of(x, c->start)->cpu0]);
}

static int pick(const struct deal *x, size_t t, unsigned n)
{
	const struct task *task = &x->j->task[t];
	bool compact = x->j->step[task->step].cpus == WEFT_PLACE_COMPACT;
	int best = -1;

	for (unsigned i = 0; i < x->n_caches; i++) {
		const struct cache *c = &x->cache[i],
				   *b = &x->cache[best < 0 ? 0 : best];
		if (c->free < n)
			continue;
		bool near = beside_gpu(x, task, c);
		bool best_near = best >= 0 && beside_gpu(x, task, b);
		if (best < 0 || (near && !best_near) ||
			(near == best_near && !compact &&
				(uint64_t)c->free * b->len >
					(uint64_t)b->free * c->len))
			best = (int)i;
	}
	return best;
}

/* Fits in no cache: over as few as possible, the emptiest first, the rest from one
 * that has just enough. */
static void straddle(struct deal *x, size_t t, unsigned n)
{
	while (n) {
		struct cache *best = &x->cache[0];
		for (unsigned i = 1; i < x->n_caches; i++) {
			struct cache *c = &x->cache[i];
			bool enough = c->free >= n, best_enough = best->free >= n;
			if (enough != best_enough ? enough
						  : (enough ? c->free < best->free
							    : c->free > best->free))
				best = c;
		}
		if (!best->free)
			return;
		n -= take_from(x, t, best, n);
	}
}

static bool alike(const struct deal *x, size_t a, size_t b)
{
	const struct task *s = &x->j->task[a], *t = &x->j->task[b];
	return s->step == t->step && units(x, a) == units(x, b) && !s->n_gpus &&
	       !t->n_gpus;
}

/* Tasks a, a + 1, ... that want the same: counted by cache, dealt in rank order.
 * Returns the task after the run. */
static size_t deal_run(struct deal *x, size_t a)
{
	unsigned n = units(x, a);
	size_t b = a + 1, at = a;

	while (b < x->j->n_tasks && (!units(x, b) || alike(x, a, b)))
		b++;
	for (unsigned i = 0; i < x->n_caches; i++)
		x->cache[i].want = 0;
	for (size_t t = a; t < b; t++) {
		int c = units(x, t) ? pick(x, t, n) : -1;
		if (c >= 0) {
			x->cache[c].want++;
			x->cache[c].free -= n;
		}
	}
	for (unsigned i = 0; i < x->n_caches; i++) {
		x->cache[i].free += n * x->cache[i].want;
		for (; x->cache[i].want; at++)
			if (units(x, at)) {
				take_from(x, at, &x->cache[i], n);
				x->cache[i].want--;
			}
	}
	for (; at < b; at++)
		if (units(x, at))
			straddle(x, at, n);
	return b;
}

/* More tasks than threads: thread after thread in turn, and said. */
static void deal_twice(struct deal *x, size_t n)
{
	size_t k = 0;

	for (size_t t = 0; t < x->j->n_tasks; t++)
		if (units(x, t)) {
			size_t u = k * x->n / n;
			take(x, t, (unsigned)u);
			x->out[t].shared_cpus = (k && (k - 1) * x->n / n == u) ||
						(k + 1 < n && (k + 1) * x->n / n == u);
			k++;
		}
}

/* More tasks than cores: may each sit on one core, with a part of its threads? */
static bool one_core_each(const struct deal *x, size_t tasks)
{
	const struct domain *dom = &x->j->shape.dom[x->d];

	if (x->j->by_core[x->d] || tasks < dom->n_cores || !x->j->shape.uniform)
		return false;
	for (size_t t = 0; t < x->j->n_tasks; t++)
		if (units(x, t) && !x->j->task[t].elastic && units(x, t) > 1)
			return false;
	return true;
}

static void deal_threads(struct deal *x, size_t tasks)
{
	const struct domain *dom = &x->j->shape.dom[x->d];
	size_t threads = dom->n_cpus / dom->n_cores, k = 0;

	for (size_t t = 0; t < x->j->n_tasks; t++) {
		if (!units(x, t))
			continue;
		/* Core c has the tasks from first to last - 1; they share its threads.
		 */
		size_t c = ((k + 1) * dom->n_cores - 1) / tasks;
		size_t first = c * tasks / dom->n_cores;
		size_t last = (c + 1) * tasks / dom->n_cores;
		size_t from = (k - first) * threads / (last - first);
		size_t to = (k - first + 1) * threads / (last - first);
		size_t crowd = (tasks + dom->n_cores - 1) / dom->n_cores;
		if (!x->j->task[t].elastic)
			to = from + 1;
		else if (x->j->step[x->j->task[t].step].balance_even)
			to = from + threads / crowd;
		for (size_t u = from; u < to; u++)
			take(x, t, (unsigned)(c * threads + u));
		k++;
	}
}

static void deal_domain(struct deal *x)
{
	const struct job *j = x->j;
	size_t wanted = 0, tasks = 0;

	x->n = j->by_core[x->d] ? j->shape.dom[x->d].n_cores
				: j->shape.dom[x->d].n_cpus;
	for (size_t t = 0; t < j->n_tasks; t++) {
		wanted += units(x, t);
		tasks += units(x, t) > 0;
	}
	if (!x->n || !wanted)
		return;
	memset(x->used, 0, x->n * sizeof(*x->used));
	if (wanted > x->n) {
		deal_twice(x, tasks);
		return;
	}
	if (one_core_each(x, tasks)) {
		deal_threads(x, tasks);
		return;
	}
	x->n_caches = 0;
	for (unsigned u = 0; u < x->n; u++) {
		if (!u || core_of(x, u)->l3 != core_of(x, u - 1)->l3)
			x->cache[x->n_caches++] = (struct cache){.start = u};
		x->cache[x->n_caches - 1].len++;
		x->cache[x->n_caches - 1].free++;
	}
	for (size_t t = 0; t < j->n_tasks; t++)
		if (units(x, t) && j->task[t].n_gpus) {
			int c = pick(x, t, units(x, t));
			if (c >= 0)
				take_from(x, t, &x->cache[c], units(x, t));
			else
				straddle(x, t, units(x, t));
		}
	for (size_t t = 0; t < j->n_tasks;) {
		if (units(x, t) && !j->task[t].n_gpus)
			t = deal_run(x, t);
		else
			t++;
	}
}

int weft_place_cores(
	const struct job *j, struct weft_placed_task *out, struct weft_err *err)
{
	struct deal x = {.j = j, .out = out};

	x.used = calloc(j->shape.n_cpus + 1, sizeof(*x.used));
	x.cache = calloc(j->shape.n_cpus + 1, sizeof(*x.cache));
	if (!x.used || !x.cache) {
		free(x.used);
		free(x.cache);
		return weft_err_nomem(err);
	}
	for (x.d = 0; x.d < j->shape.n_doms; x.d++)
		deal_domain(&x);
	free(x.used);
	free(x.cache);
	return 0;
}
