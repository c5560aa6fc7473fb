/*
 * order - what `weft ticket` says of a step: ticket, environment, sizes.
 *
 * The workflow file is read by a child of srun or sbatch, never by the plug-in
 * itself.  The child's answer is records, each ended by ORDER_END:
 *
 *   step NAME            ticket TEXT          say TEXT for the user
 *   file PATH            size NAME=VALUE      a default for srun's environment
 *   request TEXT         for slurmctld: see request/request.h
 *   env NAME=VALUE       secret NAME=VALUE    as env, but never printed
 *   stage NAME=node:PATH   an input to bring to the nodes first; or memory:PATH
 *   out NAME=node:PATH     an output to be made on the nodes, and brought to PATH
 *
 * Ownership: the order owns its text.  Runs as: the user.
 */
#ifndef WEFT_ORDER_H
#define WEFT_ORDER_H

#include "base/base.h"

#define ORDER_END '\x1e' /* ASCII's record separator; no value may hold it */

struct order {
	char *text; /* records, each ended by a NUL now */
	size_t n;
};

/* Asks `weft ticket --for WHAT FILE [STEP]`; its messages go to stderr. 0, or the
 * exit status to end with (after saying why). */
int order_fetch(const char *command, const char *conf, const char *what,
	const char *file, const char *step, struct order *order);
void order_free(struct order *order);

struct order_record {
	const char *kind;  /* "env NAME=VALUE" */
	const char *value; /* what is after the kind */
};
/* Walks the records: *at starts as 0. False at the end. */
bool order_next(const struct order *order, size_t *at, struct order_record *r);
bool order_is(const struct order_record *r, const char *kind);
/* First record of that kind, or NULL. */
const char *order_get(const struct order *order, const char *kind);
/* setenv of "NAME=VALUE". False: not an assignment. */
bool order_setenv(const char *assignment, bool overwrite);

#endif
