/*
 * queue.c - members that may be able to start, each looked at when something about it
 * has changed rather than each time that any other ends.
 *
 * A step's members come in order of their index, by a cursor; those that come again
 * (what they wait for has ended, a retry, a priority of their own) by a heap: the
 * highest priority first, then the lowest index.
 */
#include "engine/run.h"

#include <stdlib.h>

struct queue {
	size_t cursor; /* all before it were looked at, or are in the heap */
	size_t *heap;
	size_t n, cap;
};

int queue_open(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;

	g->queue = calloc(wf->n_steps + 1, sizeof(*g->queue));
	g->same_size = calloc(wf->n_steps + 1, sizeof(*g->same_size));
	if (!g->queue || !g->same_size)
		return weft_err_nomem(err);
	for (unsigned s = 0; s < wf->n_steps; s++) {
		g->queue[s].cursor = g->first[s];
		g->same_size[s] = !weft_plan_step_varies(&wf->step[s]);
	}
	return 0;
}

void queue_close(struct engine *g)
{
	for (size_t s = 0; g->queue && s < g->e->wf->n_steps; s++)
		free(g->queue[s].heap);
	free(g->queue);
	free(g->same_size);
}

void queue_rewind(struct engine *g)
{
	for (size_t s = 0; g->queue && s < g->e->wf->n_steps; s++)
		g->queue[s].cursor = g->first[s];
}

static bool before(const struct engine *g, unsigned s, size_t a, size_t b)
{
	int x = g->slot[s][a].priority, y = g->slot[s][b].priority;

	return x != y ? x > y : a < b;
}

static void sift_up(const struct engine *g, unsigned s, size_t k)
{
	size_t *h = g->queue[s].heap;

	for (size_t up; k && before(g, s, h[k], h[up = (k - 1) / 2]); k = up) {
		size_t was = h[k];

		h[k] = h[up];
		h[up] = was;
	}
}

static void sift_down(const struct engine *g, unsigned s, size_t k)
{
	struct queue *q = &g->queue[s];

	for (;;) {
		size_t best = k, was = q->heap[k];

		for (size_t c = 2 * k + 1; c <= 2 * k + 2 && c < q->n; c++)
			if (before(g, s, q->heap[c], q->heap[best]))
				best = c;
		if (best == k)
			return;
		q->heap[k] = q->heap[best];
		q->heap[best] = was;
		k = best;
	}
}

int queue_push(struct engine *g, unsigned s, size_t i)
{
	struct queue *q = &g->queue[s];
	struct member_slot *m = &g->slot[s][i];

	if (m->queued || !g->ours[s] || i < g->first[s] || i >= g->last[s])
		return 0;
	if (weft_grow(q->heap, q->n, q->cap))
		return -1;
	m->queued = true;
	q->heap[q->n] = i;
	sift_up(g, s, q->n++);
	return 0;
}

int queue_priority(struct engine *g, unsigned s, size_t i, int priority)
{
	struct queue *q = &g->queue[s];
	struct member_slot *m = &g->slot[s][i];
	size_t k = 0;

	if (!m->queued && queue_push(g, s, i))
		return -1;
	m->priority = priority;
	while (k < q->n && q->heap[k] != i)
		k++;
	if (k < q->n) {
		sift_up(g, s, k);
		sift_down(g, s, k);
	}
	return 0;
}

bool queue_first(struct engine *g, unsigned s, size_t *i)
{
	struct queue *q = &g->queue[s];

	while (q->n && g->slot[s][q->heap[0]].state != WEFT_STATE_NONE)
		queue_drop(g, s, q->heap[0]);
	while (q->cursor < g->last[s] &&
		(g->slot[s][q->cursor].queued ||
			g->slot[s][q->cursor].state != WEFT_STATE_NONE))
		q->cursor++;
	bool more = q->cursor < g->last[s];
	if (!more && !q->n)
		return false;
	*i = more && (!q->n || before(g, s, q->cursor, q->heap[0])) ? q->cursor
								    : q->heap[0];
	return true;
}

void queue_drop(struct engine *g, unsigned s, size_t i)
{
	struct queue *q = &g->queue[s];

	if (!q->n || q->heap[0] != i) {
		q->cursor = i + 1;
		return;
	}
	g->slot[s][i].queued = false;
	q->heap[0] = q->heap[--q->n];
	if (q->n)
		sift_down(g, s, 0);
}

struct waking {
	struct engine *g;
	unsigned step;
};

static int wake(void *ctx, size_t i)
{
	struct waking *w = ctx;

	return w->g->slot[w->step][i].state == WEFT_STATE_NONE
		       ? queue_push(w->g, w->step, i)
		       : 0;
}

/* Has this end decided about all that wait for the whole step? */
static bool decides(const struct engine *g, unsigned s)
{
	const size_t *n = g->tally[s].count;
	size_t open = 0, failed = n[WEFT_STATE_FAILED] + n[WEFT_STATE_LOST] +
				  n[WEFT_STATE_CANCELLED] + n[WEFT_STATE_NOT_RUN];

	for (int k = 0; k < WEFT_STATE_DONE; k++)
		open += n[k];
	if (!open)
		return true;
	return failed && weft_sweep_failed(&g->e->wf->step[s], failed) &&
	       !weft_sweep_failed(&g->e->wf->step[s], failed - 1);
}

/* Steps whose members all wait for the same need no word: their first says it. */
void queue_wake(struct engine *g, unsigned s, size_t i)
{
	const struct weft_workflow *wf = g->e->wf;

	for (unsigned t = 0; g->queue && t < wf->n_steps; t++) {
		const struct weft_step *step = &wf->step[t];

		if (!g->ours[t] || g->alike[t])
			continue;
		for (size_t k = 0; k < step->n_edges; k++) {
			const struct weft_edge back = {.step = t};
			struct waking w = {g, t};

			if (step->edge[k].step != s)
				continue;
			if (!weft_spec_matches(wf, step, &step->edge[k])) {
				if (decides(g, s))
					g->queue[t].cursor = g->first[t];
			} else if (weft_spec_each_match(
					   wf, &wf->step[s], i, &back, wake, &w)) {
				g->queue[t].cursor = g->first[t];
			}
		}
	}
}
