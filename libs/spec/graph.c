/* graph.c - ties the steps together: who needs whom, in which order. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

const char *spec_nearest_step(struct spec_parser *p, const char *name)
{
	struct weft_workflow *wf = p->wf;
	if (p->errs->n >= SPEC_MAX_ERRORS) /* nobody will see it */
		return NULL;
	weft_autofree const char **words = calloc(wf->n_steps + 1, sizeof(*words));
	size_t n = 0;
	for (size_t i = 0; words && i < wf->n_steps; i++)
		if (wf->step[i].name)
			words[n++] = wf->step[i].name;
	return words ? spec_did_you_mean(p, name, words, n) : NULL;
}

/* ---- references ---- */

static bool bind_output(struct spec_parser *p, struct spec_ref *r, size_t to)
{
	struct weft_step *s = &p->wf->step[to];
	size_t i = 0;
	while (i < s->n_outputs && strcmp(s->output[i].name, r->output) != 0)
		i++;
	if (i < s->n_outputs && r->rows) {
		p->wf->step[r->owner].sweep.from = (unsigned)to;
		p->wf->step[r->owner].sweep.from_output = (unsigned)i;
		if (s->sweep.kind == WEFT_SWEEP_NONE)
			return true;
		spec_bad_path(p, r->node, r->path,
			"gather its outputs in a step without a sweep",
			"a sweep is read from one file, and `%s` has many members",
			s->name);
		return false;
	}
	if (i < s->n_outputs) {
		struct weft_input_from *from = r->from == (size_t)-1
						       ? r->input->first
						       : &r->input->from[r->from];
		from->step = (unsigned)to;
		from->output = (unsigned)i;
		return true;
	}
	const char **words = spec_alloc(p, s->n_outputs, sizeof(*words));
	for (i = 0; words && i < s->n_outputs; i++)
		words[i] = s->output[i].name;
	const char *hint =
		words ? spec_did_you_mean(p, r->output, words, s->n_outputs) : NULL;
	if (!hint && !s->n_outputs)
		hint = spec_hint(p, "step `%s` has no outputs", s->name);
	spec_bad_path(p, r->node, r->path, hint, "step `%s` has no output `%s`",
		s->name, r->output);
	return false;
}

/* The step that a reference is about, or WEFT_NO_STEP with an error. */
static unsigned bind(struct spec_parser *p, struct spec_ref *r)
{
	struct weft_workflow *wf = p->wf;
	size_t to;
	if (!weft_map_get(&wf->by_name, r->step, &to)) {
		spec_bad_path(p, r->node, r->path, spec_nearest_step(p, r->step),
			"there is no step `%s`", r->step);
		return WEFT_NO_STEP;
	}
	if (r->output && !bind_output(p, r, to))
		return WEFT_NO_STEP;
	if (r->back && (wf->step[to].loop == WEFT_NO_LOOP ||
			       (wf->step[to].loop != wf->step[r->owner].loop &&
				       r->input->round == WEFT_ROUND_PREV))) {
		spec_bad_path(p, r->node, r->path, NULL,
			"`round: %s` is for steps of %s, and `%s` is not in it",
			r->input->round == WEFT_ROUND_PREV ? "prev" : "all",
			r->input->round == WEFT_ROUND_PREV ? "the same loop" : "a loop",
			wf->step[to].name);
		return WEFT_NO_STEP;
	}
	if (to == r->owner && !r->back) {
		spec_bad_path(p, r->node, r->path, NULL, "the step depends on itself");
		return WEFT_NO_STEP;
	}
	if (wf->step[to].finally && !wf->step[r->owner].finally) {
		spec_bad_path(p, r->node, r->path, NULL,
			"step `%s` runs last (`finally: true`)", wf->step[to].name);
		return WEFT_NO_STEP;
	}
	return (unsigned)to;
}

/* The edges of each step, one a (step, state).  References come in the order of
 * their owners. */
static int make_edges(struct spec_parser *p)
{
	struct weft_workflow *wf = p->wf;
	weft_autofree unsigned *stamp = calloc(wf->n_steps * 3 + 1, sizeof(*stamp));
	weft_autofree unsigned *slot = calloc(wf->n_steps * 3 + 1, sizeof(*slot));
	if (!stamp || !slot) {
		spec_nomem(p);
		return -1;
	}
	for (size_t i = 0, end; i < p->n_ref; i = end) {
		unsigned owner = p->ref[i].owner;
		struct weft_step *s = &wf->step[owner];
		for (end = i; end < p->n_ref && p->ref[end].owner == owner;)
			end++;
		s->edge = spec_alloc(p, end - i, sizeof(*s->edge));
		if (!s->edge)
			return -1;
		for (size_t k = i; k < end; k++) {
			struct spec_ref *r = &p->ref[k];
			unsigned to = bind(p, r);
			if (to == WEFT_NO_STEP) {
				p->torn = true;
				continue;
			}
			/* What ended before this round began need not be waited for. */
			if (r->back && wf->step[to].loop == s->loop)
				continue;
			bool optional = r->optional || wf->step[to].optional;
			size_t at = (size_t)to * 3 + r->state;
			if (stamp[at] == owner + 1) {
				struct weft_edge *e = &s->edge[slot[at]];
				e->all |= r->all;
				e->optional &= optional;
				continue;
			}
			stamp[at] = owner + 1;
			slot[at] = (unsigned)s->n_edges;
			s->edge[s->n_edges++] = (struct weft_edge){.step = to,
				.state = r->state,
				.optional = optional,
				.all = r->all,
				.pos = r->node->pos};
		}
	}
	return 0;
}

/* ---- order ---- */

/* A binary heap of step indices: what can come now, first in the file first;
 * `finally` steps after all others. */
struct heap {
	const struct weft_workflow *wf;
	unsigned *v;
	size_t n;
};

static bool before(const struct heap *h, unsigned a, unsigned b)
{
	if (h->wf->step[a].finally != h->wf->step[b].finally)
		return h->wf->step[b].finally;
	return a < b;
}

static void push(struct heap *h, unsigned x)
{
	size_t i = h->n++;
	while (i > 0 && before(h, x, h->v[(i - 1) / 2])) {
		h->v[i] = h->v[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->v[i] = x;
}

static unsigned pop(struct heap *h)
{
	unsigned top = h->v[0], x = h->v[--h->n];
	size_t i = 0;
	for (;;) {
		size_t c = 2 * i + 1;
		if (c >= h->n)
			break;
		if (c + 1 < h->n && before(h, h->v[c + 1], h->v[c]))
			c++;
		if (!before(h, h->v[c], x))
			break;
		h->v[i] = h->v[c];
		i = c;
	}
	h->v[i] = x;
	return top;
}

/* The first step that `at` waits for and that waits itself. */
static unsigned next_waiting(
	const struct weft_workflow *wf, const unsigned *waits, unsigned at)
{
	const struct weft_edge *e = wf->step[at].edge;

	while (!waits[e->step])
		e++;
	return e->step;
}

/* Every step that is left waits for another that is left: walk until one comes
 * again. */
static void report_cycle(struct spec_parser *p, const unsigned *waits)
{
	struct weft_workflow *wf = p->wf;
	weft_autofree unsigned *seen = calloc(wf->n_steps, sizeof(*seen));
	weft_autostr struct weft_str text = {0};
	unsigned at = 0, hops = 0;
	if (!seen) {
		spec_nomem(p);
		return;
	}
	while (!waits[at])
		at++;
	for (hops = 1; !seen[at]; hops++) {
		seen[at] = hops;
		at = next_waiting(wf, waits, at);
	}
	/* `at` is on the circle; begin with its step that comes first in the file. */
	unsigned first = at, next = at, length = hops - seen[at], second = at;
	for (unsigned i = 0; i < length; i++) {
		next = next_waiting(wf, waits, next);
		first = next < first ? next : first;
	}
	weft_str_printf(&text, "`%s`", wf->step[first].name);
	next = first;
	for (unsigned i = 0; i < length; i++) {
		next = next_waiting(wf, waits, next);
		if (i == 0)
			second = next;
		if (i < 10 || i + 1 == length)
			weft_str_printf(&text, " -> `%s`", wf->step[next].name);
		else if (i == 10)
			weft_str_add(&text, " -> ..");
	}
	for (size_t i = 0; i < p->n_ref; i++) {
		struct spec_ref *r = &p->ref[i];
		if (r->owner == first && !strcmp(r->step, wf->step[second].name)) {
			spec_bad_path(p, r->node, r->path, "take one of these out",
				"steps depend on each other in a circle: %s", text.s);
			return;
		}
	}
}

struct wait {
	unsigned user, need;
};
struct waits {
	struct wait *v;
	size_t n, cap;
};

/* Takes steps as soon as all that they wait for was taken.  1: some never can. */
static int sort_steps(struct spec_parser *p, const struct waits *ws, unsigned *waits)
{
	struct weft_workflow *wf = p->wf;
	size_t n = wf->n_steps, done = 0;
	weft_autofree size_t *begin = calloc(n + 2, sizeof(*begin));
	weft_autofree unsigned *user = calloc(ws->n + 1, sizeof(*user));
	weft_autofree unsigned *ready = calloc(n + 1, sizeof(*ready));
	struct heap heap = {wf, ready, 0};
	if (!begin || !user || !ready)
		return -1;
	memset(waits, 0, n * sizeof(*waits));
	/* The users of each step, as one array with the places where they begin. */
	for (size_t i = 0; i < ws->n; i++)
		begin[ws->v[i].need + 2]++;
	for (size_t i = 0; i < n; i++)
		begin[i + 1] += begin[i];
	for (size_t i = 0; i < ws->n; i++) {
		user[begin[ws->v[i].need + 1]++] = ws->v[i].user;
		waits[ws->v[i].user]++;
	}
	for (size_t i = 0; i < n; i++)
		if (!waits[i])
			push(&heap, (unsigned)i);
	while (heap.n) {
		unsigned at = pop(&heap);
		p->rank[at] = (unsigned)done;
		wf->order[done++] = at;
		for (size_t u = begin[at]; u < begin[at + 1]; u++)
			if (--waits[user[u]] == 0)
				push(&heap, user[u]);
	}
	return done < n;
}

static int add_wait(struct waits *ws, unsigned user, unsigned need)
{
	if (weft_grow(ws->v, ws->n, ws->cap))
		return -1;
	ws->v[ws->n++] = (struct wait){user, need};
	return 0;
}

/* A step, or with its loop all steps of that. */
static const unsigned *all_of(
	const struct weft_workflow *wf, const unsigned *step, size_t *n)
{
	unsigned loop = wf->step[*step].loop;

	*n = loop == WEFT_NO_LOOP ? 1 : wf->loop[loop].n_steps;
	return loop == WEFT_NO_LOOP ? step : wf->loop[loop].step;
}

/* Edges; whole: what a step of a loop needs from outside of it comes before all of the
 * loop, and what needs it after. */
static int collect_waits(struct spec_parser *p, bool whole, struct waits *ws)
{
	const struct weft_workflow *wf = p->wf;

	ws->n = 0;
	for (unsigned i = 0; i < wf->n_steps; i++)
		for (size_t e = 0; e < wf->step[i].n_edges; e++) {
			unsigned need = wf->step[i].edge[e].step;
			bool one = !whole ||
				   (wf->step[i].loop != WEFT_NO_LOOP &&
					   wf->step[i].loop == wf->step[need].loop);
			size_t n = 1, m = 1;
			const unsigned *from = one ? &i : all_of(wf, &i, &n);
			const unsigned *to = one ? &need : all_of(wf, &need, &m);

			for (size_t x = 0; x < n; x++)
				for (size_t y = 0; y < m; y++)
					if (add_wait(ws, from[x], to[y]))
						return -1;
		}
	return 0;
}

static int make_order(struct spec_parser *p)
{
	struct weft_workflow *wf = p->wf;
	weft_autofree unsigned *waits = calloc(wf->n_steps + 1, sizeof(*waits));
	struct waits ws = {0};
	int rc = -1;
	wf->order = spec_alloc(p, wf->n_steps, sizeof(*wf->order));
	p->rank = spec_alloc(p, wf->n_steps, sizeof(*p->rank));
	if (waits && wf->order && p->rank && collect_waits(p, false, &ws) == 0)
		rc = sort_steps(p, &ws, waits);
	if (rc > 0)
		report_cycle(p, waits);
	if (rc == 0 && wf->n_loops) {
		rc = collect_waits(p, true, &ws) ? -1 : sort_steps(p, &ws, waits);
		for (size_t i = 0; rc > 0 && i < wf->n_loops; i++) {
			const struct weft_loop *l = &wf->loop[i];
			struct weft_yaml_node at = {
				.pos = l->pos, .kind = WEFT_YAML_MAP};
			if (!waits[l->step[0]])
				continue;
			spec_bad_path(p, &at, "loop",
				"take it into the loop, or give it what an earlier "
				"round made (`round: prev`)",
				"a step that is not in the loop needs it and is "
				"needed by it");
			break;
		}
	}
	if (rc < 0)
		spec_nomem(p);
	free(ws.v);
	return rc ? -1 : 0;
}

int spec_graph(struct spec_parser *p)
{
	if (make_edges(p) < 0)
		return -1;
	return make_order(p);
}

/* ---- who needs whom through others ---- */

#define MAX_VISITS 100000000u /* of steps, in all: a second or so */

int spec_reaches(struct spec_parser *p, unsigned from, unsigned to)
{
	struct weft_workflow *wf = p->wf;
	const struct weft_step *s = &wf->step[from];
	if (p->direct_of != from + 1) {
		/* Marks what this step needs itself, for all its expressions. */
		if (!p->direct)
			p->direct = spec_alloc(p, wf->n_steps, sizeof(*p->direct));
		if (!p->direct)
			return -1;
		for (size_t e = 0; e < s->n_edges; e++)
			p->direct[s->edge[e].step] = from + 1;
		p->direct_of = from + 1;
	}
	if (p->direct[to] == from + 1)
		return 1;
	if (p->rank[to] >= p->rank[from])
		return 0;
	if (!p->visited) {
		p->visited = spec_alloc(p, wf->n_steps, sizeof(*p->visited));
		p->queue = spec_alloc(p, wf->n_steps, sizeof(*p->queue));
		if (!p->visited || !p->queue)
			return -1;
	}
	unsigned mark = ++p->visit_mark;
	size_t n = 0;
	p->queue[n++] = from;
	p->visited[from] = mark;
	for (size_t i = 0; i < n; i++) {
		s = &wf->step[p->queue[i]];
		for (size_t e = 0; e < s->n_edges; e++) {
			unsigned next = s->edge[e].step;
			if (next == to)
				return 1;
			if (++p->visits > MAX_VISITS)
				return -1;
			/* What comes before `to` can't need it. */
			if (p->visited[next] == mark || p->rank[next] < p->rank[to])
				continue;
			p->visited[next] = mark;
			p->queue[n++] = next;
		}
	}
	return 0;
}
