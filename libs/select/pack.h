/*
 * pack.h - how many members of a sweep share a job, and what a job of several
 * steps or members asks for.
 */
#ifndef WEFT_SELECT_PACK_H
#define WEFT_SELECT_PACK_H

#include "select/work.h"

/* What the site lets grouping do. */
struct pack_rules {
	double waste;     /* share of a job's node-seconds that may lie idle */
	unsigned jobs;    /* most jobs of a sweep */
	int64_t time;     /* longest job that grouping makes, seconds */
	size_t max_array; /* 0: not known */
};
struct pack_rules pack_rules(const struct work *w);

struct packing {
	size_t tasks;   /* jobs */
	unsigned width; /* members of a job beside each other */
	size_t waves;   /* and after each other */
	unsigned more;  /* shares beside them, of who steers */
};
/* The members of a step, each the plan's share of its nodes; one: all in one job, which
 * may be too short for them.  -1: more jobs than an array holds, however it is cut. */
int pack_members(
	struct work *w, const struct weft_plan_step *p, bool one, struct packing *k);

/* How many of a step's members a node of its partition holds beside each other, at
 * most; all: in the whole partition.  A member of several nodes: 1. */
unsigned pack_per_node(struct work *w, const struct weft_plan_step *p, size_t *all);

/* What the program that steers the step needs, in shares of members.  -1: no node has
 * room for it, or there is none left for members. */
int pack_steer(struct work *w, const struct weft_plan_step *p,
	const struct weft_steer *steer, struct packing *k);

/* A member's shape to one of `width` members on as few nodes. */
void pack_widen(struct work *w, struct weft_plan_step *shape, unsigned width);
/* Makes a shape hold another step, too.  False: no node could. */
bool pack_merge(struct work *w, struct weft_plan_step *shape,
	const struct weft_plan_step *other);
/* The longest that a job may be in the step's partition; 0: not limited. */
int64_t pack_time_limit(struct work *w, const struct weft_plan_step *p);
/* The limit of a job whose members may take so long; 0: none. */
int64_t pack_job_time(struct work *w, const struct weft_plan_step *p, int64_t time);
/* turn.c: gives short members' jobs the time to run another one after their own. */
void pack_turns(struct work *w);
/* Sets the hours of `members` such jobs of p->time. */
void pack_hours(struct work *w, struct weft_plan_step *p);
/* Of a share: CPUs on a node. */
uint64_t pack_node_cpus(const struct weft_plan_step *p);
size_t pack_ceil_div(size_t a, size_t b);
/* Of the step's loop, the most; 1: it is in none.  The plan's members are those of all.
 */
size_t pack_rounds(const struct weft_step *s);
/* How often a shape holds a member side by side. */
unsigned pack_holds(
	const struct weft_plan_step *shape, const struct weft_plan_step *member);

#endif
