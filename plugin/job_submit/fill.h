/*
 * fill - a request into a job description: only what the user left open.
 *
 * A field is open while it has the value that sbatch, salloc and srun send when
 * nothing was typed (tried with 22.05).  What is filled makes the description what it
 * would be if the step's options had been typed, down to the variables that sbatch
 * would have set for the script.
 *
 * Runs as: SlurmUser in slurmctld, under its locks: bounded work, no I/O.
 */
#ifndef WEFT_JOB_SUBMIT_FILL_H
#define WEFT_JOB_SUBMIT_FILL_H

#include "plugin/job_submit/host.h"
#include "request/request.h"

/* The request in the job's SPANK environment, borrowed; NULL: none. -1: several. */
int fill_find(const job_desc_msg_t *job, const char **text, struct weft_err *err);
/* What was filled goes to *said, as "nodes 2, ntasks 8"; "" nothing. 0, or -1 where the
 * job can't be what the request says, *job then partly filled. */
int fill(const struct weft_request *r, job_desc_msg_t *job, struct weft_str *said,
	struct weft_err *err);

#endif
