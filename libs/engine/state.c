/* state.c - what is known of each member: by our own doing, or by its record */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

enum weft_state state_of(void *ctx, unsigned step, size_t member)
{
	struct engine *g = ctx;

	return g->slot[step][member].state;
}

void state_set(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code)
{
	struct member_slot *m = &g->slot[s][i];

	g->tally[s].count[m->state]--;
	g->tally[s].count[state]++;
	m->state = state;
	m->code = code;
	if (weft_state_ended(state)) {
		g->grow |= g->feeds[s];
		queue_wake(g, s, i);
	}
}

int state_open(struct engine *g, struct weft_err *err)
{
	const struct weft_engine *e = g->e;
	size_t n = e->wf->n_steps, blocks = e->n_blocks ? e->n_blocks : 1;

	g->slot = calloc(n + 1, sizeof(*g->slot));
	g->ours = calloc(n + 1, sizeof(*g->ours));
	g->next = calloc(n + 1, sizeof(*g->next));
	g->active = calloc(n + 1, sizeof(*g->active));
	g->tally = calloc(n + 1, sizeof(*g->tally));
	g->alike = calloc(n + 1, sizeof(*g->alike));
	g->count = calloc(n + 1, sizeof(*g->count));
	g->feeds = calloc(n + 1, sizeof(*g->feeds));
	g->first = calloc(n + 1, sizeof(*g->first));
	g->last = calloc(n + 1, sizeof(*g->last));
	if (!g->slot || !g->ours || !g->next || !g->active || !g->tally || !g->alike ||
		!g->count || !g->feeds || !g->first || !g->last)
		return weft_err_nomem(err);
	for (size_t s = 0; s < n; s++) {
		size_t count = e->wf->step[s].sweep.count;

		g->ours[s] = !e->step;
		g->first[s] = weft_sweep_block_first(count, blocks, e->block);
		g->last[s] = weft_sweep_block_first(count, blocks, e->block + 1);
		g->next[s] = g->first[s];
		g->tally[s].known = true;
	}
	for (size_t i = 0; i < e->n_steps; i++)
		g->ours[e->step[i]] = true;
	return state_grow(g, err);
}

int state_grow(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;

	for (size_t s = 0; s < wf->n_steps; s++) {
		const struct weft_step *step = &wf->step[s];
		size_t had = g->count[s], count = step->sweep.count;

		g->alike[s] = true;
		for (size_t k = 0; k < step->n_edges; k++)
			if (weft_spec_matches(wf, step, &step->edge[k]))
				g->alike[s] = false;
		if (g->slot[s] && count == had)
			continue;
		struct member_slot *slot =
			realloc(g->slot[s], (count + 1) * sizeof(*slot));
		if (!slot)
			return weft_err_nomem(err);
		memset(slot + had, 0, (count + 1 - had) * sizeof(*slot));
		g->slot[s] = slot;
		g->count[s] = count;
		g->tally[s].count[WEFT_STATE_NONE] += count - had;
		/* Sweeps that grow are never cut into blocks. */
		if (!in_blocks(g))
			g->last[s] = count;
	}
	return 0;
}

void state_close(struct engine *g)
{
	for (size_t s = 0; g->slot && s < g->e->wf->n_steps; s++)
		free(g->slot[s]);
	free(g->slot);
	free(g->tally);
	free(g->alike);
	free(g->count);
	free(g->feeds);
	weft_actions_close(g->actions);
	free(g->ours);
	free(g->next);
	free(g->first);
	free(g->last);
	free(g->active);
}

/* ---- what other jobs did ----------------------------------------------- */

struct reading {
	struct engine *g;
	unsigned step;
	struct weft_err *err;
};

int state_read(struct engine *g, unsigned s, size_t i, struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];
	struct weft_record *rec = NULL;
	struct weft_member m;

	if (weft_sweep_member(g->e->wf, step, i, &m, err))
		return -1;
	weft_autofree char *dir = weft_run_step_dir(g->e->run, step, &m);
	weft_member_clear(&m);
	if (!dir)
		return weft_err_nomem(err);
	int got = weft_record_read(dir, &rec, err);
	if (got == 0) {
		state_set(g, s, i, rec->state, rec->code);
		int bad = rec->state == WEFT_STATE_NONE ? again_add(g, s, i, rec, err)
							: 0;
		weft_record_free(rec);
		if (bad)
			return -1;
	} else if (got < 0) {
		/* No proof of anything: it counts as none. */
		weft_log(WEFT_WARN, "%s", err->text);
		weft_err_clear(err);
	}
	return got == 0 ? 0 : 1;
}

static int read_record(void *ctx, size_t i)
{
	struct reading *r = ctx;

	if (weft_state_ended(r->g->slot[r->step][i].state))
		return 0;
	return state_read(r->g, r->step, i, r->err) < 0 ? -1 : 0;
}

int state_read_step(struct engine *g, unsigned s, struct weft_err *err)
{
	struct reading r = {g, s, err};
	int bad = 0;

	for (size_t i = 0; !bad && i < g->e->wf->step[s].sweep.count; i++)
		bad = read_record(&r, i);
	return bad;
}

/* Only what ours need: each task of a large sweep reads its own counterparts. */
static int read_needed(struct engine *g, unsigned s, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;
	const struct weft_step *step = &wf->step[s];

	if (step->finally) {
		for (unsigned k = 0; k < wf->n_steps; k++)
			if (!g->ours[k] && state_read_step(g, k, err))
				return -1;
		return 0;
	}
	for (size_t k = 0; k < step->n_edges; k++) {
		const struct weft_edge *e = &step->edge[k];
		struct reading r = {g, e->step, err};

		if (g->ours[e->step])
			continue;
		int bad = 0;

		if (in_blocks(g) && weft_spec_matches(wf, step, e)) {
			for (size_t i = g->first[s]; !bad && i < g->last[s]; i++)
				bad = weft_spec_each_match(
					wf, step, i, e, read_record, &r);
		} else {
			bad = state_read_step(g, e->step, err);
		}
		if (bad)
			return err->code ? -1 : weft_err_nomem(err);
	}
	return 0;
}

/* In a job, the groups that we waited for have ended: what has no record by now
 * never will. */
int state_read_others(struct engine *g, struct weft_err *err)
{
	for (unsigned s = 0; s < g->e->wf->n_steps; s++)
		if (g->ours[s] && read_needed(g, s, err))
			return -1;
	for (unsigned s = 0; s < g->e->wf->n_steps; s++) {
		if (g->ours[s])
			continue;
		for (size_t i = 0; i < g->e->wf->step[s].sweep.count; i++)
			if (!weft_state_ended(g->slot[s][i].state))
				state_set(g, s, i, WEFT_STATE_LOST, WEFT_OK);
	}
	return 0;
}
