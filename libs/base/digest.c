/* digest.c - XXH3-128; here and in digest_wide.c is xxhash.h, header-only, so that
 * nothing is linked */
#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

#include <string.h>

#include "base/base.h"
#include "base/digest_wide.h"

static void print(XXH128_hash_t h, char hex[WEFT_DIGEST_HEX])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, h);
	weft_digest_hex(c.digest, hex);
}

static void store(XXH128_hash_t h, unsigned char sum[WEFT_DIGEST_BYTES])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, h);
	memcpy(sum, c.digest, sizeof(c.digest));
}

/* Short texts aren't worth the question. */
#define WIDE 1024

static XXH128_hash_t whole(const void *data, size_t n)
{
	XXH128_hash_t h;
	uint64_t sum[2];

	if (n < WIDE || !digest_wide_can())
		return XXH3_128bits(data, n);
	digest_wide_whole(data, n, sum);
	h.low64 = sum[0];
	h.high64 = sum[1];
	return h;
}

void weft_digest_hex(
	const unsigned char sum[WEFT_DIGEST_BYTES], char hex[WEFT_DIGEST_HEX])
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < WEFT_DIGEST_BYTES; i++) {
		*hex++ = digit[sum[i] >> 4];
		*hex++ = digit[sum[i] & 15];
	}
	*hex = '\0';
}

void weft_digest_bytes(const void *data, size_t n, unsigned char sum[WEFT_DIGEST_BYTES])
{
	store(whole(data, n), sum);
}

void weft_digest(const void *data, size_t n, char hex[WEFT_DIGEST_HEX])
{
	print(whole(data, n), hex);
}

/* XXH3_state_t wants 64-byte alignment, which XXH3_createState() gives. */
struct weft_hasher *weft_hasher_new(void)
{
	XXH3_state_t *s = XXH3_createState();

	if (s)
		XXH3_128bits_reset(s);
	return (struct weft_hasher *)s;
}

void weft_hasher_add(struct weft_hasher *h, const void *data, size_t n)
{
	if (n >= WIDE && digest_wide_can())
		digest_wide_add(h, data, n);
	else
		XXH3_128bits_update((XXH3_state_t *)h, data, n);
}

void weft_hasher_end(struct weft_hasher *h, char hex[WEFT_DIGEST_HEX])
{
	XXH3_state_t *s = (XXH3_state_t *)h;

	print(XXH3_128bits_digest(s), hex);
	XXH3_freeState(s);
}

void weft_hasher_peek(const struct weft_hasher *h, unsigned char sum[WEFT_DIGEST_BYTES])
{
	store(XXH3_128bits_digest((const XXH3_state_t *)h), sum);
}

void weft_hasher_take(struct weft_hasher *h, unsigned char sum[WEFT_DIGEST_BYTES])
{
	XXH3_state_t *s = (XXH3_state_t *)h;

	store(XXH3_128bits_digest(s), sum);
	XXH3_128bits_reset(s);
}

void weft_hasher_free(struct weft_hasher *h)
{
	XXH3_freeState((XXH3_state_t *)h);
}
