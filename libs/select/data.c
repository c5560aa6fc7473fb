/* data.c - bytes that earlier runs moved along the edges of a workflow. */
#include "select/work.h"

#define BANDWIDTH ((double)(1 << 30)) /* bytes a second, where nothing says */

static const struct weft_edge *edge_of(const struct weft_step *s, unsigned from)
{
	for (size_t i = 0; i < s->n_edges; i++)
		if (s->edge[i].step == from)
			return &s->edge[i];
	return NULL;
}

/* Members of the producer whose output one member of the step reads. */
static double fan_in(const struct work *w, const struct weft_step *s,
	const struct weft_input_from *f)
{
	size_t all = w->wf->step[f->step].sweep.most, own = s->sweep.most;
	const struct weft_edge *e = edge_of(s, f->step);

	if (f->all || !e || !weft_spec_matches(w->wf, s, e))
		return (double)all;
	return all > own ? (double)all / (double)own : 1;
}

bool step_traffic(const struct work *w, const struct weft_step *s,
	double (*stays)(void *ctx, unsigned from, double members), void *ctx,
	struct traffic *t)
{
	bool known = false;

	*t = (struct traffic){0};
	for (size_t i = 0; w->past && i < s->n_inputs; i++) {
		const struct weft_input_from *f = s->input[i].from;
		const struct weft_select_past *p;
		double members, bytes, part;

		/* Of several the first that exists is taken: mostly the first. */
		if (!s->input[i].n_from || f->step == WEFT_NO_STEP)
			continue;
		p = &w->past[f->step];
		if (!p->n || !p->out)
			continue;
		known = true;
		members = fan_in(w, s, f);
		bytes = members * (double)p->out[f->output];
		part = stays(ctx, f->step, members);
		t->stays += bytes * part;
		t->moved += bytes * (1 - part);
	}
	return known;
}

double traffic_seconds(const struct work *w, double bytes)
{
	double speed =
		w->conf && w->conf->bandwidth ? (double)w->conf->bandwidth : BANDWIDTH;

	return bytes / speed;
}
