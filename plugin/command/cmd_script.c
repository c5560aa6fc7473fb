/* cmd_script.c - `sbatch heat.yaml`: the workflow file is the batch script */
#include "next.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int script(int argc, char **argv);

/* Reached through the first line of the file, `#!/usr/bin/env weft`. */
WEFT_VERB(script, .name = "script", .synopsis = "FILE",
	.summary = "Runs a workflow file that was given to sbatch or called",
	.run = script);

/* Slurm runs a copy from its spool folder: the file's own place is the job's
 * Command. *end: when the job's time is over. Source: sbatch(1), scontrol(1). */
static char *original(const char *spooled, double *end_time)
{
	const char *job = getenv("SLURM_JOB_ID");
	char *argv[] = {(char *)"scontrol", (char *)"-o", (char *)"show", (char *)"job",
		(char *)job, NULL};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *out = NULL, *said = NULL;
	int status;

	*end_time = 0;
	if (!job)
		return strdup(spooled);
	s.argv = argv;
	if (weft_capture(&s, 60, (size_t)1 << 20, &out, &said, &status, NULL))
		return NULL;
	*end_time = allocation_time_after(out, " EndTime=");
	/* " Command=PATH WorkDir=": a path may hold spaces. */
	char *at = strstr(out, " Command="), *end = at ? strstr(at, " WorkDir=") : NULL;
	return at && end ? strndup(at + 9, (size_t)(end - at - 9)) : NULL;
}

/* Slurm has started this job again: the run that it was at, if that is the latest of
 * its name.  NULL: there is none. */
static struct weft_run *requeued(const struct job *j)
{
	weft_autofree char *parent =
		weft_path_join(run_parent(NULL, j->conf), j->wf->name);
	const char *self = getenv("SLURM_JOB_ID"),
		   *again = getenv("SLURM_RESTART_COUNT");
	weft_autoerr struct weft_err err = {0};
	struct run_jobs jobs = {0};
	struct weft_run *run = NULL;
	bool found = false;

	if (!parent || !self || !again || weft_streq(again, "0") ||
		weft_run_open(parent, NULL, &run, &err))
		return NULL;
	if (run_jobs_read(run, &jobs, &err) == 0)
		for (size_t i = 0; i < jobs.n; i++)
			found |= jobs.id[i] == strtoul(self, NULL, 10);
	run_jobs_free(&jobs);
	if (found)
		return run;
	weft_run_free(run);
	return NULL;
}

static int run_in_job(const char *spooled)
{
	struct weft_err err = {0};
	struct job_args a = {.allocation = true};
	struct weft_engine e = {.slurm = true};
	weft_autofree char *file = original(spooled, &e.end);
	struct weft_run *run = NULL;
	struct opened o = {0};
	struct next next = {.o = &o, .e = &e, .group = NEXT_ALL};
	struct job j = {0};
	int status;

	if (!file || access(file, R_OK)) {
		weft_err_set(&err, WEFT_ESPEC,
			"can't find the workflow file that this job was "
			"submitted with%s%s",
			file ? ": " : "", file ? file : "");
		weft_err_hint(&err, "it must be readable on the nodes, where it was "
				    "submitted from");
		return cmd_fail(&err);
	}
	a.file = file;
	status = job_open(&j, &a);
	if (status)
		goto out;
	run = requeued(&j);
	if (!run && make_run(&j, &a, run_parent(NULL, j.conf), &run, &err)) {
		status = cmd_fail(&err);
		goto out;
	}
	printf("weft: run %s in %s\n", run->id, run->dir);
	if ((status = opened_open(&o, run->dir, NULL)))
		goto out;
	if (engine_fill(&e, &o, &err) ||
		submit_allocation_note(run, o.wf, e.job, "submit", &err)) {
		status = cmd_fail(&err);
		goto out;
	}
	e.fence = "all";
	e.mem = allocation_mem();
	e.go_on = next_submit;
	e.next = &next;
	engine_find_machine(&e);
	status = weft_engine_run(&e, &err);
	if (status < 0)
		status = cmd_fail(&err);
	struct weft_status *st;
	if (weft_status_load(o.run, o.wf, NULL, NULL, &st, NULL) == 0) {
		struct weft_style style = cmd_style(stdout);
		struct weft_str out = {0};

		weft_report_use(st, o.plan, weft_now());
		weft_report_status(o.run, st, &style, &out);
		cmd_print(&out);
		weft_status_free(st);
	}
out:
	engine_clear(&e);
	opened_close(&o);
	weft_run_free(run);
	job_close(&j);
	return status;
}

static int script(int argc, char **argv)
{
	if (argc != 2)
		return cmd_usage(&verb_script, "one workflow file");
	if (getenv("SLURM_JOB_ID"))
		return run_in_job(argv[1]);
	/* Called as a program, `./heat.yaml`: as `weft run` would. */
	char *args[] = {(char *)"run", argv[1], NULL};
	return cmd_verb("run")->run(2, args);
}
