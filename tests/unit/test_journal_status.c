/* test_journal_status.c - what may start, and the state of runs made by hand */
#include "journal.h"

#define N WEFT_STATE_NONE
#define R WEFT_STATE_RUNNING
#define D WEFT_STATE_DONE
#define F WEFT_STATE_FAILED
#define S WEFT_STATE_SKIPPED
#define X WEFT_STATE_NOT_RUN
#define C WEFT_STATE_CANCELLED
#define L WEFT_STATE_LOST

/* a: a sweep of four; b: may a member of it start? */
static const enum weft_state *given;
static enum weft_state of_a(void *ctx, unsigned step, size_t member)
{
	(void)ctx;
	ck_assert_uint_eq(step, 0);
	return given[member];
}

static const char *const verdict_name[] = {"ready", "wait", "skip", "never"};

START_TEST(verdicts)
{
	static const struct {
		const char *a, *b; /* further keys */
		size_t member;
		enum weft_state state[4];
		enum weft_verdict want;
		const char *why;
	} t[] = {
		/* all of a sweep */
		{"", "depends: [a]", 0, {D, D, D, D}, WEFT_READY, NULL},
		{"", "depends: [a]", 0, {D, D, R, D}, WEFT_WAIT, "waits for a"},
		{"", "depends: [a]", 0, {N, N, N, N}, WEFT_WAIT, "waits for a"},
		{"", "depends: [a]", 0, {D, F, R, D}, WEFT_NEVER, "failed"},
		{"", "depends: [a]", 0, {D, X, D, D}, WEFT_NEVER, "was not run"},
		{"", "depends: [a]", 0, {D, C, D, C}, WEFT_NEVER,
			"and others of that sweep"},
		{"", "depends: [a]", 0, {D, L, D, D}, WEFT_NEVER, "was lost"},
		{"", "depends: [a]", 0, {S, S, S, S}, WEFT_SKIP, "a was skipped"},
		{"", "depends: [a]", 0, {S, D, S, S}, WEFT_READY, NULL},
		{"", "depends: [a]", 0, {S, S, R, S}, WEFT_WAIT, "waits"},
		/* how many may fail */
		{"max_failed: 1", "depends: [a]", 0, {D, F, D, D}, WEFT_READY, NULL},
		{"max_failed: 1", "depends: [a]", 0, {D, F, R, D}, WEFT_WAIT, "waits"},
		{"max_failed: 1", "depends: [a]", 0, {D, F, R, L}, WEFT_NEVER, ""},
		{"max_failed: 50%", "depends: [a]", 0, {D, F, F, D}, WEFT_READY, NULL},
		{"max_failed: 50%", "depends: [a]", 0, {F, F, F, D}, WEFT_NEVER, ""},
		{"max_failed: 49%", "depends: [a]", 0, {D, F, F, D}, WEFT_NEVER, ""},
		/* optional */
		{"optional: true", "depends: [a]", 0, {F, F, F, F}, WEFT_READY, NULL},
		{"optional: true", "depends: [a]", 0, {F, S, R, F}, WEFT_WAIT, "waits"},
		{"optional: true", "depends: [a]", 0, {S, S, S, S}, WEFT_READY, NULL},
		/* failed, ended */
		{"", "depends: [{step: a, state: failed}]", 0, {D, D, D, D}, WEFT_SKIP,
			""},
		{"", "depends: [{step: a, state: failed}]", 0, {D, F, D, D}, WEFT_READY,
			NULL},
		{"", "depends: [{step: a, state: failed}]", 0, {D, F, R, D}, WEFT_WAIT,
			""},
		{"", "depends: [{step: a, state: failed}]", 0, {S, S, S, S}, WEFT_SKIP,
			""},
		{"", "depends: [{step: a, state: ended}]", 0, {D, F, S, X}, WEFT_READY,
			NULL},
		{"", "depends: [{step: a, state: ended}]", 0, {D, F, S, R}, WEFT_WAIT,
			""},
		/* member to member, by the axis that both sweep */
		{"", "depends: [a], sweep: [k]", 2, {F, N, D, S}, WEFT_READY, NULL},
		{"", "depends: [a], sweep: [k]", 0, {F, N, D, S}, WEFT_NEVER, "failed"},
		{"", "depends: [a], sweep: [k]", 1, {F, N, D, S}, WEFT_WAIT, "waits"},
		{"", "depends: [a], sweep: [k]", 3, {F, N, D, S}, WEFT_SKIP, "skipped"},
		{"", "depends: [a.*], sweep: [k]", 2, {D, N, D, D}, WEFT_WAIT, "waits"},
		/* a member of its own isn't there: max_failed doesn't help it */
		{"max_failed: 3", "depends: [a], sweep: [k]", 0, {F, D, D, D},
			WEFT_NEVER, ""},
		{"max_failed: 1", "depends: [a.*], sweep: [k]", 0, {F, D, D, D},
			WEFT_READY, NULL},
		/* whatever happened */
		{"", "finally: true", 0, {F, X, S, L}, WEFT_READY, NULL},
		{"", "finally: true", 0, {F, X, S, N}, WEFT_WAIT, "waits for a"},
	};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		char *text = weft_printf("name: t\nparams: {k: [1, 2, 3, 4]}\nsteps:\n"
					 "  - {name: a, run: echo, sweep: [k]%s%s}\n  "
					 "- {name: b, run: echo, %s}\n",
			*t[i].a ? ", " : "", t[i].a, t[i].b);
		struct weft_workflow *wf = workflow(text);
		char *why;

		given = t[i].state;
		enum weft_verdict got = weft_verdict(
			wf, &wf->step[1], t[i].member, of_a, NULL, NULL, &why);
		ck_assert_msg(got == t[i].want, "row %zu: %s, not %s (%s)", i,
			verdict_name[got], verdict_name[t[i].want], why ? why : "");
		ck_assert_msg(t[i].why ? why && strstr(why, t[i].why) : !why,
			"row %zu: %s", i, why ? why : "(no reason)");
		free(why);
		ck_assert_int_eq(weft_verdict(wf, &wf->step[1], t[i].member, of_a, NULL,
					 NULL, NULL),
			got);
		/* Counted once, it says the same, and the same again. */
		struct weft_tally tally[2] = {0};
		for (int k = 0; k < 2; k++) {
			char *again;

			ck_assert_int_eq(weft_verdict(wf, &wf->step[1], t[i].member,
						 of_a, NULL, tally, &again),
				got);
			ck_assert_msg(
				again ? t[i].why && strstr(again, t[i].why) : !t[i].why,
				"row %zu: %s", i, again ? again : "(no reason)");
			free(again);
		}
		weft_spec_free(wf);
		free(text);
	}
}
END_TEST

START_TEST(shares_are_exact)
{
	struct weft_step s = {.max_failed_share = true, .sweep.count = 100};

	for (int percent = 0; percent <= 100; percent++) {
		s.max_failed = percent / 100.0;
		ck_assert_msg(!weft_sweep_failed(&s, (size_t)percent), "%d%%", percent);
		ck_assert_msg(
			weft_sweep_failed(&s, (size_t)percent + 1), "%d%%", percent);
	}
}
END_TEST

static enum weft_state of_rounds(void *ctx, unsigned step, size_t member)
{
	const enum weft_state *state = ctx;

	(void)step;
	return state[member];
}

START_TEST(rounds_fail_by_themselves)
{
	static const char text[] =
		"name: t\nparams: {k: [1, 2, 3]}\nloop: {steps: [a], max: 3}\nsteps:\n"
		"  - {name: a, run: x, sweep: [k], max_failed: 1}\n";
	struct weft_errs errs = {0};
	struct weft_workflow *of;
	enum weft_state state[9];
	struct weft_tally tally = {.known = true};

	ck_assert_int_eq(
		weft_spec_parse("/t", text, strlen(text), NULL, &of, &errs), 0);
	weft_loop_next(of, 0);
	weft_loop_next(of, 0);
	for (size_t i = 0; i < 9; i++)
		state[i] = i % 4 == 1 ? WEFT_STATE_FAILED : WEFT_STATE_DONE;
	tally.count[WEFT_STATE_FAILED] = 2;
	tally.count[WEFT_STATE_DONE] = 7;
	/* One in the first round, one in the second. */
	ck_assert_int_eq(
		weft_round_verdict(of, of->loop, &tally, of_rounds, state), WEFT_READY);
	ck_assert(!weft_step_failed(of->step, &tally, false, of_rounds, state));
	state[1] = WEFT_STATE_DONE;
	state[3] = WEFT_STATE_FAILED;
	ck_assert_int_eq(
		weft_round_verdict(of, of->loop, &tally, of_rounds, state), WEFT_NEVER);
	ck_assert(weft_step_failed(of->step, &tally, false, of_rounds, state));
	state[8] = WEFT_STATE_RUNNING;
	tally.count[WEFT_STATE_DONE]--;
	ck_assert_int_eq(
		weft_round_verdict(of, of->loop, &tally, of_rounds, state), WEFT_WAIT);
	weft_spec_free(of);
}
END_TEST

#define FLOW                                                                           \
	"name: heat\nparams: {k: [1, 2, 3]}\nsteps:\n"                                 \
	"  - {name: sim, run: echo, sweep: [k], max_failed: 1}\n"                      \
	"  - {name: train, run: echo, depends: [sim]}\n"                               \
	"  - {name: side, run: echo, optional: true}\n"                                \
	"  - {name: plot, run: echo, depends: [train]}\n"

static struct weft_run *run;
static struct weft_workflow *wf;

static void begin(void)
{
	run = new_run(FLOW, 4);
	wf = workflow(FLOW);
}

static void record(
	unsigned step, size_t member, enum weft_state state, enum weft_code code)
{
	static unsigned attempt;
	struct weft_record r = {.state = state,
		.code = code,
		.attempt = attempt,
		.started = 10,
		.ended = 20,
		.reason = (char *)"because",
		.staged_in = 5,
		.staged_out = 6};

	attempt++;
	put_record(run, wf, step, member, &r, "w");
}

static void happened(
	const char *step, double time, enum weft_state state, const char *job)
{
	struct weft_event e = {.time = time,
		.step = (char *)step,
		.state = state,
		.job = (char *)job,
		.text = (char *)"n1"};
	struct weft_journal *j;

	/* An array of two: the first has one member, the second two. */
	if (state == WEFT_STATE_SUBMITTED && *step)
		e.total = 2;

	ok(weft_journal_open(run, "submit", &j, &ok_err));
	ok(weft_journal_add(j, &e, &ok_err));
	weft_journal_close(j);
}

static bool none_alive(void *ctx, const char *job)
{
	(void)ctx;
	(void)job;
	return false;
}

static struct weft_status *state_of_run(bool (*alive)(void *, const char *))
{
	struct weft_status *st;

	ok(weft_status_load(run, wf, alive, NULL, &st, &ok_err));
	ck_assert_uint_eq(st->n_steps, 4);
	return st;
}

/* States of the steps, whether it is over, and what `weft run` would exit with. */
static void is(struct weft_status *st, enum weft_state sim, enum weft_state train,
	enum weft_state side, enum weft_state plot, bool finished, enum weft_code code)
{
	const enum weft_state want[] = {sim, train, side, plot};

	for (size_t i = 0; i < 4; i++)
		ck_assert_msg(st->step[i].state == want[i], "%s: %s, not %s",
			st->step[i].name, weft_state_name(st->step[i].state),
			weft_state_name(want[i]));
	ck_assert_int_eq(st->finished, finished);
	ck_assert_int_eq(st->code, code);
	weft_status_free(st);
}

START_TEST(from_nothing_to_done)
{
	begin();
	is(state_of_run(NULL), N, N, N, N, false, WEFT_OK);
	happened("sim", 1, WEFT_STATE_SUBMITTED, "7");
	struct weft_status *st = state_of_run(NULL);
	ck_assert_str_eq(st->step[0].member[2].job, "7_1");
	ck_assert(st->step[0].member[2].queued == 1);
	ck_assert_uint_eq(strlen(st->step[0].member[2].id), 12);
	is(st, WEFT_STATE_SUBMITTED, N, N, N, false, WEFT_OK);
	happened("side", 2, WEFT_STATE_RUNNING, "8");
	/* An end in the journal is no proof. */
	happened("train", 3, D, "9");
	record(0, 0, D, WEFT_OK);
	st = state_of_run(NULL);
	ck_assert_str_eq(st->step[2].member[0].hosts, "n1");
	ck_assert_uint_eq(st->step[0].member[0].staged, 11);
	is(st, R, N, R, N, false, WEFT_OK);
	record(0, 1, F, WEFT_EFAILED); /* one may */
	record(0, 2, D, WEFT_OK);
	record(1, 0, D, WEFT_OK);
	record(2, 0, F, WEFT_ESTAGE); /* optional */
	record(3, 0, D, WEFT_OK);
	st = state_of_run(none_alive);
	ck_assert_ptr_nonnull(st->step[0].member[1].log);
	ck_assert_str_eq(st->step[0].member[1].reason, "because");
	is(st, D, D, F, D, true, WEFT_OK);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

START_TEST(failure_spreads)
{
	begin();
	record(0, 0, F, WEFT_ESTAGE);
	record(0, 1, F, WEFT_EFAILED);
	record(0, 2, D, WEFT_OK);
	record(2, 0, S, WEFT_OK);
	struct weft_status *st = state_of_run(NULL);
	ck_assert(strstr(st->step[1].member[0].reason, "sim.") != NULL);
	ck_assert_str_eq(st->step[3].member[0].reason, "train was not run");
	is(st, F, X, S, X, true, WEFT_ESTAGE);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

START_TEST(lost_stopped_damaged)
{
	begin();
	happened("sim", 1, WEFT_STATE_SUBMITTED, "7");
	happened("train", 1, WEFT_STATE_SUBMITTED, "8");
	happened("side", 1, WEFT_STATE_RUNNING, "9");
	record(0, 0, D, WEFT_OK);
	record(0, 1, D, WEFT_OK);
	record(0, 2, D, WEFT_OK);
	struct weft_status *st = state_of_run(none_alive);
	ck_assert(strstr(st->step[2].member[0].reason, "without a completion record") !=
		  NULL);
	is(st, D, L, L, X, true, WEFT_EFAILED);
	/* What was stopped before it began isn't lost. */
	ok(weft_run_stop(run, "enough", &ok_err));
	st = state_of_run(none_alive);
	ck_assert_str_eq(st->stopped, "enough");
	ck_assert_str_eq(st->step[1].member[0].reason, "enough");
	is(st, D, X, L, X, true, WEFT_EINTR);
	/* A record that is damaged proves nothing. */
	record(1, 0, D, WEFT_OK);
	put_text(in_scratch("runs/heat/1/steps/train/done.json"), "{");
	st = state_of_run(NULL);
	ck_assert(strstr(st->step[1].member[0].reason, "damaged") != NULL);
	is(st, D, L, R, X, false, WEFT_EFAILED);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

/* A job that is gone may have left its members to another one of its array. */
static bool seven_two(void *ctx, const char *job)
{
	(void)ctx;
	return weft_streq(job, "7_2");
}

START_TEST(taken_by_another_job)
{
	struct weft_event e = {.time = 1,
		.step = (char *)"sim",
		.member = (char *)"",
		.job = (char *)"7",
		.state = WEFT_STATE_SUBMITTED,
		.total = 3};
	struct weft_journal *j;

	begin();
	ok(weft_journal_open(run, "array", &j, &ok_err));
	ok(weft_journal_add(j, &e, &ok_err));
	weft_journal_close(j);
	ck_assert_int_eq(weft_claim(run, "7", 0, "7_2", NULL), 0);
	ck_assert_int_eq(weft_claim(run, "7", 0, "7_0", NULL), 1);
	ck_assert_int_eq(weft_claim(run, "8", 0, "8_0", NULL), 0);
	ck_assert_int_eq(weft_claim(run, "7", 70123, "7_1", NULL), 0);
	char *owner[] = {weft_claimed_by(run, "7_0"), weft_claimed_by(run, "7_70123")};
	ck_assert_str_eq(owner[0], "7_2");
	ck_assert_str_eq(owner[1], "7_1");
	free(owner[0]);
	free(owner[1]);
	ck_assert_ptr_null(weft_claimed_by(run, "7_1"));
	ck_assert_ptr_null(weft_claimed_by(run, "7"));
	ck_assert_ptr_null(weft_claimed_by(run, "7_../0"));
	struct weft_status *st = state_of_run(seven_two);
	ck_assert_int_eq(st->step[0].member[0].state, WEFT_STATE_SUBMITTED);
	ck_assert_int_eq(st->step[0].member[1].state, L);
	ck_assert_int_eq(st->step[0].member[2].state, WEFT_STATE_SUBMITTED);
	weft_status_free(st);
	st = state_of_run(none_alive);
	ck_assert_int_eq(st->step[0].member[0].state, L);
	weft_status_free(st);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

/* weft was killed while it submitted, or sbatch refused the second job. */
START_TEST(half_submitted)
{
	begin();
	happened("sim", weft_now(), WEFT_STATE_SUBMITTED, "7");
	/* Slurm's list may be older than the job; the others are still to come. */
	is(state_of_run(none_alive), WEFT_STATE_SUBMITTED, N, N, N, false, WEFT_OK);
	ok(weft_run_stop(run, "the run could not be submitted", &ok_err));
	struct weft_status *st = state_of_run(none_alive);
	ck_assert_str_eq(
		st->step[2].member[0].reason, "the run could not be submitted");
	is(st, X, X, X, X, true, WEFT_EINTR);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

START_TEST(submitter_killed)
{
	begin();
	run->created = 1;
	happened("sim", 2, WEFT_STATE_SUBMITTED, "7");
	for (size_t i = 0; i < 3; i++)
		record(0, i, D, WEFT_OK);
	struct weft_status *st = state_of_run(none_alive);
	ck_assert(strstr(st->step[1].member[0].reason, "never submitted") != NULL);
	is(st, D, L, L, X, true, WEFT_ESLURM);
	/* Without Slurm's word nothing is known. */
	is(state_of_run(NULL), D, N, N, N, false, WEFT_OK);
	/* All of it was: then a step without a job is the submitter's business. */
	happened("", 3, WEFT_STATE_SUBMITTED, "");
	is(state_of_run(none_alive), D, N, N, N, false, WEFT_OK);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

START_TEST(cancelled)
{
	begin();
	for (size_t i = 0; i < 3; i++)
		record(0, i, C, WEFT_OK);
	record(2, 0, D, WEFT_OK);
	is(state_of_run(NULL), C, X, D, X, true, WEFT_EINTR);
	/* Because another failed: that is how the run ended. */
	record(0, 2, F, WEFT_ESTAGE);
	is(state_of_run(NULL), F, X, D, X, true, WEFT_ESTAGE);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

static bool seven(void *ctx, const char *job)
{
	(void)ctx;
	return weft_streq(job, "7");
}

static bool eight(void *ctx, const char *job)
{
	(void)ctx;
	return *job == '8';
}

/* Slurm ended the job, and starts it again. */
START_TEST(started_again)
{
	static const struct {
		unsigned step;
		size_t member;
		enum weft_state state;
	} ended[] = {{0, 0, D}, {0, 1, C}, {0, 2, C}, {1, 0, X}, {2, 0, D}, {3, 0, X}};

	begin();
	for (size_t i = 0; i < WEFT_COUNT(ended); i++) {
		struct weft_record r = {.state = ended[i].state,
			.code = ended[i].state == D ? WEFT_OK : WEFT_EINTR,
			.job = (char *)"7",
			.started = 10,
			.ended = 20,
			.reason = (char *)"the run was interrupted"};

		put_record(run, wf, ended[i].step, ended[i].member, &r, "w");
	}
	is(state_of_run(none_alive), C, X, D, X, true, WEFT_EINTR);
	struct weft_status *st = state_of_run(seven);
	ck_assert(st->may_go_on);
	ck_assert_int_eq(st->step[0].member[0].state, D);
	ck_assert_int_eq(st->step[0].member[2].state, WEFT_STATE_SUBMITTED);
	is(st, R, WEFT_STATE_SUBMITTED, D, WEFT_STATE_SUBMITTED, false, WEFT_OK);
	/* Only Slurm knows. */
	st = state_of_run(NULL);
	ck_assert(st->may_go_on);
	is(st, C, X, D, X, true, WEFT_EINTR);
	/* It was resumed before that was written. */
	happened("sim", 15, WEFT_STATE_SUBMITTED, "8");
	st = state_of_run(eight);
	ck_assert_int_eq(st->step[0].member[2].state, WEFT_STATE_SUBMITTED);
	is(st, R, X, D, X, false, WEFT_EINTR);
	/* Of a run that was stopped nothing goes on. */
	ok(weft_run_stop(run, "cancelled by alice", &ok_err));
	st = state_of_run(seven);
	ck_assert(!st->may_go_on);
	is(st, C, X, D, X, true, WEFT_EINTR);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

/* Its job was ended when nothing of it ran: that is no success. */
START_TEST(interrupted)
{
	static const enum weft_state ended[] = {D, D, D, X, D, X};

	begin();
	for (size_t i = 0; i < WEFT_COUNT(ended); i++) {
		struct weft_record r = {.state = ended[i],
			.code = ended[i] == D ? WEFT_OK : WEFT_EINTR,
			.job = (char *)"7",
			.ended = 20,
			.reason = (char *)"the run was interrupted"};

		put_record(
			run, wf, i < 3 ? 0 : (unsigned)i - 2, i < 3 ? i : 0, &r, "w");
	}
	is(state_of_run(none_alive), D, X, D, X, true, WEFT_EINTR);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

SUITE("journal_status", verdicts, shares_are_exact, rounds_fail_by_themselves,
	from_nothing_to_done, failure_spreads, lost_stopped_damaged,
	taken_by_another_job, half_submitted, submitter_killed, cancelled,
	started_again, interrupted)
