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
 * They are told from masks and devices: nothing that weft_place says is believed.
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
};

typedef bool set_of_domains[WEFT_MAX_NUMA];

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

static unsigned threads_in(const struct subject *s, const set_of_domains set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->m->n_pus; i++)
		n += set[s->m->pu[i].numa];
	return n;
}

static unsigned shared_pairs(const struct weft_placement *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n_tasks; i++)
		for (size_t k = 0; k < i; k++)
			n += weft_cpuset_meets(&p->task[i].cpus, &p->task[k].cpus);
	return n;
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

static int cell(
	const struct subject *s, unsigned n, bool gpus, bool even, struct weft_err *err)
{
	struct weft_place_step step = request(s, n, gpus, even);
	struct weft_placement *p = map(s, &step, 1);
	struct weft_place_score score;
	struct weft_place_load load;

	printf("cell,%s,%s,%s,%u,%u,%zu,%zu,", s->file, gpus ? "gpus" : "none",
		even ? "even" : "default", n, s->m->n_cores, s->m->n_pus,
		gpus ? s->m->n_gpus : 0);
	if (!p) {
		printf("1,0,0,0,0,0,0,0,0,0\n");
		return 0;
	}
	int rc = weft_place_score(s->m, p, &step, 0, &score, err);
	weft_place_load(s->m, NULL, p, &load);
	if (!rc)
		printf("0,%u,%u,%u,%u,%d,%.4f,%u,%u,%u\n", score.empty, shared_pairs(p),
			gpus ? n - score.with_gpu : 0, score.local,
			score.local_possible, score.jain, load.idle_cores,
			score.far_nic, score.uneven_nic);
	weft_placement_free(p);
	return rc;
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
static int coupled(const struct subject *s, struct weft_err *err)
{
	unsigned gpus = (unsigned)s->m->n_gpus, sims = s->m->n_cores / 2;
	struct weft_place_step steps[] = {
		{.ntasks = sims, .cpus_per_task = 1, .beside = 2},
		{.ntasks = gpus, .gpus_per_task = 1}};
	struct weft_place_score score;
	unsigned lost = 0;

	if (!gpus || !sims)
		return 0;
	struct weft_placement *p = map(s, steps, 2);
	printf("coupled,%s,%u,%zu,", s->file, gpus + sims, s->m->n_pus);
	if (!p) {
		printf("0,%u,%u,%u,0\n", gpus, sims, sims);
		return 0;
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
	int rc = weft_place_score(s->m, p, steps, 0, &score, err);
	if (!rc)
		printf("%u,%u,%u,%u,%u\n", shared_pairs(p), lost, score.edges,
			possible(s, sims), score.edges_inside);
	weft_placement_free(p);
	return rc;
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
	struct subject s;
	weft_autofree char *path = weft_printf("%s/%s", dir, file);
	struct weft_machine *m;

	if (!path)
		return weft_err_nomem(err);
	if (load(path, &m, err))
		return -1;
	s = (struct subject){.file = file, .m = m};
	int rc = 0;
	for (int even = 0; even < 2; even++)
		for (size_t i = 0; i < WEFT_COUNT(tasks) && !rc; i++) {
			rc = cell(&s, tasks[i], false, even, err);
			if (!rc && m->n_gpus)
				rc = cell(&s, tasks[i], true, even, err);
		}
	if (!rc)
		rc = coupled(&s, err);
	mapping_time(&s, 8);
	mapping_time(&s, 128);
	if (!rc)
		rc = cache_time(&s, cache, err);
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
