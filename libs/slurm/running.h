/* running.h - when the nodes in use become free, as the running jobs' limits say. */
#ifndef WEFT_SLURM_RUNNING_H
#define WEFT_SLURM_RUNNING_H

#include "api.h"

/* index: the cluster's nodes by name.  What can't be known is left out. */
int slurm_running(const struct slurm_api *api, struct weft_cluster *c,
	const struct weft_map *index, struct weft_err *err);

#endif
