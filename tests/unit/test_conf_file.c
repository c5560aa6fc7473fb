/* weft.conf as a file: whose it must be for whom. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "suite.h"

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void load_is(const char *path, bool trusted, bool good_)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_conf *c;
	int r = weft_conf_load(path, trusted, &c, &err);

	ck_assert_msg((r == 0) == good_, "%s trusted=%d: %s", path, trusted,
		err.text ? err.text : "read");
	if (r) {
		ck_assert_ptr_null(c);
		ck_assert_int_eq(err.code, WEFT_ECONF);
	}
	weft_conf_free(c);
}

START_TEST(files)
{
	char dir[] = "/tmp/weft-conf.XXXXXX";
	weft_autofree char *path = NULL, *none = NULL;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = weft_path_join(dir, "weft.conf");
	none = weft_path_join(dir, "none");
	put(path, "mpi = pmi2\n", 0644);
	load_is(path, false, true);
	load_is(none, false, false);
	load_is(dir, false, false);
	load_is("/dev/null", true, false);

	setenv("WEFT_CONF", path, 1);
	struct weft_conf *c;
	ck_assert_int_eq(weft_conf_load(NULL, false, &c, NULL), 0);
	ck_assert_str_eq(c->mpi, "pmi2");
	weft_conf_free(c);
	setenv("WEFT_CONF", none, 1);
	ck_assert_int_eq(weft_conf_load(NULL, false, &c, NULL), -1);
	/* Root's readers don't look at the environment. */
	if (access(WEFT_CONF_DEFAULT, F_OK) != 0) {
		ck_assert_int_eq(weft_conf_load(NULL, true, &c, NULL), 0);
		ck_assert_ptr_null(c->file);
		weft_conf_free(c);
	}
	unlink(path);
	rmdir(dir);
}
END_TEST

/* Needs root, and a folder whose parents are all root's. */
START_TEST(trusted)
{
	char dir[] = "/run/weft-conf.XXXXXX";
	weft_autofree char *path = NULL, *link_ = NULL, *fifo = NULL;
	struct stat st;

	if (geteuid() != 0 || stat("/run", &st) || st.st_uid != 0 ||
		(st.st_mode & 022) || !mkdtemp(dir))
		return;
	path = weft_path_join(dir, "weft.conf");
	link_ = weft_path_join(dir, "link");
	fifo = weft_path_join(dir, "fifo");
	put(path, "mpi = pmi2\n", 0644);
	ck_assert_int_eq(symlink(path, link_), 0);
	ck_assert_int_eq(mkfifo(fifo, 0644), 0);
	load_is(path, true, true);
	load_is(link_, true, false);
	load_is(link_, false, true);
	load_is(fifo, true, false);
	chmod(path, 0664);
	load_is(path, true, false);
	chmod(path, 0646);
	load_is(path, true, false);
	chmod(path, 0644);
	ck_assert_int_eq(chown(path, 1, 0), 0);
	load_is(path, true, false);
	ck_assert_int_eq(chown(path, 0, 0), 0);
	chmod(dir, 0777);
	load_is(path, true, false);
	chmod(dir, 0755);
	load_is(path, true, true);
	ck_assert_int_eq(chown(dir, 1, 0), 0);
	load_is(path, true, false);
	unlink(path);
	unlink(link_);
	unlink(fifo);
	rmdir(dir);
}
END_TEST

/* A folder of root's below a sticky one is root's; a file there, or a folder of
 * somebody else's, is not. */
START_TEST(sticky)
{
	char dir[] = "/tmp/weft-conf.XXXXXX", file[] = "/tmp/weft-conff.XXXXXX";
	weft_autofree char *path = NULL, *deep = NULL, *sub = NULL;
	struct stat st;
	int fd;

	if (geteuid() != 0 || stat("/tmp", &st) || st.st_uid != 0 ||
		!(st.st_mode & S_ISVTX))
		return;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	close(fd);
	load_is(file, true, false);
	path = weft_path_join(dir, "weft.conf");
	put(path, "mpi = pmi2\n", 0644);
	load_is(path, true, true);
	/* The mode of a folder without the bit counts as ever. */
	sub = weft_path_join(dir, "sub");
	deep = weft_path_join(sub, "weft.conf");
	ck_assert_int_eq(mkdir(sub, 0755), 0);
	put(deep, "mpi = pmi2\n", 0644);
	load_is(deep, true, true);
	chmod(dir, 0777);
	load_is(path, true, false);
	load_is(deep, true, false);
	chmod(dir, 01777);
	load_is(path, true, false);
	load_is(deep, true, true);
	ck_assert_int_eq(chown(sub, 1, 0), 0);
	load_is(deep, true, false);
	weft_remove_tree(dir, NULL);
	unlink(file);
}
END_TEST

SUITE("conf_file", files, trusted, sticky)
