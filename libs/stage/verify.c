/* verify.c - a copy read again and compared with its record */
#include "stage/manifest.h"
#include "stage/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names that are told; the rest is counted. */
#define TELL 20

struct compare {
	struct stage_job *job;
	const struct stage_manifest *m;
	struct weft_map map; /* path -> line */
	bool *seen;          /* lines */
	struct weft_arena arena;
	struct weft_stage_diff *diff;
	struct weft_str told;
	unsigned n_told;
};

static void tell(struct compare *c, const char *what, const char *path)
{
	if (c->n_told++ < TELL)
		weft_str_printf(&c->told, "%s: %s\n", what, *path ? path : ".");
}

static void differs(struct compare *c, const char *what, const char *path)
{
	c->diff->different++;
	tell(c, what, path);
}

/* Paths of the record: of a folder its own, of others below the last folder. */
static int index_lines(struct compare *c)
{
	const char *dir = "";
	size_t found;

	for (size_t i = 0; i < c->m->n; i++) {
		const struct stage_line *l = &c->m->line[i];
		const char *path = l->name;

		if (l->type == 'd')
			dir = l->name;
		else if (!c->job->tree)
			path = "";
		else if (*dir)
			path = weft_arena_printf(&c->arena, "%s/%s", dir, l->name);
		if (!path || weft_map_add(&c->map, path, i, &found) < 0)
			return -1;
	}
	return 0;
}

static const struct stage_line *find(struct compare *c, const char *path, char type)
{
	const struct stage_line *l;
	size_t i;

	if (!weft_map_get(&c->map, path, &i)) {
		c->diff->extra++;
		tell(c, "not in the record", path);
		return NULL;
	}
	c->seen[i] = true;
	l = &c->m->line[i];
	if (l->type == type)
		return l;
	differs(c, "of another kind", path);
	return NULL;
}

static void compare_mode(
	struct compare *c, const struct stage_line *l, mode_t mode, const char *path)
{
	/* Owners that were not kept took the bits with them that mean them. */
	if ((l->mode & 01777) != (mode & 01777))
		differs(c, "other permissions", path);
}

static void compare_entry(
	struct compare *c, const struct stage_entry *e, const char *path)
{
	const struct stage_line *l = find(c, path, e->type);
	const struct stage_sum *sum = e->same ? &e->same->sum : &e->sum;

	if (!l)
		return;
	if (l->type == 'l') {
		if (!weft_streq(l->target, e->target))
			differs(c, "leads elsewhere", path);
		return;
	}
	if (l->type == 'f' && l->src.size != e->src.size) {
		differs(c, "of another size", path);
		return;
	}
	if (l->type == 'f' && l->sum.known && sum->known) {
		if (memcmp(l->sum.b, sum->b, sizeof(sum->b)) != 0) {
			differs(c, "other data", path);
			return;
		}
	} else if (l->type == 'f') {
		/* Linked or cloned: it was never read, but nobody has touched it. */
		c->diff->unread++;
		if (!stage_id_same(&l->dst, &e->src)) {
			differs(c, "changed since", path);
			return;
		}
	}
	compare_mode(c, l, e->mode, path);
}

static int compare_all(struct compare *c)
{
	const struct stage_job *job = c->job;

	for (const struct stage_folder *d = job->tree ? job->folders : NULL; d;
		d = d->older) {
		weft_autostr struct weft_str path = {0};
		const struct stage_line *l;

		stage_folder_path(d, &path);
		if (path.failed)
			return -1;
		l = find(c, path.s, 'd');
		if (l)
			compare_mode(c, l, d->st.st_mode, path.s);
	}
	for (size_t i = 0; i < job->n_entries; i++) {
		const struct stage_entry *e = job->entry[i];
		weft_autostr struct weft_str path = {0};

		stage_folder_path(e->dir, &path);
		if (path.len)
			weft_str_addc(&path, '/');
		if (job->tree)
			weft_str_add(&path, e->name);
		if (path.failed)
			return -1;
		compare_entry(c, e, path.s);
	}
	for (size_t i = 0; i < c->m->n; i++) {
		const struct stage_line *l = &c->m->line[i];

		if (c->seen[i])
			continue;
		c->diff->missing++;
		tell(c, "missing", l->name);
	}
	return 0;
}

static int compare(struct stage_job *job, const struct stage_manifest *m,
	struct weft_stage_diff *diff, struct weft_err *err)
{
	struct compare c = {.job = job, .m = m, .diff = diff};
	int rc = -1;

	c.seen = calloc(m->n + 1, sizeof(*c.seen));
	if (c.seen && index_lines(&c) == 0)
		rc = compare_all(&c);
	if (rc == 0 && c.n_told > TELL)
		weft_str_printf(&c.told, "and %u more\n", c.n_told - TELL);
	if (rc == 0 && c.n_told) {
		diff->first = weft_str_take(&c.told);
		rc = diff->first ? 0 : -1;
	}
	weft_str_free(&c.told);
	weft_map_free(&c.map);
	weft_arena_free(&c.arena);
	free(c.seen);
	return rc == 0 ? 0 : weft_err_nomem(err);
}

/* Reads all of it, into the job's entries. */
static int read_copy(struct stage_job *job, const struct stage_target *t, bool folder,
	unsigned *threads, struct weft_err *err)
{
	struct stage_worker w = {.job = job};
	struct stage_folder *top = stage_folder_new(&w, NULL, "");

	job->read_only = job->record = true;
	job->tree = folder;
	job->in = folder ? openat(t->fd, t->name,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			 : fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
	if (job->in < 0)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", t->dst);
	if (!top) {
		weft_err_move(err, &w.err);
		return -1;
	}
	top->in = folder ? -1 : job->in;
	if (stage_pool_run(job, top, folder ? NULL : t->name, folder ? NULL : t->name,
		    threads) == 0)
		return 0;
	weft_err_move(err, &job->err);
	return -1;
}

int weft_stage_verify(const char *dst, const struct weft_stage_options *opt,
	struct weft_stage_diff *diff, struct weft_stage_report *report,
	struct weft_err *err)
{
	struct weft_stage_options own = *opt;
	struct stage_target t = {.fd = -1, .lock = -1};
	struct stage_manifest *m = NULL;
	double start = weft_monotonic();
	struct weft_stage_report r = {0};
	struct stage_job job = {0};
	struct stat st;
	int rc;

	*diff = (struct weft_stage_diff){0};
	own.how = WEFT_STAGE_STREAM;
	own.special = WEFT_STAGE_MAKE; /* they are compared */
	rc = stage_job_init(&job, &own, dst, err);
	if (rc == 0)
		rc = stage_target_open(&t, dst, err);
	if (rc == 0 && fstatat(t.fd, t.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		rc = weft_err_sys(err, WEFT_ESTAGE, "%s", dst);
	if (rc == 0 && !(m = stage_manifest_read(t.fd, t.name))) {
		rc = weft_err_set(
			err, WEFT_ESTAGE, "no record of %s, or it is not whole", dst);
		weft_err_hint(err, "weft stage cp leaves one beside each copy");
	}
	if (rc == 0 && (S_ISDIR(st.st_mode) != (m->line[0].type == 'd') ||
			       (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))))
		rc = weft_err_set(
			err, WEFT_ESTAGE, "%s is now %s", dst, stage_kind(st.st_mode));
	if (rc == 0)
		rc = read_copy(&job, &t, S_ISDIR(st.st_mode), &r.threads, err);
	if (rc == 0)
		rc = compare(&job, m, diff, err);
	stage_job_report(&job, &r);
	r.strategy = "read";
	r.why = "";
	r.seconds = weft_monotonic() - start;
	if (m)
		stage_manifest_hash(m, r.hash);
	if (report)
		*report = r;
	stage_manifest_free(m);
	stage_job_free(&job);
	stage_target_close(&t);
	return rc;
}
