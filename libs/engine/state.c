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
	m->state = (unsigned char)state;
	m->code = (unsigned char)code;
	if (weft_state_ended(state)) {
		g->grow |= g->feeds[s];
		queue_wake(g, s, i);
	}
}

/* Is it of a loop of which a single round is ours? */
static bool in_round(const struct engine *g, size_t s)
{
	const struct weft_workflow *wf = g->e->wf;

	return g->e->apart && wf->step[s].loop != WEFT_NO_LOOP &&
	       &wf->loop[wf->step[s].loop] == g->e->apart;
}

/* That we run says that the round has begun, whatever of it is to be seen here yet. */
static int open_round(struct engine *g, struct weft_err *err)
{
	const struct weft_loop *l = g->e->apart;
	const struct weft_workflow *wf = g->e->wf;

	if (!l)
		return 0;
	while (l->rounds <= g->e->round && !l->ended)
		weft_loop_next(wf, (unsigned)(l - wf->loop));
	if (l->rounds <= g->e->round)
		return weft_err_set(err, WEFT_ESPEC,
			"the loop has ended before its round %zu", g->e->round);
	g->whole[l - wf->loop] = g->e->round;
	for (size_t s = 0; s < wf->n_steps; s++)
		if (in_round(g, s)) {
			g->first[s] = g->e->round * wf->step[s].sweep.round;
			g->last[s] = g->first[s] + wf->step[s].sweep.round;
			g->next[s] = g->first[s];
		}
	return 0;
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
	g->whole = calloc(e->wf->n_loops + 1, sizeof(*g->whole));
	g->first = calloc(n + 1, sizeof(*g->first));
	g->last = calloc(n + 1, sizeof(*g->last));
	if (!g->slot || !g->ours || !g->next || !g->active || !g->tally || !g->alike ||
		!g->count || !g->feeds || !g->whole || !g->first || !g->last)
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
	return open_round(g, err) || state_grow(g, err) ? -1 : 0;
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
		if (!in_blocks(g) && !in_round(g, s))
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
	free(g->whole);
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
};

int state_read(struct engine *g, unsigned s, size_t i)
{
	struct weft_record_head h = weft_records_head(g->records, s, i);

	if (!h.known)
		return 1;
	state_set(g, s, i, h.state, h.code);
	if (h.state == WEFT_STATE_NONE)
		g->slot[s][i].attempt = (unsigned short)(h.attempt + 1);
	return 0;
}

static int read_record(void *ctx, size_t i)
{
	struct reading *r = ctx;
	struct engine *g = r->g;
	bool own = g->ours[r->step] && i >= g->first[r->step] && i < g->last[r->step];

	/* Of our own we know more than what is recorded. */
	if (!own && !weft_state_ended(g->slot[r->step][i].state))
		state_read(g, r->step, i);
	return 0;
}

static void read_step(struct engine *g, unsigned s)
{
	struct reading r = {g, s};

	for (size_t i = 0; i < g->e->wf->step[s].sweep.count; i++)
		read_record(&r, i);
}

int state_read_step(struct engine *g, unsigned s, struct weft_err *err)
{
	if (weft_records_poll(g->records, NULL, NULL, err))
		return -1;
	read_step(g, s);
	return 0;
}

/* An end of its own, rather than its job's or its engine's? */
static bool is_final(const struct weft_record_head *h)
{
	return h->state == WEFT_STATE_DONE || h->state == WEFT_STATE_FAILED ||
	       h->state == WEFT_STATE_SKIPPED ||
	       (h->state == WEFT_STATE_NOT_RUN && h->code != WEFT_EINTR);
}

/* What is not done is tried again: by its own `retries`, or because of a new engine. */
static int try_again(struct engine *g, unsigned s, size_t i,
	const struct weft_record_head *h, struct weft_err *err)
{
	struct weft_record *rec = NULL;

	g->slot[s][i].attempt = (unsigned short)(h->attempt + 1);
	if (h->state != WEFT_STATE_NONE)
		return 0;
	int bad = weft_records_read(g->records, s, i, &rec, err);
	if (bad == 0)
		bad = again_add(g, s, i, rec, err);
	weft_record_free(rec);
	return bad < 0 ? -1 : 0;
}

int state_read_ours(struct engine *g, struct weft_err *err)
{
	for (unsigned s = 0; s < g->e->wf->n_steps; s++) {
		if (!g->ours[s])
			continue;
		for (size_t i = g->first[s]; i < g->last[s]; i++) {
			struct weft_record_head h = weft_records_head(g->records, s, i);

			if (h.known && is_final(&h))
				state_set(g, s, i, h.state, h.code);
			else if (h.known && try_again(g, s, i, &h, err))
				return -1;
		}
	}
	return 0;
}

/* Only what ours need: each task of a large sweep reads its own counterparts. */
static void read_needed(struct engine *g, unsigned s)
{
	const struct weft_workflow *wf = g->e->wf;
	const struct weft_step *step = &wf->step[s];

	if (step->finally) {
		for (unsigned k = 0; k < wf->n_steps; k++)
			if (!g->ours[k])
				read_step(g, k);
		return;
	}
	for (size_t k = 0; k < step->n_edges; k++) {
		const struct weft_edge *e = &step->edge[k];
		struct reading r = {g, e->step};

		if (g->ours[e->step])
			continue;
		if (!in_blocks(g) || !weft_spec_matches(wf, step, e)) {
			read_step(g, e->step);
			continue;
		}
		for (size_t i = g->first[s]; i < g->last[s]; i++)
			weft_spec_each_match(wf, step, i, e, read_record, &r);
	}
}

static bool is_needed(const struct engine *g, unsigned s)
{
	const struct weft_workflow *wf = g->e->wf;

	for (size_t k = 0; k < wf->n_steps; k++)
		for (size_t n = 0; g->ours[k] && n < wf->step[k].n_edges; n++)
			if (wf->step[k].edge[n].step == s)
				return true;
	return false;
}

/* Of our own round: another job may be at it still; or it was broken off, and whoever
 * watches over the loop has it done again. */
static void look_at_round(struct engine *g, unsigned s)
{
	size_t n = g->e->wf->step[s].sweep.round;

	for (size_t i = g->e->round * n; i < (g->e->round + 1) * n; i++)
		if (!weft_state_ended(g->slot[s][i].state))
			g->broken |= is_needed(g, s);
}

static bool is_others(const struct engine *g, const struct weft_loop *l)
{
	return l != g->e->apart && !g->ours[l->step[0]];
}

static bool needs_loop(const struct engine *g, const struct weft_loop *l)
{
	for (size_t k = 0; k < g->e->wf->n_steps; k++)
		if (g->ours[k] && g->e->wf->step[k].finally)
			return true;
	for (size_t k = 0; k < l->n_steps; k++)
		if (is_needed(g, l->step[k]))
			return true;
	return false;
}

/* One whose last round failed has ended; one that was broken off has not. */
static int end_loops(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;
	weft_autofree char *stopped = NULL;
	bool stops = wf->on_failure == WEFT_ON_FAILURE_CONTINUE ||
		     weft_run_stopped(g->e->run, &stopped) == 0;

	for (unsigned k = 0; k < wf->n_loops; k++) {
		const struct weft_loop *l = &wf->loop[k];
		size_t lost = 0;

		if (!is_others(g, l))
			continue;
		for (size_t i = 0; i < l->n_steps; i++)
			lost += g->tally[l->step[i]].count[WEFT_STATE_LOST];
		if (!l->ended && !lost &&
			weft_round_verdict(wf, l, g->tally, state_of, g) ==
				WEFT_NEVER &&
			weft_loop_end(wf, k, "a round failed"))
			return weft_err_nomem(err);
		/* Whose job it was to go on with it is gone, and others may yet. */
		if ((lost || !l->ended) && !stops &&
			weft_plan_apart(g->e->plan, wf,
				g->e->plan->step[l->step[0]].group) == k)
			g->broken |= needs_loop(g, l);
	}
	return 0;
}

/* In a job, the groups that we waited for have ended: what has no record by now
 * never will. */
int state_read_others(struct engine *g, struct weft_err *err)
{
	if (weft_records_poll(g->records, NULL, NULL, err))
		return -1;
	for (unsigned s = 0; s < g->e->wf->n_steps; s++)
		if (g->ours[s])
			read_needed(g, s);
	for (unsigned k = 0; k < g->e->wf->n_loops; k++)
		for (size_t i = 0; i < g->e->wf->loop[k].n_steps; i++)
			if (is_others(g, &g->e->wf->loop[k]))
				read_step(g, g->e->wf->loop[k].step[i]);
	for (unsigned s = 0; s < g->e->wf->n_steps; s++) {
		if (g->ours[s])
			continue;
		if (in_round(g, s)) {
			look_at_round(g, s);
			continue;
		}
		for (size_t i = 0; i < g->e->wf->step[s].sweep.count; i++)
			if (!weft_state_ended(g->slot[s][i].state))
				state_set(g, s, i, WEFT_STATE_LOST, WEFT_OK);
	}
	return end_loops(g, err);
}
