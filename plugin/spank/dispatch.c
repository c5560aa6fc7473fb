/*
 * dispatch.c - the symbols that Slurm looks for, and who answers them.
 *
 * Hooks that aren't here (job_prolog, job_epilog, slurmd_exit and the like) are left
 * out on purpose: Slurm pays for each that a plug-in has, for every job of the cluster.
 */
#include "plugin/spank/contexts.h"

SPANK_PLUGIN(weft, 1)

int slurm_spank_init(spank_t sp, int ac, char **av)
{
	switch (host_context()) {
	case HOST_LOCAL:
		return local_init(sp, ac, av);
	case HOST_ALLOCATOR:
		return allocator_init(sp, ac, av);
	case HOST_REMOTE:
		return remote_init(sp, ac, av);
	case HOST_OTHER:
		break;
	}
	return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	(void)ac, (void)av;
	switch (host_context()) {
	case HOST_LOCAL:
		return local_init_post_opt(sp);
	case HOST_ALLOCATOR:
		return allocator_init_post_opt(sp);
	default:
		return 0;
	}
}

int slurm_spank_local_user_init(spank_t sp, int ac, char **av)
{
	(void)ac, (void)av;
	return host_context() == HOST_LOCAL ? local_user_init(sp) : 0;
}

int slurm_spank_user_init(spank_t sp, int ac, char **av)
{
	(void)ac, (void)av;
	return host_context() == HOST_REMOTE ? remote_user_init(sp) : 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
	(void)ac, (void)av;
	return host_context() == HOST_REMOTE ? remote_task_init(sp) : 0;
}

int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
	(void)ac, (void)av;
	return host_context() == HOST_REMOTE ? remote_task_exit(sp) : 0;
}

int slurm_spank_exit(spank_t sp, int ac, char **av)
{
	(void)sp, (void)ac, (void)av;
	switch (host_context()) {
	case HOST_LOCAL:
		local_end();
		break;
	case HOST_REMOTE:
		remote_end();
		break;
	default:
		break;
	}
	return 0;
}
