/* faulty.c - a file system that fails, preloaded into a command under test.
 *
 * FAULTY is a list of WHAT[:ARG] with blanks between:
 *   short          reads and writes do a part only, each third is interrupted
 *   slow:MS        each read takes that long
 *   read-eio:PART  reading a file whose path has PART fails; read-stale:PART, too
 *   write:ERRNO    writing fails with that number
 *   sync:ERRNO     making durable fails so, of single files and of all
 *   sync-once:ERRNO  the first of all alone: such an error is told once
 *   close:ERRNO    closing a file of a copy fails so
 *   kill:BYTES     SIGKILL once that much was written; term:BYTES SIGTERM
 *   range:ERRNO    copy_file_range fails so; range:0 says 0 before the end
 *   range-lies     copy_file_range says all is copied and does nothing
 *   holes          lseek says that a file is one hole
 *   no-openat2     the system call is not there
 *   crawl:BYTES    after so many bytes each recvmsg takes 0.15 s
 *   flip:BYTES     of what sendmsg sends, a bit is turned over once after so many bytes
 *   no-flags       renaming takes no flags; no-links: no file gets a second name;
 *   no-locks       flock isn't there, as on Lustre without it
 *   attr:NAME      each file has such an attribute, FAULTY_ATTR in hex; none takes it
 *   before:PART    at the first read of such a file, and with always:PART at each,
 *                  FAULTY_HOOK is run by the shell
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The argument of a word of FAULTY ("" without one), or NULL. */
static const char *fault(const char *what)
{
	static _Thread_local char arg[256];
	const char *p = getenv("FAULTY");
	size_t n = strlen(what);

	for (; p && *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");

		if (strncmp(p, what, n) == 0 && (p[n] == ':' || len == n)) {
			snprintf(arg, sizeof(arg), "%.*s",
				len > n ? (int)(len - n - 1) : 0, p + n + (len > n));
			return arg;
		}
		p += len;
	}
	return NULL;
}

static bool is_of(int fd, const char *part)
{
	char link[64], path[8192];
	ssize_t n;

	if (!part)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	/* Not the copy of it. */
	return strstr(path, part) && !strstr(path, ".weft-part.");
}

static void run_hook(int fd)
{
	static atomic_bool done;
	const char *hook = getenv("FAULTY_HOOK");
	bool once = is_of(fd, fault("before"));

	if (!hook || !(is_of(fd, fault("always")) ||
			     (once && !atomic_exchange(&done, true))))
		return;
	char *save = getenv("LD_PRELOAD");
	char *keep = save ? strdup(save) : NULL;
	unsetenv("LD_PRELOAD");
	if (system(hook) != 0)
		fprintf(stderr, "faulty: the hook failed\n");
	if (keep)
		setenv("LD_PRELOAD", keep, 1);
	free(keep);
}

/* Every third call is interrupted, the others do at most 1000 bytes. */
static bool cut(size_t *n)
{
	static atomic_uint calls;

	if (!fault("short"))
		return false;
	if (*n > 1000)
		*n = 1000;
	return atomic_fetch_add(&calls, 1) % 3 == 2;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);
	static atomic_llong came;
	const char *after = fault("crawl");

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
	if (after && came > atoll(after))
		usleep(150000);
	ssize_t n = real(fd, msg, flags);
	came += n > 0 ? n : 0;
	return n;
}

/* On the way to the socket: what the sender has stays as it is. */
ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	static atomic_llong sent;
	static atomic_bool done;
	const char *after = fault("flip");
	struct msghdr own = *msg;
	struct iovec part[64];
	char copy[1000];
	size_t i = 0, upto = 0;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
	while (i < msg->msg_iovlen && i < 64 && msg->msg_iov[i].iov_len <= sizeof(copy))
		upto += msg->msg_iov[i++].iov_len;
	if (after && !done && sent >= atoll(after) && i < msg->msg_iovlen && i < 64) {
		memcpy(part, msg->msg_iov, i * sizeof(*part));
		memcpy(copy, msg->msg_iov[i].iov_base, sizeof(copy));
		copy[sizeof(copy) / 2] ^= 4;
		part[i] = (struct iovec){copy, sizeof(copy)};
		own.msg_iov = part;
		own.msg_iovlen = i + 1;
		upto += sizeof(copy);
	}
	ssize_t n = real(fd, &own, flags);
	done = done || (own.msg_iov == part && n == (ssize_t)upto);
	sent += n > 0 ? n : 0;
	return n;
}

ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
	run_hook(fd);
	const char *ms = fault("slow"); /* good until the next one is asked for */
	if (ms)
		usleep((useconds_t)atoi(ms) * 1000);
	if (is_of(fd, fault("read-eio"))) {
		errno = EIO;
		return -1;
	}
	if (is_of(fd, fault("read-stale"))) {
		errno = ESTALE;
		return -1;
	}
	if (cut(&n)) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, n, off);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
	static atomic_ullong written;
	const char *arg = fault("write");
	unsigned long long all;

	if (arg) {
		errno = atoi(arg);
		return -1;
	}
	if (cut(&n)) {
		errno = EINTR;
		return -1;
	}
	ssize_t k = syscall(SYS_pwrite64, fd, buf, n, off);

	all = atomic_fetch_add(&written, k > 0 ? (unsigned long long)k : 0);
	if ((arg = fault("kill")) && all >= strtoull(arg, NULL, 10))
		kill(getpid(), SIGKILL);
	if ((arg = fault("term")) && all >= strtoull(arg, NULL, 10))
		kill(getpid(), SIGTERM);
	return k;
}

ssize_t copy_file_range(
	int in, off_t *from, int out, off_t *to, size_t n, unsigned int flags)
{
	const char *arg = fault("range");

	if (fault("range-lies"))
		return (ssize_t)n;
	if (arg) {
		errno = atoi(arg);
		return errno ? -1 : 0;
	}
	return syscall(SYS_copy_file_range, in, from, out, to, n, flags);
}

off_t lseek(int fd, off_t off, int whence)
{
	if (whence == SEEK_DATA && fault("holes")) {
		errno = ENXIO;
		return -1;
	}
	return syscall(SYS_lseek, fd, off, whence);
}

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2 && fault("no-openat2")) {
		errno = ENOSYS;
		return -1;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int fail_sync(void)
{
	errno = atoi(fault("sync"));
	return -1;
}

int fsync(int fd)
{
	return fault("sync") ? fail_sync() : (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
	static atomic_bool told;
	const char *once = fault("sync-once");

	if (once && !atomic_exchange(&told, true)) {
		errno = atoi(once);
		return -1;
	}
	return fault("sync") ? fail_sync() : (int)syscall(SYS_syncfs, fd);
}

static bool is_of_copy(int fd)
{
	char link[64], path[8192];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return strstr(path, ".weft-part.") != NULL;
}

int close(int fd)
{
	const char *arg = fault("close");
	bool fails = arg && is_of_copy(fd);
	int rc = (int)syscall(SYS_close, fd);

	if (!fails)
		return rc;
	errno = atoi(arg);
	return -1;
}

/* ---- attributes ---- */
ssize_t flistxattr(int fd, char *list, size_t size)
{
	static ssize_t (*real)(int, char *, size_t);
	const char *name = fault("attr");
	ssize_t n;

	real = real ? real : dlsym(RTLD_NEXT, "flistxattr");
	n = real(fd, list, size);
	if (!name || n < 0)
		return n;
	if (list && size && (size_t)n + strlen(name) + 1 > size) {
		errno = ERANGE;
		return -1;
	}
	if (list && size)
		strcpy(list + n, name);
	return n + (ssize_t)strlen(name) + 1;
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
	static ssize_t (*real)(int, const char *, void *, size_t);
	const char *own = fault("attr"), *hex = getenv("FAULTY_ATTR");
	size_t n = hex ? strlen(hex) / 2 : 0;

	real = real ? real : dlsym(RTLD_NEXT, "fgetxattr");
	if (!own || strcmp(name, own) != 0)
		return real(fd, name, value, size);
	unsigned char *to = value;

	for (size_t i = 0; i < n && i < size; i++)
		sscanf(hex + 2 * i, "%2hhx", &to[i]);
	return (ssize_t)n;
}

int fsetxattr(int fd, const char *name, const void *value, size_t n, int flags)
{
	static int (*real)(int, const char *, const void *, size_t, int);
	const char *own = fault("attr");

	real = real ? real : dlsym(RTLD_NEXT, "fsetxattr");
	if (!own || strcmp(name, own) != 0)
		return real(fd, name, value, n, flags);
	errno = EOPNOTSUPP;
	return -1;
}

/* ---- names and locks that a file system lacks ---- */
int renameat2(
	int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (flags && fault("no-flags")) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	if (fault("no-links")) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int flock(int fd, int how)
{
	if (fault("no-locks")) {
		errno = ENOSYS;
		return -1;
	}
	return (int)syscall(SYS_flock, fd, how);
}
