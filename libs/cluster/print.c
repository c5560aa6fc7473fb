#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/cluster.h"
#include "yaml/yaml.h"

/* Plain where no reader of YAML can take it for something else. */
static void add_text(struct weft_str *out, const char *s, bool flow)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789_./+-[],";
	size_t safe = sizeof(plain) - 1 - (flow ? 3 : 0);
	size_t n = strlen(s);
	bool quote = !n || strchr("./+-[],", *s) || !strcasecmp(s, "null");

	for (size_t i = 0; i < n && !quote; i++)
		quote = !memchr(plain, s[i], safe);
	if (quote)
		weft_yaml_quote(out, s);
	else
		weft_str_add(out, s);
}

static void add_count(struct weft_str *out, const char *key, unsigned v)
{
	if (v)
		weft_str_printf(out, "    %s: %u\n", key, v);
}

/* Exact, in the largest unit that divides it. */
static void add_bytes(struct weft_str *out, uint64_t v)
{
	static const char unit[] = "\0KMGT";
	size_t i = 0;

	while (i < 4 && v % 1024 == 0) {
		v /= 1024;
		i++;
	}
	weft_str_printf(out, "%" PRIu64 "%.1s", v, unit + i);
}

static void add_size(struct weft_str *out, const char *key, uint64_t v)
{
	if (!v)
		return;
	weft_str_printf(out, "    %s: ", key);
	add_bytes(out, v);
	weft_str_addc(out, '\n');
}

static void add_time(struct weft_str *out, const char *key, int64_t v)
{
	char buf[WEFT_UNIT_MAX];

	if (v)
		weft_str_printf(out, "    %s: %s\n", key, weft_format_duration(buf, v));
}

static void add_names(
	struct weft_str *out, const char *key, const char *const *v, size_t n)
{
	if (!n)
		return;
	weft_str_printf(out, "    %s: [", key);
	for (size_t i = 0; i < n; i++) {
		weft_str_add(out, i ? ", " : "");
		add_text(out, v[i], true);
	}
	weft_str_add(out, "]\n");
}

/* "2", or "{a100: 2}"; nothing where all are 0. */
static void add_gpus(struct weft_str *out, const char *before,
	const struct weft_node *n, const unsigned *v, const char *after)
{
	bool typed = n->n_gpu_types != 1 || *n->gpus[0].type, first = true;

	for (size_t i = 0; i < n->n_gpu_types; i++) {
		if (!v[i])
			continue;
		if (first)
			weft_str_printf(out, "%s%s", before, typed ? "{" : "");
		else
			weft_str_add(out, ", ");
		first = false;
		if (typed) {
			add_text(out, n->gpus[i].type, true);
			weft_str_add(out, ": ");
		}
		weft_str_printf(out, "%u", v[i]);
	}
	if (!first)
		weft_str_printf(out, "%s%s", typed ? "}" : "", after);
}

static void add_node_gpus(struct weft_str *out, const struct weft_node *n)
{
	unsigned count[WEFT_CLUSTER_MAX_GPU_TYPES], used[WEFT_CLUSTER_MAX_GPU_TYPES];

	for (size_t i = 0; i < n->n_gpu_types; i++) {
		count[i] = n->gpus[i].count;
		used[i] = n->gpus[i].used;
	}
	add_gpus(out, "    gpus: ", n, count, "\n");
	add_gpus(out, "    gpus_used: ", n, used, "\n");
}

static void add_releases(struct weft_str *out, const struct weft_node *n)
{
	char after[WEFT_UNIT_MAX];

	weft_str_add(out, n->n_releases ? "    releases:\n" : "");
	for (size_t i = 0; i < n->n_releases; i++) {
		const struct weft_release *r = &n->release[i];

		weft_str_printf(out, "      - {after: %s",
			weft_format_duration(after, r->after));
		if (r->cpus)
			weft_str_printf(out, ", cpus: %u", r->cpus);
		if (r->mem) {
			weft_str_add(out, ", mem: ");
			add_bytes(out, r->mem);
		}
		add_gpus(out, ", gpus: ", n, r->gpus, "");
		weft_str_add(out, "}\n");
	}
}

/* All but the name: nodes with the same text share an entry. */
static void add_attributes(struct weft_str *out, const struct weft_node *n)
{
	weft_str_printf(out, "    state: %s\n", weft_node_state_name(n->state));
	if (*n->reason) {
		weft_str_add(out, "    reason: ");
		weft_yaml_quote(out, n->reason);
		weft_str_addc(out, '\n');
	}
	add_count(out, "cpus", n->cpus);
	add_count(out, "cpus_used", n->cpus_used);
	add_count(out, "cores", n->cores);
	add_count(out, "sockets", n->sockets);
	add_count(out, "threads_per_core", n->threads_per_core);
	add_size(out, "mem", n->mem);
	add_size(out, "mem_used", n->mem_used);
	add_size(out, "tmp", n->tmp);
	add_names(out, "features", n->feature, n->n_features);
	add_node_gpus(out, n);
	add_releases(out, n);
}

static int add_hosts(
	struct weft_str *out, const char *prefix, const char *const *name, size_t n)
{
	weft_autofree char *list = weft_hostlist_compress(name, n);

	if (!list)
		return -1;
	weft_str_add(out, prefix);
	add_text(out, list, false);
	weft_str_addc(out, '\n');
	return 0;
}

/* Nodes with the same attributes, in the order in which they came. */
struct group {
	const char *attributes;
	size_t first, last, n; /* a chain through next[] */
};

static int group_nodes(const struct weft_cluster *c, struct weft_arena *arena,
	struct group **group, size_t *n_groups, size_t *next)
{
	struct weft_map map = {0};
	struct group *g = NULL;
	size_t n = 0, cap = 0;
	int status = -1;

	for (size_t i = 0; i < c->n_nodes; i++) {
		weft_autostr struct weft_str s = {0};
		size_t at;

		add_attributes(&s, &c->node[i]);
		if (s.failed)
			goto out;
		if (!weft_map_get(&map, s.s, &at)) {
			if (weft_grow(g, n, cap))
				goto out;
			g[n] = (struct group){weft_arena_strdup(arena, s.s), i, i, 1};
			if (!g[n].attributes ||
				weft_map_add(&map, g[n].attributes, n, NULL) < 0)
				goto out;
			n++;
			continue;
		}
		next[g[at].last] = i;
		g[at].last = i;
		g[at].n++;
	}
	*group = g;
	*n_groups = n;
	g = NULL;
	status = 0;
out:
	free(g);
	weft_map_free(&map);
	return status;
}

static int add_nodes(struct weft_str *out, const struct weft_cluster *c)
{
	struct weft_arena arena = {0};
	weft_autofree struct group *group = NULL;
	weft_autofree size_t *next = calloc(c->n_nodes + 1, sizeof(*next));
	weft_autofree const char **name = calloc(c->n_nodes + 1, sizeof(*name));
	size_t n = 0;
	int status = -1;

	if (!next || !name || group_nodes(c, &arena, &group, &n, next))
		goto out;
	weft_str_add(out, n ? "nodes:\n" : "");
	for (size_t i = 0; i < n; i++) {
		size_t at = group[i].first;

		for (size_t j = 0; j < group[i].n; j++, at = next[at])
			name[j] = c->node[at].name;
		if (add_hosts(out, "  - nodes: ", name, group[i].n))
			goto out;
		weft_str_add(out, group[i].attributes);
	}
	status = 0;
out:
	weft_arena_free(&arena);
	return status;
}

static int add_partition(struct weft_str *out, const struct weft_cluster *c,
	const struct weft_partition *p, const char **name)
{
	weft_str_add(out, "  - name: ");
	add_text(out, p->name, false);
	weft_str_addc(out, '\n');
	if (p->is_default)
		weft_str_add(out, "    default: true\n");
	if (!p->up)
		weft_str_add(out, "    up: false\n");
	if (p->exclusive)
		weft_str_add(out, "    exclusive: true\n");
	add_time(out, "max_time", p->max_time);
	add_time(out, "default_time", p->default_time);
	add_count(out, "min_nodes", p->min_nodes);
	add_count(out, "max_nodes", p->max_nodes);
	add_count(out, "max_cpus_per_node", p->max_cpus_per_node);
	add_size(out, "max_mem_per_node", p->max_mem_per_node);
	add_size(out, "def_mem_per_cpu", p->def_mem_per_cpu);
	add_size(out, "def_mem_per_node", p->def_mem_per_node);
	add_names(out, "allow_accounts", p->allow_accounts, p->n_allow_accounts);
	add_names(out, "deny_accounts", p->deny_accounts, p->n_deny_accounts);
	add_names(out, "allow_groups", p->allow_groups, p->n_allow_groups);
	add_names(out, "allow_qos", p->allow_qos, p->n_allow_qos);
	for (size_t i = 0; i < p->n_nodes; i++)
		name[i] = c->node[p->node[i]].name;
	return add_hosts(out, "    nodes: ", name, p->n_nodes);
}

static int add_reservation(struct weft_str *out, const struct weft_cluster *c,
	const struct weft_reservation *r, const char **name)
{
	weft_str_add(out, "  - name: ");
	add_text(out, r->name, false);
	weft_str_addc(out, '\n');
	if (*r->partition) {
		weft_str_add(out, "    partition: ");
		add_text(out, r->partition, false);
		weft_str_addc(out, '\n');
	}
	add_time(out, "start", r->start);
	add_time(out, "end", r->end);
	add_names(out, "users", r->users, r->n_users);
	add_names(out, "accounts", r->accounts, r->n_accounts);
	for (size_t i = 0; i < r->n_nodes; i++)
		name[i] = c->node[r->node[i]].name;
	return add_hosts(out, "    nodes: ", name, r->n_nodes);
}

static void add_user(struct weft_str *out, const struct weft_user *u)
{
	if (!u->name || !*u->name)
		return;
	weft_str_add(out, "user:\n    name: ");
	add_text(out, u->name, false);
	weft_str_addc(out, '\n');
	add_names(out, "groups", u->group, u->n_groups);
	if (u->default_account && *u->default_account) {
		weft_str_add(out, "    default_account: ");
		add_text(out, u->default_account, false);
		weft_str_addc(out, '\n');
	}
	weft_str_add(out, u->n_associations ? "    associations:\n" : "");
	for (size_t i = 0; i < u->n_associations; i++) {
		const struct weft_association *a = &u->association[i];

		weft_str_add(out, "      - {account: ");
		add_text(out, a->account, true);
		if (*a->partition) {
			weft_str_add(out, ", partition: ");
			add_text(out, a->partition, true);
		}
		for (size_t k = 0; k < a->n_qos; k++) {
			weft_str_add(out, k ? ", " : ", qos: [");
			add_text(out, a->qos[k], true);
		}
		weft_str_add(out, a->n_qos ? "]" : "");
		if (*a->default_qos) {
			weft_str_add(out, ", default_qos: ");
			add_text(out, a->default_qos, true);
		}
		weft_str_add(out, "}\n");
	}
}

static void add_head(struct weft_str *out, const struct weft_cluster *c)
{
	char when[32];
	time_t t = (time_t)c->taken;
	struct tm tm;

	weft_str_add(out, "cluster: ");
	add_text(out, c->name, false);
	weft_str_add(out, "\nslurm: ");
	add_text(out, c->slurm_version, false);
	weft_str_addc(out, '\n');
	if (t > 0 && gmtime_r(&t, &tm) && strftime(when, sizeof(when), "%FT%TZ", &tm))
		weft_str_printf(out, "taken: %s\n", when);
	if (c->max_array_size)
		weft_str_printf(out, "max_array_size: %u\n", c->max_array_size);
	weft_str_printf(
		out, "select_by_memory: %s\n", c->select_by_memory ? "true" : "false");
	add_user(out, &c->user);
	weft_str_add(out, c->n_licenses ? "licenses:\n" : "");
	for (size_t i = 0; i < c->n_licenses; i++) {
		weft_str_add(out, "  - name: ");
		add_text(out, c->license[i].name, false);
		weft_str_printf(out, "\n    total: %u\n", c->license[i].total);
		add_count(out, "used", c->license[i].used);
	}
}

int weft_cluster_print(const struct weft_cluster *c, struct weft_str *out)
{
	weft_autofree const char **name = calloc(c->n_nodes + 1, sizeof(*name));

	if (!name)
		return -1;
	add_head(out, c);
	weft_str_add(out, c->n_partitions ? "partitions:\n" : "");
	for (size_t i = 0; i < c->n_partitions; i++)
		if (add_partition(out, c, &c->partition[i], name))
			return -1;
	weft_str_add(out, c->n_reservations ? "reservations:\n" : "");
	for (size_t i = 0; i < c->n_reservations; i++)
		if (add_reservation(out, c, &c->reservation[i], name))
			return -1;
	return add_nodes(out, c) || out->failed ? -1 : 0;
}
