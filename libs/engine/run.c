/* run.c - an engine's loop, and the processes of its members */
#include "engine/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int run_start(
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
	return bad;
}

static int wait_some(struct engine *g, struct weft_err *err)
{
	sigset_t set;
	int sig;

	signals_watched(&set);
	struct timespec t = {again_wait(g, budget_wait(g->budget, 60)), 0};
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

int weft_engine_run(const struct weft_engine *e, struct weft_err *err)
{
	struct engine g = {.e = e};
	sigset_t set, old;
	int r = -1;

	signals_watched(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	if (state_open(&g, err) || budget_open(&g.budget, e, err) ||
		room_open(&g.room, e, err) || again_open(&g, err) ||
		state_read_others(&g, err) || queue_open(&g, err) ||
		grow_open(&g, err))
		goto out;
	for (;;) {
		if (ready_start(&g, err))
			goto out;
		if (g.n_running || (again_any(&g) && !g.stopping)) {
			if (wait_some(&g, err))
				goto out;
			finish_over_budget(&g);
		} else if (!ready_give_up(&g)) {
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
	free(g.run);
	room_close(&g.room);
	again_close(&g);
	budget_close(g.budget);
	queue_close(&g);
	free(g.stop);
	state_close(&g);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
