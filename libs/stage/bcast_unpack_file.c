/* bcast_unpack_file.c - files that come by a broadcast: made, filled, checked */
#include "stage/bcast_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static int dir_fd(struct bcast_unpack *u)
{
	return u->job.tree ? unpack_top(u)->fd : u->job.out;
}

static struct stage_folder *here(struct bcast_unpack *u)
{
	return u->job.tree ? unpack_top(u)->dir : u->job.folders;
}

/* A new one, or what of it was there: without what is not known to be the source's,
 * for nothing of that may stay, in a hole. */
static int open_file(struct bcast_unpack *u, const char *name)
{
	const char *as = u->begun ? name : u->t.part;
	bool old = !u->begun && u->adopted;
	uint64_t size = (uint64_t)u->f.st.st_size, end = 0;

	if (unpack_look_up_had(u, name))
		return -1;
	if (u->f.had != SIZE_MAX) {
		uint64_t n = u->had.file[u->f.had].chunks, chunk = stage_chunk_of(size);

		end = n * chunk < size ? n * chunk : size;
	}
	if (u->begun) {
		int was_there = unpack_make_way(u, name, end ? S_IFREG : 0);

		if (was_there < 0)
			return -1;
		old = was_there;
	}
	u->f.fd = openat(dir_fd(u), as,
		O_RDWR | (old ? 0 : O_CREAT | O_EXCL) | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (u->f.fd < 0)
		return stage_sys(&u->w, "copying", here(u), name);
	if (!old) {
		u->f.had = SIZE_MAX;
		return 0;
	}
	unpack_forget_xattrs(u->f.fd);
	return ftruncate(u->f.fd, (off_t)end)
		       ? stage_sys(&u->w, "copying", here(u), name)
		       : 0;
}

int unpack_begin_file(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	struct statfs fs;

	if (n < BCAST_META || u->f.on || (u->begun && !u->n_levels))
		return unpack_bad(u);
	bcast_meta_read(at, &u->f.st);
	char *name = unpack_name(u, at + BCAST_META, n - BCAST_META);
	if (!name || !S_ISREG(u->f.st.st_mode))
		return name ? unpack_bad(u) : -1;
	if (!u->begun) {
		struct stage_folder *d = stage_folder_new(&u->w, NULL, "");

		if (!d)
			return -1;
		u->job.out = fcntl(u->t.fd, F_DUPFD_CLOEXEC, 0);
		name = weft_arena_strdup(&u->job.arena, u->t.name);
		if (!name)
			return weft_err_nomem(&u->w.err);
	}
	if (open_file(u, name))
		return -1;
	if (!u->begun) {
		u->part = true;
		(void)!flock(u->f.fd, LOCK_EX | LOCK_NB);
		if (u->opt.archive)
			(void)!fremovexattr(u->f.fd, "system.posix_acl_access");
	}
	u->begun = true;
	u->f.on = true;
	u->job.files++;
	u->f.entry = stage_entry_new(&u->w, here(u), name, 'f', &u->f.st);
	if (!u->f.entry)
		return -1;
	uint64_t size = (uint64_t)u->f.st.st_size;
	u->f.at = u->f.sums = 0;
	u->f.chunk = stage_chunk_of(size);
	u->f.n_chunks = (size + u->f.chunk - 1) / u->f.chunk;
	/* Said at once where there is no room, and kept in one piece. In memory there
	 * are no pieces, and the pages would be touched twice. */
	if (size > STAGE_BUFFER && (uint64_t)u->f.st.st_blocks * 512 >= size &&
		fstatfs(u->f.fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC &&
		fallocate(u->f.fd, FALLOC_FL_KEEP_SIZE, 0, u->f.st.st_size) != 0 &&
		(errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
		return stage_sys(&u->w, "copying", here(u), name);
	return size && ftruncate(u->f.fd, u->f.st.st_size)
		       ? stage_sys(&u->w, "copying", here(u), name)
		       : 0;
}

/* A hole up to there counts as zeros. */
static void hash_hole(struct bcast_unpack *u, uint64_t to)
{
	static const char zeros[1 << 16];

	while (u->f.at < to) {
		uint64_t n =
			to - u->f.at < sizeof(zeros) ? to - u->f.at : sizeof(zeros);

		weft_hasher_add(u->w.hasher, zeros, n);
		u->f.at += n;
	}
}

int unpack_add_bytes(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	uint64_t off = n >= 8 ? bcast_get64(at) : 0, end, limit;

	if (!u->f.on || n < 8)
		return unpack_bad(u);
	at += 8;
	n -= 8;
	/* In order, within a chunk whose sum is still to come. */
	end = off + n;
	limit = (u->f.sums + 1) * u->f.chunk;
	if (off < u->f.at || end < off || end > limit ||
		end > (uint64_t)u->f.st.st_size)
		return unpack_bad(u);
	hash_hole(u, off);
	weft_hasher_add(u->w.hasher, at, n);
	u->f.at = end;
	while (n) {
		ssize_t k = pwrite(u->f.fd, at, n, (off_t)off);

		if (k < 0 && errno == EINTR)
			continue;
		if (k == 0)
			errno = EIO;
		if (k <= 0)
			return stage_sys(&u->w, "copying", here(u), u->f.entry->name);
		at += k;
		n -= (size_t)k;
		off += (uint64_t)k;
		u->job.moved += (uint64_t)k;
		u->job.bytes += (uint64_t)k;
	}
	return 0;
}

int unpack_check_sum(struct bcast_unpack *u, const unsigned char *sum, size_t n)
{
	uint64_t i = u->f.sums, end = (i + 1) * u->f.chunk;
	uint64_t size = (uint64_t)u->f.st.st_size;

	if (!u->f.on || n != WEFT_DIGEST_BYTES || i >= u->f.n_chunks)
		return unpack_bad(u);
	/* As they come: that there will be very many is only said. */
	if (weft_grow(u->f.sum, i, u->f.cap_sums))
		return weft_err_nomem(&u->w.err);
	hash_hole(u, end < size ? end : size);
	weft_hasher_take(u->w.hasher, u->f.sum[i]);
	if (memcmp(u->f.sum[i], sum, n) != 0) {
		weft_autofree char *path =
			stage_shown(&u->job, here(u), u->f.entry->name);

		weft_err_set(&u->w.err, WEFT_ESTAGE,
			"%s: chunk %llu is not what was read from it",
			path ? path : u->src, (unsigned long long)i);
		return weft_err_hint(
			&u->w.err, "this node or one before it has bad memory");
	}
	if (!u->cached)
		unpack_note_chunk(u, i);
	u->f.sums++;
	if (u->opt.durable != WEFT_STAGE_NONE)
		(void)!sync_file_range(u->f.fd, (off_t)(i * u->f.chunk),
			(off_t)u->f.chunk, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int unpack_end_file(struct bcast_unpack *u)
{
	struct stage_entry *e = u->f.entry;
	struct stat st;
	int fd;

	if (!u->f.on || u->f.sums != u->f.n_chunks)
		return unpack_bad(u);
	if (unpack_set_attrs(u, u->f.fd, &u->f.st, &u->f.xattrs, here(u), e->name))
		return -1;
	for (uint64_t i = 0; u->cached && i < u->f.n_chunks; i++)
		unpack_note_chunk(u, i);
	if (fstat(u->f.fd, &st))
		return stage_sys(&u->w, "copying", here(u), e->name);
	e->dst = stage_id_of(&st);
	/* As copies have it: a small file's own hash, a large one's of its chunks'. */
	if ((uint64_t)u->f.st.st_size > STAGE_CHUNK) {
		weft_digest_bytes(
			u->f.sum, u->f.n_chunks * sizeof(*u->f.sum), e->sum.b);
		e->n_chunks = u->f.n_chunks;
		e->chunk = weft_arena_alloc(
			&u->w.arena, u->f.n_chunks * sizeof(*u->f.sum));
		if (!e->chunk)
			return weft_err_nomem(&u->w.err);
		memcpy(e->chunk, u->f.sum, u->f.n_chunks * sizeof(*u->f.sum));
	} else if (u->f.n_chunks) {
		memcpy(e->sum.b, u->f.sum[0], sizeof(e->sum.b));
	} else {
		weft_digest_bytes("", 0, e->sum.b);
	}
	e->sum.known = true;
	free(weft_steal(&u->f.sum));
	u->f.cap_sums = 0;
	unpack_xattrs_clear(&u->f.xattrs);
	u->f.on = false;
	fd = u->f.fd;
	u->f.fd = -1;
	if (stage_put_away(&u->job, fd))
		return stage_sys(&u->w, "copying", here(u), e->name);
	return 0;
}
