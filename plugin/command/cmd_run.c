/* cmd_run.c - weft run, weft submit: plan, make the run directory, start, follow */
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run_args {
	struct job_args job;
	bool quiet, json, follow;
};

enum { OPT_RUN_DIR = 256, OPT_CONF, OPT_LOCAL, OPT_GROUP, OPT_JSON };

static const struct option run_options[] = {
	{"local", no_argument, NULL, OPT_LOCAL},
	CMD_WORKFLOW_OPTIONS,
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"conf", required_argument, NULL, OPT_CONF},
	{"json", no_argument, NULL, OPT_JSON},
	{"group", required_argument, NULL, OPT_GROUP},
	{"quiet", no_argument, NULL, 'q'},
	{NULL, 0, NULL, 0},
};

static int parse(const struct weft_verb *v, int argc, char **argv, struct run_args *a)
{
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(v, argc, argv, "q", run_options, &status)) != -1) {
		switch (c) {
		case -2:
			return status ? status : -2;
		case OPT_LOCAL:
			a->job.local = true;
			break;
		case CMD_OPT_SET:
		case CMD_OPT_OVERLAY:
			if ((status = cmd_workflow_option(v, &a->job.w, c)))
				return status;
			break;
		case OPT_RUN_DIR:
			a->job.parent = optarg;
			break;
		case OPT_CONF:
			a->job.conf = optarg;
			break;
		case OPT_GROUP:
			if ((status = job_group_option(v, optarg, &a->job.group)))
				return status;
			break;
		case OPT_JSON:
			a->json = a->job.json = true;
			break;
		case 'q':
			a->quiet = true;
			break;
		}
	}
	if (optind != argc - 1)
		return cmd_usage(v, optind == argc ? "which workflow file?"
						   : "one workflow file at a time");
	a->job.file = argv[optind];
	return 0;
}

static int submit_job(
	const struct job *j, const struct weft_run *run, struct weft_err *err)
{
	weft_autofree char *weft = cmd_path_on_nodes(j->conf);
	const struct submission s = {run, j->wf, j->plan, j->conf, weft};

	return weft ? submit_run(&s, NULL, NULL, 0, err) : weft_err_nomem(err);
}

static int run_it(const struct run_args *a, bool follow_it)
{
	struct weft_err err = {0};
	struct weft_run *run = NULL;
	struct opened o = {0};
	struct job j;
	int status = job_open(&j, &a->job);

	if (status)
		goto out;
	if (make_run(&j, &a->job, run_parent(a->job.parent, j.conf), &run, &err)) {
		status = cmd_fail(&err);
		goto out;
	}
	if (!a->job.local &&
		(check_shared(&j, run, &err) || submit_job(&j, run, &err))) {
		status = cmd_fail(&err);
		if (status == WEFT_EFAILED)
			status = WEFT_ESLURM;
		goto out;
	}
	if (!a->quiet && !a->json)
		fprintf(stderr, "weft: run %s in %s\n", run->id, run->dir);
	if (!follow_it) {
		/* For scripts: the run directory, alone on standard output. */
		printf("%s\n", run->dir);
		goto out;
	}
	if ((status = opened_open(&o, run->dir, a->job.conf)))
		goto out;
	pid_t engine = 0;
	if (a->job.local && local_engine_start(&o, &engine, &err))
		status = cmd_fail(&err);
	else
		status = follow(&o, engine, a->quiet, a->json);
out:
	opened_close(&o);
	weft_run_free(run);
	job_close(&j);
	return status;
}

static int run(int argc, char **argv);
static int submit(int argc, char **argv);

#define OPTIONS                                                                        \
	"  --set KEY=VALUE      change the workflow: vars.mesh=512, "                  \
	"steps.NAME.KEY=VALUE\n"                                                       \
	"  --overlay FILE       merge another YAML file over it (steps by name)\n"     \
	"  --group MODE         none: a job for each step; auto (default): share "     \
	"one\n"                                                                        \
	"                       where that saves a wait; all: wherever it can be\n"    \
	"  --run-dir DIR        parent of the run directory (default: weft-runs)\n"    \
	"  --conf FILE          another weft.conf\n"

WEFT_VERB(run, .name = "run", .synopsis = "[--local] [OPTION...] FILE",
	.summary = "Runs a workflow on Slurm and follows it",
	.help = "  --local              run it on this machine, without Slurm\n" OPTIONS
		"  -q, --quiet          print nothing but errors\n"
		"  --json               print the final status as JSON\n\n"
		"Ctrl-C detaches; the run goes on in Slurm.  Exit status: 0 all is "
		"well,\n"
		"1 a step failed, 2 usage, 3 workflow file, 4 cannot place, 5 "
		"staging,\n"
		"6 Slurm unreachable or refused, 7 interrupted.\n",
	.order = 10, .run = run);

WEFT_VERB(submit, .name = "submit", .synopsis = "[OPTION...] FILE",
	.summary = "Submits a workflow and prints its run directory",
	.help = OPTIONS "  -q, --quiet          print the run directory only\n",
	.order = 11, .run = submit);

static int run(int argc, char **argv)
{
	struct run_args a = {0};
	int status = parse(&verb_run, argc, argv, &a);

	return status == -2 ? 0 : status ? status : run_it(&a, true);
}

static int submit(int argc, char **argv)
{
	struct run_args a = {0};
	int status = parse(&verb_submit, argc, argv, &a);

	if (status)
		return status == -2 ? 0 : status;
	if (a.job.local)
		return cmd_usage(
			&verb_submit, "--local runs here: use weft run --local");
	return run_it(&a, false);
}
