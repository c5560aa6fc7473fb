/* plan.c - the plan as a table. */
#include "report/paint.h"

#include <string.h>

#define COLUMNS 12
#define NEEDS_SHOWN 4

static const char *const head[COLUMNS] = {"step", "partition", "nodes", "tasks",
	"cpus/task", "GPUs", "mem/node", "time", "members", "launch", "after", "why"};

/* "4 a100" a node and in all: "2x4 a100". */
static const char *gpus(struct weft_arena *a, const struct weft_plan_step *s)
{
	const char *type = *s->gpu_type ? " " : "";

	if (!s->gpus)
		return "-";
	if (s->nodes == 1 || s->gpus != s->nodes * s->gpus_per_node)
		return weft_arena_printf(a, "%u%s%s", s->gpus, type, s->gpu_type);
	return weft_arena_printf(
		a, "%ux%u%s%s", s->nodes, s->gpus_per_node, type, s->gpu_type);
}

static const char *members(struct weft_arena *a, const struct weft_plan_step *s)
{
	if (s->max_parallel && s->max_parallel < s->members)
		return weft_arena_printf(
			a, "%zu (%u at a time)", s->members, s->max_parallel);
	return weft_arena_printf(a, "%zu", s->members);
}

/* Names of the groups it waits for; a '*' where member i waits for member i. */
static const char *needs(struct weft_arena *a, const struct weft_plan *plan,
	const struct weft_plan_group *g)
{
	weft_autostr struct weft_str s = {0};

	for (size_t i = 0; i < g->n_needs && i < NEEDS_SHOWN; i++)
		weft_str_printf(&s, "%s%s%s", i ? ", " : "",
			plan->group[g->need[i].group].name,
			g->need[i].corresponding ? "*" : "");
	if (g->n_needs > NEEDS_SHOWN)
		weft_str_printf(&s, ", and %zu more", g->n_needs - NEEDS_SHOWN);
	return weft_arena_strdup(a, s.s ? s.s : "-");
}

static int add_step(struct weft_table *t, struct weft_arena *a,
	const struct weft_plan *plan, const struct weft_plan_step *s)
{
	char mem[WEFT_UNIT_MAX], time[WEFT_UNIT_MAX];
	const char *cell[COLUMNS] = {
		s->name,
		*s->partition ? s->partition : "-",
		weft_arena_printf(a, "%u", s->nodes),
		weft_arena_printf(a, "%u", s->ntasks),
		weft_arena_printf(a, "%u", s->cpus_per_task),
		gpus(a, s),
		s->mem ? weft_arena_strdup(a, weft_format_size(mem, s->mem)) : "-",
		s->time ? weft_arena_strdup(a, weft_format_duration(time, s->time))
			: "-",
		members(a, s),
		weft_launch_name(s->launch),
		needs(a, plan, &plan->group[s->group]),
		s->why,
	};

	for (size_t i = 0; i < COLUMNS; i++)
		if (!cell[i])
			return -1;
	return weft_table_row(t, cell);
}

void weft_report_plan(
	const struct weft_plan *plan, const struct weft_style *s, struct weft_str *out)
{
	static const size_t right[] = {2, 3, 4, 6, 7};
	struct weft_table *t = weft_table_new(COLUMNS, head);
	struct weft_arena a = {0};
	size_t jobs = 0;
	bool endless = false;

	for (size_t i = 0; i < WEFT_COUNT(right); i++)
		weft_table_right(t, right[i]);
	for (size_t i = 0; i < plan->n_groups; i++)
		for (size_t k = 0; k < plan->group[i].n_steps; k++)
			if (add_step(t, &a, plan, &plan->step[plan->group[i].step[k]]) <
				0)
				out->failed = true;
	weft_table_print(t, s, out);
	weft_table_free(t);
	weft_arena_free(&a);
	for (size_t i = 0; i < plan->n_groups; i++)
		jobs += plan->group[i].tasks ? plan->group[i].tasks : 1;
	for (size_t i = 0; i < plan->n_steps; i++)
		endless |= !plan->step[i].time;
	weft_str_printf(out, "\n%s: %zu %s in %zu %s (%zu %s)\n", plan->workflow,
		plan->n_steps, plan->n_steps == 1 ? "step" : "steps", plan->n_groups,
		plan->n_groups == 1 ? "submission" : "submissions", jobs,
		jobs == 1 ? "job" : "jobs");
	weft_str_printf(out,
		"at most %.4g node-hours, %.4g core-hours, %.4g GPU-hours (all "
		"members, "
		"to their time limits%s)\n",
		plan->node_hours, plan->core_hours, plan->gpu_hours,
		endless ? "; steps without one are not counted" : "");
}
