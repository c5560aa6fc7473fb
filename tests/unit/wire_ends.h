/* wire_ends.h - two ends of a link, and what they have heard */
#ifndef WEFT_TEST_WIRE_ENDS_H
#define WEFT_TEST_WIRE_ENDS_H

#include <sys/socket.h>

#include "suite.h"
#include "wire/link.h"

static struct weft_loop *loop;
static struct weft_auth *auth;

struct end {
	struct weft_link *link;
	unsigned opened, frames, closed, drained, types;
	uint64_t bytes;
	char last[64], why[256];
	int sys;
	bool failed, bye_at_once, keep;
	unsigned char *given;
	size_t n_given;
};
static struct end a, b;

static void on_open(void *arg, struct weft_link *link)
{
	struct end *e = arg;

	e->link = link;
	e->opened++;
}

static void on_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct end *e = arg;

	e->frames++;
	e->types += type;
	e->bytes += n;
	if (n < sizeof(e->last)) {
		memcpy(e->last, data, n);
		e->last[n] = '\0';
	}
	if (e->bye_at_once)
		weft_link_close(link, "enough");
	if (n > WEFT_LINK_SMALL) {
		const unsigned char *at = data;

		for (size_t i = 0; i < n; i += 4093)
			ck_assert_uint_eq(at[i], (unsigned char)(i * 31 + type));
	}
}

static void on_drained(void *arg, struct weft_link *link)
{
	(void)link;
	((struct end *)arg)->drained++;
}

static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct end *e = arg;

	e->closed++;
	e->failed = why->code != WEFT_OK;
	e->sys = why->sys;
	snprintf(e->why, sizeof(e->why), "%s", why->text ? why->text : "");
	if (!e->keep)
		weft_link_free(link);
	e->link = NULL;
}

static const struct weft_link_events events = {
	.open = on_open, .frame = on_frame, .drained = on_drained, .closed = on_closed};

static struct weft_link_options options(struct end *e, const char *context)
{
	return (struct weft_link_options){
		.auth = auth, .context = context, .on = &events, .arg = e};
}

static void begin(void)
{
	ok(weft_loop_new(&loop, &ok_err));
	ok(weft_auth_new_key(&auth, &ok_err));
}

static void end(void)
{
	weft_link_free(a.link);
	weft_link_free(b.link);
	weft_loop_free(loop);
	weft_auth_free(auth);
}

#define UNTIL(cond)                                                                    \
	do {                                                                           \
		double until_ = weft_monotonic() + 20;                                 \
		while (!(cond)) {                                                      \
			ck_assert_msg(weft_monotonic() < until_,                       \
				"never: %s (%s | %s)", #cond, a.why, b.why);           \
			weft_loop_turn(loop, 0.05);                                    \
		}                                                                      \
	} while (0)

static void pair_with(
	const struct weft_link_options *of_a, const struct weft_link_options *of_b)
{
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	ok(weft_link_adopt(&a.link, loop, fd[0], true, of_a, &ok_err));
	ok(weft_link_adopt(&b.link, loop, fd[1], false, of_b, &ok_err));
}

static void pair(void)
{
	struct weft_link_options of_a = options(&a, "test"), of_b = options(&b, "test");

	pair_with(&of_a, &of_b);
	UNTIL(a.opened && b.opened);
}

#endif
