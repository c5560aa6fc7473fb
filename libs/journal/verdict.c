/* verdict.c - may a member start?  The one rule for the engine and for status. */
#include "journal/journal.h"

#include <math.h>
#include <stdlib.h>

bool weft_sweep_failed(const struct weft_step *step, size_t failed)
{
	size_t members = step->sweep.round ? step->sweep.round : step->sweep.count;
	/* The small part: 29% of 100 are 28.999999999999996. */
	double allowed = step->max_failed_share
				 ? floor(step->max_failed * (double)members + 1e-6)
				 : step->max_failed;

	return (double)failed > allowed;
}

static bool is_bad(enum weft_state s, bool not_run)
{
	return s == WEFT_STATE_FAILED || s == WEFT_STATE_LOST ||
	       s == WEFT_STATE_CANCELLED || (not_run && s == WEFT_STATE_NOT_RUN);
}

/* Round by round only where all of them together have lost too many for one. */
bool weft_step_failed(const struct weft_step *step, const struct weft_tally *tally,
	bool not_run,
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member), void *ctx)
{
	size_t bad = 0, size = step->sweep.round, count = step->sweep.count;

	for (int s = 0; s <= WEFT_STATE_LOST; s++)
		if (is_bad((enum weft_state)s, not_run))
			bad += tally->count[s];
	if (!bad || !weft_sweep_failed(step, bad))
		return false;
	if (!size || count <= size)
		return true;
	for (size_t from = 0; from < count; from += size) {
		bad = 0;
		for (size_t i = from; i < from + size && i < count; i++)
			bad += is_bad(state_of(ctx, step->index, i), not_run);
		if (weft_sweep_failed(step, bad))
			return true;
	}
	return false;
}

enum weft_verdict weft_round_verdict(const struct weft_workflow *wf,
	const struct weft_loop *loop, const struct weft_tally *tally,
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member), void *ctx)
{
	bool failed = false;

	for (size_t i = 0; i < loop->n_steps; i++) {
		const struct weft_step *s = &wf->step[loop->step[i]];
		const size_t *n = tally[s->index].count;
		size_t ended = n[WEFT_STATE_DONE] + n[WEFT_STATE_SKIPPED];
		size_t bad = n[WEFT_STATE_FAILED] + n[WEFT_STATE_LOST] +
			     n[WEFT_STATE_CANCELLED] + n[WEFT_STATE_NOT_RUN];

		if (ended + bad < s->sweep.count)
			return WEFT_WAIT;
	}
	for (size_t i = 0; i < loop->n_steps && !failed; i++) {
		const struct weft_step *s = &wf->step[loop->step[i]];

		failed = !s->optional &&
			 weft_step_failed(s, &tally[s->index], true, state_of, ctx);
	}
	return failed ? WEFT_NEVER : WEFT_READY;
}

bool weft_step_after_stop(const struct weft_step *step)
{
	for (size_t i = 0; i < step->n_edges; i++)
		if (step->edge[i].state != WEFT_DEP_DONE)
			return true;
	return step->finally;
}

struct look {
	const struct weft_step *of; /* the step that is needed */
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member);
	void *ctx;
	struct weft_tally *tally; /* of `of`; NULL: none */
	size_t waiting, failed, skipped, done;
	bool found; /* which failed first is known */
	size_t first_failed;
	enum weft_state failed_as;
};

static int look_at(void *ctx, size_t member)
{
	struct look *l = ctx;
	enum weft_state s = l->state_of(l->ctx, l->of->index, member);

	if (!weft_state_ended(s)) {
		l->waiting++;
	} else if (s == WEFT_STATE_DONE) {
		l->done++;
	} else if (s == WEFT_STATE_SKIPPED) {
		l->skipped++;
	} else {
		if (!l->failed++) {
			l->found = true;
			l->first_failed = member;
			l->failed_as = s;
		}
	}
	return 0;
}

/* All members of a step, without going through them once they are counted: else a
 * sweep that waits for a sweep would cost the product of the two. */
static void look_at_all(struct look *l)
{
	struct weft_tally *t = l->tally;

	if (!t) {
		for (size_t m = 0; m < l->of->sweep.count; m++)
			look_at(l, m);
		return;
	}
	if (!t->known) {
		*t = (struct weft_tally){.known = true};
		for (size_t m = 0; m < l->of->sweep.count; m++)
			t->count[l->state_of(l->ctx, l->of->index, m)]++;
	}
	for (int s = 0; s <= WEFT_STATE_LOST; s++) {
		if (!weft_state_ended((enum weft_state)s))
			l->waiting += t->count[s];
		else if (s == WEFT_STATE_DONE)
			l->done += t->count[s];
		else if (s == WEFT_STATE_SKIPPED)
			l->skipped += t->count[s];
		else
			l->failed += t->count[s];
	}
}

static enum weft_verdict judge(const struct weft_workflow *wf,
	const struct weft_step *step, size_t member, const struct weft_edge *e,
	struct look *l)
{
	bool all = !weft_spec_matches(wf, step, e);

	if (all && !l->of->sweep.round)
		look_at_all(l);
	else if (weft_spec_each_match(wf, step, member, e, look_at, l))
		return WEFT_WAIT;
	/* Those, too, that are not known yet. */
	if (!weft_spec_whole(wf, step, e))
		l->waiting++;
	if (l->of->sweep.broken && !(e->optional || l->of->optional) &&
		e->state == WEFT_DEP_DONE)
		return WEFT_NEVER;
	switch (e->state) {
	case WEFT_DEP_ENDED:
		return l->waiting ? WEFT_WAIT : WEFT_READY;
	case WEFT_DEP_FAILED:
		if (l->waiting)
			return WEFT_WAIT;
		return l->failed ? WEFT_READY : WEFT_SKIP;
	case WEFT_DEP_DONE:
		break;
	}
	/* A sweep that others wait for as a whole may lose max_failed members. */
	bool lost =
		all ? l->failed && weft_sweep_failed(l->of, l->failed) : l->failed > 0;
	bool excused = e->optional || l->of->optional;

	if (lost && !excused)
		return WEFT_NEVER;
	if (l->waiting)
		return WEFT_WAIT;
	if (excused)
		return WEFT_READY;
	if (l->skipped && !l->done)
		return WEFT_SKIP;
	return WEFT_READY;
}

static void find_failed(struct look *l)
{
	size_t failed = l->failed;

	for (size_t m = 0; !l->found && m < l->of->sweep.count; m++) {
		l->failed = 0;
		look_at(l, m);
	}
	l->failed = failed;
}

static char *say(struct look *l, const struct weft_workflow *wf, enum weft_verdict v)
{
	const struct weft_step *s = l->of;
	struct weft_member m = {0};

	if (v == WEFT_WAIT)
		return weft_printf("waits for %s", s->name);
	if (v == WEFT_SKIP)
		return weft_printf("%s was skipped", s->name);
	if (s->sweep.broken)
		return weft_printf("%s: %s", s->name, s->sweep.broken);
	find_failed(l);
	if (s->sweep.kind != WEFT_SWEEP_NONE &&
		weft_sweep_member(wf, s, l->first_failed, &m, NULL) == 0) {
		char *text = weft_printf("%s.%s %s%s%s", s->name, m.id,
			l->failed_as == WEFT_STATE_FAILED ? "" : "was ",
			weft_state_name(l->failed_as),
			l->failed > 1 ? ", and others of that sweep" : "");

		weft_member_clear(&m);
		return text;
	}
	return weft_printf("%s %s%s", s->name,
		l->failed_as == WEFT_STATE_FAILED ? "" : "was ",
		weft_state_name(l->failed_as));
}

/* `finally` steps wait until all others have an end, whatever it is. */
static enum weft_verdict finally_verdict(const struct weft_workflow *wf, struct look *l,
	struct weft_tally *tally, char **why)
{
	for (size_t i = 0; i < wf->n_steps; i++) {
		const struct weft_step *s = &wf->step[i];

		if (s->finally)
			continue;
		l->of = s;
		l->tally = tally ? &tally[i] : NULL;
		look_at_all(l);
		l->waiting += s->sweep.growing;
		if (l->waiting) {
			if (why)
				*why = say(l, wf, WEFT_WAIT);
			return WEFT_WAIT;
		}
	}
	return WEFT_READY;
}

enum weft_verdict weft_verdict(const struct weft_workflow *wf,
	const struct weft_step *step, size_t member,
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member), void *ctx,
	struct weft_tally *tally, char **why)
{
	enum weft_verdict worst = WEFT_READY;

	if (why)
		*why = NULL;
	if (step->finally) {
		struct look l = {.state_of = state_of, .ctx = ctx};

		return finally_verdict(wf, &l, tally, why);
	}
	/* What can never be outweighs a skip, a skip a wait. */
	static const int weight[] = {
		[WEFT_READY] = 0, [WEFT_WAIT] = 1, [WEFT_SKIP] = 2, [WEFT_NEVER] = 3};
	for (size_t i = 0; i < step->n_edges; i++) {
		const struct weft_edge *e = &step->edge[i];
		struct look l = {.of = &wf->step[e->step],
			.state_of = state_of,
			.ctx = ctx,
			.tally = tally ? &tally[e->step] : NULL};
		enum weft_verdict v = judge(wf, step, member, e, &l);

		if (weight[v] > weight[worst]) {
			worst = v;
			if (why) {
				free(*why);
				*why = say(&l, wf, v);
			}
		}
	}
	return worst;
}
