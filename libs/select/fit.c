/* fit.c - an ask against a partition. */
#include "select/fit.h"

#include <stdlib.h>
#include <string.h>

uint64_t fit_mem(
	const struct pools *ps, const struct weft_partition *p, const struct sized *s)
{
	uint64_t mem = p->def_mem_per_cpu ? p->def_mem_per_cpu * s->cpus_node
					  : p->def_mem_per_node;

	if (s->mem || !ps->cluster->select_by_memory)
		return s->mem;
	/* Without a default it has all that the node has. */
	return mem ? mem + s->in_memory : 0;
}

static uint64_t cpu_limit(const struct weft_partition *p, const struct weft_node *n)
{
	return p->max_cpus_per_node && p->max_cpus_per_node < n->cpus
		       ? p->max_cpus_per_node
		       : n->cpus;
}

static uint64_t mem_limit(const struct weft_partition *p, const struct weft_node *n)
{
	return p->max_mem_per_node && p->max_mem_per_node < n->mem ? p->max_mem_per_node
								   : n->mem;
}

/* The first thing that a node lacks for a share; *have: what it has of it. */
static enum stage share_on(const struct pools *ps, const struct weft_partition *p,
	const struct weft_node *n, const struct ask *a, const struct sized *s,
	uint64_t *have)
{
	*have = 0;
	if (s->gpus_node && !node_gpus(n, a->gpu_type))
		return STAGE_GPU_TYPE;
	*have = node_gpus(n, a->gpu_type);
	if (s->gpus_node > *have)
		return STAGE_GPUS;
	*have = 0; /* so that no kind of node is nearer than another */
	if (!node_has(n, a->constraint))
		return STAGE_CONSTRAINT;
	*have = cpu_limit(p, n);
	if (s->cpus_node > *have)
		return STAGE_CPUS;
	*have = mem_limit(p, n);
	if (fit_mem(ps, p, s) > *have)
		return STAGE_MEM;
	*have = n->tmp;
	if (a->tmp > *have)
		return STAGE_TMP;
	return STAGE_FITS;
}

bool fit_share(const struct pools *ps, const struct weft_partition *p,
	const struct weft_node *n, const struct ask *a, const struct sized *s)
{
	uint64_t have;

	return share_on(ps, p, n, a, s, &have) == STAGE_FITS;
}

/* Least number of nodes like n in [lo, hi]; 0: none.  A share only gets smaller
 * with more nodes, so it is searched by halves; where the numbers must be even
 * (torchrun), one by one from there. */
static unsigned least_nodes(const struct pools *ps, const struct weft_partition *p,
	const struct weft_node *n, const struct ask *a, unsigned lo, unsigned hi)
{
	struct sized s;
	uint64_t have;
	struct ask loose = *a;
	unsigned top = hi;

	loose.launch = WEFT_LAUNCH_SRUN;
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (ask_size(&loose, mid, &s) &&
			share_on(ps, p, n, a, &s, &have) == STAGE_FITS)
			hi = mid;
		else
			lo = mid + 1;
	}
	for (; lo <= top; lo++) {
		if (ask_size(a, lo, &s))
			return share_on(ps, p, n, a, &s, &have) == STAGE_FITS ? lo : 0;
		if (a->launch != WEFT_LAUNCH_TORCHRUN)
			return 0;
	}
	return 0;
}

/* Nodes of the pool that can take a share. */
static void count_nodes(const struct pools *ps, const struct pool *pool,
	const struct ask *a, struct fit *f)
{
	uint64_t have;

	f->nodes = f->idle = 0;
	f->node = NULL;
	for (size_t i = 0; i < pool->n_shapes; i++) {
		const struct shape *sh = &pool->shape[i];

		if (share_on(ps, pool->part, sh->node, a, &f->size, &have) !=
			STAGE_FITS)
			continue;
		f->nodes += sh->count;
		f->idle += sh->idle;
		/* Hours are counted for the largest that it may get. */
		if (!f->node || sh->node->cpus > f->node->cpus)
			f->node = sh->node;
	}
}

/* No shape takes the smallest share: which thing lacks on the nearest one. */
static void explain_share(const struct pools *ps, const struct pool *pool,
	const struct ask *a, unsigned most, struct fit *f)
{
	f->stage = STAGE_DOWN;
	f->best = 0;
	if (!ask_size(a, most, &f->size) && !ask_size(a, a->lo, &f->size))
		return;
	for (size_t i = 0; i < pool->n_shapes; i++) {
		uint64_t have;
		enum stage st = share_on(
			ps, pool->part, pool->shape[i].node, a, &f->size, &have);

		if (st > f->stage || (st == f->stage && have > f->best)) {
			f->stage = st;
			f->best = have;
		}
	}
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

/* Tries the node counts at which one of the shapes begins to fit, least first. */
static int try_counts(const struct pools *ps, const struct pool *pool,
	const struct ask *a, unsigned lo, unsigned most, struct fit *f,
	struct weft_err *err)
{
	weft_autofree unsigned *try = calloc(pool->n_shapes + 1, sizeof(*try));
	size_t n = 0;

	if (!try)
		return weft_err_nomem(err);
	for (size_t i = 0; i < pool->n_shapes; i++) {
		unsigned k =
			least_nodes(ps, pool->part, pool->shape[i].node, a, lo, most);

		if (k)
			try[n++] = k;
	}
	if (!n) {
		explain_share(ps, pool, a, most, f);
		return 0;
	}
	qsort(try, n, sizeof(*try), by_number);
	for (size_t i = 0; i < n; i++) {
		if (i && try[i] == try[i - 1])
			continue;
		ask_size(a, try[i], &f->size);
		count_nodes(ps, pool, a, f);
		if (f->nodes >= f->size.nodes) {
			f->stage = STAGE_FITS;
			return 0;
		}
	}
	f->stage = STAGE_NODES;
	f->best = f->nodes;
	return 0;
}

static int mark_nodes(struct pools *ps, const char *list, bool *mark, bool value,
	unsigned *n_marked, const char **unknown, struct weft_err *err)
{
	char **name;
	size_t n;

	if (weft_hostlist_expand(list, ps->cluster->n_nodes + 65536, &name, &n, err) <
		0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		long at = pools_node(ps, name[i]);

		if (at >= 0 && mark[at] != value) {
			mark[at] = value;
			++*n_marked;
		} else if (at < 0 && !**unknown) {
			*unknown = weft_arena_strdup(&ps->arena, name[i]);
		}
	}
	weft_hostlist_free(name, n);
	return *unknown ? 0 : weft_err_nomem(err);
}

static const struct weft_reservation *reserved(
	const struct pools *ps, const struct ask *a)
{
	return *a->reservation ? weft_cluster_reservation(ps->cluster, a->reservation)
			       : NULL;
}

static void skip_unreserved(const struct pools *ps, const struct ask *a, bool *skip)
{
	const struct weft_reservation *r = reserved(ps, a);

	for (size_t i = 0; i < ps->cluster->n_nodes; i++)
		skip[i] = true;
	for (size_t i = 0; i < r->n_nodes; i++)
		skip[r->node[i]] = false;
}

/* exclude: a pool without those nodes. nodelist: each of them must take a share,
 * and the job has at least as many.  *least: that many. */
static int narrow(struct pools *ps, const struct pool *pool, const struct ask *a,
	struct pool *out, unsigned *least, struct fit *f, struct weft_err *err)
{
	weft_autofree bool *mark = calloc(ps->cluster->n_nodes + 1, sizeof(*mark));
	const char *unknown = "";
	unsigned n = 0;

	if (!mark)
		return weft_err_nomem(err);
	if (reserved(ps, a)) {
		skip_unreserved(ps, a, mark);
		if (pool_fill(ps, pool->part, mark, out, err) < 0)
			return -1;
		if (!out->up) {
			f->access = ACCESS_NOT_RESERVED;
			return 1;
		}
	}
	if (*a->exclude &&
		mark_nodes(ps, a->exclude, mark, true, &n, &unknown, err) < 0)
		return -1;
	if (pool_fill(ps, pool->part, mark, out, err) < 0)
		return -1;
	if (!out->up) {
		f->stage = STAGE_NODELIST;
		f->detail = "";
		return 1;
	}
	if (!*a->nodelist)
		return 0;
	memset(mark, 0, ps->cluster->n_nodes);
	unknown = "";
	n = 0;
	if (mark_nodes(ps, a->nodelist, mark, true, &n, &unknown, err) < 0)
		return -1;
	*least = n;
	for (size_t i = 0; i < pool->part->n_nodes; i++) {
		const struct weft_node *node = &ps->cluster->node[pool->part->node[i]];

		if (!mark[pool->part->node[i]])
			continue;
		if (node->state == WEFT_NODE_DOWN)
			unknown = node->name;
		mark[pool->part->node[i]] = false;
	}
	for (size_t i = 0; i < ps->cluster->n_nodes && !*unknown; i++)
		if (mark[i])
			unknown = ps->cluster->node[i].name;
	f->detail = unknown;
	f->stage = STAGE_NODELIST;
	return *unknown ? 1 : 0;
}

/* Once the size is known: each node of the list takes a share as well. */
static int check_nodelist(struct pools *ps, const struct pool *pool,
	const struct ask *a, struct fit *f, struct weft_err *err)
{
	char **name;
	size_t n;

	if (weft_hostlist_expand(a->nodelist, ps->cluster->n_nodes, &name, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && f->stage == STAGE_FITS; i++) {
		long at = pools_node(ps, name[i]);
		uint64_t have;

		if (at >= 0)
			f->stage = share_on(ps, pool->part, &ps->cluster->node[at], a,
				&f->size, &have);
		if (f->stage != STAGE_FITS)
			f->best = have;
	}
	weft_hostlist_free(name, n);
	return 0;
}

static void check_time(
	const struct weft_partition *p, const struct ask *a, struct fit *f)
{
	int64_t time = a->time           ? a->time
		       : p->default_time ? p->default_time
					 : p->max_time;

	f->time = (time + 59) / 60 * 60;
	if (p->max_time && f->time > p->max_time && a->time_of_conf) {
		/* A site's default is no wish of the user's. */
		f->time = p->max_time;
		f->shortened = true;
	} else if (p->max_time && f->time > p->max_time) {
		f->stage = STAGE_TIME;
		f->best = (uint64_t)p->max_time;
	}
}

int fit_pool(struct pools *ps, const struct pool *pool, const struct ask *a,
	struct fit *out, struct weft_err *err)
{
	const struct weft_partition *p = pool->part;
	struct pool own;
	unsigned lo = a->lo, most = ask_most_nodes(a), least = 0;

	*out = (struct fit){.detail = ""};
	if (!p->up || !pool->up)
		return 0;
	out->stage = STAGE_ACCESS;
	out->access = access_of(&ps->cluster->user, p, a);
	if (out->access <= ACCESS_PERHAPS &&
		access_reservation(ps->cluster, p, a) != ACCESS_OPEN)
		out->access = access_reservation(ps->cluster, p, a);
	if (out->access > ACCESS_PERHAPS)
		return 0;
	if (*a->exclude || *a->nodelist || reserved(ps, a)) {
		int rc = narrow(ps, pool, a, &own, &least, out, err);

		if (rc)
			return rc < 0 ? -1 : 0;
		pool = &own;
	}
	if (least > lo)
		lo = least;
	/* A partition may give more nodes than were asked for, where the range is
	 * open. */
	if (p->min_nodes > lo && p->min_nodes <= most)
		lo = p->min_nodes;
	if (lo > most) {
		if (!a->hi && !a->tasks && a->gpu_mode != GPUS_TOTAL) {
			most = lo;
		} else {
			out->stage = STAGE_NODELIST;
			out->best = least;
			return 0;
		}
	}
	if (try_counts(ps, pool, a, lo, most, out, err) < 0)
		return -1;
	if (out->stage != STAGE_FITS)
		return 0;
	if (least && check_nodelist(ps, pool, a, out, err) < 0)
		return -1;
	/* The partition's default is for programs alone: it must be said. */
	if (a->in_memory)
		out->size.mem = fit_mem(ps, p, &out->size);
	if (out->stage == STAGE_FITS &&
		((p->max_nodes && out->size.nodes > p->max_nodes) ||
			out->size.nodes < p->min_nodes))
		out->stage = STAGE_LIMIT;
	if (out->stage == STAGE_FITS)
		check_time(p, a, out);
	return 0;
}
