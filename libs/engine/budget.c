/* budget.c - node-, core- and GPU-hours, as they are used */
#include "engine/budget.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_SECONDS 30.0 /* between two looks at the journals, at least */
#define LOOK_SHARE 20.0   /* as many times as long as the last look took */

enum { NODES, CORES, GPUS, N_KINDS };
static const char *const units[N_KINDS] = {"node-hours", "core-hours", "GPU-hours"};

/* Another job of the run. */
struct other {
	double rate[N_KINDS];
	double from, last, limit; /* limit: the longest that it may take; 0 none */
	unsigned running;         /* members */
};

struct budget {
	const struct weft_engine *e;
	double limit[N_KINDS]; /* hours; 0: none */
	/* Of our own: used up to `at`, and what is held since. */
	double used[N_KINDS], rate[N_KINDS], at;
	bool by_member;
	struct weft_reader *reader;
	double next_look;
	struct other *other;
	size_t n_others, cap;
	struct weft_map job;   /* id -> other */
	struct weft_map began; /* "job step member" of what runs there -> other */
	struct weft_arena arena;
	double sum[N_KINDS], now[N_KINDS]; /* of all: hours, and what is held */
	char why[256];
};

static void rate_of(const struct budget *b, unsigned step, bool job, double *rate)
{
	struct weft_plan_rate r;

	weft_plan_rate(b->e->plan, step, job, &r);
	rate[NODES] = r.nodes;
	rate[CORES] = r.cores;
	rate[GPUS] = r.gpus;
}

int budget_open(struct budget **out, const struct weft_engine *e, struct weft_err *err)
{
	const struct weft_budget *w = &e->wf->budget;
	struct budget *b;

	*out = NULL;
	if (!(w->node_hours > 0) && !(w->core_hours > 0) && !(w->gpu_hours > 0))
		return 0;
	b = calloc(1, sizeof(*b));
	if (!b)
		return weft_err_nomem(err);
	b->e = e;
	b->limit[NODES] = w->node_hours;
	b->limit[CORES] = w->core_hours;
	b->limit[GPUS] = w->gpu_hours;
	b->at = weft_now();
	b->by_member = !e->slurm || !e->step;
	if (!b->by_member) {
		rate_of(b, e->step[0], true, b->rate);
		if (weft_reader_open(e->run, &b->reader, err)) {
			budget_close(b);
			return -1;
		}
		weft_reader_add_records(b->reader);
	}
	*out = b;
	return 0;
}

void budget_close(struct budget *b)
{
	if (!b)
		return;
	weft_reader_free(b->reader);
	weft_map_free(&b->job);
	weft_map_free(&b->began);
	weft_arena_free(&b->arena);
	free(b->other);
	free(b);
}

/* Brings our own sum up to now. */
static void catch_up(struct budget *b, double now)
{
	for (int k = 0; k < N_KINDS && now > b->at; k++)
		b->used[k] += b->rate[k] * (now - b->at) / 3600;
	if (now > b->at)
		b->at = now;
}

void budget_member(struct budget *b, unsigned step, int change)
{
	double rate[N_KINDS];

	if (!b || !b->by_member)
		return;
	catch_up(b, weft_now());
	rate_of(b, step, false, rate);
	for (int k = 0; k < N_KINDS; k++)
		b->rate[k] += change * rate[k];
}

/* ---- other jobs -------------------------------------------------------- */

static struct other *other_of(struct budget *b, const struct weft_event *ev)
{
	const struct weft_step *step = weft_spec_step(b->e->wf, ev->step);
	size_t at;

	if (!step)
		return NULL;
	if (!weft_map_get(&b->job, ev->job, &at)) {
		const struct weft_plan_step *p = &b->e->plan->step[step->index];
		const char *own = weft_arena_strdup(&b->arena, ev->job);

		if (!own || weft_grow(b->other, b->n_others, b->cap) ||
			weft_map_add(&b->job, own, b->n_others, NULL) < 0)
			return NULL;
		at = b->n_others++;
		b->other[at] = (struct other){.from = ev->time, .last = ev->time};
		b->other[at].limit =
			p->group < b->e->plan->n_groups
				? (double)b->e->plan->group[p->group].shape.time
				: 0;
		rate_of(b, step->index, true, b->other[at].rate);
	}
	return &b->other[at];
}

/* A member counts as running from its first word to its last. */
static void apply(struct budget *b, const struct weft_event *ev)
{
	weft_autofree char *key =
		weft_printf("%s %s %s", ev->job, ev->step, ev->member);
	bool begins =
		ev->state == WEFT_STATE_STAGING || ev->state == WEFT_STATE_RUNNING;
	struct other *o;
	size_t was = 0;

	if (!key || !*ev->job || weft_streq(ev->job, b->e->job) ||
		(!begins && !weft_state_ended(ev->state)))
		return;
	bool known = weft_map_get(&b->began, key, &was);
	if (!known && !begins)
		return; /* it ended without having run */
	o = other_of(b, ev);
	if (!o)
		return;
	if (ev->time > o->last)
		o->last = ev->time;
	if (begins && !known) {
		const char *own = weft_arena_strdup(&b->arena, key);

		if (own && weft_map_add(&b->began, own, 0, NULL) > 0)
			o->running++;
	} else if (!begins && o->running) {
		o->running--;
	}
}

static void look(struct budget *b, double now)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_event *ev = NULL;
	size_t n = 0;
	double took;

	if (!b->reader || now < b->next_look)
		return;
	if (weft_reader_poll(b->reader, &ev, &n, &err))
		weft_log(WEFT_WARN, "budget: %s", err.text ? err.text : "no journal");
	for (size_t i = 0; i < n; i++)
		apply(b, &ev[i]);
	weft_events_free(ev, n);
	took = (weft_now() - now) * LOOK_SHARE;
	b->next_look = now + (took > LOOK_SECONDS ? took : LOOK_SECONDS);
}

static void sum_up(struct budget *b)
{
	double now = weft_now();

	look(b, now);
	catch_up(b, now);
	memcpy(b->sum, b->used, sizeof(b->sum));
	memcpy(b->now, b->rate, sizeof(b->now));
	for (size_t i = 0; i < b->n_others; i++) {
		const struct other *o = &b->other[i];
		double took = (o->running && now > o->last ? now : o->last) - o->from;
		bool runs = o->running;

		/* One that was killed never says that its members ended. */
		if (o->limit > 0 && took > o->limit) {
			took = o->limit;
			runs = false;
		}
		for (int k = 0; k < N_KINDS; k++) {
			b->sum[k] += o->rate[k] * took / 3600;
			b->now[k] += runs ? o->rate[k] : 0;
		}
	}
}

/* ---- the verdict ------------------------------------------------------- */

/* of: what the step takes; NULL: whatever is used up counts. */
static const char *spent(struct budget *b, const double *of)
{
	size_t n = 0;

	for (int k = 0; k < N_KINDS; k++) {
		if (!(b->limit[k] > 0) || !(b->sum[k] > b->limit[k]) ||
			(of && !(of[k] > 0)))
			continue;
		n += (size_t)snprintf(b->why + n, sizeof(b->why) - n,
			"%s%.4g of %.10g %s",
			n ? ", " : "the budget is used up: ", b->sum[k], b->limit[k],
			units[k]);
	}
	return n ? b->why : NULL;
}

const char *budget_spent(struct budget *b, unsigned step)
{
	double rate[N_KINDS];

	if (!b)
		return NULL;
	sum_up(b);
	if (b->e->wf->on_failure != WEFT_ON_FAILURE_CONTINUE)
		return spent(b, NULL);
	rate_of(b, step, false, rate);
	return spent(b, rate);
}

const char *budget_over(struct budget *b)
{
	if (!b)
		return NULL;
	sum_up(b);
	return spent(b, NULL);
}

time_t budget_wait(struct budget *b, time_t most)
{
	double first = (double)most;

	if (!b)
		return most;
	sum_up(b);
	for (int k = 0; k < N_KINDS; k++) {
		double left = b->limit[k] - b->sum[k];

		if (b->limit[k] > 0 && left > 0 && b->now[k] > 0 &&
			left * 3600 / b->now[k] < first)
			first = left * 3600 / b->now[k];
	}
	return (time_t)first < most ? (time_t)first + 1 : most;
}
