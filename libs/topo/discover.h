/*
 * discover - the model of this machine, or of an hwloc XML file.
 *
 * Links hwloc; may take long or hang where drivers do, so it is never called in
 * slurmstepd, slurmd or slurmctld.  hwloc is called in a child with a time limit, so
 * that a driver which hangs or crashes costs an error.
 *
 * Ownership: the machine is the caller's.  Errors: WEFT_EPLACE.  Threads: forks, and
 * the child allocates: call it where there are no others.  Runs as: the user, or root
 * in `weft topo cache`.
 */
#ifndef WEFT_DISCOVER_H
#define WEFT_DISCOVER_H

#include "topo/topo.h"

/* xml NULL: this machine. */
int weft_topo_discover(const char *xml, struct weft_machine **m, struct weft_err *err);

#endif
