/* forecast.h - Slurm's own word on when a job would start, in place of an estimate. */
#ifndef WEFT_SELECT_FORECAST_H
#define WEFT_SELECT_FORECAST_H

#include "select/choose.h"

struct forecasts {
	const struct weft_select_forecast *v;
	struct weft_map by_key; /* borrows the keys */
};

int forecasts_open(struct forecasts *f, const struct weft_select_forecast *v, size_t n);
void forecasts_close(struct forecasts *f);
/* Seconds after the snapshot; negative: Slurm was not asked, or didn't know. */
double forecast_wait(const struct forecasts *f, const struct weft_plan_step *shape);
/* What tells one job from another, as far as its start goes. */
void forecast_key(const struct weft_plan_step *shape, char key[WEFT_DIGEST_HEX]);
/* What sbatch would be told of one member. */
void candidate_shape(const struct asks *asks, const struct candidate *c,
	struct weft_plan_step *shape);

#endif
