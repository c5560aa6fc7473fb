/* fuzz_bcast.c - what a broadcast is made of: records as they come, and with their
 * lengths made right; nothing is made outside of the folder that it goes to */
#include "stage/bcast.h"

#include <dirent.h>

#include "fuzz_dir.h"

static void unpack(const uint8_t *data, size_t size)
{
	weft_autofree char *dst = weft_path_join(fuzz_dir(), "to/copy");
	weft_autofree char *to = weft_path_join(fuzz_dir(), "to");
	struct weft_stage_options opt = {
		.durable = WEFT_STAGE_NONE, .archive = true, .manifest = true};
	struct bcast_piece *p = bcast_piece_new(size);
	const struct bcast_plan plan = {.dst = dst, .src = "/source", .cache = ""};
	struct weft_stage_report report = {0};
	struct bcast_unpack *u;
	struct weft_err err = {0};
	size_t n = 0;

	fuzz_must(p && dst && to && weft_mkdirs(to, 0700, &err) == 0);
	if (size)
		memcpy(bcast_data(p), data, size);
	bcast_piece_number(p, 0, true);
	fuzz_must(bcast_unpack_new(&u, &plan, &opt, &report, &err) == 0 && u);
	bool done = bcast_unpack_piece(u, p, &err) == 0;
	if (!done)
		fuzz_refused(&err);
	bcast_unpack_free(u);
	bcast_piece_drop(p);
	/* The copy and its record, or nothing. */
	DIR *d = opendir(to);
	fuzz_must(d);
	while (readdir(d))
		n++;
	closedir(d);
	fuzz_must(n == (done ? 4U : 2U));
	d = opendir(fuzz_dir());
	fuzz_must(d);
	for (n = 0; readdir(d); n++)
		;
	closedir(d);
	fuzz_must(n == 3);
	fuzz_must(weft_remove_tree(to, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *own = calloc(size + 1, 1);

	fuzz_must(own);
	if (size)
		memcpy(own, data, size);
	unpack(own, size);
	/* The lengths fit what is there, so that the records are read. */
	for (size_t at = 0; at + BCAST_RECORD <= size;) {
		size_t left = size - at - BCAST_RECORD;
		size_t n = ((size_t)own[at + 3] << 8 | own[at + 4]) % (left + 1);

		own[at + 1] = own[at + 2] = 0;
		own[at + 3] = (uint8_t)(n >> 8);
		own[at + 4] = (uint8_t)n;
		/* No devices, nor files of a size that only a disk holds. */
		if (own[at] == REC_SPECIAL && n >= 4)
			own[at + BCAST_RECORD + 2] = 0x10;
		if (own[at] == REC_FILE && n >= 28)
			memset(own + at + BCAST_RECORD + 20, 0, 5);
		at += BCAST_RECORD + n;
	}
	unpack(own, size);
	free(own);
	return 0;
}
