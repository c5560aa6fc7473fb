/* data.c - bytes from one file to another: holes, the hash in passing, and the ways
 * that the file system does it alone */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

/* A hole is looked for, and made, in whole pieces of this. */
#define PIECE ((size_t)4096)
#ifndef CEPH_SUPER_MAGIC
#define CEPH_SUPER_MAGIC 0x00c36400
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif

static int write_all(struct stage_worker *w, struct stage_file *f, const char *p,
	size_t n, off_t off)
{
	while (n) {
		double start = weft_monotonic();
		ssize_t k = pwrite(f->out, p, n, off);

		w->moving += weft_monotonic() - start;
		if (k < 0 && errno == EINTR)
			continue;
		if (k == 0)
			errno = EIO;
		if (k <= 0)
			return stage_sys(w, "copying", f->dir, f->name);
		p += k;
		n -= (size_t)k;
		off += k;
		w->job->moved += (uint64_t)k;
	}
	return 0;
}

static bool is_zero(const char *p, size_t n)
{
	return *p == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Without the pieces that are all zeros: the new file has holes there.  Where a file
 * was there before, they may hold something and are written. */
static int write_sparse(struct stage_worker *w, struct stage_file *f, const char *p,
	size_t n, off_t off)
{
	size_t from = 0, at = 0;

	while (at < n) {
		size_t k = n - at < PIECE ? n - at : PIECE;

		if (is_zero(p + at, k)) {
			if (at > from && write_all(w, f, p + from, at - from,
						 off + (off_t)from) != 0)
				return -1;
			from = at + k;
		}
		at += k;
	}
	return at > from ? write_all(w, f, p + from, at - from, off + (off_t)from) : 0;
}

/* How much is moved at once: as much as is best, or what there is a buffer for. */
static size_t buffer(struct stage_worker *w, size_t piece)
{
	if (piece > w->buf_size) {
		char *more = aligned_alloc(4096, piece);

		if (more) {
			free(w->buf);
			w->buf = more;
			w->buf_size = piece;
		}
	}
	return piece > STAGE_BUFFER && piece <= w->buf_size ? piece : STAGE_BUFFER;
}

/* [off, end) that holds data. */
static int move(struct stage_worker *w, struct stage_file *f, off_t off, off_t end)
{
	size_t piece = buffer(w, f->piece);

	while (off < end) {
		size_t want = end - off < (off_t)piece ? (size_t)(end - off) : piece;
		double start = weft_monotonic();
		ssize_t n = pread(f->in, w->buf, want, off);

		w->moving += weft_monotonic() - start;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return stage_sys(w, "reading", f->dir, f->name);
		if (n == 0)
			return 1;
		weft_hasher_add(w->hasher, w->buf, (size_t)n);
		if (f->out >= 0 &&
			(f->sparse && !f->part
					? write_sparse(w, f, w->buf, (size_t)n, off)
					: write_all(w, f, w->buf, (size_t)n, off)) != 0)
			return -1;
		off += n;
		if (!stage_go_on(w))
			return -1;
	}
	return 0;
}

/* [off, end) that is a hole; the copy has one there already, unless it was there. */
static int skip(struct stage_worker *w, struct stage_file *f, off_t off, off_t end)
{
	static const char zeros[1 << 16];
	/* What was there may hold something in its place. */
	bool write = f->out >= 0 && f->part &&
		     fallocate(f->out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
			     end - off) != 0;

	while (off < end) {
		size_t n = end - off < (off_t)sizeof(zeros) ? (size_t)(end - off)
							    : sizeof(zeros);

		weft_hasher_add(w->hasher, zeros, n);
		if (write && write_all(w, f, zeros, n, off) != 0)
			return -1;
		off += (off_t)n;
		if (!stage_go_on(w))
			return -1;
	}
	return 0;
}

/* In memory nothing is taken before it is written: the pages would be touched twice.
 * That its size is known first lets it have huge ones. */
int stage_reserve(struct stage_worker *w, struct stage_file *f)
{
	off_t size = f->st.st_size;
	struct statfs fs;
	struct stat st;

	if (!f->sparse && fstatfs(f->out, &fs) == 0 && fs.f_type != TMPFS_MAGIC &&
		fallocate(f->out, 0, 0, size) != 0 &&
		(errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
		return stage_sys(w, "copying", f->dir, f->name);
	if (ftruncate(f->out, size) != 0 || fstat(f->out, &st) != 0)
		return stage_sys(w, "copying", f->dir, f->name);
	f->piece = (size_t)st.st_blksize <= STAGE_BUFFER_MAX ? (size_t)st.st_blksize
							     : STAGE_BUFFER_MAX;
	f->piece -= f->piece % 4096;
	return 0;
}

int stage_data(struct stage_worker *w, struct stage_file *f, off_t off, off_t end)
{
	int rc = 0;

	if (!f->sparse || f->no_map)
		return move(w, f, off, end);
	while (off < end && rc == 0) {
		off_t data = lseek(f->in, off, SEEK_DATA), hole;

		if (data < 0 && errno != ENXIO)
			return move(w, f, off, end); /* no holes known here */
		if (data < 0 || data > end)
			data = end; /* a hole up to the end */
		else if (data < off)
			data = off;
		if (data > off)
			rc = skip(w, f, off, data);
		if (rc != 0 || data >= end)
			break;
		hole = lseek(f->in, data, SEEK_HOLE);
		if (hole <= data || hole > end)
			hole = end;
		rc = move(w, f, data, hole);
		off = hole;
	}
	return rc;
}

/* What a file system says of holes is a hint: it can't have less data than it has
 * blocks.  (Some have said so of what was not yet on the disk.) */
void stage_holes(struct stage_file *f)
{
	off_t size = f->st.st_size, at = 0, data = 0, end;
	off_t blocks = (off_t)f->st.st_blocks * 512;

	f->sparse = blocks < size;
	/* Read at once, a small file's zeros are found without asking. */
	f->no_map = size <= (off_t)STAGE_BUFFER;
	if (!f->sparse || f->no_map)
		return;
	while (at < size && data < blocks) {
		off_t from = lseek(f->in, at, SEEK_DATA);

		if (from < at)
			break;
		end = lseek(f->in, from, SEEK_HOLE);
		if (end <= from)
			break;
		data += end - from;
		at = end;
	}
	/* Blocks of attributes and of the map itself are counted there, too. */
	f->no_map = data + 65536 < blocks || (data == 0 && blocks > 0);
}

int stage_clone(struct stage_worker *w, struct stage_file *f)
{
	struct stage_job *job = w->job;

	if (job->no_clone || job->opt->how == WEFT_STAGE_STREAM ||
		job->opt->how == WEFT_STAGE_SERVER)
		return 0;
	if (ioctl(f->out, FICLONE, f->in) == 0) {
		job->cloned++;
		return 1;
	}
	/* It never will, between these two. */
	if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EXDEV || errno == ENOSYS)
		job->no_clone = true;
	return 0;
}

/* Only there a server copies by itself; elsewhere the kernel would read and write as
 * we do, without the hash. */
static bool has_server(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	switch ((unsigned long)fs.f_type & 0xffffffff) {
	case NFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

bool stage_is_remote(int fd, const char *path)
{
	struct statfs fs;

	if ((fd == AT_FDCWD ? statfs(path, &fs) : fstatfs(fd, &fs)) != 0)
		return true;
	switch ((unsigned long)fs.f_type & 0xffffffff) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
		return false;
	default:
		return true;
	}
}

int stage_server_copy(struct stage_worker *w, struct stage_file *f)
{
	struct stage_job *job = w->job;
	off_t off = 0, size = f->st.st_size;
	bool asked = job->opt->how == WEFT_STAGE_SERVER;
	struct stat made;

	if (job->no_server || f->sparse || size == 0 ||
		job->opt->how == WEFT_STAGE_STREAM)
		return 0;
	if (!asked && (job->in_dev != job->out_dev || !has_server(f->out))) {
		job->no_server = true;
		return 0;
	}
	while (off < size) {
		off_t to = off, from = off;
		double start = weft_monotonic();
		ssize_t n = copy_file_range(
			f->in, &from, f->out, &to, (size_t)(size - off), 0);

		w->moving += weft_monotonic() - start;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
			return stage_sys(w, "copying", f->dir, f->name);
		/* Across file systems, on files that say 0 before their end, on old
		 * kernels: whatever it is, reading and writing tells. */
		if (n <= 0)
			break;
		off += n;
		if (!stage_go_on(w))
			return -1;
	}
	if (off < size) {
		if (ftruncate(f->out, 0) != 0)
			return stage_sys(w, "copying", f->dir, f->name);
		job->no_server = off == 0;
		return 0;
	}
	/* Nothing was read: its word for it, and the size. */
	if (fstat(f->out, &made) != 0 || made.st_size != size)
		return stage_sys(w, "copying", f->dir, f->name);
	job->served++;
	job->moved += (uint64_t)size;
	return 1;
}
