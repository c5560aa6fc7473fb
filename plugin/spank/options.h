/*
 * options - the plug-in's options on srun, sbatch and salloc, and what was given.
 *
 * Callbacks may run twice (srun before 24.05), for inherited options and, in
 * slurmstepd, as root with strings that the user chose: they note and judge, and
 * do nothing else.
 */
#ifndef WEFT_OPTIONS_H
#define WEFT_OPTIONS_H

#include <limits.h>

#include "plugin/spank/host.h"

enum option_bind { OPTION_BIND_DEFAULT, OPTION_BIND_AUTO, OPTION_BIND_NONE };

struct options {
	bool any; /* one of --weft-step, --weft-bind was given */
	bool has_file, has_step;
	bool step_is_outer; /* handed down by an outer job or an earlier component */
	enum option_bind bind;
	bool dry_run;
	char bad[256]; /* what is wrong with them; "" nothing */
	/* Not filled in slurmstepd: nothing there follows a name of the user's. */
	char file[PATH_MAX];
	char step[128];
};

/* What is before the name of a step that is handed down: no step's name has it. */
#define OPTIONS_OUTER "outer:"

/* 0, or -1 when the host refuses; forgets what was given. */
int options_register(spank_t sp);
const struct options *options_given(void);
/* step_is is called with each step that is typed, and with NULL when it is forgotten.
 */
void options_watch_step(void (*step_is)(const char *step));
/* A component of a het job is through: the next has a step of its own, or none. */
void options_forget_step(void);

#endif
