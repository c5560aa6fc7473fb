/*
 * stage - what a step wants on its nodes is brought there before the launch, what it
 * has made there is brought back after its end.
 *
 * In srun, as the user: between the allocation and the launch, and at srun's end, as a
 * step of its own, for slurmstepd's hooks have no time for it (srun gives up after
 * 600 s).  When srun that made its own allocation ends, that is gone: then slurmstepd
 * has a child without privileges do it before it ends, and srun waits for that.
 */
#ifndef WEFT_SPANK_STAGE_H
#define WEFT_SPANK_STAGE_H

#include "plugin/spank/host.h"
#include "plugin/spank/order.h"

/* For each `stage NAME=node:/path` of the order: copies it into the job's scratch
 * folder on every node of the job and points WEFT_INPUT_NAME there; for each `out`
 * makes a folder there and points WEFT_OUTPUT_NAME into it.  Where that fails it says
 * so, and both stay as they were.  inside: srun is in an allocation that stays. */
void stage_in(const struct order *order, const char *command, uint32_t job,
	uint32_t nodes, bool inside);
/* The step has ended: what it has made comes to where it is to be, or srun ends with
 * status 5. */
void stage_out(void);
void stage_forget(void);

/* In slurmstepd, for a step that asked for it: at its end. */
void stage_out_here(spank_t sp);

#endif
