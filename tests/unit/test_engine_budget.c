/* test_engine_budget.c - what a run has used, from its own members and other jobs'
 * journals, against the budget. */
#include <string.h>

#include "engine/budget.h"
#include "journal.h"
#include "report/report.h"

static struct weft_plan_step step[2] = {
	{.name = "a",
		.nodes = 1,
		.ntasks = 2,
		.ntasks_per_node = 2,
		.cpus_per_task = 4,
		.group = 0,
		.node_hours = 2,
		.core_hours = 32},
	{.name = "b",
		.nodes = 1,
		.ntasks = 1,
		.ntasks_per_node = 1,
		.cpus_per_task = 1,
		.gpus = 2,
		.group = 1,
		.node_hours = 1,
		.core_hours = 4,
		.gpu_hours = 2},
};
static unsigned index_of[2] = {0, 1};
static struct weft_plan_group group[2] = {
	{.name = "a",
		.step = index_of,
		.n_steps = 1,
		.tasks = 2,
		.shape = {.nodes = 2,
			.ntasks_per_node = 8,
			.cpus_per_task = 1,
			.time = 7200}},
	{.name = "b",
		.step = index_of + 1,
		.n_steps = 1,
		.shape = {.nodes = 1,
			.ntasks_per_node = 1,
			.cpus_per_task = 4,
			.gpus = 2,
			.time = 1800}},
};
static const struct weft_plan plan = {
	.step = step, .n_steps = 2, .group = group, .n_groups = 2};

static struct weft_workflow *wf;
static struct weft_run *run;
static struct weft_journal *other;
static struct weft_engine engine;

static void make(const char *budget, const char *on_failure)
{
	weft_autofree char *text = weft_printf(
		"name: heat\n%s%s%s\non_failure: %s\nsteps:\n"
		"  - {name: a, run: x, sweep: {x: [1, 2]}}\n"
		"  - {name: b, run: x}\n",
		*budget ? "budget: {" : "", budget, *budget ? "}" : "", on_failure);

	wf = workflow(text);
	run = new_run(text, 2);
	ok(weft_journal_open(run, "other", &other, &ok_err));
	engine = (struct weft_engine){.run = run,
		.wf = wf,
		.plan = &plan,
		.slurm = true,
		.job = "9_0",
		.step = index_of,
		.n_steps = 1};
}

static void done(void)
{
	weft_journal_close(other);
	weft_run_free(run);
	weft_spec_free(wf);
}

/* hours: ago */
static void said(const char *job, const char *of, const char *member,
	enum weft_state state, double hours)
{
	struct weft_event e = {.time = weft_now() - hours * 3600,
		.step = (char *)of,
		.member = (char *)member,
		.job = (char *)job,
		.state = state};

	ok(weft_journal_add(other, &e, &ok_err));
}

static struct budget *opened(void)
{
	struct budget *b;

	ok(budget_open(&b, &engine, &ok_err));
	return b;
}

START_TEST(none)
{
	struct budget *b;

	make("", "stop");
	b = opened();
	ck_assert_ptr_null(b);
	budget_member(b, 0, 1);
	ck_assert_ptr_null(budget_spent(b, 0));
	ck_assert_ptr_null(budget_over(b));
	ck_assert_int_eq(budget_wait(b, 60), 60);
	budget_close(b);
	done();
}
END_TEST

static void other_jobs(void)
{
	/* Two members beside each other in one job: an hour of two nodes. */
	said("8_0", "a", "m1", WEFT_STATE_STAGING, 2);
	said("8_0", "a", "m1", WEFT_STATE_RUNNING, 1.9);
	said("8_0", "a", "m2", WEFT_STATE_RUNNING, 1.9);
	said("8_0", "a", "m1", WEFT_STATE_DONE, 1.5);
	said("8_0", "a", "m2", WEFT_STATE_FAILED, 1);
	/* Killed: it can't have taken longer than its limit, half an hour. */
	said("7", "b", "", WEFT_STATE_RUNNING, 5);
	/* These never ran, and this one is our own. */
	said("6", "b", "", WEFT_STATE_NOT_RUN, 5);
	said("5", "b", "", WEFT_STATE_SUBMITTED, 5);
	said("9_0", "a", "m3", WEFT_STATE_RUNNING, 5);
}

START_TEST(of_other_jobs)
{
	struct budget *b;

	make("node_hours: 2.4", "stop");
	other_jobs();
	b = opened();
	ck_assert_str_eq(
		budget_spent(b, 0), "the budget is used up: 2.5 of 2.4 node-hours");
	ck_assert_str_eq(
		budget_over(b), "the budget is used up: 2.5 of 2.4 node-hours");
	budget_close(b);
	done();

	make("node_hours: 2.51, core_hours: 30, gpu_hours: 0.5", "stop");
	other_jobs();
	b = opened();
	/* 2 nodes x 16 cores x 1 h, and 4 cores x 0.5 h; 2 GPUs x 0.5 h. */
	ck_assert_str_eq(budget_spent(b, 0),
		"the budget is used up: 34 of 30 core-hours, 1 of 0.5 GPU-hours");
	budget_close(b);
	done();

	make("node_hours: 2.51", "stop");
	other_jobs();
	b = opened();
	ck_assert_ptr_null(budget_spent(b, 0));
	/* We hold two nodes now: 0.01 hours last 18 seconds. */
	ck_assert_int_ge(budget_wait(b, 60), 15);
	ck_assert_int_le(budget_wait(b, 60), 19);
	ck_assert_int_eq(budget_wait(b, 5), 5);
	/* What is said now is not read at once: 10,000 members would each read on. */
	said("4", "b", "", WEFT_STATE_RUNNING, 5);
	ck_assert_ptr_null(budget_spent(b, 0));
	budget_close(b);
	done();
}
END_TEST

START_TEST(goes_on)
{
	struct budget *b;

	make("gpu_hours: 0.5", "continue");
	other_jobs();
	b = opened();
	ck_assert_ptr_null(budget_spent(b, 0)); /* it takes no GPUs */
	ck_assert_ptr_nonnull(budget_spent(b, 1));
	ck_assert_ptr_nonnull(budget_over(b));
	budget_close(b);
	done();
}
END_TEST

/* Without jobs: members, from their start to their end. */
START_TEST(by_member)
{
	double end = weft_monotonic() + 20;
	struct budget *b;

	make("core_hours: 0.0001", "stop"); /* 0.045 s of 8 cores */
	engine.slurm = false;
	b = opened();
	ck_assert_ptr_null(budget_spent(b, 0));
	ck_assert_int_eq(budget_wait(b, 60), 60);
	budget_member(b, 0, 1);
	ck_assert_int_eq(budget_wait(b, 60), 1);
	while (!budget_spent(b, 0) && weft_monotonic() < end)
		usleep(1000);
	ck_assert_ptr_nonnull(budget_spent(b, 0));
	budget_member(b, 0, -1);
	weft_autofree char *then = strdup(budget_spent(b, 0));
	usleep(50000);
	ck_assert_str_eq(budget_spent(b, 0), then);
	budget_close(b);
	done();
}
END_TEST

/* ---- what status tells ------------------------------------------------- */

START_TEST(used)
{
	struct weft_status_member a[3] = {{.state = WEFT_STATE_DONE,
						  .started = 3600,
						  .ended = 5400,
						  .job = (char *)"8_0"},
		{.state = WEFT_STATE_DONE,
			.started = 3600,
			.ended = 7200,
			.job = (char *)"8_0"},
		{.state = WEFT_STATE_NOT_RUN, .job = (char *)"8_1"}};
	struct weft_status_member b[1] = {
		{.state = WEFT_STATE_RUNNING, .started = 7200, .job = (char *)"9"}};
	struct weft_status_step steps[2] = {
		{.member = a, .members = 3}, {.member = b, .members = 1}};
	struct weft_status st = {.step = steps, .n_steps = 2};

	ck_assert_int_eq(weft_report_use(&st, &plan, 9000), 0);
	ck_assert_double_eq_tol(st.node_hours, 2 + 0.5, 1e-9);
	ck_assert_double_eq_tol(st.core_hours, 32 + 2, 1e-9);
	ck_assert_double_eq_tol(st.gpu_hours, 1, 1e-9);
	/* An allocation for the whole file: members, one by one. */
	for (size_t i = 0; i < 3; i++)
		a[i].job = (char *)"9";
	ck_assert_int_eq(weft_report_use(&st, &plan, 9000), 0);
	ck_assert_double_eq_tol(st.node_hours, 1.5 + 0.5, 1e-9);
	ck_assert_double_eq_tol(st.core_hours, 1.5 * 8 + 0.5, 1e-9);
	/* And so without jobs. */
	for (size_t i = 0; i < 3; i++)
		a[i].job = NULL;
	b[0].job = NULL;
	ck_assert_int_eq(weft_report_use(&st, &plan, 9000), 0);
	ck_assert_double_eq_tol(st.core_hours, 1.5 * 8 + 0.5, 1e-9);
	ck_assert_double_eq_tol(st.gpu_hours, 1, 1e-9);
}
END_TEST

SUITE("budget", none, of_other_jobs, goes_on, by_member, used)
