/* arith.c - hours as sums */
#include "select/arith.h"

#include <math.h>
#include <stdlib.h>

#define SHOWN 4 /* steps by name */

double arith_hours(const struct weft_plan_step *s, enum arith what)
{
	return what == ARITH_NODE_HOURS   ? s->node_hours
	       : what == ARITH_CORE_HOURS ? s->core_hours
					  : s->gpu_hours;
}

const struct weft_plan_step *arith_most(const struct weft_plan *plan, enum arith what)
{
	const struct weft_plan_step *most = NULL;

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct weft_plan_step *s = &plan->step[i];

		if (arith_hours(s, what) > (most ? arith_hours(most, what) : 0))
			most = s;
	}
	return most;
}

static void add_time(struct weft_str *out, int64_t seconds)
{
	if (seconds % 3600 == 0)
		weft_str_printf(out, "%jd h", (intmax_t)(seconds / 3600));
	else
		weft_str_printf(out, "%.10g min", (double)seconds / 60);
}

static void add_count(struct weft_str *out, double n, const char *what)
{
	weft_str_printf(out, "%.10g %s%s x ", n, what, n == 1 ? "" : "s");
}

/* A step whose share isn't such a product (its members differ, or it is a part of
 * a job) is told as a figure alone. */
static void add_step(
	struct weft_str *out, const struct weft_plan_step *s, enum arith what)
{
	double each = (double)s->members * (double)s->time / 3600, sum;
	double value = arith_hours(s, what);
	double width = what == ARITH_NODE_HOURS  ? s->nodes
		       : what == ARITH_GPU_HOURS ? s->gpus
		       : s->node_hours > 0       ? s->core_hours / s->node_hours
						 : 0;

	if (what == ARITH_CORE_HOURS)
		width = round(width);
	sum = what == ARITH_CORE_HOURS ? each * s->nodes * width : each * width;
	weft_str_printf(out, "%s: ", s->name);
	if (fabs(sum - value) <= 1e-3 + 1e-6 * value) {
		if (s->members != 1)
			add_count(out, (double)s->members, "member");
		if (what != ARITH_GPU_HOURS)
			add_count(out, s->nodes, "node");
		if (what == ARITH_CORE_HOURS)
			add_count(out, width, "core");
		if (what == ARITH_GPU_HOURS)
			add_count(out, s->gpus, "GPU");
		add_time(out, s->time);
		weft_str_add(out, " = ");
	}
	weft_str_printf(out, "%.10g", value);
}

struct share {
	double hours;
	size_t step;
};

static int by_hours(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->hours > y->hours || x->hours < y->hours)
		return x->hours > y->hours ? -1 : 1;
	return x->step < y->step ? -1 : x->step > y->step;
}

int arith_print(const struct weft_plan *plan, enum arith what, struct weft_str *out)
{
	weft_autofree struct share *v = calloc(plan->n_steps + 1, sizeof(*v));
	double rest = 0;
	size_t n = 0;

	if (!v)
		return -1;
	for (size_t i = 0; i < plan->n_steps; i++) {
		double h = arith_hours(&plan->step[i], what);

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
		add_step(out, &plan->step[v[i].step], what);
	}
	if (n > SHOWN)
		weft_str_printf(out, "; %zu more step%s = %.10g", n - SHOWN,
			n - SHOWN == 1 ? "" : "s", rest);
	return out->failed ? -1 : 0;
}
