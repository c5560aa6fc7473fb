/*
 * next.c - a job's successor: the same group once more, when this job has ended.
 *
 * Each job of a group has a turn, and of the jobs of one turn (should an engine that
 * was started again submit a second one) only the first that says so runs: a member is
 * never run by two.  An engine that dies before it has submitted one leaves a run that
 * `weft resume` goes on with, in turns of its own that end those before.
 */
#include "rounds.h"

#include "slurm/slurm.h"

#include <stdlib.h>
#include <string.h>

char *next_place(const struct next *n)
{
	if (n->group == NEXT_ALL)
		return strdup("all");
	if (n->e->apart)
		return weft_printf("group-%zu.r%zu", n->group, n->e->round);
	return n->e->n_blocks ? weft_printf("group-%zu.%zu", n->group, n->e->block)
			      : weft_printf("group-%zu", n->group);
}

int next_begin(const struct next *n, struct weft_err *err)
{
	unsigned resumed = n->turn / RESUME_TURNS;
	weft_autofree char *later = weft_printf("resume_%u", resumed + 1);
	weft_autofree char *by = later ? weft_claimed_by(n->o->run, later) : NULL;
	weft_autofree char *key = next_place(n);

	if (!later || !key)
		return weft_err_nomem(err);
	if (by || (n->e->apart && rounds_outdated(n)))
		return 1;
	/* Of a round whoever ends the one before submits the first jobs. */
	if (!n->turn && !n->e->apart)
		return 0;
	return weft_claim(n->o->run, key, n->turn, n->e->job, err);
}

static int tell_watch(
	const struct run_jobs *jobs, unsigned loop, uint32_t job, struct weft_err *err)
{
	uint32_t watch = rounds_watch_of(jobs, loop);
	weft_autofree char *who = weft_printf("%u", watch);
	weft_autofree char *dep = weft_printf("afterany:%u", job);

	if (!who || !dep)
		return weft_err_nomem(err);
	return watch ? weft_slurm_depend(who, dep, err) : 0;
}

/* Who waits for this group waits for its successor, too. */
static int tell_dependents(const struct next *n, uint32_t job, struct weft_err *err)
{
	const struct weft_plan *plan = n->o->plan;
	const unsigned own = weft_plan_apart(plan, n->o->wf, n->group);
	struct run_jobs jobs;
	int bad = 0;

	if (run_jobs_read(n->o->run, &jobs, err))
		return -1;
	if (own != WEFT_NO_LOOP)
		bad = tell_watch(&jobs, own, job, err);
	for (size_t i = 0; !bad && i < plan->n_groups; i++) {
		/* What comes after the loop waits for who watches over it. */
		if (weft_plan_apart(plan, n->o->wf, i) != own && own != WEFT_NO_LOOP)
			continue;
		const struct weft_plan_group *g = &plan->group[i];
		const char *step = plan->step[g->step[0]].name;
		const struct weft_plan_need *need = NULL;
		uint32_t id = 0;

		for (size_t k = 0; k < g->n_needs; k++)
			if (g->need[k].group == n->group)
				need = &g->need[k];
		for (size_t k = 0; need && k < jobs.n; k++)
			if (weft_streq(jobs.step[k], step))
				id = jobs.id[k];
		if (!id)
			continue;
		weft_autofree char *who =
			need->corresponding && n->e->n_blocks
				? weft_printf("%u_%zu", id, n->e->block)
				: weft_printf("%u", id);
		weft_autofree char *dep = weft_printf("afterany:%u", job);
		bad = who && dep ? weft_slurm_depend(who, dep, err)
				 : weft_err_nomem(err);
	}
	run_jobs_free(&jobs);
	return bad;
}

static int note(const struct submission *s, const struct next *n, const char *self,
	uint32_t job, struct weft_err *err)
{
	weft_autofree char *name =
		weft_printf("next.%lu/%s", strtoul(self, NULL, 10) / 1000, self);
	struct weft_journal *journal;
	char id[16];

	snprintf(id, sizeof(id), "%u", job);
	if (!name)
		return weft_err_nomem(err);
	const struct submit_how how = {
		.apart = n->e->apart != NULL, .round = n->e->round};

	if (n->group == NEXT_ALL)
		return submit_allocation_note(s->run, s->wf, id, name, err);
	if (weft_journal_open(s->run, name, &journal, err))
		return -1;
	int bad = submit_note(s, journal, n->group, job,
		n->e->n_blocks ? n->e->block + 1 : 0, &how, err);
	weft_journal_sync(journal);
	weft_journal_close(journal);
	return bad;
}

int next_submit(void *next, const struct weft_engine_more *more, struct weft_err *err)
{
	const struct next *n = next;
	const struct opened *o = n->o;
	weft_autofree char *weft = cmd_path_on_nodes(o->conf);
	const struct submission s = {o->run, o->wf, o->plan, o->conf, weft};
	const char *self = getenv("SLURM_JOB_ID");
	weft_autofree char *after = weft_printf("afterany:%s", self ? self : "");
	weft_autofree char *task =
		n->e->n_blocks ? weft_printf("%zu", n->e->block) : NULL;
	weft_autofree char *stopped = NULL;
	uint32_t job = 0;

	if (!weft || !after)
		return weft_err_nomem(err);
	if (!self)
		return weft_err_set(err, WEFT_ESLURM, "not in a job");
	if (weft_run_stopped(o->run, &stopped) == 0)
		return weft_err_set(
			err, WEFT_EINTR, "%s", stopped ? stopped : "stopped");
	struct submit_how how = {.dependency = after,
		.array = task,
		.turn = n->turn + 1,
		.apart = n->e->apart != NULL,
		.round = n->e->round,
		.mem = more->mem,
		.time = more->time,
		.exclude = more->exclude};
	int bad = n->group == NEXT_ALL ? submit_allocation(&s, &how, &job, err)
				       : submit_group(&s, n->group, &how, &job, err);
	if (bad || note(&s, n, self, job, err))
		return -1;
	if (n->group == NEXT_ALL)
		return 0;
	/* They may start too early without it: then what they lack is told as lost. */
	return tell_dependents(n, job, err);
}
