/* policy_roots.c - paths of a workflow that are known before it runs, against the roots
 * of weft.conf; those with values in them are looked at when they have them */
#include "job.h"

#include <stdlib.h>
#include <unistd.h>

struct look {
	const struct job *j;
	const char *user;
	struct weft_errs *errs;
};

static void look_at(const struct look *l, const struct weft_text *text,
	struct weft_pos pos, bool read)
{
	const struct weft_workflow *wf = l->j->wf;
	struct weft_err err = {0};

	if (!text->s || text->tpl)
		return;
	weft_autofree char *path = weft_path_absolute(wf->dir, text->s);
	/* Of several sources the first that is there counts. */
	if (!path || (read && access(path, F_OK)))
		return;
	if (read ? weft_engine_may_read(l->j->conf, l->user, path, &err)
		 : weft_engine_may_write(l->j->conf, l->user, path, &err)) {
		weft_err_at(&err, wf->file, text->pos.line ? text->pos : pos, NULL);
		weft_errs_add(l->errs, &err);
	}
}

static void look_at_input(const struct look *l, const struct weft_input *in)
{
	for (size_t i = 0; i < in->n_from; i++)
		if (in->from[i].step == WEFT_NO_STEP)
			look_at(l, &in->from[i].path, in->pos, true);
}

/* A log beside the step's folder is the run's own. */
static void look_at_log(const struct look *l, const struct weft_text *text)
{
	if (text->s && *text->s == '/')
		look_at(l, text, text->pos, false);
}

void check_roots(const struct job *j, struct weft_errs *errs)
{
	const struct look l = {j, cmd_user(), errs};
	struct weft_conf_limits limits;

	weft_conf_limits(j->conf, l.user, &limits);
	if (!limits.read_roots.n && !limits.write_roots.n)
		return;
	for (size_t i = 0; i < j->wf->n_steps; i++) {
		const struct weft_step *s = &j->wf->step[i];

		for (size_t k = 0; k < s->n_inputs; k++)
			look_at_input(&l, &s->input[k]);
		for (size_t k = 0; k < s->n_files; k++)
			if (s->file[k].kind != WEFT_FILE_TEXT)
				look_at(&l, &s->file[k].value, s->file[k].pos, true);
		look_at_log(&l, &s->stdout_path);
		look_at_log(&l, &s->stderr_path);
	}
}
