/* common_conf.c - the conf of what root runs on a node */
#include "command.h"

#include <stdlib.h>

/*
 * For root at boot and in Slurm's Prolog and Epilog.  Their environment is the
 * admin's, slurmd's and Slurm's, never the user's, so WEFT_CONF is to be believed;
 * the file must be root's all the same.
 */
int cmd_site_conf(struct weft_conf **conf, struct weft_err *err)
{
	const char *path = getenv("WEFT_CONF");

	return weft_conf_load(path && *path ? path : NULL, true, conf, err);
}
