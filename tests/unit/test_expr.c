#include "expr/expr.h"

#include <math.h>
#include <string.h>

#include "suite.h"

/* The values that names have in these tests. */
static int lookup(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	weft_autostr struct weft_str s = {0};

	(void)ctx;
	for (size_t i = 0; i < name->n; i++)
		weft_str_printf(&s, "%s%s", i ? "." : "", name->part[i]);
	if (weft_starts_with(s.s, "missing."))
		return 1;
	if (weft_starts_with(s.s, "bad."))
		return weft_err_set(err, WEFT_ESPEC, "no such name");
	if (weft_streq(s.s, "vars.list") || weft_streq(s.s, "vars.map")) {
		static const char *const name3[] = {"a", "b", "c"};

		out->kind = s.s[5] == 'l' ? WEFT_V_LIST : WEFT_V_MAP;
		out->item = calloc(3, sizeof(*out->item));
		out->n = 3;
		weft_value_set_number(&out->item[0], 3);
		weft_value_from_text(&out->item[1], "1.50", false);
		weft_value_set_number(&out->item[2], 2);
		if (out->kind == WEFT_V_MAP) {
			out->name = calloc(3, sizeof(*out->name));
			for (size_t i = 0; i < 3; i++)
				out->name[i] = strdup(name3[i]);
		}
		return 0;
	}
	if (weft_streq(s.s, "vars.n"))
		return weft_value_from_text(out, "010e", false) ||
		       weft_value_from_text(out, "4.0", false);
	if (weft_streq(s.s, "vars.null"))
		return 0;
	return weft_value_set_string(out, s.s);
}

static void is(const char *text, const char *want)
{
	struct weft_arena a = {0};
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str s = {0};
	struct weft_expr *e;
	struct weft_value v;

	if (weft_expr_parse(&a, text, strlen(text), &e, &err) != 0 ||
		weft_expr_eval(e, lookup, NULL, &v, &err) != 0)
		ck_abort_msg(
			"%s: %u:%u: %s", text, err.pos.line, err.pos.col, err.text);
	ck_assert_int_eq(weft_value_json(&s, &v), 0);
	weft_value_clear(&v);
	ck_assert_msg(weft_streq(s.s, want), "%s\ngot  %s\nwant %s", text, s.s, want);
	weft_arena_free(&a);
}

static void bad(const char *text, unsigned col, const char *what, const char *hint)
{
	struct weft_arena a = {0};
	weft_autoerr struct weft_err err = {0};
	struct weft_expr *e;
	struct weft_value v = {0};

	if (weft_expr_parse(&a, text, strlen(text), &e, &err) == 0) {
		ck_assert_msg(
			weft_expr_eval(e, lookup, NULL, &v, &err) == -1, "%s", text);
		ck_assert_int_eq(v.kind, WEFT_V_NULL);
	} else {
		ck_assert_ptr_null(e);
	}
	ck_assert_int_eq(err.code, WEFT_ESPEC);
	ck_assert_msg(strstr(err.text, what) && err.pos.col == col && err.pos.line == 1,
		"%s\ngot  %u: %s (%s)\nwant %u: %s", text, err.pos.col, err.text,
		err.hint, col, what);
	if (hint)
		ck_assert_msg(err.hint && strstr(err.hint, hint), "%s: hint %s", text,
			err.hint);
	weft_arena_free(&a);
}

START_TEST(operators)
{
	is("1 + 2 * 3", "7");
	is("(1 + 2) * 3", "9");
	is("10 - 4 - 3", "3");
	is("12 / 4 / 3", "1");
	is("-2 * -3", "6");
	is("--2", "2");
	is("- -2", "2");
	is("1 / 4", "0.25");
	is("0.1 + 0.2", "0.30000000000000004");
	is("4 * (1 + 1)", "8");
	is("'a' + \"b\"", "\"ab\"");
	is("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2 && 1 == 1.0", "true");
	is("'a' < 'b'", "true");
	is("'a' == 1", "false");
	is("'a' != 1", "true");
	is("!true || !!true", "true");
	is("true || missing.x", "true");
	is("false && missing.x", "false");
	is("false || true && false", "false");
	is("vars.list == vars.list", "true");
	is("vars.list == vars.map", "false");
	is("${{ 1 + 1 }}", "2");
	is("  ${{1}}\n", "1");
	is("1\n+\n1", "2");
}
END_TEST

START_TEST(literals)
{
	is("1.50", "1.50");
	is("-1.50", "-1.5");
	is("1e3", "1e3");
	is("1e3 + 0", "1000");
	is("12345678901234567890", "12345678901234567890");
	is("1e300 * 10", "1e+301");
	is("2 / 3", "0.6666666666666666");
	is("0 * -1", "0");
	is("1 / 100000", "1e-05");
	is("'it\\'s'", "\"it's\"");
	is("\"a\\n\\t\\\\\\\"\"", "\"a\\n\\t\\\\\\\"\"");
	is("'}}'", "\"}}\"");
	is("true", "true");
	is("truest.x", "\"truest.x\"");
	is("'\xe2\x82\xac'", "\"\xe2\x82\xac\"");
}
END_TEST

START_TEST(names)
{
	is("vars.mesh", "\"vars.mesh\"");
	is("steps[\"a-b\"].outputs.x", "\"steps.a-b.outputs.x\"");
	is("steps['a-b']['c']", "\"steps.a-b.c\"");
	is("attempt", "\"attempt\"");
	is("vars.n", "4.0");
	is("vars.n + 0", "4");
	bad("a.b.c.d.e.f.g.h.i", 1, "more than 8 parts", NULL);
	bad("steps[a]", 7, "where a quoted name is due", NULL);
	bad("steps['a'", 10, "ends where ']' is due", NULL);
	bad("a.", 3, "ends where a name is due", NULL);
	bad("a.1", 3, "'1' where a name is due", NULL);
	bad("1 + bad.x", 5, "no such name", NULL);
	bad("1 + missing.x.y", 5, "there is no value for missing.x.y",
		"default(missing.x.y");
}
END_TEST

START_TEST(functions)
{
	is("default(missing.x, 5)", "5");
	is("default(missing.x + 1, 'a')", "\"a\"");
	is("default(vars.null, 1)", "1");
	is("default(2, missing.x)", "2");
	is("min(3, 1, 2)", "1");
	is("max(vars.list)", "3");
	is("min(vars.list, 1)", "1");
	is("min(vars.list)", "1.50");
	is("len('\xe2\x82\xac"
	   "b')",
		"2");
	is("len(vars.list) + len(vars.map)", "6");
	is("basename('/a/b.txt')", "\"b.txt\"");
	is("basename('a/')", "\"a\"");
	is("basename('/')", "\"/\"");
	is("basename('')", "\"\"");
	is("join(vars.list, ', ')", "\"3, 1.50, 2\"");
	is("join(vars.list)", "\"3 1.50 2\"");
	is("format('%03d|%5.2f|%s|%-4s|%x|%%', 7, 1.005, vars.list, 'a', 255)",
		"\"007| 1.00|3 1.50 2|a   |ff|%\"");
	is("format('none')", "\"none\"");
	is("json(vars.map)", "\"{\\\"a\\\": 3, \\\"b\\\": 1.50, \\\"c\\\": 2}\"");
	is("json('a\"b\\n\\\\')", "\"\\\"a\\\\\\\"b\\\\n\\\\\\\\\\\"\"");
	is("raw('x')", "\"x\"");
	is("len (vars.list)", "3");
}
END_TEST

START_TEST(errors)
{
	bad("", 1, "ends where a value is due", NULL);
	bad("1 +", 4, "ends where a value is due", NULL);
	bad("1 2", 3, "'2' where the end or an operator is due", NULL);
	bad("a = b", 3, "'=' is no operator", "'=='");
	bad("(1", 3, "ends where ')' is due", NULL);
	bad("1)", 2, "')' where", NULL);
	bad("'abc", 1, "never closed", NULL);
	bad("'\\x'", 2, "unknown escape", NULL);
	bad("01", 1, "'01' is not a number", NULL);
	bad("1x", 1, "'1x' is not a number", "quote");
	bad("1.", 1, "not a number", NULL);
	bad("1e999", 1, "not a number", NULL);
	bad("1 < 2 < 3", 7, "can't be chained", "&&");
	bad("1 / 0", 3, "division by zero", NULL);
	bad("1 + vars.x", 3, "'+' needs two numbers or two texts, not a text", NULL);
	bad("'a' * 2", 5, "'*' needs two numbers, not a text", NULL);
	bad("-'a'", 1, "'-' needs a number", NULL);
	bad("!1", 1, "'!' needs true or false, not a number", NULL);
	bad("1 && true", 3, "'&&' needs true or false", NULL);
	bad("true < false", 6, "'<' needs two numbers or two texts", NULL);
	bad("1 < 'a'", 3, "'<' needs two numbers or two texts, not a text", NULL);
	bad("1e308 * 10", 7, "too large", NULL);
	bad("lenn(1)", 1, "no function lenn()", "did you mean len()?");
	bad("system('x')", 1, "no function system()", NULL);
	bad("len()", 1, "len() needs 1 value, here are 0", NULL);
	bad("len(1, 2)", 8, "len() takes at most 1", NULL);
	bad("len(1)", 1, "len() needs a list", NULL);
	bad("default(1)", 1, "default() needs 2 values, here are 1", NULL);
	bad("min('a')", 1, "min() needs numbers, not a text", NULL);
	bad("basename(1)", 1, "basename() needs a text", NULL);
	bad("join(1)", 1, "join() needs a list", NULL);
	bad("join(vars.list, 1)", 1, "a text to put between", NULL);
	bad("format('%d', 1.5)", 1, "a whole number", "%g");
	bad("format('%d', 'a')", 1, "needs a number here", NULL);
	bad("format('%x', -1)", 1, "negative", NULL);
	bad("format('%n', 1)", 1, "no conversion", NULL);
	bad("format('%*d', 1)", 1, "no conversion", NULL);
	bad("format('%ld', 1)", 1, "no conversion", NULL);
	bad("format('%9999d', 1)", 1, "no conversion", NULL);
	bad("format('%', 1)", 1, "no conversion", NULL);
	bad("format('%d')", 1, "more % than values", NULL);
	bad("format('a', 1)", 1, "more values than %", NULL);
	bad("1 + len(raw('a'))", 9, "raw() inside of an expression",
		"around the whole");
	bad("'\xe2\x82\xac' + 1", 5, "'+' needs", NULL);
	bad("a ; b", 3, "'; b' where the end", NULL);
	bad("`id`", 1, "'`id`' where a value is due", NULL);
}
END_TEST

START_TEST(long_texts)
{
	weft_autostr struct weft_str s = {0};

	for (int i = 0; i < 100000; i++)
		weft_str_add(&s, "(");
	bad(s.s, 202, "nested too deeply", NULL);
	s.len = 0;
	for (int i = 0; i < 100000; i++)
		weft_str_add(&s, "!");
	bad(s.s, 202, "nested too deeply", NULL);
	s.len = 0;
	for (int i = 0; i < 100000; i++)
		weft_str_add(&s, "1+");
	bad(s.s, 400, "too long", NULL);
	/* Many expressions in one text: no slower than many texts. */
	struct weft_arena a = {0};
	weft_autoerr struct weft_err err = {0};
	struct weft_template *t;
	double start = weft_monotonic();
	s.len = 0;
	for (int i = 0; i < 50000; i++)
		weft_str_add(&s, "line ${{ vars.x }}\n");
	weft_str_add(&s, "${{ 1 + }}");
	ck_assert_int_eq(weft_template_parse(&a, s.s, WEFT_QUOTE_SHELL, &t, &err), -1);
	ck_assert_uint_eq(err.pos.line, 50001);
	ck_assert_uint_eq(err.pos.col, 9);
	ck_assert(weft_monotonic() - start < 10);
	weft_arena_free(&a);
}
END_TEST

START_TEST(places_in_lines)
{
	struct weft_arena a = {0};
	weft_autoerr struct weft_err err = {0};
	struct weft_template *t;

	ck_assert_int_eq(weft_template_parse(&a, "a\n\xe2\x82\xac ${{ 1 +\n  * }}",
				 WEFT_QUOTE_NONE, &t, &err),
		-1);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(err.pos.line, 3);
	ck_assert_uint_eq(err.pos.col, 3);
	ck_assert_int_eq(
		weft_template_parse(&a, "x\n  ${{ 1", WEFT_QUOTE_NONE, &t, &err), -1);
	ck_assert_uint_eq(err.pos.line, 2);
	ck_assert_uint_eq(err.pos.col, 3);
	ck_assert(strstr(err.text, "without '}}'"));
	weft_arena_free(&a);
}
END_TEST

static int count(void *ctx, const struct weft_name *name)
{
	weft_str_printf(ctx, "%s.%s ", name->part[0], name->n > 1 ? name->part[1] : "");
	return name->n == 1;
}

START_TEST(templates)
{
	struct weft_arena a = {0};
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str s = {0};
	struct weft_template *t;

	ck_assert_int_eq(
		weft_template_parse(&a, "plain $x {{ }}", WEFT_QUOTE_NONE, &t, &err),
		0);
	ck_assert_ptr_null(t);
	ck_assert_int_eq(
		weft_template_parse(&a,
			"a ${{ vars.b }} c${{'}}'}}${{ vars.n }}: ${{ vars.list }} "
			"${{ vars.map }} ${{ 'x y' }}",
			WEFT_QUOTE_NONE, &t, &err),
		0);
	ck_assert_ptr_null(weft_template_single(t));
	ck_assert_int_eq(weft_template_render(t, lookup, NULL, &s, &err), 0);
	ck_assert_str_eq(
		s.s, "a vars.b c}}4.0: 3 1.50 2 {\"a\": 3, \"b\": 1.50, \"c\": 2} x y");
	s.len = 0;
	ck_assert_int_eq(weft_template_names(t, count, &s), 0);
	ck_assert_str_eq(s.s, "vars.b vars.n vars.list vars.map ");

	ck_assert_int_eq(
		weft_template_parse(&a, "${{ a + b.c }}", WEFT_QUOTE_NONE, &t, &err),
		0);
	ck_assert_ptr_nonnull(weft_template_single(t));
	s.len = 0;
	ck_assert_int_eq(weft_template_names(t, count, &s), 1);
	ck_assert_str_eq(s.s, "a. ");

	ck_assert_int_eq(
		weft_template_parse(&a, "${{ missing.x }}", WEFT_QUOTE_NONE, &t, &err),
		0);
	ck_assert_int_eq(weft_template_render(t, lookup, NULL, &s, &err), -1);
	ck_assert(strstr(err.text, "no value for missing.x"));
	weft_arena_free(&a);
}
END_TEST

START_TEST(values)
{
	static const struct {
		const char *text;
		bool quoted;
		enum weft_value_kind kind;
	} t[] = {{"1", false, WEFT_V_NUMBER}, {"1", true, WEFT_V_STRING},
		{"010", false, WEFT_V_STRING}, {"1.10", false, WEFT_V_NUMBER},
		{"-0.5e-3", false, WEFT_V_NUMBER}, {"+1", false, WEFT_V_STRING},
		{"10:30", false, WEFT_V_STRING}, {"true", false, WEFT_V_BOOL},
		{"yes", false, WEFT_V_STRING}, {"true", true, WEFT_V_STRING},
		{"", false, WEFT_V_STRING}, {"1e999", false, WEFT_V_STRING},
		{"0x10", false, WEFT_V_STRING}, {"nan", false, WEFT_V_STRING},
		{"1 ", false, WEFT_V_STRING}, {".5", false, WEFT_V_STRING}};
	struct weft_value v = {0}, w = {0};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		weft_autostr struct weft_str s = {0};

		ck_assert_int_eq(weft_value_from_text(&v, t[i].text, t[i].quoted), 0);
		ck_assert_msg(v.kind == t[i].kind, "%s", t[i].text);
		ck_assert_int_eq(weft_value_copy(&w, &v), 0);
		weft_value_print(&s, &w);
		ck_assert_str_eq(s.s ? s.s : "", t[i].text);
	}
	weft_value_clear(&v);
	weft_value_clear(&w);
	/* Shortest text that reads back the same. */
	unsigned seed = 7;
	for (int i = 0; i < 20000; i++) {
		weft_autostr struct weft_str s = {0};
		uint64_t bits = 0;
		double d;

		for (int j = 0; j < 5; j++)
			bits = bits << 15 ^ (uint64_t)rand_r(&seed);
		memcpy(&d, &bits, sizeof(d));
		if (!isfinite(d))
			continue;
		weft_value_set_number(&v, d);
		weft_value_print(&s, &v);
		ck_assert(strtod(s.s, NULL) == d);
		weft_value_from_text(&w, s.s, false);
		ck_assert_int_eq(w.kind, WEFT_V_NUMBER);
	}
	weft_value_clear(&w);
}
END_TEST

/* Expressions put together at random: a value, or an error with a place. */
START_TEST(random_texts)
{
	static const char *const piece[] = {"1", "'a'", "\"", "'", "\\", "vars.x",
		"vars.list", "missing.x", "default(", "min(", "format(", "'%d'", "raw(",
		"(", ")", ",", "+", "-", "*", "/", "<", "==", "!", "&&", "||", "[", "]",
		".", " ", "\n", "true", "\xc3\xa9", "}}", "${{", "}", "$", "0.5e3",
		"len(", "json(", "x"};
	unsigned seed = 5, good = 0;

	printf("seed %u\n", seed);
	for (int i = 0; i < 100000; i++) {
		struct weft_arena a = {0};
		weft_autoerr struct weft_err err = {0};
		weft_autostr struct weft_str s = {0}, out = {0};
		struct weft_template *t;
		int n = 1 + rand_r(&seed) % 8;

		weft_str_add(&s, "${{");
		while (n--)
			weft_str_add(
				&s, piece[(size_t)rand_r(&seed) % WEFT_COUNT(piece)]);
		weft_str_add(&s, "}}");
		if (weft_template_parse(&a, s.s,
			    i % 2 ? WEFT_QUOTE_NONE : WEFT_QUOTE_SHELL, &t,
			    &err) == 0 &&
			weft_template_render(t, lookup, NULL, &out, &err) == 0) {
			good++;
		} else {
			ck_assert_int_eq(err.code, WEFT_ESPEC);
			ck_assert_msg(err.pos.line >= 1 && err.pos.col >= 1, "%s: %s",
				s.s, err.text);
		}
		weft_arena_free(&a);
	}
	ck_assert_uint_gt(good, 1000);
}
END_TEST

SUITE("expr", operators, literals, names, functions, errors, long_texts,
	places_in_lines, templates, values, random_texts)
