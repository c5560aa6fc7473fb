/* big.c - a large file, cut into chunks that several threads take */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A matter of the size alone, so that the same data always has the same hash. */
uint64_t stage_chunk_of(uint64_t size)
{
	return size <= (uint64_t)1 << 30   ? STAGE_CHUNK
	       : size <= (uint64_t)8 << 30 ? 2 * STAGE_CHUNK
					   : 4 * STAGE_CHUNK;
}

static void cut(struct stage_file *f)
{
	uint64_t size = (uint64_t)f->st.st_size;

	f->chunk = stage_chunk_of(size);
	f->n_chunks = (size + f->chunk - 1) / f->chunk;
	f->next = 0;
	f->left = f->n_chunks;
}

void stage_big_free(struct stage_file *f)
{
	weft_closep(&f->in);
	weft_closep(&f->out);
	free(f->sum);
	free((char *)f->name);
	free(f);
}

int stage_big_add(struct stage_worker *w, const struct stage_file *f)
{
	struct stage_file *big = malloc(sizeof(*big));

	if (big) {
		*big = *f;
		big->in = big->out = -1;
		big->sum = NULL;
		big->name = strdup(f->name);
		big->to = f->to == f->name ? big->name : f->to;
		cut(big);
	}
	if (!big || !big->name) {
		free(big);
		return weft_err_nomem(&w->err);
	}
	/* It is made once its turn comes, when its folder may be closed. */
	big->dir->later = true;
	if (stage_pool_add_big(w, big) != 0) {
		stage_big_free(big);
		return -1;
	}
	return 0;
}

/* Its folders are opened anew: between, nothing is held open. */
static int open_dirs(struct stage_worker *w, struct stage_file *f)
{
	weft_autostr struct weft_str path = {0};

	f->from = f->into = -1;
	if (!w->job->tree) {
		f->from = w->job->in == AT_FDCWD ? AT_FDCWD : dup(w->job->in);
		f->into = w->job->read_only ? -1 : dup(w->job->out);
		return 0;
	}
	stage_folder_path(f->dir, &path);
	if (path.failed)
		return weft_err_nomem(&w->err);
	f->from = stage_open_beneath(w->job->in, path.s, O_PATH | O_DIRECTORY);
	if (f->from < 0)
		return stage_sys(w, "reading", f->dir, NULL);
	if (!w->job->read_only) {
		f->into = stage_open_beneath(w->job->out, path.s, O_PATH | O_DIRECTORY);
		if (f->into < 0)
			return stage_sys(w, "copying", f->dir, NULL);
	}
	return 0;
}

static int big_done(struct stage_worker *w, struct stage_file *f);

/* 0: its chunks can be taken; 1: it is done already, and freed; -1. */
int stage_big_open(struct stage_worker *w, struct stage_file *f)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat now;
	int rc = open_dirs(w, f);

	if (rc == 0) {
		f->in = openat(f->from, f->name, flags | (f->follow ? 0 : O_NOFOLLOW));
		if (f->in < 0 || fstat(f->in, &now) != 0)
			rc = stage_sys(w, "reading", f->dir, f->name);
		else if (!stage_same(&f->st, &now))
			rc = stage_changed(w, f->dir, f->name);
	}
	if (rc == 0) {
		f->sum = calloc(f->n_chunks, sizeof(*f->sum));
		if (!f->sum)
			rc = weft_err_nomem(&w->err);
	}
	if (rc == 0) {
		stage_holes(f);
		if (!w->job->read_only)
			rc = stage_create(w, f);
	}
	if (f->from >= 0)
		close(f->from);
	if (f->into >= 0)
		close(f->into);
	if (rc == 0 && f->out >= 0 && !f->part) {
		rc = stage_clone(w, f);
		if (rc == 0)
			rc = stage_server_copy(w, f);
		if (rc == 1) {
			w->job->bytes += (uint64_t)f->st.st_size;
			free(weft_steal(&f->sum));
			return big_done(w, f) == 0 ? 1 : -1;
		}
	}
	if (rc == 0 && f->out >= 0) {
		w->job->streamed++;
		rc = stage_reserve(w, f);
	}
	if (rc != 0)
		stage_big_free(f);
	return rc;
}

static int again(struct stage_worker *w, struct stage_file *f)
{
	uint64_t size = (uint64_t)f->st.st_size;
	int rc;

	if (f->again || fstat(f->in, &f->st) != 0 ||
		(uint64_t)f->st.st_size <= STAGE_CHUNK) {
		rc = stage_changed(w, f->dir, f->name);
		stage_big_free(f);
		return rc;
	}
	w->job->retries++;
	w->job->bytes -= size;
	f->again = true;
	if (f->entry)
		f->entry->src = stage_id_of(&f->st);
	weft_closep(&f->in);
	if (f->out >= 0 && ftruncate(f->out, 0) != 0) {
		rc = stage_sys(w, "copying", f->dir, f->name);
		stage_big_free(f);
		return rc;
	}
	weft_closep(&f->out);
	free(weft_steal(&f->sum));
	cut(f);
	rc = stage_pool_add_big(w, f);
	if (rc != 0)
		stage_big_free(f);
	return rc;
}

/* All chunks are done. */
static int big_done(struct stage_worker *w, struct stage_file *f)
{
	struct stage_entry *e = f->entry;
	int rc = stage_file_end(w, f);

	if (rc == 1)
		return again(w, f);
	if (rc == 0 && e && f->sum) {
		weft_digest_bytes(f->sum, f->n_chunks * sizeof(*f->sum), e->sum.b);
		e->sum.known = true;
		e->n_chunks = f->n_chunks;
		e->chunk = weft_arena_alloc(&w->arena, f->n_chunks * sizeof(*f->sum));
		if (e->chunk)
			memcpy(e->chunk, f->sum, f->n_chunks * sizeof(*f->sum));
		else
			rc = weft_err_nomem(&w->err);
	}
	if (rc == 0 && f->out >= 0) {
		int fd = f->out;

		f->out = -1;
		if (stage_put_away(w->job, fd) != 0)
			rc = stage_sys(w, "copying", f->dir, f->name);
	}
	stage_big_free(f);
	return rc;
}

/* How much of a chunk a killed call has noted and still has this hash, which is then in
 * the hasher. */
static off_t what_is_there(
	struct stage_worker *w, struct stage_file *f, uint64_t i, off_t off, off_t end)
{
	uint64_t len = 0;
	const unsigned char *noted =
		f->part && !f->again ? stage_resume_find(w, f, (int64_t)i, &len) : NULL;
	struct stage_file old = {
		.dir = f->dir, .name = f->name, .in = f->out, .out = -1};
	unsigned char sum[WEFT_DIGEST_BYTES];

	if (!noted || len > (uint64_t)(end - off))
		return 0;
	if (stage_data(w, &old, off, off + (off_t)len) != 0)
		weft_err_clear(&w->err);
	weft_hasher_peek(w->hasher, sum);
	if (memcmp(noted, sum, sizeof(sum)) == 0)
		return (off_t)len;
	weft_hasher_take(w->hasher, sum); /* begins anew */
	return 0;
}

/* Piece by piece, so that little is lost by a kill. */
static int copy_pieces(
	struct stage_worker *w, struct stage_file *f, uint64_t i, off_t off, off_t end)
{
	off_t start = (off_t)(i * f->chunk), to;
	off_t step = (off_t)f->piece > STAGE_NOTE ? (off_t)f->piece : STAGE_NOTE;
	unsigned char sum[WEFT_DIGEST_BYTES];
	int rc = 0;

	for (; off < end && rc == 0; off = to) {
		to = end - off > step ? off + step : end;
		rc = stage_data(w, f, off, to);
		if (rc == 0 && f->out >= 0 && w->job->resume) {
			weft_hasher_peek(w->hasher, sum);
			stage_resume_note(
				w, f, (int64_t)i, (uint64_t)(to - start), sum);
		}
	}
	/* Cut short: what is missing is told by the check in the end. */
	return rc == 1 ? 0 : rc;
}

int stage_big_chunk(struct stage_worker *w, struct stage_file *f, uint64_t i)
{
	off_t off = (off_t)(i * f->chunk), end = off + (off_t)f->chunk, there;
	int rc;

	if (end > f->st.st_size)
		end = f->st.st_size;
	weft_hasher_take(w->hasher, f->sum[i]); /* begins anew */
	there = what_is_there(w, f, i, off, end);
	w->job->resumed += (uint64_t)there;
	rc = copy_pieces(w, f, i, off + there, end);
	weft_hasher_take(w->hasher, f->sum[i]);
	if (rc == 0 && f->out >= 0 && w->job->opt->durable != WEFT_STAGE_NONE)
		(void)!sync_file_range(f->out, off, end - off, SYNC_FILE_RANGE_WRITE);
	w->job->bytes += (uint64_t)(end - off);
	if (atomic_fetch_sub(&f->left, 1) != 1)
		return rc;
	if (rc != 0 || w->job->failed) {
		stage_big_free(f);
		return rc;
	}
	return big_done(w, f);
}
