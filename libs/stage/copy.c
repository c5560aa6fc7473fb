/* copy.c - one file: cloned, linked or copied, with its holes, times, attributes. */
#include "stage/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

const char *weft_stage_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	case S_IFDIR:
		return "a folder";
	case S_IFLNK:
		return "a symbolic link";
	default:
		return "a file";
	}
}

int weft_stage_sys(struct weft_stage_job *job, const char *what)
{
	return weft_err_sys(job->err, WEFT_ESTAGE, "%s %s", what, job->path.s);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int weft_stage_check_same(
	struct weft_stage_job *job, const struct stat *before, const struct stat *after)
{
	/* Another name given to it, or taken, changes its ctime but not its data. */
	if (before->st_dev == after->st_dev && before->st_ino == after->st_ino &&
		before->st_size == after->st_size &&
		same_time(before->st_mtim, after->st_mtim) &&
		(same_time(before->st_ctim, after->st_ctim) ||
			before->st_nlink != after->st_nlink))
		return 0;
	weft_err_set(
		job->err, WEFT_ESTAGE, "%s changed while it was copied", job->path.s);
	return weft_err_hint(job->err, "let the step that writes it end first");
}

/* Attributes of the user's.  A file system that has none loses them in silence, as
 * cp does: they say nothing about the data. */
static void copy_xattrs(int in, int out)
{
	ssize_t n = flistxattr(in, NULL, 0), len;
	weft_autofree char *names = n > 0 ? malloc((size_t)n) : NULL;

	if (!names || (n = flistxattr(in, names, (size_t)n)) <= 0)
		return;
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		weft_autofree char *value = NULL;

		if (!weft_starts_with(p, "user.") ||
			(len = fgetxattr(in, p, NULL, 0)) < 0)
			continue;
		value = malloc((size_t)len + 1);
		if (value && (len = fgetxattr(in, p, value, (size_t)len)) >= 0)
			(void)!fsetxattr(out, p, value, (size_t)len, 0);
	}
}

static int copy_meta(struct weft_stage_job *job, int in, const struct stat *st, int out)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	mode_t mode = st->st_mode & 0777;
	struct stat own;

	if (fstat(out, &own) != 0)
		return weft_stage_sys(job, "copying");
	/* A copy is there to be written to; a folder keeps the group it passes on. */
	if (job->how == WEFT_STAGE_COPY)
		mode |= S_ISDIR(st->st_mode) ? 0700 : 0200;
	if (S_ISDIR(st->st_mode))
		mode |= own.st_mode & S_ISGID;
	copy_xattrs(in, out);
	if (fchmod(out, mode) != 0 || futimens(out, times) != 0)
		return weft_stage_sys(job, "copying the permissions and times of");
	return 0;
}

int weft_stage_copy_end(
	struct weft_stage_job *job, int in, const struct stat *before, int out)
{
	struct stat after;

	if (fstat(in, &after) != 0)
		return weft_stage_sys(job, "reading");
	if (weft_stage_check_same(job, before, &after) != 0)
		return -1;
	return copy_meta(job, in, before, out);
}

#define CHUNK ((size_t)1 << 20)

/* [off, end) through a buffer. */
static int copy_slowly(
	struct weft_stage_job *job, int in, int out, off_t off, off_t end)
{
	weft_autofree char *buf = malloc(CHUNK);

	if (!buf)
		return weft_err_nomem(job->err);
	while (off < end) {
		size_t want = end - off < (off_t)CHUNK ? (size_t)(end - off) : CHUNK;
		ssize_t n = pread(in, buf, want, off), done = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return weft_stage_sys(job, "reading");
		if (n == 0)
			return 0; /* cut short: the check afterwards says so */
		while (done < n) {
			ssize_t w =
				pwrite(out, buf + done, (size_t)(n - done), off + done);

			if (w < 0 && errno != EINTR)
				return weft_stage_sys(job, "copying");
			done += w > 0 ? w : 0;
		}
		off += n;
		job->report->moved += (uint64_t)n;
	}
	return 0;
}

/* [off, end) inside the kernel where it can: a server may copy by itself. */
static int copy_range(struct weft_stage_job *job, int in, int out, off_t off, off_t end)
{
	while (off < end) {
		off_t to = off;
		ssize_t n = copy_file_range(in, &off, out, &to, (size_t)(end - off), 0);

		if (n > 0)
			job->report->moved += (uint64_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 &&
			 (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return weft_stage_sys(job, "copying");
		else
			/* Across file systems, on files that say 0 before their end, on
			 * old kernels: whatever it is, reading and writing tells. */
			return copy_slowly(job, in, out, off, end);
	}
	return 0;
}

static int copy_data(struct weft_stage_job *job, int in, const struct stat *st, int out)
{
	off_t at = 0, size = st->st_size;

	while (at < size) {
		off_t data = lseek(in, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		if (data < 0) {
			data = at; /* no holes known here */
			hole = size;
		} else {
			hole = lseek(in, data, SEEK_HOLE);
			if (hole < 0 || hole > size)
				hole = size;
		}
		if (data < hole && copy_range(job, in, out, data, hole) != 0)
			return -1;
		at = hole > at ? hole : size;
	}
	if (ftruncate(out, size) != 0)
		return weft_stage_sys(job, "copying");
	/* Files of /proc and /sys say that they are empty. */
	if (size == 0 && pread(in, (char[1]){0}, 1, 0) > 0)
		return weft_err_set(job->err, WEFT_ESTAGE,
			"%s has data, but says it is empty: it is written to, or no "
			"ordinary file",
			job->path.s);
	return 0;
}

/* 1: linked; 0: it can't be; -1. */
static int try_link(struct weft_stage_job *job, const struct stat *before, int from_dir,
	const char *from, int from_flags, int dir, const char *name)
{
	struct stat st;

	if (linkat(from_dir, from, dir, name, from_flags) != 0) {
		if (errno == ENOSPC || errno == EDQUOT)
			return weft_stage_sys(job, "linking");
		return 0;
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return weft_stage_sys(job, "linking");
	return weft_stage_check_same(job, before, &st) == 0 ? 1 : -1;
}

int weft_stage_copy_file(struct weft_stage_job *job, int in, const struct stat *before,
	int from_dir, const char *from, int from_flags, int dir, const char *name,
	bool sync)
{
	weft_autoclose int out = -1;
	int rc;

	job->report->files++;
	job->report->bytes += (uint64_t)before->st_size;
	if (job->how == WEFT_STAGE_HARD) {
		rc = try_link(job, before, from_dir, from, from_flags, dir, name);
		if (rc != 0) {
			job->linked++;
			/* Its data may still be on the way to the disk. */
			if (rc > 0 && sync && fsync(in) != 0)
				rc = weft_stage_sys(job, "making durable");
			return rc > 0 ? 0 : -1;
		}
	}
	out = openat(
		dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return weft_stage_sys(job, "copying");
	if (sync)
		(void)!flock(out, LOCK_EX | LOCK_NB);
	if (ioctl(out, FICLONE, in) == 0) {
		job->cloned++;
	} else {
		job->copied++;
		if (copy_data(job, in, before, out) != 0)
			return -1;
	}
	if (weft_stage_copy_end(job, in, before, out) != 0)
		return -1;
	if (sync && fsync(out) != 0)
		return weft_stage_sys(job, "copying");
	/* A network file system may tell only now that it has no room. */
	rc = close(out);
	out = -1;
	return rc != 0 ? weft_stage_sys(job, "copying") : 0;
}
