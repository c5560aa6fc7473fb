#include "plugin/spank/site.h"

#include <dlfcn.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWD_BYTES 65536

static enum site_state state = SITE_BROKEN;
static struct weft_conf *conf;
static const char *conf_path; /* an argument of plugstack.conf: Slurm keeps it */

void site_forget(void)
{
	weft_conf_free(conf);
	conf = NULL;
	conf_path = NULL;
	state = SITE_BROKEN;
}

enum site_state site_read(int ac, char **av, bool trusted, char *why, size_t size)
{
	weft_autoerr struct weft_err err = {0};

	site_forget();
	for (int i = 0; i < ac; i++) {
		const char *arg = av && av[i] ? av[i] : "";

		if (weft_starts_with(arg, "conf=/")) {
			conf_path = arg + strlen("conf=");
			continue;
		}
		if (weft_starts_with(arg, "conf="))
			snprintf(why, size,
				"plugstack.conf: %.200s: not an absolute path", arg);
		else
			snprintf(why, size,
				"plugstack.conf: unknown argument '%.200s' (there is: "
				"conf=PATH)",
				arg);
		return state;
	}
	if (weft_conf_load(conf_path, trusted, &conf, &err)) {
		weft_autofree char *line = weft_err_line(&err);

		snprintf(why, size, "%s", line ? line : "out of memory");
		return state;
	}
	state = conf->enabled ? SITE_ON : SITE_OFF;
	return state;
}

enum site_state site_state(void)
{
	return state;
}

const struct weft_conf *site_conf(void)
{
	return state == SITE_ON ? conf : NULL;
}

bool site_asks_user(void)
{
	const struct weft_conf *c = site_conf();

	for (size_t i = 0; c && i < c->n_users; i++)
		if (!c->user[i].enabled)
			return true;
	return false;
}

/* By name, or by number where no name is known. */
bool site_user_off(uid_t uid, char *why, size_t size)
{
	const struct weft_conf *c = site_conf();
	weft_autoerr struct weft_err err = {0};
	weft_autofree char *line = NULL, *buf = NULL;
	struct passwd pw, *found = NULL;
	char number[16];

	/* Nobody is looked up for a file that switches nobody off. */
	if (!site_asks_user())
		return false;
	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	buf = malloc(PASSWD_BYTES);
	if (buf && getpwuid_r(uid, &pw, buf, PASSWD_BYTES, &found) != 0)
		found = NULL;
	if (weft_conf_switched_on(c, number, &err) == 0 &&
		(!found || weft_conf_switched_on(c, found->pw_name, &err) == 0))
		return false;
	line = weft_err_line(&err);
	snprintf(why, size, "%s", line ? line : "weft is switched off for you");
	return true;
}

const char *site_conf_path(void)
{
	return conf_path;
}

static char *beside(void)
{
	Dl_info info;
	char *path = NULL;

	if (!dladdr((void *)&state, &info) || !info.dli_fname || *info.dli_fname != '/')
		return NULL;
	const char *slash = strrchr(info.dli_fname, '/');
	path = weft_printf("%.*s/weft", (int)(slash - info.dli_fname), info.dli_fname);
	if (path && access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

char *site_command(bool trusted)
{
	static const char *const usual[] = {"/usr/local/bin/weft", "/usr/bin/weft"};
	const struct weft_conf *c = site_conf();

	if (c && c->command)
		return strdup(c->command);
	char *path = beside();
	if (path)
		return path;
	if (!trusted)
		return weft_which("weft");
	for (size_t i = 0; i < WEFT_COUNT(usual); i++)
		if (access(usual[i], X_OK) == 0)
			return strdup(usual[i]);
	return NULL;
}
