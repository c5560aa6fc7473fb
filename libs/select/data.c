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
	double (*stays)(void *ctx, const struct weft_input *in, double members),
	void *ctx, struct traffic *t)
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
		part = stays(ctx, &s->input[i], members);
		t->stays += bytes * part;
		t->moved += bytes * (1 - part);
	}
	return known;
}

/* Of an input's sources the first is taken, mostly. */
static uint64_t input_bytes(
	const struct work *w, const struct weft_step *s, const struct weft_input *in)
{
	const struct weft_input_from *f = in->from;
	const struct weft_select_past *p;
	const uint64_t *given = w->given ? w->given[s->index] : NULL;

	if (!in->n_from)
		return 0;
	if (f->step == WEFT_NO_STEP)
		return given && given[in - s->input] != WEFT_NO_BYTES
			       ? given[in - s->input]
			       : 0;
	p = w->past ? &w->past[f->step] : NULL;
	return p && p->n && p->out
		       ? (uint64_t)(fan_in(w, s, f) * (double)p->out[f->output])
		       : 0;
}

uint64_t step_in_memory(const struct work *w, const struct weft_step *s, uint64_t tmp)
{
	const struct weft_select_past *p = w->past ? &w->past[s->index] : NULL;
	uint64_t made = 0, read = 0;

	/* On one machine by itself nobody keeps to it. */
	if (w->local)
		return 0;
	for (size_t i = 0; i < s->n_inputs; i++)
		if (s->input[i].to == WEFT_SCRATCH_MEMORY &&
			s->input[i].mode != WEFT_MODE_LINK)
			read += input_bytes(w, s, &s->input[i]);
	if (s->scratch != WEFT_SCRATCH_MEMORY)
		return read;
	for (size_t i = 0; p && p->n && p->out && i < s->n_outputs; i++)
		made += p->out[i];
	return read + (made > tmp ? made : tmp);
}

uint64_t weft_select_in_memory(const struct weft_workflow *wf,
	const struct weft_select_options *opt, unsigned step, uint64_t tmp)
{
	const struct work w = {.wf = wf, .past = opt->past, .given = opt->given};

	return step_in_memory(&w, &wf->step[step], tmp);
}

static bool is_in(struct pools *ps, const struct weft_partition *p, const char *node)
{
	long at = pools_node(ps, node);

	for (size_t i = 0; at >= 0 && i < p->n_nodes; i++)
		if (p->node[i] == (unsigned)at)
			return true;
	return false;
}

double places_part(struct work *w, const struct weft_input *in, const char *partition)
{
	const struct weft_input_from *f = in->from;
	const struct pool *pool = pools_find(&w->pools, partition);
	double all = 0, there = 0;

	/* What is read where it lies comes from no cache. */
	if (in->to == WEFT_SCRATCH_SHARED || !pool || !pool->up)
		return -1;
	for (size_t i = 0; i < w->n_places; i++) {
		const struct weft_select_place *p = &w->place[i];

		if (p->step != f->step || p->output != f->output)
			continue;
		all += (double)p->bytes;
		if (is_in(&w->pools, pool->part, p->node))
			there += (double)p->bytes;
	}
	return all > 0 ? there / all / pool->up : -1;
}

double traffic_seconds(const struct work *w, double bytes)
{
	double speed =
		w->conf && w->conf->bandwidth ? (double)w->conf->bandwidth : BANDWIDTH;

	return bytes / speed;
}
