/* bcast_pack.c - a file or tree as a row of records, in pieces
 *
 * Folders are walked by open descriptors, names in order, no link followed below the
 * top.  Each file's identity is looked at before and after it was read: what changed
 * ends the broadcast, for half of the nodes may have the old bytes already. */
#include "stage/bcast.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

struct packer {
	struct bcast_pack *pack;
	struct bcast_piece *piece; /* being filled */
	size_t at;
	uint64_t no;
	struct weft_hasher *chunk, *sums; /* sums: of a file's chunks */
	struct weft_map links;            /* "dev:ino" -> number of the entry */
	struct weft_arena arena;
	uint64_t entries; /* with more than one name */
	struct weft_err *err;
};

static int sys(struct packer *k, const char *what, const char *path)
{
	return weft_err_sys(k->err, WEFT_ESTAGE, "%s %s", what, path);
}

static int changed(struct packer *k, const char *path)
{
	weft_err_set(k->err, WEFT_ESTAGE, "%s changed while it was read", path);
	return weft_err_hint(k->err, "let the step that writes it end first");
}

static int flush(struct packer *k, bool last)
{
	struct bcast_piece *p = weft_steal(&k->piece);

	if (!p)
		return 0;
	p->n = k->at;
	k->at = 0;
	bcast_piece_number(p, k->no++, last);
	if (k->pack->emit(k->pack->arg, p))
		return weft_err_set(k->err, WEFT_EINTR, "interrupted");
	return 0;
}

/* So many bytes in one piece; NULL: failed. */
static unsigned char *room(struct packer *k, size_t n)
{
	if (k->piece && k->at + n > BCAST_PIECE && flush(k, false))
		return NULL;
	if (!k->piece) {
		k->piece = bcast_piece_new(BCAST_PIECE);
		if (!k->piece) {
			weft_err_nomem(k->err);
			return NULL;
		}
	}
	unsigned char *at = bcast_data(k->piece) + k->at;
	k->at += n;
	return at;
}

static void head(unsigned char *at, enum bcast_record kind, size_t n)
{
	at[0] = (unsigned char)kind;
	bcast_put32(at + 1, (uint32_t)n);
}

/* A record of up to three parts. */
static int put(struct packer *k, enum bcast_record kind, const void *a, size_t na,
	const void *b, size_t nb, const void *c, size_t nc)
{
	size_t n = na + nb + nc;
	unsigned char *at = room(k, BCAST_RECORD + n);

	if (!at)
		return -1;
	head(at, kind, n);
	at += BCAST_RECORD;
	if (na)
		memcpy(at, a, na);
	if (nb)
		memcpy(at + na, b, nb);
	if (nc)
		memcpy(at + na + nb, c, nc);
	return 0;
}

static int xattrs(struct packer *k, int fd)
{
	char value[65536];
	ssize_t n = flistxattr(fd, NULL, 0);
	weft_autofree char *names = n > 0 ? malloc((size_t)n) : NULL;

	n = names ? flistxattr(fd, names, (size_t)n) : 0;
	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		unsigned char len[2];
		ssize_t v;

		if (!stage_xattr_wanted(p, k->pack->opt->archive) ||
			(v = fgetxattr(fd, p, value, sizeof(value))) < 0)
			continue; /* gone, or not ours to read */
		bcast_put16(len, (uint16_t)strlen(p));
		if (put(k, REC_XATTR, len, 2, p, strlen(p), value, (size_t)v))
			return -1;
	}
	return 0;
}

/* Its path below the top. */
static const char *below(const struct packer *k, const char *path)
{
	path += strlen(k->pack->src);
	return path + strspn(path, "/");
}

/* For the identity alone; true: that was all. */
static bool only(struct packer *k, char type, const char *path, const struct stat *st)
{
	struct stage_id id = stage_id_of(st);

	if (!k->pack->only)
		return false;
	bcast_identity_add(k->pack->only, type, below(k, path), &id);
	return true;
}

/* ---- data -------------------------------------------------------------------- */

struct reading {
	int fd;
	const char *path;
	uint64_t size, chunk, at; /* at: hashed up to here */
	bool cached;
	unsigned char sum[WEFT_DIGEST_BYTES]; /* of the last chunk */
};

static int end_chunk(struct packer *k, struct reading *r)
{
	unsigned char *sum = r->sum;

	weft_hasher_take(k->chunk, sum);
	if (r->cached)
		weft_hasher_add(k->sums, sum, sizeof(r->sum));
	return put(k, REC_SUM, sum, sizeof(r->sum), NULL, 0, NULL, 0);
}

/* [r->at, end) is a hole. */
static int hole(struct packer *k, struct reading *r, uint64_t end)
{
	static const char zeros[1 << 16];

	while (r->at < end) {
		uint64_t n = r->chunk - r->at % r->chunk;

		n = n < end - r->at ? n : end - r->at;
		n = n < sizeof(zeros) ? n : sizeof(zeros);
		weft_hasher_add(k->chunk, zeros, n);
		r->at += n;
		if (r->at % r->chunk == 0 && end_chunk(k, r))
			return -1;
	}
	return 0;
}

/* Data from r->at on, into what is left of the piece. */
static int bytes(struct packer *k, struct reading *r, uint64_t end)
{
	while (r->at < end) {
		size_t left = k->piece ? BCAST_PIECE - k->at : BCAST_PIECE;
		uint64_t want = r->chunk - r->at % r->chunk;

		if (left < 4096 && flush(k, false))
			return -1;
		if (left < 4096)
			left = BCAST_PIECE;
		left -= BCAST_RECORD + 8;
		want = want < end - r->at ? want : end - r->at;
		want = want < left ? want : left;
		unsigned char *at = room(k, BCAST_RECORD + 8 + want);
		if (!at)
			return -1;
		ssize_t n;

		do
			n = pread(r->fd, at + BCAST_RECORD + 8, want, (off_t)r->at);
		while (n < 0 && errno == EINTR);
		k->pack->damaged |= r->cached && n <= 0;
		if (n < 0)
			return sys(k, "reading", r->path);
		if (n == 0)
			return changed(k, r->path);
		k->at -= want - (size_t)n;
		head(at, REC_BYTES, 8 + (size_t)n);
		bcast_put64(at + BCAST_RECORD, r->at);
		weft_hasher_add(k->chunk, at + BCAST_RECORD + 8, (size_t)n);
		r->at += (uint64_t)n;
		k->pack->bytes += (uint64_t)n;
		k->pack->from_cache += r->cached ? (uint64_t)n : 0;
		if (r->at % r->chunk == 0 && end_chunk(k, r))
			return -1;
	}
	return 0;
}

/* Chunks that each node has, and has read again. */
static uint64_t had_chunks(struct packer *k, const char *path, const struct stat *st)
{
	unsigned char key[WEFT_DIGEST_BYTES];
	struct stage_id id = stage_id_of(st);
	const struct bcast_had_file *f;

	/* Without memory for it, they are sent again. */
	if (!k->pack->had || !k->pack->had->n ||
		bcast_had_key(key, below(k, path), &id))
		return 0;
	f = bcast_had_find(k->pack->had, key);
	return f ? f->chunks : 0;
}

/* Not read, nor sent. */
static int had(struct packer *k, struct reading *r, uint64_t chunks)
{
	unsigned char n[8];

	if (!chunks)
		return 0;
	bcast_put64(n, chunks);
	r->at = chunks < r->size / r->chunk + 1 ? chunks * r->chunk : r->size;
	r->at = r->at < r->size ? r->at : r->size;
	k->pack->resumed += r->at;
	return put(k, REC_HAD, n, sizeof(n), NULL, 0, NULL, 0);
}

static int data(struct packer *k, struct reading *r, struct stage_file *f)
{
	if (r->at && r->at == r->size)
		return 0;
	while (r->at < r->size) {
		off_t from = (off_t)r->at, to = (off_t)r->size;

		if (f->sparse && !f->no_map) {
			from = lseek(r->fd, (off_t)r->at, SEEK_DATA);
			if (from < 0 && errno == ENXIO)
				from = (off_t)r->size;
			else if (from < (off_t)r->at)
				from = (off_t)r->at;
			to = from < (off_t)r->size ? lseek(r->fd, from, SEEK_HOLE)
						   : (off_t)r->size;
			if (to <= from || to > (off_t)r->size)
				to = (off_t)r->size;
		}
		if (from > (off_t)r->size)
			from = (off_t)r->size;
		if (hole(k, r, (uint64_t)from) || bytes(k, r, (uint64_t)to))
			return -1;
	}
	return r->size % r->chunk ? end_chunk(k, r) : 0;
}

/* 1: another name of what was packed before. */
static int same_as(struct packer *k, const struct stat *st, const char *name)
{
	unsigned char no[8];
	size_t found = 0;

	if (st->st_nlink < 2)
		return 0;
	char *key = weft_arena_printf(&k->arena, "%llx:%llx",
		(unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	int r = key ? weft_map_add(&k->links, key, k->entries, &found) : -1;
	if (r < 0)
		return weft_err_nomem(k->err);
	if (r == 1) {
		k->entries++;
		return 0;
	}
	bcast_put64(no, found);
	return put(k, REC_SAME, no, 8, name, strlen(name), NULL, 0) ? -1 : 1;
}

static int named(struct packer *k, enum bcast_record kind, const struct stat *st,
	const char *name)
{
	unsigned char meta[BCAST_META];

	bcast_meta_write(meta, st);
	return put(k, kind, meta, sizeof(meta), name, strlen(name), NULL, 0);
}

/* A file's hash is that of its only chunk, or of its chunks' sums. */
static int check_cached(struct packer *k, struct reading *r)
{
	unsigned char sums[WEFT_DIGEST_BYTES];
	const unsigned char *sum = r->size > STAGE_CHUNK ? sums : r->sum;

	weft_hasher_take(k->sums, sums);
	if (!r->size || bcast_cached_was(k->pack->cached, below(k, r->path), sum))
		return 0;
	k->pack->damaged = true;
	return weft_err_set(k->err, WEFT_ESTAGE,
		"the node's cache: %s isn't what was brought there", r->path);
}

/* A file on its way: where its name is (of the top, which has none, the path is
 * followed), its source, and what is read for it. */
struct packing {
	int dir;
	const char *path, *name;
	struct stat st;
	struct stage_file data;
	uint64_t had;
};

static int look(const struct packing *p, struct stat *st)
{
	return fstatat(p->dir, *p->name ? p->name : p->path, st,
		*p->name ? AT_SYMLINK_NOFOLLOW : 0);
}

/* The rest of a file that is partly there is the source's: only a whole one's hash is
 * in the cache's record. */
static int open_cached(struct packer *k, struct packing *p)
{
	if (!k->pack->cached || look(p, &p->st) || had_chunks(k, p->path, &p->st))
		return -1;
	return bcast_cached_file(
		k->pack->cached, below(k, p->path), &p->st, &p->data.st);
}

static int open_file(struct packer *k, struct packing *p)
{
	int nofollow = *p->name ? O_NOFOLLOW : 0;
	int fd = openat(p->dir, *p->name ? p->name : p->path,
		O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | nofollow);

	if (fd < 0 || fstat(fd, &p->st)) {
		weft_closep(&fd);
		return sys(k, "reading", p->path);
	}
	p->data.st = p->st;
	p->had = had_chunks(k, p->path, &p->st);
	return fd;
}

static int file(struct packer *k, int dir, const char *path, const char *name)
{
	struct packing p = {.dir = dir, .path = path, .name = name};
	weft_autoclose int cached = open_cached(k, &p);
	weft_autoclose int fd = cached < 0 ? open_file(k, &p) : -1;
	struct reading rd = {.path = path, .cached = cached >= 0};
	struct stat now;
	char one;

	if (fd < 0 && cached < 0)
		return -1;
	p.data.in = rd.fd = cached < 0 ? fd : cached;
	if (!S_ISREG(p.st.st_mode))
		return changed(k, path);
	k->pack->files++;
	int r = same_as(k, &p.st, name);
	if (r)
		return r < 0 ? -1 : 0;
	rd.size = (uint64_t)p.st.st_size;
	rd.chunk = stage_chunk_of(rd.size);
	stage_holes(&p.data);
	if (named(k, REC_FILE, &p.st, name) || xattrs(k, rd.fd) || had(k, &rd, p.had) ||
		data(k, &rd, &p.data) || (rd.cached && check_cached(k, &rd)))
		return -1;
	if (rd.cached ? look(&p, &now) : fstat(fd, &now))
		return sys(k, "reading", path);
	if (!stage_same(&p.st, &now))
		return changed(k, path);
	/* Files of /proc and /sys say that they are empty. */
	if (rd.size == 0 && pread(rd.fd, &one, 1, 0) > 0)
		return changed(k, path);
	return put(k, REC_END, NULL, 0, NULL, 0, NULL, 0);
}

/* ---- names ------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(struct packer *k, int fd, const char *path, struct weft_argv *names)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own >= 0 ? fdopendir(own) : NULL;
	struct dirent *e;

	if (!d) {
		int keep = errno;

		if (own >= 0)
			close(own);
		errno = keep;
		return sys(k, "reading", path);
	}
	errno = 0;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			weft_argv_add(names, e->d_name);
	int bad = errno;
	closedir(d);
	if (names->failed)
		return weft_err_nomem(k->err);
	errno = bad;
	if (bad)
		return sys(k, "reading", path);
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), by_name);
	return 0;
}

static int symlink_at(struct packer *k, int dir, const struct stat *st,
	const char *path, const char *name)
{
	unsigned char meta[BCAST_META + 2];
	char to[PATH_MAX];
	ssize_t n = readlinkat(dir, name, to, sizeof(to));

	if (n < 0)
		return sys(k, "reading", path);
	if (only(k, 'l', path, st))
		return 0;
	k->pack->files++;
	int r = same_as(k, st, name);
	if (r)
		return r < 0 ? -1 : 0;
	bcast_meta_write(meta, st);
	bcast_put16(meta + BCAST_META, (uint16_t)strlen(name));
	return put(k, REC_LINK, meta, sizeof(meta), name, strlen(name), to, (size_t)n);
}

static int special(
	struct packer *k, const struct stat *st, const char *path, const char *name)
{
	switch (k->pack->opt->special) {
	case WEFT_STAGE_REFUSE:
		weft_err_set(k->err, WEFT_ESTAGE,
			"%s is %s: only files, folders and links are staged", path,
			stage_kind(st->st_mode));
		return weft_err_hint(k->err, "name what you want of it one by one, or "
					     "remove it when the step ends");
	case WEFT_STAGE_SKIP:
		k->pack->skipped++;
		return 0;
	case WEFT_STAGE_MAKE:
		break;
	}
	if (only(k, 's', path, st))
		return 0;
	k->pack->files++;
	int r = same_as(k, st, name);
	return r ? (r < 0 ? -1 : 0) : named(k, REC_SPECIAL, st, name);
}

static int folder(struct packer *k, int fd, const char *path, const char *name);

static int entry(struct packer *k, int dir, const char *path, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return sys(k, "reading", path);
	if (S_ISLNK(st.st_mode))
		return symlink_at(k, dir, &st, path, name);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return special(k, &st, path, name);
	if (S_ISREG(st.st_mode))
		return only(k, 'f', path, &st) ? 0 : file(k, dir, path, name);
	weft_autoclose int fd = openat(dir, name, flags);
	return fd < 0 ? sys(k, "reading", path) : folder(k, fd, path, name);
}

static int folder(struct packer *k, int fd, const char *path, const char *name)
{
	weft_autoargv struct weft_argv names = {0};
	struct stat st, now;

	if (fstat(fd, &st))
		return sys(k, "reading", path);
	if (!only(k, 'd', path, &st)) {
		k->pack->folders++;
		if (named(k, REC_FOLDER, &st, name) || xattrs(k, fd))
			return -1;
	}
	if (list(k, fd, path, &names))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		weft_autofree char *sub = weft_path_join(path, names.v[i]);

		if (!sub)
			return weft_err_nomem(k->err);
		if (entry(k, fd, sub, names.v[i]))
			return -1;
	}
	if (fstat(fd, &now))
		return sys(k, "reading", path);
	if (!stage_same(&st, &now))
		return changed(k, path);
	if (k->pack->only)
		return 0;
	return put(k, REC_UP, NULL, 0, NULL, 0, NULL, 0);
}

static int pack_top(struct packer *k)
{
	const char *src = k->pack->src;
	unsigned char all[16];
	struct stat st;

	if (stat(src, &st))
		return weft_err_sys(k->err, WEFT_ESTAGE, "%s", src);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return weft_err_set(k->err, WEFT_ESTAGE,
			"%s is %s: only files and folders are staged", src,
			stage_kind(st.st_mode));
	if (S_ISDIR(st.st_mode)) {
		weft_autoclose int fd = open(src, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return weft_err_sys(k->err, WEFT_ESTAGE, "%s", src);
		if (folder(k, fd, src, ""))
			return -1;
	} else if (!only(k, 'f', src, &st) && file(k, AT_FDCWD, src, "")) {
		return -1;
	}
	if (k->pack->only)
		return 0;
	bcast_put64(all, k->pack->files);
	bcast_put64(all + 8, k->pack->bytes);
	if (put(k, REC_ALL, all, 16, NULL, 0, NULL, 0))
		return -1;
	return flush(k, true);
}

void bcast_many_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)!setrlimit(RLIMIT_NOFILE, &r);
	}
}

int bcast_pack(struct bcast_pack *pack, struct weft_err *err)
{
	struct packer k = {.pack = pack,
		.err = err,
		.chunk = weft_hasher_new(),
		.sums = weft_hasher_new()};
	int r = k.chunk && k.sums ? 0 : weft_err_nomem(err);

	bcast_many_descriptors();
	if (r == 0)
		r = pack_top(&k);
	bcast_piece_drop(k.piece);
	weft_hasher_free(k.chunk);
	weft_hasher_free(k.sums);
	weft_map_free(&k.links);
	weft_arena_free(&k.arena);
	return r;
}
