/*
 * selected - one step of a planned workflow, for `weft select`.
 *
 * Ownership: borrows the job; selected_clear() frees the rest.  Runs as: the user.
 */
#ifndef WEFT_SELECTED_H
#define WEFT_SELECTED_H

#include "job.h"
#include "request/request.h"

struct selected {
	const struct job *j;
	const struct weft_step *step;
	bool one; /* no sweep, or one member of it: no array */
	struct weft_member member;
	struct weft_plan_step plan; /* of that member, else of the largest */
	struct weft_arena arena;
	char *mpi; /* srun --mpi type; NULL unless launch: mpi */
};

/* Of a job that is open. name: "train", or of a sweep "train.7", "train.1a2b3c4d5e6f".
 * Also on error to be cleared. */
int selected_find(struct selected *s, const struct job *j, const struct job_args *a,
	const char *name, struct weft_err *err);
void selected_clear(struct selected *s);
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
/* select_request.c: the plan for slurmctld's half. */
int selected_request(
	const struct selected *s, struct weft_request *r, struct weft_err *err);
/* select_script.c: a whole batch script that needs no weft. */
int selected_script(
	const struct selected *s, struct weft_str *out, struct weft_err *err);

#endif
