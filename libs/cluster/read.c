#include <stdlib.h>
#include <time.h>

#include "read.h"

/* Nodes in all partitions together: bounds what a small hostile file can ask. */
#define MAX_MEMBERS (4u << 20)

struct raw_cluster {
	const char *name, *slurm;
	unsigned max_array_size;
	bool by_memory;
	struct weft_yaml_node *taken, *user, *licenses, *partitions, *reservations,
		*nodes;
};

struct raw_user {
	struct weft_user u;
	struct field_names groups;
	struct weft_yaml_node *associations;
};

struct raw_association {
	struct weft_association a;
	struct field_names qos;
};

struct raw_partition {
	struct weft_partition p;
	struct weft_yaml_node *nodes;
	struct field_names allow_accounts, deny_accounts, allow_groups, allow_qos;
};

#define AT(type, member) offsetof(struct type, member)

static const struct field top_fields[] = {
	{"cluster", FIELD_TEXT, AT(raw_cluster, name)},
	{"slurm", FIELD_TEXT, AT(raw_cluster, slurm)},
	{"taken", FIELD_NODE, AT(raw_cluster, taken)},
	{"max_array_size", FIELD_COUNT, AT(raw_cluster, max_array_size)},
	{"select_by_memory", FIELD_BOOL, AT(raw_cluster, by_memory)},
	{"user", FIELD_NODE, AT(raw_cluster, user)},
	{"licenses", FIELD_NODE, AT(raw_cluster, licenses)},
	{"partitions", FIELD_NODE, AT(raw_cluster, partitions)},
	{"reservations", FIELD_NODE, AT(raw_cluster, reservations)},
	{"nodes", FIELD_NODE, AT(raw_cluster, nodes)},
};

struct raw_reservation {
	struct weft_reservation r;
	struct weft_yaml_node *nodes;
	struct field_names users, accounts;
};

static const struct field reservation_fields[] = {
	{"name", FIELD_TEXT, AT(raw_reservation, r.name)},
	{"partition", FIELD_TEXT, AT(raw_reservation, r.partition)},
	{"start", FIELD_TIME, AT(raw_reservation, r.start)},
	{"end", FIELD_TIME, AT(raw_reservation, r.end)},
	{"users", FIELD_NAMES, AT(raw_reservation, users)},
	{"accounts", FIELD_NAMES, AT(raw_reservation, accounts)},
	{"nodes", FIELD_NODE, AT(raw_reservation, nodes)},
};

static const struct field user_fields[] = {
	{"name", FIELD_TEXT, AT(raw_user, u.name)},
	{"groups", FIELD_NAMES, AT(raw_user, groups)},
	{"default_account", FIELD_TEXT, AT(raw_user, u.default_account)},
	{"associations", FIELD_NODE, AT(raw_user, associations)},
};

static const struct field association_fields[] = {
	{"account", FIELD_TEXT, AT(raw_association, a.account)},
	{"partition", FIELD_TEXT, AT(raw_association, a.partition)},
	{"qos", FIELD_NAMES, AT(raw_association, qos)},
	{"default_qos", FIELD_TEXT, AT(raw_association, a.default_qos)},
};

static const struct field license_fields[] = {
	{"name", FIELD_TEXT, AT(weft_license, name)},
	{"total", FIELD_COUNT, AT(weft_license, total)},
	{"used", FIELD_COUNT, AT(weft_license, used)},
};

static const struct field partition_fields[] = {
	{"name", FIELD_TEXT, AT(raw_partition, p.name)},
	{"up", FIELD_BOOL, AT(raw_partition, p.up)},
	{"default", FIELD_BOOL, AT(raw_partition, p.is_default)},
	{"exclusive", FIELD_BOOL, AT(raw_partition, p.exclusive)},
	{"max_time", FIELD_TIME, AT(raw_partition, p.max_time)},
	{"default_time", FIELD_TIME, AT(raw_partition, p.default_time)},
	{"min_nodes", FIELD_COUNT, AT(raw_partition, p.min_nodes)},
	{"max_nodes", FIELD_COUNT, AT(raw_partition, p.max_nodes)},
	{"max_cpus_per_node", FIELD_COUNT, AT(raw_partition, p.max_cpus_per_node)},
	{"max_mem_per_node", FIELD_SIZE, AT(raw_partition, p.max_mem_per_node)},
	{"def_mem_per_cpu", FIELD_SIZE, AT(raw_partition, p.def_mem_per_cpu)},
	{"def_mem_per_node", FIELD_SIZE, AT(raw_partition, p.def_mem_per_node)},
	{"allow_accounts", FIELD_NAMES, AT(raw_partition, allow_accounts)},
	{"deny_accounts", FIELD_NAMES, AT(raw_partition, deny_accounts)},
	{"allow_groups", FIELD_NAMES, AT(raw_partition, allow_groups)},
	{"allow_qos", FIELD_NAMES, AT(raw_partition, allow_qos)},
	{"nodes", FIELD_NODE, AT(raw_partition, nodes)},
};

static int read_taken(struct reader *r, const struct weft_yaml_node *n)
{
	const char *s = read_text(r, n, "taken"), *end;
	struct tm tm = {0};

	if (!s)
		return -1;
	end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end)
		return read_error(r, n, "taken",
			"must be a time such as 2026-11-21T12:00:00Z, not '%.40s'", s);
	r->c->taken = (double)timegm(&tm);
	return 0;
}

static int read_members(struct reader *r, const struct weft_yaml_node *list,
	const char *path, const struct weft_map *index, unsigned **node,
	size_t *n_nodes, size_t *members, unsigned *seen, unsigned mark)
{
	char **name;
	size_t n;
	int status = 0;

	if (list->kind == WEFT_YAML_SCALAR && !*list->text && !weft_yaml_is_null(list))
		return 0; /* "": a partition without nodes */
	if (read_hosts(r, list, path, WEFT_CLUSTER_MAX_NODES, &name, &n))
		return -1;
	*members += n;
	if (*members > MAX_MEMBERS) {
		status =
			read_error(r, list, path, "the partitions have too many nodes");
		goto out;
	}
	*node = weft_arena_alloc(&r->c->arena, (n + 1) * sizeof(**node));
	if (!*node) {
		status = weft_err_nomem(r->err);
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		size_t at;

		if (!weft_map_get(index, name[i], &at)) {
			status = read_error(r, list, path,
				"node %s is not among the nodes of this file", name[i]);
			goto out;
		}
		if (seen[at] == mark) {
			status = read_error(
				r, list, path, "node %s is there twice", name[i]);
			goto out;
		}
		seen[at] = mark;
		(*node)[i] = (unsigned)at;
	}
	*n_nodes = n;
out:
	weft_hostlist_free(name, n);
	return status;
}

static int read_partition(struct reader *r, struct weft_yaml_node *map, size_t i,
	const struct weft_map *index, size_t *members, unsigned *seen)
{
	struct raw_partition raw = {.p.up = true};
	struct weft_partition *p = &raw.p;
	char path[64];

	snprintf(path, sizeof(path), "partitions[%zu]", i);
	if (read_fields(
		    r, map, path, partition_fields, WEFT_COUNT(partition_fields), &raw))
		return -1;
	if (!p->name)
		return read_error(r, map, path, "'name' is missing");
	if (!raw.nodes)
		return read_error(r, map, path, "'nodes' is missing");
	if (weft_cluster_partition(r->c, p->name))
		return read_error(r, map, path, "partition %s is there twice", p->name);
	p->allow_accounts = raw.allow_accounts.v;
	p->n_allow_accounts = raw.allow_accounts.n;
	p->deny_accounts = raw.deny_accounts.v;
	p->n_deny_accounts = raw.deny_accounts.n;
	p->allow_groups = raw.allow_groups.v;
	p->n_allow_groups = raw.allow_groups.n;
	p->allow_qos = raw.allow_qos.v;
	p->n_allow_qos = raw.allow_qos.n;
	snprintf(path, sizeof(path), "partitions[%zu].nodes", i);
	if (read_members(r, raw.nodes, path, index, &p->node, &p->n_nodes, members,
		    seen, (unsigned)i + 1))
		return -1;
	r->c->partition[r->c->n_partitions++] = *p;
	return 0;
}

static int read_partitions(
	struct reader *r, struct weft_yaml_node *seq, const struct weft_map *index)
{
	weft_autofree unsigned *seen = NULL;
	size_t members = 0;

	if (seq->kind != WEFT_YAML_SEQ)
		return read_error(r, seq, "partitions", "must be a list");
	if (seq->n > WEFT_CLUSTER_MAX_PARTITIONS)
		return read_error(r, seq, "partitions", "more than %d partitions",
			WEFT_CLUSTER_MAX_PARTITIONS);
	seen = calloc(r->c->n_nodes + 1, sizeof(*seen));
	r->c->partition =
		weft_arena_alloc(&r->c->arena, (seq->n + 1) * sizeof(*r->c->partition));
	if (!seen || !r->c->partition)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < seq->n; i++)
		if (read_partition(r, seq->item[i], i, index, &members, seen))
			return -1;
	return 0;
}

static int read_reservation(struct reader *r, struct weft_yaml_node *map, size_t i,
	const struct weft_map *index, size_t *members, unsigned *seen)
{
	struct raw_reservation raw = {.r.partition = ""};
	char path[64];

	snprintf(path, sizeof(path), "reservations[%zu]", i);
	if (read_fields(r, map, path, reservation_fields,
		    WEFT_COUNT(reservation_fields), &raw))
		return -1;
	if (!raw.r.name || !raw.nodes)
		return read_error(
			r, map, path, "'%s' is missing", raw.r.name ? "nodes" : "name");
	raw.r.users = raw.users.v;
	raw.r.n_users = raw.users.n;
	raw.r.accounts = raw.accounts.v;
	raw.r.n_accounts = raw.accounts.n;
	snprintf(path, sizeof(path), "reservations[%zu].nodes", i);
	if (read_members(r, raw.nodes, path, index, &raw.r.node, &raw.r.n_nodes,
		    members, seen, (unsigned)i + 1))
		return -1;
	r->c->reservation[r->c->n_reservations++] = raw.r;
	return 0;
}

static int read_reservations(
	struct reader *r, struct weft_yaml_node *seq, const struct weft_map *index)
{
	weft_autofree unsigned *seen = NULL;
	size_t members = 0;

	if (seq->kind != WEFT_YAML_SEQ)
		return read_error(r, seq, "reservations", "must be a list");
	seen = calloc(r->c->n_nodes + 1, sizeof(*seen));
	r->c->reservation = weft_arena_alloc(
		&r->c->arena, (seq->n + 1) * sizeof(*r->c->reservation));
	if (!seen || !r->c->reservation)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < seq->n; i++)
		if (read_reservation(r, seq->item[i], i, index, &members, seen))
			return -1;
	return 0;
}

static int read_licenses(struct reader *r, struct weft_yaml_node *seq)
{
	struct weft_license *v;
	char path[64];

	if (seq->kind != WEFT_YAML_SEQ)
		return read_error(r, seq, "licenses", "must be a list");
	v = weft_arena_alloc(&r->c->arena, (seq->n + 1) * sizeof(*v));
	if (!v)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < seq->n; i++) {
		snprintf(path, sizeof(path), "licenses[%zu]", i);
		if (read_fields(r, seq->item[i], path, license_fields,
			    WEFT_COUNT(license_fields), &v[i]))
			return -1;
		if (!v[i].name)
			return read_error(r, seq->item[i], path, "'name' is missing");
	}
	r->c->license = v;
	r->c->n_licenses = seq->n;
	return 0;
}

static int read_associations(
	struct reader *r, struct weft_yaml_node *seq, struct weft_user *u)
{
	char path[64];

	if (seq->kind != WEFT_YAML_SEQ)
		return read_error(r, seq, "user.associations", "must be a list");
	u->association =
		weft_arena_alloc(&r->c->arena, (seq->n + 1) * sizeof(*u->association));
	if (!u->association)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < seq->n; i++) {
		struct raw_association raw = {
			.a = {.partition = "", .default_qos = ""}};

		snprintf(path, sizeof(path), "user.associations[%zu]", i);
		if (read_fields(r, seq->item[i], path, association_fields,
			    WEFT_COUNT(association_fields), &raw))
			return -1;
		if (!raw.a.account)
			return read_error(
				r, seq->item[i], path, "'account' is missing");
		raw.a.qos = raw.qos.v;
		raw.a.n_qos = raw.qos.n;
		u->association[i] = raw.a;
	}
	u->n_associations = seq->n;
	return 0;
}

static int read_user(struct reader *r, struct weft_yaml_node *map)
{
	struct raw_user raw = {.u.default_account = ""};

	if (read_fields(r, map, "user", user_fields, WEFT_COUNT(user_fields), &raw))
		return -1;
	if (!raw.u.name)
		return read_error(r, map, "user", "'name' is missing");
	raw.u.group = raw.groups.v;
	raw.u.n_groups = raw.groups.n;
	r->c->user = raw.u;
	return raw.associations ? read_associations(r, raw.associations, &r->c->user)
				: 0;
}

static int read_all(
	struct reader *r, struct weft_yaml_node *root, struct weft_map *index)
{
	struct raw_cluster raw = {.name = "", .slurm = "", .by_memory = true};

	if (!root)
		return read_error(r, NULL, NULL, "the file is empty");
	if (read_fields(r, root, "", top_fields, WEFT_COUNT(top_fields), &raw))
		return -1;
	r->c->name = raw.name;
	r->c->slurm_version = raw.slurm;
	r->c->max_array_size = raw.max_array_size;
	r->c->select_by_memory = raw.by_memory;
	if (raw.taken && read_taken(r, raw.taken))
		return -1;
	r->c->user = (struct weft_user){.name = "", .default_account = ""};
	if (raw.user && read_user(r, raw.user))
		return -1;
	if (raw.licenses && read_licenses(r, raw.licenses))
		return -1;
	if (raw.nodes && read_nodes(r, raw.nodes, index))
		return -1;
	if (raw.reservations && read_reservations(r, raw.reservations, index))
		return -1;
	return raw.partitions ? read_partitions(r, raw.partitions, index) : 0;
}

/* Frees the document. */
static int read_doc(
	struct weft_yaml_doc *doc, struct weft_cluster **c, struct weft_err *err)
{
	struct reader r = {.file = doc->file, .err = err};
	struct weft_map index = {0};
	int status;

	r.c = calloc(1, sizeof(*r.c));
	status = r.c ? read_all(&r, doc->root, &index) : weft_err_nomem(err);
	weft_map_free(&index);
	weft_yaml_free(doc);
	if (status)
		weft_cluster_free(r.c);
	else
		*c = r.c;
	return status;
}

int weft_cluster_parse(const char *file, const char *text, size_t n,
	struct weft_cluster **c, struct weft_err *err)
{
	struct weft_yaml_doc *doc;

	*c = NULL;
	return weft_yaml_parse(file, text, n, &doc, err) ? -1 : read_doc(doc, c, err);
}

int weft_cluster_load(const char *path, struct weft_cluster **c, struct weft_err *err)
{
	struct weft_yaml_doc *doc;

	*c = NULL;
	return weft_yaml_load(path, &doc, err) ? -1 : read_doc(doc, c, err);
}
