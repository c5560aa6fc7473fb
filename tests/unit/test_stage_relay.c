/* test_stage_relay.c - who is taken out of a broadcast for being slow: not for what its
 * judge didn't do */
#include "stage/bcast_relay.c"

#include "suite.h"

static unsigned taken_out;

static void on_lost(void *arg, uint32_t rank, const char *why, bool final)
{
	(void)arg;
	(void)why;
	ck_assert(final);
	ck_assert_uint_eq(rank, 7);
	taken_out++;
}

static void on_moved(void *arg)
{
	(void)arg;
}

/* A relay that could pass on 1,000 pieces a second, and whose child takes so many; at
 * each watch it has waited so long for a CPU; it stops for so long after 3 s.  Returns
 * after how many seconds the child is taken out; 0: not within 20. */
static double until_out(double takes, double waits, double stops)
{
	const struct weft_link_options opt = {.deadline = 4};
	struct bcast_relay r = {.link = &opt,
		.lost = on_lost,
		.moved = on_moved,
		.best = 1000,
		.end = 1000};
	struct bcast_child c = {.of = &r, .rank = 7, .ready = true};
	struct bcast_child *child[] = {&c};
	double now = 100;

	r.child = child;
	r.n = 1;
	taken_out = 0;
	for (unsigned i = 0; i < 100 && !taken_out; i++) {
		if (waits > 0)
			r.waited = waited_for_cpu() - waits;
		bcast_relay_watch(&r, now);
		now += i == 15 ? stops + 0.2 : 0.2;
		c.next += (uint64_t)(takes * 0.2);
		r.end = c.next + 1000;
	}
	return taken_out ? now - 100 : 0;
}

START_TEST(slow_or_not)
{
	double out = until_out(100, 0, 0);

	ck_assert_msg(out > 4 && out < 5, "%g", out);
	ck_assert(until_out(500, 0, 0) == 0);
}
END_TEST

START_TEST(a_judge_that_was_stopped)
{
	double out = until_out(100, 0, 3);

	/* Three seconds more, not three seconds of its. */
	ck_assert_msg(out > 7 && out < 8.5, "%g", out);
	/* It took 400 a second whenever it was asked. */
	ck_assert(until_out(400, 0, 10) == 0);
}
END_TEST

START_TEST(a_judge_without_a_cpu)
{
	double out = until_out(50, 0.1, 0);

	/* Half of the time counts. */
	ck_assert_msg(out > 7.5 && out < 9.5, "%g", out);
	/* What it took it took in half of the time. */
	ck_assert(until_out(200, 0.1, 0) == 0);
	ck_assert(until_out(200, 0, 0) > 0);
	ck_assert(waited_for_cpu() >= 0);
}
END_TEST

SUITE("stage_relay", slow_or_not, a_judge_that_was_stopped, a_judge_without_a_cpu)
