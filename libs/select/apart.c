/* apart.c - loops whose steps need several jobs. */
#include "select/select.h"

unsigned weft_plan_apart(
	const struct weft_plan *plan, const struct weft_workflow *wf, size_t group)
{
	unsigned loop = wf->step[plan->group[group].step[0]].loop;
	const struct weft_loop *l = loop == WEFT_NO_LOOP ? NULL : &wf->loop[loop];

	if (!l || l->max < 2)
		return WEFT_NO_LOOP;
	for (size_t i = 0; i < l->n_steps; i++)
		if (plan->step[l->step[i]].group != group)
			return loop;
	return WEFT_NO_LOOP;
}
