/* past.c - what the journals of earlier runs say, as select wants it */
#include "job.h"

#include <stdlib.h>

struct past {
	struct weft_history *history;
	struct weft_select_past *step;
};

struct past *past_load(const char *parent, const struct weft_workflow *wf)
{
	struct past *p = calloc(1, sizeof(*p));

	if (!p || weft_history_load(parent, wf, false, &p->history, NULL) < 0 ||
		!p->history->step) {
		past_free(p);
		return NULL;
	}
	p->step = calloc(wf->n_steps + 1, sizeof(*p->step));
	if (!p->step) {
		past_free(p);
		return NULL;
	}
	for (size_t i = 0; i < wf->n_steps; i++) {
		const struct weft_history_step *s = &p->history->step[i];

		p->step[i] = (struct weft_select_past){s->n, s->seconds, s->out};
	}
	return p;
}

const struct weft_select_past *past_of_steps(const struct past *p)
{
	return p ? p->step : NULL;
}

void past_free(struct past *p)
{
	if (!p)
		return;
	weft_history_free(p->history);
	free(p->step);
	free(p);
}
