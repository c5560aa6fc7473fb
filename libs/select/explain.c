/* explain.c - every partition and alternative of a step: why not, and why. */
#include "select/allow.h"
#include "select/refuse.h"
#include "select/work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct explain {
	struct work w;
	const struct weft_step *step;
	struct weft_explanation *x;
	struct asks asks;
	struct goal goal;
	struct candidate
		*fitting; /* of this alternative, by pool; stage says if it is */
	/* What the plan takes so far: of the list, and when it would end. */
	struct weft_candidate *chosen;
	double wait, end;
};

static struct weft_candidate *add(
	struct explain *e, size_t variant, const char *partition)
{
	struct weft_candidate *c = &e->x->candidate[e->x->n_candidates++];

	c->variant = (int)variant;
	c->partition = weft_arena_strdup(&e->x->arena, partition);
	c->why = c->hint = "";
	c->wait = c->run = c->end = -1;
	return c;
}

/* The error's words; what repeats the partition's name goes. */
static void take(struct explain *e, struct weft_candidate *c, struct weft_err *err)
{
	weft_autofree char *prefix = weft_printf("partition %s: ", c->partition);
	const char *text = err->text ? err->text : "";

	if (prefix && weft_starts_with(text, prefix))
		text += strlen(prefix);
	c->why = weft_arena_strdup(&e->x->arena, text);
	c->hint = weft_arena_strdup(&e->x->arena, err->hint ? err->hint : "");
	weft_err_clear(err);
}

static double known(double v)
{
	return v < INFINITY ? v : -1;
}

/* The pools that may not be tried, and those that can't hold it. */
static int try_pool(
	struct explain *e, size_t index, struct weft_candidate *c, struct weft_err *err)
{
	struct pools *ps = &e->w.pools;
	struct candidate *one = &e->fitting[index];
	enum ask_key key;
	size_t failed = 0;

	*one = (struct candidate){.pool = &ps->pool[index]};
	if (allow_partition(e->w.conf, e->step->role, one->pool->part->name, err)) {
		one->fit.stage = STAGE_DOWN;
		take(e, c, err);
		return 0;
	}
	if (!candidate_allowed(ps, &e->asks, one->pool)) {
		one->fit.stage = STAGE_DOWN;
		c->why = *e->asks.v[0].partition
				 ? "the step names another partition"
				 : "weft.conf leaves it to steps that name it (avoid)";
		return 0;
	}
	if (candidate_fit(ps, &e->asks, &e->goal, one, &failed, err) < 0)
		return -1;
	if (one->fit.stage != STAGE_FITS) {
		refuse(ps, one->pool, &e->asks.v[failed], &one->fit, true, &key, err);
		/* Where else it might go has a line of its own. */
		if (one->fit.stage == STAGE_DOWN || one->fit.stage == STAGE_GPU_TYPE) {
			free(err->hint);
			err->hint = NULL;
		}
		take(e, c, err);
		return 0;
	}
	c->fits = true;
	c->nodes = one->fit.nodes;
	c->idle = one->fit.idle;
	c->wait = known(one->wait);
	c->run = one->run;
	c->data = one->data;
	c->end = one->run > 0 ? known(one->end) : -1;
	return 0;
}

/* Of two alternatives of which the plan takes the first. */
static void say_before(struct explain *e, struct weft_candidate *list, size_t n,
	const struct weft_candidate *before, const char *why)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].fits)
			list[i].why = weft_arena_printf(&e->x->arena, "%s %d %s",
				"alternative", before->variant + 1, why);
}

/* Says of what fits why it is first, or what is before it. */
static void rank(struct explain *e, struct weft_candidate *list)
{
	const struct candidate *v = e->fitting, *best = NULL, *second = NULL;
	size_t n = e->w.pools.n;
	double good_end = candidates_good_end(v, n);
	const char *rule;

	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &v[i];

		if (c->fit.stage != STAGE_FITS)
			continue;
		if (!best || candidate_prefer(c, best, good_end, &rule) < 0) {
			second = best;
			best = c;
		} else if (!second ||
			   candidate_prefer(c, second, good_end, &rule) < 0) {
			second = c;
		}
	}
	if (!best)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &v[i];

		if (c->fit.stage != STAGE_FITS)
			continue;
		if (c != best) {
			candidate_prefer(best, c, good_end, &rule);
			list[i].why = weft_arena_printf(&e->x->arena,
				"%s comes before it: %s", best->pool->part->name, rule);
		} else if (!second) {
			list[i].why = "the only one that fits";
		} else {
			candidate_prefer(best, second, good_end, &rule);
			list[i].why = rule;
		}
	}
	if (e->chosen && !alternative_better(e->wait, e->end, best->end)) {
		say_before(e, list, n, e->chosen, "comes before it");
		return;
	}
	if (e->chosen) {
		e->chosen->chosen = false;
		say_before(e, e->x->candidate, (size_t)(list - e->x->candidate),
			&list[best - v], "is expected to end before it");
	}
	e->chosen = &list[best - v];
	e->chosen->chosen = true;
	e->x->in_memory = best->fit.size.mem ? best->fit.size.in_memory : 0;
	e->x->sharers = ask_sharers(&e->asks.v[0], &best->fit.size);
	e->wait = best->wait;
	e->end = best->end;
}

/* 0; -1: error; errors of the file are in w.errs. */
static int alternative(struct explain *e, size_t alt, struct weft_err *err)
{
	bool vary = weft_plan_step_varies(e->step);
	struct weft_candidate *list = &e->x->candidate[e->x->n_candidates];

	if (collect_asks(&e->w, e->step, alt, vary, &e->asks) < 0)
		return 1;
	const struct ask *first = &e->asks.v[0];

	e->goal = step_goal(&e->w, e->step, &e->asks);
	if (check_licenses(&e->w, e->step, alt, first->licenses, err) < 0) {
		take(e, add(e, alt, ""), err);
		return 0;
	}
	for (size_t i = 0; i < e->w.pools.n; i++) {
		struct weft_candidate *c = add(e, alt, e->w.pools.pool[i].part->name);

		if (!c->partition)
			return weft_err_nomem(err);
		if (try_pool(e, i, c, err) < 0)
			return -1;
	}
	rank(e, list);
	return 0;
}

/* Where its data comes from counts, so the steps before it are placed as the plan
 * does; what is wrong with these is no matter of this step. */
static int place_others(struct explain *e, struct weft_err *err)
{
	struct work *w = &e->w;
	struct weft_errs *own = w->errs, dropped = {0};

	if (!w->past || !e->step->n_inputs)
		return 0;
	w->plan->n_steps = w->wf->n_steps;
	w->plan->step = weft_arena_alloc(
		&w->plan->arena, (w->wf->n_steps + 1) * sizeof(*w->plan->step));
	if (!w->plan->step)
		return weft_err_nomem(err);
	w->errs = &dropped;
	place_steps(w, &e->asks);
	w->errs = own;
	weft_errs_clear(&dropped);
	return 0;
}

static int explain(
	struct explain *e, const struct weft_select_options *opt, struct weft_err *err)
{
	size_t n;

	if (open_pools(&e->w, opt, err) < 0)
		return -1;
	if (place_others(e, err) < 0)
		return -1;
	e->x->n_variants = e->step->n_resources;
	n = e->step->n_resources * (e->w.pools.n + 1);
	e->x->candidate = weft_arena_alloc(&e->x->arena, n * sizeof(*e->x->candidate));
	e->fitting = calloc(e->w.pools.n + 1, sizeof(*e->fitting));
	if (!e->x->candidate || !e->fitting)
		return weft_err_nomem(err);
	for (size_t i = 0; i < e->step->n_resources; i++) {
		int rc = alternative(e, i, err);

		if (rc)
			return rc;
	}
	for (size_t i = 0; i < e->x->n_candidates; i++)
		if (!e->x->candidate[i].why || !e->x->candidate[i].hint)
			return weft_err_nomem(err);
	return 0;
}

int weft_select_explain(const struct weft_workflow *wf,
	const struct weft_cluster *cluster, const struct weft_conf *conf,
	const struct weft_select_options *opt, unsigned step,
	struct weft_explanation **out, struct weft_errs *errs)
{
	struct explain e = {.step = &wf->step[step]};
	struct weft_plan plan = {0}; /* an arena for what the asks hold */
	struct weft_err err = {0};
	int rc = -1;

	*out = NULL;
	e.w = (struct work){.wf = wf,
		.conf = conf,
		.cluster = cluster,
		.errs = errs,
		.past = opt ? opt->past : NULL,
		.given = opt ? opt->given : NULL,
		.place = opt ? opt->place : NULL,
		.n_places = opt ? opt->n_places : 0,
		.plan = &plan};
	e.x = calloc(1, sizeof(*e.x));
	if (e.x)
		rc = explain(&e, opt, &err);
	else
		weft_err_nomem(&err);
	if (rc < 0)
		weft_errs_add(errs, &err);
	free(e.fitting);
	free(e.asks.v);
	close_pools(&e.w);
	weft_map_free(&e.w.cache);
	weft_arena_free(&e.w.scratch);
	weft_arena_free(&plan.arena);
	if (rc) {
		weft_explanation_free(e.x);
		return -1;
	}
	*out = e.x;
	return 0;
}

void weft_explanation_free(struct weft_explanation *x)
{
	if (!x)
		return;
	weft_arena_free(&x->arena);
	free(x);
}
