/*
 * loop - one thread that waits for timers, descriptors, signals, children and other
 * threads at once: a thin layer over libuv, which no other room sees.
 *
 * Ownership: what a _new() gives is freed with its _free(), in a callback too, its own
 * as well; everything of a loop before the loop.  Descriptors stay the caller's and are
 * closed after weft_watch_free().  Units: seconds (double), to the millisecond.
 * Errors: WEFT_ESYS; callbacks can't fail.  Threads: a loop and all that is in it
 * belong to the thread that runs it; only weft_loop_wake() is for any thread and for
 * signal handlers.  Fork: a child must exec or leave the loop alone (weft_spawn() is
 * right).  Runs as: whoever calls.
 */
#ifndef WEFT_WIRE_LOOP_H
#define WEFT_WIRE_LOOP_H

#include <sys/resource.h>

#include "base/base.h"

struct weft_loop;
typedef void weft_loop_fn(void *arg);

int weft_loop_new(struct weft_loop **loop, struct weft_err *err);
void weft_loop_free(struct weft_loop *loop); /* NULL is fine, as in every _free here */
/* Until weft_loop_stop(), or until nothing is left that it could wait for. */
void weft_loop_run(struct weft_loop *loop);
/* Waits for at most so long and does what there is to do; 0: doesn't wait. */
void weft_loop_turn(struct weft_loop *loop, double seconds);
/* The call that runs now returns after the callback that says so. */
void weft_loop_stop(struct weft_loop *loop);
/* CLOCK_MONOTONIC as of the last wait: cheap. */
double weft_loop_now(const struct weft_loop *loop);

/* Has fn called soon in the loop's thread; many calls may become one.  Any thread, and
 * async-signal-safe. */
void weft_loop_wake(struct weft_loop *loop);
void weft_loop_on_wake(struct weft_loop *loop, weft_loop_fn *fn, void *arg);

/* Once, before the loop waits again: for what is better done for many at a time.  The
 * caller's memory, zeroed but for fn and arg; adding it twice is adding it once. */
struct weft_soon {
	weft_loop_fn *fn;
	void *arg;
	struct weft_soon *next;
	bool queued;
};
void weft_loop_soon(struct weft_loop *loop, struct weft_soon *soon);
/* It won't be called any more. */
void weft_loop_not_soon(struct weft_loop *loop, struct weft_soon *soon);

/* ---- timers ------------------------------------------------------------ */

struct weft_timer;
struct weft_timer *weft_timer_new(
	struct weft_loop *loop, weft_loop_fn *fn, void *arg); /* NULL: no memory */
/* After so long, then every so long (0: once); setting it again replaces. */
void weft_timer_set(struct weft_timer *t, double after, double every);
void weft_timer_stop(struct weft_timer *t);
void weft_timer_free(struct weft_timer *t);

/* ---- descriptors ------------------------------------------------------- */

enum { WEFT_READABLE = 1, WEFT_WRITABLE = 2 };
/* what: which of them; an error or hang-up counts as all that was wanted. */
typedef void weft_watch_fn(void *arg, unsigned what);
struct weft_watch;
/* A socket, pipe, FIFO or terminal, which becomes non-blocking; not a plain file.
 * Wants nothing yet. */
int weft_watch_new(struct weft_watch **w, struct weft_loop *loop, int fd,
	weft_watch_fn *fn, void *arg, struct weft_err *err);
void weft_watch_want(struct weft_watch *w, unsigned what);
void weft_watch_free(struct weft_watch *w);

/* ---- signals ----------------------------------------------------------- */

typedef void weft_signal_fn(void *arg, int sig);
struct weft_signal;
/* Not a handler: fn may do anything.  Doesn't keep weft_loop_run() waiting. */
int weft_signal_new(struct weft_signal **s, struct weft_loop *loop, int sig,
	weft_signal_fn *fn, void *arg, struct weft_err *err);
void weft_signal_free(struct weft_signal *s);

/* ---- children ---------------------------------------------------------- */

struct weft_child_end {
	pid_t pid;
	int status; /* wait()'s */
	struct rusage usage;
};
typedef void weft_child_fn(void *arg, const struct weft_child_end *end);
/*
 * Waits for a child that this thread has started since the loop last turned, and reaps
 * it.  Others' children are left to those who wait for them, at a price: while one of
 * theirs lies unreaped, each end costs a look at all of ours.
 */
int weft_loop_child(struct weft_loop *loop, pid_t pid, weft_child_fn *fn, void *arg,
	struct weft_err *err);
/* How many it waits for. */
size_t weft_loop_children(const struct weft_loop *loop);

#endif
