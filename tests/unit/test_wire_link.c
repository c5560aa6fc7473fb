/* test_wire_link.c - links: what comes through, and what ends them */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "scratch.h"
#include "wire_ends.h"

START_TEST(frames_come_as_they_went)
{
	begin();
	pair();
	ck_assert_int_eq(weft_link_send(a.link, 1, "hello", 5), 0);
	ck_assert_int_eq(weft_link_send(a.link, 2, NULL, 0), 0);
	ck_assert_int_eq(weft_link_send(b.link, 3, "back", 4), 0);
	UNTIL(b.frames == 2 && a.frames == 1);
	ck_assert_uint_eq(b.types, 3);
	ck_assert_str_eq(a.last, "back");
	ck_assert_uint_ge(a.drained, 1);
	/* Sizes about each limit, up to the largest. */
	static const size_t sizes[] = {1, 1000, WEFT_LINK_SMALL - 1, WEFT_LINK_SMALL,
		WEFT_LINK_SMALL + 1, 98303, 98304, 98305, 1 << 20};
	uint64_t want = b.bytes;
	for (size_t i = 0; i < WEFT_COUNT(sizes); i++) {
		unsigned char *data = malloc(sizes[i]);

		for (size_t k = 0; k < sizes[i]; k++)
			data[k] = (unsigned char)(k * 31 + 9);
		ck_assert_int_eq(weft_link_send(a.link, 9, data, sizes[i]), 0);
		free(data);
		want += sizes[i];
	}
	UNTIL(b.frames == 2 + WEFT_COUNT(sizes));
	ck_assert_uint_eq(b.bytes, want);
	ck_assert_int_eq(weft_link_send(a.link, 9, a.why, (1 << 20) + 1), -1);
	ck_assert_int_eq(weft_link_send(a.link, WEFT_LINK_TYPES, "", 0), -1);
	weft_link_close(a.link, "that was all");
	UNTIL(a.closed && b.closed);
	ck_assert(!a.failed && !b.failed);
	ck_assert_str_eq(b.why, "that was all");
	end();
}
END_TEST

/* Half a million bytes a time without a copy, in both directions at once. */
static unsigned char block[1 << 19];
static unsigned done_with;

static void done(void *arg)
{
	(void)arg;
	done_with++;
}

START_TEST(much_in_both_directions)
{
	begin();
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)(i * 31 + 5);
	pair();
	for (unsigned i = 0; i < 40; i++) {
		ck_assert_int_eq(
			weft_link_send_ref(a.link, 5, block, sizeof(block), done, NULL),
			0);
		ck_assert_int_eq(
			weft_link_send_ref(b.link, 5, block, sizeof(block), done, NULL),
			0);
	}
	UNTIL(a.frames == 40 && b.frames == 40);
	UNTIL(done_with == 80);
	/* What waits when the link goes is given back, too. */
	for (unsigned i = 0; i < 40; i++)
		weft_link_send_ref(a.link, 5, block, sizeof(block), done, NULL);
	weft_link_free(a.link);
	a.link = NULL;
	ck_assert_uint_eq(done_with, 120);
	UNTIL(b.closed);
	ck_assert(b.failed);
	end();
}
END_TEST

START_TEST(credit_holds_the_sender)
{
	struct weft_link_options of_a, of_b;

	begin();
	of_a = options(&a, "credit");
	of_b = options(&b, "credit");
	of_b.window = 100000;
	of_b.manual = true;
	pair_with(&of_a, &of_b);
	UNTIL(a.opened && b.opened);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(weft_link_send(a.link, 1, block, 10000), 0);
	UNTIL(b.frames == 10);
	for (int i = 0; i < 20; i++)
		weft_loop_turn(loop, 0.001);
	ck_assert_uint_eq(b.frames, 10);
	ck_assert_uint_eq(weft_link_queued(a.link), 900000);
	/* Something small has to wait, too: frames keep their order. */
	ck_assert_int_eq(weft_link_send(a.link, 2, "x", 1), 0);
	while (b.frames < 101) {
		uint64_t before = b.bytes;

		weft_link_grant(b.link, 50000);
		UNTIL(b.bytes >= before + 40000 || b.frames == 101);
	}
	ck_assert_str_eq(b.last, "x");
	end();
}
END_TEST

START_TEST(goodbye_comes_after_what_was_sent)
{
	begin();
	pair();
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(weft_link_send(a.link, 1, block, 60000 % 16000), 0);
	weft_link_close(a.link, "done");
	ck_assert_int_eq(weft_link_send(a.link, 1, "late", 4), -1);
	UNTIL(a.closed && b.closed);
	ck_assert_uint_eq(b.frames, 100);
	ck_assert(!a.failed && !b.failed);
	end();
}
END_TEST

START_TEST(both_say_goodbye)
{
	begin();
	pair();
	a.bye_at_once = b.bye_at_once = true;
	weft_link_send(a.link, 1, "x", 1);
	weft_link_send(b.link, 1, "x", 1);
	UNTIL(a.closed && b.closed);
	ck_assert(!a.failed && !b.failed);
	end();
}
END_TEST

/* ---- somebody in between ----------------------------------------------------- */

/* Two socket pairs, and we carry the bytes: fd[0] is a's other end, fd[1] b's. */
static int middle[2];

static void through_us(const char *context_a, const char *context_b)
{
	struct weft_link_options of_a = options(&a, context_a),
				 of_b = options(&b, context_b);
	int one[2], two[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, one), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two), 0);
	ok(weft_link_adopt(&a.link, loop, one[0], true, &of_a, &ok_err));
	ok(weft_link_adopt(&b.link, loop, two[0], false, &of_b, &ok_err));
	middle[0] = one[1];
	middle[1] = two[1];
}

static ssize_t take(int from, unsigned char *buf, size_t max)
{
	ssize_t n = recv(from, buf, max, MSG_DONTWAIT);

	return n < 0 ? 0 : n;
}

static void carry(void)
{
	unsigned char buf[65536];

	for (int i = 0; i < 2; i++) {
		ssize_t n = take(middle[i], buf, sizeof(buf));

		if (n > 0)
			(void)!send(middle[!i], buf, (size_t)n, MSG_NOSIGNAL);
	}
}

#define CARRY_UNTIL(cond)                                                              \
	do {                                                                           \
		double until_ = weft_monotonic() + 20;                                 \
		while (!(cond)) {                                                      \
			ck_assert_msg(weft_monotonic() < until_, "never: %s", #cond);  \
			weft_loop_turn(loop, 0.001);                                   \
			carry();                                                       \
		}                                                                      \
	} while (0)

/* What a sends next, as it is on the wire. */
static size_t caught(unsigned char *buf, size_t max)
{
	size_t n = 0;

	for (int i = 0; i < 20; i++) {
		weft_loop_turn(loop, 0.001);
		n += (size_t)take(middle[0], buf + n, max - n);
	}
	ck_assert_uint_gt(n, 0);
	return n;
}

START_TEST(any_flipped_bit_ends_it)
{
	/* Of each field: length, type, zeros, payload, MAC. */
	static const size_t bytes[] = {0, 2, 3, 4, 5, 7, 8, 12, 13, 28};
	unsigned char buf[4096];

	for (size_t i = 0; i < WEFT_COUNT(bytes); i++) {
		size_t at = bytes[i];

		memset(&a, 0, sizeof(a));
		memset(&b, 0, sizeof(b));
		begin();
		through_us("flip", "flip");
		CARRY_UNTIL(a.opened && b.opened);
		weft_link_send(a.link, 1, "hello", 5);
		size_t n = caught(buf, sizeof(buf));
		ck_assert_uint_eq(n, 8 + 5 + 16);
		buf[at] ^= (unsigned char)(1 << at % 8);
		(void)!send(middle[1], buf, n, 0);
		/* A length that is too long waits for more: give it some. */
		memset(buf, 0, sizeof(buf));
		for (int k = 0; k < 300 && !b.closed; k++) {
			(void)!send(middle[1], buf, sizeof(buf),
				MSG_NOSIGNAL | MSG_DONTWAIT);
			weft_loop_turn(loop, 0.001);
		}
		UNTIL(b.closed);
		ck_assert_msg(b.failed && b.sys == EBADMSG, "%zu: %s", at, b.why);
		ck_assert_uint_eq(b.frames, 0);
		close(middle[0]);
		close(middle[1]);
		end();
	}
}
END_TEST

/* Twice, left out, in another order, sent back to who said it. */
START_TEST(frames_have_their_place)
{
	unsigned char one[4096], two[4096];

	for (int how = 0; how < 4; how++) {
		memset(&a, 0, sizeof(a));
		memset(&b, 0, sizeof(b));
		begin();
		through_us("replay", "replay");
		CARRY_UNTIL(a.opened && b.opened);
		weft_link_send(a.link, 1, "one", 3);
		size_t n = caught(one, sizeof(one));
		weft_link_send(a.link, 1, "two", 3);
		size_t m = caught(two, sizeof(two));
		struct end *victim = how == 3 ? &a : &b;
		switch (how) {
		case 0:
			(void)!send(middle[1], one, n, 0);
			(void)!send(middle[1], one, n, 0);
			break;
		case 1:
			(void)!send(middle[1], two, m, 0);
			break;
		case 2:
			(void)!send(middle[1], two, m, 0);
			(void)!send(middle[1], one, n, 0);
			break;
		case 3:
			(void)!send(middle[0], one, n, 0);
		}
		UNTIL(victim->closed);
		ck_assert(victim->failed);
		ck_assert_int_eq(victim->sys, EBADMSG);
		ck_assert_uint_eq(victim->frames, how == 0 ? 1 : 0);
		close(middle[0]);
		close(middle[1]);
		end();
	}
}
END_TEST

START_TEST(a_cut_is_no_goodbye)
{
	begin();
	through_us("cut", "cut");
	CARRY_UNTIL(a.opened && b.opened);
	close(middle[1]);
	UNTIL(b.closed);
	ck_assert(b.failed);
	ck_assert_ptr_nonnull(strstr(b.why, "without a word"));
	close(middle[0]);
	end();
}
END_TEST

/* ---- strangers --------------------------------------------------------------- */

START_TEST(another_purpose_is_refused)
{
	begin();
	through_us("run 1", "run 2");
	CARRY_UNTIL(a.closed || b.closed);
	ck_assert(!a.opened && !b.opened);
	close(middle[0]);
	close(middle[1]);
	UNTIL(a.closed && b.closed);
	ck_assert(a.failed && b.failed);
	ck_assert(a.sys == EACCES || b.sys == EACCES);
	end();
}
END_TEST

START_TEST(another_key_is_refused)
{
	struct weft_auth *other;
	struct weft_link_options of_a, of_b;

	begin();
	ok(weft_auth_new_key(&other, &ok_err));
	of_a = options(&a, "test");
	of_b = options(&b, "test");
	of_b.auth = other;
	pair_with(&of_a, &of_b);
	UNTIL(a.closed && b.closed);
	ck_assert(!a.opened && !b.opened && a.failed && b.failed);
	ck_assert(a.sys == EACCES || b.sys == EACCES);
	end();
	weft_auth_free(other);
}
END_TEST

START_TEST(texts_of_keys)
{
	struct weft_auth *again;
	weft_autostr struct weft_str text = {0}, text2 = {0};

	begin();
	ck_assert_int_eq(weft_auth_text(auth, &text), 0);
	ok(weft_auth_parse(&again, text.s, &ok_err));
	ck_assert_int_eq(weft_auth_text(again, &text2), 0);
	ck_assert_str_eq(text.s, text2.s);
	weft_auth_free(again);
	static const char *const bad[] = {
		"", "key:", "key:00", "munge:relative", "mung", "none"};
	for (size_t i = 0; i < WEFT_COUNT(bad); i++)
		refused(weft_auth_parse(&again, bad[i], &ok_err), "neither");
	text.s[10] = 'X';
	refused(weft_auth_parse(&again, text.s, &ok_err), "not a key");
	unsetenv(WEFT_AUTH_ENV);
	refused(weft_auth_from_env(&again, &ok_err), "no WEFT_WIRE_AUTH");
	setenv(WEFT_AUTH_ENV, text2.s, 1);
	ok(weft_auth_from_env(&again, &ok_err));
	ck_assert_ptr_null(getenv(WEFT_AUTH_ENV));
	weft_auth_free(again);
	/* No munged there: a key. */
	ok(weft_auth_new(&again, "/no/such/socket", &ok_err));
	ck_assert(!weft_auth_is_munge(again));
	weft_auth_free(again);
	end();
}
END_TEST

/* ---- silence ----------------------------------------------------------------- */

START_TEST(silence_ends_it)
{
	struct weft_link_options of;

	begin();
	through_us("silence", "silence");
	weft_link_free(b.link);
	b.link = NULL;
	of = options(&b, "silence");
	of.keepalive = 0.02;
	of.deadline = 0.2;
	int two[2];
	close(middle[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two), 0);
	ok(weft_link_adopt(&b.link, loop, two[0], false, &of, &ok_err));
	middle[1] = two[1];
	CARRY_UNTIL(a.opened && b.opened);
	UNTIL(b.closed); /* nothing is carried any more */
	ck_assert(b.failed);
	ck_assert_int_eq(b.sys, ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(b.why, "silent"));
	close(middle[0]);
	close(middle[1]);
	end();
}
END_TEST

START_TEST(signs_of_life_keep_it)
{
	struct weft_link_options of_a, of_b;

	begin();
	of_a = options(&a, "life");
	of_b = options(&b, "life");
	of_a.keepalive = of_b.keepalive = 0.02;
	of_a.deadline = of_b.deadline = 0.5;
	pair_with(&of_a, &of_b);
	UNTIL(a.opened && b.opened);
	double until = weft_monotonic() + 1.2;
	while (weft_monotonic() < until)
		weft_loop_turn(loop, 0.05);
	ck_assert(!a.closed && !b.closed);
	ck_assert_uint_eq(b.frames, 0);
	ck_assert_uint_gt(weft_link_counts(a.link).out, 200);
	end();
}
END_TEST

START_TEST(a_handshake_has_a_limit)
{
	struct weft_link_options of;
	int fd[2];

	begin();
	of = options(&b, "late");
	of.handshake = 0.05;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	ok(weft_link_adopt(&b.link, loop, fd[0], false, &of, &ok_err));
	UNTIL(b.closed);
	ck_assert_int_eq(b.sys, ETIMEDOUT);
	close(fd[1]);
	end();
}
END_TEST

/* ---- over TCP ---------------------------------------------------------------- */

static unsigned accepted;

static void knocked(void *arg, struct weft_link *link)
{
	struct end *e = arg;

	accepted++;
	e->opened++;
	e->link = link;
	weft_link_set(link, &events, e);
}

static struct weft_listener *listener;

static void listen_at(const char *address, double handshake)
{
	struct weft_link_options of = options(&b, "tcp");

	of.handshake = handshake;
	ok(weft_listener_new(&listener, loop, address, 0, &of, knocked, &b, &ok_err));
}

START_TEST(over_tcp)
{
	begin();
	listen_at("127.0.0.1", 10);
	struct weft_link_options of_a = options(&a, "tcp");
	ok(weft_link_connect(&a.link, loop, "127.0.0.1", weft_listener_port(listener),
		&of_a, &ok_err));
	UNTIL(a.opened && b.opened);
	ck_assert(weft_link_is_open(a.link));
	ck_assert(weft_starts_with(weft_link_peer(b.link), "127.0.0.1:"));
	weft_link_send(a.link, 4, "over tcp", 8);
	UNTIL(b.frames);
	ck_assert_str_eq(b.last, "over tcp");
	weft_link_close(b.link, NULL);
	UNTIL(a.closed && b.closed);
	ck_assert(!a.failed && !b.failed);
	weft_listener_free(listener);
	end();
}
END_TEST

static unsigned free_port(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	close(fd);
	return ntohs(at.sin_port);
}

START_TEST(connecting_is_tried_for_a_while)
{
	unsigned port;

	begin();
	port = free_port();
	struct weft_link_options of_a = options(&a, "tcp"), of_b = options(&b, "tcp");
	of_a.patience = 0.15;
	ok(weft_link_connect(&a.link, loop, "127.0.0.1", port, &of_a, &ok_err));
	UNTIL(a.closed);
	ck_assert_int_eq(a.sys, ECONNREFUSED);
	weft_link_free(a.link);
	of_a.patience = 10;
	ok(weft_link_connect(&a.link, loop, "127.0.0.1", port, &of_a, &ok_err));
	for (int i = 0; i < 5; i++)
		weft_loop_turn(loop, 0.02);
	ok(weft_listener_new(
		&listener, loop, "127.0.0.1", port, &of_b, knocked, &b, &ok_err));
	UNTIL(a.opened && b.opened);
	weft_listener_free(listener);
	weft_link_free(a.link);
	refused(weft_link_connect(
			&a.link, loop, "no such host.invalid", 1, &of_a, &ok_err),
		"no such host");
	a.link = NULL;
	end();
}
END_TEST

static int knock(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr = {htonl(INADDR_LOOPBACK)},
		.sin_port = htons((uint16_t)weft_listener_port(listener))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

START_TEST(strangers_keep_nobody_out)
{
	int fd[400];
	const char *why = NULL;

	begin();
	listen_at("127.0.0.1", 60);
	for (size_t i = 0; i < WEFT_COUNT(fd); i++) {
		fd[i] = knock();
		if (i % 3 == 0)
			(void)!send(fd[i], "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
		weft_loop_turn(loop, 0);
	}
	struct weft_link_options of_a = options(&a, "tcp");
	ok(weft_link_connect(&a.link, loop, "127.0.0.1", weft_listener_port(listener),
		&of_a, &ok_err));
	UNTIL(a.opened && b.opened);
	ck_assert_uint_eq(accepted, 1);
	ck_assert_uint_gt(weft_listener_refused(listener, &why), 100);
	ck_assert_ptr_nonnull(why);
	for (size_t i = 0; i < WEFT_COUNT(fd); i++)
		close(fd[i]);
	weft_listener_free(listener);
	end();
}
END_TEST

SUITE("wire_link", frames_come_as_they_went, much_in_both_directions,
	credit_holds_the_sender, goodbye_comes_after_what_was_sent, both_say_goodbye,
	any_flipped_bit_ends_it, frames_have_their_place, a_cut_is_no_goodbye,
	another_purpose_is_refused, another_key_is_refused, texts_of_keys,
	silence_ends_it, signs_of_life_keep_it, a_handshake_has_a_limit, over_tcp,
	connecting_is_tried_for_a_while, strangers_keep_nobody_out)
