/* play.c - what happens when, event by event. */
#include "select/play.h"

#include <math.h>
#include <stdlib.h>

#define AHEAD 16 /* groups that are looked at behind one that waits */
#define NONE PLAY_NONE
#define LITTLE PLAY_LITTLE

/* What can happen; in this order where it does at the same time. */
enum what { END, FIRST, ROOM };

struct event {
	double time;
	enum what what;
	unsigned id; /* group or lane */
	unsigned version;
};

/* ---- the heap --------------------------------------------------------------- */

static bool before(const struct event *a, const struct event *b)
{
	if (a->time != b->time)
		return a->time < b->time;
	if (a->what != b->what)
		return a->what < b->what;
	return a->id < b->id;
}

static void push(
	struct play *p, double time, enum what what, unsigned id, unsigned version)
{
	struct event e = {time, what, id, version};
	size_t i;

	if (!(time < INFINITY))
		return;
	if (weft_grow(p->heap, p->n_events, p->cap) < 0) {
		p->failed = true;
		return;
	}
	for (i = p->n_events++; i && before(&e, &p->heap[(i - 1) / 2]); i = (i - 1) / 2)
		p->heap[i] = p->heap[(i - 1) / 2];
	p->heap[i] = e;
}

static struct event pop(struct play *p)
{
	struct event top = p->heap[0], e = p->heap[--p->n_events];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < p->n_events; i = child) {
		child += child + 1 < p->n_events &&
			 before(&p->heap[child + 1], &p->heap[child]);
		if (!before(&p->heap[child], &e))
			break;
		p->heap[i] = p->heap[child];
	}
	p->heap[i] = e;
	return top;
}

/* ---- room ------------------------------------------------------------------- */

static double free_nodes(struct play *p, struct lane *l)
{
	while (l->step < l->whole->n && l->whole->time[l->step] <= p->now)
		l->step++;
	return (l->step ? l->whole->place[l->step - 1] : 0) - l->taken;
}

/* Looks at the lane again at that time. */
static void look(struct play *p, struct lane *l, double time)
{
	if (!(time > p->now) || !(time < l->awaited))
		return;
	l->awaited = time;
	push(p, time, ROOM, (unsigned)(l - p->lane), 0);
}

static void append(struct play *p, unsigned *first, unsigned *last, unsigned id)
{
	p->job[id].next = NONE;
	if (*first == NONE)
		*first = id;
	else
		p->job[*last].next = id;
	*last = id;
}

/* Takes the one behind `prev` (NONE: the first) off a list. */
static void unlink_after(struct play *p, unsigned *first, unsigned *last, unsigned prev)
{
	unsigned id = prev == NONE ? *first : p->job[prev].next;

	if (prev == NONE)
		*first = p->job[id].next;
	else
		p->job[prev].next = p->job[id].next;
	if (*last == id)
		*last = prev;
}

static void expect_end(struct play *p, struct job *j)
{
	unsigned id = (unsigned)(j - p->job);

	j->version++;
	if (j->grown < INFINITY) {
		j->end = j->changed + j->left * j->run / j->slots;
		if (j->end < j->grown + j->run)
			j->end = j->grown + j->run;
	} else {
		j->end = j->start + ceil(j->tasks / j->slots) * j->run;
	}
	push(p, j->end, END, id, j->version);
}

/* How many more of its tasks could run now. */
static double more_slots(struct play *p, struct lane *l, const struct job *j)
{
	double n = floor((free_nodes(p, l) + LITTLE) / j->part);
	double most = room_jobs(j->room, j->nodes, p->now) - j->slots;

	n = n < most ? n : most;
	return n < j->most - j->slots ? n : j->most - j->slots;
}

static void hold(struct lane *l, struct job *j, double slots)
{
	j->slots += slots;
	l->taken += slots * j->part;
}

/* Takes more places, unless it keeps them longer than `limit`.  True: it has all that
 * it could use. */
static bool grow(struct play *p, struct lane *l, struct job *j, double limit)
{
	double n = more_slots(p, l, j);

	if (!(n > 0) || p->now + j->run > limit)
		return j->slots >= j->most;
	j->left -= (p->now - j->changed) * j->slots / j->run;
	j->changed = p->now;
	if (!(j->left > LITTLE))
		return true; /* the last ones run already */
	hold(l, j, n < ceil(j->left) ? n : ceil(j->left));
	j->grown = p->now;
	expect_end(p, j);
	l->last = j->end > l->last ? j->end : l->last;
	return j->slots >= j->most;
}

enum answer { STARTED, BLOCKED, LATER, NEVER };

/* BLOCKED: by what the plan's own groups hold; LATER: by what others do. */
static enum answer start(struct play *p, struct lane *l, struct job *j, double limit)
{
	double n;

	if (!(j->when < INFINITY))
		return NEVER;
	if (j->when > p->now) {
		look(p, l, j->when);
		return LATER;
	}
	/* With all of the plan's own gone, what the snapshot says is enough. */
	if (l->taken > LITTLE && j->part > free_nodes(p, l) + LITTLE)
		return BLOCKED;
	n = more_slots(p, l, j);
	n = n > 1 ? n : 1;
	if (p->now + ceil(j->tasks / n) * j->run > limit)
		return BLOCKED;
	j->state = RUNS;
	j->start = j->changed = p->now;
	j->left = j->tasks;
	j->grown = INFINITY;
	hold(l, j, n);
	push(p, p->now + j->run, FIRST, (unsigned)(j - p->job), 0);
	expect_end(p, j);
	l->last = j->end > l->last ? j->end : l->last;
	return STARTED;
}

/* In the order in which they could have started. */
static bool earlier(const struct play *p, unsigned a, unsigned b)
{
	const struct job *x = &p->job[a], *y = &p->job[b];

	return x->ready != y->ready ? x->ready < y->ready : a < b;
}

/* To its place among the arrays that grow, or to the end where there are many. */
static void insert(struct play *p, struct lane *l, unsigned id)
{
	unsigned prev = NONE, at = l->grow;

	for (unsigned seen = 0; at != NONE && earlier(p, at, id); seen++) {
		if (seen == AHEAD) {
			append(p, &l->grow, &l->last_grow, id);
			return;
		}
		prev = at;
		at = p->job[at].next;
	}
	p->job[id].next = at;
	if (prev == NONE)
		l->grow = id;
	else
		p->job[prev].next = id;
	if (at == NONE)
		l->last_grow = id;
}

/* Those that wait and those that grow, both in their order. */
static void serve(struct play *p, struct lane *l)
{
	unsigned before_wait = NONE, wait = l->wait, before_grow = NONE, more = l->grow;
	unsigned seen = 0;
	double limit = INFINITY;

	while (seen++ < 2 * AHEAD && (wait != NONE || more != NONE)) {
		if (more != NONE && (wait == NONE || earlier(p, more, wait))) {
			struct job *j = &p->job[more];
			unsigned next = j->next;

			if (j->state != RUNS || grow(p, l, j, limit))
				unlink_after(p, &l->grow, &l->last_grow, before_grow);
			else
				before_grow = more;
			more = next;
			continue;
		}
		struct job *j = &p->job[wait];
		unsigned next = j->next, id = wait;
		enum answer a = start(p, l, j, limit);

		if (a == STARTED || a == NEVER)
			unlink_after(p, &l->wait, &l->last_wait, before_wait);
		else
			before_wait = wait;
		/* What would end after all that runs now would make it later. */
		if (a == BLOCKED && !(limit < INFINITY))
			limit = l->last;
		if (a == STARTED && j->slots < j->most) {
			insert(p, l, id);
			/* It has had its turn; the next in line is behind it. */
			before_grow = id;
			more = p->job[id].next;
		}
		seen -= a == STARTED; /* many may start at once */
		wait = next;
	}
	free_nodes(p, l); /* what comes next is what is left of the curve */
	if ((l->wait != NONE || l->grow != NONE) && l->step < l->whole->n)
		look(p, l, l->whole->time[l->step]);
}

/* ---- what happens ----------------------------------------------------------- */

static void is_ready(struct play *p, unsigned id)
{
	struct job *j = &p->job[id];
	struct lane *l = &p->lane[j->lane];

	j->state = WAITS;
	j->ready = p->now;
	append(p, &l->wait, &l->last_wait, id);
	l->dirty = true;
}

/* first: the first task has ended; else all of them. */
static void tell(struct play *p, unsigned id, bool first)
{
	for (size_t i = p->from[id]; i < p->from[id + 1]; i++) {
		struct barrier *b = &p->barrier[p->to[i] / 2];

		if ((p->to[i] & 1) != first || --b->open)
			continue;
		for (unsigned k = b->first; k != NONE; k = p->waiter[k])
			is_ready(p, k);
	}
}

/* Task i ends after task i of what it corresponds with: the last one's end, or 0. */
static double not_before(const struct play *p, unsigned id)
{
	const struct weft_plan_group *g = &p->plan->group[id];
	double end = 0;

	for (size_t i = 0; i < g->n_needs; i++) {
		const struct job *j = &p->job[g->need[i].group];

		if (g->need[i].corresponding && j->state != ENDED && j->end > end)
			end = j->end;
	}
	return end;
}

static void has_ended(struct play *p, unsigned id, unsigned version)
{
	struct job *j = &p->job[id];
	struct lane *l = &p->lane[j->lane];
	double other;

	if (version != j->version)
		return;
	other = not_before(p, id);
	if (other > 0) {
		j->end = other + j->run;
		push(p, j->end, END, id, ++j->version);
		return;
	}
	j->state = ENDED;
	l->taken -= j->slots * j->part;
	l->taken = l->taken > LITTLE ? l->taken : 0;
	l->dirty = true;
	tell(p, id, false);
}

static void happen(struct play *p, const struct event *e)
{
	switch (e->what) {
	case END:
		has_ended(p, e->id, e->version);
		break;
	case FIRST:
		tell(p, e->id, true);
		break;
	case ROOM:
		p->lane[e->id].awaited = INFINITY;
		p->lane[e->id].dirty = true;
		break;
	}
}

void play_through(struct play *p)
{
	for (unsigned i = 0; i < p->plan->n_groups; i++)
		if (p->job[i].barrier == NONE)
			is_ready(p, i);
	for (;;) {
		for (size_t i = 0; i < p->n_lanes; i++)
			if (p->lane[i].dirty) {
				p->lane[i].dirty = false;
				serve(p, &p->lane[i]);
			}
		if (!p->n_events || p->failed)
			return;
		p->now = p->heap[0].time;
		while (p->n_events && p->heap[0].time <= p->now) {
			struct event e = pop(p);

			happen(p, &e);
		}
	}
}
