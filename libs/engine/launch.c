#include "engine/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

bool launch_binds(const struct unit *u)
{
	struct weft_place_request place;

	return weft_select_place(u->step, u->e->conf, &place);
}

int launch_words(const struct unit *u, struct weft_argv *argv, struct weft_err *err)
{
	return unit_srun(u) ? launch_srun_words(u, argv, err)
			    : launch_local_words(u, argv, err);
}

/* What a program of one task needs no srun for: there is no other node, and the job's
 * own cgroup holds it as one of the step's would. */
bool weft_engine_can_direct(const struct weft_engine *e)
{
	if (e->n_nodes != 1)
		return false;
	for (size_t i = 0; i < (e->step ? e->n_steps : e->plan->n_steps); i++) {
		const struct weft_plan_step *p =
			&e->plan->step[e->step ? e->step[i] : i];

		if (p->launch != WEFT_LAUNCH_SINGLE || p->ntasks > 1)
			return false;
	}
	return true;
}

static void add_staging(const struct unit *u, const char *verb, struct weft_argv *a)
{
	weft_argv_add(a, u->e->weft);
	weft_argv_add(a, "member");
	weft_argv_add(a, verb);
	weft_argv_addf(a, "--run=%s", u->e->run->dir);
	weft_argv_addf(a, "--step=%s", u->step->name);
	weft_argv_addf(a, "--member=%zu", u->index);
	if (u->e->slurm)
		weft_argv_addf(a, "--nodes=%u", u->slot.n_nodes);
	if (u->node_root)
		weft_argv_addf(a, "--node-root=%s", u->node_root);
	if (u->memory_root)
		weft_argv_addf(a, "--memory-root=%s", u->memory_root);
}

void launch_srun_beside(
	struct weft_argv *a, const char *nodes, unsigned n, const char *name)
{
	/* It shares the job's CPUs, takes no memory and no GPUs of its own (without
	 * --gres=none it waits for the job's GPUs). */
	weft_argv_add(a, "srun");
	weft_argv_add(a, "--overlap");
	weft_argv_add(a, "--mem=0");
	weft_argv_add(a, "--gres=none");
	weft_argv_add(a, "--mpi=none");
	weft_argv_add(a, "--quiet");
	weft_argv_add(a, "--input=none");
	weft_argv_addf(a, "--nodes=%u", n);
	weft_argv_addf(a, "--ntasks=%u", n);
	weft_argv_add(a, "--ntasks-per-node=1");
	weft_argv_add(a, "--cpus-per-task=1");
	weft_argv_addf(a, "--job-name=%s", name);
	if (nodes)
		weft_argv_addf(a, "--nodelist=%s", nodes);
}

void weft_engine_srun_beside(struct weft_argv *a, unsigned n, const char *name)
{
	launch_srun_beside(a, NULL, n, name);
}

/* "want INPUT HOST", "have INPUT HOST", "hash in NAME HASH": of each node the lines
 * that begin so. */
static void take_lines(struct weft_str *to, const char *out, const char *word)
{
	for (const char *p = out; *p;) {
		size_t n = strcspn(p, "\n");

		if (weft_starts_with(p, word)) {
			weft_str_addn(to, p, n);
			weft_str_addc(to, '\n');
		}
		p += n + (p[n] == '\n');
	}
}

/* "moved BYTES" of each node. */
static uint64_t moved(const char *out)
{
	uint64_t sum = 0;

	for (const char *p = out; (p = strstr(p, "moved ")) != NULL; p++)
		if (p == out || p[-1] == '\n')
			sum += strtoull(p + 6, NULL, 10);
	return sum;
}

/* By a signal that means to end, however it is told; srun passes it on. */
static bool was_ended(int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;

	return (WIFEXITED(status) && WEXITSTATUS(status) == WEFT_EINTR) ||
	       sig == SIGTERM || sig == SIGINT || sig == SIGHUP;
}

int launch_on_nodes(struct unit *u, const char *verb, struct weft_err *err)
{
	weft_autoargv struct weft_argv a = {0};

	/* The engine is on the first node; where that is the only one, it is here. */
	if (u->e->slurm && u->e->n_nodes > 1)
		launch_srun_beside(&a, u->slot.nodes, u->slot.n_nodes, verb);
	add_staging(u, verb, &a);
	/* What is to go goes also when the member was told to end. */
	return launch_staging(
		u, &a, weft_streq(verb, "stage-clean") ? NULL : u->e->stop, err);
}

int launch_staging(struct unit *u, const struct weft_argv *a,
	const volatile sig_atomic_t *stop, struct weft_err *err)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *out = NULL, *said = NULL;
	/* A few lines of each node for each input or output. */
	size_t things = u->step->n_inputs + u->step->n_outputs + 1;
	size_t most = ((size_t)1 << 20) + u->slot.n_nodes * things * 1024;
	int status = 0;

	if (a->failed)
		return weft_err_nomem(err);
	s.argv = a->v;
	s.die_with_parent = true;
	s.stop = stop;
	if (weft_capture(&s, 0, most, &out, &said, &status, err))
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		u->moved += moved(out);
		take_lines(&u->hashes, out, "hash ");
		take_lines(&u->want, out, "want ");
		take_lines(&u->want, out, "have ");
		return u->hashes.failed || u->want.failed ? weft_err_nomem(err) : 0;
	}
	/* Our own line is the reason; around it stands what srun says of it. */
	char *text = weft_starts_with(said, "weft: ") ? said : strstr(said, "\nweft: ");
	text = text ? text + strcspn(text, "w") + 6 : said;
	text[strcspn(text, "\n")] = '\0';
	return weft_err_set(err, was_ended(status) ? WEFT_EINTR : WEFT_ESTAGE, "%s",
		*text ? text : "staging on the node failed");
}
