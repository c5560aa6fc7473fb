/* digest_wide.c - the same hash with 32 bytes at a time, for processors that can */
#include "base/digest_wide.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
/* What a compiler may assume of every processor has half of that. */
#pragma GCC target("avx2")
#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

bool digest_wide_can(void)
{
	return __builtin_cpu_supports("avx2");
}

void digest_wide_add(void *state, const void *data, size_t n)
{
	XXH3_128bits_update(state, data, n);
}

void digest_wide_whole(const void *data, size_t n, uint64_t sum[2])
{
	XXH128_hash_t h = XXH3_128bits(data, n);

	sum[0] = h.low64;
	sum[1] = h.high64;
}
#else
bool digest_wide_can(void)
{
	return false;
}

void digest_wide_add(void *state, const void *data, size_t n)
{
	(void)state;
	(void)data;
	(void)n;
}

void digest_wide_whole(const void *data, size_t n, uint64_t sum[2])
{
	(void)data;
	(void)n;
	sum[0] = sum[1] = 0;
}
#endif
