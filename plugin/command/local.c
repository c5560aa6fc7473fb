/* local.c - the engine of a run on this machine: started, and is it still there? */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define WHO_MAX 1024
#define MEMBERS_END 15.0 /* seconds that members may need to end after their engine */

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

/* Held by the engine and by the processes that watch over its members: whoever gets it
 * is alone.  -1: not within these seconds. */
static int lock(
	const struct weft_run *run, double seconds, int *fd, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(run->dir, "lock");
	double end = weft_monotonic() + seconds;

	*fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
	if (*fd < 0)
		return weft_err_sys(err, WEFT_ESYS, "%s", path ? path : "lock");
	while (flock(*fd, LOCK_EX | LOCK_NB)) {
		/* Lustre and others that are mounted without locks: then what the
		 * engine has noted of itself must do. */
		if (errno == ENOSYS || errno == ENOTSUP || errno == ENOLCK ||
			errno == EINVAL)
			return 0;
		if (errno == EWOULDBLOCK && weft_monotonic() < end) {
			nanosleep(&(struct timespec){0, 50000000}, NULL);
			continue;
		}
		close(*fd);
		weft_err_set(err, WEFT_EUSAGE, "members of %s still run", run->id);
		return weft_err_hint(err,
			"they end within seconds of their engine; "
			"`fuser %s` names what is left",
			path);
	}
	return 0;
}

int local_engine_note(const struct weft_run *run, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(run->dir, "engine");
	char pid[16];
	int fd; /* held until we, and our members, end */

	if (lock(run, 0, &fd, err))
		return -1;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	weft_autofree char *who = describe(pid);
	if (!path || !who)
		return weft_err_nomem(err);
	return weft_write_file(path, who, strlen(who), 0644, err);
}

int local_engine_ended(const struct weft_run *run, struct weft_err *err)
{
	int fd;

	if (lock(run, MEMBERS_END, &fd, err))
		return -1;
	close(fd);
	return 0;
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

int local_engine_start(const struct opened *o, pid_t *pid, struct weft_err *err)
{
	pid_t parent = getpid();

	fflush(NULL);
	*pid = fork();
	if (*pid < 0)
		return weft_err_sys(err, WEFT_ESYS, "fork");
	if (*pid)
		return 0;
	struct weft_engine e = {0};
	struct weft_err why = {0};
	int code;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(WEFT_EINTR);
	if (local_engine_note(o->run, &why) || engine_fill(&e, o, &why) ||
		(code = weft_engine_run(&e, &why)) < 0)
		code = cmd_fail(&why);
	engine_clear(&e);
	_exit(code);
}
