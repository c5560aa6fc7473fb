/* stage.h - folders and files for the tests of staging */
#ifndef WEFT_TEST_STAGE_H
#define WEFT_TEST_STAGE_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage/stage.h"

static char dir[64];

/* A folder of the test's own, and the current one. */
static inline void enter_at(const char *where)
{
	snprintf(dir, sizeof(dir), "%s/weft-test-stage.XXXXXX", where);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static inline void enter(void)
{
	enter_at("/tmp");
}

static inline void leave(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(weft_remove_tree(dir, NULL), 0);
}

static inline void make(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_msg(
		fd >= 0 && weft_write_all(fd, text, strlen(text)) == 0, "%s", path);
	close(fd);
}

static inline void make_big(const char *path, size_t mib)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	size_t n = 1 << 20;
	weft_autofree char *buf = malloc(n);

	ck_assert(fd >= 0 && buf);
	for (size_t i = 0; i < mib; i++) {
		memset(buf, (int)('a' + i % 26), n);
		ck_assert_int_eq(weft_write_all(fd, buf, n), 0);
	}
	close(fd);
}

static inline bool holds(const char *path, const char *text)
{
	weft_autofree char *data = NULL;
	size_t n;

	return weft_read_file(path, 1 << 20, &data, &n, NULL) == 0 &&
	       strcmp(data, text) == 0;
}

static inline bool same_data(const char *a, const char *b)
{
	weft_autofree char *x = NULL, *y = NULL;
	size_t n, m;

	return weft_read_file(a, 1 << 28, &x, &n, NULL) == 0 &&
	       weft_read_file(b, 1 << 28, &y, &m, NULL) == 0 && n == m &&
	       memcmp(x, y, n) == 0;
}

static inline struct stat stat_of(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s", path);
	return st;
}

/* Entries of a folder that begin so. */
static inline unsigned entries(const char *path, const char *prefix)
{
	DIR *d = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		     weft_starts_with(e->d_name, prefix);
	closedir(d);
	return n;
}

/* In memory where it is: nothing waits for a disk. */
static inline void enter_memory(void)
{
	enter_at(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

#endif
