/* forge.c - a SPANK plug-in of the user's own: sends slurmctld what FORGE says. */
#include <slurm/spank.h>
#include <stdlib.h>

SPANK_PLUGIN(forge, 1)

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	const char *text = getenv("FORGE");

	(void)ac, (void)av;
	if (text && spank_context() != S_CTX_REMOTE)
		spank_job_control_setenv(sp, "WEFT_REQUEST", text, 1);
	return 0;
}
