/* put.c - complete or absent: the temporary sibling and its renaming.
 *
 * The temporary is ".weft-part.NAME.DIGEST.HOST.PID.N": a later put to the same NAME
 * removes those whose process is gone.  It is locked while it is written, so that a
 * process number that means nothing here (another pid namespace) takes none away. */
#include "stage/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct target {
	char *dir;        /* the folder of dst */
	const char *name; /* its last part */
	int fd;           /* of dir */
	char prefix[128]; /* of the temporaries of this name, this host */
	char part[192];   /* our temporary */
};

static int bad_name(const char *dst, struct weft_err *err)
{
	return weft_err_set(err, WEFT_ESTAGE, "'%s' is no name for a file", dst);
}

static int open_target(
	const char *dst, struct target *t, char **copy, struct weft_err *err)
{
	static atomic_uint serial;
	char host[64] = "", hex[WEFT_DIGEST_HEX];
	size_t len = strlen(dst);
	char *slash;

	while (len > 1 && dst[len - 1] == '/')
		len--;
	*copy = strndup(dst, len);
	if (!*copy)
		return weft_err_nomem(err);
	slash = strrchr(*copy, '/');
	t->name = slash ? slash + 1 : *copy;
	t->dir = !slash ? strdup(".")
			: strndup(*copy, slash == *copy ? 1 : (size_t)(slash - *copy));
	if (!t->dir)
		return weft_err_nomem(err);
	if (!*t->name || strcmp(t->name, ".") == 0 || strcmp(t->name, "..") == 0)
		return bad_name(dst, err);
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", t->dir);
	gethostname(host, sizeof(host) - 1);
	weft_digest(t->name, strlen(t->name), hex);
	snprintf(t->prefix, sizeof(t->prefix), ".weft-part.%.40s.%.8s.%.50s.", t->name,
		hex, host);
	snprintf(t->part, sizeof(t->part), "%s%ld.%u", t->prefix, (long)getpid(),
		atomic_fetch_add(&serial, 1));
	return 0;
}

static void remove_part(const struct target *t, const char *part)
{
	weft_autofree char *path = weft_path_join(t->dir, part);

	if (path)
		(void)!weft_remove_tree(path, NULL);
}

/* Left by a process that is gone. */
static bool is_left(const struct target *t, const char *entry)
{
	size_t len = strlen(t->prefix);
	weft_autoclose int fd = -1;
	char *end;
	long pid;

	if (strncmp(entry, t->prefix, len) != 0)
		return false;
	pid = strtol(entry + len, &end, 10);
	if (pid <= 0 || *end != '.' || pid == (long)getpid() ||
		kill((pid_t)pid, 0) == 0 || errno != ESRCH)
		return false;
	fd = openat(t->fd, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

static void remove_left(const struct target *t)
{
	int fd = openat(t->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (is_left(t, e->d_name))
			remove_part(t, e->d_name);
	closedir(d);
}

static int taken(const char *dst, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESTAGE, "%s is already there", dst);
	if (err)
		err->sys = EEXIST;
	return weft_err_hint(
		err, "what is there is never overwritten: remove it first");
}

/* The temporary gets its final name, unless that is taken. */
static int publish(
	const struct target *t, const char *dst, bool folder, struct weft_err *err)
{
	struct stat st;
	int rc = renameat2(t->fd, t->part, t->fd, t->name, RENAME_NOREPLACE);

	if (rc != 0 && (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP)) {
		/* A file system without: a link can't replace either. */
		if (!folder) {
			rc = linkat(t->fd, t->part, t->fd, t->name, 0);
			if (rc == 0)
				unlinkat(t->fd, t->part, 0);
		} else if (fstatat(t->fd, t->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			errno = EEXIST;
		} else {
			rc = renameat(t->fd, t->part, t->fd, t->name);
		}
	}
	if (rc != 0)
		return errno == EEXIST || errno == ENOTEMPTY
			       ? taken(dst, err)
			       : weft_err_sys(err, WEFT_ESTAGE, "renaming to %s", dst);
	/* Some network file systems refuse fsync on folders: nothing to be had. */
	if (fsync(t->fd) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
		return weft_err_sys(err, WEFT_ESTAGE, "making %s durable", dst);
	return 0;
}

static int put_link(const char *src, const struct target *t, const char *dst,
	struct weft_stage_report *report, struct weft_err *err)
{
	weft_autofree char *to = realpath(src, NULL);

	if (!to)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", src);
	if (symlinkat(to, t->fd, t->name) != 0)
		return errno == EEXIST ? taken(dst, err)
				       : weft_err_sys(err, WEFT_ESTAGE, "%s", dst);
	if (fsync(t->fd) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
		return weft_err_sys(err, WEFT_ESTAGE, "making %s durable", dst);
	report->strategy = "link";
	return weft_stage_measure(to, &report->bytes, &report->files, err);
}

static const char *strategy(const struct weft_stage_job *job)
{
	unsigned kinds = (job->cloned > 0) + (job->linked > 0) + (job->copied > 0);

	return kinds > 1     ? "mixed"
	       : job->cloned ? "reflink"
	       : job->linked ? "hard link"
			     : "copy";
}

/* A copy to the temporary. */
static int fill(struct weft_stage_job *job, const char *src, const struct target *t,
	bool *folder)
{
	weft_autoclose int in = -1;
	struct stat st, now;

	/* Looked at before it is opened: opening a device can mean something. */
	if (stat(src, &st) != 0)
		return weft_err_sys(job->err, WEFT_ESTAGE, "%s", src);
	*folder = S_ISDIR(st.st_mode);
	if (!*folder && !S_ISREG(st.st_mode))
		return weft_err_set(job->err, WEFT_ESTAGE,
			"%s is %s: only files and folders are staged", src,
			weft_stage_kind(st.st_mode));
	in = open(src, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
			       (*folder ? O_DIRECTORY : 0));
	if (in < 0 || fstat(in, &now) != 0)
		return weft_err_sys(job->err, WEFT_ESTAGE, "%s", src);
	if (weft_stage_check_same(job, &st, &now) != 0)
		return -1;
	if (*folder)
		return weft_stage_copy_tree(job, in, &now, t->fd, t->part);
	return weft_stage_copy_file(
		job, in, &now, AT_FDCWD, src, AT_SYMLINK_FOLLOW, t->fd, t->part, true);
}

/* "No space" says how much is missing. */
static void explain_space(const char *src, const char *dst, struct weft_err *err)
{
	char need[WEFT_UNIT_MAX], have[WEFT_UNIT_MAX];
	uint64_t bytes, files, left, inodes;
	int sys = err->sys;

	if ((sys != ENOSPC && sys != EDQUOT) ||
		weft_stage_measure(src, &bytes, &files, NULL) != 0 ||
		weft_stage_space(dst, &left, &inodes, NULL) != 0)
		return;
	weft_format_size(need, bytes);
	weft_format_size(have, left);
	weft_err_set(err, WEFT_ESTAGE, "no space for %s: %s needed, %s left%s", dst,
		need, have,
		sys == EDQUOT                  ? ", and the quota is used up"
		: files + 1 > inodes && inodes ? ", and too few inodes"
					       : "");
	err->sys = sys;
	weft_err_hint(err, "free some, or stage to another place");
}

int weft_stage_put(const char *src, const char *dst, enum weft_stage_how how,
	struct weft_stage_report *report, struct weft_err *err)
{
	struct target t = {.fd = -1};
	struct weft_stage_report own = {0};
	struct weft_err why = {0};
	struct weft_stage_job job = {
		.how = how, .report = &own, .root = -1, .err = &why};
	weft_autofree char *copy = NULL;
	double start = weft_monotonic();
	bool folder = false, part = false;
	struct stat st;
	int rc;

	if (report)
		*report = own;
	weft_str_add(&job.path, src);
	rc = job.path.failed ? weft_err_nomem(&why) : open_target(dst, &t, &copy, &why);
	if (rc == 0) {
		remove_left(&t);
		if (fstatat(t.fd, t.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			rc = taken(dst, &why);
	}
	if (rc == 0 && how == WEFT_STAGE_LINK) {
		rc = put_link(src, &t, dst, &own, &why);
	} else if (rc == 0) {
		part = true;
		rc = fill(&job, src, &t, &folder);
		if (rc == 0)
			rc = publish(&t, dst, folder, &why);
		own.strategy = strategy(&job);
	}
	if (rc != 0 && part) {
		remove_part(&t, t.part);
		explain_space(src, dst, &why);
	}
	own.seconds = weft_monotonic() - start;
	if (rc == 0 && report)
		*report = own;
	if (rc != 0 && err)
		weft_err_move(err, &why);
	weft_err_clear(&why);
	for (size_t i = 0; i < job.n_name; i++)
		free(job.name[i].path);
	free(job.name);
	weft_str_free(&job.path);
	weft_closep(&t.fd);
	free(t.dir);
	return rc;
}
