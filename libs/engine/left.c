/*
 * left.c - what is left to another job: members that can't be done in the time that
 * this one still has, and attempts that need more than it has at all.
 */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE 64 /* members of a step whose times are remembered */
#define FEW 5     /* so few tell little about the others */
/* Seconds: Slurm counts from before the engine began, and of what ends at the limit
 * itself nobody hears. */
#define MARGIN 5.0
#define FRESH 5.0 /* seconds in which a job counts as having all of its time */
#define KILL 15.0 /* seconds: from so long before the end a signal is the limit's */
#define BAD 2     /* failures in a row: such a node is not for another job */

struct pace {
	float seconds[SAMPLE]; /* the last members that were done */
	size_t n;
};

int left_open(struct engine *g, struct weft_err *err)
{
	g->pace = calloc(g->e->wf->n_steps + 1, sizeof(*g->pace));
	g->begun = weft_now();
	return g->pace ? 0 : weft_err_nomem(err);
}

void left_close(struct engine *g)
{
	free(g->pace);
}

void left_pace(struct engine *g, unsigned s, double seconds)
{
	struct pace *p = &g->pace[s];

	p->seconds[p->n++ % SAMPLE] = (float)seconds;
}

static int by_length(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

/* Seconds that a member may take: its limit, or what nearly all of its fellows took. */
static double needs(const struct engine *g, unsigned s, const struct weft_plan_step *p)
{
	const struct pace *pace = &g->pace[s];
	size_t n = pace->n < SAMPLE ? pace->n : SAMPLE;
	double limit = (double)p->time, seen;
	float sorted[SAMPLE];

	if (!n)
		return limit;
	memcpy(sorted, pace->seconds, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_length);
	seen = (double)sorted[(n * 95 + 99) / 100 - 1];
	seen = seen * (n < FEW ? 1.5 : 1.2) + 1;
	return limit > 0 && limit < seen ? limit : seen;
}

bool left_is(struct engine *g, unsigned s, size_t i, const struct weft_plan_step *p)
{
	const struct weft_engine *e = g->e;
	double now = weft_now(), length = e->end - g->begun;

	if (!e->go_on)
		return false;
	if (e->mem && p->mem > e->mem) {
		g->more.mem = p->mem > g->more.mem ? p->mem : g->more.mem;
		g->left = true;
		return true;
	}
	if (e->end <= 0)
		return false;
	/* Slurm's minutes are whole. */
	if (g->slot[s][i].attempt && (double)p->time > length + 60) {
		g->more.time = p->time > g->more.time ? p->time : g->more.time;
		g->left = true;
		return true;
	}
	/* Another job of this length would have no more for it. */
	if (now < g->begun + FRESH || needs(g, s, p) + MARGIN <= e->end - now)
		return false;
	g->left = true;
	return true;
}

bool left_at_limit(const struct engine *g)
{
	return g->e->go_on && g->e->end > 0 && weft_now() >= g->e->end - KILL;
}

bool left_any(const struct engine *g)
{
	weft_autofree char *why = NULL;

	if (weft_run_stopped(g->e->run, &why) == 0)
		return false;
	for (size_t s = 0; s < g->e->wf->n_steps; s++)
		for (size_t i = g->first[s]; g->ours[s] && i < g->last[s]; i++)
			if (!weft_state_ended(g->slot[s][i].state))
				return true;
	return false;
}

static char *bad_nodes(const struct engine *g)
{
	weft_autostr struct weft_str out = {0};

	for (size_t i = 0; i < g->e->n_nodes; i++)
		if (g->bad[i] >= BAD)
			weft_str_printf(
				&out, "%s%s", out.len ? "," : "", g->e->node[i].name);
	return out.len ? weft_str_take(&out) : NULL;
}

/* Once, and as soon as it is known: from then on the other job waits in the queue. */
void left_submit(struct engine *g)
{
	weft_autoerr struct weft_err err = {0};
	weft_autofree char *exclude = NULL;

	if (!g->left || g->left_told)
		return;
	g->left_told = true;
	exclude = bad_nodes(g);
	g->more.exclude = exclude;
	if (g->e->go_on(g->e->next, &g->more, &err)) {
		weft_log(WEFT_ERROR, "%s: what is left needs `weft resume`",
			err.text ? err.text : "no further job");
		if (!g->code)
			g->code = WEFT_ESLURM;
	}
	g->more.exclude = NULL;
}
