/* width.h - what a plan's jobs can hold at the same time, at most. */
#ifndef WEFT_SELECT_WIDTH_H
#define WEFT_SELECT_WIDTH_H

#include "select/select.h"

enum width { WIDTH_NODES, WIDTH_GPUS };

/* Of one group: its jobs that may run at once, times what each has. */
uint64_t width_group(const struct weft_plan_group *g, enum width what);
/*
 * Of the plan.  Groups that wait for one another hold nothing at the same time, so
 * they are put into chains, each group behind one that it waits for where it can;
 * a chain counts once, with its largest.  Never less than what can be held at once.
 * sum: "a: 12 jobs x 1 node = 12; b: 2 nodes", the largest first; NULL: not wanted.
 * *most: the group that takes the most.  -1: no memory.
 */
int width_plan(const struct weft_plan *plan, enum width what, uint64_t *width,
	const struct weft_plan_group **most, struct weft_str *sum);

#endif
