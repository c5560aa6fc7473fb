#include "yaml/yaml.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

static struct weft_yaml_doc *parse_n(const char *text, size_t n)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_yaml_doc *doc;

	if (weft_yaml_parse("t.yaml", text, n, &doc, &err) != 0)
		ck_abort_msg("%u:%u: %s", err.pos.line, err.pos.col, err.text);
	return doc;
}

static struct weft_yaml_doc *parse(const char *text)
{
	return parse_n(text, strlen(text));
}

/* One line: every node with its position, collections in brackets. */
static void dump(struct weft_str *out, const struct weft_yaml_node *n)
{
	weft_str_printf(out, "%u:%u", n->pos.line, n->pos.col);
	if (n->kind == WEFT_YAML_SCALAR) {
		ck_assert_uint_eq(n->n, strlen(n->text));
		weft_yaml_quote(out, n->text);
		return;
	}
	weft_str_addc(out, n->kind == WEFT_YAML_SEQ ? '[' : '{');
	for (size_t i = 0; i < n->n; i++) {
		if (i)
			weft_str_addc(out, ' ');
		if (n->kind == WEFT_YAML_MAP) {
			dump(out, n->key[i]);
			weft_str_addc(out, '=');
		}
		dump(out, n->item[i]);
	}
	weft_str_addc(out, n->kind == WEFT_YAML_SEQ ? ']' : '}');
}

static void is(const char *text, const char *want)
{
	struct weft_yaml_doc *doc = parse(text);
	weft_autostr struct weft_str got = {0};

	if (doc->root)
		dump(&got, doc->root);
	else
		weft_str_add(&got, "nothing");
	ck_assert_str_eq(got.s, want);
	weft_yaml_free(doc);
}

static void bad_n(const char *text, size_t n, unsigned line, unsigned col,
	const char *what, const char *hint)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_yaml_doc *doc = (void *)&err;

	ck_assert_int_eq(weft_yaml_parse("t.yaml", text, n, &doc, &err), -1);
	ck_assert_ptr_null(doc);
	ck_assert_int_eq(err.code, WEFT_ESPEC);
	ck_assert_str_eq(err.file, "t.yaml");
	if (!strstr(err.text, what) || err.pos.line != line || err.pos.col != col)
		ck_abort_msg("got  %u:%u %s (%s)\nwant %u:%u %s\nin   %.200s",
			err.pos.line, err.pos.col, err.text, err.hint, line, col, what,
			text);
	if (hint && (!err.hint || !strstr(err.hint, hint)))
		ck_abort_msg("hint %s\nwant %s", err.hint, hint);
}

static void bad(const char *text, unsigned line, unsigned col, const char *what,
	const char *hint)
{
	bad_n(text, strlen(text), line, col, what, hint);
}

START_TEST(nodes_know_their_place)
{
	is("a: 1\nb: [x, 'y', {z: \"w\"}]\n",
		"1:1{1:1\"a\"=1:4\"1\" 2:1\"b\"=2:4[2:5\"x\" 2:8\"y\" "
		"2:13{2:14\"z\"=2:17\"w\"}]}");
	is("- a\n-\n  - b\n", "1:1[1:3\"a\" 3:3[3:5\"b\"]]");
	is("#!/usr/bin/env weft\n#SBATCH -n 1\n---\nrun: |\n  a\n   b\n\n",
		"4:1{4:1\"run\"=4:6\"a\\n b\\n\"}");
	is("a: >-\n  x\n  y\nb:\n", "1:1{1:1\"a\"=1:4\"x y\" 4:1\"b\"=4:3\"\"}");
	is("a\xc3\xa9: b\xe2\x82\xac  # c\n",
		"1:1{1:1\"a\xc3\xa9\"=1:5\"b\xe2\x82\xac\"}");
	is("\xef\xbb\xbf"
	   "a: 1\r\nb: 2\r\n",
		"1:1{1:1\"a\"=1:4\"1\" 2:1\"b\"=2:4\"2\"}");
	is("[a, [], {}]", "1:1[1:2\"a\" 1:5[] 1:9{}]");
	is("just text", "1:1\"just text\"");
	is("? a\n: b\n", "1:1{1:3\"a\"=2:3\"b\"}");
	is("run: echo ${{ x }} {a} [b]\n",
		"1:1{1:1\"run\"=1:6\"echo ${{ x }} {a} [b]\"}");
}
END_TEST

START_TEST(empty_documents)
{
	is("", "nothing");
	is("# only\n# comments\n", "nothing");
	is("---\n...\n", "nothing");
	is("~", "1:1\"~\"");
}
END_TEST

START_TEST(texts_stay_as_written)
{
	is("[no, 010, 1.10, 10:30, 0x1f, 1e3, yes, .inf]",
		"1:1[1:2\"no\" 1:6\"010\" 1:11\"1.10\" 1:17\"10:30\" 1:24\"0x1f\" "
		"1:30\"1e3\" "
		"1:35\"yes\" 1:40\".inf\"]");

	struct weft_yaml_doc *doc =
		parse("[a, 'b', \"c\\n\", ~, '~', null, '', 'x''y']");
	struct weft_yaml_node *r = doc->root;

	ck_assert_uint_eq(r->n, 8);
	ck_assert_int_eq(r->item[0]->style, WEFT_YAML_PLAIN);
	ck_assert_int_eq(r->item[1]->style, WEFT_YAML_SINGLE);
	ck_assert_int_eq(r->item[2]->style, WEFT_YAML_DOUBLE);
	ck_assert_uint_eq(r->item[0]->width, 1);
	ck_assert_uint_eq(r->item[2]->width, 5);
	ck_assert(weft_yaml_is_null(r->item[3]));
	ck_assert(!weft_yaml_is_null(r->item[4]));
	ck_assert(weft_yaml_is_null(r->item[5]));
	ck_assert(!weft_yaml_is_null(r->item[6]));
	ck_assert_str_eq(r->item[7]->text, "x'y");
	ck_assert_uint_eq(r->width, 41);
	weft_yaml_free(doc);

	doc = parse("a: |\n  x\nb: >\n  y\n");
	ck_assert_int_eq(doc->root->item[0]->style, WEFT_YAML_LITERAL);
	ck_assert_int_eq(doc->root->item[1]->style, WEFT_YAML_FOLDED);
	weft_yaml_free(doc);
}
END_TEST

START_TEST(anchors_are_shared)
{
	struct weft_yaml_doc *doc = parse("a: &x {k: v}\nb: *x\nc: &t text\n*t : 1\n");

	ck_assert_ptr_eq(weft_yaml_get(doc->root, "a"), weft_yaml_get(doc->root, "b"));
	ck_assert_str_eq(weft_yaml_get(doc->root, "text")->text, "1");
	ck_assert_ptr_null(weft_yaml_get(doc->root, "d"));
	ck_assert_ptr_null(weft_yaml_get(doc->root->item[2], "d"));
	ck_assert_ptr_null(weft_yaml_get(NULL, "d"));
	weft_yaml_free(doc);
	bad("a: &x 1\nb: &x 2\n", 2, 4, "given twice", "line 1");
	bad("a: *nope\n", 1, 4, "no anchor &nope", "quote");
	bad("a: &common 1\nb: *comon\n", 2, 4, "no anchor", "did you mean *common?");
	bad("a: &x [1, *x]\n", 1, 11, "inside of its own anchor", NULL);
	bad("a: &x {b: {c: *x}}\n", 1, 15, "inside of its own anchor", NULL);
	bad("a: &x {b: 1}\n*x : 2\n", 2, 1, "a key must be a text", NULL);
}
END_TEST

START_TEST(merge_keys)
{
	is("x: &a {p: 1, q: 2}\ny: {q: 9, <<: *a, r: 3}\n",
		"1:1{1:1\"x\"=1:4{1:8\"p\"=1:11\"1\" 1:14\"q\"=1:17\"2\"} "
		"2:1\"y\"=2:4{2:5\"q\"=2:8\"9\" 1:8\"p\"=1:11\"1\" "
		"2:19\"r\"=2:22\"3\"}}");
	struct weft_yaml_doc *doc =
		parse("a: &a {p: a, q: a}\nb: &b {q: b, r: b}\n"
		      "c: &c\n  <<: [*a, *b]\n  r: c\nd:\n  <<: *c\ne: {'<<': z}\n");
	struct weft_yaml_node *c = weft_yaml_get(doc->root, "c");

	ck_assert_uint_eq(c->n, 3);
	ck_assert_str_eq(weft_yaml_get(c, "p")->text, "a");
	ck_assert_str_eq(weft_yaml_get(c, "q")->text, "a");
	ck_assert_str_eq(weft_yaml_get(c, "r")->text, "c");
	ck_assert_ptr_null(weft_yaml_get(c, "<<"));
	ck_assert_uint_eq(weft_yaml_get(doc->root, "d")->n, 3);
	ck_assert_str_eq(weft_yaml_get(weft_yaml_get(doc->root, "e"), "<<")->text, "z");
	weft_yaml_free(doc);
	bad("a: {<<: 1}\n", 1, 5, "'<<' takes a mapping", "*common");
	bad("a: {<<: }\n", 1, 5, "'<<' takes a mapping", NULL);
	bad("a: {<<: [{b: 1}, c]}\n", 1, 5, "'<<' takes a mapping", NULL);
	bad("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n", 4, 3, "'<<' is given twice",
		NULL);
	/* Many keys take the other way through the code. */
	doc = parse(
		"a: &a {k1: a, k2: a, k3: a, k4: a, k5: a, k6: a, k7: a, k8: a, k9: a, "
		"l1: a, l2: a, l3: a, l4: a}\nb: {<<: *a, k9: b, l5: b}\n");
	c = weft_yaml_get(doc->root, "b");
	ck_assert_uint_eq(c->n, 14);
	ck_assert_str_eq(weft_yaml_get(c, "k9")->text, "b");
	ck_assert_str_eq(weft_yaml_get(c, "l4")->text, "a");
	weft_yaml_free(doc);
}
END_TEST

START_TEST(duplicate_keys)
{
	weft_autostr struct weft_str s = {0};

	bad("a: 1\nb: 2\na: 3\n", 3, 1, "'a' is given twice", "line 1");
	bad("{x: {a: 1, \"a\": 2}}", 1, 12, "'a' is given twice", NULL);
	for (int i = 0; i < 1000; i++)
		weft_str_printf(&s, "k%d: %d\n", i, i);
	struct weft_yaml_doc *doc = parse(s.s);
	ck_assert_uint_eq(doc->root->n, 1000);
	weft_yaml_free(doc);
	weft_str_add(&s, "k500: again\n");
	bad(s.s, 1001, 1, "'k500' is given twice", "line 501");
}
END_TEST

START_TEST(typical_mistakes)
{
	bad("steps:\n\t- name: x\n", 2, 1, "a tab in the indentation", "spaces");
	bad("steps:\n  - name: x\n  \trun: y\n", 3, 3, "a tab in the indentation",
		"spaces");
	bad("a: {\n\tb: 1}\n", 2, 1, "a tab in the indentation", "spaces");
	bad("a: 'x\n\ty'\n", 2, 1, "a tab in the indentation", "spaces");
	bad("a: |\n\tx\n", 2, 1, "a tab in the indentation", "spaces");
	bad("name:foo\nsteps: []\n", 1, 1, "no space after the ':'", "key: value");
	bad("a: 1\nsome words\nb: 2\n", 2, 1, "neither a key", "key: |");
	bad("steps:\n  - name: x\n    run: a: b\n", 3, 11, "a second ': '",
		"below 'run: |'");
	bad("- name: a: b\n", 1, 10, "a second ': '", "below 'name: |'");
	bad("a: 1\n  b: 2\n", 2, 4, "a key where the value above goes on",
		"indentation");
	bad("a: \"open\nb: 2\n", 1, 4, "a quote that is never closed", "close it");
	bad("a: 'don't\nb: 2\n", 1, 9, "text after the closing quote",
		"quote the whole");
	bad("a: \"x\nb: \"y\"\nc: 1\n", 1, 4, "closes only in line 2", "closed before");
	bad("a: \"x\" y\n", 1, 8, "text after the closing quote", "quote the whole");
	bad("a: {b: ${{ x }}}\n", 1, 8, "without quotes", "quote it: \"${{");
	bad("a: [1, ${{ x }}, 3]\n", 1, 8, "without quotes", "quote it: \"${{");
	bad("a: [1, 2\nb: 3\n", 2, 2, "a ',' or the closing ']'", "line 1, column 4");
	bad("a:\n    b: 1\n  c: 2\n", 3, 3, "fits no indentation", "column 1");
	bad("a:\n  - b\n c: 1\n", 3, 2, "fits no indentation", NULL);
	bad("a: - b\n", 1, 4, "a list item can't begin here", "line of its own");
	bad("a: *.bin\n", 1, 4, "anchor", "quote");
	bad("a: @x\n", 1, 4, "can't begin with '@'", "quote");
	bad("a: `x`\n", 1, 4, "can't begin with '`'", "quote");
	bad("a: %x\n", 1, 4, "can't begin with '%'", "quote");
	bad("a: \"\\d\"\n", 1, 5, "an escape", "'...'");
	bad("a: !!int 3\n", 1, 4, "a tag", "quote");
	bad("a: !x 3\n", 1, 4, "a tag", "quote");
	bad("a: !<x 3\n", 1, 4, "a tag", "quote");
	bad("!x [1]\n", 1, 1, "a tag", "quote");
	bad("!x {a: 1}\n", 1, 1, "a tag", "quote");
	bad("a: 1\n---\nb: 2\n", 2, 1, "a second document", "one file each");
	bad("{a: 1}\nb: 2\n", 2, 1, "text after the end", "indentation");
	bad("[a]: 1\n", 1, 1, "a key must be a text", "quote");
	bad("? {a: 1}\n: 1\n", 1, 3, "a key must be a text", "quote");
	bad("a: 1\n: 2\n", 2, 1, "a ':' without a key", NULL);
	bad("{: 2}\n", 1, 2, "a value is missing", NULL);
	bad("- a\nb: 1\n", 2, 1, "not a list item", "'- '");
	bad("[a, , b]", 1, 5, "a value is missing", NULL);
}
END_TEST

START_TEST(tabs_elsewhere_are_fine)
{
	is("a: |\n  x\n  \ty\n  \t\nb:\t1\t# c\n",
		"1:1{1:1\"a\"=1:4\"x\\n\\ty\\n\\t\\n\" 5:1\"b\"=5:4\"1\"}");
	is("a: >\n  x\n  \ty\nb: \"p\tq\"\n",
		"1:1{1:1\"a\"=1:4\"x\\n\\ty\\n\" 4:1\"b\"=4:4\"p\\tq\"}");
}
END_TEST

START_TEST(binary_junk)
{
	bad_n("a: \0b\n", 6, 1, 4, "a NUL byte", NULL);
	bad_n("a: \"\\0\"\n", 8, 1, 4, "NUL character", NULL);
	bad("a: 1\nb: \x01\n", 2, 4, "a control character", NULL);
	bad("a: \x7f\n", 1, 4, "a control character", NULL);
	bad("a: \x1b[0m\n", 1, 4, "a control character", NULL);
	bad("a: 1\rb: 2\n", 1, 5, "a carriage return", NULL);
	bad("a: \xff\n", 1, 4, "not UTF-8", "UTF-8");
	bad("\xe2\x82\xac: \xc3(\n", 1, 4, "not UTF-8", NULL);
	bad("a: \xc0\x80\n", 1, 4, "not UTF-8", NULL);
	bad("a: \xed\xa0\x80\n", 1, 4, "not UTF-8", NULL);
	bad("a: \xf4\x90\x80\x80\n", 1, 4, "not UTF-8", NULL);
	bad("a: \xf0\x9f\x98", 1, 4, "not UTF-8", NULL);
	bad("a: \xe2\x80\xa8\n", 1, 4, "line separator", NULL);
	bad("a: \xc2\x85\n", 1, 4, "line separator", NULL);
	bad_n("\xff\xfe"
	      "a\0:\0",
		6, 1, 1, "not UTF-8", NULL);
	bad_n("a\0b", 3, 1, 2, "a NUL byte", NULL);
	bad("\x7f"
	    "ELF\x02\x01",
		1, 1, "a control character", NULL);
}
END_TEST

START_TEST(nesting)
{
	weft_autostr struct weft_str s = {0};

	for (int i = 0; i < 64; i++)
		weft_str_addc(&s, '[');
	for (int i = 0; i < 64; i++)
		weft_str_addc(&s, ']');
	weft_yaml_free(parse(s.s));
	s.len = 0;
	for (int i = 0; i < 65; i++)
		weft_str_addc(&s, '[');
	bad(s.s, 1, 65, "nested more than 64", NULL);
	/* Through aliases it counts too. */
	s.len = 0;
	weft_str_add(&s, "- &a0 [x]\n");
	for (int i = 1; i < 70; i++)
		weft_str_printf(&s, "- &a%d [*a%d]\n", i, i - 1);
	bad(s.s, 64, 9, "nested too deeply", NULL);
}
END_TEST

START_TEST(alias_bombs)
{
	weft_autostr struct weft_str s = {0};

	weft_str_add(&s, "- &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 12; i++) {
		weft_str_printf(&s, "- &a%d [", i);
		for (int j = 0; j < 10; j++)
			weft_str_printf(&s, "%s*a%d", j ? "," : "", i - 1);
		weft_str_add(&s, "]\n");
	}
	bad(s.s, 7, 16, "aliases expand to more than", NULL);
	s.len = 0;
	weft_str_add(&s, "- &m0 {a: 1, b: 2}\n");
	for (int i = 1; i < 30; i++)
		weft_str_printf(&s, "- &m%d {<<: [*m%d, *m%d]}\n", i, i - 1, i - 1);
	bad(s.s, 19, 20, "aliases expand to more than", NULL);
}
END_TEST

START_TEST(huge_texts)
{
	size_t n = WEFT_YAML_MAX_BYTES + 1;
	weft_autofree char *s = malloc(n);
	weft_autoerr struct weft_err err = {0};
	struct weft_yaml_doc *doc;

	memset(s, 'x', n);
	bad_n(s, n, 0, 0, "larger than 16 MiB", ".csv");
	doc = parse_n(s, n - 1);
	ck_assert_uint_eq(doc->root->n, n - 1);
	weft_yaml_free(doc);
	/* Repeated pieces that a slow parser would choke on; any answer, but soon. */
	static const char *const piece[] = {"[", "{", "- ", "? ", "\"", "'",
		"a: ", "a:\n", "&a ", "*a ", "!", "x ", "\n", "|\n ", "a,", "[]", "#",
		"%", "{a: ", "- -\n", " ", "--- ", "---\n", "\"\\\n", ": ", ",", "]",
		"<<: "};
	for (size_t i = 0; i < WEFT_COUNT(piece); i++) {
		size_t len = strlen(piece[i]), m = 2 << 20;
		double start = weft_monotonic();

		for (size_t j = 0; j < m; j++)
			s[j] = piece[i][j % len];
		if (weft_yaml_parse("t.yaml", s, m, &doc, &err) == 0)
			weft_yaml_free(doc);
		ck_assert_msg(weft_monotonic() - start < 10,
			"2 MiB of '%s' took %.1f s", piece[i],
			weft_monotonic() - start);
	}
}
END_TEST

START_TEST(many_steps)
{
	weft_autostr struct weft_str s = {0};
	double start;

	weft_str_add(&s, "name: big\nsteps:\n");
	for (int i = 0; i < 100000; i++)
		weft_str_printf(&s,
			"  - name: step%06d\n    role: simulation\n"
			"    run: heat --kappa ${{ params.kappa }} --seed %d\n"
			"    resources: {ntasks: 8, mem: 4G, time: 20m}\n",
			i, i);
	start = weft_monotonic();
	struct weft_yaml_doc *doc = parse_n(s.s, s.len);
	printf("100,000 steps, %zu bytes: %.3f s, %zu bytes of nodes\n", s.len,
		weft_monotonic() - start, doc->arena.bytes);
	ck_assert_uint_eq(weft_yaml_get(doc->root, "steps")->n, 100000);
	ck_assert_uint_lt(doc->arena.bytes, 250u << 20);
	weft_yaml_free(doc);
}
END_TEST

/* Bytes of real text, altered at random: an answer or an error with a place. */
START_TEST(random_damage)
{
	static const char text[] = "name: h\nx-a: &a {k: [1, 2], l: "
				   "\"q\\n\"}\nsteps:\n  - name: s\n    <<: *a\n"
				   "    run: |\n      echo ${{ x }}\n\t\n    env: {A: "
				   "'b''c', ? d : e}\n# end\n";
	static const char nasty[] = "\t\n:-?{}[],&*#!|>'\"%@`\\ \xc3\xff\0~<a0";
	unsigned seed = 20, good = 0;
	char s[sizeof(text)];

	printf("seed %u\n", seed);
	for (int i = 0; i < 20000; i++) {
		weft_autoerr struct weft_err err = {0};
		struct weft_yaml_doc *doc;
		size_t n = sizeof(text) - 1;

		memcpy(s, text, sizeof(text));
		for (int j = rand_r(&seed) % 4; j >= 0; j--)
			s[(size_t)rand_r(&seed) % n] =
				nasty[(size_t)rand_r(&seed) % (sizeof(nasty) - 1)];
		if (rand_r(&seed) % 4 == 0)
			n = (size_t)rand_r(&seed) % n;
		if (weft_yaml_parse("t.yaml", s, n, &doc, &err) == 0) {
			good++;
			weft_yaml_free(doc);
			continue;
		}
		ck_assert_ptr_null(doc);
		ck_assert_int_eq(err.code, WEFT_ESPEC);
		ck_assert_uint_ge(err.pos.line, 1);
		ck_assert_uint_ge(err.pos.col, 1);
		ck_assert_uint_le(err.pos.line, 13);
		ck_assert(!strchr(err.text, '\n'));
	}
	ck_assert_uint_gt(good, 1000);
}
END_TEST

START_TEST(quoting_round_trip)
{
	static const char text[] =
		"a\"b\\c\nd\te\x01\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf"
		"\xef\xbf\xbe\xc3\xa9 ${{ x }} # '";
	weft_autostr struct weft_str s = {0};

	weft_yaml_quote(&s, text);
	ck_assert_ptr_null(strchr(s.s, '\n'));
	struct weft_yaml_doc *doc = parse(s.s);
	ck_assert_str_eq(doc->root->text, text);
	weft_yaml_free(doc);
	/* What Slurm cut in the middle of a character still reads. */
	s.len = 0;
	weft_yaml_quote(&s, "caf\xc2");
	ck_assert_str_eq(s.s, "\"caf\\uFFFD\"");
}
END_TEST

START_TEST(files)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_yaml_doc *doc;
	char path[] = "/tmp/weft-test-yaml.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(weft_write_all(fd, "a: 1\n", 5), 0);
	ck_assert_int_eq(weft_yaml_load(path, &doc, &err), 0);
	ck_assert_str_eq(doc->file, path);
	ck_assert_uint_eq(doc->source_len, 5);
	weft_yaml_free(doc);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(dup2(fd, 0), 0);
	ck_assert_int_eq(weft_yaml_load("-", &doc, &err), 0);
	ck_assert_str_eq(weft_yaml_get(doc->root, "a")->text, "1");
	weft_yaml_free(doc);
	ck_assert_int_eq(ftruncate(fd, WEFT_YAML_MAX_BYTES + 1), 0);
	ck_assert_int_eq(weft_yaml_load(path, &doc, &err), -1);
	ck_assert(strstr(err.text, "larger than 16 MiB"));
	ck_assert_str_eq(err.file, path);
	close(fd);
	unlink(path);
	ck_assert_int_eq(weft_yaml_load(path, &doc, &err), -1);
	ck_assert_ptr_null(doc);
	ck_assert_int_eq(err.code, WEFT_ESPEC);
	ck_assert_int_eq(weft_yaml_load("/", &doc, &err), -1);
}
END_TEST

SUITE("yaml", nodes_know_their_place, empty_documents, texts_stay_as_written,
	anchors_are_shared, merge_keys, duplicate_keys, typical_mistakes,
	tabs_elsewhere_are_fine, binary_junk, nesting, alias_bombs, huge_texts,
	many_steps, random_damage, quoting_round_trip, files)
