/* test_base_units.c - durations, sizes, digests */
#include <string.h>

#include "base/base.h"
#include "suite.h"

START_TEST(durations)
{
	static const struct {
		const char *s;
		int64_t want;
	} t[] = {{"90s", 90}, {"15m", 900}, {"2h", 7200}, {"1d", 86400}, {"0s", 0},
		{"1.5h", 5400}, {"0.5s", 1}, {"0.1m", 6}, {"00:20:00", 1200},
		{"1:00:00", 3600}, {"100:00:00", 360000}, {"2-00:00:01", 172801},
		{"0-23:59:59", 86399}, {"00:00:00", 0}};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		int64_t got = -1;
		const char *why = "?";
		ck_assert_msg(
			weft_parse_duration(t[i].s, &got, &why), "%s: %s", t[i].s, why);
		ck_assert_msg(got == t[i].want, "%s: %lld", t[i].s, (long long)got);
	}
}
END_TEST

START_TEST(durations_refused)
{
	static const char *const t[] = {"", "90", "1.5", "10:30", "s", "-1s", "+1s",
		"1w", "1y", "1hour", "1h30m", "1 h", " 1h", "1h ", "1:60:00", "1:00:60",
		"1-24:00:00", "1-2:3", "-1:00:00", "1-", "1-00", ":::", "1::2",
		"1:2:3:4", "1:2:", "1e3s", "0x1s", ".5h", "1.h", "1,5h", "nan", "infs",
		"1H", "1M", "99999999999d", "999999999999:00:00", "9999999999-00:00:00",
		"1000000000000000000000s", "1:00:00s", "1d-1:00:00", "1.5-00:00:00"};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		int64_t got = 77;
		const char *why = NULL;
		ck_assert_msg(!weft_parse_duration(t[i], &got, &why), "'%s': %lld",
			t[i], (long long)got);
		ck_assert_int_eq(got, 77);
		ck_assert_msg(why && *why, "'%s'", t[i]);
		ck_assert(!weft_parse_duration(t[i], &got, NULL));
	}
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *s;
		uint64_t want;
	} t[] = {{"0", 0}, {"100", 100}, {"64K", 65536}, {"512M", 536870912},
		{"4G", UINT64_C(4) << 30}, {"1.5T", UINT64_C(3) << 39},
		{"4g", UINT64_C(4) << 30}, {"2P", UINT64_C(2) << 50},
		{"7E", UINT64_C(7) << 60}, {"0.5K", 512}, {"0.3K", 308}};

	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		uint64_t got = 1;
		const char *why = "?";
		ck_assert_msg(
			weft_parse_size(t[i].s, &got, &why), "%s: %s", t[i].s, why);
		ck_assert_msg(
			got == t[i].want, "%s: %llu", t[i].s, (unsigned long long)got);
	}
	static const char *const bad[] = {"", "M", "-1M", "+1M", "4GB", "4GiB", "4 G",
		"1e3", "4X", "8E", "9999999999999999999", "1.M", ".5M", "0x10M", "nan",
		"inf", "1M ", " 1M"};
	for (size_t i = 0; i < WEFT_COUNT(bad); i++) {
		uint64_t got = 77;
		const char *why = NULL;
		ck_assert_msg(!weft_parse_size(bad[i], &got, &why), "'%s'", bad[i]);
		ck_assert_uint_eq(got, 77);
		ck_assert_msg(why && *why, "'%s'", bad[i]);
	}
}
END_TEST

START_TEST(printed)
{
	static const struct {
		int64_t seconds;
		const char *want;
	} d[] = {{0, "00:00:00"}, {-5, "00:00:00"}, {3661, "01:01:01"},
		{86399, "23:59:59"}, {86400, "1-00:00:00"},
		{100 * 86400 + 1, "100-00:00:01"}};
	static const struct {
		uint64_t bytes;
		const char *want;
	} s[] = {{0, "0"}, {1023, "1023"}, {1024, "1K"}, {1536, "1.5K"},
		{1048575, "1M"}, {UINT64_C(3) << 29, "1.5G"}, {UINT64_MAX, "16E"}};
	char buf[WEFT_UNIT_MAX];

	for (size_t i = 0; i < WEFT_COUNT(d); i++)
		ck_assert_str_eq(weft_format_duration(buf, d[i].seconds), d[i].want);
	for (size_t i = 0; i < WEFT_COUNT(s); i++)
		ck_assert_str_eq(weft_format_size(buf, s[i].bytes), s[i].want);
	/* What is printed can be read. */
	for (int64_t v = 1; v < INT64_C(10000000000); v = v * 3 + 1) {
		int64_t back;
		ck_assert(
			weft_parse_duration(weft_format_duration(buf, v), &back, NULL));
		ck_assert_int_eq(back, v);
	}
	weft_format_duration(buf, INT64_MAX);
	ck_assert_uint_lt(strlen(buf), WEFT_UNIT_MAX);
}
END_TEST

/* xxHash's own check: a buffer of its generator, and what XXH3-128 says of its
 * first n bytes with seed 0. */
START_TEST(known_digests)
{
	static const struct {
		size_t n;
		const char *want;
	} t[] = {{0, "99aa06d3014798d86001c324468d497f"},
		{1, "a6cd5e9392000f6ac44bdff4074eecdb"},
		{6, "082afe0b8162d12a3e7039bdda43cfc6"},
		{12, "6e3efd8fc7802b18061a192713f69ad9"},
		{24, "0ce966e4678d37611e7044d28b1b901d"},
		{48, "a002ac4e5478227ef942219aed80f67b"}};
	unsigned char buf[4096];
	uint64_t gen = 2654435761u;
	char hex[WEFT_DIGEST_HEX], other[WEFT_DIGEST_HEX];

	for (size_t i = 0; i < sizeof(buf); i++, gen *= UINT64_C(11400714785074694797))
		buf[i] = (unsigned char)(gen >> 56);
	for (size_t i = 0; i < WEFT_COUNT(t); i++) {
		weft_digest(buf, t[i].n, hex);
		ck_assert_str_eq(hex, t[i].want);
	}
	/* In pieces it is the same. */
	for (size_t n = 0; n <= sizeof(buf); n += 117) {
		struct weft_hasher *h = weft_hasher_new();
		ck_assert_ptr_nonnull(h);
		for (size_t at = 0; at < n; at += 31)
			weft_hasher_add(h, buf + at, n - at < 31 ? n - at : 31);
		weft_hasher_end(h, other);
		weft_digest(buf, n, hex);
		ck_assert_str_eq(hex, other);
	}
}
END_TEST

START_TEST(digests_in_bytes)
{
	unsigned char buf[8192], sum[WEFT_DIGEST_BYTES], other[WEFT_DIGEST_BYTES];
	struct weft_hasher *h = weft_hasher_new();
	char hex[WEFT_DIGEST_HEX], want[WEFT_DIGEST_HEX];

	ck_assert_ptr_nonnull(h);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)(i * i >> 3);
	/* Short and long pieces in turn, which different code may hash. */
	for (size_t n = 0; n <= sizeof(buf); n += 509) {
		for (size_t at = 0, k = 7; at < n; at += k, k = k == 7 ? 1600 : 7)
			weft_hasher_add(h, buf + at, n - at < k ? n - at : k);
		weft_hasher_peek(h, other);
		weft_digest_bytes(buf, n, sum);
		ck_assert_mem_eq(sum, other, sizeof(sum));
		weft_hasher_take(h, other); /* and it begins anew */
		ck_assert_mem_eq(sum, other, sizeof(sum));
		weft_digest_hex(sum, hex);
		weft_digest(buf, n, want);
		ck_assert_str_eq(hex, want);
	}
	weft_hasher_free(h);
	weft_hasher_free(NULL);
}
END_TEST

SUITE("base_units", durations, durations_refused, sizes, printed, known_digests,
	digests_in_bytes)
