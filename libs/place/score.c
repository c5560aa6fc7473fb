/*
 * score - how well tasks sit.  Looks at their CPUs and devices alone: nothing that
 * the placement says of itself is believed.
 */
#include "place/place.h"

#include <stdlib.h>
#include <string.h>

struct domains {
	bool has[WEFT_MAX_NUMA];
};
struct view {
	const struct weft_machine *m;
	const struct weft_placed_task *task; /* of the step */
	size_t n;
	unsigned of_cpu[WEFT_MAX_CPUS];               /* index in pu */
	struct domains near[WEFT_MAX_DEVICES];        /* of each GPU */
	bool nic[WEFT_MAX_DEVICES][WEFT_MAX_DEVICES]; /* nearest ones of each GPU */
};

/* The domains that a set of CPUs touches; all, where nothing is known of it. */
static void touched(
	const struct weft_machine *m, const struct weft_cpuset *cpus, struct domains *d)
{
	bool none = !weft_cpuset_count(cpus);

	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < m->n_pus; i++)
		if (none || weft_cpuset_has(cpus, m->pu[i].cpu))
			d->has[m->pu[i].numa] = true;
}

static bool inside(
	const struct view *v, const struct weft_cpuset *cpus, const struct domains *d)
{
	for (int c = -1; (c = weft_cpuset_next(cpus, c + 1)) >= 0;)
		if (!d->has[v->m->pu[v->of_cpu[c]].numa])
			return false;
	return weft_cpuset_count(cpus) > 0;
}

/* All CPUs near each of its GPUs; where none is wanted, in one domain. */
static bool local(const struct view *v, const struct weft_placed_task *t, bool wants)
{
	struct domains d;
	int first = weft_cpuset_next(&t->cpus, 0);

	for (size_t i = 0; i < t->n_gpus; i++)
		if (!inside(v, &t->cpus, &v->near[t->gpu[i]]))
			return false;
	if (wants || t->n_gpus || first < 0)
		return t->n_gpus > 0;
	memset(&d, 0, sizeof(d));
	d.has[v->m->pu[v->of_cpu[first]].numa] = true;
	return inside(v, &t->cpus, &d);
}

static bool subset(const struct domains *a, const struct domains *b)
{
	for (unsigned d = 0; d < WEFT_MAX_NUMA; d++)
		if (a->has[d] && !b->has[d])
			return false;
	return true;
}

/* Could each task have a thread near its GPU: of no set of domains are there more
 * tasks whose GPU is near these only than there are threads. */
static bool local_possible(const struct view *v)
{
	size_t on[WEFT_MAX_DEVICES] = {0};

	for (size_t i = 0; i < v->n; i++)
		if (v->task[i].n_gpus)
			on[v->task[i].gpu[0]]++;
	for (size_t g = 0; g < v->m->n_gpus; g++) {
		size_t tasks = 0, threads = 0;
		for (size_t k = 0; k < v->m->n_gpus; k++)
			if (on[k] && subset(&v->near[k], &v->near[g]))
				tasks += on[k];
		for (size_t i = 0; i < v->m->n_pus; i++)
			threads += v->near[g].has[v->m->pu[i].numa];
		if (tasks > threads)
			return false;
	}
	return true;
}

static double jain(const struct view *v)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < v->n; i++) {
		bool mine[WEFT_MAX_CPUS] = {false};
		double cores = 0;
		for (int c = -1;
			(c = weft_cpuset_next(&v->task[i].cpus, c + 1)) >= 0;) {
			unsigned core = v->m->pu[v->of_cpu[c]].core;
			cores += !mine[core];
			mine[core] = true;
		}
		sum += cores;
		squares += cores * cores;
	}
	return squares > 0 ? sum * sum / ((double)v->n * squares) : 0;
}

unsigned weft_place_apart(const struct weft_machine *m, const struct weft_device *a,
	const struct weft_device *b)
{
	struct domains x, y;
	unsigned common = 0;

	while (common < a->n_path && common < b->n_path &&
		a->path[common] == b->path[common])
		common++;
	if (common)
		return common > 1 ? 0 : 1;
	touched(m, &a->cpus, &x);
	touched(m, &b->cpus, &y);
	for (unsigned d = 0; d < WEFT_MAX_NUMA; d++)
		if (x.has[d] && y.has[d])
			return 1;
	return a->package == b->package ? 2 : 3;
}

/* Where there is a fabric, Ethernet ports are for the system. */
static void nearest_nics(const struct weft_machine *m, size_t gpu, bool *out)
{
	unsigned best = UINT32_MAX;
	bool fabric = false;

	for (size_t i = 0; i < m->n_nics; i++)
		fabric |= m->nic[i].link > WEFT_LINK_ETHERNET;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < m->n_nics; i++) {
			unsigned far;
			if (fabric && m->nic[i].link == WEFT_LINK_ETHERNET)
				continue;
			far = weft_place_apart(m, &m->gpu[gpu], &m->nic[i]);
			out[i] = pass && far == best;
			if (!pass && far < best)
				best = far;
		}
}

static unsigned spread_of(const unsigned *load, const bool *of, size_t n)
{
	unsigned least = UINT32_MAX, most = 0;

	for (size_t i = 0; i < n; i++) {
		if (!of[i])
			continue;
		least = load[i] < least ? load[i] : least;
		most = load[i] > most ? load[i] : most;
	}
	return most > least ? most - least : 0;
}

/* The NICs' loads: of GPU tasks whose nearest NICs are those of `like`; NULL: of all
 * tasks. */
static void loads(const struct view *v, const bool *like, unsigned *load)
{
	size_t n = v->m->n_nics;

	memset(load, 0, n * sizeof(*load));
	for (size_t i = 0; i < v->n; i++) {
		const struct weft_placed_task *t = &v->task[i];
		if (like && (!t->n_gpus || memcmp(v->nic[t->gpu[0]], like, n) != 0))
			continue;
		for (size_t k = 0; k < t->n_nics; k++)
			load[t->nic[k]]++;
	}
}

static void score_nics(const struct view *v, struct weft_place_score *s)
{
	size_t n = v->m->n_nics;
	bool uneven[WEFT_MAX_DEVICES] = {false};
	unsigned all[WEFT_MAX_DEVICES], same[WEFT_MAX_DEVICES];

	loads(v, NULL, all);
	for (size_t g = 0; g < v->m->n_gpus; g++)
		if (spread_of(all, v->nic[g], n) > 1) {
			loads(v, v->nic[g], same);
			uneven[g] = spread_of(same, v->nic[g], n) > 1;
		}
	for (size_t i = 0; n && i < v->n; i++) {
		const struct weft_placed_task *t = &v->task[i];
		bool has = false;
		if (!t->n_gpus)
			continue;
		for (size_t k = 0; k < t->n_nics; k++)
			has |= v->nic[t->gpu[0]][t->nic[k]];
		s->far_nic += !has;
		s->uneven_nic += uneven[t->gpu[0]];
	}
}

/* Task i exchanges data with task i * theirs / ours of the other step. */
static void score_edges(const struct view *v, const struct weft_placed_task *other,
	size_t n, uint64_t bytes, struct weft_place_score *s)
{
	double each = bytes ? (double)bytes / (double)v->n : 1;

	for (size_t i = 0; n && i < v->n; i++) {
		struct domains d;
		touched(v->m, &other[i * n / v->n].cpus, &d);
		bool in = inside(v, &v->task[i].cpus, &d);
		s->edges++;
		s->edges_inside += in;
		s->bytes += each;
		s->bytes_inside += in ? each : 0;
	}
}

int weft_place_score(const struct weft_machine *m, const struct weft_placement *p,
	const struct weft_place_step *steps, size_t step, struct weft_place_score *s,
	struct weft_err *err)
{
	const struct weft_place_step *of = &steps[step];
	weft_autofree struct view *v = calloc(1, sizeof(*v));

	*s = (struct weft_place_score){.tasks = of->ntasks};
	if (!v)
		return weft_err_nomem(err);
	s->wants_gpu = of->gpus_all || of->gpus_per_task > 0;
	v->m = m;
	v->task = &p->task[p->first[step]];
	v->n = of->ntasks;
	for (unsigned i = 0; i < m->n_pus; i++)
		v->of_cpu[m->pu[i].cpu] = i;
	for (size_t g = 0; g < m->n_gpus; g++) {
		touched(m, &m->gpu[g].cpus, &v->near[g]);
		nearest_nics(m, g, v->nic[g]);
	}
	for (size_t i = 0; i < v->n; i++) {
		s->empty += !weft_cpuset_count(&v->task[i].cpus);
		s->with_gpu += v->task[i].n_gpus > 0;
		s->local += local(v, &v->task[i], s->wants_gpu);
	}
	s->local_possible = local_possible(v);
	s->jain = jain(v);
	score_nics(v, s);
	for (unsigned i = 0; i <= of->n_talks; i++) {
		bool last = i == of->n_talks;
		size_t other = last ? of->beside - 1u : of->talk[i].step;
		if ((last && !of->beside) || other >= p->n_steps)
			continue;
		score_edges(v, &p->task[p->first[other]], steps[other].ntasks,
			last ? 0 : of->talk[i].bytes, s);
	}
	return 0;
}

void weft_place_load(const struct weft_machine *m, const struct weft_cpuset *allowed,
	const struct weft_placement *p, struct weft_place_load *l)
{
	bool usable[WEFT_MAX_CPUS] = {false}, used[WEFT_MAX_CPUS] = {false};
	struct weft_cpuset one = {0}, two = {0};

	*l = (struct weft_place_load){0};
	for (size_t i = 0; i < p->n_tasks; i++)
		for (size_t w = 0; w < WEFT_CPU_WORDS; w++) {
			two.w[w] |= one.w[w] & p->task[i].cpus.w[w];
			one.w[w] |= p->task[i].cpus.w[w];
		}
	l->shared_cpus = weft_cpuset_count(&two);
	for (size_t i = 0; i < m->n_pus; i++) {
		const struct weft_pu *pu = &m->pu[i];
		usable[pu->core] |= (!allowed || weft_cpuset_has(allowed, pu->cpu)) &&
				    !weft_cpuset_has(&m->reserved, pu->cpu);
		used[pu->core] |= weft_cpuset_has(&one, pu->cpu);
	}
	for (unsigned c = 0; c < m->n_cores; c++) {
		l->cores += usable[c];
		l->idle_cores += usable[c] && !used[c];
	}
}
