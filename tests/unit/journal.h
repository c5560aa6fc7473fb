/* journal.h - runs in a folder of the test's own */
#ifndef WEFT_TEST_JOURNAL_H
#define WEFT_TEST_JOURNAL_H

#include "journal/journal.h"
#include "scratch.h"
#include "suite.h"

static inline struct weft_run *new_run(const char *source, size_t n_steps)
{
	struct weft_run_new def = {.parent = in_scratch("runs"),
		.name = "heat",
		.file = "/home/me/heat.yaml",
		.dir = "/home/me",
		.source = source,
		.source_len = strlen(source),
		.plan_json = "{}",
		.n_steps = n_steps};
	struct weft_run *run;

	ok(weft_run_create(&def, &run, &ok_err));
	return run;
}

static inline struct weft_workflow *workflow(const char *text)
{
	struct weft_errs errs = {0};
	struct weft_workflow *wf;

	if (weft_spec_parse("/home/me/heat.yaml", text, strlen(text), NULL, &wf, &errs))
		ck_abort_msg("%s", weft_err_line(&errs.v[0]));
	return wf;
}

/* Writes it where it belongs: a file in the step's folder, or a line of `writer`. */
static inline void put_record(const struct weft_run *run,
	const struct weft_workflow *wf, unsigned step, size_t member,
	struct weft_record *r, const char *writer)
{
	const struct weft_step *s = &wf->step[step];
	struct weft_recorder *w;
	struct weft_member m;

	ok(weft_sweep_member(wf, s, member, &m, &ok_err));
	char *dir = weft_run_step_dir(run, s, &m);
	ok(weft_mkdirs(dir, 0755, &ok_err));
	if (s->sweep.kind == WEFT_SWEEP_NONE) {
		ok(weft_record_write(dir, r, &ok_err));
	} else {
		r->step = (char *)s->name;
		r->member = m.id;
		r->index = member;
		ok(weft_recorder_open(run, writer, &w, &ok_err));
		ok(weft_recorder_add(w, r, &ok_err));
		ok(weft_recorder_commit(w, &ok_err));
		weft_recorder_close(w);
	}
	char *log = weft_path_join(dir, "stdout");
	put_text(log, "said\n");
	free(log);
	free(dir);
	weft_member_clear(&m);
}

#endif
