#include <stdlib.h>
#include <string.h>

#include "read.h"

/* What all nodes of one entry have in common. */
struct raw_node {
	struct weft_node n;
	struct weft_yaml_node *nodes, *state, *gpus, *gpus_used, *releases;
	struct field_names features;
};

#define AT(member) offsetof(struct raw_node, member)

static const struct field node_fields[] = {
	{"nodes", FIELD_NODE, AT(nodes)},
	{"state", FIELD_NODE, AT(state)},
	{"reason", FIELD_TEXT, AT(n.reason)},
	{"cpus", FIELD_COUNT, AT(n.cpus)},
	{"cpus_used", FIELD_COUNT, AT(n.cpus_used)},
	{"cores", FIELD_COUNT, AT(n.cores)},
	{"sockets", FIELD_COUNT, AT(n.sockets)},
	{"threads_per_core", FIELD_COUNT, AT(n.threads_per_core)},
	{"mem", FIELD_SIZE, AT(n.mem)},
	{"mem_used", FIELD_SIZE, AT(n.mem_used)},
	{"tmp", FIELD_SIZE, AT(n.tmp)},
	{"features", FIELD_NAMES, AT(features)},
	{"gpus", FIELD_NODE, AT(gpus)},
	{"gpus_used", FIELD_NODE, AT(gpus_used)},
	{"releases", FIELD_NODE, AT(releases)},
};

struct raw_release {
	struct weft_release r;
	struct weft_yaml_node *gpus;
};

static const struct field release_fields[] = {
	{"after", FIELD_TIME, offsetof(struct raw_release, r.after)},
	{"cpus", FIELD_COUNT, offsetof(struct raw_release, r.cpus)},
	{"mem", FIELD_SIZE, offsetof(struct raw_release, r.mem)},
	{"gpus", FIELD_NODE, offsetof(struct raw_release, gpus)},
};

int read_hosts(struct reader *r, const struct weft_yaml_node *n, const char *path,
	size_t max, char ***name, size_t *count)
{
	const char *s = read_text(r, n, path);

	*name = NULL;
	*count = 0;
	if (!s)
		return -1;
	if (weft_hostlist_expand(s, max, name, count, r->err)) {
		if (r->err)
			r->err->width = n->width;
		return weft_err_at(r->err, r->file, n->pos, path);
	}
	return 0;
}

/* "gpus: 2" or "gpus: {a100: 4}" into count; for gpus_used into used. */
static int read_gpus(struct reader *r, struct weft_yaml_node *n, const char *path,
	struct weft_node *node)
{
	node->n_gpu_types = 0;
	if (n->kind == WEFT_YAML_SCALAR) {
		node->gpus[0].type = "";
		if (read_count(r, n, path, &node->gpus[0].count))
			return -1;
		node->n_gpu_types = node->gpus[0].count > 0;
		node->n_gpus = node->gpus[0].count;
		return 0;
	}
	if (n->kind != WEFT_YAML_MAP)
		return read_error(r, n, path, "must be a number or {TYPE: NUMBER}");
	if (n->n > WEFT_CLUSTER_MAX_GPU_TYPES)
		return read_error(r, n, path, "more than %d types of GPU",
			WEFT_CLUSTER_MAX_GPU_TYPES);
	for (size_t i = 0; i < n->n; i++) {
		struct weft_gpus *g = &node->gpus[i];

		g->type = weft_arena_strdup(&r->c->arena, n->key[i]->text);
		if (!g->type)
			return weft_err_nomem(r->err);
		if (read_count(r, n->item[i], path, &g->count))
			return -1;
		node->n_gpus += g->count;
	}
	node->n_gpu_types = n->n;
	return 0;
}

/* GPUs of the node's types into count, of at most `most` each. */
static int read_some_gpus(struct reader *r, struct weft_yaml_node *n, const char *path,
	const struct weft_node *node, const unsigned *most, const char *why,
	unsigned *count)
{
	struct weft_node some = {0};

	if (read_gpus(r, n, path, &some))
		return -1;
	for (size_t i = 0; i < some.n_gpu_types; i++) {
		size_t j = 0;

		while (j < node->n_gpu_types &&
			!weft_streq(node->gpus[j].type, some.gpus[i].type))
			j++;
		if (j == node->n_gpu_types || most[j] < some.gpus[i].count)
			return read_error(r, n, path, "%s", why);
		count[j] = some.gpus[i].count;
	}
	return 0;
}

static int read_gpus_used(struct reader *r, struct weft_yaml_node *n, const char *path,
	struct weft_node *node)
{
	unsigned count[WEFT_CLUSTER_MAX_GPU_TYPES],
		used[WEFT_CLUSTER_MAX_GPU_TYPES] = {0};

	for (size_t i = 0; i < node->n_gpu_types; i++)
		count[i] = node->gpus[i].count;
	if (read_some_gpus(
		    r, n, path, node, count, "more GPUs in use than there are", used))
		return -1;
	for (size_t i = 0; i < node->n_gpu_types; i++)
		node->gpus[i].used = used[i];
	return 0;
}

/* What is left in use once the releases before have been. */
struct in_use {
	unsigned cpus, gpus[WEFT_CLUSTER_MAX_GPU_TYPES];
	uint64_t mem;
};

static int read_release(struct reader *r, struct weft_yaml_node *map, const char *path,
	const struct weft_node *node, struct in_use *left, struct weft_release *out)
{
	struct raw_release raw = {0};

	if (read_fields(r, map, path, release_fields, WEFT_COUNT(release_fields), &raw))
		return -1;
	if (raw.gpus && read_some_gpus(r, raw.gpus, path, node, left->gpus,
				"gives back more GPUs than are in use", raw.r.gpus))
		return -1;
	if (raw.r.cpus > left->cpus)
		return read_error(r, map, path, "gives back more CPUs than are in use");
	if (raw.r.mem > left->mem)
		return read_error(
			r, map, path, "gives back more memory than is in use");
	left->cpus -= raw.r.cpus;
	left->mem -= raw.r.mem;
	for (size_t i = 0; i < node->n_gpu_types; i++)
		left->gpus[i] -= raw.r.gpus[i];
	*out = raw.r;
	return 0;
}

static int read_releases(struct reader *r, struct weft_yaml_node *seq, const char *path,
	struct weft_node *node)
{
	bool all = node->state == WEFT_NODE_ALLOCATED && !node->cpus_used;
	struct in_use left = {
		.cpus = all ? node->cpus : node->cpus_used, .mem = node->mem_used};
	struct weft_release *v;
	char sub[128];

	if (seq->kind != WEFT_YAML_SEQ)
		return read_error(r, seq, path, "must be a list");
	if (seq->n > WEFT_CLUSTER_MAX_RELEASES)
		return read_error(r, seq, path, "more than %d of a node",
			WEFT_CLUSTER_MAX_RELEASES);
	v = weft_arena_alloc(&r->c->arena, (seq->n + 1) * sizeof(*v));
	if (!v)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < node->n_gpu_types; i++)
		left.gpus[i] = node->gpus[i].used;
	for (size_t i = 0; i < seq->n; i++) {
		snprintf(sub, sizeof(sub), "%s[%zu]", path, i);
		if (read_release(r, seq->item[i], sub, node, &left, &v[i]))
			return -1;
		if (i && v[i].after <= v[i - 1].after)
			return read_error(r, seq->item[i], sub,
				"'after' must grow from one to the next");
	}
	node->release = v;
	node->n_releases = seq->n;
	return 0;
}

static int read_state(struct reader *r, const struct weft_yaml_node *n,
	const char *path, enum weft_node_state *state)
{
	const char *s = read_text(r, n, path);

	if (!s)
		return -1;
	for (int i = WEFT_NODE_IDLE; i <= WEFT_NODE_DOWN; i++) {
		if (!weft_streq(s, weft_node_state_name((enum weft_node_state)i)))
			continue;
		*state = (enum weft_node_state)i;
		return 0;
	}
	return read_error(
		r, n, path, "must be idle, mixed, allocated or down, not '%.40s'", s);
}

static int read_node_entry(struct reader *r, struct weft_yaml_node *map,
	const char *path, struct raw_node *raw)
{
	struct weft_node *n = &raw->n;
	char sub[80];

	*raw = (struct raw_node){0};
	if (read_fields(r, map, path, node_fields, WEFT_COUNT(node_fields), raw))
		return -1;
	if (!raw->nodes)
		return read_error(r, map, path, "'nodes' is missing");
	if (!n->cpus)
		return read_error(r, map, path, "'cpus' is missing or 0");
	if (!n->sockets)
		n->sockets = 1;
	if (!n->threads_per_core)
		n->threads_per_core = 1;
	if (!n->cores)
		n->cores = n->cpus / n->threads_per_core ? n->cpus / n->threads_per_core
							 : 1;
	if (!n->reason)
		n->reason = "";
	n->feature = raw->features.v;
	n->n_features = raw->features.n;
	if (n->cpus_used > n->cpus)
		return read_error(r, map, path, "more CPUs in use than there are");
	snprintf(sub, sizeof(sub), "%s.state", path);
	if (raw->state && read_state(r, raw->state, sub, &n->state))
		return -1;
	snprintf(sub, sizeof(sub), "%s.gpus", path);
	if (raw->gpus && read_gpus(r, raw->gpus, sub, n))
		return -1;
	snprintf(sub, sizeof(sub), "%s.gpus_used", path);
	if (raw->gpus_used && read_gpus_used(r, raw->gpus_used, sub, n))
		return -1;
	snprintf(sub, sizeof(sub), "%s.releases", path);
	return raw->releases ? read_releases(r, raw->releases, sub, n) : 0;
}

/* One entry's nodes, behind those of the entries before; *cap of c->node. */
static int read_nodes_of(struct reader *r, struct weft_yaml_node *map, size_t entry,
	struct weft_map *index, struct weft_node **v, size_t *cap)
{
	struct weft_cluster *c = r->c;
	struct raw_node raw;
	char path[64], **name;
	size_t n;
	int status = 0;

	snprintf(path, sizeof(path), "nodes[%zu]", entry);
	if (read_node_entry(r, map, path, &raw))
		return -1;
	snprintf(path, sizeof(path), "nodes[%zu].nodes", entry);
	if (read_hosts(
		    r, raw.nodes, path, WEFT_CLUSTER_MAX_NODES - c->n_nodes, &name, &n))
		return -1;
	for (size_t i = 0; i < n && status == 0; i++) {
		raw.n.name = weft_arena_strdup(&c->arena, name[i]);
		if (!raw.n.name || weft_grow(*v, c->n_nodes, *cap)) {
			status = weft_err_nomem(r->err);
			break;
		}
		(*v)[c->n_nodes] = raw.n;
		switch (weft_map_add(index, raw.n.name, c->n_nodes, NULL)) {
		case 1:
			c->n_nodes++;
			break;
		case 0:
			status = read_error(
				r, raw.nodes, path, "node %s is there twice", name[i]);
			break;
		default:
			status = weft_err_nomem(r->err);
		}
	}
	weft_hostlist_free(name, n);
	return status;
}

int read_nodes(struct reader *r, struct weft_yaml_node *seq, struct weft_map *index)
{
	struct weft_node *v = NULL;
	size_t cap = 0;
	int status = 0;

	if (seq->kind != WEFT_YAML_SEQ)
		return read_error(r, seq, "nodes", "must be a list");
	for (size_t i = 0; i < seq->n && status == 0; i++)
		status = read_nodes_of(r, seq->item[i], i, index, &v, &cap);
	if (status == 0 && r->c->n_nodes) {
		size_t bytes = r->c->n_nodes * sizeof(*v);

		r->c->node = weft_arena_alloc(&r->c->arena, bytes);
		if (r->c->node)
			memcpy(r->c->node, v, bytes);
		else
			status = weft_err_nomem(r->err);
	}
	free(v);
	return status;
}
