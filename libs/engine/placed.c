/*
 * placed.c - what a member's tasks were given, for its record.
 *
 * Each task's `weft bind` appends a line when it has compared the kernel's word with
 * the plan.  Children of this process write into memory of ours; tasks that srun
 * starts, those of the first node alone, into a file that goes when it is read.
 */
#include "engine/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACED_MAX ((size_t)64 << 10) /* of text in the record */

void placed_open(struct unit *u)
{
	u->placed_fd = -1;
	if (!launch_binds(u))
		return;
	if (unit_srun(u)) {
		u->placed_path = weft_path_join(u->dir, "placement.tmp");
		if (u->placed_path)
			unlink(u->placed_path);
		return;
	}
	u->placed_fd = memfd_create("weft-placement", MFD_CLOEXEC);
	if (u->placed_fd >= 0)
		u->placed_path =
			weft_printf("/proc/%d/fd/%d", (int)getpid(), u->placed_fd);
}

static int by_task(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	long i = strtol(x + strcspn(x, "0123456789"), NULL, 10);
	long k = strtol(y + strcspn(y, "0123456789"), NULL, 10);

	return (i > k) - (i < k);
}

/* Tasks write as they come. */
static char *sorted(struct weft_arena *arena, char *text)
{
	weft_autoargv struct weft_argv line = {0};
	weft_autostr struct weft_str out = {0};
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		weft_argv_add(&line, l);
	if (line.failed || !line.n)
		return NULL;
	qsort(line.v, line.n, sizeof(*line.v), by_task);
	for (size_t i = 0; i < line.n; i++)
		weft_str_printf(&out, "%s%s", i ? "\n" : "", line.v[i]);
	return out.failed ? NULL : weft_arena_strdup(arena, out.s);
}

void placed_read(struct unit *u)
{
	weft_autofree char *text = NULL;
	size_t n = 0;
	ssize_t got;

	if (u->placed_fd >= 0) {
		text = malloc(PLACED_MAX + 1);
		while (text && n < PLACED_MAX &&
			(got = pread(
				 u->placed_fd, text + n, PLACED_MAX - n, (off_t)n)) > 0)
			n += (size_t)got;
		if (text)
			text[n] = '\0';
	} else if (u->placed_path &&
		   weft_read_file(u->placed_path, PLACED_MAX, &text, &n, NULL)) {
		text = NULL;
	}
	if (text)
		u->record.placement = sorted(&u->arena, text);
	if (u->placed_fd < 0 && u->placed_path)
		unlink(u->placed_path);
}

void placed_close(struct unit *u)
{
	if (u->placed_fd >= 0)
		close(u->placed_fd);
	free(u->placed_path);
	u->placed_fd = -1;
	u->placed_path = NULL;
}
