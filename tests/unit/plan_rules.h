/* plan_rules.h - what must be true of every plan, whatever was asked: plan_broken()
 * names the rule that isn't. */
#ifndef WEFT_TEST_PLAN_RULES_H
#define WEFT_TEST_PLAN_RULES_H

#include <stdlib.h>
#include <string.h>

#include "select/select.h"

#define PLAN_RULE(holds, name)                                                         \
	do {                                                                           \
		if (!(holds))                                                          \
			return name;                                                   \
	} while (0)

struct plan_rules {
	const struct weft_workflow *wf;
	const struct weft_cluster *cluster;
	const struct weft_plan *plan;
};

static uint64_t plan_cpus(const struct weft_plan_step *p)
{
	return (uint64_t)p->nodes * p->ntasks_per_node * p->cpus_per_task;
}

static size_t plan_jobs(const struct weft_plan_group *g) /* at a time, at most */
{
	size_t tasks = g->tasks ? g->tasks : 1;

	return g->max_parallel && g->max_parallel < tasks ? g->max_parallel : tasks;
}

/* ---- which steps, which members ------------------------------------------- */

static const char *rule_every_step_once(const struct plan_rules *r)
{
	size_t n = 0;

	PLAN_RULE(r->plan->n_steps == r->wf->n_steps, "all steps are planned");
	for (size_t g = 0; g < r->plan->n_groups; g++) {
		const struct weft_plan_group *group = &r->plan->group[g];

		PLAN_RULE(group->n_steps > 0, "no empty group");
		n += group->n_steps;
		for (size_t i = 0; i < group->n_steps; i++) {
			PLAN_RULE(group->step[i] < r->plan->n_steps &&
					  r->plan->step[group->step[i]].group == g,
				"a group's steps are in it");
			for (size_t k = 0; k < i; k++)
				PLAN_RULE(group->step[i] != group->step[k],
					"no step twice in a group");
		}
	}
	PLAN_RULE(n == r->plan->n_steps, "every step is in one group");
	return NULL;
}

static const char *rule_every_member_once(const struct plan_rules *r)
{
	for (size_t g = 0; g < r->plan->n_groups; g++) {
		const struct weft_plan_group *group = &r->plan->group[g];
		size_t count = r->plan->step[group->step[0]].members;

		PLAN_RULE(group->width >= 1 && group->block >= 1,
			"a job runs at least one member at a time");
		for (size_t i = 0; i < group->n_steps; i++) {
			size_t n = r->plan->step[group->step[i]].members;

			PLAN_RULE(n == r->wf->step[group->step[i]].sweep.most,
				"as many members as the sweep has");
			PLAN_RULE(group->tasks <= 1 || n == count,
				"sweeps in one array have as many members");
		}
		PLAN_RULE(group->tasks <= count, "no job without a member");
		for (size_t b = 0; b < group->tasks; b++) {
			size_t from = weft_sweep_block_first(count, group->tasks, b);
			size_t to = weft_sweep_block_first(count, group->tasks, b + 1);

			PLAN_RULE(b || from == 0, "the first member is in a job");
			PLAN_RULE(to > from && to - from <= group->block,
				"a job has as many members as said");
			PLAN_RULE(b + 1 < group->tasks || to == count,
				"the last member is in a job");
			if (b < 1000)
				PLAN_RULE(weft_sweep_block_of(
						  count, group->tasks, from) == b &&
						  weft_sweep_block_of(count,
							  group->tasks, to - 1) == b,
					"a member is in its block");
		}
	}
	return NULL;
}

/* ---- what waits for what ---------------------------------------------------- */

/* Does a group wait for another, be it through others?  Needs are earlier. */
static bool reaches(const struct weft_plan *plan, size_t from, size_t to)
{
	bool *seen = calloc(plan->n_groups, sizeof(*seen));

	seen[from] = true;
	for (size_t g = from; g > to; g--)
		for (size_t i = 0; seen[g] && i < plan->group[g].n_needs; i++)
			seen[plan->group[g].need[i].group] = true;
	bool found = seen[to];

	free(seen);
	return found;
}

static const char *rule_needs(const struct plan_rules *r)
{
	for (size_t g = 0; g < r->plan->n_groups; g++) {
		const struct weft_plan_group *group = &r->plan->group[g];

		for (size_t i = 0; i < group->n_needs; i++) {
			PLAN_RULE(group->need[i].group < g,
				"a group needs earlier ones only");
			for (size_t k = 0; k < i; k++)
				PLAN_RULE(group->need[i].group != group->need[k].group,
					"no need twice");
			PLAN_RULE(
				!group->need[i].corresponding ||
					(group->tasks &&
						r->plan->group[group->need[i].group]
								.tasks == group->tasks),
				"arrays that correspond are of one size");
		}
	}
	return NULL;
}

static bool corresponding(const struct weft_plan *plan, size_t from, size_t to)
{
	const struct weft_plan_group *g = &plan->group[from];

	for (size_t i = 0; i < g->n_needs; i++)
		if (g->need[i].group == to)
			return g->need[i].corresponding;
	return false;
}

static size_t place_in(const struct weft_plan_group *g, unsigned step)
{
	size_t i = 0;

	while (g->step[i] != step)
		i++;
	return i;
}

static const char *rule_edges(const struct plan_rules *r)
{
	for (unsigned s = 0; s < r->wf->n_steps; s++) {
		const struct weft_step *step = &r->wf->step[s];
		size_t mine = r->plan->step[s].group;

		for (size_t e = 0; e < step->n_edges; e++) {
			const struct weft_edge *edge = &step->edge[e];
			size_t its = r->plan->step[edge->step].group;
			const struct weft_plan_group *g = &r->plan->group[mine];
			bool one =
				!edge->all && weft_spec_one_to_one(r->wf, step, edge);

			if (mine == its) {
				PLAN_RULE(place_in(g, edge->step) < place_in(g, s),
					"in a group what is needed is first");
				PLAN_RULE(g->tasks <= 1 || one,
					"an array's steps need each other member by "
					"member");
				continue;
			}
			PLAN_RULE(reaches(r->plan, mine, its),
				"a group waits for all that its steps need");
			PLAN_RULE(!corresponding(r->plan, mine, its) ||
					  (one && edge->state == WEFT_DEP_DONE),
				"correspond only where member needs member");
		}
	}
	return NULL;
}

/* What runs after all others: `finally`, and what needs one of these. */
static bool is_late(const struct weft_workflow *wf, unsigned s)
{
	bool late = wf->step[s].finally;

	for (size_t e = 0; !late && e < wf->step[s].n_edges; e++)
		late = is_late(wf, wf->step[s].edge[e].step);
	return late;
}

static const char *rule_finally(const struct plan_rules *r)
{
	for (unsigned s = 0; s < r->wf->n_steps; s++)
		for (unsigned o = 0; r->wf->step[s].finally && o < r->wf->n_steps; o++)
			PLAN_RULE(is_late(r->wf, o) ||
					  reaches(r->plan, r->plan->step[s].group,
						  r->plan->step[o].group),
				"finally is after all others");
	return NULL;
}

/* ---- what the jobs ask for --------------------------------------------------- */

static const char *rule_shapes(const struct plan_rules *r)
{
	for (size_t g = 0; g < r->plan->n_groups; g++) {
		const struct weft_plan_group *group = &r->plan->group[g];
		const struct weft_plan_step *shape = &group->shape;

		for (size_t i = 0; i < group->n_steps; i++) {
			const struct weft_plan_step *p = &r->plan->step[group->step[i]];
			uint64_t beside = group->n_steps == 1 ? group->width : 1;
			const struct weft_step *step = &r->wf->step[group->step[i]];
			/* Of a loop or of what grows, the rest is for jobs after it. */
			bool goes_on =
				step->loop != WEFT_NO_LOOP || step->sweep.growing;
			uint64_t waves =
				goes_on ? 1 : (group->block + beside - 1) / beside;

			PLAN_RULE(strcmp(shape->partition, p->partition) == 0,
				"a job is in its steps' partition");
			PLAN_RULE(shape->nodes >= p->nodes &&
					  plan_cpus(shape) >=
						  beside * p->ntasks * p->cpus_per_task,
				"a job has the CPUs of its members");
			/* Members of a single task share them, too. */
			uint64_t gpus = p->ntasks == 1 && p->tasks_per_gpu
						? (beside + p->tasks_per_gpu - 1) /
							  p->tasks_per_gpu
						: beside * p->gpus;
			PLAN_RULE(shape->gpus >= gpus,
				"a job has the GPUs of its members");
			PLAN_RULE(!shape->mem || shape->mem >= p->mem,
				"a job has the memory of its members");
			PLAN_RULE(!shape->time || !p->time ||
					  shape->time / p->time >=
						  (int64_t)(group->n_steps == 1 ? waves
										: 1),
				"a job has the time of its members");
			PLAN_RULE(!p->max_parallel || group->n_steps > 1 ||
					  plan_jobs(group) * group->width <=
						  p->max_parallel ||
					  (group->block == 1 && !group->tasks),
				"no more members at a time than max_parallel");
		}
	}
	return NULL;
}

static const char *rule_partitions(const struct plan_rules *r)
{
	for (size_t g = 0; g < r->plan->n_groups; g++) {
		const struct weft_plan_group *group = &r->plan->group[g];
		const struct weft_plan_step *s = &group->shape;
		const struct weft_partition *p =
			weft_cluster_partition(r->cluster, s->partition);
		unsigned able = 0;

		PLAN_RULE(p && p->up, "a partition that is there and up");
		PLAN_RULE(!p->max_time || s->time <= p->max_time,
			"no longer than the partition lets it");
		PLAN_RULE((!p->max_nodes || s->nodes <= p->max_nodes) &&
				  s->nodes >= p->min_nodes,
			"as many nodes as the partition lets it");
		PLAN_RULE(!r->cluster->max_array_size ||
				  group->tasks <= r->cluster->max_array_size,
			"arrays within MaxArraySize");
		for (size_t i = 0; i < p->n_nodes; i++) {
			const struct weft_node *n = &r->cluster->node[p->node[i]];

			able += n->state != WEFT_NODE_DOWN &&
				(uint64_t)s->ntasks_per_node * s->cpus_per_task <=
					n->cpus &&
				s->gpus_per_node <= n->n_gpus;
		}
		PLAN_RULE(able >= s->nodes, "nodes that hold it");
	}
	return NULL;
}

/* Of a plan for a cluster. */
static const char *plan_broken(const struct weft_workflow *wf,
	const struct weft_cluster *cluster, const struct weft_plan *plan)
{
	static const char *(*const rules[])(const struct plan_rules *r) = {
		rule_every_step_once, rule_every_member_once, rule_needs, rule_edges,
		rule_finally, rule_shapes, rule_partitions};
	const struct plan_rules r = {wf, cluster, plan};
	const char *broken = NULL;

	for (size_t i = 0; !broken && i < WEFT_COUNT(rules); i++)
		broken = rules[i](&r);
	return broken;
}

#endif
