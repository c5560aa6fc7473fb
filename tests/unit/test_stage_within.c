/* test_stage_within.c - is a path, with links followed, below a folder? */
#include "scratch.h"
#include "stage/stage.h"
#include "suite.h"

static void within(const char *path, const char *root, int want, const char *real)
{
	char *const roots[] = {(char *)"/nowhere", (char *)root};
	weft_autofree char *at = NULL;
	weft_autoerr struct weft_err err = {0};
	int got = weft_stage_within(path, roots, 2, &at, &err);

	ck_assert_msg(got == want, "%s in %s: %d, not %d (%s)", path, root, got, want,
		at ? at : err.text);
	if (real)
		ck_assert_str_eq(at, real);
}

START_TEST(inside_or_not)
{
	weft_autofree char *top = realpath(scratch(), NULL);
	weft_autofree char *in = weft_path_join(top, "in");
	weft_autofree char *file = weft_path_join(in, "file");
	weft_autofree char *beside = weft_path_join(top, "inside");
	weft_autofree char *out = weft_path_join(in, "out");
	weft_autofree char *gone = weft_path_join(in, "gone");
	weft_autofree char *home = weft_path_join(top, "home");
	weft_autofree char *deep = weft_path_join(in, "not/there/yet");
	weft_autofree char *up = weft_path_join(in, "x/../../inside");
	weft_autofree char *through = weft_path_join(in, "out/new");
	weft_autofree char *linked = weft_path_join(home, "file");

	ok(weft_mkdirs(in, 0755, &ok_err));
	ok(weft_mkdirs(beside, 0755, &ok_err));
	put_text(file, "x");
	ck_assert_int_eq(symlink(beside, out), 0);
	ck_assert_int_eq(symlink("/nowhere/at/all", gone), 0);
	ck_assert_int_eq(symlink("in", home), 0);

	within(in, in, 1, in);
	within(file, in, 1, file);
	within(deep, in, 1, deep);
	within(file, "/", 1, file);
	within("/", "/", 1, "/");
	within("/", in, 0, "/");
	within(top, in, 0, top);
	/* A name that begins alike, a way up through what is missing, a link out. */
	within(beside, in, 0, beside);
	within(up, in, -1, NULL);
	within(out, in, 0, beside);
	within(through, in, 0, NULL);
	/* What a link points to that isn't there could be anywhere. */
	within(gone, in, -1, NULL);
	/* A path as it is typed: from here, up as the kernel goes up. */
	ck_assert_int_eq(chdir(top), 0);
	within("in/file", in, 1, file);
	within("in/./new//", in, 1, NULL);
	within("in/../inside", in, 0, beside);
	within("in/out/..", in, 0, top);
	within("new", in, 0, NULL);
	within("new", top, 1, NULL);
	ck_assert_int_eq(chdir("/"), 0);
	/* Roots are followed, too. */
	within(file, home, 1, file);
	within(linked, in, 1, file);
}
END_TEST

SUITE("within", inside_or_not)
