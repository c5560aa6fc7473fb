/*
 * agents.h - the agents of an allocation's nodes, from the engine's side; private to
 * the room.
 *
 * One step of srun starts one a node.  Each tells of its node, gets members that are a
 * single task, and tells each end when its record is on disk.  One that is not heard of
 * any more ends its members by itself; once it must have done so, what it recorded is
 * read, and the rest runs again, beside an agent that takes its place.
 */
#ifndef WEFT_ENGINE_AGENTS_H
#define WEFT_ENGINE_AGENTS_H

#include "engine/run.h"

struct agents;

/* *a is NULL where none of the members would use them. */
int agents_open(struct agents **a, struct engine *g, struct weft_err *err);
void agents_close(struct agents *a);
/* Is this member for an agent? */
bool agents_fit(const struct agents *a, unsigned step, const struct weft_plan_step *p);
/* The member's share says where. */
int agents_start(struct agents *a, struct running *r, struct weft_err *err);
void agents_cancel(struct agents *a, const struct running *r);
/* Has it bring what a member will read. */
void agents_ahead(struct agents *a, unsigned node, unsigned step, size_t member);
/* Reads what they have recorded of members that others may need. */
int agents_catch_up(struct agents *a, struct weft_err *err);
/* May a node that is not there now still come? */
bool agents_awaited(const struct agents *a);

#endif
