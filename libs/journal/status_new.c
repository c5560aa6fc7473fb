/* status_new.c - a status of which nothing is known yet, and its end */
#include "journal/status.h"

#include <stdlib.h>

static void clear_member(struct weft_status_member *m)
{
	free(m->hosts);
	free(m->reason);
	free(m->job);
	free(m->log);
}

void weft_status_free(struct weft_status *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < st->n_steps; i++) {
		for (size_t k = 0; st->step[i].member && k < st->step[i].members; k++)
			clear_member(&st->step[i].member[k]);
		free(st->step[i].member);
		for (size_t k = 0; st->step[i].metric && k < st->n_metrics; k++)
			free(st->step[i].metric[k]);
		free(st->step[i].metric);
		free(st->step[i].steer.last);
	}
	for (size_t i = 0; st->watch && i < st->n_loops; i++)
		free(st->watch[i]);
	free(st->watch);
	free(st->step);
	free(st->stopped);
	free(st);
}

struct weft_status *status_new(const struct weft_workflow *wf)
{
	struct weft_status *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	st->wf = wf;
	st->loop = wf->loop;
	st->n_loops = wf->n_loops;
	st->step = calloc(wf->n_steps + 1, sizeof(*st->step));
	st->watch = calloc(wf->n_loops + 1, sizeof(*st->watch));
	if (!st->step || !st->watch)
		goto fail;
	st->n_steps = wf->n_steps;
	st->labels = &wf->labels;
	st->budget = &wf->budget;
	for (size_t i = 0; i < wf->n_steps; i++) {
		struct weft_status_step *s = &st->step[i];

		s->name = wf->step[i].name;
		s->optional = wf->step[i].optional;
		s->labels = &wf->step[i].labels;
		s->member = calloc(wf->step[i].sweep.count + 1, sizeof(*s->member));
		if (!s->member)
			goto fail;
		s->members = wf->step[i].sweep.count;
	}
	return st;
fail:
	weft_status_free(st);
	return NULL;
}
