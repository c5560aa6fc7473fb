/* submit.c - one sbatch a group, in dependency order; all or nothing */
#include "job.h"

#include "slurm/slurm.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TASKS 1000 /* of one array whose output lies in one folder */

static void add_pairs(const struct weft_pairs *pairs, struct weft_argv *a)
{
	for (size_t i = 0; i < pairs->n; i++) {
		const struct weft_pair *p = &pairs->v[i];

		if (p->value.s && *p->value.s)
			weft_argv_addf(a, "--%s=%s", p->name, p->value.s);
		else
			weft_argv_addf(a, "--%s", p->name);
	}
}

void add_user_options(const struct weft_workflow *wf, const struct weft_step *step,
	struct weft_argv *a)
{
	if (wf->mail.s) {
		weft_argv_addf(a, "--mail-user=%s", wf->mail.s);
		weft_argv_add(a, "--mail-type=END,FAIL"); /* `slurm` may change it */
	}
	add_pairs(&wf->slurm, a);
	add_pairs(&step->slurm, a);
}

static void add_dependency(
	const struct weft_plan_group *g, const uint32_t *job, struct weft_argv *a)
{
	weft_autostr struct weft_str dep = {0};
	bool corresponding = false;

	for (size_t i = 0; i < g->n_needs; i++) {
		weft_str_printf(&dep, "%s%s:%u", i ? "," : "",
			g->need[i].corresponding ? "aftercorr" : "afterany",
			job[g->need[i].group]);
		corresponding |= g->need[i].corresponding;
	}
	if (!dep.len)
		return;
	weft_argv_addf(a, "--dependency=%s", dep.s);
	/* afterany can't become invalid; a task whose counterpart failed never could
	 * have run, and must not wait for ever. */
	if (corresponding)
		weft_argv_add(a, "--kill-on-invalid-dep=yes");
}

/* What the engine itself has to say, in RUN/jobs.  Slurm makes no folders, and fills in
 * what it takes for a pattern in any part of the path: in such a case, and where a
 * folder would hold too many, the script itself opens the file. */
static int add_output(const struct weft_run *run, const struct weft_plan_group *g,
	struct weft_argv *a, struct weft_str *script)
{
	weft_autofree char *dir = weft_path_join(run->dir, "jobs");

	if (!dir)
		return -1;
	weft_str_add(script, "#!/bin/sh\n# a group of weft's: see weft status\n");
	if (g->tasks <= TASKS && !strpbrk(dir, "%\\")) {
		weft_argv_addf(a, "--output=%s/%s-%s", dir, g->name,
			g->tasks ? "%A_%a.out" : "%j.out");
		return a->failed ? -1 : 0;
	}
	weft_argv_add(a, "--output=/dev/null");
	weft_str_add(script, "d=");
	weft_str_add_shell_word(script, dir);
	weft_str_printf(script, "/%s-${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}", g->name);
	if (g->tasks > TASKS)
		weft_str_printf(script,
			".$((SLURM_ARRAY_TASK_ID / %d))\n"
			"mkdir -p \"$d\" && d=$d/",
			TASKS);
	if (g->tasks)
		weft_str_add(script, g->tasks > TASKS ? "$SLURM_ARRAY_TASK_ID"
						      : "_$SLURM_ARRAY_TASK_ID");
	weft_str_add(script, "\nexec >>\"$d.out\" 2>&1\n");
	return script->failed ? -1 : 0;
}

static int submit_group(const struct job *j, const struct weft_run *run, size_t index,
	uint32_t *job, const char *weft, struct weft_err *err)
{
	const struct weft_plan_group *g = &j->plan->group[index];
	const struct weft_step *first = &j->wf->step[g->step[0]];
	weft_autoargv struct weft_argv a = {0};
	weft_autostr struct weft_str script = {0};
	weft_autofree char *comment = run_jobs_comment(run);

	if (!comment || weft_plan_sbatch_args(g, &a))
		return weft_err_nomem(err);
	weft_argv_addf(&a, "--job-name=%s.%s", run->name, g->name);
	weft_argv_addf(&a, "--comment=%s", comment);
	if (add_output(run, g, &a, &script))
		return weft_err_nomem(err);
	weft_argv_add(&a, "--open-mode=append");
	weft_argv_add(&a, "--no-requeue");
	weft_argv_addf(&a, "--chdir=%s", run->workdir);
	add_dependency(g, job, &a);
	add_user_options(j->wf, first, &a);
	if (a.failed)
		return weft_err_nomem(err);
	/* Absolute paths: nodes may have another PATH, or none of ours. */
	/* What this run was planned by holds for its engines too. */
	if (j->conf->file && !weft_streq(j->conf->file, WEFT_CONF_DEFAULT)) {
		weft_autofree char *cwd = getcwd(NULL, 0);
		weft_autofree char *conf =
			weft_path_absolute(cwd ? cwd : "/", j->conf->file);

		weft_str_add(&script, "export WEFT_CONF=");
		weft_str_add_shell_word(&script, conf ? conf : j->conf->file);
		weft_str_add(&script, "\n");
	}
	weft_str_add(&script, "exec ");
	weft_str_add_shell_word(&script, weft);
	weft_str_printf(&script, " engine --group=%zu ", index);
	weft_str_add_shell_word(&script, run->dir);
	weft_str_add(&script, "\n");
	if (script.failed)
		return weft_err_nomem(err);
	if (weft_slurm_submit(a.v, script.s, &job[index], err)) {
		weft_err_prefix(err, "step %s", g->name);
		return weft_err_at(err, j->wf->file, first->pos, NULL);
	}
	return 0;
}

static int note(struct weft_journal *journal, const struct weft_plan_group *g,
	const struct weft_plan *plan, uint32_t job, struct weft_err *err)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", job);
	for (size_t i = 0; i < g->n_steps; i++) {
		struct weft_event e = {.time = weft_now(),
			.step = (char *)plan->step[g->step[i]].name,
			.job = id,
			.state = WEFT_STATE_SUBMITTED,
			.total = (double)g->tasks};

		if (weft_journal_add(journal, &e, err))
			return -1;
	}
	return 0;
}

/* Who ends weft while it submits wants none of it: sbatch (in a group of its own, so
 * that a Ctrl-C isn't for it) finishes, then what was submitted is cancelled. */
static const int ends[] = {SIGINT, SIGTERM, SIGHUP};

static bool told_to_end(void)
{
	struct sigaction now;
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < WEFT_COUNT(ends); i++)
		if (sigismember(&pending, ends[i]) &&
			sigaction(ends[i], NULL, &now) == 0 &&
			now.sa_handler != SIG_IGN) /* nohup */
			return true;
	return false;
}

static int go_on(const struct weft_run *run, struct weft_err *err)
{
	weft_autofree char *why = NULL;

	if (told_to_end())
		return weft_err_set(
			err, WEFT_EINTR, "interrupted: nothing stays submitted");
	if (weft_run_stopped(run, &why) == 0)
		return weft_err_set(err, WEFT_EINTR, "%s", why ? why : "stopped");
	return 0;
}

static int submit_groups(const struct job *j, const struct weft_run *run, uint32_t *job,
	size_t *n, struct weft_journal *journal, struct weft_err *err)
{
	weft_autofree char *weft = cmd_path_on_nodes(j->conf);
	struct weft_event all = {.time = 0, .state = WEFT_STATE_SUBMITTED};

	if (!weft)
		return weft_err_nomem(err);
	for (*n = 0; *n < j->plan->n_groups; ++*n) {
		if (go_on(run, err) || submit_group(j, run, *n, job, weft, err))
			return -1;
		if (note(journal, &j->plan->group[*n], j->plan, job[*n], err)) {
			++*n;
			return -1;
		}
	}
	/* Of the run itself: there is nothing more to come. */
	all.time = weft_now();
	return go_on(run, err) || weft_journal_add(journal, &all, err) ? -1 : 0;
}

int submit_run(const struct job *j, const struct weft_run *run, struct weft_err *err)
{
	weft_autofree uint32_t *job = calloc(j->plan->n_groups + 1, sizeof(*job));
	weft_autofree char *logs = weft_path_join(run->dir, "jobs");
	weft_autoerr struct weft_err why = {0};
	struct weft_journal *journal = NULL;
	sigset_t block, old;
	size_t n = 0;

	if (!job || !logs)
		return weft_err_nomem(err);
	if (weft_mkdirs(logs, 0777, err) ||
		weft_journal_open(run, "submit", &journal, err))
		return -1;
	sigemptyset(&block);
	for (size_t i = 0; i < WEFT_COUNT(ends); i++)
		sigaddset(&block, ends[i]);
	sigprocmask(SIG_BLOCK, &block, &old);
	int r = submit_groups(j, run, job, &n, journal, err);
	weft_journal_sync(journal);
	weft_journal_close(journal);
	if (r) {
		/* Half a workflow in the queue is worse than none. */
		weft_run_stop(run,
			err->code == WEFT_EINTR
				? "it was interrupted while it was submitted"
				: "the run could not be submitted",
			NULL);
		if (n && weft_slurm_cancel(job, n, &why))
			weft_log(WEFT_WARN, "cancelling what was submitted: %s",
				why.text);
		/* Said by the exit status; a signal that waits would hide why. */
		while (told_to_end())
			sigtimedwait(&block, NULL, &(struct timespec){0, 0});
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
