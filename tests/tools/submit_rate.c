/*
 * submit_rate - how long slurmctld takes for N held jobs, one after the other.
 *
 *   submit_rate N [typed | REQUEST]
 *
 * REQUEST goes into the SPANK environment as weft.so sends it; typed: the job has a
 * size of its own.  Prints the median in microseconds; the jobs are cancelled after the
 * clock has stopped.  One process and one script in memory, so that it is slurmctld
 * that is measured, not sbatch.
 */
#include <dlfcn.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "request/request.h"

#define CALL(name) __typeof__(name) *name##_ = NULL
#define FIND(name)                                                                     \
	do {                                                                           \
		*(void **)&name##_ = dlsym(lib, #name);                                \
		if (!name##_)                                                          \
			return fail(#name);                                            \
	} while (0)

static int fail(const char *what)
{
	fprintf(stderr, "submit_rate: %s\n", what);
	return 1;
}

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

int main(int argc, char **argv)
{
	static const char *const libs[] = {
		"libslurm.so", "libslurm.so.38", "libslurm.so.39", "libslurm.so.40"};
	char *env[] = {(char *)"PATH=/bin", (char *)"SLURM_SUBMIT_DIR=/", NULL};
	bool typed = argc > 2 && weft_streq(argv[2], "typed");
	weft_autofree char *request =
		argc > 2 && !typed ? weft_printf(WEFT_REQUEST_ENV "=%s", argv[2])
				   : NULL;
	char *spank[] = {request, NULL};
	int n = argc > 1 ? atoi(argv[1]) : 0;
	weft_autofree uint32_t *id = calloc((size_t)(n > 0 ? n : 1), sizeof(*id));
	weft_autofree double *took = calloc((size_t)(n > 0 ? n : 1), sizeof(*took));
	void *lib = NULL;
	CALL(slurm_init);
	CALL(slurm_init_job_desc_msg);
	CALL(slurm_submit_batch_job);
	CALL(slurm_free_submit_response_response_msg);
	CALL(slurm_kill_job);

	for (size_t i = 0; i < WEFT_COUNT(libs) && !lib; i++)
		lib = dlopen(libs[i], RTLD_NOW | RTLD_GLOBAL);
	if (!lib || n < 1 || !id || !took)
		return fail(
			lib ? "usage: submit_rate N [typed | REQUEST]" : "no libslurm");
	FIND(slurm_init);
	FIND(slurm_init_job_desc_msg);
	FIND(slurm_submit_batch_job);
	FIND(slurm_free_submit_response_response_msg);
	FIND(slurm_kill_job);
	slurm_init_(NULL);
	for (int i = 0; i < n; i++) {
		submit_response_msg_t *answer = NULL;
		job_desc_msg_t job;

		slurm_init_job_desc_msg_(&job);
		job.name = (char *)"rate";
		job.script = (char *)"#!/bin/sh\ntrue\n";
		job.work_dir = (char *)"/";
		job.std_out = (char *)"/dev/null";
		job.priority = 0;
		job.user_id = getuid();
		job.group_id = getgid();
		job.environment = env;
		job.env_size = 2;
		job.min_cpus = 1;
		if (typed) {
			job.partition = (char *)"cpu";
			job.min_nodes = job.max_nodes = 1;
			job.num_tasks = job.ntasks_per_node = 4;
			job.cpus_per_task = job.pn_min_cpus = 2;
			job.min_cpus = 8;
			job.pn_min_memory = 1024;
			job.time_limit = 60;
		}
		if (request) {
			job.spank_job_env = spank;
			job.spank_job_env_size = 1;
		}
		double start = weft_monotonic();
		if (slurm_submit_batch_job_(&job, &answer))
			return fail("slurmctld refused a job");
		took[i] = weft_monotonic() - start;
		id[i] = answer->job_id;
		slurm_free_submit_response_response_msg_(answer);
	}
	for (int i = 0; i < n; i++)
		slurm_kill_job_(id[i], SIGKILL, 0);
	qsort(took, (size_t)n, sizeof(*took), by_size);
	printf("%.1f\n", took[n / 2] * 1e6);
	return 0;
}
