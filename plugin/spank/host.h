/*
 * host - what the plug-in asks of the program that loaded it (srun, sbatch,
 * salloc, slurmstepd), in the plug-in's own terms.
 *
 * The only file beside dispatch.c that calls spank_* and slurm_*; tests load the
 * plug-in into a program with spank_* functions of its own.
 */
#ifndef WEFT_HOST_H
#define WEFT_HOST_H

#include <slurm/spank.h>

#include "base/base.h"

enum host_context { HOST_OTHER, HOST_LOCAL, HOST_ALLOCATOR, HOST_REMOTE };
enum host_context host_context(void);

/* ---- slurmstepd -------------------------------------------------------- */

enum host_step {
	HOST_STEP_TASKS, /* an ordinary srun step */
	HOST_STEP_OTHER, /* batch script, extern, interactive: nothing to place */
};
/* 0, or -1 where the host doesn't say. */
int host_step_kind(spank_t sp, enum host_step *kind);
int host_step_id(spank_t sp, uint32_t *id);
int host_node_id(spank_t sp, uint32_t *id); /* of the job's nodes, from 0 */
int host_user(spank_t sp, uid_t *uid, gid_t *gid);
int host_local_tasks(spank_t sp, uint32_t *n);
int host_task_id(spank_t sp, int *id);
/* The user's groups but 0, at most max: how many; 0 where the host doesn't say. */
size_t host_groups(spank_t sp, gid_t *group, size_t max);
int host_task_status(spank_t sp, int *status); /* in task_exit: as wait() has it */
/* "0-3,8": the host's own string, not to be kept; NULL where it doesn't say. */
const char *host_step_cores(spank_t sp);

enum host_get { HOST_HAVE, HOST_NONE, HOST_TOO_LONG, HOST_FAILED };
/* A variable of the job's environment, copied. buf is a string in any case. */
enum host_get host_getenv(spank_t sp, const char *name, char *buf, size_t size);
int host_setenv(spank_t sp, const char *name, const char *value, bool overwrite);

/* ---- any --------------------------------------------------------------- */

int host_job_id(spank_t sp, uint32_t *id);
int host_job_nodes(spank_t sp, uint32_t *n);
/* The request for slurmctld's half; NULL: none, also none of an outer job's. */
int host_request(spank_t sp, const char *text);
/* What a job started by this one sees of --weft-step in place of what was typed. */
int host_hand_down_step(spank_t sp, const char *value);
int host_register(spank_t sp, struct spank_option *opt);
/* To the log of the host; in srun, sbatch and salloc to the user's stderr. */
void host_error(const char *fmt, ...) WEFT_PRINTF(1, 2);
void host_say(const char *fmt, ...) WEFT_PRINTF(1, 2);
void host_debug(const char *fmt, ...) WEFT_PRINTF(1, 2);

#endif
