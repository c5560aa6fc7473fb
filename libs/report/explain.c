/* explain.c - every partition and alternative of a step, why not and why. */
#include "report/paint.h"

#define COLUMNS 5

void weft_report_explanation(const struct weft_explanation *x, const char *step,
	const struct weft_style *s, struct weft_str *out)
{
	static const char *const head[COLUMNS] = {
		"alternative", "partition", "verdict", "free", "why"};
	size_t skip = x->n_variants < 2;
	struct weft_table *t = weft_table_new(COLUMNS - skip, head + skip);
	const struct weft_candidate *chosen = NULL;
	struct weft_arena a = {0};

	for (size_t i = 0; i < x->n_candidates; i++) {
		const struct weft_candidate *c = &x->candidate[i];
		const char *cell[COLUMNS] = {
			weft_arena_printf(&a, "%d", c->variant + 1),
			*c->partition ? c->partition : "any",
			c->chosen ? "chosen"
			: c->fits ? "fits"
				  : "refused",
			c->fits ? weft_arena_printf(&a, "%u of %u", c->idle, c->nodes)
				: "-",
			*c->hint ? weft_arena_printf(&a, "%s (%s)", c->why, c->hint)
				 : c->why,
		};

		if (!cell[0] || !cell[3] || !cell[4] ||
			weft_table_row(t, cell + skip) < 0)
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
}
