/* cache_room.c - what the cache holds, and what leaves it */
#include "stage/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct entry {
	char *key;
	struct timespec used;
	uint64_t bytes, files;
};
struct list {
	struct entry *v;
	size_t n, cap;
	uint64_t bytes, files;
};

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].key);
	free(l->v);
}

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used;
	const struct timespec *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static DIR *list_folder(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static int names_in(int dir, struct weft_argv *names, struct weft_err *err)
{
	DIR *d = list_folder(dir);
	struct dirent *e;

	if (!d)
		return weft_err_sys(err, WEFT_ESTAGE, "the node's cache");
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			weft_argv_add(names, e->d_name);
	closedir(d);
	return names->failed ? weft_err_nomem(err) : 0;
}

static int add(struct weft_stage_cache *c, const char *key, struct list *l)
{
	weft_autoclose int fd =
		openat(c->u, key, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct cache_note note;
	struct stat st;
	struct entry *e;

	if (fd < 0 || fstat(fd, &st) != 0 || !cache_read_note(fd, &note))
		return 0;
	cache_note_free(&note);
	if (weft_grow(l->v, l->n, l->cap) != 0)
		return -1;
	e = &l->v[l->n];
	*e = (struct entry){strdup(key), st.st_mtim, note.bytes, note.files};
	if (!e->key)
		return -1;
	l->n++;
	l->bytes += note.bytes;
	l->files += note.files;
	return 0;
}

static int list(struct weft_stage_cache *c, struct list *l, struct weft_err *err)
{
	weft_autoargv struct weft_argv names = {0};

	if (names_in(c->u, &names, err) != 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (add(c, names.v[i], l) != 0)
			return weft_err_nomem(err);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_use);
	return 0;
}

static void remove_in(int dir, const char *name)
{
	weft_autofree char *path = weft_printf("/proc/self/fd/%d/%s", dir, name);

	if (path)
		(void)!weft_remove_tree(path, NULL);
}

/* u/KEY is locked.  The name goes at once, the rest after it. */
static void take_out(struct weft_stage_cache *c, const char *key)
{
	weft_autofree char *out = weft_printf("out.%ld.%s", (long)getpid(), key);

	if (!out)
		return;
	cache_remove_record(c->e, key);
	(void)!renameat(c->e, key, c->n, out);
	unlinkat(c->u, key, 0);
	remove_in(c->n, out);
}

/* 0: it is out; 1: it is in use. */
static int evict(struct weft_stage_cache *c, const char *key, bool bad)
{
	weft_autoclose int lock = cache_lock(c->u, key, false, LOCK_EX | LOCK_NB);
	struct stage_manifest *m;
	bool linked;

	if (lock < 0)
		return errno == ENOENT ? 0 : 1;
	m = stage_manifest_read(c->e, key);
	linked = m && !bad && cache_is_linked(m, c->e, key);
	stage_manifest_free(m);
	if (linked)
		return 1;
	take_out(c, key);
	return 0;
}

struct need {
	uint64_t bytes, files; /* most that may be there */
	uint64_t free_bytes, free_files;
};

static void measure_free(const struct weft_stage_cache *c, struct need *have)
{
	struct statvfs v;

	have->free_bytes = have->free_files = UINT64_MAX;
	if (fstatvfs(c->top, &v) != 0)
		return;
	have->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	if (v.f_files)
		have->free_files = (uint64_t)v.f_favail;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int cache_room(struct weft_stage_cache *c, uint64_t bytes, uint64_t inodes,
	struct weft_err *err)
{
	struct list l = {0};
	struct need have;
	int rc = 0;

	if (bytes > c->limits.bytes || inodes > c->limits.inodes)
		return 1;
	if (list(c, &l, err) != 0) {
		list_free(&l);
		return -1;
	}
	measure_free(c, &have);
	for (size_t i = 0; i < l.n; i++) {
		bool fits = l.bytes <= c->limits.bytes - bytes &&
			    l.files <= c->limits.inodes - inodes &&
			    have.free_bytes >= bytes && have.free_files >= inodes;

		if (fits || evict(c, l.v[i].key, false) != 0)
			continue;
		l.bytes -= least(l.bytes, l.v[i].bytes);
		l.files -= least(l.files, l.v[i].files);
		measure_free(c, &have);
	}
	rc = l.bytes > c->limits.bytes - bytes || l.files > c->limits.inodes - inodes ||
	     have.free_bytes < bytes || have.free_files < inodes;
	list_free(&l);
	return rc;
}

static bool is_leased(struct weft_stage_cache *c, const char *key)
{
	weft_autoclose int fd = cache_lock(c->u, key, false, LOCK_EX | LOCK_NB);

	return fd < 0 && errno == EWOULDBLOCK;
}

static int tell(struct weft_stage_cache *c, const struct entry *e,
	int (*f)(void *ctx, const struct weft_stage_cached *entry), void *ctx)
{
	weft_autofree char *path = weft_printf("%s/e/%s", c->path, e->key);
	weft_autoclose int fd = openat(c->u, e->key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stage_manifest *m = stage_manifest_read(c->e, e->key);
	struct cache_note note = {0};
	int rc = 0;

	if (path && m && fd >= 0 && cache_read_note(fd, &note)) {
		struct weft_stage_cached told = {.key = e->key,
			.path = path,
			.source = note.source,
			.bytes = note.bytes,
			.files = note.files,
			.used = (double)e->used.tv_sec + 1e-9 * (double)e->used.tv_nsec,
			.leased = is_leased(c, e->key),
			.linked = cache_is_linked(m, c->e, e->key)};

		rc = f(ctx, &told);
	}
	cache_note_free(&note);
	stage_manifest_free(m);
	return rc;
}

int weft_stage_cache_each(struct weft_stage_cache *c,
	int (*f)(void *ctx, const struct weft_stage_cached *entry), void *ctx,
	struct weft_err *err)
{
	struct list l = {0};
	int rc = list(c, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (tell(c, &l.v[i], f, ctx) != 0)
			break;
	list_free(&l);
	return rc;
}

/* Nobody is making it: whoever does has a lock on its name. */
static void clean_made(struct weft_stage_cache *c, const char *name)
{
	weft_autofree char *of = strdup(name);
	weft_autoclose int lock = -1;
	size_t n = WEFT_DIGEST_HEX - 1;

	if (!of)
		return;
	/* What is on its way out is nobody's: CACHE/lock is ours. */
	if (strlen(of) >= n && !weft_starts_with(of, "out.")) {
		of[n] = '\0';
		lock = cache_lock(c->f, of, true, LOCK_EX | LOCK_NB);
		if (lock < 0)
			return;
		cache_remove_record(c->n, of);
		unlinkat(c->f, of, 0);
	}
	remove_in(c->n, name);
}

/* Entries without a note or a record, notes and sources without an entry. */
static int clean(struct weft_stage_cache *c, struct weft_err *err)
{
	weft_autoargv struct weft_argv made = {0}, entries = {0}, notes = {0},
				       sources = {0}, locks = {0};
	weft_autofree char *n = weft_path_join(c->path, "n");
	char key[CACHE_KEY];
	uint64_t removed;

	if (!n)
		return weft_err_nomem(err);
	if (weft_stage_clean(n, 0, &removed, err) != 0 ||
		names_in(c->n, &made, err) != 0 || names_in(c->e, &entries, err) != 0 ||
		names_in(c->u, &notes, err) != 0 ||
		names_in(c->s, &sources, err) != 0 || names_in(c->f, &locks, err) != 0)
		return -1;
	for (size_t i = 0; i < made.n; i++)
		if (*made.v[i] != '.')
			clean_made(c, made.v[i]);
	for (size_t i = 0; i < entries.n; i++)
		if (*entries.v[i] != '.' &&
			faccessat(c->u, entries.v[i], F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			remove_in(c->e, entries.v[i]);
	for (size_t i = 0; i < notes.n; i++) {
		struct stage_manifest *m = stage_manifest_read(c->e, notes.v[i]);

		if (!m)
			evict(c, notes.v[i], true);
		stage_manifest_free(m);
	}
	for (size_t i = 0; i < sources.n; i++) {
		/* ".weft-manifest.PATH.xxxxxxxx" */
		weft_autofree char *of =
			strlen(sources.v[i]) > 15 + WEFT_DIGEST_HEX
				? strndup(sources.v[i] + 15, WEFT_DIGEST_HEX - 1)
				: NULL;
		struct stage_manifest *m = of ? stage_manifest_read(c->s, of) : NULL;

		if (m)
			cache_key(m, key);
		if (!m || faccessat(c->u, key, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			unlinkat(c->s, sources.v[i], 0);
		stage_manifest_free(m);
	}
	for (size_t i = 0; i < locks.n; i++) {
		weft_autoclose int fd =
			cache_lock(c->f, locks.v[i], false, LOCK_EX | LOCK_NB);

		if (fd >= 0)
			unlinkat(c->f, locks.v[i], 0);
	}
	return 0;
}

int weft_stage_cache_trim(struct weft_stage_cache *c, bool all, uint64_t *n,
	uint64_t *bytes, struct weft_err *err)
{
	weft_autoclose int lock = cache_wait(c->top, "lock", true, LOCK_EX, NULL, err);
	struct list before = {0}, after = {0};
	int rc = lock < 0 ? -1 : 0;

	*n = *bytes = 0;
	if (rc == 0)
		rc = list(c, &before, err);
	for (size_t i = 0; i < before.n && all && rc == 0; i++)
		evict(c, before.v[i].key, false);
	/* What is in use may be more than the limits. */
	if (rc == 0 && !all && cache_room(c, 0, 0, err) < 0)
		rc = -1;
	if (rc == 0)
		rc = clean(c, err);
	if (rc == 0)
		rc = list(c, &after, err);
	if (rc == 0) {
		*n = before.n - least(before.n, after.n);
		*bytes = before.bytes - least(before.bytes, after.bytes);
	}
	list_free(&before);
	list_free(&after);
	return rc;
}

int weft_stage_cache_drop(
	struct weft_stage_cache *c, const char *key, struct weft_err *err)
{
	weft_autoclose int lock = cache_wait(c->top, "lock", true, LOCK_EX, NULL, err);

	return lock < 0 ? -1 : evict(c, key, true);
}
