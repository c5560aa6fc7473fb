#include "plugin/spank/host.h"

#include <stdio.h>

#include "request/request.h"

/* Step ids of slurm/slurm.h that stand for something else than an srun. */
#define STEP_PENDING 0xfffffffdu
#define STEP_EXTERN 0xfffffffcu
#define STEP_BATCH 0xfffffffbu
#define STEP_INTERACTIVE 0xfffffffau

enum host_context host_context(void)
{
	switch (spank_context()) {
	case S_CTX_LOCAL:
		return HOST_LOCAL;
	case S_CTX_ALLOCATOR:
		return HOST_ALLOCATOR;
	case S_CTX_REMOTE:
		return HOST_REMOTE;
	default:
		return HOST_OTHER;
	}
}

int host_step_kind(spank_t sp, enum host_step *kind)
{
	uint32_t id = 0;

	if (spank_get_item(sp, S_JOB_STEPID, &id) != ESPANK_SUCCESS)
		return -1;
	*kind = id >= STEP_INTERACTIVE && id <= STEP_PENDING ? HOST_STEP_OTHER
							     : HOST_STEP_TASKS;
	return 0;
}

int host_step_id(spank_t sp, uint32_t *id)
{
	return spank_get_item(sp, S_JOB_STEPID, id) == ESPANK_SUCCESS ? 0 : -1;
}

int host_node_id(spank_t sp, uint32_t *id)
{
	return spank_get_item(sp, S_JOB_NODEID, id) == ESPANK_SUCCESS ? 0 : -1;
}

int host_user(spank_t sp, uid_t *uid, gid_t *gid)
{
	return spank_get_item(sp, S_JOB_UID, uid) == ESPANK_SUCCESS &&
			       spank_get_item(sp, S_JOB_GID, gid) == ESPANK_SUCCESS
		       ? 0
		       : -1;
}

int host_local_tasks(spank_t sp, uint32_t *n)
{
	return spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, n) == ESPANK_SUCCESS ? 0 : -1;
}

int host_task_id(spank_t sp, int *id)
{
	return spank_get_item(sp, S_TASK_ID, id) == ESPANK_SUCCESS ? 0 : -1;
}

size_t host_groups(spank_t sp, gid_t *group, size_t max)
{
	gid_t *all = NULL;
	int n = 0;
	size_t kept = 0;

	if (spank_get_item(sp, S_JOB_SUPPLEMENTARY_GIDS, &all, &n) != ESPANK_SUCCESS)
		return 0;
	for (int i = 0; all && i < n && kept < max; i++)
		if (all[i] != 0)
			group[kept++] = all[i];
	return kept;
}

int host_task_status(spank_t sp, int *status)
{
	return spank_get_item(sp, S_TASK_EXIT_STATUS, status) == ESPANK_SUCCESS ? 0
										: -1;
}

const char *host_step_cores(spank_t sp)
{
	char *list = NULL;

	return spank_get_item(sp, S_STEP_ALLOC_CORES, &list) == ESPANK_SUCCESS ? list
									       : NULL;
}

int host_job_id(spank_t sp, uint32_t *id)
{
	return spank_get_item(sp, S_JOB_ID, id) == ESPANK_SUCCESS ? 0 : -1;
}

int host_job_nodes(spank_t sp, uint32_t *n)
{
	return spank_get_item(sp, S_JOB_NNODES, n) == ESPANK_SUCCESS ? 0 : -1;
}

enum host_get host_getenv(spank_t sp, const char *name, char *buf, size_t size)
{
	*buf = '\0';
	spank_err_t e = spank_getenv(sp, name, buf, (int)size);
	buf[size - 1] = '\0';
	if (e == ESPANK_SUCCESS)
		return HOST_HAVE;
	*buf = '\0';
	if (e == ESPANK_ENV_NOEXIST)
		return HOST_NONE;
	return e == ESPANK_NOSPACE ? HOST_TOO_LONG : HOST_FAILED;
}

int host_setenv(spank_t sp, const char *name, const char *value, bool overwrite)
{
	spank_err_t e = spank_setenv(sp, name, value, overwrite);

	return e == ESPANK_SUCCESS || (!overwrite && e == ESPANK_ENV_EXISTS) ? 0 : -1;
}

int host_request(spank_t sp, const char *text)
{
	spank_err_t e = text ? spank_job_control_setenv(sp, WEFT_REQUEST_ENV, text, 1)
			     : spank_job_control_unsetenv(sp, WEFT_REQUEST_ENV);
	return e == ESPANK_SUCCESS || (!text && e == ESPANK_ENV_NOEXIST) ? 0 : -1;
}

int host_hand_down_step(spank_t sp, const char *value)
{
	return spank_job_control_setenv(sp, "_SLURM_SPANK_OPTION_weft_weft_step", value,
		       1) == ESPANK_SUCCESS
		       ? 0
		       : -1;
}

int host_register(spank_t sp, struct spank_option *opt)
{
	return spank_option_register(sp, opt) == ESPANK_SUCCESS ? 0 : -1;
}

/* The text is formatted here: slurm_error's own %-extensions never see it. */
#define LOGGER(name, to)                                                               \
	void name(const char *fmt, ...)                                                \
	{                                                                              \
		char text[1024];                                                       \
		va_list ap;                                                            \
		va_start(ap, fmt);                                                     \
		vsnprintf(text, sizeof(text), fmt, ap);                                \
		va_end(ap);                                                            \
		to("weft: %s", text);                                                  \
	}
LOGGER(host_error, slurm_error)
LOGGER(host_say, slurm_info)
LOGGER(host_debug, slurm_debug)
