#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "gres.h"
#include "running.h"
#include "user.h"

#define MIB (UINT64_C(1) << 20)
/* Of AccountingStorageEnforce; in no public header, the same since 2.2. */
#define ENFORCE_ASSOCIATIONS 1

/* The answers of slurmctld that make a snapshot. */
struct answers {
	slurm_conf_t *conf;
	partition_info_msg_t *partitions;
	node_info_msg_t *nodes;
	license_info_msg_t *licenses;
	reserve_info_msg_t *reservations;
};

static void free_answers(const struct slurm_api *api, struct answers *a)
{
	if (a->conf)
		api->slurm_free_ctl_conf(a->conf);
	if (a->partitions)
		api->slurm_free_partition_info_msg(a->partitions);
	if (a->nodes)
		api->slurm_free_node_info_msg(a->nodes);
	if (a->reservations)
		api->slurm_free_reservation_info_msg(a->reservations);
	if (a->licenses)
		api->slurm_free_license_info_msg(a->licenses);
}

/* Those of this cluster, and those that slurmdbd shares out to several. */
static bool has_licenses(const slurm_conf_t *conf)
{
	const char *own = conf->licenses, *store = conf->accounting_storage_type;

	return (own && *own && !weft_streq(own, "(null)")) ||
	       (store && strstr(store, "slurmdbd"));
}

/* Most sites have none, and need not be asked. */
static bool has_reserved(const node_info_msg_t *nodes)
{
	for (uint32_t i = 0; i < nodes->record_count; i++)
		if (nodes->node_array[i].node_state &
			(NODE_STATE_RES | NODE_STATE_MAINT))
			return true;
	return false;
}

static int ask(const struct slurm_api *api, struct answers *a, struct weft_err *err)
{
	if (api->slurm_load_ctl_conf(0, &a->conf))
		return slurm_error(api, err, "slurmctld");
	if (api->slurm_load_partitions(0, &a->partitions, 0))
		return slurm_error(api, err, "loading partitions");
	if (api->slurm_load_node(0, &a->nodes, SHOW_ALL | SHOW_DETAIL))
		return slurm_error(api, err, "loading nodes");
	/* A controller that tells none is fine. */
	if (has_licenses(a->conf) &&
		api->slurm_load_licenses(0, &a->licenses, SHOW_ALL))
		a->licenses = NULL;
	if (has_reserved(a->nodes) && api->slurm_load_reservations(0, &a->reservations))
		a->reservations = NULL;
	return 0;
}

/* "a,b" as names in the arena; NULL or empty: none. */
static int split_names(struct weft_arena *arena, const char *list,
	const char *const **names, size_t *n)
{
	char *copy, *save = NULL;
	const char **v;
	size_t max = 1;

	*names = NULL;
	*n = 0;
	if (!list || !*list || weft_streq(list, "(null)"))
		return 0;
	for (const char *s = list; *s; s++)
		max += *s == ',';
	copy = weft_arena_strdup(arena, list);
	v = weft_arena_alloc(arena, max * sizeof(*v));
	if (!copy || !v)
		return -1;
	for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save))
		v[(*n)++] = s;
	*names = v;
	return 0;
}

/* Not to be had, whatever its base state says. */
static const char *down_word(uint32_t state)
{
	switch (state & NODE_STATE_BASE) {
	case NODE_STATE_DOWN:
		return "down";
	case NODE_STATE_ERROR:
		return "error";
	case NODE_STATE_FUTURE:
		return "future";
	case NODE_STATE_UNKNOWN:
		return "unknown";
	default:
		break;
	}
	if (state & NODE_STATE_DRAIN)
		return "drained";
	if (state & NODE_STATE_FAIL)
		return "failing";
	if (state & NODE_STATE_MAINT)
		return "maintenance";
	if (state & NODE_STATE_NO_RESPOND)
		return "not responding";
	if (state & (NODE_STATE_REBOOT_REQUESTED | NODE_STATE_REBOOT_ISSUED))
		return "rebooting";
	if (state & NODE_STATE_INVALID_REG)
		return "invalid registration";
	return NULL;
}

static void usage(
	const struct slurm_api *api, const node_info_t *from, struct weft_node *to)
{
	uint16_t cpus = 0;
	uint64_t mem = 0;

	if (!from->select_nodeinfo)
		return;
	if (api->slurm_get_select_nodeinfo(from->select_nodeinfo,
		    SELECT_NODEDATA_SUBCNT, NODE_STATE_ALLOCATED, &cpus) == 0)
		to->cpus_used = cpus < to->cpus ? cpus : to->cpus;
	if (api->slurm_get_select_nodeinfo(from->select_nodeinfo,
		    SELECT_NODEDATA_MEM_ALLOC, NODE_STATE_ALLOCATED, &mem) == 0)
		to->mem_used = mem * MIB;
}

static int fill_node(const struct slurm_api *api, struct weft_cluster *c,
	const node_info_t *from, struct weft_node *to)
{
	uint64_t special =
		from->mem_spec_limit < from->real_memory ? from->mem_spec_limit : 0;
	const char *down = down_word(from->node_state);
	const char *reason = "";

	to->name = weft_arena_strdup(&c->arena, from->name);
	to->cpus = from->cpus_efctv ? from->cpus_efctv : from->cpus;
	to->sockets = from->sockets;
	to->cores = (unsigned)from->sockets * from->cores;
	to->threads_per_core = from->threads;
	to->mem = (from->real_memory - special) * MIB;
	to->tmp = from->tmp_disk * MIB;
	usage(api, from, to);
	if (down) {
		to->state = WEFT_NODE_DOWN;
		reason = from->reason && *from->reason
				 ? weft_arena_printf(
					   &c->arena, "%s: %s", down, from->reason)
				 : down;
	} else if (!to->cpus_used) {
		to->state = WEFT_NODE_IDLE;
	} else {
		to->state = to->cpus_used < to->cpus ? WEFT_NODE_MIXED
						     : WEFT_NODE_ALLOCATED;
	}
	to->reason = reason;
	if (!to->name || !reason || slurm_gres_have(to, from->gres, &c->arena))
		return -1;
	slurm_gres_used(to, from->gres_used);
	return split_names(&c->arena,
		from->features_act ? from->features_act : from->features, &to->feature,
		&to->n_features);
}

static int fill_nodes(const struct slurm_api *api, struct weft_cluster *c,
	const node_info_msg_t *msg, struct weft_map *index)
{
	c->node =
		weft_arena_alloc(&c->arena, (msg->record_count + 1) * sizeof(*c->node));
	if (!c->node)
		return -1;
	for (uint32_t i = 0; i < msg->record_count; i++) {
		struct weft_node *to = &c->node[c->n_nodes];

		/* Nodes that are hidden from this user come without a name. */
		if (!msg->node_array[i].name)
			continue;
		if (fill_node(api, c, &msg->node_array[i], to) ||
			weft_map_add(index, to->name, c->n_nodes, NULL) < 0)
			return -1;
		c->n_nodes++;
	}
	return 0;
}

static unsigned count_or_0(uint32_t v)
{
	return v == NO_VAL || v == INFINITE || v > INT32_MAX ? 0 : v;
}

static int64_t minutes(uint32_t v)
{
	return v == NO_VAL || v == INFINITE ? 0 : (int64_t)v * 60;
}

/* A limit that holds for a node (per_cpu false) or for a CPU, in bytes; 0 where
 * this one isn't of that kind. */
static uint64_t limit(uint64_t v, bool per_cpu)
{
	if (!v || v == NO_VAL64 || v == INFINITE64 || !!(v & MEM_PER_CPU) != per_cpu)
		return 0;
	return (v & ~MEM_PER_CPU) * MIB;
}

static int fill_members(struct weft_cluster *c, const char *nodes, const char *of,
	const struct weft_map *index, unsigned **node, size_t *n_nodes,
	struct weft_err *err)
{
	size_t n = 0;
	char **name = NULL;

	if (!nodes || !*nodes)
		return 0;
	if (weft_hostlist_expand(nodes, WEFT_CLUSTER_MAX_NODES, &name, &n, err)) {
		if (err)
			err->code = WEFT_ESLURM;
		return weft_err_prefix(err, "%s", of);
	}
	*node = weft_arena_alloc(&c->arena, n * sizeof(**node));
	for (size_t i = 0; i < n && *node; i++) {
		size_t at;

		if (weft_map_get(index, name[i], &at))
			(*node)[(*n_nodes)++] = (unsigned)at;
	}
	weft_hostlist_free(name, n);
	return *node ? 0 : weft_err_nomem(err);
}

static int64_t after(const struct weft_cluster *c, time_t when)
{
	int64_t seconds = (int64_t)when - (int64_t)c->taken;

	return seconds > 0 ? (seconds + 59) / 60 * 60 : 0;
}

static int fill_reservations(struct weft_cluster *c, const reserve_info_msg_t *msg,
	const struct weft_map *index, struct weft_err *err)
{
	uint32_t n = msg ? msg->record_count : 0;

	c->reservation = weft_arena_alloc(&c->arena, (n + 1) * sizeof(*c->reservation));
	if (!c->reservation)
		return weft_err_nomem(err);
	for (uint32_t i = 0; i < n; i++) {
		const reserve_info_t *from = &msg->reservation_array[i];
		struct weft_reservation *to = &c->reservation[c->n_reservations++];

		to->name = weft_arena_strdup(&c->arena, from->name ? from->name : "");
		to->partition = weft_arena_strdup(
			&c->arena, from->partition ? from->partition : "");
		to->start = after(c, from->start_time);
		to->end = after(c, from->end_time);
		if (!to->name || !to->partition ||
			split_names(&c->arena, from->users, &to->users, &to->n_users) ||
			split_names(&c->arena, from->accounts, &to->accounts,
				&to->n_accounts))
			return weft_err_nomem(err);
		if (fill_members(c, from->node_list, to->name, index, &to->node,
			    &to->n_nodes, err))
			return -1;
	}
	return 0;
}

static int fill_partition(struct weft_cluster *c, const partition_info_t *from,
	const slurm_conf_t *conf, const struct weft_map *index,
	struct weft_partition *to, struct weft_err *err)
{
	uint64_t def = from->def_mem_per_cpu, max = from->max_mem_per_cpu;
	struct weft_arena *arena = &c->arena;

	if (!def || def == NO_VAL64)
		def = conf->def_mem_per_cpu;
	if (!max || max == NO_VAL64)
		max = conf->max_mem_per_cpu;
	to->name = weft_arena_strdup(arena, from->name);
	to->up = from->state_up == PARTITION_UP &&
		 !((from->flags & PART_FLAG_ROOT_ONLY) && getuid() != 0);
	to->is_default = from->flags & PART_FLAG_DEFAULT;
	to->exclusive = from->max_share == 0;
	to->max_time = minutes(from->max_time);
	to->default_time = minutes(from->default_time);
	to->min_nodes = count_or_0(from->min_nodes);
	to->max_nodes = count_or_0(from->max_nodes);
	to->max_cpus_per_node = count_or_0(from->max_cpus_per_node);
	to->max_mem_per_node = limit(max, false);
	to->def_mem_per_cpu = limit(def, true);
	to->def_mem_per_node = limit(def, false);
	if (!to->name ||
		split_names(arena, from->allow_accounts, &to->allow_accounts,
			&to->n_allow_accounts) ||
		split_names(arena, from->deny_accounts, &to->deny_accounts,
			&to->n_deny_accounts) ||
		split_names(arena, from->allow_groups, &to->allow_groups,
			&to->n_allow_groups) ||
		split_names(arena, from->allow_qos, &to->allow_qos, &to->n_allow_qos))
		return weft_err_nomem(err);
	return fill_members(
		c, from->nodes, to->name, index, &to->node, &to->n_nodes, err);
}

static int fill_head(struct weft_cluster *c, const struct answers *a)
{
	const slurm_conf_t *conf = a->conf;
	uint32_t n = a->licenses ? a->licenses->num_lic : 0;

	c->name = weft_arena_strdup(
		&c->arena, conf->cluster_name ? conf->cluster_name : "");
	c->slurm_version =
		weft_arena_strdup(&c->arena, conf->version ? conf->version : "");
	c->taken = floor(weft_now());
	c->max_array_size = conf->max_array_sz;
	c->select_by_memory = conf->select_type_param & CR_MEMORY;
	if (slurm_user(c, conf->accounting_storage_enforce & ENFORCE_ASSOCIATIONS) < 0)
		return -1;
	c->license = weft_arena_alloc(&c->arena, (n + 1) * sizeof(*c->license));
	if (!c->name || !c->slurm_version || !c->license)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		const slurm_license_info_t *from = &a->licenses->lic_array[i];

		c->license[i] =
			(struct weft_license){weft_arena_strdup(&c->arena, from->name),
				from->total, from->in_use};
		if (!c->license[i].name)
			return -1;
		c->n_licenses++;
	}
	return 0;
}

static int build(const struct slurm_api *api, struct weft_cluster *c,
	const struct answers *a, struct weft_err *err)
{
	const partition_info_msg_t *p = a->partitions;
	struct weft_map index = {0};
	int status = -1;

	if (fill_head(c, a) || fill_nodes(api, c, a->nodes, &index)) {
		weft_err_nomem(err);
		goto out;
	}
	c->partition = weft_arena_alloc(
		&c->arena, (p->record_count + 1) * sizeof(*c->partition));
	if (!c->partition) {
		weft_err_nomem(err);
		goto out;
	}
	for (uint32_t i = 0; i < p->record_count; i++)
		if (fill_partition(c, &p->partition_array[i], a->conf, &index,
			    &c->partition[c->n_partitions++], err))
			goto out;
	status = fill_reservations(c, a->reservations, &index, err);
	if (status == 0)
		status = slurm_running(api, c, &index, err);
out:
	weft_map_free(&index);
	return status;
}

int weft_slurm_snapshot(struct weft_cluster **c, struct weft_err *err)
{
	const struct slurm_api *api = slurm_api(err);
	struct answers a = {0};
	struct slurm_hush hush;
	struct weft_cluster *made;
	int status;

	*c = NULL;
	if (!api)
		return -1;
	made = calloc(1, sizeof(*made));
	if (!made)
		return weft_err_nomem(err);
	slurm_hush_begin(&hush);
	status = ask(api, &a, err);
	if (status == 0)
		status = build(api, made, &a, err);
	slurm_hush_end(&hush, err);
	free_answers(api, &a);
	if (status)
		weft_cluster_free(made);
	else
		*c = made;
	return status;
}
