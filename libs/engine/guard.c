#include "engine/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS 16384
#define BYTES (GROUPS * sizeof(pid_t))

static void watch(const struct guard *g, int fd) __attribute__((noreturn));
static void watch(const struct guard *g, int fd)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	char c;

	/* It is to see the others' end. */
	for (int i = 1; i < 32; i++)
		sigaction(i, &ignore, NULL);
	prctl(PR_SET_NAME, "weft guard");
	for (int i = 0; i < fd; i++)
		close(i);
	if (syscall(SYS_close_range, (unsigned)fd + 1, ~0U, 0U) != 0)
		for (int i = fd + 1; i < 1024; i++)
			close(i);
	while (read(fd, &c, 1) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < GROUPS; i++) {
		pid_t group = __atomic_load_n(&g->group[i], __ATOMIC_ACQUIRE);

		if (group > 0)
			kill(-group, SIGKILL);
	}
	_exit(0);
}

int guard_open(struct guard *g, struct weft_err *err)
{
	int fd[2];

	*g = (struct guard){.pid = -1, .fd = -1};
	g->group = mmap(
		NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->group == MAP_FAILED) {
		g->group = NULL;
		return weft_err_sys(err, WEFT_ESYS, "guard");
	}
	if (pipe2(fd, O_CLOEXEC)) {
		weft_err_sys(err, WEFT_ESYS, "guard");
		guard_close(g);
		return -1;
	}
	g->pid = fork();
	if (g->pid == 0) {
		close(fd[1]);
		watch(g, fd[0]);
	}
	close(fd[0]);
	g->fd = fd[1];
	if (g->pid < 0) {
		weft_err_sys(err, WEFT_ESYS, "guard");
		guard_close(g);
		return -1;
	}
	return 0;
}

void guard_leave(struct guard *g)
{
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
}

void guard_close(struct guard *g)
{
	guard_leave(g);
	if (g->pid > 0)
		while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
			;
	if (g->group)
		munmap(g->group, BYTES);
	*g = (struct guard){.pid = -1, .fd = -1};
}

size_t guard_add(struct guard *g, pid_t group)
{
	size_t n = g->group ? GROUPS : 0;

	/* Members come and go: the place is next to the last one that was free. */
	for (size_t k = 0; k < n; k++) {
		size_t i = (g->used + k) % GROUPS;

		if (g->group[i])
			continue;
		__atomic_store_n(&g->group[i], group, __ATOMIC_RELEASE);
		g->used = i;
		return i;
	}
	return GROUPS;
}

void guard_drop(struct guard *g, size_t place)
{
	if (g->group && place < GROUPS) {
		__atomic_store_n(&g->group[place], 0, __ATOMIC_RELEASE);
		g->used = place;
	}
}
