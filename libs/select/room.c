/* room.c - what is free now and what becomes free, as steps of a curve. */
#include "select/room.h"
#include "select/key.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beyond so many different shares their sizes are rounded up, so that a plan of a
 * hundred thousand of them takes no longer. */
#define EXACT 1024
#define GRAIN 16 /* parts of a node, then */

struct room_cache {
	struct weft_map map; /* key -> index */
	struct room **v;
	size_t n, cap;
};

void room_cache_free(struct room_cache *c)
{
	if (!c)
		return;
	weft_map_free(&c->map);
	free(c->v);
	free(c);
}

struct point {
	double time, place;
};

/* While a curve is made. */
struct draft {
	const struct weft_cluster *c;
	const struct ask *a; /* NULL: all of the partition */
	const struct sized *s;
	uint64_t mem;      /* of the share, the partition's default too */
	bool alone;        /* at most one place on a node */
	double not_before; /* start of the reservation asked for; negative: none is */
	bool exclusive;
	struct point *v;
	size_t n, cap;
};

/* What is free of a node. */
struct vacancy {
	unsigned cpus, gpus;
	uint64_t mem;
};

static unsigned count_gpus(
	const struct weft_node *n, const struct ask *a, const unsigned *v)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n->n_gpu_types; i++)
		if (!a || !*a->gpu_type || !strcasecmp(n->gpus[i].type, a->gpu_type))
			sum += v[i];
	return sum;
}

static struct vacancy vacant_now(const struct weft_node *n, const struct ask *a)
{
	unsigned free_gpus[WEFT_CLUSTER_MAX_GPU_TYPES];

	/* A snapshot written by hand may say no more than that it is in use. */
	if (n->state != WEFT_NODE_IDLE && !n->cpus_used)
		return (struct vacancy){0};
	for (size_t i = 0; i < n->n_gpu_types; i++)
		free_gpus[i] = n->gpus[i].count - n->gpus[i].used;
	return (struct vacancy){.cpus = n->cpus - n->cpus_used,
		.gpus = count_gpus(n, a, free_gpus),
		.mem = n->mem_used < n->mem ? n->mem - n->mem_used : 0};
}

static double part_of(double part, double whole)
{
	return whole > 0 ? part / whole : 1;
}

/* Places in what is vacant. */
static double places(
	const struct draft *d, const struct weft_node *n, const struct vacancy *v)
{
	double least;

	if (d->exclusive && v->cpus < n->cpus)
		return 0;
	if (!d->s) {
		least = part_of(v->cpus, n->cpus);
		if (n->n_gpus && part_of(v->gpus, n->n_gpus) < least)
			least = part_of(v->gpus, n->n_gpus);
		if (d->c->select_by_memory && n->mem &&
			part_of((double)v->mem, (double)n->mem) < least)
			least = part_of((double)v->mem, (double)n->mem);
		return least;
	}
	least = (double)(v->cpus / (d->s->cpus_node ? d->s->cpus_node : 1));
	if (d->s->gpus_node && v->gpus / d->s->gpus_node < least)
		least = v->gpus / d->s->gpus_node;
	if (d->c->select_by_memory && d->mem && (double)(v->mem / d->mem) < least)
		least = (double)(v->mem / d->mem);
	return d->alone && least > 1 ? 1 : least;
}

static int add_point(struct draft *d, double time, double place)
{
	if (!(place > 0))
		return 0;
	if (weft_grow(d->v, d->n, d->cap) < 0)
		return -1;
	d->v[d->n++] = (struct point){time, place};
	return 0;
}

/* *first: when it has its first place; INFINITY. */
static int add_node(struct draft *d, const struct pools *ps, const struct weft_node *n,
	unsigned count, double *first)
{
	/* What others have reserved comes when that ends. */
	double from =
		d->not_before >= 0 ? d->not_before : ps->held[n - ps->cluster->node];
	struct vacancy v = vacant_now(n, d->a);
	double have = places(d, n, &v);

	*first = have > 0 ? from : INFINITY;
	if (!(from < INFINITY))
		return 0;
	if (add_point(d, from, have * count) < 0)
		return -1;
	for (size_t i = 0; i < n->n_releases; i++) {
		const struct weft_release *r = &n->release[i];
		double when = (double)r->after > from ? (double)r->after : from, more;

		v.cpus += r->cpus;
		v.mem += r->mem;
		v.gpus += count_gpus(n, d->a, r->gpus);
		more = places(d, n, &v);
		if (more > have && add_point(d, when, (more - have) * count) < 0)
			return -1;
		if (more > 0 && !(*first < INFINITY))
			*first = when;
		have = more > have ? more : have;
	}
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

static int finish(struct pools *ps, struct draft *d, struct room *r)
{
	double *time, *place, *spent;
	size_t n = 0;

	if (d->n)
		qsort(d->v, d->n, sizeof(*d->v), by_time);
	time = weft_arena_alloc(&ps->arena, (d->n + 1) * sizeof(*time));
	place = weft_arena_alloc(&ps->arena, (d->n + 1) * sizeof(*place));
	spent = weft_arena_alloc(&ps->arena, (d->n + 1) * sizeof(*spent));
	if (!time || !place || !spent)
		return -1;
	for (size_t i = 0; i < d->n; i++) {
		const struct point *p = &d->v[i];

		if (!n || time[n - 1] < p->time) {
			time[n] = p->time;
			place[n] = n ? place[n - 1] : 0;
			spent[n] = n ? spent[n - 1] : 0;
			n++;
		}
		place[n - 1] += p->place;
		spent[n - 1] += p->place * p->time;
	}
	r->n = n;
	r->time = time;
	r->place = place;
	r->spent = spent;
	return 0;
}

/* The nodes that the list names, and when the last of them has room. */
static int listed(struct pools *ps, struct draft *d, const char *list, double *when)
{
	char **name;
	size_t n;

	*when = 0;
	if (weft_hostlist_expand(list, ps->cluster->n_nodes + 1, &name, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		long at = pools_node(ps, name[i]);
		size_t before = d->n;
		double first;

		if (at < 0)
			continue;
		if (add_node(d, ps, &ps->cluster->node[at], 1, &first) < 0) {
			weft_hostlist_free(name, n);
			return -1;
		}
		d->n = before;
		if (first > *when)
			*when = first;
	}
	weft_hostlist_free(name, n);
	return 0;
}

/* The pool without what the step excludes or has not reserved; pool itself where there
 * is no such. */
static const struct pool *without(struct pools *ps, const struct pool *pool,
	const struct ask *a, const struct weft_reservation *r, struct pool *own)
{
	weft_autofree bool *skip = NULL;
	char **name = NULL;
	size_t n = 0;

	if (*a->exclude && weft_hostlist_expand(a->exclude,
				   ps->cluster->n_nodes + 65536, &name, &n, NULL) < 0)
		n = 0;
	if (!n && !r)
		return pool;
	skip = calloc(ps->cluster->n_nodes + 1, sizeof(*skip));
	for (size_t i = 0; skip && r && i < ps->cluster->n_nodes; i++)
		skip[i] = true;
	for (size_t i = 0; skip && r && i < r->n_nodes; i++)
		skip[r->node[i]] = false;
	for (size_t i = 0; skip && i < n; i++) {
		long at = pools_node(ps, name[i]);

		if (at >= 0)
			skip[at] = true;
	}
	weft_hostlist_free(name, n);
	return skip && pool_fill(ps, pool->part, skip, own, NULL) == 0 ? own : NULL;
}

static struct room *make(struct pools *ps, const struct pool *pool, struct draft *d)
{
	struct room *r = weft_arena_alloc(&ps->arena, sizeof(*r));
	const struct weft_reservation *reserved = NULL;
	struct pool own;
	double first;

	if (d->a && *d->a->reservation)
		reserved = weft_cluster_reservation(ps->cluster, d->a->reservation);
	d->not_before = reserved ? (double)reserved->start : -1;
	pool = d->a ? without(ps, pool, d->a, reserved, &own) : pool;
	if (!r || !pool)
		return NULL;
	for (size_t i = 0; i < pool->n_uses; i++) {
		const struct use *u = &pool->use[i];

		if (d->a && !fit_share(ps, pool->part, u->node, d->a, d->s))
			continue;
		if (add_node(d, ps, u->node, u->count, &first) < 0)
			return NULL;
		if (!r->node)
			r->node = u->node;
		r->now += first == 0 ? u->count : 0;
	}
	if (d->a && *d->a->nodelist && listed(ps, d, d->a->nodelist, &r->listed) < 0)
		return NULL;
	return finish(ps, d, r) < 0 ? NULL : r;
}

/* Up to the next part of the largest node of the pool. */
static uint64_t coarse(uint64_t v, uint64_t whole)
{
	uint64_t grain = whole / GRAIN ? whole / GRAIN : 1;
	uint64_t up = (v + grain - 1) / grain * grain;

	return v && up > whole && v <= whole ? whole : up;
}

static void round_up(const struct pool *pool, struct sized *s, uint64_t *mem)
{
	const struct weft_node *most = NULL;

	for (size_t i = 0; i < pool->n_shapes; i++)
		if (!most || pool->shape[i].node->cpus > most->cpus)
			most = pool->shape[i].node;
	if (!most)
		return;
	s->cpus_node = coarse(s->cpus_node, most->cpus);
	*mem = coarse(*mem, most->mem);
}

static struct room *lookup(struct pools *ps, const char *key)
{
	size_t at;

	return ps->rooms && weft_map_get(&ps->rooms->map, key, &at) ? ps->rooms->v[at]
								    : NULL;
}

static int keep(struct pools *ps, const char *key, struct room *r)
{
	const char *own = weft_arena_strdup(&ps->arena, key);

	if (!own)
		return -1;
	if (!ps->rooms)
		ps->rooms = calloc(1, sizeof(*ps->rooms));
	if (!ps->rooms || weft_grow(ps->rooms->v, ps->rooms->n, ps->rooms->cap) < 0 ||
		weft_map_add(&ps->rooms->map, own, ps->rooms->n, NULL) < 0)
		return -1;
	ps->rooms->v[ps->rooms->n++] = r;
	return 0;
}

static void key_of(struct weft_str *key, const struct pool *pool, const struct draft *d)
{
	key->len = 0;
	weft_str_add(key, pool->part->name);
	key_text(key, d->a->gpu_type);
	key_text(key, d->a->constraint);
	key_text(key, d->a->exclude);
	key_text(key, d->a->nodelist);
	key_text(key, d->a->reservation);
	weft_str_addc(key, '\x1f');
	key_number(key, d->s->cpus_node);
	key_number(key, d->mem);
	key_number(key, d->s->gpus_node);
	key_number(key, d->a->tmp);
	key_number(key, d->alone + 2 * d->exclusive);
}

const struct room *room_of(struct pools *ps, const struct pool *pool,
	const struct ask *a, const struct sized *s, bool exclusive)
{
	weft_autostr struct weft_str key = {0};
	struct sized size = *s;
	struct draft d = {.c = ps->cluster,
		.a = a,
		.s = &size,
		.mem = fit_mem(ps, pool->part, s),
		.alone = s->nodes > 1 || exclusive || pool->part->exclusive,
		.exclusive = exclusive || pool->part->exclusive};
	struct room *r;

	key_of(&key, pool, &d);
	r = key.failed ? NULL : lookup(ps, key.s);
	if (r || key.failed)
		return r;
	if (ps->rooms && ps->rooms->n > EXACT) {
		round_up(pool, &size, &d.mem);
		size.mem = d.mem;
		key_of(&key, pool, &d);
		r = key.failed ? NULL : lookup(ps, key.s);
		if (r || key.failed)
			return r;
	}
	r = make(ps, pool, &d);
	free(d.v);
	return r && keep(ps, key.s, r) == 0 ? r : NULL;
}

const struct room *room_whole(struct pools *ps, const struct pool *pool)
{
	struct draft d = {.c = ps->cluster};
	struct room *r = lookup(ps, pool->part->name);

	if (r)
		return r;
	r = make(ps, pool, &d);
	free(d.v);
	return r && keep(ps, pool->part->name, r) == 0 ? r : NULL;
}

double room_part(const struct weft_cluster *c, const struct weft_node *n,
	const struct sized *s, bool exclusive)
{
	double most;

	if (exclusive || !n)
		return 1;
	most = part_of((double)s->cpus_node, n->cpus);
	if (s->gpus_node && part_of(s->gpus_node, n->n_gpus) > most)
		most = part_of(s->gpus_node, n->n_gpus);
	if (c->select_by_memory && part_of((double)s->mem, (double)n->mem) > most &&
		n->mem)
		most = part_of((double)s->mem, (double)n->mem);
	return most < 1 ? most : 1;
}

/* The first step of the curve with so many places; n: none. */
static size_t step_with(const struct room *r, double place)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->place[mid] >= place)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

double room_wait(const struct room *r, unsigned nodes)
{
	size_t at = step_with(r, nodes ? nodes : 1);
	double when = at < r->n ? r->time[at] : INFINITY;

	return when > r->listed ? when : r->listed;
}

double room_jobs(const struct room *r, unsigned nodes, double time)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) { /* the first step after it */
		size_t mid = lo + (hi - lo) / 2;

		if (r->time[mid] > time)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo ? floor(r->place[lo - 1] / nodes) : 0;
}

/* With the places up to a step of the curve: when all members have run. */
static double ends(const struct room *r, size_t at, double nodes, double members,
	double parallel, double run)
{
	double before = at ? r->place[at - 1] : 0, most = parallel * nodes;
	double place = r->place[at] < most ? r->place[at] : most;
	double spent = (at ? r->spent[at - 1] : 0) + (place - before) * r->time[at];
	double jobs = floor(place / nodes);

	if (jobs < 1)
		return INFINITY;
	if (!(spent > 0))
		return ceil(members / jobs) * run;
	return (members * run + spent / nodes) / jobs;
}

double room_finish(const struct room *r, unsigned nodes, size_t members,
	size_t parallel, double run)
{
	double most = (double)(parallel && parallel < members ? parallel : members);
	double n = nodes ? nodes : 1, wait = room_wait(r, nodes), end;
	size_t lo = step_with(r, n), hi = step_with(r, most * n);

	if (members < 2 || !(run > 0) || !(wait < INFINITY))
		return wait + run;
	/* More places help as long as they come before the end without them. */
	if (hi >= r->n)
		hi = r->n - 1;
	while (lo < hi) {
		size_t mid = lo + (hi - lo + 1) / 2;

		if (r->time[mid] < ends(r, mid - 1, n, (double)members, most, run))
			lo = mid;
		else
			hi = mid - 1;
	}
	end = ends(r, lo, n, (double)members, most, run);
	return end > wait + run ? end : wait + run;
}
