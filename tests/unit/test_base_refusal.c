/* The line that the admin gets of a refusal: one line, whatever a user calls things. */
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "suite.h"

static void is(const struct weft_refusal *r, const char *want_fmt)
{
	weft_autostr struct weft_str line = {0};
	weft_autofree char *want = weft_printf(want_fmt, (unsigned)getuid());

	weft_refusal_line(r, &line);
	ck_assert(!line.failed);
	ck_assert_str_eq(line.s, want);
}

START_TEST(plain)
{
	is(&(struct weft_refusal){"alice", "heat", "limits.nodes", "40 of 16"},
		"refused user=\"alice\" uid=%u workflow=\"heat\" rule=\"limits.nodes\" "
		"value=\"40 of 16\"");
	is(&(struct weft_refusal){.rule = "enabled"},
		"refused user=\"?\" uid=%u rule=\"enabled\" value=\"\"");
}
END_TEST

START_TEST(hostile)
{
	is(&(struct weft_refusal){"a\nNov 21 sshd: ok", "x\" user=\"root", "r",
		   "\x1b[2J\x7f\\ \xc3\xa9\r"},
		"refused user=\"a?Nov 21 sshd: ok\" uid=%u workflow=\"x? user=?root\" "
		"rule=\"r\" value=\"?[2J?? ???\"");
}
END_TEST

START_TEST(cut)
{
	weft_autostr struct weft_str line = {0};
	char name[5000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	weft_refusal_line(&(struct weft_refusal){name, name, "r", name}, &line);
	ck_assert_uint_lt(line.len, 700);
}
END_TEST

SUITE("refusals", plain, hostile, cut)
