/* run.c - the run directory: claimed, described, found again */
#include "journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_JSON_MAX ((size_t)4 << 20)
#define SOURCE_MAX ((size_t)16 << 20)
#define PLAN_MAX ((size_t)512 << 20)
#define POINTS_MAX ((size_t)1 << 30)
#define SHARD 1000 /* entries a folder may hold */
#define OVERLAYS 64
enum { SUM_WORKFLOW, SUM_PLAN, SUM_OVERLAY }; /* places in weft_run.sum */

unsigned weft_run_last(const char *dir)
{
	unsigned last = 0;
	DIR *d = opendir(dir);

	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));) {
		int64_t n;

		if (weft_parse_int(e->d_name, 1, 1000000000, &n) && (unsigned)n > last)
			last = (unsigned)n;
	}
	closedir(d);
	return last;
}

/* mkdir is the claim: it either makes the number ours or says that it is taken. */
static int claim(const char *parent, unsigned *number, char **dir, struct weft_err *err)
{
	for (unsigned n = weft_run_last(parent) + 1;; n++) {
		char *path = weft_printf("%s/%u", parent, n);

		if (!path)
			return weft_err_nomem(err);
		if (mkdir(path, 0777) == 0) {
			*number = n;
			*dir = path;
			return 0;
		}
		if (errno != EEXIST) {
			weft_err_sys(err, WEFT_ESYS, "%s", path);
			free(path);
			return weft_err_hint(err, "run in a folder that you may write "
						  "to, or name one with --run-dir");
		}
		free(path);
	}
}

/* sums: where the digest is noted, NULL nowhere. */
static int write_in(const char *dir, const char *name, const char *text, size_t n,
	json_t *sums, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(dir, name);
	char hex[WEFT_DIGEST_HEX];

	if (sums) {
		weft_digest(text, n, hex);
		if (json_object_set_new(sums, name, json_string(hex)))
			return weft_err_nomem(err);
	}
	return path ? weft_write_file_sync(
			      path, text, n, 0666 & ~022, WEFT_SYNC_DATA, err)
		    : weft_err_nomem(err);
}

static json_t *json_texts(const char *const *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; a && i < n; i++) {
		if (json_array_append_new(a, json_string(v[i]))) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *json_labels(const struct weft_pairs *labels)
{
	json_t *o = json_object();

	for (size_t i = 0; labels && i < labels->n; i++)
		json_object_set_new(
			o, labels->v[i].name, json_string(labels->v[i].value.s));
	return o;
}

static int write_run_json(const struct weft_run_new *def, const char *dir,
	unsigned number, unsigned revision, double created, json_t *sums,
	struct weft_err *err)
{
	struct passwd *pw = getpwuid(geteuid());
	weft_autofree char *user =
		pw ? strdup(pw->pw_name) : weft_printf("%u", (unsigned)geteuid());
	json_t *o = json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:b, s:f, s:I, s:o, "
			      "s:i, s:i, s:o, s:O}",
		"format", 2, "name", def->name, "number", (int)number, "file",
		def->file, "workdir", def->dir, "user", user ? user : "", "version",
		weft_version, "local", def->local, "created", created, "steps",
		(json_int_t)def->n_steps, "set", json_texts(def->set, def->n_set),
		"overlays", (int)def->n_overlay, "revision", (int)revision, "labels",
		json_labels(def->labels), "sums", sums);
	char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	int r = text ? write_in(dir, "run.json", text, strlen(text), NULL, err)
		     : weft_err_set(err, WEFT_ESPEC,
			       "the path of the workflow file, or a --set, is not "
			       "UTF-8");

	free(text);
	json_decref(o);
	return r;
}

/* A copy of the file that a sweep was read from: it may be changed while the run goes
 * on, and the run's members must not. */
static int keep_points(
	const char *dir, const struct weft_step *step, struct weft_err *err)
{
	const char *file = step->sweep.file;
	weft_autofree char *text = NULL, *points = NULL, *path = NULL;
	size_t n;

	if (step->sweep.kind != WEFT_SWEEP_FILE || !file)
		return 0;
	points = weft_path_join(dir, "points");
	path = points ? weft_printf("%s/%s%s", points, step->name, strrchr(file, '.'))
		      : NULL;
	if (!path)
		return weft_err_nomem(err);
	if (weft_mkdirs(points, 0777, err) ||
		weft_read_file(file, POINTS_MAX, &text, &n, err))
		return -1;
	return weft_write_file(path, text, n, 0644, err);
}

/* What the run is made from, into a folder. */
static int fill_files(const struct weft_run_new *def, const char *dir, json_t *sums,
	struct weft_err *err)
{
	if (write_in(dir, "workflow.yaml", def->source, def->source_len, sums, err))
		return -1;
	for (size_t i = 0; i < def->n_overlay; i++) {
		weft_autofree char *text = NULL,
				   *name = weft_printf("overlay-%zu.yaml", i);
		size_t n;

		if (!name)
			return weft_err_nomem(err);
		if (weft_read_file(def->overlay[i], SOURCE_MAX, &text, &n, err) ||
			write_in(dir, name, text, n, sums, err))
			return -1;
	}
	for (size_t i = 0; def->wf && i < def->wf->n_steps; i++)
		if (keep_points(dir, &def->wf->step[i], err))
			return -1;
	return write_in(
		dir, "plan.json", def->plan_json, strlen(def->plan_json), sums, err);
}

static int fill(const struct weft_run_new *def, const char *dir, unsigned number,
	json_t *sums, struct weft_err *err)
{
	weft_autofree char *journal = weft_path_join(dir, "journal");
	weft_autofree char *steps = weft_path_join(dir, "steps");

	if (!journal || !steps || !sums)
		return weft_err_nomem(err);
	if (weft_mkdirs(journal, 0777, err) || weft_mkdirs(steps, 0777, err) ||
		fill_files(def, dir, sums, err))
		return -1;
	/* Last, so that a folder with run.json is whole. */
	return write_run_json(def, dir, number, 0, weft_now(), sums, err);
}

int weft_run_revise(const struct weft_run *run, const struct weft_run_new *def,
	struct weft_err *err)
{
	unsigned revision = run->revision + 1;
	weft_autofree char *dir = weft_printf("%s/revisions/%u", run->dir, revision);
	json_t *sums = json_object();
	int bad = -1;

	if (!dir || !sums)
		weft_err_nomem(err);
	else if (!weft_streq(def->name, run->name))
		weft_err_set(err, WEFT_ESPEC, "the workflow is called %s now, not %s",
			def->name, run->name);
	else if (run->n_steps > SHARD || def->n_steps > SHARD)
		weft_err_set(err, WEFT_ESPEC,
			"a run of over %d steps can't be given another file", SHARD);
	/* What a killed call has left is of no use. */
	else if (weft_remove_tree(dir, err) == 0 && weft_mkdirs(dir, 0777, err) == 0 &&
		 fill_files(def, dir, sums, err) == 0)
		bad = write_run_json(
			def, run->dir, run->number, revision, run->created, sums, err);
	json_decref(sums);
	return bad;
}

int weft_run_create(
	const struct weft_run_new *def, struct weft_run **run, struct weft_err *err)
{
	weft_autofree char *cwd = getcwd(NULL, 0);
	weft_autofree char *top = weft_path_absolute(cwd ? cwd : "/", def->parent);
	weft_autofree char *parent = top ? weft_path_join(top, def->name) : NULL;
	weft_autofree char *dir = NULL;
	unsigned number = 0;

	*run = NULL;
	if (!parent)
		return weft_err_nomem(err);
	if (def->n_overlay > OVERLAYS)
		return weft_err_set(
			err, WEFT_EUSAGE, "more than %d overlays", OVERLAYS);
	if (strchr(def->name, '/') || weft_streq(def->name, ".") ||
		!weft_path_is_inside(def->name))
		return weft_err_set(
			err, WEFT_ESPEC, "'%s' can't name a folder", def->name);
	/* Records are JSON: in them the paths of outputs would not be what they are. */
	if (!weft_utf8_valid(parent, strlen(parent))) {
		weft_err_set(
			err, WEFT_EUSAGE, "the path of the run directory is not UTF-8");
		return weft_err_hint(err, "name another folder with --run-dir");
	}
	if (weft_mkdirs(parent, 0777, err)) {
		weft_err_prefix(err, "run directory");
		return weft_err_hint(err, "run in a folder that you may write to, or "
					  "name one with --run-dir");
	}
	if (claim(parent, &number, &dir, err))
		return -1;
	json_t *sums = json_object();
	int r = fill(def, dir, number, sums, err);
	json_decref(sums);
	if (r) {
		weft_remove_tree(dir, NULL);
		return -1;
	}
	return weft_run_open(dir, NULL, run, err);
}

static bool has_run(const char *dir)
{
	weft_autofree char *path = weft_path_join(dir, "run.json");

	return path && access(path, R_OK) == 0;
}

/* The run directory that `dir` means: itself, or the latest below it. */
static char *resolve(const char *dir)
{
	if (has_run(dir))
		return strdup(dir);
	for (unsigned n = weft_run_last(dir); n; n--) {
		weft_autofree char *path = weft_printf("%s/%u", dir, n);

		if (path && has_run(path))
			return weft_steal(&path);
	}
	return NULL;
}

static char *copy_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return strdup(s ? s : "");
}

static int read_overlays_and_sets(struct weft_run *r, const json_t *o)
{
	const json_t *set = json_object_get(o, "set");
	json_int_t overlays = json_integer_value(json_object_get(o, "overlays"));

	r->set = calloc(json_array_size(set) + 1, sizeof(*r->set));
	r->overlay = calloc(OVERLAYS + 1, sizeof(*r->overlay));
	if (!r->set || !r->overlay)
		return -1;
	for (size_t i = 0; i < json_array_size(set); i++) {
		const char *s = json_string_value(json_array_get(set, i));

		r->set[r->n_set] = strdup(s ? s : "");
		if (!r->set[r->n_set++])
			return -1;
	}
	for (json_int_t i = 0; i < overlays && i < OVERLAYS; i++) {
		r->overlay[r->n_overlay] =
			weft_printf("%s/overlay-%d.yaml", r->files, (int)i);
		if (!r->overlay[r->n_overlay++])
			return -1;
	}
	return 0;
}

static int read_sums(struct weft_run *r, const json_t *o)
{
	const json_t *sums = json_object_get(o, "sums");

	r->sum = calloc(SUM_OVERLAY + r->n_overlay, sizeof(*r->sum));
	for (size_t i = 0; r->sum && i < SUM_OVERLAY + r->n_overlay; i++) {
		const char *name =
			i == SUM_WORKFLOW ? "workflow.yaml"
			: i == SUM_PLAN   ? "plan.json"
					: strrchr(r->overlay[i - SUM_OVERLAY], '/') + 1;
		const char *hex = json_string_value(json_object_get(sums, name));

		snprintf(r->sum[i], sizeof(r->sum[i]), "%s", hex ? hex : "");
	}
	return r->sum ? 0 : -1;
}

/* A file of the run, as it was when the run was made. */
static int read_unchanged(const struct weft_run *run, size_t which, const char *path,
	size_t max, char **text, size_t *n, struct weft_err *err)
{
	char hex[WEFT_DIGEST_HEX];

	if (weft_read_file(path, max, text, n, err))
		return -1;
	weft_digest(*text, *n, hex);
	if (!run->sum[which][0] || weft_streq(hex, run->sum[which]))
		return 0;
	free(*text);
	*text = NULL;
	weft_err_set(err, WEFT_ESPEC, "%s was changed after the run was made", path);
	return weft_err_hint(err, "put back what it was, or start a new run");
}

/* What every run has, and what sizes depend on. */
static bool described(const json_t *o)
{
	json_int_t number = json_integer_value(json_object_get(o, "number"));
	const char *name = json_string_value(json_object_get(o, "name"));

	return name && *name && number > 0 && number <= UINT_MAX &&
	       json_is_string(json_object_get(o, "file")) &&
	       json_integer_value(json_object_get(o, "steps")) >= 0 &&
	       json_integer_value(json_object_get(o, "overlays")) <= OVERLAYS;
}

static int read_run_json(struct weft_run *r, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(r->dir, "run.json"), *text = NULL;
	json_error_t je;
	size_t n;

	if (!path)
		return weft_err_nomem(err);
	if (weft_read_file(path, RUN_JSON_MAX, &text, &n, err))
		return -1;
	json_t *o = json_loadb(text, n, 0, &je);
	if (!json_is_object(o) ||
		json_integer_value(json_object_get(o, "format")) != 2) {
		json_decref(o);
		weft_err_set(err, WEFT_ESPEC, "not a run of this version of weft: %s",
			o ? "unknown format" : je.text);
		return weft_err_at(err, path, (struct weft_pos){0}, NULL);
	}
	if (!described(o)) {
		json_decref(o);
		weft_err_set(err, WEFT_ESPEC,
			"damaged: name, number or file of the run is missing");
		return weft_err_at(err, path, (struct weft_pos){0}, NULL);
	}
	r->name = copy_text(o, "name");
	r->number = (unsigned)json_integer_value(json_object_get(o, "number"));
	r->file = copy_text(o, "file");
	r->workdir = copy_text(o, "workdir");
	r->user = copy_text(o, "user");
	r->version = copy_text(o, "version");
	r->local = json_is_true(json_object_get(o, "local"));
	r->created = json_number_value(json_object_get(o, "created"));
	r->n_steps = (size_t)json_integer_value(json_object_get(o, "steps"));
	r->id = r->name ? weft_printf("%s/%u", r->name, r->number) : NULL;
	r->revision = (unsigned)json_integer_value(json_object_get(o, "revision"));
	r->files = r->revision ? weft_printf("%s/revisions/%u", r->dir, r->revision)
			       : strdup(r->dir);
	int bad = !r->files || !r->name || !r->file || !r->workdir || !r->user ||
		  !r->version || !r->id || read_overlays_and_sets(r, o) ||
		  read_sums(r, o);
	json_decref(o);
	return bad ? weft_err_nomem(err) : 0;
}

int weft_run_open(const char *dir, const char *parent, struct weft_run **run,
	struct weft_err *err)
{
	weft_autofree char *cwd = getcwd(NULL, 0);
	weft_autofree char *here = weft_path_absolute(cwd ? cwd : "/", dir);
	weft_autofree char *top =
		parent ? weft_path_absolute(cwd ? cwd : "/", parent) : NULL;
	weft_autofree char *below = top ? weft_path_absolute(top, dir) : NULL;

	*run = NULL;
	if (!here)
		return weft_err_nomem(err);
	char *found = resolve(here);
	if (!found && below)
		found = resolve(below);
	if (!found) {
		weft_err_set(err, WEFT_EUSAGE, "no run '%s'%s%s", dir,
			parent ? " here or in " : "", parent ? parent : "");
		return weft_err_hint(err,
			"name a run directory (weft-runs/NAME/N), or NAME for "
			"the latest run of that workflow");
	}
	struct weft_run *r = calloc(1, sizeof(*r));
	if (!r) {
		free(found);
		return weft_err_nomem(err);
	}
	r->dir = found;
	if (read_run_json(r, err)) {
		weft_run_free(r);
		return -1;
	}
	*run = r;
	return 0;
}

void weft_run_free(struct weft_run *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_set; i++)
		free(r->set[i]);
	for (size_t i = 0; i < r->n_overlay; i++)
		free(r->overlay[i]);
	free(r->set);
	free(r->overlay);
	free(r->dir);
	free(r->id);
	free(r->name);
	free(r->file);
	free(r->workdir);
	free(r->files);
	free(r->user);
	free(r->version);
	free(r->sum);
	free(r);
}

int weft_run_workflow(
	const struct weft_run *run, struct weft_workflow **wf, struct weft_errs *errs)
{
	struct weft_err err = {0};
	weft_autofree char *path = weft_path_join(run->files, "workflow.yaml"),
			   *text = NULL;
	size_t n;
	struct weft_spec_options opt = {.dir = run->workdir,
		.set = (const char *const *)run->set,
		.n_set = run->n_set,
		.overlay = (const char *const *)run->overlay,
		.n_overlay = run->n_overlay};
	weft_autofree char *points = weft_path_join(run->files, "points");

	*wf = NULL;
	opt.points = points;
	if (!path || !points) {
		weft_err_nomem(&err);
	} else if (read_unchanged(
			   run, SUM_WORKFLOW, path, SOURCE_MAX, &text, &n, &err) == 0) {
		for (size_t i = 0; !err.code && i < run->n_overlay; i++) {
			weft_autofree char *over = NULL;
			size_t len;

			read_unchanged(run, SUM_OVERLAY + i, run->overlay[i],
				SOURCE_MAX, &over, &len, &err);
		}
	}
	if (err.code) {
		weft_errs_add(errs, &err);
		return -1;
	}
	if (weft_spec_parse(run->file, text, n, &opt, wf, errs))
		return -1;
	if (weft_run_grow(run, *wf, &err) == 0)
		return 0;
	weft_errs_add(errs, &err);
	weft_spec_free(*wf);
	*wf = NULL;
	return -1;
}

int weft_run_plan_text(
	const struct weft_run *run, char **text, size_t *n, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(run->files, "plan.json");

	*text = NULL;
	return path ? read_unchanged(run, SUM_PLAN, path, PLAN_MAX, text, n, err)
		    : weft_err_nomem(err);
}

char *weft_run_step_dir(const struct weft_run *run, const struct weft_step *step,
	const struct weft_member *member)
{
	char shard[16] = "";

	if (run->n_steps > SHARD)
		snprintf(shard, sizeof(shard), "%03u/", step->index / SHARD);
	char round[32] = "";

	if (!member || step->sweep.kind == WEFT_SWEEP_NONE)
		return weft_printf("%s/steps/%s%s", run->dir, shard, step->name);
	if (step->sweep.round && step->sweep.most / step->sweep.round > SHARD)
		snprintf(round, sizeof(round), "/%zuk/r%zu", member->round / SHARD,
			member->round);
	else if (step->sweep.round)
		snprintf(round, sizeof(round), "/r%zu", member->round);
	if (step->sweep.kind == WEFT_SWEEP_ROUNDS)
		return weft_printf(
			"%s/steps/%s%s%s", run->dir, shard, step->name, round);
	if (member->count <= SHARD)
		return weft_printf("%s/steps/%s%s%s/%s", run->dir, shard, step->name,
			round, member->id);
	/* 256 folders; two levels of them where one would hold too many. */
	if (member->count <= SHARD * 200)
		return weft_printf("%s/steps/%s%s%s/%.2s/%s", run->dir, shard,
			step->name, round, member->id, member->id);
	return weft_printf("%s/steps/%s%s%s/%.2s/%.2s/%s", run->dir, shard, step->name,
		round, member->id, member->id + 2, member->id);
}

int weft_run_stop(const struct weft_run *run, const char *reason, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(run->dir, "stop");

	return path ? weft_write_file(path, reason, strlen(reason), 0644, err)
		    : weft_err_nomem(err);
}

int weft_run_unstop(const struct weft_run *run, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(run->dir, "stop");

	if (!path)
		return weft_err_nomem(err);
	return unlink(path) && errno != ENOENT
		       ? weft_err_sys(err, WEFT_ESYS, "%s", path)
		       : 0;
}

int weft_run_stopped(const struct weft_run *run, char **reason)
{
	weft_autofree char *path = weft_path_join(run->dir, "stop");
	char *text = NULL;

	*reason = NULL;
	if (!path || access(path, F_OK))
		return 1;
	/* A marker that can't be read stops all the same. */
	if (weft_read_file(path, 65536, &text, NULL, NULL))
		text = strdup("stopped");
	*reason = text;
	return 0;
}
