/* json_print.c - a plan as JSON; conf/plan.schema.json says what is in it. */
#include "select/json.h"

#include <stddef.h>

/* One table for both ways: the order is the order in the file. */
const struct plan_field plan_fields[N_PLAN_FIELDS] = {
#define F(name, kind)                                                                  \
	{                                                                              \
#name, kind, offsetof(struct weft_plan_step, name)                     \
	}
	F(name, TEXT),
	F(partition, TEXT),
	F(account, TEXT),
	F(qos, TEXT),
	F(reservation, TEXT),
	F(nodes, UINT),
	F(ntasks, UINT),
	F(ntasks_per_node, UINT),
	F(cpus_per_task, UINT),
	F(gpus, UINT),
	F(gpus_per_node, UINT),
	F(tasks_per_gpu, RARE),
	F(gpu_type, TEXT),
	F(mem, BYTES),
	F(in_memory, SOME),
	F(tmp, BYTES),
	F(time, SECONDS),
	F(constraint, TEXT),
	F(exclude, TEXT),
	F(nodelist, TEXT),
	F(licenses, TEXT),
	F(gres, TEXT),
	F(exclusive, BOOLEAN),
	F(variant, INTEGER),
	F(launch, LAUNCH),
	F(members, SIZE),
	F(max_parallel, UINT),
	F(group, UINT),
	F(node_hours, HOURS),
	F(core_hours, HOURS),
	F(gpu_hours, HOURS),
	F(why, TEXT),
	F(run, EXPECTED),
	F(wait, EXPECTED),
	F(start, EXPECTED),
	F(end, EXPECTED),
	F(bytes, MOVED),
#undef F
};

static void text(struct weft_str *out, const char *s)
{
	struct weft_value v = {.kind = WEFT_V_STRING, .str = (char *)s};

	weft_value_json(out, &v);
}

/* Rounded to four digits where it was computed, so that 15 are exact. */
static void hours(struct weft_str *out, double v)
{
	if (v == 0)
		weft_str_addc(out, '0');
	else
		weft_str_printf(out, "%.15g", v);
}

/* Most of a plan is small numbers: printf would be half of the time. */
static void number(struct weft_str *out, uint64_t v)
{
	char buf[24], *p = buf + sizeof(buf);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	weft_str_addn(out, p, (size_t)(buf + sizeof(buf) - p));
}

static void expected(struct weft_str *out, double v)
{
	if (v < 0)
		weft_str_add(out, "null");
	else
		hours(out, v);
}

static void moved(struct weft_str *out, uint64_t v)
{
	if (v == WEFT_NO_BYTES)
		weft_str_add(out, "null");
	else
		number(out, v);
}

static void value(struct weft_str *out, const struct plan_field *f,
	const struct weft_plan_step *s)
{
	const void *p = (const char *)s + f->at;

	switch (f->kind) {
	case TEXT:
		text(out, *(const char *const *)p);
		break;
	case UINT:
	case RARE:
		number(out, *(const unsigned *)p);
		break;
	case SIZE:
		number(out, *(const size_t *)p);
		break;
	case BYTES:
	case SOME:
		number(out, *(const uint64_t *)p);
		break;
	case SECONDS:
		number(out, (uint64_t) * (const int64_t *)p);
		break;
	case BOOLEAN:
		weft_str_add(out, *(const bool *)p ? "true" : "false");
		break;
	case INTEGER:
		weft_str_printf(out, "%d", *(const int *)p);
		break;
	case HOURS:
		hours(out, *(const double *)p);
		break;
	case EXPECTED:
		expected(out, *(const double *)p);
		break;
	case MOVED:
		moved(out, *(const uint64_t *)p);
		break;
	case LAUNCH:
		text(out, weft_launch_name(*(const enum weft_launch *)p));
		break;
	}
}

static bool left_out(const struct plan_field *f, const struct weft_plan_step *s)
{
	const void *p = (const char *)s + f->at;

	return (f->kind == SOME && !*(const uint64_t *)p) ||
	       (f->kind == RARE && !*(const unsigned *)p);
}

static void print_step(
	struct weft_str *out, const struct weft_plan_step *s, const char *indent)
{
	weft_str_add(out, "{");
	for (size_t i = 0; i < N_PLAN_FIELDS; i++) {
		if (left_out(&plan_fields[i], s))
			continue;
		weft_str_add(out, i ? ",\n" : "\n");
		weft_str_add(out, indent);
		weft_str_add(out, " \"");
		weft_str_add(out, plan_fields[i].name);
		weft_str_add(out, "\": ");
		value(out, &plan_fields[i], s);
	}
	weft_str_printf(out, "\n%s}", indent);
}

static void print_group(struct weft_str *out, const struct weft_plan_group *g)
{
	weft_str_add(out, "{\n   \"name\": ");
	text(out, g->name);
	weft_str_add(out, ",\n   \"steps\": [");
	for (size_t i = 0; i < g->n_steps; i++)
		weft_str_printf(out, "%s%u", i ? ", " : "", g->step[i]);
	weft_str_printf(out,
		"],\n   \"tasks\": %zu,\n   \"block\": %zu,\n   \"width\": %u,\n"
		"   \"max_parallel\": %u",
		g->tasks, g->block, g->width, g->max_parallel);
	weft_str_add(out, ",\n   \"needs\": [");
	for (size_t i = 0; i < g->n_needs; i++)
		weft_str_printf(out, "%s{\"group\": %u, \"corresponding\": %s}",
			i ? ", " : "", g->need[i].group,
			g->need[i].corresponding ? "true" : "false");
	weft_str_add(out, "],\n   \"why\": ");
	text(out, g->why);
	weft_str_add(out, ",\n   \"shape\": ");
	print_step(out, &g->shape, "   ");
	weft_str_add(out, "\n  }");
}

int weft_plan_print_json(const struct weft_plan *plan, struct weft_str *out)
{
	weft_str_printf(out, "{\n \"format\": %d,\n \"workflow\": ", PLAN_FORMAT);
	text(out, plan->workflow);
	weft_str_add(out, ",\n \"node_hours\": ");
	hours(out, plan->node_hours);
	weft_str_add(out, ",\n \"core_hours\": ");
	hours(out, plan->core_hours);
	weft_str_add(out, ",\n \"gpu_hours\": ");
	hours(out, plan->gpu_hours);
	weft_str_add(out, ",\n \"end\": ");
	expected(out, plan->end);
	weft_str_add(out, ",\n \"bytes\": ");
	moved(out, plan->bytes);
	weft_str_add(out, ",\n \"steps\": [");
	for (size_t i = 0; i < plan->n_steps; i++) {
		weft_str_add(out, i ? ",\n  " : "\n  ");
		print_step(out, &plan->step[i], "  ");
	}
	weft_str_add(out, "\n ],\n \"groups\": [");
	for (size_t i = 0; i < plan->n_groups; i++) {
		weft_str_add(out, i ? ",\n  " : "\n  ");
		print_group(out, &plan->group[i]);
	}
	weft_str_add(out, "\n ]\n}\n");
	return out->failed ? -1 : 0;
}
