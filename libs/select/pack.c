/* pack.c - thousands of small members are a handful of jobs. */
#include "select/pack.h"

#include <string.h>

#define BETWEEN 60 /* seconds of a job for what comes between its members */

struct pack_rules pack_rules(const struct work *w)
{
	const struct weft_conf *c = w->conf;
	unsigned jobs = c ? c->group_jobs : 16;

	if (c && c->job_limit && c->job_limit < jobs)
		jobs = c->job_limit;
	return (struct pack_rules){.waste = (c ? c->group_waste : 10) / 100.0,
		.jobs = jobs ? jobs : 1,
		.time = c ? c->group_time : 4 * 3600,
		.max_array = w->cluster->max_array_size};
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t pack_ceil_div(size_t a, size_t b)
{
	return (a + b - 1) / b;
}

size_t pack_rounds(const struct weft_step *s)
{
	return s->sweep.round ? s->sweep.most / s->sweep.round : 1;
}

uint64_t pack_node_cpus(const struct weft_plan_step *p)
{
	return (uint64_t)p->ntasks_per_node * p->cpus_per_task;
}

static uint64_t limited(uint64_t have, uint64_t limit)
{
	return limit && limit < have ? limit : have;
}

/* Copies of a share that a node holds. */
static size_t node_holds(const struct pool *pool, const struct weft_node *n,
	const struct weft_plan_step *p)
{
	uint64_t cpus = limited(n->cpus, pool->part->max_cpus_per_node);
	uint64_t mem = limited(n->mem, pool->part->max_mem_per_node);
	size_t copies = pack_node_cpus(p) ? cpus / pack_node_cpus(p) : 1;

	if (!node_has(n, p->constraint))
		return 0;
	if (p->mem)
		copies = least(copies, mem / p->mem);
	if (p->tmp)
		copies = least(copies, n->tmp / p->tmp);
	if (p->gpus_per_node)
		copies = least(copies, (size_t)node_gpus(n, p->gpu_type) /
					       p->gpus_per_node *
					       weft_plan_step_sharers(p));
	return copies;
}

unsigned pack_per_node(struct work *w, const struct weft_plan_step *p, size_t *all)
{
	const struct pool *pool = pools_find(&w->pools, p->partition);
	size_t best = 0, sum = 0, most = 0;

	for (size_t i = 0; pool && i < pool->n_shapes; i++) {
		const struct shape *s = &pool->shape[i];
		size_t each = node_holds(pool, s->node, p);

		/* The kind of node that most of them run on. */
		if (each * s->count > most) {
			most = each * s->count;
			best = each;
		}
		sum += p->nodes > 1 ? (each ? s->count : 0) : each * s->count;
	}
	*all = p->nodes > 1 ? sum / p->nodes : sum;
	return p->nodes > 1 || !best ? 1 : (unsigned)least(best, UINT32_MAX);
}

static bool whole_nodes(struct work *w, const struct weft_plan_step *p)
{
	const struct pool *pool = pools_find(&w->pools, p->partition);

	return p->exclusive || (pool && pool->part->exclusive);
}

int64_t pack_time_limit(struct work *w, const struct weft_plan_step *p)
{
	const struct pool *pool = pools_find(&w->pools, p->partition);

	int64_t limit = pool ? pool->part->max_time : 0;

	return w->longest && (!limit || w->longest < limit) ? w->longest : limit;
}

/* A minute for what comes between the members. */
int64_t pack_job_time(struct work *w, const struct weft_plan_step *p, int64_t time)
{
	int64_t limit = pack_time_limit(w, p);

	if (!time)
		return 0;
	return limit && time + BETWEEN > limit ? limit : time + BETWEEN;
}

void pack_hours(struct work *w, struct weft_plan_step *p)
{
	const struct pool *pool = pools_find(&w->pools, p->partition);
	const struct weft_node *n = NULL;
	double h = (double)p->time / 3600 * (double)p->members;

	/* Of the largest that it may get. */
	for (size_t i = 0; pool && i < pool->n_shapes; i++)
		if (node_holds(pool, pool->shape[i].node, p) &&
			(!n || pool->shape[i].node->cpus > n->cpus))
			n = pool->shape[i].node;
	unsigned threads = n && n->threads_per_core ? n->threads_per_core : 1;
	uint64_t cores = (pack_node_cpus(p) + threads - 1) / threads;

	if (n && whole_nodes(w, p))
		cores = n->cores ? n->cores : n->cpus / threads;
	p->node_hours = p->nodes * h;
	p->core_hours = (double)p->nodes * (double)cores * h;
	p->gpu_hours = p->gpus * h;
}

/* Members after each other in a job of at most this time; 0: not limited. */
static size_t most_waves(const struct weft_plan_step *p, int64_t limit)
{
	if (!p->time || !limit)
		return SIZE_MAX;
	return limit - BETWEEN > 2 * p->time ? (size_t)((limit - BETWEEN) / p->time)
					     : 1;
}

/* Members beside each other that a job may hold. */
static size_t most_beside(
	struct work *w, const struct weft_plan_step *p, size_t per_node, size_t all)
{
	const struct pool *pool = pools_find(&w->pools, p->partition);
	size_t most = all ? all : 1;

	if (p->nodes > 1)
		return 1;
	if (p->max_parallel)
		most = least(most, p->max_parallel);
	if (pool && pool->part->max_nodes)
		most = least(most, pool->part->max_nodes * per_node);
	return most;
}

int pack_members(
	struct work *w, const struct weft_plan_step *p, bool one, struct packing *k)
{
	struct pack_rules r = pack_rules(w);
	size_t n = p->members, all, jobs = r.jobs;
	size_t parallel = p->max_parallel ? least(n, p->max_parallel) : n;
	size_t per_node = pack_per_node(w, p, &all);
	size_t widest = most_beside(w, p, per_node, all);
	int64_t limit = pack_time_limit(w, p);
	size_t sharers = weft_plan_step_sharers(p);
	/* A job has whole nodes, or whole GPUs, for members that need less. */
	bool whole = whole_nodes(w, p), fills = whole || sharers > 1;

	*k = (struct packing){.tasks = n, .width = 1, .waves = 1};
	if (one) {
		size_t width = least(widest, all ? least(parallel, all) : parallel);

		k->tasks = 1;
		k->width = (unsigned)width;
		k->waves = least(pack_ceil_div(n, width),
			most_waves(p, limit && limit < r.time ? limit : r.time));
		return 0;
	}
	if (w->group == WEFT_GROUP_NONE || n <= 1)
		return r.max_array && n > r.max_array ? -1 : 0;
	if (w->group == WEFT_GROUP_ALL)
		jobs = 1;
	else if (n <= jobs && !fills)
		return 0; /* as many jobs start where there is room, each by itself */
	if (r.max_array)
		jobs = least(jobs, r.max_array);
	/* As wide as the partition is at most, in so many jobs; what holds whole nodes
	 * fills them first. */
	size_t aim = all ? least(parallel, all) : parallel;
	size_t width =
		least(widest, whole ? least(per_node, aim) : pack_ceil_div(aim, jobs));

	width = least(widest, pack_ceil_div(width, sharers) * sharers);
	size_t tasks = least(jobs, pack_ceil_div(aim, width));
	size_t most = most_waves(p, limit && limit < r.time ? limit : r.time);
	size_t waves = pack_ceil_div(n, tasks * width);

	if (waves > most) {
		waves = most;
		tasks = pack_ceil_div(n, width * waves);
	}
	/* More jobs than an array holds: wider ones, then longer ones. */
	if (r.max_array && tasks > r.max_array) {
		width = least(widest, pack_ceil_div(n, r.max_array * waves));
		tasks = pack_ceil_div(n, width * waves);
	}
	if (r.max_array && tasks > r.max_array) {
		waves = least(
			most_waves(p, limit), pack_ceil_div(n, r.max_array * width));
		tasks = pack_ceil_div(n, width * waves);
		if (tasks > r.max_array)
			return -1;
	}
	/* The last wave filled: fewer jobs, or narrower ones, in the same time. */
	tasks = pack_ceil_div(n, width * waves);
	width = pack_ceil_div(pack_ceil_div(n, tasks), waves);
	*k = (struct packing){.tasks = tasks, .width = (unsigned)width, .waves = waves};
	return 0;
}

int pack_steer(struct work *w, const struct weft_plan_step *p,
	const struct weft_steer *steer, struct packing *k)
{
	size_t all, more = pack_ceil_div(steer->cpus, (size_t)pack_node_cpus(p));
	size_t per_node = pack_per_node(w, p, &all);

	if (steer->gpus && !p->gpus_per_node)
		return -1;
	size_t gpus = (size_t)steer->gpus * weft_plan_step_sharers(p);

	if (gpus && pack_ceil_div(gpus, p->gpus_per_node) > more)
		more = pack_ceil_div(gpus, p->gpus_per_node);
	if (p->mem && pack_ceil_div(steer->mem, p->mem) > more)
		more = pack_ceil_div(steer->mem, p->mem);
	if (all && (more > per_node || more >= all))
		return -1;
	if (all && k->width + more > all) {
		k->width = (unsigned)(all - more);
		k->waves = pack_ceil_div(p->members, k->width);
	}
	k->more = (unsigned)more;
	return 0;
}

void pack_widen(struct work *w, struct weft_plan_step *s, unsigned width)
{
	const struct pool *pool = pools_find(&w->pools, s->partition);
	unsigned sharers = weft_plan_step_sharers(s);
	size_t all;
	unsigned per_node = pack_per_node(w, s, &all);

	/* Slurm gives whole GPUs, which are shared within the job. */
	if (sharers > 1)
		s->tasks_per_gpu = 0;
	if (width <= 1)
		return;
	/* Slurm would give each job its partition's default again, and once is all that
	 * it gives to one. */
	if (!s->mem && pool && w->cluster->select_by_memory &&
		!pool->part->def_mem_per_cpu)
		s->mem = pool->part->def_mem_per_node;
	if (per_node > width)
		per_node = width;
	s->nodes = (unsigned)pack_ceil_div(width, per_node);
	s->ntasks *= width;
	s->ntasks_per_node *= per_node;
	s->gpus_per_node *= (unsigned)pack_ceil_div(per_node, sharers);
	s->gpus = sharers > 1
			  ? width / per_node * s->gpus_per_node +
				    (unsigned)pack_ceil_div(width % per_node, sharers)
			  : s->gpus * width;
	s->mem *= per_node;
	s->in_memory *= per_node;
	s->tmp *= per_node;
	if (s->launch == WEFT_LAUNCH_SINGLE && s->ntasks > 1)
		s->launch = WEFT_LAUNCH_SRUN;
}

static bool same_share(const struct weft_plan_step *a, const struct weft_plan_step *b)
{
	return a->nodes == b->nodes && a->ntasks == b->ntasks &&
	       a->ntasks_per_node == b->ntasks_per_node &&
	       a->cpus_per_task == b->cpus_per_task && a->gpus == b->gpus &&
	       a->gpus_per_node == b->gpus_per_node &&
	       weft_plan_step_sharers(a) == weft_plan_step_sharers(b) &&
	       a->mem == b->mem && a->tmp == b->tmp &&
	       (a->launch == WEFT_LAUNCH_TORCHRUN) ==
		       (b->launch == WEFT_LAUNCH_TORCHRUN) &&
	       weft_streq(a->gpu_type, b->gpu_type);
}

bool pack_merge(
	struct work *w, struct weft_plan_step *s, const struct weft_plan_step *b)
{
	struct weft_plan_step m = *s;
	uint64_t cpus = pack_node_cpus(s) > pack_node_cpus(b) ? pack_node_cpus(s)
							      : pack_node_cpus(b);
	size_t all;

	if (same_share(s, b))
		return true;
	if ((*s->gpu_type && *b->gpu_type && !weft_streq(s->gpu_type, b->gpu_type)) ||
		!s->mem != !b->mem)
		return false;
#define LARGER(x) (m.x = m.x > b->x ? m.x : b->x)
	LARGER(nodes);
	LARGER(gpus_per_node);
	LARGER(mem);
	LARGER(in_memory);
	LARGER(tmp);
#undef LARGER
	m.ntasks = m.nodes;
	m.ntasks_per_node = 1;
	m.cpus_per_task = (unsigned)cpus;
	m.gpus = m.nodes * m.gpus_per_node;
	m.tasks_per_gpu = 0;
	if (!*m.gpu_type)
		m.gpu_type = b->gpu_type;
	m.launch = m.nodes > 1 ? WEFT_LAUNCH_SRUN : WEFT_LAUNCH_SINGLE;
	pack_per_node(w, &m, &all);
	if (!all)
		return false;
	*s = m;
	return true;
}

unsigned pack_holds(const struct weft_plan_step *s, const struct weft_plan_step *m)
{
	uint64_t each = pack_node_cpus(m) ? pack_node_cpus(s) / pack_node_cpus(m) : 1;

	if (m->nodes > 1)
		return s->nodes / m->nodes;
	if (m->gpus_per_node)
		each = least(each, (uint64_t)(s->gpus_per_node / m->gpus_per_node) *
					   weft_plan_step_sharers(m));
	if (m->mem && s->mem)
		each = least(each, s->mem / m->mem);
	return (unsigned)(each * s->nodes);
}
