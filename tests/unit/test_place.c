/* Properties of placements on generated machines: what must hold on each. */
#include "place/place.h"

#include <math.h>
#include <string.h>

#include "suite.h"

static uint64_t state;

static unsigned rnd(unsigned n) /* 0 ... n - 1 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (unsigned)(state >> 33) % n : 0;
}

/* ---- machines ---------------------------------------------------------- */

struct made {
	struct weft_str text, body;
	unsigned cpu, core, l3, cores_in[64];
	char cpus[64][600]; /* of each domain */
	unsigned first[64], pkg[64], n_doms;
};

static void add_domain(struct made *x, unsigned pkg, unsigned caches, unsigned per,
	unsigned smt, bool holes)
{
	unsigned d = x->n_doms++;
	char *list = x->cpus[d];

	x->pkg[d] = pkg;
	for (unsigned l = 0; l < caches; l++, x->l3++)
		for (unsigned c = 0; c < per; c++) {
			if (holes && rnd(8) == 0 && (l || c)) {
				x->cpu += smt; /* a core that is missing */
				continue;
			}
			char one[24];
			snprintf(one, sizeof(one), smt > 1 ? "%u-%u" : "%u", x->cpu,
				x->cpu + smt - 1);
			weft_str_printf(&x->body,
				"core %u package=%u numa=%u l3=%u cpus=%s\n", x->core++,
				pkg, d, x->l3, one);
			snprintf(list + strlen(list), sizeof(x->cpus[d]) - strlen(list),
				"%s%s", *list ? "," : "", one);
			x->cpu += smt;
		}
}

static struct weft_machine *make(bool holes)
{
	struct made *x = calloc(1, sizeof(*x));
	unsigned pkgs = 1 + rnd(3), doms = 1 + rnd(4), caches = 1 + rnd(3);
	unsigned per = 1 + rnd(6), smt = 1 + rnd(2) * (1 + rnd(2)), path = 0;
	unsigned gpus = rnd(3) ? rnd(9) : 0, nics = rnd(4), n_numa;
	struct weft_machine *m;
	struct weft_err err = {0};

	for (unsigned p = 0; p < pkgs; p++)
		for (unsigned d = 0; d < doms; d++)
			add_domain(x, p, caches, per, smt, holes);
	n_numa = x->n_doms;
	for (unsigned i = 0; i < gpus + nics; i++) {
		unsigned d = rnd(n_numa), wide = rnd(6) == 0;
		char cpus[1300];
		/* Some are near two domains. */
		snprintf(cpus, sizeof(cpus), "%s%s%s", x->cpus[d], wide ? "," : "",
			wide ? x->cpus[(d + 1) % n_numa] : "");
		weft_str_printf(&x->body,
			"%s 0000:%02x:00.0 vendor=nvidia link=%s package=%u cpus=%s "
			"path=%u.%u name=- uuid=-\n",
			i < gpus ? "gpu" : "nic", i + 1, i < gpus ? "none" : "verbs",
			x->pkg[d], cpus, d, 100 + path);
		path += rnd(2);
	}
	weft_str_printf(&x->text,
		"weft-topology 1\nhost -\nsize packages=%u l3=%u cores=%u cpus=%u "
		"numa=%u "
		"gpus=%u nics=%u\n",
		pkgs, x->l3, x->core, x->core * smt, n_numa, gpus, nics);
	for (unsigned d = 0; d < n_numa; d++)
		weft_str_printf(&x->text,
			"numa %u os=%u kind=dram bytes=1024 cpus=%s\n", d, d,
			x->cpus[d]);
	weft_str_addn(&x->text, x->body.s, x->body.len);
	weft_str_add(&x->text, "end\n");
	ck_assert_msg(weft_machine_parse(x->text.s, x->text.len, &m, &err) == 0,
		"%s\n%s", err.text, x->text.s);
	weft_str_free(&x->text);
	weft_str_free(&x->body);
	free(x);
	return m;
}

/* ---- properties -------------------------------------------------------- */

struct trial {
	uint64_t seed;
	struct weft_machine *m;
	struct weft_cpuset allowed;
	struct weft_place_step step[3];
	size_t n_steps;
	struct weft_placement *p;
	bool uniform; /* cores have the same number of usable threads */
};

static void say(const struct trial *x)
{
	struct weft_str s = {0};
	char list[8192];

	weft_machine_print(x->m, &s);
	weft_cpuset_print(&x->allowed, list, sizeof(list));
	printf("seed %llu\n%sallowed %s\n", (unsigned long long)x->seed, s.s, list);
	for (size_t i = 0; i < x->n_steps; i++) {
		const struct weft_place_step *t = &x->step[i];
		printf("step %zu: ntasks %u cpus %u gpus %g all %d beside %u policy %d "
		       "even %d "
		       "smt %u spare %u\n",
			i, t->ntasks, t->cpus_per_task, t->gpus_per_task, t->gpus_all,
			t->beside, (int)t->cpus, t->balance_even, t->smt,
			t->spare_cores);
	}
	for (size_t i = 0; x->p && i < x->p->n_tasks; i++) {
		weft_cpuset_print(&x->p->task[i].cpus, list, sizeof(list));
		printf("task %zu: %s gpu", i, list);
		for (size_t g = 0; g < x->p->task[i].n_gpus; g++)
			printf(" %u", x->p->task[i].gpu[g]);
		printf("%s%s%s\n", x->p->task[i].far ? " far" : "",
			x->p->task[i].fewer ? " fewer" : "",
			x->p->task[i].shared_cpus ? " shared" : "");
	}
	weft_str_free(&s);
	fflush(stdout);
}

#define HOLDS(x, what, ...)                                                            \
	do {                                                                           \
		if (!(what)) {                                                         \
			say(x);                                                        \
			ck_abort_msg(__VA_ARGS__);                                     \
		}                                                                      \
	} while (0)

static unsigned smt_of(const struct trial *x)
{
	unsigned smt = 0;
	for (size_t i = 0; i < x->n_steps; i++) {
		if (!x->step[i].smt)
			return WEFT_MAX_CPUS;
		smt = x->step[i].smt > smt ? x->step[i].smt : smt;
	}
	return smt;
}

/* Threads of a domain (-1: all) that may be used, before cores are spared. */
static unsigned threads(const struct trial *x, int domain)
{
	unsigned n = 0, core = UINT32_MAX, of_core = 0;
	for (size_t i = 0; i < x->m->n_pus; i++) {
		const struct weft_pu *pu = &x->m->pu[i];
		if (pu->core != core)
			of_core = 0;
		core = pu->core;
		if ((domain >= 0 && pu->numa != (unsigned)domain) ||
			!weft_cpuset_has(&x->allowed, pu->cpu) || of_core >= smt_of(x))
			continue;
		of_core++;
		n++;
	}
	return n;
}

static bool spares(const struct trial *x)
{
	for (size_t i = 0; i < x->n_steps; i++)
		if (x->step[i].spare_cores)
			return true;
	return false;
}

static void check_cpus(const struct trial *x)
{
	const struct weft_placement *p = x->p;
	unsigned uses[WEFT_MAX_CPUS] = {0};

	for (size_t i = 0; i < p->n_tasks; i++) {
		HOLDS(x, weft_cpuset_next(&p->task[i].cpus, 0) >= 0, "task %zu: no CPU",
			i);
		for (int c = weft_cpuset_next(&p->task[i].cpus, 0); c >= 0;
			c = weft_cpuset_next(&p->task[i].cpus, c + 1)) {
			HOLDS(x, weft_cpuset_has(&x->allowed, (unsigned)c),
				"task %zu: CPU %d is not allowed", i, c);
			uses[c]++;
		}
	}
	for (size_t i = 0; i < p->n_tasks; i++) {
		bool shared = false;
		for (int c = weft_cpuset_next(&p->task[i].cpus, 0); c >= 0;
			c = weft_cpuset_next(&p->task[i].cpus, c + 1))
			shared |= uses[c] > 1;
		HOLDS(x, shared == p->task[i].shared_cpus, "task %zu: shared, unsaid",
			i);
		HOLDS(x, !shared || spares(x) || p->n_tasks > threads(x, -1),
			"task %zu: CPUs are given twice while there are enough", i);
	}
}

static void check_step(const struct trial *x, size_t s)
{
	const struct weft_place_step *step = &x->step[s];
	unsigned least = UINT32_MAX, most = 0, asked = 0;

	for (size_t i = 0; i < x->n_steps; i++)
		asked += x->step[i].ntasks *
			 (x->step[i].cpus_per_task ? x->step[i].cpus_per_task : 1);
	for (size_t i = x->p->first[s]; i < x->p->first[s] + step->ntasks; i++) {
		const struct weft_placed_task *t = &x->p->task[i];
		unsigned n = weft_cpuset_count(&t->cpus), of_core[WEFT_MAX_CPUS] = {0};
		least = n < least ? n : least;
		most = n > most ? n : most;
		HOLDS(x, t->fewer || t->shared_cpus || n >= step->cpus_per_task,
			"task %zu: fewer CPUs than asked, unsaid", i);
		HOLDS(x, !t->fewer || spares(x) || asked > threads(x, -1),
			"task %zu: fewer CPUs than asked while there are enough", i);
		for (size_t k = 0; k < x->m->n_pus; k++)
			of_core[x->m->pu[k].core] +=
				weft_cpuset_has(&t->cpus, x->m->pu[k].cpu);
		for (unsigned c = 0; step->smt && x->n_steps == 1 && c < x->m->n_cores;
			c++)
			HOLDS(x, of_core[c] <= step->smt, "task %zu: smt", i);
		size_t want = step->gpus_all ? 0 : (size_t)ceil(step->gpus_per_task);
		HOLDS(x, step->gpus_all ? t->n_gpus > 0 : t->n_gpus == want,
			"task %zu: %zu GPUs", i, t->n_gpus);
	}
	if (step->balance_even && !step->cpus_per_task && x->uniform)
		HOLDS(x,
			!step->ntasks || least == most || x->p->task[0].shared_cpus ||
				most - least < 4,
			"not even: %u to %u", least, most);
}

/* A GPU is given to one task, unless its step shares. */
static void check_gpus(const struct trial *x)
{
	unsigned uses[WEFT_MAX_DEVICES] = {0};

	for (size_t s = 0; s < x->n_steps; s++)
		for (size_t i = x->p->first[s]; i < x->p->first[s] + x->step[s].ntasks;
			i++)
			for (size_t g = 0; g < x->p->task[i].n_gpus; g++) {
				unsigned gpu = x->p->task[i].gpu[g];
				double per = x->step[s].gpus_per_task;
				uses[gpu]++;
				HOLDS(x,
					x->step[s].gpus_all ||
						uses[gpu] <=
							(per < 1 ? 1 / per + 1e-3 : 1),
					"GPU %u is given %u times", gpu, uses[gpu]);
			}
}

static bool near(const struct trial *x, unsigned gpu, unsigned domain)
{
	return weft_cpuset_meets(&x->m->gpu[gpu].cpus, &x->m->numa[domain].cpus);
}

/* Where each domain has threads for all tasks whose GPU is near it, every one of
 * these tasks is in its GPUs' domains. */
static void check_local(const struct trial *x)
{
	unsigned wanted[64] = {0};
	bool enough = !spares(x);

	for (size_t s = 0; s < x->n_steps; s++)
		for (size_t i = x->p->first[s]; i < x->p->first[s] + x->step[s].ntasks;
			i++)
			for (size_t d = 0; x->p->task[i].n_gpus && d < x->m->n_numa;
				d++)
				for (size_t g = 0; g < x->p->task[i].n_gpus; g++)
					if (near(x, x->p->task[i].gpu[g],
						    (unsigned)d)) {
						wanted[d] +=
							x->step[s].cpus_per_task
								? x->step[s]
									  .cpus_per_task
								: 1;
						break;
					}
	for (size_t d = 0; d < x->m->n_numa; d++)
		enough &= wanted[d] <= threads(x, (int)d);
	for (size_t i = 0; i < x->p->n_tasks; i++) {
		const struct weft_placed_task *t = &x->p->task[i];
		bool away = false;
		for (size_t k = 0; t->n_gpus && k < x->m->n_pus; k++) {
			bool beside = !weft_cpuset_has(&t->cpus, x->m->pu[k].cpu);
			for (size_t g = 0; g < t->n_gpus; g++)
				beside |= near(x, t->gpu[g], x->m->pu[k].numa);
			away |= !beside;
		}
		HOLDS(x, away == t->far, "task %zu: far, unsaid", i);
		HOLDS(x, !away || !enough, "task %zu is away from its GPU", i);
	}
}

static void check_spare(const struct trial *x)
{
	unsigned spare = 0, idle = 0;

	for (size_t i = 0; i < x->n_steps; i++)
		spare = x->step[i].spare_cores > spare ? x->step[i].spare_cores : spare;
	for (size_t k = 0; k < x->m->n_pus;) {
		unsigned core = x->m->pu[k].core;
		bool used = false, allowed = false;
		for (; k < x->m->n_pus && x->m->pu[k].core == core; k++) {
			allowed |= weft_cpuset_has(&x->allowed, x->m->pu[k].cpu);
			for (size_t i = 0; i < x->p->n_tasks; i++)
				used |= weft_cpuset_has(
					&x->p->task[i].cpus, x->m->pu[k].cpu);
		}
		idle += allowed && !used;
	}
	HOLDS(x, idle >= spare, "%u cores are idle, %u were to be", idle, spare);
}

static void request(struct trial *x)
{
	x->n_steps = 1 + (rnd(3) == 0) * (1 + rnd(2));
	x->uniform = true;
	for (size_t i = 0; i < x->n_steps; i++) {
		struct weft_place_step *s = &x->step[i];
		*s = (struct weft_place_step){.ntasks = 1 + rnd(rnd(4) ? 9 : 70)};
		s->cpus_per_task = rnd(3) ? 0 : 1 + rnd(5);
		s->cpus = (enum weft_place_cpus)rnd(3);
		s->memory = (enum weft_place_memory)rnd(3);
		s->smt = rnd(4) ? 0 : 1 + rnd(2);
		s->spare_cores = rnd(10) ? 0 : rnd(4);
		s->balance_even = rnd(4) == 0;
		switch (rnd(5)) {
		case 0:
		case 1:
			s->gpus_per_task = 1 + rnd(2);
			break;
		case 2:
			s->gpus_per_task = 0.5;
			break;
		case 3:
			s->gpus_all = x->n_steps == 1 && x->m->n_gpus > 0;
			break;
		default:
			s->beside = rnd((unsigned)x->n_steps + 1);
			break;
		}
		/* Mostly what can be had. */
		if (s->gpus_per_task > 0 && rnd(8)) {
			double n = (double)x->m->n_gpus / s->gpus_per_task;
			s->ntasks = 1 + rnd((unsigned)n);
			if (n < 1)
				s->gpus_per_task = 0;
		}
	}
	weft_cpuset_parse("0-4095", &x->allowed);
	if (rnd(3) == 0) {
		x->uniform = false;
		for (size_t k = 0; k < x->m->n_pus; k++)
			if (rnd(4) == 0)
				weft_cpuset_del(&x->allowed, x->m->pu[k].cpu);
	}
}

static bool refusal_is_right(const struct trial *x, const char *why)
{
	double gpus = 0;
	unsigned all = 0;

	for (size_t i = 0; i < x->n_steps; i++) {
		double g = x->step[i].gpus_per_task;
		all += x->step[i].spare_cores > 0;
		gpus += g < 1 ? ceil(x->step[i].ntasks * g) : x->step[i].ntasks * g;
	}
	if (strstr(why, "usable on this node") || strstr(why, "no GPU"))
		return gpus > (double)x->m->n_gpus;
	if (strstr(why, "spare_cores"))
		return all > 0;
	return strstr(why, "no CPU") && threads(x, -1) == 0;
}

START_TEST(generated)
{
	const char *env = getenv("WEFT_TEST_SEED");
	uint64_t base = env ? strtoull(env, NULL, 10) : 20260101;
	unsigned refused = 0, rounds = 3000;

	printf("first seed %llu (WEFT_TEST_SEED)\n", (unsigned long long)base);
	for (unsigned i = 0; i < rounds; i++) {
		struct trial x = {.seed = base + i};
		struct weft_placement *again;
		struct weft_err err = {0};

		state = (base + i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
		x.m = make(rnd(4) == 0);
		request(&x);
		if (weft_place(
			    x.m, &x.allowed, NULL, 0, x.step, x.n_steps, &x.p, &err)) {
			HOLDS(&x, refusal_is_right(&x, err.text), "refused: %s",
				err.text);
			refused++;
			weft_err_clear(&err);
			weft_machine_free(x.m);
			continue;
		}
		check_cpus(&x);
		check_gpus(&x);
		check_local(&x);
		check_spare(&x);
		for (size_t s = 0; s < x.n_steps; s++)
			check_step(&x, s);
		ck_assert_int_eq(weft_place(x.m, &x.allowed, NULL, 0, x.step, x.n_steps,
					 &again, &err),
			0);
		HOLDS(&x,
			!memcmp(x.p->task, again->task,
				x.p->n_tasks * sizeof(*x.p->task)),
			"not the same again");
		weft_placement_free(again);
		weft_placement_free(x.p);
		weft_machine_free(x.m);
	}
	ck_assert_uint_lt(refused, rounds / 2);
}
END_TEST

SUITE("place", generated)
