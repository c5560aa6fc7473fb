/* cmd_engine.c - weft engine: what a job of ours runs */
#include "rounds.h"
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

/* When the job's time is over; 0: never.  Slurm's limits are whole minutes. */
static double end_of_job(const struct weft_plan_group *g, const struct next *next)
{
	int64_t time = g ? (g->shape.time + 59) / 60 * 60 : 0;

	/* A later job may have been given more. */
	if (!g || next->turn % RESUME_TURNS)
		return allocation_end();
	return time ? weft_now() + (double)time : 0;
}

/* The job that goes on with a loop whose rounds have jobs of their own. */
static int watch(const char *dir, unsigned loop, unsigned turn)
{
	const char *id = getenv("SLURM_JOB_ID");
	struct weft_err err = {0};
	struct opened o = {0};
	int status = opened_open(&o, dir, NULL);

	if (!status && loop >= o.wf->n_loops)
		status = cmd_usage(cmd_verb("engine"), "there is no such loop");
	if (!status) {
		const struct weft_engine e = {.slurm = true,
			.run = o.run,
			.wf = o.wf,
			.plan = o.plan,
			.conf = o.conf,
			.job = id ? id : ""};

		if (rounds_watch(&o, &e, loop, turn, &err))
			status = cmd_fail(&err);
	}
	opened_close(&o);
	return status;
}

static int engine(int argc, char **argv);

WEFT_VERB(engine, .name = "engine",
	.synopsis = "--group=N [--round=N]|--allocation|--watch=LOOP [--turn=N] RUN",
	.summary = "Runs a group inside its job (weft's own)", .run = engine);

static int engine(int argc, char **argv)
{
	static const struct option options[] = {{"group", required_argument, NULL, 'g'},
		{"allocation", no_argument, NULL, 'a'},
		{"turn", required_argument, NULL, 't'},
		{"round", required_argument, NULL, 'r'},
		{"watch", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0}};
	const char *task = getenv("SLURM_ARRAY_TASK_ID");
	struct weft_err err = {0};
	struct opened o = {0};
	struct weft_engine e = {.slurm = true};
	struct turns turns = {0};
	struct next next = {.o = &o, .e = &e};
	int64_t group = -1, turn = 0, round = -1, loop = -1, block;
	bool all = false;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_engine, argc, argv, "", options, &status)) != -1) {
		if (c == -2)
			return status;
		if (c == 'a')
			all = true;
		else if (!weft_parse_int(optarg, 0, 1 << 30,
				 c == 'g'   ? &group
				 : c == 'r' ? &round
				 : c == 'w' ? &loop
					    : &turn))
			return cmd_usage(&verb_engine, "--%s takes a number",
				c == 'g'   ? "group"
				: c == 'r' ? "round"
				: c == 'w' ? "watch"
					   : "turn");
	}
	if (optind != argc - 1 || (group >= 0) + all + (loop >= 0) != 1)
		return cmd_usage(&verb_engine, "which group of which run?");
	if (loop >= 0)
		return watch(argv[optind], (unsigned)loop, (unsigned)turn);
	if ((status = opened_open(&o, argv[optind], NULL)))
		goto out;
	if (!all && (size_t)group >= o.plan->n_groups) {
		status =
			cmd_usage(&verb_engine, "the plan has no group %d", (int)group);
		goto out;
	}
	const struct weft_plan_group *g = all ? NULL : &o.plan->group[group];
	e.step = g ? g->step : NULL;
	e.n_steps = g ? g->n_steps : 0;
	unsigned apart = g && round >= 0 ? weft_plan_apart(o.plan, o.wf, (size_t)group)
					 : WEFT_NO_LOOP;
	if (apart != WEFT_NO_LOOP) {
		e.apart = &o.wf->loop[apart];
		e.round = (size_t)round;
	}
	if (engine_fill(&e, &o, &err)) {
		status = cmd_fail(&err);
		goto out;
	}
	/* A job's time is its only member's, unless it may come to run another one. */
	e.shared = !g || g->n_steps > 1 || g->block > 1 ||
		   weft_plan_block_time(o.plan, (size_t)group);
	if (g && g->tasks && task &&
		weft_parse_int(task, 0, (int64_t)g->tasks - 1, &block)) {
		e.block = (size_t)block;
		e.n_blocks = g->tasks;
	}
	next.group = g ? (size_t)group : NEXT_ALL;
	next.turn = (unsigned)turn;
	e.resumed = next.turn / RESUME_TURNS;
	e.end = end_of_job(g, &next);
	e.mem = allocation_mem();
	e.go_on = next_submit;
	e.next = &next;
	e.cancel_run = cancel_run;
	e.ctx = &e;
	engine_find_machine(&e);
	status = next_begin(&next, &err);
	/* Jobs of the array that this one takes over from have blocks of their own. */
	if (status == 0 && g && !turn)
		status = turns_begin(&turns, &o, (size_t)group, &e, &err);
	if (status > 0) {
		status = 0;
		goto out;
	}
	while (status == WEFT_OK) {
		weft_autofree char *fence = next_place(&next);

		e.fence = fence;
		status = weft_engine_run(&e, &err);
		if (status != WEFT_OK || !turns_next(&turns, &e))
			break;
	}
	if (status >= 0 && e.apart && rounds_go_on(&next, &err))
		status = -1;
	if (status < 0)
		status = cmd_fail(&err);
out:
	turns_end(&turns);
	engine_clear(&e);
	opened_close(&o);
	return status;
}
