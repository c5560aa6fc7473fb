/*
 * stage - inputs that a step wants on its nodes, brought there before the launch.
 *
 * Runs as the user in srun, between the allocation and the launch, as a step of
 * its own: slurmstepd's hooks have no time for it (srun gives up after 600 s).
 */
#ifndef WEFT_SPANK_STAGE_H
#define WEFT_SPANK_STAGE_H

#include "plugin/spank/host.h"
#include "plugin/spank/order.h"

/* For each `stage NAME=node:/path` of the order: copies it into the job's scratch
 * folder on every node of the job and points WEFT_INPUT_NAME there; where
 * that fails it says so, and WEFT_INPUT_NAME stays the original. */
void stage_inputs(
	const struct order *order, const char *command, uint32_t job, uint32_t nodes);

#endif
