#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "gres.h"

/* A job that is completing still has processes: it has not ended yet, and nothing
 * may take its place.  One that was requeued waits again. */
static enum weft_job_state job_state(uint32_t state)
{
	if (state & JOB_COMPLETING)
		return WEFT_JOB_RUNNING;
	if (state & (JOB_REQUEUE | JOB_REQUEUE_HOLD | JOB_SPECIAL_EXIT))
		return WEFT_JOB_PENDING;
	switch (state & JOB_STATE_BASE) {
	case JOB_PENDING:
		return WEFT_JOB_PENDING;
	case JOB_RUNNING:
	case JOB_SUSPENDED:
		return WEFT_JOB_RUNNING;
	case JOB_COMPLETE:
		return WEFT_JOB_COMPLETED;
	case JOB_CANCELLED:
		return WEFT_JOB_CANCELLED;
	case JOB_TIMEOUT:
	case JOB_DEADLINE:
		return WEFT_JOB_TIMEOUT;
	case JOB_NODE_FAIL:
	case JOB_BOOT_FAIL:
		return WEFT_JOB_NODE_FAIL;
	case JOB_PREEMPTED:
		return WEFT_JOB_PREEMPTED;
	case JOB_OOM:
		return WEFT_JOB_OOM;
	default:
		return WEFT_JOB_FAILED;
	}
}

/* Of an array's pending tasks as many as may run at once. */
static uint64_t tasks_at_once(const slurm_job_info_t *from, const char *tasks)
{
	uint64_t n = tasks ? slurm_count_tasks(tasks) : 1;

	return from->array_max_tasks && from->array_max_tasks < n
		       ? from->array_max_tasks
		       : n;
}

static int fill(
	const struct slurm_api *api, const slurm_job_info_t *from, struct weft_job *to)
{
	const char *reason = NULL;

	to->id = from->array_job_id ? from->array_job_id : from->job_id;
	to->task = UINT32_MAX;
	if (from->array_job_id && from->array_task_id != NO_VAL)
		to->task = from->array_task_id;
	to->state = job_state(from->job_state);
	to->submit = (double)from->submit_time;
	to->start = (double)from->start_time;
	to->end = (double)from->end_time;
	if (from->array_task_str && *from->array_task_str) {
		to->tasks = slurm_array_tasks(from->array_task_str);
		if (!to->tasks)
			return -1;
	}
	/* Slurm's name for "no reason" is one that nobody wants to read. */
	if (from->state_reason != WAIT_NO_REASON && api->reason_string)
		reason = api->reason_string(from->state_reason);
	if (reason && !(to->reason = strdup(reason)))
		return -1;
	to->depends = from->state_reason == WAIT_DEPENDENCY;
	uint64_t n = tasks_at_once(from, to->tasks);
	to->n_nodes = n * (from->num_nodes < NO_VAL ? from->num_nodes : 1);
	to->n_gpus = n * slurm_tres_count(from->tres_req_str, "gres/gpu");
	if (from->comment && *from->comment && !(to->comment = strdup(from->comment)))
		return -1;
	if (from->nodes && *from->nodes && !(to->nodes = strdup(from->nodes)))
		return -1;
	return 0;
}

/* Where clusters are federated, a job of ours may run on another one. */
static bool federated(const job_info_msg_t *msg)
{
	for (uint32_t i = 0; i < msg->record_count; i++)
		if (msg->job_array[i].fed_origin_str)
			return true;
	return false;
}

/* Without SHOW_LOCAL libslurm asks for the federation each time, and few are in one. */
static int load(const struct slurm_api *api, job_info_msg_t **msg)
{
	int status = api->slurm_load_job_user(msg, getuid(), SHOW_ALL | SHOW_LOCAL);

	if (status || !federated(*msg))
		return status;
	api->slurm_free_job_info_msg(*msg);
	*msg = NULL;
	return api->slurm_load_job_user(msg, getuid(), SHOW_ALL);
}

int weft_slurm_jobs(struct weft_job **job, size_t *n, struct weft_err *err)
{
	const struct slurm_api *api = slurm_api(err);
	job_info_msg_t *msg = NULL;
	struct slurm_hush hush;
	struct weft_job *v;
	int status;

	*job = NULL;
	*n = 0;
	if (!api)
		return -1;
	slurm_hush_begin(&hush);
	status = load(api, &msg);
	if (status)
		slurm_error(api, err, "loading jobs");
	slurm_hush_end(&hush, err);
	if (status)
		return -1;
	v = calloc(msg->record_count + 1, sizeof(*v));
	for (uint32_t i = 0; v && i < msg->record_count; i++) {
		if (fill(api, &msg->job_array[i], &v[i])) {
			weft_slurm_jobs_free(v, i + 1);
			v = NULL;
		}
	}
	*n = v ? msg->record_count : 0;
	*job = v;
	api->slurm_free_job_info_msg(msg);
	return v ? 0 : weft_err_nomem(err);
}

void weft_slurm_jobs_free(struct weft_job *job, size_t n)
{
	for (size_t i = 0; job && i < n; i++) {
		free(job[i].tasks);
		free(job[i].reason);
		free(job[i].nodes);
		free(job[i].comment);
	}
	free(job);
}

static int cancel(const struct slurm_api *api, const char *id, struct weft_err *err)
{
	weft_autofree char *what = NULL;
	int code;

	if (api->slurm_kill_job2(id, SIGKILL, 0, NULL) == 0)
		return 0;
	code = api->slurm_get_errno();
	if (code == ESLURM_ALREADY_DONE || code == ESLURM_INVALID_JOB_ID)
		return 0;
	what = weft_printf("cancelling job %s", id);
	return slurm_error(api, err, what ? what : "cancelling a job");
}

int weft_slurm_cancel(const uint32_t *job, size_t n, struct weft_err *err)
{
	const struct slurm_api *api = slurm_api(err);
	struct slurm_hush hush;
	int status = 0;

	if (!api)
		return -1;
	slurm_hush_begin(&hush);
	for (size_t i = 0; i < n; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%u", job[i]);
		/* The others are cancelled all the same; the first error is told. */
		if (cancel(api, id, status ? NULL : err))
			status = -1;
	}
	slurm_hush_end(&hush, err);
	return status;
}

int weft_slurm_cancel_tasks(const char *tasks, struct weft_err *err)
{
	const struct slurm_api *api = slurm_api(err);
	struct slurm_hush hush;
	int status;

	if (!api)
		return -1;
	slurm_hush_begin(&hush);
	status = cancel(api, tasks, err);
	slurm_hush_end(&hush, err);
	return status;
}
