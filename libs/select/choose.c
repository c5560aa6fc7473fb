/* choose.c - the rules of preference between partitions. */
#include "select/choose.h"
#include "select/refuse.h"

#include <stdlib.h>
#include <string.h>

/* Makes *all hold what `one` needs as well. */
static void merge(struct fit *all, const struct fit *one)
{
	struct sized *a = &all->size;
	const struct sized *b = &one->size;
	uint64_t cpus = a->cpus_node > b->cpus_node ? a->cpus_node : b->cpus_node;

#define LARGER(x) (a->x = a->x > b->x ? a->x : b->x)
	LARGER(nodes);
	LARGER(tasks_node);
	LARGER(cpus_task);
	LARGER(gpus_node);
	LARGER(mem);
#undef LARGER
	/* Many small tasks or few large ones: one block of CPUs takes either. */
	if ((uint64_t)a->tasks_node * a->cpus_task > cpus) {
		a->tasks_node = 1;
		a->cpus_task = (unsigned)cpus;
	}
	a->cpus_node = (uint64_t)a->tasks_node * a->cpus_task;
	a->tasks = a->nodes * a->tasks_node;
	a->gpus = a->nodes * a->gpus_node;
	if (one->nodes < all->nodes)
		all->nodes = one->nodes;
	if (one->idle < all->idle)
		all->idle = one->idle;
	if (one->time > all->time)
		all->time = one->time;
	all->lacking |= one->lacking;
	all->shortened |= one->shortened;
}

/* All asks against one pool.  With FITS *out is their sum; else what failed, and
 * *failed the ask. */
static int fit_all(struct pools *ps, const struct pool *pool, const struct asks *asks,
	struct fit *out, size_t *failed, struct weft_err *err)
{
	for (size_t i = 0; i < asks->n; i++) {
		struct fit f;

		if (fit_pool(ps, pool, &asks->v[i], &f, err) < 0)
			return -1;
		if (f.stage != STAGE_FITS) {
			*out = f;
			*failed = i;
			return 0;
		}
		if (i == 0)
			*out = f;
		else
			merge(out, &f);
	}
	if (out->size.nodes > out->nodes) {
		out->stage = STAGE_NODES;
		out->best = out->nodes;
		*failed = 0;
	}
	return 0;
}

static bool in_list(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

/* Without an account or QOS in the file Slurm takes the user's default: it may be
 * one that the partition refuses. */
static bool is_closed(const struct weft_partition *p, const struct ask *a)
{
	return p->n_allow_groups || (p->n_allow_accounts && !*a->account) ||
	       (p->n_allow_qos && !*a->qos);
}

static bool needs_gpus(const struct asks *asks)
{
	for (size_t i = 0; i < asks->n; i++)
		if (asks->v[i].gpu_mode != GPUS_NONE)
			return true;
	return false;
}

bool candidate_allowed(const struct asks *asks, const struct pool *pool)
{
	const char *given = asks->v[0].partition;

	return *given ? in_list(given, pool->part->name) : !pool->avoid;
}

int candidate_fit(struct pools *ps, const struct asks *asks, struct candidate *c,
	size_t *failed, struct weft_err *err)
{
	const struct ask *first = &asks->v[0];
	const struct weft_partition *p = c->pool->part;

	c->closed = is_closed(p, first);
	c->role = *first->role_partition && in_list(first->role_partition, p->name);
	return fit_all(ps, c->pool, asks, &c->fit, failed, err);
}

int candidate_prefer(const struct candidate *a, const struct candidate *b,
	const struct asks *asks, const char **rule)
{
	const struct weft_partition *p = a->pool->part, *q = b->pool->part;
	bool gpus = needs_gpus(asks);
	bool on_a = !gpus && a->pool->max_gpus, on_b = !gpus && b->pool->max_gpus;

	*rule = "no GPUs there, and the step needs none";
	if (on_a != on_b)
		return on_a ? 1 : -1;
	*rule = "the role's partition in weft.conf";
	if (a->role != b->role)
		return a->role ? -1 : 1;
	*rule = "open to everyone";
	if (a->closed != b->closed)
		return a->closed ? 1 : -1;
	*rule = "the default partition";
	if (p->is_default != q->is_default)
		return p->is_default ? -1 : 1;
	*rule = "its time limit holds weft.conf's default time";
	if (a->fit.shortened != b->fit.shortened)
		return a->fit.shortened ? 1 : -1;
	*rule = "more free nodes than the others";
	if (a->fit.idle != b->fit.idle)
		return a->fit.idle > b->fit.idle ? -1 : 1;
	*rule = "first by name among equals";
	return strcmp(p->name, q->name);
}

/* Every partition that the step names must be there. */
static int check_names(const struct pools *ps, const char *list, struct weft_err *err)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");
		weft_autofree char *name = strndup(p, n);
		bool there = false;

		if (!name)
			return weft_err_nomem(err);
		for (size_t i = 0; i < ps->n && !there; i++)
			there = weft_streq(ps->pool[i].part->name, name);
		if (!there && refuse_partition(ps, name, err) < 0)
			return 1;
		p += n + (p[n] == ',');
	}
	return 0;
}

/* A partition that the site doesn't choose by itself, but that would do. */
static int hint_avoided(struct pools *ps, const struct asks *asks, struct weft_err *err)
{
	for (size_t i = 0; i < ps->n; i++) {
		struct fit f;
		size_t failed;

		if (!ps->pool[i].avoid)
			continue;
		if (fit_all(ps, &ps->pool[i], asks, &f, &failed, err) < 0)
			return -1;
		if (f.stage == STAGE_FITS) {
			weft_err_hint(err,
				"partition %s could: weft.conf leaves it to those who "
				"write partition: %s",
				ps->pool[i].part->name, ps->pool[i].part->name);
			return 0;
		}
	}
	return 0;
}

static char *explain(
	const struct candidate *best, size_t fitting, bool given, const char *rule)
{
	if (given)
		rule = "as the step says";
	else if (fitting == 1)
		rule = "the only one that fits";
	return weft_printf("%s; %u of %u fitting nodes free", rule, best->fit.idle,
		best->fit.nodes);
}

static int choose_local(struct pools *ps, const struct asks *asks, struct choice *out,
	struct weft_err *err)
{
	weft_autostr struct weft_str note = {0};

	if (!ps->cluster->n_nodes)
		return weft_err_set(err, WEFT_EPLACE, "there is no node here");
	for (size_t i = 0; i < asks->n; i++) {
		struct fit f;
		weft_autostr struct weft_str more = {0};

		if (fit_local(&ps->cluster->node[0], &asks->v[i], &f, &more, err) < 0)
			return -1;
		if (i == 0)
			out->fit = f;
		else
			merge(&out->fit, &f);
		if (more.len && !note.len)
			weft_str_add(&note, more.s);
	}
	out->why = weft_printf(
		"this machine%s%s", note.len ? ": " : "", note.len ? note.s : "");
	return out->why ? 0 : weft_err_nomem(err);
}

static int choose_pool(struct pools *ps, const struct asks *asks, struct choice *out,
	enum ask_key *key, struct weft_err *err)
{
	const struct ask *first = &asks->v[0];
	bool given = *first->partition;
	struct candidate best = {0}, second = {0}, near = {.fit.stage = STAGE_DOWN};
	size_t fitting = 0, near_ask = 0;
	const char *rule = "";

	*key = KEY_PARTITION;
	if (given) {
		int rc = check_names(ps, first->partition, err);

		if (rc)
			return rc;
	}
	for (size_t i = 0; i < ps->n; i++) {
		struct candidate c = {.pool = &ps->pool[i]};
		size_t failed = 0;

		if (!candidate_allowed(asks, c.pool))
			continue;
		if (candidate_fit(ps, asks, &c, &failed, err) < 0)
			return -1;
		if (c.fit.stage != STAGE_FITS) {
			if (!near.pool || c.fit.stage > near.fit.stage ||
				(c.fit.stage == near.fit.stage &&
					c.fit.best > near.fit.best)) {
				near = c;
				near_ask = failed;
			}
			continue;
		}
		fitting++;
		if (!best.pool || candidate_prefer(&c, &best, asks, &rule) < 0) {
			second = best;
			best = c;
		} else if (!second.pool ||
			   candidate_prefer(&c, &second, asks, &rule) < 0) {
			second = c;
		}
	}
	if (!best.pool) {
		if (refuse(ps, near.pool, &asks->v[near_ask], &near.fit, given, key,
			    err) < 0 &&
			!given && hint_avoided(ps, asks, err) < 0)
			return -1;
		return 1;
	}
	if (second.pool)
		candidate_prefer(&best, &second, asks, &rule);
	out->pool = best.pool;
	out->fit = best.fit;
	out->why = explain(&best, fitting, given, rule);
	return out->why ? 0 : weft_err_nomem(err);
}

int choose(struct pools *ps, const struct asks *asks, bool local, struct choice *out,
	enum ask_key *key, struct weft_err *err)
{
	int rc;

	*out = (struct choice){0};
	*key = KEY_NONE;
	rc = local ? choose_local(ps, asks, out, err)
		   : choose_pool(ps, asks, out, key, err);
	if (rc)
		return rc;
	out->launch = WEFT_LAUNCH_SINGLE;
	for (size_t i = 0; i < asks->n; i++) {
		enum weft_launch l = ask_launch(&asks->v[i], &out->fit.size);

		if (l > out->launch)
			out->launch = l;
	}
	return 0;
}
