/* bcast_unpack.c - records become a file or tree beside its final name
 *
 * As in a copy: nothing outside the temporary is touched, which is this user's alone;
 * each name is one component, made anew in a folder that is held open, and no link is
 * followed.  The source is a process of the same user, and is believed no more than a
 * file would be: what a record says is checked before it is done. */
#include "stage/bcast_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int unpack_bad(struct bcast_unpack *u)
{
	return weft_err_set(&u->w.err, WEFT_ESTAGE,
		"%s: what came is not what a broadcast is made of", u->dst);
}

struct level *unpack_top(struct bcast_unpack *u)
{
	return &u->level[u->n_levels - 1];
}

static int dir_fd(struct bcast_unpack *u)
{
	return u->job.tree ? unpack_top(u)->fd : u->job.out;
}

static void xattrs_clear(struct xattrs *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->v[i].name);
		free(x->v[i].value);
	}
	free(x->v);
	*x = (struct xattrs){0};
}

/* ---- records ----------------------------------------------------------------- */

static uint64_t get(const unsigned char *at, int bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

void bcast_meta_read(const unsigned char *at, struct stat *st)
{
	struct timespec *t[] = {&st->st_atim, &st->st_mtim, &st->st_ctim};

	memset(st, 0, sizeof(*st));
	st->st_mode = (mode_t)get(at, 4);
	st->st_uid = (uid_t)get(at + 4, 4);
	st->st_gid = (gid_t)get(at + 8, 4);
	st->st_rdev = makedev((unsigned)get(at + 12, 4), (unsigned)get(at + 16, 4));
	st->st_size = (off_t)(get(at + 20, 8) & INT64_MAX);
	st->st_ino = get(at + 28, 8);
	st->st_blocks = (blkcnt_t)(get(at + 36, 8) & INT64_MAX);
	st->st_nlink = (nlink_t)get(at + 92, 4);
	for (int i = 0; i < 3; i++) {
		t[i]->tv_sec = (time_t)get(at + 44 + 16 * i, 8);
		t[i]->tv_nsec = (long)(get(at + 52 + 16 * i, 8) % 1000000000);
	}
}

/* A name of one component; only the top has none. */
char *unpack_name(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	bool is_top = !u->begun;

	if ((n == 0) != is_top || n > NAME_MAX || memchr(at, '/', n) ||
		memchr(at, '\0', n) || (n == 1 && *at == '.') ||
		(n == 2 && memcmp(at, "..", 2) == 0)) {
		unpack_bad(u);
		return NULL;
	}
	char *name = weft_arena_strndup(&u->job.arena, (const char *)at, n);
	if (!name)
		weft_err_nomem(&u->w.err);
	return name;
}

static int add_xattr(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	struct xattrs *x = u->f.on ? &u->f.xattrs : &unpack_top(u)->xattrs;
	size_t len = n >= 2 ? get(at, 2) : SIZE_MAX;

	if ((!u->f.on && !u->n_levels) || len > 255 || len == 0 || n < 2 + len ||
		x->n > 100000)
		return unpack_bad(u);
	if (weft_grow(x->v, x->n, x->cap))
		return weft_err_nomem(&u->w.err);
	struct xattr *v = &x->v[x->n];
	*v = (struct xattr){.name = strndup((const char *)at + 2, len),
		.value = malloc(n - 2 - len + 1),
		.n = n - 2 - len};
	x->n++;
	if (!v->name || !v->value)
		return weft_err_nomem(&u->w.err);
	memcpy(v->value, at + 2 + len, v->n);
	return 0;
}

static int set_xattrs(struct bcast_unpack *u, int fd, const struct xattrs *x,
	const struct stage_folder *dir, const char *name)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct xattr *v = &x->v[i];

		if (fsetxattr(fd, v->name, v->value, v->n, 0) == 0)
			continue;
		if (errno == ENOSPC || errno == EDQUOT)
			return stage_sys(&u->w, "copying", dir, name);
		u->job.dropped++;
	}
	return 0;
}

/* Owner, attributes, mode, times.  They are on the file already when stage_attrs copies
 * them from it to itself; a new owner takes its capabilities away, so those once more.
 */
static int attrs(struct bcast_unpack *u, int fd, const struct stat *st,
	const struct xattrs *x, const struct stage_folder *dir, const char *name)
{
	struct xattrs again = {0};

	if (set_xattrs(u, fd, x, dir, name) ||
		stage_attrs(&u->w, st, fd, fd, dir, name))
		return -1;
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->v[i].name, "security.capability") == 0) {
			again.v = &x->v[i];
			again.n = 1;
			return set_xattrs(u, fd, &again, dir, name);
		}
	return 0;
}

/* ---- the top ----------------------------------------------------------------- */

static void many_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)!setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* A single file's journal is kept, and gone on with.  -1. */
static int open_part(struct bcast_unpack *u)
{
	bool single = S_ISREG(u->of.st_mode);

	stage_target_clean(&u->t, single ? &u->job : NULL, &u->of, &u->adopted);
	u->part = u->adopted;
	if (u->adopted || !single)
		return 0;
	return stage_resume_open(&u->job, u->t.fd, u->t.journal, &u->of, false);
}

int bcast_unpack_new(struct bcast_unpack **out, const struct bcast_plan *plan,
	const struct weft_stage_options *opt, struct weft_stage_report *report,
	struct weft_err *err)
{
	struct bcast_unpack *u = calloc(1, sizeof(*u));
	struct stat st;

	*out = NULL;
	if (!u)
		return weft_err_nomem(err);
	u->opt = *opt;
	u->of = plan->top;
	u->t.fd = u->t.lock = u->f.fd = -1;
	u->w.job = &u->job;
	u->src = strdup(plan->src);
	u->dst = strdup(plan->dst);
	u->cache = strdup(plan->cache);
	u->limits = plan->limits;
	u->w.hasher = weft_hasher_new();
	many_descriptors();
	if (!u->src || !u->dst || !u->cache || !u->w.hasher)
		weft_err_nomem(err);
	else if (stage_job_init(&u->job, &u->opt, u->src, err) == 0 &&
		 stage_target_open(&u->t, u->dst, err) == 0) {
		if (opt->manifest && bcast_is_there(&u->t, &plan->identity, report)) {
			bcast_unpack_free(u);
			return 0;
		}
		if (!opt->replace &&
			fstatat(u->t.fd, u->t.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			stage_target_taken(&u->t, err);
		} else if (open_part(u) == 0) {
			u->job.record = opt->manifest;
			/* There is no source here to look at again. */
			u->job.started.tv_sec = (time_t)1 << 40;
			*out = u;
			return 0;
		} else {
			weft_err_move(err, &u->job.err);
		}
	}
	bcast_unpack_free(u);
	return -1;
}

void bcast_unpack_free(struct bcast_unpack *u)
{
	if (!u)
		return;
	if (u->part && !(u->keep && u->job.resume))
		stage_target_remove(&u->t);
	free(u->had);
	for (size_t i = 0; i < u->n_levels; i++) {
		weft_closep(&u->level[i].fd);
		xattrs_clear(&u->level[i].xattrs);
	}
	free(u->level);
	weft_closep(&u->f.fd);
	xattrs_clear(&u->f.xattrs);
	free(u->f.sum);
	free(u->first);
	if (u->job.pool)
		stage_job_free(&u->job);
	free(u->w.entry);
	weft_str_free(&u->w.note);
	weft_arena_free(&u->w.arena);
	weft_hasher_free(u->w.hasher);
	weft_err_clear(&u->w.err);
	stage_target_close(&u->t);
	free(u->src);
	free(u->dst);
	free(u->cache);
	free(u);
}

/* ---- what a killed broadcast has left -------------------------------------- */

static uint64_t chunk_end(uint64_t i, uint64_t chunk, uint64_t size)
{
	return (i + 1) * chunk < size ? (i + 1) * chunk : size;
}

/* [off, end) of the part has this hash. */
static bool reads_as(struct bcast_unpack *u, int fd, uint64_t off, uint64_t end,
	const unsigned char *want)
{
	weft_autofree char *buf = malloc(STAGE_BUFFER);
	unsigned char sum[WEFT_DIGEST_BYTES];
	ssize_t n = 1;

	for (; buf && off < end && n > 0; off += (uint64_t)n) {
		size_t left = end - off < STAGE_BUFFER ? end - off : STAGE_BUFFER;

		n = pread(fd, buf, left, (off_t)off);
		if (n > 0)
			weft_hasher_add(u->w.hasher, buf, (size_t)n);
	}
	weft_hasher_take(u->w.hasher, sum);
	return buf && n > 0 && memcmp(sum, want, sizeof(sum)) == 0;
}

uint64_t bcast_unpack_had(struct bcast_unpack *u)
{
	struct stage_folder top = {.name = (char *)""};
	struct stage_file f = {.dir = &top, .name = u->t.name, .st = u->of};
	uint64_t size = (uint64_t)u->of.st_size, chunk = stage_chunk_of(size), len;
	uint64_t n = (size + chunk - 1) / chunk;
	weft_autoclose int fd = -1;

	if (!u->adopted || !stage_resume_has(&u->job))
		return 0;
	fd = openat(u->t.fd, u->t.part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	u->had = calloc(n + 1, sizeof(*u->had));
	while (fd >= 0 && u->had && u->n_had < n) {
		uint64_t off = u->n_had * chunk, end = chunk_end(u->n_had, chunk, size);
		const unsigned char *sum =
			stage_resume_find(&u->w, &f, (int64_t)u->n_had, &len);

		if (!sum || len != end - off || !reads_as(u, fd, off, end, sum))
			break;
		memcpy(u->had[u->n_had++], sum, WEFT_DIGEST_BYTES);
	}
	return u->n_had;
}

void bcast_unpack_keep(struct bcast_unpack *u)
{
	u->keep = true;
}

/* The top of a tree, as in copy.c: nobody else may enter before it is whole. */
static int open_top(struct bcast_unpack *u)
{
	if (mkdirat(u->t.fd, u->t.part, 0700))
		return weft_err_sys(&u->w.err, WEFT_ESTAGE, "copying to %s", u->dst);
	u->part = true;
	u->job.tree = true;
	u->job.out = openat(
		u->t.fd, u->t.part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u->job.out < 0)
		return weft_err_sys(&u->w.err, WEFT_ESTAGE, "copying to %s", u->dst);
	(void)!flock(u->job.out, LOCK_EX | LOCK_NB);
	if (u->opt.archive) {
		(void)!fremovexattr(u->job.out, "system.posix_acl_access");
		(void)!fremovexattr(u->job.out, "system.posix_acl_default");
		(void)!fchmod(u->job.out, 0700);
	}
	return 0;
}

/* ---- folders ----------------------------------------------------------------- */

static int enter(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	struct level l = {.fd = -1};
	struct level *up = u->n_levels ? unpack_top(u) : NULL;
	struct stat st;

	if (n < BCAST_META || u->f.on || (u->begun && !up))
		return unpack_bad(u);
	bcast_meta_read(at, &st);
	char *name = unpack_name(u, at + BCAST_META, n - BCAST_META);
	if (!name || !S_ISDIR(st.st_mode))
		return name ? unpack_bad(u) : -1;
	if (!up && open_top(u))
		return -1;
	if (weft_grow(u->level, u->n_levels, u->cap_levels))
		return weft_err_nomem(&u->w.err);
	up = u->n_levels ? unpack_top(u) : NULL; /* may have moved */
	l.dir = stage_folder_new(&u->w, up ? up->dir : NULL, name);
	if (!l.dir)
		return -1;
	l.dir->st = st;
	if (up && mkdirat(up->fd, name, 0700))
		return stage_sys(&u->w, "copying", up->dir, name);
	l.fd = up ? openat(up->fd, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		  : fcntl(u->job.out, F_DUPFD_CLOEXEC, 0);
	if (l.fd < 0)
		return stage_sys(&u->w, "copying", l.dir, NULL);
	u->begun = true;
	u->job.n_folders++;
	u->level[u->n_levels++] = l;
	return 0;
}

static int leave(struct bcast_unpack *u)
{
	struct level *l;
	struct stat st;

	if (!u->n_levels || u->f.on)
		return unpack_bad(u);
	l = unpack_top(u);
	if (attrs(u, l->fd, &l->dir->st, &l->xattrs, l->dir, NULL))
		return -1;
	if (fstat(l->fd, &st))
		return stage_sys(&u->w, "copying", l->dir, NULL);
	l->dir->dst = stage_id_of(&st);
	xattrs_clear(&l->xattrs);
	u->n_levels--;
	return stage_put_away(&u->job, l->fd)
		       ? stage_sys(&u->w, "copying", l->dir, NULL)
		       : 0;
}

/* ---- files ------------------------------------------------------------------- */

/* The source names those of several names once: it counts them as we do. */
static int note_first(
	struct bcast_unpack *u, const char *name, struct stage_entry *entry)
{
	if (weft_grow(u->first, u->n_first, u->cap_first))
		return weft_err_nomem(&u->w.err);
	u->first[u->n_first++] = (struct first){unpack_top(u)->dir, name, entry};
	return 0;
}

static struct stage_folder *here(struct bcast_unpack *u)
{
	return u->job.tree ? unpack_top(u)->dir : u->job.folders;
}

static int begin_file(struct bcast_unpack *u, const unsigned char *at, size_t n)
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
	const char *as = u->begun ? name : u->t.part;
	bool old = !u->begun && u->adopted;
	u->f.fd = openat(dir_fd(u), as,
		O_RDWR | (old ? 0 : O_CREAT | O_EXCL) | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (u->f.fd < 0)
		return stage_sys(&u->w, "copying", here(u), name);
	/* Of another state of the source: nothing of it may stay, in a hole. */
	struct stage_id is = stage_id_of(&u->f.st), was = stage_id_of(&u->of);
	if (old && !stage_id_same(&is, &was))
		u->n_had = 0;
	if (old && !u->n_had && ftruncate(u->f.fd, 0))
		return stage_sys(&u->w, "copying", here(u), name);
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
	u->f.sum = calloc(u->f.n_chunks + 1, sizeof(*u->f.sum));
	if (!u->f.sum)
		return weft_err_nomem(&u->w.err);
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

static int add_bytes(struct bcast_unpack *u, const unsigned char *at, size_t n)
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

static int take_had(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	uint64_t count = n == 8 ? bcast_get64(at) : UINT64_MAX;

	if (!u->f.on || u->f.at || u->job.tree || count > u->f.n_chunks)
		return unpack_bad(u);
	if (count > u->n_had)
		return weft_err_set(&u->w.err, WEFT_ESTAGE,
			"%s changed while the broadcast began", u->src);
	memcpy(u->f.sum, u->had, count * sizeof(*u->f.sum));
	u->f.sums = count;
	if (count)
		u->f.at = chunk_end(count - 1, u->f.chunk, (uint64_t)u->f.st.st_size);
	u->job.resumed = u->f.at;
	return 0;
}

/* A killed broadcast is gone on with from here. */
static void note_chunk(struct bcast_unpack *u, uint64_t i)
{
	struct stage_file f = {.dir = u->job.folders, .name = u->t.name, .st = u->f.st};
	uint64_t size = (uint64_t)u->f.st.st_size;

	if (!u->job.tree && u->f.n_chunks > 1)
		stage_resume_note(&u->w, &f, (int64_t)i,
			chunk_end(i, u->f.chunk, size) - i * u->f.chunk, u->f.sum[i]);
}

static int check_sum(struct bcast_unpack *u, const unsigned char *sum, size_t n)
{
	uint64_t i = u->f.sums, end = (i + 1) * u->f.chunk;
	uint64_t size = (uint64_t)u->f.st.st_size;

	if (!u->f.on || n != WEFT_DIGEST_BYTES || i >= u->f.n_chunks)
		return unpack_bad(u);
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
	note_chunk(u, u->f.sums++);
	if (u->opt.durable != WEFT_STAGE_NONE)
		(void)!sync_file_range(u->f.fd, (off_t)(i * u->f.chunk),
			(off_t)u->f.chunk, SYNC_FILE_RANGE_WRITE);
	return 0;
}

static int end_file(struct bcast_unpack *u)
{
	struct stage_entry *e = u->f.entry;
	struct stat st;
	int fd;

	if (!u->f.on || u->f.sums != u->f.n_chunks)
		return unpack_bad(u);
	if (attrs(u, u->f.fd, &u->f.st, &u->f.xattrs, here(u), e->name))
		return -1;
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
	xattrs_clear(&u->f.xattrs);
	u->f.on = false;
	fd = u->f.fd;
	u->f.fd = -1;
	if (stage_put_away(&u->job, fd))
		return stage_sys(&u->w, "copying", here(u), e->name);
	return 0;
}

/* Those with several names are numbered where they come first. */
static int number(struct bcast_unpack *u, size_t before, const unsigned char *at)
{
	struct stat st;

	bcast_meta_read(at, &st);
	if (!u->job.tree || u->w.n_entries == before || st.st_nlink < 2)
		return 0;
	struct stage_entry *e = u->w.entry[u->w.n_entries - 1];
	return note_first(u, e->name, e);
}

static int record(
	struct bcast_unpack *u, unsigned kind, const unsigned char *at, size_t n)
{
	size_t before = u->w.n_entries;
	int r;

	if (u->ended)
		return unpack_bad(u);
	switch (kind) {
	case REC_FOLDER:
		return enter(u, at, n);
	case REC_UP:
		return leave(u);
	case REC_FILE:
		r = begin_file(u, at, n);
		return r ? r : number(u, before, at);
	case REC_XATTR:
		return add_xattr(u, at, n);
	case REC_BYTES:
		return add_bytes(u, at, n);
	case REC_HAD:
		return take_had(u, at, n);
	case REC_SUM:
		return check_sum(u, at, n);
	case REC_END:
		return end_file(u);
	case REC_LINK:
		r = unpack_make_link(u, at, n);
		return r ? r : number(u, before, at);
	case REC_SPECIAL:
		r = unpack_make_special(u, at, n);
		return r ? r : number(u, before, at);
	case REC_SAME:
		return unpack_make_same(u, at, n);
	case REC_ALL:
		return unpack_check_all(u, at, n);
	}
	return unpack_bad(u);
}

int bcast_unpack_piece(
	struct bcast_unpack *u, struct bcast_piece *p, struct weft_err *err)
{
	const unsigned char *at = bcast_data(p);
	size_t left = p->n;
	int r = p->no == u->next++ ? 0 : unpack_bad(u);

	while (r == 0 && left) {
		size_t n = left >= BCAST_RECORD ? get(at + 1, 4) : SIZE_MAX;

		if (left < BCAST_RECORD || n > left - BCAST_RECORD) {
			r = unpack_bad(u);
			break;
		}
		r = record(u, at[0], at + BCAST_RECORD, n);
		at += BCAST_RECORD + n;
		left -= BCAST_RECORD + n;
	}
	if (r == 0 && p->last != u->ended)
		r = unpack_bad(u);
	/* Not before it is known that nothing comes behind. */
	if (r == 0 && p->last)
		r = unpack_publish(u);
	if (r)
		weft_err_move(err, &u->w.err);
	return r;
}

bool bcast_unpack_is_quick(const struct bcast_unpack *u)
{
	struct statfs fs;

	return fstatfs(u->t.fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

void bcast_unpack_report(const struct bcast_unpack *u, struct weft_stage_report *r)
{
	*r = (struct weft_stage_report){.bytes = u->job.bytes + u->job.resumed,
		.moved = u->job.moved,
		.resumed = u->job.resumed,
		.files = u->job.files,
		.folders = u->job.n_folders,
		.owners = u->job.owners,
		.dropped = u->job.dropped,
		.strategy = "broadcast",
		.why = "several nodes"};
	memcpy(r->hash, u->hash, sizeof(r->hash));
}
