/* hash_rate - seconds of CPU for hashing MIB of data as a copy does it: in pieces that
 * were read just before
 *
 * usage: hash_rate MIB */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base.h"

#define PIECE ((size_t)256 << 10)

int main(int argc, char **argv)
{
	size_t n = argc == 2 ? strtoul(argv[1], NULL, 10) * 4 : 0;
	struct weft_hasher *hasher = weft_hasher_new();
	char *buf = malloc(PIECE), hex[WEFT_DIGEST_HEX];
	struct timespec t;

	if (!n || !hasher || !buf) {
		fputs("usage: hash_rate MIB\n", stderr);
		return 2;
	}
	memset(buf, 1, PIECE);
	for (size_t i = 0; i < n; i++)
		weft_hasher_add(hasher, buf, PIECE);
	weft_hasher_end(hasher, hex);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	printf("%.6f %s\n", (double)t.tv_sec + (double)t.tv_nsec * 1e-9, hex);
	free(buf);
	return 0;
}
