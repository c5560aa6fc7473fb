/* spec.h - workflows from texts, for the suites of spec */
#ifndef WEFT_TEST_SPEC_H
#define WEFT_TEST_SPEC_H

#include <string.h>

#include "spec/spec.h"
#include "suite.h"

static struct weft_workflow *try_load(const char *text, size_t n,
	const struct weft_spec_options *opt, struct weft_errs *errs)
{
	struct weft_workflow *wf;
	int rc = weft_spec_parse("/home/me/flow/t.yaml", text, n, opt, &wf, errs);
	ck_assert_int_eq(rc, wf ? 0 : -1);
	ck_assert_msg(wf || errs->n > 0, "refused without an error");
	return wf;
}

static inline struct weft_workflow *load_with(
	const char *text, const struct weft_spec_options *opt)
{
	struct weft_errs errs = {0};
	struct weft_workflow *wf = try_load(text, strlen(text), opt, &errs);
	char *line = errs.n ? weft_err_line(&errs.v[0]) : NULL;
	ck_assert_msg(wf != NULL, "%s", line ? line : "?");
	free(line);
	weft_errs_clear(&errs);
	return wf;
}

static inline struct weft_workflow *load(const char *text)
{
	return load_with(text, NULL);
}

/* One error, with this text at this line. */
static inline void refuse_with(const char *text, const struct weft_spec_options *opt,
	unsigned line, const char *part)
{
	struct weft_errs errs = {0};
	struct weft_workflow *wf = try_load(text, strlen(text), opt, &errs);
	ck_assert_msg(!wf, "accepted, though: %s", part);
	char *first = weft_err_line(&errs.v[0]);
	ck_assert_msg(errs.total == 1, "%zu errors, the first: %s", errs.total, first);
	ck_assert_uint_eq(errs.v[0].pos.line, line);
	ck_assert_msg(strstr(first, part), "no '%s' in: %s", part, first);
	free(first);
	weft_errs_clear(&errs);
}

static inline void refuse(const char *text, unsigned line, const char *part)
{
	refuse_with(text, NULL, line, part);
}

#define HEAD "name: t\nsteps:\n"
#define STEP(name) "  - name: " name "\n    run: 'true'\n"

#endif
