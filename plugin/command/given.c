/* given.c - how large the files are that steps want in memory, as select wants it */
#include "job.h"

#include <stdlib.h>
#include <unistd.h>

#include "stage/stage.h"

struct given {
	size_t n;
	uint64_t **step; /* by input; NULL: none of it is a path for memory */
};

/* Of several sources the first that is there counts. */
static uint64_t measure(const struct weft_workflow *wf, const struct weft_step *s,
	const struct weft_member *member, const struct weft_input *in)
{
	const struct weft_scope scope = {
		.wf = wf, .step = s, .member = member, .variant = -1};

	for (size_t i = 0; i < in->n_from; i++) {
		weft_autofree char *text = NULL, *path = NULL;
		weft_autoerr struct weft_err err = {0};
		uint64_t bytes, files;

		if (in->from[i].step != WEFT_NO_STEP ||
			weft_scope_text(&scope, &in->from[i].path, &text, &err))
			return WEFT_NO_BYTES;
		path = weft_path_absolute(wf->dir, text);
		if (path && access(path, F_OK) == 0)
			return weft_stage_measure(path, &bytes, &files, NULL) == 0
				       ? bytes
				       : WEFT_NO_BYTES;
	}
	return WEFT_NO_BYTES;
}

/* Members read files of one kind: the first stands for all. */
static uint64_t *measure_step(const struct weft_workflow *wf, const struct weft_step *s)
{
	uint64_t *bytes = NULL;
	struct weft_member member = {0};
	weft_autoerr struct weft_err err = {0};
	bool sweep = s->sweep.kind != WEFT_SWEEP_NONE && s->sweep.count;

	for (size_t i = 0; i < s->n_inputs; i++) {
		const struct weft_input *in = &s->input[i];

		if (in->to != WEFT_SCRATCH_MEMORY || in->mode == WEFT_MODE_LINK)
			continue;
		if (!bytes) {
			bytes = malloc(s->n_inputs * sizeof(*bytes));
			if (!bytes ||
				(sweep && weft_sweep_member(wf, s, 0, &member, &err)))
				break;
			for (size_t k = 0; k < s->n_inputs; k++)
				bytes[k] = WEFT_NO_BYTES;
		}
		bytes[i] = measure(wf, s, sweep ? &member : NULL, in);
	}
	weft_member_clear(&member);
	if (err.code)
		free(weft_steal(&bytes));
	return bytes;
}

struct given *given_measure(const struct weft_workflow *wf)
{
	struct given *g = calloc(1, sizeof(*g));

	if (!g || !(g->step = calloc(wf->n_steps + 1, sizeof(*g->step)))) {
		free(g);
		return NULL;
	}
	g->n = wf->n_steps;
	for (size_t i = 0; i < g->n; i++)
		g->step[i] = measure_step(wf, &wf->step[i]);
	return g;
}

const uint64_t *const *given_of_steps(const struct given *g)
{
	return g ? (const uint64_t *const *)g->step : NULL;
}

void given_free(struct given *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++)
		free(g->step[i]);
	free(g->step);
	free(g);
}
