/* test_journal_records.c - records of members: torn, twice, read while written */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "journal.h"

#define MEMBERS 40
#define SOURCE                                                                         \
	"name: heat\nparams: {k: {range: [1, 40]}}\nsteps:\n"                          \
	"  - {name: sim, run: echo, sweep: [k]}\n"                                     \
	"  - {name: train, run: echo}\n"                                               \
	"  - {name: look, run: echo, sweep: [k]}\n"

static struct weft_run *run;
static struct weft_workflow *wf;
static struct weft_records *store;

static void begin(void)
{
	run = new_run(SOURCE, 3);
	wf = workflow(SOURCE);
	ok(weft_records_open(run, wf, &store, &ok_err));
}

static void finish(void)
{
	weft_records_free(store);
	weft_spec_free(wf);
	weft_run_free(run);
}

static struct weft_record record_of(unsigned step, size_t member, unsigned attempt)
{
	static char id[8][WEFT_MEMBER_ID];
	static unsigned at;
	char *own = id[at++ % 8];
	struct weft_member m;

	ok(weft_sweep_member(wf, &wf->step[step], member, &m, &ok_err));
	memcpy(own, m.id, WEFT_MEMBER_ID);
	weft_member_clear(&m);
	return (struct weft_record){.state = WEFT_STATE_DONE,
		.step = (char *)wf->step[step].name,
		.member = own,
		.index = member,
		.attempt = attempt,
		.started = 1,
		.ended = 2};
}

static struct weft_recorder *writer(const char *name)
{
	struct weft_recorder *w;

	ok(weft_recorder_open(run, name, &w, &ok_err));
	return w;
}

static void adds(struct weft_recorder *w, unsigned step, size_t member,
	unsigned attempt, enum weft_state state)
{
	struct weft_record r = record_of(step, member, attempt);

	r.state = state;
	ok(weft_recorder_add(w, &r, &ok_err));
}

static void writes(const char *name, unsigned step, size_t member, unsigned attempt,
	enum weft_state state)
{
	struct weft_recorder *w = writer(name);

	adds(w, step, member, attempt, state);
	ok(weft_recorder_commit(w, &ok_err));
	weft_recorder_close(w);
}

static size_t n_changed;
static void count_changed(void *ctx, unsigned step, size_t member)
{
	ck_assert_ptr_eq(ctx, &n_changed);
	ck_assert_int_ne(weft_records_head(store, step, member).state, WEFT_STATE_NONE);
	n_changed++;
}

/* How many are new. */
static size_t polls(void)
{
	n_changed = 0;
	ok(weft_records_poll(store, count_changed, &n_changed, &ok_err));
	return n_changed;
}

static void has(unsigned step, size_t member, enum weft_state state, unsigned attempt)
{
	struct weft_record_head h = weft_records_head(store, step, member);

	ck_assert_str_eq(weft_state_name(h.state), weft_state_name(state));
	ck_assert_uint_eq(h.attempt, attempt);
}

static size_t known(void)
{
	size_t n = 0;

	for (size_t i = 0; i < MEMBERS; i++)
		n += weft_records_head(store, 0, i).state != WEFT_STATE_NONE;
	return n;
}

static void put_bytes(const char *path, const char *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(weft_write_all(fd, data, n), 0);
	close(fd);
}

#define FILE_OF(name) in_scratch("runs/heat/1/records/" name ".jsonl")

START_TEST(comes_back_as_it_was)
{
	static char hostile[] = "a\"b\\c\nd\t\x01\x7f\xff,\"sum\":\"00000000\"}";
	struct weft_record_output o[] = {{hostile, hostile, UINT64_C(1) << 53, 3,
						 (char *)"cafe", (char *)"f00d"},
		{(char *)"b", (char *)"/x", 0, 0, NULL, NULL}};
	struct weft_record_input in[] = {
		{(char *)"i", (char *)"00"}, {(char *)"j", (char *)"beef"}};

	begin();
	struct weft_record *r, w = record_of(0, 7, 3);
	w.state = WEFT_STATE_FAILED;
	w.code = WEFT_ESTAGE;
	w.round = 2;
	w.exit_status = -1;
	w.signal = 9;
	w.reason = hostile;
	w.cause = (char *)"oom";
	w.job = (char *)"12_3";
	w.hosts = (char *)"n[1-3]";
	w.queued = 1700000000.123456;
	w.staged_in = UINT64_C(1) << 53;
	w.stage_seconds = 0.25;
	w.user_seconds = 1.5;
	w.system_seconds = 0.000502;
	w.max_rss = 1234567;
	w.digest = (char *)"00ff";
	w.definition = (char *)"11ee";
	w.placement = (char *)"task 0: \"x\"\ntask 1: cpus 1";
	w.output = o;
	w.input = in;
	w.n_outputs = w.n_inputs = 2;
	struct weft_recorder *j = writer("a.0/1");
	ok(weft_recorder_commit(j, &ok_err));
	ok(weft_recorder_add(j, &w, &ok_err));
	ck_assert_uint_eq(weft_recorder_pending(j), 1);
	ck_assert_uint_eq(polls(), 0);
	ok(weft_recorder_commit(j, &ok_err));
	ck_assert_uint_eq(weft_recorder_pending(j), 0);
	ck_assert_uint_eq(polls(), 1);
	ck_assert_uint_eq(polls(), 0);
	ck_assert_int_eq(weft_records_head(store, 0, 7).code, WEFT_ESTAGE);
	has(0, 7, WEFT_STATE_FAILED, 3);
	has(0, 6, WEFT_STATE_NONE, 0);
	ck_assert_int_eq(weft_records_read(store, 0, 6, &r, NULL), 1);
	ok(weft_records_read(store, 0, 7, &r, &ok_err));
	ck_assert_int_eq(r->state, WEFT_STATE_FAILED);
	ck_assert_uint_eq(r->index, 7);
	ck_assert_uint_eq(r->round, 2);
	ck_assert_int_eq(r->exit_status, -1);
	ck_assert_int_eq(r->signal, 9);
	/* What is not UTF-8 can't be in JSON. */
	ck_assert_str_eq(r->reason, "a\"b\\c\nd\t\x01\x7f?,\"sum\":\"00000000\"}");
	ck_assert_str_eq(r->output[0].path, r->reason);
	ck_assert_str_eq(r->cause, "oom");
	ck_assert_str_eq(r->job, "12_3");
	ck_assert_str_eq(r->hosts, "n[1-3]");
	ck_assert_str_eq(r->digest, "00ff");
	ck_assert_str_eq(r->definition, "11ee");
	ck_assert_str_eq(r->placement, w.placement);
	ck_assert(r->queued > 1700000000.1234555 && r->queued < 1700000000.1234565);
	ck_assert(r->stage_seconds == 0.25 && r->user_seconds == 1.5 &&
		  r->system_seconds == 0.000502);
	ck_assert(r->max_rss == 1234567 && r->staged_in == w.staged_in);
	ck_assert(r->n_outputs == 2 && r->n_inputs == 2);
	ck_assert(r->output[0].bytes == o[0].bytes && r->output[0].files == 3);
	ck_assert_str_eq(r->output[1].path, "/x");
	ck_assert_str_eq(r->output[0].hash, "cafe");
	ck_assert(weft_streq(r->output[0].identity, "f00d"));
	ck_assert(weft_streq(r->input[1].name, "j") &&
		  weft_streq(r->input[1].hash, "beef"));
	weft_record_free(r);
	weft_recorder_close(j);
	weft_recorder_close(NULL);
	finish();
}
END_TEST

START_TEST(newest_attempt_counts)
{
	struct weft_record *r;

	begin();
	writes("b", 0, 1, 0, WEFT_STATE_FAILED);
	writes("a", 0, 1, 2, WEFT_STATE_DONE);
	writes("c", 0, 1, 1, WEFT_STATE_CANCELLED);
	writes("c", 2, 1, 0, WEFT_STATE_SKIPPED);
	polls();
	has(0, 1, WEFT_STATE_DONE, 2);
	has(2, 1, WEFT_STATE_SKIPPED, 0);
	writes("b", 0, 1, 3, WEFT_STATE_FAILED);
	ck_assert_uint_eq(polls(), 1);
	has(0, 1, WEFT_STATE_FAILED, 3);
	ok(weft_records_read(store, 0, 1, &r, &ok_err));
	ck_assert_uint_eq(r->attempt, 3);
	weft_record_free(r);
	finish();
}
END_TEST

/* Of one attempt twice, the first counts, whichever file is read first. */
START_TEST(one_attempt_twice)
{
	struct weft_records_odd odd;

	begin();
	for (int later = 0; later < 2; later++) {
		struct weft_recorder *w = writer(later ? "a" : "b");
		struct weft_record r = record_of(0, 5, 1);

		r.ended = later ? 20 : 10;
		r.state = later ? WEFT_STATE_DONE : WEFT_STATE_FAILED;
		ok(weft_recorder_add(w, &r, &ok_err));
		weft_recorder_close(w); /* commits */
	}
	polls();
	has(0, 5, WEFT_STATE_FAILED, 1);
	weft_records_odd(store, &odd);
	ck_assert_uint_eq(odd.n_twice, 1);
	ck_assert_str_eq(odd.twice->counts, "b.jsonl");
	ck_assert_str_eq(odd.twice->other, "a.jsonl");
	ck_assert_uint_eq(odd.twice->member, 5);
	/* In one file the first line, whatever the clock said. */
	writes("c", 0, 6, 0, WEFT_STATE_DONE);
	writes("c", 0, 6, 0, WEFT_STATE_FAILED);
	polls();
	has(0, 6, WEFT_STATE_DONE, 0);
	/* The same line again is one record. */
	writes("d", 0, 6, 0, WEFT_STATE_DONE);
	ck_assert_uint_eq(polls(), 0);
	weft_records_odd(store, &odd);
	ck_assert_uint_eq(odd.n_twice, 2);
	finish();
}
END_TEST

/* Cut anywhere in its last three lines, what is left of it counts, and no more; who
 * opens it again goes on after it. */
START_TEST(torn_anywhere)
{
	char *text;
	size_t n, end[MEMBERS + 1] = {0}, lines = 0;

	begin();
	for (size_t i = 0; i < 8; i++)
		writes("w", 0, i, 0, WEFT_STATE_DONE);
	ok(weft_read_file(FILE_OF("w"), 1 << 20, &text, &n, &ok_err));
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\n')
			end[++lines] = i + 1;
	ck_assert_uint_eq(lines, 8);
	for (size_t cut = end[5]; cut <= n; cut++) {
		size_t whole = 0;

		put_bytes(FILE_OF("w"), text, cut);
		/* Whole but for its newline, a line has said all. */
		while (whole < lines && end[whole + 1] - 1 <= cut)
			whole++;
		weft_records_free(store);
		ok(weft_records_open(run, wf, &store, &ok_err));
		ck_assert_uint_eq(polls(), whole);
		ck_assert_uint_eq(known(), whole);
		writes("w", 0, 20, 0, WEFT_STATE_DONE);
		ck_assert_uint_eq(polls(), 1);
		has(0, 20, WEFT_STATE_DONE, 0);
		ck_assert_uint_eq(known(), whole + 1);
		/* The same to one who comes only now. */
		weft_records_free(store);
		ok(weft_records_open(run, wf, &store, &ok_err));
		ck_assert_uint_eq(polls(), whole + 1);
	}
	free(text);
	finish();
}
END_TEST

START_TEST(flipped_bits)
{
	struct weft_records_odd odd;
	size_t n, first;
	char *text;

	begin();
	writes("w", 0, 3, 0, WEFT_STATE_DONE);
	writes("w", 0, 4, 0, WEFT_STATE_DONE);
	ok(weft_read_file(FILE_OF("w"), 1 << 20, &text, &n, &ok_err));
	first = (size_t)(strchr(text, '\n') - text);
	for (size_t i = 0; i < first; i++)
		for (int bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			put_bytes(FILE_OF("w"), text, n);
			text[i] ^= (char)(1 << bit);
			weft_records_free(store);
			ok(weft_records_open(run, wf, &store, &ok_err));
			ck_assert_uint_eq(polls(), 1);
			has(0, 3, WEFT_STATE_NONE, 0);
			has(0, 4, WEFT_STATE_DONE, 0);
			weft_records_odd(store, &odd);
			ck_assert_uint_ge(odd.damaged, 1);
		}
	free(text);
	finish();
}
END_TEST

/* A full disk: nothing of the group counts as committed, and all of it does once there
 * is room again. */
START_TEST(room_again)
{
	struct rlimit old, small;
	struct weft_records_odd odd;
	struct stat st;

	begin();
	struct weft_recorder *w = writer("w");
	adds(w, 0, 0, 0, WEFT_STATE_DONE);
	ok(weft_recorder_commit(w, &ok_err));
	ck_assert_int_eq(stat(FILE_OF("w"), &st), 0);
	for (size_t i = 1; i < 10; i++)
		adds(w, 0, i, 0, WEFT_STATE_DONE);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)(st.st_size + st.st_size * 7 / 2);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct weft_err err = {0};
	int got = weft_recorder_commit(w, &err);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(got, -1);
	ck_assert_ptr_nonnull(strstr(err.text, "w.jsonl"));
	weft_err_clear(&err);
	ck_assert_uint_eq(weft_recorder_pending(w), 9);
	polls();
	adds(w, 0, 10, 0, WEFT_STATE_DONE);
	ok(weft_recorder_commit(w, &ok_err));
	polls();
	ck_assert_uint_eq(known(), 11);
	weft_records_odd(store, &odd);
	ck_assert_uint_eq(odd.n_twice, 0);
	weft_recorder_close(w);
	finish();
}
END_TEST

START_TEST(strangers)
{
	struct weft_records_odd odd;

	begin();
	struct weft_recorder *w = writer("w");
	struct weft_record r = record_of(0, 0, 0);
	r.step = (char *)"gone";
	ok(weft_recorder_add(w, &r, &ok_err));
	r = record_of(0, 0, 0);
	r.index = MEMBERS + 5;
	r.member = (char *)"0123456789ab";
	ok(weft_recorder_add(w, &r, &ok_err));
	r.index = (size_t)1 << 40;
	ok(weft_recorder_add(w, &r, &ok_err));
	/* An index of another version of the file: the id tells. */
	r = record_of(0, 9, 0);
	r.index = 3;
	ok(weft_recorder_add(w, &r, &ok_err));
	r = record_of(0, 10, 0);
	r.index = MEMBERS + 1;
	ok(weft_recorder_add(w, &r, &ok_err));
	weft_recorder_close(w);
	ck_assert_uint_eq(polls(), 2);
	has(0, 9, WEFT_STATE_DONE, 0);
	has(0, 10, WEFT_STATE_DONE, 0);
	has(0, 3, WEFT_STATE_NONE, 0);
	weft_records_odd(store, &odd);
	ck_assert_uint_eq(odd.strangers, 3);
	ck_assert_uint_eq(odd.damaged, 0);
	/* Other things in the folder don't hurt. */
	ck_assert_int_eq(mkfifo(FILE_OF("p"), 0600), 0);
	ck_assert_int_eq(mkdir(FILE_OF("d"), 0700), 0);
	ck_assert_int_eq(symlink("w.jsonl", FILE_OF("l")), 0);
	put_text(FILE_OF("x"), "x\n\n{}\nnull\n");
	ck_assert_uint_eq(polls(), 0);
	finish();
}
END_TEST

/* A sweep that grows while it runs: a record may be there before its member. */
START_TEST(growing)
{
	begin();
	for (size_t i = 0; i < MEMBERS; i++)
		writes("w", 0, i, 0, WEFT_STATE_DONE);
	wf->step[0].sweep.count = 10;
	wf->step[2].sweep.count = 10;
	ck_assert_uint_eq(polls(), 10);
	wf->step[0].sweep.count = 25;
	ck_assert_uint_eq(polls(), 15);
	wf->step[0].sweep.count = MEMBERS;
	ck_assert_uint_eq(polls(), MEMBERS - 25);
	ck_assert_uint_eq(known(), MEMBERS);
	finish();
}
END_TEST

/* Steps without a sweep come through the same door. */
START_TEST(steps_too)
{
	struct weft_record r = {.state = WEFT_STATE_FAILED, .code = WEFT_EFAILED}, *got;
	char *dir;

	begin();
	dir = weft_run_step_dir(run, &wf->step[1], NULL);
	ok(weft_mkdirs(dir, 0755, &ok_err));
	ck_assert_uint_eq(polls(), 0);
	ck_assert_int_eq(weft_records_read(store, 1, 0, &got, NULL), 1);
	ok(weft_record_write(dir, &r, &ok_err));
	ck_assert_uint_eq(polls(), 1);
	ck_assert_uint_eq(polls(), 0);
	has(1, 0, WEFT_STATE_FAILED, 0);
	ok(weft_records_read(store, 1, 0, &got, &ok_err));
	weft_record_free(got);
	char *file = weft_path_join(dir, "done.json");
	put_text(file, "{}");
	ck_assert_uint_eq(polls(), 0);
	refused(weft_records_poll_step(store, 1, &ok_err), "damaged completion record");
	ck_assert_int_eq(unlink(file), 0);
	ok(weft_records_poll_step(store, 1, &ok_err));
	has(1, 0, WEFT_STATE_NONE, 0);
	free(file);
	free(dir);
	finish();
}
END_TEST

/* A file that is replaced by a copy under another name. */
START_TEST(moved_away)
{
	struct weft_record *r;

	begin();
	for (size_t i = 0; i < 5; i++)
		writes("w", 0, i, 0, WEFT_STATE_DONE);
	ck_assert_uint_eq(polls(), 5);
	ok(weft_records_read(store, 0, 1, &r, &ok_err));
	weft_record_free(r);
	ck_assert_int_eq(rename(FILE_OF("w"), FILE_OF("v")), 0);
	writes("u", 0, 6, 0, WEFT_STATE_DONE);
	ck_assert_uint_eq(polls(), 1);
	for (size_t i = 0; i < 5; i++) {
		ok(weft_records_read(store, 0, i, &r, &ok_err));
		ck_assert_uint_eq(r->index, i);
		weft_record_free(r);
		ok(weft_records_read(store, 0, 6, &r, &ok_err));
		weft_record_free(r);
	}
	ck_assert_int_eq(unlink(FILE_OF("v")), 0);
	refused(weft_records_read(store, 0, 1, &r, &ok_err), "is gone");
	finish();
}
END_TEST

START_TEST(read_while_others_write)
{
	enum { WRITERS = 4, EACH = MEMBERS / WRITERS };
	double end = weft_monotonic() + 50;
	size_t seen = 0;

	begin();
	for (int p = 0; p < WRITERS; p++) {
		char name[16];

		snprintf(name, sizeof(name), "job.%d", p);
		if (fork() == 0) {
			struct weft_recorder *w = writer(name);

			for (size_t i = 0; i < EACH; i++) {
				adds(w, 0, (size_t)p * EACH + i, 0, WEFT_STATE_DONE);
				if (i % 3 == 2)
					ok(weft_recorder_commit(w, &ok_err));
			}
			weft_recorder_close(w);
			_exit(0);
		}
	}
	while (seen < MEMBERS) {
		ck_assert_msg(weft_monotonic() < end, "%zu", seen);
		seen += polls();
		usleep(1000);
	}
	ck_assert_uint_eq(known(), MEMBERS);
	for (int p = 0; p < WRITERS; p++)
		wait(NULL);
	finish();
}
END_TEST

/* Who follows the events of a run sees the end of a member by its record. */
START_TEST(ends_as_events)
{
	struct weft_reader *r;
	struct weft_event *e;
	size_t n;

	begin();
	ok(weft_reader_open(run, &r, &ok_err));
	writes("w", 0, 3, 0, WEFT_STATE_FAILED);
	ok(weft_reader_poll(r, &e, &n, &ok_err));
	ck_assert_uint_eq(n, 0);
	weft_reader_add_records(r);
	ok(weft_reader_poll(r, &e, &n, &ok_err));
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(e->step, "sim");
	ck_assert_uint_eq(strlen(e->member), WEFT_MEMBER_ID - 1);
	ck_assert_int_eq(e->state, WEFT_STATE_FAILED);
	ck_assert(e->time == 2);
	weft_events_free(e, n);
	ok(weft_reader_poll(r, &e, &n, &ok_err));
	ck_assert_uint_eq(n, 0);
	weft_reader_free(r);
	finish();
}
END_TEST

/* Files of which some lines count become one, whenever that is broken off. */
START_TEST(compacted)
{
	enum { FILES = 20 };
	struct weft_records *late;
	struct weft_record *r;
	weft_autofree char *before = weft_printf("%s/before", scratch());
	char command[2048];

	begin();
	for (size_t i = 0; i < FILES; i++) {
		char name[48];

		snprintf(name, sizeof(name), "%zu.0/%zu", i % 3, i);
		writes(name, 0, i, 0, WEFT_STATE_FAILED);
		if (i % 2)
			writes(name, 0, i - 1, 1, WEFT_STATE_DONE);
	}
	polls();
	ok(weft_records_open(run, wf, &late, &ok_err));
	ok(weft_records_poll(late, NULL, NULL, &ok_err));
	snprintf(command, sizeof(command), "cp -r %s/records %s", run->dir, before);
	ck_assert_int_eq(system(command), 0);
	ok(weft_records_compact(run, wf, &ok_err));
	ck_assert_int_eq(weft_records_compact(run, wf, NULL), 1);
	/* Who had read the old files finds each record in the new one. */
	for (int left = 0; left <= FILES; left++) {
		struct weft_records_odd odd;

		ck_assert(polls() == 0 || left);
		ck_assert_uint_eq(known(), FILES);
		for (size_t i = 0; i < FILES; i++) {
			has(0, i, i % 2 ? WEFT_STATE_FAILED : WEFT_STATE_DONE,
				!(i % 2));
			ok(weft_records_read(late, 0, i, &r, &ok_err));
			ck_assert_uint_eq(r->attempt, !(i % 2));
			weft_record_free(r);
		}
		weft_records_odd(store, &odd);
		ck_assert_uint_eq(odd.n_twice, 0);
		/* As if the killed one had not come as far. */
		snprintf(command, sizeof(command),
			"cp %s/%d.0/%d.jsonl %s/records/%d.0/", before, left % 3, left,
			run->dir, left % 3);
		ck_assert(left == FILES || system(command) == 0);
		weft_records_free(store);
		ok(weft_records_open(run, wf, &store, &ok_err));
	}
	weft_records_free(late);
	finish();
}
END_TEST

SUITE("journal_records", comes_back_as_it_was, newest_attempt_counts, one_attempt_twice,
	torn_anywhere, flipped_bits, room_again, strangers, growing, steps_too,
	moved_away, compacted, ends_as_events, read_while_others_write)
