/* budget.c - the plan's upper bound against the workflow's budget. */
#include "select/work.h"

#include <string.h>

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
		size_t field;
	} rows[] = {
		{"node_hours", "node-hours", b->node_hours, w->plan->node_hours,
			offsetof(struct weft_plan_step, node_hours)},
		{"gpu_hours", "GPU-hours", b->gpu_hours, w->plan->gpu_hours,
			offsetof(struct weft_plan_step, gpu_hours)},
		{"core_hours", "core-hours", b->core_hours, w->plan->core_hours,
			offsetof(struct weft_plan_step, core_hours)},
	};

	check_limits(w);
	for (size_t i = 0; i < WEFT_COUNT(rows); i++) {
		struct weft_err err = {0};
		const struct weft_plan_step *most = w->plan->step;
		double top = -1;
		char path[32], buf[WEFT_UNIT_MAX];

		if (!(rows[i].limit > 0) || !(rows[i].plan > rows[i].limit))
			continue;
		for (size_t k = 0; k < w->plan->n_steps; k++) {
			const struct weft_plan_step *s = &w->plan->step[k];
			double v;

			memcpy(&v, (const char *)s + rows[i].field, sizeof(v));
			if (v > top) {
				most = s;
				top = v;
			}
		}
		weft_err_set(&err, WEFT_EPLACE,
			"the steps may take %.10g %s at their time limits, the budget "
			"is "
			"%.10g",
			rows[i].plan, rows[i].unit, rows[i].limit);
		weft_err_hint(&err,
			"most goes to step %s: %zu x %u nodes, %u GPUs, %s = %.10g %s",
			most->name, most->members, most->nodes, most->gpus,
			weft_format_duration(buf, most->time), top, rows[i].unit);
		snprintf(path, sizeof(path), "budget.%s", rows[i].key);
		weft_err_at(&err, w->wf->file, b->pos, path);
		weft_errs_add(w->errs, &err);
	}
}
