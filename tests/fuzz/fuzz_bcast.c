/* fuzz_bcast.c - what a broadcast is made of: records as they come, and with their
 * lengths made right, at once and after half of it was left by one that was killed;
 * nothing is made outside of the folder that it goes to */
#include "stage/bcast.h"

#include <dirent.h>

#include "fuzz_dir.h"

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	fuzz_must(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* What a process that is gone had left, by its name. */
static void abandon(const char *to)
{
	DIR *d = opendir(to);
	char pid[32];

	snprintf(pid, sizeof(pid), ".%ld.", (long)getpid());
	fuzz_must(d);
	for (struct dirent *e; (e = readdir(d));) {
		char *at = strstr(e->d_name, pid);

		if (!at)
			continue;
		weft_autofree char *was = weft_path_join(to, e->d_name);
		weft_autofree char *is = weft_printf("%s/%.*s.2000000000.%s", to,
			(int)(at - e->d_name), e->d_name, at + strlen(pid));
		fuzz_must(was && is && rename(was, is) == 0);
	}
	closedir(d);
}

/* As if it were killed after so many bytes, and begun again: with another broadcast,
 * where one begins there, or else the same; left 0: it wasn't. */
static void unpack(const uint8_t *data, size_t size, size_t left)
{
	weft_autofree char *dst = weft_path_join(fuzz_dir(), "to/copy");
	weft_autofree char *to = weft_path_join(fuzz_dir(), "to");
	struct weft_stage_options opt = {
		.durable = WEFT_STAGE_NONE, .archive = true, .manifest = true};
	const struct bcast_plan plan = {.dst = dst,
		.src = "/source",
		.cache = "",
		.top = {.st_mode = left ? S_IFDIR : 0}};
	struct weft_stage_report report = {0};
	struct weft_err err = {0};
	bool done = false, other = left && left < size && data[left] == REC_FOLDER;

	fuzz_must(dst && to && weft_mkdirs(to, 0700, &err) == 0);
	for (int time = left ? 0 : 1; time < 2; time++) {
		size_t from = time && other ? left : 0;
		size_t n = time ? size - from : left;
		struct bcast_piece *p = bcast_piece_new(n);
		struct bcast_unpack *u;

		fuzz_must(p);
		if (n)
			memcpy(bcast_data(p), data + from, n);
		bcast_piece_number(p, 0, time);
		fuzz_must(bcast_unpack_new(&u, &plan, &opt, &report, &err) == 0 && u);
		(void)bcast_unpack_had(u);
		done = bcast_unpack_piece(u, p, &err) == 0;
		if (!done)
			fuzz_refused(&err);
		weft_err_clear(&err);
		if (!time)
			bcast_unpack_keep(u);
		bcast_unpack_free(u);
		bcast_piece_drop(p);
		if (!time)
			abandon(to);
	}
	/* The copy and its record, or nothing. */
	fuzz_must(entries(to) == (done ? 4U : 2U));
	fuzz_must(entries(fuzz_dir()) == 3);
	fuzz_must(weft_remove_tree(to, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *own = calloc(size + 1, 1);
	size_t left = 0;

	fuzz_must(own);
	if (size)
		memcpy(own, data, size);
	unpack(own, size, 0);
	/* The lengths fit what is there, so that the records are read. */
	for (size_t at = 0; at + BCAST_RECORD <= size;) {
		size_t rest = size - at - BCAST_RECORD;
		size_t n = ((size_t)own[at + 3] << 8 | own[at + 4]) % (rest + 1);

		own[at + 1] = own[at + 2] = 0;
		own[at + 3] = (uint8_t)(n >> 8);
		own[at + 4] = (uint8_t)n;
		/* No devices, nor files of a size that only a disk holds. */
		if (own[at] == REC_SPECIAL && n >= 4)
			own[at + BCAST_RECORD + 2] = 0x10;
		if (own[at] == REC_FILE && n >= 28)
			memset(own + at + BCAST_RECORD + 20, 0, 5);
		at += BCAST_RECORD + n;
		if (at <= size / 2)
			left = at;
	}
	unpack(own, size, 0);
	if (left)
		unpack(own, size, left);
	free(own);
	return 0;
}
