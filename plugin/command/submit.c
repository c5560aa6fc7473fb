/* submit.c - one sbatch a group, in dependency order; all or nothing */
#include "rounds.h"

#include "slurm/slurm.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TASKS 1000 /* of one array whose output lies in one folder */

void add_pairs(const struct weft_pairs *pairs, struct weft_argv *a)
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

/* Of each group and loop; 0: there is none to wait for. */
struct submitted {
	uint32_t *job, *watch;
};

/* The job that a group waits for: of a loop whose rounds have jobs of their own the one
 * that ends when all of them have. */
static uint32_t waits_for(const struct submission *s, size_t group, size_t need,
	const struct submitted *have)
{
	unsigned own = weft_plan_apart(s->plan, s->wf, group);
	unsigned of = weft_plan_apart(s->plan, s->wf, need);

	return of == WEFT_NO_LOOP || of == own ? have->job[need] : have->watch[of];
}

/* Of tasks that run again some may have no counterpart: these wait for all. */
static char *dependency(const struct submission *s, size_t group,
	const struct submitted *have, bool corresponding)
{
	const struct weft_plan_group *g = &s->plan->group[group];
	weft_autostr struct weft_str dep = {0};
	uint32_t last = 0;

	for (size_t i = 0; i < g->n_needs; i++) {
		uint32_t job = waits_for(s, group, g->need[i].group, have);

		if (job && job != last)
			weft_str_printf(&dep, "%s%s:%u", dep.len ? "," : "",
				corresponding && g->need[i].corresponding ? "aftercorr"
									  : "afterany",
				job);
		last = job;
	}
	return dep.len ? weft_str_take(&dep) : NULL;
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

/* May Slurm start it again by itself?  Its engine then goes on from the records. */
static bool may_requeue(const struct weft_workflow *wf, const struct weft_plan_group *g)
{
	for (size_t i = 0; i < g->n_steps; i++) {
		const struct weft_step *s = &wf->step[g->step[i]];

		if (weft_spec_retry(s, 0, WEFT_CAUSE_NODE_FAIL, -1) ||
			weft_spec_retry(s, 0, WEFT_CAUSE_PREEMPTED, -1))
			return true;
	}
	return false;
}

/* What it differs by from the group's first job. */
static void add_changes(const struct weft_plan_group *g, const struct submit_how *how,
	struct weft_argv *a)
{
	char limit[WEFT_UNIT_MAX];

	if (how->dependency)
		weft_argv_addf(a, "--dependency=%s", how->dependency);
	/* afterany can't become invalid; a task whose counterpart failed never could
	 * have run, and must not wait for ever. */
	if (how->dependency && strstr(how->dependency, "aftercorr"))
		weft_argv_add(a, "--kill-on-invalid-dep=yes");
	if (how->array)
		weft_argv_addf(a, "--array=%s", how->array);
	if (how->mem > g->shape.mem)
		weft_argv_addf(a, "--mem=%juM", (uintmax_t)((how->mem - 1) >> 20) + 1);
	if (g->shape.time && how->time > g->shape.time)
		weft_argv_addf(a, "--time=%s", weft_format_duration(limit, how->time));
	if (how->exclude)
		weft_argv_addf(a, "--exclude=%s%s%s", g->shape.exclude,
			*g->shape.exclude ? "," : "", how->exclude);
}

/* Absolute paths: nodes may have another PATH, or none of ours.  What this run was
 * planned by holds for its engines too. */
void submit_engine_line(const struct submission *s, const char *before,
	const char *what, unsigned turn, struct weft_str *script)
{
	if (s->conf->file && !weft_streq(s->conf->file, WEFT_CONF_DEFAULT)) {
		weft_autofree char *cwd = getcwd(NULL, 0);
		weft_autofree char *conf =
			weft_path_absolute(cwd ? cwd : "/", s->conf->file);

		weft_str_add(script, "export WEFT_CONF=");
		weft_str_add_shell_word(script, conf ? conf : s->conf->file);
		weft_str_add(script, "\n");
	}
	weft_str_add(script, before);
	weft_str_add_shell_word(script, s->weft);
	weft_str_printf(script, " engine %s ", what);
	if (turn)
		weft_str_printf(script, "--turn=%u ", turn);
	weft_str_add_shell_word(script, s->run->dir);
	weft_str_add(script, "\n");
}

int submit_allocation(const struct submission *s, const struct submit_how *how,
	uint32_t *job, struct weft_err *err)
{
	weft_autofree char *comment = run_jobs_comment(s->run);
	weft_autoargv struct weft_argv a = {0};
	weft_autostr struct weft_str script = {0};

	if (allocation_sbatch_args(&a, err))
		return -1;
	weft_argv_addf(&a, "--comment=%s", comment ? comment : "");
	if (how->dependency)
		weft_argv_addf(&a, "--dependency=%s", how->dependency);
	if (how->mem)
		weft_argv_addf(&a, "--mem=%juM", (uintmax_t)((how->mem - 1) >> 20) + 1);
	weft_str_add(&script,
		"#!/bin/sh\n# goes on with a run of weft's: see weft status\n");
	submit_engine_line(s, "exec ", "--allocation", how->turn, &script);
	if (a.failed || script.failed)
		return weft_err_nomem(err);
	return weft_slurm_submit(a.v, script.s, job, err);
}

int submit_allocation_note(const struct weft_run *run, const struct weft_workflow *wf,
	const char *job, const char *writer, struct weft_err *err)
{
	struct weft_journal *journal;
	int bad = 0;

	if (weft_journal_open(run, writer, &journal, err))
		return -1;
	for (size_t i = 0; !bad && i <= wf->n_steps; i++) {
		/* The last one of the run itself: there is nothing more to come. */
		struct weft_event e = {.time = weft_now(),
			.step = (char *)(i < wf->n_steps ? wf->step[i].name : ""),
			.job = (char *)(i < wf->n_steps ? job : ""),
			.text = (char *)(i < wf->n_steps ? "allocation" : ""),
			.state = WEFT_STATE_SUBMITTED};

		bad = weft_journal_add(journal, &e, err);
	}
	weft_journal_sync(journal);
	weft_journal_close(journal);
	return bad;
}

int submit_group(const struct submission *s, size_t index, const struct submit_how *how,
	uint32_t *job, struct weft_err *err)
{
	const struct weft_plan_group *g = &s->plan->group[index];
	const struct weft_step *first = &s->wf->step[g->step[0]];
	weft_autoargv struct weft_argv a = {0};
	weft_autostr struct weft_str script = {0};
	weft_autofree char *comment = run_jobs_comment(s->run);

	if (!comment || weft_plan_sbatch_args(g, &a))
		return weft_err_nomem(err);
	weft_argv_addf(&a, "--job-name=%s.%s", s->run->name, g->name);
	weft_argv_addf(&a, "--comment=%s", comment);
	if (add_output(s->run, g, &a, &script))
		return weft_err_nomem(err);
	weft_argv_add(&a, "--open-mode=append");
	weft_argv_add(&a, may_requeue(s->wf, g) ? "--requeue" : "--no-requeue");
	weft_argv_addf(&a, "--chdir=%s", s->run->workdir);
	add_user_options(s->wf, first, &a);
	add_changes(g, how, &a);
	if (a.failed)
		return weft_err_nomem(err);
	weft_autofree char *what =
		how->apart ? weft_printf("--group=%zu --round=%zu", index, how->round)
			   : weft_printf("--group=%zu", index);
	submit_engine_line(s, "exec ", what ? what : "", how->turn, &script);
	if (script.failed)
		return weft_err_nomem(err);
	if (weft_slurm_submit(a.v, script.s, job, err)) {
		weft_err_prefix(err, "step %s", g->name);
		return weft_err_at(err, s->wf->file, first->pos, NULL);
	}
	return 0;
}

int submit_note(const struct submission *s, struct weft_journal *journal, size_t group,
	uint32_t job, size_t block, const struct submit_how *how, struct weft_err *err)
{
	const struct weft_plan_group *g = &s->plan->group[group];
	weft_autofree char *round =
		how->apart ? weft_printf("round %zu", how->round) : strdup("");
	char id[16];

	if (!round)
		return weft_err_nomem(err);

	snprintf(id, sizeof(id), "%u", job);
	for (size_t i = 0; i < g->n_steps; i++) {
		struct weft_event e = {.time = weft_now(),
			.step = (char *)s->plan->step[g->step[i]].name,
			.job = id,
			.state = WEFT_STATE_SUBMITTED,
			.text = round,
			.done = (double)block,
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

/* tasks: of each group which of an array's are to run, "" all, NULL none of the group;
 * itself NULL: all of all. */
static int submit_groups(const struct submission *s, const char *const *tasks,
	const size_t *round, unsigned turn, struct submitted *have,
	struct weft_journal *journal, struct weft_err *err)
{
	struct weft_event all = {.time = 0, .state = WEFT_STATE_SUBMITTED};
	uint32_t *job = have->job;

	for (size_t i = 0; i < s->plan->n_groups; i++) {
		unsigned loop = weft_plan_apart(s->plan, s->wf, i);
		weft_autofree char *dep = dependency(s, i, have, !tasks);
		struct submit_how how = {.dependency = dep,
			.turn = turn,
			.apart = loop != WEFT_NO_LOOP,
			.round = loop != WEFT_NO_LOOP && round ? round[loop] : 0};

		if (tasks && !tasks[i])
			continue;
		if (tasks && *tasks[i])
			how.array = tasks[i];
		if (go_on(s->run, err) || submit_group(s, i, &how, &job[i], err) ||
			submit_note(s, journal, i, job[i], 0, &how, err))
			return -1;
		if (loop == WEFT_NO_LOOP || i != rounds_last_group(s, loop))
			continue;
		weft_autofree char *after = rounds_wait(s, loop, job);
		if (go_on(s->run, err) || rounds_submit_watch(s, loop, turn, after,
						  journal, &have->watch[loop], err))
			return -1;
	}
	/* Of the run itself: there is nothing more to come. */
	all.time = weft_now();
	return go_on(s->run, err) || weft_journal_add(journal, &all, err) ? -1 : 0;
}

static size_t pack_jobs(uint32_t *job, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (job[i])
			job[kept++] = job[i];
	return kept;
}

int submit_run(const struct submission *s, const char *const *tasks,
	const size_t *round, unsigned turn, struct weft_err *err)
{
	size_t most = s->plan->n_groups + s->wf->n_loops;
	weft_autofree uint32_t *job = calloc(most + 1, sizeof(*job));
	weft_autofree char *logs = weft_path_join(s->run->dir, "jobs");
	weft_autofree char *name =
		turn ? weft_printf("submit-%u", turn) : strdup("submit");
	weft_autoerr struct weft_err why = {0};
	const struct weft_run *run = s->run;
	struct weft_journal *journal = NULL;
	sigset_t block, old;

	if (!job || !logs || !name)
		return weft_err_nomem(err);
	struct submitted have = {job, job + s->plan->n_groups};
	if (weft_mkdirs(logs, 0777, err) || weft_journal_open(run, name, &journal, err))
		return -1;
	sigemptyset(&block);
	for (size_t i = 0; i < WEFT_COUNT(ends); i++)
		sigaddset(&block, ends[i]);
	sigprocmask(SIG_BLOCK, &block, &old);
	int r = submit_groups(s, tasks, round, turn, &have, journal, err);
	weft_journal_sync(journal);
	weft_journal_close(journal);
	if (r) {
		/* Half a workflow in the queue is worse than none. */
		weft_run_stop(run,
			err->code == WEFT_EINTR
				? "it was interrupted while it was submitted"
				: "the run could not be submitted",
			NULL);
		size_t n = pack_jobs(job, most);
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
