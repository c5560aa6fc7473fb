#include "topo/topo.h"

#include <string.h>

#include "suite.h"

/* Two packages of 4 cores; two threads a core but for the last one; an L3 a pair of
 * cores in the first package, one in the second. */
static const char text[] = "weft-topology 1\n"
			   "host n1\n"
			   "size packages=2 l3=3 cores=8 cpus=15 numa=2 gpus=0 nics=0\n"
			   "numa 0 os=0 kind=dram bytes=1 cpus=0-3,8-11\n"
			   "numa 1 os=1 kind=dram bytes=1 cpus=4-7,12-14\n"
			   "core 0 package=0 numa=0 l3=0 cpus=0,8\n"
			   "core 1 package=0 numa=0 l3=0 cpus=1,9\n"
			   "core 2 package=0 numa=0 l3=1 cpus=2,10\n"
			   "core 3 package=0 numa=0 l3=1 cpus=3,11\n"
			   "core 4 package=1 numa=1 l3=2 cpus=4,12\n"
			   "core 5 package=1 numa=1 l3=2 cpus=5,13\n"
			   "core 6 package=1 numa=1 l3=2 cpus=6,14\n"
			   "core 7 package=1 numa=1 l3=2 cpus=7\n"
			   "end\n";

START_TEST(items)
{
	static const struct {
		const char *what, *cpus;
	} good[] = {
		{"l3:1", "0,2,4,8,10,12"},
		{"l3:2", "0-5,8-13"},
		{"numa:1", "0,4,8,12"},
		{"package:3", "0-2,4-6,8-10,12-14"},
		{"first:1", "0,8"},
		{"first:3", "0-1,4,8-9,12"},
		{"last:1", "7"},
		{"last:2", "3,7,11"},
		{"last:99", "0-14"},
		{"l3:4096", "0-14"},
		{"5", "5"},
		{"0,8-9,4000", "0,8-9,4000"},
		{"l3:1,last:1,1", "0-2,4,7-8,10,12"},
		{"none", ""},
	};
	struct weft_machine *m;
	struct weft_err err = {0};
	char buf[64];

	ck_assert_int_eq(weft_machine_parse(text, sizeof(text) - 1, &m, &err), 0);
	for (size_t i = 0; i < WEFT_COUNT(good); i++) {
		ck_assert_int_eq(weft_machine_reserve(m, good[i].what, &err), 0);
		ck_assert(weft_cpuset_print(&m->reserved, buf, sizeof(buf)));
		ck_assert_msg(weft_streq(buf, good[i].cpus), "%s: %s, not %s",
			good[i].what, buf, good[i].cpus);
		ck_assert_int_eq(weft_machine_reserve(NULL, good[i].what, &err), 0);
	}
	weft_machine_free(m);
}
END_TEST

START_TEST(junk)
{
	static const char *const bad[] = {"", ",", "l3", "l3:", "l3:0", "l3:x", "l3:1,",
		",l3:1", "l3:1 ", "l2:1", "1-", "3-1", "4096", "none,1",
		"l3:99999999999999999999", "all"};
	struct weft_err err = {0};

	for (size_t i = 0; i < WEFT_COUNT(bad); i++) {
		ck_assert_msg(
			weft_machine_reserve(NULL, bad[i], &err) == -1, "'%s'", bad[i]);
		ck_assert_int_eq(err.code, WEFT_EUSAGE);
		ck_assert_ptr_nonnull(strstr(err.hint, "first N of each"));
		weft_err_clear(&err);
	}
}
END_TEST

SUITE("topo_reserve", items, junk)
