#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

extern char **environ;

#define MAX_FD (1 << 20)

/* Folders are executable too, and no programs. */
static bool runs(const char *path)
{
	struct stat st;

	if (access(path, X_OK) || stat(path, &st))
		return false;
	if (S_ISREG(st.st_mode))
		return true;
	errno = EACCES;
	return false;
}

char *weft_which(const char *name)
{
	if (strchr(name, '/'))
		return runs(name) ? strdup(name) : NULL;
	const char *path = getenv("PATH");
	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		char *full = weft_printf("%.*s/%s", (int)n, p, name);

		if (full && n && *p == '/' && runs(full))
			return full;
		free(full);
		p += n;
		p += *p == ':';
	}
	errno = ENOENT;
	return NULL;
}

char *weft_self_path(void)
{
	char buf[4096];
	ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);

	if (n < 0)
		return NULL;
	buf[n] = '\0';
	return strdup(buf);
}

/* Where a number of 16 bits stood for these first. */
#ifdef SYS_setresuid32
#define CALL_SETGROUPS SYS_setgroups32
#define CALL_SETRESGID SYS_setresgid32
#define CALL_SETRESUID SYS_setresuid32
#define CALL_SETGID SYS_setgid32
#define CALL_SETUID SYS_setuid32
#else
#define CALL_SETGROUPS SYS_setgroups
#define CALL_SETRESGID SYS_setresgid
#define CALL_SETRESUID SYS_setresuid
#define CALL_SETGID SYS_setgid
#define CALL_SETUID SYS_setuid
#endif

/*
 * Gives up root for good, in this order, because each step needs what the next
 * takes away: groups, group, user, then no way back through setuid programs.
 * Checked: getting root back must fail.
 *
 * The kernel is asked itself.  The C library's functions speak for all threads, under a
 * lock that another thread may have held when this process was made: there would be
 * nobody to release it.
 */
static int drop_root(const struct weft_spawn *s)
{
	uid_t uid = s->uid;
	gid_t gid = s->gid;

	if (uid == 0 || gid == 0) {
		errno = EPERM;
		return -1;
	}
	if (geteuid() == 0 && syscall(CALL_SETGROUPS, s->n_groups, s->groups))
		return -1;
	if (syscall(CALL_SETRESGID, gid, gid, gid) ||
		syscall(CALL_SETRESUID, uid, uid, uid))
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	if (syscall(CALL_SETUID, 0) == 0 || syscall(CALL_SETGID, 0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* Who isn't root any more has no claim to what keeps a daemon of root's from being
 * killed when memory is short. */
static void be_mortal(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "0", 1);
	close(fd);
}

/* Without close_range(2), or its flag (before Linux 5.11): one by one. */
static void close_others_at_exec(int max)
{
	if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0)
		return;
	for (int fd = 3; fd < max; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

struct child_plan {
	const struct weft_spawn *s;
	const char *path;
	int max_fd;
	pid_t parent;
	int why; /* errno of what failed; 0: nothing did */
};

/* Between clone and exec, in our memory but with descriptors and signal handlers of its
 * own: async-signal-safe calls only. */
static int child(void *plan)
{
	struct child_plan *p = plan;
	const struct weft_spawn *s = p->s;
	int fd[3] = {s->in, s->out, s->err};
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&none);
	for (int i = 1; i < 32; i++)
		sigaction(i, &dfl, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->group && setpgid(0, 0))
		goto fail;
	/* Above 2 first, so that no target overwrites another's source. */
	for (int i = 0; i < 3; i++) {
		fd[i] = fd[i] < 0 ? open("/dev/null", i ? O_WRONLY : O_RDONLY)
				  : fcntl(fd[i], F_DUPFD, 10);
		if (fd[i] < 0)
			goto fail;
		if (fd[i] < 10) {
			int up = fcntl(fd[i], F_DUPFD, 10);

			if (up < 0)
				goto fail;
			fd[i] = up;
		}
	}
	for (int i = 0; i < 3; i++)
		if (dup2(fd[i], i) < 0)
			goto fail;
	close_others_at_exec(p->max_fd);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	if (s->cpus &&
		syscall(SYS_sched_setaffinity, 0, s->n_cpu_words * 8, s->cpus) < 0)
		goto fail;
	if (s->drop)
		be_mortal();
	if (s->drop && drop_root(s))
		goto fail;
	if (s->die_with_parent) {
		/* After the change of user, which would have cleared it. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL))
			goto fail;
		if (getppid() != p->parent)
			_exit(127);
	}
	if (s->cwd && chdir(s->cwd))
		goto fail;
	if (s->prepare && s->prepare(s->arg))
		goto fail;
	execve(p->path, s->argv, s->envp ? s->envp : environ);
fail:
	p->why = errno ? errno : EINVAL;
	_exit(127);
}

#define STACK ((size_t)16 << 10)

/* As vfork: while the child runs in our memory we wait, so its stack may be a part of
 * ours. */
static pid_t start_shared(struct child_plan *plan)
{
	char stack[STACK] __attribute__((aligned(16)));

	pid_t p = clone(child, stack + STACK, CLONE_VFORK | SIGCHLD | CLONE_VM, plan);
#ifdef __SANITIZE_ADDRESS__
	/* The child never returned from the frames that it had there. */
	__asan_unpoison_memory_region(stack, sizeof(stack));
#endif
	return p;
}

/* One that gives up root gets a copy of our memory: no process of the user's may share
 * it with root's.  Only what failed is told through a page of both. */
static pid_t start_apart(struct child_plan *plan)
{
	struct child_plan *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char stack[STACK] __attribute__((aligned(16)));

	if (shared == MAP_FAILED)
		return -1;
	*shared = *plan;
	pid_t p = clone(child, stack + STACK, CLONE_VFORK | SIGCHLD, shared);
	int clone_errno = errno;
	*plan = *shared;
	munmap(shared, sizeof(*shared));
	errno = clone_errno;
	return p;
}

int weft_spawn(const struct weft_spawn *s, pid_t *pid, struct weft_err *err)
{
	weft_autofree char *path =
		s->program ? strdup(s->program) : weft_which(s->argv[0]);
	sigset_t all, old;

	*pid = -1;
	if (!path) {
		if (strchr(s->argv[0], '/') && errno == 0)
			errno = ENOENT;
		return weft_err_sys(err, WEFT_ESYS, "%s", s->argv[0]);
	}
	long max_fd = sysconf(_SC_OPEN_MAX);
	if (max_fd < 0 || max_fd > MAX_FD)
		max_fd = MAX_FD;
	struct child_plan plan = {s, path, (int)max_fd, getpid(), 0};
	/* No handler of ours may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t p = s->drop ? start_apart(&plan) : start_shared(&plan);
	int clone_errno = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (p < 0) {
		errno = clone_errno;
		return weft_err_sys(err, WEFT_ESYS, "fork");
	}
	if (plan.why) {
		waitpid(p, NULL, 0);
		errno = plan.why;
		return weft_err_sys(err, WEFT_ESYS, "%s%s%s", path,
			s->cwd ? " in " : "", s->cwd ? s->cwd : "");
	}
	*pid = p;
	return 0;
}

#define STOP_LOOK 0.2 /* seconds */

struct sink {
	int fd;
	struct weft_str text;
};

/* Reads what is there; closes at the end of the file. false: over max. */
static bool drain(struct sink *k, size_t max)
{
	char buf[16384];
	ssize_t n = read(k->fd, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		close(k->fd);
		k->fd = -1;
		return true;
	}
	weft_str_addn(&k->text, buf, (size_t)n);
	return k->text.len <= max;
}

/* Waits until `end` (0: for ever), or until the other end of a descriptor closes (-1:
 * none).  1: it has not ended by then. */
static int wait_until(pid_t pid, int *status, double end, int until)
{
	struct pollfd u = {until, 0, 0};

	for (int pause = 1;; pause = pause < 64 ? pause * 2 : pause) {
		pid_t p = waitpid(pid, status, end || until >= 0 ? WNOHANG : 0);

		if (p == pid)
			return 0;
		if (p < 0 && errno != EINTR)
			return -1;
		if (end && weft_monotonic() >= end)
			return 1;
		/* Its pipes are closed: as a rule it ends within the first pause. */
		if (p == 0 && poll(&u, 1, pause) > 0)
			return 1;
	}
}

int weft_capture(const struct weft_spawn *s, double timeout, size_t max, char **out,
	char **errout, int *status, struct weft_err *err)
{
	int o[2] = {-1, -1}, e[2] = {-1, -1}, r = -1;
	struct weft_spawn own = *s;
	struct sink k[2] = {{.fd = -1}, {.fd = -1}};
	double end = timeout > 0 ? weft_monotonic() + timeout : 0;
	bool killed = false, over = false, told = false, gone = false;
	pid_t pid;

	*out = NULL;
	if (errout)
		*errout = NULL;
	if (pipe2(o, O_CLOEXEC) || (errout && pipe2(e, O_CLOEXEC))) {
		weft_err_sys(err, WEFT_ESYS, "pipe");
		goto out;
	}
	own.out = o[1];
	if (errout)
		own.err = e[1];
	own.group = true; /* so that its children die with it */
	if (weft_spawn(&own, &pid, err))
		goto out;
	k[0].fd = o[0];
	k[1].fd = e[0];
	close(o[1]);
	if (errout)
		close(e[1]);
	o[0] = o[1] = e[0] = e[1] = -1;
	while (k[0].fd >= 0 || k[1].fd >= 0) {
		struct pollfd p[3] = {
			{k[0].fd, POLLIN, 0}, {k[1].fd, POLLIN, 0}, {s->until, 0, 0}};
		double left = end ? end - weft_monotonic() : 3600;

		if (left <= 0) {
			killed = true;
			break;
		}
		if (s->stop && *s->stop && !told) {
			kill(-pid, SIGTERM);
			told = true;
		}
		/* A signal between this look and the poll interrupts nothing. */
		if (s->stop && !told && left > STOP_LOOK)
			left = STOP_LOOK;
		int got =
			poll(p, 3, left > 3600 ? 3600 * 1000 : (int)(left * 1000) + 1);
		if (got < 0 && errno != EINTR)
			break;
		for (int i = 0; got > 0 && i < 2; i++)
			if (k[i].fd >= 0 && p[i].revents && !drain(&k[i], max))
				over = true;
		gone = got > 0 && p[2].revents;
		if (over || gone)
			break;
	}
	/* A program may close its output and run on: the limit holds for it too. */
	int waited =
		killed || over || gone ? 1 : wait_until(pid, status, end, s->until);
	if (waited == 1) {
		killed = !over && !gone && end && weft_monotonic() >= end;
		gone = !over && !killed;
		kill(-pid, SIGKILL);
		waited = wait_until(pid, status, 0, -1);
	}
	if (waited < 0) {
		weft_err_sys(err, WEFT_ESYS, "waiting for %s", s->argv[0]);
		goto out;
	}
	if (killed) {
		errno = ETIMEDOUT;
		weft_err_set(err, WEFT_ESYS, "%s: no answer within %g s", s->argv[0],
			timeout);
		goto out;
	}
	if (gone) {
		errno = ECANCELED;
		weft_err_set(err, WEFT_EINTR, "%s: killed", s->argv[0]);
		goto out;
	}
	if (over) {
		errno = EFBIG;
		weft_err_set(err, WEFT_ESYS, "%s: more output than %zu bytes",
			s->argv[0], max);
		goto out;
	}
	*out = weft_str_take(&k[0].text);
	if (errout)
		*errout = weft_str_take(&k[1].text);
	if (!*out || (errout && !*errout)) {
		free(*out);
		*out = NULL;
		if (errout)
			free(*errout);
		if (errout)
			*errout = NULL;
		weft_err_nomem(err);
		goto out;
	}
	r = 0;
out:
	for (int i = 0; i < 2; i++) {
		if (k[i].fd >= 0)
			close(k[i].fd);
		weft_str_free(&k[i].text);
		if (o[i] >= 0)
			close(o[i]);
		if (e[i] >= 0)
			close(e[i]);
	}
	return r;
}
