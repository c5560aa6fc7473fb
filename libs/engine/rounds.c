/* rounds.c - what follows on a round of a loop */
#include "engine/run.h"

#include <stdlib.h>

/* Asked as by a member of it. */
int rounds_ask(const struct weft_engine *e, const struct weft_loop *l, size_t round,
	bool *last, struct weft_err *err)
{
	const struct weft_step *step = &e->wf->step[l->step[0]];
	struct unit u;
	int r = -1;

	*last = false;
	if (!l->until_expr)
		return 0;
	if (unit_open(&u, e, step, round * step->sweep.round, err) == 0) {
		u.whole = true;
		r = weft_scope_until(&u.scope, l, last, err);
	}
	unit_close(&u);
	return r;
}

char *rounds_odd(struct weft_err *err)
{
	weft_err_prefix(err, "`until`");
	weft_autofree char *line = weft_err_line(err);

	weft_log(WEFT_ERROR, "%s", line ? line : "out of memory");
	weft_err_clear(err);
	return weft_printf("the run was stopped: %s", line ? line : "out of memory");
}

/* ---- rounds that have jobs of their own ----------------------------------- */

static enum weft_engine_next look(const struct weft_engine *e,
	struct weft_records *records, const struct weft_loop *l, size_t round)
{
	bool failed = false;

	for (size_t k = 0; k < l->n_steps; k++) {
		const struct weft_step *s = &e->wf->step[l->step[k]];
		size_t n = s->sweep.round, bad = 0;

		for (size_t i = round * n; i < (round + 1) * n; i++) {
			struct weft_record_head h =
				weft_records_head(records, s->index, i);

			if (!h.known || !weft_state_ended(h.state))
				return WEFT_ROUND_OPEN;
			bad += h.state != WEFT_STATE_DONE &&
			       h.state != WEFT_STATE_SKIPPED;
		}
		failed |= bad && !s->optional && weft_sweep_failed(s, bad);
	}
	return failed ? WEFT_ROUND_FAILED : WEFT_ROUND_NEXT;
}

static int write_down(
	const struct weft_engine *e, const struct weft_action *a, struct weft_err *err)
{
	struct weft_actions *actions = NULL;
	weft_autofree char *name = weft_printf("round-%s", e->job);

	if (!name)
		return weft_err_nomem(err);
	if (weft_actions_open(e->run, name, &actions, err))
		return -1;
	int bad = weft_actions_add(actions, a, err);
	weft_actions_close(actions);
	return bad;
}

/* It ended well, and nobody has said yet what comes then. */
static int decide(const struct weft_engine *e, unsigned loop,
	enum weft_engine_next *next, struct weft_err *err)
{
	const struct weft_loop *l = &e->wf->loop[loop];
	size_t round = l->rounds - 1;
	struct weft_action a = {.kind = WEFT_ACTION_ROUND,
		.step = (char *)e->wf->step[l->step[0]].name,
		.number = (int64_t)l->rounds};
	weft_autoerr struct weft_err bad = {0};
	bool last;

	if (rounds_ask(e, l, round, &last, &bad)) {
		weft_autofree char *why = rounds_odd(&bad);

		*next = WEFT_ROUND_FAILED;
		if (e->wf->on_failure == WEFT_ON_FAILURE_CONTINUE || !why)
			return 0;
		return weft_run_stop(e->run, why, err);
	}
	if (!last) {
		if (write_down(e, &a, err))
			return -1;
		weft_loop_next(e->wf, loop);
		return 0;
	}
	weft_autofree char *why = weft_printf("round %zu: `until` is true", round);
	if (!why)
		return weft_err_nomem(err);
	a.kind = WEFT_ACTION_END;
	a.number = 0;
	a.text = why;
	*next = WEFT_ROUND_LAST;
	if (write_down(e, &a, err))
		return -1;
	return weft_loop_end(e->wf, loop, why) ? weft_err_nomem(err) : 0;
}

int weft_engine_round(const struct weft_engine *e, unsigned loop, size_t round,
	enum weft_engine_next *next, struct weft_err *err)
{
	const struct weft_loop *l = &e->wf->loop[loop];
	struct weft_engine own = *e;
	int bad = 0;

	*next = WEFT_ROUND_OPEN;
	if (!e->records)
		bad = weft_records_open(e->run, e->wf, &own.records, err) ||
		      weft_records_poll(own.records, NULL, NULL, err);
	if (!bad && round < l->rounds) {
		*next = look(e, own.records, l, round);
		/* A run that is resumed may know of later ones. */
		if (*next == WEFT_ROUND_NEXT && round + 1 == l->rounds) {
			if (l->ended)
				*next = WEFT_ROUND_LAST;
			else
				bad = decide(&own, loop, next, err);
		}
	}
	if (!e->records)
		weft_records_free(own.records);
	return bad ? -1 : 0;
}
