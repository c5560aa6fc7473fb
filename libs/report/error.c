/* error.c - errors as people read them, and as JSON. */
#include "report/paint.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_MAX (16u << 20)
#define LINE_MAX_COLUMNS 160 /* of a source line where the width is not known */

/* The file that errors point into, read once for all of them. */
struct source {
	char *file, *text;
};

static const char *source_text(struct source *src, const char *file)
{
	weft_autoerr struct weft_err ignored = {0};
	size_t n;

	if (src->file && strcmp(src->file, file) == 0)
		return src->text;
	free(src->file);
	free(src->text);
	src->text = NULL;
	src->file = strdup(file);
	/* A message without its line is still a message. */
	if (weft_read_file(file, SOURCE_MAX, &src->text, &n, &ignored) < 0)
		src->text = NULL;
	return src->text;
}

static void source_clear(struct source *src)
{
	free(src->file);
	free(src->text);
	*src = (struct source){0};
}

/* The line's text, malloced, with tabs as one blank each so that the caret below
 * stands where the editor's column says. */
static char *source_line(struct source *src, const char *file, unsigned line)
{
	const char *p = source_text(src, file);
	struct weft_str s = {0};

	if (!p)
		return NULL;
	for (unsigned i = 1; i < line; i++) {
		p = strchr(p, '\n');
		if (!p)
			return NULL;
		p++;
	}
	if (!*p && line > 1)
		return NULL;
	size_t n = strcspn(p, "\r\n");
	for (size_t i = 0; i < n;) {
		size_t k = strcspn(p + i, "\t");

		if (k > n - i)
			k = n - i;
		paint_addn(&s, p + i, k);
		i += k;
		if (i < n) {
			weft_str_addc(&s, ' ');
			i++;
		}
	}
	weft_str_add(&s, "");
	return weft_str_take(&s);
}

static void print_source(const struct weft_err *err, const struct weft_style *st,
	struct source *src, struct weft_str *out)
{
	weft_autofree char *line = source_line(src, err->file, err->pos.line);
	size_t limit = st->width > 20 ? st->width - 8 : LINE_MAX_COLUMNS;
	size_t col = err->pos.col ? err->pos.col : 1, skip = 0, have, shown;

	if (!line)
		return;
	have = paint_width(line);
	if (col > have + 1)
		col = have + 1;
	/* Of a long line the part around the caret. */
	if (have > limit && col > limit * 2 / 3)
		skip = col - limit * 2 / 3;
	const char *from = line + paint_prefix(line, skip, NULL);
	size_t bytes = paint_prefix(from, limit, &shown);
	size_t width = err->width ? err->width : 1, at = col - 1 - skip;

	if (width > shown - (at < shown ? at : shown))
		width = shown > at ? shown - at : 1;
	weft_str_printf(out, "%5u | ", err->pos.line);
	paint_addn(out, from, bytes);
	weft_str_addc(out, '\n');
	if (!err->pos.col)
		return;
	weft_str_add(out, "      | ");
	paint_pad(out, at, ' ');
	weft_str_add(out, st->color ? "\033[1;31m^" : "^");
	paint_pad(out, width - 1, '~');
	weft_str_add(out, st->color ? "\033[0m\n" : "\n");
}

static void print_error(const struct weft_err *err, const struct weft_style *st,
	struct source *src, struct weft_str *out)
{
	weft_autostr struct weft_str where = {0};

	weft_str_add(&where, err->file ? err->file : "weft");
	if (err->file && err->pos.line)
		weft_str_printf(&where, ":%u", err->pos.line);
	if (err->file && err->pos.line && err->pos.col)
		weft_str_printf(&where, ":%u", err->pos.col);
	weft_str_add(&where, ": ");
	paint_color(out, st, PAINT_BOLD, where.s ? where.s : "");
	paint_color(out, st, PAINT_RED, "error:");
	weft_str_addc(out, ' ');
	if (err->path && *err->path) {
		paint_add(out, err->path);
		weft_str_add(out, ": ");
	}
	paint_add(out, err->text ? err->text : "unknown error");
	weft_str_addc(out, '\n');
	if (err->file && err->pos.line)
		print_source(err, st, src, out);
	if (err->hint && *err->hint) {
		weft_str_add(out, "  ");
		paint_color(out, st, PAINT_CYAN, "hint:");
		weft_str_addc(out, ' ');
		paint_add(out, err->hint);
		weft_str_addc(out, '\n');
	}
}

void weft_report_error(
	const struct weft_err *err, const struct weft_style *s, struct weft_str *out)
{
	struct source src = {0};

	print_error(err, s, &src, out);
	source_clear(&src);
}

void weft_report_errors(
	const struct weft_errs *errs, const struct weft_style *s, struct weft_str *out)
{
	struct source src = {0};

	for (size_t i = 0; i < errs->n; i++)
		print_error(&errs->v[i], s, &src, out);
	if (errs->total > errs->n)
		weft_str_printf(out, "... and %zu more %s\n", errs->total - errs->n,
			errs->total - errs->n == 1 ? "error" : "errors");
	source_clear(&src);
}

/* ---- JSON -------------------------------------------------------------- */

static const char *code_name(enum weft_code code)
{
	static const char *const names[] = {
		[WEFT_OK] = "ok",
		[WEFT_EFAILED] = "failed",
		[WEFT_EUSAGE] = "usage",
		[WEFT_ESPEC] = "spec",
		[WEFT_EPLACE] = "place",
		[WEFT_ESTAGE] = "stage",
		[WEFT_ESLURM] = "slurm",
		[WEFT_EINTR] = "interrupted",
		[WEFT_ECONF] = "conf",
		[WEFT_ESYS] = "system",
	};

	return (size_t)code < WEFT_COUNT(names) ? names[code] : "system";
}

static json_t *error_json(const struct weft_err *e)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:s}", "file",
		paint_json(e->file), "line", (json_int_t)e->pos.line, "column",
		(json_int_t)e->pos.col, "width", (json_int_t)e->width, "path",
		paint_json(e->path), "text", paint_json(e->text), "hint",
		paint_json(e->hint), "code", code_name(e->code));
}

int weft_report_errors_json(const struct weft_errs *errs, struct weft_str *out)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errs->n; i++)
		if (json_array_append_new(list, error_json(&errs->v[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	/* json_pack() frees the list where it fails, and fails where that is NULL. */
	return weft_report_json(json_pack("{s:o, s:I}", "errors", list, "total",
					(json_int_t)errs->total),
		JSON_INDENT(2), out);
}
