/* bcast_parents.c - who feeds whom: the chain or tree at the start, and what becomes of
 * it once a node is lost
 *
 * Large things go down a chain, in which each node sends as much as it receives, so
 * that all have it in little more than the time of one; small ones down a tree, where
 * the number of hops counts.  A node that dies or falls silent is taken out: its parent
 * feeds its children, who say from which piece on. */
#include "stage/bcast_source.h"

#include <stdlib.h>
#include <string.h>

/* ---- at the start ------------------------------------------------------------ */

/* The number of hops counts for what is small, the shared links for what is large. */
static bool as_tree(const struct source *s)
{
	return s->cast->tree || s->total < s->n_here * (BCAST_PIECE / 2);
}

static int by_switch(const void *a, const void *b, void *arg)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const unsigned *at = arg;

	return at[x] != at[y] ? (at[x] < at[y] ? -1 : 1) : (x > y) - (x < y);
}

/* Those that are here, the hosts of a switch one after the other. */
size_t source_in_order(const struct source *s, uint32_t *order)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (s->node[i].state == HERE)
			order[n++] = i;
	if (s->cast->at_switch)
		qsort_r(order, n, sizeof(*order), by_switch,
			(void *)s->cast->at_switch);
	return n;
}

/* Each switch's first host gets it by a tree of those first ones, and is the top of a
 * tree of its switch: no link between two switches carries it twice the same way. */
static void tree_of_switches(struct source *s, const uint32_t *order, size_t n)
{
	const unsigned *at = s->cast->at_switch;
	uint32_t *top = malloc((n + 1) * sizeof(*top));
	size_t tops = 0;

	for (size_t i = 0, first = 0; i < n; i++) {
		struct node *d = &s->node[order[i]];

		if (i == 0 || at[order[i]] != at[order[i - 1]]) {
			first = i;
			d->parent = tops < TREE_ARITY || !top
					    ? SOURCE
					    : top[tops / TREE_ARITY - 1];
			if (top)
				top[tops] = order[i];
			tops++;
		} else {
			d->parent = order[first + (i - first - 1) / TREE_ARITY];
		}
	}
	free(top);
}

void source_name_parents(struct source *s, const uint32_t *order, size_t n)
{
	bool tree = s->tree = as_tree(s);

	if (tree && s->cast->at_switch) {
		tree_of_switches(s, order, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t up = tree ? i / TREE_ARITY : i;
		bool top = tree ? i < TREE_ARITY : i == 0;

		s->node[order[i]].parent = top ? SOURCE : order[up - 1];
	}
}

/* ---- once a node is lost ----------------------------------------------------- */

/* The parent of a node that has one still alive. */
static uint32_t living_parent(struct source *s, uint32_t rank)
{
	while (rank != SOURCE && s->node[rank].state == FAILED)
		rank = s->node[rank].parent;
	return rank;
}

void source_adopt(struct source *s, struct node *d)
{
	unsigned char msg[8 + 64];
	size_t n = strlen(d->host);
	int r;

	d->parent = living_parent(s, d->parent);
	if (d->parent == SOURCE) {
		r = bcast_relay_feed(&s->relay, d->rank, d->host, d->port);
		source_feed(s);
	} else {
		bcast_put32(msg, d->rank);
		bcast_put32(msg + 4, d->port);
		memcpy(msg + 8, d->host, n);
		r = weft_link_send(s->node[d->parent].control, MSG_FEED, msg, 8 + n);
	}
	if (r && s->node[d->rank].state == HERE)
		source_fail(d, "nobody can feed it");
}

static void on_parted(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct node *d = arg;

	(void)why;
	weft_link_free(link);
	d->parting = NULL;
	if (d->of->ending)
		source_stop_if_alone(d->of);
}

static const struct weft_link_events parting_events = {.closed = on_parted};

/* If it lives, it hears a goodbye, by which it knows that nobody goes on with what it
 * has. */
static void part_with(struct node *d)
{
	struct weft_link *link = weft_steal(&d->control);

	if (link && weft_link_is_open(link)) {
		d->parting = link;
		weft_link_set(link, &parting_events, d);
		weft_link_close(link, NULL);
	} else {
		weft_link_free(link);
	}
}

/* Out with it; its children go to who fed it. */
void source_take_out(struct node *d)
{
	struct source *s = d->of;
	uint32_t parent = living_parent(s, d->parent);
	unsigned char msg[4];

	part_with(d);
	if (!s->started || s->ending)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->node[i].parent == d->rank &&
			(s->node[i].state == HERE || s->node[i].state == DONE))
			source_adopt(s, &s->node[i]);
	/* Last: what it had not passed on is kept for them until then. */
	bcast_put32(msg, d->rank);
	if (parent == SOURCE)
		bcast_relay_leave(&s->relay, d->rank);
	else
		weft_link_send(s->node[parent].control, MSG_LEAVE, msg, 4);
}

void source_fail(struct node *d, const char *fmt, ...)
{
	struct source *s = d->of;
	va_list ap;

	if (d->state == FAILED || d->state == DONE)
		return;
	va_start(ap, fmt);
	s->out[d->rank].why = weft_vprintf(fmt, ap);
	va_end(ap);
	s->n_here -= d->state == HERE;
	d->state = FAILED;
	s->n_over++;
	source_take_out(d);
	source_perhaps_end(s);
	source_perhaps_begin(s);
}

void source_lost(void *arg, uint32_t rank, const char *why, bool final)
{
	struct source *s = arg;
	struct node *d = rank < s->n ? &s->node[rank] : NULL;

	if (!d || s->ending || !d->control || d->state == WAITED_FOR ||
		d->state == JOINED || d->state == FAILED)
		return;
	/* It lives, as far as we hear: the link may have had an accident. */
	if (final && d->state != DONE) {
		source_fail(d, "%s", why);
	} else if (d->tries++ < TRIES) {
		s->relinked++;
		source_adopt(s, d);
	} else if (d->state != DONE) {
		source_fail(d, "its link broke %u times: %s", TRIES, why);
	}
}
