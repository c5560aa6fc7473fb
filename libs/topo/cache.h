/* cache - what the topology cache is checked by; within the room and for its tests. */
#ifndef WEFT_TOPO_CACHE_H
#define WEFT_TOPO_CACHE_H

#include "topo/topo.h"

/* A digest of what a model depends on and what may change between two boots: drivers of
 * GPUs, their partitions, CPUs and memory nodes that are online.  root: "" or a folder
 * with /proc and /sys. */
int weft_machine_mark(
	const char *root, char mark[WEFT_DIGEST_HEX], struct weft_err *err);

#endif
