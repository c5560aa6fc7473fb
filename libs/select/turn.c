/* turn.c - arrays whose jobs may run each other's blocks of members */
#include "select/pack.h"

#define SHORT 600 /* seconds of a member: for longer ones a minute makes no turn */

/* Tasks that correspond to those of another group run their own block only: what
 * follows task i waits for just that. */
static bool corresponds(const struct weft_plan *plan, size_t group)
{
	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct weft_plan_group *g = &plan->group[i];

		for (size_t k = 0; k < g->n_needs; k++)
			if (g->need[k].corresponding &&
				(i == group || g->need[k].group == group))
				return true;
	}
	return false;
}

int64_t weft_plan_block_time(const struct weft_plan *plan, size_t group)
{
	const struct weft_plan_group *g = &plan->group[group];
	size_t width = g->width ? g->width : 1;

	if (g->tasks < 2 || g->n_steps != 1 || corresponds(plan, group))
		return 0;
	return plan->step[g->step[0]].time * (int64_t)pack_ceil_div(g->block, width);
}

void pack_turns(struct work *w)
{
	for (size_t i = 0; w->group != WEFT_GROUP_NONE && i < w->plan->n_groups; i++) {
		struct weft_plan_group *g = &w->plan->group[i];
		int64_t time = weft_plan_block_time(w->plan, i);

		if (g->block == 1 && time && time <= SHORT)
			g->shape.time = pack_job_time(w, &g->shape, time);
	}
}
