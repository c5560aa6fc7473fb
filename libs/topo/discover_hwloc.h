/* discover_hwloc - hwloc's topology as the model's text; may crash, hang or abort
 * where hwloc does: discover.c runs it in a child. */
#ifndef WEFT_TOPO_DISCOVER_HWLOC_H
#define WEFT_TOPO_DISCOVER_HWLOC_H

#include "topo/topo.h"

struct hwloc_topology;

int weft_discover_hwloc(const char *xml, struct weft_str *text, struct weft_err *err);
/* GPUs and NICs into m->gpu, m->nic; xml: not this machine, so no look at /proc. */
int weft_discover_devices(struct hwloc_topology *t, bool xml, struct weft_machine *m,
	struct weft_err *err);

#endif
