/* user.h - who plans: what partitions, accounts and QOS are open to. */
#ifndef WEFT_SLURM_USER_H
#define WEFT_SLURM_USER_H

#include "cluster/cluster.h"

/* Name and groups of this process; with `enforced` what accounting says, too, from
 * sacctmgr: where that can't be had it is not known.  -1: no memory. */
int slurm_user(struct weft_cluster *c, bool enforced);
/* Of sacctmgr's "default account|account|partition|qos,qos|default qos" lines. */
int slurm_user_associations(struct weft_cluster *c, const char *text);

#endif
