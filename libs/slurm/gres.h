/* gres.h - Slurm's GRES texts; pure. */
#ifndef WEFT_SLURM_GRES_H
#define WEFT_SLURM_GRES_H

#include "cluster/cluster.h"

/*
 * The GPUs of "gpu:a100:2(S:0-1),gpu:2,nic:1": fills n->gpus, n_gpu_types and
 * n_gpus; of the same text about use, "gpu:a100:1(IDX:0)", the `used`.  Other GRES
 * and what makes no sense are passed over.  Types go to the arena; -1: no memory.
 */
int slurm_gres_have(struct weft_node *n, const char *gres, struct weft_arena *arena);
int slurm_gres_used(struct weft_node *n, const char *gres);

/* Array tasks as plain ranges: "0-6:2,9%4" is "0,2,4,6,9"; malloced, NULL: no
 * memory, or more than a million. */
char *slurm_array_tasks(const char *expression);

/* Tasks in such ranges: "0-6,9" is 8. */
uint64_t slurm_count_tasks(const char *ranges);

/* The count of one TRES of "cpu=2,mem=4G,node=1,gres/gpu=2"; 0: it isn't there. */
uint64_t slurm_tres_count(const char *tres, const char *name);

#endif
