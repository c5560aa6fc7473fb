/* places.c - which nodes have data of a run: what was made there with `scratch: node`
 * is in their caches, as the records of its makers tell */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#define LOOK 64 /* members of a step that are asked: a sample */

struct places {
	struct weft_arena arena;
	struct weft_select_place *v;
	size_t n, cap;
};

static void add(struct places *p, unsigned step, unsigned output, const char *host,
	size_t len, uint64_t bytes)
{
	char *node = weft_arena_alloc(&p->arena, len + 1);

	if (!node || weft_grow(p->v, p->n, p->cap))
		return;
	memcpy(node, host, len);
	node[len] = '\0';
	p->v[p->n++] = (struct weft_select_place){step, output, node, bytes};
}

/* Of a step on several nodes each has a part: equal ones, as far as anybody knows. */
static void add_record(
	struct places *p, const struct weft_step *step, const struct weft_record *r)
{
	size_t hosts = 1;

	for (const char *h = r->hosts; h && *h; h++)
		hosts += *h == ',';
	for (size_t i = 0; i < r->n_outputs; i++)
		for (unsigned k = 0; k < step->n_outputs; k++) {
			if (!weft_streq(r->output[i].name, step->output[k].name))
				continue;
			for (const char *h = r->hosts; h && *h;) {
				size_t len = strcspn(h, ",");

				add(p, step->index, k, h, len,
					r->output[i].bytes / hosts);
				h += len + (h[len] == ',');
			}
		}
}

struct places *places_find(const struct weft_run *run, const struct weft_workflow *wf)
{
	struct places *p = calloc(1, sizeof(*p));
	struct weft_records *records = NULL;
	weft_autoerr struct weft_err err = {0};

	if (!p || !weft_streq(run->name, wf->name) ||
		weft_records_open(run, wf, &records, &err) ||
		weft_records_poll(records, NULL, NULL, &err)) {
		weft_records_free(records);
		places_free(p);
		return NULL;
	}
	for (size_t i = 0; i < wf->n_steps; i++) {
		const struct weft_step *s = &wf->step[i];

		for (size_t m = 0; s->scratch == WEFT_SCRATCH_NODE &&
				   m < s->sweep.count && m < LOOK;
			m++) {
			struct weft_record *r = NULL;

			if (weft_records_read(records, s->index, m, &r, NULL) == 0 &&
				r->state == WEFT_STATE_DONE)
				add_record(p, s, r);
			weft_record_free(r);
		}
	}
	weft_records_free(records);
	return p;
}

const struct weft_select_place *places_of(const struct places *p, size_t *n)
{
	*n = p ? p->n : 0;
	return p ? p->v : NULL;
}

void places_free(struct places *p)
{
	if (!p)
		return;
	weft_arena_free(&p->arena);
	free(p->v);
	free(p);
}
