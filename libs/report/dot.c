/* dot.c - the plan as a graph in DOT, for Graphviz. */
#include "report/paint.h"

/* Inside double quotes; control bytes as everywhere in this room. */
static void quoted(struct weft_str *out, const char *s)
{
	weft_str_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			weft_str_addc(out, '\\');
		weft_str_addc(out, (unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
	}
	weft_str_addc(out, '"');
}

/* "2 nodes, 8 tasks, 8 GPUs"; the \n is DOT's. */
static void size(struct weft_str *out, const struct weft_plan_step *s)
{
	char buf[WEFT_UNIT_MAX];

	weft_str_printf(out, "%u node%s, %u task%s", s->nodes, s->nodes == 1 ? "" : "s",
		s->ntasks, s->ntasks == 1 ? "" : "s");
	if (s->gpus)
		weft_str_printf(
			out, ", %s GPU%s", paint_gpus(buf, s), s->gpus == 1 ? "" : "s");
	if (s->members > 1)
		weft_str_printf(out, "\\n%zu members", s->members);
}

static void group(struct weft_str *out, const struct weft_plan *plan, size_t index)
{
	const struct weft_plan_group *g = &plan->group[index];

	weft_autostr struct weft_str label = {0};
	char buf[WEFT_UNIT_MAX];

	weft_str_printf(out, "\tsubgraph cluster_%zu {\n\t\tlabel=", index);
	weft_str_add(&label, *g->shape.partition ? g->shape.partition : "this machine");
	if (g->tasks > 1)
		weft_str_printf(&label, ", %zu jobs", g->tasks);
	if (g->shape.start >= 0)
		weft_str_printf(&label, ", from %s",
			weft_format_duration(buf, (int64_t)(g->shape.start + 0.5)));
	quoted(out, label.s ? label.s : "");
	weft_str_add(out, ";\n");
	for (size_t i = 0; i < g->n_steps; i++) {
		const struct weft_plan_step *s = &plan->step[g->step[i]];

		/* A step's name has letters, digits, '_' and '-' only. */
		weft_str_printf(out, "\t\t\"%s\" [label=\"%s\\n", s->name, s->name);
		size(out, s);
		weft_str_add(out, "\"];\n");
	}
	weft_str_add(out, "\t}\n");
}

/* What must have failed or ended says so; what may lack is dotted. */
static void edges(struct weft_str *out, const struct weft_workflow *wf,
	const struct weft_step *step)
{
	static const char *const state[] = {
		[WEFT_DEP_FAILED] = "failed", [WEFT_DEP_ENDED] = "ended"};

	for (size_t i = 0; i < step->n_edges; i++) {
		const struct weft_edge *e = &step->edge[i];

		weft_str_printf(
			out, "\t\"%s\" -> \"%s\"", wf->step[e->step].name, step->name);
		if (e->state != WEFT_DEP_DONE)
			weft_str_printf(out, " [label=\"%s\"%s]", state[e->state],
				e->optional ? ", style=dotted" : "");
		else if (e->optional)
			weft_str_add(out, " [style=dotted]");
		weft_str_add(out, ";\n");
	}
}

static bool has_edge(const struct weft_step *step, unsigned from)
{
	for (size_t i = 0; i < step->n_edges; i++)
		if (step->edge[i].step == from)
			return true;
	return false;
}

/* What `finally` waits for beyond what the file names: all steps that aren't. */
static void finally(struct weft_str *out, const struct weft_plan *plan,
	const struct weft_step *step)
{
	const struct weft_plan_group *g = &plan->group[plan->step[step->index].group];

	for (size_t i = 0; i < g->n_needs; i++) {
		const struct weft_plan_group *need = &plan->group[g->need[i].group];

		for (size_t k = 0; k < need->n_steps; k++)
			if (!has_edge(step, need->step[k]))
				weft_str_printf(out,
					"\t\"%s\" -> \"%s\" [style=dashed];\n",
					plan->step[need->step[k]].name, step->name);
	}
}

void weft_report_plan_dot(const struct weft_plan *plan, const struct weft_workflow *wf,
	struct weft_str *out)
{
	weft_str_add(out, "digraph ");
	quoted(out, plan->workflow);
	weft_str_add(out, " {\n\trankdir=LR;\n\tnode [shape=box];\n");
	for (size_t i = 0; i < plan->n_groups; i++)
		group(out, plan, i);
	for (size_t i = 0; i < wf->n_steps; i++) {
		edges(out, wf, &wf->step[i]);
		if (wf->step[i].finally)
			finally(out, plan, &wf->step[i]);
	}
	weft_str_add(out, "}\n");
}
