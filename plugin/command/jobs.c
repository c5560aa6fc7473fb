/* jobs.c - the Slurm jobs of a run */
#include "job.h"

#include "slurm/slurm.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int add(struct run_jobs *jobs, uint32_t id, const char *step)
{
	uint32_t *ids = realloc(jobs->id, (jobs->n + 1) * sizeof(*ids));

	if (ids)
		jobs->id = ids;
	char **steps = realloc(jobs->step, (jobs->n + 1) * sizeof(*steps));
	if (steps)
		jobs->step = steps;
	if (!ids || !steps || !(jobs->step[jobs->n] = strdup(step)))
		return -1;
	jobs->id[jobs->n++] = id;
	return 0;
}

int run_jobs_read(
	const struct weft_run *run, struct run_jobs *jobs, struct weft_err *err)
{
	struct weft_reader *r = NULL;
	struct weft_event *e = NULL;
	size_t n = 0;
	int ret = -1;

	*jobs = (struct run_jobs){0};
	if (weft_reader_open(run, &r, err) || weft_reader_poll(r, &e, &n, err))
		goto out;
	for (size_t i = 0; i < n; i++) {
		int64_t id;

		if (e[i].state != WEFT_STATE_SUBMITTED ||
			!weft_parse_int(e[i].job, 1, UINT32_MAX, &id))
			continue;
		if (jobs->n && jobs->id[jobs->n - 1] == (uint32_t)id)
			continue;
		if (add(jobs, (uint32_t)id, e[i].step)) {
			weft_err_nomem(err);
			goto out;
		}
	}
	ret = 0;
out:
	weft_events_free(e, n);
	weft_reader_free(r);
	if (ret)
		run_jobs_free(jobs);
	return ret;
}

void run_jobs_free(struct run_jobs *jobs)
{
	for (size_t i = 0; i < jobs->n; i++)
		free(jobs->step[i]);
	free(jobs->step);
	free(jobs->id);
	*jobs = (struct run_jobs){0};
}

struct live_jobs {
	struct weft_job *job;
	size_t n;
};

int live_jobs_load(struct live_jobs **l, struct weft_err *err)
{
	*l = calloc(1, sizeof(**l));
	if (!*l)
		return weft_err_nomem(err);
	if (weft_slurm_jobs(&(*l)->job, &(*l)->n, err) == 0)
		return 0;
	free(*l);
	*l = NULL;
	return -1;
}

void live_jobs_free(struct live_jobs *l)
{
	if (!l)
		return;
	weft_slurm_jobs_free(l->job, l->n);
	free(l);
}

static bool alive(const struct weft_job *j)
{
	return j->state == WEFT_JOB_PENDING || j->state == WEFT_JOB_RUNNING;
}

/* "3-9,12", with a "%limit" perhaps */
static bool in_tasks(const char *tasks, uint32_t task)
{
	for (const char *p = tasks; *p >= '0' && *p <= '9';) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first, step = 1;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (*end == ':')
			step = strtoul(end + 1, &end, 10);
		if (task >= first && task <= last &&
			(!step || (task - first) % step == 0))
			return true;
		p = *end == ',' ? end + 1 : end;
	}
	return false;
}

static bool live_jobs_has(void *live, const char *job)
{
	const struct live_jobs *l = live;
	char *end;
	unsigned long id = strtoul(job, &end, 10);
	bool has_task = *end == '_';
	unsigned long task = has_task ? strtoul(end + 1, NULL, 10) : 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct weft_job *j = &l->job[i];

		if (j->id != id || !alive(j))
			continue;
		/* Slurm shortens a long list of pending tasks to "...": then all of
		 * them count as alive. */
		if (!has_task || j->task == task ||
			(j->tasks && (in_tasks(j->tasks, (uint32_t)task) ||
					     strstr(j->tasks, "..."))))
			return true;
	}
	return false;
}

/* Runs in two places may have one name and number: their folder tells. */
char *run_jobs_comment(const struct weft_run *run)
{
	char where[WEFT_DIGEST_HEX];

	weft_digest(run->dir, strlen(run->dir), where);
	return weft_printf(WEFT_JOB_COMMENT "%s %.8s", run->id, where);
}

/* weft was killed between sbatch's answer and the line in its journal. */
int run_jobs_add_live(const struct weft_run *run, const struct live_jobs *l,
	struct run_jobs *jobs, struct weft_err *err)
{
	weft_autofree char *comment = run_jobs_comment(run);

	if (!comment)
		return weft_err_nomem(err);
	for (size_t i = 0; i < l->n; i++) {
		const struct weft_job *j = &l->job[i];
		bool known = !alive(j) || !weft_streq(j->comment, comment);

		for (size_t k = 0; !known && k < jobs->n; k++)
			known = jobs->id[k] == j->id;
		if (!known && add(jobs, j->id, ""))
			return weft_err_nomem(err);
	}
	return 0;
}

bool live_jobs_has_id(const struct live_jobs *l, uint32_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->job[i].id == id && alive(&l->job[i]))
			return true;
	return false;
}

bool live_jobs_cancelled(const struct live_jobs *l, uint32_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->job[i].id == id && l->job[i].state == WEFT_JOB_CANCELLED)
			return true;
	return false;
}

#define CANCEL_WAIT 120.0 /* seconds: KillWait and clean-up of the nodes */

/* Those that Slurm still has; all that it knows of the run is added to the list. */
int run_jobs_left(const struct weft_run *run, struct run_jobs *jobs, size_t *left,
	struct weft_err *err)
{
	struct live_jobs *live;

	*left = 0;
	if (live_jobs_load(&live, err))
		return -1;
	int r = run_jobs_add_live(run, live, jobs, err);
	for (size_t i = 0; i < jobs->n; i++)
		*left += live_jobs_has_id(live, jobs->id[i]);
	live_jobs_free(live);
	return r;
}

int run_jobs_end(
	const struct weft_run *run, struct run_jobs *jobs, struct weft_err *err)
{
	double end = weft_monotonic() + CANCEL_WAIT, pause = 0.5;
	size_t left, told = 0;

	for (;;) {
		if (run_jobs_left(run, jobs, &left, err))
			return -1;
		if (!left)
			return 0;
		/* Who submits may have been a job ahead of the stop marker. */
		if (jobs->n > told &&
			weft_slurm_cancel(jobs->id + told, jobs->n - told, err))
			return -1;
		told = jobs->n;
		if (weft_monotonic() > end) {
			weft_err_set(err, WEFT_ESLURM,
				"%zu jobs are still there after %.0f s", left,
				CANCEL_WAIT);
			return weft_err_hint(err,
				"squeue --me shows them; nodes that don't answer "
				"hold jobs in state CG");
		}
		struct timespec t = {
			(time_t)pause, (long)((pause - (long)pause) * 1e9)};
		nanosleep(&t, NULL);
		pause = pause < 5 ? pause * 1.5 : 5;
	}
}

static bool nothing_alive(void *ctx, const char *job)
{
	(void)ctx;
	(void)job;
	return false;
}

static int count_use(
	const struct opened *o, struct weft_status **st, struct weft_err *err)
{
	if (weft_report_use(*st, o->plan, weft_now()) == 0)
		return 0;
	weft_status_free(*st);
	*st = NULL;
	return weft_err_nomem(err);
}

int status_of(const struct opened *o, bool ask_slurm, struct weft_status **st,
	struct weft_err *err)
{
	struct live_jobs *live = NULL;
	int r;

	*st = NULL;
	if (ask_slurm && o->run->local) {
		r = weft_status_load(o->run, o->wf,
			local_engine_gone(o->run) ? nothing_alive : NULL, NULL, st,
			err);
		return r ? r : count_use(o, st, err);
	}
	/* First Slurm, then the records: what ended in between has written one. */
	if (ask_slurm && live_jobs_load(&live, err))
		return -1;
	r = weft_status_load(o->run, o->wf, live ? live_jobs_has : NULL, live, st, err);
	live_jobs_free(live);
	return r ? r : count_use(o, st, err);
}
