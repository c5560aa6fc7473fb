/* space.c - do all of a member's inputs fit on its node?  Each copy looks for itself;
 * here they are taken together, before the first one. */
#include "engine/unit.h"

#include <errno.h>
#include <stdlib.h>

struct held {
	uint64_t bytes, files;
};

static int add(void *ctx, const struct weft_stage_cached *e)
{
	struct held *h = ctx;

	h->bytes += e->bytes;
	h->files += e->files;
	return 0;
}

/* What goes there; links take nothing. */
static int needed(const struct unit *u, enum weft_scratch where, uint64_t *bytes,
	uint64_t *files, struct weft_err *err)
{
	*bytes = *files = 0;
	for (size_t i = 0; i < u->n_inputs; i++) {
		const struct unit_input *in = &u->input[i];

		if (in->def->to != where || in->def->mode == WEFT_MODE_LINK)
			continue;
		for (size_t k = 0; k < in->n_sources; k++) {
			uint64_t b, f;

			if (weft_stage_measure(in->source[k].path, &b, &f, err))
				return -1;
			*bytes += b;
			*files += f + in->fan_in;
		}
	}
	return 0;
}

/* What lies in memory is the job's as much as what its programs take: they would be
 * killed for it. */
static int check_memory(struct unit *u, struct weft_err *err)
{
	char a[WEFT_UNIT_MAX], b[WEFT_UNIT_MAX];
	struct weft_stage_cache *cache = cache_of(u, WEFT_SCRATCH_MEMORY);
	struct held held = {0};
	uint64_t bytes, files, mem = u->plan->mem;

	if (!mem || !getenv("SLURM_JOB_ID"))
		return 0; /* nobody keeps to it */
	if (needed(u, WEFT_SCRATCH_MEMORY, &bytes, &files, err) ||
		(cache && weft_stage_cache_each(cache, add, &held, err)))
		return -1;
	if (bytes <= mem + held.bytes)
		return 0;
	weft_err_set(err, WEFT_ESTAGE,
		"the inputs in memory are %s, and the step has %s of it on a node",
		weft_format_size(a, bytes), weft_format_size(b, mem));
	return weft_err_hint(err, "they count as its memory: ask for more (mem), or "
				  "stage them `to: node`");
}

static int check(
	struct unit *u, enum weft_scratch where, const char *root, struct weft_err *err)
{
	char a[WEFT_UNIT_MAX], b[WEFT_UNIT_MAX];
	uint64_t bytes, files, left, inodes;
	struct weft_stage_cache *cache;
	struct held held = {0};

	if (needed(u, where, &bytes, &files, err) ||
		weft_stage_space(root, &left, &inodes, err))
		return -1;
	if (bytes <= left && (!inodes || files <= inodes))
		return 0;
	/* What the cache has of it is there, and the rest of the cache can go. */
	cache = cache_of(u, where);
	if (cache && weft_stage_cache_each(cache, add, &held, err))
		return -1;
	left += held.bytes;
	inodes += inodes ? held.files : 0;
	if (bytes > left) {
		weft_err_set(err, WEFT_ESTAGE,
			"no space for the inputs in %s: %s needed, %s left", root,
			weft_format_size(a, bytes), weft_format_size(b, left));
		weft_err_hint(err, "%s is missing", weft_format_size(a, bytes - left));
	} else if (inodes && files > inodes) {
		weft_err_set(err, WEFT_ESTAGE,
			"no space for the inputs in %s: %ju inodes needed, %ju left",
			root, (uintmax_t)files, (uintmax_t)inodes);
		weft_err_hint(err, "%ju are missing", (uintmax_t)(files - inodes));
	} else {
		return 0;
	}
	if (err)
		err->sys = ENOSPC;
	return -1;
}

int space_check(struct unit *u, struct weft_err *err)
{
	if (u->node_root && check(u, WEFT_SCRATCH_NODE, u->node_root, err))
		return -1;
	if (!u->memory_root)
		return 0;
	return check_memory(u, err) ||
			       check(u, WEFT_SCRATCH_MEMORY, u->memory_root, err)
		       ? -1
		       : 0;
}
