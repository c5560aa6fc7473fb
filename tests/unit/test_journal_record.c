/* test_journal_record.c - completion records, the last value of a metric */
#include "journal.h"

static char hostile[] =
	"a\"b\\c\nd\t\x01\x7f${{ x }} $(id) \xc3\xa4 {\"state\":\"done\"}";

static struct weft_record sample(struct weft_record_output *o)
{
	o[0] = (struct weft_record_output){
		hostile, hostile, UINT64_C(1) << 60, 3, NULL, NULL};
	o[1] = (struct weft_record_output){(char *)"b", (char *)"/x", 0, 0, NULL, NULL};
	return (struct weft_record){.state = WEFT_STATE_FAILED,
		.code = WEFT_ESTAGE,
		.step = (char *)"sim",
		.member = (char *)"0123456789ab",
		.exit_status = -1,
		.signal = 9,
		.reason = hostile,
		.job = (char *)"12_3",
		.attempt = 4,
		.digest = (char *)"00ff",
		.definition = (char *)"11ee",
		.hosts = (char *)"n[1-3]",
		.queued = 1700000000.123456,
		.started = 0.1,
		.ended = 1e300,
		.staged_in = UINT64_C(1) << 53,
		.staged_out = 1,
		.stage_seconds = 1.0 / 3,
		.placement = (char *)"task 0: cpus 0\ntask 1: cpus 1",
		.output = o,
		.n_outputs = 2};
}

START_TEST(comes_back_as_it_was)
{
	struct weft_record_output o[2];
	struct weft_record_input in[] = {{(char *)"i", (char *)"beef"}};
	struct weft_record w = sample(o), *r;

	w.input = in;
	w.n_inputs = 1;
	w.output[1].hash = (char *)"cafe";
	w.output[1].identity = (char *)"f00d";
	ck_assert_int_eq(weft_record_read(scratch(), &r, NULL), 1);
	ck_assert_int_eq(weft_record_read(in_scratch("none/none"), &r, NULL), 1);
	ok(weft_record_write(scratch(), &w, &ok_err));
	ok(weft_record_read(scratch(), &r, &ok_err));
	ck_assert_int_eq(r->state, w.state);
	ck_assert_int_eq(r->code, w.code);
	ck_assert_str_eq(r->step, w.step);
	ck_assert_str_eq(r->member, w.member);
	ck_assert_int_eq(r->exit_status, -1);
	ck_assert_int_eq(r->signal, 9);
	ck_assert_str_eq(r->reason, hostile);
	ck_assert_str_eq(r->job, w.job);
	ck_assert_uint_eq(r->attempt, 4);
	ck_assert_str_eq(r->digest, w.digest);
	ck_assert_str_eq(r->definition, w.definition);
	ck_assert_str_eq(r->hosts, w.hosts);
	ck_assert(r->queued == w.queued && r->started == w.started &&
		  r->ended == w.ended);
	ck_assert(r->stage_seconds == w.stage_seconds);
	ck_assert_uint_eq(r->staged_in, w.staged_in);
	ck_assert_str_eq(r->placement, w.placement);
	ck_assert_uint_eq(r->n_outputs, 2);
	ck_assert_str_eq(r->output[0].path, hostile);
	ck_assert_uint_eq(r->output[0].bytes, o[0].bytes);
	ck_assert_str_eq(r->output[1].name, "b");
	ck_assert_str_eq(r->output[0].hash, "");
	ck_assert_str_eq(r->output[1].hash, "cafe");
	ck_assert_str_eq(r->output[1].identity, "f00d");
	ck_assert_uint_eq(r->n_inputs, 1);
	ck_assert_str_eq(r->input[0].name, "i");
	ck_assert_str_eq(r->input[0].hash, "beef");
	weft_record_free(r);
	weft_record_free(NULL);
}
END_TEST

START_TEST(every_state)
{
	for (int s = WEFT_STATE_NONE; s <= WEFT_STATE_LOST; s++) {
		struct weft_record w = {.state = (enum weft_state)s}, *r;

		ok(weft_record_write(scratch(), &w, &ok_err));
		ok(weft_record_read(scratch(), &r, &ok_err));
		ck_assert_int_eq(r->state, s);
		ck_assert_str_ne(weft_state_name(r->state), "?");
		ck_assert_int_eq(weft_state_ended(r->state), s >= WEFT_STATE_DONE);
		weft_record_free(r);
	}
	ck_assert_str_eq(weft_state_name((enum weft_state)99), "?");
}
END_TEST

START_TEST(text_that_is_not_utf8)
{
	struct weft_record w = {.state = WEFT_STATE_DONE,
				   .reason = (char *)"a\xff\xc3 b"},
			   *r;

	ok(weft_record_write(scratch(), &w, &ok_err));
	ok(weft_record_read(scratch(), &r, &ok_err));
	ck_assert_str_eq(r->reason, "a?? b");
	weft_record_free(r);
}
END_TEST

/* Every change of a byte that means something, and every cut, is noticed. */
START_TEST(damaged_is_refused)
{
	struct weft_record_output o[2];
	struct weft_record w = sample(o), *r;
	const char *path = in_scratch("done.json");
	char *good;
	size_t n, still = 0;

	ok(weft_record_write(scratch(), &w, &ok_err));
	ok(weft_read_file(path, 1 << 20, &good, &n, &ok_err));
	for (size_t i = 0; i < n; i++) {
		char *bad = malloc(n + 1);

		memcpy(bad, good, n + 1);
		bad[i] ^= 1;
		ck_assert_int_eq(weft_write_file(path, bad, n, 0644, NULL), 0);
		if (weft_record_read(scratch(), &r, NULL) == 0) {
			/* The same value in other letters at most: white space, \u00XX.
			 */
			ck_assert_str_eq(r->reason, hostile);
			ck_assert_int_eq(r->state, w.state);
			weft_record_free(r);
			still++;
		}
		free(bad);
	}
	ck_assert_uint_lt(still, 40);
	for (size_t i = 0; i < n; i += 7) {
		ck_assert_int_eq(weft_write_file(path, good, i, 0644, NULL), 0);
		refused(weft_record_read(scratch(), &r, &ok_err),
			"damaged completion record");
		ck_assert_ptr_null(r);
	}
	static const char *const other[] = {"[]", "{}", "null", "{\"sum\": 5}", "\xff",
		"{\"state\":\"done\",\"sum\":\"99aa06d3014798d86001c324468d497f\"}"};
	for (size_t i = 0; i < WEFT_COUNT(other); i++) {
		put_text(path, other[i]);
		refused(weft_record_read(scratch(), &r, &ok_err),
			"damaged completion record");
	}
	free(good);
}
END_TEST

static void last(const char *text, int want, const char *printed)
{
	struct weft_value v;
	struct weft_str b = {0};

	put_text(in_scratch("m.jsonl"), text);
	ck_assert_msg(weft_metric_last(in_scratch("m.jsonl"), "loss", &v, NULL) == want,
		"%s", text);
	if (want == 0) {
		weft_value_print(&b, &v);
		ck_assert_str_eq(b.s ? b.s : "", printed);
	}
	weft_value_clear(&v);
	weft_str_free(&b);
}

START_TEST(last_metric)
{
	struct weft_value v;

	ck_assert_int_eq(weft_metric_last(in_scratch("none"), "loss", &v, NULL), 1);
	refused(weft_metric_last(scratch(), "loss", &v, &ok_err), "directory");
	last("", 1, NULL);
	last("\n", 1, NULL);
	last("{\"loss\": 0.5}", 0, "0.5");
	last("{\"loss\": 1}\n{\"loss\": 2}\n{\"epoch\": 3}\n", 0, "2");
	last("{\"loss\": 1}\r\n\r\n\n", 0, "1");
	/* A line that is being written, or that isn't JSON, is passed over. */
	last("{\"loss\": 1}\n{\"loss\": 2", 0, "1");
	last("{\"loss\": 1}\nTraceback: loss\n[1]\n5\n\"loss\"\n", 0, "1");
	last("{\"loss\": \"low\"}\n", 0, "low");
	last("{\"loss\": true}\n", 0, "true");
	last("{\"loss\": [1,2]}\n", 0, "[1,2]");
	last("{\"loss\": 1e400}\n{\"x\": 1}", 1, NULL);
	last("\n\n{\"loss\": -1e-3}\n", 0, "-0.001");
}
END_TEST

/* It is compared with those of earlier versions: another way of making it would have
 * every member of every run done again. */
START_TEST(digest_stays)
{
	struct weft_workflow *wf = workflow(
		"name: heat\nvars: {greeting: hello}\nenv: {A: b}\nsteps:\n"
		"  - {name: sim, sweep: {i: {range: [1, 12]}}, run: 'echo ${{ params.i "
		"}}',\n"
		"     env: {LONG: 0123456789, NONE: ''}, setup: module load x,\n"
		"     resources: {ntasks: 2, gpus_per_task: 1}, outputs: {o: o.txt, p: "
		"p/*}}\n"
		"  - {name: all, inputs: [{from: sim.o, as: o}], command: [cat, a, "
		"b]}\n");
	char hex[WEFT_DIGEST_HEX];
	struct weft_member m;

	ok(weft_record_digest(wf, &wf->step[0], NULL, hex, &ok_err));
	ck_assert_str_eq(hex, "86135ab84ac85ad92051c15bbed0effe");
	ok(weft_sweep_member(wf, &wf->step[0], 11, &m, &ok_err));
	ok(weft_record_digest(wf, &wf->step[0], &m, hex, &ok_err));
	weft_member_clear(&m);
	ck_assert_str_eq(hex, "a05d2b0c178973d62cc5f15aaefc8e63");
	ok(weft_record_digest(wf, &wf->step[1], NULL, hex, &ok_err));
	ck_assert_str_eq(hex, "7108ab24ef12c29c51c001f322996864");
	weft_spec_free(wf);
}
END_TEST

SUITE("journal_record", digest_stays, comes_back_as_it_was, every_state,
	text_that_is_not_utf8, damaged_is_refused, last_metric)
