/* ready.c - what may start: records say what may, nodes say where */
#include "engine/run.h"

static bool wanted(struct engine *g, unsigned s, size_t i, struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];
	struct unit u;
	bool yes = true;

	if (!step->when_expr)
		return true;
	if (unit_open(&u, g->e, step, i, err) ||
		weft_scope_when(&u.scope, step, &yes, err)) {
		weft_autofree char *line = weft_err_line(err);

		finish_without(g, s, i, WEFT_STATE_FAILED, WEFT_ESPEC, line);
		weft_err_clear(err);
		finish_failed(g, s, i);
		yes = false;
	} else if (!yes) {
		weft_autofree char *why =
			weft_printf("`when` is false: %s", step->when.s);

		finish_without(g, s, i, WEFT_STATE_SKIPPED, WEFT_OK, why);
	}
	unit_close(&u);
	return yes;
}

enum {
	MOVED,
	NO_ROOM,
	FULL,
	WAITS,
	LATER,
	ELSEWHERE /* there is room, but its inputs are brought to another node */
};

#define STOP_LOOK 0.1 /* seconds between two looks for the stop marker */

/* Many members may be considered in a row: the marker's file is looked for now and
 * then.
 */
static const char *stop_reason(struct engine *g)
{
	double now = weft_monotonic();

	if (!g->stop && (!g->stop_looked || now >= g->stop_looked + STOP_LOOK)) {
		g->stop_looked = now;
		if (weft_run_stopped(g->e->run, &g->stop) != 0)
			g->stop = NULL;
	}
	return g->stop;
}

/* Moves one member on if it can; *progress says whether anything changed.  any: it
 * takes what room there is. */
static int consider(struct engine *g, unsigned s, size_t i, bool any, bool *progress,
	struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];
	weft_autofree char *why = NULL;
	enum weft_verdict v =
		weft_verdict(g->e->wf, step, i, state_of, g, g->tally, NULL);

	if (v == WEFT_WAIT)
		return WAITS; /* by far the most: no words for these */
	struct weft_arena arena = {0};
	struct weft_plan_step plan;
	struct running r = {0};
	int ret = MOVED, retry;

	if (v == WEFT_NEVER || v == WEFT_SKIP) {
		*progress = true;
		weft_verdict(g->e->wf, step, i, state_of, g, g->tally, &why);
		finish_without(g, s, i,
			v == WEFT_SKIP ? WEFT_STATE_SKIPPED : WEFT_STATE_NOT_RUN,
			WEFT_OK, why);
		return MOVED;
	}
	if (!weft_step_after_stop(step) && stop_reason(g)) {
		*progress = true;
		finish_without(g, s, i, WEFT_STATE_NOT_RUN, WEFT_OK, g->stop);
		return MOVED;
	}
	if (grow_holds(g, s, i))
		return WAITS;
	if (!again_ready(g, s, i, &retry))
		return LATER;
	if (step->max_parallel && g->active[s] >= step->max_parallel)
		return FULL;
	const char *spent =
		weft_step_after_stop(step) ? NULL : budget_spent(g->budget, s);
	if (spent) {
		*progress = true;
		finish_spent(g, s, i, spent);
		return MOVED;
	}
	unsigned attempt = g->slot[s][i].attempt;
	ret = weft_plan_step_attempt(
		g->e->plan, g->e->wf, g->e->conf, s, i, attempt, &plan, &arena, err);
	if (!ret) {
		weft_autofree uint64_t *near = NULL;
		struct choice choice = {
			run_how(g, s, &plan), attempt ? g->bad : NULL, NULL};

		ret = steer_seat(g, s, &plan, choice.how, err);
		if (!ret)
			ret = room_take(&g->room, &plan, step, &choice, &r.share, err);
		/* That reads records: not for one that has no room, each time. */
		if (!ret && (near = near_find(g, s, i))) {
			choice.near = near;
			room_give(&g->room, &r.share);
			ret = room_take(&g->room, &plan, step, &choice, &r.share, err);
		}
	}
	bool left = !ret && left_is(g, s, i, &plan);
	if (left || (!ret && !any && ahead_elsewhere(g, s, i, &r.share))) {
		room_give(&g->room, &r.share);
		ret = left ? NO_ROOM : ELSEWHERE;
	} else if (ret == NO_ROOM) {
		ahead_start(g, s, i);
	}
	if (!ret) {
		*progress = true;
		r.share.slot.attempt = attempt;
		r.share.slot.retry = retry;
		if (!wanted(g, s, i, err))
			room_give(&g->room, &r.share);
		else if ((ret = run_start(g, s, i, &r, err)))
			room_give(&g->room, &r.share);
		again_forget(g, s, i);
		if (g->ahead.any)
			ahead_forget(g, s, i);
	}
	weft_arena_free(&arena);
	return ret;
}

#define BEHIND 32 /* members looked at behind one that lacks room */

/* Members behind the first one that lacks room may have theirs elsewhere; they are put
 * aside. */
static void look_ahead(struct engine *g, unsigned s, size_t *aside, size_t *n)
{
	size_t i;

	while (*n < BEHIND && ahead_may(g, s) && queue_first(g, s, &i)) {
		if (weft_verdict(g->e->wf, &g->e->wf->step[s], i, state_of, g, g->tally,
			    NULL) != WEFT_READY ||
			!ahead_start(g, s, i))
			return;
		queue_drop(g, s, i);
		aside[(*n)++] = i;
	}
}

/* A step's members, in their order; one that needs less than those before it may go
 * first. */
static int start_step(
	struct engine *g, unsigned s, bool *progress, struct weft_err *err)
{
	size_t aside[BEHIND], n = 0, i;
	bool elsewhere = false;
	int r = MOVED;

	while (queue_first(g, s, &i)) {
		r = consider(g, s, i, n == BEHIND, progress, err);
		if (r == FULL)
			ahead_start(g, s, i);
		/* Where all wait for the same, or need as much, so do its fellows. */
		if (r < 0 || r == FULL || (r == WAITS && g->alike[s]) ||
			(r == NO_ROOM && (g->same_size[s] || n == BEHIND)))
			break;
		queue_drop(g, s, i);
		if (r == NO_ROOM || r == ELSEWHERE)
			aside[n++] = i;
		elsewhere |= r == ELSEWHERE;
	}
	/* What room the others have left. */
	for (size_t k = 0; elsewhere && r >= 0 && k < n; k++) {
		r = consider(g, s, aside[k], true, progress, err);
		if (r == MOVED)
			aside[k--] = aside[--n];
	}
	if (r == NO_ROOM || r == FULL)
		look_ahead(g, s, aside, &n);
	for (size_t k = 0; k < n; k++)
		if (queue_push(g, s, aside[k]))
			return weft_err_nomem(err);
	return r < 0 ? -1 : 0;
}

int ready_start(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;
	bool progress = true;

	/* Of a run that was stopped none has to wait. */
	if (again_any(g) && again_wake(g, stop_reason(g) != NULL, err))
		return -1;
	while (progress && !g->stopping) {
		progress = false;
		if (grow_look(g, err))
			return -1;
		for (size_t o = 0; o < wf->n_steps; o++) {
			unsigned s = wf->order[o];

			if (g->ours[s] && start_step(g, s, &progress, err))
				return -1;
		}
	}
	return 0;
}

/* Nothing runs and nothing can start.  What only lacks room never will: that is its
 * end, and what waits for an end of it may go on (true).  Else what is left waits for
 * nothing, or may not start any more. */
bool ready_give_up(struct engine *g)
{
	const struct weft_workflow *wf = g->e->wf;
	bool ended = false;

	for (int last = 0; last < 2 && !ended; last++) {
		for (size_t o = 0; o < wf->n_steps; o++) {
			unsigned s = wf->order[o];

			while (g->next[s] < g->last[s] &&
				weft_state_ended(g->slot[s][g->next[s]].state))
				g->next[s]++;
			for (size_t i = g->next[s]; i < g->last[s]; i++) {
				weft_autofree char *why = NULL;

				if (!g->ours[s] ||
					weft_state_ended(g->slot[s][i].state))
					continue;
				if (g->stopping) {
					finish_without(g, s, i, WEFT_STATE_NOT_RUN,
						WEFT_EINTR, "the run was interrupted");
				} else if (last) {
					weft_verdict(wf, &wf->step[s], i, state_of, g,
						g->tally, &why);
					finish_without(g, s, i, WEFT_STATE_NOT_RUN,
						WEFT_OK, why);
				} else if (!grow_holds(g, s, i) &&
					   weft_verdict(wf, &wf->step[s], i, state_of,
						   g, g->tally, NULL) == WEFT_READY) {
					ended = true;
					finish_without(g, s, i, WEFT_STATE_FAILED,
						WEFT_EPLACE,
						"it needs more nodes than there are "
						"here");
					finish_failed(g, s, i);
					break; /* the next one may need less */
				}
			}
		}
	}
	return ended || (g->grow && !g->stopping);
}
