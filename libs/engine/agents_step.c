/* agents_step.c - the step of srun that starts agents */
#include "engine/agents_room.h"

#include "engine/order.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void step_ended(void *arg, const struct weft_child_end *end)
{
	struct agent_step *s = arg;

	(void)end;
	s->pid = -1;
	/* Nobody is left who could come, where this was the only one. */
	for (struct agent_step *k = s->all->step; k; k = k->next)
		if (k->pid > 0)
			return;
	for (size_t i = 0; i < s->all->g->e->n_nodes; i++)
		s->all->node[i].until = weft_monotonic();
}

/* On all nodes, or the one. */
int agents_start_step(struct agents *a, const char *node, struct weft_err *err)
{
	const struct weft_engine *e = a->g->e;
	weft_autoargv struct weft_argv argv = {0};
	weft_autostr struct weft_str auth = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct weft_env env = {0};
	struct agent_step *step = calloc(1, sizeof(*step));
	size_t n = node ? 1 : e->n_nodes;
	char host[256] = "";
	int r = -1;

	gethostname(host, sizeof(host) - 1);
	weft_argv_add(&argv, "srun");
	/* Beside all other steps: it has the nodes' CPUs and GPUs as a whole. */
	weft_argv_add(&argv, "--overlap");
	weft_argv_addf(&argv, "--nodes=%zu", n);
	weft_argv_addf(&argv, "--ntasks=%zu", n);
	weft_argv_add(&argv, "--ntasks-per-node=1");
	if (node)
		weft_argv_addf(&argv, "--nodelist=%s", node);
	weft_argv_add(&argv, "--mem=0");
	weft_argv_add(&argv, "--mpi=none");
	weft_argv_add(&argv, "--cpu-bind=none");
	weft_argv_add(&argv, "--kill-on-bad-exit=0");
	weft_argv_add(&argv, "--wait=0");
	weft_argv_add(&argv, "--input=none");
	weft_argv_add(&argv, "--quiet");
	weft_argv_add(&argv, "--job-name=agent");
	if (e->plugin)
		weft_argv_add(&argv, "--weft-bind=none");
	weft_argv_add(&argv, e->weft);
	weft_argv_add(&argv, "agent");
	weft_argv_addf(&argv, "--connect=%s:%u", host, weft_listener_port(a->listener));
	if (e->end > 0)
		weft_argv_addf(&argv, "--end=%.0f", e->end);
	weft_argv_add(&argv, e->run->dir);
	if (!step || argv.failed || weft_env_copy(&env, environ) ||
		weft_auth_text(a->auth, &auth) || auth.failed) {
		weft_err_nomem(err);
		goto out;
	}
	weft_engine_forget_sizes(&env);
	if (weft_env_set(&env, WEFT_AUTH_ENV, auth.s)) {
		weft_err_nomem(err);
		goto out;
	}
	s.argv = argv.v;
	s.envp = env.vars.v;
	s.group = true;
	s.die_with_parent = true;
	if (weft_spawn(&s, &step->pid, err) ||
		weft_loop_child(a->g->loop, step->pid, step_ended, step, err))
		goto out;
	step->all = a;
	step->next = a->step;
	a->step = step;
	step = NULL;
	r = 0;
out:
	if (auth.s)
		explicit_bzero(auth.s, auth.len);
	weft_env_free(&env);
	free(step);
	return r;
}
