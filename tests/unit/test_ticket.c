#include "ticket/ticket.h"

#include <string.h>

#include "suite.h"

static const struct weft_ticket sample = {
	.step = "train[3]",
	.bind = true,
	.ntasks = 8,
	.nodes = 2,
	.place = {.cpus_per_task = 4,
		.gpus_per_task = 0.5,
		.gpus_all = false,
		.cpus = WEFT_PLACE_SPREAD,
		.memory = WEFT_PLACE_INTERLEAVE,
		.balance_even = true,
		.smt = 1,
		.spare_cores = 2,
		.mem_per_task = UINT64_C(3) << 30},
};

static char *encode(const struct weft_ticket *t)
{
	struct weft_str s = {0};
	ck_assert_int_eq(weft_ticket_encode(t, &s), 0);
	return weft_str_take(&s);
}

static bool decodes(const char *s)
{
	struct weft_ticket t, zero;
	struct weft_err err = {0};
	char *exact = strdup(s); /* so that the sanitizer sees its end */
	int rc = weft_ticket_decode(exact, &t, &err);

	memset(&zero, 0, sizeof(zero));
	ck_assert_msg(rc == 0 || (err.text && !memcmp(&t, &zero, sizeof(t))), "%s", s);
	weft_err_clear(&err);
	free(exact);
	return rc == 0;
}

START_TEST(round_trip)
{
	struct weft_ticket t;
	char *s = encode(&sample);

	ck_assert_uint_le(strlen(s), WEFT_TICKET_MAX);
	ck_assert_int_eq(weft_ticket_decode(s, &t, NULL), 0);
	ck_assert_str_eq(t.step, sample.step);
	ck_assert(t.bind && t.ntasks == 8 && t.nodes == 2);
	ck_assert_double_eq(t.place.gpus_per_task, 0.5);
	ck_assert(t.place.cpus_per_task == 4 && t.place.smt == 1 && !t.place.gpus_all);
	ck_assert(t.place.cpus == WEFT_PLACE_SPREAD && t.place.balance_even);
	ck_assert(t.place.memory == WEFT_PLACE_INTERLEAVE && t.place.spare_cores == 2);
	ck_assert(t.place.mem_per_task == UINT64_C(3) << 30);
	free(s);
}
END_TEST

START_TEST(refuses_to_encode)
{
	struct weft_str s = {0};
	struct weft_ticket t = sample;

	strcpy(t.step, "a b");
	ck_assert_int_eq(weft_ticket_encode(&t, &s), -1);
	t.step[0] = '\0';
	ck_assert_int_eq(weft_ticket_encode(&t, &s), -1);
	t = sample;
	t.place.gpus_per_task = -1;
	ck_assert_int_eq(weft_ticket_encode(&t, &s), -1);
	t = sample;
	t.place.cpus_per_task = WEFT_MAX_CPUS + 1;
	ck_assert_int_eq(weft_ticket_encode(&t, &s), -1);
	ck_assert_uint_eq(s.len, 0);
}
END_TEST

/* A ticket with this replaced, and its checksum made right again: forged. */
static bool forged(const char *from, const char *to)
{
	char *s = encode(&sample), digest[WEFT_DIGEST_HEX];
	struct weft_str f = {0};
	char *at = strstr(s, from);

	ck_assert_msg(at, "%s", from);
	weft_str_addn(&f, s, (size_t)(at - s));
	weft_str_add(&f, to);
	weft_str_add(&f, at + strlen(from));
	f.len = (size_t)(strstr(f.s, " sum=") - f.s) + 5;
	f.s[f.len] = '\0';
	weft_digest(f.s, f.len, digest);
	weft_str_addn(&f, digest, 16);
	bool ok = decodes(f.s);
	weft_str_free(&f);
	free(s);
	return ok;
}

START_TEST(hostile)
{
	static const char *const wrong[][2] = {
		{"bind=1", "bind=2"},
		{"ntasks=8", "ntasks=99999999999"},
		{"ntasks=8", "ntasks=4294967304"},
		{"ntasks=8", "ntasks=-8"},
		{"ntasks=8", "ntasks="},
		{"ntasks=8", "ntasks=08"},
		{"nodes=2", "nodes=2 "},
		{"cpus=4", "cpus=4097"},
		{"gpus=0.500000", "gpus=0.5"},
		{"gpus=0.500000", "gpus=256.000001"},
		{"gpus=0.500000", "gpus=nan"},
		{"gpus=0.500000", "gpus=257.000000"},
		{"place=spread", "place="},
		{"place=spread", "place=spreads"},
		{"memory=interleave", "memory=all"},
		{"smt=1", "smt=65"},
		{"spare=2", "spare=9999"},
		{"step=train[3]", "step="},
		{"step=train[3]", "step=a\tb"},
		{"weft-ticket-2", "weft-ticket-1"},
		{"step=train[3]",
			"step=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaa"},
		{"spare=2", "spare=2 more=1"},
	};
	char *s = encode(&sample);
	size_t n = strlen(s);
	unsigned seed = 1;

	ck_assert(forged("ntasks=8", "ntasks=9"));
	for (size_t i = 0; i < WEFT_COUNT(wrong); i++)
		ck_assert_msg(!forged(wrong[i][0], wrong[i][1]), "%s", wrong[i][1]);
	for (size_t i = 0; i < n; i++) {
		char *cut = strndup(s, i);
		ck_assert(!decodes(cut));
		free(cut);
		for (int v = 1; v < 256; v++) {
			char was = s[i];
			s[i] = (char)(was ^ v);
			ck_assert_msg(!decodes(s), "byte %zu, value %d", i, v);
			s[i] = was;
		}
	}
	for (int i = 0; i < 20000; i++) {
		char junk[300];
		size_t len = (size_t)rand_r(&seed) % sizeof(junk);
		for (size_t k = 0; k < len; k++)
			junk[k] = (char)(1 + rand_r(&seed) % 255);
		junk[len ? len - 1 : 0] = '\0';
		if (i % 2 && len > 60)
			memcpy(junk, s, (size_t)rand_r(&seed) % 60);
		ck_assert(!decodes(junk));
	}
	char *big = malloc(100000);
	memset(big, 'a', 100000);
	big[99999] = '\0';
	memcpy(big, s, n);
	ck_assert(!decodes(big));
	free(big);
	free(s);
}
END_TEST

SUITE("ticket", round_trip, refuses_to_encode, hostile)
