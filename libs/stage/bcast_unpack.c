/* bcast_unpack.c - records become a file or tree beside its final name
 *
 * As in a copy: nothing outside the temporary is touched, which is this user's alone;
 * each name is one component, made anew in a folder that is held open, and no link is
 * followed.  The source is a process of the same user, and is believed no more than a
 * file would be: what a record says is checked before it is done.
 *
 * Here is what opens and frees it, and takes the records apart; what each does is in
 * bcast_unpack_folder.c, _file.c, _attr.c, _had.c and _end.c. */
#include "stage/bcast_unpack.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>

int bcast_unpack_new(struct bcast_unpack **out, const struct bcast_plan *plan,
	const struct weft_stage_options *opt, struct weft_stage_report *report,
	struct weft_err *err)
{
	struct bcast_unpack *u = calloc(1, sizeof(*u));
	struct stat st;

	*out = NULL;
	if (!u)
		return weft_err_nomem(err);
	u->opt = *opt;
	u->of = plan->top;
	u->cached = plan->cached;
	u->t.fd = u->t.lock = u->f.fd = -1;
	u->w.job = &u->job;
	u->src = strdup(plan->src);
	u->dst = strdup(plan->dst);
	u->cache = strdup(plan->cache);
	u->limits = plan->limits;
	u->w.hasher = weft_hasher_new();
	bcast_many_descriptors();
	if (!u->src || !u->dst || !u->cache || !u->w.hasher)
		weft_err_nomem(err);
	else if (stage_job_init(&u->job, &u->opt, u->src, err) == 0 &&
		 stage_target_open(&u->t, u->dst, err) == 0) {
		if (opt->manifest && bcast_is_there(&u->t, &plan->identity, report)) {
			bcast_unpack_free(u);
			return 0;
		}
		if (!opt->replace &&
			fstatat(u->t.fd, u->t.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			stage_target_taken(&u->t, err);
		} else if (unpack_open_part(u) == 0) {
			u->job.record = opt->manifest;
			/* There is no source here to look at again. */
			u->job.started.tv_sec = (time_t)1 << 40;
			*out = u;
			return 0;
		} else {
			weft_err_move(err, &u->job.err);
		}
	}
	bcast_unpack_free(u);
	return -1;
}

void bcast_unpack_free(struct bcast_unpack *u)
{
	if (!u)
		return;
	if (u->part && !(u->keep && u->job.resume))
		stage_target_remove(&u->t);
	for (size_t i = 0; i < u->had.n; i++)
		free(u->had_sum[i]);
	free(u->had_sum);
	bcast_had_free(&u->had);
	for (size_t i = 0; i < u->n_levels; i++) {
		weft_closep(&u->level[i].fd);
		unpack_xattrs_clear(&u->level[i].xattrs);
		weft_map_free(&u->level[i].said);
	}
	free(u->level);
	weft_closep(&u->f.fd);
	unpack_xattrs_clear(&u->f.xattrs);
	free(u->f.sum);
	free(u->first);
	if (u->job.pool)
		stage_job_free(&u->job);
	free(u->w.entry);
	weft_str_free(&u->w.note);
	weft_arena_free(&u->w.arena);
	weft_hasher_free(u->w.hasher);
	weft_err_clear(&u->w.err);
	stage_target_close(&u->t);
	free(u->src);
	free(u->dst);
	free(u->cache);
	free(u);
}

/* ---- records ----------------------------------------------------------------- */

int unpack_bad(struct bcast_unpack *u)
{
	return weft_err_set(&u->w.err, WEFT_ESTAGE,
		"%s: what came is not what a broadcast is made of", u->dst);
}

struct level *unpack_top(struct bcast_unpack *u)
{
	return &u->level[u->n_levels - 1];
}

/* A name of one component; only the top has none. */
char *unpack_name(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	bool is_top = !u->begun;

	if ((n == 0) != is_top || n > NAME_MAX || memchr(at, '/', n) ||
		memchr(at, '\0', n) || (n == 1 && *at == '.') ||
		(n == 2 && memcmp(at, "..", 2) == 0)) {
		unpack_bad(u);
		return NULL;
	}
	char *name = weft_arena_strndup(&u->job.arena, (const char *)at, n);
	if (!name)
		weft_err_nomem(&u->w.err);
	return name;
}

/* The source names those of several names once: it counts them as we do. */
static int note_first(
	struct bcast_unpack *u, const char *name, struct stage_entry *entry)
{
	if (weft_grow(u->first, u->n_first, u->cap_first))
		return weft_err_nomem(&u->w.err);
	u->first[u->n_first++] = (struct first){unpack_top(u)->dir, name, entry};
	return 0;
}

/* Those with several names are numbered where they come first. */
static int number(struct bcast_unpack *u, size_t before, const unsigned char *at)
{
	struct stat st;

	bcast_meta_read(at, &st);
	if (!u->job.tree || u->w.n_entries == before || st.st_nlink < 2)
		return 0;
	struct stage_entry *e = u->w.entry[u->w.n_entries - 1];
	return note_first(u, e->name, e);
}

static int record(
	struct bcast_unpack *u, unsigned kind, const unsigned char *at, size_t n)
{
	size_t before = u->w.n_entries;
	int r;

	if (u->ended)
		return unpack_bad(u);
	switch (kind) {
	case REC_FOLDER:
		return unpack_enter(u, at, n);
	case REC_UP:
		return unpack_leave(u);
	case REC_FILE:
		r = unpack_begin_file(u, at, n);
		return r ? r : number(u, before, at);
	case REC_XATTR:
		return unpack_add_xattr(u, at, n);
	case REC_BYTES:
		return unpack_add_bytes(u, at, n);
	case REC_HAD:
		return unpack_take_had(u, at, n);
	case REC_SUM:
		return unpack_check_sum(u, at, n);
	case REC_END:
		return unpack_end_file(u);
	case REC_LINK:
		r = unpack_make_link(u, at, n);
		return r ? r : number(u, before, at);
	case REC_SPECIAL:
		r = unpack_make_special(u, at, n);
		return r ? r : number(u, before, at);
	case REC_SAME:
		return unpack_make_same(u, at, n);
	case REC_ALL:
		return unpack_check_all(u, at, n);
	}
	return unpack_bad(u);
}

int bcast_unpack_piece(
	struct bcast_unpack *u, struct bcast_piece *p, struct weft_err *err)
{
	const unsigned char *at = bcast_data(p);
	size_t left = p->n;
	int r = p->no == u->next++ ? 0 : unpack_bad(u);

	while (r == 0 && left) {
		size_t n = left >= BCAST_RECORD ? bcast_get32(at + 1) : SIZE_MAX;

		if (left < BCAST_RECORD || n > left - BCAST_RECORD) {
			r = unpack_bad(u);
			break;
		}
		r = record(u, at[0], at + BCAST_RECORD, n);
		at += BCAST_RECORD + n;
		left -= BCAST_RECORD + n;
	}
	if (r == 0 && p->last != u->ended)
		r = unpack_bad(u);
	/* Not before it is known that nothing comes behind. */
	if (r == 0 && p->last)
		r = unpack_publish(u);
	if (r)
		weft_err_move(err, &u->w.err);
	return r;
}

bool bcast_unpack_is_quick(const struct bcast_unpack *u)
{
	struct statfs fs;

	return fstatfs(u->t.fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

void bcast_unpack_report(const struct bcast_unpack *u, struct weft_stage_report *r)
{
	*r = (struct weft_stage_report){.bytes = u->job.bytes + u->job.resumed,
		.moved = u->job.moved,
		.resumed = u->job.resumed,
		.files = u->job.files,
		.folders = u->job.n_folders,
		.owners = u->job.owners,
		.dropped = u->job.dropped,
		.strategy = "broadcast",
		.why = "several nodes"};
	memcpy(r->hash, u->hash, sizeof(r->hash));
}
