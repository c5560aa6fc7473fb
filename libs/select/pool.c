/* pool.c - partitions summed up, once a plan. */
#include "select/pool.h"
#include "select/room.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void shape_key(const struct weft_node *n, struct weft_str *key)
{
	weft_str_printf(key, "%u %u %u %u %ju %ju", n->cpus, n->cores, n->sockets,
		n->threads_per_core, (uintmax_t)n->mem, (uintmax_t)n->tmp);
	for (size_t i = 0; i < n->n_gpu_types; i++)
		weft_str_printf(key, "|%s:%u", n->gpus[i].type, n->gpus[i].count);
	for (size_t i = 0; i < n->n_features; i++)
		weft_str_printf(key, "&%s", n->feature[i]);
}

/* Numbers the shapes: neighbours are mostly alike, so the last one is tried first. */
static int number_shapes(struct pools *ps, struct weft_err *err)
{
	const struct weft_cluster *c = ps->cluster;
	struct weft_map map = {0};
	weft_autostr struct weft_str key = {0};
	int rc = -1;

	ps->shape_of =
		weft_arena_alloc(&ps->arena, c->n_nodes * sizeof(*ps->shape_of) + 1);
	if (!ps->shape_of)
		return weft_err_nomem(err);
	for (size_t i = 0; i < c->n_nodes; i++) {
		size_t found;

		key.len = 0;
		shape_key(&c->node[i], &key);
		if (key.failed)
			goto out;
		if (weft_map_get(&map, key.s, &found)) {
			ps->shape_of[i] = (unsigned)found;
			continue;
		}
		const char *own = weft_arena_strdup(&ps->arena, key.s);

		if (!own || weft_map_add(&map, own, ps->n_shapes, NULL) < 0)
			goto out;
		ps->shape_of[i] = (unsigned)ps->n_shapes++;
	}
	rc = 0;
out:
	weft_map_free(&map);
	return rc < 0 ? weft_err_nomem(err) : 0;
}

#define BY(x, y)                                                                       \
	do {                                                                           \
		if ((x) != (y))                                                        \
			return (x) < (y) ? -1 : 1;                                     \
	} while (0)

static int by_release(const struct weft_release *a, const struct weft_release *b)
{
	BY(a->after, b->after);
	BY(a->cpus, b->cpus);
	BY(a->mem, b->mem);
	return memcmp(a->gpus, b->gpus, sizeof(a->gpus));
}

/* Nodes of one use stand together. */
static int by_use(const void *a, const void *b, void *arg)
{
	const struct pools *ps = arg;
	unsigned i = *(const unsigned *)a, k = *(const unsigned *)b;
	const struct weft_node *x = &ps->cluster->node[i], *y = &ps->cluster->node[k];

	BY(ps->shape_of[i], ps->shape_of[k]);
	BY(ps->held[i], ps->held[k]);
	BY(x->state, y->state);
	BY(x->cpus_used, y->cpus_used);
	BY(x->mem_used, y->mem_used);
	for (size_t g = 0; g < x->n_gpu_types; g++)
		BY(x->gpus[g].used, y->gpus[g].used);
	BY(x->n_releases, y->n_releases);
	for (size_t r = 0; r < x->n_releases; r++) {
		int order = x->release == y->release
				    ? 0
				    : by_release(&x->release[r], &y->release[r]);

		if (order)
			return order;
	}
	return 0;
}

/* Those that hold now: what is to come takes nodes that a short job may have before. */
static int note_reservations(struct pools *ps, struct weft_err *err)
{
	const struct weft_cluster *c = ps->cluster;

	ps->held = weft_arena_alloc(&ps->arena, (c->n_nodes + 1) * sizeof(*ps->held));
	if (!ps->held)
		return weft_err_nomem(err);
	for (size_t i = 0; i < c->n_reservations; i++) {
		const struct weft_reservation *r = &c->reservation[i];
		double end = r->end ? (double)r->end : INFINITY;

		for (size_t k = 0; r->start == 0 && k < r->n_nodes; k++)
			if (ps->held[r->node[k]] < end)
				ps->held[r->node[k]] = end;
	}
	return 0;
}

static int number_uses(struct pools *ps, struct weft_err *err)
{
	size_t n = ps->cluster->n_nodes;
	weft_autofree unsigned *order = calloc(n + 1, sizeof(*order));

	ps->use_of = weft_arena_alloc(&ps->arena, n * sizeof(*ps->use_of) + 1);
	if (!order || !ps->use_of)
		return weft_err_nomem(err);
	for (size_t i = 0; i < n; i++)
		order[i] = (unsigned)i;
	qsort_r(order, n, sizeof(*order), by_use, ps);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || by_use(&order[i - 1], &order[i], ps) != 0)
			ps->n_uses++;
		ps->use_of[order[i]] = (unsigned)ps->n_uses - 1;
	}
	return 0;
}

static void *more(struct pools *ps, const void *have, size_t *cap, size_t size)
{
	size_t grown = *cap ? *cap * 2 : 4;
	void *v = weft_arena_alloc(&ps->arena, grown * size);

	if (v && *cap)
		memcpy(v, have, *cap * size);
	if (v)
		*cap = grown;
	return v;
}

static int fill_uses(struct pools *ps, const bool *skip, struct pool *out)
{
	const struct weft_cluster *c = ps->cluster;
	size_t cap = 0;

	for (size_t i = 0; i < out->part->n_nodes; i++) {
		unsigned index = out->part->node[i], id = ps->use_of[index];
		const struct weft_node *n = &c->node[index];
		unsigned at = ps->slot[id];

		if (n->state == WEFT_NODE_DOWN || (skip && skip[index]))
			continue;
		/* The slot may be another pool's. */
		if (at >= out->n_uses ||
			ps->use_of[out->use[at].node - c->node] != id) {
			if (out->n_uses == cap) {
				struct use *v =
					more(ps, out->use, &cap, sizeof(*out->use));

				if (!v)
					return -1;
				out->use = v;
			}
			at = (unsigned)out->n_uses++;
			ps->slot[id] = at;
			out->use[at] = (struct use){.node = n};
		}
		out->use[at].count++;
	}
	return 0;
}

int pool_fill(struct pools *ps, const struct weft_partition *part, const bool *skip,
	struct pool *out, struct weft_err *err)
{
	const struct weft_cluster *c = ps->cluster;
	size_t cap = 0;

	*out = (struct pool){.part = part, .reason = ""};
	for (size_t i = 0; i < part->n_nodes; i++) {
		const struct weft_node *n = &c->node[part->node[i]];
		unsigned id = ps->shape_of[part->node[i]];

		if (skip && skip[part->node[i]])
			continue;
		if (n->state == WEFT_NODE_DOWN) {
			if (out->down++ == 0)
				out->reason = n->reason ? n->reason : "";
			continue;
		}
		unsigned at = ps->slot[id];

		/* The slot may be another pool's. */
		if (at >= out->n_shapes ||
			ps->shape_of[out->shape[at].node - c->node] != id) {
			if (out->n_shapes == cap) {
				struct shape *v =
					more(ps, out->shape, &cap, sizeof(*out->shape));

				if (!v)
					return weft_err_nomem(err);
				out->shape = v;
			}
			at = (unsigned)out->n_shapes++;
			ps->slot[id] = at;
			out->shape[at] = (struct shape){.node = n};
		}
		out->shape[at].count++;
		out->shape[at].idle += n->state == WEFT_NODE_IDLE;
		out->up++;
		out->idle += n->state == WEFT_NODE_IDLE;
		if (n->n_gpus > out->max_gpus)
			out->max_gpus = n->n_gpus;
	}
	return fill_uses(ps, skip, out) < 0 ? weft_err_nomem(err) : 0;
}

int pools_make(struct pools *ps, const struct weft_cluster *c,
	const struct weft_conf *conf, struct weft_err *err)
{
	memset(ps, 0, sizeof(*ps));
	ps->cluster = c;
	ps->conf = conf;
	if (number_shapes(ps, err) < 0 || note_reservations(ps, err) < 0 ||
		number_uses(ps, err) < 0)
		goto fail;
	ps->n = c->n_partitions;
	ps->pool = weft_arena_alloc(&ps->arena, ps->n * sizeof(*ps->pool) + 1);
	size_t slots = ps->n_shapes > ps->n_uses ? ps->n_shapes : ps->n_uses;

	ps->slot = weft_arena_alloc(&ps->arena, slots * sizeof(*ps->slot) + 1);
	if (!ps->pool || !ps->slot) {
		weft_err_nomem(err);
		goto fail;
	}
	for (size_t i = 0; i < ps->n; i++) {
		if (pool_fill(ps, &c->partition[i], NULL, &ps->pool[i], err) < 0)
			goto fail;
		ps->pool[i].avoid =
			conf && weft_conf_names_has(&conf->avoid, c->partition[i].name);
	}
	return 0;
fail:
	pools_free(ps);
	return -1;
}

void pools_free(struct pools *ps)
{
	room_cache_free(ps->rooms);
	weft_map_free(&ps->node);
	weft_map_free(&ps->part);
	weft_arena_free(&ps->arena);
	memset(ps, 0, sizeof(*ps));
}

const struct pool *pools_find(struct pools *ps, const char *partition)
{
	size_t at;

	if (!ps->part.n)
		for (size_t i = 0; i < ps->n; i++)
			if (weft_map_add(&ps->part, ps->pool[i].part->name, i, NULL) <
				0)
				return NULL;
	return weft_map_get(&ps->part, partition, &at) ? &ps->pool[at] : NULL;
}

long pools_node(struct pools *ps, const char *name)
{
	size_t at;

	if (!ps->node.n)
		for (size_t i = 0; i < ps->cluster->n_nodes; i++)
			if (weft_map_add(
				    &ps->node, ps->cluster->node[i].name, i, NULL) < 0)
				return -1;
	return weft_map_get(&ps->node, name, &at) ? (long)at : -1;
}

unsigned node_gpus(const struct weft_node *n, const char *type)
{
	unsigned sum = 0;

	if (!*type)
		return n->n_gpus;
	for (size_t i = 0; i < n->n_gpu_types; i++)
		if (strcasecmp(n->gpus[i].type, type) == 0)
			sum += n->gpus[i].count;
	return sum;
}

static bool has_feature(const struct weft_node *n, const char *name, size_t len)
{
	for (size_t i = 0; i < n->n_features; i++)
		if (strlen(n->feature[i]) == len &&
			memcmp(n->feature[i], name, len) == 0)
			return true;
	return false;
}

bool node_has(const struct weft_node *n, const char *constraint)
{
	bool all = strchr(constraint, '&'), any = strchr(constraint, '|');

	if (strpbrk(constraint, "[](){}*!, ") || (all && any))
		return true;
	for (const char *p = constraint; *p;) {
		size_t len = strcspn(p, "&|");
		bool has = has_feature(n, p, len);

		if (any && has)
			return true;
		if (!any && !has)
			return false;
		p += len + (p[len] != 0);
	}
	return !any;
}
