/* test_engine_hand.c - what members' processes hand to their engine arrives whole */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/hand.h"
#include "scratch.h"
#include "suite.h"

static struct weft_err err;

START_TEST(events_and_records)
{
	enum { LONG = 100000 };
	struct hand_got got;
	int fd[2];
	char *line = malloc(LONG);
	size_t have = 0;

	for (size_t i = 0; i < LONG; i++)
		line[i] = (char)('a' + i % 26);
	ck_assert_int_eq(hand_open(fd, &err), 0);
	ck_assert_int_eq(hand_take(fd[0], &got, &err), 1);
	pid_t p = fork();
	if (p == 0) {
		close(fd[0]);
		_exit(hand_event(fd[1], 3, 1u << 30, WEFT_STATE_RUNNING, "n1") ||
			hand_record(fd[1], 4, 5, line, LONG) ||
			hand_record(fd[1], 4, 6, "", 0));
	}
	double end = weft_monotonic() + 50;
	int n = 0;
	for (bool last = false; !last;) {
		ck_assert(weft_monotonic() < end);
		int r = hand_take(fd[0], &got, &err);
		ck_assert_int_ge(r, 0);
		if (r)
			continue;
		if (n++ == 0) {
			ck_assert(!got.record && got.step == 3);
			ck_assert_uint_eq(got.member, 1u << 30);
			ck_assert_int_eq(got.state, WEFT_STATE_RUNNING);
			ck_assert_str_eq(got.data, "n1");
			ck_assert(got.time > 1e9);
			continue;
		}
		ck_assert(got.record && got.step == 4);
		if (got.member == 5) {
			ck_assert_uint_le(have + got.n, LONG);
			ck_assert_int_eq(memcmp(got.data, line + have, got.n), 0);
			have += got.n;
			ck_assert(got.last == (have == LONG));
		} else {
			ck_assert_uint_eq(have, LONG);
			ck_assert(got.n == 0 && got.last);
			last = true;
		}
	}
	int status;
	ck_assert_int_eq(waitpid(p, &status, 0), p);
	ck_assert_int_eq(status, 0);
	/* Whose engine is gone is told so, and doesn't die of it. */
	close(fd[0]);
	fd[0] = -1;
	ck_assert_int_eq(hand_event(fd[1], 0, 0, WEFT_STATE_RUNNING, ""), -1);
	ck_assert_int_eq(errno, EPIPE);
	hand_close(fd);
	hand_close(fd);
	free(line);
}
END_TEST

SUITE("engine_hand", events_and_records)
