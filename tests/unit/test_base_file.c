/* test_base_file.c - reading, writing, removing; files that only root can have made */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "scratch.h"
#include "suite.h"

START_TEST(reads_up_to_the_limit)
{
	const char *path = in_scratch("f");
	char *data;
	size_t n;

	put_text(path, "0123456789");
	ok(weft_read_file(path, 10, &data, &n, &ok_err));
	ck_assert_uint_eq(n, 10);
	ck_assert_str_eq(data, "0123456789");
	free(data);
	errno = 0;
	refused(weft_read_file(path, 9, &data, &n, &ok_err), "too large");
	ck_assert_ptr_null(data);
	ck_assert_int_eq(errno, EFBIG);
	put_text(path, "");
	ok(weft_read_file(path, 0, &data, NULL, &ok_err));
	ck_assert_str_eq(data, "");
	free(data);
	/* Files of /proc say that they are empty. */
	ok(weft_read_file("/proc/self/status", 1 << 20, &data, &n, &ok_err));
	ck_assert_uint_gt(n, 100);
	free(data);
	refused(weft_read_file("/proc/self/status", 10, &data, &n, &ok_err),
		"too large");
	ok(weft_read_file("/dev/null", 10, &data, &n, &ok_err));
	ck_assert_uint_eq(n, 0);
	free(data);
	refused(weft_read_file("/dev/zero", 10000, &data, &n, &ok_err), "too large");
	refused(weft_read_file(in_scratch("none"), 10, &data, &n, &ok_err),
		"No such file");
	refused(weft_read_file(scratch(), 10, &data, &n, &ok_err), "directory");
}
END_TEST

START_TEST(a_pipe_in_the_way_neither_hangs_nor_reads_as_empty)
{
	char *data;
	size_t n;

	ck_assert_int_eq(mkfifo(in_scratch("p"), 0600), 0);
	refused(weft_read_file(in_scratch("p"), 10, &data, &n, &ok_err),
		"not a regular file");
	int fd[2];
	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(weft_write_all(fd[1], "abc", 3), 0);
	close(fd[1]);
	ok(weft_read_fd(fd[0], "pipe", 3, &data, &n, &ok_err));
	ck_assert_str_eq(data, "abc");
	free(data);
	close(fd[0]);
}
END_TEST

static size_t entries(const char *dir, const char *shell_pattern)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c",
		weft_printf("find '%s' -name '%s' | wc -l", dir, shell_pattern), NULL};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	char *out;
	int status;

	s.argv = argv;
	ok(weft_capture(&s, 20, 100, &out, NULL, &status, &ok_err));
	size_t n = strtoul(out, NULL, 10);
	free(out);
	free(argv[2]);
	return n;
}

START_TEST(writes)
{
	const char *path = in_scratch("w");
	struct stat st;
	char *data;
	size_t n;

	umask(077);
	ok(weft_write_file(path, "a\0b", 3, 0640, &ok_err));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ok(weft_write_file(path, "new", 3, 0600, &ok_err));
	ok(weft_read_file(path, 10, &data, &n, &ok_err));
	ck_assert_str_eq(data, "new");
	free(data);
	/* A link is replaced, what it leads to stays. */
	ck_assert_int_eq(symlink("w", in_scratch("l")), 0);
	ok(weft_write_file(in_scratch("l"), "x", 1, 0600, &ok_err));
	ck_assert_int_eq(lstat(in_scratch("l"), &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ok(weft_read_file(path, 10, &data, &n, &ok_err));
	ck_assert_str_eq(data, "new");
	free(data);
	refused(weft_write_file(in_scratch("no/where"), "x", 1, 0600, &ok_err),
		"No such file");
	ck_assert_int_eq(mkdir(in_scratch("d"), 0700), 0);
	refused(weft_write_file(in_scratch("d"), "x", 1, 0600, &ok_err), "directory");
	ck_assert_uint_eq(entries(scratch(), "*.part-*"), 0);
}
END_TEST

/* Killed at any moment: the file is one of those that were written, whole. */
START_TEST(complete_or_absent)
{
	enum { SIZE = 1 << 16, KILLS = 40 };
	const char *path = in_scratch("c");
	size_t seen = 0;

	for (int i = 0; i < KILLS; i++) {
		int fd[2];
		char byte;

		ck_assert_int_eq(pipe(fd), 0);
		pid_t p = fork();
		if (p == 0) {
			char *buf = malloc(SIZE);

			for (unsigned char c = 'a';;
				c = c == 'z' ? 'a' : (unsigned char)(c + 1)) {
				memset(buf, c, SIZE);
				if (weft_write_file(path, buf, SIZE, 0600, NULL))
					_exit(1);
				(void)!write(fd[1], "x", 1);
			}
		}
		/* Each time after one more write, and so at another moment. */
		for (int k = 0; k <= i % 4; k++)
			ck_assert_int_eq(read(fd[0], &byte, 1), 1);
		usleep((useconds_t)(i * 37 % 1500));
		kill(p, SIGKILL);
		waitpid(p, NULL, 0);
		close(fd[0]);
		close(fd[1]);
		char *data;
		size_t n;
		ok(weft_read_file(path, SIZE + 1, &data, &n, &ok_err));
		ck_assert_uint_eq(n, SIZE);
		ck_assert_int_eq(memcmp(data, data + 1, n - 1), 0);
		free(data);
		seen += entries(scratch(), "*.part-*");
	}
	/* At least one was killed in the middle: the test can tell. */
	ck_assert_uint_gt(seen, 0);
}
END_TEST

START_TEST(makes_folders)
{
	struct stat st;

	ok(weft_mkdirs(in_scratch("a//b/c/"), 0755, &ok_err));
	ok(weft_mkdirs(in_scratch("a/b/c"), 0755, &ok_err));
	ck_assert_int_eq(stat(in_scratch("a/b/c"), &st), 0);
	ok(weft_mkdirs("/", 0755, &ok_err));
	put_text(in_scratch("f"), "");
	refused(weft_mkdirs(in_scratch("f"), 0755, &ok_err), "Not a directory");
	refused(weft_mkdirs(in_scratch("f/x"), 0755, &ok_err), "f");
	refused(weft_mkdirs("", 0755, &ok_err), "without a name");
	refused(weft_mkdirs("/proc/x/y", 0755, &ok_err), "/proc/x");
}
END_TEST

START_TEST(removes_a_tree_and_nothing_else)
{
	ok(weft_mkdirs(in_scratch("t/a/b"), 0755, &ok_err));
	ok(weft_mkdirs(in_scratch("t/empty"), 0755, &ok_err));
	ok(weft_mkdirs(in_scratch("out"), 0755, &ok_err));
	put_text(in_scratch("out/keep"), "x");
	put_text(in_scratch("t/a/b/f"), "x");
	ck_assert_int_eq(symlink("../out", in_scratch("t/folder")), 0);
	ck_assert_int_eq(symlink("../../out/keep", in_scratch("t/a/file")), 0);
	ck_assert_int_eq(symlink("nowhere", in_scratch("t/a/dangling")), 0);
	ck_assert_int_eq(mkfifo(in_scratch("t/pipe"), 0600), 0);
	for (int i = 0; i < 2000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "t/a/many-%d", i);
		put_text(in_scratch(name), "");
	}
	ok(weft_remove_tree(in_scratch("t"), &ok_err));
	ck_assert(!exists(in_scratch("t")));
	ck_assert(exists(in_scratch("out/keep")));
	/* A link goes itself; so does a file; what isn't there is fine. */
	ck_assert_int_eq(symlink("out", in_scratch("l")), 0);
	ok(weft_remove_tree(in_scratch("l"), &ok_err));
	ck_assert(!exists(in_scratch("l")) && exists(in_scratch("out/keep")));
	ok(weft_remove_tree(in_scratch("out/keep"), &ok_err));
	ok(weft_remove_tree(in_scratch("none"), &ok_err));
	ok(weft_remove_tree(in_scratch("no/ne"), &ok_err));
}
END_TEST

/* Deeper than a path may be long, and than there may be descriptors. */
START_TEST(removes_a_deep_tree)
{
	const char *top = in_scratch("deep");
	int fd;

	ck_assert_int_eq(mkdir(top, 0755), 0);
	fd = open(top, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 4000; i++) {
		ck_assert_int_eq(mkdirat(fd, "a-name-of-some-length", 0755), 0);
		int next = openat(fd, "a-name-of-some-length", O_RDONLY | O_DIRECTORY);
		ck_assert_int_ge(next, 0);
		close(fd);
		fd = next;
	}
	close(fd);
	ok(weft_remove_tree(top, &ok_err));
	ck_assert(!exists(top));
}
END_TEST

/* In a child who isn't root: true if it exits with 0. */
static bool as_nobody(void (*f)(void))
{
	int status;
	pid_t p = fork();

	if (p == 0) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(3);
		f();
		_exit(0);
	}
	waitpid(p, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static char locked[512];
static void remove_locked(void)
{
	_exit(weft_remove_tree(locked, NULL) ? 1 : 0);
}

START_TEST(removes_folders_that_nobody_may_read)
{
	ok(weft_mkdirs(in_scratch("u/a/b/c"), 0755, &ok_err));
	put_text(in_scratch("u/a/b/c/f"), "");
	static const char *const part[] = {"u/a/b/c/f", "u/a/b/c", "u/a/b", "u/a", "u"};
	static const mode_t mode[] = {0, 0500, 0300, 0, 0755};
	for (size_t i = 0; i < WEFT_COUNT(part); i++) {
		ck_assert_int_eq(chmod(in_scratch(part[i]), mode[i]), 0);
		if (geteuid() == 0)
			ck_assert_int_eq(chown(in_scratch(part[i]), 65534, 65534), 0);
	}
	snprintf(locked, sizeof(locked), "%s", in_scratch("u/a"));
	ck_assert(as_nobody(remove_locked));
	ck_assert(!exists(locked));
}
END_TEST

/* Own mount namespace, so that nothing is left when the test is killed. */
static bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

START_TEST(stays_out_of_mounts)
{
	if (!own_mounts()) {
		printf("skip  stays_out_of_mounts: no mounts without root\n");
		return;
	}
	ok(weft_mkdirs(in_scratch("m/a/tmpfs"), 0755, &ok_err));
	ok(weft_mkdirs(in_scratch("elsewhere"), 0755, &ok_err));
	ck_assert_int_eq(mount("none", in_scratch("m/a/tmpfs"), "tmpfs", 0, NULL), 0);
	put_text(in_scratch("m/a/tmpfs/f"), "x");
	refused(weft_remove_tree(in_scratch("m"), &ok_err), "mounted there");
	ck_assert(exists(in_scratch("m/a/tmpfs/f")));
	ck_assert_int_eq(umount(in_scratch("m/a/tmpfs")), 0);
	/* A bind mount is on the same device. */
	put_text(in_scratch("elsewhere/f"), "x");
	ck_assert_int_eq(mount(in_scratch("elsewhere"), in_scratch("m/a/tmpfs"), NULL,
				 MS_BIND, NULL),
		0);
	refused(weft_remove_tree(in_scratch("m"), &ok_err), "mounted there");
	ck_assert(exists(in_scratch("elsewhere/f")));
	ck_assert_int_eq(umount(in_scratch("m/a/tmpfs")), 0);
	ok(weft_remove_tree(in_scratch("m"), &ok_err));
}
END_TEST

/* As weft_open_trusted() says of it: 0 opened, -1 refused with `part`. */
static void trusted(const char *path, const char *part)
{
	struct weft_err err = {0};
	int fd = weft_open_trusted(path, &err);
	char *line = weft_err_line(&err);

	if (!part) {
		ck_assert_msg(fd >= 0, "%s: %s", path, line);
		close(fd);
	} else {
		ck_assert_msg(fd < 0, "%s: opened, though: %s", path, part);
		ck_assert_msg(strstr(line, part), "%s: %s", path, line);
		ck_assert_int_eq(err.code, WEFT_ECONF);
	}
	free(line);
	weft_err_clear(&err);
}

START_TEST(trusts_only_what_root_alone_can_have_made)
{
	if (geteuid() != 0 || !own_mounts()) {
		printf("skip  trusts_only_what_root_alone_can_have_made: not root\n");
		return;
	}
	/* Root's alone: a file system of the test's own, over a folder of the root. */
	const char *root = "/mnt";
	ck_assert_int_eq(mount("none", root, "tmpfs", 0, "mode=0755"), 0);
	ck_assert_int_eq(mkdir("/mnt/d", 0755), 0);
	ck_assert_int_eq(mkdir("/mnt/d/e", 0755), 0);
	put_text("/mnt/d/e/f", "x");
	trusted("/mnt/d/e/f", NULL);
	trusted("//mnt//d/./e//f", NULL);
	trusted("mnt/d/e/f", "absolute");
	trusted("/mnt/d/e", "not a regular file");
	trusted("/", "not a file");
	trusted("/mnt/d/e/none", "No such file");
	ck_assert_int_eq(mkfifo("/mnt/d/p", 0600), 0);
	trusted("/mnt/d/p", "not a regular file");
	/* Links: the file, a folder above it. */
	ck_assert_int_eq(symlink("/mnt/d/e/f", "/mnt/d/l"), 0);
	trusted("/mnt/d/l", "/mnt/d/l");
	ck_assert_int_eq(symlink("d", "/mnt/m"), 0);
	trusted("/mnt/m/e/f", "symbolic link");
	/* The file's owner and mode. */
	ck_assert_int_eq(chown("/mnt/d/e/f", 65534, 0), 0);
	trusted("/mnt/d/e/f", "not owned by root");
	ck_assert_int_eq(chown("/mnt/d/e/f", 0, 65534), 0);
	trusted("/mnt/d/e/f", NULL); /* of a group that may not write */
	static const mode_t bad[] = {0664, 0646, 01646, 0622};
	for (size_t i = 0; i < WEFT_COUNT(bad); i++) {
		ck_assert_int_eq(chmod("/mnt/d/e/f", bad[i]), 0);
		trusted("/mnt/d/e/f", "writable by others");
	}
	ck_assert_int_eq(chmod("/mnt/d/e/f", 0600), 0);
	trusted("/mnt/d/e/f", NULL);
	/* Each folder above. */
	static const char *const above[] = {"/mnt/d/e", "/mnt/d", "/mnt"};
	for (size_t i = 0; i < WEFT_COUNT(above); i++) {
		ck_assert_int_eq(chmod(above[i], 0775), 0);
		trusted("/mnt/d/e/f", "writable by others");
		ck_assert_int_eq(chmod(above[i], 0757), 0);
		trusted("/mnt/d/e/f", "writable by others");
		ck_assert_int_eq(chmod(above[i], 0755), 0);
		ck_assert_int_eq(chown(above[i], 65534, 65534), 0);
		trusted("/mnt/d/e/f", "not owned by root");
		ck_assert_int_eq(chown(above[i], 0, 0), 0);
		trusted("/mnt/d/e/f", NULL);
	}
	/* Sticky helps folders of root's that stand in it, not files. */
	ck_assert_int_eq(chmod("/mnt/d", 01777), 0);
	trusted("/mnt/d/e/f", NULL);
	put_text("/mnt/d/g", "x");
	trusted("/mnt/d/g", "writable by others");
}
END_TEST

SUITE("base_file", reads_up_to_the_limit,
	a_pipe_in_the_way_neither_hangs_nor_reads_as_empty, writes, complete_or_absent,
	makes_folders, removes_a_tree_and_nothing_else, removes_a_deep_tree,
	removes_folders_that_nobody_may_read, stays_out_of_mounts,
	trusts_only_what_root_alone_can_have_made)
