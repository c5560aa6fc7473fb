/* look.c - what is there: sizes, space, names that match. */
#include "stage/room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* So much left is no reason to count what is to come. */
#define PLENTY_BYTES ((uint64_t)1 << 30)
#define PLENTY_INODES 50000

/* What is below a folder that is open, folder after folder, each by its path: so depth
 * and width cost no descriptors. */
struct sum {
	uint64_t bytes, files;
	uint64_t least; /* bytes that a copy takes, holes and other names left out */
	uint64_t folders;
	bool attributes; /* look for files that have some, too */
	uint64_t having;
	int top;
	const char *root; /* for messages */
	char **path;      /* folders still to be looked into */
	size_t n, cap;
	struct weft_err *err;
};

static int fail(const struct sum *s, const char *path)
{
	return weft_err_sys(
		s->err, WEFT_ESTAGE, "%s%s%s", s->root, *path ? "/" : "", path);
}

/* A file with two names is met twice. */
static uint64_t least_of(const struct stat *st)
{
	uint64_t kept = (uint64_t)st->st_blocks * 512, size = (uint64_t)st->st_size;

	return S_ISREG(st->st_mode) ? (kept < size ? kept : size) / st->st_nlink : 0;
}

static bool has_attributes(const char *path)
{
	char names[4096];
	ssize_t n = path ? llistxattr(path, names, sizeof(names)) : 0;

	if (n < 0)
		return errno == ERANGE;
	for (const char *at = names; at < names + n; at += strlen(at) + 1)
		if (stage_xattr_is_own(at))
			return true;
	return false;
}

static int add_entry(struct sum *s, int dir, const char *path, const char *name)
{
	struct stat st;
	char *sub;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(s, path);
	if (!S_ISDIR(st.st_mode)) {
		s->files++;
		s->bytes += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
		s->least += least_of(&st);
		if (s->attributes && S_ISREG(st.st_mode)) {
			weft_autofree char *at =
				weft_printf("/proc/self/fd/%d/%s", dir, name);
			s->having += has_attributes(at);
		}
		return 0;
	}
	s->folders++;
	sub = *path ? weft_path_join(path, name) : strdup(name);
	if (!sub || weft_grow(s->path, s->n, s->cap) != 0) {
		free(sub);
		return weft_err_nomem(s->err);
	}
	s->path[s->n++] = sub;
	return 0;
}

static int add_folder(struct sum *s, const char *path)
{
	int rc = 0, fd = stage_open_beneath(s->top, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d) {
		fail(s, path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = add_entry(s, fd, path, e->d_name);
	if (rc == 0 && errno != 0)
		rc = fail(s, path);
	closedir(d);
	return rc;
}

static int measure(const char *path, struct sum *s)
{
	struct stat st;
	int rc;

	if (stat(path, &st) != 0)
		return weft_err_sys(s->err, WEFT_ESTAGE, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		s->files = 1;
		s->bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
		st.st_nlink = 1;
		s->least = least_of(&st);
		s->having = s->attributes && has_attributes(path);
		return 0;
	}
	s->folders = 1;
	s->top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->top < 0)
		return weft_err_sys(s->err, WEFT_ESTAGE, "%s", path);
	rc = add_folder(s, "");
	while (rc == 0 && s->n > 0) {
		weft_autofree char *next = s->path[--s->n];

		rc = add_folder(s, next);
	}
	while (s->n > 0)
		free(s->path[--s->n]);
	free(s->path);
	close(s->top);
	return rc;
}

int weft_stage_measure(
	const char *path, uint64_t *bytes, uint64_t *files, struct weft_err *err)
{
	struct sum s = {.top = -1, .root = path, .err = err};
	int rc = measure(path, &s);

	*bytes = rc == 0 ? s.bytes : 0;
	*files = rc == 0 ? s.files : 0;
	return rc;
}

int stage_file_attributes(const char *path, struct weft_err *err)
{
	struct sum s = {.top = -1, .root = path, .attributes = true, .err = err};

	return measure(path, &s) != 0 ? -1 : s.having > 0;
}

/* "no space for DST: 3.2G needed, 1.1G left: 2.1G is missing" */
static int too_little(const char *dst, uint64_t need, uint64_t left, bool inodes,
	struct weft_err *err)
{
	char a[WEFT_UNIT_MAX], b[WEFT_UNIT_MAX], c[WEFT_UNIT_MAX];

	if (inodes) {
		weft_err_set(err, WEFT_ESTAGE,
			"no space for %s: %ju inodes needed, %ju left: %ju are missing",
			dst, (uintmax_t)need, (uintmax_t)left,
			(uintmax_t)(need - left));
	} else {
		weft_format_size(a, need);
		weft_format_size(b, left);
		weft_format_size(c, need - left);
		weft_err_set(err, WEFT_ESTAGE,
			"no space for %s: %s needed, %s left: %s is missing", dst, a, b,
			c);
	}
	if (err)
		err->sys = ENOSPC;
	return weft_err_hint(err, "free some, or stage to another place");
}

int weft_stage_fits(const char *src, const char *dst, struct weft_err *err)
{
	struct sum s = {.top = -1, .root = src, .err = err};
	uint64_t left, inodes;
	struct stat st;

	if (weft_stage_space(dst, &left, &inodes, err) != 0)
		return -1;
	/* To walk a tree takes its time: not where there is plenty. */
	if (stat(src, &st) == 0 && S_ISDIR(st.st_mode) && left > PLENTY_BYTES &&
		(!inodes || inodes > PLENTY_INODES))
		return 0;
	if (measure(src, &s) != 0)
		return -1;
	if (s.least > left)
		return too_little(dst, s.least, left, false, err);
	/* Some file systems have no fixed number of them, and say 0. */
	if (inodes && s.files + s.folders > inodes)
		return too_little(dst, s.files + s.folders, inodes, true, err);
	return 0;
}

int weft_stage_space(
	const char *dst, uint64_t *bytes, uint64_t *inodes, struct weft_err *err)
{
	weft_autofree char *path = strdup(dst);
	struct statvfs v;
	char *slash;

	*bytes = *inodes = 0;
	if (!path)
		return weft_err_nomem(err);
	/* The nearest folder above that exists. */
	while (statvfs(path, &v) != 0) {
		if (errno == EINTR)
			continue;
		if (errno != ENOENT || strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
			return weft_err_sys(err, WEFT_ESTAGE, "%s", path);
		slash = strrchr(path, '/');
		if (!slash)
			strcpy(path, ".");
		else if (slash == path)
			path[1] = '\0';
		else
			*slash = '\0';
	}
	*bytes = (uint64_t)v.f_bavail * v.f_frsize;
	*inodes = (uint64_t)v.f_favail;
	return 0;
}

struct matches {
	char **v;
	size_t n, cap;
	struct weft_err *err;
};

static int keep(struct matches *m, const char *path)
{
	char *copy = strdup(path);

	if (!copy || weft_grow(m->v, m->n, m->cap) != 0) {
		free(copy);
		return weft_err_nomem(m->err);
	}
	m->v[m->n++] = copy;
	return 0;
}

static int match(struct matches *m, int dir, const char *prefix, const char *pattern);

/* The entry `name` of dir fits the pattern's first part: go on with the rest. */
static int matched(struct matches *m, int dir, const char *prefix, const char *name,
	const char *rest)
{
	weft_autofree char *path =
		*prefix ? weft_path_join(prefix, name) : strdup(name);
	struct stat st;
	int fd, rc;

	if (!path)
		return weft_err_nomem(m->err);
	if (!rest)
		return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? keep(m, path)
									 : 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	rc = match(m, fd, path, rest);
	close(fd);
	return rc;
}

static int match(struct matches *m, int dir, const char *prefix, const char *pattern)
{
	size_t len = strcspn(pattern, "/");
	const char *rest = pattern[len] ? pattern + len + 1 : NULL;
	weft_autofree char *part = strndup(pattern, len);
	struct dirent *e;
	int rc = 0, fd;
	DIR *d;

	if (!part)
		return weft_err_nomem(m->err);
	if (!strpbrk(part, "*?[\\"))
		return matched(m, dir, prefix, part, rest);
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return weft_err_sys(
			m->err, WEFT_ESTAGE, "reading %s", *prefix ? prefix : ".");
	}
	while (rc == 0 && (e = readdir(d)) != NULL)
		/* What is being put there isn't there yet. */
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			!weft_starts_with(e->d_name, ".weft-part.") &&
			fnmatch(part, e->d_name, FNM_PERIOD) == 0)
			rc = matched(m, dir, prefix, e->d_name, rest);
	closedir(d);
	return rc;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int weft_stage_glob(const char *dir, const char *pattern, char ***path, size_t *n,
	struct weft_err *err)
{
	struct matches m = {.err = err};
	weft_autofree char *plain = strdup(pattern);
	weft_autoclose int fd = -1;
	size_t len;

	*path = NULL;
	*n = 0;
	if (!plain)
		return weft_err_nomem(err);
	for (len = strlen(plain); len > 1 && plain[len - 1] == '/'; len--)
		plain[len - 1] = '\0';
	while (weft_starts_with(plain, "./"))
		memmove(plain, plain + 2, strlen(plain) - 1);
	if (!weft_path_is_inside(plain)) {
		weft_err_set(
			err, WEFT_ESTAGE, "the pattern '%s' leads outside", pattern);
		return weft_err_hint(err, "it is relative to the working directory, "
					  "without '..'");
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", dir);
	if (match(&m, fd, "", plain) != 0) {
		weft_stage_glob_free(m.v, m.n);
		return -1;
	}
	if (m.n)
		qsort(m.v, m.n, sizeof(*m.v), by_bytes);
	*path = m.v;
	*n = m.n;
	return 0;
}

void weft_stage_glob_free(char **path, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(path[i]);
	free(path);
}
