/*
 * host - what the plug-in takes of slurmctld.
 *
 * slurm/slurm.h has the job description, but not the functions that make what
 * slurmctld frees: they are declared here, those three alone, with the types that they
 * have had since Slurm 20.02.  slurmctld loads the plug-in only if it was compiled
 * with the headers of its very version.  Tests bring functions of their own.
 */
#ifndef WEFT_JOB_SUBMIT_HOST_H
#define WEFT_JOB_SUBMIT_HOST_H

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

/* A copy that slurmctld can free; it ends slurmctld when there is no memory. */
char *slurm_xstrdup(const char *text);
void slurm_xfree_ptr(void *ptr);
/* Sets NAME in a NULL-terminated environment, which may move. */
int slurm_env_array_overwrite(char ***env, const char *name, const char *value);
/* To slurmctld's log. */
void slurm_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void slurm_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
