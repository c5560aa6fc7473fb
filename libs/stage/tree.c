/* tree.c - a folder with all that is in it.
 *
 * Walked by descriptors: each step opens one name in a folder that is open, and no
 * link is followed on either side, so nobody can lead it elsewhere meanwhile. */
#include "stage/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Two descriptors a level. */
#define MAX_LEVELS 200
/* Up to here each file is made durable by itself; beyond, one flush of the whole file
 * system is less work, though it waits for what others write. */
#define FEW_FILES 64

static const char *below_root(const struct weft_stage_job *job)
{
	return job->path.s + job->root_len + 1;
}

/* The copy of another name of this file, or NULL. Linear: such files are few. */
static const char *known_name(const struct weft_stage_job *job, const struct stat *st)
{
	for (size_t i = 0; i < job->n_name; i++)
		if (job->name[i].ino == st->st_ino && job->name[i].dev == st->st_dev)
			return job->name[i].path;
	return NULL;
}

static int keep_name(struct weft_stage_job *job, const struct stat *st)
{
	char *path = strdup(below_root(job));

	if (!path || weft_grow(job->name, job->n_name, job->cap_name) != 0) {
		free(path);
		return weft_err_nomem(job->err);
	}
	job->name[job->n_name++] =
		(struct weft_stage_name){st->st_dev, st->st_ino, path};
	return 0;
}

static int copy_link(struct weft_stage_job *job, int in, const char *name, int out,
	const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	char to[PATH_MAX];
	ssize_t n = readlinkat(in, name, to, sizeof(to) - 1);

	if (n < 0)
		return weft_stage_sys(job, "reading");
	to[n] = '\0';
	if (symlinkat(to, out, name) != 0)
		return weft_stage_sys(job, "copying");
	(void)!utimensat(out, name, times, AT_SYMLINK_NOFOLLOW);
	job->report->files++;
	return 0;
}

static int copy_one_file(struct weft_stage_job *job, int in_dir, const char *name,
	int out, const struct stat *st)
{
	const char *first = st->st_nlink > 1 ? known_name(job, st) : NULL;
	weft_autoclose int in = -1;
	struct stat now;

	if (first) {
		job->report->files++;
		return linkat(job->root, first, out, name, 0)
			       ? weft_stage_sys(job, "linking")
			       : 0;
	}
	/* O_NONBLOCK: should it be a FIFO by now, don't wait for a writer. */
	in = openat(in_dir, name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (in < 0 || fstat(in, &now) != 0)
		return weft_stage_sys(job, "reading");
	if (weft_stage_check_same(job, st, &now) != 0 ||
		weft_stage_copy_file(job, in, &now, in_dir, name, 0, out, name,
			job->report->files < FEW_FILES) != 0)
		return -1;
	return st->st_nlink > 1 ? keep_name(job, st) : 0;
}

static int copy_folder(struct weft_stage_job *job, int in, const struct stat *before,
	int dir, const char *name, unsigned level);

static int copy_entry(
	struct weft_stage_job *job, int in, const char *name, int out, unsigned level)
{
	struct stat st, now;

	if (fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return weft_stage_sys(job, "reading");
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_one_file(job, in, name, out, &st);
	case S_IFLNK:
		return copy_link(job, in, name, out, &st);
	case S_IFDIR: {
		weft_autoclose int fd = openat(
			in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &now) != 0)
			return weft_stage_sys(job, "reading");
		if (now.st_ino == job->root_ino && now.st_dev == job->root_dev)
			return weft_err_set(job->err, WEFT_ESTAGE,
				"the copy would be inside of what is copied: %s",
				job->path.s);
		return copy_folder(job, fd, &now, out, name, level + 1);
	}
	default:
		weft_err_set(job->err, WEFT_ESTAGE,
			"%s is %s: only files, folders and links "
			"are staged",
			job->path.s, weft_stage_kind(st.st_mode));
		return weft_err_hint(job->err,
			"name the outputs one by one, or remove it "
			"when the step ends");
	}
}

static int copy_entries(
	struct weft_stage_job *job, DIR *d, int in, int out, unsigned level)
{
	size_t len = job->path.len;
	struct dirent *e;
	int rc = 0;

	while (rc == 0 && (errno = 0, e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		weft_str_addc(&job->path, '/');
		weft_str_add(&job->path, e->d_name);
		if (job->path.failed)
			return weft_err_nomem(job->err);
		rc = copy_entry(job, in, e->d_name, out, level);
		job->path.len = len;
		job->path.s[len] = '\0';
	}
	if (rc == 0 && errno != 0)
		rc = weft_stage_sys(job, "reading");
	return rc;
}

static int copy_folder(struct weft_stage_job *job, int in, const struct stat *before,
	int dir, const char *name, unsigned level)
{
	weft_autoclose int out = -1;
	struct stat made;
	int copy, rc;
	DIR *d;

	if (level > MAX_LEVELS)
		return weft_err_set(job->err, WEFT_ESTAGE,
			"%s: more than %d folders deep", job->path.s, MAX_LEVELS);
	if (mkdirat(dir, name, 0700) != 0)
		return weft_stage_sys(job, "copying");
	out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	copy = openat(in, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = copy >= 0 ? fdopendir(copy) : NULL;
	if (out < 0 || !d) {
		if (copy >= 0)
			close(copy);
		return weft_stage_sys(job, "reading");
	}
	if (level == 0) {
		(void)!flock(out, LOCK_EX | LOCK_NB);
		job->root = out;
		if (fstat(out, &made) != 0) {
			closedir(d);
			return weft_stage_sys(job, "copying");
		}
		job->root_dev = made.st_dev;
		job->root_ino = made.st_ino;
	}
	rc = copy_entries(job, d, in, out, level);
	closedir(d);
	if (rc != 0)
		return -1;
	if (weft_stage_copy_end(job, in, before, out) != 0)
		return -1;
	/* Some network file systems refuse fsync on folders: nothing to be had. */
	if (job->report->files <= FEW_FILES) {
		if (fsync(out) != 0 && errno != EINVAL && errno != ENOTSUP)
			return weft_stage_sys(job, "copying");
	} else if (level == 0 && syncfs(out) != 0) {
		return weft_stage_sys(job, "copying");
	}
	return 0;
}

int weft_stage_copy_tree(struct weft_stage_job *job, int in, const struct stat *before,
	int dir, const char *name)
{
	job->root_len = job->path.len;
	return copy_folder(job, in, before, dir, name, 0);
}
