/* choose.c - the rules of preference between partitions. */
#include "select/choose.h"
#include "select/allow.h"
#include "select/forecast.h"
#include "select/refuse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Nobody waits for, or changes partitions for, so little: seconds, and of the run. */
#define WORTH 60.0
#define WORTH_PART 0.1
#define HEAVY 0.1 /* of the run time: data that is worth to stay where it is */

static double tolerance(double run)
{
	double part = run * WORTH_PART;

	return part > WORTH && part < INFINITY ? part : WORTH;
}

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
	if (a->tasks_gpu != b->tasks_gpu)
		a->tasks_gpu = 0;
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

static bool needs_gpus(const struct asks *asks)
{
	for (size_t i = 0; i < asks->n; i++)
		if (asks->v[i].gpu_mode != GPUS_NONE)
			return true;
	return false;
}

bool candidate_allowed(
	const struct pools *ps, const struct asks *asks, const struct pool *pool)
{
	const char *given = asks->v[0].partition;

	if (allow_partition(ps->conf, asks->v[0].role, pool->part->name, NULL))
		return false;
	return *given ? in_list(given, pool->part->name) : !pool->avoid;
}

/* Slurm's own word replaces what the snapshot says of the wait. */
static void correct(
	const struct pools *ps, const struct asks *asks, struct candidate *c)
{
	struct weft_plan_step shape;
	double wait, rest = c->end - c->wait;

	candidate_shape(asks, c, &shape);
	wait = forecast_wait(ps->forecasts, &shape);
	if (wait < 0)
		return;
	if (!(c->wait < INFINITY))
		rest = c->data + (c->run > 0 ? c->run : 0);
	c->wait = wait;
	c->end = wait + rest;
}

/* When it would have run there. */
static int expect(struct pools *ps, const struct asks *asks, const struct goal *goal,
	struct candidate *c, struct weft_err *err)
{
	bool exclusive = false;
	double saved = 0;
	const struct room *room;

	for (size_t i = 0; i < asks->n; i++)
		exclusive |= asks->v[i].exclusive;
	room = room_of(ps, c->pool, &asks->v[0], &c->fit.size, exclusive);
	if (!room)
		return weft_err_nomem(err);
	c->fit.idle = room->now < c->fit.nodes ? room->now : c->fit.nodes;
	c->wait = room_wait(room, c->fit.size.nodes);
	c->run = goal->run;
	if (goal->data)
		c->data = goal->data(goal->ctx, goal->step, c->pool->part->name,
			c->fit.size.nodes, &saved);
	c->end = room_finish(room, c->fit.size.nodes, goal->members, goal->parallel,
		c->data + (goal->run > 0 ? goal->run : 0));
	if (ps->forecasts)
		correct(ps, asks, c);
	/* Where it stays with GPU work, the data is worth a GPU node. */
	c->wasteful = !needs_gpus(asks) && c->pool->max_gpus &&
		      !(saved > 1 && saved > HEAVY * goal->run);
	return 0;
}

int candidate_fit(struct pools *ps, const struct asks *asks, const struct goal *goal,
	struct candidate *c, size_t *failed, struct weft_err *err)
{
	const struct ask *first = &asks->v[0];
	const struct weft_partition *p = c->pool->part;

	c->role = *first->role_partition && in_list(first->role_partition, p->name);
	if (fit_all(ps, c->pool, asks, &c->fit, failed, err) < 0)
		return -1;
	c->closed = c->fit.access == ACCESS_PERHAPS;
	return c->fit.stage == STAGE_FITS ? expect(ps, asks, goal, c, err) : 0;
}

double candidates_good_end(const struct candidate *v, size_t n)
{
	const struct candidate *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &v[i];

		if (c->fit.stage != STAGE_FITS)
			continue;
		if (!best || c->wasteful < best->wasteful ||
			(c->wasteful == best->wasteful &&
				(c->closed < best->closed ||
					(c->closed == best->closed &&
						c->end < best->end))))
			best = c;
	}
	return best ? best->end + tolerance(best->end - best->wait) : 0;
}

int candidate_prefer(const struct candidate *a, const struct candidate *b,
	double good_end, const char **rule)
{
	const struct weft_partition *p = a->pool->part, *q = b->pool->part;
	bool late_a = a->end > good_end, late_b = b->end > good_end;

	*rule = "no GPUs there, and the step needs none";
	if (a->wasteful != b->wasteful)
		return a->wasteful ? 1 : -1;
	*rule = "open to everyone";
	if (a->closed != b->closed)
		return a->closed ? 1 : -1;
	*rule = "the earliest expected end";
	if (late_a != late_b)
		return late_a ? 1 : -1;
	*rule = "the role's partition in weft.conf";
	if (a->role != b->role)
		return a->role ? -1 : 1;
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

bool alternative_better(double wait, double end, double later_end)
{
	/* They are in order of preference: what need not wait is taken. */
	return wait > WORTH && later_end + tolerance(end - wait) < end;
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

		if (!ps->pool[i].avoid || allow_partition(ps->conf, asks->v[0].role,
						  ps->pool[i].part->name, NULL))
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

/* Another partition than the one that the step names, which holds it as it is. */
static int hint_elsewhere(
	struct pools *ps, const struct asks *asks, struct weft_err *err)
{
	const struct pool *found = NULL;
	weft_autofree char *hint = NULL;

	for (size_t i = 0; i < ps->n; i++) {
		const struct pool *pool = &ps->pool[i];
		struct fit f;
		size_t failed;

		/* GPUs that it has no use for are no place for it. */
		if (in_list(asks->v[0].partition, pool->part->name) || pool->avoid ||
			(pool->max_gpus && !needs_gpus(asks)) ||
			allow_partition(
				ps->conf, asks->v[0].role, pool->part->name, NULL))
			continue;
		if (fit_all(ps, pool, asks, &f, &failed, err) < 0)
			return -1;
		if (f.stage == STAGE_FITS && f.access == ACCESS_OPEN) {
			found = pool;
			break;
		}
	}
	if (!found)
		return 0;
	hint = weft_printf("%s%spartition %s holds it as it is",
		err->hint ? err->hint : "", err->hint ? "; " : "", found->part->name);
	if (!hint)
		return weft_err_nomem(err);
	weft_err_hint(err, "%s", hint);
	return 0;
}

static char *explain(
	const struct candidate *best, size_t fitting, bool given, const char *rule)
{
	char when[WEFT_UNIT_MAX];

	if (given)
		rule = "as the step says";
	else if (fitting == 1)
		rule = "the only one that fits";
	if (best->wait > 0 && best->wait < INFINITY)
		return weft_printf("%s; %u of %u fitting nodes free, room in %s", rule,
			best->fit.idle, best->fit.nodes,
			weft_format_duration(when, (int64_t)best->wait));
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

/* The best and the second best of those that fit. */
static const char *rank(const struct candidate *v, size_t n,
	const struct candidate **best, const struct candidate **second)
{
	double good_end = candidates_good_end(v, n);
	const char *rule = "";

	*best = *second = NULL;
	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &v[i];

		if (c->fit.stage != STAGE_FITS)
			continue;
		if (!*best || candidate_prefer(c, *best, good_end, &rule) < 0) {
			*second = *best;
			*best = c;
		} else if (!*second ||
			   candidate_prefer(c, *second, good_end, &rule) < 0) {
			*second = c;
		}
	}
	if (*second)
		candidate_prefer(*best, *second, good_end, &rule);
	return rule;
}

static int choose_pool(struct pools *ps, const struct asks *asks,
	const struct goal *goal, struct choice *out, enum ask_key *key,
	struct weft_err *err)
{
	const struct ask *first = &asks->v[0];
	bool given = *first->partition;
	weft_autofree struct candidate *v = calloc(ps->n + 1, sizeof(*v));
	struct candidate near = {.fit.stage = STAGE_DOWN};
	const struct candidate *best, *second;
	size_t fitting = 0, near_ask = 0, n = 0;
	const char *rule;

	*key = KEY_PARTITION;
	if (!v)
		return weft_err_nomem(err);
	if (given) {
		int rc = check_names(ps, first->partition, err);

		if (rc)
			return rc;
		if (allow_partitions(ps->conf, first->role, first->partition, err))
			return 1;
	}
	for (size_t i = 0; i < ps->n; i++) {
		struct candidate *c = &v[n];
		size_t failed = 0;

		*c = (struct candidate){.pool = &ps->pool[i]};
		if (!candidate_allowed(ps, asks, c->pool))
			continue;
		if (candidate_fit(ps, asks, goal, c, &failed, err) < 0)
			return -1;
		n++;
		if (c->fit.stage == STAGE_FITS) {
			fitting++;
		} else if (!near.pool || c->fit.stage > near.fit.stage ||
			   (c->fit.stage == near.fit.stage &&
				   c->fit.best > near.fit.best)) {
			near = *c;
			near_ask = failed;
		}
	}
	rule = rank(v, n, &best, &second);
	if (!best) {
		refuse(ps, near.pool, &asks->v[near_ask], &near.fit, given, key, err);
		return (given ? hint_elsewhere(ps, asks, err)
			      : hint_avoided(ps, asks, err)) < 0
			       ? -1
			       : 1;
	}
	out->pool = best->pool;
	out->fit = best->fit;
	out->wait = best->wait;
	out->end = best->end;
	out->why = explain(best, fitting, given, rule);
	return out->why ? 0 : weft_err_nomem(err);
}

int choose(struct pools *ps, const struct asks *asks, const struct goal *goal,
	bool local, struct choice *out, enum ask_key *key, struct weft_err *err)
{
	int rc;

	*out = (struct choice){0};
	*key = KEY_NONE;
	rc = local ? choose_local(ps, asks, out, err)
		   : choose_pool(ps, asks, goal, out, key, err);
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
