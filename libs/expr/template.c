/* template.c - texts with ${{ }} in them. */
#include "expr/ast.h"
#include "expr/shell.h"

#include <stdlib.h>
#include <string.h>

struct part {
	const char *text; /* literal; NULL: an expression */
	size_t n;
	const struct weft_expr *expr;
	enum weft_shell_place place;
	bool as_is; /* no quoting, or raw() */
};

struct weft_template {
	struct part *part;
	size_t n;
};

struct builder {
	struct weft_arena *arena;
	const char *text;
	size_t len;
	struct weft_places places;
	struct weft_shell *sh; /* NULL: no quoting */
	struct part *part;
	size_t n, cap;
	struct weft_err *err;
};

static int add(struct builder *b, struct part part)
{
	if (weft_grow(b->part, b->n, b->cap) != 0)
		return weft_err_nomem(b->err);
	b->part[b->n++] = part;
	return 0;
}

/* The "}}" that ends the expression that begins at i, or 0. */
static size_t find_end(const char *text, size_t i)
{
	char quote = '\0';

	for (; text[i]; i++) {
		if (quote && text[i] == '\\' && text[i + 1])
			i++;
		else if (quote)
			quote = text[i] == quote ? '\0' : quote;
		else if (text[i] == '"' || text[i] == '\'')
			quote = text[i];
		else if (text[i] == '}' && text[i + 1] == '}')
			return i;
	}
	return 0;
}

/* The variable that holds the value of a name, for the advice. */
static bool variable(const struct weft_expr *e, struct weft_str *out)
{
	static const struct {
		const char *first, *prefix;
	} known[] = {{"params", "WEFT_PARAM_"}, {"inputs", "WEFT_INPUT_"},
		{"outputs", "WEFT_OUTPUT_"}, {"env", ""}};

	if (e->op != OP_NAME || e->name.n != 2)
		return false;
	if (strcmp(e->name.part[0], "run") == 0 &&
		strcmp(e->name.part[1], "dir") == 0) {
		weft_str_add(out, "WEFT_RUN_DIR");
		return true;
	}
	for (size_t i = 0; i < WEFT_COUNT(known); i++) {
		if (strcmp(e->name.part[0], known[i].first) != 0)
			continue;
		weft_str_add(out, known[i].prefix);
		for (const char *s = e->name.part[1]; *s; s++)
			weft_str_addc(out, known[i].prefix[0] && *s >= 'a' && *s <= 'z'
						   ? (char)(*s - 32)
						   : *s);
		return true;
	}
	return false;
}

static int refuse(struct builder *b, const struct weft_expr *e, size_t at, size_t end,
	const char *why)
{
	weft_autostr struct weft_str name = {0};

	weft_err_set(b->err, WEFT_ESPEC, "a value can't be inserted safely %s", why);
	if (variable(e, &name))
		weft_err_hint(b->err, "use the environment variable there: \"$%s\"",
			name.s ? name.s : "");
	else
		weft_err_hint(b->err,
			"set a variable before, x=%.*s, and use \"$x\" there",
			(int)(end - at < 60 ? end - at : 60), b->text + at);
	if (b->err)
		b->err->width = (unsigned)(end - at);
	return weft_err_at(b->err, NULL, weft_expr_place(&b->places, at), NULL);
}

/* The expression of text[at, end), with its braces. */
static int add_expr(struct builder *b, size_t at, size_t end)
{
	struct part part = {.as_is = true};
	const char *why = NULL;
	struct weft_expr *e;
	char next = b->text[end];

	if (b->sh) {
		/* A '$' may begin the next value: nothing is bare before it. */
		part.place = weft_shell_value(b->sh, next ? next : '\n', &why);
		if (part.place == WEFT_AT_COMMENT &&
			!memchr(b->text + at, '\n', end - at))
			return add(
				b, (struct part){.text = b->text + at, .n = end - at});
	}
	if (weft_expr_parse_part(b->arena, &b->places, at + 3, end - 2, &e, b->err) !=
		0)
		return -1;
	part.expr = e;
	if (b->sh) {
		part.as_is = weft_expr_is_raw(e);
		if (part.as_is)
			weft_shell_paste(b->sh);
		else if (part.place == WEFT_AT_COMMENT)
			return refuse(b, e, at, end, "over several lines of a comment");
		else if (part.place == WEFT_AT_REFUSED)
			return refuse(b, e, at, end, why);
	}
	return add(b, part);
}

static size_t find_open(const struct builder *b, size_t i)
{
	const char *p;

	while ((p = memchr(b->text + i, '$', b->len - i)) != NULL) {
		i = (size_t)(p - b->text);
		if (p[1] == '{' && p[2] == '{')
			return i;
		i++;
	}
	return b->len;
}

static int split(struct builder *b)
{
	size_t i = 0;

	while (i < b->len) {
		size_t at = find_open(b, i), end;
		bool open = at < b->len;

		if (b->sh)
			weft_shell_read(b->sh, b->text, i, at, open);
		if (at > i &&
			add(b, (struct part){.text = b->text + i, .n = at - i}) != 0)
			return -1;
		if (!open)
			return 0;
		end = find_end(b->text, at + 3);
		if (!end) {
			weft_err_set(b->err, WEFT_ESPEC, "'${{' without '}}'");
			return weft_err_at(
				b->err, NULL, weft_expr_place(&b->places, at), NULL);
		}
		if (add_expr(b, at, end + 2) != 0)
			return -1;
		i = end + 2;
	}
	return 0;
}

int weft_template_parse(struct weft_arena *a, const char *text, enum weft_quoting q,
	struct weft_template **t, struct weft_err *err)
{
	struct builder b = {.arena = a, .len = strlen(text), .err = err};
	int rc = -1;

	*t = NULL;
	if (!strstr(text, "${{"))
		return 0;
	b.text = b.places.text = weft_arena_strndup(a, text, b.len);
	if (q == WEFT_QUOTE_SHELL)
		b.sh = weft_shell_new();
	if (!b.text || (q == WEFT_QUOTE_SHELL && !b.sh)) {
		weft_err_nomem(err);
	} else if ((rc = split(&b)) == 0) {
		struct weft_template *new = weft_arena_alloc(a, sizeof(*new));
		struct part *part = weft_arena_alloc(a, b.n * sizeof(*part));

		if (new &&part) {
			memcpy(part, b.part, b.n * sizeof(*part));
			*new = (struct weft_template){part, b.n};
			*t = new;
		} else {
			rc = weft_err_nomem(err);
		}
	}
	weft_shell_free(b.sh);
	free(b.part);
	return rc;
}

int weft_template_render(const struct weft_template *t, weft_lookup lookup, void *ctx,
	struct weft_str *out, struct weft_err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct part *p = &t->part[i];
		weft_autostr struct weft_str s = {0};
		struct weft_value v;

		if (p->text) {
			weft_str_addn(out, p->text, p->n);
			continue;
		}
		if (weft_expr_eval(p->expr, lookup, ctx, &v, err) != 0)
			return -1;
		weft_value_print(p->as_is ? out : &s, &v);
		weft_value_clear(&v);
		if (s.failed)
			return weft_err_nomem(err);
		if (!p->as_is)
			weft_shell_write(out, p->place, s.s ? s.s : "");
	}
	return out->failed ? weft_err_nomem(err) : 0;
}

int weft_template_names(const struct weft_template *t,
	int (*f)(void *ctx, const struct weft_name *name), void *ctx)
{
	int rc;

	for (size_t i = 0; i < t->n; i++)
		if (t->part[i].expr &&
			(rc = weft_expr_names(t->part[i].expr, f, ctx)) != 0)
			return rc;
	return 0;
}

const struct weft_expr *weft_template_single(const struct weft_template *t)
{
	return t->n == 1 ? t->part[0].expr : NULL;
}
