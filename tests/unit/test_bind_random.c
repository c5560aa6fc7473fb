/*
 * A step that arrives where another one is, on machines and requests made at random: it
 * is placed around what the other has while enough is left, and what could be placed
 * alone still can be.
 *
 * WEFT_SEED=N runs the one case N; WEFT_ROUNDS=N so many (1,000).
 */
#include <math.h>

#include "bind/bind.h"
#include "place_case.h"

/* What the first step's tasks have. */
static void note_others(const struct weft_machine *m, const struct weft_placement *p,
	struct weft_others *o)
{
	*o = (struct weft_others){0};
	for (size_t i = 0; i < p->n_tasks; i++) {
		for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
			o->cpus.w[w] |= p->task[i].cpus.w[w];
		for (size_t g = 0; g < p->task[i].n_gpus; g++)
			weft_bind_add_others(o, m->gpu[p->task[i].gpu[g]].pci);
	}
}

static bool has_gpu(
	const struct weft_machine *m, const struct weft_others *o, unsigned g)
{
	for (size_t i = 0; i < o->n_gpus; i++)
		if (strcmp(o->gpu[i], m->gpu[g].pci) == 0)
			return true;
	return false;
}

/* GPUs that the step takes at least. */
static size_t gpus_of(const struct weft_place_step *s)
{
	double x = s->gpus_per_task;

	if (s->gpus_all)
		return s->gpus ? s->gpus : 1;
	if (x >= 1)
		return s->ntasks * (size_t)ceil(x - 1e-4);
	if (x <= 0)
		return 0;
	size_t per = (size_t)(1 / x + 1e-4);

	return (s->ntasks + per - 1) / per;
}

static const char *check(const struct place_case *c, const struct weft_machine *m,
	const struct weft_others *o)
{
	const struct weft_place_step *s = &c->step[1];
	unsigned gpu[CASE_DEVICES], free_gpus = 0, free_cpus = 0;
	size_t n = 0;
	struct weft_cpuset cpus;
	struct weft_placement *alone, *p;
	const char *rule = NULL;

	allowed_cpus(c, &cpus);
	for (unsigned g = 0; g < c->n_gpus; g++)
		gpu[n++] = g;
	if (weft_place(m, &cpus, gpu, n, s, 1, &alone, NULL))
		return NULL;
	for (unsigned i = 0; i < c->n_threads; i++)
		free_cpus += c->thread[i].allowed &&
			     !weft_cpuset_has(&o->cpus, c->thread[i].cpu);
	for (unsigned g = 0; g < c->n_gpus; g++)
		free_gpus += !has_gpu(m, o, g);
	weft_bind_around(m, o, s, &cpus, gpu, &n);
	weft_placement_free(alone);
	if (weft_place(m, &cpus, gpu, n, s, 1, &p, NULL))
		return "what fits alone fits around others";
	bool roomy = free_cpus >= s->ntasks && !s->smt && !s->spare_cores;

	for (size_t i = 0; !rule && i < p->n_tasks; i++) {
		if (roomy && weft_cpuset_meets(&p->task[i].cpus, &o->cpus))
			rule = "no CPU of others while enough are free";
		for (size_t g = 0; g < p->task[i].n_gpus; g++)
			if (free_gpus >= gpus_of(s) && has_gpu(m, o, p->task[i].gpu[g]))
				rule = "no GPU of others while enough are free";
	}
	weft_placement_free(p);
	return rule;
}

static const char *broken(const struct place_case *c)
{
	struct weft_machine *m = build_machine(c);
	static struct weft_others o;
	struct weft_cpuset allowed;
	struct weft_placement *p;
	const char *rule = NULL;

	allowed_cpus(c, &allowed);
	if (c->n_steps == 2 &&
		weft_place(m, &allowed, NULL, 0, c->step, 1, &p, NULL) == 0) {
		note_others(m, p, &o);
		rule = check(c, m, &o);
		weft_placement_free(p);
	}
	weft_machine_free(m);
	return rule;
}

START_TEST(around_others)
{
	const char *one = getenv("WEFT_SEED"), *many = getenv("WEFT_ROUNDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t rounds = one ? 1 : many ? strtoull(many, NULL, 10) : 1000;
	struct place_case *c = malloc(sizeof(*c));

	for (uint64_t seed = first; seed < first + rounds; seed++) {
		make_case(c, seed);
		for (c->n_steps = 2; c->n_steps > 1 && !c->step[1].ntasks;)
			make_step(c, &c->step[1]);
		for (unsigned i = 0; i < 2; i++)
			c->step[i].n_talks = 0;
		const char *rule = broken(c);

		if (!rule)
			continue;
		shrink(c, broken);
		say_case(c);
		fflush(stdout);
		ck_abort_msg("does not hold: %s (WEFT_SEED=%llu)", rule,
			(unsigned long long)seed);
	}
	free(c);
}
END_TEST

SUITE("bind_random", around_others)
