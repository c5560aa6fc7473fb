/*
 * watch.c - two ends of a socket: one is slurmstepd's, the other the watching
 * process's.
 *
 * Security.  It is forked from the task's child, which is the user already, knows no
 * way back and is about to run what the user likes; it can't be traced, closes all but
 * its end, runs no other program, and ends with slurmstepd or at its word.  By killing
 * it a user ends the stage-out of his own outputs.
 */
#include "plugin/spank/watch.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int here = -1, there = -1;

int watch_prepare(void)
{
	int fd[2];

	watch_end();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return -1;
	here = fd[0];
	there = fd[1];
	return 0;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The task's output must end with the task. */
static void close_others(int keep)
{
	long max = sysconf(_SC_OPEN_MAX);

	if (syscall(SYS_close_range, keep + 1, ~0U, 0) == 0) {
		for (int fd = 0; fd < keep; fd++)
			close(fd);
		return;
	}
	if (max < 0 || max > 1 << 20)
		max = 1 << 20;
	for (int fd = 0; fd < max; fd++)
		if (fd != keep)
			close(fd);
}

/* It stays in the tasks' process group, which is all that proctrack/pgid knows of a
 * step. Other signals than SIGKILL are meant for programs. */
static void stand(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	char c;

	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NAME, "weft-watch");
	for (int i = 1; i < 32; i++)
		sigaction(i, &ignore, NULL);
	(void)!chdir("/");
	close_others(there);
	while (read(there, &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* Twice forked: a program that waits for its children must not find one it hasn't. */
void watch_start(void)
{
	pid_t pid;

	if (there < 0)
		return;
	pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			stand();
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int watch_fd(void)
{
	shut(&there);
	return here;
}

void watch_end(void)
{
	shut(&here);
	shut(&there);
}
