/* test_base_text.c - strings, shell words, numbers, UTF-8, lists, paths, maps */
#include <string.h>

#include "base/base.h"
#include "suite.h"

START_TEST(strings_grow)
{
	struct weft_str b = {0};

	for (int i = 0; i < 5000; i++) {
		weft_str_printf(&b, "%d,", i % 10);
		weft_str_addc(&b, 'x');
	}
	ck_assert_uint_eq(b.len, 15000);
	ck_assert_uint_eq(strlen(b.s), 15000);
	weft_str_addn(&b, "a\0b", 3);
	ck_assert_uint_eq(b.len, 15003);
	char *s = weft_str_take(&b);
	ck_assert_mem_eq(s + 15000, "a\0b", 4);
	free(s);
	/* Nothing was added: still a text. */
	s = weft_str_take(&b);
	ck_assert_str_eq(s, "");
	free(s);
	weft_str_addc(&b, 'x');
	b.failed = true;
	weft_str_add(&b, "more");
	ck_assert_uint_eq(b.len, 1);
	ck_assert_ptr_null(weft_str_take(&b));
	weft_str_add(&b, "works again");
	ck_assert_str_eq(b.s, "works again");
	b.len = 0;
	weft_str_add_number(&b, 0);
	weft_str_add_number(&b, 907);
	weft_str_add_number(&b, UINT64_MAX);
	ck_assert_str_eq(b.s, "090718446744073709551615");
	/* What fits into what is there, just fits, and doesn't. */
	for (int n = 0; n < 200; n++) {
		b.len = 0;
		weft_str_printf(&b, "%0*d:", n + 1, 7);
		ck_assert_uint_eq(b.len, (size_t)n + 2);
		ck_assert_uint_eq(strlen(b.s), b.len);
		ck_assert_str_eq(b.s + n, "7:");
	}
	weft_str_free(&b);
	ck_assert_ptr_null(b.s);
}
END_TEST

/* What a shell makes of it: as an argument, and as the first word of a command. */
static void through_sh(const char *shell, const char *word)
{
	struct weft_str line = {0};
	char *out;
	int status;

	weft_str_add(&line, "w() { printf '%s' \"$#:$1\"; }; w ");
	weft_str_add_shell_word(&line, word);
	char *argv[] = {(char *)shell, (char *)"-c", line.s, NULL};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	s.argv = argv;
	ck_assert_int_eq(weft_capture(&s, 20, 1 << 20, &out, NULL, &status, NULL), 0);
	char *want = weft_printf("1:%s", word);
	ck_assert_msg(weft_streq(out, want), "%s: '%s' became '%s' in: %s", shell, word,
		out, line.s);
	free(out);
	free(want);
	weft_str_free(&line);

	/* No command does well under such a name, and nothing of it was assigned or
	 * begun. */
	weft_str_add(&line, ":; ");
	weft_str_add_shell_word(&line, word);
	weft_str_add(&line, " ; s=$?; echo \"$s:$NAME\"");
	argv[2] = line.s;
	s.err = -1;
	ck_assert_int_eq(weft_capture(&s, 20, 1 << 20, &out, NULL, &status, NULL), 0);
	ck_assert_msg(*out > '0' && *out <= '9' && weft_streq(strchr(out, ':'), ":\n"),
		"%s: first word '%s' gave '%s'", shell, word, out);
	free(out);
	weft_str_free(&line);
}

START_TEST(shell_words)
{
	static const char *const word[] = {"", " ", "a b", "'", "''", "'a'b'", "\"",
		"\\", "$HOME", "$(touch /nonexistent/x)", "`id`", "a\nb", "\n", "*",
		"~", "~root", "a~", "{a,b}", "!x", "#x", "-n", "--no", "a;b", "a&b",
		"a|b", "<x", ">x", "[a]", "?", "=ls", "NAME=1", "NAME+=1", "if", "then",
		"while", "in", "time", "^a^b", "%1", "@", "\xc3\xa4", "\xff", "a\tb",
		"\r"};

	for (size_t i = 0; i < WEFT_COUNT(word); i++) {
		through_sh("/bin/sh", word[i]);
		through_sh("/bin/bash", word[i]);
	}
}
END_TEST

START_TEST(shell_words_stay_plain)
{
	static const char *const plain[] = {"a", "/usr/bin/python3", "--opt=val", "-x",
		"1=2", "a,b:c@d", "iffy", "x%3", "+1"};

	for (size_t i = 0; i < WEFT_COUNT(plain); i++) {
		struct weft_str b = {0};

		weft_str_add_shell_word(&b, plain[i]);
		ck_assert_str_eq(b.s, plain[i]);
		weft_str_free(&b);
	}
}
END_TEST

START_TEST(integers)
{
	int64_t v = 77;

	ck_assert(weft_parse_int("0", 0, 10, &v) && v == 0);
	ck_assert(weft_parse_int("-5", -9, 10, &v) && v == -5);
	ck_assert(weft_parse_int("9223372036854775807", 0, INT64_MAX, &v) &&
		  v == INT64_MAX);
	v = 77;
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x10", "1e3",
		"1.0", "--1", "- 1", "9223372036854775808", "11", "-1", "1k"};
	for (size_t i = 0; i < WEFT_COUNT(bad); i++)
		ck_assert_msg(!weft_parse_int(bad[i], 0, 10, &v), "'%s'", bad[i]);
	ck_assert_int_eq(v, 77);
}
END_TEST

START_TEST(utf8)
{
	static const struct {
		const char *s;
		bool valid;
	} t[] = {{"", 1}, {"plain", 1}, {"\x7f", 1}, {"\xc2\x80", 1}, {"\xdf\xbf", 1},
		{"\xe0\xa0\x80", 1}, {"\xed\x9f\xbf", 1}, {"\xee\x80\x80", 1},
		{"\xef\xbf\xbf", 1}, {"\xf0\x90\x80\x80", 1}, {"\xf4\x8f\xbf\xbf", 1},
		{"\x80", 0}, {"\xbf", 0}, {"\xc0\x80", 0}, {"\xc1\xbf", 0}, {"\xc2", 0},
		{"\xc2x", 0}, {"\xe0\x80\x80", 0}, {"\xe0\x9f\xbf", 0},
		{"\xed\xa0\x80", 0}, {"\xed\xbf\xbf", 0}, {"\xe2\x82", 0},
		{"\xf0\x8f\xbf\xbf", 0}, {"\xf4\x90\x80\x80", 0},
		{"\xf5\x80\x80\x80", 0}, {"\xf0\x90\x80", 0}, {"\xfe", 0}, {"\xff", 0},
		{"ok\xe2\x82\xacok", 1}, {"ok\xe2\x82k", 0}};

	for (size_t i = 0; i < WEFT_COUNT(t); i++)
		ck_assert_msg(weft_utf8_valid(t[i].s, strlen(t[i].s)) == t[i].valid,
			"row %zu", i);
	ck_assert(weft_utf8_valid("a\0b", 3));
	ck_assert(!weft_utf8_valid("\xe2\x82\xac", 2)); /* no look beyond n */
}
END_TEST

START_TEST(nearest)
{
	static const char *const words[] = {
		"ntasks", "nodes", "gpus", "mem", "time", "sweep"};
	static const struct {
		const char *word, *near;
	} t[] = {{"ntask", "ntasks"}, {"ntakss", "ntasks"}, {"node", "nodes"},
		{"gpu", "gpus"}, {"men", "mem"}, {"tiem", "time"}, {"swep", "sweep"},
		{"NTASKS", NULL}, {"", NULL}, {"x", NULL}, {"account", NULL},
		{"mem", "mem"}};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		const char *got = weft_nearest(t[i].word, words, WEFT_COUNT(words));
		ck_assert_msg(weft_streq(got, t[i].near), "'%s': %s", t[i].word,
			got ? got : "none");
	}
	/* Longer than is measured. */
	char big[300];
	memset(big, 'n', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ck_assert_ptr_null(weft_nearest(big, words, WEFT_COUNT(words)));
	ck_assert_ptr_null(weft_nearest("mem", words, 0));
}
END_TEST

START_TEST(argument_lists)
{
	struct weft_argv a = {0};

	for (int i = 0; i < 100; i++) {
		weft_argv_addf(&a, "%d", i);
		ck_assert_ptr_null(a.v[a.n]);
	}
	weft_argv_add(&a, "");
	ck_assert_uint_eq(a.n, 101);
	ck_assert_str_eq(a.v[99], "99");
	ck_assert_str_eq(a.v[100], "");
	weft_argv_free(&a);
	ck_assert_ptr_null(a.v);
}
END_TEST

START_TEST(environments)
{
	char *from[] = {(char *)"A=1", (char *)"AB=2",
		(char *)"SLURM_X=", (char *)"SLURM_Y=3", (char *)"A=twice",
		(char *)"odd", NULL};
	struct weft_env e = {0};

	ck_assert_int_eq(weft_env_copy(&e, from), 0);
	ck_assert_str_eq(weft_env_get(&e, "A"), "1");
	ck_assert_str_eq(weft_env_get(&e, "SLURM_X"), "");
	ck_assert_ptr_null(weft_env_get(&e, "odd"));
	ck_assert_ptr_null(weft_env_get(&e, "SLURM"));
	ck_assert_int_eq(weft_env_set(&e, "AB", "x=y"), 0);
	ck_assert_str_eq(weft_env_get(&e, "AB"), "x=y");
	ck_assert_int_eq(weft_env_set(&e, "NEW", ""), 0);
	ck_assert_str_eq(weft_env_get(&e, "NEW"), "");
	weft_env_unset(&e, "A"); /* every one of that name */
	ck_assert_ptr_null(weft_env_get(&e, "A"));
	weft_env_unset_prefix(&e, "SLURM_");
	ck_assert_ptr_null(weft_env_get(&e, "SLURM_Y"));
	ck_assert_uint_eq(e.vars.n, 3); /* AB, odd, NEW */
	ck_assert_ptr_null(e.vars.v[3]);
	weft_env_free(&e);
	/* An empty environment is a list, not "ours". */
	from[0] = NULL;
	ck_assert_int_eq(weft_env_copy(&e, from), 0);
	ck_assert_ptr_nonnull(e.vars.v);
	ck_assert_ptr_null(e.vars.v[0]);
	weft_env_free(&e);
}
END_TEST

START_TEST(maps)
{
	enum { N = 20000 };
	struct weft_map m = {0};
	char(*key)[16] = calloc(N, sizeof(*key));
	size_t v = 0;

	ck_assert(!weft_map_get(&m, "x", &v));
	for (size_t i = 0; i < N; i++) {
		snprintf(key[i], sizeof(key[i]), "k%zu", i);
		ck_assert_int_eq(weft_map_add(&m, key[i], i, NULL), 1);
	}
	for (size_t i = 0; i < N; i++) {
		ck_assert(weft_map_get(&m, key[i], &v));
		ck_assert_uint_eq(v, i);
	}
	ck_assert_int_eq(weft_map_add(&m, "k5", 99, &v), 0);
	ck_assert_uint_eq(v, 5);
	ck_assert(!weft_map_get(&m, "K5", NULL));
	ck_assert(!weft_map_get(&m, "", NULL));
	weft_map_free(&m);
	free(key);
	struct weft_map f = {.fold = true};
	ck_assert_int_eq(weft_map_add(&f, "Kappa", 1, NULL), 1);
	ck_assert_int_eq(weft_map_add(&f, "KAPPA", 2, &v), 0);
	ck_assert_uint_eq(v, 1);
	ck_assert(weft_map_get(&f, "kappa", NULL));
	ck_assert(!weft_map_get(&f, "kapp", NULL));
	ck_assert(!weft_map_get(&f, "kappas", NULL));
	weft_map_free(&f);
	ck_assert(f.fold);
}
END_TEST

START_TEST(paths)
{
	static const struct {
		const char *base, *path, *want;
	} t[] = {{"/a/b", "c", "/a/b/c"}, {"/a/b", "./c//d/.", "/a/b/c/d"},
		{"/a/b", "../c", "/a/c"}, {"/a/b", "../../../c", "/c"},
		{"/a", "/x/../y", "/y"}, {"/a", "..", "/"}, {"/", "", "/"},
		{"/a", "~/x", "/home/me/x"}, {"/a", "~", "/home/me"},
		{"/a", "~x", "/a/~x"}, {"/a", "...", "/a/..."}};

	setenv("HOME", "/home/me/", 1);
	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		char *got = weft_path_absolute(t[i].base, t[i].path);
		ck_assert_str_eq(got, t[i].want);
		free(got);
	}
	char *j = weft_path_join("/a/", "b");
	ck_assert_str_eq(j, "/a/b");
	free(j);
	static const char *const inside[] = {
		"a", "a/b", "./a", "..a", "a/..b", "a//b", "."};
	static const char *const outside[] = {
		"", "/", "/a", "..", "../a", "a/..", "a/../b", "./.."};
	for (size_t i = 0; i < WEFT_COUNT(inside); i++)
		ck_assert_msg(weft_path_is_inside(inside[i]), "%s", inside[i]);
	for (size_t i = 0; i < WEFT_COUNT(outside); i++)
		ck_assert_msg(!weft_path_is_inside(outside[i]), "%s", outside[i]);
}
END_TEST

SUITE("base_text", strings_grow, shell_words, shell_words_stay_plain, integers, utf8,
	nearest, argument_lists, environments, maps, paths)
