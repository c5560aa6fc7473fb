/*
 * discover - the model of this machine, or of an hwloc XML file.
 *
 * Links hwloc; may take long or hang where drivers do, so it is never called in
 * slurmstepd, slurmd or slurmctld.  hwloc and the vendors' libraries are called in a
 * child with limits of time and memory, so that a driver which hangs or crashes, or a
 * hostile XML file, costs an error.
 *
 * Ownership: the machine is the caller's.  Errors: WEFT_EPLACE.  Threads: forks, and
 * the child allocates: call it where there are no others.  Runs as: the user, or root
 * in `weft topo cache`.
 */
#ifndef WEFT_DISCOVER_H
#define WEFT_DISCOVER_H

#include "topo/topo.h"

struct weft_topo_source {
	const char *xml;  /* NULL: this machine */
	const char *root; /* has the /proc and /sys of the GPUs' drivers; NULL: this
			   * machine's, and with an XML file none */
	unsigned seconds; /* 0: a minute */
};
int weft_topo_discover_from(const struct weft_topo_source *s, struct weft_machine **m,
	struct weft_err *err);
int weft_topo_discover(const char *xml, struct weft_machine **m, struct weft_err *err);

#endif
