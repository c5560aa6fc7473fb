/*
 * slurm - all that weft asks of Slurm: load, submit, list, cancel.
 *
 * The only room with slurm/slurm.h.  libslurm is dlopened at the first call, so
 * that plan and --local need no Slurm.  Submission goes through sbatch, so that
 * the site's cli_filter and SPANK plug-ins apply.
 *
 * Ownership: results are the caller's.  Errors: WEFT_ESLURM, with what Slurm
 * said and what to do.  Threads: one at a time.  Fork: the first
 * call tries libslurm in a child, because it may end the program.  Runs as: the user.
 */
#ifndef WEFT_SLURM_H
#define WEFT_SLURM_H

#include "base/base.h"
#include "cluster/cluster.h"

int weft_slurm_snapshot(struct weft_cluster **c, struct weft_err *err);

/* Runs sbatch with these arguments (argv[0] excluded), the script on its
 * standard input, in a scrubbed environment; *job is the job's id. */
int weft_slurm_submit(
	char *const *args, const char *script, uint32_t *job, struct weft_err *err);

enum weft_job_state {
	WEFT_JOB_PENDING,
	WEFT_JOB_RUNNING,
	WEFT_JOB_COMPLETED,
	WEFT_JOB_FAILED,
	WEFT_JOB_CANCELLED,
	WEFT_JOB_TIMEOUT,
	WEFT_JOB_NODE_FAIL,
	WEFT_JOB_OOM,
	WEFT_JOB_PREEMPTED,
};
struct weft_job {
	uint32_t id;   /* array: of the whole array (SLURM_ARRAY_JOB_ID) */
	uint32_t task; /* array task, or UINT32_MAX */
	char *tasks;   /* pending array tasks that stand for many: "3-9,12"; or NULL */
	enum weft_job_state state; /* one that is completing counts as running */
	char *reason; /* "Dependency", "Resources" ... as squeue prints; NULL */
	char *nodes;  /* host list; NULL */
	double submit, start, end; /* 0: unknown; start of a pending job: expected */
	char *comment;             /* NULL: none */
	bool depends;              /* pending: it waits for another job */
	/* What it asks for, all tasks that may run at once: of an array's pending tasks
	 * as many as its limit lets run. */
	uint64_t n_nodes, n_gpus;
};
/* This user's jobs: one message, two where clusters are federated. */
int weft_slurm_jobs(struct weft_job **job, size_t *n, struct weft_err *err);
void weft_slurm_jobs_free(struct weft_job *job, size_t n);
/* scancel of whole jobs (arrays too); a job that has ended is fine. */
int weft_slurm_cancel(const uint32_t *job, size_t n, struct weft_err *err);
/* Of tasks of an array, in one message: "1234_[7,9]". */
int weft_slurm_cancel_tasks(const char *tasks, struct weft_err *err);
/* A job ("1234", "1234_7") that is pending waits for this, too; one that isn't pending
 * any more is fine. */
int weft_slurm_depend(const char *job, const char *dependency, struct weft_err *err);
/* It waits for this instead of what it waited for, in one message; an error when it
 * isn't pending any more. */
int weft_slurm_depend_on(uint32_t job, const char *dependency, struct weft_err *err);
/* A job that is not submitted. */
struct weft_slurm_request {
	/* "" none */
	const char *partition, *account, *qos, *reservation, *constraint, *exclude,
		*nodelist, *licenses, *gres, *gpu_type;
	unsigned nodes, ntasks, ntasks_per_node, cpus_per_task;
	unsigned gpus, gpus_per_node; /* in all, or the same on each node */
	uint64_t mem, tmp;            /* bytes a node; 0: the default */
	int64_t time;                 /* seconds; 0: the default */
	bool exclusive;
};
/* When Slurm would start it, seconds since the epoch.  It takes locks of slurmctld:
 * for few jobs, and not again and again. */
int weft_slurm_will_run(
	const struct weft_slurm_request *r, double *start, struct weft_err *err);

/* The --mpi types that srun lists, space separated ("none pmi2 ..."). */
int weft_slurm_mpi_types(char **types, struct weft_err *err);
/* Removes from an environment what would leak from this job into another one
 * or into a step of its own: SLURM_* (but SLURM_CONF, SLURM_JWT), SBATCH_* (but
 * SBATCH_ACCOUNT, which only a user sets), SRUN_*, SLURMD_*, SLURM_SPANK_*,
 * _SLURM_SPANK_OPTION_*, PMI*, PMIX*. */
void weft_slurm_scrub(struct weft_env *env);

#endif
