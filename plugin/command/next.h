/* next.h - the job that takes over what an engine's job leaves; private to command */
#ifndef WEFT_COMMAND_NEXT_H
#define WEFT_COMMAND_NEXT_H

#include "job.h"

#define NEXT_ALL SIZE_MAX

struct next {
	const struct opened *o;
	const struct weft_engine *e; /* whose block of members it is */
	size_t group;                /* NEXT_ALL: the whole run, in one allocation */
	unsigned turn;               /* of our job */
};

/* What jobs of the same members have in common, malloced. */
char *next_place(const struct next *n);
/* Whose turn it is.  1: another job of this turn was first, or the run was resumed
 * since: nothing is to be started. */
int next_begin(const struct next *n, struct weft_err *err);
/* weft_engine.go_on; next: struct next. */
int next_submit(void *next, const struct weft_engine_more *more, struct weft_err *err);

#endif
