/* refuse.c - why not, and what the cluster has instead. */
#include "select/refuse.h"
#include "select/allow.h"

#include <stdlib.h>
#include <string.h>

#define LISTED 10

/* Names of partitions, "cpu, gpu"; at most ten. */
static void list_partitions(const struct pools *ps, struct weft_str *out)
{
	for (size_t i = 0; i < ps->n && i < LISTED; i++)
		weft_str_printf(out, "%s%s", i ? ", " : "", ps->pool[i].part->name);
	if (ps->n > LISTED)
		weft_str_add(out, ", ...");
}

/* Those that policy leaves to the ask. */
static void list_allowed(
	const struct pools *ps, const struct ask *a, struct weft_str *out)
{
	for (size_t i = 0; i < ps->n; i++)
		if (!allow_partition(ps->conf, a->role, ps->pool[i].part->name, NULL))
			weft_str_printf(out, "%s%s", out->len ? ", " : "",
				ps->pool[i].part->name);
}

int refuse_partition(const struct pools *ps, const char *name, struct weft_err *err)
{
	weft_autofree const char **names = calloc(ps->n + 1, sizeof(*names));
	weft_autostr struct weft_str list = {0};
	const char *near;

	if (!names)
		return weft_err_nomem(err);
	for (size_t i = 0; i < ps->n; i++)
		names[i] = ps->pool[i].part->name;
	near = weft_nearest(name, names, ps->n);
	list_partitions(ps, &list);
	weft_err_set(err, WEFT_EPLACE, "the cluster has no partition %s", name);
	if (near)
		return weft_err_hint(
			err, "did you mean %s? There are: %s", near, list.s);
	return weft_err_hint(err, "there are: %s", list.s ? list.s : "none");
}

/* "4 (a100)", "2 (v100), 4 (a100)": GPUs on a node, of each kind of node. */
static void list_gpus(const struct pool *pool, struct weft_str *out)
{
	for (size_t i = 0; i < pool->n_shapes; i++) {
		const struct weft_node *n = pool->shape[i].node;

		for (size_t k = 0; k < n->n_gpu_types; k++) {
			weft_autostr struct weft_str one = {0};

			weft_str_printf(&one, "%u", n->gpus[k].count);
			if (*n->gpus[k].type)
				weft_str_printf(&one, " (%s)", n->gpus[k].type);
			if (one.failed || (out->s && strstr(out->s, one.s)))
				continue;
			weft_str_printf(out, "%s%s", out->len ? ", " : "", one.s);
		}
	}
}

/* Where GPUs are, for a step that can't have any here: "gpu: 4 (a100)". */
static void list_gpu_partitions(const struct pools *ps, struct weft_str *out)
{
	size_t shown = 0;

	for (size_t i = 0; i < ps->n && shown < LISTED; i++) {
		weft_autostr struct weft_str gpus = {0};

		list_gpus(&ps->pool[i], &gpus);
		if (gpus.len && shown++ < LISTED)
			weft_str_printf(out, "%s%s has nodes with %s",
				out->len ? "; " : "", ps->pool[i].part->name, gpus.s);
	}
}

/* Features of the nodes that would do but for them. */
static void list_features(const struct pool *pool, const struct ask *a,
	const struct fit *f, struct weft_map *seen, struct weft_str *out)
{
	for (size_t i = 0; i < pool->n_shapes; i++) {
		const struct weft_node *n = pool->shape[i].node;

		if (node_gpus(n, a->gpu_type) < f->size.gpus_node)
			continue;
		for (size_t k = 0; k < n->n_features; k++)
			if (seen->n < LISTED &&
				weft_map_add(seen, n->feature[k], 0, NULL) == 1)
				weft_str_printf(out, "%s%s", out->len ? ", " : "",
					n->feature[k]);
	}
}

static int why_constraint(const struct pools *ps, const struct pool *pool,
	const struct ask *a, const struct fit *f, bool given, struct weft_err *err)
{
	weft_autostr struct weft_str list = {0};
	struct weft_map seen = {0};

	for (size_t i = 0; i < ps->n; i++)
		if (given ? &ps->pool[i] == pool : ps->pool[i].part->up)
			list_features(&ps->pool[i], a, f, &seen, &list);
	weft_map_free(&seen);
	weft_err_set(err, WEFT_EPLACE, "no node %shas the features %s",
		f->size.gpus_node ? "with these GPUs " : "", a->constraint);
	return weft_err_hint(err, "features there: %s", list.len ? list.s : "none");
}

static int why_down(
	const struct pools *ps, const struct pool *pool, struct weft_err *err)
{
	weft_autostr struct weft_str list = {0};

	if (!pool->part->up)
		weft_err_set(err, WEFT_EPLACE, "it is down");
	else if (!pool->down)
		weft_err_set(err, WEFT_EPLACE, "it has no nodes");
	else
		weft_err_set(err, WEFT_EPLACE, "all its nodes are down or drained%s%s",
			*pool->reason ? ": " : "", pool->reason);
	for (size_t i = 0; i < ps->n; i++)
		if (ps->pool[i].part->up && ps->pool[i].up)
			weft_str_printf(&list, "%s%s", list.len ? ", " : "",
				ps->pool[i].part->name);
	return weft_err_hint(err, "partitions with nodes that are up: %s",
		list.len ? list.s : "none");
}

static void list_names(struct weft_str *out, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n && i < LISTED; i++)
		weft_str_printf(out, "%s%s", i ? ", " : "", v[i]);
	if (n > LISTED)
		weft_str_add(out, ", ...");
}

/* The user's accounts, of those that a partition takes, each once. */
static void list_accounts(const struct pools *ps, const struct pool *pool,
	const struct ask *a, struct weft_str *out)
{
	const struct weft_user *u = &ps->cluster->user;
	struct weft_map seen = {0};

	for (size_t i = 0; i < u->n_associations && seen.n < LISTED; i++) {
		struct ask with = *a;

		with.account = u->association[i].account;
		with.qos = "";
		if (access_of(u, pool->part, &with) <= ACCESS_PERHAPS &&
			weft_map_add(&seen, with.account, 0, NULL) == 1)
			weft_str_printf(
				out, "%s%s", out->len ? ", " : "", with.account);
	}
	weft_map_free(&seen);
}

static void list_qos(const struct pools *ps, const char *account, struct weft_str *out)
{
	const struct weft_user *u = &ps->cluster->user;
	struct weft_map seen = {0};

	for (size_t i = 0; i < u->n_associations; i++) {
		const struct weft_association *s = &u->association[i];

		for (size_t k = 0; k < s->n_qos && seen.n < LISTED; k++)
			if (strcasecmp(s->account, account) == 0 &&
				weft_map_add(&seen, s->qos[k], 0, NULL) == 1)
				weft_str_printf(
					out, "%s%s", out->len ? ", " : "", s->qos[k]);
	}
	weft_map_free(&seen);
}

/* Partitions that this user may use as it is asked. */
static void list_open(const struct pools *ps, const struct ask *a, struct weft_str *out)
{
	for (size_t i = 0; i < ps->n; i++)
		if (ps->pool[i].part->up && ps->pool[i].up &&
			access_of(&ps->cluster->user, ps->pool[i].part, a) <=
				ACCESS_PERHAPS)
			weft_str_printf(out, "%s%s", out->len ? ", " : "",
				ps->pool[i].part->name);
}

static int why_access(const struct pools *ps, const struct pool *pool,
	const struct ask *a, const struct fit *f, struct weft_err *err)
{
	const struct weft_user *u = &ps->cluster->user;
	const struct weft_partition *p = pool->part;
	const char *account = access_account(u, a), *qos = access_qos(u, a);
	weft_autostr struct weft_str yours = {0}, open = {0}, names = {0}, also = {0};

	list_accounts(ps, pool, a, &yours);
	list_open(ps, a, &open);
	/* What others may use helps less than what this user may. */
	if (u->n_associations && open.len)
		weft_str_printf(&also, "; partitions open to you: %s", open.s);
	switch (f->access) {
	case ACCESS_ACCOUNT:
		weft_err_set(err, WEFT_EPLACE, "account %s may not use it", account);
		list_names(&names, p->allow_accounts, p->n_allow_accounts);
		if (yours.len)
			return weft_err_hint(err, "use account: %s", yours.s);
		if (names.len)
			return weft_err_hint(err, "it is open to: %s%s", names.s,
				also.len ? also.s : "");
		break;
	case ACCESS_QOS:
		weft_err_set(err, WEFT_EPLACE, "QOS %s may not use it", qos);
		list_names(&names, p->allow_qos, p->n_allow_qos);
		return weft_err_hint(
			err, "it is open to: %s%s", names.s, also.len ? also.s : "");
	case ACCESS_GROUPS:
		list_names(&names, p->allow_groups, p->n_allow_groups);
		weft_err_set(err, WEFT_EPLACE, "it is for groups that %s is not in: %s",
			u->name, names.s);
		break;
	case ACCESS_NOT_YOURS:
		weft_err_set(
			err, WEFT_EPLACE, "%s has no account %s", u->name, account);
		return yours.len ? weft_err_hint(err, "use account: %s", yours.s)
				 : weft_err_hint(err, "`sacctmgr show user withassoc` "
						      "shows your accounts");
	case ACCESS_ELSEWHERE:
		weft_err_set(err, WEFT_EPLACE, "account %s of %s is not for it",
			account, u->name);
		if (yours.len)
			return weft_err_hint(err, "use account: %s", yours.s);
		break;
	case ACCESS_NO_RESERVATION:
		for (size_t i = 0; i < ps->cluster->n_reservations && i < LISTED; i++)
			weft_str_printf(&names, "%s%s", i ? ", " : "",
				ps->cluster->reservation[i].name);
		weft_err_set(err, WEFT_EPLACE, "the cluster has no reservation %s",
			a->reservation);
		return weft_err_hint(err, "there are: %s", names.s);
	case ACCESS_RESERVED:
		weft_err_set(err, WEFT_EPLACE, "reservation %s is for others",
			a->reservation);
		return weft_err_hint(err, "leave reservation out, or use an account "
					  "that it is for");
	case ACCESS_NOT_RESERVED:
		weft_err_set(err, WEFT_EPLACE,
			"reservation %s has no node of it that is up", a->reservation);
		return weft_err_hint(
			err, "name a partition of its nodes, or leave it out");
	case ACCESS_QOS_NOT_YOURS:
		list_qos(ps, account, &names);
		weft_err_set(err, WEFT_EPLACE, "account %s of %s has no QOS %s",
			account, u->name, qos);
		return weft_err_hint(err, "use qos: %s", names.s);
	case ACCESS_OPEN:
	case ACCESS_PERHAPS:
		break;
	}
	return open.len ? weft_err_hint(err, "partitions open to you: %s", open.s)
			: weft_err_hint(err, "use another account or partition");
}

static int why_nodelist(const struct pool *pool, const struct ask *a,
	const struct fit *f, enum ask_key *key, struct weft_err *err)
{
	*key = *a->nodelist ? KEY_NODELIST : KEY_EXCLUDE;
	if (!*a->nodelist) {
		weft_err_set(err, WEFT_EPLACE, "exclude leaves no node of it");
		return weft_err_hint(err, "exclude fewer of its %u nodes", pool->up);
	}
	if (!*f->detail) {
		weft_err_set(err, WEFT_EPLACE,
			"nodelist names %ju nodes, more than the step can use",
			(uintmax_t)f->best);
		return weft_err_hint(err, "shorten nodelist, or raise nodes or ntasks");
	}
	weft_err_set(err, WEFT_EPLACE, "node %s of nodelist is not in it, or down",
		f->detail);
	return weft_err_hint(err, "`weft cluster` shows the nodes and their state");
}

static int why_gpu_type(const struct pools *ps, const struct ask *a, enum ask_key *key,
	struct weft_err *err)
{
	weft_autostr struct weft_str list = {0};

	list_gpu_partitions(ps, &list);
	*key = *a->gpu_type ? KEY_GPU_TYPE : a->gpus_key;
	if (*a->gpu_type && list.len)
		weft_err_set(
			err, WEFT_EPLACE, "no node has GPUs of type %s", a->gpu_type);
	else
		weft_err_set(err, WEFT_EPLACE, "no node has GPUs");
	if (list.len)
		return weft_err_hint(err, "partition %s", list.s);
	return weft_err_hint(err,
		"the cluster has no GPUs: leave out %s, or use any_of",
		ask_key_names[a->gpus_key]);
}

static int why_gpus(const struct pool *pool, const struct ask *a, const struct fit *f,
	enum ask_key *key, struct weft_err *err)
{
	weft_autostr struct weft_str list = {0};
	unsigned want = f->size.gpus_node, have = (unsigned)f->best, n;

	list_gpus(pool, &list);
	*key = a->gpus_key;
	weft_err_set(err, WEFT_EPLACE, "no node has %u GPUs: its nodes have %s", want,
		list.len ? list.s : "none");
	if (a->gpu_mode == GPUS_TASK)
		return weft_err_hint(err, "ask for at most %u GPUs a task", have);
	n = f->size.gpus ? (f->size.gpus + have - 1) / have : 1;
	if (f->size.gpus % n)
		return weft_err_hint(err, "use at most %u GPUs a node", have);
	return weft_err_hint(
		err, "use nodes: %u, gpus_per_node: %u", n, f->size.gpus / n);
}

static int why_cpus(const struct ask *a, const struct fit *f, enum ask_key *key,
	struct weft_err *err)
{
	unsigned have = (unsigned)f->best, each = f->size.cpus_task;

	if (each > have) {
		*key = a->cpus_gpu ? KEY_CPUS_PER_GPU : KEY_CPUS_PER_TASK;
		weft_err_set(err, WEFT_EPLACE,
			"no node has %u CPUs for a task: its nodes have %u", each,
			have);
		if (a->cpus_gpu && f->size.gpus_node > 1)
			return weft_err_hint(err, "use cpus_per_gpu: %u at most",
				have / f->size.gpus_node ? have / f->size.gpus_node
							 : 1);
		return weft_err_hint(
			err, "use cpus_per_task: %u at most, and more tasks", have);
	}
	*key = a->tasks && !a->task_node ? KEY_NODES : KEY_NTASKS_PER_NODE;
	if (a->gpu_mode == GPUS_NODE)
		*key = a->gpus_key;
	weft_err_set(err, WEFT_EPLACE,
		"no node has %ju CPUs (%u tasks of %u): its nodes have %u",
		(uintmax_t)f->size.cpus_node, f->size.tasks_node, each, have);
	return weft_err_hint(err, "use ntasks_per_node: %u at most, and nodes: %u",
		have / each, (f->size.tasks + have / each - 1) / (have / each));
}

/* A size that can be written in the file: never more than there is. */
static const char *exact(char *buf, uint64_t bytes)
{
	uint64_t m = bytes >> 20;

	snprintf(buf, WEFT_UNIT_MAX, "%ju%c", (uintmax_t)(m % 1024 ? m : m / 1024),
		m % 1024 ? 'M' : 'G');
	return buf;
}

static int why_mem(const struct pool *pool, const struct ask *a, const struct fit *f,
	enum ask_key *key, struct weft_err *err)
{
	char want[WEFT_UNIT_MAX], have[WEFT_UNIT_MAX];
	uint64_t mem = f->size.mem, units = 1;

	*key = a->mem_key;
	if (!mem) {
		mem = pool->part->def_mem_per_cpu * f->size.cpus_node;
		if (!mem)
			mem = pool->part->def_mem_per_node;
		*key = KEY_CPUS_PER_TASK;
	}
	weft_err_set(err, WEFT_EPLACE, "no node has %s of memory%s: its nodes give %s",
		weft_format_size(want, mem),
		f->size.mem ? "" : ", the partition's default for these CPUs",
		weft_format_size(have, f->best));
	if (!f->size.mem)
		return weft_err_hint(err, "use mem: %s at most", exact(have, f->best));
	if (a->mem_key == KEY_MEM_PER_CPU)
		units = f->size.cpus_node;
	else if (a->mem_key == KEY_MEM_PER_GPU)
		units = f->size.gpus_node;
	return weft_err_hint(err, "use %s: %s at most%s", ask_key_names[a->mem_key],
		exact(have, f->best / units),
		units > 1 ? ", or fewer of them a node" : "");
}

static int why_nodes(const struct pool *pool, const struct ask *a, const struct fit *f,
	enum ask_key *key, struct weft_err *err)
{
	weft_autostr struct weft_str share = {0};
	bool gpus = f->size.gpus_node > 0;
	unsigned have = (unsigned)f->best;

	*key = a->lo > 1 && a->hi ? KEY_NODES : gpus ? a->gpus_key : a->tasks_key;
	weft_str_printf(&share, "%u %s of %u %s", f->size.tasks_node,
		f->size.tasks_node == 1 ? "task" : "tasks", f->size.cpus_task,
		f->size.cpus_task == 1 ? "CPU" : "CPUs");
	if (gpus)
		weft_str_printf(&share, " and %u %s", f->size.gpus_node,
			f->size.gpus_node == 1 ? "GPU" : "GPUs");
	weft_err_set(err, WEFT_EPLACE,
		"it takes %u nodes (%s on each), and has %u for it", f->size.nodes,
		share.s ? share.s : "", have);
	if (pool->part->max_nodes && pool->part->max_nodes < have)
		have = pool->part->max_nodes;
	if (a->gpu_mode == GPUS_TOTAL)
		weft_err_hint(err, "use gpus: %u at most", have * f->size.gpus_node);
	else if (a->tasks && !(a->lo > 1 && a->hi))
		weft_err_hint(err, "use ntasks: %u at most", have * f->size.tasks_node);
	else
		weft_err_hint(err, "use nodes: %u at most", have);
	return 0;
}

static int why_limit(const struct pool *pool, const struct fit *f, enum ask_key *key,
	struct weft_err *err)
{
	const struct weft_partition *p = pool->part;

	*key = KEY_NODES;
	if (f->size.nodes < p->min_nodes) {
		weft_err_set(err, WEFT_EPLACE,
			"it gives a job at least %u nodes, not %u", p->min_nodes,
			f->size.nodes);
		return weft_err_hint(
			err, "use nodes: %u, or another partition", p->min_nodes);
	}
	weft_err_set(err, WEFT_EPLACE, "it gives a job at most %u nodes, not %u",
		p->max_nodes, f->size.nodes);
	return weft_err_hint(err, "use nodes: %u at most", p->max_nodes);
}

static int why_time(const struct pools *ps, const struct fit *f, enum ask_key *key,
	struct weft_err *err)
{
	char want[WEFT_UNIT_MAX], have[WEFT_UNIT_MAX];
	const struct pool *longest = NULL;

	*key = KEY_TIME;
	weft_err_set(err, WEFT_EPLACE, "%s is over its time limit of %s",
		weft_format_duration(want, f->time),
		weft_format_duration(have, (int64_t)f->best));
	for (size_t i = 0; i < ps->n; i++) {
		const struct weft_partition *p = ps->pool[i].part;

		if (!p->up || !ps->pool[i].up)
			continue;
		if (!longest || !p->max_time ||
			(longest->part->max_time &&
				p->max_time > longest->part->max_time))
			longest = &ps->pool[i];
	}
	if (longest && longest->part->max_time && longest->part->max_time < f->time)
		return weft_err_hint(err, "the longest is %s, of partition %s",
			weft_format_duration(have, longest->part->max_time),
			longest->part->name);
	return weft_err_hint(err, "use time: %s at most", have);
}

int refuse(const struct pools *ps, const struct pool *pool, const struct ask *a,
	const struct fit *f, bool given, enum ask_key *key, struct weft_err *err)
{
	weft_autostr struct weft_str list = {0};
	char buf[WEFT_UNIT_MAX];

	*key = KEY_NONE;
	if (!pool) {
		list_allowed(ps, a, &list);
		weft_err_set(
			err, WEFT_EPLACE, "no partition may be chosen for this step");
		if (!list.len && ps->n)
			return weft_conf_hint_ask(ps->conf, err,
				"the site keeps steps of role %s off every partition",
				weft_role_name(a->role));
		return weft_err_hint(err, "name one with partition: %s",
			list.len ? list.s : "the cluster has none");
	}
	switch (f->stage) {
	case STAGE_DOWN:
		*key = given ? KEY_PARTITION : KEY_NONE;
		why_down(ps, pool, err);
		break;
	case STAGE_ACCESS:
		*key = given ? KEY_PARTITION : KEY_NONE;
		why_access(ps, pool, a, f, err);
		break;
	case STAGE_NODELIST:
		why_nodelist(pool, a, f, key, err);
		break;
	case STAGE_GPU_TYPE:
		why_gpu_type(ps, a, key, err);
		break;
	case STAGE_GPUS:
		why_gpus(pool, a, f, key, err);
		break;
	case STAGE_CONSTRAINT:
		*key = KEY_CONSTRAINT;
		why_constraint(ps, pool, a, f, given, err);
		break;
	case STAGE_CPUS:
		why_cpus(a, f, key, err);
		break;
	case STAGE_MEM:
		why_mem(pool, a, f, key, err);
		break;
	case STAGE_TMP:
		*key = KEY_TMP;
		weft_err_set(err, WEFT_EPLACE, "no such node has %s of local disk",
			weft_format_size(buf, a->tmp));
		if (f->best)
			weft_err_hint(err, "use tmp: %s at most", exact(buf, f->best));
		else
			weft_err_hint(err, "its nodes have none");
		break;
	case STAGE_NODES:
		why_nodes(pool, a, f, key, err);
		break;
	case STAGE_LIMIT:
		why_limit(pool, f, key, err);
		break;
	case STAGE_TIME:
		why_time(ps, f, key, err);
		break;
	case STAGE_FITS:
		break;
	}
	/* True of every partition: none is nearer. */
	if (!given && (f->stage == STAGE_GPU_TYPE || f->stage == STAGE_CONSTRAINT))
		return -1;
	return given ? weft_err_prefix(err, "partition %s", pool->part->name)
		     : weft_err_prefix(err,
			       "no partition can hold it; the nearest is %s",
			       pool->part->name);
}
