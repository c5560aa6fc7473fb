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

#endif
