/* loop.c - steps that are run in rounds: read, checked, counted. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

static void read_until(
	struct spec_parser *p, struct weft_loop *l, const struct weft_yaml_node *n)
{
	if (!n)
		return;
	spec_enter(p, "until");
	l->until_expr = spec_condition(p, n, AT_UNTIL, &l->until);
	spec_leave(p);
}

static void add_step(struct spec_parser *p, struct weft_loop *l, unsigned index,
	const struct weft_yaml_node *n)
{
	struct weft_workflow *wf = p->wf;
	size_t to;

	if (spec_is_bad(p, n) || n->kind != WEFT_YAML_SCALAR)
		return;
	if (!weft_map_get(&wf->by_name, n->text, &to)) {
		spec_bad(p, n, spec_nearest_step(p, n->text), "there is no step `%s`",
			n->text);
		return;
	}
	struct weft_step *s = &wf->step[to];
	if (s->loop != WEFT_NO_LOOP) {
		spec_bad(p, n, NULL, "step `%s` is in %s already", s->name,
			s->loop == index ? "this loop" : "a loop");
		return;
	}
	if (s->finally) {
		spec_bad(p, n, NULL, "step `%s` runs last (`finally: true`)", s->name);
		return;
	}
	s->loop = index;
	l->step[l->n_steps++] = (unsigned)to;
}

static int by_index(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static void read_loop(struct spec_parser *p, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_workflow *wf = p->wf;
	struct weft_loop *l = &wf->loop[wf->n_loops];

	spec_collect(p, n, IN_LOOP, at);
	const struct weft_yaml_node *steps = at[LOOP_steps];
	if (!steps || !at[LOOP_max] || steps->kind != WEFT_YAML_SEQ)
		return;
	l->pos = n->pos;
	l->rounds = 1;
	l->max = (size_t)strtod(at[LOOP_max]->text, NULL);
	l->step = spec_alloc(p, steps->n, sizeof(*l->step));
	if (!l->step)
		return;
	spec_enter(p, "steps");
	if (!steps->n)
		spec_bad(p, steps, NULL, "is empty");
	for (size_t i = 0; i < steps->n; i++) {
		spec_enter_item(p, i);
		add_step(p, l, (unsigned)wf->n_loops, steps->item[i]);
		spec_leave(p);
	}
	spec_leave(p);
	qsort(l->step, l->n_steps, sizeof(*l->step), by_index);
	wf->n_loops++; /* what `until` names is looked up once all steps are known */
	p->loop = (unsigned)wf->n_loops - 1;
	read_until(p, l, at[LOOP_until]);
	p->loop = WEFT_NO_LOOP;
}

void spec_loops(struct spec_parser *p, const struct weft_yaml_node *n)
{
	if (!n || spec_is_bad(p, n))
		return;
	bool list = n->kind == WEFT_YAML_SEQ;
	p->wf->loop = spec_alloc(p, list ? n->n : 1, sizeof(*p->wf->loop));
	if (!p->wf->loop)
		return;
	spec_enter(p, "loop");
	if (!list)
		read_loop(p, n);
	for (size_t i = 0; list && i < n->n; i++) {
		spec_enter_item(p, i);
		read_loop(p, n->item[i]);
		spec_leave(p);
	}
	spec_leave(p);
}

/* ---- once all sweeps are known ------------------------------------------- */

static void at_loop(struct spec_parser *p, const struct weft_loop *l, const char *hint,
	const char *fmt, const char *name)
{
	struct weft_yaml_node at = {.pos = l->pos, .kind = WEFT_YAML_MAP};

	spec_bad_path(p, &at, "loop", hint, fmt, name);
}

static bool count_rounds(
	struct spec_parser *p, const struct weft_loop *l, struct weft_step *s)
{
	struct weft_sweep *w = &s->sweep;

	if (w->kind == WEFT_SWEEP_EACH && p->wf->step[w->root].loop != s->loop)
		return true; /* its rounds have the members of a sweep outside */
	if (w->growing && !s->steer.given) {
		at_loop(p, l, "let a step before the loop make the file",
			"the sweep of `%s` comes from a step: not in a loop", s->name);
		return false;
	}
	return true;
}

void spec_count_rounds(struct spec_parser *p)
{
	struct weft_workflow *wf = p->wf;

	for (size_t i = 0; i < wf->n_loops; i++) {
		struct weft_loop *l = &wf->loop[i];

		for (size_t k = 0; k < l->n_steps; k++) {
			struct weft_step *s = &wf->step[l->step[k]];
			struct weft_sweep *w = &s->sweep;

			if (!count_rounds(p, l, s))
				continue;
			if (w->kind == WEFT_SWEEP_NONE)
				w->kind = WEFT_SWEEP_ROUNDS;
			w->round = w->count;
			if ((double)w->count * (double)l->max > SPEC_MAX_MEMBERS) {
				at_loop(p, l, "make `max` smaller",
					"`%s` has too many members in all rounds",
					s->name);
				continue;
			}
			w->most = w->count * l->max;
			w->growing = l->max > 1;
		}
		l->ended = l->max == 1;
	}
	for (size_t i = 0; i < wf->n_steps; i++) {
		const struct weft_sweep *w = &wf->step[i].sweep;

		if (w->kind == WEFT_SWEEP_EACH &&
			wf->step[w->root].loop != WEFT_NO_LOOP &&
			wf->step[w->root].loop != wf->step[i].loop) {
			struct weft_yaml_node at = {
				.pos = wf->step[i].pos, .kind = WEFT_YAML_MAP};

			spec_bad_path(p, &at, "sweep.each",
				"give it the same axes instead",
				"`%s` is in a loop, and `%s` is not in it",
				wf->step[w->root].name, wf->step[i].name);
		}
	}
}

/* ---- while the workflow runs --------------------------------------------- */

static void set_rounds(const struct weft_workflow *wf, const struct weft_loop *l)
{
	for (size_t i = 0; i < l->n_steps; i++) {
		struct weft_sweep *s = &wf->step[l->step[i]].sweep;

		s->count = s->round * l->rounds;
		s->growing = !l->ended;
	}
}

void weft_loop_next(const struct weft_workflow *wf, unsigned loop)
{
	struct weft_loop *l = &wf->loop[loop];

	if (l->ended)
		return;
	l->rounds++;
	l->ended = l->rounds >= l->max;
	set_rounds(wf, l);
}

int weft_loop_end(const struct weft_workflow *wf, unsigned loop, const char *why)
{
	struct weft_loop *l = &wf->loop[loop];

	free(l->why);
	l->why = strdup(why);
	l->ended = true;
	set_rounds(wf, l);
	return l->why ? 0 : -1;
}
