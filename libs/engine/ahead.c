/*
 * ahead.c - while members run, what the next ones will read comes to their nodes'
 * caches.
 *
 * Each node is to be the next one of the member that waits first: on the node whose
 * member has run longest the first of them, and so on; one of all nodes is for all of
 * them.  It starts there, if others wait that may have the room elsewhere.  A node's
 * agent, or a process of ours, here or by srun, brings a member's inputs once; it is in
 * nobody's way for long, and nobody waits for it: what it hasn't brought the member's
 * own staging does, and waits for what is half there.  What is broadcast isn't brought:
 * its one reader serves all.
 */
#include "engine/agents.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int ahead_open(struct engine *g, struct weft_err *err)
{
	g->ahead.next = calloc(g->e->n_nodes + 1, sizeof(*g->ahead.next));
	return g->ahead.next ? 0 : weft_err_nomem(err);
}

void ahead_close(struct engine *g)
{
	ahead_reap(&g->ahead.pid, true);
	free(g->ahead.next);
	g->ahead.next = NULL;
}

void ahead_bring(const struct weft_engine *e, const struct weft_step *step,
	size_t member, unsigned nodes)
{
	weft_autoerr struct weft_err err = {0};
	struct unit u;

	if (unit_open(&u, e, step, member, &err) == 0 &&
		unit_node_roots(&u, &err) == 0 && inputs_resolve(&u, &err) == 0)
		for (size_t i = 0; i < u.n_inputs && !(e->stop && *e->stop); i++)
			if (!cast_fits(&u.input[i], nodes))
				cache_ahead(&u, &u.input[i]);
	unit_close(&u);
}

/* srun, with the same on each of the nodes. */
static void bring_there(const struct weft_engine *e, const struct weft_step *step,
	size_t member, const char *nodes, unsigned n)
{
	weft_autoerr struct weft_err err = {0};
	struct unit u;

	if (unit_open(&u, e, step, member, &err) == 0) {
		u.slot.nodes = nodes;
		u.slot.n_nodes = n;
		(void)!launch_on_nodes(&u, "stage-ahead", &err);
	}
	unit_close(&u);
}

int ahead_fork(pid_t *pid, const struct weft_engine *e, const struct weft_step *step,
	size_t member, const char *nodes, unsigned n)
{
	static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	struct weft_engine own = *e;
	pid_t self = getpid(), child;
	sigset_t all, old;

	fflush(NULL);
	/* No handler of the loop may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	child = fork();
	for (size_t k = 0; child == 0 && k < WEFT_COUNT(handled); k++)
		sigaction(handled[k], &dfl, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (child == 0) {
		own.stop = stop_hear(true);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != self)
			_exit(0);
		if (nodes)
			bring_there(&own, step, member, nodes, n);
		else
			ahead_bring(&own, step, member, 1);
		_exit(0);
	}
	*pid = child < 0 ? 0 : child;
	return child < 0 ? -1 : 0;
}

void ahead_reap(pid_t *pid, bool end)
{
	if (!*pid)
		return;
	if (end)
		kill(*pid, SIGTERM);
	if (waitpid(*pid, NULL, end ? 0 : WNOHANG) != 0)
		*pid = 0;
}

/* ---- whose node is whose -------------------------------------------------- */

static bool waits(struct engine *g, const struct ahead_next *n)
{
	return n->is && g->slot[n->step][n->member].state == WEFT_STATE_NONE;
}

bool ahead_is(struct engine *g, unsigned s, size_t i, unsigned node)
{
	const struct ahead_next *n = &g->ahead.next[node];

	return n->is && n->step == s && n->member == i;
}

static bool has_any(struct engine *g, unsigned s, size_t i)
{
	for (unsigned k = 0; g->ahead.any && k < g->e->n_nodes; k++)
		if (ahead_is(g, s, i, k))
			return true;
	return false;
}

void ahead_forget(struct engine *g, unsigned s, size_t i)
{
	for (unsigned k = 0; k < g->e->n_nodes; k++)
		if (ahead_is(g, s, i, k))
			g->ahead.next[k].is = false;
}

bool ahead_elsewhere(struct engine *g, unsigned s, size_t i, const struct share *share)
{
	for (size_t k = 0; k < share->n_nodes; k++)
		if (ahead_is(g, s, i, share->node[k]))
			return false;
	return has_any(g, s, i);
}

bool ahead_may(struct engine *g, unsigned s)
{
	const struct weft_step *step = &g->e->wf->step[s];
	bool wants = false;

	for (size_t i = 0; i < step->n_inputs; i++)
		wants |= step->input[i].to != WEFT_SCRATCH_SHARED &&
			 step->input[i].mode != WEFT_MODE_LINK;
	if (!wants || g->e->conf->node_cache == WEFT_NODE_CACHE_NO)
		return false;
	for (unsigned k = 0; k < g->e->n_nodes; k++)
		if (!waits(g, &g->ahead.next[k]))
			return true;
	return false;
}

/* Of the nodes that are nobody's yet the one whose member has run longest; UINT_MAX:
 * there is none. */
static unsigned pick(struct engine *g, enum how how)
{
	unsigned best = UINT_MAX;
	double first = 0;

	for (size_t i = 0; i < g->n_running; i++) {
		const struct running *r = g->run[i];

		if (r->share.how != how || (best != UINT_MAX && r->begun >= first))
			continue;
		for (size_t k = 0; k < r->share.n_nodes; k++)
			if (!waits(g, &g->ahead.next[r->share.node[k]])) {
				best = r->share.node[k];
				first = r->begun;
			}
	}
	return best;
}

static char *all_names(const struct engine *g)
{
	weft_autostr struct weft_str s = {0};

	for (size_t k = 0; k < g->e->n_nodes; k++)
		weft_str_printf(&s, "%s%s", k ? "," : "", g->e->node[k].name);
	return weft_str_take(&s);
}

bool ahead_start(struct engine *g, unsigned s, size_t i)
{
	const struct weft_engine *e = g->e;
	weft_autoerr struct weft_err err = {0};
	struct weft_arena arena = {0};
	struct weft_plan_step plan = {0};

	if (has_any(g, s, i))
		return true;
	if (!ahead_may(g, s))
		return false;
	bool ok = weft_plan_step_attempt(e->plan, e->wf, e->conf, s, i,
			  g->slot[s][i].attempt, &plan, &arena, &err) == 0;
	enum how how = ok ? run_how(g, s, &plan) : HOW_HERE;
	unsigned want = e->slurm && plan.nodes ? plan.nodes : 1;
	bool all = want == e->n_nodes;
	unsigned node = all ? 0 : want == 1 ? pick(g, how) : UINT_MAX;

	/* A node whose agent is about to come has room for it. */
	ok = ok && node != UINT_MAX &&
	     (how == HOW_AGENT ? !agents_awaited(g->agents) : !g->ahead.pid);
	for (unsigned k = 0; ok && all && k < e->n_nodes; k++)
		ok = !waits(g, &g->ahead.next[k]);
	if (ok && how == HOW_AGENT) {
		agents_ahead(g->agents, node, s, i);
	} else if (ok) {
		weft_autofree char *names = how != HOW_STEP ? NULL
					    : all           ? all_names(g)
						  : strdup(e->node[node].name);

		ok = (how != HOW_STEP || names) &&
		     ahead_fork(&g->ahead.pid, e, &e->wf->step[s], i, names, want) == 0;
	}
	g->ahead.any |= ok;
	for (unsigned k = node; ok && k < (all ? e->n_nodes : node + 1); k++)
		g->ahead.next[k] = (struct ahead_next){true, s, i};
	weft_arena_free(&arena);
	return ok;
}
