/* common_step.c - the step and the member that a user names: "train", "train.7" */
#include "command.h"

#include <stdlib.h>
#include <string.h>

const struct weft_step *cmd_step(const struct weft_workflow *wf, const char *of,
	const char *word, const char **member, struct weft_err *err)
{
	/* No dot is in a step's name: what follows one is the member. */
	const char *dot = strchr(word, '.');
	weft_autofree char *name =
		dot ? strndup(word, (size_t)(dot - word)) : strdup(word);

	*member = dot ? dot + 1 : NULL;
	if (!name) {
		weft_err_nomem(err);
		return NULL;
	}
	const struct weft_step *step = weft_spec_step(wf, name);
	if (step)
		return step;
	weft_autofree const char **names = calloc(wf->n_steps + 1, sizeof(*names));
	weft_err_set(err, WEFT_EUSAGE, "%s has no step '%s'", of, name);
	for (size_t i = 0; names && i < wf->n_steps; i++)
		names[i] = wf->step[i].name;
	const char *near = names ? weft_nearest(name, names, wf->n_steps) : NULL;
	if (near)
		weft_err_hint(err, "did you mean '%s'?", near);
	return NULL;
}

int cmd_member(const struct weft_workflow *wf, const struct weft_step *step,
	const char *which, size_t *index, struct weft_err *err)
{
	size_t count = step->sweep.count;
	int64_t n;

	*index = 0;
	if (weft_parse_int(which, 0, (int64_t)count - 1, &n)) {
		*index = (size_t)n;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct weft_member m;

		if (weft_sweep_member(wf, step, i, &m, err))
			return -1;
		bool same = weft_streq(m.id, which);
		weft_member_clear(&m);
		if (same) {
			*index = i;
			return 0;
		}
	}
	return weft_err_set(err, WEFT_EUSAGE,
		"step '%s' has %zu member%s, none is '%s'", step->name, count,
		count == 1 ? "" : "s", which);
}
