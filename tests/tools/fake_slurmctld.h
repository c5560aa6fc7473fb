/*
 * fake_slurmctld.h - the functions that slurmctld has for its plug-ins, and job
 * descriptions as clients send them.  Included once by a program that has the
 * controller's half in it.
 */
#ifndef WEFT_FAKE_SLURMCTLD_H
#define WEFT_FAKE_SLURMCTLD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/job_submit/host.h"

int init(void);
int fini(void);
int job_submit(job_desc_msg_t *job, uint32_t submit_uid, char **err_msg);
int job_modify(job_desc_msg_t *job, void *record, uint32_t submit_uid);

static long ctl_blocks; /* that slurmctld would have to free */
static char ctl_log[4096];

static void ctl_note(const char *fmt, va_list ap)
{
	vsnprintf(ctl_log, sizeof(ctl_log), fmt, ap);
}
#define CTL_LOGGER(name)                                                               \
	void name(const char *fmt, ...)                                                \
	{                                                                              \
		va_list ap;                                                            \
		va_start(ap, fmt);                                                     \
		ctl_note(fmt, ap);                                                     \
		va_end(ap);                                                            \
	}
CTL_LOGGER(slurm_info)
CTL_LOGGER(slurm_error)

char *slurm_xstrdup(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	ctl_blocks += copy != NULL;
	return copy;
}

void slurm_xfree_ptr(void *ptr)
{
	ctl_blocks -= ptr != NULL;
	free(ptr);
}

int slurm_env_array_overwrite(char ***env, const char *name, const char *value)
{
	size_t n = 0, len = strlen(name);
	char *entry = malloc(len + strlen(value) + 2);

	sprintf(entry, "%s=%s", name, value);
	for (; (*env)[n]; n++)
		if (!strncmp((*env)[n], entry, len + 1)) {
			free((*env)[n]);
			(*env)[n] = entry;
			return 1;
		}
	*env = realloc(*env, (n + 2) * sizeof(**env));
	(*env)[n] = entry;
	(*env)[n + 1] = NULL;
	ctl_blocks++;
	return 1;
}

/* ---- job descriptions -------------------------------------------------------- */

/* Texts that weft may fill, in one list: what is looked at and freed. */
#define CTL_TEXTS                                                                      \
	X(account)                                                                     \
	X(array_inx)                                                                   \
	X(cpus_per_tres)                                                               \
	X(exc_nodes)                                                                   \
	X(features)                                                                    \
	X(licenses)                                                                    \
	X(mem_per_tres)                                                                \
	X(partition)                                                                   \
	X(qos)                                                                         \
	X(req_nodes)                                                                   \
	X(reservation)                                                                 \
	X(script) X(tres_per_job) X(tres_per_node) X(tres_per_socket) X(tres_per_task)
/* Numbers with Slurm's mark of "not set". */
#define CTL_NUMBERS                                                                    \
	X(num_tasks, NO_VAL)                                                           \
	X(min_nodes, NO_VAL)                                                           \
	X(max_nodes, NO_VAL)                                                           \
	X(cpus_per_task, NO_VAL16)                                                     \
	X(ntasks_per_node, NO_VAL16)                                                   \
	X(ntasks_per_tres, NO_VAL16)                                                   \
	X(pn_min_memory, NO_VAL64)                                                     \
	X(pn_min_tmp_disk, NO_VAL)                                                     \
	X(time_limit, NO_VAL) X(time_min, NO_VAL) X(shared, NO_VAL16)

static char **ctl_list(const char *const *v, uint32_t *n)
{
	char **list;

	for (*n = 0; v[*n];)
		++*n;
	list = calloc(*n + 1, sizeof(*list));
	for (uint32_t i = 0; i < *n; i++)
		list[i] = slurm_xstrdup(v[i]);
	return list;
}

/* As `sbatch SCRIPT` sends it, with nothing typed; request NULL: none. */
static void ctl_job(job_desc_msg_t *job, const char *request)
{
	static const char *const env[] = {
		"PATH=/bin", "SLURM_SUBMIT_DIR=/", "SLURM_NTASKS_PER_NODE=77", NULL};
	const char *spank[] = {"_SLURM_SPANK_OPTION_weft_weft=w.yaml", request, NULL};

	memset(job, 0, sizeof(*job));
#define X(field, unset) job->field = unset;
	CTL_NUMBERS
#undef X
	job->het_job_offset = NO_VAL;
	job->pn_min_cpus = NO_VAL16;
	job->sockets_per_node = NO_VAL16;
	job->max_cpus = NO_VAL;
	job->min_cpus = 1;
	job->overcommit = NO_VAL8;
	job->user_id = 1000;
	job->bitflags = USE_DEFAULT_ACCT | USE_DEFAULT_PART | USE_DEFAULT_QOS |
			USE_DEFAULT_WCKEY;
	job->script = slurm_xstrdup("#!/bin/sh\n");
	job->environment = ctl_list(env, &job->env_size);
	job->spank_job_env = ctl_list(spank, &job->spank_job_env_size);
}

static void ctl_job_free(job_desc_msg_t *job)
{
#define X(field) slurm_xfree_ptr(job->field);
	CTL_TEXTS
#undef X
	for (uint32_t i = 0; job->environment && i < job->env_size; i++)
		slurm_xfree_ptr(job->environment[i]);
	free(job->environment);
	for (uint32_t i = 0; job->spank_job_env && i < job->spank_job_env_size; i++)
		slurm_xfree_ptr(job->spank_job_env[i]);
	free(job->spank_job_env);
}

/* After job_submit: does what was set before hold? before is a plain copy. */
static inline const char *ctl_changed(
	const job_desc_msg_t *before, const job_desc_msg_t *after)
{
#define X(field)                                                                       \
	if (before->field && before->field != after->field)                            \
		return #field;
	CTL_TEXTS
#undef X
#define X(field, unset)                                                                \
	if (before->field != unset && before->field != after->field)                   \
		return #field;
	CTL_NUMBERS
#undef X
	return NULL;
}

#endif
