/* test_select_forecast.c - what Slurm is asked about, and what its answers change. */
#include "suite.h"

#include <string.h>

#include "select/select.h"

#define MIB (UINT64_C(1) << 20)

static const char cluster_text[] = "select_by_memory: false\n"
				   "partitions:\n"
				   "- {name: cpu, default: true, nodes: 'c[1-2]'}\n"
				   "- {name: more, nodes: 'm[1-2]'}\n"
				   "- {name: gpu, nodes: 'g1'}\n"
				   "nodes:\n"
				   "- {nodes: 'c[1-2]', cpus: 8, mem: 4G}\n"
				   "- {nodes: 'm[1-2]', cpus: 8, state: allocated}\n"
				   "- {nodes: g1, cpus: 8, gpus: 2}\n";

static struct weft_workflow *wf;
static struct weft_cluster *cluster;
static struct weft_select_shapes *shapes;
static struct weft_select_options how;

static void ask(const char *steps)
{
	weft_autofree char *text = weft_printf("name: t\nsteps:\n%s", steps);
	struct weft_errs errs = {0};
	struct weft_err err = {0};

	ck_assert_msg(
		weft_spec_parse("/t.yaml", text, strlen(text), NULL, &wf, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
	ck_assert_int_eq(weft_cluster_parse("c.yaml", cluster_text,
				 strlen(cluster_text), &cluster, &err),
		0);
	ck_assert_int_eq(weft_select_shapes(wf, cluster, NULL, &how, &shapes, &err), 0);
}

static void done(void)
{
	weft_select_shapes_free(shapes);
	weft_cluster_free(cluster);
	weft_spec_free(wf);
}

static const char steps[] =
	"- {name: a, run: x, resources: {ntasks: 4, time: 10m}}\n"
	"- {name: like-a, run: x, resources: {ntasks: 4, time: 10m}}\n"
	"- {name: longer, run: x, resources: {ntasks: 4, time: 20m}}\n"
	"- {name: train, run: x, resources: {gpus: 2, time: 1h}}\n"
	"- {name: hopeless, run: x, resources: {gpus: 9, partition: gpu, time: 1h}}\n";

/* CPU steps at two partitions, never at GPUs; what is alike once. */
START_TEST(distinct)
{
	ask(steps);
	ck_assert_uint_eq(shapes->n, 5);
	ck_assert_str_eq(shapes->v[0].shape.partition, "cpu");
	ck_assert_str_eq(shapes->v[1].shape.partition, "more");
	ck_assert_int_eq(shapes->v[2].shape.time, 1200);
	ck_assert_str_eq(shapes->v[4].shape.partition, "gpu");
	ck_assert_uint_eq(shapes->v[4].shape.gpus, 2);
	for (size_t i = 0; i < shapes->n; i++) {
		ck_assert(shapes->v[i].wait < 0);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(shapes->v[i].key, shapes->v[k].key);
	}
	done();
}
END_TEST

START_TEST(few)
{
	weft_autostr struct weft_str s = {0};

	for (int i = 1; i <= 200; i++)
		weft_str_printf(
			&s, "- {name: s%d, run: x, resources: {time: %dm}}\n", i, i);
	ask(s.s);
	ck_assert_uint_eq(shapes->n, 16);
	done();
}
END_TEST

static struct weft_plan *planned(void)
{
	struct weft_select_options opt = how;
	struct weft_errs errs = {0};
	struct weft_plan *plan;

	opt.forecast = shapes->v;
	opt.n_forecasts = shapes->n;
	ck_assert_msg(weft_select_plan(wf, cluster, NULL, &opt, &plan, &errs) == 0,
		"%s", errs.n ? errs.v[0].text : "");
	return plan;
}

START_TEST(answers_decide)
{
	struct weft_explanation *x;
	struct weft_errs errs = {0};
	struct weft_plan *plan;

	ask("- {name: a, run: x, resources: {ntasks: 4, time: 10m}}\n");
	plan = planned(); /* no answer: the snapshot's */
	ck_assert_str_eq(plan->step[0].partition, "cpu");
	ck_assert(plan->step[0].wait == 0);
	weft_plan_free(plan);

	shapes->v[0].wait = 7200; /* the queue is long, whatever is free */
	plan = planned();
	ck_assert(plan->step[0].wait == 7200 && plan->step[0].end == 7800);
	ck_assert_str_eq(plan->step[0].partition, "cpu"); /* the other is not known */
	weft_plan_free(plan);

	shapes->v[1].wait = 600;
	plan = planned();
	ck_assert_str_eq(plan->step[0].partition, "more");
	ck_assert(plan->step[0].start == 600 && plan->end == 1200);
	weft_plan_free(plan);

	const struct weft_select_options opt = {
		.forecast = shapes->v, .n_forecasts = shapes->n};

	ck_assert_int_eq(weft_select_explain(wf, cluster, NULL, &opt, 0, &x, &errs), 0);
	ck_assert(x->candidate[0].wait == 7200 && x->candidate[1].wait == 600);
	ck_assert(x->candidate[1].chosen && x->candidate[1].end == 1200);
	weft_explanation_free(x);
	done();
}
END_TEST

/* With what lies in the nodes' memory: the job that is asked about is the plan's. */
START_TEST(in_memory)
{
	static const uint64_t made[] = {300 * MIB};
	const struct weft_select_past past[] = {{1, 60, made}, {0}};
	const uint64_t file[] = {0, 700 * MIB};
	const uint64_t *const inputs[] = {NULL, file};
	struct weft_plan *plan;

	how = (struct weft_select_options){
		.past = past, .given = inputs, .group = WEFT_GROUP_NONE};
	ask("- {name: a, run: x, scratch: memory, outputs: {o: o},\n"
	    "   resources: {mem: 1G, partition: cpu, time: 10m}}\n"
	    "- {name: b, run: x,\n"
	    "   inputs: [{from: a.o, to: memory}, {from: /f, as: f, to: memory}],\n"
	    "   resources: {mem: 1G, partition: cpu, time: 10m}}\n");
	ck_assert_uint_eq(shapes->n, 2);
	ck_assert_uint_eq(shapes->v[0].shape.mem, 1324 * MIB);
	ck_assert_uint_eq(shapes->v[1].shape.mem, 2024 * MIB);
	shapes->v[0].wait = 60;
	shapes->v[1].wait = 7200;
	plan = planned();
	ck_assert(plan->step[0].start == 60 && plan->step[1].start == 7200);
	weft_plan_free(plan);
	done();
	how = (struct weft_select_options){0};
}
END_TEST

SUITE("select_forecast", distinct, few, answers_decide, in_memory)
