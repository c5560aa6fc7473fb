/* releases.h - what running jobs give back, by node; pure. */
#ifndef WEFT_SLURM_RELEASES_H
#define WEFT_SLURM_RELEASES_H

#include "cluster/cluster.h"

/* A job's share of one node.  gpus as Slurm writes them: "gpu:a100:2(IDX:0-1)". */
struct slurm_share {
	size_t node; /* index in the cluster */
	int64_t after;
	unsigned cpus;
	uint64_t mem;
	const char *gpus; /* "" none, or not told */
};

/*
 * Gives the nodes their releases.  Times are rounded up to whole minutes, so that
 * like nodes stay alike; beyond WEFT_CLUSTER_MAX_RELEASES of a node the later ones
 * count as the last.  Never more than is in use; where the CPUs of the shares are all
 * that are in use, so is the rest: the last one gives it back.  Sorts the shares.
 */
int slurm_releases(struct weft_cluster *c, struct slurm_share *share, size_t n);

#endif
