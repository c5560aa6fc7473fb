/* test_spec_rows.c - members that are rows of a file */
#include <stdlib.h>
#include <unistd.h>

#include "scratch.h"
#include "spec.h"

static struct weft_workflow *load_rows(const char *name, const char *rows, size_t n,
	unsigned max, struct weft_errs *errs)
{
	struct weft_spec_options opt = {.dir = scratch()};
	const char *path = in_scratch(name);
	char text[512];
	struct weft_err err = {0};
	char limit[40] = "";

	if (max)
		snprintf(limit, sizeof(limit), ", max: %u", max);
	ck_assert_int_eq(weft_write_file(path, rows, n, 0644, &err), 0);
	snprintf(text, sizeof(text),
		HEAD STEP("a") "    sweep: {file: ./%s%s}\n" STEP(
			"b") "    sweep: {each: a}\n    depends: [a]\n",
		name, limit);
	return try_load(text, strlen(text), &opt, errs);
}

static struct weft_workflow *good(const char *name, const char *rows)
{
	struct weft_errs errs = {0};
	struct weft_workflow *wf = load_rows(name, rows, strlen(rows), 0, &errs);
	char *line = errs.n ? weft_err_line(&errs.v[0]) : NULL;

	ck_assert_msg(wf != NULL, "%s", line ? line : "?");
	return wf;
}

static void bad_n(const char *name, const char *rows, size_t n, unsigned max,
	unsigned line, const char *part)
{
	struct weft_errs errs = {0};
	struct weft_workflow *wf = load_rows(name, rows, n, max, &errs);

	ck_assert_msg(!wf, "accepted: %s", rows);
	char *text = weft_err_line(&errs.v[0]);
	ck_assert_uint_eq(errs.total, 1);
	ck_assert_msg(strstr(text, part), "no '%s' in: %s", part, text);
	ck_assert_msg(
		errs.v[0].pos.line == line, "line %u: %s", errs.v[0].pos.line, text);
	free(text);
	weft_errs_clear(&errs);
}

static void bad(const char *name, const char *rows, unsigned line, const char *part)
{
	bad_n(name, rows, strlen(rows), 0, line, part);
}

static void is(const struct weft_workflow *wf, size_t i, const char *want)
{
	struct weft_member m;
	struct weft_str s = {0};
	struct weft_err err = {0};

	ck_assert_int_eq(weft_sweep_member(wf, &wf->step[0], i, &m, &err), 0);
	ck_assert_int_eq(weft_value_json(&s, &m.params), 0);
	ck_assert_str_eq(s.s, want);
	weft_str_free(&s);
	weft_member_clear(&m);
}

START_TEST(a_csv)
{
	struct weft_workflow *wf =
		good("p.csv", "\xef\xbb\xbf"
			      "x, name ,on\r\n1.10, a b ,true\r\n\r\n"
			      "-2e3,\"c, \"\"d\"\"\ne\",\"true\"\n3,\"\",x");

	ck_assert_uint_eq(wf->step[0].sweep.count, 3);
	ck_assert_uint_eq(wf->step[1].sweep.count, 3);
	is(wf, 0, "{\"x\": 1.10, \"name\": \"a b\", \"on\": true}");
	is(wf, 1, "{\"x\": -2e3, \"name\": \"c, \\\"d\\\"\\ne\", \"on\": \"true\"}");
	is(wf, 2, "{\"x\": 3, \"name\": \"\", \"on\": \"x\"}");
	struct weft_edge edge = {.step = 0};
	ck_assert(weft_spec_one_to_one(wf, &wf->step[1], &edge));
	weft_spec_free(wf);
}
END_TEST

START_TEST(json_lines)
{
	struct weft_workflow *wf = good("p.jsonl",
		"{\"x\": 12345678901234567, \"c\": {\"l\": [1, null, \"a\"]}}\n\n"
		"{\"c\": \"1\", \"x\": 0.1}\n");

	is(wf, 0, "{\"x\": 12345678901234567, \"c\": {\"l\": [1, null, \"a\"]}}");
	is(wf, 1, "{\"x\": 0.1, \"c\": \"1\"}");
	weft_spec_free(wf);
}
END_TEST

START_TEST(an_id_is_of_the_params)
{
	struct weft_workflow *wf = good("p.csv", "x,y\n1.0,a\n");
	struct weft_workflow *other = good("p.jsonl", "{\"y\":\"a\",\"x\":1}\n");
	struct weft_member a, b;

	weft_sweep_member(wf, &wf->step[0], 0, &a, NULL);
	weft_sweep_member(other, &other->step[0], 0, &b, NULL);
	ck_assert_str_eq(a.id, b.id);
	weft_member_clear(&a);
	weft_member_clear(&b);
	weft_spec_free(wf);
	weft_spec_free(other);
}
END_TEST

START_TEST(what_is_wrong)
{
	bad("p.csv", "x,y\n1,2\n3\n", 3, "has fewer than the 2 values");
	bad("p.csv", "x,y\n1,2,3\n", 2, "has more than the 2 values");
	bad("p.csv", "x,y\n1,\n", 2, "`y` has no value");
	bad("p.csv", "x,x\n1,2\n", 1, "there twice");
	bad("p.csv", "x,X\n1,2\n", 1, "there twice");
	bad("p.csv", "x y\n1\n", 1, "not a valid name");
	bad("p.csv", "x\n\"1\n", 2, "a quote is not closed");
	bad("p.csv", "x\n\"1\"2\n", 2, "follows a closing quote");
	bad("p.csv", "x\na\"b\n", 2, "inside of a value");
	bad("p.csv", "x\n1\n2\n1.0\n", 4, "the same point as line 2");
	bad("p.csv", "x\n", 5, "has no rows");
	bad("p.csv", "", 5, "has no rows");
	bad_n("p.csv", "x\n1\n2\n3\n", 8, 2, 4, "more than 2 rows");
	bad_n("p.csv", "x\na\0b\n", 6, 0, 2, "NUL");
	bad("p.jsonl", "{\"x\": 1}\n{\"x\": }\n", 2, "is no JSON");
	bad("p.jsonl", "{\"x\": 1}\n[1]\n", 2, "is no object");
	bad("p.jsonl", "{\"x\": 1}\n{\"y\": 1}\n", 2, "`x` has no value");
	bad("p.jsonl", "{\"x\": 1}\n{\"x\": 2, \"y\": 1}\n", 2, "has more than");
	bad("p.jsonl", "{\"x\": 1, \"x\": 2}\n", 1, "is no JSON");
	bad("p.txt", "x\n1\n", 5, "neither a .csv nor a .jsonl");
}
END_TEST

/* Rows come when they are there; what they need is known before. */
START_TEST(rows_of_a_step)
{
	struct weft_workflow *wf =
		load(HEAD STEP("make") "    outputs: {p: p.csv}\n" STEP(
			"a") "    sweep: {file: make.p, max: "
			     "3}\n" STEP("b") "    sweep: "
					      "{each: a}\n    "
					      "depends: [a]\n");
	const struct weft_sweep *a = &wf->step[1].sweep, *b = &wf->step[2].sweep;
	struct weft_edge edge = {.step = 1};
	struct weft_err err = {0};
	const char *path = in_scratch("p.csv");

	ck_assert_uint_eq(wf->step[1].n_edges, 1);
	ck_assert_uint_eq(wf->step[1].edge[0].step, 0);
	ck_assert(a->growing && b->growing);
	ck_assert_uint_eq(a->count, 0);
	ck_assert_uint_eq(a->most, 3);
	ck_assert_uint_eq(b->most, 3);
	ck_assert_int_eq(weft_write_file(path, "x\n1\n2\n3\n4\n", 10, 0644, &err), 0);
	ck_assert_int_eq(weft_sweep_read(wf, 1, path, &err), -1);
	ck_assert_uint_eq(err.pos.line, 5);
	weft_err_clear(&err);
	ck_assert(a->growing);
	ck_assert_int_eq(weft_write_file(path, "x\n1\n2\n", 6, 0644, &err), 0);
	ck_assert_int_eq(weft_sweep_read(wf, 1, path, &err), 0);
	ck_assert(!a->growing && !b->growing);
	ck_assert_uint_eq(a->count, 2);
	ck_assert_uint_eq(b->count, 2);
	ck_assert(weft_spec_one_to_one(wf, &wf->step[2], &edge));
	weft_spec_free(wf);
}
END_TEST

/* A million rows are their text and a word each. */
START_TEST(many)
{
	struct weft_str s = {0};

	weft_str_add(&s, "x,y\n");
	for (int i = 0; i < 200000; i++)
		weft_str_printf(&s, "%d,%d\n", i, i);
	struct weft_workflow *wf = good("p.csv", s.s);
	ck_assert_uint_eq(wf->step[0].sweep.count, 200000);
	is(wf, 199999, "{\"x\": 199999, \"y\": 199999}");
	weft_spec_free(wf);
	weft_str_free(&s);
}
END_TEST

static int add(struct weft_workflow *wf, const char *params, size_t *index,
	struct weft_err *err)
{
	struct weft_value v;

	ck_assert_int_eq(weft_spec_json(params, strlen(params), &v, err), 0);
	int rc = weft_sweep_add(wf, 0, &v, index, err);
	weft_value_clear(&v);
	return rc;
}

/* Members that are added come behind those of the axes, and are as good. */
START_TEST(members_are_added)
{
	struct weft_workflow *wf = load(HEAD STEP(
		"a") "    sweep: {x: [1, 2], c: [a]}\n    steer: {run: x, max_members: "
		     "4}\n" STEP("b") "    sweep: {each: a}\n    depends: [a]\n");
	const struct weft_sweep *a = &wf->step[0].sweep, *b = &wf->step[1].sweep;
	struct weft_err err = {0};
	size_t i;

	ck_assert(a->growing && b->growing);
	ck_assert_uint_eq(a->most, 4);
	ck_assert_uint_eq(b->most, 4);
	ck_assert_int_eq(add(wf, "{\"c\": {\"n\": [1]}, \"x\": 0.5}", &i, &err), 0);
	ck_assert_uint_eq(i, 2);
	is(wf, 0, "{\"x\": 1, \"c\": \"a\"}");
	is(wf, 2, "{\"x\": 0.5, \"c\": {\"n\": [1]}}");
	ck_assert_uint_eq(b->count, 3);
	struct weft_edge edge = {.step = 0};
	ck_assert(weft_spec_one_to_one(wf, &wf->step[1], &edge));
	refused(add(wf, "{\"x\": 1}", &i, &ok_err), "`c` has no value");
	refused(add(wf, "{\"x\": 1, \"c\": 1, \"d\": 2}", &i, &ok_err), "no axis `d`");
	refused(add(wf, "[1]", &i, &ok_err), "params are an object");
	ck_assert_int_eq(add(wf, "{\"c\": \"b\", \"x\": 7}", &i, &err), 0);
	refused(add(wf, "{\"c\": \"c\", \"x\": 7}", &i, &ok_err),
		"there are 4 members already");
	weft_sweep_end(wf, 0);
	ck_assert(!a->growing && !b->growing);
	weft_spec_free(wf);
}
END_TEST

struct matched {
	size_t n, v[32];
};

static int note(void *ctx, size_t i)
{
	struct matched *m = ctx;

	ck_assert_uint_lt(m->n, 32);
	m->v[m->n++] = i;
	return 0;
}

static bool same_value(
	const struct weft_member *a, const struct weft_member *b, const char *axis)
{
	const struct weft_value *v[2] = {NULL, NULL};
	struct weft_str s[2] = {{0}, {0}};

	for (int k = 0; k < 2; k++) {
		const struct weft_value *p = k ? &b->params : &a->params;

		for (size_t i = 0; i < p->n; i++)
			if (weft_streq(p->name[i], axis))
				v[k] = &p->item[i];
		ck_assert_ptr_nonnull(v[k]);
		ck_assert_int_eq(weft_value_json(&s[k], v[k]), 0);
	}
	bool same = weft_streq(s[0].s, s[1].s);
	weft_str_free(&s[0]);
	weft_str_free(&s[1]);
	return same;
}

/* Each member needs just those with its values on the axes that both have. */
static void by_value(const struct weft_workflow *wf, unsigned step, const char *x,
	const char *y, size_t least)
{
	const struct weft_step *s = &wf->step[step];
	size_t all = 0;

	for (size_t i = 0; i < s->sweep.count; i++) {
		struct weft_member own, other;
		struct matched m = {0};
		size_t at = 0;

		ck_assert_int_eq(weft_sweep_member(wf, s, i, &own, NULL), 0);
		ck_assert_int_eq(
			weft_spec_each_match(wf, s, i, &s->edge[0], note, &m), 0);
		for (size_t k = 0; k < wf->step[s->edge[0].step].sweep.count; k++) {
			ck_assert_int_eq(
				weft_sweep_member(wf, &wf->step[s->edge[0].step], k,
					&other, NULL),
				0);
			if (same_value(&own, &other, x) &&
				(!y || same_value(&own, &other, y))) {
				ck_assert_uint_lt(at, m.n);
				ck_assert_uint_eq(m.v[at++], k);
			}
			weft_member_clear(&other);
		}
		ck_assert_uint_eq(at, m.n);
		all += m.n;
		weft_member_clear(&own);
	}
	ck_assert_uint_ge(all, least);
}

START_TEST(partial_matches)
{
	static const char rows[] = "k,x,j\n1,1,a\n2,1,b\n1,2,a\n3,1,a\n1,3,b\n";
	static const char other[] = "j,y,k\na,1,1\nb,1,2\na,2,9\n";
	static const char text
		[] = "name: t\nparams: {k: [1, 2, 4], j: [a, b]}\nsteps:\n" STEP("a") "    sweep: {file: ./a.csv}\n" STEP(
			"b") "    sweep: "
			     "[k]\n    "
			     "depends: [a]\n" STEP(
				     "c") "    sweep: {file: ./c.csv}\n    depends: "
					  "[a]\n" STEP("d") "    sweep: "
							    "{file: "
							    "./c.csv}\n    depends: "
							    "[b]\n" STEP(
								    "e") "    sweep: "
									 "[j, k]\n    "
									 "depends: "
									 "[a]\n";
	struct weft_spec_options opt = {.dir = scratch()};
	struct weft_errs errs = {0};

	ck_assert_int_eq(
		weft_write_file(in_scratch("a.csv"), rows, strlen(rows), 0644, NULL),
		0);
	ck_assert_int_eq(
		weft_write_file(in_scratch("c.csv"), other, strlen(other), 0644, NULL),
		0);
	struct weft_workflow *wf = try_load(text, strlen(text), &opt, &errs);
	ck_assert_msg(wf != NULL, "%s", errs.n ? errs.v[0].text : "?");
	for (int again = 0; again < 2; again++) {
		by_value(wf, 1, "k", NULL, 4);
		by_value(wf, 2, "k", "j", 3);
		by_value(wf, 3, "k", NULL, 2);
		by_value(wf, 4, "k", "j", 4);
	}
	weft_spec_free(wf);
}
END_TEST

/* Those that come later are found, too. */
START_TEST(matches_of_added)
{
	static const char text[] = "name: t\nparams: {k: [1, 2]}\nsteps:\n" STEP(
		"a") "    sweep: {k: [1, 2], x: [1]}\n    steer: {run: x, "
		     "max_members: 9}\n" STEP("b") "    sweep: [k]\n    depends: "
						   "[a]\n";
	struct weft_workflow *wf = load(text);
	size_t i;

	by_value(wf, 1, "k", NULL, 2);
	for (int x = 2; x < 5; x++) {
		char params[64];

		snprintf(
			params, sizeof(params), "{\"k\": %d, \"x\": %d}", x % 2 + 1, x);
		ck_assert_int_eq(add(wf, params, &i, NULL), 0);
		by_value(wf, 1, "k", NULL, (size_t)x + 1);
	}
	weft_spec_free(wf);
}
END_TEST

SUITE("spec_rows", partial_matches, matches_of_added, a_csv, json_lines,
	an_id_is_of_the_params, what_is_wrong, rows_of_a_step, members_are_added, many)
