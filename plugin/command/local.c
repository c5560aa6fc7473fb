/* local.c - is the engine of a run on this machine still there? */
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHO_MAX 1024

/* "HOST BOOT PID START": a pid alone may be another's by now. */
static char *describe(const char *pid)
{
	weft_autofree char *path = weft_printf("/proc/%s/stat", pid);
	weft_autofree char *stat = NULL, *boot = NULL;
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	if (!path ||
		weft_read_file("/proc/sys/kernel/random/boot_id", WHO_MAX, &boot, NULL,
			NULL) ||
		weft_read_file(path, WHO_MAX, &stat, NULL, NULL))
		return NULL;
	boot[strcspn(boot, "\n")] = '\0';
	/* Behind the name, which may hold anything: state is field 3, start 22. */
	char *at = strrchr(stat, ')');
	if (!at || at[1] != ' ' || at[2] == 'Z')
		return NULL;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? weft_printf("%s %s %s %.*s\n", host, boot, pid,
			    (int)strcspn(at + 1, " "), at + 1)
		  : NULL;
}

int local_engine_note(const struct weft_run *run, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(run->dir, "engine");
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	weft_autofree char *who = describe(pid);
	if (!path || !who)
		return weft_err_nomem(err);
	return weft_write_file(path, who, strlen(who), 0644, err);
}

bool local_engine_gone(const struct weft_run *run)
{
	weft_autofree char *path = weft_path_join(run->dir, "engine"), *was = NULL;
	char host[256] = "", here[256] = "", pid[16] = "";

	if (!path || weft_read_file(path, WHO_MAX, &was, NULL, NULL) ||
		sscanf(was, "%255s %*s %15[0-9]", host, pid) != 2)
		return false;
	gethostname(here, sizeof(here) - 1);
	if (!weft_streq(host, here))
		return false; /* who can tell from here? */
	weft_autofree char *now = describe(pid);
	return !now || !weft_streq(now, was);
}
