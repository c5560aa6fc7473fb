#include <stdlib.h>

#include "cluster/cluster.h"

static const char *const state_names[] = {
	[WEFT_NODE_IDLE] = "idle",
	[WEFT_NODE_MIXED] = "mixed",
	[WEFT_NODE_ALLOCATED] = "allocated",
	[WEFT_NODE_DOWN] = "down",
};

const char *weft_node_state_name(enum weft_node_state s)
{
	return state_names[s];
}

void weft_cluster_free(struct weft_cluster *c)
{
	if (!c)
		return;
	weft_arena_free(&c->arena);
	free(c);
}

const struct weft_partition *weft_cluster_partition(
	const struct weft_cluster *c, const char *name)
{
	for (size_t i = 0; i < c->n_partitions; i++)
		if (weft_streq(c->partition[i].name, name))
			return &c->partition[i];
	return NULL;
}

const struct weft_reservation *weft_cluster_reservation(
	const struct weft_cluster *c, const char *name)
{
	for (size_t i = 0; i < c->n_reservations; i++)
		if (weft_streq(c->reservation[i].name, name))
			return &c->reservation[i];
	return NULL;
}
