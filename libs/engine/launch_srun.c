/* launch_srun.c - the words in front of a program in a Slurm allocation */
#include "engine/unit.h"

#include <stdlib.h>

/* Binding by the plug-in where the site has it, else by `weft bind` in each task. */
static void add_bind(const struct unit *u, struct weft_argv *a)
{
	bool off = !launch_binds(u);

	if (u->e->plugin)
		weft_argv_add(a, off ? "--weft-bind=none" : "--weft-bind=auto");
}

/* Where the plug-in has placed a task this only compares, and tells. */
static void add_task_bind(const struct unit *u, struct weft_argv *a)
{
	if (!launch_binds(u))
		return;
	weft_argv_add(a, u->e->weft);
	weft_argv_add(a, "bind");
	weft_argv_add(a, "--verify");
	weft_argv_add(a, "--");
}

static int add_srun(const struct unit *u, struct weft_argv *a)
{
	weft_argv_add(a, "srun");
	if (weft_plan_srun_args(u->plan, a))
		return -1;
	weft_argv_addf(a, "--job-name=%s", u->step->name);
	weft_argv_add(a, "--input=none");
	weft_argv_add(a, "--kill-on-bad-exit=1");
	if (u->slot.nodes)
		weft_argv_addf(a, "--nodelist=%s", u->slot.nodes);
	weft_argv_addf(a, "--chdir=%s", u->work);
	return 0;
}

int launch_srun_words(const struct unit *u, struct weft_argv *a, struct weft_err *err)
{
	const struct weft_plan_step *p = u->plan;

	/* `run` once, on the first node, holding the allocation. */
	if (p->launch == WEFT_LAUNCH_SINGLE && p->ntasks > 1)
		return 0;
	if (p->launch == WEFT_LAUNCH_MPI && !u->e->mpi) {
		weft_err_set(err, WEFT_EPLACE,
			"no --mpi type of this Slurm works with launch: mpi");
		return weft_err_hint(err,
			"`weft doctor` says more; the site sets `mpi` in weft.conf");
	}
	if (add_srun(u, a))
		return weft_err_nomem(err);
	weft_argv_addf(
		a, "--mpi=%s", p->launch == WEFT_LAUNCH_MPI ? u->e->mpi : "none");
	if (p->launch == WEFT_LAUNCH_TORCHRUN) {
		/* The one task of a node holds all its cores; each worker binds itself.
		 */
		weft_argv_add(a, "--cpu-bind=none");
		if (u->e->plugin)
			weft_argv_add(a, "--weft-bind=none");
		weft_argv_add(a, u->e->weft);
		weft_argv_add(a, "torchrun");
		weft_argv_addf(
			a, "--workers=%u", p->ntasks_per_node ? p->ntasks_per_node : 1);
		weft_argv_addf(a, "--meet=%s/rendezvous", u->dir);
		weft_argv_add(a, "--");
		add_task_bind(u, a);
		return 0;
	}
	add_bind(u, a);
	add_task_bind(u, a);
	return 0;
}
