/* test_select_estimate.c - when groups are expected to start and to end: small plans
 * by hand, and what holds of every one. */
#include "suite.h"

#include <string.h>

#include "select/select.h"

static struct weft_plan *plan;
static struct weft_workflow *wf;
static enum weft_group_mode mode = WEFT_GROUP_NONE;

static const uint64_t *const *given;
static const struct weft_select_place *place;
static size_t n_places;

static void make_of(const char *cluster_text, const char *workflow,
	const struct weft_select_past *past)
{
	const struct weft_select_options opt = {.past = past,
		.given = given,
		.place = place,
		.n_places = n_places,
		.group = mode};
	struct weft_cluster *cluster;
	struct weft_errs errs = {0};
	struct weft_err err = {0};

	ck_assert_msg(weft_spec_parse("/t.yaml", workflow, strlen(workflow), NULL, &wf,
			      &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
	ck_assert_msg(weft_cluster_parse("c.yaml", cluster_text, strlen(cluster_text),
			      &cluster, &err) == 0,
		"%s", err.text);
	ck_assert_msg(weft_select_plan(wf, cluster, NULL, &opt, &plan, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
	weft_cluster_free(cluster);
}

/* Two nodes of 8 CPUs, one free now and one in ten minutes; gpu: as many as one. */
static const char small[] = "select_by_memory: false\n"
			    "partitions:\n"
			    "- {name: cpu, default: true, nodes: 'c[1-2]'}\n"
			    "- {name: gpu, nodes: 'g1'}\n"
			    "- {name: hidden, nodes: 'h1'}\n"
			    "nodes:\n"
			    "- {nodes: c1, cpus: 8}\n"
			    "- {nodes: c2, cpus: 8, state: allocated, cpus_used: 8,\n"
			    "   releases: [{after: 10m, cpus: 8}]}\n"
			    "- {nodes: g1, cpus: 8, gpus: 1}\n"
			    "- {nodes: h1, cpus: 8, state: allocated}\n";

static void make(const char *steps, const struct weft_select_past *past)
{
	weft_autofree char *text = weft_printf(
		"name: t\nparams: {x: [1, 2, 3, 4]}\n"
		"defaults: {resources: {partition: cpu, time: 10m}}\nsteps:\n%s",
		steps);

	make_of(small, text, past);
}

static void done(void)
{
	weft_plan_free(plan);
	weft_spec_free(wf);
}

/* In minutes: when it could start and waited, starts, ends. */
static void is(const char *step, double wait, double start, double end)
{
	const struct weft_plan_step *s = &plan->step[weft_spec_step(wf, step)->index];

	ck_assert_msg(
		s->wait == wait * 60 && s->start == start * 60 && s->end == end * 60,
		"%s: waits %g, starts %g, ends %g", step, s->wait / 60, s->start / 60,
		s->end / 60);
}

START_TEST(one_after_the_other)
{
	make("- {name: a, run: x}\n"
	     "- {name: b, run: x, depends: [a], resources: {time: 5m}}\n"
	     "- {name: c, run: x, depends: [a, b], resources: {nodes: 2, exclusive: "
	     "true}}\n"
	     "- {name: d, run: x, resources: {nodes: 2, exclusive: true, time: 30m}}\n",
		NULL);
	is("a", 0, 0, 10);
	is("d", 10, 10, 40); /* before b, which could not start until then */
	is("b", 30, 40, 45);
	is("c", 0, 45, 55);
	ck_assert(plan->end == 55 * 60);
	ck_assert(plan->bytes == WEFT_NO_BYTES);
	done();
}
END_TEST

START_TEST(sweeps)
{
	make("- {name: a, run: x, sweep: {i: {range: [1, 8]}}, resources: "
	     "{cpus_per_task: 4}}\n"
	     "- {name: b, run: x, depends: [a], sweep: {i: {range: [1, 8]}}, "
	     "max_parallel: 3}\n",
		NULL);
	/* Two places at once and two more from 10 m on: 2, 4 and the last 2. */
	is("a", 0, 0, 25);
	is("b", 0, 25, 55);
	done();
}
END_TEST

/* A member needs its own one only. */
START_TEST(members_follow)
{
	make("- {name: a, run: x, sweep: [x], max_parallel: 1}\n"
	     "- {name: b, run: x, depends: [a], sweep: [x], max_parallel: 1, "
	     "resources: {time: 5m}}\n"
	     "- {name: c, run: x, depends: [b]}\n",
		NULL);
	is("a", 0, 0, 40);
	is("b", 0, 10, 45);
	is("c", 0, 45, 55);
	done();
}
END_TEST

START_TEST(not_known)
{
	make("- {name: a, run: x, resources: {partition: hidden}}\n"
	     "- {name: b, run: x, depends: [a]}\n"
	     "- {name: c, run: x}\n",
		NULL);
	ck_assert(plan->step[0].run == 600 && plan->step[0].wait < 0);
	ck_assert(plan->step[0].start < 0 && plan->step[0].end < 0);
	ck_assert(plan->step[1].start < 0 && plan->step[1].end < 0);
	is("c", 0, 0, 10);
	ck_assert(plan->end < 0);
	done();
}
END_TEST

/* What waits for room keeps nobody from it who is gone before. */
START_TEST(behind_another)
{
	make("- {name: first, run: x, resources: {exclusive: true, time: 15m}}\n"
	     "- {name: wide, run: x, resources: {nodes: 2, exclusive: true}}\n"
	     "- {name: short, run: x, resources: {time: 5m}}\n"
	     "- {name: long, run: x, resources: {time: 6m}}\n",
		NULL);
	is("first", 0, 0, 15);
	is("wide", 15, 15, 25);
	is("short", 10, 10, 15); /* on the node that is free from 10 m on */
	is("long", 25, 25, 31);
	done();
}
END_TEST

START_TEST(last_and_never)
{
	make("- {name: a, run: x}\n"
	     "- {name: oops, run: x, depends: [{step: a, state: failed}]}\n"
	     "- {name: tidy, run: x, finally: true, resources: {time: 1m}}\n"
	     "- {name: also, run: x, finally: true, resources: {time: 2m}}\n",
		NULL);
	is("a", 0, 0, 10);
	is("oops", 0, 10, 10);
	is("tidy", 0, 10, 11);
	is("also", 0, 10, 12);
	done();
}
END_TEST

START_TEST(of_the_past)
{
	const uint64_t out[] = {UINT64_C(60) << 30};
	const struct weft_select_past past[] = {{3, 60, out}, {2, 120, NULL}, {0}};

	make("- {name: a, run: x, sweep: [x], outputs: {o: o}}\n"
	     "- {name: b, run: x, inputs: [{from: a.o, as: all}]}\n"
	     "- {name: c, run: x, inputs: [{from: a.o, as: mine}], sweep: [x]}\n",
		past);
	ck_assert(plan->step[0].run == 60 && plan->step[1].run == 120);
	ck_assert(plan->step[2].run == 600);
	is("a", 0, 0, 1);
	is("b", 0, 1, 1 + 4 + 2); /* four times 60 GiB, a GiB a second */
	ck_assert(plan->step[0].bytes == WEFT_NO_BYTES);
	ck_assert(plan->step[1].bytes == UINT64_C(240) << 30);
	ck_assert(plan->step[2].bytes == UINT64_C(240) << 30); /* of all members */
	ck_assert(plan->bytes == UINT64_C(480) << 30);
	done();
}
END_TEST

/* In one job steps follow each other, as they need it and as it has CPUs. */
START_TEST(in_one_job)
{
	const uint64_t out[] = {UINT64_C(60) << 30};
	const struct weft_select_past past[] = {{1, 300, out}, {0}, {0}, {0}};

	mode = WEFT_GROUP_ALL;
	make("- {name: a, run: x, outputs: {o: o}, resources: {ntasks: 8}}\n"
	     "- {name: b, run: x, inputs: [{from: a.o, as: o}], resources: {ntasks: "
	     "4}}\n"
	     "- {name: c, run: x, depends: [a], resources: {ntasks: 4}}\n"
	     "- {name: d, run: x, depends: [a], resources: {ntasks: 8}}\n",
		past);
	ck_assert_uint_eq(plan->n_groups, 1);
	is("a", 0, 0, 5);
	is("b", 0, 5, 15); /* what a made is there */
	is("c", 0, 10, 20);
	is("d", 0, 15, 25);
	ck_assert(plan->group[0].shape.run == 25 * 60 && plan->end == 25 * 60);
	ck_assert(plan->step[1].bytes == 0 && plan->bytes == 0);
	done();
	/* Ten members in five jobs of two, after each other. */
	mode = WEFT_GROUP_AUTO;
	make("- {name: a, run: x, sweep: {i: {range: [1, 160]}}, max_parallel: 16}\n",
		NULL);
	ck_assert_uint_gt(plan->group[0].block, 1);
	ck_assert(plan->step[0].run == 600);
	ck_assert(plan->group[0].shape.run ==
		  600.0 * (double)plan->group[0].block / plan->group[0].width);
	ck_assert(plan->step[0].end >= 160 / 16 * 600);
	done();
}
END_TEST

static uint64_t state = 88172645463325252u;
static unsigned roll(unsigned n) /* 0 .. n-1 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static char *random_steps(unsigned n)
{
	struct weft_str s = {0};

	weft_str_add(&s, "name: t\nparams: {x: [1, 2, 3, 4], y: [1, 2]}\nsteps:\n");
	for (unsigned i = 0; i < n; i++) {
		weft_str_printf(&s, "- {name: s%u, run: x", i);
		if (i && roll(3))
			weft_str_printf(&s, ", depends: [s%u]", roll(i));
		if (roll(3) == 0)
			weft_str_printf(&s, ", sweep: [%s]", roll(2) ? "x" : "x, y");
		if (roll(3) == 0)
			weft_str_printf(&s, ", max_parallel: %u", 1 + roll(3));
		if (i + 1 == n && roll(3) == 0)
			weft_str_add(&s, ", finally: true");
		weft_str_printf(&s, ", resources: {time: %um, ", 1 + roll(60));
		if (roll(5) == 0)
			weft_str_add(&s, "gpus: 1}}\n");
		else if (roll(5) == 0)
			weft_str_add(&s, "nodes: 2, exclusive: true}}\n");
		else
			weft_str_printf(&s, "ntasks: %u}}\n", 1 + roll(8));
	}
	return weft_str_take(&s);
}

/* Nodes that the groups of a partition hold at a time, at least. */
static double held(const char *partition, double time)
{
	double sum = 0;

	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct weft_plan_group *g = &plan->group[i];

		if (weft_streq(g->shape.partition, partition) &&
			g->shape.start <= time && time < g->shape.end)
			sum += g->shape.nodes > 1
				       ? g->shape.nodes
				       : g->shape.ntasks_per_node *
						 g->shape.cpus_per_task / 8.0;
	}
	return sum;
}

#define MIB ((uint64_t)1 << 20)
static const char memory[] = "select_by_memory: true\n"
			     "partitions:\n"
			     "- {name: cpu, default: true, nodes: 'c[1-2]', "
			     "def_mem_per_cpu: 100M}\n"
			     "nodes:\n"
			     "- {nodes: 'c[1-2]', cpus: 8, mem: 4G}\n";

/* What lies in a node's memory is asked for with what the programs need. */
START_TEST(in_memory)
{
	static const uint64_t made[] = {300 * MIB, 50 * MIB};
	const struct weft_select_past past[] = {{1, 60, made}, {0}, {0}, {0}, {0}, {0}};
	const uint64_t file[] = {700 * MIB}, unknown[] = {WEFT_NO_BYTES};
	const uint64_t *const inputs[] = {NULL, NULL, NULL, file, unknown, NULL};
	static const struct {
		uint64_t mem, held;
	} want[] = {{1024 + 350, 350}, {500 + 300, 300}, {500, 0}, {200 + 700, 700},
		{0, 0}};
	struct weft_argv args = {0};

	given = inputs;
	make_of(memory,
		"name: t\nsteps:\n"
		"- {name: a, run: x, scratch: memory, resources: {mem: 1G, tmp: 9M},\n"
		"   outputs: {o: o, p: p}}\n"
		"- {name: b, run: x, inputs: [{from: a.o, to: memory}],\n"
		"   resources: {mem: 500M}}\n"
		"- {name: c, run: x, inputs: [{from: a.o, to: memory, mode: link}],\n"
		"   resources: {mem: 500M}}\n"
		"- {name: d, run: x, inputs: [{from: /big, as: big, to: memory}],\n"
		"   resources: {cpus_per_task: 2}}\n"
		"- {name: e, run: x, inputs: [{from: /no, as: no, to: memory}]}\n"
		"- {name: f, run: x, scratch: memory,\n"
		"   resources: {ntasks: 4, mem_per_cpu: 125M, tmp: 400M}}\n",
		past);
	for (size_t i = 0; i < 5; i++) {
		const struct weft_plan_step *s = &plan->step[i];

		ck_assert_msg(s->mem == want[i].mem * MIB &&
				      s->in_memory == want[i].held * MIB,
			"%s: %ju, %ju", s->name, (uintmax_t)(s->mem / MIB),
			(uintmax_t)(s->in_memory / MIB));
		ck_assert(s->tmp == 0);
	}
	ck_assert_uint_eq(plan->step[5].mem, 900 * MIB);
	ck_assert_uint_eq(plan->step[5].tmp, 0);
	ck_assert_int_eq(
		weft_plan_sbatch_args(&plan->group[plan->step[3].group], &args), 0);
	for (size_t i = 0; i < args.n; i++)
		if (weft_starts_with(args.v[i], "--mem="))
			ck_assert_str_eq(args.v[i], "--mem=900M");
	weft_argv_free(&args);

	/* It is kept with the run. */
	weft_autostr struct weft_str text = {0};
	struct weft_plan *again;
	struct weft_err err = {0};

	ck_assert_int_eq(weft_plan_print_json(plan, &text), 0);
	ck_assert_int_eq(weft_plan_parse_json(text.s, text.len, &again, &err), 0);
	ck_assert_uint_eq(again->step[0].in_memory, 350 * MIB);
	ck_assert_uint_eq(again->step[4].in_memory, 0);
	weft_plan_free(again);
	done();
	given = NULL;
}
END_TEST

static const char equal[] = "select_by_memory: false\n"
			    "partitions:\n"
			    "- {name: one, nodes: c1}\n"
			    "- {name: two, nodes: c2}\n"
			    "- {name: wide, nodes: 'c[3-9]'}\n"
			    "nodes:\n"
			    "- {nodes: 'c[1-9]', cpus: 8}\n";

/* Where nodes have what a step reads, there it goes; of many nodes the job gets one of
 * them by chance only. */
START_TEST(where_data_is)
{
	static const uint64_t made[] = {(uint64_t)600 << 30};
	const struct weft_select_past past[] = {{1, 60, made}, {0}, {0}};
	const struct weft_select_place there[] = {
		{0, 0, "c2", made[0]}, {0, 0, "nowhere", 0}};
	const struct weft_select_place spread[] = {{0, 0, "c3", made[0]}};
	const char *steps = "name: t\ndefaults: {resources: {time: 20m}}\nsteps:\n"
			    "- {name: a, run: x, scratch: node, outputs: {o: o}}\n"
			    "- {name: b, run: x, inputs: [{from: a.o, to: node}]}\n"
			    "- {name: c, run: x, inputs: [{from: a.o}]}\n";

	make_of(equal, steps, past);
	ck_assert_str_eq(plan->step[1].partition, plan->step[0].partition);
	done();
	place = there;
	n_places = WEFT_COUNT(there);
	make_of(equal, steps, past);
	ck_assert_str_eq(plan->step[1].partition, "two");
	/* What is read where it lies is in no cache. */
	ck_assert_str_eq(plan->step[2].partition, plan->step[0].partition);
	done();
	place = spread;
	n_places = WEFT_COUNT(spread);
	make_of(equal, steps, past);
	ck_assert_str_eq(plan->step[0].partition, "wide");
	ck_assert_str_eq(plan->step[1].partition, "wide");
	done();
	place = NULL;
	n_places = 0;
}
END_TEST

START_TEST(always)
{
	for (unsigned round = 0; round < 300; round++) {
		weft_autofree char *text = random_steps(1 + roll(20));
		weft_autostr struct weft_str once = {0}, twice = {0};

		make_of(small, text, NULL);
		ck_assert_int_eq(weft_plan_print_json(plan, &once), 0);
		for (size_t i = 0; i < plan->n_groups; i++) {
			const struct weft_plan_group *g = &plan->group[i];
			const struct weft_plan_step *s = &g->shape;
			double ready = 0;

			ck_assert_msg(
				s->start >= 0 && s->wait >= 0, "%s\n%s", g->name, text);
			ck_assert(s->end >= s->start + s->run - 0.01);
			ck_assert(plan->end >= s->end);
			for (size_t k = 0; k < g->n_needs; k++) {
				const struct weft_plan_step *n =
					&plan->group[g->need[k].group].shape;
				double from = g->need[k].corresponding
						      ? n->start + n->run
						      : n->end;

				ready = from > ready ? from : ready;
				ck_assert(s->end >= n->end - 0.01);
			}
			ck_assert_msg(s->start >= ready - 0.01 &&
					      s->start - s->wait <= ready + 0.01 &&
					      s->start - s->wait >= ready - 0.01,
				"%s\n%s", g->name, text);
			/* Two nodes, one of them from the tenth minute on. */
			ck_assert_msg(held("cpu", s->start) <=
					      (s->start < 600 ? 1.001 : 2.001),
				"%s: %g\n%s", g->name, held("cpu", s->start), text);
		}
		done();
		make_of(small, text, NULL);
		ck_assert_int_eq(weft_plan_print_json(plan, &twice), 0);
		ck_assert_str_eq(once.s, twice.s);
		done();
	}
}
END_TEST

SUITE("select_estimate", one_after_the_other, sweeps, members_follow, not_known,
	behind_another, last_and_never, of_the_past, in_one_job, in_memory,
	where_data_is, always)
