/* bcast_unpack_had.c - chunks of a single file that a killed broadcast has left, to go
 * on from, and their journal for the next one */
#include "stage/bcast_unpack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A single file's journal is kept, and gone on with.  -1. */
int unpack_open_part(struct bcast_unpack *u)
{
	bool single = S_ISREG(u->of.st_mode);

	stage_target_clean(&u->t, single ? &u->job : NULL, &u->of, &u->adopted);
	u->part = u->adopted;
	if (u->adopted || !single)
		return 0;
	return stage_resume_open(&u->job, u->t.fd, u->t.journal, &u->of, false);
}

static uint64_t chunk_end(uint64_t i, uint64_t chunk, uint64_t size)
{
	return (i + 1) * chunk < size ? (i + 1) * chunk : size;
}

/* [off, end) of the part has this hash. */
static bool reads_as(struct bcast_unpack *u, int fd, uint64_t off, uint64_t end,
	const unsigned char *want)
{
	weft_autofree char *buf = malloc(STAGE_BUFFER);
	unsigned char sum[WEFT_DIGEST_BYTES];
	ssize_t n = 1;

	for (; buf && off < end && n > 0; off += (uint64_t)n) {
		size_t left = end - off < STAGE_BUFFER ? end - off : STAGE_BUFFER;

		n = pread(fd, buf, left, (off_t)off);
		if (n > 0)
			weft_hasher_add(u->w.hasher, buf, (size_t)n);
	}
	weft_hasher_take(u->w.hasher, sum);
	return buf && n > 0 && memcmp(sum, want, sizeof(sum)) == 0;
}

uint64_t bcast_unpack_had(struct bcast_unpack *u)
{
	struct stage_folder top = {.name = (char *)""};
	struct stage_file f = {.dir = &top, .name = u->t.name, .st = u->of};
	uint64_t size = (uint64_t)u->of.st_size, chunk = stage_chunk_of(size), len;
	uint64_t n = (size + chunk - 1) / chunk;
	weft_autoclose int fd = -1;

	if (!u->adopted || !stage_resume_has(&u->job))
		return 0;
	fd = openat(u->t.fd, u->t.part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	u->had = calloc(n + 1, sizeof(*u->had));
	while (fd >= 0 && u->had && u->n_had < n) {
		uint64_t off = u->n_had * chunk, end = chunk_end(u->n_had, chunk, size);
		const unsigned char *sum =
			stage_resume_find(&u->w, &f, (int64_t)u->n_had, &len);

		if (!sum || len != end - off || !reads_as(u, fd, off, end, sum))
			break;
		memcpy(u->had[u->n_had++], sum, WEFT_DIGEST_BYTES);
	}
	return u->n_had;
}

void bcast_unpack_keep(struct bcast_unpack *u)
{
	u->keep = true;
}

int unpack_take_had(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	uint64_t count = n == 8 ? bcast_get64(at) : UINT64_MAX;

	if (!u->f.on || u->f.at || u->job.tree || count > u->f.n_chunks)
		return unpack_bad(u);
	if (count > u->n_had)
		return weft_err_set(&u->w.err, WEFT_ESTAGE,
			"%s changed while the broadcast began", u->src);
	for (u->f.sums = 0; u->f.sums < count; u->f.sums++) {
		if (weft_grow(u->f.sum, u->f.sums, u->f.cap_sums))
			return weft_err_nomem(&u->w.err);
		memcpy(u->f.sum[u->f.sums], u->had[u->f.sums], WEFT_DIGEST_BYTES);
	}
	if (count)
		u->f.at = chunk_end(count - 1, u->f.chunk, (uint64_t)u->f.st.st_size);
	u->job.resumed = u->f.at;
	return 0;
}

/* A killed broadcast is gone on with from here. */
void unpack_note_chunk(struct bcast_unpack *u, uint64_t i)
{
	struct stage_file f = {.dir = u->job.folders, .name = u->t.name, .st = u->f.st};
	uint64_t size = (uint64_t)u->f.st.st_size;

	if (!u->job.tree && u->f.n_chunks > 1)
		stage_resume_note(&u->w, &f, (int64_t)i,
			chunk_end(i, u->f.chunk, size) - i * u->f.chunk, u->f.sum[i]);
}
