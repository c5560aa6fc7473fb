/* near.c - nodes that have what a member reads: made there with node scratch, it is in
 * their caches (cache.c), as the record of its maker tells; or it is brought (ahead.c)
 */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#define LOOK 64 /* members of a producer that are asked: of a fan-in, a sample */

struct look {
	struct engine *g;
	const struct weft_step *of;
	unsigned output;
	uint64_t *bytes; /* of each node */
	unsigned n;
};

static void add(struct look *l, const char *host, size_t len, uint64_t bytes)
{
	const struct weft_engine *e = l->g->e;

	for (size_t i = 0; i < e->n_nodes; i++)
		if (strlen(e->node[i].name) == len &&
			memcmp(e->node[i].name, host, len) == 0) {
			l->bytes[i] += bytes + 1;
			return;
		}
}

static int look_at(void *ctx, size_t member)
{
	struct look *l = ctx;
	weft_autoerr struct weft_err err = {0};
	struct weft_record *r = NULL;

	if (weft_records_read(l->g->records, l->of->index, member, &r, &err) == 0) {
		const char *output = l->of->output[l->output].name;
		uint64_t bytes = 0;

		for (size_t i = 0; i < r->n_outputs; i++)
			if (weft_streq(r->output[i].name, output))
				bytes = r->output[i].bytes;
		for (const char *h = r->hosts;
			r->state == WEFT_STATE_DONE && h && *h;) {
			size_t len = strcspn(h, ",");

			add(l, h, len, bytes);
			h += len + (h[len] == ',');
		}
		weft_record_free(r);
	}
	return ++l->n >= LOOK;
}

static void look_for(struct engine *g, const struct weft_step *step, size_t i,
	const struct weft_input_from *from, uint64_t *bytes)
{
	const struct weft_workflow *wf = g->e->wf;
	struct look l = {g, &wf->step[from->step], from->output, bytes, 0};
	struct weft_edge edge = {.step = from->step, .all = from->all};

	if (weft_spec_matches(wf, step, &edge)) {
		(void)!weft_spec_each_match(wf, step, i, &edge, look_at, &l);
		return;
	}
	for (size_t k = 0; k < l.of->sweep.count && !look_at(&l, k); k++)
		;
}

/* Where all of it is brought, there is no more of it anywhere. */
static void add_ahead(struct engine *g, unsigned s, size_t i, uint64_t **bytes)
{
	uint64_t most = 0;

	for (unsigned k = 0; g->ahead.any && k < g->e->n_nodes; k++)
		most = *bytes && (*bytes)[k] > most ? (*bytes)[k] : most;
	for (unsigned k = 0; g->ahead.any && k < g->e->n_nodes; k++) {
		if (!ahead_is(g, s, i, k))
			continue;
		if (!*bytes)
			*bytes = calloc(g->e->n_nodes, sizeof(**bytes));
		if (*bytes)
			(*bytes)[k] = most + 1;
	}
}

uint64_t *near_find(struct engine *g, unsigned s, size_t i)
{
	const struct weft_step *step = &g->e->wf->step[s];
	uint64_t *bytes = NULL;

	if (g->e->n_nodes < 2 || g->e->conf->node_cache == WEFT_NODE_CACHE_NO)
		return NULL;
	for (size_t k = 0; k < step->n_inputs; k++) {
		const struct weft_input *in = &step->input[k];

		for (size_t f = 0; f < in->n_from && in->to != WEFT_SCRATCH_SHARED;
			f++) {
			if (in->from[f].step == WEFT_NO_STEP ||
				g->e->wf->step[in->from[f].step].scratch != in->to)
				continue;
			if (!bytes)
				bytes = calloc(g->e->n_nodes, sizeof(*bytes));
			if (bytes)
				look_for(g, step, i, &in->from[f], bytes);
		}
	}
	add_ahead(g, s, i, &bytes);
	return bytes;
}
