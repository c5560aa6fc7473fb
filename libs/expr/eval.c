/* eval.c - tree to value. */
#include "expr/ast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct eval {
	weft_lookup lookup;
	void *ctx;
	struct weft_err *err;
	const struct weft_expr *missing; /* the name that has no value */
};

static int at(struct eval *ev, const struct weft_expr *e)
{
	if (ev->err) {
		ev->err->width = e->width;
		if (ev->err->code == WEFT_OK)
			ev->err->code = WEFT_ESPEC;
	}
	return weft_err_at(ev->err, NULL, e->pos, NULL);
}

static const char *const op_text[] = {[OP_NOT] = "!",
	[OP_NEG] = "-",
	[OP_OR] = "||",
	[OP_AND] = "&&",
	[OP_EQ] = "==",
	[OP_NE] = "!=",
	[OP_LT] = "<",
	[OP_LE] = "<=",
	[OP_GT] = ">",
	[OP_GE] = ">=",
	[OP_ADD] = "+",
	[OP_SUB] = "-",
	[OP_MUL] = "*",
	[OP_DIV] = "/"};

static int wrong_kind(struct eval *ev, const struct weft_expr *e, const char *need,
	const struct weft_value *got)
{
	weft_err_set(ev->err, WEFT_ESPEC, "'%s' needs %s, not %s", op_text[e->op], need,
		weft_value_kind_name(got->kind));
	return at(ev, e);
}

static int eval(struct eval *ev, const struct weft_expr *e, struct weft_value *out);

/* 0, 1 (no value now) or -1, as eval() returns. */
static int eval_bool(struct eval *ev, const struct weft_expr *e, size_t i, bool *b)
{
	struct weft_value v = {0};
	int rc = eval(ev, e->arg[i], &v);

	if (rc == 0 && v.kind != WEFT_V_BOOL)
		rc = wrong_kind(ev, e, "true or false", &v);
	*b = v.b;
	weft_value_clear(&v);
	return rc;
}

static int eval_logic(
	struct eval *ev, const struct weft_expr *e, struct weft_value *out)
{
	bool b;
	int rc = eval_bool(ev, e, 0, &b);

	if (rc == 0 && e->op != OP_NOT && b == (e->op == OP_AND))
		rc = eval_bool(ev, e, 1, &b);
	if (rc == 0)
		weft_value_set_bool(out, e->op == OP_NOT ? !b : b);
	return rc;
}

static bool equal(const struct weft_value *a, const struct weft_value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case WEFT_V_NULL:
		return true;
	case WEFT_V_BOOL:
		return a->b == b->b;
	case WEFT_V_NUMBER:
		return a->num == b->num;
	case WEFT_V_STRING:
		return strcmp(a->str, b->str) == 0;
	default:
		break;
	}
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if ((a->name && strcmp(a->name[i], b->name[i]) != 0) ||
			!equal(&a->item[i], &b->item[i]))
			return false;
	return true;
}

static int compare(struct eval *ev, const struct weft_expr *e,
	const struct weft_value *a, const struct weft_value *b, struct weft_value *out)
{
	int less, more;

	if (e->op == OP_EQ || e->op == OP_NE) {
		weft_value_set_bool(out, equal(a, b) == (e->op == OP_EQ));
		return 0;
	}
	if (a->kind == WEFT_V_STRING && b->kind == WEFT_V_STRING) {
		int c = strcmp(a->str, b->str);

		less = c < 0;
		more = c > 0;
	} else if (a->kind != WEFT_V_NUMBER) {
		return wrong_kind(ev, e, "two numbers or two texts", a);
	} else if (b->kind != WEFT_V_NUMBER) {
		return wrong_kind(ev, e, "two numbers or two texts", b);
	} else {
		less = a->num < b->num;
		more = a->num > b->num;
	}
	weft_value_set_bool(out, e->op == OP_LT   ? less
				 : e->op == OP_GT ? more
				 : e->op == OP_LE ? !more
						  : !less);
	return 0;
}

static int arithmetic(struct eval *ev, const struct weft_expr *e,
	const struct weft_value *a, const struct weft_value *b, struct weft_value *out)
{
	double r;

	if (e->op == OP_ADD && a->kind == WEFT_V_STRING && b->kind == WEFT_V_STRING) {
		struct weft_str s = {0};

		weft_str_add(&s, a->str);
		weft_str_add(&s, b->str);
		return weft_value_take_str(out, &s) ? weft_err_nomem(ev->err) : 0;
	}
	if (a->kind != WEFT_V_NUMBER || b->kind != WEFT_V_NUMBER)
		return wrong_kind(ev, e,
			e->op == OP_ADD ? "two numbers or two texts" : "two numbers",
			a->kind == WEFT_V_NUMBER ? b : a);
	if (e->op == OP_DIV && b->num == 0) {
		weft_err_set(ev->err, WEFT_ESPEC, "division by zero");
		return at(ev, e);
	}
	r = e->op == OP_ADD   ? a->num + b->num
	    : e->op == OP_SUB ? a->num - b->num
	    : e->op == OP_MUL ? a->num * b->num
			      : a->num / b->num;
	if (!isfinite(r)) {
		weft_err_set(ev->err, WEFT_ESPEC, "the result of '%s' is too large",
			op_text[e->op]);
		return at(ev, e);
	}
	return weft_value_set_number(out, r);
}

static int eval_binary(
	struct eval *ev, const struct weft_expr *e, struct weft_value *out)
{
	struct weft_value a = {0}, b = {0};
	int rc = eval(ev, e->arg[0], &a);

	if (rc == 0)
		rc = eval(ev, e->arg[1], &b);
	if (rc == 0)
		rc = e->op >= OP_ADD ? arithmetic(ev, e, &a, &b, out)
				     : compare(ev, e, &a, &b, out);
	weft_value_clear(&a);
	weft_value_clear(&b);
	return rc;
}

static int eval_neg(struct eval *ev, const struct weft_expr *e, struct weft_value *out)
{
	struct weft_value v = {0};
	int rc = eval(ev, e->arg[0], &v);

	if (rc == 0 && v.kind != WEFT_V_NUMBER)
		rc = wrong_kind(ev, e, "a number", &v);
	if (rc == 0)
		weft_value_set_number(out, -v.num);
	weft_value_clear(&v);
	return rc;
}

static int eval_call(struct eval *ev, const struct weft_expr *e, struct weft_value *out)
{
	struct weft_value *arg;
	int rc = 0;

	if (weft_func_is(e->func, "raw"))
		return eval(ev, e->arg[0], out);
	if (weft_func_is(e->func, "default")) {
		rc = eval(ev, e->arg[0], out);
		if (rc == 1 || (rc == 0 && out->kind == WEFT_V_NULL)) {
			ev->missing = NULL;
			rc = eval(ev, e->arg[1], out);
		}
		return rc;
	}
	arg = calloc(e->n, sizeof(*arg));
	if (!arg)
		return weft_err_nomem(ev->err);
	for (size_t i = 0; i < e->n && rc == 0; i++)
		rc = eval(ev, e->arg[i], &arg[i]);
	if (rc == 0 && e->func->call(arg, e->n, out, ev->err) != 0)
		rc = at(ev, e);
	for (size_t i = 0; i < e->n; i++)
		weft_value_clear(&arg[i]);
	free(arg);
	return rc;
}

static int eval_name(struct eval *ev, const struct weft_expr *e, struct weft_value *out)
{
	int rc = ev->lookup(ev->ctx, &e->name, out, ev->err);

	if (rc > 0) {
		weft_value_clear(out);
		ev->missing = e;
	} else if (rc < 0) {
		if (ev->err && ev->err->pos.line == 0)
			at(ev, e);
	}
	return rc;
}

static int eval(struct eval *ev, const struct weft_expr *e, struct weft_value *out)
{
	switch (e->op) {
	case OP_LITERAL:
		return weft_value_copy(out, &e->value) ? weft_err_nomem(ev->err) : 0;
	case OP_NAME:
		return eval_name(ev, e, out);
	case OP_CALL:
		return eval_call(ev, e, out);
	case OP_NEG:
		return eval_neg(ev, e, out);
	case OP_NOT:
	case OP_OR:
	case OP_AND:
		return eval_logic(ev, e, out);
	default:
		return eval_binary(ev, e, out);
	}
}

static int no_value(struct eval *ev)
{
	const struct weft_name *name = &ev->missing->name;
	weft_autostr struct weft_str s = {0};

	for (size_t i = 0; i < name->n; i++) {
		if (i)
			weft_str_addc(&s, '.');
		weft_str_add(&s, name->part[i]);
	}
	weft_err_set(
		ev->err, WEFT_ESPEC, "there is no value for %s", s.s ? s.s : "a name");
	weft_err_hint(ev->err, "default(%s, ...) gives one", s.s ? s.s : "x");
	return at(ev, ev->missing);
}

int weft_expr_eval(const struct weft_expr *e, weft_lookup lookup, void *ctx,
	struct weft_value *out, struct weft_err *err)
{
	struct eval ev = {.lookup = lookup, .ctx = ctx, .err = err};
	struct weft_value v = {0};
	int rc = eval(&ev, e, &v);

	*out = (struct weft_value){.kind = WEFT_V_NULL};
	if (rc == 0) {
		*out = v;
		return 0;
	}
	weft_value_clear(&v);
	return rc > 0 ? no_value(&ev) : -1;
}

int weft_expr_names(const struct weft_expr *e,
	int (*f)(void *ctx, const struct weft_name *name), void *ctx)
{
	int rc;

	if (e->op == OP_NAME)
		return f(ctx, &e->name);
	if (e->op == OP_LITERAL)
		return 0;
	for (size_t i = 0; i < e->n; i++)
		if ((rc = weft_expr_names(e->arg[i], f, ctx)) != 0)
			return rc;
	return 0;
}
