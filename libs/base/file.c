#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int weft_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int weft_read_fd(int fd, const char *name, size_t max, char **data, size_t *n,
	struct weft_err *err)
{
	size_t len = 0, cap = 0;
	char *buf = NULL;
	struct stat st;

	*data = NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if ((uint64_t)st.st_size > max) {
			errno = EFBIG;
			return weft_err_sys(err, WEFT_ESYS, "%s", name);
		}
		cap = (size_t)st.st_size + 2; /* one to find the end with */
	}
	for (;;) {
		if (!buf || cap - len < 2) {
			cap = cap < 4096 ? 4096 : buf ? cap * 2 : cap;
			char *more = realloc(buf, cap + 1);
			if (!more) {
				free(buf);
				return weft_err_nomem(err);
			}
			buf = more;
		}
		ssize_t r = read(fd, buf + len, cap - len);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			weft_err_sys(err, WEFT_ESYS, "%s", name);
			free(buf);
			return -1;
		}
		if (r == 0)
			break;
		len += (size_t)r;
		if (len > max) {
			free(buf);
			errno = EFBIG;
			return weft_err_sys(err, WEFT_ESYS, "%s", name);
		}
	}
	buf[len] = '\0';
	*data = buf;
	if (n)
		*n = len;
	return 0;
}

int weft_read_file(
	const char *path, size_t max, char **data, size_t *n, struct weft_err *err)
{
	*data = NULL;
	/* O_NONBLOCK: a FIFO in the way must not hang us. */
	weft_autoclose int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	struct stat st;
	if (fstat(fd, &st))
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	}
	/* A pipe would read as empty; /dev/null is empty. */
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		errno = EINVAL;
		return weft_err_set(err, WEFT_ESYS, "%s: not a regular file", path);
	}
	return weft_read_fd(fd, path, max, data, n, err);
}

static int sync_folder(const char *path)
{
	weft_autofree char *copy = strdup(path);
	if (!copy)
		return -1;
	weft_autoclose int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some network file systems refuse fsync on folders: nothing to be had. */
	return fd < 0 ? -1 : fsync(fd) && errno != EINVAL && errno != EROFS ? -1 : 0;
}

int weft_write_file_sync(const char *path, const void *data, size_t n, mode_t mode,
	enum weft_sync sync, struct weft_err *err)
{
	weft_autofree char *tmp = weft_printf("%s.part-XXXXXX", path);
	if (!tmp)
		return weft_err_nomem(err);
	int fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	if (weft_write_all(fd, data, n) || fchmod(fd, mode) ||
		(sync != WEFT_SYNC_NONE && fsync(fd))) {
		weft_err_sys(err, WEFT_ESYS, "%s", path);
		close(fd);
		goto fail;
	}
	if (close(fd) || rename(tmp, path) ||
		(sync == WEFT_SYNC_ALL && sync_folder(path))) {
		weft_err_sys(err, WEFT_ESYS, "%s", path);
		goto fail;
	}
	return 0;
fail:
	unlink(tmp);
	return -1;
}

int weft_write_file(
	const char *path, const void *data, size_t n, mode_t mode, struct weft_err *err)
{
	return weft_write_file_sync(path, data, n, mode, WEFT_SYNC_ALL, err);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int weft_mkdirs(const char *path, mode_t mode, struct weft_err *err)
{
	/* Nearly always only the last folder is missing, if any: each one asked for is
	 * a message on a network file system. */
	if (*path && (mkdir(path, mode) == 0 || (errno == EEXIST && is_dir(path))))
		return 0;
	weft_autofree char *p = strdup(path);
	if (!p)
		return weft_err_nomem(err);
	if (!*p) {
		errno = ENOENT;
		return weft_err_sys(err, WEFT_ESYS, "a folder without a name");
	}
	for (char *s = p + 1;; s++) {
		if (*s && *s != '/')
			continue;
		char keep = *s;
		*s = '\0';
		if (mkdir(p, mode) && errno != EEXIST) {
			int why = errno;

			/* Above a mount point, mkdir may say EROFS or EACCES. */
			if (!is_dir(p)) {
				errno = why;
				return weft_err_sys(err, WEFT_ESYS, "%s", p);
			}
		}
		*s = keep;
		if (!keep)
			break;
	}
	struct stat st;
	if (stat(path, &st))
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	}
	return 0;
}

/*
 * Only root could have made this what it is: owner root, no write permission for
 * group or others.  A sticky folder (/var/tmp) passes where a folder of root's is
 * what stands in it: others may create there, but not remove or rename what is
 * root's, and what they create is theirs.  For a file it doesn't: a hard link to
 * another file of root's can be made.
 */
static int check_trusted(int fd, const char *what, bool sticky, struct weft_err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return weft_err_sys(err, WEFT_ECONF, "%s", what);
	if (st.st_uid != 0)
		return weft_err_set(err, WEFT_ECONF, "%s is not owned by root", what);
	if (st.st_mode & 022 && !(sticky && st.st_mode & S_ISVTX))
		return weft_err_set(
			err, WEFT_ECONF, "%s is writable by others than root", what);
	return 0;
}

int weft_open_trusted(const char *path, struct weft_err *err)
{
	weft_autofree char *copy = strdup(path);
	if (!copy)
		return weft_err_nomem(err);
	if (*path != '/')
		return weft_err_set(err, WEFT_ECONF, "%s: not an absolute path", path);
	weft_autoclose int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return weft_err_sys(err, WEFT_ECONF, "/");
	char *save = NULL, *part = strtok_r(copy, "/", &save);
	while (part) {
		char *next = strtok_r(NULL, "/", &save);
		bool folder_below = next && save && save[strspn(save, "/")];
		int flags =
			next ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK | O_NOCTTY;
		int fd = openat(dir, part, flags | O_NOFOLLOW | O_CLOEXEC);
		struct stat st;

		if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
			return weft_err_set(err, WEFT_ECONF,
				"%s: %s is a symbolic link, or not a folder", path,
				part);
		if (fd < 0)
			return weft_err_sys(err, WEFT_ECONF, "%s", path);
		if (check_trusted(fd, next ? part : path, folder_below, err)) {
			close(fd);
			return weft_err_hint(err,
				"every folder above %s, too, must belong to "
				"root and be writable by root only",
				path);
		}
		if (!next) {
			if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
				close(fd);
				return weft_err_set(err, WEFT_ECONF,
					"%s is not a regular file", path);
			}
			return fd;
		}
		close(dir);
		dir = fd;
		part = next;
	}
	return weft_err_set(err, WEFT_ECONF, "%s is not a file", path);
}
