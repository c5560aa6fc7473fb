/* explain.c - every partition and alternative of a step, why not and why. */
#include "report/paint.h"

#define COLUMNS 9

void weft_report_explanation(const struct weft_explanation *x, const char *step,
	const struct weft_style *s, struct weft_str *out)
{
	static const char *const head[COLUMNS] = {"alternative", "partition", "verdict",
		"free", "wait", "run", "data", "end", "why"};
	static const size_t right[] = {3, 4, 5, 6, 7};
	const struct weft_candidate *chosen = NULL;
	char size[WEFT_UNIT_MAX];
	const char *shown[COLUMNS];
	size_t column[COLUMNS] = {0}, n = 0;
	struct weft_arena a = {0};
	bool data = false;

	for (size_t i = 0; i < x->n_candidates; i++)
		data |= x->candidate[i].data > 0;
	for (size_t i = 0; i < COLUMNS; i++)
		if (!(i == 0 && x->n_variants < 2) && !(i == 6 && !data)) {
			column[n] = i;
			shown[n++] = head[i];
		}
	struct weft_table *t = weft_table_new(n, shown);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < WEFT_COUNT(right); k++)
			if (column[i] == right[k])
				weft_table_right(t, i);
	for (size_t i = 0; i < x->n_candidates; i++) {
		const struct weft_candidate *c = &x->candidate[i];
		const char *row[COLUMNS],
			*cell[COLUMNS] = {
				weft_arena_printf(&a, "%d", c->variant + 1),
				*c->partition ? c->partition : "any",
				c->chosen ? "chosen"
				: c->fits ? "fits"
					  : "refused",
				c->fits ? weft_arena_printf(
						  &a, "%u of %u", c->idle, c->nodes)
					: "-",
				c->fits ? paint_seconds(&a, c->wait) : "-",
				c->fits ? paint_seconds(&a, c->run) : "-",
				c->fits ? paint_seconds(&a, c->data) : "-",
				c->fits ? paint_seconds(&a, c->end) : "-",
				*c->hint ? weft_arena_printf(
						   &a, "%s (%s)", c->why, c->hint)
					 : c->why,
			};

		for (size_t k = 0; k < n; k++)
			row[k] = cell[column[k]] ? cell[column[k]] : "";
		if (weft_table_row(t, row) < 0)
			out->failed = true;
		if (c->chosen)
			chosen = c;
	}
	weft_table_print(t, s, out);
	weft_table_free(t);
	weft_arena_free(&a);
	if (!chosen)
		weft_str_printf(out, "\n%s: nothing holds it\n", step);
	else if (x->n_variants > 1)
		weft_str_printf(out, "\n%s: partition %s, alternative %d\n", step,
			chosen->partition, chosen->variant + 1);
	else
		weft_str_printf(out, "\n%s: partition %s\n", step, chosen->partition);
	if (chosen && x->in_memory)
		weft_str_printf(out,
			"%s: %s of its memory on a node is for files there "
			"(to: memory, scratch: memory)\n",
			step, weft_format_size(size, x->in_memory));
	if (chosen && x->sharers > 1)
		weft_str_printf(out, "%s: %u of its members have a GPU at a time\n",
			step, x->sharers);
}
