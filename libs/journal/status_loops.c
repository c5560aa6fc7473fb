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

void status_loops(const struct weft_workflow *wf, struct weft_status *st,
	bool (*alive)(void *ctx, const struct weft_status_step *step), void *ctx)
{
	weft_autofree struct weft_tally *tally =
		calloc(wf->n_steps + 1, sizeof(*tally));

	st->loop = wf->loop;
	st->n_loops = wf->n_loops;
	for (size_t i = 0; tally && i < wf->n_steps; i++)
		memcpy(tally[i].count, st->step[i].count, sizeof(tally[i].count));
	for (size_t i = 0; tally && i < wf->n_loops; i++) {
		const struct weft_loop *l = &wf->loop[i];

		if (l->ended)
			continue;
		enum weft_verdict v = weft_round_verdict(wf, l, tally);
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
