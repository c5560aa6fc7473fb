/*
 * draft.h - groups while steps still join them, and what becomes of them.
 */
#ifndef WEFT_SELECT_DRAFT_H
#define WEFT_SELECT_DRAFT_H

#include "select/pack.h"

/* A group while steps still join it. */
struct draft {
	struct weft_plan_step shape;
	unsigned first, last; /* steps: a list through drafts.next */
	unsigned n_steps;
	size_t n_edges;
	size_t wanted; /* ways that lead to it from steps outside */
	size_t tasks, block;
	unsigned width;
	int64_t time;            /* of one job; 0: not limited */
	double cpus, gpus, span; /* used: units x seconds, and the seconds */
	bool closed;             /* nothing joins */
	unsigned loop;           /* whose steps are in it; WEFT_NO_LOOP */
};

struct drafts {
	struct draft *v;
	size_t n, n_early;
	unsigned *next; /* step -> the next of its group */
	size_t *wanted; /* step -> ways that lead to it, from other than late steps */
	int64_t *span;  /* step -> its seconds in one job */
	bool *apart;    /* of each loop: its steps need several jobs, in each round */
	bool again;     /* one was found to: all is drafted once more */
	/* --group all: what must be the same -> place in latest, the last such group */
	struct weft_map alike;
	size_t *latest, n_latest;
};

/* Rounds of its loop that a job of the step runs; 1: it is in none. */
size_t draft_rounds(const struct drafts *ds, const struct weft_step *s);
/* The share of an allocation that would lie idle when this much more is run in it, in
 * so long. */
double draft_waste(const struct draft *d, const struct weft_plan_step *shape,
	double cpus, double gpus, double span);

/* group_finish.c: the plan's groups from drafts that are done.  -1: no memory. */
int finish_groups(struct work *w, const struct drafts *ds);

#endif
