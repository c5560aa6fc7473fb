/*
 * cmdline - srun's own command line, read before srun has read it.
 *
 * Sizes must be in the environment when slurm_spank_init() returns, which is
 * before the option callbacks: so the step's name is looked for here.  Pure.
 */
#ifndef WEFT_CMDLINE_H
#define WEFT_CMDLINE_H

#include "base/base.h"

struct cmdline {
	const char *file, *step; /* borrowed from argv; NULL: not typed */
	char **option;           /* words that are srun's options, borrowed */
	size_t n_options;
};

/* argv as srun got it. 0, or -1 without memory. */
int cmdline_scan(char **argv, struct cmdline *c);
void cmdline_clear(struct cmdline *c);
/* Was one of these typed? names: options in the long form and the short,
 * "--ntasks -n", separated by spaces; NULL: no. Abbreviations count. */
bool cmdline_typed(const struct cmdline *c, const char *names);
/* The words of /proc/self/cmdline, NULL-terminated, in one block to free(); NULL
 * where they can't be had. */
char **cmdline_read(void);

#endif
