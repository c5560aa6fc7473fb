/* finish.c - ends of members, and what follows from them */
#include "engine/run.h"

void finish_without(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code, const char *reason)
{
	weft_autoerr struct weft_err err = {0};

	again_forget(g, s, i);
	if (keep_end(g, s, i, state, code, reason, &err))
		weft_log(WEFT_ERROR, "%s: %s", g->e->wf->step[s].name,
			err.text ? err.text : "no record");
	state_set(g, s, i, state, code);
}

/* Nothing new starts; with on_failure: cancel what runs is ended. */
static void stop_run(struct engine *g, const char *why)
{
	weft_autofree char *already = NULL;
	weft_autoerr struct weft_err err = {0};

	/* The first reason is what others followed from. */
	if (weft_run_stopped(g->e->run, &already) != 0 &&
		(!why || weft_run_stop(g->e->run, why, &err)))
		weft_log(WEFT_WARN, "stop marker: %s",
			err.text ? err.text : "no memory");
	g->stop_looked = 0;
	if (g->e->wf->on_failure != WEFT_ON_FAILURE_CANCEL)
		return;
	for (size_t k = 0; k < g->n_running; k++)
		if (!weft_step_after_stop(&g->e->wf->step[g->run[k]->step]))
			run_cancel(g, g->run[k]);
	if (g->e->cancel_run)
		g->e->cancel_run(g->e->ctx);
}

void finish_stop(struct engine *g, const struct weft_step *step, enum weft_code code,
	const char *why)
{
	if (step->optional)
		return;
	if (!g->code)
		g->code = code;
	if (g->e->wf->on_failure != WEFT_ON_FAILURE_CONTINUE)
		stop_run(g, why);
}

/* A member failed: has the step, and what then? */
void finish_failed(struct engine *g, unsigned s, size_t i)
{
	const struct weft_step *step = &g->e->wf->step[s];
	weft_autoerr struct weft_err err = {0};

	if (step->optional)
		return;
	/* Members of other blocks run in other jobs: count theirs too. */
	if (step->max_failed > 0 && in_blocks(g) && state_read_step(g, s, &err)) {
		weft_log(WEFT_WARN, "%s: %s", step->name, err.text);
		weft_err_clear(&err);
	}
	if (!weft_step_failed(step, &g->tally[s], false, state_of, g))
		return;
	weft_autofree char *why =
		weft_printf("the run was stopped: %s failed", step->name);
	finish_stop(
		g, step, g->slot[s][i].code ? g->slot[s][i].code : WEFT_EFAILED, why);
}

void finish_spent(struct engine *g, unsigned s, size_t i, const char *why)
{
	const struct weft_step *step = &g->e->wf->step[s];

	finish_without(g, s, i, WEFT_STATE_FAILED, WEFT_EPLACE, why);
	if (!step->optional && g->e->wf->on_failure != WEFT_ON_FAILURE_CONTINUE) {
		g->cancelled = true;
		if (!g->code)
			g->code = WEFT_EPLACE;
		stop_run(g, why);
	}
	finish_failed(g, s, i);
}

/* What was handed over, or for a step without a sweep written. 1: nothing. */
static int take_record(struct engine *g, const struct running *r,
	const struct weft_record *rec, struct weft_err *err)
{
	struct weft_record *own = NULL;
	int bad = 0;

	if (g->e->wf->step[r->step].sweep.kind == WEFT_SWEEP_NONE) {
		if (weft_records_read(g->records, r->step, 0, &own, err) < 0) {
			/* No proof of anything: it counts as none. */
			weft_log(WEFT_WARN, "%s", err->text);
			weft_err_clear(err);
		}
		rec = own;
	}
	if (!rec)
		return 1;
	state_set(g, r->step, r->member, rec->state, rec->code);
	if (rec->state == WEFT_STATE_NONE)
		bad = again_add(g, r->step, r->member, rec, err);
	weft_record_free(own);
	return bad;
}

int finish_member(struct engine *g, const struct running *r,
	const struct weft_record *rec, struct weft_err *err)
{
	int got = take_record(g, r, rec, err);

	if (got < 0)
		return -1;
	if (got)
		finish_without(g, r->step, r->member, WEFT_STATE_FAILED, WEFT_EFAILED,
			"the process that watched over it died");
	enum weft_state st = g->slot[r->step][r->member].state;
	if (st == WEFT_STATE_DONE)
		left_pace(g, r->step, weft_monotonic() - r->begun);
	again_count(g, &r->share, st == WEFT_STATE_FAILED || st == WEFT_STATE_NONE);
	weft_autofree char *stop = NULL;
	if (st == WEFT_STATE_CANCELLED && g->e->slurm && !g->cancelled &&
		weft_run_stopped(g->e->run, &stop) != 0)
		run_hear(g);
	if (st == WEFT_STATE_FAILED || (st == WEFT_STATE_CANCELLED && !g->stopping))
		finish_failed(g, r->step, r->member);
	return 0;
}

/* on_failure: cancel doesn't wait for a member that would start. */
void finish_over_budget(struct engine *g)
{
	const char *why;

	if (g->e->wf->on_failure != WEFT_ON_FAILURE_CANCEL || g->stopping ||
		g->cancelled || !(why = budget_over(g->budget)))
		return;
	g->cancelled = true;
	if (!g->code)
		g->code = WEFT_EPLACE;
	stop_run(g, why);
}
