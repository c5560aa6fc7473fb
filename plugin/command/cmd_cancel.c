/* cmd_cancel.c - weft cancel: ends the jobs of a run and waits until they are gone */
#include "job.h"

#include "slurm/slurm.h"

static int cancel(int argc, char **argv);

WEFT_VERB(cancel, .name = "cancel", .synopsis = "RUN...",
	.summary = "Ends every job of a run, and says so when they are gone",
	.help = "RUN is a run directory, or the name of a workflow for its latest "
		"run.\n",
	.order = 14, .run = cancel);

/* A run that has ended stays as it is, though somebody cancels it again. */
static bool has_ended(const struct opened *o)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_status *st = NULL;
	struct run_jobs jobs = {0};
	bool ended = false;
	size_t left;

	if (run_jobs_read(o->run, &jobs, &err) == 0 &&
		run_jobs_left(o->run, &jobs, &left, &err) == 0 &&
		status_of(o, true, &st, &err) == 0)
		ended = st->finished && !left;
	weft_status_free(st);
	run_jobs_free(&jobs);
	return ended;
}

static int cancel_one(const char *name)
{
	struct weft_err err = {0};
	struct run_jobs jobs = {0};
	struct opened o;
	int ret = opened_open(&o, name, NULL);

	if (ret)
		goto out;
	if (o.run->local) {
		weft_err_set(&err, WEFT_EUSAGE, "%s runs on one machine, without Slurm",
			o.run->id);
		weft_err_hint(&err, "press Ctrl-C where it runs");
		ret = cmd_fail(&err);
		goto out;
	}
	if (has_ended(&o)) {
		printf("%s: has ended already\n", o.run->id);
		goto out;
	}
	/* The marker first: an engine that starts meanwhile starts nothing. */
	if (weft_run_stop(o.run, "the run was cancelled", &err) ||
		run_jobs_read(o.run, &jobs, &err) || run_jobs_end(o.run, &jobs, &err))
		ret = cmd_fail(&err);
	else
		printf("%s: cancelled, all its jobs are gone\n", o.run->id);
out:
	run_jobs_free(&jobs);
	opened_close(&o);
	return ret;
}

static int cancel(int argc, char **argv)
{
	static const struct option options[] = {{NULL, 0, NULL, 0}};
	int ret = 0;

	cmd_getopt_start();
	if (cmd_getopt(&verb_cancel, argc, argv, "", options, &ret) == -2)
		return ret;
	if (optind == argc)
		return cmd_usage(&verb_cancel, "which run?");
	for (int i = optind; i < argc; i++) {
		int r = cancel_one(argv[i]);

		ret = ret ? ret : r;
	}
	return ret;
}
