/* scratch.h - a folder of a test's own */
#ifndef WEFT_TEST_SCRATCH_H
#define WEFT_TEST_SCRATCH_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* Each test is a process of its own: the folder is removed when it ends well, and
 * lies in $TMPDIR for a look when it doesn't. */
static char scratch_dir[256];

static inline void scratch_remove(void)
{
	weft_remove_tree(scratch_dir, NULL);
}

static inline const char *scratch(void)
{
	if (!*scratch_dir) {
		const char *tmp = getenv("TMPDIR");

		snprintf(scratch_dir, sizeof(scratch_dir), "%s/weft-unit.XXXXXX",
			tmp ? tmp : "/tmp");
		ck_assert_ptr_nonnull(mkdtemp(scratch_dir));
		ck_assert_int_eq(chmod(scratch_dir, 0755), 0);
		atexit(scratch_remove);
	}
	return scratch_dir;
}

/* "SCRATCH/name"; good for eight calls. */
static inline const char *in_scratch(const char *name)
{
	static char ring[8][512];
	static unsigned at;
	char *s = ring[at++ % 8];

	snprintf(s, sizeof(ring[0]), "%s/%s", scratch(), name);
	return s;
}

static inline void put_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_msg(f != NULL, "%s", path);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static inline bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

#define ok(call)                                                                       \
	do {                                                                           \
		struct weft_err ok_err = {0};                                          \
		int ok_r = (call);                                                     \
		ck_assert_msg(ok_r == 0, "%s", ok_err.text ? ok_err.text : #call);     \
	} while (0)

/* -1 with an error whose line has this part. */
#define refused(call, part)                                                            \
	do {                                                                           \
		struct weft_err ok_err = {0};                                          \
		int ok_r = (call);                                                     \
		ck_assert_msg(ok_r == -1, "accepted: %s", #call);                      \
		char *ok_line = weft_err_line(&ok_err);                                \
		ck_assert_msg(strstr(ok_line, part) != NULL, "%s", ok_line);           \
		free(ok_line);                                                         \
		weft_err_clear(&ok_err);                                               \
	} while (0)

#endif
