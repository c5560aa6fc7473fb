/*
 * turns.c - a job of an array that has time left runs what a waiting one would.
 *
 * Its members start at once, without another wait in the queue and another start of a
 * job.  The first claim to a block says who runs it, and each job claims its own before
 * anything else: so none is run twice.  What a job that dies had claimed is lost like
 * its own.
 */
#include "turns.h"

#include "slurm/slurm.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARGIN 10.0 /* seconds: when a job ends is known about so well */
#define TELL_EVERY 60.0
#define SETTLED                                                                        \
	2.0 /* seconds after which those that Slurm starts with us have begun          \
	     */

int turns_begin(struct turns *t, const struct opened *o, size_t group,
	const struct weft_engine *e, struct weft_err *err)
{
	const char *array = getenv("SLURM_ARRAY_JOB_ID");
	double seconds = (double)weft_plan_block_time(o->plan, group);

	*t = (struct turns){0};
	if (!array || e->n_blocks < 2 || !seconds ||
		(double)o->plan->group[group].shape.time < seconds + MARGIN)
		return 0;
	*t = (struct turns){.array = array,
		.left = e->n_blocks,
		.needs = seconds + MARGIN,
		.begun = weft_now()};
	return weft_claim(e->run, array, e->block, e->job, err);
}

/* The jobs that would have run them needn't start, and what follows waits for their
 * end. All in one message, from a child: members are waiting here. */
static void let_go(struct turns *t, double now)
{
	weft_autofree char *tasks = weft_str_take(&t->taken);
	weft_autofree char *jobs = weft_printf("%s_[%s]", t->array, tasks);
	weft_autoerr struct weft_err err = {0};

	t->told = now;
	if (t->child > 0)
		waitpid(t->child, NULL, 0);
	fflush(NULL);
	t->child = tasks && jobs ? fork() : 0;
	if (t->child || !tasks || !jobs)
		return;
	if (weft_slurm_cancel_tasks(jobs, &err))
		weft_log(WEFT_WARN, "%s", err.text);
	_exit(0);
}

/* From the end: Slurm starts them from the beginning. */
static bool any_left(struct turns *t, const struct weft_run *run)
{
	for (; t->left; t->left--) {
		weft_autofree char *job = weft_printf("%s_%zu", t->array, t->left - 1);
		weft_autofree char *by = job ? weft_claimed_by(run, job) : NULL;

		if (!by)
			return true;
	}
	return false;
}

bool turns_next(struct turns *t, struct weft_engine *e)
{
	weft_autoerr struct weft_err err = {0};
	weft_autofree char *why = NULL;
	double now = weft_now();

	if (weft_run_stopped(e->run, &why) == 0 || now < t->begun + SETTLED)
		return false;
	while (e->end - now > t->needs && any_left(t, e->run)) {
		size_t task = --t->left;
		int r = weft_claim(e->run, t->array, task, e->job, &err);

		if (r < 0) {
			weft_log(WEFT_WARN, "%s", err.text);
			return false;
		}
		if (r)
			continue;
		e->block = task;
		weft_str_printf(&t->taken, "%s%zu", t->taken.len ? "," : "", task);
		if (now > t->told + TELL_EVERY || !any_left(t, e->run))
			let_go(t, now);
		return true;
	}
	return false;
}

void turns_end(struct turns *t)
{
	if (t->taken.len)
		let_go(t, weft_now());
	if (t->child > 0)
		waitpid(t->child, NULL, 0);
	weft_str_free(&t->taken);
	*t = (struct turns){0};
}
