/* test_select.c - from a workflow and a cluster to options of sbatch and srun,
 * members, JSON and back. */
#include "suite.h"

#include <jansson.h>
#include <string.h>

#include "select/select.h"

static const char cluster_text[] =
	"max_array_size: 1001\n"
	"partitions:\n"
	"  - {name: cpu, default: true, max_time: 1d, default_time: 1h, nodes: "
	"\"c[1-8]\"}\n"
	"  - {name: gpu, max_time: 12h, nodes: \"g[1-4]\"}\n"
	"nodes:\n"
	"  - {nodes: \"c[1-8]\", state: idle, cpus: 16, cores: 16, sockets: 1,\n"
	"     threads_per_core: 1, mem: 64000M}\n"
	"  - {nodes: \"g[1-4]\", state: idle, cpus: 64, cores: 64, sockets: 2,\n"
	"     threads_per_core: 1, mem: 256000M, gpus: {a100: 4}}\n";

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

static const struct weft_select_past *past; /* for make() */
static void make(const char *steps, bool local)
{
	const struct weft_select_options opt = {
		.local = local, .group = WEFT_GROUP_NONE, .past = past};
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	weft_autofree char *text =
		weft_printf("name: t\nparams: {x: [1, 2, 3]}\nsteps:\n%s", steps);

	ck_assert_msg(
		weft_spec_parse("/t.yaml", text, strlen(text), NULL, &wf, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
	ck_assert_msg(weft_cluster_parse("c.yaml", cluster_text, strlen(cluster_text),
			      &cluster, &err) == 0,
		"%s", err.text);
	ck_assert_int_eq(weft_conf_parse("weft.conf", "", 0, &conf, &err), 0);
	ck_assert_msg(weft_select_plan(wf, cluster, conf, &opt, &plan, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
}

static void expect_args(struct weft_argv *args, const char *want)
{
	weft_autostr struct weft_str s = {0};

	ck_assert(!args->failed);
	for (size_t i = 0; i < args->n; i++)
		weft_str_printf(&s, "%s%s", i ? " " : "", args->v[i]);
	ck_assert_str_eq(s.s ? s.s : "", want);
	weft_argv_free(args);
	memset(args, 0, sizeof(*args));
}

static const struct {
	const char *step, *sbatch, *srun;
} args[] = {
	{"run: x\n", /* nothing said */
		"--partition=cpu --nodes=1 --ntasks=1 --ntasks-per-node=1 "
		"--cpus-per-task=1 "
		"--time=01:00:00",
		"--exact --nodes=1 --ntasks=1 --ntasks-per-node=1 --cpus-per-task=1 "
		"--gres=none"},
	{"run: x\n    sweep: {i: {range: [1, 60]}}\n    max_parallel: 12\n"
	 "    resources: {ntasks: 8, mem: 4G, time: 20m}\n",
		"--partition=cpu --nodes=1 --ntasks=8 --ntasks-per-node=8 "
		"--cpus-per-task=1 "
		"--mem=4096M --time=00:20:00 --array=0-59%12",
		"--exact --nodes=1 --ntasks=8 --ntasks-per-node=8 --cpus-per-task=1 "
		"--mem=4096M --gres=none"},
	{"run: x\n    launch: torchrun\n"
	 "    resources: {nodes: 2, gpus_per_node: 4, cpus_per_task: 8, time: 90s}\n",
		"--partition=gpu --nodes=2 --ntasks=2 --ntasks-per-node=1 "
		"--cpus-per-task=32 "
		"--gpus-per-node=4 --time=00:02:00",
		"--exact --nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=32 "
		"--gpus-per-node=4"},
	{"run: x\n    account: bio\n    qos: high\n    reservation: r1\n"
	 "    resources: {gpus: 10, gpu_type: a100, mem: 1000K,\n"
	 "      time: 2h, exclusive: true, gres: \"nvme:1\", licenses: \"a:1\"}\n",
		"--partition=gpu --account=bio --qos=high --reservation=r1 --nodes=3 "
		"--ntasks=3 --ntasks-per-node=1 --cpus-per-task=1 --gpus=a100:10 "
		"--mem=1M "
		"--time=02:00:00 --licenses=a:1 --gres=nvme:1 --exclusive",
		"--exact --nodes=3 --ntasks=3 --ntasks-per-node=1 --cpus-per-task=1 "
		"--gpus=a100:10 --mem=1M --gres=nvme:1"},
	{"run: x\n    resources: {ntasks: 21}\n", /* uneven */
		"--partition=cpu --nodes=2 --ntasks=21 --ntasks-per-node=11 "
		"--cpus-per-task=1 --time=01:00:00",
		"--exact --nodes=2 --ntasks=21 --cpus-per-task=1 --gres=none"},
	{"run: x\n    sweep: {i: [1, 2]}\n    max_parallel: 5\n"
	 "    resources: {ntasks: 20, nodelist: \"c[1-2]\", exclude: c8, partition: "
	 "cpu}\n",
		"--partition=cpu --nodes=2 --ntasks=20 --ntasks-per-node=10 "
		"--cpus-per-task=1 --time=01:00:00 --exclude=c8 --nodelist=c[1-2] "
		"--array=0-1",
		"--exact --nodes=2 --ntasks=20 --ntasks-per-node=10 --cpus-per-task=1 "
		"--gres=none"},
};

START_TEST(options)
{
	weft_autofree char *text = weft_printf("  - name: s\n    %s", args[_i].step);
	struct weft_argv got = {0};

	make(text, false);
	ck_assert_int_eq(weft_plan_sbatch_args(&plan->group[0], &got), 0);
	expect_args(&got, args[_i].sbatch);
	ck_assert_int_eq(weft_plan_srun_args(&plan->step[0], &got), 0);
	expect_args(&got, args[_i].srun);
	done();
}
END_TEST

START_TEST(members_have_their_own_numbers)
{
	static const unsigned tasks[] = {1, 4, 20}, nodes[] = {1, 1, 2},
			      per_node[] = {1, 4, 10};
	struct weft_arena arena = {0};
	struct weft_err err = {0};
	struct weft_plan_step s;

	make("  - name: s\n    run: x\n    sweep: {n: [1, 4, 20]}\n"
	     "    resources: {ntasks: \"${{ params.n }}\", time: \"${{ params.n "
	     "}}m\",\n"
	     "      mem_per_cpu: 1G}\n"
	     "  - name: alike\n    run: x\n    sweep: {n: [1, 2]}\n",
		false);
	ck_assert_uint_eq(plan->step[0].nodes, 2);
	ck_assert_uint_eq(plan->step[0].ntasks_per_node, 10);
	ck_assert_uint_eq(plan->step[0].ntasks, 20);
	ck_assert_int_eq(plan->step[0].time, 1200);
	ck_assert_uint_eq(plan->step[0].mem, 10ull << 30);
	ck_assert_int_eq(plan->step[0].launch, WEFT_LAUNCH_SRUN);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_msg(weft_plan_step_member(
				      plan, wf, conf, 0, i, &s, &arena, &err) == 0,
			"%s", err.text);
		ck_assert_uint_eq(s.ntasks, tasks[i]);
		ck_assert_uint_eq(s.nodes, nodes[i]);
		ck_assert_uint_eq(s.ntasks_per_node, per_node[i]);
		ck_assert_int_eq(s.time, tasks[i] * 60);
		ck_assert_uint_eq(s.mem, (uint64_t)per_node[i] << 30);
		ck_assert_int_eq(s.launch, i ? WEFT_LAUNCH_SRUN : WEFT_LAUNCH_SINGLE);
		ck_assert_str_eq(s.partition, "cpu");
	}
	ck_assert_int_eq(
		weft_plan_step_member(plan, wf, conf, 1, 1, &s, &arena, &err), 0);
	ck_assert_int_eq(memcmp(&s, &plan->step[1], sizeof(s)), 0);
	weft_arena_free(&arena);
	done();
}
END_TEST

START_TEST(local_makes_do)
{
	make("  - name: large\n    run: x\n    resources: {ntasks: 64, cpus_per_task: "
	     "4}\n"
	     "  - name: train\n    run: x\n    launch: torchrun\n"
	     "    resources: {nodes: 2, gpus_per_node: 4, gpu_type: h100, time: 1h}\n"
	     "  - name: either\n    run: x\n"
	     "    resources: {any_of: [{gpus: 1}, {ntasks: 2, cpus_per_task: 99}]}\n"
	     "  - name: far\n    run: x\n    resources: {partition: elsewhere, mem: "
	     "9T}\n",
		true);
	const struct weft_plan_step *s = plan->step;

	ck_assert_uint_eq(s[0].nodes, 1);
	ck_assert_uint_eq(s[0].ntasks, 64);
	ck_assert_uint_eq(s[0].ntasks_per_node, 64);
	ck_assert_uint_eq(s[0].cpus_per_task, 1);
	ck_assert_str_eq(s[0].partition, "");
	ck_assert_uint_eq(s[1].ntasks, 8);
	ck_assert_uint_eq(s[1].gpus, 0);
	ck_assert_int_eq(s[1].time, 3600);
	ck_assert_ptr_nonnull(
		strstr(s[1].why, "no GPUs here, 8 asked for: runs on CPUs"));
	ck_assert_int_eq(s[2].variant, 1);
	ck_assert_uint_eq(s[2].ntasks, 2);
	ck_assert_uint_eq(s[2].cpus_per_task, 8);
	ck_assert_uint_eq(s[3].mem, 64000ull << 20);
	done();
}
END_TEST

static const char some_steps[] =
	"  - {name: a, run: x, sweep: [x], resources: {time: 10m}}\n"
	"  - {name: b, run: x, sweep: [x], depends: [a]}\n"
	"  - {name: c, run: x, depends: [b], resources: {gpus: 2, gpu_type: a100}}\n"
	"  - {name: d, run: x, finally: true}\n";

START_TEST(needs)
{
	make(some_steps, false);
	ck_assert_uint_eq(plan->n_groups, 4);
	ck_assert_uint_eq(plan->group[1].n_needs, 1);
	ck_assert(plan->group[1].need[0].corresponding);
	ck_assert_uint_eq(plan->group[2].n_needs, 1);
	ck_assert(!plan->group[2].need[0].corresponding);
	ck_assert_uint_eq(plan->group[3].n_needs, 3);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(plan->step[i].group, i);
	done();
}
END_TEST

static char *printed(const struct weft_plan *p)
{
	struct weft_str s = {0};

	ck_assert_int_eq(weft_plan_print_json(p, &s), 0);
	return weft_str_take(&s);
}

START_TEST(json_there_and_back)
{
	struct weft_plan *again;
	struct weft_err err = {0};

	make(some_steps, false);
	weft_autofree char *first = printed(plan);
	ck_assert_msg(weft_plan_parse_json(first, strlen(first), &again, &err) == 0,
		"%s", err.text);
	weft_autofree char *second = printed(again);
	ck_assert_str_eq(first, second);
	ck_assert_uint_eq(again->group[1].tasks, 3);
	ck_assert_str_eq(again->group[2].shape.gpu_type, "a100");
	weft_plan_free(again);
	done();
}
END_TEST

/* What is expected may be unknown, and is in plans of before. */
static bool may_lack(const char *key)
{
	static const char *const keys[] = {"run", "wait", "start", "end", "bytes"};

	for (size_t i = 0; i < WEFT_COUNT(keys); i++)
		if (weft_streq(key, keys[i]))
			return true;
	return false;
}

/* Each value in turn is taken out or replaced: a damaged plan is an error, never
 * a crash or a plan of something else. */
static void damage(json_t *at, json_t *root, int kind, size_t *refused)
{
	json_t *keys = json_copy(at);
	const char *key;
	json_t *v;

	json_object_foreach(keys, key, v)
	{
		json_t *bad = kind == 0   ? NULL
			      : kind == 1 ? json_integer(-7)
					  : json_null();
		struct weft_plan *got = NULL;

		if (kind != 1 && may_lack(key)) {
			json_decref(bad);
			continue;
		}
		if (bad)
			json_object_set_new(at, key, bad);
		else
			json_object_del(at, key);
		char *text = json_dumps(root, 0);
		weft_autoerr struct weft_err err = {0};

		ck_assert_msg(
			weft_plan_parse_json(text, strlen(text), &got, &err) == -1,
			"%s", key);
		ck_assert_ptr_null(got);
		ck_assert_int_eq(err.code, WEFT_ESPEC);
		++*refused;
		free(text);
		json_object_set(at, key, v);
	}
	json_decref(keys);
}

START_TEST(json_damaged)
{
	size_t refused = 0;

	make(some_steps, false);
	weft_autofree char *text = printed(plan);
	json_t *root = json_loads(text, 0, NULL);
	json_t *step = json_array_get(json_object_get(root, "steps"), 0);
	json_t *group = json_array_get(json_object_get(root, "groups"), 1);
	json_t *need = json_array_get(json_object_get(group, "needs"), 0);

	for (int kind = 0; kind < 3; kind++) {
		damage(root, root, kind, &refused);
		damage(step, root, kind, &refused);
		damage(group, root, kind, &refused);
		damage(need, root, kind, &refused);
		damage(json_object_get(group, "shape"), root, kind, &refused);
	}
	ck_assert_uint_gt(refused, 200);
	json_object_set_new(need, "group", json_integer(1)); /* itself */
	weft_autofree char *cycle = json_dumps(root, 0);
	struct weft_plan *got;

	ck_assert_int_eq(weft_plan_parse_json(cycle, strlen(cycle), &got, NULL), -1);
	for (size_t n = 0; n < strlen(text); n += 97)
		ck_assert_int_eq(weft_plan_parse_json(text, n, &got, NULL), -1);
	json_decref(root);
	done();
}
END_TEST

/* What is printed and what the schema describes are the same keys. */
static void same_keys(const json_t *schema, const json_t *value)
{
	const json_t *properties = json_object_get(schema, "properties");
	const char *key;
	const json_t *v;

	/* The others are left out where there is nothing to say. */
	ck_assert_uint_ge(json_object_size(properties), json_object_size(value));
	ck_assert_uint_eq(json_array_size(json_object_get(schema, "required")),
		json_object_size(value));
	json_object_foreach((json_t *)value, key, v)
	{
		const json_t *p = json_object_get(properties, key);
		const char *type = json_string_value(json_object_get(p, "type"));

		ck_assert_msg(p != NULL, "%s is not in the schema", key);
		if (!type)
			continue;
		ck_assert_msg(
			(weft_streq(type, "string") && json_is_string(v)) ||
				(weft_streq(type, "integer") && json_is_integer(v)) ||
				(weft_streq(type, "number") && json_is_number(v)) ||
				(weft_streq(type, "boolean") && json_is_boolean(v)) ||
				(weft_streq(type, "array") && json_is_array(v)),
			"%s is no %s", key, type);
	}
}

START_TEST(json_as_in_the_schema)
{
	json_error_t why;
	/* tests/run starts every suite at the top of the tree. */
	json_t *schema =
		json_load_file("conf/plan.schema.json", JSON_REJECT_DUPLICATES, &why);

	ck_assert_msg(schema != NULL, "%s:%d: %s", why.source, why.line, why.text);
	make(some_steps, false);
	weft_autofree char *text = printed(plan);
	json_t *root = json_loads(text, 0, NULL);
	json_t *defs = json_object_get(schema, "definitions");
	json_t *group = json_array_get(json_object_get(root, "groups"), 1);

	same_keys(schema, root);
	same_keys(json_object_get(defs, "step"),
		json_array_get(json_object_get(root, "steps"), 0));
	same_keys(json_object_get(defs, "group"), group);
	same_keys(json_object_get(defs, "step"), json_object_get(group, "shape"));
	same_keys(json_object_get(defs, "need"),
		json_array_get(json_object_get(group, "needs"), 0));
	json_decref(root);
	json_decref(schema);
	done();
}
END_TEST

static const char coupled[] =
	"  - {name: post, run: x, inputs: [{from: train.model, as: m}],\n"
	"     resources: {time: 10m}}\n"
	"  - {name: train, run: x, outputs: {model: m}, resources: {gpus: 1, time: "
	"1h}}\n";

/* CPU work goes to GPU nodes only with data that is worth it. */
START_TEST(data_keeps_it_there)
{
	const uint64_t heavy = UINT64_C(200) << 30, light = UINT64_C(20) << 30;
	const struct weft_select_past of_heavy[] = {{0}, {1, 60, &heavy}};
	const struct weft_select_past of_light[] = {{0}, {1, 60, &light}};
	const struct weft_select_past slow[] = {{1, 36000, NULL}, {1, 60, &heavy}};

	make(coupled, false);
	ck_assert_str_eq(plan->step[0].partition, "cpu");
	done();
	past = of_heavy; /* 200 s at 1 GiB a second, of 10 minutes */
	make(coupled, false);
	ck_assert_str_eq(plan->step[0].partition, "gpu");
	done();
	past = of_light;
	make(coupled, false);
	ck_assert_str_eq(plan->step[0].partition, "cpu");
	done();
	past = slow; /* what it took before is no longer than what it may take */
	make(coupled, false);
	ck_assert_str_eq(plan->step[0].partition, "gpu");
	done();
	past = NULL;
}
END_TEST

/* The explanation goes by the same data. */
START_TEST(data_explained)
{
	const uint64_t heavy = UINT64_C(200) << 30;
	const struct weft_select_past of_heavy[] = {{0}, {1, 60, &heavy}};
	const struct weft_select_options opt = {.past = of_heavy};
	struct weft_explanation *x;
	struct weft_errs errs = {0};

	make(coupled, false);
	ck_assert_int_eq(weft_select_explain(wf, cluster, conf, &opt, 0, &x, &errs), 0);
	ck_assert_uint_eq(x->n_candidates, 2);
	ck_assert(!x->candidate[0].chosen && x->candidate[1].chosen);
	ck_assert(x->candidate[0].data == 200 && x->candidate[0].end == 800);
	ck_assert(x->candidate[1].data == 0 && x->candidate[1].end == 600);
	weft_explanation_free(x);
	done();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("select");
	TCase *c = tcase_create("select");
	SRunner *r;

	tcase_add_loop_test(c, options, 0, WEFT_COUNT(args));
	tcase_add_test(c, members_have_their_own_numbers);
	tcase_add_test(c, local_makes_do);
	tcase_add_test(c, needs);
	tcase_add_test(c, json_there_and_back);
	tcase_add_test(c, json_damaged);
	tcase_add_test(c, json_as_in_the_schema);
	tcase_add_test(c, data_keeps_it_there);
	tcase_add_test(c, data_explained);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);

	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
