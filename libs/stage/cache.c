/* cache.c - the node cache: opened, asked, filled (what it is: stage.h, cache.h).
 *
 * Nothing here is done for somebody else: the cache lies in a folder that its user
 * alone may enter, is opened without following a link, and all else goes by the open
 * folders.  So what another user can do to the names on the way changes nothing. */
#include "stage/cache.h"
#include "stage/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The user's alone, made where it is missing; -1 as a descriptor. */
static int own_folder(int at, const char *name, const char *shown, struct weft_err *err)
{
	weft_autoclose int fd = -1;
	struct stat st;
	int own;

	if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", shown);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", shown);
	if (st.st_uid != geteuid() || st.st_mode & 077) {
		weft_err_set(
			err, WEFT_ESTAGE, "%s isn't a folder of yours alone", shown);
		return weft_err_hint(err, "remove it, or ask its owner to");
	}
	own = fd;
	fd = -1;
	return own;
}

static void read_boot(char boot[40])
{
	weft_autofree char *text = NULL;

	if (weft_read_file("/proc/sys/kernel/random/boot_id", 64, &text, NULL, NULL))
		text = NULL;
	snprintf(boot, 40, "%.36s",
		text && strlen(text) >= 36 ? text
					   : "00000000-0000-0000-0000-000000000000");
}

static void set_limits(
	struct weft_stage_cache *c, const struct weft_stage_limits *limits)
{
	struct statvfs v = {0};

	c->limits = limits ? *limits : (struct weft_stage_limits){0};
	if (fstatvfs(c->top, &v) != 0)
		v.f_blocks = v.f_files = 0;
	if (!c->limits.bytes)
		c->limits.bytes = (uint64_t)v.f_blocks * v.f_frsize / 10;
	if (!c->limits.inodes)
		c->limits.inodes = v.f_files ? (uint64_t)v.f_files / 10 : INT64_MAX;
}

/* DIR is UP/NAME; UP, too, is the user's. */
static int open_top(struct weft_stage_cache *c, const char *dir, struct weft_err *err)
{
	weft_autofree char *up = strdup(dir), *above = NULL;
	weft_autoclose int at = -1, own = -1;
	char *name = up ? strrchr(up, '/') : NULL, *mine;

	c->path = strdup(dir);
	if (!up || !c->path)
		return weft_err_nomem(err);
	if (*up != '/' || name == up || !name[1])
		return weft_err_set(err, WEFT_ESTAGE, "no place for a cache: %s", dir);
	*name++ = '\0';
	above = strdup(up);
	if (!above)
		return weft_err_nomem(err);
	mine = strrchr(above, '/');
	*mine++ = '\0';
	at = stage_open_folder(*above ? above : "/", err);
	if (at < 0)
		return -1;
	own = own_folder(at, mine, up, err);
	if (own < 0)
		return -1;
	c->top = own_folder(own, name, dir, err);
	return c->top < 0 ? -1 : 0;
}

int weft_stage_cache_open(const char *dir, const struct weft_stage_limits *limits,
	struct weft_stage_cache **cache, struct weft_err *err)
{
	static const char *const names[] = {"e", "u", "s", "f", "n"};
	struct weft_stage_cache *c = malloc(sizeof(*c));
	struct stat st;

	*cache = NULL;
	if (!c)
		return weft_err_nomem(err);
	*c = (struct weft_stage_cache){
		.top = -1, .e = -1, .u = -1, .s = -1, .f = -1, .n = -1};
	if (open_top(c, dir, err) != 0 || fstat(c->top, &st) != 0)
		goto bad;
	c->dev = st.st_dev;
	for (size_t i = 0; i < WEFT_COUNT(names); i++) {
		int *fd[] = {&c->e, &c->u, &c->s, &c->f, &c->n};

		*fd[i] = own_folder(c->top, names[i], dir, err);
		if (*fd[i] < 0)
			goto bad;
	}
	read_boot(c->boot);
	set_limits(c, limits);
	*cache = c;
	return 0;
bad:
	weft_stage_cache_close(c);
	return -1;
}

void weft_stage_cache_close(struct weft_stage_cache *c)
{
	if (!c)
		return;
	weft_closep(&c->top);
	weft_closep(&c->e);
	weft_closep(&c->u);
	weft_closep(&c->s);
	weft_closep(&c->f);
	weft_closep(&c->n);
	free(c->path);
	free(c);
}

const char *weft_stage_cache_path(const struct weft_stage_cache *c)
{
	return c->path;
}

/* One that wants src at dst. */
struct want {
	struct weft_stage_cache *c;
	const char *src, *dst;
	const struct weft_stage_options *opt;
	unsigned flags;
	bool folder;
	char *real;
	char of[WEFT_DIGEST_HEX]; /* of src's path */
	struct weft_stage_report *report;
	struct weft_err *err;
};

/* ---- giving -------------------------------------------------------------- */

/* As the hashes say; an entry from before the machine's start is given only then. */
static int reread(struct want *w, const char *key, int lease, struct cache_note *note)
{
	weft_autofree char *path = weft_printf("%s/e/%s", w->c->path, key);
	struct weft_stage_options opt = {.stop = w->opt->stop};
	struct weft_stage_diff diff;
	const char *at;

	if (!path)
		return weft_err_nomem(w->err);
	if (weft_stage_verify(path, &opt, &diff, NULL, w->err) != 0) {
		if (w->err && w->err->code == WEFT_EINTR)
			return -1;
		weft_err_clear(w->err);
		return 1;
	}
	free(diff.first);
	if (diff.missing + diff.extra + diff.different + diff.unread)
		return 1;
	if (strcmp(note->boot, w->c->boot) != 0) {
		/* In place, for there are locks on it; and of one length. */
		weft_autofree char *line = weft_printf("bytes %llu\nfiles %llu\nboot ",
			(unsigned long long)note->bytes,
			(unsigned long long)note->files);

		at = w->c->boot;
		if (line && pwrite(lease, at, 36, (off_t)strlen(line)) != 36)
			return 1;
	}
	return 0;
}

/* Another file system, or a private copy. */
static int give_copy(struct want *w, const char *key)
{
	weft_autofree char *path = weft_printf("%s/e/%s", w->c->path, key);
	struct weft_stage_options opt = *w->opt;

	if (!path)
		return weft_err_nomem(w->err);
	opt.how = opt.writable ? WEFT_STAGE_COPY : WEFT_STAGE_AUTO;
	return weft_stage_copy(path, w->dst, &opt, w->report, w->err);
}

static int give_links(struct want *w, const struct stage_manifest *m, const char *key)
{
	bool folder = m->line[0].type == 'd';
	struct stage_target t = {.fd = -1, .lock = -1};
	int rc = stage_target_open(&t, w->dst, w->err);

	if (rc == 0)
		rc = cache_link(m, false, w->c->e, key, t.fd, t.part, w->real,
			w->opt->archive, w->err);
	if (rc == 0)
		rc = stage_target_publish(&t, folder, w->opt->replace, false, w->err);
	if (rc != 0 && t.fd >= 0)
		stage_target_remove(&t);
	stage_target_close(&t);
	return rc;
}

static bool is_here(const struct want *w)
{
	weft_autofree char *up = strdup(w->dst);
	char *slash = up ? strrchr(up, '/') : NULL;
	struct stat st;

	if (slash)
		slash[slash == up] = '\0';
	return stat(slash ? up : ".", &st) == 0 && st.st_dev == w->c->dev;
}

/* The lease is held.  1: the entry is no good. */
static int give(struct want *w, const struct stage_manifest *m, const char *key,
	const struct cache_note *note, bool fetched)
{
	struct weft_stage_report own = *w->report;

	if (w->flags & WEFT_CACHE_ONLY)
		return 0;
	bool link = is_here(w) && !w->opt->writable;
	int rc = link ? give_links(w, m, key) : give_copy(w, key);

	if (rc != 0)
		return rc;
	if (link) {
		own.bytes = note->bytes;
		own.files = note->files;
	} else {
		own.bytes = w->report->bytes;
		own.files = w->report->files;
		own.moved += w->report->moved;
	}
	*w->report = own;
	memcpy(w->report->hash, m->hash, WEFT_DIGEST_HEX);
	w->report->strategy = fetched ? "fetched" : "cache";
	w->report->why = fetched ? "into the node's cache, linked from there"
				 : "the node has it";
	return 0;
}

/* 0: what the source is now, with a lease; 1: not there, or no longer any good: then
 * the key says of what. */
static int find(struct want *w, bool fetched, struct cache_entry *e)
{
	struct weft_stage_report seen = {0};
	int rc;

	*e = (struct cache_entry){
		.lease = -1, .source = stage_manifest_read(w->c->s, w->of)};
	if (!e->source ||
		(!fetched && !stage_manifest_source_holds(e->source, w->real, &seen)))
		return 1;
	cache_key(e->source, e->key);
	e->lease = cache_wait(w->c->u, e->key, false, LOCK_SH, w->opt->stop, w->err);
	if (e->lease < 0)
		return e->lease == -1 ? -1 : 1;
	if (!cache_read_note(e->lease, &e->note) ||
		!(e->m = stage_manifest_read(w->c->e, e->key)))
		return 1;
	rc = 0;
	if (w->flags & WEFT_CACHE_CHECK || strcmp(e->note.boot, w->c->boot) != 0)
		rc = reread(w, e->key, e->lease, &e->note);
	return rc;
}

void cache_entry_close(struct cache_entry *e)
{
	if (e->lease >= 0)
		close(e->lease);
	e->lease = -1;
	stage_manifest_free(weft_steal(&e->source));
	stage_manifest_free(weft_steal(&e->m));
	cache_note_free(&e->note);
}

/* Damaged: out with it, unless somebody is at it. */
static void out_with(struct weft_stage_cache *c, struct cache_entry *e)
{
	cache_entry_close(e);
	if (*e->key)
		(void)!weft_stage_cache_drop(c, e->key, NULL);
}

/* 0: given; 1: not there, or no longer any good. */
static int look_up(struct want *w, bool fetched)
{
	struct cache_entry e;
	int rc = find(w, fetched, &e);

	if (rc == 0)
		rc = give(w, e.m, e.key, &e.note, fetched);
	if (rc == 0)
		(void)!futimens(e.lease, NULL);
	if (rc == 1)
		out_with(w->c, &e);
	cache_entry_close(&e);
	return rc;
}

int cache_find(struct weft_stage_cache *c, const char *real, bool check,
	const volatile sig_atomic_t *stop, struct cache_entry *e, struct weft_err *err)
{
	const struct weft_stage_options opt = {.stop = stop};
	struct want w = {.c = c,
		.opt = &opt,
		.flags = check ? WEFT_CACHE_CHECK : 0,
		.real = (char *)real,
		.err = err};
	int rc;

	weft_digest(real, strlen(real), w.of);
	rc = find(&w, false, e);
	if (rc == 0)
		(void)!futimens(e->lease, NULL);
	if (rc == 1)
		out_with(c, e);
	if (rc)
		cache_entry_close(e);
	return rc;
}

/* ---- filling ------------------------------------------------------------- */

/* n/OF, as m says, becomes an entry. CACHE/lock is held; m is sealed afterwards. */
static int install(struct weft_stage_cache *c, const char *of, struct stage_manifest *m,
	const char *source, struct weft_err *err)
{
	struct cache_note note = {.source = (char *)source};
	char key[CACHE_KEY];

	cache_key(m, key);
	cache_remove_record(c->n, of);
	if (faccessat(c->u, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		weft_autofree char *path = weft_printf("/proc/self/fd/%d/%s", c->n, of);

		return path ? weft_remove_tree(path, err) : weft_err_nomem(err);
	}
	for (size_t i = 0; i < m->n; i++) {
		note.files++;
		note.bytes += m->line[i].type == 'f' ? m->line[i].src.size : 0;
	}
	memcpy(note.boot, c->boot, sizeof(note.boot));
	if (cache_seal(m, c->n, of, err) != 0)
		return -1;
	cache_remove_record(c->e, key);
	if (renameat(c->n, of, c->e, key) != 0)
		return weft_err_sys(err, WEFT_ESTAGE, "the node's cache");
	return cache_write_record(c->e, key, m, err) != 0 ||
			       cache_write_note(c, key, &note, err) != 0
		       ? -1
		       : 0;
}

static int fetch(struct want *w)
{
	weft_autofree char *path = weft_printf("%s/n/%s", w->c->path, w->of);
	struct weft_stage_options opt = {.how = WEFT_STAGE_STREAM,
		.durable = WEFT_STAGE_NONE,
		.manifest = true,
		.resume = true,
		.replace = true,
		.threads = w->opt->threads,
		.progress = w->opt->progress,
		.arg = w->opt->arg,
		.stop = w->opt->stop};
	struct stage_manifest *m = NULL, *source = NULL;
	uint64_t bytes, files;
	int lock = -1, rc;

	if (!path)
		return weft_err_nomem(w->err);
	rc = weft_stage_measure(w->real, &bytes, &files, w->err);
	if (rc == 0 && (lock = cache_wait(w->c->top, "lock", true, LOCK_EX,
				w->opt->stop, w->err)) < 0)
		rc = -1;
	if (rc == 0)
		rc = cache_room(w->c, bytes, files + w->folder, w->err);
	weft_closep(&lock);
	if (rc != 0)
		return rc;
	if (weft_stage_copy(w->real, path, &opt, w->report, w->err) != 0)
		return -1;
	m = stage_manifest_read(w->c->n, w->of);
	source = stage_manifest_read(w->c->n, w->of);
	lock = cache_wait(w->c->top, "lock", true, LOCK_EX, w->opt->stop, w->err);
	if (lock < 0)
		rc = -1;
	else if (!m || !source || !*m->hash)
		rc = weft_err_set(
			w->err, WEFT_ESTAGE, "the node's cache has no record");
	else if (cache_write_record(w->c->s, w->of, source, w->err) != 0)
		rc = -1;
	else
		rc = install(w->c, w->of, m, w->real, w->err);
	weft_closep(&lock);
	stage_manifest_free(m);
	stage_manifest_free(source);
	return rc;
}

static int get(struct want *w)
{
	struct stat st;
	int lock, rc;

	w->real = realpath(w->src, NULL);
	if (!w->real || stat(w->real, &st) != 0)
		return weft_err_sys(w->err, WEFT_ESTAGE, "%s", w->src);
	w->folder = S_ISDIR(st.st_mode);
	/* What is here already gains nothing. */
	if (st.st_dev == w->c->dev)
		return 1;
	if (!(w->flags & WEFT_CACHE_ONLY) && !w->opt->replace &&
		faccessat(AT_FDCWD, w->dst, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		struct stage_target t = {.dst = w->dst};

		return stage_target_taken(&t, w->err);
	}
	weft_digest(w->real, strlen(w->real), w->of);
	rc = look_up(w, false);
	if (rc != 1 || w->flags & WEFT_CACHE_PEEK)
		return rc;
	lock = cache_wait(w->c->f, w->of, true, LOCK_EX, w->opt->stop, w->err);
	if (lock < 0)
		return -1;
	/* Another one may have brought it while we waited. */
	rc = look_up(w, false);
	/* An entry is files that many names share, and one for all with these bytes:
	 * what has more than bytes is nobody else's. */
	if (rc == 1 && stage_file_attributes(w->real, NULL) == 0) {
		rc = fetch(w);
		if (rc == 0)
			rc = look_up(w, true);
	}
	close(lock);
	return rc;
}

int weft_stage_cache_get(struct weft_stage_cache *cache, const char *src,
	const char *dst, const struct weft_stage_options *opt, unsigned flags,
	struct weft_stage_report *report, struct weft_err *err)
{
	struct weft_stage_report own = {0};
	struct want w = {.c = cache,
		.src = src,
		.dst = dst,
		.opt = opt,
		.flags = flags,
		.report = &own,
		.err = err};
	double start = weft_monotonic();
	int rc = get(&w);

	free(w.real);
	own.seconds = weft_monotonic() - start;
	if (report)
		*report = rc == 0 ? own : (struct weft_stage_report){0};
	return rc;
}

/* The published copy as a source.  Its ctime changes with each name that it gets on its
 * way to the last one: it is left out. */
static int note_published(struct weft_stage_cache *c, struct stage_manifest *m,
	const char *of, struct weft_err *err)
{
	for (size_t i = 0; i < m->n; i++)
		m->line[i].src = m->line[i].dst;
	m->line[0].src.ctime = (struct timespec){0};
	return cache_write_record(c->s, of, m, err);
}

/* made: m's source is what is there, else its copy. */
static int add(struct weft_stage_cache *c, struct stage_manifest *m, bool made,
	const char *what, const char *real, const char *of, struct weft_err *err)
{
	weft_autoclose int lock = cache_wait(c->top, "lock", true, LOCK_EX, NULL, err);
	uint64_t bytes = 0;
	char key[CACHE_KEY];
	int rc;

	if (lock < 0)
		return -1;
	cache_key(m, key);
	for (size_t i = 0; i < m->n; i++)
		bytes += m->line[i].type == 'f' ? m->line[i].src.size : 0;
	if (faccessat(c->u, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (stage_file_attributes(what, NULL) != 0)
		return 1;
	rc = cache_room(c, bytes, m->n, err);
	if (rc == 0)
		rc = cache_link(m, made, AT_FDCWD, what, c->n, of, NULL, false, err);
	if (rc == 0)
		rc = install(c, of, m, real, err);
	return rc;
}

/* real: who asks for that gets it. */
static int enter(struct weft_stage_cache *c, bool made, const char *what,
	const char *real, const char *record, struct weft_err *err)
{
	struct stage_manifest *m = stage_manifest_parse(record, strlen(record));
	struct stage_manifest *source = stage_manifest_parse(record, strlen(record));
	char of[WEFT_DIGEST_HEX];
	int lock = -1, rc = 1;

	if (m && source && *m->hash) {
		weft_digest(real, strlen(real), of);
		lock = cache_wait(c->f, of, true, LOCK_EX, NULL, err);
		rc = lock < 0 ? -1 : add(c, m, made, what, real, of, err);
		if (rc == 0)
			rc = made ? note_published(c, source, of, err)
				  : cache_write_record(c->s, of, source, err);
		if (rc != 0 && lock >= 0) {
			weft_autofree char *left =
				weft_printf("/proc/self/fd/%d/%s", c->n, of);

			if (left)
				(void)!weft_remove_tree(left, NULL);
		}
		weft_closep(&lock);
	}
	stage_manifest_free(m);
	stage_manifest_free(source);
	return rc;
}

int weft_stage_cache_add(struct weft_stage_cache *c, const char *made,
	const char *published, const char *record, struct weft_err *err)
{
	weft_autofree char *real = NULL;

	if (weft_stage_within(published, NULL, 0, &real, err) < 0)
		return -1;
	return enter(c, true, made, real, record, err);
}

int weft_stage_cache_take(struct weft_stage_cache *c, const char *copy,
	const char *source, const char *record, struct weft_err *err)
{
	return enter(c, false, copy, source, record, err);
}
