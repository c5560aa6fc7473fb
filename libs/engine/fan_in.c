/* fan_in.c - the outputs of a sweep's members as one input: a folder, a subfolder a
 * member, and index.jsonl that says which is which */
#include "engine/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHARD 1000 /* entries a folder may hold */

/* Where a member's output lies, below the input's folder. */
static char *place_in(const struct unit_input *in, const struct unit_source *s)
{
	weft_autofree char *sub = in->n_sources > SHARD
					  ? weft_printf("%.2s/%s", s->id, s->id)
					  : strdup(s->id);

	if (!sub || s->folder)
		return weft_steal(&sub);
	return weft_path_join(sub, strrchr(s->path, '/') + 1);
}

static int add_line(struct weft_str *index, const struct unit_source *s, char *rel)
{
	struct weft_value path = {.kind = WEFT_V_STRING, .str = rel};

	weft_str_printf(
		index, "{\"id\":\"%s\",\"params\":%s,\"path\":", s->id, s->params);
	if (weft_value_json(index, &path))
		return -1;
	weft_str_add(index, "}\n");
	return index->failed ? -1 : 0;
}

/* The folders on the way to rel, below top, which is new and ours. */
static int make_way(int top, const char *rel)
{
	weft_autofree char *way = strdup(rel);

	if (!way) {
		errno = ENOMEM;
		return -1;
	}
	for (char *slash = way; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		if (mkdirat(top, way, 0777) != 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/* A name each, and nothing is opened or looked at: of the source its record has told
 * all. */
static int link_one(struct unit *u, int top, const struct unit_source *s,
	const char *rel, struct weft_err *err)
{
	int rc = symlinkat(s->path, top, rel);

	if (rc != 0 && errno == ENOENT)
		rc = make_way(top, rel) == 0 ? symlinkat(s->path, top, rel) : -1;
	if (rc != 0)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", rel);
	u->record.staged_in += s->bytes;
	return 0;
}

static int copy_one(struct unit *u, const struct unit_input *in,
	const struct unit_source *s, const char *rel, struct weft_err *err)
{
	weft_autofree char *dst = weft_path_join(in->path, rel);
	weft_autofree char *up =
		dst ? strndup(dst, (size_t)(strrchr(dst, '/') - dst)) : NULL;

	if (!up)
		return weft_err_nomem(err);
	return weft_mkdirs(up, 0777, err) || input_put(u, in, s, dst, err) ? -1 : 0;
}

int fan_in_stage(struct unit *u, const struct unit_input *in, struct weft_err *err)
{
	weft_autoclose int top =
		open(in->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	weft_autofree char *file = weft_path_join(in->path, "index.jsonl");
	bool links = input_how(in) == WEFT_STAGE_LINK;
	weft_autostr struct weft_str index = {0};

	if (top < 0)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", in->path);
	for (size_t i = 0; i < in->n_sources; i++) {
		const struct unit_source *s = &in->source[i];
		weft_autofree char *rel = place_in(in, s);

		if (!rel || add_line(&index, s, rel))
			return weft_err_nomem(err);
		if (links ? link_one(u, top, s, rel, err)
			  : copy_one(u, in, s, rel, err))
			return weft_err_prefix(err, "input '%s'", in->def->name);
	}
	if (!file || index.failed)
		return weft_err_nomem(err);
	return weft_write_file_sync(
		file, index.s, index.len, 0644, WEFT_SYNC_NONE, err);
}
