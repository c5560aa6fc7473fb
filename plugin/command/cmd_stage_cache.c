/* cmd_stage_cache.c - weft stage ls, gc and verify: of this node's cache */
#include "cmd_stage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"

/* One that is there: this only looks. */
static int open_dir(struct stage_args *a, struct weft_err *err)
{
	const struct weft_stage_limits limits = {
		a->conf->node_cache_bytes, a->conf->node_cache_files};
	weft_autofree char *cwd = getcwd(NULL, 0);
	weft_autofree char *dir = weft_path_absolute(cwd ? cwd : "/", a->dir);
	weft_autofree char *inner = dir ? weft_path_join(dir, "e") : NULL;

	if (!inner)
		return weft_err_nomem(err);
	if (access(inner, F_OK) == 0)
		return weft_stage_cache_open(dir, &limits, &a->node, err);
	weft_err_set(err, WEFT_ESTAGE, "%s is no cache", a->dir);
	return weft_err_hint(err,
		"a node's is weft-UID/cache below scratch of weft.conf, that of a job "
		"weft/JOBID/cache below memory");
}

int stage_open_conf(struct stage_args *a, bool cache)
{
	struct weft_err err = {0};
	int rc = weft_conf_load(NULL, false, &a->conf, &err);

	if (rc == 0 && cache && a->dir) {
		rc = open_dir(a, &err);
	} else if (rc == 0 && cache) {
		rc = weft_engine_node_cache(a->conf, &a->node, &err);
		if (rc == 1) {
			weft_err_set(&err, WEFT_ESTAGE, "nodes have no cache here");
			weft_err_hint(&err, "node_cache = no in weft.conf");
		}
	}
	if (rc == 0 && cache)
		a->check |= a->conf->node_cache == WEFT_NODE_CACHE_CHECK;
	return rc == 0 ? 0 : stage_fail(a, &err);
}

struct list {
	struct stage_args *a;
	json_t *all;
	struct weft_str out;
	uint64_t n, bytes;
	struct weft_argv path, key;
	bool failed;
};

static const char *use_of(const struct weft_stage_cached *e)
{
	return e->leased ? "held" : e->linked ? "in use" : "";
}

static int list_one(void *ctx, const struct weft_stage_cached *e)
{
	struct list *l = ctx;
	char size[WEFT_UNIT_MAX], when[32] = "";
	time_t t = (time_t)e->used;
	struct tm tm;

	l->n++;
	l->bytes += e->bytes;
	if (l->a->json) {
		json_t *one = json_pack(
			"{s:s%, s:s, s:o, s:o, s:I, s:I, s:f, s:b, s:b}", "hash",
			e->key, strcspn(e->key, "."), "key", e->key, "path",
			weft_report_json_text(e->path), "source",
			weft_report_json_text(e->source), "bytes", (json_int_t)e->bytes,
			"files", (json_int_t)e->files, "used", e->used, "leased",
			e->leased, "linked", e->linked);

		if (!one || json_array_append_new(l->all, one))
			l->failed = true;
		return l->failed;
	}
	weft_format_size(size, e->bytes);
	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	weft_str_printf(&l->out, "%-41s %8s %8llu  %s  %-6s  ", e->key, size,
		(unsigned long long)e->files, when, use_of(e));
	weft_report_text(&l->out, e->source);
	weft_str_addc(&l->out, '\n');
	return 0;
}

int stage_ls(struct stage_args *a)
{
	struct list l = {.a = a, .all = a->json ? json_array() : NULL};
	int status = stage_open_conf(a, true);
	char size[WEFT_UNIT_MAX];
	struct weft_err err = {0};

	if (status == 0 && weft_stage_cache_each(a->node, list_one, &l, &err) != 0)
		status = stage_fail(a, &err);
	if (status == 0 && l.failed) {
		weft_err_nomem(&err);
		status = stage_fail(a, &err);
	}
	if (status) {
		json_decref(l.all);
		weft_str_free(&l.out);
		return status;
	}
	if (a->json)
		return stage_print_json(l.all);
	weft_format_size(size, l.bytes);
	if (!a->quiet)
		weft_str_printf(
			&l.out, "%llu entries, %s\n", (unsigned long long)l.n, size);
	return cmd_print(&l.out);
}

int stage_trim(struct stage_args *a)
{
	int status = stage_open_conf(a, true);
	struct weft_str out = {0};
	char size[WEFT_UNIT_MAX];
	struct weft_err err = {0};
	uint64_t n, bytes;

	if (status)
		return status;
	if (weft_stage_cache_trim(a->node, a->all, &n, &bytes, &err) != 0)
		return stage_fail(a, &err);
	if (a->json)
		return stage_print_json(json_pack("{s:I, s:I}", "removed",
			(json_int_t)n, "bytes", (json_int_t)bytes));
	if (a->quiet)
		return 0;
	weft_format_size(size, bytes);
	weft_str_printf(&out, "the node's cache: %llu entries removed, %s\n",
		(unsigned long long)n, size);
	return cmd_print(&out);
}

static int collect(void *ctx, const struct weft_stage_cached *e)
{
	struct list *l = ctx;

	weft_argv_add(&l->path, e->path);
	weft_argv_add(&l->key, e->key);
	return 0;
}

/* What isn't as it came goes, so that nobody is given it. */
int stage_verify_cache(struct stage_args *a)
{
	int worst = stage_open_conf(a, true);
	struct list l = {.a = a};
	struct weft_err err = {0};

	if (worst)
		return worst;
	if (weft_stage_cache_each(a->node, collect, &l, &err) != 0)
		worst = stage_fail(a, &err);
	for (size_t i = 0; i < l.key.n && !*a->opt.stop; i++) {
		int status = stage_verify_one(a, l.path.v[i]);

		if (status == WEFT_ESTAGE)
			(void)!weft_stage_cache_drop(a->node, l.key.v[i], NULL);
		worst = status > worst ? status : worst;
	}
	weft_argv_free(&l.path);
	weft_argv_free(&l.key);
	return worst;
}
