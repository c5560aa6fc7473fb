/* cmd_resume.c - weft resume: goes on with a run, with what has no valid record */
#include "remains.h"

#include "slurm/slurm.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int resume(int argc, char **argv);

WEFT_VERB(resume, .name = "resume", .synopsis = "[OPTION...] RUN",
	.summary = "Goes on with a run: runs what has no valid completion record",
	.help = "  --why                say of each step what makes it run again\n"
		"  -n, --dry-run        say so and do nothing\n"
		"  --update             with the workflow file as it is now\n"
		"  --cancel             end what still lives of the run first\n"
		"  --detach             on Slurm: submit, and don't follow\n"
		"  -q, --quiet          print nothing but errors\n"
		"  --json               print the final status as JSON\n\n"
		"RUN is a run directory, or the name of a workflow for its latest run. "
		" "
		"A step or\n"
		"member runs again unless it is done, was made by the definition and "
		"from the\n"
		"inputs that it has now, and nothing that it needs runs again.\n",
	.order = 13, .run = resume);

struct resume_args {
	bool why, dry, update, cancel, detach, quiet, json;
};

/* Nothing of the run may live: two engines would run the same. */
static int make_sure(const struct opened *o, bool cancel, struct weft_err *err)
{
	struct run_jobs jobs = {0};
	struct live_jobs *live = NULL;
	uint32_t first = 0;
	size_t n = 0;

	if (o->run->local) {
		if (local_engine_gone(o->run))
			return local_engine_ended(o->run, err);
		weft_err_set(err, WEFT_EUSAGE,
			"%s may still run: its engine isn't known to have ended",
			o->run->id);
		return weft_err_hint(err, "resume it where it was started, once that "
					  "weft has ended");
	}
	if (live_jobs_load(&live, err))
		return -1;
	int bad = run_jobs_read(o->run, &jobs, err) ||
		  run_jobs_add_live(o->run, live, &jobs, err);
	for (size_t i = 0; !bad && i < jobs.n; i++)
		if (live_jobs_has_id(live, jobs.id[i]) && !n++)
			first = jobs.id[i];
	live_jobs_free(live);
	if (!bad && n && !cancel) {
		weft_err_set(err, WEFT_EUSAGE, "%zu job%s of %s still live%s: %u%s", n,
			n == 1 ? "" : "s", o->run->id, n == 1 ? "s" : "", first,
			n > 1 ? " and others" : "");
		weft_err_hint(err,
			"wait for them, or --cancel ends them before the run goes on");
		bad = -1;
	} else if (!bad && n) {
		bad = weft_run_stop(
			      o->run, "the run was cancelled, to be resumed", err) ||
		      run_jobs_end(o->run, &jobs, err);
	}
	run_jobs_free(&jobs);
	return bad ? -1 : 0;
}

/* Which resumption this is, from 1: engines of earlier ones start nothing. */
static int claim(const struct weft_run *run, unsigned *number, struct weft_err *err)
{
	char who[32];

	snprintf(who, sizeof(who), "%d", (int)getpid());
	for (*number = 1; *number < 1000000; ++*number) {
		int r = weft_claim(run, "resume", *number, who, err);

		if (r <= 0)
			return r;
	}
	return weft_err_set(err, WEFT_EUSAGE, "resumed too often");
}

static int start(
	const struct opened *o, struct remains *r, unsigned *turn, struct weft_err *err)
{
	weft_autofree char *weft = cmd_path_on_nodes(o->conf);
	const struct submission s = {o->run, o->wf, o->plan, o->conf, weft};
	unsigned number;

	if (!weft)
		return weft_err_nomem(err);
	if (claim(o->run, &number, err))
		return -1;
	weft_autofree char *writer = weft_printf("resume-%u", number);
	*turn = number * RESUME_TURNS;
	if (!writer)
		return weft_err_nomem(err);
	if (remains_void(r, writer, err) || weft_run_unstop(o->run, err))
		return -1;
	weft_autoerr struct weft_err why = {0};
	if (weft_records_compact(o->run, o->wf, &why) < 0)
		weft_log(WEFT_WARN, "%s", why.text);
	if (o->run->local)
		return 0;
	weft_autofree size_t *round = remains_rounds(r, err);
	char **tasks = remains_tasks(r, err);
	int bad = tasks && round ? submit_run(&s, (const char *const *)tasks, round,
					   *turn, err)
				 : -1;
	remains_tasks_free(r, tasks);
	return bad;
}

static int tell(const struct remains *r, const struct resume_args *a)
{
	struct weft_str out = {0};
	size_t all = 0;

	for (size_t i = 0; i < r->o->wf->n_steps; i++)
		all += r->o->wf->step[i].sweep.count;
	if (a->why || a->dry)
		remains_print(r, &out);
	weft_str_printf(
		&out, "%s: %zu of %zu run again\n", r->o->run->id, r->total, all);
	if (a->quiet && !a->why && !a->dry) {
		weft_str_free(&out);
		return 0;
	}
	return cmd_print(&out);
}

/* The file that the run was made from, as it is now, planned anew. */
static int read_again(const struct opened *o, struct job_args *a, struct job *j)
{
	struct weft_err err = {0};

	*a = (struct job_args){
		.file = o->run->file, .local = o->run->local, .run = o->run};
	for (size_t i = 0; i < o->run->n_set && i < WEFT_COUNT(a->w.set); i++)
		a->w.set[a->w.n_set++] = o->run->set[i];
	for (size_t i = 0; i < o->run->n_overlay && i < WEFT_COUNT(a->w.overlay); i++)
		a->w.overlay[a->w.n_overlay++] = o->run->overlay[i];
	int status = job_open(j, a);
	if (!status && weft_run_grow(o->run, j->wf, &err))
		status = cmd_fail(&err);
	return status;
}

static int go_on(const char *name, const struct resume_args *a, struct opened *o,
	struct job *j, struct remains *r)
{
	struct weft_err err = {0};
	struct job_args args;
	struct opened view;
	unsigned turn = 0;
	pid_t engine = 0;
	int status = opened_open(o, name, NULL);

	if (status || (a->update && (status = read_again(o, &args, j))))
		return status;
	view = (struct opened){.run = o->run,
		.wf = a->update ? j->wf : o->wf,
		.conf = o->conf,
		.plan = a->update ? j->plan : o->plan};
	if (cmd_switched_on(o->conf, o->wf->name, &err) ||
		(!a->dry && make_sure(o, a->cancel, &err)) ||
		remains_find(r, &view, &err))
		return cmd_fail(&err);
	if ((status = tell(r, a)) || a->dry || !(r->total + r->open))
		return status;
	if ((a->update && revise_run(j, &args, o->run, &err)) ||
		start(&view, r, &turn, &err))
		return cmd_fail(&err);
	weft_autofree char *dir = strdup(o->run->dir);
	remains_free(r);
	opened_close(o);
	if (!dir || (status = opened_open(o, dir, NULL)))
		return status ? status : cmd_fail(&err);
	if (o->run->local && local_engine_start(o, &engine, &err))
		return cmd_fail(&err);
	return engine || !a->detach ? follow(o, engine, a->quiet, a->json) : 0;
}

static int resume_it(const char *name, const struct resume_args *a)
{
	struct remains r = {0};
	struct opened o = {0};
	struct job j = {0};
	int status = go_on(name, a, &o, &j, &r);

	if (r.o)
		remains_free(&r);
	opened_close(&o);
	job_close(&j);
	return status;
}

static int resume(int argc, char **argv)
{
	static const struct option options[] = {{"why", no_argument, NULL, 'w'},
		{"dry-run", no_argument, NULL, 'n'}, {"cancel", no_argument, NULL, 'c'},
		{"update", no_argument, NULL, 'u'}, {"detach", no_argument, NULL, 'd'},
		{"quiet", no_argument, NULL, 'q'}, {"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0}};
	struct resume_args a = {0};
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_resume, argc, argv, "nq", options, &status)) !=
		-1) {
		switch (c) {
		case -2:
			return status;
		case 'w':
			a.why = true;
			break;
		case 'n':
			a.dry = true;
			break;
		case 'u':
			a.update = true;
			break;
		case 'c':
			a.cancel = true;
			break;
		case 'd':
			a.detach = true;
			break;
		case 'q':
			a.quiet = true;
			break;
		case 'j':
			a.json = a.quiet = true;
			break;
		}
	}
	if (optind != argc - 1)
		return cmd_usage(&verb_resume, "which run?");
	return resume_it(argv[optind], &a);
}
