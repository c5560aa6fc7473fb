/*
 * budget.h - what the run has used so far, against the workflow's budget; private to
 * the room.
 *
 * Our own job is counted from the engine's start, other jobs of the run by what their
 * journals say: from a job's first word to its last end, or to now while a member of
 * it runs, but never beyond its time limit.  Without jobs of their own (on this
 * machine, or inside an allocation that runs the whole file) members are counted one
 * by one.  Journals are read on from where they were, seldom enough that it costs a
 * twentieth of the time at most.
 *
 * Of a workflow without a budget there is nothing to open: NULL, and every call is
 * fine with it.
 */
#ifndef WEFT_ENGINE_BUDGET_H
#define WEFT_ENGINE_BUDGET_H

#include "engine/engine.h"

#include <time.h>

struct budget;
int budget_open(struct budget **b, const struct weft_engine *e, struct weft_err *err);
void budget_close(struct budget *b);
/* A member of a step began (1) or ended (-1), now. */
void budget_member(struct budget *b, unsigned step, int change);
/* Why no member of this step may start any more, with the figures; NULL: it may.
 * With on_failure: continue a step that takes nothing of what is used up may.
 * Valid until the next call. */
const char *budget_spent(struct budget *b, unsigned step);
/* The same of the run as a whole. */
const char *budget_over(struct budget *b);
/* Whole seconds, from 1 to `most`, after which it may be used up. */
time_t budget_wait(struct budget *b, time_t most);

#endif
