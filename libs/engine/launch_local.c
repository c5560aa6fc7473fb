/* launch_local.c - the step as children of the engine, without srun */
#include "engine/unit.h"

#include <stdlib.h>
#include <unistd.h>

static int need(const char *program, const char *hint, struct weft_err *err)
{
	weft_autofree char *path = weft_which(program);

	if (path)
		return 0;
	weft_err_set(err, WEFT_EPLACE, "there is no %s in PATH", program);
	return weft_err_hint(err, "%s", hint);
}

static void add_bind(const struct unit *u, struct weft_argv *a, unsigned tasks)
{
	if (!launch_binds(u))
		return;
	/* Which CPUs are the job's is not known: others' may be among them. */
	if (u->e->slurm && !u->slot.cpus)
		return;
	weft_argv_add(a, u->e->weft);
	weft_argv_add(a, "bind");
	weft_argv_add(a, "--verify");
	weft_argv_addf(a, "--tasks=%u", tasks);
	if (u->slot.cpus)
		weft_argv_addf(a, "--allowed=%s", u->slot.cpus);
	weft_argv_add(a, "--");
}

int launch_local_words(const struct unit *u, struct weft_argv *a, struct weft_err *err)
{
	unsigned n = u->plan->ntasks;

	switch (u->plan->launch) {
	case WEFT_LAUNCH_DEFAULT:
	case WEFT_LAUNCH_SINGLE:
		if (n <= 1)
			add_bind(u, a, 1);
		return 0;
	case WEFT_LAUNCH_SRUN:
		weft_argv_add(a, u->e->weft);
		weft_argv_add(a, "tasks");
		weft_argv_addf(a, "--ntasks=%u", n);
		weft_argv_add(a, "--");
		add_bind(u, a, n);
		return 0;
	case WEFT_LAUNCH_MPI:
		if (need("mpirun",
			    "install an MPI (Debian: openmpi-bin), or load its module "
			    "in "
			    "`setup`",
			    err))
			return -1;
		weft_argv_add(a, "mpirun");
		weft_argv_add(a, "--oversubscribe");
		weft_argv_add(a, "--bind-to");
		weft_argv_add(a, "none");
		if (geteuid() == 0)
			weft_argv_add(a, "--allow-run-as-root");
		weft_argv_add(a, "-np");
		weft_argv_addf(a, "%u", n);
		add_bind(u, a, n);
		return 0;
	case WEFT_LAUNCH_TORCHRUN: {
		unsigned workers =
			u->plan->ntasks_per_node ? u->plan->ntasks_per_node : 1;

		if (!u->step->setup.s && need("torchrun",
						 "install PyTorch (Debian: "
						 "python3-torch), or activate its "
						 "environment in `setup`",
						 err))
			return -1;
		weft_argv_add(a, "torchrun");
		weft_argv_add(a, "--no_python");
		/* --standalone is one port for all of torch 1.13 on a machine. */
		weft_argv_add(a, "--rdzv_backend=c10d");
		weft_argv_add(a, "--rdzv_endpoint=localhost:0");
		weft_argv_addf(a, "--nproc_per_node=%u", workers);
		add_bind(u, a, workers);
		return 0;
	}
	}
	return 0;
}
