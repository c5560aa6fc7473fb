/* test_stage_record.c - the record beside a copy */
#include <sys/wait.h>

#include "stage.h"
#include "suite.h"

static int copy(const char *src, const char *dst, struct weft_stage_report *r)
{
	struct weft_stage_options opt = {.archive = true,
		.manifest = true,
		.resume = true,
		.durable = WEFT_STAGE_NONE};

	return weft_stage_copy(src, dst, &opt, r, NULL);
}

static int verify(const char *dst)
{
	struct weft_stage_options opt = {.threads = 2};
	struct weft_stage_diff diff;
	int rc = weft_stage_verify(dst, &opt, &diff, NULL, NULL);

	free(diff.first);
	return rc != 0 ? -1 : diff.missing + diff.extra + diff.different > 0;
}

/* The one entry that begins so. */
static char *entry_of(const char *prefix)
{
	DIR *d = opendir(".");
	struct dirent *e;
	char *name = NULL;

	while (!name && (e = readdir(d)) != NULL)
		if (weft_starts_with(e->d_name, prefix))
			name = strdup(e->d_name);
	closedir(d);
	ck_assert_ptr_nonnull(name);
	return name;
}

static void write_raw(const char *path, const char *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd >= 0 && weft_write_all(fd, data, n) == 0);
	close(fd);
}

/* A record that is not whole is none: cut anywhere, or with any byte changed. */
START_TEST(damaged_records)
{
	weft_autofree char *text = NULL, *name = NULL;
	struct weft_stage_report r;
	size_t n;

	enter_memory();
	ck_assert_int_eq(mkdir("t", 0755) | mkdir("t/a b", 0700), 0);
	make("t/x%y", "x");
	make("t/a b/z\n", "z");
	ck_assert_int_eq(symlink("to nowhere", "t/l"), 0);
	ck_assert_int_eq(copy("t", "d", &r), 0);
	ck_assert_int_eq(verify("d"), 0);
	name = entry_of(".weft-manifest.");
	ck_assert_int_eq(weft_read_file(name, 1 << 20, &text, &n, NULL), 0);
	for (size_t i = 0; i < n; i += 3) {
		char keep = text[i];

		write_raw(name, text, i);
		ck_assert_int_eq(verify("d"), -1);
		ck_assert_int_eq(copy("t", "d", NULL), -1);
		text[i] = keep == 'f' ? '0' : 'f';
		write_raw(name, text, n);
		ck_assert_int_eq(verify("d"), -1);
		text[i] = keep;
	}
	write_raw(name, text, n);
	ck_assert_int_eq(verify("d"), 0);
	ck_assert_int_eq(copy("t", "d", &r), 0);
	ck_assert_str_eq(r.strategy, "already there");
	leave();
}
END_TEST

/* Only ever one of several, and its record is its own. */
START_TEST(records_of_many)
{
	int status, won = 0;
	pid_t pid[4];

	enter_memory();
	make_big("big", 20);
	for (int i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(copy("big", "dst", NULL) != 0);
	}
	for (int i = 0; i < 4; i++) {
		waitpid(pid[i], &status, 0);
		won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	ck_assert_int_ge(won, 1);
	ck_assert(same_data("big", "dst"));
	ck_assert_uint_eq(entries(".", ".weft-part."), 0);
	leave();
}
END_TEST

SUITE("stage_record", damaged_records, records_of_many)
