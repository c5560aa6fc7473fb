/* bcast_unpack_end.c - what comes by a broadcast and has no data; and the final name */
#include "stage/bcast_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- what has no data -------------------------------------------------------- */

static int finish_name(struct bcast_unpack *u, const char *name, const struct stat *st,
	struct stage_entry *e)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	mode_t mode = st->st_mode & 07777;
	int dir = unpack_top(u)->fd;
	struct stat now;

	if (u->opt.archive &&
		fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW)) {
		u->job.owners++;
		(void)!fchownat(dir, name, (uid_t)-1, st->st_gid, AT_SYMLINK_NOFOLLOW);
		mode &= 0777;
	}
	/* In a folder that is nobody else's yet, the name is what we made. */
	if (!S_ISLNK(st->st_mode) && fchmodat(dir, name, mode, 0))
		return stage_sys(&u->w, "copying", unpack_top(u)->dir, name);
	(void)!utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW))
		return stage_sys(&u->w, "copying", unpack_top(u)->dir, name);
	e->dst = stage_id_of(&now);
	return 0;
}

int unpack_make_link(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	struct stage_entry *e;
	struct stat st;

	if (n < BCAST_META + 2 || !u->n_levels || u->f.on)
		return unpack_bad(u);
	bcast_meta_read(at, &st);
	size_t len = bcast_get16(at + BCAST_META);
	at += BCAST_META + 2;
	n -= BCAST_META + 2;
	if (len > n || !S_ISLNK(st.st_mode))
		return unpack_bad(u);
	char *name = unpack_name(u, at, len);
	weft_autofree char *to = strndup((const char *)at + len, n - len);
	if (!name || !to)
		return name ? weft_err_nomem(&u->w.err) : -1;
	u->job.files++;
	e = stage_entry_new(&u->w, unpack_top(u)->dir, name, 'l', &st);
	if (!e || !(e->target = weft_arena_strdup(&u->w.arena, to)))
		return weft_err_nomem(&u->w.err);
	if (unpack_make_way(u, name, 0))
		return -1;
	if (symlinkat(to, unpack_top(u)->fd, name))
		return stage_sys(&u->w, "copying", unpack_top(u)->dir, name);
	return finish_name(u, name, &st, e);
}

int unpack_make_special(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	struct stage_entry *e;
	struct stat st;

	if (n < BCAST_META || !u->n_levels || u->f.on)
		return unpack_bad(u);
	bcast_meta_read(at, &st);
	char *name = unpack_name(u, at + BCAST_META, n - BCAST_META);
	if (!name)
		return -1;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		return unpack_bad(u);
	u->job.files++;
	e = stage_entry_new(&u->w, unpack_top(u)->dir, name, 's', &st);
	if (!e)
		return -1;
	if (unpack_make_way(u, name, 0))
		return -1;
	if (mknodat(unpack_top(u)->fd, name, (st.st_mode & S_IFMT) | 0600, st.st_rdev))
		return stage_sys(&u->w, "making", unpack_top(u)->dir, name);
	return finish_name(u, name, &st, e);
}

int unpack_make_same(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	weft_autostr struct weft_str path = {0};
	uint64_t no = n >= 8 ? bcast_get64(at) : UINT64_MAX;
	struct stage_entry *e;
	struct stat st;

	if (no >= u->n_first || !u->n_levels || u->f.on)
		return unpack_bad(u);
	char *name = unpack_name(u, at + 8, n - 8);
	if (!name)
		return -1;
	const struct first *f = &u->first[no];
	stage_folder_path(f->dir, &path);
	if (path.len)
		weft_str_addc(&path, '/');
	weft_str_add(&path, f->name);
	if (path.failed)
		return weft_err_nomem(&u->w.err);
	if (unpack_make_way(u, name, 0))
		return -1;
	if (linkat(u->job.out, path.s, unpack_top(u)->fd, name, 0) ||
		fstatat(unpack_top(u)->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return stage_sys(&u->w, "linking", unpack_top(u)->dir, name);
	u->job.files++;
	e = stage_entry_new(&u->w, unpack_top(u)->dir, name, f->entry->type, &st);
	if (!e)
		return -1;
	e->src = f->entry->src;
	e->mode = f->entry->mode;
	e->same = f->entry;
	e->target = f->entry->target;
	/* Its new name has changed its ctime. */
	f->entry->dst = stage_id_of(&st);
	return 0;
}

/* ---- the end ----------------------------------------------------------------- */

/* The record is there before the copy has its name, for it says what that is. */
static int write_record(struct bcast_unpack *u)
{
	weft_autostr struct weft_str text = {0};
	char name[STAGE_MANIFEST_NAME];
	weft_autoclose int fd = -1;

	if (stage_settle(&u->job, &u->w.err) ||
		stage_manifest_make(&u->job, u->src, u->hash, &text, &u->w.err))
		return -1;
	if (!u->opt.manifest)
		return 0;
	stage_manifest_name(u->t.name, name);
	unlinkat(u->t.fd, u->t.manifest, 0);
	fd = openat(u->t.fd, u->t.manifest,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || weft_write_all(fd, text.s, text.len) ||
		(u->opt.durable != WEFT_STAGE_NONE && fsync(fd)) ||
		renameat(u->t.fd, u->t.manifest, u->t.fd, name))
		return weft_err_sys(
			&u->w.err, WEFT_ESTAGE, "writing the record of %s", u->dst);
	return 0;
}

/* All was said: what was counted there is what came here. */
int unpack_check_all(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	if (n != 16 || u->n_levels || u->f.on || !u->begun ||
		bcast_get64(at) != u->job.files || bcast_get64(at + 8) != u->job.bytes)
		return unpack_bad(u);
	u->ended = true;
	return 0;
}

/* Who asks for the source on this node from now on gets it from here.  A cache that
 * can't have it is no failure. */
static void enter_cache(struct bcast_unpack *u)
{
	weft_autostr struct weft_str text = {0};
	struct weft_stage_cache *cache = NULL;
	weft_autoerr struct weft_err err = {0};
	char hash[WEFT_DIGEST_HEX];

	if (!*u->cache || u->opt.writable)
		return;
	if (weft_stage_cache_open(u->cache, &u->limits, &cache, &err) == 0 &&
		stage_manifest_make(&u->job, u->src, hash, &text, &err) == 0)
		(void)!weft_stage_cache_take(cache, u->dst, u->src, text.s, &err);
	if (err.code)
		weft_log(WEFT_WARN, "the node's cache: %s", err.text);
	weft_stage_cache_close(cache);
}

/* A single file's ctime is another once it has its name. */
static int renew_record(struct bcast_unpack *u)
{
	struct stat st;

	if (u->job.tree || fstatat(u->t.fd, u->t.name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		st.st_ino != u->job.entry[0]->dst.ino)
		return 0;
	u->job.entry[0]->dst = stage_id_of(&st);
	return write_record(u);
}

int unpack_publish(struct bcast_unpack *u)
{
	char name[STAGE_MANIFEST_NAME];

	u->job.entry = u->w.entry;
	u->job.n_entries = u->w.n_entries;
	u->w.entry = NULL;
	clock_gettime(CLOCK_REALTIME_COARSE, &u->job.ended);
	if (stage_sync(&u->job, &u->w.err))
		return -1;
	if (!u->opt.replace &&
		faccessat(u->t.fd, u->t.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return stage_target_taken(&u->t, &u->w.err);
	if (!u->opt.manifest) {
		stage_manifest_name(u->t.name, name);
		unlinkat(u->t.fd, name, 0);
	}
	if (write_record(u) || stage_target_publish(&u->t, u->job.tree, u->opt.replace,
				       u->opt.durable == WEFT_STAGE_FULL, &u->w.err))
		return -1;
	u->part = false;
	if (u->job.resume)
		unlinkat(u->t.fd, u->t.journal, 0);
	enter_cache(u);
	return renew_record(u);
}
