/* cache_lock.c - locks on open files: whoever dies has none */
#include "stage/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define NAP_NS 2000000L
#define MAX_NAP_NS 100000000L

int cache_lock(int dir, const char *name, bool make, int how)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

	for (;;) {
		int fd = openat(dir, name, flags | (make ? O_CREAT : 0), 0600), sys;
		struct stat own, there;

		if (fd < 0)
			return -1;
		if (flock(fd, how) != 0) {
			sys = errno;
			close(fd);
			if (sys == EINTR && !(how & LOCK_NB))
				continue;
			errno = sys;
			return -1;
		}
		/* Removed, or another one by now, while we waited. */
		if (fstat(fd, &own) == 0 && own.st_nlink > 0 &&
			fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
			there.st_ino == own.st_ino && there.st_dev == own.st_dev)
			return fd;
		close(fd);
	}
}

int cache_wait(int dir, const char *name, bool make, int how,
	const volatile sig_atomic_t *stop, struct weft_err *err)
{
	struct timespec nap = {0, NAP_NS};

	for (;;) {
		int fd = cache_lock(dir, name, make, how | LOCK_NB);

		if (fd >= 0)
			return fd;
		if (errno == ENOENT && !make)
			return -2;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return weft_err_sys(err, WEFT_ESTAGE, "the node's cache");
		if (stop && *stop)
			return weft_err_set(err, WEFT_EINTR, "told to stop");
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < MAX_NAP_NS)
			nap.tv_nsec += nap.tv_nsec / 2;
	}
}
