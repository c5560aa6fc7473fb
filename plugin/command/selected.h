/*
 * selected - one step of a planned workflow, for `weft select`.
 *
 * Ownership: borrows the job; selected_clear() frees the rest.  Runs as: the user.
 */
#ifndef WEFT_SELECTED_H
#define WEFT_SELECTED_H

#include "job.h"

struct selected {
	const struct job *j;
	const struct weft_step *step;
	bool one; /* no sweep, or one member of it: no array */
	struct weft_member member;
	struct weft_plan_step plan; /* of that member, else of the largest */
	struct weft_arena arena;
	char *mpi; /* srun --mpi type; NULL unless launch: mpi */
};

/* Options of sbatch: the plan's, then what the file itself says to sbatch. */
int selected_sbatch(
	const struct selected *s, struct weft_argv *args, struct weft_err *err);
/* Options of srun inside the job. */
int selected_srun(
	const struct selected *s, struct weft_argv *args, struct weft_err *err);
/* The words on one line, each so that the shell keeps it as it is in an unquoted $().
 */
int selected_line(
	const struct weft_argv *args, struct weft_str *out, struct weft_err *err);
/* select_script.c: a whole batch script that needs no weft. */
int selected_script(
	const struct selected *s, struct weft_str *out, struct weft_err *err);

#endif
