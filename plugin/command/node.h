/* node.h - what `weft node` does as root, and what `weft doctor` asks it. */
#ifndef WEFT_COMMAND_NODE_H
#define WEFT_COMMAND_NODE_H

#include "command.h"

/* SCRATCH/weft/JOBID: made at the start of a job, removed at its end. */
int node_scratch_make(
	const char *scratch, uint32_t job, uid_t uid, gid_t gid, struct weft_err *err);
int node_scratch_remove(const char *scratch, uint32_t job, struct weft_err *err);
/* Removes what is in the working directory, as its owner; the child's part. */
int node_empty_here(struct weft_err *err);

/* The user's programs that weft runs: where the conf says, else this one. */
char *cmd_command_path(const struct weft_conf *conf);

#endif
