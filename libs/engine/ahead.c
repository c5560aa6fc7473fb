/*
 * ahead.c - while members run, what the next one will read comes to the node's cache.
 *
 * Where the next one will run is known before there is room for it only if there is one
 * node: elsewhere nothing is brought ahead.  One process at a time does it, a member's
 * inputs once; it is in nobody's way for long, and nobody waits for it: what it hasn't
 * brought the member's own staging does, and waits for what is half there.
 */
#include "engine/run.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool wants(const struct weft_step *step)
{
	for (size_t i = 0; i < step->n_inputs; i++)
		if (step->input[i].to != WEFT_SCRATCH_SHARED &&
			step->input[i].mode != WEFT_MODE_LINK)
			return true;
	return false;
}

/* In the process of its own. */
static void bring(struct engine *g, unsigned s, size_t member)
{
	weft_autoerr struct weft_err err = {0};
	struct unit u;

	g->own.stop = stop_hear(true);
	if (unit_open(&u, g->e, &g->e->wf->step[s], member, &err) == 0 &&
		unit_node_roots(&u, &err) == 0 && inputs_resolve(&u, &err) == 0)
		for (size_t i = 0; i < u.n_inputs && !stop_told(); i++)
			cache_ahead(&u, &u.input[i]);
	unit_close(&u);
}

void ahead_start(struct engine *g, unsigned s, size_t member)
{
	struct ahead *a = &g->ahead;
	static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t all, old;
	pid_t self = getpid();

	if (g->e->n_nodes != 1 || a->pid ||
		(a->any && a->step == s && a->member == member) ||
		!wants(&g->e->wf->step[s]) ||
		g->e->conf->node_cache == WEFT_NODE_CACHE_NO)
		return;
	fflush(NULL);
	/* No handler of the engine's loop may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	a->pid = fork();
	if (a->pid < 0)
		a->pid = 0;
	bool child = a->pid == 0 && getpid() != self;
	for (size_t k = 0; child && k < WEFT_COUNT(handled); k++)
		sigaction(handled[k], &dfl, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (child) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() == self)
			bring(g, s, member);
		_exit(0);
	}
	a->any = true;
	a->step = s;
	a->member = member;
}

void ahead_reap(struct engine *g, bool end)
{
	struct ahead *a = &g->ahead;

	if (!a->pid)
		return;
	if (end)
		kill(a->pid, SIGTERM);
	if (waitpid(a->pid, NULL, end ? 0 : WNOHANG) != 0)
		a->pid = 0;
}
