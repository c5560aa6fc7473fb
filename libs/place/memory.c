/*
 * memory - the memory nodes of each task.
 *
 * Without a need that is known, those of its CPUs.  With one, task by task: first
 * the node of its own domain, then other memory near its CPUs (a faster or slower
 * tier of the same domain), then the nearest elsewhere, which is said.  Memory of
 * GPUs is theirs.
 */
#include "place/inner.h"

#include <stdlib.h>

static bool near_domain(const struct shape *s, unsigned d, size_t numa)
{
	return s->m->numa[numa].kind != WEFT_MEM_GPU &&
	       weft_cpuset_meets(
		       &s->m->numa[numa].cpus, &s->m->numa[s->dom[d].numa].cpus);
}

/* What is asked for may be more than any number here holds. */
static uint64_t whole(double bytes)
{
	return bytes < 0x1p64 ? (uint64_t)bytes : UINT64_MAX;
}

/* What is near several domains is shared out among them. */
int weft_place_memory_near(struct job *j, struct weft_err *err)
{
	const struct shape *s = &j->shape;
	double all = 0, want = 0;

	for (size_t i = 0; i < j->n_steps; i++)
		want += (double)j->step[i].mem_per_task * j->step[i].ntasks;
	if (want <= 0)
		return 0;
	j->memory = calloc(s->n_doms, sizeof(*j->memory));
	if (!j->memory)
		return weft_err_nomem(err);
	for (size_t k = 0; k < s->m->n_numa; k++) {
		unsigned users = 0;
		for (unsigned d = 0; d < s->n_doms; d++)
			users += near_domain(s, d, k);
		for (unsigned d = 0; d < s->n_doms; d++)
			if (near_domain(s, d, k))
				j->memory[d] += s->m->numa[k].bytes / users;
		all += s->m->numa[k].kind == WEFT_MEM_GPU ? 0
							  : (double)s->m->numa[k].bytes;
	}
	j->knows_memory = all > 0;
	if (j->knows_memory && want > all) {
		char need[WEFT_UNIT_MAX], have[WEFT_UNIT_MAX];
		return weft_err_set(err, WEFT_EPLACE,
			"the tasks need %s of memory, this node has %s",
			weft_format_size(need, whole(want)),
			weft_format_size(have, whole(all)));
	}
	return 0;
}

/* The memory nodes of a set of CPUs; too many to name: any. */
static void of_cpus(const struct shape *s, const struct weft_cpuset *cpus,
	struct weft_placed_task *out)
{
	out->n_numa = 0;
	for (unsigned d = 0; d < s->n_doms; d++) {
		if (!weft_cpuset_meets(cpus, &s->m->numa[s->dom[d].numa].cpus))
			continue;
		if (out->n_numa == WEFT_COUNT(out->numa)) {
			out->n_numa = 0;
			return;
		}
		out->numa[out->n_numa++] = s->dom[d].numa;
	}
}

/* How far a memory node is from a task: 0 its home's own, 1 near its CPUs. */
static unsigned how_far(const struct job *j, size_t t, size_t numa)
{
	const struct shape *s = &j->shape;
	unsigned home = j->task[t].home, best = UINT32_MAX;

	if (s->dom[home].numa == numa)
		return 0;
	for (unsigned d = 0; d < s->n_doms; d++) {
		if (!near_domain(s, d, numa))
			continue;
		if (j->units[t * s->n_doms + d] || d == home)
			return 1;
		unsigned far = 2 + weft_place_distance(s, d, home);
		best = far < best ? far : best;
	}
	return best; /* UINT32_MAX: near no CPU at all, the last resort */
}

static void hold(
	const struct job *j, size_t t, uint64_t *left, struct weft_placed_task *out)
{
	uint64_t need = j->step[j->task[t].step].mem_per_task;
	bool asked[WEFT_MAX_NUMA] = {false};

	out->n_numa = 0;
	while (need && out->n_numa < WEFT_COUNT(out->numa)) {
		unsigned best_far = UINT32_MAX;
		int best = -1;
		for (size_t k = 0; k < j->shape.m->n_numa; k++) {
			unsigned far = left[k] && !asked[k] ? how_far(j, t, k) : 0;
			if (left[k] && !asked[k] && (best < 0 || far < best_far)) {
				best = (int)k;
				best_far = far;
			}
		}
		if (best < 0)
			break;
		uint64_t take = left[best] < need ? left[best] : need;
		asked[best] = true;
		left[best] -= take;
		need -= take;
		out->spills |= best_far > 1;
		out->numa[out->n_numa++] = (unsigned)best;
	}
}

static void interleave(const struct job *j, size_t step, struct weft_placed_task *out)
{
	struct weft_placed_task *t = &out[j->first[step]];
	struct weft_cpuset all = {0};

	for (size_t i = 0; i < j->step[step].ntasks; i++)
		for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
			all.w[w] |= t[i].cpus.w[w];
	for (size_t i = 0; i < j->step[step].ntasks; i++)
		of_cpus(&j->shape, &all, &t[i]);
}

int weft_place_memory(
	const struct job *j, struct weft_placed_task *out, struct weft_err *err)
{
	const struct weft_machine *m = j->shape.m;
	uint64_t *left = calloc(m->n_numa + 1, sizeof(*left));

	if (!left)
		return weft_err_nomem(err);
	for (size_t k = 0; k < m->n_numa; k++)
		left[k] = m->numa[k].kind == WEFT_MEM_GPU ? 0 : m->numa[k].bytes;
	for (size_t i = 0; i < j->n_steps; i++) {
		const struct weft_place_step *s = &j->step[i];
		if (s->memory == WEFT_PLACE_INTERLEAVE) {
			interleave(j, i, out);
			continue;
		}
		for (size_t t = j->first[i]; t < j->first[i] + s->ntasks; t++) {
			if (s->memory != WEFT_PLACE_LOCAL)
				continue;
			if (j->knows_memory && s->mem_per_task)
				hold(j, t, left, &out[t]);
			else
				of_cpus(&j->shape, &out[t].cpus, &out[t]);
		}
	}
	free(left);
	return 0;
}
