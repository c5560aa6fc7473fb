/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is fuzz_NAME.c with LLVMFuzzerTestOneInput(): reads the bytes as the room
 * does, and holds what was accepted against what must be true of it.  A crash, a
 * report of a sanitizer, a leak or a broken fuzz_must() is a finding.  Which files
 * are its seeds: tests/fuzz/targets.
 */
#ifndef WEFT_FUZZ_H
#define WEFT_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_must(cond)                                                                \
	do {                                                                           \
		if (!(cond))                                                           \
			fuzz_broken(#cond, __FILE__, __LINE__);                        \
	} while (0)

static inline void fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* A copy of exactly the right size, so that a sanitizer sees its end. */
static inline char *fuzz_bytes(const uint8_t *data, size_t size)
{
	char *s = malloc(size ? size : 1);

	fuzz_must(s);
	if (size)
		memcpy(s, data, size);
	return s;
}

/* The same as a C string, which ends at the first NUL. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t n = nul ? (size_t)(nul - data) : size;
	char *s = malloc(n + 1);

	fuzz_must(s);
	if (n)
		memcpy(s, data, n);
	s[n] = '\0';
	return s;
}

/* Cuts the next line off *rest (NULL: there was none). */
static inline char *fuzz_line(char **rest)
{
	char *s = *rest, *end = s ? strchr(s, '\n') : NULL;

	if (end)
		*end = '\0';
	*rest = end ? end + 1 : NULL;
	return s;
}

/* A refusal says why. */
static inline void fuzz_refused(struct weft_err *err)
{
	fuzz_must(err->code != WEFT_OK && err->text && *err->text);
	weft_err_clear(err);
}

#endif
