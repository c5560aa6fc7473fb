/*
 * rounds.c - a loop whose rounds have jobs of their own.
 *
 * The job that ends a round submits the jobs of the next one.  One further job, small,
 * waits in the queue for all of a round's jobs, whatever becomes of them, and is told
 * to wait for the next round's instead as soon as these are submitted.  It starts
 * when nothing has said how to go on: the loop has ended, and then so does it, which is
 * what later steps wait for; or a round was broken off, and then it submits that round
 * once more, behind a successor of its own.  Records decide, and claims in the run's
 * folder say which of two jobs for the same round runs.
 */
#include "rounds.h"

#include "slurm/slurm.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 5               /* times that a round is begun again */
#define WATCH_TIME 600        /* seconds */
#define WATCH_MEM (512 << 20) /* bytes */

static bool is_group_of(const struct submission *s, size_t group, unsigned loop)
{
	return weft_plan_apart(s->plan, s->wf, group) == loop;
}

size_t rounds_last_group(const struct submission *s, unsigned loop)
{
	size_t last = 0;

	for (size_t i = 0; i < s->plan->n_groups; i++)
		if (is_group_of(s, i, loop))
			last = i;
	return last;
}

char *rounds_wait(const struct submission *s, unsigned loop, const uint32_t *job)
{
	weft_autostr struct weft_str out = {0};

	for (size_t i = 0; i < s->plan->n_groups; i++)
		if (is_group_of(s, i, loop) && job[i])
			weft_str_printf(
				&out, "%s:%u", out.len ? "" : "afterany", job[i]);
	return out.len ? weft_str_take(&out) : NULL;
}

uint32_t rounds_watch_of(const struct run_jobs *jobs, unsigned loop)
{
	char name[32];
	uint32_t job = 0;

	snprintf(name, sizeof(name), "loop/%u", loop);
	for (size_t i = 0; i < jobs->n; i++)
		if (weft_streq(jobs->step[i], name))
			job = jobs->id[i];
	return job;
}

/* ---- the job that watches -------------------------------------------------- */

/* One core of the partition that has the fewest GPUs to lose. */
static struct weft_plan_group watch_shape(const struct submission *s, unsigned loop)
{
	const struct weft_plan_group *of = &s->plan->group[rounds_last_group(s, loop)];

	for (size_t i = 0; i < s->plan->n_groups; i++) {
		const struct weft_plan_group *g = &s->plan->group[i];

		if (is_group_of(s, i, loop) &&
			g->shape.gpus_per_node < of->shape.gpus_per_node)
			of = g;
	}
	struct weft_plan_group small = {.name = of->name,
		.step = of->step,
		.n_steps = of->n_steps,
		.shape = of->shape};
	struct weft_plan_step *p = &small.shape;

	p->nodes = p->ntasks = p->ntasks_per_node = p->cpus_per_task = 1;
	p->gpus = p->gpus_per_node = 0;
	p->launch = WEFT_LAUNCH_SINGLE;
	p->mem = p->mem && p->mem < WATCH_MEM ? p->mem : WATCH_MEM;
	p->tmp = 0;
	p->time = p->time && p->time < WATCH_TIME ? p->time : WATCH_TIME;
	p->licenses = p->gres = "";
	p->exclusive = false;
	return small;
}

static int note_watch(
	struct weft_journal *journal, unsigned loop, uint32_t job, struct weft_err *err)
{
	weft_autofree char *step = weft_printf("loop/%u", loop);
	char id[16];

	snprintf(id, sizeof(id), "%u", job);
	struct weft_event e = {.time = weft_now(),
		.step = step,
		.job = id,
		.state = WEFT_STATE_SUBMITTED};
	return step ? weft_journal_add(journal, &e, err) : weft_err_nomem(err);
}

int rounds_submit_watch(const struct submission *s, unsigned loop, unsigned turn,
	const char *dependency, struct weft_journal *journal, uint32_t *job,
	struct weft_err *err)
{
	struct weft_plan_group shape = watch_shape(s, loop);
	weft_autofree char *comment = run_jobs_comment(s->run);
	weft_autofree char *what = weft_printf("--watch=%u", loop);
	weft_autofree char *out = weft_printf("%s/jobs/loop-%u", s->run->dir, loop);
	weft_autoargv struct weft_argv a = {0};
	weft_autostr struct weft_str script = {0};

	if (!comment || !what || !out || weft_plan_sbatch_args(&shape, &a))
		return weft_err_nomem(err);
	weft_argv_addf(&a, "--job-name=%s.loop", s->run->name);
	weft_argv_addf(&a, "--comment=%s", comment);
	/* Slurm fills in what it takes for a pattern. */
	if (strpbrk(out, "%\\"))
		weft_argv_add(&a, "--output=/dev/null");
	else
		weft_argv_addf(&a, "--output=%s-%%j.out", out);
	weft_argv_add(&a, "--open-mode=append");
	weft_argv_add(&a, "--requeue"); /* all that it does can be done again */
	weft_argv_addf(&a, "--chdir=%s", s->run->workdir);
	add_pairs(&s->wf->slurm, &a);
	if (dependency)
		weft_argv_addf(&a, "--dependency=%s", dependency);
	weft_str_add(&script,
		"#!/bin/sh\n# goes on with a loop of weft's whose jobs have "
		"died: see weft status\nfor try in 1 2 3; do\n");
	submit_engine_line(s, "", what, turn, &script);
	weft_str_add(&script, "[ $? -ne 0 ] || exit 0\nsleep 2\ndone\nexit 1\n");
	if (a.failed || script.failed)
		return weft_err_nomem(err);
	if (weft_slurm_submit(a.v, script.s, job, err))
		return weft_err_prefix(err, "the job that watches over the loop");
	return note_watch(journal, loop, *job, err);
}

/* ---- a round's jobs --------------------------------------------------------- */

struct wave {
	const struct submission *s;
	unsigned loop, turn;
	size_t round;
	struct weft_journal *journal;
	uint32_t *job; /* of each group */
};

/* Of what it needs within the round. */
static char *needs(const struct wave *w, const struct weft_plan_group *g)
{
	weft_autostr struct weft_str out = {0};

	for (size_t i = 0; i < g->n_needs; i++)
		if (w->job[g->need[i].group])
			weft_str_printf(&out, "%s:%u", out.len ? "" : "afterany",
				w->job[g->need[i].group]);
	return out.len ? weft_str_take(&out) : NULL;
}

static int submit_wave(struct wave *w, struct weft_err *err)
{
	const struct submission *s = w->s;

	for (size_t i = 0; i < s->plan->n_groups; i++) {
		if (!is_group_of(s, i, w->loop))
			continue;
		weft_autofree char *dep = needs(w, &s->plan->group[i]);
		const struct submit_how how = {.dependency = dep,
			.turn = w->turn,
			.apart = true,
			.round = w->round};

		if (submit_group(s, i, &how, &w->job[i], err) ||
			submit_note(s, w->journal, i, w->job[i], 0, &how, err))
			return -1;
	}
	return 0;
}

/* The job that watches waits for this round; where it doesn't wait any more there is a
 * new one. */
static int point_watch(struct wave *w, uint32_t watch, struct weft_err *err)
{
	weft_autofree char *dep = rounds_wait(w->s, w->loop, w->job);
	weft_autoerr struct weft_err why = {0};

	if (!dep)
		return weft_err_nomem(err);
	if (watch && weft_slurm_depend_on(watch, dep, &why) == 0)
		return 0;
	if (watch)
		weft_log(WEFT_WARN, "the job that watches over the loop is gone: %s",
			why.text);
	return rounds_submit_watch(
		w->s, w->loop, w->turn, dep, w->journal, &watch, err);
}

static int open_notes(const struct submission *s, const char *job,
	struct weft_journal **journal, struct weft_err *err)
{
	weft_autofree char *name =
		weft_printf("round.%lu/%s", strtoul(job, NULL, 10) / 1000, job);

	return name ? weft_journal_open(s->run, name, journal, err)
		    : weft_err_nomem(err);
}

static unsigned base_of(unsigned turn)
{
	return turn / RESUME_TURNS * RESUME_TURNS;
}

int rounds_go_on(const struct next *n, struct weft_err *err)
{
	const struct opened *o = n->o;
	weft_autofree char *weft = cmd_path_on_nodes(o->conf);
	const struct submission s = {o->run, o->wf, o->plan, o->conf, weft};
	unsigned loop = (unsigned)(n->e->apart - o->wf->loop);
	weft_autofree char *key =
		weft_printf("round-%u.%u", loop, n->turn / RESUME_TURNS);
	weft_autofree char *stopped = NULL;
	weft_autofree uint32_t *job = calloc(o->plan->n_groups + 1, sizeof(*job));
	struct run_jobs jobs = {0};
	enum weft_engine_next next;

	if (!weft || !key || !job)
		return weft_err_nomem(err);
	if (weft_run_stopped(o->run, &stopped) == 0 || rounds_outdated(n))
		return 0;
	if (weft_engine_round(n->e, loop, n->e->round, &next, err))
		return -1;
	if (next != WEFT_ROUND_NEXT)
		return 0;
	int r = weft_claim(o->run, key, n->e->round, n->e->job, err);
	if (r)
		return r < 0 ? -1 : 0;
	struct wave w = {.s = &s,
		.loop = loop,
		.turn = base_of(n->turn),
		.round = n->e->round + 1,
		.job = job};
	r = run_jobs_read(o->run, &jobs, err) ||
	    open_notes(&s, n->e->job, &w.journal, err) || submit_wave(&w, err) ||
	    point_watch(&w, rounds_watch_of(&jobs, loop), err);
	if (w.journal)
		weft_journal_sync(w.journal);
	weft_journal_close(w.journal);
	run_jobs_free(&jobs);
	return r ? -1 : 0;
}

/* ---- begun again -------------------------------------------------------------- */

static char *again_key(unsigned loop, unsigned turn, size_t round)
{
	return weft_printf("again-%u.%u-r%zu", loop, turn / RESUME_TURNS, round);
}

bool rounds_outdated(const struct next *n)
{
	unsigned loop = (unsigned)(n->e->apart - n->o->wf->loop);
	unsigned try = n->turn % RESUME_TURNS / ROUND_TURNS;
	weft_autofree char *key = again_key(loop, n->turn, n->e->round);
	weft_autofree char *name = key ? weft_printf("%s_%u", key, try + 1) : NULL;
	weft_autofree char *by = name ? weft_claimed_by(n->o->run, name) : NULL;

	return by != NULL;
}

/* 1: it has been broken off too often. */
static int claim_try(const struct opened *o, const struct weft_engine *e,
	const struct wave *w, unsigned *try, struct weft_err *err)
{
	weft_autofree char *key = again_key(w->loop, w->turn, w->round);

	if (!key)
		return weft_err_nomem(err);
	for (*try = 1; *try <= TRIES; ++*try) {
		int r = weft_claim(o->run, key, *try, e->job, err);

		if (r <= 0)
			return r;
	}
	return 1;
}

struct watch {
	const struct opened *o;
	const struct weft_engine *e;
	struct wave *w;
	struct run_jobs jobs; /* of the run */
	struct live_jobs *live;
	uint32_t self, next; /* jobs that watch: we, and who comes after us */
};

static bool in_loop(const struct watch *v, size_t k)
{
	const struct weft_step *step = weft_spec_step(v->o->wf, v->jobs.step[k]);

	/* One that nobody has noted may be. */
	return step ? step->loop == v->w->loop : !*v->jobs.step[k];
}

/* "afterany:1:2" of jobs of the loop that are there; NULL: none is. */
static char *still_there(const struct watch *v)
{
	weft_autostr struct weft_str out = {0};

	for (size_t k = 0; k < v->jobs.n; k++)
		if (v->jobs.id[k] != v->self && in_loop(v, k) &&
			live_jobs_has_id(v->live, v->jobs.id[k]))
			weft_str_printf(&out, "%s:%u", out.len ? "" : "afterany",
				v->jobs.id[k]);
	return out.len ? weft_str_take(&out) : NULL;
}

/* Later steps wait for our successor, too. */
static int tell_later(const struct watch *v, struct weft_err *err)
{
	const struct submission *s = v->w->s;
	weft_autofree char *dep = weft_printf("afterany:%u", v->next);
	int bad = 0;

	for (size_t i = 0; dep && !bad && i < s->plan->n_groups; i++) {
		const struct weft_plan_group *g = &s->plan->group[i];
		bool waits = false;
		uint32_t job = 0;

		for (size_t k = 0; k < g->n_needs; k++)
			waits |= is_group_of(s, g->need[k].group, v->w->loop);
		for (size_t k = 0; k < v->jobs.n; k++)
			if (weft_streq(v->jobs.step[k], s->plan->step[g->step[0]].name))
				job = v->jobs.id[k];
		if (!waits || !job || is_group_of(s, i, v->w->loop))
			continue;
		weft_autofree char *who = weft_printf("%u", job);
		bad = who ? weft_slurm_depend(who, dep, err) : weft_err_nomem(err);
	}
	return dep ? bad : weft_err_nomem(err);
}

/* From now on somebody watches over what we do, should we not come to the end of it. */
static int arm(struct watch *v, const char *dependency, struct weft_err *err)
{
	uint32_t last = rounds_watch_of(&v->jobs, v->w->loop);

	/* Slurm may have started us again. */
	if (last && last != v->self && live_jobs_has_id(v->live, last)) {
		v->next = last;
		return weft_slurm_depend_on(last, dependency, err);
	}
	if (rounds_submit_watch(v->w->s, v->w->loop, v->w->turn, dependency,
		    v->w->journal, &v->next, err))
		return -1;
	return tell_later(v, err);
}

/* A job of the last round that a user has cancelled: that is no accident. */
static uint32_t cancelled(const struct watch *v)
{
	const struct submission *s = v->w->s;

	for (size_t i = 0; i < s->plan->n_groups; i++) {
		const char *step = s->plan->step[s->plan->group[i].step[0]].name;
		uint32_t job = 0;

		if (!is_group_of(s, i, v->w->loop))
			continue;
		for (size_t k = 0; k < v->jobs.n; k++)
			if (weft_streq(v->jobs.step[k], step))
				job = v->jobs.id[k];
		if (job && live_jobs_cancelled(v->live, job))
			return job;
	}
	return 0;
}

static int stop(const struct opened *o, char *why, struct weft_err *err)
{
	weft_autofree char *text = why;

	if (!text)
		return weft_err_nomem(err);
	weft_log(WEFT_ERROR, "%s", text);
	return o->wf->on_failure == WEFT_ON_FAILURE_CONTINUE
		       ? 0
		       : weft_run_stop(o->run, text, err);
}

/* The first round that has no end; 1: the loop has one, or won't go on. */
static int find_round(struct watch *v, bool *open, struct weft_err *err)
{
	const struct weft_loop *l = &v->o->wf->loop[v->w->loop];
	enum weft_engine_next next = WEFT_ROUND_NEXT;

	for (size_t r = 0; r < l->rounds; r++) {
		v->w->round = r;
		if (weft_engine_round(v->e, v->w->loop, r, &next, err))
			return -1;
		if (next != WEFT_ROUND_NEXT)
			break;
	}
	*open = next == WEFT_ROUND_OPEN;
	return *open ? 0 : 1;
}

static int begin_again(struct watch *v, struct weft_err *err)
{
	weft_autofree char *self = weft_printf("afterany:%u", v->self);
	uint32_t by = cancelled(v);
	bool open;
	unsigned try = 0;
	int r = find_round(v, &open, err);

	if (r)
		return r < 0 ? -1 : 0;
	if (by)
		return stop(
			v->o, weft_printf("job %u of the loop was cancelled", by), err);
	if (!self)
		return weft_err_nomem(err);
	if (arm(v, self, err))
		return -1;
	r = claim_try(v->o, v->e, v->w, &try, err);
	if (r > 0)
		return stop(v->o,
			weft_printf("round %zu was broken off %d times", v->w->round,
				TRIES + 1),
			err);
	v->w->turn = base_of(v->w->turn) + try * ROUND_TURNS;
	weft_log(WEFT_WARN, "round %zu goes on in other jobs", v->w->round);
	return r || submit_wave(v->w, err) || point_watch(v->w, v->next, err) ? -1 : 0;
}

int rounds_watch(const struct opened *o, const struct weft_engine *e, unsigned loop,
	unsigned turn, struct weft_err *err)
{
	weft_autofree char *weft = cmd_path_on_nodes(o->conf);
	const struct submission s = {o->run, o->wf, o->plan, o->conf, weft};
	weft_autofree uint32_t *job = calloc(o->plan->n_groups + 1, sizeof(*job));
	struct wave w = {.s = &s, .loop = loop, .turn = turn, .job = job};
	struct watch v = {.o = o, .e = e, .w = &w};
	weft_autofree char *later = weft_printf("resume_%u", turn / RESUME_TURNS + 1);
	weft_autofree char *by = later ? weft_claimed_by(o->run, later) : NULL;
	weft_autofree char *stopped = NULL, *others = NULL;

	if (!weft || !job || !later)
		return weft_err_nomem(err);
	if (by || weft_run_stopped(o->run, &stopped) == 0)
		return 0;
	v.self = (uint32_t)strtoul(e->job, NULL, 10);
	int r = live_jobs_load(&v.live, err) || run_jobs_read(o->run, &v.jobs, err) ||
		run_jobs_add_live(o->run, v.live, &v.jobs, err) ||
		open_notes(&s, e->job, &w.journal, err);
	if (!r) {
		others = still_there(&v);
		r = others ? arm(&v, others, err) : begin_again(&v, err);
	}
	if (w.journal)
		weft_journal_sync(w.journal);
	weft_journal_close(w.journal);
	run_jobs_free(&v.jobs);
	live_jobs_free(v.live);
	return r ? -1 : 0;
}
