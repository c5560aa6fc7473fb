/*
 * fake_host.h - the host that fake_spank plays: its spank_* functions, what the
 * plug-in opens, and the process around a hook.  Included by fake_spank.c alone.
 */
#ifndef WEFT_FAKE_HOST_H
#define WEFT_FAKE_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <slurm/spank.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ticket/ticket.h"

extern char **environ;

/* ---- what the host says ------------------------------------------------- */

static struct {
	spank_context_t context;
	char *env[64][2];
	int n_env;
	uint32_t step, tasks;
	int task, status; /* status: of a task that has ended */
	bool keeps;       /* descriptors are left open from hook to hook */
	const char *cores;
	struct spank_option *option[8];
	int n_options;
	/* Fault: the call of this function, counted over all, answers so. */
	int calls, fail_at;
	spank_err_t fail_with;
	bool all_fail;
} host;

static int passed, failed;

static void check(bool ok, const char *fmt, ...) WEFT_PRINTF(2, 3);
static void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok) {
		passed++;
		return;
	}
	failed++;
	va_start(ap, fmt);
	printf("FAIL  ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

static bool fault(spank_err_t *e)
{
	host.calls++;
	*e = host.fail_with;
	return host.all_fail || host.calls == host.fail_at;
}

spank_context_t spank_context(void)
{
	return host.context;
}

int spank_remote(spank_t sp)
{
	(void)sp;
	return host.context == S_CTX_REMOTE;
}

spank_err_t spank_option_register(spank_t sp, struct spank_option *o)
{
	spank_err_t e;
	(void)sp;

	if (fault(&e))
		return e;
	if (host.n_options < 8)
		host.option[host.n_options++] = o;
	return ESPANK_SUCCESS;
}

spank_err_t spank_option_getopt(spank_t sp, struct spank_option *o, char **arg)
{
	(void)sp, (void)o, (void)arg;
	return ESPANK_NOT_AVAIL;
}

spank_err_t spank_get_item(spank_t sp, spank_item_t item, ...)
{
	va_list ap;
	spank_err_t e;
	(void)sp;

	if (fault(&e))
		return e;
	va_start(ap, item);
	void *to = va_arg(ap, void *);
	va_end(ap);
	e = ESPANK_SUCCESS;
	switch (item) {
	case S_JOB_UID:
		*(uid_t *)to = geteuid();
		break;
	case S_JOB_GID:
		*(gid_t *)to = getegid();
		break;
	case S_JOB_ID:
		*(uint32_t *)to = 7;
		break;
	case S_JOB_STEPID:
		*(uint32_t *)to = host.step;
		break;
	case S_JOB_LOCAL_TASK_COUNT:
		*(uint32_t *)to = host.tasks;
		break;
	case S_TASK_ID:
		*(int *)to = host.task;
		break;
	case S_TASK_EXIT_STATUS:
		*(int *)to = host.status;
		break;
	case S_JOB_NODEID:
		*(uint32_t *)to = 3;
		break;
	case S_STEP_ALLOC_CORES:
		*(const char **)to = host.cores;
		break;
	default:
		e = ESPANK_BAD_ARG;
	}
	return e;
}

spank_err_t spank_getenv(spank_t sp, const char *name, char *buf, int len)
{
	spank_err_t e;
	(void)sp;

	if (fault(&e))
		return e;
	for (int i = 0; i < host.n_env; i++)
		if (strcmp(host.env[i][0], name) == 0) {
			size_t n = strlen(host.env[i][1]);

			/* As Slurm's: copies what fits, without an end. */
			strncpy(buf, host.env[i][1], (size_t)len);
			return n >= (size_t)len ? ESPANK_NOSPACE : ESPANK_SUCCESS;
		}
	return ESPANK_ENV_NOEXIST;
}

static void job_env(const char *name, const char *value)
{
	for (int i = 0; i < host.n_env; i++)
		if (strcmp(host.env[i][0], name) == 0) {
			free(host.env[i][1]);
			host.env[i][1] = strdup(value);
			return;
		}
	if (host.n_env < 64) {
		host.env[host.n_env][0] = strdup(name);
		host.env[host.n_env++][1] = strdup(value);
	}
}

static const char *job_getenv(const char *name)
{
	for (int i = 0; i < host.n_env; i++)
		if (strcmp(host.env[i][0], name) == 0)
			return host.env[i][1];
	return NULL;
}

spank_err_t spank_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
	spank_err_t e;
	(void)sp;

	if (fault(&e))
		return e;
	if (!overwrite && job_getenv(name))
		return ESPANK_ENV_EXISTS;
	job_env(name, value);
	return ESPANK_SUCCESS;
}

spank_err_t spank_job_control_setenv(
	spank_t sp, const char *name, const char *value, int overwrite)
{
	spank_err_t e;
	(void)sp, (void)name, (void)value, (void)overwrite;

	return fault(&e) ? e : ESPANK_SUCCESS;
}

spank_err_t spank_job_control_unsetenv(spank_t sp, const char *name)
{
	spank_err_t e;
	(void)sp, (void)name;

	return fault(&e) ? e : ESPANK_ENV_NOEXIST;
}

#define LOGGER(name)                                                                   \
	void name(const char *fmt, ...)                                                \
	{                                                                              \
		va_list ap;                                                            \
		va_start(ap, fmt);                                                     \
		vfprintf(stderr, fmt, ap);                                             \
		fputc('\n', stderr);                                                   \
		va_end(ap);                                                            \
	}
LOGGER(slurm_error)
LOGGER(slurm_info)
LOGGER(slurm_debug)

/* ---- what the plug-in opens ---------------------------------------------- */

static char opened[1 << 16];
static bool guarded; /* changes of the file system are refused */

static void note(const char *what, const char *path)
{
	size_t n = strlen(opened);

	snprintf(opened + n, sizeof(opened) - n, "%s %s\n", what, path);
}

/* The executable's symbols come before libc's for a library that it loads. */
#define NOTED_OPEN(name)                                                               \
	int name(const char *path, int flags, ...);                                    \
	int name(const char *path, int flags, ...)                                     \
	{                                                                              \
		va_list ap;                                                            \
		va_start(ap, flags);                                                   \
		int mode = va_arg(ap, int);                                            \
		va_end(ap);                                                            \
		note(flags &(O_CREAT | O_WRONLY | O_RDWR) && strcmp(path, "/dev/null") \
				? "write"                                              \
				: "read",                                              \
			path);                                                         \
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);          \
	}
#define NOTED_OPENAT(name)                                                             \
	int name(int dir, const char *path, int flags, ...);                           \
	int name(int dir, const char *path, int flags, ...)                            \
	{                                                                              \
		va_list ap;                                                            \
		va_start(ap, flags);                                                   \
		int mode = va_arg(ap, int);                                            \
		va_end(ap);                                                            \
		note(flags &(O_CREAT | O_WRONLY | O_RDWR) ? "write"                    \
			: flags &O_NOFOLLOW               ? "nofollow"                 \
							  : "read",                                  \
			path);                                                         \
		return (int)syscall(SYS_openat, dir, path, flags, mode);               \
	}
NOTED_OPEN(open)
NOTED_OPEN(open64)
NOTED_OPENAT(openat)
NOTED_OPENAT(openat64)
#define NOTED_CHANGE(name, number, params, ...)                                        \
	int name params;                                                               \
	int name params                                                                \
	{                                                                              \
		note("change", a);                                                     \
		if (!guarded)                                                          \
			return (int)syscall(number, __VA_ARGS__);                      \
		errno = EPERM;                                                         \
		return -1;                                                             \
	}
NOTED_CHANGE(mkdir, SYS_mkdirat, (const char *a, mode_t m), AT_FDCWD, a, m)
NOTED_CHANGE(unlink, SYS_unlinkat, (const char *a), AT_FDCWD, a, 0)
NOTED_CHANGE(rename, SYS_renameat2, (const char *a, const char *b), AT_FDCWD, a,
	AT_FDCWD, b, 0)
NOTED_CHANGE(symlink, SYS_symlinkat, (const char *a, const char *b), a, AT_FDCWD, b)
NOTED_CHANGE(chmod, SYS_fchmodat, (const char *a, mode_t m), AT_FDCWD, a, m)
NOTED_CHANGE(
	chown, SYS_fchownat, (const char *a, uid_t u, gid_t g), AT_FDCWD, a, u, g, 0)

/* ---- the process around a hook ------------------------------------------- */

struct around {
	mode_t mask;
	char cwd[4096];
	char *env[512];
	void (*handler[65])(int);
	sigset_t blocked;
	char fds[1024];
	uid_t uid, euid;
	gid_t gid, egid;
	cpu_set_t cpus;
};

static void look(struct around *a)
{
	memset(a, 0, sizeof(*a));
	a->mask = umask(0);
	umask(a->mask);
	(void)!getcwd(a->cwd, sizeof(a->cwd));
	for (int i = 0; i < 511 && environ[i]; i++)
		a->env[i] = environ[i];
	for (int s = 1; s < 65; s++) {
		struct sigaction sa;

		if (sigaction(s, NULL, &sa) == 0)
			a->handler[s] = sa.sa_handler;
	}
	sigprocmask(SIG_BLOCK, NULL, &a->blocked);
	for (int fd = 0; fd < 1023; fd++)
		a->fds[fd] = fcntl(fd, F_GETFD) >= 0;
	a->uid = getuid();
	a->euid = geteuid();
	a->gid = getgid();
	a->egid = getegid();
	sched_getaffinity(0, sizeof(a->cpus), &a->cpus);
}

static void compare(const char *hook, const struct around *was)
{
	struct around is;

	look(&is);
	check(is.mask == was->mask, "%s changed the umask", hook);
	check(strcmp(is.cwd, was->cwd) == 0, "%s changed the working directory", hook);
	check(memcmp(is.env, was->env, sizeof(is.env)) == 0,
		"%s changed the environment", hook);
	check(memcmp(is.handler, was->handler, sizeof(is.handler)) == 0,
		"%s changed a signal's handler", hook);
	check(memcmp(&is.blocked, &was->blocked, sizeof(is.blocked)) == 0,
		"%s changed the signal mask", hook);
	check(host.keeps || memcmp(is.fds, was->fds, sizeof(is.fds)) == 0,
		"%s left a descriptor", hook);
	check(is.uid == was->uid && is.euid == was->euid && is.gid == was->gid &&
			is.egid == was->egid,
		"%s changed user or group", hook);
	check(memcmp(&is.cpus, &was->cpus, sizeof(is.cpus)) == 0,
		"%s changed the affinity", hook);
}

#endif
