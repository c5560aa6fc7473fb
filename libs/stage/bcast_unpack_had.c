/* bcast_unpack_had.c - what a killed broadcast has left, to go on from, and the journal
 * for the next one
 *
 * The old part becomes ours.  Its files are read again, and what is as the journal says
 * is told to the source; what all nodes have stays where it is, all else is overwritten
 * or goes before its folder is left. */
#include "stage/bcast_unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its journal is kept, and gone on with.  -1. */
int unpack_open_part(struct bcast_unpack *u)
{
	bool known = S_ISREG(u->of.st_mode) || S_ISDIR(u->of.st_mode);

	stage_target_clean(&u->t, known ? &u->job : NULL, &u->of, &u->adopted);
	u->part = u->adopted;
	if (u->adopted || !known)
		return 0;
	return stage_resume_open(&u->job, u->t.fd, u->t.journal, &u->of, false);
}

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

		do
			n = pread(fd, buf, left, (off_t)off);
		while (n < 0 && errno == EINTR);
		if (n > 0)
			weft_hasher_add(u->w.hasher, buf, (size_t)n);
	}
	weft_hasher_take(u->w.hasher, sum);
	return buf && n > 0 && memcmp(sum, want, sizeof(sum)) == 0;
}

/* ---- what is there, read again ----------------------------------------------- */

struct looking {
	struct bcast_unpack *u;
	bool single;
	int top;
	struct weft_map inodes; /* of files with several names */
	struct weft_arena arena;
};

/* Under one name only can it go on as a file of its own. */
static bool is_other_name(struct looking *k, const struct stat *st)
{
	size_t found;
	char *key = st->st_nlink < 2 ? NULL
				     : weft_arena_printf(&k->arena, "%llx",
					       (unsigned long long)st->st_ino);

	return st->st_nlink > 1 &&
	       (!key || weft_map_add(&k->inodes, key, 0, &found) != 1);
}

static int add_had(struct looking *k, const char *path, const struct stage_id *id,
	unsigned char (*sum)[WEFT_DIGEST_BYTES], uint64_t n)
{
	struct bcast_unpack *u = k->u;
	unsigned char key[WEFT_DIGEST_BYTES];

	if (bcast_had_key(key, k->single ? "" : path, id) ||
		weft_grow(u->had_sum, u->had.n, u->cap_had) ||
		bcast_had_add(&u->had, key, n))
		return -1;
	u->had_sum[u->had.n - 1] = sum;
	return 0;
}

/* How many chunks, from its beginning, are as they were noted. */
static void look_at(void *arg, const char *path, const struct stage_id *id)
{
	struct looking *k = arg;
	struct bcast_unpack *u = k->u;
	struct stage_folder top = {.name = (char *)""};
	struct stage_file f = {.dir = &top,
		.name = path,
		.st = {.st_ino = id->ino,
			.st_size = (off_t)id->size,
			.st_mtim = id->mtime,
			.st_ctim = id->ctime}};
	uint64_t chunk = stage_chunk_of(id->size), n = 0, len;
	uint64_t all = (id->size + chunk - 1) / chunk;
	unsigned char(*sum)[WEFT_DIGEST_BYTES] = NULL;
	size_t cap = 0;
	weft_autoclose int fd = stage_open_beneath(k->top, k->single ? u->t.part : path,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
		st.st_uid != geteuid() || is_other_name(k, &st))
		return;
	while (n < all) {
		uint64_t off = n * chunk, end = chunk_end(n, chunk, id->size);
		const unsigned char *noted =
			stage_resume_find(&u->w, &f, all > 1 ? (int64_t)n : -1, &len);

		if (!noted || len != end - off || !reads_as(u, fd, off, end, noted) ||
			weft_grow(sum, n, cap))
			break;
		memcpy(sum[n++], noted, WEFT_DIGEST_BYTES);
	}
	/* It will be written to. */
	if (!n || fchmod(fd, 0600) || add_had(k, path, id, sum, n))
		free(sum);
}

const struct bcast_had *bcast_unpack_had(struct bcast_unpack *u)
{
	struct looking k = {.u = u, .single = S_ISREG(u->of.st_mode), .top = -1};

	if (!u->adopted)
		return &u->had;
	k.top = k.single ? fcntl(u->t.fd, F_DUPFD_CLOEXEC, 0)
			 : openat(u->t.fd, u->t.part,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (k.top >= 0)
		stage_resume_each(&u->job, look_at, &k);
	weft_closep(&k.top);
	weft_map_free(&k.inodes);
	weft_arena_free(&k.arena);
	return &u->had;
}

void bcast_unpack_keep(struct bcast_unpack *u)
{
	stage_resume_flush(&u->w);
	u->keep = true;
}

/* ---- going on with it -------------------------------------------------------- */

int unpack_look_up_had(struct bcast_unpack *u, const char *name)
{
	weft_autostr struct weft_str path = {0};
	unsigned char key[WEFT_DIGEST_BYTES];
	struct stage_id id = stage_id_of(&u->f.st);
	const struct bcast_had_file *f;

	u->f.had = SIZE_MAX;
	if (!u->had.n)
		return 0;
	if (u->begun) {
		stage_folder_path(unpack_top(u)->dir, &path);
		if (path.len)
			weft_str_addc(&path, '/');
		weft_str_add(&path, name);
	}
	if (path.failed || bcast_had_key(key, path.s ? path.s : "", &id))
		return weft_err_nomem(&u->w.err);
	f = bcast_had_find(&u->had, key);
	if (f)
		u->f.had = (size_t)(f - u->had.file);
	return 0;
}

int unpack_take_had(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	uint64_t count = n == 8 ? bcast_get64(at) : UINT64_MAX;

	if (!u->f.on || u->f.at || u->f.sums || count > u->f.n_chunks)
		return unpack_bad(u);
	if (u->f.had == SIZE_MAX || count > u->had.file[u->f.had].chunks)
		return weft_err_set(&u->w.err, WEFT_ESTAGE,
			"%s changed while the broadcast began", u->src);
	for (; u->f.sums < count; u->f.sums++) {
		if (weft_grow(u->f.sum, u->f.sums, u->f.cap_sums))
			return weft_err_nomem(&u->w.err);
		memcpy(u->f.sum[u->f.sums], u->had_sum[u->f.had][u->f.sums],
			WEFT_DIGEST_BYTES);
	}
	if (count)
		u->f.at = chunk_end(count - 1, u->f.chunk, (uint64_t)u->f.st.st_size);
	u->job.resumed += u->f.at;
	return 0;
}

int unpack_make_way(struct bcast_unpack *u, const char *name, mode_t keep)
{
	struct level *l = unpack_top(u);
	weft_autofree char *path = NULL;
	struct stat st;
	size_t found;
	int r;

	if (!l->was_there)
		return 0;
	r = weft_map_add(&l->said, name, 0, &found);
	if (r <= 0)
		return r < 0 ? weft_err_nomem(&u->w.err) : unpack_bad(u);
	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : stage_sys(&u->w, "copying", l->dir, name);
	if (keep && (st.st_mode & S_IFMT) == keep)
		return 1;
	path = weft_printf("/proc/self/fd/%d/%s", l->fd, name);
	return path ? weft_remove_tree(path, &u->w.err) : weft_err_nomem(&u->w.err);
}

int unpack_remove_stale(struct bcast_unpack *u, const struct level *l)
{
	int fd = openat(l->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d) {
		weft_closep(&fd);
		return stage_sys(&u->w, "copying", l->dir, NULL);
	}
	while (r == 0 && (e = readdir(d))) {
		weft_autofree char *path = NULL;

		if (weft_streq(e->d_name, ".") || weft_streq(e->d_name, "..") ||
			weft_map_get(&l->said, e->d_name, NULL))
			continue;
		path = weft_printf("/proc/self/fd/%d/%s", l->fd, e->d_name);
		r = path ? weft_remove_tree(path, &u->w.err)
			 : weft_err_nomem(&u->w.err);
	}
	closedir(d);
	return r;
}

/* A killed broadcast is gone on with from here; of a single file with one chunk there
 * is no going on. */
void unpack_note_chunk(struct bcast_unpack *u, uint64_t i)
{
	bool one = u->f.n_chunks == 1;
	struct stage_file f = {.dir = u->job.tree ? unpack_top(u)->dir : u->job.folders,
		.name = u->f.entry->name,
		.st = u->f.st};
	uint64_t size = (uint64_t)u->f.st.st_size;

	if (u->job.tree || !one)
		stage_resume_note(&u->w, &f, one ? -1 : (int64_t)i,
			chunk_end(i, u->f.chunk, size) - i * u->f.chunk, u->f.sum[i]);
}
