/*
 * sizes - the file's numbers as defaults of srun, and what they can't change.
 *
 * srun reads its environment after slurm_spank_init(): a variable that isn't set
 * there yet acts as a default.  Inside a job that has set it, it doesn't, and
 * the user is told.  Runs as: the user, in srun.
 */
#ifndef WEFT_SIZES_H
#define WEFT_SIZES_H

#include "plugin/spank/cmdline.h"
#include "plugin/spank/order.h"

/* setenv of each size that wasn't typed; then as sizes_differ(). */
void sizes_apply(const struct order *order, const struct cmdline *line);
/* srun has read them: an srun in the step must not take them for its own. */
void sizes_withdraw(void);
/* One line to the user where job and file differ. */
void sizes_differ(
	const struct order *order, const struct cmdline *line, const char *step);

#endif
