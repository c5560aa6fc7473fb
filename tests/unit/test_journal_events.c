/* test_journal_events.c - the append-only record: torn, damaged, read while written */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "journal.h"

#define SOURCE "name: heat\nsteps:\n  - {name: a, run: echo}\n"

static struct weft_event event(double time, const char *text)
{
	return (struct weft_event){.time = time,
		.step = (char *)"a",
		.member = (char *)"0123456789ab",
		.job = (char *)"7_1",
		.state = WEFT_STATE_RUNNING,
		.text = (char *)text,
		.done = 1.5,
		.total = 3};
}

static void add(struct weft_journal *j, double time, const char *text)
{
	struct weft_event e = event(time, text);

	ok(weft_journal_add(j, &e, &ok_err));
}

/* The texts of what is new, with a blank between. */
static void reads(struct weft_reader *r, const char *want)
{
	struct weft_event *e;
	struct weft_str got = {0};
	size_t n;

	ok(weft_reader_poll(r, &e, &n, &ok_err));
	weft_str_add(&got, "");
	for (size_t i = 0; i < n; i++)
		weft_str_printf(&got, "%s%s", i ? " " : "", e[i].text);
	ck_assert_str_eq(got.s, want);
	weft_str_free(&got);
	weft_events_free(e, n);
}

static void append(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(weft_write_all(fd, text, n), 0);
	close(fd);
}

START_TEST(comes_back_as_it_was)
{
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_journal *j;
	struct weft_reader *r;
	struct weft_event *e, bare = {.time = 2};
	size_t n;

	ok(weft_journal_open(run, "x/y/z", &j, &ok_err));
	add(j, 1.25, "q\"\\\n,\"sum\":\"00000000\"} \xc3\xa4");
	ok(weft_journal_add(j, &bare, &ok_err));
	weft_journal_close(j);
	weft_journal_close(NULL);
	ok(weft_reader_open(run, &r, &ok_err));
	ok(weft_reader_poll(r, &e, &n, &ok_err));
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(e[0].text, "q\"\\\n,\"sum\":\"00000000\"} \xc3\xa4");
	ck_assert_str_eq(e[0].step, "a");
	ck_assert_str_eq(e[0].member, "0123456789ab");
	ck_assert_str_eq(e[0].job, "7_1");
	ck_assert(e[0].time == 1.25 && e[0].done == 1.5 && e[0].total == 3);
	ck_assert_int_eq(e[0].state, WEFT_STATE_RUNNING);
	ck_assert_str_eq(e[1].text, "");
	ck_assert_str_eq(e[1].step, "");
	weft_events_free(e, n);
	reads(r, "");
	weft_reader_free(r);
	weft_reader_free(NULL);
	weft_run_free(run);
}
END_TEST

START_TEST(many_files_by_time)
{
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_journal *j[40];
	struct weft_reader *r;
	struct weft_event *e;
	size_t n;

	ok(weft_reader_open(run, &r, &ok_err));
	reads(r, "");
	for (int i = 0; i < 40; i++) {
		char name[32];

		snprintf(name, sizeof(name), "task-1.%d/%d", i / 10, i % 10);
		ok(weft_journal_open(run, name, &j[i], &ok_err));
	}
	for (int k = 0; k < 25; k++)
		for (int i = 0; i < 40; i++)
			add(j[i], k * 40 + (i * 7) % 40, "x");
	ok(weft_reader_poll(r, &e, &n, &ok_err));
	ck_assert_uint_eq(n, 1000);
	for (size_t i = 0; i < n; i++)
		ck_assert(e[i].time == (double)i);
	weft_events_free(e, n);
	add(j[3], 1, "later");
	add(j[2], 2, "last");
	reads(r, "later last");
	for (int i = 0; i < 40; i++)
		weft_journal_close(j[i]);
	weft_reader_free(r);
	weft_run_free(run);
}
END_TEST

START_TEST(torn_and_damaged_lines)
{
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_journal *j;
	struct weft_reader *r;
	const char *path = in_scratch("runs/heat/1/journal/w.jsonl");
	char *text;
	size_t n;

	ok(weft_journal_open(run, "w", &j, &ok_err));
	add(j, 1, "one");
	ok(weft_read_file(path, 4096, &text, &n, &ok_err));
	ok(weft_reader_open(run, &r, &ok_err));
	reads(r, "one");
	/* The tail is left until it is whole. */
	append(path, text, n / 2);
	reads(r, "");
	append(path, text + n / 2, n - n / 2);
	reads(r, "one");
	/* Each changed byte makes the line count for nothing; the next one counts. */
	for (size_t i = 0; i + 1 < n; i++) {
		char *bad = malloc(n);

		memcpy(bad, text, n);
		bad[i] ^= 1;
		append(path, bad, n);
		free(bad);
	}
	append(path, "\n\n{}\nnull\n\xff\xfe\n", 13);
	add(j, 2, "two");
	reads(r, "two");
	weft_journal_close(j);
	/* A writer that died in a line: the next one begins its own. */
	append(path, text, n - 5);
	ok(weft_journal_open(run, "w", &j, &ok_err));
	add(j, 3, "three");
	reads(r, "three");
	weft_journal_close(j);
	free(text);
	weft_reader_free(r);
	weft_run_free(run);
}
END_TEST

START_TEST(states_that_are_none)
{
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_journal *j;
	struct weft_reader *r;

	ok(weft_journal_open(run, "w", &j, &ok_err));
	struct weft_event e = event(1, "odd");
	e.state = (enum weft_state)(WEFT_STATE_LOST + 1);
	ok(weft_journal_add(j, &e, &ok_err));
	add(j, 2, "good");
	ok(weft_reader_open(run, &r, &ok_err));
	reads(r, "good");
	/* Nor do other things in the folder hurt. */
	ck_assert_int_eq(mkfifo(in_scratch("runs/heat/1/journal/p.jsonl"), 0600), 0);
	ck_assert_int_eq(mkdir(in_scratch("runs/heat/1/journal/d.jsonl"), 0700), 0);
	ck_assert_int_eq(
		symlink("w.jsonl", in_scratch("runs/heat/1/journal/l.jsonl")), 0);
	put_text(in_scratch("runs/heat/1/journal/other"), "x\n");
	reads(r, "");
	weft_journal_close(j);
	weft_reader_free(r);
	weft_run_free(run);
}
END_TEST

/* A full disk tears a line; what is added once there is room again counts. */
START_TEST(room_again)
{
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_journal *j;
	struct weft_reader *r;
	struct stat st;

	ok(weft_journal_open(run, "w", &j, &ok_err));
	add(j, 1, "one");
	ck_assert_int_eq(stat(in_scratch("runs/heat/1/journal/w.jsonl"), &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit old, small;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)st.st_size + 10;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct weft_event e = event(2, "two");
	int got = weft_journal_add(j, &e, NULL);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(got, -1);
	add(j, 3, "three");
	ok(weft_reader_open(run, &r, &ok_err));
	reads(r, "one three");
	weft_journal_close(j);
	weft_reader_free(r);
	weft_run_free(run);
}
END_TEST

START_TEST(read_while_another_writes)
{
	enum { N = 5000 };
	struct weft_run *run = new_run(SOURCE, 1);
	struct weft_reader *r;
	size_t seen = 0;
	double end = weft_monotonic() + 50;

	pid_t p = fork();
	if (p == 0) {
		struct weft_journal *j;

		if (weft_journal_open(run, "w", &j, NULL))
			_exit(1);
		for (int i = 0; i < N; i++)
			add(j, i, "x");
		weft_journal_close(j);
		_exit(0);
	}
	ok(weft_reader_open(run, &r, &ok_err));
	while (seen < N) {
		struct weft_event *e;
		size_t n;

		ck_assert_msg(weft_monotonic() < end, "%zu of %d", seen, N);
		ok(weft_reader_poll(r, &e, &n, &ok_err));
		for (size_t i = 0; i < n; i++)
			ck_assert(e[i].time == (double)seen++);
		weft_events_free(e, n);
		usleep(1000);
	}
	ck_assert_uint_eq(seen, N);
	waitpid(p, NULL, 0);
	weft_reader_free(r);
	weft_run_free(run);
}
END_TEST

SUITE("journal_events", comes_back_as_it_was, many_files_by_time,
	torn_and_damaged_lines, states_that_are_none, room_again,
	read_while_another_writes)
