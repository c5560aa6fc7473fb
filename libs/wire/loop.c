/* loop.c - libuv's handles behind our names */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "wire/loop.h"
#include "wire/loop_children.h"

struct weft_loop {
	uv_loop_t uv;
	uv_async_t async;
	uv_prepare_t before; /* it waits */
	uv_timer_t limit;    /* of weft_loop_turn() */
	uv_signal_t child;
	weft_loop_fn *woken;
	void *woken_arg;
	struct weft_soon *soon, **soon_end;
	struct loop_children children;
};

struct weft_timer {
	uv_timer_t uv;
	weft_loop_fn *fn;
	void *arg;
};

struct weft_watch {
	uv_poll_t uv;
	weft_watch_fn *fn;
	void *arg;
	unsigned want;
};

struct weft_signal {
	uv_signal_t uv;
	weft_signal_fn *fn;
	void *arg;
};

static int fail(int r, const char *what, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESYS, "%s: %s", what, uv_strerror(r));
	if (err)
		err->sys = -r;
	return -1;
}

/* Frees the memory once libuv is done with the handle, which is its first member. */
static void closed(uv_handle_t *h)
{
	free(h);
}

static void on_async(uv_async_t *h)
{
	struct weft_loop *loop = h->data;

	if (loop->woken)
		loop->woken(loop->woken_arg);
}

static void on_limit(uv_timer_t *h)
{
	(void)h;
}

/* What a call adds is done in the same pass. While there is some, it keeps the loop
 * alive. */
static void on_before(uv_prepare_t *h)
{
	struct weft_loop *loop = h->data;

	/* Whoever takes turns with the loop looks at what they did before it waits. */
	if (loop->soon)
		uv_timer_start(&loop->limit, on_limit, 0, 0);
	while (loop->soon) {
		struct weft_soon *s = loop->soon;

		loop->soon = s->next;
		if (!loop->soon)
			loop->soon_end = &loop->soon;
		s->next = NULL;
		s->queued = false;
		s->fn(s->arg);
	}
	uv_unref((uv_handle_t *)h);
}

static void on_child(uv_signal_t *h, int sig)
{
	struct weft_loop *loop = h->data;

	(void)sig;
	loop_children_reap(&loop->children);
	if (!loop->children.n)
		uv_unref((uv_handle_t *)h);
}

int weft_loop_new(struct weft_loop **out, struct weft_err *err)
{
	struct weft_loop *loop = calloc(1, sizeof(*loop));
	int r;

	*out = NULL;
	if (!loop)
		return weft_err_nomem(err);
	r = uv_loop_init(&loop->uv);
	if (r) {
		free(loop);
		return fail(r, "event loop", err);
	}
	loop->soon_end = &loop->soon;
	loop->async.data = loop->before.data = loop->child.data = loop;
	r = uv_async_init(&loop->uv, &loop->async, on_async);
	if (r) {
		uv_loop_close(&loop->uv);
		free(loop);
		return fail(r, "event loop", err);
	}
	/* These can't fail. */
	uv_prepare_init(&loop->uv, &loop->before);
	uv_prepare_start(&loop->before, on_before);
	uv_timer_init(&loop->uv, &loop->limit);
	uv_signal_init(&loop->uv, &loop->child);
	uv_unref((uv_handle_t *)&loop->async);
	uv_unref((uv_handle_t *)&loop->before);
	uv_unref((uv_handle_t *)&loop->child);
	*out = loop;
	return 0;
}

/* Whatever is left: a forgotten one must not make us wait for ever. */
static void close_one(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void weft_loop_free(struct weft_loop *loop)
{
	if (!loop)
		return;
	uv_walk(&loop->uv, close_one, NULL);
	/* Also frees those whose _free() was called lately. */
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	loop_children_clear(&loop->children);
	free(loop);
}

void weft_loop_run(struct weft_loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void weft_loop_turn(struct weft_loop *loop, double seconds)
{
	if (seconds > 0) {
		uv_update_time(&loop->uv);
		uv_timer_start(
			&loop->limit, on_limit, (uint64_t)ceil(seconds * 1e3), 0);
		uv_run(&loop->uv, UV_RUN_ONCE);
		uv_timer_stop(&loop->limit);
	} else {
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	}
}

void weft_loop_stop(struct weft_loop *loop)
{
	uv_stop(&loop->uv);
}

double weft_loop_now(const struct weft_loop *loop)
{
	return (double)uv_now(&loop->uv) / 1e3;
}

void weft_loop_wake(struct weft_loop *loop)
{
	uv_async_send(&loop->async);
}

void weft_loop_on_wake(struct weft_loop *loop, weft_loop_fn *fn, void *arg)
{
	loop->woken = fn;
	loop->woken_arg = arg;
}

void weft_loop_soon(struct weft_loop *loop, struct weft_soon *soon)
{
	if (soon->queued)
		return;
	soon->queued = true;
	soon->next = NULL;
	*loop->soon_end = soon;
	loop->soon_end = &soon->next;
	uv_ref((uv_handle_t *)&loop->before);
}

void weft_loop_not_soon(struct weft_loop *loop, struct weft_soon *soon)
{
	struct weft_soon **at = &loop->soon;

	if (!soon->queued)
		return;
	while (*at != soon)
		at = &(*at)->next;
	*at = soon->next;
	if (!*at)
		loop->soon_end = at;
	soon->queued = false;
}

/* ---- timers ------------------------------------------------------------------ */

static void on_timer(uv_timer_t *h)
{
	struct weft_timer *t = h->data;

	t->fn(t->arg);
}

struct weft_timer *weft_timer_new(struct weft_loop *loop, weft_loop_fn *fn, void *arg)
{
	struct weft_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	uv_timer_init(&loop->uv, &t->uv);
	t->uv.data = t;
	t->fn = fn;
	t->arg = arg;
	return t;
}

void weft_timer_set(struct weft_timer *t, double after, double every)
{
	uint64_t first = after > 0 ? (uint64_t)ceil(after * 1e3) : 0;
	uint64_t again = every > 0 ? (uint64_t)ceil(every * 1e3) : 0;

	/* A callback may have worked for long: from now, not from the last wait. */
	uv_update_time(t->uv.loop);
	uv_timer_start(&t->uv, on_timer, first, again);
}

void weft_timer_stop(struct weft_timer *t)
{
	uv_timer_stop(&t->uv);
}

void weft_timer_free(struct weft_timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->uv, closed);
}

/* ---- descriptors ------------------------------------------------------------- */

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct weft_watch *w = h->data;
	unsigned what = (events & UV_READABLE ? WEFT_READABLE : 0U) |
			(events & UV_WRITABLE ? WEFT_WRITABLE : 0U);

	if (status < 0) {
		/* libuv has stopped it: reading or writing will tell why. */
		what = w->want;
		w->want = 0;
	}
	if (what)
		w->fn(w->arg, what);
}

int weft_watch_new(struct weft_watch **out, struct weft_loop *loop, int fd,
	weft_watch_fn *fn, void *arg, struct weft_err *err)
{
	struct weft_watch *w = calloc(1, sizeof(*w));
	int r;

	*out = NULL;
	if (!w)
		return weft_err_nomem(err);
	r = uv_poll_init(&loop->uv, &w->uv, fd);
	if (r) {
		free(w);
		return fail(r, "watching a descriptor", err);
	}
	w->uv.data = w;
	w->fn = fn;
	w->arg = arg;
	*out = w;
	return 0;
}

void weft_watch_want(struct weft_watch *w, unsigned what)
{
	if (w->want == what)
		return;
	w->want = what;
	if (what)
		uv_poll_start(&w->uv,
			(what & WEFT_READABLE ? UV_READABLE : 0) |
				(what & WEFT_WRITABLE ? UV_WRITABLE : 0),
			on_poll);
	else
		uv_poll_stop(&w->uv);
}

void weft_watch_free(struct weft_watch *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->uv, closed);
}

/* ---- signals ----------------------------------------------------------------- */

static void on_signal(uv_signal_t *h, int sig)
{
	struct weft_signal *s = h->data;

	s->fn(s->arg, sig);
}

int weft_signal_new(struct weft_signal **out, struct weft_loop *loop, int sig,
	weft_signal_fn *fn, void *arg, struct weft_err *err)
{
	struct weft_signal *s = calloc(1, sizeof(*s));
	int r;

	*out = NULL;
	if (!s)
		return weft_err_nomem(err);
	uv_signal_init(&loop->uv, &s->uv);
	s->uv.data = s;
	s->fn = fn;
	s->arg = arg;
	r = uv_signal_start(&s->uv, on_signal, sig);
	if (r) {
		uv_close((uv_handle_t *)&s->uv, closed);
		return fail(r, "waiting for a signal", err);
	}
	uv_unref((uv_handle_t *)&s->uv);
	*out = s;
	return 0;
}

void weft_signal_free(struct weft_signal *s)
{
	if (s)
		uv_close((uv_handle_t *)&s->uv, closed);
}

/* ---- children ---------------------------------------------------------------- */

int weft_loop_child(struct weft_loop *loop, pid_t pid, weft_child_fn *fn, void *arg,
	struct weft_err *err)
{
	int r;

	if (loop_children_add(&loop->children, pid, fn, arg))
		return weft_err_nomem(err);
	/*
	 * A child may end before this: its signal is either pending for us or was
	 * taken for nothing.  So once more for all that are new.
	 */
	if (!uv_is_active((uv_handle_t *)&loop->child)) {
		r = uv_signal_start(&loop->child, on_child, SIGCHLD);
		if (r) {
			loop_children_drop(&loop->children, pid);
			return fail(r, "waiting for children", err);
		}
		kill(getpid(), SIGCHLD);
	}
	uv_ref((uv_handle_t *)&loop->child);
	return 0;
}

size_t weft_loop_children(const struct weft_loop *loop)
{
	return loop->children.n;
}
