/* Values in shell texts: hostile ones, in every place that takes values, through real
 * shells; the argument lists that programs get are compared byte for byte. */
#include "expr/expr.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

static const char *const shells[] = {"/bin/sh", "/bin/bash"};

/* Every name has the value in ctx. */
static int lookup(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	(void)name;
	return weft_value_set_string(out, ctx) ? weft_err_nomem(err) : 0;
}

/* The text with the value in it; false: refused. */
static bool render(
	const char *text, const char *value, struct weft_str *out, struct weft_err *err)
{
	struct weft_arena a = {0};
	struct weft_template *t;
	bool ok = weft_template_parse(&a, text, WEFT_QUOTE_SHELL, &t, err) == 0;

	if (ok && t)
		ck_assert_int_eq(
			weft_template_render(t, lookup, (char *)value, out, err), 0);
	else if (ok)
		weft_str_add(out, text);
	else
		ck_assert_ptr_null(t);
	weft_arena_free(&a);
	return ok;
}

static char dir[64];

static void enter(void)
{
	ck_assert_ptr_null(dir[0] ? dir : NULL);
	strcpy(dir, "/tmp/weft-test-expr.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	/* Something for globs to find. */
	ck_assert_int_eq(mkdir("a", 0700) | mkdir("b c", 0700), 0);
}

static void leave(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(weft_remove_tree(dir, NULL), 0);
	dir[0] = '\0';
}

static void run_script(const char *shell, const char *script, char **out)
{
	weft_autoerr struct weft_err err = {0};
	weft_autoargv struct weft_argv argv = {0}, env = {0};
	weft_autofree char *errout = NULL;
	struct weft_spawn s = WEFT_SPAWN_INIT;
	FILE *f = fopen("script", "w");
	int status;

	ck_assert(f && fputs(script, f) >= 0 && fclose(f) == 0);
	weft_argv_add(&argv, shell);
	weft_argv_add(&argv, "script");
	weft_argv_add(&argv, "one");
	weft_argv_add(&argv, "two");
	weft_argv_add(&env, "PATH=/usr/bin:/bin");
	weft_argv_add(&env, "LC_ALL=C.UTF-8");
	s.argv = argv.v;
	s.envp = env.v;
	if (weft_capture(&s, 20, 64 << 20, out, &errout, &status, &err) != 0)
		ck_abort_msg("%s: %s\n%s", shell, err.text, script);
}

static const char *const hostile[] = {"", " ", "a", "a b", "  a  b  ", "a\nb", "\n",
	"a\n", "\n\n", "$(touch X)", "`touch X`", "$X", "${X}", "${X:-$(touch X)}",
	"$((1+1))", "$", "$$", "a$", "\\", "\\\\", "a\\", "\\n", "\\$(touch X)",
	"\\\\$(touch X)", "'", "''", "'\\''", "\"", "\"\"", "'\"'\"'", "';touch X;'",
	"\";touch X;\"", "\";touch X #", "'; touch X #", ";touch X", "&touch X&",
	"|touch X", "\ntouch X\n", "touch X\n", "\nEOF\ntouch X\n", ")", "(touch X)",
	")touch X", "}", "{a,b}", "{1..3}", "*", "?", "[a-z]", "a*", "~", "~root",
	"~/x", "#", "# a", "a#b", "!", "!!", "!touch", "a=b", "A=b", "-", "-n", "--",
	"-e x", "--help", "if", "then", "case", "in", "esac", "do", "done", "{", "}",
	"[[", "]]", "time", "function", "2", "1", "0", "1..3", "a,b", "<", ">", "<X",
	">X", "2>X", "<(touch X)", ">(touch X)", "<<EOF", "EOF", "%s", "%s%n", "\\0",
	"\\c", "\t", "\r", "\r\n", "\x01", "\x7f", "\x1b[31m", "\xc3\xa9",
	"\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff", "\xc3", "\xe2\x82", "a\x80",
	"\x81\x82\x83\x84\x85\x86\x87\x88", "\x88", "\x81", "\x82'", "\xe2\"",
	"\xc3$(touch X)", "a[$(touch X)]", "x[$(touch X)]", "a[`touch X`]+1",
	"() { :;}; touch X", "/bin/sh", "../../x", "a:b", "/a.b:c+d@e%f-g_h",
	"$'\\x41'", "$\"x\"", "\xe2\x80\xa8", "\xc2\xa0"};

/* What takes a value, and what "args" (below) is to see of it: V is the value. */
static const struct {
	const char *text, *want;
} places[] = {
	{"args ${{ x.y }}", "V"},
	{"args ${{ x.y }} ${{ x.y }}", "V\1V"},
	{"args ${{ x.y }}${{ x.y }}", "VV"},
	{"args --k=${{ x.y }}", "--k=V"},
	{"args a${{ x.y }}b", "aVb"},
	{"args i${{ x.y }}", "iV"},
	{"args /${{ x.y }}/${{ x.y }}.bin:${{ x.y }}", "/V/V.bin:V"},
	{"args a-${{ x.y }} -- ${{ x.y }};", "a-V\1--\1V"},
	{"args \"${{ x.y }}\"", "V"},
	{"args \" ${{ x.y }} ${{ x.y }}\"", " V V"},
	{"args \"a'${{ x.y }}'\"", "a'V'"},
	{"args \"\\\"${{ x.y }}\\\\\"", "\"V\\"},
	{"args '${{ x.y }}'", "V"},
	{"args 'a\"${{ x.y }}\"' \"b\"", "a\"V\"\1b"},
	{"args ''${{ x.y }}\"\"", "V"},
	{"args \"a\"${{ x.y }}'b'", "aVb"},
	{"args \"$${{ x.y }}\"", "$V"},
	{"N=n; args \"$N${{ x.y }}\" $N${{ x.y }} \"${N}${{ x.y }}\"", "nV\1nV\1nV"},
	{"args \"$1${{ x.y }}\" $1${{ x.y }} $#${{ x.y }}", "oneV\1oneV\1"
							    "2V"},
	{"args $(args2 ${{ x.y }} >/dev/null)", ""},
	{"args $(args2 \"${{ x.y }}\" '${{ x.y }}' >/dev/null)", ""},
	{"args $(: <<'E'\n)\nE\n: ${{ x.y }})", ""},
	{"v=${{ x.y }}; args \"$v\"", "V"},
	{"v=\"${{ x.y }}\" args2 >/dev/null; args ok", "ok"},
	{"for i in ${{ x.y }} b; do args \"$i\"; done", "V\2b"},
	{"case ${{ x.y }} in\n'') args none;;\n*) args \"a${{ x.y }}\";; esac", "?"},
	{"if [ ${{ x.y }} = ${{ x.y }} ]; then args yes; fi", "yes"},
	{"f() { args \"$@\"; }; f 1 ${{ x.y }}", "1\1V"},
	{"( args ${{ x.y }} )", "V"},
	{"{ args ${{ x.y }}; }", "V"},
	{"args a \\\n  ${{ x.y }} \\\n  b", "a\1V\1b"},
	{"# it's a comment: ${{ x.y }}\nargs ${{ x.y }} # and ${{ x.y }} \"", "V"},
	{"args a#${{ x.y }}", "a#V"},
	{"read -r l <<EOF; args ${{ x.y }}\n' \" $(echo `echo x`)\nEOF\nargs ${{ x.y "
	 "}}",
		"V\2V"},
	{"read -r l <<-'E F' <<EOF\n'\n\tE F\n\"\nEOF\nargs ${{ x.y }}", "V"},
	{"args `echo \\`echo 1\\`` ${{ x.y }}", "1\1V"},
	{"args $((1 + (2))) ${{ x.y }}", "3\1V"},
	{"args \"$(echo \"a'b\")\" ${{ x.y }}", "a'b\1V"},
	{"args ${X:-a\\}b'}'} ${{ x.y }}", "a}b}\1V"},
	{"args ${{ x.y }}>/dev/null; args ${{ x.y }}", "V"},
	{"args ${{ x.y }}|cat", "V"},
	{"args ${{ x.y }}& wait", "V"},
	{"args ${{ 'lit' }} '${{ raw('a') }}'", "lit\1a"},
};

static void expect(struct weft_str *out, const char *want, const char *value)
{
	weft_str_addc(out, '[');
	for (; *want; want++) {
		if (*want == 'V')
			weft_str_add(out, value);
		else if (*want == '\1')
			weft_str_add(out, "|\n|");
		else if (*want == '\2')
			weft_str_add(out, "]\n[");
		else
			weft_str_addc(out, *want);
	}
	weft_str_add(out, "]\n");
}

static const char prelude[] =
	"args() { printf '['; s=; for w do printf '%s%s' \"$s\" \"$w\"; s='|\n|'; done;"
	" printf ']\\n'; }\nargs2() { args \"$@\"; }\n";

/* All values in one place, in one script; then by themselves to name the bad one. */
static void check_place(size_t p, const char *const *values, size_t n)
{
	weft_autostr struct weft_str script = {0}, want = {0};

	weft_str_add(&script, prelude);
	for (size_t i = 0; i < n; i++) {
		weft_autoerr struct weft_err err = {0};
		const char *w = places[p].want;
		weft_autofree char *chosen = NULL;

		if (!render(places[p].text, values[i], &script, &err))
			ck_abort_msg("refused: %s: %s", places[p].text, err.text);
		weft_str_addc(&script, '\n');
		if (*w == '?')
			w = *values[i] ? "aV" : "none";
		expect(&want, w, values[i]);
	}
	for (size_t s = 0; s < WEFT_COUNT(shells); s++) {
		weft_autofree char *got = NULL;

		run_script(shells[s], script.s, &got);
		if (!weft_streq(got, want.s)) {
			if (n == 1)
				ck_abort_msg("%s\n%s\ngot  %s\nwant %s", shells[s],
					script.s + strlen(prelude), got, want.s);
			for (size_t i = 0; i < n; i++)
				check_place(p, values + i, 1);
			ck_abort_msg(
				"%s: only all together: %s", shells[s], places[p].text);
		}
		ck_assert_msg(access("X", F_OK) != 0, "%s ran a value: %s", shells[s],
			places[p].text);
	}
}

START_TEST(hostile_values_stay_one_word)
{
	enter();
	for (size_t p = 0; p < WEFT_COUNT(places); p++)
		check_place(p, hostile, WEFT_COUNT(hostile));
	leave();
}
END_TEST

START_TEST(random_values_stay_one_word)
{
	static const char set[] =
		"$`\"'\\!(){}[]<>|&;#~*?= \t\n-abX01.,:/%@^+\x81\x88\xc3\xa9\xff\x01";
	enum { N = 150 };
	unsigned seed = 4711;
	char text[N][16];
	const char *value[N];

	printf("seed %u\n", seed);
	enter();
	for (size_t i = 0; i < N; i++) {
		size_t len = (size_t)rand_r(&seed) % 15;

		for (size_t j = 0; j < len; j++)
			text[i][j] = set[(size_t)rand_r(&seed) % (sizeof(set) - 1)];
		text[i][len] = '\0';
		value[i] = text[i];
	}
	for (size_t p = 0; p < WEFT_COUNT(places); p++)
		check_place(p, value, N);
	leave();
}
END_TEST

START_TEST(every_byte)
{
	char text[255][4];
	const char *value[255];

	enter();
	for (int i = 0; i < 255; i++) {
		snprintf(text[i], sizeof(text[i]), "a%cb", i + 1);
		value[i] = text[i];
	}
	for (size_t p = 0; p < 20; p++)
		check_place(p, value, 255);
	leave();
}
END_TEST

START_TEST(other_places_are_refused)
{
	static const struct {
		const char *text, *why;
		unsigned line, col;
	} t[] = {
		{"cat <<EOF\n${{ params.k }}\nEOF", "inside a here-document", 2, 1},
		{"cat <<'EOF'\na ${{ params.k }}\nEOF", "inside a here-document", 2, 3},
		{"cat <<-EOF\n\ta\n\t${{ params.k }}\n\tEOF", "inside a here-document",
			3, 2},
		{"cat <<EOF; cat <<B\nEOF\n${{ params.k }}", "inside a here-document",
			3, 1},
		{"cat <<${{ params.k }}\n", "a here-document whose end", 1, 7},
		{"cat <<EO${{ params.k }}\n", "a here-document whose end", 1, 9},
		{"cat <<$X\nEOF\n${{ params.k }}", "a here-document whose end", 3, 1},
		{"echo `echo ${{ params.k }}`", "inside backticks", 1, 12},
		{"echo \"`echo ${{ params.k }}`\"", "inside backticks", 1, 13},
		{"echo \"$(echo ${{ params.k }})\"", "inside $( ) inside quotes", 1,
			14},
		{"echo \"$(echo '${{ params.k }}')\"", "inside $( ) inside quotes", 1,
			15},
		{"echo \"$(echo $(echo ${{ params.k }}))\"", "inside $( ) inside", 1,
			21},
		{"echo ${X:-${{ params.k }}}", "inside ${ }", 1, 11},
		{"echo \"${X:-${{ params.k }}}\"", "inside ${ }", 1, 12},
		{"echo ${X:-\"${{ params.k }}\"}", "inside ${ }", 1, 12},
		{"echo ${X:-$(echo ${{ params.k }})}", "inside ${ }", 1, 18},
		{"echo $((1 + ${{ params.k }}))", "inside (( ))", 1, 13},
		{"echo \"$((1 + ${{ params.k }}))\"", "inside (( ))", 1, 14},
		{"((x = ${{ params.k }}))", "inside (( ))", 1, 7},
		{"for ((i = 0; i < ${{ params.k }}; i++)); do :; done", "inside (( ))",
			1, 18},
		{"((echo a); echo ${{ params.k }})", "'((' that is no arithmetic", 1,
			17},
		{"echo $[${{ params.k }}]", "after $[", 1, 8},
		{"echo $'${{ params.k }}'", "inside $'...'", 1, 8},
		{"echo $'a\\'b' ${{ params.k }}", "an escape in $'...'", 1, 14},
		{"echo $\"${{ params.k }}\"", "inside $\"...\"", 1, 8},
		{"echo $${{ params.k }}", "right after a '$'", 1, 7},
		{"echo \\${{ params.k }}", "right after a backslash", 1, 7},
		{"echo \"\\${{ params.k }}\"", "right after a backslash", 1, 8},
		{"[[ ${{ params.k }} -eq 1 ]]", "inside [[ ]]", 1, 4},
		{"[[ -n \"${{ params.k }}\" ]]", "inside [[ ]]", 1, 8},
		{"if [[ $x == ${{ params.k }} ]]; then :; fi", "inside [[ ]]", 1, 13},
		{"a[${{ params.k }}]=1", "inside a subscript", 1, 3},
		{"declare a[\"${{ params.k }}\"]=1", "inside a subscript", 1, 12},
		{"eval ${{ params.k }}", "after 'eval'", 1, 6},
		{"let x=\"${{ params.k }}\"", "'let'", 1, 8},
		{"x=$(case a in a) echo;; esac) ${{ params.k }}", "'case' in $( )", 1,
			31},
		{"echo \"${X#'a'}\" ${{ params.k }}", "a quote in \"${ }\"", 1, 17},
		{"echo \"$\\\n${{ params.k }}\"", "ends in '\\'", 2, 1},
		{"cat <\\\n<EOF\n${{ params.k }}\nEOF", "ends in '\\'", 3, 1},
		{"cat <<EOF\na\\\nEOF\nb\nEOF\n${{ params.k }}", "joined lines", 6, 1},
		{"cat <<EOF $(\necho)\nEOF\n${{ params.k }}", "outside of $( )", 4, 1},
		{"x=$(cat <<EOF)\nEOF\n${{ params.k }}", "begins in $( )", 3, 1},
		{"cat <<EOF ${X:-\n}\nEOF\n${{ params.k }}", "a line that goes on", 4,
			1},
		{"${ echo; } ${{ params.k }}", "a command in ${ }", 1, 12},
		{"# ${{ params.k\n}}", "several lines of a comment", 1, 3},
	};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		weft_autoerr struct weft_err err = {0};
		weft_autostr struct weft_str s = {0};

		ck_assert_msg(!render(t[i].text, "v", &s, &err), "taken: %s\n%s",
			t[i].text, s.s);
		ck_assert_int_eq(err.code, WEFT_ESPEC);
		ck_assert_msg(strstr(err.text, t[i].why) && err.pos.line == t[i].line &&
				      err.pos.col == t[i].col,
			"%s\ngot  %u:%u %s\nwant %u:%u %s", t[i].text, err.pos.line,
			err.pos.col, err.text, t[i].line, t[i].col, t[i].why);
		ck_assert_msg(strstr(err.hint, "\"$WEFT_PARAM_K\""), "%s", err.hint);
	}
}
END_TEST

START_TEST(advice_and_raw)
{
	static const struct {
		const char *text, *hint;
	} t[] = {{"`${{ inputs.data }}`", "$WEFT_INPUT_DATA"},
		{"`${{ outputs.m }}`", "$WEFT_OUTPUT_M"},
		{"`${{ env.Foo }}`", "\"$Foo\""}, {"`${{ run.dir }}`", "$WEFT_RUN_DIR"},
		{"`${{ vars.a + 1 }}`", "x=${{ vars.a + 1 }}, and use \"$x\""}};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		weft_autoerr struct weft_err err = {0};
		weft_autostr struct weft_str s = {0};

		ck_assert(!render(t[i].text, "v", &s, &err));
		ck_assert_msg(strstr(err.hint, t[i].hint), "%s", err.hint);
	}
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str s = {0};
	ck_assert(render(
		"`${{ raw(a.b) }}` $((${{ raw(a.b) }})) ${{ a.b }}", "$x y", &s, &err));
	ck_assert_str_eq(s.s, "`$x y` $(($x y)) '$x y'");
	s.len = 0;
	/* Harmless values keep the text readable. */
	ck_assert(render(
		"heat -k ${{ a.b }} --o=${{ a.b }}/x \"${{ a.b }}\"", "0.5", &s, &err));
	ck_assert_str_eq(s.s, "heat -k 0.5 --o=0.5/x \"0.5\"");
}
END_TEST

/* Shell texts put together at random: where a value is taken at all, no shell runs
 * what is in it. */
START_TEST(random_texts_never_run_a_value)
{
	static const char *const piece[] = {"'", "\"", "`", "$(", "$((", "((", "))",
		")", "(", "${X:-", "${X#", "}", "{ ", "\\", "$", "$'", "$\"", "\n",
		"\n", " ", " ", ";", "&", "|", "<<E\n", "<<'E'\n", "<<-E", "\nE\n", "E",
		"<", "<<<", "#", " # ", "echo ", ":", "a", "X=", "[[ ", " ]]",
		"case a in ", "a) ", ";; esac", "if :; then ", "; fi", "$X", "$1", "a[",
		"]", "=", "\\\n", " \\\n", "eval ", "\"$(", ")\"", "'\"'", "~", "*",
		"cat <<E\n$(echo)'\nE\n", "echo \"$(echo \"a\")\" ", "x=$(echo 'a' b) ",
		"echo `echo a` ", "echo $((1 + 2)) ", "echo \"${X:-a}\" ", "# it's\n",
		"echo ${X:-'}'} ", "f() { echo \"$1\"; }; f ", "(echo a) ",
		"echo a\nb \"c\nd\" ", "cat <<-'E' ", "echo \\\n", "\"$X", "$(echo ",
		"${{ x }}", "${{ x }}", "${{ x }}", "${{ x }}", "${{ x }}", "${{ x }}",
		"${{ x }} ", " ${{ x }}\n", "\"${{ x }}\"", "echo ${{ x }}\n",
		"'${{ x }}'"};
	static const char *const value[] = {"$(touch PWN)", "`touch PWN`",
		"';touch PWN;'", "\";touch PWN;\"", ";touch PWN;", "\ntouch PWN\n",
		"a[$(touch PWN)]", "\nE\ntouch PWN\n", "(touch PWN)", ")touch PWN;",
		"}touch PWN;", "\\';touch PWN;", "\\\";touch PWN;"};
	const char *more = getenv("WEFT_TEST_TEXTS");
	int rounds = more ? atoi(more) : 500, taken = 0;
	unsigned seed = more && getenv("WEFT_TEST_SEED")
				? (unsigned)atoi(getenv("WEFT_TEST_SEED"))
				: 99;

	printf("seed %u\n", seed);
	enter();
	while (taken < rounds) {
		weft_autostr struct weft_str text = {0}, script = {0};
		weft_autoerr struct weft_err err = {0};
		int n = 3 + rand_r(&seed) % 10;

		for (int i = 0; i < n; i++)
			weft_str_add(&text,
				piece[(size_t)rand_r(&seed) % WEFT_COUNT(piece)]);
		const char *v = value[(size_t)rand_r(&seed) % WEFT_COUNT(value)];
		if (!strstr(text.s, "${{") || !render(text.s, v, &script, &err))
			continue;
		taken++;
		for (size_t s = 0; s < WEFT_COUNT(shells); s++) {
			weft_autofree char *got = NULL;

			run_script(shells[s], script.s, &got);
			ck_assert_msg(access("PWN", F_OK) != 0,
				"%s ran the value:\n%s\n-----\n%s", shells[s], text.s,
				script.s);
		}
	}
	leave();
}
END_TEST

SUITE("expr_shell", hostile_values_stay_one_word, random_values_stay_one_word,
	every_byte, other_places_are_refused, advice_and_raw,
	random_texts_never_run_a_value)
