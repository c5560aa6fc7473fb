/* node.h - the job's scratch on a node: made and removed by `weft node` as root. */
#ifndef WEFT_COMMAND_NODE_H
#define WEFT_COMMAND_NODE_H

#include "command.h"

/* SCRATCH/weft/JOBID: made at the start of a job, removed at its end. */
int node_scratch_make(
	const char *scratch, uint32_t job, uid_t uid, gid_t gid, struct weft_err *err);
int node_scratch_remove(const char *scratch, uint32_t job, struct weft_err *err);
/* Folders of jobs from before the machine's last start, but this job's. */
void node_scratch_clean(const char *scratch, uint32_t job);
/* Removes what is in the working directory, as its owner; the child's part. */
int node_empty_here(struct weft_err *err);

#endif
