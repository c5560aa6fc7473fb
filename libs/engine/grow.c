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

int grow_look(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;

	if (!g->grow)
		return 0;
	g->grow = false;
	weft_autofree bool *open = calloc(wf->n_steps + 1, sizeof(*open));
	if (!open)
		return weft_err_nomem(err);
	for (size_t s = 0; s < wf->n_steps; s++)
		open[s] = wf->step[s].sweep.growing;
	if (weft_run_grow(g->e->run, wf, err) || state_grow(g, err))
		return -1;
	for (unsigned s = 0; s < wf->n_steps; s++)
		if (open[s] && !wf->step[s].sweep.growing)
			look_at_broken(g, s);
	queue_rewind(g);
	return 0;
}
