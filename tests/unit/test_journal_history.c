/* test_journal_history.c - what earlier runs tell of a step, and what they don't */
#include "journal.h"

static const char flow[] = "name: heat\nvars: {mesh: 1}\nsteps:\n"
			   "  - {name: sim, run: x, sweep: {k: {range: [1, 40]}}, "
			   "outputs: {field: f, log: l}}\n"
			   "  - {name: fit, run: y, inputs: [{from: sim.field, as: "
			   "all}], outputs: {model: m}}\n"
			   "  - {name: show, run: z}\n";

/* A record of a member that took so long and left so much. */
static void write_record(const struct weft_run *run, const struct weft_workflow *wf,
	const char *name, size_t member, enum weft_state state, double seconds,
	uint64_t bytes)
{
	const struct weft_step *step = weft_spec_step(wf, name);
	char definition[WEFT_DIGEST_HEX];
	struct weft_record_output out[] = {
		{(char *)"log", (char *)"/l", 1, 1, NULL, NULL},
		{step->n_outputs ? (char *)step->output[0].name : (char *)"none",
			(char *)"/o", bytes, 1, NULL, NULL}};
	struct weft_record r = {.state = state,
		.step = (char *)name,
		.reason = (char *)"",
		.job = (char *)"1",
		.digest = (char *)"00",
		.definition = definition,
		.hosts = (char *)"c1",
		.started = 1000,
		.ended = 1000 + seconds,
		.output = out,
		.n_outputs = 2};

	ok(weft_record_digest(wf, step, NULL, definition, &ok_err));
	put_record(run, wf, step->index, member, &r, "w");
}

static struct weft_history *load(const struct weft_workflow *wf, bool local)
{
	struct weft_history *h;

	ok(weft_history_load(in_scratch("runs"), wf, local, &h, &ok_err));
	return h;
}

START_TEST(nothing_yet)
{
	struct weft_workflow *wf = workflow(flow);
	struct weft_history *h = load(wf, false);
	struct weft_run *run;

	ck_assert_ptr_null(h->step);
	weft_history_free(h);
	run = new_run(flow, 3);
	h = load(wf, false); /* a run without records */
	ck_assert_uint_eq(h->n_steps, 3);
	ck_assert_uint_eq(h->step[0].n, 0);
	weft_history_free(h);
	weft_history_free(NULL);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

START_TEST(of_members)
{
	struct weft_workflow *wf = workflow(flow);
	struct weft_run *run = new_run(flow, 3);
	struct weft_history *h;

	for (size_t i = 0; i < 40; i++)
		write_record(
			run, wf, "sim", i, WEFT_STATE_DONE, (double)(i + 1), 100 + i);
	write_record(run, wf, "fit", 0, WEFT_STATE_DONE, 7.5, 3);
	write_record(run, wf, "show", 0, WEFT_STATE_FAILED, 99, 0);
	h = load(wf, false);
	ck_assert_uint_eq(h->step[0].n, 40);
	ck_assert(h->step[0].seconds == 39);       /* 95 of 100 took at most this */
	ck_assert_uint_eq(h->step[0].out[0], 119); /* in the order of the file */
	ck_assert_uint_eq(h->step[0].out[1], 1);
	ck_assert_uint_eq(h->step[1].n, 1);
	ck_assert(h->step[1].seconds == 7.5);
	ck_assert_uint_eq(h->step[1].out[0], 3);
	ck_assert_uint_eq(h->step[2].n, 0); /* one that failed tells nothing */
	weft_history_free(h);
	h = load(wf, true); /* not a local run */
	ck_assert_uint_eq(h->step[0].n, 0);
	weft_history_free(h);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

/* Other parameters are other members of the same step; another program isn't. */
START_TEST(changed)
{
	struct weft_workflow *wf = workflow(flow), *other;
	struct weft_run *run = new_run(flow, 3);
	struct weft_history *h;

	write_record(run, wf, "sim", 3, WEFT_STATE_DONE, 5, 10);
	write_record(run, wf, "fit", 0, WEFT_STATE_DONE, 5, 10);
	other = workflow("name: heat\nvars: {mesh: 1}\nsteps:\n"
			 "  - {name: sim, run: x, sweep: {k: [100, 200]}, outputs: "
			 "{field: f, log: l}}\n"
			 "  - {name: fit, run: yy, inputs: [{from: sim.field, as: "
			 "all}], outputs: {model: m}}\n");
	h = load(other, false);
	ck_assert_uint_eq(h->step[0].n, 1);
	ck_assert_uint_eq(h->step[1].n, 0);
	weft_history_free(h);
	weft_spec_free(other);
	other = workflow("name: heat\nvars: {mesh: 2}\nsteps:\n"
			 "  - {name: sim, run: x, sweep: {k: [100, 200]}, outputs: "
			 "{field: f, log: l}}\n");
	h = load(other, false);
	ck_assert_uint_eq(h->step[0].n, 0);
	weft_history_free(h);
	weft_spec_free(other);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

/* The newest runs first, twenty of them; what is damaged is passed over. */
START_TEST(of_runs)
{
	struct weft_workflow *wf = workflow(flow);
	struct weft_history *h;

	for (int i = 1; i <= 30; i++) {
		struct weft_run *run = new_run(flow, 3);
		weft_autofree char *dir = weft_run_step_dir(run, &wf->step[1], NULL);
		weft_autofree char *file = weft_path_join(dir, "done.json");

		write_record(run, wf, "fit", 0, WEFT_STATE_DONE, i, 0);
		if (i == 30)
			ok(weft_write_file(file, "{", 1, 0644, &ok_err));
		weft_run_free(run);
	}
	h = load(wf, false);
	ck_assert_uint_eq(h->step[1].n, 19);
	ck_assert(h->step[1].seconds == 29);
	weft_history_free(h);
	weft_spec_free(wf);
}
END_TEST

/* Thousands of members and of steps: a sample of them, from all parts. */
START_TEST(sampled)
{
	weft_autostr struct weft_str text = {0};
	struct weft_workflow *wf;
	struct weft_run *run;
	struct weft_history *h;
	size_t known = 0;

	/* Thousands of records that reach the disk take a minute. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	wf = workflow("name: heat\nsteps:\n"
		      "  - {name: sim, run: x, sweep: {k: {range: [1, 1100]}}}\n");
	run = new_run("x", 1);
	for (size_t i = 0; i < 1100; i++)
		write_record(run, wf, "sim", i, WEFT_STATE_DONE, i < 550 ? 10 : 20, 0);
	h = load(wf, false);
	ck_assert_uint_eq(h->step[0].n, 50);
	ck_assert(h->step[0].seconds == 20);
	weft_history_free(h);
	weft_run_free(run);
	weft_spec_free(wf);

	weft_str_add(&text, "name: heat\nsteps:\n");
	for (int i = 0; i < 700; i++)
		weft_str_printf(&text, "  - {name: s%d, run: x}\n", i);
	wf = workflow(text.s);
	run = new_run("x", 700);
	for (size_t i = 0; i < 700; i++)
		write_record(run, wf, wf->step[i].name, 0, WEFT_STATE_DONE, 10, 0);
	h = load(wf, false);
	for (size_t i = 0; i < 700; i++)
		known += h->step[i].n > 0;
	ck_assert_uint_ge(known, 300);
	ck_assert_uint_le(known, 512);
	weft_history_free(h);
	weft_run_free(run);
	weft_spec_free(wf);
}
END_TEST

SUITE("journal_history", nothing_yet, of_members, changed, of_runs, sampled)
