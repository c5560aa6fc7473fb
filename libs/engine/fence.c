/*
 * fence.c - of two engines with the same members the older one ends.
 *
 * Slurm counts a node that is silent as down, and a job that it held as over, while
 * what ran there may run on.  So each engine of a group takes a number, and looks every
 * two seconds whether there is a next one, or whether the run was resumed since, which
 * may give its members to other groups: then it ends its members and records nothing
 * more.  The next one starts nothing before that has had its time, unless the one
 * before has said that it is done.
 */
#include "engine/run.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOOK 2.0 /* seconds between two looks */
#define WAIT                                                                           \
	10.0 /* seconds: a look, what members get to end, and what files need to be    \
		seen on another node */

#define ALL "all" /* the fence of an engine that has all steps */

static bool taken(
	const struct engine *g, const char *prefix, const char *fence, size_t number)
{
	weft_autofree char *key = weft_printf("%s%s_%zu", prefix, fence, number);
	weft_autofree char *by = key ? weft_claimed_by(g->e->run, key) : NULL;

	return by != NULL;
}

/* The last engine of that name, if it hasn't said that it is done; else 0. */
static size_t unended(const struct engine *g, const char *fence)
{
	size_t n = 0;

	while (taken(g, "own-", fence, n + 1))
		n++;
	return n && !taken(g, "end-", fence, n) ? n : 0;
}

static int claim(const struct engine *g, const char *prefix, const char *fence,
	size_t number, struct weft_err *err)
{
	const char *again = getenv("SLURM_RESTART_COUNT");
	weft_autofree char *key = weft_printf("%s%s", prefix, fence);
	weft_autofree char *who =
		weft_printf("%s.%s.%d", g->e->job, again ? again : "0", (int)getpid());

	return key && who ? weft_claim(g->e->run, key, number, who, err)
			  : weft_err_nomem(err);
}

int fence_open(struct engine *g, struct weft_err *err)
{
	int r;

	if (!g->e->fence)
		return 0;
	do {
		g->fence++;
		while (taken(g, "own-", g->e->fence, g->fence))
			g->fence++;
		r = claim(g, "own-", g->e->fence, g->fence, err);
		if (r < 0)
			return -1;
	} while (r);
	bool sure = g->fence == 1 || taken(g, "end-", g->e->fence, g->fence - 1);
	/* A run that had one job for all is resumed in one for each group. */
	size_t all = g->e->resumed ? unended(g, ALL) : 0;
	if (sure && !all)
		return 0;
	struct timespec t = {(time_t)WAIT, 0};
	nanosleep(&t, NULL);
	/* By now it has; the other groups needn't wait for it. */
	return all && claim(g, "end-", ALL, all, err) < 0 ? -1 : 0;
}

bool fence_lost(struct engine *g)
{
	double now = weft_monotonic();

	if (g->fenced || !g->e->fence || now < g->fence_looked + LOOK)
		return g->fenced;
	g->fence_looked = now;
	g->fenced = taken(g, "own-", g->e->fence, g->fence + 1) ||
		    taken(g, "", "resume", g->e->resumed + 1);
	if (g->fenced)
		weft_log(WEFT_ERROR,
			"another engine has taken over: its members end here");
	return g->fenced;
}

void fence_close(struct engine *g)
{
	weft_autoerr struct weft_err err = {0};

	if (g->e->fence && g->fence && !g->fenced)
		claim(g, "end-", g->e->fence, g->fence, &err);
}
