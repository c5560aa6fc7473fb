/*
 * talk - steps that exchange data: in which order they are seated, and what a domain
 * costs a task whose partners sit already.
 *
 * GPU steps cannot choose; then whoever has most bytes to those seated, for a core,
 * so that where there is no room for all beside their partners the bytes decide.
 */
#include "place/inner.h"

#include <stdlib.h>

static void add(struct job *j, size_t a, size_t b, uint64_t bytes)
{
	if (a == b || !j->step[a].ntasks || !j->step[b].ntasks)
		return;
	j->edge[j->n_edges++] = (struct edge){.a = a,
		.b = b,
		.bytes = (double)(bytes ? bytes : 1) / j->step[a].ntasks};
}

int weft_place_edges(struct job *j, struct weft_err *err)
{
	j->edge = calloc(j->n_steps * (WEFT_PLACE_MAX_TALKS + 1) + 1, sizeof(*j->edge));
	j->seated = calloc(j->n_steps + 1, sizeof(*j->seated));
	if (!j->edge || !j->seated)
		return weft_err_nomem(err);
	for (size_t i = 0; i < j->n_steps; i++) {
		const struct weft_place_step *s = &j->step[i];
		for (unsigned k = 0; k < s->n_talks; k++)
			add(j, i, s->talk[k].step, s->talk[k].bytes);
		if (s->beside)
			add(j, i, s->beside - 1, 0);
	}
	return 0;
}

/* Bytes to those who sit, for each core that the step wants. */
static double pull(const struct job *j, size_t step)
{
	const struct task *t = &j->task[j->first[step]];
	double bytes = 0;

	for (size_t i = 0; i < j->n_edges; i++) {
		const struct edge *e = &j->edge[i];
		size_t other = e->a == step ? e->b : e->a;
		if ((e->a == step || e->b == step) && j->seated[other])
			bytes += e->bytes * j->step[e->a].ntasks;
	}
	return bytes / ((double)j->step[step].ntasks * t->need_cores);
}

bool weft_place_leans(const struct job *j, size_t step)
{
	return !j->task[j->first[step]].n_gpus && pull(j, step) > 0;
}

size_t weft_place_next_step(const struct job *j)
{
	size_t best = j->n_steps;
	int best_turn = 4;
	double most = 0;

	for (size_t i = 0; i < j->n_steps; i++) {
		if (j->seated[i] || !j->step[i].ntasks)
			continue;
		bool gpus = j->task[j->first[i]].n_gpus > 0;
		double bytes = gpus ? 0 : pull(j, i);
		/* Of those that lean on nobody, who wants a certain number of CPUs goes
		 * before who takes what there is. */
		int turn = gpus ? 0 : bytes > 0 ? 1 : j->step[i].cpus_per_task ? 2 : 3;
		if (turn < best_turn || (turn == best_turn && bytes > most)) {
			best = i;
			best_turn = turn;
			most = bytes;
		}
	}
	return best;
}

/* One partner: inside its domain nothing, elsewhere the farther the more. */
static void lean_on(const struct job *j, size_t partner, double bytes, double *cost)
{
	unsigned home = j->task[partner].home;

	for (unsigned d = 0; d < j->shape.n_doms; d++)
		if (d != home)
			cost[d] +=
				bytes * (WEFT_MAX_NUMA + weft_place_distance(
								 &j->shape, d, home));
}

void weft_place_lean(const struct job *j, size_t step, size_t i, double *cost)
{
	for (unsigned d = 0; d < j->shape.n_doms; d++)
		cost[d] = 0;
	for (size_t k = 0; k < j->n_edges; k++) {
		const struct edge *e = &j->edge[k];
		size_t na = j->step[e->a].ntasks, nb = j->step[e->b].ntasks;
		if (e->a == step && j->seated[e->b]) {
			lean_on(j, j->first[e->b] + i * nb / na, e->bytes, cost);
		} else if (e->b == step && j->seated[e->a]) {
			size_t from = (i * na + nb - 1) / nb;
			for (size_t p = from; p < na && p * nb / na == i; p++)
				lean_on(j, j->first[e->a] + p, e->bytes, cost);
		}
	}
}
