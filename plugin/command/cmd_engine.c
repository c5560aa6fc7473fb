/* cmd_engine.c - weft engine: what a job of ours runs */
#include "turns.h"

#include <stdlib.h>

#include "slurm/slurm.h"

/* Ends the run's other jobs, but for those of steps that deal with failure or come
 * last: they wait for the ones that end here. */
static void cancel_run(void *ctx)
{
	const struct weft_engine *e = ctx;
	weft_autoerr struct weft_err err = {0};
	const char *task = getenv("SLURM_ARRAY_TASK_ID");
	const char *self = getenv(task ? "SLURM_ARRAY_JOB_ID" : "SLURM_JOB_ID");
	struct run_jobs jobs;
	uint32_t own = 0;
	size_t n = 0;

	if (run_jobs_read(e->run, &jobs, &err))
		return;
	for (size_t i = 0; i < jobs.n; i++) {
		const struct weft_step *step = weft_spec_step(e->wf, jobs.step[i]);
		char id[16];

		snprintf(id, sizeof(id), "%u", jobs.id[i]);
		if (weft_streq(id, self))
			own = jobs.id[i];
		else if (!step || !weft_step_after_stop(step))
			jobs.id[n++] = jobs.id[i];
	}
	/* Our own ends by itself; but its other tasks don't.  Last, for it is our end
	 * too: all that we have to say is recorded. */
	if (own && task)
		jobs.id[n++] = own;
	if (n && weft_slurm_cancel(jobs.id, n, &err))
		weft_log(WEFT_WARN, "cancelling the run: %s", err.text);
	run_jobs_free(&jobs);
}

static int engine(int argc, char **argv);

WEFT_VERB(engine, .name = "engine", .synopsis = "--group=N RUN",
	.summary = "Runs a group inside its job (weft's own)", .run = engine);

static int engine(int argc, char **argv)
{
	static const struct option options[] = {
		{"group", required_argument, NULL, 'g'}, {NULL, 0, NULL, 0}};
	const char *task = getenv("SLURM_ARRAY_TASK_ID");
	struct weft_err err = {0};
	struct opened o = {0};
	struct weft_engine e = {.slurm = true};
	struct turns turns = {0};
	int64_t group = -1, block;
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
		status =
			cmd_usage(&verb_engine, "the plan has no group %d", (int)group);
		goto out;
	}
	const struct weft_plan_group *g = &o.plan->group[group];
	e.step = g->step;
	e.n_steps = g->n_steps;
	if (engine_fill(&e, &o, &err)) {
		status = cmd_fail(&err);
		goto out;
	}
	/* A job's time is its only member's, unless it may come to run another one. */
	e.shared = g->n_steps > 1 || g->block > 1 ||
		   weft_plan_block_time(o.plan, (size_t)group);
	if (g->tasks && task &&
		weft_parse_int(task, 0, (int64_t)g->tasks - 1, &block)) {
		e.block = (size_t)block;
		e.n_blocks = g->tasks;
	}
	/* Slurm's limits are whole minutes, rounded up. */
	e.end = g->shape.time ? weft_now() + (double)((g->shape.time + 59) / 60 * 60)
			      : 0;
	e.cancel_run = cancel_run;
	e.ctx = &e;
	engine_find_machine(&e);
	status = turns_begin(&turns, &o, (size_t)group, &e, &err);
	if (status > 0) {
		status = 0;
		goto out;
	}
	while (status == WEFT_OK) {
		status = weft_engine_run(&e, &err);
		if (status != WEFT_OK || !turns_next(&turns, &e))
			break;
	}
	if (status < 0)
		status = cmd_fail(&err);
out:
	turns_end(&turns);
	engine_clear(&e);
	opened_close(&o);
	return status;
}
