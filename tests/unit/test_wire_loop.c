/* test_wire_loop.c - timers, descriptors, signals, children, waking */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "scratch.h"
#include "suite.h"
#include "wire/loop.h"

static struct weft_loop *loop;

static void begin(void)
{
	ok(weft_loop_new(&loop, &ok_err));
}

struct count {
	unsigned n, until;
	struct weft_timer *timer;
};

static void counted(void *arg)
{
	struct count *c = arg;

	if (++c->n == c->until)
		weft_timer_free(c->timer); /* its own, in its callback */
}

START_TEST(timers)
{
	struct count once = {.until = 99}, often = {.until = 5}, never = {.until = 99};

	begin();
	once.timer = weft_timer_new(loop, counted, &once);
	often.timer = weft_timer_new(loop, counted, &often);
	never.timer = weft_timer_new(loop, counted, &never);
	weft_timer_set(often.timer, 0, 0.001);
	weft_timer_set(never.timer, 0.001, 0);
	weft_timer_stop(never.timer);
	weft_timer_set(once.timer, 100, 0);
	weft_timer_set(once.timer, 0.02, 0);
	double start = weft_monotonic();
	weft_loop_run(loop); /* ends when there is no more to wait for */
	ck_assert_double_ge(weft_monotonic() - start, 0.019);
	ck_assert_uint_eq(once.n, 1);
	ck_assert_uint_eq(often.n, 5);
	ck_assert_uint_eq(never.n, 0);
	weft_timer_free(once.timer);
	weft_timer_free(never.timer);
	weft_loop_free(loop);
}
END_TEST

START_TEST(a_turn_is_limited)
{
	struct count far = {.until = 99};

	begin();
	far.timer = weft_timer_new(loop, counted, &far);
	weft_timer_set(far.timer, 1000, 0);
	double start = weft_monotonic();
	weft_loop_turn(loop, 0.01);
	weft_loop_turn(loop, 0);
	double took = weft_monotonic() - start;
	ck_assert(took >= 0.009 && took < 100);
	weft_timer_free(far.timer);
	weft_loop_free(loop);
}
END_TEST

static struct weft_watch *watch;
static int pipes[2];
static char seen[64];

static void readable(void *arg, unsigned what)
{
	char c;

	(void)arg;
	ck_assert_uint_eq(what, WEFT_READABLE);
	if (read(pipes[0], &c, 1) == 1) {
		strncat(seen, (char[]){c, '\0'}, 2);
		return;
	}
	weft_watch_free(watch);
	close(pipes[0]);
}

static void hang_up(void *arg)
{
	(void)arg;
	strcat(seen, "|");
	close(pipes[1]);
}

START_TEST(descriptors)
{
	begin();
	ck_assert_int_eq(pipe(pipes), 0);
	ok(weft_watch_new(&watch, loop, pipes[0], readable, NULL, &ok_err));
	weft_watch_want(watch, WEFT_READABLE);
	ck_assert_int_eq(write(pipes[1], "abc", 3), 3);
	struct weft_timer *t = weft_timer_new(loop, hang_up, NULL);
	weft_timer_set(t, 0.01, 0);
	weft_loop_run(loop);
	ck_assert_str_eq(seen, "abc|");
	weft_timer_free(t);
	/* A plain file is always ready, so it isn't waited for. */
	FILE *f = tmpfile();
	refused(weft_watch_new(&watch, loop, fileno(f), readable, NULL, &ok_err),
		"not permitted");
	fclose(f);
	weft_loop_free(loop);
}
END_TEST

static void got_signal(void *arg, int sig)
{
	*(int *)arg = sig;
	weft_loop_stop(loop);
}

START_TEST(signals)
{
	struct weft_signal *s;
	struct count tick = {.until = 999999};
	int sig = 0;

	begin();
	ok(weft_signal_new(&s, loop, SIGUSR1, got_signal, &sig, &ok_err));
	weft_loop_run(loop); /* a signal isn't waited for */
	ck_assert_int_eq(sig, 0);
	tick.timer = weft_timer_new(loop, counted, &tick);
	weft_timer_set(tick.timer, 0, 0.001);
	kill(getpid(), SIGUSR1);
	weft_loop_run(loop);
	ck_assert_int_eq(sig, SIGUSR1);
	weft_signal_free(s);
	weft_timer_free(tick.timer);
	weft_loop_free(loop);
}
END_TEST

/* ---- children ---------------------------------------------------------------- */

#define MANY 400

static unsigned ended, codes;

static void child_ended(void *arg, const struct weft_child_end *end)
{
	ck_assert(WIFEXITED(end->status));
	ck_assert_int_eq(WEXITSTATUS(end->status), (int)(intptr_t)arg);
	ck_assert_int_ge(end->usage.ru_maxrss, 0);
	ended++;
	codes += (unsigned)WEXITSTATUS(end->status);
}

static pid_t start(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

static void expect(int code)
{
	ok(weft_loop_child(
		loop, start(code), child_ended, (void *)(intptr_t)code, &ok_err));
}

START_TEST(many_children)
{
	unsigned want = 0;

	begin();
	for (int i = 0; i < MANY; i++) {
		expect(i % 100);
		want += (unsigned)(i % 100);
	}
	ck_assert_uint_eq(weft_loop_children(loop), MANY);
	weft_loop_run(loop);
	ck_assert_uint_eq(ended, MANY);
	ck_assert_uint_eq(codes, want);
	ck_assert_uint_eq(weft_loop_children(loop), 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	/* And again, after there was none. */
	expect(7);
	weft_loop_run(loop);
	ck_assert_uint_eq(ended, MANY + 1);
	weft_loop_free(loop);
}
END_TEST

/* One that ended long before it is told of; and others' lie unreaped before ours. */
START_TEST(children_of_others_are_left)
{
	int status;
	siginfo_t info;

	begin();
	pid_t foreign = start(3), early = start(4);
	ck_assert_int_eq(waitid(P_PID, (id_t)foreign, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)early, &info, WEXITED | WNOWAIT), 0);
	ok(weft_loop_child(loop, early, child_ended, (void *)4, &ok_err));
	for (int i = 0; i < 50; i++)
		expect(i);
	weft_loop_run(loop);
	ck_assert_uint_eq(ended, 51);
	ck_assert_int_eq(waitpid(foreign, &status, 0), foreign);
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	weft_loop_free(loop);
}
END_TEST

static void chain(void *arg, const struct weft_child_end *end)
{
	child_ended(arg, end);
	if (ended < 100)
		ok(weft_loop_child(loop, start((int)(ended % 50)), chain,
			(void *)(intptr_t)(ended % 50), &ok_err));
}

START_TEST(a_child_starts_the_next)
{
	begin();
	ok(weft_loop_child(loop, start(0), chain, (void *)0, &ok_err));
	weft_loop_run(loop);
	ck_assert_uint_eq(ended, 100);
	weft_loop_free(loop);
}
END_TEST

/* ---- waking ------------------------------------------------------------------ */

static void woken(void *arg)
{
	(*(unsigned *)arg)++;
	weft_loop_stop(loop);
}

static void *waker(void *arg)
{
	(void)arg;
	weft_loop_wake(loop);
	return NULL;
}

static void nothing(void *arg)
{
	(void)arg;
}

START_TEST(another_thread_wakes_it)
{
	pthread_t thread;
	unsigned n = 0;

	begin();
	weft_loop_on_wake(loop, woken, &n);
	struct weft_timer *far = weft_timer_new(loop, nothing, NULL);
	weft_timer_set(far, 1000, 0);
	pthread_create(&thread, NULL, waker, NULL);
	weft_loop_run(loop);
	ck_assert_uint_eq(n, 1);
	pthread_join(thread, NULL);
	weft_timer_free(far);
	weft_loop_free(loop);
}
END_TEST

static struct weft_soon soon[3];
static char order[32];

static void first_soon(void *arg)
{
	strcat(order, arg);
	weft_loop_soon(loop, &soon[1]); /* in the same pass */
	weft_loop_soon(loop, &soon[2]);
	weft_loop_not_soon(loop, &soon[2]);
}

static void other_soon(void *arg)
{
	strcat(order, arg);
}

START_TEST(soon_is_before_it_waits)
{
	begin();
	soon[0] = (struct weft_soon){.fn = first_soon, .arg = (void *)"a"};
	soon[1] = (struct weft_soon){.fn = other_soon, .arg = (void *)"b"};
	soon[2] = (struct weft_soon){.fn = other_soon, .arg = (void *)"c"};
	weft_loop_soon(loop, &soon[0]);
	weft_loop_soon(loop, &soon[0]);
	weft_loop_turn(loop, 0);
	ck_assert_str_eq(order, "ab");
	weft_loop_soon(loop, &soon[2]);
	weft_loop_run(loop);
	ck_assert_str_eq(order, "abc");
	weft_loop_soon(loop, &soon[0]);
	double start = weft_monotonic();
	weft_loop_turn(loop, 100);
	ck_assert_double_lt(weft_monotonic() - start, 50);
	weft_loop_free(loop);
}
END_TEST

SUITE("wire_loop", timers, a_turn_is_limited, descriptors, signals, many_children,
	children_of_others_are_left, a_child_starts_the_next, another_thread_wakes_it,
	soon_is_before_it_waits)
