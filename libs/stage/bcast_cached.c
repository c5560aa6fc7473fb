/* bcast_cached.c - what is broadcast, read from this node's cache
 *
 * Names and attributes come from the source, each file's data from the cache's entry
 * while both are what they were when it was brought; and in the end the data has the
 * hash that the entry's record has. */
#include "stage/bcast.h"
#include "stage/cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bcast_cached {
	struct weft_stage_cache *cache;
	struct cache_entry entry;
	int top;             /* the entry's folder, or that of a single file's */
	struct weft_map map; /* path below the top -> line */
	struct weft_arena arena;
};

/* The lines of both records are the same names: their data has the same hash. */
static int index_lines(struct bcast_cached *c)
{
	const struct stage_manifest *m = c->entry.m, *source = c->entry.source;
	const char *dir = "";
	size_t found;

	if (m->n != source->n)
		return -1;
	for (size_t i = 0; i < m->n; i++) {
		const struct stage_line *l = &m->line[i];
		const char *path = m->line->type == 'd' ? l->name : "";

		if (l->type != source->line[i].type ||
			(m->line->type == 'd' &&
				!weft_streq(l->name, source->line[i].name)))
			return -1;
		if (l->type == 'd')
			dir = l->name;
		else if (*dir)
			path = weft_arena_printf(&c->arena, "%s/%s", dir, l->name);
		if (l->type == 'f' &&
			(!path || weft_map_add(&c->map, path, i, &found) < 0))
			return -1;
	}
	return 0;
}

int bcast_cached_open(struct bcast_cached **out, const char *src, const char *dir,
	const struct weft_stage_limits *limits, bool check,
	const volatile sig_atomic_t *stop)
{
	struct bcast_cached *c = calloc(1, sizeof(*c));
	weft_autoerr struct weft_err err = {0};
	int rc = 1;

	*out = NULL;
	if (!c)
		return 1;
	c->top = c->entry.lease = -1;
	if (weft_stage_cache_open(dir, limits, &c->cache, &err) == 0)
		rc = cache_find(c->cache, src, check, stop, &c->entry, &err);
	if (rc == 0 && index_lines(c) == 0) {
		bool single = c->entry.m->line->type != 'd';

		c->top = openat(c->cache->e, single ? "." : c->entry.key,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (err.code)
		weft_log(WEFT_WARN, "the node's cache: %s", err.text);
	if (c->top < 0) {
		bcast_cached_close(c, false);
		return 1;
	}
	*out = c;
	return 0;
}

void bcast_cached_close(struct bcast_cached *c, bool damaged)
{
	if (!c)
		return;
	weft_closep(&c->top);
	cache_entry_close(&c->entry);
	if (damaged)
		(void)!weft_stage_cache_drop(c->cache, c->entry.key, NULL);
	weft_stage_cache_close(c->cache);
	weft_map_free(&c->map);
	weft_arena_free(&c->arena);
	free(c);
}

/* An entry's ctime changes with each name that is given; a source's that was published
 * isn't noted. */
static bool is(const struct stage_id *id, const struct stat *st, bool ctime)
{
	struct stage_id now = stage_id_of(st);

	if (!ctime || (!id->ctime.tv_sec && !id->ctime.tv_nsec))
		now.ctime = id->ctime;
	return S_ISREG(st->st_mode) && stage_id_same(id, &now);
}

int bcast_cached_file(const struct bcast_cached *c, const char *path,
	const struct stat *source, struct stat *st)
{
	int fd;
	size_t i;

	if (!weft_map_get(&c->map, path, &i) ||
		!is(&c->entry.source->line[i].src, source, true))
		return -1;
	fd = stage_open_beneath(c->top, *path ? path : c->entry.key,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, st) == 0 && is(&c->entry.m->line[i].dst, st, false))
		return fd;
	weft_closep(&fd);
	return -1;
}

bool bcast_cached_was(const struct bcast_cached *c, const char *path,
	const unsigned char sum[WEFT_DIGEST_BYTES])
{
	size_t i;

	return weft_map_get(&c->map, path, &i) && c->entry.m->line[i].sum.known &&
	       memcmp(c->entry.m->line[i].sum.b, sum, WEFT_DIGEST_BYTES) == 0;
}
