/* test_report_status.c - how a run stands, for people and for scripts. */
#include "suite.h"

#include <jansson.h>
#include <string.h>

#include "report/report.h"

static struct weft_status_member simulated[] = {
	{.state = WEFT_STATE_DONE,
		.queued = 100,
		.started = 104,
		.ended = 134,
		.staged = 1 << 20,
		.hosts = (char *)"c1",
		.job = (char *)"7_0"},
	{.state = WEFT_STATE_DONE,
		.queued = 100,
		.started = 106,
		.ended = 140,
		.staged = 3 << 20,
		.hosts = (char *)"c2",
		.job = (char *)"7_1"},
	{.state = WEFT_STATE_FAILED,
		.queued = 100,
		.started = 104,
		.ended = 105,
		.hosts = (char *)"c1",
		.reason = (char *)"exit status 3",
		.log = (char *)"/runs/heat/1/steps/simulate/ab/stderr",
		.exit_status = 3,
		.code = WEFT_EFAILED},
};
static struct weft_status_member trained[] = {
	{.state = WEFT_STATE_NOT_RUN, .reason = (char *)"simulate failed"},
};
static struct weft_status_member tested[] = {
	{.state = WEFT_STATE_RUNNING, .queued = 100, .started = 350},
};
static struct weft_status_step steps[] = {
	{.name = "simulate",
		.state = WEFT_STATE_FAILED,
		.members = 3,
		.member = simulated,
		.count = {[WEFT_STATE_DONE] = 2, [WEFT_STATE_FAILED] = 1}},
	{.name = "train",
		.state = WEFT_STATE_NOT_RUN,
		.members = 1,
		.member = trained,
		.count = {[WEFT_STATE_NOT_RUN] = 1}},
	{.name = "test",
		.state = WEFT_STATE_RUNNING,
		.members = 1,
		.member = tested,
		.count = {[WEFT_STATE_RUNNING] = 1}},
};
static const struct weft_run run = {
	.id = (char *)"heat/1", .dir = (char *)"/runs/heat/1"};

START_TEST(table)
{
	const struct weft_style plain = {0};
	const struct weft_status st = {.step = steps, .n_steps = 3};
	struct weft_str s = {0};

	weft_report_status(&run, &st, &plain, &s);
	ck_assert_str_eq(s.s,
		"step      state    members  where      wait   run  staged\n"
		"simulate  failed       2/3  c1,c2     4.7 s  22 s      4M\n"
		"train     not run      0/1  -             -     -       -\n"
		"test      running      0/1  -      00:04:10     -       -\n"
		"\n"
		"failed simulate member 2: exit status 3\n"
		"  log: /runs/heat/1/steps/simulate/ab/stderr\n"
		"\n"
		"not run train: simulate failed\n"
		"\n"
		"heat/1: not finished\n");
	weft_str_free(&s);
}
END_TEST

START_TEST(end)
{
	const struct weft_style color = {.color = true};
	struct weft_status st = {.finished = true};
	struct weft_str s = {0};

	weft_report_status(&run, &st, &color, &s);
	ck_assert_ptr_nonnull(strstr(s.s, "heat/1: \033[32mdone\033[0m\n"));
	weft_str_free(&s);
	st.code = WEFT_EFAILED;
	st.stopped = (char *)"by ann";
	weft_report_status(&run, &st, &color, &s);
	ck_assert_ptr_nonnull(
		strstr(s.s, "heat/1: \033[1;31mfailed\033[0m, stopped: by ann\n"));
	weft_str_free(&s);
}
END_TEST

/* Ten thousand members that could not run are not ten thousand lines. */
START_TEST(many_alike)
{
	enum { N = 10000 };
	const struct weft_style plain = {0};
	struct weft_status_member *m = calloc(N, sizeof(*m));
	struct weft_status_step step = {
		.name = "wide", .state = WEFT_STATE_NOT_RUN, .members = N, .member = m};
	struct weft_status st = {.step = &step, .n_steps = 1};
	struct weft_str s = {0};

	for (size_t i = 0; i < N; i++) {
		m[i].state = WEFT_STATE_NOT_RUN;
		m[i].reason = (char *)"it was stopped";
	}
	weft_report_status(&run, &st, &plain, &s);
	ck_assert_uint_lt(s.len, 1000);
	weft_str_free(&s);
	for (size_t i = 0; i < N; i++) {
		m[i].state = WEFT_STATE_FAILED;
		m[i].log = (char *)"/log";
	}
	weft_report_status(&run, &st, &plain, &s);
	ck_assert_uint_lt(s.len, 1000);
	ck_assert_ptr_nonnull(strstr(s.s, "and 9995 more of wide\n"));
	weft_str_free(&s);
	free(m);
}
END_TEST

START_TEST(as_json)
{
	const struct weft_status st = {.step = steps, .n_steps = 3};
	struct weft_str s = {0};

	ck_assert_int_eq(weft_report_status_json(&run, &st, &s), 0);
	json_t *j = json_loads(s.s, JSON_REJECT_DUPLICATES, NULL);
	json_t *first = json_array_get(json_object_get(j, "steps"), 0);
	json_t *bad = json_array_get(json_object_get(first, "members"), 2);

	ck_assert_str_eq(json_string_value(json_object_get(j, "run")), "heat/1");
	ck_assert(json_is_false(json_object_get(j, "finished")));
	ck_assert_int_eq(json_integer_value(json_object_get(first, "done")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(first, "failed")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(bad, "state")), "failed");
	ck_assert_str_eq(
		json_string_value(json_object_get(bad, "reason")), "exit status 3");
	ck_assert_int_eq(json_integer_value(json_object_get(bad, "exit_status")), 3);
	ck_assert_double_eq(json_number_value(json_object_get(bad, "queued")), 100);
	ck_assert(json_is_null(json_object_get(bad, "job")));
	json_decref(j);
	weft_str_free(&s);
}
END_TEST

SUITE("report_status", table, end, many_alike, as_json)
