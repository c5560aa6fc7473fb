/* outputs.c - from the working directory to the run directory, whole or not at all */
#include "engine/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An output on its way. */
struct made {
	const struct weft_output *out;
	char *path; /* as the file has it */
	char *src;  /* absolute */
	char *dst;
	bool glob;
};

/* Where an output is published below `into`: a file or folder under its own path,
 * a glob as a folder of the output's name. */
static char *published(
	const struct weft_output *out, const char *path, const char *into)
{
	return weft_path_absolute(into, output_is_glob(path) ? out->name : path);
}

static int make_parent(const char *path, struct weft_err *err)
{
	weft_autofree char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));

	return dir ? weft_mkdirs(dir, 0777, err) : weft_err_nomem(err);
}

/* Is it one of these, or in a folder that is? */
static bool is_of(const struct made *m, size_t n, const char *src)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(m[i].src);

		if (!m[i].glob && strncmp(src, m[i].src, len) == 0 &&
			(src[len] == '/' || !src[len]))
			return true;
	}
	return false;
}

/* out: which output it is; NULL: a part of one, or none.
 * as: its path when all of the member is published; NULL: it isn't to stay here. */
static int put(struct unit *u, const struct weft_output *out, const char *src,
	const char *dst, const char *as, struct weft_err *err)
{
	/* To the shared file system all is read, and so has a hash. */
	bool copied = out && u->step->scratch != WEFT_SCRATCH_SHARED;
	struct weft_stage_report report = {0};
	weft_autostr struct weft_str record = {0};
	/* A hard link publishes without moving a byte; the working directory, which
	 * alone could change the file afterwards, goes away. */
	const struct weft_stage_options opt = {.how = WEFT_STAGE_HARD,
		.durable = WEFT_STAGE_DATA,
		.text = as || copied ? &record : NULL,
		.stop = u->e->stop};

	/* An output that is a link is what it points to. */
	if (unit_may_read(u, src, err))
		return -1;
	if (make_parent(dst, err) || weft_stage_copy(src, dst, &opt, &report, err))
		return -1;
	if (as && record.s)
		cache_offer(u, src, as, record.s);
	if (out)
		hashes_add(u, "out", out->name, report.hash);
	u->record.staged_out += report.bytes;
	return 0;
}

/* The first n of m are published. */
static int publish_glob(
	struct unit *u, const struct made *m, size_t n, struct weft_err *err)
{
	const char *pattern = m[n].path;
	char **match;
	size_t matches;
	int r = 0;

	if (weft_stage_glob(u->work, pattern, &match, &matches, err))
		return -1;
	/* Relative to the folder of the glob: NAME/1.bin, not NAME/frames/1.bin. */
	size_t skip = strcspn(pattern, "*?[");
	while (skip > 0 && pattern[skip - 1] != '/')
		skip--;
	for (size_t i = 0; r == 0 && i < matches; i++) {
		weft_autofree char *src = weft_path_join(u->work, match[i]);
		weft_autofree char *to = weft_path_join(m[n].dst, match[i] + skip);

		if (!src || !to)
			r = weft_err_nomem(err);
		else if (access(to, F_OK) != 0 || !is_of(m, n, src))
			r = put(u, NULL, src, to, NULL, err);
	}
	weft_stage_glob_free(match, matches);
	return r;
}

static int publish_one(struct unit *u, const struct made *m, size_t n, const char *into,
	struct weft_err *err)
{
	weft_autofree char *as = NULL;
	struct stat st;

	if (m[n].glob)
		return publish_glob(u, m, n, err);
	if (lstat(m[n].src, &st))
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : weft_err_sys(err, WEFT_ESTAGE, "%s", m[n].src);
	if (is_of(m, n, m[n].src)) {
		hashes_add(u, "out", m[n].out->name, "");
		return 0;
	}
	/* Parts of several nodes are joined there. */
	if (cache_wants(u, into))
		as = weft_printf("%s/out/%s", u->dir, m[n].dst + strlen(into) + 1);
	return put(u, m[n].out, m[n].src, m[n].dst, as, err);
}

/* A folder comes before what is in it, which is published with it. */
static int outer_first(const void *a, const void *b)
{
	const struct made *x = a, *y = b;
	size_t n = strlen(x->dst), k = strlen(y->dst);

	if (n != k)
		return n < k ? -1 : 1;
	return x->glob != y->glob ? (x->glob ? 1 : -1) : x->out < y->out ? -1 : 1;
}

static int publish(
	struct unit *u, struct made *m, const char *into, struct weft_err *err)
{
	size_t n = u->step->n_outputs;

	for (size_t i = 0; i < n; i++) {
		m[i].out = &u->step->output[i];
		if (weft_scope_text(&u->scope, &m[i].out->path, &m[i].path, err))
			return weft_err_prefix(err, "output '%s'", m[i].out->name);
		m[i].glob = output_is_glob(m[i].path);
		m[i].dst = published(m[i].out, m[i].path, into);
		m[i].src = weft_path_absolute(u->work, m[i].path);
		if (!m[i].dst || !m[i].src)
			return weft_err_nomem(err);
	}
	if (n)
		qsort(m, n, sizeof(*m), outer_first);
	for (size_t i = 0; i < n; i++)
		if (publish_one(u, m, i, into, err))
			return weft_err_prefix(err, "output '%s'", m[i].out->name);
	return 0;
}

int outputs_publish(struct unit *u, const char *into, struct weft_err *err)
{
	double start = weft_monotonic();

	if (weft_remove_tree(into, err) || weft_mkdirs(into, 0777, err))
		return -1;
	struct made *m = calloc(u->step->n_outputs + 1, sizeof(*m));
	int r = m ? publish(u, m, into, err) : weft_err_nomem(err);
	for (size_t i = 0; m && i < u->step->n_outputs; i++) {
		free(m[i].path);
		free(m[i].src);
		free(m[i].dst);
	}
	free(m);
	if (r)
		return -1;
	weft_autofree char *metrics = weft_path_absolute(u->work, u->step->metrics);
	weft_autofree char *dst = weft_path_join(into, ".metrics.jsonl");
	if (!metrics || !dst)
		return weft_err_nomem(err);
	if (access(metrics, F_OK) == 0 && put(u, NULL, metrics, dst, NULL, err))
		return weft_err_prefix(err, "metrics");
	u->record.stage_seconds += weft_monotonic() - start;
	return 0;
}

/* Moves what is below `from` into `to`; folders are joined, a file that is there
 * already (the same output of an earlier node) stays. */
static int join(const char *from, const char *to, struct weft_err *err)
{
	DIR *d = opendir(from);
	int r = 0;

	if (!d)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", from);
	for (;;) {
		errno = 0;
		struct dirent *e = r == 0 ? readdir(d) : NULL;
		if (!e)
			break;
		if (weft_streq(e->d_name, ".") || weft_streq(e->d_name, ".."))
			continue;
		weft_autofree char *src = weft_path_join(from, e->d_name);
		weft_autofree char *dst = weft_path_join(to, e->d_name);
		struct stat a, b;

		if (!src || !dst)
			r = weft_err_nomem(err);
		else if (lstat(src, &a))
			r = weft_err_sys(err, WEFT_ESTAGE, "%s", src);
		else if (lstat(dst, &b))
			r = rename(src, dst) ? weft_err_sys(err, WEFT_ESTAGE, "%s", dst)
					     : 0;
		else if (S_ISDIR(a.st_mode) && S_ISDIR(b.st_mode))
			r = join(src, dst, err);
	}
	/* What isn't listed would go with the rest of the part. */
	if (r == 0 && errno)
		r = weft_err_sys(err, WEFT_ESTAGE, "%s", from);
	closedir(d);
	return r;
}

int outputs_merge(struct unit *u, const char *parts, unsigned n, const char *into,
	struct weft_err *err)
{
	(void)u;
	if (weft_remove_tree(into, err) || weft_mkdirs(into, 0777, err))
		return -1;
	for (unsigned i = 0; i < n; i++) {
		weft_autofree char *part = weft_printf("%s/%u", parts, i);

		if (!part)
			return weft_err_nomem(err);
		if (access(part, F_OK) == 0 && join(part, into, err))
			return -1;
	}
	return weft_remove_tree(parts, err);
}

static int record_one(struct unit *u, const struct weft_output *out, const char *dir,
	struct weft_err *err)
{
	weft_autofree char *path = NULL;
	uint64_t bytes = 0, files = 0;

	if (weft_scope_text(&u->scope, &out->path, &path, err))
		return -1;
	weft_autofree char *dst = published(out, path, dir);
	if (!dst)
		return weft_err_nomem(err);
	bool there = access(dst, F_OK) == 0;
	if (there && weft_stage_measure(dst, &bytes, &files, err))
		return -1;
	if (!there) {
		if (out->optional)
			return 0;
		weft_err_set(err, WEFT_ESTAGE, "output '%s' (%s) isn't there",
			out->name, path);
		weft_err_hint(err,
			"the program must write it in its working directory; "
			"`optional: true` lets it be missing");
		return weft_err_at(err, u->e->wf->file, out->pos, NULL);
	}
	struct weft_record_output *o = &u->record.output[u->record.n_outputs];
	o->name = weft_arena_strdup(&u->arena, out->name);
	o->path = weft_arena_strdup(&u->arena, dst);
	o->bytes = bytes;
	o->files = files;
	if (!o->name || !o->path)
		return weft_err_nomem(err);
	u->record.n_outputs++;
	return 0;
}

int outputs_record(struct unit *u, const char *dir, struct weft_err *err)
{
	weft_autofree char *from = weft_path_join(dir, ".metrics.jsonl");
	weft_autofree char *to = weft_path_join(u->dir, "metrics.jsonl");

	u->record.output = calloc(u->step->n_outputs + 1, sizeof(*u->record.output));
	if (!u->record.output || !from || !to)
		return weft_err_nomem(err);
	if (rename(from, to) && errno != ENOENT)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", to);
	for (size_t i = 0; i < u->step->n_outputs; i++)
		if (record_one(u, &u->step->output[i], dir, err))
			return -1;
	return 0;
}
