/* bcast_relay.c - what came is passed on to the children, and kept for those below them
 * should they die */
#include "stage/bcast.h"

#include <stdlib.h>
#include <string.h>

#define ON_THE_WAY ((uint64_t)1 << 20) /* handed to a link at a time */
#define LATE 0.6                       /* a watch, in seconds: it comes each 0.2 */

struct bcast_child {
	struct bcast_child *next_gone;
	struct bcast_relay *of;
	uint32_t rank;
	struct weft_link *link;
	bool ready;     /* it has said what it needs */
	uint64_t next;  /* to send */
	uint64_t acked; /* all below have what is before */
	bool waits;     /* for those below it, so it isn't to blame */
	double slow;    /* since when it holds us up; 0: it doesn't */
	uint64_t slow_at;
};

static void free_gone(struct bcast_relay *r)
{
	while (r->gone) {
		struct bcast_child *c = r->gone;

		r->gone = c->next_gone;
		free(c);
	}
}

static void forget(struct bcast_child *c)
{
	struct bcast_relay *r = c->of;

	for (size_t i = 0; i < r->n; i++)
		if (r->child[i] == c) {
			r->child[i] = r->child[--r->n];
			break;
		}
	weft_link_free(c->link);
	c->link = NULL;
	c->next_gone = r->gone;
	r->gone = c;
}

uint64_t bcast_relay_acked(const struct bcast_relay *r)
{
	uint64_t least = r->end;

	for (size_t i = 0; i < r->n; i++)
		if (r->child[i]->acked < least)
			least = r->child[i]->acked;
	return least;
}

static uint64_t passed_on(const struct bcast_relay *r)
{
	uint64_t least = r->end;

	for (size_t i = 0; i < r->n; i++)
		if (r->child[i]->next < least)
			least = r->child[i]->next;
	return least;
}

/* What nobody below needs any more goes; and, beyond what we can keep, what was passed
 * on long ago. */
static void let_go(struct bcast_relay *r)
{
	uint64_t acked = bcast_relay_acked(r), passed = passed_on(r);

	while (r->first < r->end &&
		(r->first < acked ||
			(r->first < passed &&
				(r->bytes > BCAST_KEEP ||
					r->end - r->first > BCAST_SLOTS / 2)))) {
		struct bcast_piece *p = r->slot[r->first++ % BCAST_SLOTS];

		r->bytes -= p->n;
		bcast_piece_drop(p);
	}
}

bool bcast_relay_has_room(const struct bcast_relay *r)
{
	uint64_t passed = passed_on(r);
	uint64_t waiting = (r->end - passed) * BCAST_PIECE;

	return waiting < BCAST_AHEAD && r->end - r->first < BCAST_SLOTS - 1;
}

static void pump(struct bcast_child *c)
{
	struct bcast_relay *r = c->of;

	while (c->ready && c->next < r->end && weft_link_queued(c->link) < ON_THE_WAY) {
		struct bcast_piece *p = bcast_piece_use(r->slot[c->next % BCAST_SLOTS]);

		if (weft_link_send_ref(c->link, MSG_PIECE, p->frame, 8 + p->n,
			    bcast_piece_drop, p)) {
			bcast_piece_drop(p);
			return;
		}
		c->next++;
	}
}

void bcast_relay_add(struct bcast_relay *r, struct bcast_piece *p)
{
	r->slot[r->end++ % BCAST_SLOTS] = p;
	r->bytes += p->n;
	r->complete = p->last;
	for (size_t i = 0; i < r->n; i++)
		pump(r->child[i]);
	let_go(r);
}

/* Its place is kept, and with it what those below it may need, until the source says
 * who feeds whom from now on. */
static void lost(struct bcast_child *c, const char *why, bool final)
{
	struct bcast_relay *r = c->of;

	weft_link_free(c->link);
	c->link = NULL;
	c->ready = false;
	r->lost(r->arg, c->rank, why, final);
	r->moved(r->arg);
}

static void on_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct bcast_child *c = arg;
	struct bcast_relay *r = c->of;
	uint64_t no = n >= 8 ? bcast_get64(data) : UINT64_MAX;

	(void)link;
	if (no > r->end + BCAST_SLOTS) {
		lost(c, "it says what makes no sense", true);
		return;
	}
	if (type == MSG_NEED && !c->ready) {
		if (no < r->first) {
			lost(c, "it needs what is no longer kept", true);
			return;
		}
		c->ready = true;
		c->next = c->acked = no;
	} else if (type == MSG_ACK && no > c->acked && no <= r->end) {
		c->acked = no;
	}
	if (type == MSG_ACK && n == 9)
		c->waits = ((const unsigned char *)data)[8] != 0;
	pump(c);
	let_go(r);
	r->moved(r->arg);
}

static void on_drained(void *arg, struct weft_link *link)
{
	struct bcast_child *c = arg;

	(void)link;
	pump(c);
	let_go(c->of);
	c->of->moved(c->of->arg);
}

static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	weft_autofree char *text = strdup(why->text ? why->text : "it closed the link");

	(void)link;
	lost(arg, text ? text : "no memory", false);
}

/* A second in which it was never held up tells what could come. */
static void measure(struct bcast_relay *r, double now)
{
	if (!bcast_relay_has_room(r)) {
		r->held = true;
	} else if (now - r->since >= 1) {
		double rate = (double)(r->end - r->counted) / (now - r->since);

		if (!r->held && r->since > 0 && rate > r->best)
			r->best = rate;
		r->since = now;
		r->counted = r->end;
		r->held = false;
	}
}

/* Of the calling thread, in seconds, while it could have run; 0: the kernel doesn't
 * say. */
static double waited_for_cpu(void)
{
	weft_autofree char *text = NULL;
	unsigned long long ran, waited;

	if (weft_read_file("/proc/thread-self/schedstat", 128, &text, NULL, NULL) ||
		sscanf(text, "%llu %llu", &ran, &waited) != 2)
		return 0;
	return (double)waited * 1e-9;
}

/* Of the time since the last watch that in which a child could do nothing about us:
 * some of it, or all where we were stopped, or stood still for something else. */
static double own_loss(struct bcast_relay *r, double now)
{
	double waited = waited_for_cpu(), gap = now - r->watched, lost = 0;

	if (r->watched > 0 && gap > 0) {
		lost = gap > LATE ? gap : waited - r->waited;
		lost = lost < gap ? lost : gap;
	}
	r->watched = now;
	r->waited = waited;
	return lost > 0 ? lost : 0;
}

uint32_t bcast_relay_held_by(
	const struct bcast_relay *r, double now, double least, double *rate)
{
	const struct bcast_child *by = NULL;

	for (size_t i = 0; i < r->n; i++) {
		if (r->child[i]->slow <= 0)
			continue;
		if (by)
			return UINT32_MAX;
		by = r->child[i];
	}
	if (!by || now - by->slow < least)
		return UINT32_MAX;
	*rate = (double)(by->next - by->slow_at) / (now - by->slow);
	return by->rank;
}

void bcast_relay_watch(struct bcast_relay *r, double now)
{
	uint64_t passed = passed_on(r);
	bool room = bcast_relay_has_room(r);
	double lost_time = own_loss(r, now);

	measure(r, now);
	for (size_t i = 0; i < r->n; i++) {
		struct bcast_child *c = r->child[i];
		if (c->slow > 0)
			c->slow += lost_time;
		double took = now - c->slow;

		if (room || c->next > passed || c->waits || !c->ready) {
			c->slow = 0;
		} else if (c->slow <= 0) {
			c->slow = now;
			c->slow_at = c->next;
		} else if (took >= r->link->deadline &&
			   (double)(c->next - c->slow_at) * BCAST_SLOW <
				   r->best * took) {
			lost(c, "it takes far less than comes", true);
			return;
		}
	}
}

static const struct weft_link_events events = {
	.frame = on_frame, .drained = on_drained, .closed = on_closed};

static struct bcast_child *find(struct bcast_relay *r, uint32_t rank)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->child[i]->rank == rank)
			return r->child[i];
	return NULL;
}

static struct bcast_child *add(struct bcast_relay *r, uint32_t rank)
{
	struct bcast_child *c = calloc(1, sizeof(*c));

	if (!c || weft_grow(r->child, r->n, r->cap)) {
		free(c);
		return NULL;
	}
	c->of = r;
	c->rank = rank;
	/* What it needs is known once it says so: nothing goes before. */
	c->next = c->acked = r->first;
	r->child[r->n++] = c;
	return c;
}

int bcast_relay_feed(
	struct bcast_relay *r, uint32_t rank, const char *host, unsigned port)
{
	struct weft_link_options opt = *r->link;
	struct bcast_child *c;

	free_gone(r);
	c = find(r, rank);
	if (!c)
		c = add(r, rank);
	if (!c)
		return -1;
	weft_link_free(c->link);
	c->link = NULL;
	c->ready = false;
	opt.on = &events;
	opt.arg = c;
	opt.manual = false;
	return weft_link_connect(&c->link, r->loop, host, port, &opt, NULL);
}

void bcast_relay_leave(struct bcast_relay *r, uint32_t rank)
{
	struct bcast_child *c = find(r, rank);

	if (c) {
		forget(c);
		let_go(r);
	}
}

void bcast_relay_clear(struct bcast_relay *r)
{
	while (r->n)
		forget(r->child[0]);
	free_gone(r);
	for (; r->first < r->end; r->first++)
		bcast_piece_drop(r->slot[r->first % BCAST_SLOTS]);
	r->bytes = 0;
	free(r->child);
	r->child = NULL;
	r->cap = 0;
}
