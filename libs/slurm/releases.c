#include <stdlib.h>
#include <string.h>

#include "gres.h"
#include "releases.h"

#define MINUTE 60

static int by_node_and_time(const void *a, const void *b)
{
	const struct slurm_share *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->after != y->after)
		return x->after < y->after ? -1 : 1;
	return 0;
}

/* What of the node's use no release has given back yet. */
struct in_use {
	unsigned cpus, gpus[WEFT_CLUSTER_MAX_GPU_TYPES];
	uint64_t mem;
};

static void give_back(const struct weft_node *node, const struct slurm_share *s,
	struct in_use *left, struct weft_release *to)
{
	unsigned cpus = s->cpus < left->cpus ? s->cpus : left->cpus;
	uint64_t mem = s->mem < left->mem ? s->mem : left->mem;
	struct weft_node gpus = *node;

	to->after = s->after;
	to->cpus += cpus;
	left->cpus -= cpus;
	to->mem += mem;
	left->mem -= mem;
	for (size_t i = 0; i < gpus.n_gpu_types; i++)
		gpus.gpus[i].used = 0;
	slurm_gres_used(&gpus, s->gpus);
	for (size_t i = 0; i < gpus.n_gpu_types; i++) {
		unsigned n = gpus.gpus[i].used < left->gpus[i] ? gpus.gpus[i].used
							       : left->gpus[i];

		to->gpus[i] += n;
		left->gpus[i] -= n;
	}
}

/* All shares of one node, by time. */
static int one_node(struct weft_cluster *c, struct weft_node *node,
	const struct slurm_share *share, size_t n)
{
	struct weft_release v[WEFT_CLUSTER_MAX_RELEASES] = {0};
	struct in_use left = {.cpus = node->cpus_used, .mem = node->mem_used};
	struct weft_release *own;
	size_t made = 0;

	for (size_t i = 0; i < node->n_gpu_types; i++)
		left.gpus[i] = node->gpus[i].used;
	for (size_t i = 0; i < n; i++) {
		bool same = made && v[made - 1].after == share[i].after;

		made += !same && made < WEFT_COUNT(v);
		give_back(node, &share[i], &left, &v[made - 1]);
	}
	if (!left.cpus) {
		v[made - 1].mem += left.mem;
		for (size_t i = 0; i < node->n_gpu_types; i++)
			v[made - 1].gpus[i] += left.gpus[i];
	}
	own = weft_arena_alloc(&c->arena, made * sizeof(*own));
	if (!own)
		return -1;
	memcpy(own, v, made * sizeof(*own));
	node->release = own;
	node->n_releases = made;
	return 0;
}

int slurm_releases(struct weft_cluster *c, struct slurm_share *share, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t after = share[i].after < 1 ? 1 : share[i].after;

		share[i].after = (after + MINUTE - 1) / MINUTE * MINUTE;
	}
	if (n)
		qsort(share, n, sizeof(*share), by_node_and_time);
	for (size_t i = 0, last; i < n; i = last) {
		for (last = i; last < n && share[last].node == share[i].node;)
			last++;
		if (one_node(c, &c->node[share[i].node], share + i, last - i) < 0)
			return -1;
	}
	return 0;
}
