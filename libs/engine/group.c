#include "engine/group.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct group {
	struct weft_recorder *recorder;
	struct weft_loop *loop;
	void (*synced)(void *ctx, const struct weft_err *why);
	void *ctx;
	bool busy; /* the loop's alone */
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	/* Under the lock: */
	bool up, ask, done, quit;
	int sys; /* errno of the sync */
};

static void *work(void *arg)
{
	struct group *g = arg;

	pthread_mutex_lock(&g->lock);
	g->up = true;
	pthread_cond_signal(&g->asked);
	for (;;) {
		while (!g->ask && !g->quit)
			pthread_cond_wait(&g->asked, &g->lock);
		if (!g->ask)
			break;
		g->ask = false;
		pthread_mutex_unlock(&g->lock);
		int sys = weft_recorder_sync(g->recorder) ? errno : 0;
		pthread_mutex_lock(&g->lock);
		g->sys = sys;
		g->done = true;
		weft_loop_wake(g->loop);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

static void woken(void *arg)
{
	struct group *g = arg;
	weft_autoerr struct weft_err err = {0};

	pthread_mutex_lock(&g->lock);
	bool done = g->done;
	int sys = g->sys;
	g->done = false;
	pthread_mutex_unlock(&g->lock);
	if (!done)
		return;
	g->busy = false;
	weft_recorder_end(g->recorder, sys == 0);
	errno = sys;
	if (sys)
		weft_err_sys(&err, WEFT_ESYS, "completion records");
	g->synced(g->ctx, &err);
}

int group_open(struct group **out, struct weft_recorder *recorder,
	struct weft_loop *loop, void (*synced)(void *ctx, const struct weft_err *why),
	void *ctx, struct weft_err *err)
{
	struct group *g = calloc(1, sizeof(*g));
	sigset_t all, old;

	*out = NULL;
	if (!g)
		return weft_err_nomem(err);
	*g = (struct group){
		.recorder = recorder, .loop = loop, .synced = synced, .ctx = ctx};
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->asked, NULL);
	weft_loop_on_wake(loop, woken, g);
	/* Signals are for the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int bad = pthread_create(&g->thread, NULL, work, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (bad) {
		errno = bad;
		weft_err_sys(err, WEFT_ESYS, "thread");
		group_close(g);
		return -1;
	}
	g->started = true;
	/* A member that is forked while a thread begins may inherit a lock that nobody
	 * gives back: a sanitizer's allocator has such. */
	pthread_mutex_lock(&g->lock);
	while (!g->up)
		pthread_cond_wait(&g->asked, &g->lock);
	pthread_mutex_unlock(&g->lock);
	*out = g;
	return 0;
}

void group_close(struct group *g)
{
	if (!g)
		return;
	if (g->started) {
		pthread_mutex_lock(&g->lock);
		g->quit = true;
		pthread_cond_signal(&g->asked);
		pthread_mutex_unlock(&g->lock);
		pthread_join(g->thread, NULL);
		if (g->done)
			weft_recorder_end(g->recorder, g->sys == 0);
	}
	weft_loop_on_wake(g->loop, NULL, NULL);
	pthread_cond_destroy(&g->asked);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

bool group_busy(const struct group *g)
{
	return g->busy;
}

int group_begin(struct group *g, struct weft_err *err)
{
	if (weft_recorder_begin(g->recorder, err))
		return -1;
	g->busy = true;
	pthread_mutex_lock(&g->lock);
	g->ask = true;
	pthread_cond_signal(&g->asked);
	pthread_mutex_unlock(&g->lock);
	return 0;
}
