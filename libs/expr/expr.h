/*
 * expr - the language between ${{ and }}, and texts that hold it.
 *
 * Pure: names are looked up through a function of the caller's; no I/O.
 * Grammar and quoting: weft-workflow(5), "EXPRESSIONS".
 *
 * Ownership: compiled expressions and templates live in the arena given at
 * parse time, and borrow nothing.  Values: see weft_value_clear().  Errors:
 * WEFT_ESPEC; err->pos is relative to the text: line 1 is its first line.
 * Threads: compiled things may be evaluated by many.  Runs as: the user.
 */
#ifndef WEFT_EXPR_H
#define WEFT_EXPR_H

#include "base/base.h"

enum weft_value_kind {
	WEFT_V_NULL,
	WEFT_V_BOOL,
	WEFT_V_NUMBER, /* str, if set, is how it was written: it prints so */
	WEFT_V_STRING,
	WEFT_V_LIST,
	WEFT_V_MAP, /* items with names: an axis value that is a map */
};

struct weft_value {
	enum weft_value_kind kind;
	bool b;
	double num;
	char *str;
	struct weft_value *item;
	char **name; /* WEFT_V_MAP */
	size_t n;
};

void weft_value_clear(struct weft_value *v);
int weft_value_copy(struct weft_value *dst, const struct weft_value *src);
int weft_value_set_string(struct weft_value *v, const char *s);
int weft_value_set_number(struct weft_value *v, double num);
void weft_value_set_bool(struct weft_value *v, bool b);
/* The value that a plain YAML scalar means: JSON's number, true/false, else text;
 * quoted: text. */
int weft_value_from_text(struct weft_value *v, const char *text, bool quoted);
/* As a text inserts it: numbers as written or shortest round-trip, lists joined
 * by a space, maps as JSON. */
int weft_value_print(struct weft_str *out, const struct weft_value *v);
int weft_value_json(struct weft_str *out, const struct weft_value *v);

/* "steps.train.outputs.model" -> {"steps","train","outputs","model"} */
struct weft_name {
	const char *part[8];
	size_t n;
	struct weft_pos pos;
};

/* 0: *out is filled (the caller clears it); 1: there is no such value now
 * (default() catches it); -1: error. */
typedef int (*weft_lookup)(void *ctx, const struct weft_name *name,
	struct weft_value *out, struct weft_err *err);

struct weft_expr;
/* The text between the braces; it may stand in ${{ }}. */
int weft_expr_parse(struct weft_arena *a, const char *text, size_t n,
	struct weft_expr **expr, struct weft_err *err);
/* What *out held is overwritten; it is WEFT_V_NULL on error. */
int weft_expr_eval(const struct weft_expr *e, weft_lookup lookup, void *ctx,
	struct weft_value *out, struct weft_err *err);
/* Calls f for each name that the expression uses, in order, until it returns
 * non-zero; returns that. */
int weft_expr_names(const struct weft_expr *e,
	int (*f)(void *ctx, const struct weft_name *name), void *ctx);

/* A text with ${{ }} in it. */
enum weft_quoting {
	WEFT_QUOTE_NONE,  /* values are inserted as they are */
	WEFT_QUOTE_SHELL, /* POSIX shell or bash: a value is one word, or escaped inside
			     quotes; refused (at parse time) where that can't be had;
			     what stands in a comment stays as it is written */
};
struct weft_template;
/* *t is NULL when the text holds no ${{. */
int weft_template_parse(struct weft_arena *a, const char *text, enum weft_quoting q,
	struct weft_template **t, struct weft_err *err);
int weft_template_render(const struct weft_template *t, weft_lookup lookup, void *ctx,
	struct weft_str *out, struct weft_err *err);
int weft_template_names(const struct weft_template *t,
	int (*f)(void *ctx, const struct weft_name *name), void *ctx);
/* The expression if the whole text is one ${{ }}, else NULL: its value keeps its
 * kind. */
const struct weft_expr *weft_template_single(const struct weft_template *t);

#endif
