/* ast.h - between the files of the expr room. */
#ifndef WEFT_EXPR_AST_H
#define WEFT_EXPR_AST_H

#include "expr/expr.h"

enum op {
	OP_LITERAL,
	OP_NAME,
	OP_CALL,
	OP_NOT,
	OP_NEG,
	OP_OR,
	OP_AND,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
};

struct weft_func;

struct weft_expr {
	enum op op;
	unsigned depth;      /* of the tree below, so that no text exhausts the stack */
	struct weft_pos pos; /* of the operator, name, literal */
	unsigned width;
	union {                          /* there may be hundreds of thousands */
		struct weft_value value; /* OP_LITERAL; its text is the arena's */
		struct weft_name name;   /* OP_NAME */
		struct {                 /* all others */
			const struct weft_func *func; /* OP_CALL */
			const struct weft_expr **arg; /* operands, arguments */
			size_t n;
		};
	};
};

/* A function gets its arguments evaluated; default() and raw() are the
 * evaluator's. err->pos is set by the caller. */
struct weft_func {
	const char *name;
	size_t min, max; /* arguments */
	int (*call)(struct weft_value *arg, size_t n, struct weft_value *out,
		struct weft_err *err);
};
const struct weft_func *weft_func_find(const char *name);
const char *weft_func_nearest(const char *name);
bool weft_func_is(const struct weft_func *f, const char *name);

/* A text whose places are asked for mostly in order.  Columns count characters. */
struct weft_places {
	const char *text; /* NUL-terminated */
	size_t at;        /* where the last one was */
	struct weft_pos pos;
};
struct weft_pos weft_expr_place(struct weft_places *p, size_t at);

/* Parses text[from, to) of a longer text: places count from the text's start. */
int weft_expr_parse_part(struct weft_arena *a, struct weft_places *places, size_t from,
	size_t to, struct weft_expr **expr, struct weft_err *err);
/* raw(x) as a whole. */
bool weft_expr_is_raw(const struct weft_expr *e);
int weft_value_take_str(struct weft_value *v, struct weft_str *s);
const char *weft_value_kind_name(enum weft_value_kind kind);
/* JSON's grammar of a number. */
bool weft_number_valid(const char *s, size_t n);

#endif
