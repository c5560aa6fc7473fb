/* grow.c - members that come while an engine runs: those of sweeps that are read from
 * what a step has made */
#include "engine/run.h"

#include <stdlib.h>

int grow_open(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;

	(void)err;
	for (size_t s = 0; s < wf->n_steps; s++) {
		const struct weft_sweep *w = &wf->step[s].sweep;

		if (w->kind == WEFT_SWEEP_FILE && w->growing)
			g->feeds[w->from] = g->grow = true;
		if (w->round && w->growing)
			g->feeds[s] = g->grow = true;
	}
	return 0;
}

/* A sweep without members that can be told so: the run is over for what needs it. */
static void look_at_broken(struct engine *g, unsigned s)
{
	const struct weft_step *step = &g->e->wf->step[s];
	const struct weft_sweep *w = &step->sweep;

	if (!w->broken || w->kind != WEFT_SWEEP_FILE || !g->ours[s])
		return;
	/* Of a step that failed the engine knows already. */
	if (g->slot[w->from][0].state == WEFT_STATE_DONE) {
		weft_autofree char *why = weft_printf(
			"the run was stopped: %s: %s", step->name, w->broken);

		weft_log(WEFT_ERROR, "%s: %s", step->name, w->broken);
		finish_stop(g, step, WEFT_ESPEC, why);
	}
}

/* ---- rounds of loops ------------------------------------------------------ */

int grow_write(struct engine *g, const struct weft_action *a, struct weft_err *err)
{
	if (!g->actions) {
		weft_autofree char *name = weft_printf(
			"engine-%s-%zu", *g->e->job ? g->e->job : "local", g->e->block);

		if (!name)
			return weft_err_nomem(err);
		if (weft_actions_open(g->e->run, name, &g->actions, err))
			return -1;
	}
	return weft_actions_add(g->actions, a, err);
}

/* What is written down is what happens: in this order. */
static int end_loop(
	struct engine *g, unsigned loop, const char *why, struct weft_err *err)
{
	const struct weft_loop *l = &g->e->wf->loop[loop];
	struct weft_action end = {.kind = WEFT_ACTION_END,
		.step = (char *)g->e->wf->step[l->step[0]].name,
		.text = (char *)why};

	if (grow_write(g, &end, err))
		return -1;
	return weft_loop_end(g->e->wf, loop, why) ? weft_err_nomem(err) : 0;
}

static int next_round(struct engine *g, unsigned loop, struct weft_err *err)
{
	const struct weft_loop *l = &g->e->wf->loop[loop];
	const struct weft_step *step = &g->e->wf->step[l->step[0]];
	struct weft_action next = {.kind = WEFT_ACTION_ROUND,
		.step = (char *)step->name,
		.number = (int64_t)l->rounds};
	weft_autoerr struct weft_err bad = {0};
	bool last;

	if (rounds_ask(g->e, l, l->rounds - 1, &last, &bad)) {
		weft_autofree char *why = rounds_odd(&bad);

		finish_stop(g, step, WEFT_ESPEC, why);
		/* Not for ever: what it asks for may be there when the run is resumed.
		 */
		return weft_loop_end(g->e->wf, loop, why ? why : "") ? -1 : 0;
	}
	if (last) {
		weft_autofree char *why =
			weft_printf("round %zu: `until` is true", l->rounds - 1);

		return end_loop(g, loop, why ? why : "", err);
	}
	if (grow_write(g, &next, err))
		return -1;
	weft_loop_next(g->e->wf, loop);
	return 0;
}

static bool round_ended(const struct engine *g, const struct weft_loop *l, size_t round)
{
	for (size_t k = 0; k < l->n_steps; k++) {
		size_t n = g->e->wf->step[l->step[k]].sweep.round;

		for (size_t i = round * n; i < (round + 1) * n; i++)
			if (!weft_state_ended(g->slot[l->step[k]][i].state))
				return false;
	}
	return true;
}

/* A run that is resumed knows of its later rounds before the earlier ones have ended.
 */
static void count_rounds(struct engine *g)
{
	for (size_t k = 0; k < g->e->wf->n_loops; k++) {
		const struct weft_loop *l = &g->e->wf->loop[k];

		while (g->ours[l->step[0]] && !g->e->apart &&
			g->whole[k] + 1 < l->rounds && round_ended(g, l, g->whole[k])) {
			g->whole[k]++;
			g->grown = true;
		}
	}
}

bool grow_holds(const struct engine *g, unsigned s, size_t i)
{
	const struct weft_step *step = &g->e->wf->step[s];

	return step->loop != WEFT_NO_LOOP && step->sweep.round &&
	       i / step->sweep.round > g->whole[step->loop];
}

/* Rounds that have ended; *grown: there are more members, or it is known that there
 * won't be. */
static int look_at_loops(struct engine *g, bool *grown, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;

	for (unsigned k = 0; k < wf->n_loops; k++) {
		const struct weft_loop *l = &wf->loop[k];

		if (l->ended || g->e->apart || !g->ours[l->step[0]])
			continue;
		enum weft_verdict v = weft_round_verdict(wf, l, g->tally, state_of, g);
		if (v == WEFT_WAIT)
			continue;
		/* What the decision follows from is on disk before it. */
		int kept = keep_commit(g, err);
		if (kept) {
			g->later = true;
			return kept < 0 ? -1 : 0;
		}
		*grown = true;
		/* A round that failed may go better when the run is resumed: no
		 * decision of the run's. */
		if (v == WEFT_NEVER || g->stopping
				? weft_loop_end(wf, k, "a round failed")
				: next_round(g, k, err))
			return err->code ? -1 : weft_err_nomem(err);
	}
	return 0;
}

static int look_at_files(struct engine *g, bool *grown, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;
	weft_autofree bool *open = calloc(wf->n_steps + 1, sizeof(*open));
	bool any = false;

	if (!open)
		return weft_err_nomem(err);
	for (size_t s = 0; s < wf->n_steps; s++) {
		const struct weft_sweep *w = &wf->step[s].sweep;

		open[s] = w->growing && w->kind == WEFT_SWEEP_FILE &&
			  weft_state_ended(g->slot[w->from][0].state);
		any |= open[s];
	}
	if (!any)
		return 0;
	*grown = true;
	if (weft_run_grow(g->e->run, wf, err))
		return -1;
	for (unsigned s = 0; s < wf->n_steps; s++)
		if (open[s])
			look_at_broken(g, s);
	return 0;
}

int grow_look(struct engine *g, struct weft_err *err)
{
	if (steer_look(g, err))
		return -1;
	while (g->grow) {
		g->grow = false;
		if (look_at_files(g, &g->grown, err) ||
			look_at_loops(g, &g->grown, err))
			return -1;
		if (g->grown && state_grow(g, err))
			return -1;
	}
	count_rounds(g);
	if (g->grown) {
		if (state_grow(g, err))
			return -1;
		queue_rewind(g);
	}
	g->grown = false;
	g->grow |= g->later;
	g->later = false;
	return 0;
}
