/* status_loops.c - between two rounds of a loop all its members have ended, and yet it
 * is not done */
#include "journal/status.h"

#include <stdlib.h>
#include <string.h>

static void set(
	struct weft_status *st, const struct weft_loop *l, enum weft_state state)
{
	for (size_t i = 0; i < l->n_steps; i++) {
		struct weft_status_step *s = &st->step[l->step[i]];

		if (s->state == WEFT_STATE_DONE || s->state == WEFT_STATE_SKIPPED)
			s->state = state;
	}
}

static int count(struct weft_status_steer *s, const struct weft_action *a)
{
	const char *what = a->kind == WEFT_ACTION_ADD      ? "add"
			   : a->kind == WEFT_ACTION_CANCEL ? "cancel"
			   : a->kind == WEFT_ACTION_STOP   ? "stop"
			   : a->kind == WEFT_ACTION_NOTE   ? "refused"
							   : "priority";
	const char *of = *a->params ? a->params : *a->member ? a->member : a->text;

	s->added += a->kind == WEFT_ACTION_ADD;
	s->cancelled += a->kind == WEFT_ACTION_CANCEL;
	s->odd += a->kind == WEFT_ACTION_NOTE;
	free(s->last);
	s->last = weft_printf("%s: %s", what, of);
	return s->last ? 0 : -1;
}

int status_steering(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_status *st, struct weft_err *err)
{
	struct weft_action *v;
	size_t n, step;
	bool any = false;
	int bad = 0;

	for (size_t i = 0; i < wf->n_steps; i++)
		any |= st->step[i].steer.given = wf->step[i].steer.given;
	if (!any)
		return 0;
	if (weft_actions_read(run, &v, &n, err))
		return -1;
	for (size_t i = 0; !bad && i < n; i++)
		if (weft_map_get(&wf->by_name, v[i].step, &step) &&
			wf->step[step].steer.given)
			bad = count(&st->step[step].steer, &v[i]);
	weft_actions_free(v, n);
	return bad ? weft_err_nomem(err) : 0;
}

void status_loops(const struct weft_workflow *wf, struct weft_status *st,
	bool (*alive)(void *ctx, const struct weft_status_step *step),
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member), void *ctx)
{
	weft_autofree struct weft_tally *tally =
		calloc(wf->n_steps + 1, sizeof(*tally));

	for (size_t i = 0; tally && i < wf->n_steps; i++)
		memcpy(tally[i].count, st->step[i].count, sizeof(tally[i].count));
	for (size_t i = 0; tally && i < wf->n_steps; i++) {
		struct weft_status_step *s = &st->step[i];

		if (!wf->step[wf->step[i].sweep.root].steer.given ||
			!wf->step[i].sweep.growing || st->stopped ||
			(s->state != WEFT_STATE_DONE && s->state != WEFT_STATE_SKIPPED))
			continue;
		bool goes_on = alive(ctx, s);
		s->state = goes_on ? WEFT_STATE_RUNNING : WEFT_STATE_LOST;
		if (goes_on)
			st->finished = false;
		else if (!st->code)
			st->code = WEFT_EFAILED;
	}
	for (size_t i = 0; tally && i < wf->n_loops; i++) {
		const struct weft_loop *l = &wf->loop[i];

		if (l->ended)
			continue;
		enum weft_verdict v = weft_round_verdict(wf, l, tally, state_of, ctx);
		if (v == WEFT_WAIT || v == WEFT_NEVER)
			continue;  /* a failure in it is told */
		if (st->stopped) { /* because nobody could say whether it goes on */
			set(st, l, WEFT_STATE_FAILED);
			if (!st->code || st->code == WEFT_EINTR)
				st->code = WEFT_ESPEC;
		} else if (alive(ctx, &st->step[l->step[l->n_steps - 1]])) {
			set(st, l, WEFT_STATE_RUNNING);
			st->finished = false;
		} else {
			set(st, l, WEFT_STATE_LOST);
			if (!st->code)
				st->code = WEFT_EFAILED;
		}
	}
}
