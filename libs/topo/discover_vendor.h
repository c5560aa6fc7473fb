/* discover_vendor - what only a GPU's vendor knows: UUIDs and partitions.  Runs in
 * discover.c's child: a vendor's library may hang. */
#ifndef WEFT_TOPO_DISCOVER_VENDOR_H
#define WEFT_TOPO_DISCOVER_VENDOR_H

#include "topo/topo.h"

#define WEFT_MAX_PARTS 64 /* of one GPU */

/* A partition: MIG's GPU and compute instance, or an AMD partition's number (ci 0). */
struct weft_gpu_part {
	unsigned gi, ci;
	char uuid[64];
};

/* Fills UUIDs and puts partitioned GPUs' partitions in their place.  root: where /proc
 * and /sys are ("" or a folder); libraries: whether NVML and ROCm SMI may be asked for
 * what the drivers' files don't tell. */
int weft_discover_vendor(
	const char *root, bool libraries, struct weft_machine *m, struct weft_err *err);

/* The libraries, where they are; false: not there, or they fail.  open() again after a
 * failure fails without trying. */
bool weft_nvml_open(void);
void weft_nvml_close(void);
/* uuid (64 bytes) and the MIG devices of the GPU at this address. */
bool weft_nvml_gpu(
	const char *pci, char *uuid, struct weft_gpu_part *part, size_t *n_parts);
/* The unique id of the AMD GPU at this address. */
bool weft_rsmi_unique_id(const char *pci, uint64_t *id);

#endif
