/*
 * contexts - what each hook does in each program: one file a context.
 *
 *   local.c      srun, as the user
 *   allocator.c  sbatch and salloc, as the user
 *   remote.c     slurmstepd: as root in init, task_exit and exit, with the user's
 *                effective id in user_init, as the user in task_init (in the forked
 *                child)
 *
 * What runs in slurmstepd never exits, aborts, or changes environment, umask,
 * signals or working directory, but for the task's own child in task_init.
 */
#ifndef WEFT_CONTEXTS_H
#define WEFT_CONTEXTS_H

#include "plugin/spank/host.h"

int local_init(spank_t sp, int ac, char **av);
int local_init_post_opt(spank_t sp);
int local_user_init(spank_t sp);
void local_end(void);

int allocator_init(spank_t sp, int ac, char **av);
int allocator_init_post_opt(spank_t sp);

int remote_init(spank_t sp, int ac, char **av);
int remote_user_init(spank_t sp);
int remote_task_init(spank_t sp);
int remote_task_exit(spank_t sp);
void remote_end(void);

/* ---- shared by srun, sbatch and salloc ---------------------------------- */

/* Reads weft.conf and registers the options. False: switched off. */
bool user_side_init(spank_t sp, int ac, char **av);
/* Ends srun, sbatch or salloc when weft can't be had or an option is wrong. */
void user_side_check(void);
/* Says why and ends this srun, sbatch or salloc: before the allocation, so that
 * nothing runs whether the plug-in is optional or required. */
void user_side_fail(int status, const char *fmt, ...) __attribute__((noreturn))
WEFT_PRINTF(2, 3);
/* Was --weft typed here, rather than handed down by an outer job? */
bool user_side_typed_file(void);
/* The workflow file, absolute: typed here, else WEFT_FILE, else handed down;
 * malloced, NULL: none. */
char *user_side_file(const char *typed);

#endif
