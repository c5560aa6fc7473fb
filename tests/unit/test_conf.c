/* weft.conf: what is read, what is refused and with which words. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "suite.h"

static struct weft_conf *good(const char *text)
{
	struct weft_err err = {0};
	struct weft_conf *c;

	ck_assert_msg(weft_conf_parse("t.conf", text, strlen(text), &c, &err) == 0,
		"%s", err.text);
	return c;
}

/* The text must be refused on that line, with `part` in message or hint. */
static void bad_n(const char *text, size_t n, unsigned line, const char *part)
{
	struct weft_err err = {0};
	struct weft_conf *c = (void *)1;

	ck_assert_msg(weft_conf_parse("t.conf", text, n, &c, &err) == -1,
		"not refused: %s", text);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(err.code, WEFT_ECONF);
	ck_assert_str_eq(err.file, "t.conf");
	ck_assert_uint_eq(err.pos.line, line);
	ck_assert_msg(strstr(err.text, part) || (err.hint && strstr(err.hint, part)),
		"no '%s' in: %s (%s)", part, err.text, err.hint ? err.hint : "");
	weft_err_clear(&err);
}

static void bad(const char *text, unsigned line, const char *part)
{
	bad_n(text, strlen(text), line, part);
}

START_TEST(defaults)
{
	struct weft_conf *c = good("");

	ck_assert(c->enabled && c->bind);
	ck_assert_str_eq(c->scratch, "/tmp");
	ck_assert_str_eq(c->memory, "/dev/shm");
	ck_assert_str_eq(c->cache, "/run/weft");
	ck_assert_str_eq(c->run_dir, "weft-runs");
	ck_assert_ptr_null(c->command);
	ck_assert_ptr_null(c->mpi);
	ck_assert_int_eq(c->time, 0);
	ck_assert_uint_eq(c->n_avoid, 0);
	weft_conf_free(c);
	weft_conf_free(NULL);
}
END_TEST

START_TEST(every_key)
{
	struct weft_conf *c = good("# a comment\n\n"
				   "  enabled=no\n"
				   "command = /opt/weft/bin/weft\n"
				   "mpi\t=\tpmi2\n"
				   "scratch = /local/\n"
				   "memory = /ram\n"
				   "cache = /var/cache/weft\n"
				   "run_dir = ~/runs\n"
				   "bind = none\n"
				   "time = 90m\n"
				   "avoid = debug,long  big\n"
				   "[ role  training ]\n"
				   "partition = gpu,gpu2\n"
				   "qos = q\naccount = a\nconstraint = a100&nvlink\n"
				   "setup = /etc/weft/t.sh\n"
				   "time = 1-00:00:00\nmem_per_cpu = 1.5G\n"
				   "env.OMP_NUM_THREADS = 4\n"
				   "env.EMPTY =\n"
				   "env.EQ = a=b c\n"
				   "[role steering]\n"
				   "partition = cpu"); /* no newline at the end */
	const struct weft_conf_role *t = &c->role[2], *s = &c->role[4];

	ck_assert(!c->enabled && !c->bind);
	ck_assert_str_eq(c->file, "t.conf");
	ck_assert_str_eq(c->command, "/opt/weft/bin/weft");
	ck_assert_str_eq(c->mpi, "pmi2");
	ck_assert_str_eq(c->scratch, "/local");
	ck_assert_str_eq(c->memory, "/ram");
	ck_assert_str_eq(c->cache, "/var/cache/weft");
	ck_assert_str_eq(c->run_dir, "~/runs");
	ck_assert_int_eq(c->time, 5400);
	ck_assert_uint_eq(c->n_avoid, 3);
	ck_assert_str_eq(c->avoid[2], "big");
	ck_assert_str_eq(t->partition, "gpu,gpu2");
	ck_assert_str_eq(t->constraint, "a100&nvlink");
	ck_assert_str_eq(t->setup, "/etc/weft/t.sh");
	ck_assert_int_eq(t->time, 86400);
	ck_assert_uint_eq(t->mem_per_cpu, 3ull << 29);
	ck_assert_uint_eq(t->n_env, 3);
	ck_assert_str_eq(t->env[0].value, "4");
	ck_assert_str_eq(t->env[1].value, "");
	ck_assert_str_eq(t->env[2].name, "EQ");
	ck_assert_str_eq(t->env[2].value, "a=b c");
	ck_assert_str_eq(s->partition, "cpu");
	ck_assert_ptr_null(s->qos);
	weft_conf_free(c);
}
END_TEST

START_TEST(unknown)
{
	bad("scrach = /tmp\n", 1, "did you mean 'scratch'?");
	bad("\n\nzzzzzzzzzz = 1\n", 3, "unknown key 'zzzzzzzzzz'");
	bad("partition = cpu\n", 1, "below a [role NAME] line");
	bad("env.X = 1\n", 1, "below a [role NAME] line");
	bad("[role training]\nscratch = /x\n", 2, "above the first [role NAME] line");
	bad("[role training]\nparition = x\n", 2, "did you mean 'partition'?");
	bad("[role trainning]\n", 1, "did you mean 'training'?");
	bad("[role]\n", 1, "unknown section");
	bad("[rolex training]\n", 1, "unknown section");
	bad("[partition gpu]\n", 1, "the sections are [role NAME]");
	bad("[role training\n", 1, "ends with ']'");
	bad("[\n", 1, "ends with ']'");
	bad("[]\n", 1, "unknown section");
	bad("Enabled = yes\n", 1, "unknown key");
}
END_TEST

START_TEST(repeated)
{
	bad("mpi = pmi2\nbind = auto\nmpi = pmi2\n", 3, "mpi is repeated");
	bad("[role training]\n[role steering]\n[role training]\n", 3, "repeated");
	bad("[role training]\nqos = a\nqos = b\n", 3, "qos is repeated");
	bad("[role training]\nenv.A = 1\nenv.A = 2\n", 3, "env.A is repeated");
	/* The same key in two sections is two keys. */
	weft_conf_free(good("time = 1h\n[role training]\ntime = 2h\n[role steering]\n"
			    "time = 3h\n"));
}
END_TEST

START_TEST(bad_values)
{
	bad("enabled = true\n", 1, "yes or no");
	bad("bind = yes\n", 1, "auto or none");
	bad("command = weft\n", 1, "absolute path");
	bad("scratch = /tmp/../etc\n", 1, "'..'");
	bad("scratch = /..\n", 1, "'..'");
	bad("run_dir = ..\n", 1, "'..'");
	weft_conf_free(good("scratch = /a..b/c..\n"));
	bad("mpi = none\n", 1, "rank 0");
	bad("mpi = pmi2;id\n", 1, "--mpi=list");
	bad("time = 90\n", 1, "bad duration");
	bad("time = 0s\n", 1, "more than 0");
	bad("[role training]\nmem_per_cpu = 4X\n", 2, "bad size");
	bad("[role training]\nmem_per_cpu = 0\n", 2, "more than 0");
	bad("[role training]\npartition = a b\n", 2, "bad value");
	bad("[role training]\naccount = --uid=0\n", 2, "bad value");
	bad("[role training]\nqos = $(id)\n", 2, "bad value");
	bad("[role training]\nsetup = ./x.sh\n", 2, "absolute path");
	bad("[role training]\nenv.1X = 1\n", 2, "environment variable");
	bad("[role training]\nenv. = 1\n", 2, "environment variable");
	bad("[role training]\nenv.WEFT_STEP = 1\n", 2, "set by weft");
	bad("avoid = ,\n", 1, "names no partition");
	bad("avoid = -x\n", 1, "bad partition name");
	bad("mpi =\n", 1, "has no value");
	bad("mpi = pmi2 # the best\n", 1, "line of its own");
	bad("mpi = #\n", 1, "line of its own");
	bad("mpi\n", 1, "neither");
	bad("= x\n", 1, "no key");
}
END_TEST

START_TEST(bytes)
{
	static char big[WEFT_CONF_MAX_BYTES + 2];
	char line[5000];

	bad_n("mpi = a\0b\n", 10, 1, "control character 0x00");
	bad("mpi = a\r\n", 1, "Unix line ends");
	bad("# \x1b[31m\n", 1, "control character 0x1b");
	bad("# \xff\xfe\n", 1, "not UTF-8");
	weft_conf_free(good("# caf\xc3\xa9"));

	memset(line, '#', sizeof(line));
	line[4096] = '\0';
	weft_conf_free(good(line));
	line[4096] = '#';
	line[4097] = '\0';
	bad(line, 1, "4096 bytes");

	memset(big, '\n', sizeof(big));
	big[WEFT_CONF_MAX_BYTES] = '\0';
	weft_conf_free(good(big));
	big[WEFT_CONF_MAX_BYTES] = '\n';
	bad_n(big, WEFT_CONF_MAX_BYTES + 1, 0, "65536 bytes");
}
END_TEST

START_TEST(many_env)
{
	weft_autostr struct weft_str s = {0};

	weft_str_add(&s, "[role training]\n");
	for (int i = 0; i < 256; i++)
		weft_str_printf(&s, "env.A%d = x\n", i);
	weft_conf_free(good(s.s));
	weft_str_add(&s, "env.B = x\n");
	bad(s.s, 258, "more than 256");
}
END_TEST

/* What the example offers in comments is read without an error. */
START_TEST(example)
{
	weft_autofree char *text = NULL;
	weft_autoerr struct weft_err err = {0};
	size_t n;

	ck_assert_msg(
		weft_read_file("conf/weft.conf.example", 65536, &text, &n, &err) == 0,
		"%s", err.text);
	weft_conf_free(good(text));
	for (char *s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (s[0] == '#' && ((s[1] >= 'a' && s[1] <= 'z') || s[1] == '['))
			s[0] = ' ';
	}
	struct weft_conf *c = good(text);
	ck_assert_str_eq(c->role[2].partition, "gpu");
	ck_assert_str_eq(c->mpi, "pmi2");
	weft_conf_free(c);
}
END_TEST

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

/* Whatever bytes there are: an answer, and no harm (VARIANT=san looks on). */
START_TEST(mutated)
{
	weft_autofree char *text = NULL;
	uint64_t seed = 88172645463325252u;
	size_t n;

	ck_assert_int_eq(
		weft_read_file("conf/weft.conf.example", 65536, &text, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (text[i] == '#' && (i == 0 || text[i - 1] == '\n') &&
			text[i + 1] != ' ')
			text[i] = ' ';
	for (int i = 0; i < 20000; i++) {
		struct weft_conf *c;
		size_t at;
		char old;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		at = seed % n;
		old = text[at];
		text[at] = i & 1 ? (char)(seed >> 32) : "\n=#[] .\t"[seed >> 60 & 7];
		if (weft_conf_parse("t.conf", text, (size_t)(seed >> 16) % (n + 1), &c,
			    NULL) == 0)
			weft_conf_free(c);
		else
			ck_assert_ptr_null(c);
		text[at] = old;
	}
}
END_TEST

/* The man page tells every key that the example has. */
START_TEST(man_page)
{
	weft_autofree char *text = NULL, *man = NULL;
	char want[96], key[64];
	size_t n;

	ck_assert_int_eq(
		weft_read_file("conf/weft.conf.example", 65536, &text, &n, NULL), 0);
	ck_assert_int_eq(weft_read_file("man/weft.conf.5", 65536, &man, &n, NULL), 0);
	for (char *s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (sscanf(s, "#%60[a-z_] = ", key) != 1 || s[strlen(key) + 2] != '=')
			continue;
		snprintf(want, sizeof(want), ".It Cm %s No", key);
		ck_assert_msg(
			strstr(man, want) != NULL, "not in the man page: %s", key);
	}
}
END_TEST

SUITE("conf", defaults, every_key, unknown, repeated, bad_values, bytes, many_env,
	example, files, trusted, sticky, mutated, man_page)
