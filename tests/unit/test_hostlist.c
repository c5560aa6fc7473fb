/* Host lists: both directions, and lists made to do harm. */
#include <stdio.h>
#include <string.h>

#include "cluster/cluster.h"
#include "suite.h"

/* expand(list) is `names` (blanks between); compressing it gives `back`. */
static void both(const char *list, const char *names, const char *back)
{
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str s = {0};
	weft_autofree char *again = NULL;
	char **name;
	size_t n;

	ck_assert_msg(weft_hostlist_expand(list, 1000, &name, &n, &err) == 0, "%s: %s",
		list, err.text);
	for (size_t i = 0; i < n; i++)
		weft_str_printf(&s, "%s%s", i ? " " : "", name[i]);
	ck_assert_str_eq(s.s, names);
	again = weft_hostlist_compress((const char *const *)name, n);
	ck_assert_str_eq(again, back);
	weft_hostlist_free(name, n);
}

START_TEST(good)
{
	both("c1", "c1", "c1");
	both("login", "login", "login");
	both("c[1-3]", "c1 c2 c3", "c[1-3]");
	both("c[1-3,7],g01", "c1 c2 c3 c7 g01", "c[1-3,7],g01");
	both("c[08-11]", "c08 c09 c10 c11", "c[08-11]");
	both("c[8-11]", "c8 c9 c10 c11", "c[8-11]");
	both("c[098-101]", "c098 c099 c100 c101", "c[098-101]");
	both("c1,c3", "c1 c3", "c[1,3]");
	both("c3,c1,c2", "c3 c1 c2", "c[3,1-2]");
	both("a,b,a1,b1", "a b a1 b1", "a,b,a1,b1");
	both("c9,c010", "c9 c010", "c[9,010]");
	both("c1,c01", "c1 c01", "c[1,01]");
	both("r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02", "r1n[01-02],r2n[01-02]");
	both("n[1-2]-ib", "n1-ib n2-ib", "n1-ib,n2-ib");
	both("[1-3]", "1 2 3", "[1-3]");
	both("a.b-c_d[5]", "a.b-c_d5", "a.b-c_d5");
	both("c1,c1", "c1 c1", "c[1,1]");
	both("n123456789012345678", "n123456789012345678", "n123456789012345678");
	both("n1234567890123456789,n1234567890123456780",
		"n1234567890123456789 n1234567890123456780",
		"n1234567890123456789,n1234567890123456780");
}
END_TEST

static void bad(const char *list, const char *part)
{
	weft_autoerr struct weft_err err = {0};
	char **name = (void *)1;
	size_t n = 7;

	ck_assert_msg(weft_hostlist_expand(list, 1000, &name, &n, &err) == -1,
		"not refused: %s", list);
	ck_assert_ptr_null(name);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(err.code, WEFT_ESPEC);
	ck_assert_msg(strstr(err.text, part) != NULL, "no '%s' in %s", part, err.text);
}

START_TEST(refused)
{
	char name[400];

	bad("", "empty");
	bad(",", "empty");
	bad("a,", "empty");
	bad("a,,b", "empty");
	bad("c[", "without");
	bad("c[1", "without");
	bad("c[1,d2", "without");
	bad("c[]", "missing");
	bad("c[1,]", "missing");
	bad("c[-3]", "missing");
	bad("c[1-]", "missing");
	bad("c[a-b]", "missing");
	bad("c[1-3-5]", "only numbers");
	bad("c[1[2]]", "only numbers");
	bad("c]", "no host name");
	bad("c 1", "no host name");
	bad("c1\n", "no host name");
	bad("c;id", "no host name");
	bad("c[3-1]", "backwards");
	bad("c[1-010]", "padded");
	bad("c[1-1234567890123456789]", "18 digits");
	bad("c[0-999999999999999999]", "more than 1000");
	bad("c[1-1001]", "more than 1000");
	bad("a[1-99]b[1-99]c[1-99]d[1-99]e[1-99]f[1-99]", "more than 1000");
	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	bad(name, "255 characters");
	name[255] = '\0';
	both(name, name, name);
	memcpy(name + 250, "[000001]", 9);
	bad(name, "255 characters");
}
END_TEST

/* 10,000 brackets: depth and work stay bounded. */
START_TEST(deep)
{
	weft_autostr struct weft_str s = {0};

	for (int i = 0; i < 10000; i++)
		weft_str_add(&s, "[1-2]");
	bad(s.s, "");
}
END_TEST

START_TEST(large)
{
	weft_autofree char *again = NULL;
	char **name;
	size_t n;

	ck_assert_int_eq(
		weft_hostlist_expand("n[00001-99999]", 100000, &name, &n, NULL), 0);
	ck_assert_uint_eq(n, 99999);
	again = weft_hostlist_compress((const char *const *)name, n);
	ck_assert_str_eq(again, "n[00001-99999]");
	weft_hostlist_free(name, n);
	weft_hostlist_free(NULL, 3);
	free(again);
	again = weft_hostlist_compress(NULL, 0);
	ck_assert_str_eq(again, "");
}
END_TEST

START_TEST(a_number_a_node)
{
	ck_assert_uint_eq(weft_hostlist_number("16", 0), 16);
	ck_assert_uint_eq(weft_hostlist_number("4(x2),3", 1), 4);
	ck_assert_uint_eq(weft_hostlist_number("4(x2),3", 2), 3);
	static const char *const none[] = {"", "x", "-1", "0", "4(x", "4(x2", "4(x0)",
		"4(x2)3", "4(x-1)", "99999999999999999999"};
	for (size_t i = 0; i < WEFT_COUNT(none); i++)
		ck_assert_uint_eq(weft_hostlist_number(none[i], 2), 0);
	ck_assert_uint_eq(weft_hostlist_number("4(x2),3", 3), 0);
}
END_TEST

SUITE("hostlist", a_number_a_node, good, refused, deep, large)
