/* bcast_there.c - a node that has the copy already, as its record says */
#include "stage/bcast.h"
#include "stage/manifest.h"

#include <string.h>

int bcast_entry_digest(unsigned char sum[WEFT_DIGEST_BYTES], char type,
	const char *path, const struct stage_id *of)
{
	struct weft_hasher *h = weft_hasher_new();
	unsigned char fixed[49];
	const uint64_t v[6] = {of->ino, of->size, (uint64_t)of->mtime.tv_sec,
		(uint64_t)of->mtime.tv_nsec, (uint64_t)of->ctime.tv_sec,
		(uint64_t)of->ctime.tv_nsec};

	if (!h)
		return -1;
	fixed[0] = (unsigned char)type;
	for (size_t i = 0; i < WEFT_COUNT(v); i++)
		bcast_put64(fixed + 1 + 8 * i, v[i]);
	weft_hasher_add(h, fixed, sizeof(fixed));
	weft_hasher_add(h, path, strlen(path));
	weft_hasher_take(h, sum);
	weft_hasher_free(h);
	return 0;
}

void bcast_identity_add(struct bcast_identity *id, char type, const char *path,
	const struct stage_id *of)
{
	unsigned char sum[WEFT_DIGEST_BYTES];

	if (bcast_entry_digest(sum, type, path, of))
		return; /* then it is as no other */
	/* A sum: the record has another order than the source. */
	id->sum[0] += bcast_get64(sum);
	id->sum[1] += bcast_get64(sum + 8);
}

void bcast_identity_write(const struct bcast_identity *id, unsigned char *at)
{
	bcast_put64(at, id->sum[0]);
	bcast_put64(at + 8, id->sum[1]);
}

static bool is_of(const struct stage_manifest *m, const struct bcast_identity *id)
{
	struct bcast_identity is = {{0, 0}};
	const char *dir = "";

	for (size_t i = 0; i < m->n; i++) {
		const struct stage_line *l = &m->line[i];
		weft_autofree char *path = NULL;

		if (l->type == 'd')
			dir = l->name;
		/* A single file's own name is nothing. */
		path = m->line->type != 'd' ? strdup("")
		       : l->type == 'd'     ? strdup(dir)
		       : *dir               ? weft_path_join(dir, l->name)
					    : strdup(l->name);
		if (!path)
			return false;
		bcast_identity_add(&is, l->type, path, &l->src);
	}
	return is.sum[0] == id->sum[0] && is.sum[1] == id->sum[1];
}

bool bcast_is_there(const struct stage_target *t, const struct bcast_identity *id,
	struct weft_stage_report *report)
{
	struct stage_manifest *m = stage_manifest_read(t->fd, t->name);
	struct weft_stage_report seen = {0};
	bool there = m && m->n && is_of(m, id) &&
		     stage_manifest_copy_holds(m, t->fd, t->name, &seen);

	if (there) {
		*report = seen;
		stage_manifest_hash(m, report->hash);
	}
	stage_manifest_free(m);
	return there;
}
