/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stddef.h>
#include <stdint.h>

struct options {
	double feed, kill, dt, tolerance;
	int dt_given;
	int size, samples, help;
	uint64_t steps, every, seed;
	const char *network, *restart, *metrics, *out;
};

extern const char options_help[];

/* 0, or -1 with a message in why. */
int options_read(struct options *o, int argc, char **argv, char *why, size_t why_size);

#endif
