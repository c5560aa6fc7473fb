/* budget.c - the plan's upper bound against the workflow's budget. */
#include "select/arith.h"
#include "select/work.h"

/* A step without a time limit has no upper bound. */
static void check_limits(struct work *w)
{
	const struct weft_budget *b = &w->wf->budget;

	if (!b->node_hours && !b->gpu_hours && !b->core_hours)
		return;
	for (size_t i = 0; i < w->plan->n_steps; i++) {
		struct weft_err err = {0};

		if (w->plan->step[i].time)
			continue;
		weft_err_set(&err, WEFT_EPLACE,
			"there is a budget, but neither the step nor partition %s "
			"limits "
			"its time",
			w->plan->step[i].partition);
		weft_err_hint(&err, "write resources: {time: ...}");
		blame(w->wf, &w->wf->step[i], 0, KEY_NONE, &err);
		weft_errs_add(w->errs, &err);
	}
}

void check_budget(struct work *w)
{
	const struct weft_budget *b = &w->wf->budget;
	const struct {
		const char *key, *unit;
		double limit, plan;
		enum arith what;
	} rows[] = {
		{"node_hours", "node-hours", b->node_hours, w->plan->node_hours,
			ARITH_NODE_HOURS},
		{"gpu_hours", "GPU-hours", b->gpu_hours, w->plan->gpu_hours,
			ARITH_GPU_HOURS},
		{"core_hours", "core-hours", b->core_hours, w->plan->core_hours,
			ARITH_CORE_HOURS},
	};

	check_limits(w);
	for (size_t i = 0; i < WEFT_COUNT(rows); i++) {
		weft_autostr struct weft_str sum = {0};
		struct weft_err err = {0};
		char path[32];

		if (!(rows[i].limit > 0) || !(rows[i].plan > rows[i].limit))
			continue;
		weft_err_set(&err, WEFT_EPLACE,
			"the steps may take %.10g %s at their time limits, the budget "
			"is "
			"%.10g",
			rows[i].plan, rows[i].unit, rows[i].limit);
		if (arith_print(w->plan, rows[i].what, &sum) == 0)
			weft_err_hint(&err, "%s", sum.s);
		snprintf(path, sizeof(path), "budget.%s", rows[i].key);
		weft_err_at(&err, w->wf->file, b->pos, path);
		weft_errs_add(w->errs, &err);
	}
}
