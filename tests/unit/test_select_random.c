/* test_select_random.c - what holds of every plan, on random workflows and
 * clusters (of a fixed seed): nodes hold what is put on them, limits are kept,
 * CPU work stays off GPU partitions, what could be placed is placed, and the same
 * input gives the same bytes. */
#include "suite.h"

#include <string.h>

#include "select/select.h"

#define ROUNDS 400
#define STEPS 12
#define PARTITIONS 4

static uint64_t state;

static unsigned roll(unsigned n) /* 0 .. n-1 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

/* A partition of two kinds of nodes; some are down. */
static void add_partition(struct weft_str *parts, struct weft_str *nodes, unsigned i)
{
	unsigned gpus = roll(3) ? 0 : 1 + roll(8);

	weft_str_printf(parts, "  - {name: p%u, nodes: \"n%u[1-9]\"", i, i);
	if (roll(3) == 0)
		weft_str_printf(parts, ", max_time: %um", 10 + roll(100));
	if (roll(3) == 0)
		weft_str_printf(parts, ", default_time: 5m");
	if (roll(4) == 0)
		weft_str_printf(parts, ", max_nodes: %u", 1 + roll(6));
	if (roll(6) == 0)
		weft_str_printf(parts, ", min_nodes: 2");
	if (roll(5) == 0)
		weft_str_printf(parts, ", max_cpus_per_node: %u", 1 + roll(32));
	if (roll(5) == 0)
		weft_str_printf(parts, ", max_mem_per_node: %uG", 1 + roll(64));
	if (roll(4) == 0)
		weft_str_add(parts, ", def_mem_per_cpu: 1G");
	if (roll(10) == 0)
		weft_str_add(parts, ", up: false");
	weft_str_printf(
		parts, "%s}\n", roll(4) == 0 && i == 1 ? ", default: true" : "");
	for (unsigned k = 1; k <= 9; k++) {
		static const char *const states[] = {
			"idle", "idle", "mixed", "allocated", "down"};
		unsigned cpus = k < 5 ? 16 : 1u << (2 + i % 4);

		weft_str_printf(nodes,
			"  - {nodes: n%u%u, state: %s, cpus: %u, cores: %u, sockets: "
			"1, "
			"threads_per_core: 1, mem: %uG",
			i, k, states[roll(5)], cpus, cpus, k < 5 ? 32 : 64);
		if (gpus)
			weft_str_printf(
				nodes, ", gpus: {%s: %u}", k < 5 ? "a" : "b", gpus);
		weft_str_add(nodes, "}\n");
	}
}

static struct weft_cluster *random_cluster(void)
{
	weft_autostr struct weft_str parts = {0}, nodes = {0}, all = {0};
	struct weft_err err = {0};
	struct weft_cluster *c;
	unsigned n = 1 + roll(PARTITIONS);

	for (unsigned i = 0; i < n; i++)
		add_partition(&parts, &nodes, i);
	weft_str_printf(&all, "select_by_memory: true\npartitions:\n%snodes:\n%s",
		parts.s, nodes.s);
	ck_assert_msg(
		weft_cluster_parse("c", all.s, all.len, &c, &err) == 0, "%s", err.text);
	return c;
}

/* What a step was asked for, to check it by brute force. */
struct wish {
	unsigned nodes, tasks, per_node, cpus, gpus, gpus_node;
	uint64_t mem; /* GiB */
	unsigned minutes;
	bool b;        /* gpu_type: b */
	int partition; /* -1: any */
};

static void make_wish(struct wish *w)
{
	memset(w, 0, sizeof(*w));
	w->cpus = roll(3) ? 1 : 1 + roll(20);
	if (roll(2))
		w->tasks = 1 + roll(60);
	else if (roll(2))
		w->per_node = 1 + roll(20);
	if (roll(3) == 0)
		w->nodes = 1 + roll(5);
	if (w->nodes && w->tasks && w->tasks < w->nodes)
		w->tasks = w->nodes;
	if (roll(3) == 0) {
		if (roll(2) || w->tasks)
			w->gpus_node = 1 + roll(6);
		else
			w->gpus = (w->nodes ? w->nodes : 1) + roll(20);
		w->b = roll(3) == 0;
	}
	if (roll(4) == 0)
		w->mem = 1 + roll(70);
	if (roll(2))
		w->minutes = 1 + roll(100);
	w->partition = roll(6) == 0 ? (int)roll(PARTITIONS) : -1;
}

static void print_wish(struct weft_str *s, const struct wish *w, unsigned i)
{
	weft_str_printf(
		s, "  - {name: s%u, run: x, resources: {cpus_per_task: %u", i, w->cpus);
	if (w->nodes)
		weft_str_printf(s, ", nodes: %u", w->nodes);
	if (w->tasks)
		weft_str_printf(s, ", ntasks: %u", w->tasks);
	if (w->per_node)
		weft_str_printf(s, ", ntasks_per_node: %u", w->per_node);
	if (w->gpus)
		weft_str_printf(s, ", gpus: %u", w->gpus);
	if (w->gpus_node)
		weft_str_printf(s, ", gpus_per_node: %u", w->gpus_node);
	if (w->b)
		weft_str_add(s, ", gpu_type: b");
	if (w->mem)
		weft_str_printf(s, ", mem: %juG", (uintmax_t)w->mem);
	if (w->minutes)
		weft_str_printf(s, ", time: %um", w->minutes);
	if (w->partition >= 0)
		weft_str_printf(s, ", partition: p%d", w->partition);
	weft_str_add(s, "}}\n");
}

static unsigned gpus_of(const struct weft_node *n, bool b)
{
	return !n->n_gpus || (b && strcmp(n->gpus[0].type, "b") != 0)
		       ? 0
		       : n->gpus[0].count;
}

static bool holds(const struct weft_partition *p, const struct weft_node *n,
	const struct wish *w, uint64_t tasks, uint64_t gpus)
{
	uint64_t cpus = tasks * w->cpus, mem = w->mem << 30;

	if (!mem)
		mem = p->def_mem_per_cpu * cpus;
	return n->state != WEFT_NODE_DOWN && cpus <= n->cpus &&
	       (!p->max_cpus_per_node || cpus <= p->max_cpus_per_node) &&
	       mem <= n->mem && (!p->max_mem_per_node || mem <= p->max_mem_per_node) &&
	       gpus <= gpus_of(n, w->b);
}

/* Least number of nodes of a partition for a wish, tried one by one; 0: none. */
static unsigned brute_force(const struct weft_cluster *c,
	const struct weft_partition *p, const struct wish *w)
{
	int64_t time = w->minutes ? w->minutes * 60 : p->default_time;

	if (!p->up || (p->max_time && time > p->max_time))
		return 0;
	for (unsigned n = 1; n <= p->n_nodes; n++) {
		uint64_t tasks =
			w->tasks ? w->tasks
				 : (uint64_t)n * (w->per_node ? w->per_node : 1);
		uint64_t gpus = w->gpus ? (w->gpus + n - 1) / n : w->gpus_node;
		unsigned have = 0;

		if ((w->nodes && n != w->nodes) || tasks < n ||
			(w->gpus && w->gpus < n))
			continue;
		if (n < p->min_nodes || (p->max_nodes && n > p->max_nodes))
			continue;
		/* Without a number of nodes, tasks or GPUs in all, it is one node. */
		if (!w->nodes && !w->tasks && !w->gpus && n > 1)
			continue;
		for (size_t i = 0; i < p->n_nodes; i++)
			have += holds(
				p, &c->node[p->node[i]], w, (tasks + n - 1) / n, gpus);
		if (have >= n)
			return n;
	}
	return 0;
}

static bool has_gpus(const struct weft_cluster *c, const struct weft_partition *p)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (c->node[p->node[i]].n_gpus &&
			c->node[p->node[i]].state != WEFT_NODE_DOWN)
			return true;
	return false;
}

static void check_step(const struct weft_cluster *c, const struct wish *w,
	const struct weft_plan_step *s)
{
	const struct weft_partition *p = weft_cluster_partition(c, s->partition);
	unsigned able = 0;

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(s->nodes, brute_force(c, p, w));
	ck_assert(!p->max_time || s->time <= p->max_time);
	ck_assert_uint_ge(s->nodes * s->ntasks_per_node, s->ntasks);
	ck_assert_uint_ge(s->nodes * s->gpus_per_node, s->gpus);
	ck_assert(!w->tasks || s->ntasks == w->tasks);
	ck_assert(!w->gpus || s->gpus == w->gpus);
	ck_assert(!w->gpus_node || s->gpus == w->gpus_node * s->nodes);
	ck_assert_uint_eq(s->cpus_per_task, w->cpus);
	for (size_t i = 0; i < p->n_nodes; i++)
		able += holds(p, &c->node[p->node[i]], w, s->ntasks_per_node,
			s->gpus_per_node);
	ck_assert_uint_ge(able, s->nodes);
	if (w->partition >= 0) {
		ck_assert_int_eq(s->partition[1] - '0', w->partition);
	} else if (!w->gpus && !w->gpus_node && has_gpus(c, p)) {
		for (size_t i = 0; i < c->n_partitions; i++)
			ck_assert(has_gpus(c, &c->partition[i]) ||
				  !brute_force(c, &c->partition[i], w));
	}
}

static void check_refused(const struct weft_cluster *c, const struct wish *w)
{
	for (size_t i = 0; i < c->n_partitions; i++)
		if (w->partition < 0 || c->partition[i].name[1] - '0' == w->partition)
			ck_assert_msg(!brute_force(c, &c->partition[i], w),
				"refused, but %s has it", c->partition[i].name);
}

static char *plan_text(const struct weft_workflow *wf, const struct weft_cluster *c,
	struct weft_plan **plan, struct weft_errs *errs)
{
	struct weft_str s = {0};

	*plan = NULL;
	errs->max = STEPS + 1;
	if (weft_select_plan(wf, c, NULL, NULL, plan, errs) == 0)
		ck_assert_int_eq(weft_plan_print_json(*plan, &s), 0);
	for (size_t i = 0; i < errs->n; i++) {
		ck_assert_int_ne(errs->v[i].code, WEFT_OK);
		ck_assert_ptr_nonnull(errs->v[i].hint);
		ck_assert_uint_gt(errs->v[i].pos.line, 0);
		weft_str_printf(&s, "%u: %s: %s (%s)\n", errs->v[i].pos.line,
			errs->v[i].path, errs->v[i].text, errs->v[i].hint);
	}
	return weft_str_take(&s);
}

START_TEST(random_plans)
{
	size_t placed = 0, refused = 0;

	state = 88172645463325252u + (uint64_t)_i * 7919;
	for (int round = 0; round < ROUNDS; round++) {
		struct weft_cluster *c = random_cluster();
		struct wish wish[STEPS];

		for (unsigned i = 0; i < STEPS; i++) {
			weft_autostr struct weft_str text = {0};
			struct weft_errs errs = {0}, errs2 = {0};
			struct weft_workflow *wf;
			struct weft_plan *a, *b;

			make_wish(&wish[i]);
			weft_str_add(&text, "name: r\nsteps:\n");
			print_wish(&text, &wish[i], i);
			ck_assert_msg(weft_spec_parse("/r.yaml", text.s, text.len, NULL,
					      &wf, &errs) == 0,
				"%s: %s", text.s, errs.n ? errs.v[0].text : "");
			weft_autofree char *first = plan_text(wf, c, &a, &errs);
			weft_autofree char *second = plan_text(wf, c, &b, &errs2);

			ck_assert_str_eq(first, second);
			if (a) {
				check_step(c, &wish[i], &a->step[0]);
				placed++;
			} else {
				check_refused(c, &wish[i]);
				refused++;
			}
			weft_plan_free(a);
			weft_plan_free(b);
			weft_errs_clear(&errs);
			weft_errs_clear(&errs2);
			weft_spec_free(wf);
		}
		weft_cluster_free(c);
	}
	/* Both happen often, or this shows nothing. */
	ck_assert_uint_gt(placed, ROUNDS * STEPS / 8);
	ck_assert_uint_gt(refused, ROUNDS * STEPS / 8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("select_random");
	TCase *c = tcase_create("select_random");
	SRunner *r;

	tcase_add_loop_test(c, random_plans, 0, 4);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);

	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
