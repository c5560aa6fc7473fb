/* beneath.c - opening names without being led elsewhere.
 *
 * Below a folder that is open, no link is followed at all: openat2 does a whole path
 * at once in the kernel; where it lacks (before 5.6, or behind a filter), each name is
 * opened in turn with O_NOFOLLOW, which gives the same. */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One system call takes a path shorter than this. */
#define BITE 4000
#define MAX_LINKS 40

static int walk_names(int dir, char *path, int flags)
{
	int at = dir, fd = -1;

	for (char *next; path; path = next) {
		next = strchr(path, '/');
		if (next)
			*next++ = '\0';
		if (strcmp(path, "..") == 0) {
			errno = EXDEV;
			fd = -1;
		} else {
			fd = openat(at, path,
				(next ? O_PATH | O_DIRECTORY : flags) | O_NOFOLLOW |
					O_CLOEXEC);
		}
		if (at != dir)
			close(at);
		if (fd < 0)
			return -1;
		at = fd;
	}
	return fd;
}

static int open_bite(int dir, char *path, int flags)
{
	static atomic_bool lacks_openat2;
	struct open_how how = {.flags = (uint64_t)flags | O_NOFOLLOW | O_CLOEXEC,
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

	if (!lacks_openat2) {
		int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

		/* Some filters say EPERM for calls that they don't know. */
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
			return fd;
		if (errno == ENOSYS)
			lacks_openat2 = true;
	}
	return walk_names(dir, path, flags);
}

int stage_open_beneath(int dir, const char *path, int flags)
{
	weft_autofree char *copy = strdup(*path ? path : ".");
	char *rest = copy;
	int at = dir, fd;

	if (!copy)
		return -1;
	while (strlen(rest) > BITE) {
		char *cut = rest + BITE;

		while (cut > rest && *cut != '/')
			cut--;
		*cut = '\0';
		fd = open_bite(at, rest, O_PATH | O_DIRECTORY);
		if (at != dir)
			close(at);
		if (fd < 0)
			return -1;
		at = fd;
		rest = cut + 1;
	}
	fd = open_bite(at, rest, flags);
	if (at != dir) {
		int keep = errno;

		close(at);
		errno = keep;
	}
	return fd;
}

/* The way to a destination, component by component. */
struct way {
	int at; /* the folder reached */
	unsigned links;
	const char *whole; /* for messages */
	struct weft_err *err;
};

static int refuse_link(const struct way *w, const char *name)
{
	weft_err_set(w->err, WEFT_ESTAGE,
		"%s: '%s' on the way there is a symbolic link of another user",
		w->whole, name);
	return weft_err_hint(w->err, "name the folder itself that you mean");
}

static int go(struct way *w, const char *path);

/* Another user could turn his link anywhere, also after we have looked: so only the
 * user's own and root's are followed, each looked at by a descriptor of the link
 * itself. */
static int go_link(struct way *w, int link, const char *name)
{
	char to[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(link, &st) != 0 || (n = readlinkat(link, "", to, sizeof(to) - 1)) < 0)
		return weft_err_sys(w->err, WEFT_ESTAGE, "%s", w->whole);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return refuse_link(w, name);
	if (++w->links > MAX_LINKS) {
		errno = ELOOP;
		return weft_err_sys(w->err, WEFT_ESTAGE, "%s", w->whole);
	}
	to[n] = '\0';
	return go(w, to);
}

static int go_name(struct way *w, const char *name)
{
	weft_autoclose int fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return weft_err_sys(w->err, WEFT_ESTAGE, "%s", w->whole);
	if (S_ISLNK(st.st_mode))
		return go_link(w, fd, name);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return weft_err_sys(w->err, WEFT_ESTAGE, "%s", w->whole);
	}
	close(w->at);
	w->at = fd;
	fd = -1;
	return 0;
}

static int go(struct way *w, const char *path)
{
	weft_autofree char *copy = strdup(path);
	char *save = NULL;
	int rc = 0;

	if (!copy)
		return weft_err_nomem(w->err);
	if (*path == '/') {
		int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (root < 0)
			return weft_err_sys(w->err, WEFT_ESTAGE, "/");
		close(w->at);
		w->at = root;
	}
	for (char *p = strtok_r(copy, "/", &save); p && rc == 0;
		p = strtok_r(NULL, "/", &save))
		if (strcmp(p, ".") != 0)
			rc = go_name(w, p);
	return rc;
}

int stage_open_folder(const char *path, struct weft_err *err)
{
	struct way w = {.whole = path, .err = err};
	int fd = -1;

	w.at = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.at < 0)
		return weft_err_sys(err, WEFT_ESTAGE, "the working directory");
	if (go(&w, path) == 0) {
		fd = openat(w.at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* One that may not be listed can be written to all the same. */
		if (fd < 0 && errno == EACCES)
			return w.at;
		if (fd < 0)
			weft_err_sys(err, WEFT_ESTAGE, "%s", path);
	}
	close(w.at);
	return fd;
}
