/* discover_hwloc - hwloc's topology as the model's text; may crash, hang or abort
 * where hwloc does: discover.c runs it in a child. */
#ifndef WEFT_TOPO_DISCOVER_HWLOC_H
#define WEFT_TOPO_DISCOVER_HWLOC_H

#include "topo/discover.h"

struct hwloc_topology;

int weft_discover_hwloc(
	const struct weft_topo_source *s, struct weft_str *text, struct weft_err *err);
/* GPUs, NICs and NVMe disks into m. */
int weft_discover_devices(
	struct hwloc_topology *t, struct weft_machine *m, struct weft_err *err);

#endif
