/*
 * cache.c - the caches of this user on this node, and what staging has from them.
 *
 * On the node's disk it lies in the user's own folder, and stays when the job ends.  In
 * memory it would be taken from later jobs: so it lies in the job's folder there, which
 * the site's Epilog removes, and where there is none there is no such cache.
 *
 * What goes in is in the run directory already, or is the user's own file elsewhere: no
 * cache has the only copy of anything.  Nor does anything fail for want of one.
 */
#include "engine/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of many small sources each would cost more than its copy. */
#define MANY_BYTES (1 << 20)

/* Where it is on each node; NULL: there is none. */
static char *dir_of(const struct weft_conf *conf, enum weft_scratch where)
{
	const char *job = getenv("SLURM_JOB_ID");

	if (conf->node_cache == WEFT_NODE_CACHE_NO || where == WEFT_SCRATCH_SHARED)
		return NULL;
	if (where != WEFT_SCRATCH_MEMORY)
		return weft_printf(
			"%s/weft-%u/cache", conf->scratch, (unsigned)geteuid());
	return job ? weft_printf("%s/weft/%s/cache", conf->memory, job) : NULL;
}

char *cache_dir(
	const struct unit *u, enum weft_scratch where, struct weft_stage_limits *limits)
{
	*limits = (struct weft_stage_limits){
		u->e->conf->node_cache_bytes, u->e->conf->node_cache_files};
	return dir_of(u->e->conf, where);
}

static int open_cache(const struct weft_conf *conf, char *dir,
	struct weft_stage_cache **cache, struct weft_err *err)
{
	struct weft_stage_limits limits = {
		conf->node_cache_bytes, conf->node_cache_files};

	if (!dir)
		return weft_err_nomem(err);
	int r = weft_stage_cache_open(dir, &limits, cache, err);
	free(dir);
	return r;
}

int weft_engine_node_cache(const struct weft_conf *conf,
	struct weft_stage_cache **cache, struct weft_err *err)
{
	*cache = NULL;
	if (conf->node_cache == WEFT_NODE_CACHE_NO)
		return 1;
	return open_cache(conf, dir_of(conf, WEFT_SCRATCH_NODE), cache, err);
}

static void open_memory(struct unit *u, struct weft_err *err)
{
	const char *job = getenv("SLURM_JOB_ID");
	weft_autofree char *dir =
		job ? weft_printf("%s/weft/%s", u->e->conf->memory, job) : NULL;
	struct stat st;

	if (dir && lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
		st.st_uid == geteuid())
		(void)!open_cache(u->e->conf, dir_of(u->e->conf, WEFT_SCRATCH_MEMORY),
			&u->cache[1].cache, err);
}

struct weft_stage_cache *cache_of(struct unit *u, enum weft_scratch where)
{
	struct unit_cache *c = &u->cache[where == WEFT_SCRATCH_MEMORY];
	weft_autoerr struct weft_err err = {0};

	if (c->asked || where == WEFT_SCRATCH_SHARED ||
		u->e->conf->node_cache == WEFT_NODE_CACHE_NO)
		return c->cache;
	c->asked = true;
	if (where == WEFT_SCRATCH_MEMORY)
		open_memory(u, &err);
	else
		(void)!weft_engine_node_cache(u->e->conf, &c->cache, &err);
	if (err.code)
		weft_log(WEFT_WARN, "the node's cache: %s", err.text);
	return c->cache;
}

int cache_put(struct unit *u, const struct weft_input *in, const char *src,
	const char *dst, enum cache_ask ask, struct weft_stage_report *report)
{
	struct weft_stage_options opt = {.durable = WEFT_STAGE_DATA,
		.writable = in->mode == WEFT_MODE_COPY,
		.stop = u->e->stop};
	struct weft_stage_cache *cache = cache_of(u, in->to);
	weft_autoerr struct weft_err err = {0};
	unsigned flags = 0;
	struct stat st;

	if (!cache)
		return 1;
	if (ask == CACHE_ASK)
		flags |= WEFT_CACHE_PEEK;
	if (ask == CACHE_MANY && stat(src, &st) == 0 && S_ISREG(st.st_mode) &&
		st.st_size < MANY_BYTES)
		flags |= WEFT_CACHE_PEEK;
	if (u->e->conf->node_cache == WEFT_NODE_CACHE_CHECK)
		flags |= WEFT_CACHE_CHECK;
	/* What is wrong with the source its copy will say. */
	return weft_stage_cache_get(cache, src, dst, &opt, flags, report, &err) ? 1 : 0;
}

void cache_ahead(struct unit *u, const struct unit_input *in)
{
	const struct weft_stage_options opt = {.stop = u->e->stop};
	struct weft_stage_cache *cache;
	struct stat st;

	if (in->absent || in->def->mode == WEFT_MODE_LINK ||
		!(cache = cache_of(u, in->def->to)))
		return;
	for (size_t i = 0; i < in->n_sources && !(u->e->stop && *u->e->stop); i++) {
		weft_autoerr struct weft_err err = {0};
		const char *src = in->source[i].path;

		if (in->n_sources == 1 ||
			(stat(src, &st) == 0 && st.st_size >= MANY_BYTES))
			(void)!weft_stage_cache_get(
				cache, src, src, &opt, WEFT_CACHE_ONLY, NULL, &err);
	}
}

bool cache_wants(struct unit *u, const char *into)
{
	struct stat made, there;

	/* On one file system the published file is as near. */
	return u->step->scratch != WEFT_SCRATCH_SHARED && stat(u->work, &made) == 0 &&
	       stat(into, &there) == 0 && made.st_dev != there.st_dev &&
	       cache_of(u, u->step->scratch);
}

void cache_offer(
	struct unit *u, const char *made, const char *published, const char *record)
{
	weft_autoerr struct weft_err err = {0};

	if (weft_stage_cache_add(
		    cache_of(u, u->step->scratch), made, published, record, &err) < 0)
		weft_log(WEFT_WARN, "the node's cache: %s", err.text);
}

void cache_close(struct unit *u)
{
	for (size_t i = 0; i < WEFT_COUNT(u->cache); i++) {
		weft_stage_cache_close(u->cache[i].cache);
		u->cache[i] = (struct unit_cache){0};
	}
}
