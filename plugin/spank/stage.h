/*
 * stage - what a step wants on its nodes is brought there before the launch, what it
 * has made there is brought back after its end.
 *
 * In srun, as the user: between the allocation and the launch (slurmstepd's hooks have
 * no time then: srun gives up after 600 s), and at srun's end, as a step of its own. An
 * srun that made its own allocation has given it back by then: there each node's
 * slurmstepd has a child without privileges do it when the last task has ended there,
 * before it tells srun.
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
/* Also what an outer step is to bring back. */
void stage_forget(void);

/* In slurmstepd: is this a step whose outputs its nodes bring back? */
bool stage_is_here(spank_t sp);
/* In slurmstepd, when the last task here has ended: brings them back, for as long as
 * the step is let run.  until: hangs up when Slurm kills it.  killed: it has been
 * already, and what is quick is brought back. */
void stage_out_here(spank_t sp, int until, bool killed);

#endif
