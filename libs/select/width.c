/* width.c - chains of groups */
#include "select/width.h"

#include <stdlib.h>

#define SHOWN 4     /* groups by name */
#define LOOKED 1000 /* of what a group waits for: the last of all may wait for all */

static uint64_t at_once(const struct weft_plan_group *g)
{
	uint64_t n = g->tasks ? g->tasks : 1;

	return g->max_parallel && g->max_parallel < n ? g->max_parallel : n;
}

static uint64_t each(const struct weft_plan_group *g, enum width what)
{
	return what == WIDTH_NODES ? g->shape.nodes : g->shape.gpus;
}

uint64_t width_group(const struct weft_plan_group *g, enum width what)
{
	return at_once(g) * each(g, what);
}

/* Tasks that follow their counterparts run beside other tasks of these: they take
 * turns only where each has its counterpart's place. */
static bool takes_turns(const struct weft_plan_group *g,
	const struct weft_plan_group *before, bool corresponding)
{
	return !corresponding || (g->tasks == before->tasks && at_once(g) == g->tasks &&
					 at_once(before) == before->tasks);
}

struct chain {
	uint64_t width;
	unsigned most, last; /* groups */
};

static int by_width(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;

	if (x->width != y->width)
		return x->width > y->width ? -1 : 1;
	return x->most < y->most ? -1 : x->most > y->most;
}

static void print(const struct weft_plan *plan, enum width what, const struct chain *c,
	size_t n, struct weft_str *sum)
{
	const char *unit = what == WIDTH_NODES ? "node" : "GPU";
	uint64_t rest = 0;

	for (size_t i = 0; i < n; i++) {
		const struct weft_plan_group *g = &plan->group[c[i].most];
		uint64_t one = each(g, what), jobs = at_once(g);

		if (i >= SHOWN) {
			rest += c[i].width;
			continue;
		}
		weft_str_printf(sum, "%s%s: ", i ? "; " : "", g->name);
		if (jobs > 1)
			weft_str_printf(sum, "%ju jobs x ", (uintmax_t)jobs);
		weft_str_printf(
			sum, "%ju %s%s", (uintmax_t)one, unit, one == 1 ? "" : "s");
		if (jobs > 1)
			weft_str_printf(sum, " = %ju", (uintmax_t)c[i].width);
	}
	if (n > SHOWN)
		weft_str_printf(sum, "; %zu more = %ju", n - SHOWN, (uintmax_t)rest);
}

/* The chain that the group may follow, the widest, which so hides the most; SIZE_MAX:
 * none. */
static size_t behind(const struct weft_plan *plan, const struct weft_plan_group *g,
	const struct chain *chain, const size_t *chain_of)
{
	size_t n = g->n_needs < LOOKED ? g->n_needs : LOOKED, best = SIZE_MAX;

	for (size_t k = 0; k < n; k++) {
		unsigned before = g->need[k].group;
		size_t c = chain_of[before];

		if (chain[c].last == before &&
			takes_turns(
				g, &plan->group[before], g->need[k].corresponding) &&
			(best == SIZE_MAX || chain[c].width > chain[best].width))
			best = c;
	}
	return best;
}

int width_plan(const struct weft_plan *plan, enum width what, uint64_t *width,
	const struct weft_plan_group **most, struct weft_str *sum)
{
	weft_autofree struct chain *chain = calloc(plan->n_groups + 1, sizeof(*chain));
	weft_autofree size_t *chain_of = calloc(plan->n_groups + 1, sizeof(*chain_of));
	size_t n = 0;

	*width = 0;
	*most = NULL;
	if (!chain || !chain_of)
		return -1;
	for (unsigned i = 0; i < plan->n_groups; i++) {
		const struct weft_plan_group *g = &plan->group[i];
		uint64_t own = width_group(g, what);
		size_t c = behind(plan, g, chain, chain_of);

		if (c == SIZE_MAX)
			chain[c = n++].most = i;
		chain_of[i] = c;
		chain[c].last = i;
		if (own > chain[c].width) {
			chain[c].width = own;
			chain[c].most = i;
		}
	}
	qsort(chain, n, sizeof(*chain), by_width);
	while (n && !chain[n - 1].width)
		n--;
	for (size_t i = 0; i < n; i++)
		*width += chain[i].width;
	if (n)
		*most = &plan->group[chain[0].most];
	if (sum)
		print(plan, what, chain, n, sum);
	return sum && sum->failed ? -1 : 0;
}
