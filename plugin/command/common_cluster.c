/* common_cluster.c - the snapshot that a verb plans with */
#include "command.h"
#include "slurm/slurm.h"

int cmd_cluster(const char *file, struct weft_cluster **c, struct weft_err *err)
{
	return file ? weft_cluster_load(file, c, err) : weft_slurm_snapshot(c, err);
}
