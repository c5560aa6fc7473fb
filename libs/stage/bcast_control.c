/* bcast_control.c - the links from the nodes to a broadcast's source: they come, are
 * told what it is, and say how far they are */
#include "stage/bcast_source.h"

#include <string.h>

static void plan(struct source *s, struct weft_link *link)
{
	weft_autostr struct weft_str msg = {0};
	const char *cache = s->cast->cache ? s->cast->cache : "";
	unsigned char head[8 + BCAST_IDENTITY + 8 + BCAST_META + 16];

	bcast_put32(head, (s->opt->archive ? 1U : 0) | (s->opt->replace ? 2U : 0) |
				  (s->opt->manifest ? 4U : 0) |
				  (s->opt->writable ? 8U : 0) |
				  (s->pack.cached ? 16U : 0));
	bcast_put32(head + 4, s->opt->durable);
	bcast_identity_write(&s->plan.identity, head + 8);
	bcast_put64(head + 8 + BCAST_IDENTITY, s->plan.top.st_dev);
	bcast_meta_write(head + 16 + BCAST_IDENTITY, &s->plan.top);
	bcast_put64(head + 32 + BCAST_META, s->cast->cache_limits.bytes);
	bcast_put64(head + 40 + BCAST_META, s->cast->cache_limits.inodes);
	weft_str_addn(&msg, (const char *)head, sizeof(head));
	weft_str_addn(&msg, s->dst, strlen(s->dst) + 1);
	weft_str_addn(&msg, s->src, strlen(s->src) + 1);
	weft_str_addn(&msg, cache, strlen(cache) + 1);
	if (!msg.failed)
		weft_link_send(link, MSG_PLAN, msg.s, msg.len);
}

static void join(struct node *d, struct weft_link *link, unsigned port)
{
	struct source *s = d->of;
	const char *peer = weft_link_peer(link), *colon = strrchr(peer, ':');

	d->host = colon ? strndup(peer, (size_t)(colon - peer)) : NULL;
	d->port = port;
	d->control = link;
	if (!d->host || strlen(d->host) > 60) {
		source_fail(d, "no address");
		return;
	}
	d->state = JOINED;
	plan(s, link);
}

/* What isn't with the first one who tells isn't with all.  Who fails later still
 * counts: then more is sent than must be. */
static void had(struct node *d, const unsigned char *at, size_t n)
{
	struct source *s = d->of;

	if (!d->told)
		s->n_told++;
	d->told = true;
	for (; n >= BCAST_HAD; at += BCAST_HAD, n -= BCAST_HAD) {
		uint64_t chunks = bcast_get64(at + WEFT_DIGEST_BYTES);
		struct bcast_had_file *f = bcast_had_find(&s->had, at);

		if (f) {
			f->nodes++;
			f->chunks = chunks < f->chunks ? chunks : f->chunks;
		} else if (s->n_told == 1) {
			/* Without memory for it, it is sent again. */
			(void)!bcast_had_add(&s->had, at, chunks);
		}
	}
}

static void ready(struct node *d)
{
	struct source *s = d->of;

	d->state = HERE;
	s->n_here++;
	source_perhaps_begin(s);
}

static void done(struct node *d, const unsigned char *at)
{
	struct source *s = d->of;
	struct weft_stage_node *o = &s->out[d->rank];

	s->n_here -= d->state == HERE;
	d->state = DONE;
	o->done = true;
	o->bytes = bcast_get64(at);
	o->files = bcast_get64(at + 8);
	o->there = at[16] != 0;
	o->seconds = s->started ? weft_monotonic() - s->sending : 0;
	memcpy(o->hash, at + 17, WEFT_DIGEST_HEX - 1);
	s->n_over++;
	source_perhaps_end(s);
	source_perhaps_begin(s);
}

static void on_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct node *d = arg;
	struct source *s = d->of;
	const unsigned char *at = data;

	(void)link;
	if (type == MSG_STATE && n == 16) {
		d->pieces = bcast_get64(at);
	} else if (type == MSG_TRIED) {
		source_tried(d);
	} else if (type == MSG_LOST && n >= 5) {
		weft_autofree char *why = strndup((const char *)at + 5, n - 5);

		source_lost(s, bcast_get32(at), why ? why : "", at[4] != 0);
	} else if (type == MSG_FAILED && n >= 4) {
		weft_autofree char *why = strndup((const char *)at + 4, n - 4);

		source_fail(d, "%s", why ? why : "");
	} else if (type == MSG_DONE && n == 17 + WEFT_DIGEST_HEX &&
		   (d->state == HERE || d->state == JOINED)) {
		done(d, at);
	} else if (type == MSG_HAD && n >= 1 && d->state == JOINED) {
		had(d, at + 1, n - 1);
		if (!at[0])
			ready(d);
	}
}

/* A node that is done may still pass on. */
static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct node *d = arg;

	(void)link;
	if (d->state == DONE) {
		d->state = FAILED;
		source_take_out(d);
		d->state = DONE;
		/* Nobody may be given to it any more. */
		for (size_t i = 0; i < d->of->n; i++)
			if (d->of->node[i].parent == d->rank)
				d->of->node[i].parent = d->parent;
	} else if (!d->of->ending) {
		source_fail(d, "%s", why->text ? why->text : "it went away");
	} else {
		weft_link_free(d->control);
		d->control = NULL;
	}
	if (d->of->ending)
		source_stop_if_alone(d->of);
}

static const struct weft_link_events node_events = {
	.frame = on_frame, .closed = on_closed};

/* Its first word is its name. */
static void on_first(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct source *s = arg;
	const unsigned char *at = data;

	for (size_t i = 0; type == MSG_JOIN && n > 4 && i < s->n; i++) {
		struct node *d = &s->node[i];

		if (strlen(s->out[i].name) != n - 4 ||
			memcmp(s->out[i].name, at + 4, n - 4) != 0)
			continue;
		if (d->state != WAITED_FOR || s->started)
			break;
		weft_link_set(link, &node_events, d);
		join(d, link, bcast_get32(at));
		source_perhaps_begin(s);
		return;
	}
	weft_link_free(link);
}

static void on_first_closed(
	void *arg, struct weft_link *link, const struct weft_err *why)
{
	(void)arg;
	(void)why;
	weft_link_free(link);
}

static const struct weft_link_events first_events = {
	.frame = on_first, .closed = on_first_closed};

void source_on_knock(void *arg, struct weft_link *link)
{
	weft_link_set(link, &first_events, arg);
}
