/* rate.c - what a job holds while it runs */
#include "select/select.h"

static double cores_of(const struct weft_plan_step *s)
{
	return (double)s->nodes * s->ntasks_per_node * s->cpus_per_task;
}

void weft_plan_rate(const struct weft_plan *plan, unsigned step, bool job,
	struct weft_plan_rate *out)
{
	const struct weft_plan_step *s = &plan->step[step];
	const struct weft_plan_group *g =
		s->group < plan->n_groups ? &plan->group[s->group] : NULL;
	double node_hours = 0, core_hours = 0;

	*out = (struct weft_plan_rate){
		s->nodes, (double)s->ntasks * s->cpus_per_task, s->gpus};
	if (!job || !g)
		return;
	*out = (struct weft_plan_rate){
		g->shape.nodes, cores_of(&g->shape), g->shape.gpus};
	for (size_t i = 0; i < g->n_steps; i++) {
		node_hours += plan->step[g->step[i]].node_hours;
		core_hours += plan->step[g->step[i]].core_hours;
	}
	/* As the plan's bound counts: whole nodes, and no hardware threads. */
	if (node_hours > 0)
		out->cores = out->nodes * core_hours / node_hours;
}
