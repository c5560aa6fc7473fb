/* slurm_room - calls the slurm room from a shell test:
 *   submit ARG...   the script on standard input; prints the job id
 *   jobs            a line a job: id task state tasks nodes reason
 *   cancel ID...    | mpi */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slurm/slurm.h"

static int fail(struct weft_err *err)
{
	weft_autofree char *line = weft_err_line(err);
	int code = (int)err->code;

	fprintf(stderr, "%s\n", line ? line : "?");
	weft_err_clear(err);
	return code;
}

static const char *const state_names[] = {
	[WEFT_JOB_PENDING] = "PENDING",
	[WEFT_JOB_RUNNING] = "RUNNING",
	[WEFT_JOB_COMPLETED] = "COMPLETED",
	[WEFT_JOB_FAILED] = "FAILED",
	[WEFT_JOB_CANCELLED] = "CANCELLED",
	[WEFT_JOB_TIMEOUT] = "TIMEOUT",
	[WEFT_JOB_NODE_FAIL] = "NODE_FAIL",
	[WEFT_JOB_OOM] = "OUT_OF_MEMORY",
	[WEFT_JOB_PREEMPTED] = "PREEMPTED",
};

static int jobs(struct weft_err *err)
{
	struct weft_job *v;
	size_t n;

	if (weft_slurm_jobs(&v, &n, err))
		return fail(err);
	for (size_t i = 0; i < n; i++)
		printf("%u %d %s %s %s %s\n", v[i].id, (int)v[i].task,
			state_names[v[i].state], v[i].tasks ? v[i].tasks : "-",
			v[i].nodes ? v[i].nodes : "-", v[i].reason ? v[i].reason : "-");
	weft_slurm_jobs_free(v, n);
	return 0;
}

static int submit(char **args, struct weft_err *err)
{
	weft_autofree char *script = NULL;
	uint32_t id;
	size_t n;

	if (weft_read_fd(0, "stdin", 1 << 20, &script, &n, err) ||
		weft_slurm_submit(args, script, &id, err))
		return fail(err);
	printf("%u\n", id);
	return 0;
}

int main(int argc, char **argv)
{
	struct weft_err err = {0};

	if (argc > 1 && weft_streq(argv[1], "jobs"))
		return jobs(&err);
	if (argc > 1 && weft_streq(argv[1], "submit"))
		return submit(argv + 2, &err);
	if (argc > 1 && weft_streq(argv[1], "cancel")) {
		uint32_t id[16];
		size_t n = 0;

		for (int i = 2; i < argc && n < 16; i++)
			id[n++] = (uint32_t)strtoul(argv[i], NULL, 10);
		return weft_slurm_cancel(id, n, &err) ? fail(&err) : 0;
	}
	if (argc > 1 && weft_streq(argv[1], "mpi")) {
		weft_autofree char *types = NULL;

		if (weft_slurm_mpi_types(&types, &err))
			return fail(&err);
		puts(types);
		return 0;
	}
	return 2;
}
