/* run.c - an engine's loop, and the processes of its members */
#include "engine/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

int run_start(
	struct engine *g, unsigned s, size_t i, struct running *r, struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];

	/* What it needs must be on disk: no result is lost that others were made of. */
	if (step->n_edges || step->finally) {
		int kept = keep_commit(g, err);

		if (kept)
			return kept;
	}
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
		close(g->hand[0]); /* else nobody tells us when the engine is gone */
		_exit(member_run(g->e, step, i, &r->share.slot, g->hand[1]));
	}
	r->step = s;
	r->member = i;
	r->begun = weft_monotonic();
	g->run[g->n_running++] = *r;
	state_set(g, s, i, WEFT_STATE_RUNNING, WEFT_OK);
	budget_member(g->budget, s, 1);
	g->active[s]++;
	return 0;
}

/* It has ended: its record says how, and if there is none, that says it too. */
static int reap(struct engine *g, size_t k, struct weft_err *err)
{
	struct running r = g->run[k];

	g->run[k] = g->run[--g->n_running];
	g->active[r.step]--;
	budget_member(g->budget, r.step, -1);
	int bad = finish_member(g, &r, err);
	room_give(&g->room, &r.share);
	weft_str_free(&r.line);
	return bad;
}

/* What members' processes have said. */
static int take_words(struct engine *g, struct weft_err *err)
{
	struct hand_got got;
	int r;

	while ((r = hand_take(g->hand[0], &got, err)) == 0) {
		struct running *of = NULL;

		for (size_t k = 0; k < g->n_running; k++)
			if (g->run[k].step == got.step &&
				g->run[k].member == got.member)
				of = &g->run[k];
		if (!of)
			continue;
		/* Its programs are through: others may have their CPUs and GPUs. */
		if (!got.record && got.state == WEFT_STATE_STAGING &&
			weft_streq(got.data, STAGING_OUT))
			room_give(&g->room, &of->share);
		if (!got.record) {
			keep_event(
				g, got.step, got.member, got.state, got.data, got.time);
			continue;
		}
		weft_str_addn(&of->line, got.data, got.n);
		of->recorded = got.last && !of->line.failed;
	}
	return r < 0 ? -1 : 0;
}

static void told_to_end(struct engine *g)
{
	g->stopping = true;
	g->at_limit |= left_at_limit(g);
	for (size_t k = 0; k < g->n_running; k++)
		kill(g->run[k].pid, SIGTERM);
}

/* Slurm signals all of a job at once: a member may be gone before we hear of it. */
void run_hear(struct engine *g)
{
	struct timespec moment = {1, 0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (!g->stopping && sigtimedwait(&set, NULL, &moment) > 0)
		told_to_end(g);
}

static int wait_some(struct engine *g, struct weft_err *err)
{
	struct pollfd p[] = {{.fd = g->signals, .events = POLLIN},
		{.fd = g->hand[0], .events = POLLIN}};
	struct signalfd_siginfo sig;
	int most =
		g->stuck ? 1000
			 : 1000 * (int)again_wait(g,
					  steer_wait(g, budget_wait(g->budget,
								g->e->fence ? 2 : 60)));

	if (poll(p, 2, keep_wait(g, most)) < 0 && errno != EINTR)
		return weft_err_sys(err, WEFT_ESYS, "poll");
	while (read(g->signals, &sig, sizeof(sig)) == sizeof(sig)) {
		if (sig.ssi_signo == SIGCHLD || g->stopping)
			continue;
		told_to_end(g);
	}
	/* Whose process is gone has said all that it had to say: wait first, then
	 * listen. */
	for (size_t k = 0; k < g->n_running; k++) {
		pid_t got = waitpid(g->run[k].pid, NULL, WNOHANG);

		g->run[k].gone = got == g->run[k].pid || (got < 0 && errno == ECHILD);
	}
	ahead_reap(g, false);
	if (take_words(g, err))
		return -1;
	for (size_t k = 0; k < g->n_running;) {
		if (!g->run[k].gone)
			k++;
		else if (reap(g, k, err))
			return -1;
	}
	return 0;
}

static int open_all(struct engine *g, const sigset_t *set, struct weft_err *err)
{
	const struct weft_engine *e = g->e;

	g->signals = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (g->signals < 0)
		return weft_err_sys(err, WEFT_ESYS, "signalfd");
	/* Before anything is read: who was there before us writes no more. */
	if (fence_open(g, err))
		return -1;
	if (hand_open(g->hand, err) ||
		weft_records_open(e->run, e->wf, &g->records, err))
		return -1;
	g->own.records = g->records;
	/* The file is opened before it is read: a line that a writer before us left is
	 * whole by then, or never. */
	if (keep_open(g, err) || state_open(g, err) ||
		budget_open(&g->budget, e, err) || room_open(&g->room, e, err) ||
		again_open(g, err) || left_open(g, err) || state_read_others(g, err) ||
		state_read_ours(g, err))
		return -1;
	return queue_open(g, err) || grow_open(g, err) ? -1 : steer_open(g, err);
}

/* Starts what may, and waits; 1: there is nothing left to do. */
static int turn(struct engine *g, struct weft_err *err)
{
	bool looked = !g->stuck;

	if (fence_lost(g))
		return 1;

	if (looked && ready_start(g, err))
		return -1;
	left_submit(g);
	int kept = keep_turn(g, err);
	if (kept < 0)
		return -1;
	if (!kept && !looked)
		return 0;
	if (g->n_running || kept || steer_busy(g) || (again_any(g) && !g->stopping)) {
		if (wait_some(g, err))
			return -1;
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
	struct engine g = {.own = *e, .hand = {-1, -1}, .signals = -1};
	sigset_t set, old;
	int r;

	g.e = &g.own;
	signals_watched(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	r = open_all(&g, &set, err);
	while (r == 0)
		r = turn(&g, err);
	if ((g.stopping && !g.left && !g.code) || g.fenced)
		g.code = WEFT_EINTR;
	if (r > 0)
		r = (int)g.code;
	ahead_reap(&g, true);
	/* First, so that none of them waits for us to listen. */
	hand_close(g.hand);
	for (size_t k = 0; k < g.n_running; k++) {
		kill(g.run[k].pid, SIGTERM);
		waitpid(g.run[k].pid, NULL, 0);
		room_give(&g.room, &g.run[k].share);
		weft_str_free(&g.run[k].line);
	}
	if (g.signals >= 0)
		close(g.signals);
	steer_close(&g);
	/* What isn't on disk by then is the other engine's to say. */
	if (!g.fenced)
		keep_close(&g);
	fence_close(&g);
	weft_records_free(g.records);
	free(g.run);
	room_close(&g.room);
	again_close(&g);
	left_close(&g);
	budget_close(g.budget);
	queue_close(&g);
	free(g.stop);
	state_close(&g);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
