/*
 * place_case.h - machines and requests for tests of placement: made at random, printed,
 * and made smaller while a rule stays broken.
 *
 * A case is flat data, so that anything can be taken away from it: threads name their
 * core, cache, memory and package, memories and devices say what they are near to.
 */
#ifndef WEFT_TEST_PLACE_CASE_H
#define WEFT_TEST_PLACE_CASE_H

#include <string.h>

#include "place/place.h"
#include "suite.h"

#define CASE_THREADS 512
#define CASE_MEMORIES 24
#define CASE_DEVICES 20
#define CASE_STEPS 4

struct case_thread {
	unsigned cpu, core, l3, memory, package;
	bool allowed;
};
struct case_memory {
	enum weft_memory_kind kind;
	uint64_t bytes;
	enum { OF_ITS_CPUS, OF_ANOTHERS, OF_A_PACKAGE, OF_NO_CPU } near;
	unsigned of; /* the other memory, or the package */
};
struct case_device {
	unsigned package, path[4], n_path;
	unsigned near[2], n_near; /* memories; 0: near nothing that is known */
	enum weft_nic_link link;
};
struct place_case {
	struct case_thread thread[CASE_THREADS];
	struct case_memory memory[CASE_MEMORIES];
	struct case_device gpu[CASE_DEVICES], nic[CASE_DEVICES];
	unsigned n_threads, n_memories, n_gpus, n_nics;
	struct weft_place_step step[CASE_STEPS];
	unsigned n_steps;
	bool some_gpus; /* usable[] says which */
	unsigned usable[CASE_DEVICES], n_usable;
};

/* ---- chance ------------------------------------------------------------ */

static uint64_t case_state;

static unsigned roll(unsigned n) /* 0 ... n - 1 */
{
	case_state ^= case_state << 13;
	case_state ^= case_state >> 7;
	case_state ^= case_state << 17;
	return n ? (unsigned)(case_state >> 33) % n : 0;
}

static bool one_in(unsigned n)
{
	return roll(n) == 0;
}

/* ---- making ------------------------------------------------------------ */

static void add_memory(struct place_case *c, struct case_memory m)
{
	if (c->n_memories < CASE_MEMORIES)
		c->memory[c->n_memories++] = m;
}

/* Cores of a domain; some are missing, some have a thread less. */
static void make_cores(struct place_case *c, unsigned package, unsigned memory,
	unsigned cores, unsigned smt, unsigned per_cache, bool holes)
{
	for (unsigned k = 0; k < cores; k++) {
		unsigned last = c->n_threads ? c->thread[c->n_threads - 1].core + 1 : 0;

		if (holes && one_in(6))
			continue;
		for (unsigned t = 0; t < smt && c->n_threads < CASE_THREADS; t++) {
			if (holes && t && one_in(5))
				continue;
			c->thread[c->n_threads++] = (struct case_thread){.core = last,
				.l3 = memory * 64 + k / per_cache,
				.memory = memory,
				.package = package,
				.allowed = true};
		}
	}
}

/* The kernel's numbers: in order, second threads last, or packages in turn. */
static void number_cpus(struct place_case *c, unsigned way)
{
	unsigned next = 0;

	for (unsigned pass = 0; pass < 4; pass++)
		for (unsigned i = 0, of_core = 0; i < c->n_threads; i++) {
			of_core = i && c->thread[i].core == c->thread[i - 1].core
					  ? of_core + 1
					  : 0;
			bool mine = way == 0   ? pass == 0
				    : way == 1 ? of_core == pass
					       : c->thread[i].package % 4 == pass;
			if (mine)
				c->thread[i].cpu = next++;
		}
}

static void make_devices(struct place_case *c, struct case_device *d, unsigned *n,
	unsigned wanted, bool gpus)
{
	bool near_all = one_in(8);

	for (*n = 0; *n < wanted; ++*n) {
		unsigned t = roll(c->n_threads), other = roll(c->n_threads);
		struct case_device *x = &d[*n];

		*x = (struct case_device){
			.package = c->thread[t].package, .link = WEFT_LINK_NONE};
		if (!near_all && !one_in(20))
			x->near[x->n_near++] = c->thread[t].memory;
		if (x->n_near && one_in(8) &&
			c->thread[other].memory != c->thread[t].memory)
			x->near[x->n_near++] = c->thread[other].memory;
		x->n_path = roll(5);
		for (unsigned k = 0; k < x->n_path; k++)
			x->path[k] = k ? roll(3) : c->thread[t].memory;
		if (!gpus)
			x->link = (enum weft_nic_link)(1 + roll(3));
	}
}

static void make_machine(struct place_case *c)
{
	unsigned packages = 1 + roll(one_in(4) ? 4 : 2), domains = 1 + roll(4);
	unsigned cores = 1 + roll(one_in(4) ? 20 : 8),
		 smt = 1 + roll(one_in(6) ? 4 : 2);
	unsigned per_cache = 1 + roll(cores);
	bool holes = one_in(3), tiers = one_in(4);
	uint64_t bytes = one_in(10) ? 0 : UINT64_C(1) << (28 + roll(10));

	for (unsigned p = 0; p < packages; p++)
		for (unsigned d = 0; d < domains; d++) {
			unsigned memory = c->n_memories;

			if (memory == CASE_MEMORIES)
				break;
			add_memory(c, (struct case_memory){.bytes = bytes});
			make_cores(c, p, memory,
				holes && one_in(5) ? roll(cores + 1) : cores, smt,
				per_cache, holes);
			if (tiers)
				add_memory(c, (struct case_memory){.kind = WEFT_MEM_HBM,
						      .bytes = bytes / 4,
						      .near = OF_ANOTHERS,
						      .of = memory});
		}
	if (!c->n_threads)
		make_cores(c, 0, 0, 1, 1, 1, false);
	if (one_in(6))
		add_memory(c, (struct case_memory){.kind = WEFT_MEM_CXL,
				      .bytes = bytes * 2,
				      .near = one_in(2) ? OF_NO_CPU : OF_A_PACKAGE});
	number_cpus(c, roll(3));
	make_devices(c, c->gpu, &c->n_gpus, one_in(3) ? 0 : 1 + roll(9), true);
	make_devices(c, c->nic, &c->n_nics, roll(5), false);
	for (unsigned g = 0; one_in(6) && g < c->n_gpus; g++)
		add_memory(c, (struct case_memory){.kind = WEFT_MEM_GPU,
				      .bytes = 1 << 30,
				      .near = OF_NO_CPU});
	if (one_in(3))
		for (unsigned i = 0; i < c->n_threads; i++)
			c->thread[i].allowed = !one_in(4);
	c->some_gpus = one_in(3);
	for (unsigned g = 0; g < c->n_gpus; g++)
		if (!one_in(3))
			c->usable[c->n_usable++] = g;
}

static void make_step(struct place_case *c, struct weft_place_step *s)
{
	unsigned gpus = c->some_gpus ? c->n_usable : c->n_gpus;
	unsigned tasks = c->n_threads / c->n_steps + 1;

	*s = (struct weft_place_step){
		.ntasks = 1 + roll(one_in(8)      ? 2 * c->n_threads
				      : one_in(2) ? 9
						  : tasks),
		.cpus_per_task = one_in(3) ? 1 + roll(6) : 0,
		.cpus = (enum weft_place_cpus)roll(3),
		.memory = (enum weft_place_memory)roll(3),
		.smt = one_in(4) ? 1 + roll(2) : 0,
		.spare_cores = one_in(10) ? roll(4) : 0,
		.balance_even = one_in(4),
		.mem_per_task = one_in(4) ? UINT64_C(1) << (20 + roll(16)) : 0,
	};
	switch (roll(6)) {
	case 0:
	case 1:
		s->gpus_per_task = 1 + roll(2);
		break;
	case 2:
		s->gpus_per_task = one_in(2) ? 0.5 : 1.0 / (1 + roll(5));
		break;
	case 3:
		s->gpus_all = gpus > 0;
		s->gpus = one_in(3) ? 1 + roll(gpus) : 0;
		break;
	default:
		break;
	}
	/* Mostly what can be had. */
	if (s->gpus_per_task > 0 && !one_in(8)) {
		s->ntasks = 1 + roll((unsigned)(gpus / c->n_steps / s->gpus_per_task));
		if (gpus < s->gpus_per_task * s->ntasks)
			s->gpus_per_task = 0;
	}
}

static void make_case(struct place_case *c, uint64_t seed)
{
	*c = (struct place_case){0};
	case_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	make_machine(c);
	c->n_steps = one_in(3) ? 2 + roll(CASE_STEPS - 1) : 1;
	for (unsigned i = 0; i < c->n_steps; i++)
		make_step(c, &c->step[i]);
	for (unsigned i = 1; i < c->n_steps; i++)
		if (one_in(2))
			c->step[i].talk[c->step[i].n_talks++] =
				(struct weft_place_talk){.step = roll(i),
					.bytes = one_in(3) ? 0 : 1 + roll(1000)};
}

/* ---- as weft_place() wants it ------------------------------------------ */

static void memory_cpus(
	const struct place_case *c, unsigned memory, struct weft_cpuset *cpus)
{
	const struct case_memory *m = &c->memory[memory];

	*cpus = (struct weft_cpuset){0};
	for (unsigned i = 0; i < c->n_threads; i++) {
		const struct case_thread *t = &c->thread[i];

		if ((m->near == OF_ITS_CPUS && t->memory == memory) ||
			(m->near == OF_ANOTHERS && t->memory == m->of) ||
			(m->near == OF_A_PACKAGE && t->package == m->of))
			weft_cpuset_add(cpus, t->cpu);
	}
}

static struct weft_device *build_devices(
	const struct place_case *c, const struct case_device *d, unsigned n)
{
	struct weft_device *out = calloc(n + 1, sizeof(*out));

	for (unsigned i = 0; i < n; i++) {
		out[i].link = d[i].link;
		out[i].package = d[i].package;
		out[i].n_path = d[i].n_path;
		memcpy(out[i].path, d[i].path, sizeof(d[i].path));
		snprintf(out[i].pci, sizeof(out[i].pci), "0000:%02x:00.0", i + 1);
		for (unsigned k = 0; k < d[i].n_near; k++) {
			struct weft_cpuset near;

			memory_cpus(c, d[i].near[k], &near);
			for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
				out[i].cpus.w[w] |= near.w[w];
		}
	}
	return out;
}

static struct weft_machine *build_machine(const struct place_case *c)
{
	struct weft_machine *m = calloc(1, sizeof(*m));

	m->pu = calloc(c->n_threads + 1, sizeof(*m->pu));
	m->numa = calloc(c->n_memories + 1, sizeof(*m->numa));
	m->n_packages = 1;
	for (unsigned i = 0; i < c->n_threads; i++) {
		const struct case_thread *t = &c->thread[i];
		const struct case_thread *last = i ? t - 1 : NULL;

		m->n_cores += !last || last->core != t->core;
		m->n_l3 += !last || last->l3 != t->l3;
		if (t->package >= m->n_packages)
			m->n_packages = t->package + 1;
		m->pu[m->n_pus++] = (struct weft_pu){.cpu = t->cpu,
			.core = m->n_cores - 1,
			.l3 = m->n_l3 - 1,
			.numa = t->memory,
			.package = t->package};
	}
	for (unsigned i = 0; i < c->n_memories; i++) {
		m->numa[i].os_index = i;
		m->numa[i].kind = c->memory[i].kind;
		m->numa[i].bytes = c->memory[i].bytes;
		memory_cpus(c, i, &m->numa[i].cpus);
	}
	m->n_numa = c->n_memories;
	m->gpu = build_devices(c, c->gpu, c->n_gpus);
	m->nic = build_devices(c, c->nic, c->n_nics);
	m->n_gpus = c->n_gpus;
	m->n_nics = c->n_nics;
	return m;
}

static void allowed_cpus(const struct place_case *c, struct weft_cpuset *cpus)
{
	*cpus = (struct weft_cpuset){0};
	for (unsigned i = 0; i < c->n_threads; i++)
		if (c->thread[i].allowed)
			weft_cpuset_add(cpus, c->thread[i].cpu);
}

static int place_it(const struct place_case *c, const struct weft_machine *m,
	struct weft_placement **p, struct weft_err *err)
{
	struct weft_cpuset allowed;

	allowed_cpus(c, &allowed);
	return weft_place(m, &allowed, c->some_gpus ? c->usable : NULL, c->n_usable,
		c->step, c->n_steps, p, err);
}

/* ---- telling ------------------------------------------------------------ */

static void say_case(const struct place_case *c)
{
	weft_autostr struct weft_str s = {0};
	struct weft_machine *m = build_machine(c);
	struct weft_cpuset allowed;
	struct weft_placement *p;
	weft_autoerr struct weft_err err = {0};
	char list[8192];

	weft_machine_print(m, &s);
	allowed_cpus(c, &allowed);
	weft_cpuset_print(&allowed, list, sizeof(list));
	printf("%sallowed: %s\n", s.s, list);
	for (unsigned g = 0; c->some_gpus && g < c->n_usable; g++)
		printf("usable: GPU %u\n", c->usable[g]);
	for (unsigned i = 0; i < c->n_steps; i++) {
		const struct weft_place_step *t = &c->step[i];

		printf("step %u: ntasks=%u cpus_per_task=%u gpus_per_task=%g gpus=%s%u "
		       "cpus=%d memory=%d even=%d smt=%u spare=%u mem=%llu",
			i, t->ntasks, t->cpus_per_task, t->gpus_per_task,
			t->gpus_all ? "all:" : "", t->gpus, (int)t->cpus,
			(int)t->memory, t->balance_even, t->smt, t->spare_cores,
			(unsigned long long)t->mem_per_task);
		for (unsigned k = 0; k < t->n_talks; k++)
			printf(" talk=%u:%llu", t->talk[k].step,
				(unsigned long long)t->talk[k].bytes);
		printf("\n");
	}
	if (place_it(c, m, &p, &err)) {
		printf("refused: %s\n", err.text);
		weft_machine_free(m);
		return;
	}
	for (size_t i = 0; i < p->n_tasks; i++) {
		const struct weft_placed_task *t = &p->task[i];

		weft_cpuset_print(&t->cpus, list, sizeof(list));
		printf("task %zu: %s%s%s%s%s", i, list, t->far ? " far" : "",
			t->fewer ? " fewer" : "", t->shared_cpus ? " shared" : "",
			t->spills ? " spills" : "");
		for (size_t k = 0; k < t->n_gpus; k++)
			printf(" gpu %u", t->gpu[k]);
		for (size_t k = 0; k < t->n_nics; k++)
			printf(" nic %u", t->nic[k]);
		for (size_t k = 0; k < t->n_numa; k++)
			printf(" numa %u", t->numa[k]);
		printf("\n");
	}
	weft_placement_free(p);
	weft_machine_free(m);
}

/* ---- making smaller ------------------------------------------------------ */

#define TAKE_OUT(v, n, i) memmove(&(v)[i], &(v)[(i) + 1], (--(n) - (i)) * sizeof(*(v)))

static bool drop_threads(struct place_case *c, unsigned from, unsigned n)
{
	if (from + n > c->n_threads || n >= c->n_threads)
		return false;
	memmove(&c->thread[from], &c->thread[from + n],
		(c->n_threads - from - n) * sizeof(*c->thread));
	c->n_threads -= n;
	return true;
}

static bool drop_step(struct place_case *c, unsigned i)
{
	if (i >= c->n_steps || c->n_steps == 1)
		return false;
	TAKE_OUT(c->step, c->n_steps, i);
	for (unsigned s = 0; s < c->n_steps; s++)
		for (unsigned k = 0; k < c->step[s].n_talks;) {
			struct weft_place_talk *t = &c->step[s].talk[k];

			if (t->step == i) {
				TAKE_OUT(c->step[s].talk, c->step[s].n_talks, k);
				continue;
			}
			t->step -= t->step > i;
			k++;
		}
	return true;
}

static bool drop_gpu(struct place_case *c, unsigned g)
{
	if (g >= c->n_gpus)
		return false;
	TAKE_OUT(c->gpu, c->n_gpus, g);
	for (unsigned k = 0; k < c->n_usable;) {
		if (c->usable[k] == g) {
			TAKE_OUT(c->usable, c->n_usable, k);
			continue;
		}
		c->usable[k] -= c->usable[k] > g;
		k++;
	}
	return true;
}

/* Counts who refers to memory i, and moves the references behind it up where asked. */
static unsigned memory_users(struct place_case *c, unsigned i, bool move)
{
	unsigned *ref[CASE_THREADS + CASE_MEMORIES + 4 * CASE_DEVICES], n = 0,
									users = 0;

	for (unsigned k = 0; k < c->n_threads; k++)
		ref[n++] = &c->thread[k].memory;
	for (unsigned k = 0; k < c->n_memories; k++)
		if (c->memory[k].near == OF_ANOTHERS)
			ref[n++] = &c->memory[k].of;
	for (unsigned k = 0; k < c->n_gpus + c->n_nics; k++) {
		struct case_device *d =
			k < c->n_gpus ? &c->gpu[k] : &c->nic[k - c->n_gpus];

		for (unsigned near = 0; near < d->n_near; near++)
			ref[n++] = &d->near[near];
	}
	for (unsigned k = 0; k < n; k++) {
		users += *ref[k] == i;
		*ref[k] -= move && *ref[k] > i;
	}
	return users;
}

static bool drop_memory(struct place_case *c, unsigned i)
{
	if (c->n_memories == 1 || memory_users(c, i, false))
		return false;
	memory_users(c, i, true);
	TAKE_OUT(c->memory, c->n_memories, i);
	return true;
}

#define PLAINER(field, value)                                                          \
	if (n-- == 0) {                                                                \
		bool other = (field) != (value);                                       \
		(field) = (value);                                                     \
		return other;                                                          \
	}

static bool plainer_step(struct place_case *c, unsigned i, unsigned n)
{
	struct weft_place_step *s = &c->step[i];

	PLAINER(s->ntasks, s->ntasks / 2 ? s->ntasks / 2 : s->ntasks)
	PLAINER(s->ntasks, s->ntasks > 1 ? s->ntasks - 1 : s->ntasks)
	PLAINER(s->n_talks, 0)
	PLAINER(s->cpus_per_task, 0)
	PLAINER(s->cpus_per_task, s->cpus_per_task > 1 ? s->cpus_per_task - 1 : 0)
	PLAINER(s->spare_cores, 0)
	PLAINER(s->smt, 0)
	PLAINER(s->balance_even, false)
	PLAINER(s->mem_per_task, 0)
	PLAINER(s->gpus_all, false)
	PLAINER(s->gpus, 0)
	PLAINER(s->gpus_per_task, 0)
	PLAINER(s->cpus, WEFT_PLACE_NEAR_GPU)
	PLAINER(s->memory, WEFT_PLACE_LOCAL)
	return false;
}
#define PLAINER_STEPS 14

/* The n-th way to make it smaller: true where it did; *end when there are no more. */
static bool smaller(struct place_case *c, unsigned n, bool *end)
{
	if (n < c->n_steps)
		return drop_step(c, n);
	n -= c->n_steps;
	for (unsigned part = c->n_threads / 2; part > 0; part /= 2) {
		unsigned parts = (c->n_threads + part - 1) / part;

		if (n < parts)
			return drop_threads(c, n * part, part);
		n -= parts;
	}
	if (n < c->n_gpus)
		return drop_gpu(c, n);
	n -= c->n_gpus;
	if (n < c->n_nics) {
		TAKE_OUT(c->nic, c->n_nics, n);
		return true;
	}
	n -= c->n_nics;
	if (n < PLAINER_STEPS * c->n_steps)
		return plainer_step(c, n / PLAINER_STEPS, n % PLAINER_STEPS);
	n -= PLAINER_STEPS * c->n_steps;
	if (n < c->n_memories)
		return drop_memory(c, n);
	n -= c->n_memories;
	PLAINER(c->some_gpus, false)
	if (n < c->n_threads) {
		bool other = !c->thread[n].allowed;

		c->thread[n].allowed = true;
		return other;
	}
	*end = true;
	return false;
}

/* Takes away what the broken rule doesn't need; broken() names the rule, or NULL. */
static void shrink(
	struct place_case *c, const char *(*broken)(const struct place_case *c))
{
	const char *rule = broken(c);
	struct place_case *t = malloc(sizeof(*t));
	bool end = false;

	for (unsigned n = 0, tries = 0; !end && tries < 20000; tries++) {
		*t = *c;
		const char *now = smaller(t, n, &end) ? broken(t) : NULL;

		if (now && strcmp(now, rule) == 0) {
			*c = *t;
			n = 0;
		} else {
			n++;
		}
	}
	free(t);
}

#endif
