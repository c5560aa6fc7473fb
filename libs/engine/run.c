/* run.c - which member starts when: records say what may, nodes say where */
#include "engine/budget.h"
#include "engine/room.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct member_slot {
	enum weft_state state;
	enum weft_code code;
};

struct running {
	pid_t pid;
	unsigned step;
	size_t member;
	struct share share; /* of the nodes */
};

struct engine {
	const struct weft_engine *e;
	struct member_slot **slot; /* [step][member] */
	struct weft_tally *tally;  /* of each step */
	bool *ours;                /* steps that this engine runs */
	bool *alike;               /* all its members wait for the same */
	size_t *first, *last;      /* members [first, last) of each step are ours */
	size_t *next;              /* first member that may be unfinished */
	struct running *run;
	size_t n_running, cap;
	struct room room;
	struct budget *budget; /* NULL: there is none */
	unsigned *active;      /* running members of each step */
	bool stopping;         /* told to end */
	bool cancelled;        /* what runs was ended: the budget is used up */
	enum weft_code code;
};

static enum weft_state state_of(void *ctx, unsigned step, size_t member)
{
	struct engine *g = ctx;

	return g->slot[step][member].state;
}

static void set_state(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code)
{
	struct member_slot *m = &g->slot[s][i];

	g->tally[s].count[m->state]--;
	g->tally[s].count[state]++;
	m->state = state;
	m->code = code;
}

/* ---- what other jobs did ----------------------------------------------- */

struct reading {
	struct engine *g;
	unsigned step;
	struct weft_err *err;
};

static bool in_blocks(const struct engine *g)
{
	return g->e->n_blocks > 1;
}

static int read_record(void *ctx, size_t i)
{
	struct reading *r = ctx;
	const struct weft_step *step = &r->g->e->wf->step[r->step];
	struct weft_record *rec = NULL;
	struct weft_member m;

	if (weft_state_ended(r->g->slot[r->step][i].state))
		return 0;
	if (weft_sweep_member(r->g->e->wf, step, i, &m, r->err))
		return -1;
	weft_autofree char *dir = weft_run_step_dir(r->g->e->run, step, &m);
	weft_member_clear(&m);
	if (!dir)
		return weft_err_nomem(r->err);
	int got = weft_record_read(dir, &rec, r->err);
	if (got < 0) {
		/* No proof of anything: it counts as none. */
		weft_log(WEFT_WARN, "%s", r->err->text);
		weft_err_clear(r->err);
	} else if (got == 0) {
		set_state(r->g, r->step, i, rec->state, rec->code);
		weft_record_free(rec);
	}
	return 0;
}

static int read_step(struct engine *g, unsigned s, struct weft_err *err)
{
	struct reading r = {g, s, err};
	int bad = 0;

	for (size_t i = 0; !bad && i < g->e->wf->step[s].sweep.count; i++)
		bad = read_record(&r, i);
	return bad;
}

/* Only what ours need: each task of a large sweep reads its own counterparts. */
static int read_needed(struct engine *g, unsigned s, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;
	const struct weft_step *step = &wf->step[s];

	if (step->finally) {
		for (unsigned k = 0; k < wf->n_steps; k++)
			if (!g->ours[k] && read_step(g, k, err))
				return -1;
		return 0;
	}
	for (size_t k = 0; k < step->n_edges; k++) {
		const struct weft_edge *e = &step->edge[k];
		struct reading r = {g, e->step, err};

		if (g->ours[e->step])
			continue;
		int bad = 0;

		if (in_blocks(g) && weft_spec_matches(wf, step, e)) {
			for (size_t i = g->first[s]; !bad && i < g->last[s]; i++)
				bad = weft_spec_each_match(
					wf, step, i, e, read_record, &r);
		} else {
			bad = read_step(g, e->step, err);
		}
		if (bad)
			return err->code ? -1 : weft_err_nomem(err);
	}
	return 0;
}

/* In a job, the groups that we waited for have ended: what has no record by now
 * never will. */
static int read_others(struct engine *g, struct weft_err *err)
{
	for (unsigned s = 0; s < g->e->wf->n_steps; s++)
		if (g->ours[s] && read_needed(g, s, err))
			return -1;
	for (unsigned s = 0; s < g->e->wf->n_steps; s++) {
		if (g->ours[s])
			continue;
		for (size_t i = 0; i < g->e->wf->step[s].sweep.count; i++)
			if (!weft_state_ended(g->slot[s][i].state))
				set_state(g, s, i, WEFT_STATE_LOST, WEFT_OK);
	}
	return 0;
}

/* ---- starting ---------------------------------------------------------- */

static int start(
	struct engine *g, unsigned s, size_t i, struct running *r, struct weft_err *err)
{
	if (weft_grow(g->run, g->n_running, g->cap))
		return weft_err_nomem(err);
	fflush(NULL);
	pid_t self = getpid();
	r->pid = fork();
	if (r->pid < 0)
		return weft_err_sys(err, WEFT_ESYS, "fork");
	if (r->pid == 0) {
		/* An engine that dies takes its members along, in good order. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != self)
			raise(SIGTERM); /* it is blocked, and waits in line */
		_exit(member_run(g->e, &g->e->wf->step[s], i, &r->share.slot));
	}
	r->step = s;
	r->member = i;
	g->run[g->n_running++] = *r;
	set_state(g, s, i, WEFT_STATE_RUNNING, WEFT_OK);
	budget_member(g->budget, s, 1);
	g->active[s]++;
	return 0;
}

static void end(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code, const char *reason)
{
	member_end(g->e, &g->e->wf->step[s], i, state, code, reason);
	set_state(g, s, i, state, code);
}

static size_t failed_members(const struct engine *g, unsigned s)
{
	const size_t *n = g->tally[s].count;

	return n[WEFT_STATE_FAILED] + n[WEFT_STATE_LOST] + n[WEFT_STATE_CANCELLED];
}

/* Nothing new starts; with on_failure: cancel what runs is ended. */
static void stop_run(struct engine *g, const char *why)
{
	weft_autofree char *already = NULL;
	weft_autoerr struct weft_err err = {0};

	/* The first reason is what others followed from. */
	if (weft_run_stopped(g->e->run, &already) != 0 &&
		(!why || weft_run_stop(g->e->run, why, &err)))
		weft_log(WEFT_WARN, "stop marker: %s",
			err.text ? err.text : "no memory");
	if (g->e->wf->on_failure != WEFT_ON_FAILURE_CANCEL)
		return;
	for (size_t k = 0; k < g->n_running; k++)
		if (!weft_step_after_stop(&g->e->wf->step[g->run[k].step]))
			kill(g->run[k].pid, SIGTERM);
	if (g->e->cancel_run)
		g->e->cancel_run(g->e->ctx);
}

/* A member failed: has the step, and what then? */
static void on_failure(struct engine *g, unsigned s, size_t i)
{
	const struct weft_step *step = &g->e->wf->step[s];
	weft_autoerr struct weft_err err = {0};

	if (step->optional)
		return;
	/* Members of other blocks run in other jobs: count theirs too. */
	if (step->max_failed > 0 && in_blocks(g) && read_step(g, s, &err)) {
		weft_log(WEFT_WARN, "%s: %s", step->name, err.text);
		weft_err_clear(&err);
	}
	if (!weft_sweep_failed(step, failed_members(g, s)))
		return;
	if (!g->code)
		g->code = g->slot[s][i].code ? g->slot[s][i].code : WEFT_EFAILED;
	if (g->e->wf->on_failure == WEFT_ON_FAILURE_CONTINUE)
		return;
	weft_autofree char *why =
		weft_printf("the run was stopped: %s failed", step->name);
	stop_run(g, why);
}

static bool wanted(struct engine *g, unsigned s, size_t i, struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];
	struct unit u;
	bool yes = true;

	if (!step->when_expr)
		return true;
	if (unit_open(&u, g->e, step, i, err) ||
		weft_scope_when(&u.scope, step, &yes, err)) {
		weft_autofree char *line = weft_err_line(err);

		end(g, s, i, WEFT_STATE_FAILED, WEFT_ESPEC, line);
		weft_err_clear(err);
		on_failure(g, s, i);
		yes = false;
	} else if (!yes) {
		weft_autofree char *why =
			weft_printf("`when` is false: %s", step->when.s);

		end(g, s, i, WEFT_STATE_SKIPPED, WEFT_OK, why);
	}
	unit_close(&u);
	return yes;
}

/* The budget has no room for a member: that is its failure, and the step's, unless the
 * step may fail. */
static void end_spent(struct engine *g, unsigned s, size_t i, const char *why)
{
	const struct weft_step *step = &g->e->wf->step[s];

	end(g, s, i, WEFT_STATE_FAILED, WEFT_EPLACE, why);
	if (!step->optional && g->e->wf->on_failure != WEFT_ON_FAILURE_CONTINUE) {
		g->cancelled = true;
		if (!g->code)
			g->code = WEFT_EPLACE;
		stop_run(g, why);
	}
	on_failure(g, s, i);
}

enum { MOVED, NO_ROOM, WAITS };

/* Moves one member on if it can; *progress says whether anything changed. */
static int consider(
	struct engine *g, unsigned s, size_t i, bool *progress, struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];
	weft_autofree char *why = NULL, *stopped = NULL;
	enum weft_verdict v =
		weft_verdict(g->e->wf, step, i, state_of, g, g->tally, NULL);

	if (v == WEFT_WAIT)
		return WAITS; /* by far the most: no words for these */
	struct weft_arena arena = {0};
	struct weft_plan_step plan;
	struct running r = {0};
	int ret = MOVED;

	if (v == WEFT_NEVER || v == WEFT_SKIP) {
		*progress = true;
		weft_verdict(g->e->wf, step, i, state_of, g, g->tally, &why);
		end(g, s, i, v == WEFT_SKIP ? WEFT_STATE_SKIPPED : WEFT_STATE_NOT_RUN,
			WEFT_OK, why);
		return MOVED;
	}
	if (!weft_step_after_stop(step) && weft_run_stopped(g->e->run, &stopped) == 0) {
		*progress = true;
		end(g, s, i, WEFT_STATE_NOT_RUN, WEFT_OK, stopped);
		return MOVED;
	}
	if (step->max_parallel && g->active[s] >= step->max_parallel)
		return NO_ROOM;
	const char *spent =
		weft_step_after_stop(step) ? NULL : budget_spent(g->budget, s);
	if (spent) {
		*progress = true;
		end_spent(g, s, i, spent);
		return MOVED;
	}
	ret = weft_plan_step_member(
		g->e->plan, g->e->wf, g->e->conf, s, i, &plan, &arena, err);
	if (!ret)
		ret = room_take(&g->room, &plan, step, &r.share, err);
	if (!ret) {
		*progress = true;
		if (!wanted(g, s, i, err))
			room_give(&g->room, &r.share);
		else if ((ret = start(g, s, i, &r, err)))
			room_give(&g->room, &r.share);
	}
	weft_arena_free(&arena);
	return ret;
}

static int start_what_can(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;
	bool progress = true;

	while (progress && !g->stopping) {
		progress = false;
		for (size_t o = 0; o < wf->n_steps; o++) {
			unsigned s = wf->order[o];
			if (!g->ours[s])
				continue;
			while (g->next[s] < g->last[s] &&
				weft_state_ended(g->slot[s][g->next[s]].state))
				g->next[s]++;
			for (size_t i = g->next[s]; i < g->last[s]; i++) {
				int r = g->slot[s][i].state == WEFT_STATE_NONE
						? consider(g, s, i, &progress, err)
						: MOVED;
				if (r < 0)
					return -1;
				/* Its fellows need as much, and wait for as much. */
				if (r == NO_ROOM || (r == WAITS && g->alike[s]))
					break;
			}
		}
	}
	return 0;
}

/* Nothing runs and nothing can start.  What only lacks room never will: that is its
 * end, and what waits for an end of it may go on (true).  Else what is left waits for
 * nothing, or may not start any more. */
static bool give_up(struct engine *g)
{
	const struct weft_workflow *wf = g->e->wf;
	bool ended = false;

	for (int last = 0; last < 2 && !ended; last++) {
		for (size_t o = 0; o < wf->n_steps; o++) {
			unsigned s = wf->order[o];

			for (size_t i = g->next[s]; i < g->last[s]; i++) {
				weft_autofree char *why = NULL;

				if (!g->ours[s] ||
					weft_state_ended(g->slot[s][i].state))
					continue;
				if (g->stopping) {
					end(g, s, i, WEFT_STATE_NOT_RUN, WEFT_EINTR,
						"the run was interrupted");
				} else if (last) {
					weft_verdict(wf, &wf->step[s], i, state_of, g,
						g->tally, &why);
					end(g, s, i, WEFT_STATE_NOT_RUN, WEFT_OK, why);
				} else if (weft_verdict(wf, &wf->step[s], i, state_of,
						   g, g->tally, NULL) == WEFT_READY) {
					ended = true;
					end(g, s, i, WEFT_STATE_FAILED, WEFT_EPLACE,
						"it needs more nodes than there are "
						"here");
					on_failure(g, s, i);
					break; /* the next one may need less */
				}
			}
		}
	}
	return ended;
}

/* ---- ending ------------------------------------------------------------ */

/* A member's process has ended: its record says how, and if there is none, that
 * says it too. */
static int reap(struct engine *g, size_t k, struct weft_err *err)
{
	struct running r = g->run[k];
	const struct weft_step *step = &g->e->wf->step[r.step];
	struct weft_record *rec = NULL;
	struct weft_member m;

	g->run[k] = g->run[--g->n_running];
	g->active[r.step]--;
	budget_member(g->budget, r.step, -1);
	room_give(&g->room, &r.share);
	if (weft_sweep_member(g->e->wf, step, r.member, &m, err))
		return -1;
	weft_autofree char *dir = weft_run_step_dir(g->e->run, step, &m);
	weft_member_clear(&m);
	if (!dir)
		return weft_err_nomem(err);
	if (weft_record_read(dir, &rec, err) == 0) {
		set_state(g, r.step, r.member, rec->state, rec->code);
		weft_record_free(rec);
	} else {
		weft_err_clear(err);
		end(g, r.step, r.member, WEFT_STATE_FAILED, WEFT_EFAILED,
			"the process that watched over it died");
	}
	enum weft_state st = g->slot[r.step][r.member].state;
	if (st == WEFT_STATE_FAILED || (st == WEFT_STATE_CANCELLED && !g->stopping))
		on_failure(g, r.step, r.member);
	return 0;
}

static int wait_some(struct engine *g, struct weft_err *err)
{
	sigset_t set;
	int sig;

	signals_watched(&set);
	struct timespec t = {budget_wait(g->budget, 60), 0};
	sig = sigtimedwait(&set, NULL, &t);
	if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP) {
		g->stopping = true;
		for (size_t k = 0; k < g->n_running; k++)
			kill(g->run[k].pid, SIGTERM);
	}
	for (size_t k = 0; k < g->n_running;) {
		pid_t got = waitpid(g->run[k].pid, NULL, WNOHANG);

		if (got == g->run[k].pid || (got < 0 && errno == ECHILD)) {
			if (reap(g, k, err))
				return -1;
		} else {
			k++;
		}
	}
	return 0;
}

/* on_failure: cancel doesn't wait for a member that would start. */
static void cancel_spent(struct engine *g)
{
	const char *why;

	if (g->e->wf->on_failure != WEFT_ON_FAILURE_CANCEL || g->stopping ||
		g->cancelled || !(why = budget_over(g->budget)))
		return;
	g->cancelled = true;
	if (!g->code)
		g->code = WEFT_EPLACE;
	stop_run(g, why);
}

static void free_engine(struct engine *g)
{
	for (size_t s = 0; g->slot && s < g->e->wf->n_steps; s++)
		free(g->slot[s]);
	free(g->slot);
	free(g->tally);
	free(g->alike);
	free(g->ours);
	free(g->next);
	free(g->first);
	free(g->last);
	free(g->run);
	room_close(&g->room);
	budget_close(g->budget);
	free(g->active);
}

static int set_up(struct engine *g, struct weft_err *err)
{
	const struct weft_engine *e = g->e;
	size_t n = e->wf->n_steps, blocks = e->n_blocks ? e->n_blocks : 1;

	g->slot = calloc(n + 1, sizeof(*g->slot));
	g->ours = calloc(n + 1, sizeof(*g->ours));
	g->next = calloc(n + 1, sizeof(*g->next));
	g->active = calloc(n + 1, sizeof(*g->active));
	g->tally = calloc(n + 1, sizeof(*g->tally));
	g->alike = calloc(n + 1, sizeof(*g->alike));
	g->first = calloc(n + 1, sizeof(*g->first));
	g->last = calloc(n + 1, sizeof(*g->last));
	if (!g->slot || !g->ours || !g->next || !g->active || !g->tally || !g->alike ||
		!g->first || !g->last)
		return weft_err_nomem(err);
	for (size_t s = 0; s < n; s++) {
		g->slot[s] = calloc(e->wf->step[s].sweep.count + 1, sizeof(**g->slot));
		if (!g->slot[s])
			return weft_err_nomem(err);
		size_t count = e->wf->step[s].sweep.count;

		g->ours[s] = !e->step;
		g->first[s] = weft_sweep_block_first(count, blocks, e->block);
		g->last[s] = weft_sweep_block_first(count, blocks, e->block + 1);
		g->next[s] = g->first[s];
		g->tally[s].known = true;
		g->tally[s].count[WEFT_STATE_NONE] = e->wf->step[s].sweep.count;
		g->alike[s] = true;
		for (size_t k = 0; k < e->wf->step[s].n_edges; k++)
			if (weft_spec_matches(
				    e->wf, &e->wf->step[s], &e->wf->step[s].edge[k]))
				g->alike[s] = false;
	}
	for (size_t i = 0; i < e->n_steps; i++)
		g->ours[e->step[i]] = true;
	return budget_open(&g->budget, e, err) ? -1 : room_open(&g->room, e, err);
}

int weft_engine_run(const struct weft_engine *e, struct weft_err *err)
{
	struct engine g = {.e = e};
	sigset_t set, old;
	int r = -1;

	signals_watched(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	if (set_up(&g, err) || read_others(&g, err))
		goto out;
	for (;;) {
		if (start_what_can(&g, err))
			goto out;
		if (g.n_running) {
			if (wait_some(&g, err))
				goto out;
			cancel_spent(&g);
		} else if (!give_up(&g)) {
			break;
		}
	}
	if (g.stopping && !g.code)
		g.code = WEFT_EINTR;
	r = (int)g.code;
out:
	for (size_t k = 0; k < g.n_running; k++) {
		kill(g.run[k].pid, SIGTERM);
		waitpid(g.run[k].pid, NULL, 0);
		room_give(&g.room, &g.run[k].share);
	}
	free_engine(&g);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
