/* member.c - one member of a sweep inside the plan of its step. */
#include "select/work.h"

#include <stdlib.h>
#include <string.h>

/* The step's share of its nodes as a cluster of its own: what the member asks for
 * is then sized as any request is. */
struct share {
	struct weft_node node;
	struct weft_partition part;
	struct weft_cluster cluster;
};

static int allocate(struct share *set, const struct weft_plan_step *s, bool more_memory,
	struct weft_arena *arena)
{
	unsigned *index = weft_arena_alloc(arena, s->nodes * sizeof(*index));
	struct weft_node *nodes = weft_arena_alloc(arena, s->nodes * sizeof(*nodes));
	unsigned cpus = s->ntasks_per_node * s->cpus_per_task;

	if (!index || !nodes)
		return -1;
	memset(set, 0, sizeof(*set));
	set->node = (struct weft_node){.name = "node",
		.cpus = cpus,
		.cores = cpus,
		.sockets = 1,
		.threads_per_core = 1,
		.mem = s->mem && !more_memory ? s->mem : UINT64_MAX,
		.tmp = UINT64_MAX,
		.n_gpus = s->gpus_per_node,
		.n_gpu_types = s->gpus_per_node ? 1 : 0};
	set->node.gpus[0] =
		(struct weft_gpus){.type = s->gpu_type, .count = s->gpus_per_node};
	for (unsigned i = 0; i < s->nodes; i++) {
		index[i] = i;
		nodes[i] = set->node;
	}
	set->part = (struct weft_partition){
		.name = s->partition, .up = true, .node = index, .n_nodes = s->nodes};
	set->cluster.partition = &set->part;
	set->cluster.n_partitions = 1;
	set->cluster.node = nodes;
	set->cluster.n_nodes = s->nodes;
	return 0;
}

static int fit_member(const struct weft_plan_step *s, bool more_memory, struct ask *a,
	struct choice *c, struct weft_arena *arena, struct weft_err *err)
{
	struct share set;
	struct pools ps;
	struct asks asks = {.v = a, .n = 1};
	const struct goal none = {.members = 1};
	enum ask_key key;
	int rc;

	if (allocate(&set, s, more_memory, arena) < 0)
		return weft_err_nomem(err);
	/* Where the job may run was settled with the step. */
	a->partition = a->constraint = a->exclude = a->nodelist = a->role_partition =
		"";
	if (pools_make(&ps, &set.cluster, NULL, err) < 0)
		return -1;
	rc = choose(&ps, &asks, &none, !*s->partition, c, &key, err);
	pools_free(&ps);
	return rc ? -1 : 0;
}

unsigned weft_plan_step_sharers(const struct weft_plan_step *p)
{
	bool alone = p->ntasks == 1 && p->launch == WEFT_LAUNCH_SINGLE;

	return alone && p->tasks_per_gpu ? p->tasks_per_gpu : 1;
}

bool weft_plan_step_varies(const struct weft_step *step)
{
	/* Of members that aren't known yet nothing can depend on params. */
	return resources_grow(step) ||
	       (step->sweep.kind != WEFT_SWEEP_NONE && step->sweep.count &&
		       resources_vary(step));
}

int weft_plan_step_member(const struct weft_plan *plan, const struct weft_workflow *wf,
	const struct weft_conf *conf, unsigned step, size_t member,
	struct weft_plan_step *out, struct weft_arena *arena, struct weft_err *err)
{
	return weft_plan_step_attempt(plan, wf, conf, step, member, 0, out, arena, err);
}

int weft_plan_step_attempt(const struct weft_plan *plan, const struct weft_workflow *wf,
	const struct weft_conf *conf, unsigned step, size_t member, unsigned attempt,
	struct weft_plan_step *out, struct weft_arena *arena, struct weft_err *err)
{
	const struct weft_step *ws = &wf->step[step];
	const struct weft_plan_step *s = &plan->step[step];
	size_t alternative =
		(size_t)s->variant < ws->n_resources ? (size_t)s->variant : 0;
	struct weft_member m = {0};
	struct weft_resources r = {0};
	struct choice c = {0};
	enum ask_key key = KEY_NONE;
	struct ask a;
	int rc = -1;

	*out = *s;
	bool grows = attempt && resources_grow(ws);
	if (!grows && (ws->sweep.kind == WEFT_SWEEP_NONE || !resources_vary(ws)))
		return 0;
	if (weft_sweep_member(wf, ws, member, &m, err) < 0)
		return -1;
	if (evaluate_attempt(wf, conf, ws, alternative, &m, attempt, &r, err) < 0)
		goto out;
	if (ask_make(&a, &r, ws->launch, arena, &key, err) < 0) {
		blame(wf, ws, alternative, key, err);
		goto out;
	}
	a.in_memory = s->in_memory;
	if (fit_member(s, grows, &a, &c, arena, err) < 0) {
		blame(wf, ws, alternative, key, err);
		goto out;
	}
	out->nodes = c.fit.size.nodes;
	out->ntasks = c.fit.size.tasks;
	out->ntasks_per_node = c.fit.size.tasks_node;
	out->cpus_per_task = c.fit.size.cpus_task;
	out->gpus = c.fit.size.gpus;
	out->gpus_per_node = c.fit.size.gpus_node;
	out->tasks_per_gpu = c.fit.size.gpus ? c.fit.size.tasks_gpu : 0;
	/* Of a partition's default the step's plan knows. */
	if (c.fit.size.mem)
		out->mem = c.fit.size.mem;
	out->launch = c.launch;
	if (a.time)
		out->time = c.fit.time;
	rc = 0;
out:
	if (rc < 0)
		memset(out, 0, sizeof(*out));
	free(c.why);
	weft_resources_clear(&r);
	weft_member_clear(&m);
	return rc;
}
