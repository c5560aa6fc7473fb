/* test_spec_loop.c - members of rounds, and which need which */
#include "spec.h"

#define LOOP                                                                                                                        \
	"name: t\nparams:\n  k: [1, 2]\nloop: {steps: [a, b], max: 3}\nsteps:\n" STEP(                                              \
		"a") "    sweep: [k]\n    outputs: {o: o}\n" STEP("b") "    depends: "                                              \
								       "[a]\n" STEP("c") "    sweep: [k]\n    depends: [a]\n" STEP( \
									       "d") "    "                                          \
										    "depends: "                                     \
										    "[b]\n"

struct seen {
	size_t n, v[16];
};

static int see(void *ctx, size_t index)
{
	struct seen *s = ctx;

	ck_assert_uint_lt(s->n, 16);
	s->v[s->n++] = index;
	return 0;
}

static struct seen needs(const struct weft_workflow *wf, size_t step, size_t index)
{
	struct seen s = {0};
	const struct weft_step *of = &wf->step[step];

	ck_assert_int_eq(weft_spec_each_match(wf, of, index, &of->edge[0], see, &s), 0);
	return s;
}

static void is(struct seen s, size_t n, size_t first)
{
	ck_assert_uint_eq(s.n, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(s.v[i], first + i);
}

START_TEST(rounds_grow)
{
	struct weft_workflow *wf = load(LOOP);
	const struct weft_sweep *a = &wf->step[0].sweep, *b = &wf->step[1].sweep;

	ck_assert_int_eq(b->kind, WEFT_SWEEP_ROUNDS);
	for (size_t r = 1; r <= 3; r++) {
		ck_assert_uint_eq(a->count, 2 * r);
		ck_assert_uint_eq(b->count, r);
		ck_assert(a->growing == (r < 3) && b->growing == (r < 3));
		ck_assert_uint_eq(a->most, 6);
		if (r < 3)
			weft_loop_next(wf, 0);
	}
	weft_loop_next(wf, 0); /* beyond max: nothing */
	ck_assert_uint_eq(a->count, 6);
	weft_spec_free(wf);
}
END_TEST

START_TEST(ids_of_rounds)
{
	struct weft_workflow *wf = load(LOOP);
	struct weft_member m[6];

	for (size_t i = 0; i < 6; i++) { /* known before their round has begun */
		ck_assert_int_eq(
			weft_sweep_member(wf, &wf->step[0], i, &m[i], NULL), 0);
		ck_assert_uint_eq(m[i].index, i % 2);
		ck_assert_uint_eq(m[i].count, 2);
		ck_assert_uint_eq(m[i].round, i / 2);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(m[i].id, m[k].id);
	}
	for (size_t i = 0; i < 6; i++)
		weft_member_clear(&m[i]);
	weft_spec_free(wf);
}
END_TEST

START_TEST(who_needs_whom)
{
	struct weft_workflow *wf = load(LOOP);
	const struct weft_edge *out = &wf->step[3].edge[0], *in = &wf->step[1].edge[0];

	is(needs(wf, 1, 0), 2, 0); /* b of round 0: all a of round 0 */
	is(needs(wf, 2, 1), 1, 1); /* c from outside: its a of the last round so far */
	is(needs(wf, 3, 0), 1, 0);
	ck_assert(!weft_spec_whole(wf, &wf->step[3], out));
	ck_assert(weft_spec_whole(wf, &wf->step[1], in));
	weft_loop_next(wf, 0);
	is(needs(wf, 1, 1), 2, 2);
	is(needs(wf, 2, 1), 1, 3);
	is(needs(wf, 3, 0), 1, 1);
	ck_assert_int_eq(weft_loop_end(wf, 0, "enough"), 0);
	ck_assert(weft_spec_whole(wf, &wf->step[3], out));
	weft_loop_next(wf, 0); /* it has ended */
	ck_assert_uint_eq(wf->step[0].sweep.count, 4);
	weft_spec_free(wf);
}
END_TEST

/* Steps of a loop come together in the order, after all that any of them needs. */
START_TEST(order)
{
	struct weft_workflow *wf =
		load("name: t\nloop: {steps: [a, c], max: 2}\nsteps:\n" STEP("a") STEP(
			"after") "    depends: [a]\n" STEP("c") "    depends: [a, "
								"late]\n" STEP("late"));
	unsigned want[] = {3, 0, 2, 1};

	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(wf->order[i], want[i]);
	weft_spec_free(wf);
}
END_TEST

SUITE("spec_loop", rounds_grow, ids_of_rounds, who_needs_whom, order)
