/* loops.c - the rounds of loops: how each stands, and what waits for what. */
#include "report/paint.h"

#include <jansson.h>
#include <string.h>

#define ROUNDS_SHOWN 5 /* the last ones */

/* A step's members in a round. */
struct stand {
	size_t members, done, ended, begun;
	enum weft_state state;
	const char *job; /* of the last that has one; NULL none */
};

static struct stand stand_of(const struct weft_status *st, unsigned step, size_t round)
{
	const struct weft_status_step *s = &st->step[step];
	size_t n = st->wf->step[step].sweep.round;
	struct stand out = {.members = n};

	for (size_t i = round * n; i < (round + 1) * n && i < s->members; i++) {
		const struct weft_status_member *m = &s->member[i];

		out.done += m->state == WEFT_STATE_DONE;
		out.ended += weft_state_ended(m->state);
		out.begun += m->state == WEFT_STATE_RUNNING ||
			     m->state == WEFT_STATE_STAGING;
		/* The worst counts where all have ended. */
		if (m->state > out.state)
			out.state = m->state;
		if (m->job)
			out.job = m->job;
	}
	if (out.ended < n)
		out.state = out.begun || out.ended ? WEFT_STATE_RUNNING
			    : out.job              ? WEFT_STATE_SUBMITTED
						   : WEFT_STATE_NONE;
	return out;
}

/* "sim, train": the steps of the same round that a step waits for. */
static void add_needs(const struct weft_status *st, unsigned step, size_t round,
	const char *before, struct weft_str *out)
{
	const struct weft_step *s = &st->wf->step[step];
	bool any = false;

	for (size_t e = 0; e < s->n_edges; e++) {
		unsigned on = s->edge[e].step;

		if (st->wf->step[on].loop != s->loop)
			continue;
		struct stand of = stand_of(st, on, round);
		if (of.ended == of.members)
			continue;
		weft_str_add(out, any ? ", " : before);
		paint_add(out, st->step[on].name);
		any = true;
	}
}

static bool all_done(
	const struct weft_status *st, const struct weft_loop *l, size_t round)
{
	for (size_t k = 0; k < l->n_steps; k++) {
		struct stand s = stand_of(st, l->step[k], round);

		if (s.done < s.members)
			return false;
	}
	return true;
}

/* "  round 1: sim done 2/2; train submitted 0/1, job 38, waits for sim" */
static void add_round(const struct weft_status *st, const struct weft_loop *l,
	size_t round, struct weft_str *out)
{
	weft_str_printf(out, "  round %zu: ", round);
	for (size_t k = 0; k < l->n_steps; k++) {
		struct stand s = stand_of(st, l->step[k], round);

		weft_str_add(out, k ? "; " : "");
		paint_add(out, st->step[l->step[k]].name);
		weft_str_printf(out, " %s %zu/%zu", weft_state_name(s.state), s.done,
			s.members);
		if (s.job && s.ended < s.members) {
			weft_str_add(out, ", job ");
			paint_add(out, s.job);
		}
		if (!s.begun && !s.ended)
			add_needs(st, l->step[k], round, ", waits for ", out);
	}
	weft_str_addc(out, '\n');
}

static void add_rounds(
	const struct weft_status *st, const struct weft_loop *l, struct weft_str *out)
{
	size_t first = l->rounds > ROUNDS_SHOWN ? l->rounds - ROUNDS_SHOWN : 0;
	size_t done = 0;

	for (size_t r = 0; r < first; r++)
		done += all_done(st, l, r);
	if (first)
		weft_str_printf(out, "  rounds 0 to %zu: %zu done\n", first - 1, done);
	for (size_t r = first; r < l->rounds; r++)
		add_round(st, l, r, out);
}

/* Steps outside that wait for the last round. */
static void add_later(const struct weft_status *st, unsigned loop, struct weft_str *out)
{
	bool any = false;

	for (size_t i = 0; i < st->wf->n_steps; i++) {
		const struct weft_step *s = &st->wf->step[i];
		bool waits = false;

		for (size_t e = 0; e < s->n_edges; e++)
			waits |= st->wf->step[s->edge[e].step].loop == loop;
		if (s->loop == loop || !waits)
			continue;
		weft_str_add(out, any ? ", " : "  then: ");
		paint_add(out, s->name);
		any = true;
	}
	if (any)
		weft_str_addc(out, '\n');
}

static void add_loop(const struct weft_status *st, unsigned loop, struct weft_str *out)
{
	const struct weft_loop *l = &st->loop[loop];

	for (size_t k = 0; k < l->n_steps; k++)
		weft_str_printf(out, "%s%s", k ? ", " : "", st->step[l->step[k]].name);
	weft_str_printf(out, ": round %zu of %zu at most", l->rounds, l->max);
	if (l->why) {
		weft_str_add(out, ", the last: ");
		paint_add(out, l->why);
	}
	weft_str_addc(out, '\n');
	add_rounds(st, l, out);
	if (st->watch[loop] && !st->finished) {
		weft_str_add(out, "  should its jobs die: job ");
		paint_add(out, st->watch[loop]);
		weft_str_addc(out, '\n');
	}
	add_later(st, loop, out);
}

void paint_loops(const struct weft_status *st, struct weft_str *out)
{
	for (unsigned i = 0; i < st->n_loops; i++) {
		weft_str_add(out, i ? "loop " : "\nloop ");
		add_loop(st, i, out);
	}
}

static json_t *round_json(
	const struct weft_status *st, const struct weft_loop *l, size_t round)
{
	json_t *steps = json_array();

	for (size_t k = 0; k < l->n_steps; k++) {
		struct stand s = stand_of(st, l->step[k], round);
		weft_autostr struct weft_str needs = {0};

		if (!s.begun && !s.ended)
			add_needs(st, l->step[k], round, "", &needs);
		json_array_append_new(steps,
			json_pack("{s:s,s:s,s:I,s:I,s:o,s:o}", "name",
				st->step[l->step[k]].name, "state",
				weft_state_name(s.state), "done", (json_int_t)s.done,
				"members", (json_int_t)s.members, "job",
				paint_json(s.job), "waits_for",
				paint_json(needs.len ? needs.s : NULL)));
	}
	return json_pack("{s:I,s:o}", "round", (json_int_t)round, "steps", steps);
}

json_t *paint_loops_json(const struct weft_status *st)
{
	json_t *loops = json_array();

	for (size_t i = 0; i < st->n_loops; i++) {
		const struct weft_loop *l = &st->loop[i];
		json_t *steps = json_array(), *rounds = json_array();

		for (size_t k = 0; k < l->n_steps; k++)
			json_array_append_new(
				steps, json_string(st->step[l->step[k]].name));
		for (size_t r = 0; r < l->rounds; r++)
			json_array_append_new(rounds, round_json(st, l, r));
		json_array_append_new(
			loops, json_pack("{s:o,s:I,s:I,s:b,s:o,s:o,s:o}", "steps",
				       steps, "rounds", (json_int_t)l->rounds, "max",
				       (json_int_t)l->max, "ended", (int)l->ended,
				       "why", paint_json(l->why), "watch",
				       paint_json(st->watch[i]), "graph", rounds));
	}
	return loops;
}
