/*
 * ticket - the small resolved order that a step carries to its nodes.
 *
 * Made by `weft ticket` or the engine in the user's process, carried in
 * WEFT_TICKET.  It holds requests, not CPUs: the mapping is computed on the node
 * where the allocation is known.  Every byte of it is the user's to forge: it is
 * text in a fixed order, at most 4 KiB, checked whole, and may gain nothing.
 *
 * Ownership: plain data, no pointers.  Errors: WEFT_EPLACE.  Threads: any.
 * Runs as: decode may run as root in slurmstepd: no allocation beyond the
 * error, no I/O.
 */
#ifndef WEFT_TICKET_H
#define WEFT_TICKET_H

#include "place/place.h"

#define WEFT_TICKET_ENV "WEFT_TICKET"
#define WEFT_TICKET_MAX 4096

struct weft_ticket {
	char step[64];                /* name, for messages */
	bool bind;                    /* false: place: none */
	unsigned ntasks, nodes;       /* what the file says; 0: nothing */
	struct weft_place_step place; /* ntasks there: 0, the node's tasks count */
};

int weft_ticket_encode(const struct weft_ticket *t, struct weft_str *out);
int weft_ticket_decode(const char *text, struct weft_ticket *t, struct weft_err *err);

#endif
