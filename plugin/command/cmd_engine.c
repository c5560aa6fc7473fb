/* cmd_engine.c - weft engine: what a job of ours runs; weft member: its node half */
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "slurm/slurm.h"

static void cancel_run(void *ctx)
{
	const struct weft_engine *e = ctx;
	weft_autoerr struct weft_err err = { 0 };
	struct run_jobs jobs;
	const char *self = getenv("SLURM_ARRAY_JOB_ID");
	size_t n = 0;

	if (!self)
		self = getenv("SLURM_JOB_ID");
	if (run_jobs_read(e->run, &jobs, &err))
		return;
	/* Not our own job: it ends by itself. */
	for (size_t i = 0; i < jobs.n; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%u", jobs.id[i]);
		if (!weft_streq(id, self))
			jobs.id[n++] = jobs.id[i];
	}
	if (n && weft_slurm_cancel(jobs.id, n, &err))
		weft_log(WEFT_WARN, "cancelling the run: %s", err.text);
	run_jobs_free(&jobs);
}

static int engine(int argc, char **argv);

WEFT_VERB(engine, .name = "engine", .synopsis = "--group=N RUN",
	.summary = "Runs a group inside its job (weft's own)", .run = engine);

static int engine(int argc, char **argv)
{
	static const struct option options[] = { { "group", required_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 } };
	const char *task = getenv("SLURM_ARRAY_TASK_ID");
	struct weft_err err = { 0 };
	struct opened o = { 0 };
	struct weft_engine e = { .slurm = true };
	int64_t group = -1, member = -1;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_engine, argc, argv, "", options, &status)) != -1) {
		if (c == -2)
			return status;
		if (!weft_parse_int(optarg, 0, 1 << 30, &group))
			return cmd_usage(&verb_engine, "--group takes a number");
	}
	if (optind != argc - 1 || group < 0)
		return cmd_usage(&verb_engine, "which group of which run?");
	if ((status = opened_open(&o, argv[optind], NULL)))
		goto out;
	if ((size_t)group >= o.plan->n_groups) {
		status = cmd_usage(&verb_engine, "the plan has no group %d", (int)group);
		goto out;
	}
	const struct weft_plan_group *g = &o.plan->group[group];
	if (engine_fill(&e, &o, &err)) {
		status = cmd_fail(&err);
		goto out;
	}
	e.step = g->step;
	e.n_steps = g->n_steps;
	if (g->tasks && task && weft_parse_int(task, 0, 1 << 30, &member))
		e.member = (long)member;
	/* Slurm's limits are whole minutes, rounded up. */
	e.end = g->shape.time ? weft_now() + (double)((g->shape.time + 59) / 60 * 60) : 0;
	e.cancel_run = cancel_run;
	e.ctx = &e;
	status = weft_engine_run(&e, &err);
	if (status < 0)
		status = cmd_fail(&err);
out:
	engine_clear(&e);
	opened_close(&o);
	return status;
}

static int member(int argc, char **argv);

WEFT_VERB(member, .name = "member", .synopsis = "stage-in|stage-out|stage-clean OPTION...",
	.summary = "Stages a member on its node (weft's own)", .run = member);

static int member(int argc, char **argv)
{
	static const struct option options[] = { { "run", required_argument, NULL, 'r' },
		{ "step", required_argument, NULL, 's' }, { "member", required_argument, NULL, 'm' },
		{ "node-root", required_argument, NULL, 'n' },
		{ "memory-root", required_argument, NULL, 'M' }, { NULL, 0, NULL, 0 } };
	const char *run = NULL, *step_name = NULL, *node = NULL, *memory = NULL;
	const char *proc = getenv("SLURM_PROCID");
	struct weft_err err = { 0 };
	struct opened o = { 0 };
	struct weft_engine e = { 0 };
	int64_t index = 0, part = 0;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_member, argc, argv, "", options, &status)) != -1) {
		switch (c) {
		case -2:
			return status;
		case 'r':
			run = optarg;
			break;
		case 's':
			step_name = optarg;
			break;
		case 'm':
			if (!weft_parse_int(optarg, 0, INT64_MAX, &index))
				return cmd_usage(&verb_member, "--member takes a number");
			break;
		case 'n':
			node = optarg;
			break;
		case 'M':
			memory = optarg;
			break;
		}
	}
	if (optind != argc - 1 || !run || !step_name)
		return cmd_usage(&verb_member, "what of which member?");
	const char *what = argv[optind];
	if (weft_streq(what, "stage-clean")) {
		if (weft_engine_stage_clean(node, memory, &err))
			return cmd_fail(&err);
		return 0;
	}
	if (proc && !weft_parse_int(proc, 0, 1 << 24, &part))
		part = 0;
	if ((status = opened_open(&o, run, NULL)))
		return status;
	const struct weft_step *step = weft_spec_step(o.wf, step_name);
	e.run = o.run;
	e.wf = o.wf;
	e.plan = o.plan;
	e.conf = o.conf;
	e.job = "";
	if (!step || (size_t)index >= step->sweep.count)
		status = cmd_usage(&verb_member, "no such member");
	else if (weft_streq(what, "stage-in"))
		status = weft_engine_stage_in(&e, step, (size_t)index, node, memory, &err);
	else if (weft_streq(what, "stage-out"))
		status = weft_engine_stage_out(&e, step, (size_t)index, node, memory,
			(unsigned)part, &err);
	else
		status = cmd_usage(&verb_member, "no '%s'", what);
	if (status < 0) {
		/* On one line: the engine puts it into the record. */
		weft_autofree char *line = weft_err_line(&err);

		fprintf(stderr, "weft: %s\n", line ? line : "out of memory");
		weft_err_clear(&err);
		status = WEFT_ESTAGE;
	}
	opened_close(&o);
	return status;
}
