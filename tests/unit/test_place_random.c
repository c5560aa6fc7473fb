/*
 * The strict rules of place.h on machines and requests made at random: odd shapes,
 * missing cores, offline threads, tiers of memory, GPUs near two domains or none.
 *
 * WEFT_SEED=N runs the one case N; WEFT_ROUNDS=N so many (1,000).  A case that breaks a
 * rule is made as small as can be before it is printed.
 */
#include <math.h>
#include <signal.h>
#include <unistd.h>

#include "place_case.h"

struct trial {
	const struct place_case *c;
	struct weft_machine *m;
	struct weft_placement *p;
	unsigned usable;  /* threads, at least, once cores are spared */
	unsigned n_tasks; /* in all */
	size_t step_of[WEFT_MAX_CPUS];
};

/* A rule that doesn't hold: its name. */
#define RULE(holds, name)                                                              \
	do {                                                                           \
		if (!(holds))                                                          \
			return name;                                                   \
	} while (0)

/* ---- what there is ------------------------------------------------------- */

static unsigned smt_of(const struct place_case *c)
{
	unsigned smt = 1;

	for (unsigned i = 0; i < c->n_steps; i++)
		if (!c->step[i].smt)
			return CASE_THREADS;
		else if (c->step[i].smt > smt)
			smt = c->step[i].smt;
	return smt;
}

static unsigned spared(const struct place_case *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_steps; i++)
		n = c->step[i].spare_cores > n ? c->step[i].spare_cores : n;
	return n;
}

/* Usable threads of a domain (-1: all), and cores; of them at least, after cores are
 * spared, be they the widest ones. */
static unsigned threads(const struct place_case *c, int memory, unsigned *cores)
{
	unsigned smt = smt_of(c), n = 0, of_core = 0, width[CASE_THREADS] = {0};

	*cores = 0;
	for (unsigned i = 0; i < c->n_threads; i++) {
		const struct case_thread *t = &c->thread[i];

		if (!i || t->core != t[-1].core)
			of_core = 0;
		if (!t->allowed || of_core == smt ||
			(memory >= 0 && t->memory != (unsigned)memory))
			continue;
		*cores += of_core == 0;
		width[*cores - 1] = ++of_core;
		n++;
	}
	for (unsigned s = spared(c); s > 0; s--) {
		unsigned *widest = &width[0];

		for (unsigned k = 1; k < *cores; k++)
			if (width[k] > *widest)
				widest = &width[k];
		n -= *widest;
		*widest = 0;
	}
	return n;
}

/* GPUs that the steps take, one after the other; -1: more than there are. */
static int gpus_taken(const struct place_case *c)
{
	size_t left = c->some_gpus ? c->n_usable : c->n_gpus, all = left;

	for (unsigned i = 0; i < c->n_steps; i++) {
		const struct weft_place_step *s = &c->step[i];
		size_t want;

		if (s->gpus_all) {
			want = s->gpus ? s->gpus : left;
			if (!want || want > left || want / s->ntasks >= 16)
				return -1;
		} else if (s->gpus_per_task >= 1) {
			want = s->ntasks * (size_t)ceil(s->gpus_per_task - 1e-4);
		} else if (s->gpus_per_task > 0) {
			size_t per = (size_t)(1 / s->gpus_per_task + 1e-4);

			want = (s->ntasks + per - 1) / per;
		} else {
			want = 0;
		}
		if (want > left)
			return -1;
		left -= want;
	}
	return (int)(all - left);
}

static bool feasible(const struct place_case *c)
{
	double want = 0, have = 0;
	unsigned cores;

	for (unsigned i = 0; i < c->n_steps; i++)
		want += (double)c->step[i].mem_per_task * c->step[i].ntasks;
	for (unsigned i = 0; i < c->n_memories; i++)
		have += c->memory[i].kind == WEFT_MEM_GPU ? 0
							  : (double)c->memory[i].bytes;
	return threads(c, -1, &cores) && cores > spared(c) && gpus_taken(c) >= 0 &&
	       (have <= 0 || want <= have);
}

/* ---- CPUs ----------------------------------------------------------------- */

static const struct case_thread *thread_of(const struct place_case *c, int cpu)
{
	for (unsigned i = 0; i < c->n_threads; i++)
		if (c->thread[i].cpu == (unsigned)cpu)
			return &c->thread[i];
	return NULL;
}

#define EACH_CPU(cpu, set)                                                             \
	for (int cpu = weft_cpuset_next(set, 0); cpu >= 0;                             \
		cpu = weft_cpuset_next(set, cpu + 1))

static const char *check_cpus(const struct trial *x)
{
	unsigned uses[WEFT_MAX_CPUS] = {0}, asked = 0;

	for (size_t i = 0; i < x->c->n_steps; i++)
		asked +=
			x->c->step[i].ntasks *
			(x->c->step[i].cpus_per_task ? x->c->step[i].cpus_per_task : 1);
	for (size_t i = 0; i < x->n_tasks; i++) {
		RULE(weft_cpuset_next(&x->p->task[i].cpus, 0) >= 0,
			"every task has a CPU");
		EACH_CPU(cpu, &x->p->task[i].cpus)
		{
			const struct case_thread *t = thread_of(x->c, cpu);

			RULE(t && t->allowed, "only allowed CPUs");
			uses[cpu]++;
		}
	}
	for (size_t i = 0; i < x->n_tasks; i++) {
		const struct weft_placed_task *t = &x->p->task[i];
		const struct weft_place_step *s = &x->c->step[x->step_of[i]];
		unsigned n = weft_cpuset_count(&t->cpus);
		bool shared = false;

		EACH_CPU(cpu, &t->cpus)
		shared |= uses[cpu] > 1;
		RULE(shared == t->shared_cpus, "shared CPUs are said");
		RULE(!shared || x->n_tasks > x->usable,
			"no CPU twice while there are enough");
		RULE(t->fewer || t->shared_cpus || n >= s->cpus_per_task,
			"fewer CPUs are said");
		RULE(!t->fewer || asked > x->usable,
			"as many CPUs as asked while there are enough");
	}
	return NULL;
}

static const char *check_smt(const struct trial *x)
{
	unsigned smt = x->c->step[0].smt;

	for (size_t i = 0; x->c->n_steps == 1 && smt && i < x->n_tasks; i++) {
		unsigned of_core[CASE_THREADS] = {0};

		for (size_t k = 0; k < x->m->n_pus; k++)
			if (weft_cpuset_has(&x->p->task[i].cpus, x->m->pu[k].cpu))
				RULE(++of_core[x->m->pu[k].core] <= smt,
					"so many threads a core");
	}
	return NULL;
}

static const char *check_spare(const struct trial *x)
{
	unsigned idle = 0;

	for (size_t k = 0; k < x->m->n_pus;) {
		unsigned core = x->m->pu[k].core;
		bool used = false, allowed = false;

		for (; k < x->m->n_pus && x->m->pu[k].core == core; k++) {
			allowed |= x->c->thread[k].allowed;
			for (size_t i = 0; i < x->n_tasks; i++)
				used |= weft_cpuset_has(
					&x->p->task[i].cpus, x->m->pu[k].cpu);
		}
		idle += allowed && !used;
	}
	RULE(idle >= spared(x->c), "spared cores are idle");
	return NULL;
}

/* ---- GPUs ------------------------------------------------------------------ */

static bool is_usable(const struct place_case *c, unsigned gpu)
{
	for (unsigned k = 0; c->some_gpus && k < c->n_usable; k++)
		if (c->usable[k] == gpu)
			return true;
	return !c->some_gpus && gpu < c->n_gpus;
}

static const char *check_gpus(const struct trial *x)
{
	unsigned uses[CASE_DEVICES] = {0}, by[CASE_DEVICES], taken = 0;

	for (size_t i = 0; i < x->n_tasks; i++) {
		const struct weft_placed_task *t = &x->p->task[i];
		const struct weft_place_step *s = &x->c->step[x->step_of[i]];
		double each = s->gpus_per_task;

		if (s->gpus_all)
			RULE(t->n_gpus > 0, "every GPU task has a GPU");
		else
			RULE(t->n_gpus == (size_t)ceil(each - 1e-4),
				"as many GPUs as asked");
		for (size_t g = 0; g < t->n_gpus; g++) {
			unsigned gpu = t->gpu[g];

			RULE(is_usable(x->c, gpu), "only usable GPUs");
			RULE(!uses[gpu] || by[gpu] == x->step_of[i],
				"no GPU for two steps");
			by[gpu] = (unsigned)x->step_of[i];
			taken += uses[gpu]++ == 0;
			RULE(s->gpus_all ||
					uses[gpu] <= (each < 1 ? 1 / each + 1e-3 : 1),
				"no GPU for more tasks than asked");
		}
		for (size_t g = 1; g < t->n_gpus; g++)
			for (size_t k = 0; k < g; k++)
				RULE(t->gpu[g] != t->gpu[k], "no GPU twice in a task");
	}
	RULE((int)taken == gpus_taken(x->c), "all GPUs are used that are asked for");
	return NULL;
}

static bool near(const struct trial *x, unsigned gpu, size_t memory)
{
	return weft_cpuset_meets(&x->m->gpu[gpu].cpus, &x->m->numa[memory].cpus);
}

/* Near one of the task's GPUs: in its domain; anywhere, where that isn't known. */
static bool is_local(
	const struct trial *x, const struct weft_placed_task *t, size_t memory)
{
	for (size_t g = 0; g < t->n_gpus; g++)
		if (near(x, t->gpu[g], memory) ||
			weft_cpuset_next(&x->m->gpu[t->gpu[g]].cpus, 0) < 0)
			return true;
	return false;
}

static bool is_domain(const struct trial *x, size_t memory)
{
	for (unsigned i = 0; i < x->c->n_threads; i++)
		if (x->c->thread[i].memory == memory)
			return true;
	return false;
}

static bool all_away(const struct trial *x, const struct weft_placed_task *t)
{
	for (size_t k = 0; k < x->m->n_pus; k++)
		if (weft_cpuset_has(&t->cpus, x->m->pu[k].cpu) &&
			is_local(x, t, x->m->pu[k].numa))
			return false;
	return t->n_gpus > 0;
}

/* Usable threads near a task's GPUs that nobody has. */
static unsigned idle_near(const struct trial *x, const struct weft_placed_task *t)
{
	unsigned n = 0, of_core = 0, smt = smt_of(x->c);

	for (unsigned k = 0; k < x->c->n_threads; k++) {
		const struct case_thread *h = &x->c->thread[k];
		bool idle = h->allowed && is_local(x, t, h->memory);

		if (!k || h->core != h[-1].core)
			of_core = 0;
		if (h->allowed && of_core++ >= smt)
			continue;
		for (size_t i = 0; i < x->n_tasks; i++)
			idle &= !weft_cpuset_has(&x->p->task[i].cpus, h->cpu);
		n += idle;
	}
	return n;
}

static const char *check_local(const struct trial *x)
{
	bool enough = true;

	for (size_t d = 0; d < x->m->n_numa; d++) {
		unsigned wanted = 0, cores;

		for (size_t i = 0; i < x->n_tasks; i++) {
			unsigned n = x->c->step[x->step_of[i]].cpus_per_task;

			if (x->p->task[i].n_gpus && is_local(x, &x->p->task[i], d))
				wanted += n ? n : 1;
		}
		enough &= !is_domain(x, d) || wanted <= threads(x->c, (int)d, &cores);
	}
	for (size_t i = 0; i < x->n_tasks; i++) {
		const struct weft_placed_task *t = &x->p->task[i];
		bool away = false;

		for (size_t k = 0; t->n_gpus && k < x->m->n_pus; k++)
			away |= weft_cpuset_has(&t->cpus, x->m->pu[k].cpu) &&
				!is_local(x, t, x->m->pu[k].numa);
		RULE(away == t->far, "what is far is said");
		RULE(!away || !enough, "CPUs near the GPU while these suffice");
		RULE(!all_away(x, t) || spared(x->c) ||
				weft_cpuset_count(&t->cpus) > idle_near(x, t),
			"not far away while CPUs near the GPU are idle");
	}
	return NULL;
}

/* ---- network cards, memory -------------------------------------------------- */

static const char *check_nics(const struct trial *x)
{
	bool fast = false;

	for (size_t n = 0; n < x->m->n_nics; n++)
		fast |= x->m->nic[n].link > WEFT_LINK_ETHERNET;
	for (size_t i = 0; i < x->n_tasks; i++) {
		const struct weft_placed_task *t = &x->p->task[i];

		for (size_t k = 0; k < t->n_nics; k++)
			RULE(t->nic[k] < x->m->n_nics &&
					(!fast || x->m->nic[t->nic[k]].link >
							  WEFT_LINK_ETHERNET),
				"network cards that are there, the fast ones");
		RULE(!x->m->n_nics || t->n_nics, "every task has a network card");
		for (size_t g = 0; x->m->n_nics && g < t->n_gpus; g++) {
			const struct weft_device *gpu = &x->m->gpu[t->gpu[g]];
			unsigned best = 9, got = 9;

			for (size_t n = 0; n < x->m->n_nics; n++) {
				unsigned apart =
					weft_place_apart(x->m, gpu, &x->m->nic[n]);

				if (fast && x->m->nic[n].link == WEFT_LINK_ETHERNET)
					continue;
				best = apart < best ? apart : best;
				for (size_t k = 0; k < t->n_nics; k++)
					if (t->nic[k] == n && apart < got)
						got = apart;
			}
			RULE(got == best, "a network card of the nearest class");
		}
	}
	return NULL;
}

static bool has_its_memory(const struct trial *x, const struct weft_placed_task *t)
{
	size_t domains = 0;

	for (size_t k = 0; k < x->m->n_numa; k++) {
		bool cpus = false, named = false;

		for (unsigned i = 0; i < x->c->n_threads; i++)
			cpus |= x->c->thread[i].memory == k &&
				weft_cpuset_has(&t->cpus, x->c->thread[i].cpu);
		for (size_t i = 0; i < t->n_numa; i++)
			named |= t->numa[i] == k;
		domains += cpus;
		if (cpus != named && t->n_numa)
			return false;
	}
	return t->n_numa || domains > WEFT_COUNT(t->numa);
}

static const char *check_memory(const struct trial *x)
{
	for (size_t i = 0; i < x->n_tasks; i++) {
		const struct weft_placed_task *t = &x->p->task[i];
		const struct weft_place_step *s = &x->c->step[x->step_of[i]];
		uint64_t bytes = 0, all = 0;

		RULE(s->memory != WEFT_PLACE_ANY || !t->n_numa, "any memory");
		RULE(!t->spills || s->mem_per_task, "no spilling of nothing");
		if (s->memory == WEFT_PLACE_LOCAL && !s->mem_per_task)
			RULE(has_its_memory(x, t), "the memory of its CPUs");
		for (size_t k = 0; k < t->n_numa; k++) {
			RULE(t->numa[k] < x->m->n_numa &&
					x->m->numa[t->numa[k]].kind != WEFT_MEM_GPU,
				"no memory of GPUs");
			bytes += x->m->numa[t->numa[k]].bytes;
			for (size_t o = 0; o < k; o++)
				RULE(t->numa[o] != t->numa[k], "no memory twice");
		}
		for (size_t k = 0; k < x->m->n_numa; k++)
			all += x->m->numa[k].kind == WEFT_MEM_GPU ? 0
								  : x->m->numa[k].bytes;
		RULE(s->memory != WEFT_PLACE_LOCAL || !s->mem_per_task || !all ||
				bytes >= s->mem_per_task ||
				t->n_numa == WEFT_COUNT(t->numa),
			"memory that holds what the task needs");
	}
	return NULL;
}

/* ---- all of it ------------------------------------------------------------- */

static const char *check_all(const struct trial *x)
{
	static const char *(*const checks[])(const struct trial *x) = {check_cpus,
		check_smt, check_spare, check_gpus, check_local, check_nics,
		check_memory};
	struct weft_placement *again;
	const char *rule = NULL;

	for (size_t i = 0; !rule && i < WEFT_COUNT(checks); i++)
		rule = checks[i](x);
	RULE(!rule, rule);
	RULE(place_it(x->c, x->m, &again, NULL) == 0, "the same again");
	bool same =
		memcmp(x->p->task, again->task, x->n_tasks * sizeof(*again->task)) == 0;

	weft_placement_free(again);
	RULE(same, "the same again");
	return NULL;
}

static bool refused;

static const char *broken(const struct place_case *c)
{
	struct trial x = {.c = c, .m = build_machine(c)};
	struct weft_err err = {0};
	const char *rule;
	unsigned cores;

	x.usable = threads(c, -1, &cores);
	for (unsigned i = 0; i < c->n_steps; i++)
		for (unsigned k = 0; k < c->step[i].ntasks; k++)
			x.step_of[x.n_tasks++] = i;
	refused = place_it(c, x.m, &x.p, &err) != 0;
	if (refused)
		rule = feasible(c) ? "what is feasible is placed" : NULL;
	else
		rule = feasible(c) ? check_all(&x) : "what is infeasible is refused";
	if (refused && (x.p || !err.text))
		rule = "a refusal says why";
	weft_err_clear(&err);
	weft_placement_free(x.p);
	weft_machine_free(x.m);
	return rule;
}

static uint64_t running; /* the seed in hand, for who crashes */

static void on_crash(int sig)
{
	char text[64] = "WEFT_SEED=", *p = text + strlen(text), digits[24];
	int n = 0;

	for (uint64_t s = running; s || !n; s /= 10)
		digits[n++] = (char)('0' + s % 10);
	while (n)
		*p++ = digits[--n];
	*p++ = '\n';
	(void)!write(2, text, (size_t)(p - text));
	signal(sig, SIG_DFL);
	raise(sig);
}

START_TEST(strict_rules)
{
	const char *one = getenv("WEFT_SEED"), *many = getenv("WEFT_ROUNDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t rounds = one ? 1 : many ? strtoull(many, NULL, 10) : 1000;
	struct place_case *c = malloc(sizeof(*c));
	uint64_t no = 0;

	signal(SIGSEGV, on_crash);
	signal(SIGFPE, on_crash);
	for (running = first; running < first + rounds; running++) {
		make_case(c, running);
		const char *rule = broken(c);

		no += refused;
		if (!rule)
			continue;
		shrink(c, broken);
		say_case(c);
		fflush(stdout);
		ck_abort_msg("does not hold: %s (WEFT_SEED=%llu)", rule,
			(unsigned long long)running);
	}
	/* Most are placed, or this shows little. */
	ck_assert_uint_le(no, rounds == 1 ? 1 : rounds / 3);
	free(c);
}
END_TEST

SUITE("place_random", strict_rules)
