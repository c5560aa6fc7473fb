/* test_spec_sweep.c - members of sweeps, and which need which */
#include "spec.h"

static char *params_of(const struct weft_workflow *wf, const struct weft_step *s,
	size_t i, char id[WEFT_MEMBER_ID])
{
	struct weft_member m;
	struct weft_err err = {0};
	struct weft_str text = {0};
	ck_assert_int_eq(weft_sweep_member(wf, s, i, &m, &err), 0);
	ck_assert_uint_eq(m.index, i);
	ck_assert_uint_eq(m.count, s->sweep.count);
	ck_assert_int_eq(weft_value_json(&text, &m.params), 0);
	ck_assert_uint_eq(strlen(m.id), 12);
	ck_assert_uint_eq(strspn(m.id, "0123456789abcdef"), 12);
	if (id)
		memcpy(id, m.id, WEFT_MEMBER_ID);
	weft_member_clear(&m);
	return weft_str_take(&text);
}

static void check_params(
	const struct weft_workflow *wf, size_t step, size_t i, const char *want)
{
	char *got = params_of(wf, &wf->step[step], i, NULL);
	char plain[256];
	size_t n = 0;
	for (const char *c = got; *c && n < sizeof(plain) - 1; c++)
		if (*c != ' ')
			plain[n++] = *c;
	plain[n] = '\0';
	ck_assert_str_eq(plain, want);
	free(got);
}

START_TEST(a_grid)
{
	struct weft_workflow *wf =
		load("name: t\nparams:\n  k: [0.10, b]\n"
		     "  s: {range: [1, 3]}\nsteps:\n" STEP("a") "    sweep: [k, s]\n");
	ck_assert_uint_eq(wf->step[0].sweep.count, 6);
	check_params(wf, 0, 0, "{\"k\":0.10,\"s\":1}");
	check_params(wf, 0, 2, "{\"k\":0.10,\"s\":3}");
	check_params(wf, 0, 3, "{\"k\":\"b\",\"s\":1}");
	check_params(wf, 0, 5, "{\"k\":\"b\",\"s\":3}");
	struct weft_member m;
	struct weft_err err = {0};
	ck_assert_int_eq(weft_sweep_member(wf, &wf->step[0], 6, &m, &err), -1);
	weft_member_clear(&m);
	weft_err_clear(&err);
	weft_spec_free(wf);
}
END_TEST

START_TEST(a_zip_and_maps)
{
	struct weft_workflow *wf = load(HEAD STEP(
		"a") "    sweep: {a: [1, 1, 2], b: [x, y, x]}\n    "
		     "sweep_mode: zip\n" STEP(
			     "b") "    sweep: {case: [{n: 1, l: [a, 2]}, {n: 2}], z: "
				  "[1]}\n");
	ck_assert_uint_eq(wf->step[0].sweep.count, 3);
	check_params(wf, 0, 1, "{\"a\":1,\"b\":\"y\"}");
	check_params(wf, 1, 0, "{\"case\":{\"n\":1,\"l\":[\"a\",2]},\"z\":1}");
	weft_spec_free(wf);
}
END_TEST

START_TEST(ranges)
{
	struct weft_workflow *wf =
		load(HEAD STEP("a") "    sweep: {x: {range: [0, 1, 0.1]}}\n" STEP("b") "    sweep: {x: {range: [5, 1, -2]}}\n" STEP(
			"c") "    sweep: {x: {range: [0, 1, "
			     "0.3]}}\n" STEP(
				     "d") "    sweep: {x: "
					  "{range: [1, "
					  "10000000]}}\n" STEP(
						  "e") "    "
						       "swee"
						       "p: "
						       "{x: "
						       "{ran"
						       "ge: "
						       "[-0."
						       "5, "
						       "0.5,"
						       " 0."
						       "25]}"
						       "}"
						       "\n" STEP(
							       "f") "    sweep: {x: "
								    "{range: [1e-3, "
								    "3e-3, 1e-3]}}\n");
	ck_assert_uint_eq(wf->step[0].sweep.count, 11);
	check_params(wf, 0, 3, "{\"x\":0.3}");
	check_params(wf, 0, 10, "{\"x\":1}");
	ck_assert_uint_eq(wf->step[1].sweep.count, 3);
	check_params(wf, 1, 2, "{\"x\":1}");
	ck_assert_uint_eq(wf->step[2].sweep.count, 4);
	check_params(wf, 3, 9999999, "{\"x\":10000000}");
	check_params(wf, 4, 2, "{\"x\":0}");
	ck_assert_uint_eq(wf->step[5].sweep.count, 3);
	weft_spec_free(wf);
}
END_TEST

START_TEST(ids_stay)
{
	char a[WEFT_MEMBER_ID], b[WEFT_MEMBER_ID], c[WEFT_MEMBER_ID];
	struct weft_workflow *wf =
		load(HEAD STEP("a") "    sweep: {k: [1, 2], s: [x]}\n");
	struct weft_workflow *more =
		load(HEAD STEP("b") "    sweep: {s: [w, x], k: [0, 1.0, '1', 2]}\n");
	free(params_of(wf, &wf->step[0], 0, a));
	free(params_of(more, &more->step[0], 5, b)); /* s: x, k: 1.0 */
	free(params_of(more, &more->step[0], 6, c)); /* s: x, k: the text 1 */
	ck_assert_str_eq(a, b);
	ck_assert_str_ne(a, c);
	weft_spec_free(wf);
	weft_spec_free(more);
}
END_TEST

START_TEST(ids_differ)
{
	struct weft_workflow *wf = load(HEAD STEP(
		"a") "    sweep: {k: [9007199254740993, 9007199254740992, -1, 1, "
		     "'', true, "
		     "'true', [1], [[1]], {a: 1}]}\n");
	char id[10][WEFT_MEMBER_ID];
	for (size_t i = 0; i < 10; i++) {
		free(params_of(wf, &wf->step[0], i, id[i]));
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(id[i], id[k]);
	}
	weft_spec_free(wf);
}
END_TEST

/* ---- matching ---- */

struct found {
	size_t v[64], n;
};

static int note(void *ctx, size_t i)
{
	struct found *f = ctx;
	ck_assert_uint_lt(f->n, WEFT_COUNT(f->v));
	f->v[f->n++] = i;
	return 0;
}

static void check_needs(const struct weft_workflow *wf, const char *step, size_t member,
	const char *want)
{
	const struct weft_step *s = weft_spec_step(wf, step);
	struct found f = {.n = 0};
	char got[256] = "";
	size_t n = 0;
	ck_assert_int_eq(weft_spec_each_match(wf, s, member, &s->edge[0], note, &f), 0);
	for (size_t i = 0; i < f.n; i++)
		n += (size_t)snprintf(
			got + n, sizeof(got) - n, "%s%zu", i ? " " : "", f.v[i]);
	ck_assert_str_eq(got, want);
}

static bool one_to_one(const struct weft_workflow *wf, const char *step)
{
	const struct weft_step *s = weft_spec_step(wf, step);
	return weft_spec_one_to_one(wf, s, &s->edge[0]);
}

static bool matches(const struct weft_workflow *wf, const char *step)
{
	const struct weft_step *s = weft_spec_step(wf, step);
	return weft_spec_matches(wf, s, &s->edge[0]);
}

START_TEST(members_match_by_shared_axes)
{
	struct weft_workflow *wf = load("name: t\nparams: {k: [a, b], s: [1, 2, 3], z: "
					"[1, 2]}\nsteps:\n" STEP("sim") "    sweep: "
									"[k, s]\n" STEP("same") "    sweep: [k, s]\n    depends: sim\n" STEP("turned") "    sweep: [s, k]\n    depends: sim\n" STEP("byk") "    sweep: [k]\n    depends: sim\n" STEP("more") "    sweep: [z, s]\n    depends: sim\n" STEP("all") "    sweep: [k]\n    depends: sim.*\n" STEP("other") "    sweep: [z]\n    depends: sim\n" STEP(
										"one") "    depends: sim\n" STEP("each") "    sweep: {each: sim}\n    depends: sim\n" STEP("part") "    sweep: {s: [3, 1]}\n    depends: sim\n" STEP("own") "    sweep: {q: [1, 2]}\n" STEP("own2") "    sweep: {q: [1, 2]}\n    depends: own\n");
	ck_assert(matches(wf, "same") && one_to_one(wf, "same"));
	check_needs(wf, "same", 4, "4");
	ck_assert(matches(wf, "turned") && !one_to_one(wf, "turned"));
	check_needs(wf, "turned", 1, "3"); /* s 1, k b */
	check_needs(wf, "turned", 4, "2"); /* s 3, k a */
	check_needs(wf, "byk", 1, "3 4 5");
	check_needs(wf, "more", 4, "1 4"); /* z 2, s 2 */
	ck_assert(!matches(wf, "all"));
	check_needs(wf, "all", 0, "0 1 2 3 4 5");
	ck_assert(!matches(wf, "other"));
	check_needs(wf, "other", 1, "0 1 2 3 4 5");
	check_needs(wf, "one", 0, "0 1 2 3 4 5");
	ck_assert(one_to_one(wf, "each"));
	check_needs(wf, "each", 5, "5");
	check_needs(wf, "part", 0, "2 5");
	check_needs(wf, "part", 1, "0 3");
	/* Axes of the same name that are not of `params` have nothing in common. */
	ck_assert(!matches(wf, "own2"));
	weft_spec_free(wf);
}
END_TEST

START_TEST(zips_match)
{
	struct weft_workflow *wf = load(
		"name: t\nparams: {k: [a, b, a], s: [1, 2, 3]}\nsteps:\n" STEP("sim") "    sweep: [k, s]\n    sweep_mode: zip\n" STEP(
			"same") "    sweep: [k, s]\n    sweep_mode: zip\n    depends: "
				"sim\n" STEP(
					"bys") "    sweep: [s]\n    depends: "
					       "sim\n" STEP(
						       "byk") "    sweep: "
							      "{k: [b, a]}\n "
							      "   depends: "
							      "sim\n" STEP(
								      "g"
								      "r"
								      "i"
								      "d") "    sweep: "
									   "{k: [a, "
									   "b], s: [1, "
									   "2, 3]}\n   "
									   " depends: "
									   "sim\n" STEP(
										   "bac"
										   "k") "    sweep: [k, s]\n    sweep_mode: zip\n    depends: "
											"grid\n");
	ck_assert(one_to_one(wf, "same"));
	check_needs(wf, "same", 2, "2");
	check_needs(wf, "bys", 1, "1");
	check_needs(wf, "byk", 0, "1");
	check_needs(wf, "byk", 1, "0 2");
	ck_assert(!one_to_one(wf, "grid"));
	check_needs(wf, "grid", 2, "2"); /* a, 3 */
	check_needs(wf, "grid", 3, "");  /* b, 1 */
	check_needs(wf, "back", 1, "4"); /* b, 2 */
	weft_spec_free(wf);
}
END_TEST

START_TEST(replicas_and_each)
{
	struct weft_workflow *wf =
		load(HEAD STEP("c") "    sweep: {each: b}\n    depends: b\n" STEP(
			"b") "    sweep: {each: a}\n    depends: "
			     "a\n" STEP("a") "    sweep: {replicas: "
					     "4}\n");
	ck_assert_int_eq(wf->step[0].sweep.kind, WEFT_SWEEP_EACH);
	ck_assert_uint_eq(wf->step[0].sweep.count, 4);
	ck_assert_uint_eq(wf->step[0].sweep.each, 1);
	check_params(wf, 0, 3, "{\"replica\":3}");
	ck_assert(one_to_one(wf, "c") && one_to_one(wf, "b"));
	check_needs(wf, "c", 2, "2");
	weft_spec_free(wf);
}
END_TEST

/* Every pair of members is matched if, and only if, the values are equal. */
START_TEST(matching_is_equality)
{
	struct weft_workflow *wf =
		load("name: t\nparams: {a: [1, 2, 3], b: {range: [0, 1, 0.5]}, c: [x, "
		     "y]}\nsteps:\n" STEP("p") "    sweep: [a, b, c]\n" STEP(
			     "q") "    sweep: [c, b]\n    depends: p\n");
	const struct weft_step *p = &wf->step[0], *q = &wf->step[1];
	for (size_t i = 0; i < q->sweep.count; i++) {
		struct found f = {.n = 0};
		struct weft_member x, y;
		ck_assert_int_eq(
			weft_spec_each_match(wf, q, i, &q->edge[0], note, &f), 0);
		ck_assert_int_eq(weft_sweep_member(wf, q, i, &x, NULL), 0);
		for (size_t k = 0, at = 0; k < p->sweep.count; k++) {
			ck_assert_int_eq(weft_sweep_member(wf, p, k, &y, NULL), 0);
			bool equal = weft_streq(x.params.item[0].str,
					     y.params.item[2].str) &&
				     x.params.item[1].num == y.params.item[1].num;
			bool listed = at < f.n && f.v[at] == k;
			at += listed;
			ck_assert_int_eq(equal, listed);
			weft_member_clear(&y);
		}
		weft_member_clear(&x);
	}
	weft_spec_free(wf);
}
END_TEST

SUITE("spec_sweep", a_grid, a_zip_and_maps, ranges, ids_stay, ids_differ,
	members_match_by_shared_axes, zips_match, replicas_and_each,
	matching_is_equality)
