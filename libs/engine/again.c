/* again.c - attempts after the first: when, and where not */
#include "engine/run.h"

#include <stdlib.h>

struct again {
	unsigned step;
	size_t member;
	double from; /* of weft_monotonic() */
	int retry;
	bool woken; /* it may start, as far as we are concerned */
};

int again_open(struct engine *g, struct weft_err *err)
{
	g->bad = calloc(g->e->n_nodes + 1, sizeof(*g->bad));
	return g->bad ? 0 : weft_err_nomem(err);
}

void again_close(struct engine *g)
{
	free(g->again);
	free(g->bad);
}

static struct again *find(const struct engine *g, unsigned s, size_t i)
{
	for (size_t k = 0; k < g->n_again; k++)
		if (g->again[k].step == s && g->again[k].member == i)
			return &g->again[k];
	return NULL;
}

int again_add(struct engine *g, unsigned s, size_t i, const struct weft_record *rec,
	struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];
	const struct weft_retry *r = weft_spec_retry(
		step, rec->attempt, weft_cause_of(rec->cause), rec->exit_status);
	double left = r ? rec->ended + (double)r->backoff - weft_now() : 0;

	g->slot[s][i].attempt = (unsigned short)(rec->attempt + 1);
	/* Of others' only the number is of use. */
	if (!g->ours[s] || i < g->first[s] || i >= g->last[s])
		return 0;
	if (!r || (left <= 0 && !r->restart.s))
		return g->queue && queue_push(g, s, i) ? weft_err_nomem(err) : 0;
	if (weft_grow(g->again, g->n_again, g->cap_again))
		return weft_err_nomem(err);
	g->slot[s][i].delayed = true;
	g->again[g->n_again++] = (struct again){.step = s,
		.member = i,
		.from = weft_monotonic() + (left > 0 ? left : 0),
		.retry = (int)(r - step->retry)};
	return 0;
}

bool again_ready(const struct engine *g, unsigned s, size_t i, int *retry)
{
	const struct again *a = g->slot[s][i].delayed ? find(g, s, i) : NULL;

	*retry = a ? a->retry : -1;
	return !a || a->woken;
}

void again_forget(struct engine *g, unsigned s, size_t i)
{
	struct again *a = g->slot[s][i].delayed ? find(g, s, i) : NULL;

	g->slot[s][i].delayed = false;
	if (a)
		*a = g->again[--g->n_again];
}

int again_wake(struct engine *g, bool all, struct weft_err *err)
{
	double now = weft_monotonic();

	for (size_t k = 0; k < g->n_again; k++) {
		struct again *a = &g->again[k];

		if (a->woken || (!all && now < a->from))
			continue;
		a->woken = true;
		if (queue_push(g, a->step, a->member))
			return weft_err_nomem(err);
	}
	return 0;
}

time_t again_wait(const struct engine *g, time_t most)
{
	double now = weft_monotonic();

	for (size_t k = 0; k < g->n_again; k++) {
		double left = g->again[k].from - now;

		if (!g->again[k].woken && left < (double)most)
			most = left > 0 ? (time_t)left + 1 : 1;
	}
	return most;
}

bool again_any(const struct engine *g)
{
	for (size_t k = 0; k < g->n_again; k++)
		if (!g->again[k].woken)
			return true;
	return false;
}

void again_count(struct engine *g, const struct share *share, bool failed)
{
	for (size_t k = 0; k < share->n_nodes; k++) {
		unsigned char *bad = &g->bad[share->node[k]];

		*bad = !failed ? 0 : *bad < 255 ? *bad + 1 : *bad;
	}
}
