/* common_topology.h - the machine model that a verb works with. */
#ifndef WEFT_COMMAND_COMMON_TOPOLOGY_H
#define WEFT_COMMAND_COMMON_TOPOLOGY_H

#include "topo/topo.h"

/* A file in the model's own format or hwloc's XML. */
int cmd_topology_file(const char *path, struct weft_machine **m, struct weft_err *err);
/* A node of the cluster by Slurm's name: asked through srun, unless it is this one.
 * With what weft.conf reserves.  *kept: what Slurm keeps from all jobs there
 * (CoreSpecCount, CPUSpecList); may be NULL. */
int cmd_topology_node(const char *name, struct weft_machine **m,
	struct weft_cpuset *kept, struct weft_err *err);
/* This machine: the site's cache, or else discovered.  A cache that is refused is a
 * warning.  With what weft.conf reserves.  *cached: where it came from; may be NULL. */
int cmd_topology_here(struct weft_machine **m, bool *cached, struct weft_err *err);
/* Is the model of the machine that we run on? */
bool cmd_topology_is_mine(const struct weft_machine *m);

#endif
