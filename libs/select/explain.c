/* explain.c - every partition and alternative of a step: why not, and why. */
#include "select/refuse.h"
#include "select/work.h"

#include <stdlib.h>
#include <string.h>

struct explain {
	struct work w;
	const struct weft_step *step;
	struct weft_explanation *x;
	struct asks asks;
	struct candidate
		*fitting; /* of this alternative, by pool; stage says if it is */
	bool chosen;      /* by an earlier alternative */
};

static struct weft_candidate *add(
	struct explain *e, size_t variant, const char *partition)
{
	struct weft_candidate *c = &e->x->candidate[e->x->n_candidates++];

	c->variant = (int)variant;
	c->partition = weft_arena_strdup(&e->x->arena, partition);
	c->why = c->hint = "";
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

/* The pools that may not be tried, and those that can't hold it. */
static int try_pool(
	struct explain *e, size_t index, struct weft_candidate *c, struct weft_err *err)
{
	struct pools *ps = &e->w.pools;
	struct candidate *one = &e->fitting[index];
	enum ask_key key;
	size_t failed = 0;

	*one = (struct candidate){.pool = &ps->pool[index]};
	if (!candidate_allowed(&e->asks, one->pool)) {
		one->fit.stage = STAGE_DOWN;
		c->why = *e->asks.v[0].partition
				 ? "the step names another partition"
				 : "weft.conf leaves it to steps that name it (avoid)";
		return 0;
	}
	if (candidate_fit(ps, &e->asks, one, &failed, err) < 0)
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
	return 0;
}

/* Says of what fits why it is first, or what is before it. */
static void rank(struct explain *e, struct weft_candidate *list)
{
	const struct candidate *best = NULL, *second = NULL;
	const char *rule;

	for (size_t i = 0; i < e->w.pools.n; i++) {
		const struct candidate *c = &e->fitting[i];

		if (c->fit.stage != STAGE_FITS)
			continue;
		if (!best || candidate_prefer(c, best, &e->asks, &rule) < 0) {
			second = best;
			best = c;
		} else if (!second ||
			   candidate_prefer(c, second, &e->asks, &rule) < 0) {
			second = c;
		}
	}
	for (size_t i = 0; best && i < e->w.pools.n; i++) {
		const struct candidate *c = &e->fitting[i];

		if (c->fit.stage != STAGE_FITS)
			continue;
		list[i].chosen = c == best && !e->chosen;
		if (e->chosen) {
			list[i].why = "an earlier alternative fits";
		} else if (c != best) {
			candidate_prefer(best, c, &e->asks, &rule);
			list[i].why = weft_arena_printf(&e->x->arena,
				"%s comes before it: %s", best->pool->part->name, rule);
		} else if (!second) {
			list[i].why = "the only one that fits";
		} else {
			candidate_prefer(best, second, &e->asks, &rule);
			list[i].why = rule;
		}
	}
	e->chosen |= best != NULL;
}

/* 0; -1: error; errors of the file are in w.errs. */
static int alternative(struct explain *e, size_t alt, struct weft_err *err)
{
	bool vary = e->step->sweep.kind != WEFT_SWEEP_NONE && resources_vary(e->step);
	struct weft_candidate *list = &e->x->candidate[e->x->n_candidates];

	if (collect_asks(&e->w, e->step, alt, vary, &e->asks) < 0)
		return 1;
	const struct ask *first = &e->asks.v[0];

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

static int explain(struct explain *e, struct weft_err *err)
{
	size_t n;

	if (pools_make(&e->w.pools, e->w.cluster, e->w.conf, err) < 0)
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
	const struct weft_cluster *cluster, const struct weft_conf *conf, unsigned step,
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
		.plan = &plan};
	e.x = calloc(1, sizeof(*e.x));
	if (e.x)
		rc = explain(&e, &err);
	else
		weft_err_nomem(&err);
	if (rc < 0)
		weft_errs_add(errs, &err);
	free(e.fitting);
	free(e.asks.v);
	pools_free(&e.w.pools);
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
