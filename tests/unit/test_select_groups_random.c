/*
 * Plans of random workflows on random clusters, in every mode of grouping, keep the
 * rules of plan_rules.h; what a site's limits let pass is within them, and a plan that
 * could not exceed them passes.  The same input gives the same bytes.
 *
 * WEFT_SEED=N runs the one case N, and prints it; WEFT_ROUNDS=N so many.
 */
#include "plan_rules.h"
#include "suite.h"

#define STEPS 9

static uint64_t state;

static unsigned roll(unsigned n) /* 0 .. n-1 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (unsigned)(state >> 33) % n : 0;
}

static bool one_in(unsigned n)
{
	return roll(n) == 0;
}

/* ---- what is asked ---------------------------------------------------------- */

static void add_sweep(struct weft_str *s, unsigned i, const bool *sweeps)
{
	unsigned other = roll(i + 1);

	switch (roll(5)) {
	case 0:
		weft_str_add(s, ", sweep: [a]");
		break;
	case 1:
		weft_str_add(s, ", sweep: [a, b]");
		break;
	case 2:
		weft_str_printf(
			s, ", sweep: {replicas: %u}", 1 + roll(one_in(4) ? 3000 : 40));
		break;
	case 3:
		weft_str_printf(s, ", sweep: {x: {range: [1, %u]}}",
			1 + roll(one_in(4) ? 500 : 20));
		break;
	default:
		if (other < i && sweeps[other])
			weft_str_printf(s, ", sweep: {each: s%u}", other);
		else
			weft_str_add(s, ", sweep: [b]");
	}
	if (one_in(3))
		weft_str_printf(s, ", max_parallel: %u", 1 + roll(12));
}

static void add_depends(struct weft_str *s, unsigned i, const bool *sweeps)
{
	bool any = false;

	for (unsigned k = 0; k < i; k++) {
		if (!one_in(i < 3 ? 2 : i))
			continue;
		weft_str_add(s, any ? ", " : ", depends: [");
		any = true;
		if (one_in(6))
			weft_str_printf(s, "{step: s%u, state: %s}", k,
				one_in(2) ? "ended" : "failed");
		else
			weft_str_printf(s, sweeps[k] && one_in(3) ? "s%u.*" : "s%u", k);
	}
	if (any)
		weft_str_addc(s, ']');
}

static void add_resources(struct weft_str *s)
{
	weft_str_printf(s, ", resources: {cpus_per_task: %u", 1 + roll(3));
	if (one_in(3))
		weft_str_printf(s, ", nodes: %u", 1 + roll(2));
	else if (one_in(2))
		weft_str_printf(s, ", ntasks: %u", 2 + roll(9));
	if (one_in(4))
		weft_str_printf(s, ", gpus_per_node: %u", 1 + roll(2));
	if (one_in(4))
		weft_str_printf(s, ", mem: %uG", 1 + roll(8));
	if (!one_in(5))
		weft_str_printf(s, ", time: %um", 1 + roll(one_in(5) ? 400 : 30));
	weft_str_add(s, "}");
}

static char *random_workflow(void)
{
	struct weft_str s = {0};
	bool sweeps[STEPS];
	unsigned n = 1 + roll(STEPS);

	weft_str_add(&s, "name: r\n");
	if (one_in(6))
		weft_str_printf(&s, "budget: {node_hours: %u}\n",
			1 + roll(one_in(2) ? 9 : 400));
	weft_str_printf(&s, "params: {a: [1, 2, 3], b: [x, y]}\nsteps:\n");
	for (unsigned i = 0; i < n; i++) {
		weft_str_printf(&s, "  - {name: s%u, run: x", i);
		add_depends(&s, i, sweeps);
		sweeps[i] = one_in(2);
		if (sweeps[i])
			add_sweep(&s, i, sweeps);
		if (i + 1 == n && one_in(4))
			weft_str_add(&s, ", finally: true");
		else if (one_in(8))
			weft_str_add(&s, ", optional: true");
		add_resources(&s);
		weft_str_add(&s, "}\n");
	}
	return weft_str_take(&s);
}

static char *random_cluster(void)
{
	struct weft_str s = {0};
	unsigned n = 1 + roll(3);

	if (one_in(2))
		weft_str_printf(&s, "max_array_size: %u\n", 11 + roll(1000));
	weft_str_printf(&s, "select_by_memory: %s\npartitions:\n",
		one_in(2) ? "true" : "false");
	for (unsigned i = 0; i < n; i++) {
		weft_str_printf(&s, "  - {name: p%u, nodes: \"n%u[1-%u]\"%s", i, i,
			1 + roll(8), i ? "" : ", default: true");
		if (one_in(2))
			weft_str_printf(&s, ", max_time: %um", 20 + roll(600));
		if (one_in(5))
			weft_str_printf(&s, ", max_nodes: %u", 1 + roll(4));
		if (one_in(5))
			weft_str_add(&s, ", exclusive: true");
		if (one_in(4))
			weft_str_add(&s, ", default_time: 10m");
		weft_str_add(&s, "}\n");
	}
	weft_str_add(&s, "nodes:\n");
	for (unsigned i = 0; i < n; i++) {
		unsigned cpus = 1u << (1 + roll(6));

		weft_str_printf(&s,
			"  - {nodes: \"n%u[1-8]\", state: %s, cpus: %u, cores: %u, "
			"sockets: 1, threads_per_core: 1, mem: %uG",
			i, one_in(4) ? "allocated" : "idle", cpus, cpus, 8 << roll(4));
		if (one_in(2))
			weft_str_printf(&s, ", gpus: {a: %u}", 1 + roll(4));
		weft_str_add(&s, "}\n");
	}
	return weft_str_take(&s);
}

static char *random_conf(void)
{
	struct weft_str s = {0};

	if (one_in(3))
		weft_str_printf(&s, "group_jobs = %u\n", 1 + roll(20));
	if (one_in(3))
		weft_str_printf(&s, "group_waste = %u\n", roll(100));
	if (one_in(3))
		weft_str_printf(&s, "group_time = %um\n", 5 + roll(300));
	weft_str_add(&s, "[limits]\n");
	if (one_in(3))
		weft_str_printf(&s, "nodes = %u\n", 1 + roll(20));
	if (one_in(4))
		weft_str_printf(&s, "gpus = %u\n", 1 + roll(20));
	if (one_in(4))
		weft_str_printf(&s, "members = %u\n", 1 + roll(200));
	if (one_in(4))
		weft_str_printf(&s, "time = %um\n", 10 + roll(400));
	if (one_in(4))
		weft_str_printf(&s, "node_hours = %u\n", 1 + roll(60));
	return weft_str_take(&s);
}

/* ---- the site's limits -------------------------------------------------------- */

/* What the jobs hold if all that can run does, and the most of one of them. */
static void widths(const struct weft_plan *p, uint64_t all[2], uint64_t most[2])
{
	all[0] = all[1] = most[0] = most[1] = 0;
	for (size_t g = 0; g < p->n_groups; g++)
		for (int k = 0; k < 2; k++) {
			const struct weft_plan_step *s = &p->group[g].shape;
			uint64_t n = plan_jobs(&p->group[g]) * (k ? s->gpus : s->nodes);

			all[k] += n;
			most[k] = n > most[k] ? n : most[k];
		}
}

static const char *limits_broken(const struct weft_workflow *wf,
	const struct weft_plan *p, const struct weft_conf *conf)
{
	const struct weft_policy policy = {0};
	const struct weft_conf_limits *l = &conf->limits;
	struct weft_errs errs = {0};
	bool passes = weft_select_policy(wf, p, conf, &policy, &errs) == 0;
	uint64_t all[2], most[2], members = 0;
	bool out = false, maybe = false;

	PLAN_RULE(passes == !errs.n, "a refusal says why");
	weft_errs_clear(&errs);
	widths(p, all, most);
	for (size_t i = 0; i < p->n_steps; i++)
		members += p->step[i].members;
	for (size_t g = 0; g < p->n_groups; g++)
		out |= l->time &&
		       (!p->group[g].shape.time || p->group[g].shape.time > l->time);
	out |= l->members && members > l->members;
	out |= l->node_hours > 0 && p->node_hours > l->node_hours * (1 + 1e-9);
	out |= (l->nodes && most[0] > l->nodes) || (l->gpus && most[1] > l->gpus);
	maybe = (l->nodes && all[0] > l->nodes) || (l->gpus && all[1] > l->gpus) ||
		l->node_hours > 0;
	PLAN_RULE(!passes || !out, "what passes is within the site's limits");
	PLAN_RULE(passes || out || maybe, "what is within the site's limits passes");
	PLAN_RULE(!wf->budget.node_hours ||
			  p->node_hours <= wf->budget.node_hours * (1 + 1e-9),
		"a plan is within its budget");
	return NULL;
}

/* ---- one case ------------------------------------------------------------------ */

static unsigned planned, refused;

static char *plan_text(const struct weft_workflow *wf, const struct weft_cluster *c,
	const struct weft_conf *conf, enum weft_group_mode mode, const char **broken)
{
	const struct weft_select_options opt = {.group = mode};
	struct weft_str s = {0};
	struct weft_errs errs = {0};
	struct weft_plan *p, *again;

	if (weft_select_plan(wf, c, conf, &opt, &p, &errs)) {
		*broken = errs.n && !p ? NULL : "a refusal says why";
		for (size_t i = 0; i < errs.n; i++)
			weft_str_printf(&s, "%s\n", errs.v[i].text);
		weft_errs_clear(&errs);
		refused++;
		return weft_str_take(&s);
	}
	planned++;
	*broken = plan_broken(wf, c, p);
	if (!*broken)
		*broken = limits_broken(wf, p, conf);
	weft_plan_print_json(p, &s);
	if (!*broken && weft_plan_parse_json(s.s, s.len, &again, NULL))
		*broken = "a plan's JSON reads again";
	else if (!*broken)
		weft_plan_free(again);
	weft_plan_free(p);
	return weft_str_take(&s);
}

static void run_case(uint64_t seed, bool say)
{
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	struct weft_workflow *wf;
	struct weft_cluster *c;
	struct weft_conf *conf;

	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	weft_autofree char *text = random_workflow(), *cluster = random_cluster(),
			   *site = random_conf();
	ck_assert_msg(
		weft_spec_parse("/r.yaml", text, strlen(text), NULL, &wf, &errs) == 0,
		"%s\n%s", text, errs.n ? errs.v[0].text : "");
	ck_assert_msg(
		weft_cluster_parse("c.yaml", cluster, strlen(cluster), &c, &err) == 0,
		"%s\n%s", cluster, err.text);
	ck_assert_msg(
		weft_conf_parse("weft.conf", site, strlen(site), &conf, &err) == 0,
		"%s\n%s", site, err.text);
	for (int m = WEFT_GROUP_AUTO; m <= WEFT_GROUP_ALL; m++) {
		const char *broken, *again;
		weft_autofree char *one =
			plan_text(wf, c, conf, (enum weft_group_mode)m, &broken);
		weft_autofree char *two =
			plan_text(wf, c, conf, (enum weft_group_mode)m, &again);

		if (!broken && strcmp(one, two) != 0)
			broken = "the same again";
		if (say || broken)
			printf("%s---\n%s---\n%s---\nmode %d\n%s\n", text, cluster,
				site, m, one);
		fflush(stdout);
		ck_assert_msg(!broken, "does not hold: %s (WEFT_SEED=%llu)", broken,
			(unsigned long long)seed);
	}
	weft_conf_free(conf);
	weft_cluster_free(c);
	weft_spec_free(wf);
}

START_TEST(random_groups)
{
	const char *one = getenv("WEFT_SEED"), *many = getenv("WEFT_ROUNDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t rounds = one ? 1 : many ? strtoull(many, NULL, 10) : 1000;

	for (uint64_t seed = first; seed < first + rounds; seed++)
		run_case(seed, one != NULL);
	/* Both happen often, or this shows nothing. */
	ck_assert(one || planned > rounds);
	ck_assert(one || refused > rounds / 4);
}
END_TEST

SUITE("select_groups_random", random_groups)
