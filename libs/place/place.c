/* place - the way from steps to tasks; each part is in its own file. */
#include "place/inner.h"

#include <stdlib.h>

static void job_free(struct job *j)
{
	weft_place_shape_free(&j->shape);
	free(j->task);
	free(j->near);
	free(j->unions);
	free(j->units);
	free(j->by_core);
	free(j->gpu_load);
	free(j->edge);
	free(j->seated);
	free(j->memory);
}

void weft_placement_free(struct weft_placement *p)
{
	if (!p)
		return;
	free(p->task);
	free(p->first);
	free(p);
}

static int check_steps(
	const struct weft_place_step *s, size_t n, size_t *tasks, struct weft_err *err)
{
	*tasks = 0;
	for (size_t i = 0; i < n; i++) {
		*tasks += s[i].ntasks;
		if (s[i].ntasks > MAX_TASKS || *tasks > MAX_TASKS)
			return weft_err_set(err, WEFT_EPLACE,
				"more than %d tasks on a node", MAX_TASKS);
		bool bad = !(s[i].gpus_per_task >= 0) || s[i].beside > n ||
			   s[i].n_talks > WEFT_PLACE_MAX_TALKS;
		for (unsigned k = 0; !bad && k < s[i].n_talks; k++)
			bad = s[i].talk[k].step >= n;
		if (bad)
			return weft_err_set(err, WEFT_EPLACE,
				"step %zu: gpus_per_task, beside or talk is out of "
				"range",
				i);
	}
	return 0;
}

static int check_gpus(const struct weft_machine *m, const unsigned *gpus, size_t n,
	struct weft_err *err)
{
	bool seen[WEFT_MAX_DEVICES] = {false};

	for (size_t i = 0; i < n; i++) {
		if (gpus[i] >= m->n_gpus || gpus[i] >= WEFT_MAX_DEVICES ||
			seen[gpus[i]])
			return weft_err_set(err, WEFT_EPLACE, "GPU %u: there are %zu",
				gpus[i], m->n_gpus);
		seen[gpus[i]] = true;
	}
	return 0;
}

/* The domains of each GPU; all, where nothing is known. */
static void find_near(struct job *j)
{
	const struct shape *s = &j->shape;

	for (size_t g = 0; g < s->m->n_gpus; g++) {
		uint64_t *set = &j->near[g * s->words];
		bool any = false;
		for (unsigned d = 0; d < s->n_doms; d++)
			if (weft_cpuset_meets(&s->m->gpu[g].cpus,
				    &s->m->numa[s->dom[d].numa].cpus)) {
				set[d / 64] |= UINT64_C(1) << (d % 64);
				any = true;
			}
		for (unsigned d = 0; d < s->n_doms && !any; d++)
			set[d / 64] |= UINT64_C(1) << (d % 64);
	}
}

static void make_tasks(struct job *j)
{
	struct task *t = j->task;

	for (size_t i = 0; i < j->n_steps; i++) {
		const struct weft_place_step *s = &j->step[i];
		unsigned smt = s->smt && s->smt < j->shape.max_threads
				       ? s->smt
				       : j->shape.max_threads;
		unsigned c = s->cpus_per_task ? s->cpus_per_task : 1;
		c = c > WEFT_MAX_CPUS ? WEFT_MAX_CPUS : c;
		for (unsigned r = 0; r < s->ntasks; r++)
			*t++ = (struct task){.step = i,
				.rank = r,
				.need_cpus = c,
				.need_cores = (c + smt - 1) / smt,
				.elastic = !s->cpus_per_task};
	}
}

static int alloc(struct job *j, struct weft_placement *p, struct weft_err *err)
{
	const struct shape *s = &j->shape;
	size_t n = j->n_tasks + 1, gpus = s->m->n_gpus + 1;

	j->task = calloc(n, sizeof(*j->task));
	j->near = calloc(gpus * s->words, sizeof(*j->near));
	j->unions = calloc(n * s->words, sizeof(*j->unions));
	j->units = calloc(n * s->n_doms, sizeof(*j->units));
	j->by_core = calloc(s->n_doms, sizeof(*j->by_core));
	j->gpu_load = calloc(gpus, sizeof(*j->gpu_load));
	p->task = calloc(n, sizeof(*p->task));
	if (!j->task || !j->near || !j->unions || !j->units || !j->by_core ||
		!j->gpu_load || !p->task)
		return weft_err_nomem(err);
	return 0;
}

static bool is_far(
	const struct job *j, const struct task *t, const struct weft_cpuset *cpus)
{
	const struct shape *s = &j->shape;

	for (unsigned d = 0; t->n_gpus && d < s->n_doms; d++)
		if (!in_set(t->near, d) &&
			weft_cpuset_meets(cpus, &s->m->numa[s->dom[d].numa].cpus))
			return true;
	return false;
}

static void finish(const struct job *j, struct weft_placement *p)
{
	for (size_t t = 0; t < j->n_tasks; t++) {
		struct weft_placed_task *out = &p->task[t];
		const struct task *in = &j->task[t];
		for (out->n_gpus = 0; out->n_gpus < in->n_gpus; out->n_gpus++)
			out->gpu[out->n_gpus] = in->gpu[out->n_gpus];
		out->far = is_far(j, in, &out->cpus);
		out->fewer = in->fewer;
	}
}

static int place_gpus(
	struct job *j, const unsigned *gpus, size_t n_gpus, struct weft_err *err)
{
	for (size_t i = 0; i < j->n_steps; i++) {
		const struct weft_place_step *s = &j->step[i];
		if (!s->ntasks || (!s->gpus_all && s->gpus_per_task <= 0))
			continue;
		if (weft_place_gpus(j, i, gpus, n_gpus, err))
			return -1;
	}
	return 0;
}

int weft_place(const struct weft_machine *m, const struct weft_cpuset *allowed,
	const unsigned *gpus, size_t n_gpus, const struct weft_place_step *steps,
	size_t n_steps, struct weft_placement **out, struct weft_err *err)
{
	struct job j = {.step = steps, .n_steps = n_steps};
	struct weft_placement *p = calloc(1, sizeof(*p));
	unsigned every[WEFT_MAX_DEVICES];
	int rc = -1;

	*out = NULL;
	if (!p || !(p->first = calloc(n_steps + 1, sizeof(*p->first)))) {
		free(p);
		return weft_err_nomem(err);
	}
	if (!gpus) {
		n_gpus = m->n_gpus < WEFT_MAX_DEVICES ? m->n_gpus : WEFT_MAX_DEVICES;
		for (unsigned i = 0; i < n_gpus; i++)
			every[i] = i;
		gpus = every;
	}
	if (check_steps(steps, n_steps, &j.n_tasks, err) ||
		check_gpus(m, gpus, n_gpus, err) ||
		weft_place_shape(m, allowed, steps, n_steps, &j.shape, err) ||
		alloc(&j, p, err))
		goto out;
	for (size_t i = 1; i < n_steps; i++)
		p->first[i] = p->first[i - 1] + steps[i - 1].ntasks;
	j.first = p->first;
	make_tasks(&j);
	find_near(&j);
	if (weft_place_edges(&j, err) || weft_place_memory_near(&j, err) ||
		place_gpus(&j, gpus, n_gpus, err) || weft_place_seats(&j, err))
		goto out;
	weft_place_grow(&j);
	if (weft_place_cores(&j, p->task, err) || weft_place_memory(&j, p->task, err) ||
		weft_place_nics(&j, p->task, err))
		goto out;
	finish(&j, p);
	p->n_tasks = j.n_tasks;
	p->n_steps = n_steps;
	*out = p;
	rc = 0;
out:
	job_free(&j);
	if (rc)
		weft_placement_free(p);
	return rc;
}
