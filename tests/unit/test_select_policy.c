/* test_select_policy.c - what a plan can hold at once, and what the site allows. */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include "select/arith.h"
#include "select/width.h"

static const char cluster_text[] =
	"partitions:\n"
	"  - {name: cpu, default: true, max_time: 1d, nodes: \"c[1-40]\"}\n"
	"nodes:\n"
	"  - {nodes: \"c[1-40]\", state: idle, cpus: 16, cores: 16, sockets: 1,\n"
	"     threads_per_core: 1, mem: 64000M, gpus: {a100: 2}}\n";

static struct weft_workflow *wf;
static struct weft_cluster *cluster;
static struct weft_conf *conf;
static struct weft_plan *plan;

static void done(void)
{
	weft_plan_free(plan);
	weft_conf_free(conf);
	weft_cluster_free(cluster);
	weft_spec_free(wf);
	plan = NULL;
	conf = NULL;
	cluster = NULL;
	wf = NULL;
}

static void make(const char *conf_text, const char *workflow)
{
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	weft_autofree char *text = weft_printf("name: t\n%s", workflow);

	ck_assert_msg(
		weft_spec_parse("/t.yaml", text, strlen(text), NULL, &wf, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
	ck_assert_msg(weft_cluster_parse("c.yaml", cluster_text, strlen(cluster_text),
			      &cluster, &err) == 0,
		"%s", err.text);
	ck_assert_msg(weft_conf_parse("weft.conf", conf_text, strlen(conf_text), &conf,
			      &err) == 0,
		"%s", err.text);
	ck_assert_msg(weft_select_plan(wf, cluster, conf, NULL, &plan, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
}

static void note(void *ctx, const char *rule, const char *value)
{
	weft_str_printf(ctx, "%s=%s;", rule, value);
}

/* want "": allowed; else words of the first error, and what the admin is told. */
static void check(
	struct weft_policy p, const char *want, const char *hint, const char *admin)
{
	weft_autostr struct weft_str told = {0};
	struct weft_errs errs = {0};

	p.refused = note;
	p.ctx = &told;
	int r = weft_select_policy(wf, plan, conf, &p, &errs);
	ck_assert_int_eq(r, *want ? -1 : 0);
	ck_assert_uint_eq(errs.total, *want ? 1 : 0);
	if (*want) {
		ck_assert_int_eq(errs.v[0].code, WEFT_EPLACE);
		ck_assert_str_eq(errs.v[0].text, want);
		ck_assert_str_eq(errs.v[0].hint, hint);
		ck_assert_str_eq(errs.v[0].file, "/t.yaml");
	}
	ck_assert_str_eq(told.s ? told.s : "", admin);
	weft_errs_clear(&errs);
}

#define SWEEP                                                                          \
	"params: {x: {range: [1, 10]}}\n"                                              \
	"steps:\n"                                                                     \
	"  - {name: a, sweep: [x], run: x, resources: {nodes: 2, time: 1h}}\n"         \
	"  - {name: b, depends: [a], run: x, resources: {nodes: 6, time: 2h}}\n"

START_TEST(of_a_workflow)
{
	struct weft_policy p = {.user = "alice"};

	make("[limits]\nnodes = 20\n", SWEEP);
	check(p, "", "", "");
	done();
	make("contact = ops\n[limits]\nnodes = 19\n", SWEEP);
	check(p,
		"its jobs can hold 20 nodes at the same time; this site allows a "
		"workflow 19",
		"a: 10 jobs x 2 nodes = 20; max_parallel: 9 of step a would do; ask "
		"ops",
		"limits.nodes=20+0 nodes;");
	/* In an allocation that is there, its size is settled. */
	p.allocated = true;
	check(p, "", "", "");
	done();
	make("[limits]\nnode_hours = 31\n", SWEEP);
	check(p,
		"its steps may take 32 node-hours at their time limits; this site "
		"allows "
		"a workflow 31",
		"a: 10 jobs x 2 nodes x 1 h = 20; b: 6 nodes x 2 h = 12; ask the "
		"site's support",
		"limits.node_hours=32 node-hours;");
	done();
}
END_TEST

START_TEST(of_a_user)
{
	struct weft_policy p = {.user = "alice", .held_nodes = 12};

	make("[limits]\nnodes = 20\nuser_nodes = 32\n[user bob]\nuser_nodes = 31\n"
	     "[user carol]\nnodes = 8\nuser_nodes = none\n",
		SWEEP);
	check(p, "", "", "");
	p.held_nodes = 13;
	check(p,
		"its jobs can hold 20 nodes at the same time, and your other jobs of "
		"weft ask for 13; this site allows a user 32",
		"a: 10 jobs x 2 nodes = 20; max_parallel: 9 of step a would do; ask "
		"the "
		"site's support",
		"limits.user_nodes=20+13 nodes;");
	p.held_nodes = 1000;
	check(p,
		"its jobs can hold 20 nodes at the same time, and your other jobs of "
		"weft ask for 1000; this site allows a user 32",
		"a: 10 jobs x 2 nodes = 20; ask the site's support",
		"limits.user_nodes=20+1000 nodes;");
	p.held_nodes = 12;
	p.user = "bob";
	check(p,
		"its jobs can hold 20 nodes at the same time, and your other jobs of "
		"weft ask for 12; this site allows a user 31",
		"a: 10 jobs x 2 nodes = 20; max_parallel: 9 of step a would do; ask "
		"the "
		"site's support",
		"limits.user_nodes=20+12 nodes;");
	p.user = "carol";
	check(p,
		"its jobs can hold 20 nodes at the same time; this site allows a "
		"workflow 8",
		"a: 10 jobs x 2 nodes = 20; max_parallel: 4 of step a would do; ask "
		"the "
		"site's support",
		"limits.nodes=20+0 nodes;");
	done();
	/* Who holds too many GPUs may still run what needs none. */
	make("[limits]\nuser_gpus = 2\n", SWEEP);
	check((struct weft_policy){.held_gpus = 100}, "", "", "");
	done();
}
END_TEST

START_TEST(accounts)
{
	static const char one[] = "steps:\n  - {name: a, run: x}\n";
	struct weft_policy p = {0};

	make("[limits]\naccounts = x, y\n", one);
	check(p, "no account is named, and not all may be charged by weft here",
		"write account: one of x, y; ask the site's support",
		"limits.accounts=;");
	p.account = "z";
	check(p, "account z may not be charged by weft here",
		"write account: one of x, y; ask the site's support",
		"limits.accounts=z;");
	p.account = "y";
	check(p, "", "", "");
	done();
	make("[limits]\naccounts = x\n[role analysis]\naccount = x\n", one);
	check((struct weft_policy){0}, "", "", "");
	done();
}
END_TEST

/* ---- the width --------------------------------------------------------- */

#define GROUPS 10

struct random {
	struct weft_plan plan;
	struct weft_plan_group group[GROUPS];
	struct weft_plan_need need[GROUPS][GROUPS];
	bool waits[GROUPS][GROUPS]; /* for one another, over any way */
};

static void make_random(struct random *r, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	srand((unsigned)seed);
	r->plan.group = r->group;
	r->plan.n_groups = 1 + (size_t)rand() % GROUPS;
	for (unsigned i = 0; i < r->plan.n_groups; i++) {
		struct weft_plan_group *g = &r->group[i];

		g->name = "g";
		g->shape.nodes = 1 + (unsigned)rand() % 5;
		g->need = r->need[i];
		for (unsigned k = 0; k < i; k++) {
			if (rand() % 3)
				continue;
			g->need[g->n_needs++].group = k;
			r->waits[i][k] = true;
			for (unsigned m = 0; m < k; m++)
				r->waits[i][m] |= r->waits[k][m];
		}
	}
}

/* The widest set of which none waits for another, by trying all. */
static uint64_t widest(const struct random *r)
{
	uint64_t best = 0;

	for (unsigned set = 0; set < 1u << r->plan.n_groups; set++) {
		uint64_t sum = 0;
		bool good = true;

		for (unsigned i = 0; i < r->plan.n_groups && good; i++) {
			if (!(set >> i & 1))
				continue;
			sum += r->group[i].shape.nodes;
			for (unsigned k = 0; k < i; k++)
				good &= !(set >> k & 1) || !r->waits[i][k];
		}
		if (good && sum > best)
			best = sum;
	}
	return best;
}

START_TEST(never_less)
{
	size_t exact = 0;

	for (uint64_t seed = 0; seed < 2000; seed++) {
		const struct weft_plan_group *most;
		struct random r;
		uint64_t width, want, all = 0;

		make_random(&r, seed);
		want = widest(&r);
		ck_assert_int_eq(
			width_plan(&r.plan, WIDTH_NODES, &width, &most, NULL), 0);
		for (size_t i = 0; i < r.plan.n_groups; i++)
			all += r.group[i].shape.nodes;
		ck_assert_msg(width >= want && width <= all,
			"seed %ju: %ju, not %ju to %ju", (uintmax_t)seed,
			(uintmax_t)width, (uintmax_t)want, (uintmax_t)all);
		ck_assert_ptr_nonnull(most);
		exact += width == want;
	}
	/* Close enough to be of use: mostly it is the number itself. */
	ck_assert_uint_gt(exact, 1000);
}
END_TEST

START_TEST(turns)
{
	struct weft_plan_need need = {.group = 0, .corresponding = true};
	struct weft_plan_group g[2] = {
		{.name = "a", .tasks = 10, .shape = {.nodes = 2}},
		{.name = "b",
			.tasks = 10,
			.shape = {.nodes = 1},
			.need = &need,
			.n_needs = 1}};
	struct weft_plan p = {.group = g, .n_groups = 2};
	const struct weft_plan_group *most;
	uint64_t width;

	/* b's task i has a's task i's place. */
	ck_assert_int_eq(width_plan(&p, WIDTH_NODES, &width, &most, NULL), 0);
	ck_assert_uint_eq(width, 20);
	/* a has a queue of its own: tasks of both run at once. */
	g[0].max_parallel = 3;
	ck_assert_int_eq(width_plan(&p, WIDTH_NODES, &width, &most, NULL), 0);
	ck_assert_uint_eq(width, 16);
	need.corresponding = false;
	ck_assert_int_eq(width_plan(&p, WIDTH_NODES, &width, &most, NULL), 0);
	ck_assert_uint_eq(width, 10);
	ck_assert_int_eq(width_plan(&p, WIDTH_GPUS, &width, &most, NULL), 0);
	ck_assert_uint_eq(width, 0);
}
END_TEST

START_TEST(sums)
{
	struct weft_plan_step s[6] = {
		{.node_hours = 9, .core_hours = 72, .gpu_hours = 36},
		{.node_hours = 0.0278}, {.node_hours = 3}, {.node_hours = 4},
		{.node_hours = 1.5}, {.node_hours = 0}};
	unsigned step[6] = {0, 1, 2, 3, 4, 5};
	struct weft_plan_group g[5] = {{.name = "a",
					       .step = step,
					       .n_steps = 1,
					       .tasks = 3,
					       .shape = {.nodes = 2, .gpus = 8}},
		{.name = "b", .step = step + 1, .n_steps = 1, .shape = {.nodes = 1}},
		{.name = "c", .step = step + 2, .n_steps = 2, .shape = {.nodes = 7}},
		{.name = "d", .step = step + 4, .n_steps = 1, .shape = {.nodes = 1}},
		{.name = "e", .step = step + 5, .n_steps = 1, .shape = {.nodes = 1}}};
	struct weft_plan p = {.step = s, .n_steps = 6, .group = g, .n_groups = 5};
	weft_autostr struct weft_str out = {0}, cores = {0}, gpus = {0}, many = {0};

	ck_assert_int_eq(arith_print(&p, ARITH_NODE_HOURS, &out), 0);
	ck_assert_str_eq(out.s,
		"a: 3 jobs x 2 nodes x 90 min = 9; c: 7 nodes x 1 h = 7; "
		"d: 1 node x 90 min = 1.5; b: 1 node x 100 s = 0.0278");
	ck_assert_int_eq(arith_print(&p, ARITH_CORE_HOURS, &cores), 0);
	ck_assert_str_eq(cores.s, "a: 3 jobs x 2 nodes x 8 cores x 90 min = 72");
	ck_assert_int_eq(arith_print(&p, ARITH_GPU_HOURS, &gpus), 0);
	ck_assert_str_eq(gpus.s, "a: 3 jobs x 8 GPUs x 90 min = 36");
	s[5].node_hours = 0.1;
	ck_assert_int_eq(arith_print(&p, ARITH_NODE_HOURS, &many), 0);
	ck_assert_ptr_nonnull(
		strstr(many.s, "e: 1 node x 6 min = 0.1; 1 more = 0.0278"));
	ck_assert_ptr_eq(arith_most(&p, ARITH_NODE_HOURS), g);
	s[0].gpu_hours = 0;
	ck_assert_ptr_null(arith_most(&p, ARITH_GPU_HOURS));
}
END_TEST

/* ---- place ------------------------------------------------------------- */

static void is_placed(
	const char *conf_text, const char *place, bool bound, const char *want)
{
	weft_autofree char *steps =
		weft_printf("steps:\n  - {name: a, role: training, run: x%s%s}\n",
			*place ? ", place: " : "", place);
	weft_autofree char *got = NULL;
	struct weft_place_request r;

	make(conf_text, steps);
	ck_assert_int_eq(weft_select_place(&wf->step[0], conf, &r), bound);
	got = weft_printf("%d %d %d %u %u", r.cpus, r.balance_even, r.memory, r.smt,
		r.spare_cores);
	ck_assert_msg(weft_streq(got, want), "%s, %s: %s, not %s", conf_text, place,
		got, want);
	done();
}

START_TEST(places)
{
	static const char role[] =
		"[role training]\nplace.cpus = spread\nplace.balance = even\n"
		"place.memory = interleave\nplace.smt = all\nplace.spare_cores = 3\n";

	is_placed("", "", true, "0 0 0 1 0");
	is_placed(role, "", true, "1 1 1 0 3");
	/* A map is merged by key; a word takes the place of all. */
	is_placed(role, "{cpus: compact}", true, "2 1 1 0 3");
	is_placed(role, "{smt: 2, spare_cores: 0, memory: none}", true, "1 1 2 2 0");
	is_placed(role, "auto", true, "0 0 0 1 0");
	is_placed(role, "none", false, "0 0 0 1 0");
	/* The step, then the role, then the site say whether. */
	is_placed("bind = none\n", "", false, "0 0 0 1 0");
	is_placed("bind = none\n", "auto", true, "0 0 0 1 0");
	is_placed("bind = none\n[role training]\nbind = auto\n", "", true, "0 0 0 1 0");
	is_placed("[role training]\nbind = none\n", "", false, "0 0 0 1 0");
	is_placed(
		"[role training]\nbind = none\n", "{cpus: spread}", true, "1 0 0 1 0");
	is_placed("[role simulation]\nbind = none\nplace.cpus = spread\n", "", true,
		"0 0 0 1 0");
}
END_TEST

SUITE("policy", of_a_workflow, of_a_user, accounts, never_less, turns, sums, places)
