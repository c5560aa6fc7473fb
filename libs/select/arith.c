/* arith.c - hours as sums */
#include "select/arith.h"

#include <math.h>
#include <stdlib.h>

#define SHOWN 4 /* groups by name */

static double of_step(const struct weft_plan_step *s, enum arith what)
{
	return what == ARITH_NODE_HOURS   ? s->node_hours
	       : what == ARITH_CORE_HOURS ? s->core_hours
					  : s->gpu_hours;
}

static double of_group(
	const struct weft_plan *plan, const struct weft_plan_group *g, enum arith what)
{
	double sum = 0;

	for (size_t i = 0; i < g->n_steps; i++)
		sum += of_step(&plan->step[g->step[i]], what);
	return sum;
}

const struct weft_plan_group *arith_most(const struct weft_plan *plan, enum arith what)
{
	const struct weft_plan_group *most = NULL;
	double best = 0;

	for (size_t i = 0; i < plan->n_groups; i++) {
		double h = of_group(plan, &plan->group[i], what);

		if (h > best) {
			most = &plan->group[i];
			best = h;
		}
	}
	return most;
}

/* In the unit that says it best; hours are kept to a third of a second. */
static void add_time(struct weft_str *out, double seconds)
{
	double minutes = round(seconds / 60);

	if (fabs(seconds - minutes * 60) > 1)
		weft_str_printf(out, "%.0f s", seconds);
	else if (fmod(minutes, 60) > 0)
		weft_str_printf(out, "%.0f min", minutes);
	else
		weft_str_printf(out, "%.0f h", minutes / 60);
}

static void add_count(struct weft_str *out, double n, const char *what)
{
	weft_str_printf(out, "%.10g %s%s x ", n, what, n > 1 ? "s" : "");
}

static void add_group(struct weft_str *out, const struct weft_plan *plan,
	const struct weft_plan_group *g, enum arith what)
{
	double jobs = g->tasks ? (double)g->tasks : 1;
	double nodes = of_group(plan, g, ARITH_NODE_HOURS);
	double value = of_group(plan, g, what);

	weft_str_printf(out, "%s: ", g->name);
	if (nodes > 0) {
		if (jobs > 1)
			add_count(out, jobs, "job");
		if (what != ARITH_GPU_HOURS)
			add_count(out, g->shape.nodes, "node");
		if (what == ARITH_CORE_HOURS)
			add_count(out, round(value / nodes), "core");
		if (what == ARITH_GPU_HOURS)
			add_count(out, g->shape.gpus, "GPU");
		add_time(out, nodes / jobs / g->shape.nodes * 3600);
		weft_str_add(out, " = ");
	}
	weft_str_printf(out, "%.10g", value);
}

struct share {
	double hours;
	size_t group;
};

static int by_hours(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->hours > y->hours || x->hours < y->hours)
		return x->hours > y->hours ? -1 : 1;
	return x->group < y->group ? -1 : x->group > y->group;
}

int arith_print(const struct weft_plan *plan, enum arith what, struct weft_str *out)
{
	weft_autofree struct share *v = calloc(plan->n_groups + 1, sizeof(*v));
	double rest = 0;
	size_t n = 0;

	if (!v)
		return -1;
	for (size_t i = 0; i < plan->n_groups; i++) {
		double h = of_group(plan, &plan->group[i], what);

		if (h > 0)
			v[n++] = (struct share){h, i};
	}
	qsort(v, n, sizeof(*v), by_hours);
	for (size_t i = 0; i < n; i++) {
		if (i >= SHOWN) {
			rest += v[i].hours;
			continue;
		}
		weft_str_add(out, i ? "; " : "");
		add_group(out, plan, &plan->group[v[i].group], what);
	}
	if (n > SHOWN)
		weft_str_printf(
			out, "; %zu more = %.10g", n - SHOWN, round(rest * 1e4) / 1e4);
	return out->failed ? -1 : 0;
}
