/* turns.h - jobs of an array that run each other's blocks of members */
#ifndef WEFT_COMMAND_TURNS_H
#define WEFT_COMMAND_TURNS_H

#include "job.h"

#include <sys/types.h>

struct turns {
	const char *array; /* job id; borrowed */
	size_t left;       /* tasks that may not have been claimed yet */
	double needs;      /* seconds that there must be for a block */
	double begun, told;
	struct weft_str taken; /* tasks that Slurm hasn't been told of: "3,7" */
	pid_t child;           /* that is telling Slurm */
};

/* 0: the block is ours; 1: another job runs it, or has. */
int turns_begin(struct turns *t, const struct opened *o, size_t group,
	const struct weft_engine *e, struct weft_err *err);
/* All of ours has gone well: the next block, if there is one and the time for it. */
bool turns_next(struct turns *t, struct weft_engine *e);
void turns_end(struct turns *t);

#endif
