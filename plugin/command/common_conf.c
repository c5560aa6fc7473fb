/* common_conf.c - what verbs take from weft.conf */
#include "command.h"

#include <stdlib.h>
#include <string.h>

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

char *cmd_path_on_nodes(const struct weft_conf *conf)
{
	return conf && conf->command ? strdup(conf->command) : weft_self_path();
}
