/* publish.c - complete or absent: the temporary sibling and its renaming.
 *
 * The temporary is ".weft-part.NAME.DIGEST.HOST.PID.N", its journal and record have
 * ".j" and ".m" behind that: a later call for the same NAME goes on with it, or removes
 * it, once its process is gone.  It is locked while it is written, so that a process
 * number that means nothing here (another pid namespace) takes none away.
 *
 * All is done in the folder that is open since the beginning: whoever turns a name on
 * the way to it changes nothing.  Only what this user owns is gone on with. */
#include "stage/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void name_part(struct stage_target *t)
{
	static atomic_uint serial;

	snprintf(t->part, sizeof(t->part), "%s%ld.%u", t->prefix, (long)getpid(),
		atomic_fetch_add(&serial, 1));
	snprintf(t->journal, sizeof(t->journal), "%s.j", t->part);
	snprintf(t->manifest, sizeof(t->manifest), "%s.m", t->part);
}

int stage_target_open(struct stage_target *t, const char *dst, struct weft_err *err)
{
	char host[64] = "", hex[WEFT_DIGEST_HEX];
	size_t len = strlen(dst);
	char *slash;

	while (len > 1 && dst[len - 1] == '/')
		len--;
	t->dst = dst;
	t->copy = strndup(dst, len);
	if (!t->copy)
		return weft_err_nomem(err);
	slash = strrchr(t->copy, '/');
	t->name = slash ? slash + 1 : t->copy;
	t->dir = !slash ? strdup(".")
			: strndup(t->copy,
				  slash == t->copy ? 1 : (size_t)(slash - t->copy));
	if (!t->dir)
		return weft_err_nomem(err);
	if (!*t->name || strcmp(t->name, ".") == 0 || strcmp(t->name, "..") == 0)
		return weft_err_set(
			err, WEFT_ESTAGE, "'%s' is no name for a file", dst);
	if (strlen(t->name) > NAME_MAX) {
		errno = ENAMETOOLONG;
		return weft_err_sys(err, WEFT_ESTAGE, "%s", dst);
	}
	t->fd = stage_open_folder(t->dir, err);
	if (t->fd < 0)
		return -1;
	gethostname(host, sizeof(host) - 1);
	weft_digest(t->name, strlen(t->name), hex);
	snprintf(t->prefix, sizeof(t->prefix), ".weft-part.%.40s.%.8s.%.50s.", t->name,
		hex, host);
	name_part(t);
	return 0;
}

void stage_target_close(struct stage_target *t)
{
	weft_closep(&t->lock);
	weft_closep(&t->fd);
	free(t->copy);
	free(t->dir);
}

int stage_target_taken(const struct stage_target *t, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESTAGE, "%s is already there", t->dst);
	if (err)
		err->sys = EEXIST;
	return weft_err_hint(
		err, "what is there is never overwritten: remove it first");
}

/* By the open folder, not by its name. */
static void remove_entry(const struct stage_target *t, const char *name)
{
	weft_autofree char *path = weft_printf("/proc/self/fd/%d/%s", t->fd, name);

	if (path)
		(void)!weft_remove_tree(path, NULL);
}

void stage_target_remove(const struct stage_target *t)
{
	remove_entry(t, t->part);
	unlinkat(t->fd, t->journal, 0);
	unlinkat(t->fd, t->manifest, 0);
}

/* Our host's, of this name, of a process that is gone. */
static bool is_left(const struct stage_target *t, const char *entry)
{
	size_t len = strlen(t->prefix);
	char *end;
	long pid;

	if (strncmp(entry, t->prefix, len) != 0)
		return false;
	pid = strtol(entry + len, &end, 10);
	return pid > 0 && *end == '.' && pid != (long)getpid() &&
	       kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Ours to go on with: locked, this user's, of the right kind, with its journal. */
static bool adopt(struct stage_target *t, struct stage_job *job,
	const struct stat *source, const char *entry, int fd)
{
	char journal[NAME_MAX + 8];
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
		(st.st_mode & S_IFMT) != (source->st_mode & S_IFMT))
		return false;
	snprintf(journal, sizeof(journal), "%s.j", entry);
	if (stage_resume_open(job, t->fd, journal, source, true) != 0) {
		weft_err_clear(&job->err);
		return false;
	}
	/* Ours by its name, too. */
	if (fchmod(fd, S_ISDIR(st.st_mode) ? 0700 : 0600) == 0 &&
		renameat(t->fd, entry, t->fd, t->part) == 0 &&
		renameat(t->fd, journal, t->fd, t->journal) == 0 &&
		stage_resume_rename(job, t->journal) == 0)
		return true;
	stage_resume_close(job);
	return false;
}

static void clean_one(struct stage_target *t, struct stage_job *job,
	const struct stat *source, const char *entry, bool *adopted)
{
	int fd = openat(t->fd, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t len = strlen(entry);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		close(fd);
		return;
	}
	/* A journal goes with its temporary; alone it is removed. */
	if (len > 2 && entry[len - 2] == '.' && entry[len - 1] == 'j') {
		char part[NAME_MAX + 1];
		struct stat st;

		snprintf(part, sizeof(part), "%.*s", (int)(len - 2), entry);
		if (fstatat(t->fd, part, &st, AT_SYMLINK_NOFOLLOW) != 0)
			unlinkat(t->fd, entry, 0);
	} else if (fd >= 0 && job && !*adopted && adopt(t, job, source, entry, fd)) {
		*adopted = true;
		t->lock = fd;
		fd = -1;
	} else {
		char journal[NAME_MAX + 8];

		/* Without its journal it is never gone on with. */
		snprintf(journal, sizeof(journal), "%s.j", entry);
		unlinkat(t->fd, journal, 0);
		remove_entry(t, entry);
	}
	if (fd >= 0)
		close(fd);
}

void stage_target_clean(struct stage_target *t, struct stage_job *job,
	const struct stat *source, bool *adopted)
{
	int fd = openat(t->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	weft_autoargv struct weft_argv left = {0};
	struct dirent *e;

	*adopted = false;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return; /* it can't be listed: nothing is found */
	}
	while ((e = readdir(d)) != NULL)
		if (is_left(t, e->d_name))
			weft_argv_add(&left, e->d_name);
	closedir(d);
	for (size_t i = 0; i < left.n; i++)
		clean_one(t, job, source, left.v[i], adopted);
}

/* A server may have made the link though its word of it was lost: asked again, it says
 * that the name is taken. */
static bool is_linked(const struct stage_target *t)
{
	struct stat part, st;

	return fstatat(t->fd, t->part, &part, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(t->fd, t->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       part.st_ino == st.st_ino && part.st_dev == st.st_dev;
}

/* A file system without RENAME_NOREPLACE. */
static int publish_plainly(const struct stage_target *t, bool folder)
{
	struct stat st;

	/* A link can't replace either, where there are such. */
	if (!folder) {
		if (linkat(t->fd, t->part, t->fd, t->name, 0) == 0 ||
			(errno == EEXIST && is_linked(t))) {
			unlinkat(t->fd, t->part, 0);
			return 0;
		}
		if (errno != EPERM && errno != ENOSYS && errno != ENOTSUP &&
			errno != EMLINK)
			return -1;
	}
	if (fstatat(t->fd, t->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(t->fd, t->part, t->fd, t->name);
}

static bool lacks_flags(void)
{
	return errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
}

/* What has the name now goes, in one step where the file system can.  Without its
 * journal nobody takes what goes for a copy to go on with. */
static int exchange(const struct stage_target *t, bool folder)
{
	struct stat st;

	unlinkat(t->fd, t->journal, 0);
	if (renameat2(t->fd, t->part, t->fd, t->name, RENAME_EXCHANGE) == 0) {
		remove_entry(t, t->part);
		return 0;
	}
	if (!lacks_flags() || fstatat(t->fd, t->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (!folder && !S_ISDIR(st.st_mode))
		return renameat(t->fd, t->part, t->fd, t->name);
	/* Absent for a moment, but never half. */
	if (renameat(t->fd, t->name, t->fd, t->manifest) != 0)
		return -1;
	if (renameat(t->fd, t->part, t->fd, t->name) != 0) {
		int sys = errno;

		(void)!renameat(t->fd, t->manifest, t->fd, t->name);
		errno = sys;
		return -1;
	}
	remove_entry(t, t->manifest);
	return 0;
}

int stage_target_publish(const struct stage_target *t, bool folder, bool replace,
	bool durable, struct weft_err *err)
{
	int rc = renameat2(t->fd, t->part, t->fd, t->name, RENAME_NOREPLACE);

	if (rc != 0 && lacks_flags())
		rc = publish_plainly(t, folder);
	if (rc != 0 && (errno == EEXIST || errno == ENOTEMPTY) && replace)
		rc = exchange(t, folder);
	if (rc != 0)
		return errno == EEXIST || errno == ENOTEMPTY
			       ? stage_target_taken(t, err)
			       : weft_err_sys(
					 err, WEFT_ESTAGE, "renaming to %s", t->dst);
	/* Some network file systems refuse fsync on folders: nothing to be had. */
	if (durable && fsync(t->fd) != 0 && errno != EINVAL && errno != EROFS &&
		errno != ENOTSUP && errno != EBADF)
		return weft_err_sys(err, WEFT_ESTAGE, "making %s durable", t->dst);
	return 0;
}
