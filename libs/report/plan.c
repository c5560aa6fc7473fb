/* plan.c - the plan as two tables: what is submitted, and the steps in it. */
#include "report/paint.h"

#include <stdlib.h>
#include <string.h>

#define NEEDS_SHOWN 4
#define MOST_COLUMNS 16

/* A table of which some columns are left out where they would say nothing. */
struct sheet {
	struct weft_arena a;
	const char *head[MOST_COLUMNS], *cell[MOST_COLUMNS];
	bool right[MOST_COLUMNS];
	size_t n; /* columns of the head, then cells of the row */
	struct weft_table *t;
	bool failed;
};

static void column(struct sheet *s, bool shown, const char *head, bool right)
{
	if (!shown)
		return;
	s->right[s->n] = right;
	s->head[s->n++] = head;
}

static void begin(struct sheet *s)
{
	s->t = weft_table_new(s->n, s->head);
	s->failed |= !s->t;
	for (size_t i = 0; i < s->n; i++)
		if (s->right[i])
			weft_table_right(s->t, i);
	s->n = 0;
}

static void put(struct sheet *s, bool shown, const char *text)
{
	s->failed |= !text;
	if (shown)
		s->cell[s->n++] = text ? text : "";
}

static void end_row(struct sheet *s)
{
	s->failed |= weft_table_row(s->t, s->cell) < 0;
	s->n = 0;
}

static void end(struct sheet *s, const struct weft_style *style, struct weft_str *out)
{
	weft_table_print(s->t, style, out);
	out->failed |= s->failed;
	weft_table_free(s->t);
	weft_arena_free(&s->a);
	memset(s, 0, sizeof(*s));
}

/* "1 x 8", "2 x 8 x 8 a100": nodes, tasks and GPUs of a member, or of a job. */
static const char *size(struct weft_arena *a, const struct weft_plan_step *s)
{
	char buf[WEFT_UNIT_MAX];

	if (!s->gpus)
		return weft_arena_printf(a, "%u x %u", s->nodes, s->ntasks);
	return weft_arena_printf(a, "%u x %u x %s%s%s", s->nodes, s->ntasks,
		paint_gpus(buf, s), *s->gpu_type ? " " : "", s->gpu_type);
}

static const char *many(struct weft_arena *a, size_t n, unsigned parallel)
{
	if (parallel && parallel < n)
		return weft_arena_printf(a, "%zu (%u at a time)", n, parallel);
	return weft_arena_printf(a, "%zu", n);
}

static const char *bytes(struct weft_arena *a, uint64_t v)
{
	char buf[WEFT_UNIT_MAX];

	return v == WEFT_NO_BYTES ? "?"
				  : weft_arena_strdup(a, weft_format_size(buf, v));
}

/* "6G", "6G (2G files)": of a node, and of it what files there take. */
static const char *memory(struct weft_arena *a, const struct weft_plan_step *p)
{
	char all[WEFT_UNIT_MAX], files[WEFT_UNIT_MAX];

	if (!p->mem)
		return "-";
	weft_format_size(all, p->mem);
	if (!p->in_memory)
		return weft_arena_strdup(a, all);
	return weft_arena_printf(
		a, "%s (%s files)", all, weft_format_size(files, p->in_memory));
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

static void print_groups(const struct weft_plan *plan, const struct weft_style *style,
	struct weft_str *out)
{
	struct sheet s = {0};
	bool times = false, data = plan->bytes != WEFT_NO_BYTES, gpus = false,
	     together = false;

	for (size_t i = 0; i < plan->n_groups; i++) {
		times |= *plan->group[i].shape.partition != '\0';
		gpus |= plan->group[i].shape.gpu_hours > 0;
		together |= *plan->group[i].why != '\0';
	}
	column(&s, true, "submission", false);
	column(&s, true, "partition", false);
	column(&s, true, "nodes x tasks x GPUs", false);
	column(&s, true, "jobs", false);
	column(&s, times, "wait", true);
	column(&s, times, "start", true);
	column(&s, times, "end", true);
	column(&s, true, "node-h", true);
	column(&s, true, "core-h", true);
	column(&s, gpus, "GPU-h", true);
	column(&s, data, "data", true);
	column(&s, true, "after", false);
	column(&s, together, "together", false);
	begin(&s);
	for (size_t i = 0; i < plan->n_groups; i++) {
		const struct weft_plan_group *g = &plan->group[i];
		const struct weft_plan_step *p = &g->shape;

		put(&s, true, g->name);
		put(&s, true, *p->partition ? p->partition : "-");
		put(&s, true, size(&s.a, p));
		put(&s, true, many(&s.a, g->tasks ? g->tasks : 1, g->max_parallel));
		put(&s, times, paint_seconds(&s.a, p->wait));
		put(&s, times, paint_seconds(&s.a, p->start));
		put(&s, times, paint_seconds(&s.a, p->end));
		put(&s, true, weft_arena_printf(&s.a, "%.4g", p->node_hours));
		put(&s, true, weft_arena_printf(&s.a, "%.4g", p->core_hours));
		put(&s, gpus, weft_arena_printf(&s.a, "%.4g", p->gpu_hours));
		put(&s, data, bytes(&s.a, p->bytes));
		put(&s, true, needs(&s.a, plan, g));
		put(&s, together, *g->why ? g->why : "-");
		end_row(&s);
	}
	end(&s, style, out);
}

static void print_steps(const struct weft_plan *plan, const struct weft_style *style,
	struct weft_str *out)
{
	struct sheet s = {0};
	bool shared = plan->n_groups < plan->n_steps;
	/* Of this machine alone nothing is expected. */
	bool slurm = plan->n_steps && *plan->step[0].partition;
	bool times = shared && slurm;
	char buf[WEFT_UNIT_MAX];

	column(&s, true, "step", false);
	column(&s, shared, "in", false);
	column(&s, true, "nodes x tasks x GPUs", false);
	column(&s, true, "cpus/task", true);
	column(&s, true, "mem/node", true);
	column(&s, true, "time", true);
	column(&s, slurm, "run", true);
	column(&s, times, "start", true);
	column(&s, times, "end", true);
	column(&s, true, "members", false);
	column(&s, true, "launch", false);
	column(&s, true, "why", false);
	begin(&s);
	for (size_t i = 0; i < plan->n_groups; i++)
		for (size_t k = 0; k < plan->group[i].n_steps; k++) {
			const struct weft_plan_step *p =
				&plan->step[plan->group[i].step[k]];

			put(&s, true, p->name);
			put(&s, shared, plan->group[i].name);
			put(&s, true, size(&s.a, p));
			put(&s, true, weft_arena_printf(&s.a, "%u", p->cpus_per_task));
			put(&s, true, memory(&s.a, p));
			put(&s, true,
				p->time ? weft_arena_strdup(&s.a,
						  weft_format_duration(buf, p->time))
					: "-");
			put(&s, slurm, paint_seconds(&s.a, p->run));
			put(&s, times, paint_seconds(&s.a, p->start));
			put(&s, times, paint_seconds(&s.a, p->end));
			put(&s, true, many(&s.a, p->members, p->max_parallel));
			put(&s, true, weft_launch_name(p->launch));
			put(&s, true, p->why);
			end_row(&s);
		}
	end(&s, style, out);
}

static void print_sums(const struct weft_plan *plan, struct weft_str *out)
{
	char buf[WEFT_UNIT_MAX];
	bool endless = false;
	size_t jobs = 0;

	for (size_t i = 0; i < plan->n_groups; i++)
		jobs += plan->group[i].tasks ? plan->group[i].tasks : 1;
	for (size_t i = 0; i < plan->n_steps; i++)
		endless |= !plan->step[i].time;
	weft_str_printf(out, "%s: %zu %s in %zu %s (%zu %s)", plan->workflow,
		plan->n_steps, plan->n_steps == 1 ? "step" : "steps", plan->n_groups,
		plan->n_groups == 1 ? "submission" : "submissions", jobs,
		jobs == 1 ? "job" : "jobs");
	if (plan->end >= 0)
		weft_str_printf(out, ", expected to end after %s",
			weft_format_duration(buf, (int64_t)(plan->end + 0.5)));
	if (plan->bytes != WEFT_NO_BYTES)
		weft_str_printf(out, "; reads %s", weft_format_size(buf, plan->bytes));
	weft_str_printf(out,
		"\nat most %.4g node-hours, %.4g core-hours, %.4g GPU-hours (all "
		"members, to their time limits%s)\n",
		plan->node_hours, plan->core_hours, plan->gpu_hours,
		endless ? "; steps without one are not counted" : "");
}

void weft_report_plan(
	const struct weft_plan *plan, const struct weft_style *s, struct weft_str *out)
{
	print_groups(plan, s, out);
	weft_str_addc(out, '\n');
	print_steps(plan, s, out);
	weft_str_addc(out, '\n');
	print_sums(plan, out);
}
