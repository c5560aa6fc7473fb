/*
 * child.c - what slurmstepd mustn't do itself is done by its user.
 *
 * Security.  The command is the site's: of weft.conf, beside weft.so, or in a folder of
 * the system's, never of the user's PATH.  It is started with the groups, group and
 * user of the step's user (never group 0), no_new_privs, nothing open and an
 * environment that is named here; that root can't be had back is checked before it is
 * executed (weft_spawn).  A step of root's has nothing to give up, so none is started
 * for it.  What it says is the user's to forge: whoever asks reads it as such.
 */
#include "plugin/spank/child.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "plugin/spank/site.h"

#define GROUPS_MAX 1024

static int ignore_end(void *arg)
{
	static const int asks[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)arg;
	for (size_t i = 0; i < WEFT_COUNT(asks); i++)
		if (sigaction(asks[i], &ignore, NULL))
			return -1;
	return 0;
}

#define LINE_MAX 300

/* Slurm's log and the user's terminal get no byte of it that could be more than text.
 */
static void clean_line(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) > LINE_MAX)
		text[LINE_MAX] = '\0';
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

int child_run(spank_t sp, const struct child *c, char **text, struct weft_err *err)
{
	static char *const plain[] = {
		(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C", NULL};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *command = site_command(true), *said = NULL;
	gid_t group[GROUPS_MAX];
	weft_autoargv struct weft_argv argv = {0};
	int status;

	*text = NULL;
	if (!command)
		return weft_err_set(err, WEFT_EPLACE, "no weft command on this node");
	if (host_user(sp, &s.uid, &s.gid))
		return weft_err_set(
			err, WEFT_EPLACE, "Slurm doesn't say whose step this is");
	if (s.uid == 0)
		return weft_err_set(err, WEFT_EPLACE, "the step is root's");
	weft_argv_add(&argv, command);
	for (size_t i = 1; c->argv[i]; i++)
		weft_argv_add(&argv, c->argv[i]);
	if (argv.failed)
		return weft_err_nomem(err);
	s.argv = argv.v;
	s.envp = c->envp ? c->envp : plain;
	s.groups = group;
	s.n_groups = host_groups(sp, group, WEFT_COUNT(group));
	s.cwd = "/";
	s.until = c->until;
	s.die_with_parent = true;
	s.drop = true;
	s.prepare = c->stays ? ignore_end : NULL;
	if (weft_capture(&s, c->seconds, c->bytes, text, &said, &status, err))
		return -1;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	clean_line(said);
	return weft_err_set(err, WEFT_EPLACE, "'%s %s' %s%s%s", command, c->argv[1],
		WIFSIGNALED(status) ? "was killed" : "failed", *said ? ": " : "", said);
}
