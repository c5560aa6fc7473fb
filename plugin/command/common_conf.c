/* common_conf.c - what verbs take from weft.conf */
#include "command.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

const char *cmd_user(void)
{
	static char name[256];
	const struct passwd *pw = getpwuid(geteuid());

	if (pw)
		snprintf(name, sizeof(name), "%s", pw->pw_name);
	else
		snprintf(name, sizeof(name), "%u", (unsigned)geteuid());
	return name;
}

int cmd_switched_on(
	const struct weft_conf *conf, const char *workflow, struct weft_err *err)
{
	const char *user = cmd_user();

	if (weft_conf_switched_on(conf, user, err) == 0)
		return 0;
	weft_log_refusal(&(struct weft_refusal){
		user, workflow, conf->enabled ? "user.enabled" : "enabled", "no"});
	return -1;
}
