/*
 * report - what people and scripts see: plan tables, run status, JSON, errors.
 *
 * Ownership: everything is printed into the caller's string.  Errors: only lack
 * of memory, through the string's `failed`.  Threads: any.  Runs as: the user.
 */
#ifndef WEFT_REPORT_H
#define WEFT_REPORT_H

#include "journal/journal.h"
#include "select/select.h"

struct weft_style {
	bool color; /* ANSI colours */
	bool utf8;
	unsigned width; /* columns; 0: don't fold */
};

/* Table with aligned columns; cells are borrowed. */
struct weft_table;
struct weft_table *weft_table_new(size_t columns, const char *const *head);
int weft_table_right(struct weft_table *t, size_t column); /* numbers */
int weft_table_row(struct weft_table *t, const char *const *cell);
void weft_table_print(
	const struct weft_table *t, const struct weft_style *s, struct weft_str *out);
void weft_table_free(struct weft_table *t);

/* "file:line:col: error: path: text", the source line, a caret, "hint: ...". */
void weft_report_error(
	const struct weft_err *err, const struct weft_style *s, struct weft_str *out);
void weft_report_errors(
	const struct weft_errs *errs, const struct weft_style *s, struct weft_str *out);
/* {"errors":[{file,line,column,path,text,hint,code}],"total":N} */
int weft_report_errors_json(const struct weft_errs *errs, struct weft_str *out);

void weft_report_plan(
	const struct weft_plan *plan, const struct weft_style *s, struct weft_str *out);

/* Every partition and alternative of a step, why not and why. */
void weft_report_explanation(const struct weft_explanation *x, const char *step,
	const struct weft_style *s, struct weft_str *out);
/* Groups and steps as a graph in DOT, for Graphviz. */
void weft_report_plan_dot(const struct weft_plan *plan, const struct weft_workflow *wf,
	struct weft_str *out);

/* Counts what the run has used until `now`: a job of it from its first member's start
 * to its last one's end, or now while one runs, and without jobs of their own each
 * member by itself.  -1: no memory. */
int weft_report_use(struct weft_status *st, const struct weft_plan *plan, double now);
void weft_report_status(const struct weft_run *run, const struct weft_status *st,
	const struct weft_style *s, struct weft_str *out);
int weft_report_status_json(
	const struct weft_run *run, const struct weft_status *st, struct weft_str *out);

/* Appends text that came from a file, a program or Slurm: control bytes, which could
 * drive the reader's terminal, and what is not UTF-8 show as '?'. */
void weft_report_text(struct weft_str *out, const char *s);

struct json_t;
/* A JSON string of such text; null of NULL. */
struct json_t *weft_report_json_text(const char *s);
/* Appends a document of jansson's and a newline, and uses it up.  root NULL: it could
 * not be made.  flags: json_dumps()'s. */
int weft_report_json(struct json_t *root, size_t flags, struct weft_str *out);

#endif
