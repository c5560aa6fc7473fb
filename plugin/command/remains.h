/* remains.h - what of a run is still to be done; private to command */
#ifndef WEFT_COMMAND_REMAINS_H
#define WEFT_COMMAND_REMAINS_H

#include "job.h"

enum remains_why {
	REMAINS_NOT,     /* its completion record holds */
	REMAINS_NEVER,   /* there is no record */
	REMAINS_ENDED,   /* it failed, was cancelled, or was not run */
	REMAINS_DAMAGED, /* the record can't be read again */
	REMAINS_GONE,    /* an output */
	REMAINS_CHANGED, /* the step's definition */
	REMAINS_INPUTS,  /* what it was made of */
	REMAINS_FOLLOWS, /* something that it needs runs again */
};
struct remains {
	const struct opened *o;
	struct weft_records *records;
	unsigned char **why; /* [step][member] */
	size_t *n;           /* of each step */
	size_t total;
	size_t open;  /* steps that may have more members: an engine must say whether */
	unsigned *by; /* of each step: which step those that follow follow */
};
int remains_find(struct remains *r, const struct opened *o, struct weft_err *err);
void remains_free(struct remains *r);
/* For people: a line for each step and reason. */
int remains_print(const struct remains *r, struct weft_str *out);
/* Records of what runs again count no more; writer: a name for the file of it. */
int remains_void(struct remains *r, const char *writer, struct weft_err *err);
/* Of each group the tasks of its array that have any of it: as submit_run() takes them.
 * Freed with remains_tasks_free(). */
char **remains_tasks(const struct remains *r, struct weft_err *err);
/* Of each loop the first round that has any of it, malloced. */
size_t *remains_rounds(const struct remains *r, struct weft_err *err);
void remains_tasks_free(const struct remains *r, char **tasks);

#endif
