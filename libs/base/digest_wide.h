/* digest_wide.h - between the two files of the hash; private to the room */
#ifndef WEFT_BASE_DIGEST_WIDE_H
#define WEFT_BASE_DIGEST_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The others may be called only where this is true. */
bool digest_wide_can(void);
/* As XXH3_128bits_update on its state, as XXH3_128bits. */
void digest_wide_add(void *state, const void *data, size_t n);
void digest_wide_whole(const void *data, size_t n, uint64_t sum[2]);

#endif
