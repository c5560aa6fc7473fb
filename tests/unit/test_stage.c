#include "stage/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "stage.h"
#include "suite.h"

static struct weft_stage_report put(
	const char *src, const char *dst, enum weft_stage_how how)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_stage_report r;

	if (weft_stage_put(src, dst, how, &r, &err) != 0)
		ck_abort_msg("%s -> %s: %s", src, dst, err.text);
	ck_assert_ptr_nonnull(r.strategy);
	return r;
}

/* Refused, and nothing is left. */
static void bad(
	const char *src, const char *dst, enum weft_stage_how how, const char *what)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_stage_report r = {.files = 77};
	unsigned before = entries(".", "");

	ck_assert_int_eq(weft_stage_put(src, dst, how, &r, &err), -1);
	ck_assert_uint_eq(r.files, 0);
	ck_assert_int_eq(err.code, WEFT_ESTAGE);
	ck_assert_msg(strstr(err.text, what), "got '%s', want '%s'", err.text, what);
	ck_assert_uint_eq(entries(".", ""), before);
	ck_assert_uint_eq(entries(".", ".weft-part."), 0);
}

START_TEST(one_file)
{
	struct timespec t[2] = {{1000000000, 1}, {1234567890, 123456789}};
	struct weft_stage_report r;
	char value[8];

	enter();
	make("a", "hello");
	bool attrs = setxattr("a", "user.weft", "x", 1, 0) == 0;
	ck_assert_int_eq(chmod("a", 0640), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, "a", t, 0), 0);
	ck_assert_int_eq(mkdir("d", 0755), 0);
	r = put("a", "d/b", WEFT_STAGE_AUTO);
	ck_assert(holds("d/b", "hello"));
	ck_assert_uint_eq(r.bytes, 5);
	ck_assert_uint_eq(r.files, 1);
	ck_assert(strcmp(r.strategy, "copy") == 0 ? r.moved == 5 : r.moved == 0);
	struct stat st = stat_of("d/b");
	ck_assert_int_eq(st.st_mode, S_IFREG | 0640);
	ck_assert_int_eq(st.st_mtim.tv_sec, 1234567890);
	ck_assert_int_eq(st.st_mtim.tv_nsec, 123456789);
	ck_assert_uint_ne(st.st_ino, stat_of("a").st_ino);
	if (attrs)
		ck_assert_int_eq(getxattr("d/b", "user.weft", value, sizeof(value)), 1);
	/* A private copy can be written to. */
	ck_assert_int_eq(chmod("a", 0444), 0);
	put("a", "c", WEFT_STAGE_COPY);
	ck_assert_int_eq(stat_of("c").st_mode, S_IFREG | 0644);
	put("a", "e", WEFT_STAGE_AUTO);
	ck_assert_int_eq(stat_of("e").st_mode, S_IFREG | 0444);
	make("empty", "");
	r = put("empty", "empty2/", WEFT_STAGE_AUTO);
	ck_assert_uint_eq(r.bytes, 0);
	ck_assert(holds("empty2", ""));
	/* Through a link at the top: what it stands for. */
	ck_assert_int_eq(symlink("a", "l"), 0);
	put("l", "m", WEFT_STAGE_COPY);
	ck_assert(S_ISREG(stat_of("m").st_mode));
	ck_assert_uint_eq(entries(".", ".weft-part."), 0);
	leave();
}
END_TEST

START_TEST(links)
{
	struct weft_stage_report r;
	char to[256];

	enter();
	make("a", "hello");
	r = put("a", "h", WEFT_STAGE_HARD);
	ck_assert_str_eq(r.strategy, "hard link");
	ck_assert_uint_eq(r.moved, 0);
	ck_assert_uint_eq(r.bytes, 5);
	ck_assert_uint_eq(stat_of("h").st_ino, stat_of("a").st_ino);
	r = put("a", "s", WEFT_STAGE_LINK);
	ck_assert_str_eq(r.strategy, "link");
	ck_assert_uint_eq(r.bytes, 5);
	ssize_t n = readlink("s", to, sizeof(to) - 1);
	ck_assert_int_gt(n, 2);
	to[n] = '\0';
	ck_assert(to[0] == '/' && strcmp(to + n - 2, "/a") == 0);
	/* Another file system: a copy instead. */
	char other[] = "/dev/shm/weft-test-stage.XXXXXX";
	if (mkdtemp(other)) {
		weft_autofree char *dst = weft_path_join(other, "x");

		if (stat_of(other).st_dev != stat_of("a").st_dev) {
			r = put("a", dst, WEFT_STAGE_HARD);
			ck_assert_str_eq(r.strategy, "copy");
			ck_assert(holds(dst, "hello"));
		}
		weft_remove_tree(other, NULL);
	}
	leave();
}
END_TEST

START_TEST(holes_stay)
{
	struct weft_stage_report r;
	int fd;

	enter();
	fd = open("a", O_WRONLY | O_CREAT, 0644);
	ck_assert_int_eq(pwrite(fd, "begin", 5, 1 << 20), 5);
	ck_assert_int_eq(pwrite(fd, "end", 3, 40 << 20), 3);
	ck_assert_int_eq(ftruncate(fd, 64 << 20), 0);
	close(fd);
	r = put("a", "b", WEFT_STAGE_COPY);
	ck_assert_uint_eq(r.bytes, 64 << 20);
	ck_assert(same_data("a", "b"));
	if (stat_of("a").st_blocks < 4096) {
		ck_assert_int_lt(stat_of("b").st_blocks, 4096);
		ck_assert_uint_lt(r.moved, 1 << 20);
	}
	/* Nothing but a hole. */
	fd = open("c", O_WRONLY | O_CREAT, 0644);
	ck_assert_int_eq(ftruncate(fd, 8 << 20), 0);
	close(fd);
	r = put("c", "d", WEFT_STAGE_COPY);
	ck_assert(same_data("c", "d"));
	leave();
}
END_TEST

START_TEST(across_file_systems)
{
	enter();
	char other[] = "/dev/shm/weft-test-stage.XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(other));
	weft_autofree char *there = weft_path_join(other, "big");
	make_big("big", 5);
	put("big", there, WEFT_STAGE_AUTO);
	ck_assert(same_data("big", there));
	put(there, "back", WEFT_STAGE_AUTO);
	ck_assert(same_data("big", "back"));
	weft_remove_tree(other, NULL);
	leave();
}
END_TEST

START_TEST(trees)
{
	static const char *const name[] = {"a b", "-rf", "new\nline", "it's \"$(x)\"",
		"\xff\xfe", "\xc3\xa9", "*", "~", ".hidden", ".weft-part.x"};
	struct timespec t[2] = {{1, 0}, {1111111111, 5}};
	struct weft_stage_report r;
	char path[600], long_name[256];
	char to[32] = "";

	enter();
	ck_assert_int_eq(
		mkdir("t", 0755) | mkdir("t/sub", 0750) | mkdir("t/sub/empty", 0700),
		0);
	for (size_t i = 0; i < WEFT_COUNT(name); i++) {
		snprintf(path, sizeof(path), "t/sub/%s", name[i]);
		make(path, name[i]);
	}
	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	snprintf(path, sizeof(path), "t/%s", long_name);
	make(path, "long");
	make("t/two", "names");
	ck_assert_int_eq(link("t/two", "t/sub/too") |
				 symlink("/nowhere", "t/dangling") |
				 symlink("../two", "t/sub/up"),
		0);
	ck_assert_int_eq(utimensat(AT_FDCWD, "t/sub", t, 0), 0);
	ck_assert_int_eq(chmod("t/sub", 0550), 0);
	r = put("t", long_name, WEFT_STAGE_AUTO);
	ck_assert_uint_eq(r.files, WEFT_COUNT(name) + 5);
	ck_assert_int_eq(chdir(long_name), 0);
	for (size_t i = 0; i < WEFT_COUNT(name); i++) {
		snprintf(path, sizeof(path), "sub/%s", name[i]);
		ck_assert(holds(path, name[i]));
	}
	ck_assert(holds(long_name, "long"));
	ck_assert_uint_eq(stat_of("two").st_ino, stat_of("sub/too").st_ino);
	ck_assert_uint_eq(stat_of("two").st_nlink, 2);
	ck_assert_int_eq(readlink("dangling", to, sizeof(to) - 1), 8);
	ck_assert_str_eq(to, "/nowhere");
	ck_assert_int_eq(stat_of("sub").st_mode, S_IFDIR | 0550);
	ck_assert_int_eq(stat_of("sub").st_mtim.tv_sec, 1111111111);
	ck_assert_int_eq(stat_of("sub").st_mtim.tv_nsec, 5);
	ck_assert_int_eq(stat_of("sub/empty").st_mode, S_IFDIR | 0700);
	ck_assert_int_eq(chdir(".."), 0);
	/* Hard links, and a private copy. */
	r = put("t", "h", WEFT_STAGE_HARD);
	ck_assert_str_eq(r.strategy, "hard link");
	ck_assert_uint_eq(stat_of("h/sub/*").st_ino, stat_of("t/sub/*").st_ino);
	put("t", "c", WEFT_STAGE_COPY);
	ck_assert_int_eq(stat_of("c/sub").st_mode, S_IFDIR | 0750);
	/* Never into itself. */
	bad("t", "t/inside", WEFT_STAGE_AUTO, "inside of what is copied");
	ck_assert_uint_eq(entries("t", ".weft-part."), 0);
	leave();
}
END_TEST

START_TEST(refused)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "t/sock"};

	enter();
	ck_assert_int_eq(mkdir("t", 0755), 0);
	make("t/a", "x");
	make("there", "stays");
	bad("t/a", "there", WEFT_STAGE_AUTO, "there is already there");
	bad("t/a", "there", WEFT_STAGE_LINK, "already there");
	bad("t", "there", WEFT_STAGE_AUTO, "already there");
	ck_assert(holds("there", "stays"));
	/* A link that leads nowhere, or elsewhere, is in the way too. */
	ck_assert_int_eq(symlink("/tmp/nowhere-at-all", "l"), 0);
	bad("t/a", "l", WEFT_STAGE_AUTO, "already there");
	bad("none", "x", WEFT_STAGE_AUTO, "No such file");
	bad("none", "x", WEFT_STAGE_LINK, "No such file");
	bad("t/a", "none/x", WEFT_STAGE_AUTO, "No such file");
	bad("t/a", "t/a/x", WEFT_STAGE_AUTO, "Not a directory");
	bad("t/a", ".", WEFT_STAGE_AUTO, "no name for a file");
	bad("t/a", "..", WEFT_STAGE_AUTO, "no name for a file");
	bad("t/a", "/", WEFT_STAGE_AUTO, "no name for a file");
	bad("t/a", "", WEFT_STAGE_AUTO, "no name for a file");
	bad("/dev/null", "x", WEFT_STAGE_AUTO, "/dev/null is a device");
	bad("/proc/version", "x", WEFT_STAGE_AUTO, "says it is empty");
	ck_assert_int_eq(mkfifo("t/fifo", 0600), 0);
	bad("t/fifo", "x", WEFT_STAGE_AUTO, "t/fifo is a FIFO");
	bad("t", "x", WEFT_STAGE_AUTO, "t/fifo is a FIFO");
	ck_assert_int_eq(unlink("t/fifo"), 0);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&un, sizeof(un)), 0);
	bad("t", "x", WEFT_STAGE_HARD, "t/sock is a socket");
	close(s);
	leave();
}
END_TEST

START_TEST(kill_in_the_middle)
{
	unsigned left = 0;

	enter_at(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	make_big("big", 48);
	ck_assert_int_eq(mkdir("tree", 0755), 0);
	for (int i = 0; i < 300; i++) {
		char path[32];

		snprintf(path, sizeof(path), "tree/%d", i);
		make(path, "x");
	}
	for (int round = 0; round < 20; round++) {
		const char *src = round % 2 ? "tree" : "big";
		double end = weft_monotonic() + 20;
		uint64_t bytes, files;
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(weft_stage_put(src, "dst", WEFT_STAGE_COPY, NULL, NULL) !=
				0);
		while (entries(".", ".weft-part.dst.") == 0 && access("dst", F_OK) != 0)
			ck_assert(weft_monotonic() < end);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (access("dst", F_OK) == 0) {
			/* Not there, or whole. */
			ck_assert_int_eq(
				weft_stage_measure("dst", &bytes, &files, NULL), 0);
			ck_assert_uint_eq(bytes, round % 2 ? 300 : 48 << 20);
			ck_assert_int_eq(weft_remove_tree("dst", NULL), 0);
		} else {
			left += entries(".", ".weft-part.dst.") > 0;
		}
		/* The next one removes what was left, and nothing else. */
		make(".weft-part.other.x.host.1.0", "");
		put(src, "dst", WEFT_STAGE_COPY);
		ck_assert_uint_eq(entries(".", ".weft-part.dst."), 0);
		ck_assert_uint_eq(entries(".", ".weft-part."), 1);
		ck_assert_int_eq(weft_stage_measure("dst", &bytes, &files, NULL), 0);
		ck_assert_uint_eq(files, round % 2 ? 300 : 1);
		ck_assert_int_eq(weft_remove_tree("dst", NULL), 0);
	}
	ck_assert_uint_gt(left, 0);
	leave();
}
END_TEST

START_TEST(only_one_of_many_wins)
{
	int won = 0, status;
	pid_t pid[4];

	enter();
	make_big("big", 2);
	for (int i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			struct weft_err err = {0};
			int rc = weft_stage_put(
				"big", "dst", WEFT_STAGE_COPY, NULL, &err);

			_exit(rc == 0 ? 0 : err.sys == EEXIST ? 1 : 2);
		}
	}
	for (int i = 0; i < 4; i++) {
		waitpid(pid[i], &status, 0);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		won += WEXITSTATUS(status) == 0;
	}
	ck_assert_int_eq(won, 1);
	ck_assert(same_data("big", "dst"));
	ck_assert_uint_eq(entries(".", ".weft-part."), 0);
	leave();
}
END_TEST

static atomic_bool stop;

static void *scribble(void *arg)
{
	int fd = open(arg, O_WRONLY);

	for (unsigned i = 0; !stop; i++)
		(void)!pwrite(fd, &i, sizeof(i), 0);
	close(fd);
	return NULL;
}

START_TEST(source_that_changes)
{
	weft_autoerr struct weft_err err = {0};
	bool seen = false;
	pthread_t th;

	enter();
	ck_assert_int_eq(mkdir("t", 0755), 0);
	make_big("t/big", 16);
	ck_assert_int_eq(pthread_create(&th, NULL, scribble, (char[]){"t/big"}), 0);
	for (int i = 0; i < 20 && !seen; i++) {
		seen = weft_stage_put(
			i % 2 ? "t" : "t/big", "dst", WEFT_STAGE_COPY, NULL, &err);
		weft_remove_tree("dst", NULL);
	}
	stop = true;
	pthread_join(th, NULL);
	ck_assert(seen);
	ck_assert_msg(
		strstr(err.text, "t/big changed while it was copied"), "%s", err.text);
	ck_assert_uint_eq(entries(".", ".weft-part."), 0);
	leave();
}
END_TEST

START_TEST(no_space)
{
	weft_autoerr struct weft_err err = {0};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) {
		printf("skip  no_space: needs root to mount a small file system\n");
		return;
	}
	enter();
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mkdir("small", 0755), 0);
	if (mount("none", "small", "tmpfs", 0, "size=1m") != 0) {
		printf("skip  no_space: mounting isn't allowed here\n");
		leave();
		return;
	}
	make_big("big", 3);
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert_int_eq(rename("big", "t/big"), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(weft_stage_put(i ? "t" : "t/big", "small/x",
					 WEFT_STAGE_AUTO, NULL, &err),
			-1);
		ck_assert_int_eq(err.code, WEFT_ESTAGE);
		ck_assert_int_eq(err.sys, ENOSPC);
		ck_assert_msg(strstr(err.text, "no space for small/x: 3M needed") &&
				      strstr(err.text, "left"),
			"%s", err.text);
		ck_assert_uint_eq(entries("small", ""), 0);
	}
	ck_assert_int_eq(umount("small"), 0);
	leave();
}
END_TEST

/* Before the first byte, with what is missing; holes and other names don't count. */
START_TEST(it_is_known_before)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_stage_options opt = {.durable = WEFT_STAGE_NONE};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) {
		printf("skip  it_is_known_before: needs root to mount\n");
		return;
	}
	enter();
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mkdir("small", 0755), 0);
	if (mount("none", "small", "tmpfs", 0, "size=1m,nr_inodes=20") != 0) {
		printf("skip  it_is_known_before: mounting isn't allowed here\n");
		leave();
		return;
	}
	make_big("three", 3);
	ck_assert_int_eq(weft_stage_fits("three", "small/x", &err), -1);
	ck_assert_int_eq(err.sys, ENOSPC);
	ck_assert_ptr_nonnull(strstr(
		err.text, "no space for small/x: 3M needed, 1M left: 2M is missing"));
	weft_err_clear(&err);
	ck_assert_int_eq(mkdir("tree", 0755), 0);
	for (int i = 0; i < 25; i++) {
		char name[32];

		snprintf(name, sizeof(name), "tree/%d", i);
		make(name, "x");
	}
	ck_assert_int_eq(weft_stage_copy("tree", "small/tree", &opt, NULL, &err), -1);
	ck_assert_msg(strstr(err.text, "26 inodes needed, 19 left: 7 are missing"),
		"%s", err.text);
	ck_assert_uint_eq(entries("small", ""), 0);
	weft_err_clear(&err);
	ck_assert_int_eq(weft_remove_tree("tree", NULL), 0);
	ck_assert_int_eq(mkdir("tree", 0755), 0);
	make("tree/a", "x");
	ck_assert_int_eq(truncate("tree/a", 100 << 20), 0);
	make_big("tree/b", 1);
	ck_assert_int_eq(truncate("tree/b", 700 << 10), 0);
	ck_assert_int_eq(link("tree/b", "tree/c"), 0);
	ck_assert_int_eq(weft_stage_fits("tree", "small/tree", &err), 0);
	ck_assert_int_eq(weft_stage_copy("tree", "small/tree", &opt, NULL, &err), 0);
	ck_assert_int_eq(umount("small"), 0);
	leave();
}
END_TEST

START_TEST(looking)
{
	uint64_t bytes, files, inodes;
	weft_autoerr struct weft_err err = {0};

	enter();
	ck_assert_int_eq(mkdir("t", 0755) | mkdir("t/s", 0755), 0);
	make("t/a", "12345");
	make("t/s/b", "123");
	ck_assert_int_eq(symlink("/", "t/link"), 0);
	ck_assert_int_eq(weft_stage_measure("t", &bytes, &files, &err), 0);
	ck_assert_uint_eq(bytes, 8);
	ck_assert_uint_eq(files, 3);
	ck_assert_int_eq(weft_stage_measure("t/a", &bytes, &files, &err), 0);
	ck_assert_uint_eq(bytes, 5);
	ck_assert_int_eq(weft_stage_measure("none", &bytes, &files, &err), -1);
	ck_assert_int_eq(err.code, WEFT_ESTAGE);
	ck_assert_int_eq(weft_stage_space("t/not/yet/there", &bytes, &inodes, &err), 0);
	ck_assert_uint_gt(bytes, 0);
	ck_assert_int_eq(weft_stage_space("not-yet", &bytes, &inodes, &err), 0);
	ck_assert_int_eq(weft_stage_space("/not-yet", &bytes, &inodes, &err), 0);
	leave();
}
END_TEST

static void globs(const char *pattern, const char *want)
{
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str s = {0};
	char **v;
	size_t n;

	if (weft_stage_glob(".", pattern, &v, &n, &err) != 0)
		ck_abort_msg("%s: %s", pattern, err.text);
	for (size_t i = 0; i < n; i++)
		weft_str_printf(&s, "%s;", v[i]);
	ck_assert_msg(weft_streq(s.s ? s.s : "", want), "%s: got %s, want %s", pattern,
		s.s, want);
	weft_stage_glob_free(v, n);
}

START_TEST(globbing)
{
	weft_autoerr struct weft_err err = {0};
	char **v = (char **)&err;
	size_t n;

	enter();
	ck_assert_int_eq(mkdir("d1", 0755) | mkdir("d2", 0755) | mkdir(".h", 0755), 0);
	make("f-2.bin", "");
	make("f-10.bin", "");
	make("f-1.txt", "");
	make("d1/x", "");
	make("d2/x", "");
	make("d2/y", "");
	make(".h/x", "");
	make("[a]", "");
	make("sp ace", "");
	make(".weft-part.x", "");
	globs("f-*.bin", "f-10.bin;f-2.bin;");
	globs("f-?.*", "f-1.txt;f-2.bin;");
	globs("*/x", "d1/x;d2/x;");
	globs(".*/x", ".h/x;");
	globs("d[2-9]/*", "d2/x;d2/y;");
	globs("d2/", "d2;");
	globs("./f-1.txt", "f-1.txt;");
	globs("d1/x", "d1/x;");
	globs("none*", "");
	globs("none", "");
	globs("f-1.txt/*", "");
	globs("\\[a]", "[a];");
	globs("sp*", "sp ace;");
	globs(".w*", "");
	ck_assert_int_eq(weft_stage_glob(".", "../*", &v, &n, &err), -1);
	ck_assert_ptr_null(v);
	ck_assert(strstr(err.text, "leads outside"));
	ck_assert_int_eq(weft_stage_glob(".", "/etc/*", &v, &n, &err), -1);
	ck_assert_int_eq(weft_stage_glob(".", "d1/../../x", &v, &n, &err), -1);
	ck_assert_int_eq(weft_stage_glob(".", "", &v, &n, &err), -1);
	ck_assert_int_eq(weft_stage_glob("none", "*", &v, &n, &err), -1);
	ck_assert_int_eq(err.code, WEFT_ESTAGE);
	leave();
}
END_TEST

START_TEST(deep_measure)
{
	uint64_t bytes, files;
	int fd;

	enter_memory();
	ck_assert_int_eq(mkdir("t", 0755), 0);
	fd = open("t", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 1500; i++) {
		int next;

		ck_assert_int_eq(mkdirat(fd, "folder", 0755), 0);
		next = openat(fd, "folder", O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = next;
	}
	close(openat(fd, "file", O_CREAT | O_WRONLY, 0644));
	close(fd);
	ck_assert_int_eq(weft_stage_measure("t", &bytes, &files, NULL), 0);
	ck_assert_uint_eq(files, 1);
	put("t", "d", WEFT_STAGE_COPY);
	ck_assert_int_eq(weft_stage_measure("d", &bytes, &files, NULL), 0);
	ck_assert_uint_eq(files, 1);
	leave();
}
END_TEST

SUITE("stage", deep_measure, one_file, links, holes_stay, across_file_systems, trees,
	refused, kill_in_the_middle, only_one_of_many_wins, source_that_changes,
	no_space, looking, globbing, it_is_known_before)
