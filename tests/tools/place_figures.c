/*
 * place_figures.c - what weft_place does on a folder of machines, in figures.
 *
 * usage: place_figures DIR CACHE_DIR
 *
 * For each *.xml (hwloc) and *.model of DIR, lines of comma-separated values:
 *   cell,FILE,GPUS,BALANCE,n,cores,threads,gpus,refused,empty,shared_pairs,
 *       without_gpu,local,local_possible,jain,idle_cores,nic_far,nic_uneven
 *   coupled,FILE,tasks,threads,shared_pairs,unreachable,edges,possible,inside
 *   time,FILE,threads,TASKS,MICROSECONDS    median of mapping
 *   cache,FILE,threads,MICROSECONDS         median of loading the model from a cache
 *
 * It looks at masks and devices only: nothing that weft_place says of them is believed.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "place/place.h"
#include "topo/discover.h"

#define RUNS 101

struct subject {
	const char *file;
	const struct weft_machine *m;
	unsigned of_cpu[WEFT_MAX_CPUS]; /* index in pu */
	unsigned domain[WEFT_MAX_NUMA]; /* numa nodes that have CPUs */
	unsigned n_domains;
};

typedef bool set_of_domains[WEFT_MAX_NUMA];

static void look(struct subject *s)
{
	bool seen[WEFT_MAX_NUMA] = {false};

	s->n_domains = 0;
	for (unsigned i = 0; i < s->m->n_pus; i++) {
		s->of_cpu[s->m->pu[i].cpu] = i;
		if (!seen[s->m->pu[i].numa])
			s->domain[s->n_domains++] = s->m->pu[i].numa;
		seen[s->m->pu[i].numa] = true;
	}
}

/* The domains that a set of CPUs touches; all, where nothing is known of it. */
static void touched(
	const struct subject *s, const struct weft_cpuset *cpus, set_of_domains out)
{
	bool none = !weft_cpuset_count(cpus);

	for (unsigned i = 0; i < WEFT_MAX_NUMA; i++)
		out[i] = false;
	for (unsigned i = 0; i < s->m->n_pus; i++)
		if (none || weft_cpuset_has(cpus, s->m->pu[i].cpu))
			out[s->m->pu[i].numa] = true;
}

static bool inside(const struct subject *s, const struct weft_cpuset *cpus,
	const set_of_domains in)
{
	for (int c = -1; (c = weft_cpuset_next(cpus, c + 1)) >= 0;)
		if (!in[s->m->pu[s->of_cpu[c]].numa])
			return false;
	return weft_cpuset_count(cpus) > 0;
}

static bool local(const struct subject *s, const struct weft_placed_task *t)
{
	set_of_domains near;

	for (size_t i = 0; i < t->n_gpus; i++) {
		touched(s, &s->m->gpu[t->gpu[i]].cpus, near);
		if (!inside(s, &t->cpus, near))
			return false;
	}
	return t->n_gpus > 0;
}

static bool in_one(const struct subject *s, const struct weft_cpuset *cpus)
{
	set_of_domains its;
	unsigned n = 0;

	touched(s, cpus, its);
	for (unsigned d = 0; d < s->n_domains; d++)
		n += its[s->domain[d]];
	return n == 1;
}

static unsigned threads_in(const struct subject *s, const set_of_domains set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->m->n_pus; i++)
		n += set[s->m->pu[i].numa];
	return n;
}

static bool subset(
	const struct subject *s, const set_of_domains a, const set_of_domains b)
{
	for (unsigned d = 0; d < s->n_domains; d++)
		if (a[s->domain[d]] && !b[s->domain[d]])
			return false;
	return true;
}

/* Could each task have a thread near its GPUs: for each set of domains, those whose
 * GPUs are only there are no more than its threads. */
static bool local_possible(const struct subject *s, const struct weft_placement *p)
{
	for (unsigned g = 0; g < s->m->n_gpus; g++) {
		set_of_domains near, its;
		unsigned tasks = 0;
		touched(s, &s->m->gpu[g].cpus, near);
		for (size_t i = 0; i < p->n_tasks; i++) {
			if (!p->task[i].n_gpus)
				continue;
			touched(s, &s->m->gpu[p->task[i].gpu[0]].cpus, its);
			tasks += subset(s, its, near);
		}
		if (tasks > threads_in(s, near))
			return false;
	}
	return true;
}

static unsigned shared_pairs(const struct weft_placement *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n_tasks; i++)
		for (size_t k = 0; k < i; k++)
			n += weft_cpuset_meets(&p->task[i].cpus, &p->task[k].cpus);
	return n;
}

/* Jain's index of the tasks' cores; *idle: cores that no task has. */
static double evenness(
	const struct subject *s, const struct weft_placement *p, unsigned *idle)
{
	static bool used[WEFT_MAX_CPUS];
	double sum = 0, squares = 0;

	memset(used, 0, sizeof(used));
	for (size_t i = 0; i < p->n_tasks; i++) {
		static bool mine[WEFT_MAX_CPUS];
		double cores = 0;
		memset(mine, 0, sizeof(mine));
		for (int c = -1;
			(c = weft_cpuset_next(&p->task[i].cpus, c + 1)) >= 0;) {
			unsigned core = s->m->pu[s->of_cpu[c]].core;
			cores += !mine[core];
			mine[core] = used[core] = true;
		}
		sum += cores;
		squares += cores * cores;
	}
	*idle = s->m->n_cores;
	for (unsigned c = 0; c < s->m->n_cores; c++)
		*idle -= used[c];
	return squares > 0 ? sum * sum / ((double)p->n_tasks * squares) : 0;
}

/* 0: behind one switch; 1: at one host bridge or NUMA node; 2: at one package. */
static unsigned apart(const struct subject *s, const struct weft_device *a,
	const struct weft_device *b)
{
	set_of_domains x, y;
	unsigned common = 0;

	while (common < a->n_path && common < b->n_path &&
		a->path[common] == b->path[common])
		common++;
	if (common)
		return common > 1 ? 0 : 1;
	touched(s, &a->cpus, x);
	touched(s, &b->cpus, y);
	for (unsigned d = 0; d < s->n_domains; d++)
		if (x[s->domain[d]] && y[s->domain[d]])
			return 1;
	return a->package == b->package ? 2 : 3;
}

/* The NICs that are nearest to a GPU; ports for the system don't count. */
static void nearest_nics(const struct subject *s, unsigned gpu, bool *out)
{
	const struct weft_machine *m = s->m;
	unsigned best = 9;
	bool fabric = false;

	for (size_t i = 0; i < m->n_nics; i++)
		fabric |= m->nic[i].link > WEFT_LINK_ETHERNET;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < m->n_nics; i++) {
			unsigned far = apart(s, &m->gpu[gpu], &m->nic[i]);
			bool counts = !fabric || m->nic[i].link != WEFT_LINK_ETHERNET;
			out[i] = pass && counts && far == best;
			if (!pass && counts && far < best)
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

/* GPU tasks without a NIC of the nearest class; and those among whose nearest NICs
 * the load differs by more than one, both in all and of tasks with the same choice. */
static void look_at_nics(const struct subject *s, const struct weft_placement *p,
	unsigned *far, unsigned *uneven)
{
	size_t n = s->m->n_nics;
	unsigned all[WEFT_MAX_DEVICES] = {0};

	*far = *uneven = 0;
	for (size_t i = 0; i < p->n_tasks; i++)
		for (size_t k = 0; k < p->task[i].n_nics; k++)
			all[p->task[i].nic[k]]++;
	for (size_t i = 0; n && i < p->n_tasks; i++) {
		bool near[WEFT_MAX_DEVICES], other[WEFT_MAX_DEVICES], has = false;
		unsigned same[WEFT_MAX_DEVICES] = {0};
		if (!p->task[i].n_gpus)
			continue;
		nearest_nics(s, p->task[i].gpu[0], near);
		for (size_t k = 0; k < p->task[i].n_nics; k++)
			has |= near[p->task[i].nic[k]];
		*far += !has;
		if (spread_of(all, near, n) <= 1)
			continue;
		for (size_t t = 0; t < p->n_tasks; t++) {
			if (!p->task[t].n_gpus)
				continue;
			nearest_nics(s, p->task[t].gpu[0], other);
			if (memcmp(near, other, n * sizeof(*near)) != 0)
				continue;
			for (size_t k = 0; k < p->task[t].n_nics; k++)
				same[p->task[t].nic[k]]++;
		}
		*uneven += spread_of(same, near, n) > 1;
	}
}

static struct weft_placement *map(
	const struct subject *s, const struct weft_place_step *steps, size_t n)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_placement *p;

	if (weft_place(s->m, NULL, NULL, 0, steps, n, &p, &err))
		return NULL;
	return p;
}

/* As the bars ask: a GPU a task up to the number of GPUs, beyond that all shared. */
static struct weft_place_step request(
	const struct subject *s, unsigned n, bool gpus, bool even)
{
	return (struct weft_place_step){.ntasks = n,
		.gpus_per_task = gpus && n <= s->m->n_gpus ? 1 : 0,
		.gpus_all = gpus && n > s->m->n_gpus,
		.balance_even = even};
}

static void cell(const struct subject *s, unsigned n, bool gpus, bool even)
{
	struct weft_place_step step = request(s, n, gpus, even);
	struct weft_placement *p = map(s, &step, 1);
	unsigned empty = 0, without = 0, near = 0, idle, far, uneven;

	printf("cell,%s,%s,%s,%u,%u,%zu,%zu,", s->file, gpus ? "gpus" : "none",
		even ? "even" : "default", n, s->m->n_cores, s->m->n_pus,
		gpus ? s->m->n_gpus : 0);
	if (!p) {
		printf("1,0,0,0,0,0,0,0,0,0\n");
		return;
	}
	for (size_t i = 0; i < p->n_tasks; i++) {
		empty += !weft_cpuset_count(&p->task[i].cpus);
		without += gpus && !p->task[i].n_gpus;
		near += gpus ? local(s, &p->task[i]) : in_one(s, &p->task[i].cpus);
	}
	double jain = evenness(s, p, &idle);
	look_at_nics(s, p, &far, &uneven);
	printf("0,%u,%u,%u,%u,%d,%.4f,%u,%u,%u\n", empty, shared_pairs(p), without,
		near, local_possible(s, p), jain, idle, far, uneven);
	weft_placement_free(p);
}

/* The cores of a set of domains, or its threads. */
static unsigned units_in(const struct subject *s, const set_of_domains set, bool cores)
{
	static bool counted[WEFT_MAX_CPUS];
	unsigned n = 0;

	if (!cores)
		return threads_in(s, set);
	memset(counted, 0, sizeof(counted));
	for (unsigned i = 0; i < s->m->n_pus; i++) {
		const struct weft_pu *pu = &s->m->pu[i];
		n += set[pu->numa] && !counted[pu->core];
		counted[pu->core] |= set[pu->numa];
	}
	return n;
}

/* GPU g and those whose domains meet its own, or meet those that do. */
static unsigned gather(
	const struct subject *s, unsigned g, bool *done, set_of_domains all)
{
	unsigned members = 0;
	bool more = true;

	touched(s, &s->m->gpu[g].cpus, all);
	while (more) {
		more = false;
		for (unsigned k = g; k < s->m->n_gpus; k++) {
			set_of_domains near;
			bool meets = false;
			if (done[k])
				continue;
			touched(s, &s->m->gpu[k].cpus, near);
			for (unsigned d = 0; d < WEFT_MAX_NUMA; d++)
				meets |= near[d] && all[d];
			for (unsigned d = 0; meets && d < WEFT_MAX_NUMA; d++)
				all[d] |= near[d];
			members += meets;
			done[k] = meets;
			more |= meets;
		}
	}
	return members;
}

/* How many edges can be inside a NUMA node at most: GPUs whose domains meet have the
 * cores of these, less one for each of their own tasks; threads, where there are more
 * tasks than cores. */
static unsigned possible(const struct subject *s, unsigned sims)
{
	unsigned gpus = (unsigned)s->m->n_gpus, n = 0;
	bool done[WEFT_MAX_DEVICES] = {false}, cores = sims + gpus <= s->m->n_cores;

	if (sims + gpus > s->m->n_pus)
		return sims;
	for (unsigned g = 0; g < gpus; g++) {
		set_of_domains all;
		if (done[g])
			continue;
		unsigned members = gather(s, g, done, all);
		unsigned units = units_in(s, all, cores);
		unsigned room = units > members ? units - members : 0;
		/* A rank's edges are sims / gpus, or one more. */
		unsigned edges = (sims * members + gpus - 1) / gpus;
		n += edges < room ? edges : room;
	}
	return n < sims ? n : sims;
}

/* A simulation on half the cores, and an inference with a task a GPU. */
static void coupled(const struct subject *s)
{
	unsigned gpus = (unsigned)s->m->n_gpus, sims = s->m->n_cores / 2;
	struct weft_place_step steps[] = {
		{.ntasks = sims, .cpus_per_task = 1, .beside = 2},
		{.ntasks = gpus, .gpus_per_task = 1}};
	unsigned lost = 0, in = 0;

	if (!gpus || !sims)
		return;
	struct weft_placement *p = map(s, steps, 2);
	printf("coupled,%s,%u,%zu,", s->file, gpus + sims, s->m->n_pus);
	if (!p) {
		printf("0,%u,%u,%u,0\n", gpus, sims, sims);
		return;
	}
	for (unsigned g = 0; g < gpus; g++) {
		const struct weft_placed_task *t = &p->task[sims + g];
		set_of_domains near, its;
		bool meets = false;
		if (t->n_gpus) {
			touched(s, &s->m->gpu[t->gpu[0]].cpus, near);
			touched(s, &t->cpus, its);
			for (unsigned d = 0; d < WEFT_MAX_NUMA; d++)
				meets |= near[d] && its[d];
		}
		lost += !meets;
	}
	for (unsigned i = 0; i < sims; i++) {
		set_of_domains its;
		touched(s, &p->task[sims + i * gpus / sims].cpus, its);
		in += inside(s, &p->task[i].cpus, its);
	}
	printf("%u,%u,%u,%u,%u\n", shared_pairs(p), lost, sims, possible(s, sims), in);
	weft_placement_free(p);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void mapping_time(const struct subject *s, unsigned n)
{
	struct weft_place_step step = request(s, n, s->m->n_gpus > 0, false);
	double took[RUNS];

	for (int i = 0; i < RUNS; i++) {
		double start = now();
		struct weft_placement *p = map(s, &step, 1);
		took[i] = now() - start;
		weft_placement_free(p);
	}
	qsort(took, RUNS, sizeof(*took), by_value);
	printf("time,%s,%zu,%u,%.1f\n", s->file, s->m->n_pus, n, took[RUNS / 2]);
}

/* Root can keep a cache; for others it's reading and checking the model alone. */
static int cache_time(const struct subject *s, const char *dir, struct weft_err *err)
{
	weft_autostr struct weft_str text = {0};
	bool root = geteuid() == 0;
	double took[RUNS / 5];

	if (root ? weft_machine_save_cache(dir, s->m, true, err)
		 : weft_machine_print(s->m, &text))
		return -1;
	for (size_t i = 0; i < WEFT_COUNT(took); i++) {
		struct weft_machine *m = NULL;
		double start = now();
		if (root ? weft_machine_load_cache(dir, &m, err)
			 : weft_machine_parse(text.s, text.len, &m, err))
			return -1;
		took[i] = now() - start;
		weft_machine_free(m);
	}
	qsort(took, WEFT_COUNT(took), sizeof(*took), by_value);
	printf("cache,%s,%zu,%.1f\n", s->file, s->m->n_pus, took[WEFT_COUNT(took) / 2]);
	return 0;
}

static int load(const char *path, struct weft_machine **m, struct weft_err *err)
{
	weft_autofree char *text = NULL;
	size_t n;

	if (strcmp(path + strlen(path) - 4, ".xml") == 0)
		return weft_topo_discover(path, m, err);
	if (weft_read_file(path, 64u << 20, &text, &n, err))
		return -1;
	return weft_machine_parse(text, n, m, err);
}

static int figures(
	const char *dir, const char *file, const char *cache, struct weft_err *err)
{
	static const unsigned tasks[] = {1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 32, 64, 128};
	static struct subject s;
	weft_autofree char *path = weft_printf("%s/%s", dir, file);
	struct weft_machine *m;

	if (!path)
		return weft_err_nomem(err);
	if (load(path, &m, err))
		return -1;
	s = (struct subject){.file = file, .m = m};
	look(&s);
	for (int even = 0; even < 2; even++)
		for (size_t i = 0; i < WEFT_COUNT(tasks); i++) {
			cell(&s, tasks[i], false, even);
			if (m->n_gpus)
				cell(&s, tasks[i], true, even);
		}
	coupled(&s);
	mapping_time(&s, 8);
	mapping_time(&s, 128);
	int rc = cache_time(&s, cache, err);
	weft_machine_free(m);
	return rc;
}

static int machine_file(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');
	return dot && (weft_streq(dot, ".xml") || weft_streq(dot, ".model"));
}

int main(int argc, char **argv)
{
	struct dirent **file;
	int n = argc == 3 ? scandir(argv[1], &file, machine_file, alphasort) : -1;
	int status = 0;

	if (n <= 0) {
		fprintf(stderr, "usage: place_figures DIR CACHE_DIR, with *.xml or "
				"*.model in DIR\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		weft_autoerr struct weft_err err = {0};
		if (figures(argv[1], file[i]->d_name, argv[2], &err)) {
			fprintf(stderr, "%s: %s\n", file[i]->d_name,
				err.text ? err.text : "out of memory");
			status = 1;
		}
		free(file[i]);
	}
	free(file);
	return status;
}
