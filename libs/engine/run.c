/* run.c - an engine's loop, and where its members run */
#include "engine/run.h"

#include "engine/agents.h"
#include "engine/hand.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ---- a member's way ------------------------------------------------------ */

enum how run_how(const struct engine *g, unsigned s, const struct weft_plan_step *p)
{
	if (!g->e->slurm || g->e->direct)
		return HOW_HERE;
	return g->agents && agents_fit(g->agents, s, p) ? HOW_AGENT : HOW_STEP;
}

int run_start(struct engine *g, unsigned s, size_t i, struct running *def,
	struct weft_err *err)
{
	struct running *r;
	int bad;

	r = malloc(sizeof(*r));
	if (!r || weft_grow(g->run, g->n_running, g->cap)) {
		free(r);
		return weft_err_nomem(err);
	}
	*r = *def;
	r->step = s;
	r->member = i;
	if (r->share.how == HOW_AGENT)
		bad = agents_start(g->agents, r, err);
	else
		bad = agent_start(g->agent, s, i, &r->share.slot, r, &r->here, err);
	if (bad) {
		free(r);
		return -1;
	}
	r->begun = weft_monotonic();
	r->at = g->n_running;
	g->run[g->n_running++] = r;
	state_set(g, s, i, WEFT_STATE_RUNNING, WEFT_OK);
	budget_member(g->budget, s, 1);
	g->active[s]++;
	return 0;
}

void run_cancel(struct engine *g, struct running *r)
{
	if (r->by_agent)
		agents_cancel(g->agents, r);
	else if (r->here)
		agent_cancel(g->agent, r->here);
}

void run_free(struct engine *g, struct running *r)
{
	if (r->freed)
		return;
	r->freed = true;
	g->active[r->step]--;
	budget_member(g->budget, r->step, -1);
	room_give(&g->room, &r->share);
}

static void forget(struct engine *g, struct running *r)
{
	run_free(g, r);
	g->run[r->at] = g->run[--g->n_running];
	g->run[r->at]->at = r->at;
	free(r);
}

void run_ended(struct engine *g, struct running *r, const struct weft_record *rec)
{
	if (!g->err.code)
		finish_member(g, r, rec, &g->err);
	forget(g, r);
}

void run_again(struct engine *g, struct running *r)
{
	unsigned s = r->step;
	size_t i = r->member;
	bool off = r->off;

	forget(g, r);
	state_set(g, s, i, WEFT_STATE_NONE, WEFT_OK);
	if (off) {
		finish_without(g, s, i, WEFT_STATE_SKIPPED, WEFT_OK, STEER_CANCELLED);
		return;
	}
	if (g->stopping) {
		finish_without(g, s, i, WEFT_STATE_CANCELLED, WEFT_EINTR,
			"cancelled while it ran");
		return;
	}
	if (queue_push(g, s, i) && !g->err.code)
		weft_err_nomem(&g->err);
}

/* ---- the loop ------------------------------------------------------------ */

static void on_event(void *ctx, unsigned s, size_t i, enum weft_state state,
	const char *text, double time)
{
	struct engine *g = ctx;

	/* Its programs are through: others may have their CPUs and GPUs. */
	if (state == WEFT_STATE_STAGING && weft_streq(text, STAGING_OUT))
		for (size_t k = 0; k < g->n_running; k++)
			if (g->run[k]->step == s && g->run[k]->member == i)
				room_give(&g->room, &g->run[k]->share);
	keep_event(g, s, i, state, text, time);
}

/* Of one that is done others may have the share at once; what follows from a failure is
 * to be known first. */
static void on_ended(void *ctx, void *tag, const struct weft_record *rec)
{
	struct engine *g = ctx;
	struct running *r = tag;

	struct weft_record off;

	r->here = NULL;
	if (rec && r->off)
		rec = agent_off(rec, &off);
	if (!rec) {
		run_ended(g, r, NULL);
	} else if (weft_recorder_add(g->recorder, rec, &g->err) == 0) {
		keep_running(g, r, rec);
		if (rec->state == WEFT_STATE_DONE) {
			again_count(g, &r->share, false);
			run_free(g, r);
		}
	}
}

static void told_to_end(struct engine *g)
{
	g->stopping = true;
	g->at_limit |= left_at_limit(g);
	for (size_t k = 0; k < g->n_running; k++)
		run_cancel(g, g->run[k]);
}

static void read_signals(void *arg, unsigned what)
{
	struct engine *g = arg;
	struct signalfd_siginfo sig;

	(void)what;
	while (read(g->signals, &sig, sizeof(sig)) == sizeof(sig))
		if (!g->stopping)
			told_to_end(g);
}

/* Slurm signals all of a job at once: a member may be gone before we hear of it. */
void run_hear(struct engine *g)
{
	struct pollfd p = {.fd = g->signals, .events = POLLIN};

	if (!g->stopping && poll(&p, 1, 1000) > 0)
		read_signals(g, WEFT_READABLE);
}

/* They are blocked: read when it suits, also where the loop isn't. */
static int watch_signals(struct engine *g, sigset_t *old, struct weft_err *err)
{
	sigset_t set;

	signals_watched(&set);
	sigdelset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, old);
	g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->signals < 0)
		return weft_err_sys(err, WEFT_ESYS, "signalfd");
	return 0;
}

static int hear_signals(struct engine *g, struct weft_err *err)
{
	if (weft_watch_new(&g->heard, g->loop, g->signals, read_signals, g, err))
		return -1;
	weft_watch_want(g->heard, WEFT_READABLE);
	return 0;
}

/* What agents will tell of their nodes has a place in a copy. */
static int own_nodes(struct engine *g, struct weft_err *err)
{
	const struct weft_engine *e = g->e;

	g->node = calloc(e->n_nodes + 1, sizeof(*g->node));
	if (!g->node)
		return weft_err_nomem(err);
	if (e->n_nodes)
		memcpy(g->node, e->node, e->n_nodes * sizeof(*g->node));
	if (e->n_nodes && (!e->slurm || e->direct))
		g->node[0].machine = e->machine;
	g->own.node = g->node;
	return 0;
}

static int open_all(struct engine *g, struct weft_err *err)
{
	static const struct agent_sink sink = {.event = on_event, .ended = on_ended};
	const struct weft_engine *e = g->e;

	/* Before anything is read: who was there before us writes no more. */
	if (own_nodes(g, err) || fence_open(g, err) || weft_loop_new(&g->loop, err) ||
		weft_records_open(e->run, e->wf, &g->records, err))
		return -1;
	g->own.records = g->records;
	/* The file is opened before it is read: a line that a writer before us left is
	 * whole by then, or never. */
	if (keep_open(g, err) || state_open(g, err) ||
		budget_open(&g->budget, e, err) || room_open(&g->room, e, err) ||
		again_open(g, err) || left_open(g, err) || ahead_open(g, err) ||
		state_read_others(g, err))
		return -1;
	if (g->broken) {
		weft_log(WEFT_WARN,
			"a loop was broken off: nothing starts here until what it "
			"needs of that has been done");
		return 1;
	}
	if (state_read_ours(g, err) || queue_open(g, err) || grow_open(g, err) ||
		steer_open(g, err))
		return -1;
	if (agent_open(&g->agent, e, g->loop, g->writer, &sink, g, err) ||
		keep_start(g, err) || hear_signals(g, err))
		return -1;
	return agents_open(&g->agents, g, err);
}

static double patience(const struct engine *g)
{
	/* Who steers is waited for by looking. */
	if (g->stuck || steer_busy(g))
		return g->stuck ? 1 : 0.1;
	return (double)again_wait(
		g, steer_wait(g, budget_wait(g->budget, g->e->fence ? 2 : 60)));
}

/* Starts what may, and waits; 1: there is nothing left to do. */
static int turn(struct engine *g, struct weft_err *err)
{
	if (fence_lost(g))
		return 1;
	/* What has ended is written before its room is used: a disk that is full is
	 * known by then. */
	if (keep_commit(g, err) || agents_catch_up(g->agents, err) ||
		(!g->stuck && ready_start(g, err)))
		return -1;
	left_submit(g);
	if (keep_commit(g, err))
		return -1;
	if (g->n_running || weft_recorder_pending(g->recorder) || steer_busy(g) ||
		(!g->stopping && (again_any(g) || agents_awaited(g->agents)))) {
		weft_loop_turn(g->loop, patience(g));
		if (g->err.code) {
			weft_err_move(err, &g->err);
			return -1;
		}
		ahead_reap(&g->ahead.pid, false);
		finish_over_budget(g);
		return 0;
	}
	/* What else has no end is another job's. */
	if (g->at_limit && !g->left && left_any(g)) {
		g->left = true;
		left_submit(g);
	}
	if (g->left)
		return 1;
	return ready_give_up(g) || weft_recorder_pending(g->recorder) ? 0 : 1;
}

int weft_engine_run(const struct weft_engine *e, struct weft_err *err)
{
	struct engine g = {.own = *e, .signals = -1};
	sigset_t old;
	int r;

	g.e = &g.own;
	r = watch_signals(&g, &old, err);
	if (!r)
		r = open_all(&g, err);
	while (r == 0)
		r = turn(&g, err);
	if ((g.stopping && !g.left && !g.code) || g.fenced)
		g.code = WEFT_EINTR;
	if (r > 0)
		r = (int)g.code;
	ahead_close(&g);
	agents_close(g.agents);
	agent_close(g.agent);
	while (g.n_running) {
		struct running *last = g.run[--g.n_running];

		run_free(&g, last);
		free(last);
	}
	weft_watch_free(g.heard);
	if (g.signals >= 0)
		close(g.signals);
	steer_close(&g);
	/* What isn't on disk by then is the other engine's to say. */
	group_close(g.group);
	if (!g.fenced)
		keep_close(&g);
	fence_close(&g);
	weft_records_free(g.records);
	weft_loop_free(g.loop);
	free(g.run);
	room_close(&g.room);
	again_close(&g);
	left_close(&g);
	budget_close(g.budget);
	queue_close(&g);
	free(g.stop);
	state_close(&g);
	free(g.node);
	weft_err_clear(&g.err);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
