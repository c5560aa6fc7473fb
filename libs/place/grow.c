/*
 * grow - tasks that ask for no number of CPUs share out what is left: one unit a
 * round each, at home first; then from domains near their GPUs where no such task
 * lives.  Nobody grows away from his GPUs, and `compact` never leaves home.
 */
#include "place/inner.h"

#include <stdlib.h>

struct left {
	unsigned *free;    /* units of each domain */
	unsigned *growers; /* elastic tasks that live there */
};

static unsigned short *units(struct job *j, size_t t, unsigned d)
{
	return &j->units[t * j->shape.n_doms + d];
}

static int where(struct job *j, const struct left *l, size_t i)
{
	const struct task *t = &j->task[i];
	unsigned best_far = UINT32_MAX;
	int best = -1;

	if (l->free[t->home])
		return (int)t->home;
	if (j->step[t->step].cpus == WEFT_PLACE_COMPACT)
		return -1;
	for (unsigned d = 0; d < j->shape.n_doms; d++) {
		if (!in_set(t->near, d) || !l->free[d] || l->growers[d])
			continue;
		unsigned far = *units(j, i, d)
				       ? 0
				       : weft_place_distance(&j->shape, d, t->home);
		if (far < best_far) {
			best_far = far;
			best = (int)d;
		}
	}
	return best;
}

static unsigned cpus_of(struct job *j, size_t t)
{
	unsigned n = 0;

	for (unsigned d = 0; d < j->shape.n_doms; d++)
		n += *units(j, t, d) * (j->by_core[d] ? j->shape.max_threads : 1);
	return n;
}

/* balance: even: nobody has more than the one who has least. */
static void level(struct job *j, size_t step)
{
	size_t first = j->first[step], n = j->step[step].ntasks;
	unsigned least = UINT32_MAX;

	for (size_t i = first; i < first + n; i++)
		least = cpus_of(j, i) < least ? cpus_of(j, i) : least;
	for (size_t i = first; i < first + n; i++) {
		unsigned have = cpus_of(j, i);
		/* What lies farthest from home goes first. */
		while (have > least) {
			int away = -1;
			for (unsigned d = 0; d < j->shape.n_doms; d++)
				if (*units(j, i, d) &&
					(away < 0 ||
						weft_place_distance(
							&j->shape, d, j->task[i].home) >
							weft_place_distance(&j->shape,
								(unsigned)away,
								j->task[i].home)))
					away = (int)d;
			if (away < 0)
				break;
			unsigned one = j->by_core[away] ? j->shape.max_threads : 1;
			if (have - least < one)
				break;
			--*units(j, i, (unsigned)away);
			have -= one;
		}
	}
}

void weft_place_grow(struct job *j)
{
	const struct shape *s = &j->shape;
	unsigned *counts = calloc(2 * (size_t)s->n_doms, sizeof(*counts));
	/* cppcheck-suppress nullPointerArithmeticRedundantCheck ; used where !counts is
	 * not */
	struct left l = {counts, counts + s->n_doms};
	bool more = true;

	if (!counts)
		return; /* every task has its seat; more is a gift */
	for (unsigned d = 0; d < s->n_doms; d++) {
		uint64_t used = 0;
		unsigned cap = j->by_core[d] ? s->dom[d].n_cores : s->dom[d].n_cpus;
		for (size_t i = 0; i < j->n_tasks; i++)
			used += *units(j, i, d);
		l.free[d] = used < cap ? cap - (unsigned)used : 0;
	}
	for (size_t i = 0; i < j->n_tasks; i++)
		l.growers[j->task[i].home] += j->task[i].elastic;
	while (more) {
		more = false;
		for (size_t i = 0; i < j->n_tasks; i++) {
			int d = j->task[i].elastic ? where(j, &l, i) : -1;
			if (d < 0)
				continue;
			++*units(j, i, (unsigned)d);
			l.free[d]--;
			more = true;
		}
	}
	free(counts);
	for (size_t i = 0; i < j->n_steps; i++)
		if (j->step[i].balance_even && !j->step[i].cpus_per_task &&
			j->step[i].ntasks)
			level(j, i);
}
