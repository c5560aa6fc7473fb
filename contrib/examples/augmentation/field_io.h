/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field files: a header of 64 bytes (struct field_head), then planes of size x size
 * little-endian doubles, row by row. A file appears under its name when it is whole.
 *
 * All functions are collective over grid->comm and return the same on every rank: 0, or
 * -1 with a message in why (the same on every rank too).
 */
#ifndef FIELD_IO_H
#define FIELD_IO_H

#include "grid.h"

#include <stdint.h>

#define FIELD_MAGIC "GSFIELD1"

struct field_head {
	char magic[8];
	uint32_t planes;
	uint32_t ny, nx;
	uint32_t zero;
	uint64_t step;
	double time, dt, feed, kill;
};

_Static_assert(sizeof(struct field_head) == 64, "the header of a field file");

/* plane[i] points at a plane with its halo; head->planes, ny, nx, magic are set here.
 */
int field_write(const struct grid *g, const char *path, struct field_head head,
	const double *const plane[], int planes, char *why, size_t why_size);

/* Fills u and v from a file with two planes; size must be the grid's. */
int field_read(const struct grid *g, const char *path, struct field_head *head,
	double *u, double *v, char *why, size_t why_size);

/* Rank 0 only: writes a small text file whole or not at all; 0 or -1 with errno. */
int text_write(const char *path, const char *text);

#endif
