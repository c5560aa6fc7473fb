/* parse.c - text to tree.
 *
 *   or   = and { "||" and }            and = cmp { "&&" cmp }
 *   cmp  = sum [ ("=="|"!="|"<"|"<="|">"|">=") sum ]
 *   sum  = term { ("+"|"-") term }     term = unary { ("*"|"/") unary }
 *   unary = ("!"|"-") unary | primary
 *   primary = number | string | "true" | "false" | name | func "(" or {"," or} ")"
 *           | "(" or ")"
 *   name = ident { "." ident | "[" string "]" }
 */
#include "expr/ast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 200

struct parser {
	struct weft_arena *arena;
	const char *text;
	size_t at, end; /* at: start of what is not read yet */
	struct weft_err *err;
	unsigned nested;
	struct weft_places *places;
};

struct weft_pos weft_expr_place(struct weft_places *p, size_t at)
{
	if (at < p->at || !p->pos.line) {
		p->at = 0;
		p->pos = (struct weft_pos){1, 1};
	}
	for (; p->at < at; p->at++) {
		if (p->text[p->at] == '\n')
			p->pos = (struct weft_pos){p->pos.line + 1, 1};
		else
			p->pos.col +=
				((unsigned char)p->text[p->at + 1] & 0xc0) != 0x80;
	}
	return p->pos;
}

static int fail_at(struct parser *p, size_t at, unsigned width)
{
	if (p->err)
		p->err->width = width;
	return weft_err_at(p->err, NULL, weft_expr_place(p->places, at), NULL);
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end && strchr(" \t\n\r", p->text[p->at]))
		p->at++;
}

static bool accept(struct parser *p, const char *s)
{
	size_t n = strlen(s);

	skip_space(p);
	if (p->end - p->at < n || memcmp(p->text + p->at, s, n) != 0)
		return false;
	p->at += n;
	return true;
}

static bool ident_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

static size_t ident(struct parser *p)
{
	size_t n = 0;

	while (p->at + n < p->end && ident_char(p->text[p->at + n], n == 0))
		n++;
	return n;
}

static int unexpected(struct parser *p, const char *want)
{
	skip_space(p);
	if (p->at >= p->end)
		weft_err_set(p->err, WEFT_ESPEC, "the expression ends where %s is due",
			want);
	else if (p->text[p->at] == '=')
		weft_err_set(p->err, WEFT_ESPEC, "'=' is no operator");
	else
		weft_err_set(p->err, WEFT_ESPEC, "'%.*s' where %s is due",
			(int)strnlen(p->text + p->at,
				p->end - p->at < 12 ? p->end - p->at : 12),
			p->text + p->at, want);
	if (p->at < p->end && p->text[p->at] == '=')
		weft_err_hint(p->err, "'==' compares");
	return fail_at(p, p->at, 1);
}

static struct weft_expr *node(
	struct parser *p, enum op op, size_t at, size_t width, size_t n_args)
{
	struct weft_expr *e = weft_arena_alloc(p->arena, sizeof(*e));

	if (e && n_args)
		e->arg =
			weft_arena_alloc(p->arena, n_args * sizeof(struct weft_expr *));
	if (!e || (n_args && !e->arg)) {
		weft_err_nomem(p->err);
		return NULL;
	}
	e->op = op;
	e->pos = weft_expr_place(p->places, at);
	e->width = (unsigned)width;
	e->depth = 1;
	return e;
}

static int add_arg(
	struct parser *p, struct weft_expr *e, const struct weft_expr *arg, size_t at)
{
	e->arg[e->n++] = arg;
	if (e->depth <= arg->depth)
		e->depth = arg->depth + 1;
	if (e->depth <= MAX_DEPTH)
		return 0;
	weft_err_set(p->err, WEFT_ESPEC, "the expression is too long");
	return fail_at(p, at, 1);
}

static int parse_or(struct parser *p, struct weft_expr **out);

/* A quoted text; *out is the arena's. */
static int parse_string(struct parser *p, char **out)
{
	size_t start = p->at;
	char quote = p->text[p->at++],
	     *s = weft_arena_alloc(p->arena, p->end - start + 1);
	size_t n = 0;

	if (!s)
		return weft_err_nomem(p->err);
	while (p->at < p->end && p->text[p->at] != quote) {
		char c = p->text[p->at++];

		if (c == '\\') {
			char e = p->at < p->end ? p->text[p->at] : '\0';

			if (!e || !strchr("\\\"'nt", e)) {
				weft_err_set(p->err, WEFT_ESPEC, "an unknown escape");
				weft_err_hint(
					p->err, "there are \\\\ \\\" \\' \\n \\t");
				return fail_at(p, p->at - 1, 2);
			}
			c = e == 'n' ? '\n' : e == 't' ? '\t' : e;
			p->at++;
		}
		s[n++] = c;
	}
	if (p->at >= p->end) {
		weft_err_set(p->err, WEFT_ESPEC, "a quote that is never closed");
		return fail_at(p, start, 1);
	}
	p->at++;
	*out = s;
	return 0;
}

static int parse_name(struct parser *p, struct weft_expr **out)
{
	size_t start = p->at, n = ident(p);
	struct weft_expr *e = node(p, OP_NAME, start, 1, 0);
	char *part;

	if (!e)
		return -1;
	for (;;) {
		if (e->name.n == WEFT_COUNT(e->name.part)) {
			weft_err_set(p->err, WEFT_ESPEC,
				"a name of more than %zu parts",
				WEFT_COUNT(e->name.part));
			return fail_at(p, start, 1);
		}
		if (n) {
			part = weft_arena_strndup(p->arena, p->text + p->at, n);
			p->at += n;
			if (!part)
				return weft_err_nomem(p->err);
		} else {
			skip_space(p);
			if (p->at >= p->end || !strchr("\"'", p->text[p->at]))
				return unexpected(p, "a quoted name");
			if (parse_string(p, &part) != 0)
				return -1;
			if (!accept(p, "]"))
				return unexpected(p, "']'");
		}
		e->name.part[e->name.n++] = part;
		if (p->at < p->end && p->text[p->at] == '.') {
			p->at++;
			n = ident(p);
			if (n == 0)
				return unexpected(p, "a name");
		} else if (p->at < p->end && p->text[p->at] == '[') {
			p->at++;
			n = 0;
		} else {
			break;
		}
	}
	e->name.pos = e->pos;
	e->width = (unsigned)(p->at - start);
	*out = e;
	return 0;
}

static int parse_call(
	struct parser *p, size_t start, const char *name, struct weft_expr **out)
{
	const struct weft_func *f = weft_func_find(name);
	struct weft_expr *e = node(p, OP_CALL, start, strlen(name), f ? f->max : 0);

	if (!e)
		return -1;
	if (!f) {
		const char *near = weft_func_nearest(name);

		weft_err_set(p->err, WEFT_ESPEC, "there is no function %s()", name);
		if (near)
			weft_err_hint(p->err, "did you mean %s()?", near);
		return fail_at(p, start, (unsigned)strlen(name));
	}
	e->func = f;
	if (!accept(p, ")")) {
		do {
			struct weft_expr *arg;

			skip_space(p);
			if (e->n == f->max) {
				weft_err_set(p->err, WEFT_ESPEC,
					"%s() takes at most %zu", name, f->max);
				return fail_at(p, p->at, 1);
			}
			if (parse_or(p, &arg) != 0 || add_arg(p, e, arg, start) != 0)
				return -1;
		} while (accept(p, ","));
		if (!accept(p, ")"))
			return unexpected(p, "',' or ')'");
	}
	if (e->n < f->min) {
		weft_err_set(p->err, WEFT_ESPEC, "%s() needs %zu value%s, here are %zu",
			name, f->min, f->min == 1 ? "" : "s", e->n);
		return fail_at(p, start, (unsigned)strlen(name));
	}
	*out = e;
	return 0;
}

static int parse_number(struct parser *p, struct weft_expr **out)
{
	size_t start = p->at, n = 0;
	struct weft_expr *e;

	while (start + n < p->end &&
		(ident_char(p->text[start + n], false) || p->text[start + n] == '.' ||
			(n && strchr("+-", p->text[start + n]) &&
				strchr("eE", p->text[start + n - 1]))))
		n++;
	e = node(p, OP_LITERAL, start, n, 0);
	if (!e)
		return -1;
	e->value.kind = WEFT_V_NUMBER;
	e->value.str = weft_arena_strndup(p->arena, p->text + start, n);
	if (!e->value.str)
		return weft_err_nomem(p->err);
	e->value.num = strtod(e->value.str, NULL);
	if (!weft_number_valid(e->value.str, n) || !isfinite(e->value.num)) {
		weft_err_set(
			p->err, WEFT_ESPEC, "'%.40s' is not a number", e->value.str);
		weft_err_hint(p->err, "quote a text");
		return fail_at(p, start, (unsigned)n);
	}
	p->at += n;
	*out = e;
	return 0;
}

static int parse_primary(struct parser *p, struct weft_expr **out)
{
	char c, name[16];
	size_t start, n;

	skip_space(p);
	start = p->at;
	c = p->at < p->end ? p->text[p->at] : '\0';
	if (c >= '0' && c <= '9')
		return parse_number(p, out);
	if (c == '"' || c == '\'') {
		struct weft_expr *e = node(p, OP_LITERAL, start, 1, 0);

		if (!e || parse_string(p, &e->value.str) != 0)
			return -1;
		e->value.kind = WEFT_V_STRING;
		e->width = (unsigned)(p->at - start);
		*out = e;
		return 0;
	}
	if (accept(p, "(")) {
		if (parse_or(p, out) != 0)
			return -1;
		return accept(p, ")") ? 0 : unexpected(p, "')'");
	}
	n = ident(p);
	if (n == 0)
		return unexpected(p, "a value");
	snprintf(name, sizeof(name), "%.*s", (int)(n < 15 ? n : 15), p->text + start);
	if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0) {
		struct weft_expr *e = node(p, OP_LITERAL, start, n, 0);

		if (!e)
			return -1;
		e->value.kind = WEFT_V_BOOL;
		e->value.b = name[0] == 't';
		p->at += n;
		*out = e;
		return 0;
	}
	p->at += n;
	if (accept(p, "("))
		return parse_call(p, start, name, out);
	p->at = start;
	return parse_name(p, out);
}

static int parse_unary(struct parser *p, struct weft_expr **out)
{
	struct weft_expr *e, *arg;
	size_t start;
	int rc;

	skip_space(p);
	start = p->at;
	if (p->nested++ > MAX_DEPTH) {
		weft_err_set(p->err, WEFT_ESPEC, "the expression is nested too deeply");
		return fail_at(p, start, 1);
	}
	if (p->at < p->end && (p->text[start] == '!' || p->text[start] == '-')) {
		p->at++;
		e = node(p, p->text[start] == '!' ? OP_NOT : OP_NEG, start, 1, 1);
		rc = !e || parse_unary(p, &arg) != 0 ? -1 : add_arg(p, e, arg, start);
		*out = e;
	} else {
		rc = parse_primary(p, out);
	}
	p->nested--;
	return rc;
}

/* Operators of one level, the longer before the shorter that begins alike. */
struct level {
	struct {
		const char *s;
		enum op op;
	} v[7];
	bool once; /* a < b < c would mean something else than it says */
};

static const struct level levels[] = {
	{{{"||", OP_OR}}, false},
	{{{"&&", OP_AND}}, false},
	{{{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {"<", OP_LT},
		 {">", OP_GT}},
		true},
	{{{"+", OP_ADD}, {"-", OP_SUB}}, false},
	{{{"*", OP_MUL}, {"/", OP_DIV}}, false},
};

static int parse_level(struct parser *p, size_t l, struct weft_expr **out)
{
	struct weft_expr *left, *right, *e;
	bool found = false;

	if (l == WEFT_COUNT(levels))
		return parse_unary(p, out);
	if (parse_level(p, l + 1, &left) != 0)
		return -1;
	for (;;) {
		size_t i = 0, start;

		skip_space(p);
		start = p->at;
		while (levels[l].v[i].s && !accept(p, levels[l].v[i].s))
			i++;
		if (!levels[l].v[i].s)
			break;
		if (found && levels[l].once) {
			weft_err_set(
				p->err, WEFT_ESPEC, "comparisons can't be chained");
			weft_err_hint(p->err, "join them by '&&'");
			return fail_at(p, start, 1);
		}
		found = true;
		e = node(p, levels[l].v[i].op, start, strlen(levels[l].v[i].s), 2);
		if (!e || parse_level(p, l + 1, &right) != 0 ||
			add_arg(p, e, left, start) != 0 ||
			add_arg(p, e, right, start) != 0)
			return -1;
		left = e;
	}
	*out = left;
	return 0;
}

static int parse_or(struct parser *p, struct weft_expr **out)
{
	return parse_level(p, 0, out);
}

bool weft_expr_is_raw(const struct weft_expr *e)
{
	return e->op == OP_CALL && weft_func_is(e->func, "raw");
}

/* raw() says how a value is inserted: below another operation it says nothing. */
static int check_raw(struct parser *p, const struct weft_expr *e)
{
	if (e->op == OP_LITERAL || e->op == OP_NAME)
		return 0;
	for (size_t i = 0; i < e->n; i++) {
		if (weft_expr_is_raw(e->arg[i])) {
			weft_err_set(
				p->err, WEFT_ESPEC, "raw() inside of an expression");
			weft_err_hint(p->err, "put raw( ) around the whole");
			if (p->err)
				p->err->width = e->arg[i]->width;
			return weft_err_at(p->err, NULL, e->arg[i]->pos, NULL);
		}
		if (check_raw(p, e->arg[i]) != 0)
			return -1;
	}
	return 0;
}

int weft_expr_parse_part(struct weft_arena *a, struct weft_places *places, size_t from,
	size_t to, struct weft_expr **expr, struct weft_err *err)
{
	struct parser p = {.arena = a,
		.text = places->text,
		.at = from,
		.end = to,
		.err = err,
		.places = places};

	*expr = NULL;
	struct weft_expr *e;
	if (parse_or(&p, &e) != 0)
		return -1;
	skip_space(&p);
	if (p.at < p.end)
		return unexpected(&p, "the end or an operator");
	if (check_raw(&p, e) != 0)
		return -1;
	*expr = e;
	return 0;
}

int weft_expr_parse(struct weft_arena *a, const char *text, size_t n,
	struct weft_expr **expr, struct weft_err *err)
{
	size_t from = 0, to = n;
	/* Places look one byte ahead. */
	char *copy = weft_arena_strndup(a, text, n);

	*expr = NULL;
	if (!copy)
		return weft_err_nomem(err);
	while (from < to && strchr(" \t\r\n", copy[from]))
		from++;
	while (to > from && strchr(" \t\r\n", copy[to - 1]))
		to--;
	/* The braces may be left out, so they may be there. */
	if (to - from >= 5 && memcmp(copy + from, "${{", 3) == 0 &&
		memcmp(copy + to - 2, "}}", 2) == 0) {
		from += 3;
		to -= 2;
	}
	return weft_expr_parse_part(
		a, &(struct weft_places){.text = copy}, from, to, expr, err);
}
