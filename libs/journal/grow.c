/* grow.c - sweeps whose members are known only while the run goes on */
#include "journal/journal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* The file that the producing step published; 1: it has not ended. */
static int find_rows(const struct weft_run *run, const struct weft_workflow *wf,
	const struct weft_sweep *s, char **path, char **why, struct weft_err *err)
{
	const struct weft_step *of = &wf->step[s->from];
	const char *output = of->output[s->from_output].name;
	weft_autofree char *dir = weft_run_step_dir(run, of, NULL);
	struct weft_record *r;
	struct stat st;

	*path = *why = NULL;
	if (!dir)
		return weft_err_nomem(err);
	int got = weft_record_read(dir, &r, err);
	if (got < 0)
		weft_err_clear(err); /* no proof of anything: it counts as none */
	if (got || !weft_state_ended(r->state)) {
		weft_record_free(r);
		return 1;
	}
	for (size_t i = 0; r->state == WEFT_STATE_DONE && i < r->n_outputs; i++)
		if (weft_streq(r->output[i].name, output))
			*path = strdup(r->output[i].path);
	if (r->state != WEFT_STATE_DONE)
		*why = weft_printf("its members come from %s, which %s%s", of->name,
			r->state == WEFT_STATE_FAILED ? "" : "was ",
			weft_state_name(r->state));
	else if (!*path)
		*why = weft_printf("its members come from %s.%s, which wasn't made",
			of->name, output);
	else if (stat(*path, &st) || !S_ISREG(st.st_mode))
		*why = weft_printf("its members come from %s, which is no file", *path);
	weft_record_free(r);
	return *path || *why ? 0 : weft_err_nomem(err);
}

static int read_rows(const struct weft_run *run, const struct weft_workflow *wf,
	unsigned step, struct weft_err *err)
{
	weft_autofree char *path = NULL, *why = NULL;
	weft_autoerr struct weft_err bad = {0};
	int got = find_rows(run, wf, &wf->step[step].sweep, &path, &why, err);

	if (got)
		return got < 0 ? -1 : 0;
	if (!why && weft_sweep_read(wf, step, path, &bad)) {
		weft_autofree char *line = weft_err_line(&bad);

		why = weft_printf(
			"its members can't be read: %s", line ? line : "out of memory");
	}
	if (why && weft_sweep_break(wf, step, why))
		return weft_err_nomem(err);
	return 0;
}

/* What was added is numbered: each once, however often it is read. */
static int add_member(const struct weft_workflow *wf, unsigned step,
	const struct weft_action *a, struct weft_err *err)
{
	weft_autoerr struct weft_err odd = {0};
	struct weft_value params;
	size_t index;

	if (a->number != (int64_t)wf->step[step].sweep.count)
		return 0;
	if (weft_spec_json(a->params, strlen(a->params), &params, err))
		return -1;
	int bad = weft_sweep_add(wf, step, &params, &index, &odd);
	weft_value_clear(&params);
	return bad && odd.sys == ENOMEM ? weft_err_nomem(err) : 0;
}

static int apply(const struct weft_workflow *wf, const struct weft_action *a,
	struct weft_err *err)
{
	size_t step;

	if (!weft_map_get(&wf->by_name, a->step, &step))
		return 0;
	unsigned loop = wf->step[step].loop;
	if (a->kind == WEFT_ACTION_ROUND && loop != WEFT_NO_LOOP &&
		a->number == (int64_t)wf->loop[loop].rounds)
		weft_loop_next(wf, loop);
	if (a->kind == WEFT_ACTION_ADD)
		return add_member(wf, (unsigned)step, a, err);
	if (a->kind == WEFT_ACTION_STOP)
		weft_sweep_end(wf, (unsigned)step);
	if (a->kind == WEFT_ACTION_END && loop != WEFT_NO_LOOP &&
		weft_loop_end(wf, loop, a->text))
		return weft_err_nomem(err);
	return 0;
}

static int replay(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_err *err)
{
	struct weft_action *v;
	size_t n;
	int bad = 0;

	if (weft_actions_read(run, &v, &n, err))
		return -1;
	for (size_t i = 0; !bad && i < n; i++)
		bad = apply(wf, &v[i], err);
	weft_actions_free(v, n);
	return bad;
}

int weft_run_grow(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_err *err)
{
	bool acted = false;

	for (unsigned i = 0; i < wf->n_steps; i++) {
		const struct weft_sweep *s = &wf->step[i].sweep;

		acted |= s->growing && s->kind != WEFT_SWEEP_FILE;
		if (s->growing && s->kind == WEFT_SWEEP_FILE &&
			read_rows(run, wf, i, err))
			return -1;
	}
	return acted ? replay(run, wf, err) : 0;
}
