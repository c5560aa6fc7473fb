/* test_stage_cache.c - what a node keeps: fetched once, given many times, never wrong
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "stage.h"
#include "suite.h"

static char store[64]; /* on another file system than `dir` */
static char where[80];

static struct weft_stage_cache *open_cache(uint64_t bytes, uint64_t inodes)
{
	struct weft_stage_limits limits = {bytes, inodes};
	struct weft_stage_cache *c;
	weft_autoerr struct weft_err err = {0};

	if (weft_stage_cache_open(where, &limits, &c, &err) != 0)
		ck_abort_msg("%s", err.text);
	return c;
}

/* Sources in /tmp, the cache and what it gives in memory. */
static struct weft_stage_cache *begin(uint64_t bytes, uint64_t inodes)
{
	struct stat a, b;

	enter();
	strcpy(store, "/dev/shm/weft-test-cache.XXXXXX");
	if (access("/dev/shm", W_OK) != 0 || stat("/dev/shm", &a) != 0 ||
		stat("/tmp", &b) != 0 || a.st_dev == b.st_dev || !mkdtemp(store)) {
		leave();
		return NULL;
	}
	snprintf(where, sizeof(where), "%s/cache", store);
	return open_cache(bytes, inodes);
}

static void end(struct weft_stage_cache *c)
{
	weft_stage_cache_close(c);
	ck_assert_int_eq(weft_remove_tree(store, NULL), 0);
	leave();
}

static const char *at(const char *name)
{
	static char path[4][160];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", store, name);
	return path[i];
}

static struct weft_stage_report get_with(struct weft_stage_cache *c, const char *src,
	const char *dst, bool writable, unsigned flags, int want)
{
	struct weft_stage_options opt = {
		.durable = WEFT_STAGE_NONE, .writable = writable};
	weft_autoerr struct weft_err err = {0};
	struct weft_stage_report r = {0};
	int got = weft_stage_cache_get(c, src, dst, &opt, flags, &r, &err);

	ck_assert_msg(got == want, "%s -> %s: %d, not %d: %s", src, dst, got, want,
		err.text ? err.text : "");
	return r;
}

static struct weft_stage_report get(
	struct weft_stage_cache *c, const char *src, const char *dst)
{
	return get_with(c, src, at(dst), false, 0, 0);
}

struct seen {
	unsigned n;
	char key[8][64], path[8][200];
	uint64_t bytes;
	bool leased, linked;
};

static int see(void *ctx, const struct weft_stage_cached *e)
{
	struct seen *s = ctx;

	snprintf(s->key[s->n], sizeof(s->key[0]), "%s", e->key);
	snprintf(s->path[s->n], sizeof(s->path[0]), "%s", e->path);
	s->bytes += e->bytes;
	s->leased |= e->leased;
	s->linked |= e->linked;
	return ++s->n == 8;
}

static struct seen look(struct weft_stage_cache *c)
{
	struct seen s = {0};

	ck_assert_int_eq(weft_stage_cache_each(c, see, &s, NULL), 0);
	return s;
}

static void drop(const char *name)
{
	ck_assert_int_eq(weft_remove_tree(at(name), NULL), 0);
}

START_TEST(a_file)
{
	struct weft_stage_cache *c = begin(0, 0);
	struct weft_stage_report r;
	struct seen s;

	if (!c)
		return;
	make("a", "hello");
	get_with(c, "a", at("one"), false, WEFT_CACHE_PEEK, 1);
	make("early", "bird");
	get_with(c, "early", "early", false, WEFT_CACHE_ONLY, 0);
	ck_assert_str_eq(get(c, "early", "early").strategy, "cache");
	ck_assert(holds(at("early"), "bird"));
	drop("early");
	uint64_t out_n, out_bytes;
	ck_assert_int_eq(weft_stage_cache_trim(c, true, &out_n, &out_bytes, NULL), 0);
	ck_assert_uint_eq(out_n, 1);
	r = get(c, "a", "one");
	ck_assert_str_eq(r.strategy, "fetched");
	ck_assert_uint_eq(r.moved, 5);
	ck_assert_uint_eq(strlen(r.hash), WEFT_DIGEST_HEX - 1);
	r = get(c, "a", "two");
	ck_assert_str_eq(r.strategy, "cache");
	ck_assert_uint_eq(r.moved, 0);
	ck_assert_uint_eq(r.bytes, 5);
	ck_assert(holds(at("two"), "hello"));
	/* One and the same, and not to be written to. */
	ck_assert_uint_eq(stat_of(at("one")).st_ino, stat_of(at("two")).st_ino);
	ck_assert_int_eq(stat_of(at("two")).st_mode & 0777, 0444);
	/* A private copy is one. */
	get_with(c, "a", at("own"), true, 0, 0);
	ck_assert_int_eq(stat_of(at("own")).st_mode & 0200, 0200);
	ck_assert_uint_ne(stat_of(at("one")).st_ino, stat_of(at("own")).st_ino);
	s = look(c);
	ck_assert_uint_eq(s.n, 1);
	ck_assert(s.linked && !s.leased);
	/* The same data under another name is the same entry. */
	ck_assert_int_eq(chmod("a", 0644), 0);
	make("b", "hello");
	get(c, "b", "three");
	ck_assert_uint_eq(look(c).n, 1);
	r = get(c, "b", "four");
	ck_assert_str_eq(r.strategy, "cache");
	/* With other permissions it isn't. */
	make("x", "hello");
	ck_assert_int_eq(chmod("x", 0755), 0);
	get(c, "x", "run");
	ck_assert_int_eq(stat_of(at("run")).st_mode & 0777, 0555);
	ck_assert_uint_eq(look(c).n, 2);
	/* What is there isn't overwritten; what isn't there is an error. */
	get_with(c, "a", at("one"), false, 0, -1);
	get_with(c, "none", at("new"), false, 0, -1);
	/* On its own file system it has nothing to give. */
	get_with(c, at("one"), at("new"), false, 0, 1);
	ck_assert_int_ne(access(at("new"), F_OK), 0);
	end(c);
}
END_TEST

START_TEST(a_tree)
{
	struct weft_stage_cache *c = begin(0, 0);
	struct weft_stage_report r;

	if (!c)
		return;
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert_int_eq(mkdir("t/sub", 0555), 0);
	ck_assert_int_eq(chmod("t/sub", 0755), 0);
	make("t/a", "one");
	make("t/sub/b", "two");
	ck_assert_int_eq(link("t/a", "t/sub/same"), 0);
	ck_assert_int_eq(symlink("../a", "t/sub/up"), 0);
	ck_assert_int_eq(mkdir("t/empty", 0755), 0);
	r = get(c, "t", "one");
	ck_assert_str_eq(r.strategy, "fetched");
	r = get(c, "t", "two");
	ck_assert_str_eq(r.strategy, "cache");
	ck_assert(holds(at("two/sub/b"), "two"));
	ck_assert(holds(at("two/sub/up"), "one"));
	ck_assert_uint_eq(
		stat_of(at("two/a")).st_ino, stat_of(at("two/sub/same")).st_ino);
	ck_assert(S_ISDIR(stat_of(at("two/empty")).st_mode));
	ck_assert(look(c).linked);
	drop("one");
	drop("two");
	ck_assert(!look(c).linked);
	/* Something new in it: another entry. */
	make("t/sub/new", "three");
	r = get(c, "t", "three");
	ck_assert_str_eq(r.strategy, "fetched");
	ck_assert(holds(at("three/sub/new"), "three"));
	ck_assert_uint_eq(look(c).n, 2);
	end(c);
}
END_TEST

START_TEST(changed_data_is_found)
{
	struct weft_stage_cache *c = begin(0, 0);
	struct weft_stage_report r;
	struct timespec t[2];
	struct seen s;
	struct stat st;
	int fd;

	if (!c)
		return;
	make("a", "hello");
	get(c, "a", "one");
	s = look(c);
	/* Written to: another time. */
	ck_assert_int_eq(chmod(s.path[0], 0644), 0);
	make(s.path[0], "jello");
	drop("one");
	r = get(c, "a", "two");
	ck_assert_str_eq(r.strategy, "fetched");
	ck_assert(holds(at("two"), "hello"));
	/* A bit that flips by itself: the times are as they were. */
	s = look(c);
	st = stat_of(s.path[0]);
	t[0] = st.st_atim;
	t[1] = st.st_mtim;
	ck_assert_int_eq(chmod(s.path[0], 0644), 0);
	fd = open(s.path[0], O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "H", 1, 0), 1);
	ck_assert_int_eq(futimens(fd, t), 0);
	close(fd);
	ck_assert_int_eq(chmod(s.path[0], 0444), 0);
	drop("two");
	r = get_with(c, "a", at("three"), false, WEFT_CACHE_CHECK, 0);
	ck_assert_str_eq(r.strategy, "fetched");
	ck_assert(holds(at("three"), "hello"));
	/* The source is another one by now. */
	make("a", "other");
	r = get(c, "a", "four");
	ck_assert_str_eq(r.strategy, "fetched");
	ck_assert(holds(at("four"), "other"));
	end(c);
}
END_TEST

/* An entry from before the machine's start is read before it is given. */
START_TEST(after_a_crash)
{
	struct weft_stage_cache *c = begin(0, 0);
	struct weft_stage_report r;
	struct timespec t[2];
	struct seen s;
	struct stat st;
	char note[160], text[400];
	ssize_t n;
	int fd;

	if (!c)
		return;
	make("a", "hello");
	get(c, "a", "one");
	drop("one");
	s = look(c);
	snprintf(note, sizeof(note), "%s/u/%s", where, s.key[0]);
	for (int bad = 0; bad < 2; bad++) {
		fd = open(note, O_RDWR);
		n = read(fd, text, sizeof(text) - 1);
		ck_assert_int_gt(n, 0);
		text[n] = '\0';
		char *boot = strstr(text, "boot ");
		ck_assert_ptr_nonnull(boot);
		ck_assert_int_eq(pwrite(fd, "0123", 4, boot + 5 - text), 4);
		close(fd);
		if (bad) {
			st = stat_of(s.path[0]);
			t[0] = st.st_atim;
			t[1] = st.st_mtim;
			ck_assert_int_eq(chmod(s.path[0], 0644), 0);
			fd = open(s.path[0], O_WRONLY);
			ck_assert_int_eq(pwrite(fd, "\0\0", 2, 0), 2);
			ck_assert_int_eq(futimens(fd, t), 0);
			close(fd);
			ck_assert_int_eq(chmod(s.path[0], 0444), 0);
		}
		r = get(c, "a", "two");
		ck_assert_str_eq(r.strategy, bad ? "fetched" : "cache");
		ck_assert(holds(at("two"), "hello"));
		drop("two");
	}
	end(c);
}
END_TEST

START_TEST(limits_hold)
{
	struct weft_stage_cache *c = begin(3 << 20, 0);
	weft_autoerr struct weft_err err = {0};
	char key[64];
	uint64_t n, bytes;
	struct seen s;

	if (!c)
		return;
	make_big("a", 1);
	make_big("b", 1);
	make_big("c", 1);
	make_big("big", 4);
	for (const char *p = "abc"; *p; p++) {
		char name[2] = {*p};
		int fd = open(name, O_WRONLY | O_APPEND);

		ck_assert_int_eq(weft_write_all(fd, name, 1), 0);
		close(fd);
		get(c, name, name);
		if (*p != 'b')
			drop(name);
	}
	/* Three and a bit don't fit: what was used first went, but b has a name here.
	 */
	s = look(c);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_uint_le(s.bytes, 3 << 20);
	/* Too large at all: the caller's. */
	get_with(c, "big", at("big"), false, 0, 1);
	ck_assert_uint_eq(look(c).n, 2);
	/* What is used stays before what was used later but longer ago. */
	drop("b");
	ck_assert_str_eq(get(c, "b", "b").strategy, "cache");
	drop("b");
	get(c, "a", "a");
	ck_assert_str_eq(get(c, "b", "b").strategy, "cache");
	/* A lease holds. */
	drop("a");
	drop("b");
	s = look(c);
	snprintf(key, sizeof(key), "%s", s.key[0]);
	pid_t pid = fork();
	if (pid == 0) {
		char note[200];

		snprintf(note, sizeof(note), "%s/u/%s", where, key);
		int fd = open(note, O_RDONLY);
		if (fd < 0 || flock(fd, LOCK_SH) != 0)
			_exit(1);
		for (;;)
			pause();
	}
	for (unsigned i = 0; !look(c).leased; i++) {
		ck_assert_uint_lt(i, 5000);
		usleep(1000);
	}
	ck_assert_int_eq(weft_stage_cache_trim(c, true, &n, &bytes, &err), 0);
	ck_assert_uint_eq(n, 1);
	s = look(c);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_str_eq(s.key[0], key);
	/* A dead one's doesn't. */
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(weft_stage_cache_trim(c, true, &n, &bytes, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(look(c).n, 0);
	ck_assert_uint_eq(entries(at("cache/e"), ""), 0);
	ck_assert_uint_eq(entries(at("cache/s"), ""), 0);
	ck_assert_uint_eq(entries(at("cache/n"), ""), 0);
	ck_assert_uint_eq(entries(at("cache/f"), ""), 0);
	end(c);
}
END_TEST

START_TEST(inodes_are_limited_too)
{
	struct weft_stage_cache *c = begin(0, 4);

	if (!c)
		return;
	make("a", "1");
	make("b", "2");
	get(c, "a", "a");
	drop("a");
	ck_assert_int_eq(mkdir("t", 0755), 0);
	make("t/1", "1");
	make("t/2", "2");
	get(c, "t", "t");
	ck_assert_uint_eq(look(c).n, 2);
	drop("t");
	get(c, "b", "b");
	ck_assert_uint_eq(look(c).n, 2);
	make("t/3", "3");
	make("t/4", "4");
	get_with(c, "t", at("t2"), false, 0, 1);
	end(c);
}
END_TEST

/* Many at once: one brings it, also when the first that tries is killed. */
START_TEST(one_fetches)
{
	enum { MANY = 20 };
	struct weft_stage_cache *c = begin(0, 0);
	uint64_t *moved;
	pid_t pid[MANY];

	if (!c)
		return;
	make_big("a", 64);
	moved = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(moved, MAP_FAILED);
	for (int i = 0; i < MANY; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			char dst[16];

			snprintf(dst, sizeof(dst), "d%d", i);
			moved[i] = 1 + get(c, "a", dst).moved;
			_exit(0);
		}
		if (i == 0) {
			/* It has begun. */
			for (unsigned k = 0; !entries(at("cache/n"), ""); k++) {
				ck_assert_uint_lt(k, 50000);
				usleep(100);
			}
			kill(pid[0], SIGKILL);
		}
	}
	uint64_t sum = 0;
	unsigned done = 0;
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
		sum += moved[i] ? moved[i] - 1 : 0;
		done += moved[i] > 0;
	}
	ck_assert_uint_ge(done, MANY - 1);
	ck_assert_uint_le(sum, 64 << 20);
	ck_assert_uint_eq(look(c).n, 1);
	ck_assert(same_data("a", at("d7")));
	munmap(moved, 4096);
	end(c);
}
END_TEST

/* What was made here and published elsewhere is here for who asks for that. */
START_TEST(a_producers_output)
{
	struct weft_stage_cache *c = begin(0, 0);
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str text = {0};
	struct weft_stage_options opt = {.durable = WEFT_STAGE_NONE, .text = &text};
	struct weft_stage_report r;

	if (!c)
		return;
	ck_assert_int_eq(mkdir(at("work"), 0755), 0);
	make(at("work/model"), "weights");
	ck_assert_int_eq(mkdir(at("work/t"), 0755), 0);
	make(at("work/t/x"), "data");
	ck_assert_int_eq(mkdir("part", 0755), 0);
	ck_assert_int_eq(mkdir("out", 0755), 0);
	for (int i = 0; i < 2; i++) {
		weft_autofree char *name = strdup(i ? "t" : "model");
		weft_autofree char *made = weft_printf("%s/work/%s", store, name);
		weft_autofree char *part = weft_printf("part/%s", name);
		weft_autofree char *out = weft_printf("out/%s", name);

		ck_assert_int_eq(weft_stage_copy(made, part, &opt, &r, &err), 0);
		ck_assert_int_eq(weft_stage_cache_add(c, made, out, text.s, &err), 0);
		ck_assert_int_eq(rename(part, out), 0);
		ck_assert_int_eq(weft_remove_tree(made, NULL), 0);
		r = get(c, out, name);
		ck_assert_str_eq(r.strategy, "cache");
		ck_assert_uint_eq(r.moved, 0);
	}
	ck_assert(holds(at("model"), "weights"));
	ck_assert(holds(at("t/x"), "data"));
	/* Published anew: it is another one. */
	make("out/model", "weighed");
	ck_assert_str_eq(get(c, "out/model", "model2").strategy, "fetched");
	/* A record that isn't whole makes no entry. */
	make(at("work/other"), "x");
	ck_assert_int_eq(
		weft_stage_cache_add(c, at("work/other"), "out/x", "nothing", &err), 1);
	end(c);
}
END_TEST

/* What somebody else has brought here is given to who asks for its source. */
START_TEST(a_copy_that_came)
{
	struct weft_stage_cache *c = begin(0, 0);
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str text = {0};
	struct weft_stage_options opt = {.durable = WEFT_STAGE_NONE, .text = &text};
	struct weft_stage_report r;
	struct stat st;

	if (!c)
		return;
	make("model", "weights");
	weft_autofree char *source = realpath("model", NULL);
	weft_autofree char *copy = strdup(at("came"));
	ck_assert_int_eq(weft_stage_copy(source, copy, &opt, &r, &err), 0);
	ck_assert_int_eq(weft_stage_cache_take(c, copy, source, text.s, &err), 0);
	ck_assert_int_eq(stat(copy, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_uint_eq(st.st_mode & 0222, 0);
	r = get(c, "model", "again");
	ck_assert_str_eq(r.strategy, "cache");
	ck_assert_uint_eq(r.moved, 0);
	ck_assert(holds(at("again"), "weights"));
	/* Not what was changed since, nor what is none. */
	make("model", "heavier");
	ck_assert_str_eq(get(c, "model", "changed").strategy, "fetched");
	ck_assert_int_eq(weft_stage_cache_take(c, copy, source, "nothing", &err), 1);
	end(c);
}
END_TEST

START_TEST(not_in_anothers_folder)
{
	struct weft_stage_cache *c = begin(0, 0), *d;
	weft_autoerr struct weft_err err = {0};

	if (!c)
		return;
	ck_assert_int_eq(mkdir(at("open"), 0755), 0);
	ck_assert_int_eq(chmod(at("open"), 0755), 0);
	ck_assert_int_eq(weft_stage_cache_open(at("open/cache"), NULL, &d, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "alone"));
	weft_err_clear(&err);
	ck_assert_int_eq(symlink(store, at("link")), 0);
	ck_assert_int_eq(weft_stage_cache_open(at("link/cache"), NULL, &d, &err), -1);
	end(c);
}
END_TEST

SUITE("cache", a_file, a_tree, changed_data_is_found, after_a_crash, limits_hold,
	inodes_are_limited_too, one_fetches, a_producers_output, a_copy_that_came,
	not_in_anothers_folder)
