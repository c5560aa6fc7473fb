/* test_select_group.c - which steps and members share a job. */
#include "suite.h"

#include <string.h>

#include "select/select.h"

static const char cluster_text[] =
	"max_array_size: 101\n"
	"partitions:\n"
	"  - {name: cpu, default: true, max_time: 12h, nodes: \"c[1-8]\"}\n"
	"  - {name: gpu, max_time: 12h, nodes: \"g[1-4]\"}\n"
	"  - {name: whole, max_time: 12h, exclusive: true, nodes: \"c[1-8]\"}\n"
	"nodes:\n"
	"  - {nodes: \"c[1-8]\", state: idle, cpus: 16, cores: 16, sockets: 1,\n"
	"     threads_per_core: 1, mem: 64000M}\n"
	"  - {nodes: \"g[1-4]\", state: idle, cpus: 64, cores: 64, sockets: 2,\n"
	"     threads_per_core: 1, mem: 256000M, gpus: {a100: 4}}\n";

static struct weft_workflow *wf;
static struct weft_cluster *cluster;
static struct weft_conf *conf;
static struct weft_plan *plan;
static struct weft_errs errs;

static int make(const char *steps, enum weft_group_mode mode, const char *site)
{
	const struct weft_select_options opt = {.group = mode};
	struct weft_err err = {0};
	weft_autofree char *text = weft_printf("name: t\nsteps:\n%s", steps);

	ck_assert_msg(
		weft_spec_parse("/t.yaml", text, strlen(text), NULL, &wf, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
	ck_assert_msg(weft_cluster_parse("c.yaml", cluster_text, strlen(cluster_text),
			      &cluster, &err) == 0,
		"%s", err.text);
	ck_assert_msg(
		weft_conf_parse("weft.conf", site, strlen(site), &conf, &err) == 0,
		"%s", err.text);
	return weft_select_plan(wf, cluster, conf, &opt, &plan, &errs);
}

static void done(void)
{
	weft_plan_free(plan);
	weft_conf_free(conf);
	weft_cluster_free(cluster);
	weft_spec_free(wf);
	weft_errs_clear(&errs);
	plan = NULL;
}

/* "a+b %max_parallel tasks*block/width NODESxTASKS@MINUTES after x y*; ..." */
static char *groups(void)
{
	struct weft_str s = {0};

	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct weft_plan_group *g = &plan->group[i];

		weft_str_printf(&s, "%s%s ", i ? "; " : "", g->name);
		if (g->max_parallel)
			weft_str_printf(&s, "%%%u ", g->max_parallel);
		weft_str_printf(&s, "%zu*%zu/%u %ux%u@%jd", g->tasks, g->block,
			g->width, g->shape.nodes, g->shape.ntasks,
			(intmax_t)g->shape.time / 60);
		for (size_t k = 0; k < g->n_needs; k++)
			weft_str_printf(&s, "%s %s%s", k ? "" : " after",
				plan->group[g->need[k].group].name,
				g->need[k].corresponding ? "*" : "");
	}
	return weft_str_take(&s);
}

#define STEP(name, more) "  - {name: " name ", run: x, " more "}\n"
#define LOOP "loop: {steps: [a, b], max: 3}\n"
#define SWEEP(n) "sweep: {i: {range: [1, " #n "]}}, "

static const struct {
	const char *what, *steps;
	enum weft_group_mode mode;
	const char *site, *groups;
} cases[] = {
	{"few members are jobs of their own",
		STEP("s", SWEEP(12) "resources: {time: 10m}"), WEFT_GROUP_AUTO, "",
		"s 12*1/1 1x1@11"},
	{"long ones have no time for another",
		STEP("s", SWEEP(12) "resources: {time: 11m}"), WEFT_GROUP_AUTO, "",
		"s 12*1/1 1x1@11"},
	{"many share a handful of jobs, as wide as the partition",
		STEP("s", SWEEP(1000) "resources: {time: 10m}"), WEFT_GROUP_AUTO, "",
		"s 16*63/8 1x8@81"},
	{"as many at a time as they may be",
		STEP("s", SWEEP(120) "max_parallel: 4, resources: {time: 1m}"),
		WEFT_GROUP_AUTO, "", "s %4 4*30/1 1x1@31"},
	{"longer ones in more jobs, a site's time at the most",
		STEP("s", SWEEP(120) "max_parallel: 4, resources: {time: 1h}"),
		WEFT_GROUP_AUTO, "", "s %4 40*3/1 1x1@181"},
	{"a site's number of jobs", STEP("s", SWEEP(100) "resources: {time: 10m}"),
		WEFT_GROUP_AUTO, "group_jobs = 4\n", "s 4*25/25 2x25@11"},
	{"whole nodes are filled",
		STEP("s", SWEEP(16) "resources: {partition: whole, time: 10m}"),
		WEFT_GROUP_AUTO, "", "s 0*16/16 1x16@11"},
	{"within an array's size",
		STEP("s", SWEEP(2000) "resources: {ntasks: 16, time: 10m}"),
		WEFT_GROUP_AUTO, "", "s 87*23/1 1x16@231"},
	{"longer than the site likes, before there are too many",
		STEP("s", SWEEP(500) "max_parallel: 1, resources: {ntasks: 16, time: "
				     "2h}"),
		WEFT_GROUP_AUTO, "", "s %1 100*5/1 1x16@601"},
	{"GPUs side by side", STEP("s", SWEEP(64) "resources: {gpus: 1, time: 10m}"),
		WEFT_GROUP_AUTO, "", "s 16*4/1 1x1@41"},
	{"none: each by itself",
		STEP("s", SWEEP(60) "max_parallel: 7, resources: {time: 10m}")
			STEP("t", "depends: [s], resources: {time: 10m}"),
		WEFT_GROUP_NONE, "", "s %7 60*1/1 1x1@10; t 0*1/1 1x1@10 after s"},
	{"a loop is one job of all rounds",
		STEP("a", "resources: {time: 10m}")
			STEP("b", "depends: [a], resources: {time: 20m}")
				STEP("c", "depends: [b], resources: {time: 5m}") LOOP,
		WEFT_GROUP_AUTO, "", "a+b+c 0*1/1 1x1@96"},
	{"or where it can't be one, of a round",
		STEP("a", "resources: {time: 10m}")
			STEP("b", "depends: [a], resources: {gpus: 1, partition: gpu, "
				  "time: 20m}")
				STEP("c", "depends: [b], resources: {time: 5m}") LOOP,
		WEFT_GROUP_AUTO, "",
		"a 0*1/1 1x1@10; b 0*1/1 1x1@20 after a; c 0*1/1 1x1@5 after b"},
	{"with as few as can be",
		STEP("a", SWEEP(4) "resources: {time: 10m}") STEP(
			"b", "depends: [a], resources: {time: 20m}") STEP("g",
			"depends: [b], resources: {gpus: 1, "
			"partition: gpu, time: 5m}") STEP("c",
			"depends: [g], resources: {time: 5m}") "loop: {steps: [a, b, "
							       "g], max: 3}\n",
		WEFT_GROUP_AUTO, "",
		"a+b 0*4/4 1x1@31; g 0*1/1 1x1@5 after a+b; c 0*1/1 1x1@5 after g"},
	{"a chain of equals is one job",
		STEP("a", "resources: {ntasks: 4, time: 10m}")
			STEP("b", "depends: [a], resources: {ntasks: 4, time: 20m}")
				STEP("c", "depends: [b], resources: {ntasks: 4, time: "
					  "5m}"),
		WEFT_GROUP_AUTO, "", "a+b+c 0*1/1 1x4@36"},
	{"not where too much would lie idle",
		STEP("a", "resources: {ntasks: 16, time: 10m}")
			STEP("b", "depends: [a], resources: {ntasks: 1, time: 20m}"),
		WEFT_GROUP_AUTO, "", "a 0*1/1 1x16@10; b 0*1/1 1x1@20 after a"},
	{"but where it is little",
		STEP("a", "resources: {ntasks: 16, time: 200m}")
			STEP("b", "depends: [a], resources: {ntasks: 1, time: 20m}"),
		WEFT_GROUP_AUTO, "", "a+b 0*1/1 1x1@221"},
	{"as the site allows",
		STEP("a", "resources: {ntasks: 16, time: 10m}")
			STEP("b", "depends: [a], resources: {ntasks: 1, time: 20m}"),
		WEFT_GROUP_AUTO, "group_waste = 70\n", "a+b 0*1/1 1x1@31"},
	{"not where another would wait longer",
		STEP("a", "resources: {time: 10m}")
			STEP("b", "depends: [a], resources: {time: 10m}")
				STEP("c", "depends: [a], resources: {gpus: 1, time: "
					  "5m}"),
		WEFT_GROUP_AUTO, "",
		"a 0*1/1 1x1@10; b 0*1/1 1x1@10 after a; c 0*1/1 1x1@5 after a"},
	{"not where it would start later",
		STEP("g", "resources: {gpus: 1, time: 5m}")
			STEP("a", "resources: {time: 10m}")
				STEP("b", "depends: [a, g], resources: {time: 10m}"),
		WEFT_GROUP_AUTO, "",
		"g 0*1/1 1x1@5; a 0*1/1 1x1@10; b 0*1/1 1x1@10 after a g"},
	{"sweeps that correspond go together, member by member",
		STEP("a", SWEEP(8) "resources: {ntasks: 2, time: 10m}")
			STEP("b", "sweep: {each: a}, depends: [a], resources: {ntasks: "
				  "2, time: 10m}"),
		WEFT_GROUP_AUTO, "", "a+b 8*1/1 1x2@21"},
	{"and no more of either at a time than it may",
		STEP("a", SWEEP(8) "resources: {ntasks: 2, time: 10m}")
			STEP("b", "sweep: {each: a}, max_parallel: 2, depends: [a], "
				  "resources: {ntasks: 2, time: 10m}"),
		WEFT_GROUP_AUTO, "", "a+b %2 8*1/1 1x2@21"},
	{"all: whatever can",
		STEP("a", SWEEP(8) "resources: {ntasks: 2, time: 10m}")
			STEP("b", "depends: [a], resources: {gpus: 1, time: 10m}")
				STEP("c", "depends: [a], resources: {time: 10m}"),
		WEFT_GROUP_ALL, "", "a+c 0*8/8 1x1@21; b 0*1/1 1x1@10 after a+c"},
	{"what comes after a failure is by itself",
		STEP("a", "resources: {time: 10m}") STEP("b",
			"depends: [{step: a, state: failed}], resources: {time: 10m}"),
		WEFT_GROUP_ALL, "", "a 0*1/1 1x1@10; b 0*1/1 1x1@10 after a"},
	{"what comes last, too",
		STEP("a", "resources: {time: 10m}")
			STEP("b", "finally: true, resources: {time: 10m}"),
		WEFT_GROUP_ALL, "", "a 0*1/1 1x1@10; b 0*1/1 1x1@10 after a"},
};

START_TEST(case_of)
{
	ck_assert_msg(make(cases[_i].steps, cases[_i].mode, cases[_i].site) == 0,
		"%s: %s", cases[_i].what, errs.n ? errs.v[0].text : "");
	weft_autofree char *got = groups();

	ck_assert_msg(weft_streq(got, cases[_i].groups), "%s:\n  got  %s\n  want %s",
		cases[_i].what, got, cases[_i].groups);
	done();
}
END_TEST

/* Whose jobs may run each other's members, and how long that takes. */
START_TEST(turns)
{
	static const struct {
		const char *steps;
		int64_t seconds[2];
	} t[] = {
		{STEP("a", SWEEP(3) "resources: {time: 1m}")
				STEP("b", "depends: [a], resources: {time: 1m}"),
			{60, 0}},
		{STEP("a", SWEEP(1000) "resources: {time: 10m}")
				STEP("b", "depends: [a]"),
			{8 * 600, 0}},
		/* what follows task 3 waits for just that */
		{STEP("a", SWEEP(3) "resources: {time: 1m}")
				STEP("b", "sweep: {each: a}, depends: [a], resources: "
					  "{gpus: 1, time: 1m}"),
			{0, 0}},
	};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		ck_assert_int_eq(make(t[i].steps, WEFT_GROUP_AUTO, ""), 0);
		ck_assert_uint_eq(plan->n_groups, 2);
		for (size_t g = 0; g < 2; g++)
			ck_assert_msg(weft_plan_block_time(plan, g) == t[i].seconds[g],
				"row %zu, group %zu: %jd", i, g,
				(intmax_t)weft_plan_block_time(plan, g));
		done();
	}
}
END_TEST

START_TEST(more_than_an_array_holds)
{
	ck_assert_int_eq(make(STEP("s", SWEEP(200) "resources: {time: 10m}"),
				 WEFT_GROUP_NONE, ""),
		-1);
	ck_assert_ptr_nonnull(strstr(errs.v[0].text, "200 members are more than"));
	ck_assert_ptr_nonnull(strstr(errs.v[0].hint, "--group=none"));
	done();
	ck_assert_int_eq(
		make(STEP("s", SWEEP(2000) "resources: {ntasks: 16, time: 12h}"),
			WEFT_GROUP_AUTO, ""),
		-1);
	ck_assert_ptr_nonnull(strstr(errs.v[0].hint, "several steps"));
	done();
}
END_TEST

/* Blocks have all members, each once, in order, as evenly as can be. */
START_TEST(members_in_blocks)
{
	for (size_t n = 1; n < 70; n++)
		for (size_t blocks = 1; blocks <= n; blocks++) {
			size_t next = 0;

			for (size_t b = 0; b < blocks; b++) {
				size_t first = weft_sweep_block_first(n, blocks, b);
				size_t end = weft_sweep_block_first(n, blocks, b + 1);

				ck_assert_uint_eq(first, next);
				ck_assert_uint_ge(end - first, n / blocks);
				ck_assert_uint_le(end - first, n / blocks + 1);
				for (size_t i = first; i < end; i++)
					ck_assert_uint_eq(
						weft_sweep_block_of(n, blocks, i), b);
				next = end;
			}
			ck_assert_uint_eq(next, n);
		}
	ck_assert_uint_eq(weft_sweep_block_first(SIZE_MAX, 1000, 1000), SIZE_MAX);
}
END_TEST

static uint64_t seed;
static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* Steps and needs at random: a group needs earlier ones only, every step is in one,
 * and what a step needs is in its group or in one that the group waits for. */
START_TEST(any_graph)
{
	seed = (uint64_t)_i * 2654435761u + 12345;
	weft_autostr struct weft_str text = {0};
	unsigned n = 2 + pick(12);

	for (unsigned i = 0; i < n; i++) {
		weft_str_printf(&text, "  - {name: s%u, run: x, ", i);
		if (pick(3) == 0)
			weft_str_printf(
				&text, "sweep: {i: {range: [1, %u]}}, ", 1 + pick(40));
		weft_str_add(&text, "depends: [");
		for (unsigned k = 0, first = 1; k < i; k++)
			if (pick(4) == 0) {
				weft_str_printf(&text, "%ss%u", first ? "" : ", ", k);
				first = 0;
			}
		weft_str_printf(&text, "]%s, resources: {%s: %u, time: %um}}\n",
			i + 1 < n || pick(2) ? "" : ", finally: true",
			pick(4) ? "ntasks" : "gpus", 1 + pick(4), 1 + pick(90));
	}
	for (int mode = 0; mode < 3; mode++) {
		ck_assert_msg(make(text.s, (enum weft_group_mode)mode, "") == 0,
			"%s\n%s", errs.v[0].text, text.s);
		size_t steps = 0;
		for (unsigned g = 0; g < plan->n_groups; g++) {
			const struct weft_plan_group *pg = &plan->group[g];

			steps += pg->n_steps;
			for (size_t k = 0; k < pg->n_needs; k++)
				ck_assert_uint_lt(pg->need[k].group, g);
			for (size_t k = 0; k < pg->n_steps; k++) {
				unsigned s = pg->step[k];

				ck_assert_uint_eq(plan->step[s].group, g);
				for (size_t e = 0; e < wf->step[s].n_edges; e++) {
					unsigned from =
						plan->step[wf->step[s].edge[e].step]
							.group;
					bool known = from == g;

					for (size_t j = 0; j < pg->n_needs; j++)
						known |= pg->need[j].group == from;
					ck_assert(known);
				}
				ck_assert_uint_le(plan->step[s].cpus_per_task *
							  plan->step[s].ntasks_per_node,
					pg->shape.cpus_per_task *
						pg->shape.ntasks_per_node);
				ck_assert_int_le(plan->step[s].time, pg->shape.time);
				ck_assert_uint_le(plan->step[s].gpus_per_node,
					pg->shape.gpus_per_node);
				ck_assert(!pg->tasks || pg->tasks * pg->block >=
								plan->step[s].members);
			}
		}
		ck_assert_uint_eq(steps, plan->n_steps);
		done();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("select_group");
	TCase *c = tcase_create("select_group");
	SRunner *r;

	tcase_add_loop_test(c, case_of, 0, WEFT_COUNT(cases));
	tcase_add_test(c, turns);
	tcase_add_test(c, more_than_an_array_holds);
	tcase_add_test(c, members_in_blocks);
	tcase_add_loop_test(c, any_graph, 0, 200);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);

	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
