#include <stdlib.h>
#include <string.h>

#include "releases.h"
#include "running.h"

#define MIB (UINT64_C(1) << 20)
#define MANY 64 /* nodes of a job, beyond which its CPUs are divided evenly */

struct shares {
	struct slurm_share *v;
	size_t n, cap;
};

static bool is_running(uint32_t state)
{
	uint32_t base = state & JOB_STATE_BASE;

	return base == JOB_RUNNING || base == JOB_SUSPENDED || (state & JOB_COMPLETING);
}

/* Of the i-th node of a job.  Asking for each node walks through all of Slurm's. */
static unsigned cpus_on(const struct slurm_api *api, const job_info_t *job,
	const char *node, size_t n_nodes)
{
	int cpus;

	if (job->job_resrcs && n_nodes <= MANY && job->num_cpus % n_nodes) {
		cpus = api->slurm_job_cpus_allocated_on_node(job->job_resrcs, node);
		if (cpus > 0)
			return (unsigned)cpus;
	}
	return (unsigned)((job->num_cpus + n_nodes - 1) / n_nodes);
}

static int add_job(const struct slurm_api *api, const struct weft_cluster *c,
	const struct weft_map *index, const job_info_t *job, struct shares *to)
{
	uint64_t mem = job->pn_min_memory;
	bool per_cpu = mem & MEM_PER_CPU;
	char **name;
	size_t n;
	int status = 0;

	if (!job->nodes || !*job->nodes ||
		weft_hostlist_expand(
			job->nodes, WEFT_CLUSTER_MAX_NODES, &name, &n, NULL))
		return 0;
	mem = mem == NO_VAL64 ? 0 : (mem & ~MEM_PER_CPU) * MIB;
	for (size_t i = 0; i < n && status == 0; i++) {
		struct slurm_share s = {.gpus = ""};

		if (!weft_map_get(index, name[i], &s.node))
			continue;
		if (weft_grow(to->v, to->n, to->cap) < 0) {
			status = -1;
			break;
		}
		/* What is completing is gone in a moment, whatever its limit was. */
		if (!(job->job_state & JOB_COMPLETING))
			s.after = (int64_t)job->end_time - (int64_t)c->taken;
		s.cpus = cpus_on(api, job, name[i], n);
		/* Slurm says 0 of a job that has all of the node's. */
		s.mem = !mem ? c->node[s.node].mem_used : per_cpu ? mem * s.cpus : mem;
		if (i < job->gres_detail_cnt && job->gres_detail_str &&
			job->gres_detail_str[i])
			s.gpus = job->gres_detail_str[i];
		to->v[to->n++] = s;
	}
	weft_hostlist_free(name, n);
	return status;
}

int slurm_running(const struct slurm_api *api, struct weft_cluster *c,
	const struct weft_map *index, struct weft_err *err)
{
	job_info_msg_t *msg = NULL;
	struct shares shares = {0};
	bool busy = false;
	int status = 0;

	for (size_t i = 0; i < c->n_nodes && !busy; i++)
		busy = c->node[i].cpus_used > 0;
	/* A site may let nobody see the jobs of others, or no jobs at all: then what
	 * they hold is free at a time that is not known. */
	if (!busy || api->slurm_load_jobs(0, &msg, SHOW_ALL | SHOW_DETAIL | SHOW_LOCAL))
		return 0;
	for (uint32_t i = 0; i < msg->record_count && status == 0; i++)
		if (is_running(msg->job_array[i].job_state))
			status = add_job(api, c, index, &msg->job_array[i], &shares);
	if (status == 0)
		status = slurm_releases(c, shares.v, shares.n);
	free(shares.v);
	api->slurm_free_job_info_msg(msg);
	return status ? weft_err_nomem(err) : 0;
}
