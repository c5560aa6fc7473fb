/* clean.c - what killed calls have left in a folder, and records of what is gone.
 *
 * Only names that this room gives are looked at, in the folder itself; each is removed
 * by the folder's descriptor, without following a link or entering a mount. */
#include "stage/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define PART ".weft-part."
#define MANIFEST ".weft-manifest."

struct clean {
	int dir;
	const char *host;
	int64_t other_hosts; /* seconds, 0: never */
	uint64_t n;
	struct weft_err *err;
};

/* "….HOST.PID.N", ".j" or ".m" behind it. */
static bool is_dead_here(const struct clean *c, const char *name)
{
	weft_autofree char *copy = strdup(name);
	size_t len = copy ? strlen(copy) : 0, host = strlen(c->host);
	char *pid, *serial;
	long n;

	if (len > 2 && copy[len - 2] == '.' &&
		(copy[len - 1] == 'j' || copy[len - 1] == 'm'))
		copy[len -= 2] = '\0';
	serial = copy ? strrchr(copy, '.') : NULL;
	if (!serial)
		return false;
	*serial = '\0';
	pid = strrchr(copy, '.');
	if (!pid || (size_t)(pid - copy) < host + 1)
		return false;
	*pid++ = '\0';
	n = strtol(pid, NULL, 10);
	return strcmp(pid - 1 - host, c->host) == 0 && pid[-2 - (long)host] == '.' &&
	       n > 0 && n != (long)getpid() && kill((pid_t)n, 0) != 0 && errno == ESRCH;
}

static bool is_old(const struct clean *c, const char *name)
{
	struct stat st;

	return c->other_hosts > 0 &&
	       fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (int64_t)time(NULL) - (int64_t)st.st_mtim.tv_sec > c->other_hosts &&
	       (int64_t)time(NULL) - (int64_t)st.st_ctim.tv_sec > c->other_hosts;
}

static bool is_locked(const struct clean *c, const char *name)
{
	weft_autoclose int fd =
		openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* Of a copy that is no longer there; its name may be cut in the record's own, so it is
 * found by its digest. */
static bool is_orphan(const char *name, char *const *all, size_t n)
{
	char own[STAGE_MANIFEST_NAME];

	for (size_t i = 0; i < n; i++) {
		stage_manifest_name(all[i], own);
		if (strcmp(own, name) == 0)
			return false;
	}
	return true;
}

static int clean_one(struct clean *c, const char *name, char *const *all, size_t n)
{
	weft_autofree char *path = NULL;
	struct stat st;

	if (fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		(st.st_uid != geteuid() && geteuid() != 0))
		return 0;
	if (weft_starts_with(name, MANIFEST)
			? !is_orphan(name, all, n)
			: (!is_dead_here(c, name) && !is_old(c, name)) ||
				  is_locked(c, name))
		return 0;
	path = weft_printf("/proc/self/fd/%d/%s", c->dir, name);
	if (!path)
		return weft_err_nomem(c->err);
	if (weft_remove_tree(path, c->err) != 0)
		return -1;
	c->n++;
	return 0;
}

int weft_stage_clean(
	const char *dir, int64_t other_hosts, uint64_t *n, struct weft_err *err)
{
	char host[64] = "";
	struct clean c = {.host = host, .other_hosts = other_hosts, .err = err};
	weft_autoargv struct weft_argv all = {0};
	struct dirent *e;
	int rc = 0, fd;
	DIR *d;

	*n = 0;
	gethostname(host, sizeof(host) - 1);
	host[50] = '\0'; /* as far as it is in the names */
	c.dir = stage_open_folder(dir, err);
	if (c.dir < 0)
		return -1;
	fd = openat(c.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		rc = weft_err_sys(err, WEFT_ESTAGE, "%s", dir);
		if (fd >= 0)
			close(fd);
	} else {
		while ((e = readdir(d)) != NULL)
			weft_argv_add(&all, e->d_name);
		closedir(d);
	}
	if (all.failed)
		rc = weft_err_nomem(err);
	for (size_t i = 0; i < all.n && rc == 0; i++)
		if (weft_starts_with(all.v[i], PART) ||
			weft_starts_with(all.v[i], MANIFEST))
			rc = clean_one(&c, all.v[i], all.v, all.n);
	close(c.dir);
	*n = c.n;
	return rc;
}
