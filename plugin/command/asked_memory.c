/* asked_memory.c - the memory of a step whose srun makes the allocation: with what it
 * has there in files, as the plan counts it */
#include "asked.h"
#include "job.h"

#include <stdlib.h>

static bool has_any(const struct weft_step *s)
{
	for (size_t i = 0; i < s->n_inputs; i++)
		if (s->input[i].to == WEFT_SCRATCH_MEMORY &&
			s->input[i].mode != WEFT_MODE_LINK)
			return true;
	return s->scratch == WEFT_SCRATCH_MEMORY;
}

uint64_t asked_in_memory(const struct asked *a)
{
	struct weft_select_options opt = {0};
	struct past *past;
	struct given *given;
	uint64_t bytes;

	/* In a job it is too late, and `weft exec` asks for none. */
	if (!has_any(a->step) || getenv("SLURM_JOB_ID"))
		return 0;
	past = past_load(run_parent(NULL, a->conf), a->wf);
	given = given_measure(a->wf);
	opt.past = past_of_steps(past);
	opt.given = given_of_steps(given);
	bytes = weft_select_in_memory(a->wf, &opt, a->step->index, a->res.tmp);
	past_free(past);
	given_free(given);
	return bytes;
}

unsigned asked_node_tasks(const struct asked *a)
{
	if (a->ntasks_per_node)
		return a->ntasks_per_node;
	return a->nodes ? (a->ntasks + a->nodes - 1) / a->nodes : a->ntasks;
}

uint64_t asked_node_memory(const struct asked *a, uint64_t per_cpu)
{
	const struct weft_resources *r = &a->res;
	uint64_t tasks = asked_node_tasks(a);
	uint64_t cpus = tasks * (r->cpus_per_task ? r->cpus_per_task : 1) * a->workers;
	uint64_t gpus = r->gpus_per_node ? r->gpus_per_node
			: a->nodes       ? (r->gpus + a->nodes - 1) / a->nodes
					 : r->gpus;

	if (r->mem)
		return r->mem;
	if (per_cpu)
		return per_cpu * cpus;
	if (r->gpus_per_task > 0)
		gpus = (uint64_t)(r->gpus_per_task * (double)tasks + 0.999);
	return r->mem_per_gpu * gpus;
}
