/* The strict rules on every machine of the project's own, and of the collection beside
 * it, where there is one. */
#include "place/place.h"
#include "topo/discover.h"

#include <dirent.h>
#include <string.h>

#include "suite.h"

static const unsigned counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 32, 64, 128};

static bool is_near(const struct weft_machine *m, const struct weft_placed_task *t)
{
	for (size_t i = 0; i < m->n_pus; i++) {
		bool beside = !weft_cpuset_has(&t->cpus, m->pu[i].cpu);
		for (size_t g = 0; g < t->n_gpus; g++)
			beside |= weft_cpuset_meets(
				&m->gpu[t->gpu[g]].cpus, &m->numa[m->pu[i].numa].cpus);
		if (!beside)
			return false;
	}
	return true;
}

/* Tasks whose GPU is in the domain of this CPU, and the domain's threads. */
static bool suffices(const struct weft_machine *m, const struct weft_placement *p)
{
	for (size_t n = 0; n < m->n_numa; n++) {
		size_t tasks = 0;
		for (size_t i = 0; i < p->n_tasks; i++)
			tasks += weft_cpuset_meets(
				&m->gpu[p->task[i].gpu[0]].cpus, &m->numa[n].cpus);
		if (m->numa[n].kind == WEFT_MEM_DRAM &&
			tasks > weft_cpuset_count(&m->numa[n].cpus))
			return false;
	}
	return true;
}

static void check(const char *name, const struct weft_machine *m, unsigned n, bool gpus)
{
	struct weft_place_step step = {.ntasks = n};
	struct weft_cpuset used = {0};
	struct weft_placement *p;
	struct weft_err err = {0};
	bool twice = false;

	if (gpus && n <= m->n_gpus)
		step.gpus_per_task = 1;
	else
		step.gpus_all = gpus;
	ck_assert_msg(weft_place(m, NULL, NULL, 0, &step, 1, &p, &err) == 0,
		"%s, %u tasks: %s", name, n, err.text);
	for (size_t i = 0; i < n; i++) {
		const struct weft_placed_task *t = &p->task[i];
		ck_assert_msg(
			weft_cpuset_next(&t->cpus, 0) >= 0, "%s, %u: empty", name, n);
		twice |= weft_cpuset_meets(&used, &t->cpus);
		for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
			used.w[w] |= t->cpus.w[w];
		ck_assert_msg(
			!gpus || t->n_gpus, "%s, %u: task %zu: no GPU", name, n, i);
		if (gpus && suffices(m, p))
			ck_assert_msg(
				is_near(m, t), "%s, %u: task %zu far", name, n, i);
	}
	ck_assert_msg(!twice || n > m->n_pus, "%s, %u: a CPU is given twice", name, n);
	weft_placement_free(p);
}

static size_t check_folder(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d))) {
		char path[512];
		struct weft_machine *m;
		struct weft_err err = {0};

		if (!strstr(e->d_name, ".xml"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		ck_assert_msg(weft_topo_discover(path, &m, &err) == 0, "%s", err.text);
		for (size_t i = 0; i < WEFT_COUNT(counts); i++) {
			check(e->d_name, m, counts[i], false);
			if (m->n_gpus)
				check(e->d_name, m, counts[i], true);
		}
		weft_machine_free(m);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

START_TEST(own)
{
	ck_assert_uint_ge(check_folder("tests/golden/topo"), 20);
}
END_TEST

START_TEST(collection)
{
	check_folder("../shared/topo");
}
END_TEST

SUITE("place_collection", own, collection)
