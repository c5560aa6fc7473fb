/* test_base_err.c - errors, lists of them, memory, messages */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "suite.h"

START_TEST(says_where_and_what)
{
	struct weft_err e = {0};

	errno = EXDEV;
	ck_assert_int_eq(weft_err_set(&e, WEFT_ESPEC, "no %s", "good"), -1);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(
		weft_err_at(&e, "a.yaml", (struct weft_pos){3, 7}, "steps[0]"), -1);
	weft_err_hint(&e, "try %d", 2);
	weft_err_prefix(&e, "step %s", "x");
	char *s = weft_err_line(&e);
	ck_assert_str_eq(s, "a.yaml:3:7: steps[0]: step x: no good (try 2)");
	free(s);
	ck_assert_int_eq(e.code, WEFT_ESPEC);
	/* Another error replaces all of it. */
	errno = ENOENT;
	weft_err_sys(&e, WEFT_ESYS, "/x");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(e.sys, ENOENT);
	s = weft_err_line(&e);
	ck_assert_str_eq(s, "/x: No such file or directory");
	free(s);
	/* A text made of the old one. */
	weft_err_set(&e, WEFT_ESYS, "again: %s", e.text);
	ck_assert_str_eq(e.text, "again: /x: No such file or directory");
	weft_err_clear(&e);
	ck_assert_int_eq(e.code, WEFT_OK);
	s = weft_err_line(&e);
	ck_assert_str_eq(s, "out of memory");
	free(s);
}
END_TEST

START_TEST(positions_without_columns)
{
	struct weft_err e = {0};

	weft_err_set(&e, WEFT_ESPEC, "x");
	weft_err_at(&e, "f", (struct weft_pos){0, 9}, NULL);
	char *s = weft_err_line(&e);
	ck_assert_str_eq(s, "f: x");
	free(s);
	weft_err_at(&e, NULL, (struct weft_pos){4, 0}, NULL);
	s = weft_err_line(&e);
	ck_assert_str_eq(s, "f:4: x");
	free(s);
	weft_err_clear(&e);
}
END_TEST

START_TEST(nobody_listens)
{
	ck_assert_int_eq(weft_err_set(NULL, WEFT_ESYS, "x"), -1);
	ck_assert_int_eq(weft_err_sys(NULL, WEFT_ESYS, "x"), -1);
	ck_assert_int_eq(weft_err_nomem(NULL), -1);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_eq(weft_err_at(NULL, "f", (struct weft_pos){1, 1}, "p"), -1);
	ck_assert_int_eq(weft_err_hint(NULL, "x"), -1);
	ck_assert_int_eq(weft_err_prefix(NULL, "x"), -1);
	weft_err_clear(NULL);
}
END_TEST

START_TEST(moves)
{
	struct weft_err a = {0}, b = {0};

	weft_err_set(&a, WEFT_ESPEC, "a");
	weft_err_set(&b, WEFT_ESYS, "b");
	weft_err_move(&b, &a);
	ck_assert_ptr_null(a.text);
	ck_assert_str_eq(b.text, "a");
	weft_err_move(&b, &b);
	ck_assert_str_eq(b.text, "a");
	weft_err_move(NULL, &b);
	ck_assert_ptr_null(b.text);
}
END_TEST

START_TEST(keeps_the_first_twenty)
{
	struct weft_errs errs = {0};

	for (int i = 0; i < 30; i++) {
		struct weft_err e = {0};

		weft_err_set(&e, WEFT_ESPEC, "%d", i);
		weft_errs_add(&errs, &e);
		ck_assert_ptr_null(e.text);
	}
	ck_assert_uint_eq(errs.n, 20);
	ck_assert_uint_eq(errs.total, 30);
	ck_assert_str_eq(errs.v[19].text, "19");
	weft_errs_clear(&errs);
	ck_assert_uint_eq(errs.total, 0);
	errs.max = 2;
	for (int i = 0; i < 3; i++) {
		struct weft_err e = {0};

		weft_err_set(&e, WEFT_ESPEC, "%d", i);
		weft_errs_add(&errs, &e);
	}
	ck_assert_uint_eq(errs.n, 2);
	weft_errs_clear(&errs);
}
END_TEST

static bool all_are(const unsigned char *p, size_t n, unsigned char c)
{
	return n == 0 || (*p == c && memcmp(p, p + 1, n - 1) == 0);
}

START_TEST(arena_hands_out_zeroed_aligned_memory)
{
	struct weft_arena a = {0};
	static const size_t size[] = {1, 0, 15, 17, 4000, 5000, 1 << 20, 3, 300000, 3};
	unsigned char *got[400];

	for (size_t i = 0; i < WEFT_COUNT(got); i++) {
		size_t n = size[i % WEFT_COUNT(size)];

		got[i] = weft_arena_alloc(&a, n);
		ck_assert_ptr_nonnull(got[i]);
		ck_assert_uint_eq((uintptr_t)got[i] % 16, 0);
		ck_assert(all_are(got[i], n, 0));
		memset(got[i], (int)(i % 255) + 1, n);
	}
	/* None overlaps another. */
	for (size_t i = 0; i < WEFT_COUNT(got); i++)
		ck_assert(all_are(got[i], size[i % WEFT_COUNT(size)],
			(unsigned char)(i % 255 + 1)));
	ck_assert_ptr_null(weft_arena_alloc(&a, SIZE_MAX - 3));
	weft_arena_free(&a);
	ck_assert_ptr_null(a.head);
}
END_TEST

START_TEST(arena_stays_close_to_what_is_used)
{
	struct weft_arena a = {0};

	for (int i = 0; i < 1000; i++) {
		ck_assert_ptr_nonnull(weft_arena_alloc(&a, 16));
		ck_assert_ptr_nonnull(weft_arena_alloc(&a, 600 << 10));
	}
	ck_assert_uint_lt(a.bytes, (size_t)2000 * (600 << 10));
	weft_arena_free(&a);
}
END_TEST

START_TEST(arena_texts)
{
	struct weft_arena a = {0};

	ck_assert_str_eq(weft_arena_strndup(&a, "abcdef", 3), "abc");
	ck_assert_str_eq(weft_arena_strdup(&a, ""), "");
	char *big = weft_arena_printf(&a, "%0*d|%s", 9000, 1, "end");
	ck_assert_uint_eq(strlen(big), 9004);
	ck_assert_str_eq(big + 8999, "1|end");
	weft_arena_free(&a);
}
END_TEST

START_TEST(grows)
{
	int *v = NULL;
	size_t n = 0, cap = 0;

	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(weft_grow(v, n, cap), 0);
		v[n++] = i;
	}
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(v[i], i);
	/* More than there can be: unchanged. */
	size_t huge = SIZE_MAX / 4;
	int *same = v;
	ck_assert_int_eq(weft_grow_(&v, huge, &huge, 1000), -1);
	ck_assert_ptr_eq(v, same);
	ck_assert_uint_eq(huge, SIZE_MAX / 4);
	free(v);
}
END_TEST

static char heard[3][64];
static size_t n_heard;

static void hear(enum weft_level level, const char *text)
{
	snprintf(heard[n_heard++ % 3], sizeof(heard[0]), "%d %s", (int)level, text);
}

START_TEST(messages_by_level)
{
	weft_log_set(WEFT_WARN, hear);
	errno = EXDEV;
	weft_log(WEFT_ERROR, "a %d", 1);
	weft_log(WEFT_WARN, "b");
	weft_log(WEFT_INFO, "c");
	weft_log(WEFT_DEBUG, "d");
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_uint_eq(n_heard, 2);
	ck_assert_str_eq(heard[0], "0 a 1");
	ck_assert_str_eq(heard[1], "1 b");
}
END_TEST

SUITE("base_err", says_where_and_what, positions_without_columns, nobody_listens, moves,
	keeps_the_first_twenty, arena_hands_out_zeroed_aligned_memory,
	arena_stays_close_to_what_is_used, arena_texts, grows, messages_by_level)
