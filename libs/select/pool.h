/*
 * pool.h - a partition as shapes of nodes with counts.
 *
 * Thousands of nodes are a handful of shapes: what is asked of a partition is
 * asked of these.  Down nodes are counted, never used.
 */
#ifndef WEFT_SELECT_POOL_H
#define WEFT_SELECT_POOL_H

#include "select/select.h"

struct shape {
	const struct weft_node *node; /* one that has it */
	unsigned count, idle;         /* in this pool; idle: could start now */
};

/* Nodes of one shape whose jobs hold as much, and give it back at the same times. */
struct use {
	const struct weft_node *node; /* one of them */
	unsigned count;
};

struct pool {
	const struct weft_partition *part;
	struct shape *shape;
	size_t n_shapes;
	struct use *use;
	size_t n_uses;
	unsigned up, down, idle;
	unsigned max_gpus;  /* of a node */
	const char *reason; /* of the first down node */
	bool avoid;         /* weft.conf: never chosen by itself */
};

struct room_cache;
struct forecasts;
struct pools {
	struct weft_arena arena;
	const struct weft_cluster *cluster;
	const struct weft_conf *conf; /* NULL: no policy */
	struct pool *pool;            /* as the cluster's partitions */
	size_t n;
	unsigned *shape_of; /* node -> number of its shape */
	size_t n_shapes;
	unsigned *use_of; /* node -> number of its use */
	size_t n_uses;
	double *held;   /* node -> until when a reservation has it; 0: none has */
	unsigned *slot; /* shape or use -> place in the pool being made */
	struct room_cache *rooms;          /* of room.c */
	struct weft_map node;              /* by name; filled when first asked for */
	struct weft_map part;              /* partitions by name, as well */
	const struct forecasts *forecasts; /* NULL: none */
};

int pools_make(struct pools *ps, const struct weft_cluster *c,
	const struct weft_conf *conf, struct weft_err *err);
void pools_free(struct pools *ps);
/* The nodes of a partition for which skip[node] is false; skip NULL: all. */
int pool_fill(struct pools *ps, const struct weft_partition *part, const bool *skip,
	struct pool *out, struct weft_err *err);
/* The pool of a partition by its name; NULL: none. */
const struct pool *pools_find(struct pools *ps, const char *partition);
/* Index of a node, or -1. */
long pools_node(struct pools *ps, const char *name);
/* GPUs of a type ("" any) on a node. */
unsigned node_gpus(const struct weft_node *n, const char *type);
/* Does a node have the features of a constraint?  What only Slurm can decide
 * (counts, brackets) counts as yes. */
bool node_has(const struct weft_node *n, const char *constraint);

#endif
