#include "request/request.h"

#include <string.h>

#include "suite.h"

static const struct weft_request sample = {.step = "train",
	.role = "training",
	.partition = "gpu,big",
	.account = "phys01",
	.qos = "high",
	.reservation = "maint",
	.nodes = 2,
	.nodes_given = true,
	.ntasks = 8,
	.ntasks_per_node = 4,
	.cpus_per_task = 3,
	.gpus_per_node = 4,
	.gpu_type = "a100",
	.mem = 4096,
	.tmp = 100,
	.time = 90,
	.constraint = "[rack1*2&nvme]|ib",
	.exclude = "c[001-100]",
	.nodelist = "c7",
	.licenses = "ansys@db:2",
	.gres = "tape:1",
	.exclusive = true,
	.array = 100,
	.max_parallel = 12};
static const char text[] =
	"weft-request-1 step=train role=training partition=gpu,big account=phys01 "
	"qos=high reservation=maint nodes=2 nodes_given=1 ntasks=8 ntasks_per_node=4 "
	"cpus_per_task=3 gpus_per_node=4 gpu_type=a100 mem=4096 tmp=100 time=90 "
	"constraint=[rack1*2&nvme]|ib exclude=c[001-100] nodelist=c7 "
	"licenses=ansys@db:2 gres=tape:1 exclusive=1 array=100 max_parallel=12";

static bool decodes(const char *s)
{
	struct weft_request r, zero;
	struct weft_err err = {0};
	char *exact = strdup(s); /* so that the sanitizer sees its end */
	int rc = weft_request_decode(exact, &r, &err);

	memset(&zero, 0, sizeof(zero));
	ck_assert_msg(rc == 0 || (err.text && !memcmp(&r, &zero, sizeof(r))), "%s", s);
	weft_err_clear(&err);
	free(exact);
	return rc == 0;
}

START_TEST(round_trip)
{
	struct weft_str s = {0};
	struct weft_request r;

	ck_assert_int_eq(weft_request_encode(&sample, &s, NULL), 0);
	ck_assert_str_eq(s.s, text);
	ck_assert_int_eq(weft_request_decode(s.s, &r, NULL), 0);
	ck_assert_mem_eq(&r, &sample, sizeof(r));
	weft_str_free(&s);
	ck_assert(decodes("weft-request-1 step=a role=analysis"));
}
END_TEST

START_TEST(refuses_to_encode)
{
	struct weft_str s = {0};
	struct weft_request r = sample;

	r.step[0] = '\0';
	ck_assert_int_eq(weft_request_encode(&r, &s, NULL), -1);
	r = sample;
	strcpy(r.account, "a b");
	ck_assert_int_eq(weft_request_encode(&r, &s, NULL), -1);
	r = sample;
	memset(r.qos, 'a', sizeof(r.qos));
	ck_assert_int_eq(weft_request_encode(&r, &s, NULL), -1);
	r = sample;
	r.cpus_per_task = 65001;
	ck_assert_int_eq(weft_request_encode(&r, &s, NULL), -1);
	r = sample;
	r.gpus = 1;
	ck_assert_int_eq(weft_request_encode(&r, &s, NULL), -1);
	ck_assert_uint_eq(s.len, 0);
}
END_TEST

START_TEST(refuses_to_decode)
{
	static const char *const bad[] = {"", " ", "weft-request-1", "weft-request-1 ",
		"weft-request-1 step=a", "weft-request-1 role=b",
		"weft-request-1 role=b step=a", "weft-request-1  step=a role=b",
		"weft-request-1 step=a role=b ", " weft-request-1 step=a role=b",
		"weft-request-1 step= role=b", "weft-request-1 step=a role=b nodes=",
		"weft-request-1 step=a role=b nodes=0",
		"weft-request-1 step=a role=b nodes=02",
		"weft-request-1 step=a role=b nodes=+2",
		"weft-request-1 step=a role=b nodes=-2",
		"weft-request-1 step=a role=b nodes=2.0",
		"weft-request-1 step=a role=b nodes=1073741825",
		"weft-request-1 step=a role=b nodes=4294967298",
		"weft-request-1 step=a role=b nodes=18446744073709551618",
		"weft-request-1 step=a role=b nodes=2 nodes=2",
		"weft-request-1 step=a role=b ntasks=2 nodes=2",
		"weft-request-1 step=a role=b nodes_given=1",
		"weft-request-1 step=a role=b exclusive=0",
		"weft-request-1 step=a role=b exclusive=11",
		"weft-request-1 step=a role=b gpus=1 gpus_per_node=1",
		"weft-request-1 step=a role=b gpu_type=a100",
		"weft-request-1 step=a role=b max_parallel=2",
		"weft-request-1 step=a role=b evil=1",
		"weft-request-1 step=a role=b partition=a\nb",
		"weft-request-1 step=a role=b partition=\xc3\xa4",
		"weft-request-1 step=a role=b gres=$(id)",
		"weft-request-1 step=a role=b gres='x'", "weft-request-2 step=a role=b",
		"weft-request-11 step=a role=b", "weft-request- step=a role=b"};
	weft_autofree char *copy = strdup(text);

	for (size_t i = 0; i < WEFT_COUNT(bad); i++)
		ck_assert_msg(!decodes(bad[i]), "%s", bad[i]);
	for (size_t i = 0; i < strlen(text); i++) {
		char keep = copy[i];

		copy[i] = '\x01';
		ck_assert_msg(!decodes(copy), "%zu", i);
		copy[i] = ' ';
		ck_assert_msg(keep == ' ' || !decodes(copy), "%zu", i);
		copy[i] = keep;
	}
}
END_TEST

START_TEST(bounds)
{
	struct weft_request r = sample;
	weft_autostr struct weft_str s = {0}, longest = {0};
	weft_autofree char *big = calloc(WEFT_REQUEST_MAX + 2, 1);

	memset(big, 'a', WEFT_REQUEST_MAX + 1);
	ck_assert(!decodes(big));
	memset(r.exclude, 'x', sizeof(r.exclude) - 1);
	memset(r.nodelist, 'x', sizeof(r.nodelist) - 1);
	memset(r.step, 'x', sizeof(r.step) - 1);
	ck_assert_int_eq(weft_request_encode(&r, &s, NULL), 0);
	ck_assert(decodes(s.s));
	/* One more, and it doesn't fit its array. */
	weft_str_printf(&longest, "weft-request-1 step=%sx role=b", r.step);
	ck_assert(!decodes(longest.s));
}
END_TEST

START_TEST(another_version)
{
	struct weft_err err = {0};
	struct weft_request r;

	ck_assert_int_eq(weft_request_decode("weft-request-9 step=a", &r, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "another version"));
	ck_assert_ptr_nonnull(err.hint);
	weft_err_clear(&err);
}
END_TEST

SUITE("request", round_trip, refuses_to_encode, refuses_to_decode, bounds,
	another_version)
