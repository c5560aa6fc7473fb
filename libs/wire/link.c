/* link.c - a link's life: made, taken over, failed, freed */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/link_room.h"

static const struct weft_link_events nobody;

static void on_end(void *arg);
static void on_flush(void *arg);
static void on_timer(void *arg);

struct weft_link *link_new(struct weft_loop *loop, const struct weft_link_options *opt,
	struct weft_err *err)
{
	struct weft_link *l = calloc(1, sizeof(*l));
	const char *context = opt->context ? opt->context : "";

	if (!l)
		goto nomem;
	l->loop = loop;
	l->opt = *opt;
	l->fd = -1;
	l->on = opt->on ? opt->on : &nobody;
	l->arg = opt->arg;
	l->out_end = &l->out;
	l->held_end = &l->held;
	l->flush = (struct weft_soon){.fn = on_flush, .arg = l};
	l->end = (struct weft_soon){.fn = on_end, .arg = l};
#define OR(field, value) l->opt.field = l->opt.field ? l->opt.field : (value)
	OR(max_frame, (size_t)1 << 20);
	OR(window, (uint64_t)4 << 20);
	OR(keepalive, 5);
	OR(deadline, 30);
	OR(handshake, 10);
	OR(patience, 10);
#undef OR
	if (l->opt.max_frame > LINK_FRAME_MAX)
		l->opt.max_frame = LINK_FRAME_MAX;
	l->in = malloc(LINK_IN);
	l->context = strdup(context);
	l->timer = weft_timer_new(loop, on_timer, l);
	if (!l->in || !l->context || !l->timer)
		goto nomem;
	if (secret_hash(context, strlen(context), l->proof.context)) {
		weft_err_set(err, WEFT_ESYS, "SHA-256 isn't available");
		weft_link_free(l);
		return NULL;
	}
	return l;
nomem:
	weft_err_nomem(err);
	weft_link_free(l);
	return NULL;
}

static void on_watch(void *arg, unsigned what)
{
	struct weft_link *l = arg;

	link_enter(l);
	if (l->state == LINK_CONNECTING) {
		link_connected(l);
	} else {
		if (what & WEFT_READABLE)
			link_read(l);
		if (what & WEFT_WRITABLE && !l->freed && l->state != LINK_DONE &&
			l->state != LINK_CONNECTING)
			link_write(l);
	}
	link_leave(l);
}

/* Small answers don't wait for large ones, and a vanished host is noticed. */
static void tune(struct weft_link *l)
{
	int one = 1;
	unsigned ms = (unsigned)(l->opt.deadline * 1e3);

	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(l->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

int link_take(struct weft_link *l, int fd, struct weft_err *err)
{
	l->fd = fd;
	l->wake_at = 1;
	tune(l);
	if (weft_watch_new(&l->watch, l->loop, fd, on_watch, l, err))
		return -1;
	return 0;
}

int weft_link_adopt(struct weft_link **out, struct weft_loop *loop, int fd, bool first,
	const struct weft_link_options *opt, struct weft_err *err)
{
	struct weft_link *l = link_new(loop, opt, err);

	*out = NULL;
	if (!l)
		return -1;
	l->first = first;
	l->peer = strdup("a socket pair");
	if (!l->peer || link_take(l, fd, err) || link_hello_start(l)) {
		if (!l->peer)
			weft_err_nomem(err);
		else if (l->why.code)
			weft_err_move(err, &l->why);
		l->fd = -1; /* stays the caller's */
		weft_link_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

void weft_link_set(struct weft_link *l, const struct weft_link_events *on, void *arg)
{
	l->on = on ? on : &nobody;
	l->arg = arg;
}

/* ---- failing and going ------------------------------------------------------- */

void link_drop_socket(struct weft_link *l)
{
	weft_watch_free(l->watch);
	l->watch = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void link_fail(struct weft_link *l)
{
	if (l->state == LINK_DONE)
		return;
	l->state = LINK_DONE;
	link_drop_socket(l);
	weft_timer_stop(l->timer);
	weft_loop_not_soon(l->loop, &l->flush);
	weft_loop_soon(l->loop, &l->end);
}

void link_failed(struct weft_link *l, int sys, const char *fmt, ...)
{
	va_list ap;

	if (l->state == LINK_DONE)
		return;
	va_start(ap, fmt);
	weft_err_vset(&l->why, WEFT_ESYS, fmt, ap);
	va_end(ap);
	l->why.sys = sys;
	if (l->peer)
		weft_err_prefix(&l->why, "%s", l->peer);
	link_fail(l);
}

void link_sys(struct weft_link *l, const char *what)
{
	int sys = errno;

	link_failed(l, sys, "%s: %s", what, strerror(sys));
}

static void on_end(void *arg)
{
	struct weft_link *l = arg;

	link_enter(l);
	if (l->waiting)
		link_waiting_over(l, false);
	else if (l->on->closed)
		l->on->closed(l->arg, l, &l->why);
	link_leave(l);
}

void link_opened(struct weft_link *l)
{
	l->state = LINK_OPEN;
	weft_timer_set(l->timer, l->opt.keepalive, l->opt.keepalive);
	if (l->waiting)
		link_waiting_over(l, true);
	else if (l->on->open)
		l->on->open(l->arg, l);
}

void link_enter(struct weft_link *l)
{
	l->busy++;
}

static void release(struct weft_link *l)
{
	free(l->in);
	free(l->context);
	free(l->peer);
	free(l->bye);
	weft_err_clear(&l->why);
	free(l);
}

bool link_leave(struct weft_link *l)
{
	if (--l->busy || !l->freed)
		return !l->freed;
	release(l);
	return false;
}

void weft_link_free(struct weft_link *l)
{
	if (!l || l->freed)
		return;
	l->freed = true;
	l->state = LINK_DONE;
	l->on = &nobody;
	link_drop_socket(l);
	weft_timer_free(l->timer);
	weft_loop_not_soon(l->loop, &l->flush);
	weft_loop_not_soon(l->loop, &l->end);
	if (l->waiting)
		link_waiting_over(l, false);
	link_out_clear(l);
	link_addresses_free(l->addresses);
	if (!l->big.placed)
		free(l->big.data);
	mac_free(&l->in_mac);
	mac_free(&l->out_mac);
	explicit_bzero(&l->proof, sizeof(l->proof));
	if (!l->busy)
		release(l);
}

/* ---- time -------------------------------------------------------------------- */

static void on_flush(void *arg)
{
	struct weft_link *l = arg;

	link_enter(l);
	if (l->state != LINK_DONE && l->state != LINK_CONNECTING)
		link_write(l);
	link_leave(l);
}

/* Connecting: the next try.  Else: has the other end been silent? */
static void on_timer(void *arg)
{
	struct weft_link *l = arg;
	double now = weft_monotonic();

	link_enter(l);
	/* Of a large frame some may lie there without a word. */
	if (l->state == LINK_OPEN && now - l->heard > l->opt.keepalive)
		link_read(l);
	if (l->freed || l->state == LINK_DONE) {
		link_leave(l);
		return;
	}
	if (l->state == LINK_CONNECTING) {
		link_connect_next(l);
	} else if (l->state != LINK_OPEN) {
		link_failed(l, ETIMEDOUT, "no handshake within %g s", l->opt.handshake);
	} else if (now - l->heard > l->opt.deadline) {
		link_failed(l, ETIMEDOUT, "silent for %.0f s", now - l->heard);
	} else if (now - l->said >= l->opt.keepalive * 0.9 && !l->bye_sent &&
		   !l->going) {
		if (link_put_frame(l, FRAME_ALIVE, NULL, 0) == 0)
			link_write(l);
	}
	link_leave(l);
}

/* ---- what is asked ----------------------------------------------------------- */

const char *weft_link_peer(const struct weft_link *l)
{
	return l->peer ? l->peer : "?";
}

bool weft_link_is_open(const struct weft_link *l)
{
	return l->state == LINK_OPEN;
}

struct weft_link_counts weft_link_counts(const struct weft_link *l)
{
	return (struct weft_link_counts){l->bytes_in, l->bytes_out, l->heard};
}
