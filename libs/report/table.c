/* table.c - aligned columns; on a terminal no wider than it. */
#include "report/paint.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2       /* between columns */
#define MIN_WIDTH 8 /* a column is not cut below this */

struct weft_table {
	size_t columns, rows, cap;
	const char *const *head;
	bool *right;
	const char **cell; /* rows * columns */
};

struct weft_table *weft_table_new(size_t columns, const char *const *head)
{
	struct weft_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	t->head = head;
	t->right = calloc(columns ? columns : 1, sizeof(*t->right));
	if (!t->right) {
		free(t);
		return NULL;
	}
	return t;
}

int weft_table_right(struct weft_table *t, size_t column)
{
	if (!t || column >= t->columns)
		return -1;
	t->right[column] = true;
	return 0;
}

int weft_table_row(struct weft_table *t, const char *const *cell)
{
	if (!t)
		return -1;
	if (t->rows == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		const char **v = reallocarray(t->cell, cap * t->columns, sizeof(*v));

		if (!v)
			return -1;
		t->cell = v;
		t->cap = cap;
	}
	for (size_t i = 0; i < t->columns; i++)
		t->cell[t->rows * t->columns + i] = cell[i] ? cell[i] : "";
	t->rows++;
	return 0;
}

/* Takes columns from the widest texts until the table fits; numbers stay whole. */
static void shrink(const struct weft_table *t, size_t *width, size_t limit)
{
	size_t total = t->columns ? (t->columns - 1) * GAP : 0;

	for (size_t i = 0; i < t->columns; i++)
		total += width[i];
	while (total > limit) {
		size_t widest = t->columns;

		for (size_t i = 0; i < t->columns; i++)
			if (!t->right[i] && width[i] > MIN_WIDTH &&
				(widest == t->columns || width[i] > width[widest]))
				widest = i;
		if (widest == t->columns)
			return;
		width[widest]--;
		total--;
	}
}

static void print_cell(const char *text, size_t width, bool right, bool last,
	const struct weft_style *s, struct weft_str *out)
{
	size_t have = paint_width(text);

	if (have > width) {
		const char *dots = s->utf8 ? "…" : "..";
		size_t keep = width - paint_width(dots), got;
		size_t bytes = paint_prefix(text, keep, &got);

		paint_addn(out, text, bytes);
		weft_str_add(out, dots);
		have = width;
	} else {
		if (right)
			paint_pad(out, width - have, ' ');
		paint_add(out, text);
	}
	if (!last && !right)
		paint_pad(out, width - have, ' ');
	if (!last)
		paint_pad(out, GAP, ' ');
}

/* Cells that are empty up to the end of the line leave no blanks there. */
static size_t used_columns(const struct weft_table *t, const char *const *row)
{
	size_t n = t->columns;

	while (n > 0 && !*row[n - 1])
		n--;
	return n;
}

static void print_row(const struct weft_table *t, const char *const *row,
	const size_t *width, const struct weft_style *s, struct weft_str *out)
{
	size_t used = used_columns(t, row);

	for (size_t i = 0; i < used; i++)
		print_cell(row[i], width[i], t->right[i], i + 1 == used, s, out);
}

void weft_table_print(
	const struct weft_table *t, const struct weft_style *s, struct weft_str *out)
{
	weft_autofree size_t *width = t ? calloc(t->columns + 1, sizeof(*width)) : NULL;

	if (!width) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < t->columns; i++) {
		width[i] = t->head ? paint_width(t->head[i]) : 0;
		for (size_t r = 0; r < t->rows; r++) {
			size_t w = paint_width(t->cell[r * t->columns + i]);

			if (w > width[i])
				width[i] = w;
		}
	}
	if (s->width)
		shrink(t, width, s->width);
	if (t->head) {
		weft_str_add(out, s->color ? "\033[1m" : "");
		print_row(t, t->head, width, s, out);
		weft_str_add(out, s->color ? "\033[0m\n" : "\n");
	}
	for (size_t r = 0; r < t->rows; r++) {
		print_row(t, t->cell + r * t->columns, width, s, out);
		weft_str_addc(out, '\n');
	}
}

void weft_table_free(struct weft_table *t)
{
	if (!t)
		return;
	free(t->right);
	free(t->cell);
	free(t);
}
