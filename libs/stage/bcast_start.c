/* bcast_start.c - the commands that start the nodes' half of a broadcast */
#include "stage/bcast_source.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_starter_end(void *arg, const struct weft_child_end *end)
{
	struct starter *k = arg;
	struct source *s = k->of;
	weft_autofree char *how =
		WIFSIGNALED(end->status)
			? weft_printf("signal %d", WTERMSIG(end->status))
			: weft_printf("exit status %d", WEXITSTATUS(end->status));

	k->running = false;
	for (size_t i = 0; i < s->n && !s->ending; i++)
		if ((k->rank == SOURCE || k->rank == i) &&
			s->node[i].state == WAITED_FOR)
			source_fail(&s->node[i], "it could not be started there (%s)",
				how ? how : "");
}

static int start_one(
	struct source *s, char *const *prefix, uint32_t rank, struct weft_err *err)
{
	weft_autoargv struct weft_argv a = {0};
	struct weft_spawn spawn = WEFT_SPAWN_INIT;
	struct starter *k = &s->starter[s->n_starters];
	weft_autostr struct weft_str key = {0};
	struct weft_env env = {0};
	int in[2] = {-1, -1}, r = -1;

	for (char *const *p = prefix; *p; p++)
		weft_argv_add(&a, *p);
	if (rank != SOURCE)
		weft_argv_add(&a, s->out[rank].name);
	weft_argv_add(&a, s->cast->weft);
	weft_argv_add(&a, "stage");
	weft_argv_add(&a, "receive");
	weft_argv_addf(&a, "--from=%s", s->self);
	weft_argv_addf(&a, "--context=%s", s->context);
	weft_argv_addf(&a, "--silence=%.0fs", s->link.deadline);
	if (rank != SOURCE) {
		weft_argv_addf(&a, "--name=%s", s->out[rank].name);
		weft_argv_add(&a, "--key-in");
	}
	if (a.failed || weft_auth_text(s->cast->auth, &key) ||
		weft_env_copy(&env, environ)) {
		weft_err_nomem(err);
		goto out;
	}
	if (rank == SOURCE) {
		if (weft_env_set(&env, WEFT_AUTH_ENV, key.s)) {
			weft_err_nomem(err);
			goto out;
		}
	} else {
		/* Into the pipe before the child is there: it is short. */
		weft_str_addc(&key, '\n');
		if (pipe2(in, O_CLOEXEC) || key.failed ||
			weft_write_all(in[1], key.s, key.len)) {
			weft_err_sys(err, WEFT_ESYS, "pipe");
			goto out;
		}
	}
	spawn.argv = a.v;
	spawn.envp = env.vars.v;
	spawn.in = in[0];
	spawn.out = 2; /* ours is for the report */
	spawn.group = true;
	spawn.die_with_parent = true;
	if (weft_spawn(&spawn, &k->pid, err))
		goto out;
	*k = (struct starter){s, k->pid, rank, true};
	s->n_starters++;
	r = weft_loop_child(s->loop, k->pid, on_starter_end, k, err);
out:
	weft_closep(&in[0]);
	weft_closep(&in[1]);
	weft_env_free(&env);
	if (key.s)
		explicit_bzero(key.s, key.len);
	return r;
}

int source_start(struct source *s, struct weft_err *err)
{
	s->starter = calloc(s->n + 1, sizeof(*s->starter));
	if (!s->starter)
		return weft_err_nomem(err);
	if (s->cast->once)
		return start_one(s, s->cast->once, SOURCE, err);
	for (uint32_t i = 0; i < s->n; i++)
		if (start_one(s, s->cast->each, i, err))
			return -1;
	return 0;
}

/* What starts them ends when they do; if it doesn't, it is ended. */
void source_end_starters(struct source *s)
{
	double until = weft_monotonic() + 2;
	bool asked = false;

	for (;;) {
		bool some = false;

		for (size_t i = 0; i < s->n_starters; i++)
			some = some || s->starter[i].running;
		if (!some)
			return;
		if (weft_monotonic() > until) {
			for (size_t i = 0; i < s->n_starters; i++)
				if (s->starter[i].running)
					kill(-s->starter[i].pid,
						asked ? SIGKILL : SIGTERM);
			asked = true;
			until = weft_monotonic() + 3;
		}
		weft_loop_turn(s->loop, 0.05);
	}
}
