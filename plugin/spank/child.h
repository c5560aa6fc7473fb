/*
 * child - the weft command in a process that has given up root for good.
 *
 * Runs as: slurmstepd, which could be root; the child is the step's user.
 */
#ifndef WEFT_SPANK_CHILD_H
#define WEFT_SPANK_CHILD_H

#include "plugin/spank/host.h"

struct child {
	char *const *argv; /* "weft", argv[0], is put in place */
	char *const *envp; /* NULL: PATH and LC_ALL alone */
	double seconds;    /* it is killed then; 0: never */
	size_t bytes;      /* of its answer, and of its messages */
	bool stays;        /* it goes on when Slurm asks what runs in the job to end */
	int until;         /* it is killed when this one's other end closes; -1 */
};

/* Runs it to its end; *text: what it said, malloced.  -1 where it can't be run, is too
 * slow, says too much or fails, and where there is nobody to be but root; the error has
 * the first line of its messages, in printable ASCII. */
int child_run(spank_t sp, const struct child *c, char **text, struct weft_err *err);

#endif
