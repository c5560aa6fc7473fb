/*
 * bcast.c - the source of a broadcast: starts the nodes' half, says who feeds whom,
 * reads once, and knows in the end what became of each
 *
 * Large things go down a chain, in which each node sends as much as it receives, so
 * that all have it in little more than the time of one; small ones down a tree, where
 * the number of hops counts.  A node that dies or falls silent is taken out: its parent
 * feeds its children, who say from which piece on.
 */
#include "stage/bcast_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What another node gets for nothing, to see how fast it could be. */
#define TRIAL ((size_t)128 << 10)
#define TRIALS 8
#define AGAINST 2

static void on_tried(struct node *d);

static void put32(unsigned char *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(v >> (24 - 8 * i));
}

static uint32_t get32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

/* ---- reading ----------------------------------------------------------------- */

static int emit(void *arg, struct bcast_piece *p)
{
	struct source *s = arg;
	int r = bcast_queue_put(&s->queue, p, BCAST_AHEAD / 2);

	weft_loop_wake(s->loop);
	return r;
}

static void *read_all(void *arg)
{
	struct source *s = arg;

	s->read_rc = bcast_pack(&s->pack, &s->read_err);
	s->read_over = true;
	weft_loop_wake(s->loop);
	return NULL;
}

static void end_all(struct source *s);

static void stop_with(struct source *s, struct weft_err *err)
{
	if (s->result == 0 && s->err)
		weft_err_move(s->err, err);
	weft_err_clear(err);
	s->result = -1;
	end_all(s);
}

/* From the thread to the ring, as far as there is room. */
static void feed(struct source *s)
{
	struct bcast_piece *p;

	while (bcast_relay_has_room(&s->relay) &&
		(p = bcast_queue_take(&s->queue, false)))
		bcast_relay_add(&s->relay, p);
	if (s->reading && s->read_over && s->read_rc && !s->ending)
		stop_with(s, &s->read_err);
}

static void on_wake(void *arg)
{
	feed(arg);
}

static void on_moved(void *arg)
{
	struct source *s = arg;

	if (s->started)
		feed(s);
}

/* ---- who feeds whom ---------------------------------------------------------- */

/* The parent of a node that has one still alive. */
static uint32_t living_parent(struct source *s, uint32_t rank)
{
	while (rank != SOURCE && s->node[rank].state == FAILED)
		rank = s->node[rank].parent;
	return rank;
}

static void adopt(struct source *s, struct node *d)
{
	unsigned char msg[8 + 64];
	size_t n = strlen(d->host);
	int r;

	d->parent = living_parent(s, d->parent);
	if (d->parent == SOURCE) {
		r = bcast_relay_feed(&s->relay, d->rank, d->host, d->port);
		feed(s);
	} else {
		put32(msg, d->rank);
		put32(msg + 4, d->port);
		memcpy(msg + 8, d->host, n);
		r = weft_link_send(s->node[d->parent].control, MSG_FEED, msg, 8 + n);
	}
	if (r && s->node[d->rank].state == HERE)
		source_fail(d, "nobody can feed it");
}

static void all_over(struct source *s)
{
	if (s->n_over == s->n && !s->ending)
		end_all(s);
}

static void stop_if_alone(struct source *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->node[i].control || s->node[i].parting)
			return;
	weft_loop_stop(s->loop);
}

static void on_parted(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct node *d = arg;

	(void)why;
	weft_link_free(link);
	d->parting = NULL;
	if (d->of->ending)
		stop_if_alone(d->of);
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
static void take_out(struct node *d)
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
			adopt(s, &s->node[i]);
	/* Last: what it had not passed on is kept for them until then. */
	put32(msg, d->rank);
	if (parent == SOURCE)
		bcast_relay_leave(&s->relay, d->rank);
	else
		weft_link_send(s->node[parent].control, MSG_LEAVE, msg, 4);
}

static void begin(struct source *s);

/* All are here, or won't come. */
static void perhaps_begin(struct source *s)
{
	if (!s->started && !s->ending && s->n_here && s->n_here + s->n_over == s->n)
		begin(s);
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
	take_out(d);
	all_over(s);
	perhaps_begin(s);
}

static void on_lost(void *arg, uint32_t rank, const char *why, bool final)
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
		adopt(s, d);
	} else if (d->state != DONE) {
		source_fail(d, "its link broke %u times: %s", TRIES, why);
	}
}

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
static size_t in_order(const struct source *s, uint32_t *order)
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

static void name_parents(struct source *s, const uint32_t *order, size_t n)
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

static void begin(struct source *s)
{
	uint32_t *order = malloc((s->n + 1) * sizeof(*order));
	struct weft_err err = {0};
	size_t n;

	s->started = true;
	s->sending = weft_monotonic();
	if (!order) {
		weft_err_nomem(&err);
		stop_with(s, &err);
		return;
	}
	n = in_order(s, order);
	/* From where on some node needs it. */
	s->pack.had = n ? UINT64_MAX : 0;
	for (size_t i = 0; i < n; i++)
		if (s->node[order[i]].had < s->pack.had)
			s->pack.had = s->node[order[i]].had;
	name_parents(s, order, n);
	for (size_t i = 0; i < n; i++) {
		struct node *d = &s->node[order[i]];

		if (d->parent != SOURCE)
			s->out[d->rank].from = s->out[d->parent].name;
	}
	for (size_t i = 0; i < n; i++)
		if (s->node[order[i]].state == HERE)
			adopt(s, &s->node[order[i]]);
	free(order);
	if (s->ending)
		return;
	if (pthread_create(&s->thread, NULL, read_all, s) == 0) {
		s->reading = true;
	} else {
		weft_err_nomem(&err);
		stop_with(s, &err);
	}
}

/* ---- nodes that come --------------------------------------------------------- */

static void plan(struct source *s, struct weft_link *link)
{
	weft_autostr struct weft_str msg = {0};
	const char *cache = s->cast->cache ? s->cast->cache : "";
	unsigned char head[8 + BCAST_IDENTITY + 8 + BCAST_META + 16];

	put32(head, (s->opt->archive ? 1U : 0) | (s->opt->replace ? 2U : 0) |
			    (s->opt->manifest ? 4U : 0) | (s->opt->writable ? 8U : 0));
	put32(head + 4, s->opt->durable);
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

static void ready(struct node *d, uint64_t had)
{
	struct source *s = d->of;

	/* What was read again holds for the source as it was then. */
	d->state = HERE;
	d->had = had;
	s->n_here++;
	perhaps_begin(s);
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
	all_over(s);
	perhaps_begin(s);
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
		on_tried(d);
	} else if (type == MSG_LOST && n >= 5) {
		weft_autofree char *why = strndup((const char *)at + 5, n - 5);

		on_lost(s, get32(at), why ? why : "", at[4] != 0);
	} else if (type == MSG_FAILED && n >= 4) {
		weft_autofree char *why = strndup((const char *)at + 4, n - 4);

		source_fail(d, "%s", why ? why : "");
	} else if (type == MSG_DONE && n == 17 + WEFT_DIGEST_HEX &&
		   (d->state == HERE || d->state == JOINED)) {
		done(d, at);
	} else if (type == MSG_HAD && n == 8 && d->state == JOINED) {
		ready(d, bcast_get64(at));
	}
}

/* A node that is done may still pass on. */
static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct node *d = arg;

	(void)link;
	if (d->state == DONE) {
		d->state = FAILED;
		take_out(d);
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
		stop_if_alone(d->of);
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
		join(d, link, get32(at));
		perhaps_begin(s);
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

static void on_knock(void *arg, struct weft_link *link)
{
	weft_link_set(link, &first_events, arg);
}

/* ---- time, and the end ------------------------------------------------------- */

static void on_late(void *arg)
{
	weft_loop_stop(((struct source *)arg)->loop);
}

/* Goodbye to all; they remove what isn't whole.  Those who don't answer are left. */
static void end_all(struct source *s)
{
	bool some = false;

	if (s->ending)
		return;
	s->ending = true;
	bcast_queue_close(&s->queue);
	for (size_t i = 0; i < s->n; i++)
		if (s->node[i].control) {
			weft_link_close(s->node[i].control, NULL);
			some = true;
		} else if (s->node[i].parting) {
			some = true;
		}
	weft_timer_free(s->tick);
	s->tick = weft_timer_new(s->loop, on_late, s);
	if (!some || !s->tick)
		weft_loop_stop(s->loop);
	else
		weft_timer_set(s->tick, s->link.deadline, 0);
}

static void show(struct source *s)
{
	struct weft_stage_progress p = {.total = s->total,
		.files = s->total_files,
		.scanned = true,
		.seconds = weft_monotonic() - s->began};
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < s->n; i++)
		if (s->node[i].state == HERE && s->node[i].pieces < least)
			least = s->node[i].pieces;
	p.bytes = least == UINT64_MAX ? 0 : least * BCAST_PIECE;
	p.bytes = p.bytes < p.total ? p.bytes : p.total;
	s->opt->progress(s->opt->arg, &p);
}

/* The source reads faster than a network takes it, so that its own child is always the
 * one who holds it up.  Whether it could take more is known from another node, which
 * gets a few bytes for nothing at the same time; and once more from a further one, for
 * a machine that has much to do is slow now and then. */
static void try_another(struct source *s, double now)
{
	static const unsigned char bytes[TRIAL];
	double rate = 0;

	bcast_relay_watch(&s->relay, now);
	if (s->trial.on && now - s->trial.began > s->link.deadline)
		s->trial.on = false; /* it went away */
	if (s->trial.on)
		return;
	uint32_t first = bcast_relay_held_by(&s->relay, now, s->link.deadline, &rate);
	if (first != s->trial.first)
		s->trial.against = 0;
	if (s->ending || first >= s->n || now - s->trial.began < s->link.deadline)
		return;
	s->trial.first = first;
	for (size_t k = 1; k <= s->n && !s->trial.on; k++) {
		uint32_t i = (uint32_t)((s->trial.other + k) % s->n);
		struct node *d = &s->node[i];

		if (i == first || d->state != HERE)
			continue;
		s->trial.on = true;
		for (unsigned m = 0; m < TRIALS; m++)
			if (weft_link_send(d->control, MSG_TRY, bytes, sizeof(bytes)))
				return;
		weft_link_send(d->control, MSG_TRY, "\1", 1);
		s->trial.other = i;
		s->trial.began = now;
		s->trial.rate = rate;
	}
}

static void on_tried(struct node *d)
{
	struct source *s = d->of;
	double took = weft_monotonic() - s->trial.began;
	double could =
		(double)(TRIAL * TRIALS) / BCAST_PIECE / (took > 0 ? took : 1e-6);

	if (!s->trial.on || d->rank != s->trial.other)
		return;
	s->trial.on = false;
	s->trial.against =
		s->trial.rate * BCAST_SLOW < could ? s->trial.against + 1 : 0;
	if (s->trial.against == AGAINST)
		source_fail(
			&s->node[s->trial.first], "it takes far less than others do");
}

static void on_tick(void *arg)
{
	struct source *s = arg;
	double now = weft_monotonic(), start = s->cast->start > 0 ? s->cast->start : 60;
	struct weft_err err = {0};

	if (s->opt->stop && *s->opt->stop) {
		weft_err_set(&err, WEFT_EINTR, "interrupted");
		stop_with(s, &err);
		return;
	}
	if (s->cast->deadline > 0 && now - s->began > s->cast->deadline) {
		for (size_t i = 0; i < s->n; i++)
			source_fail(
				&s->node[i], "not done within %g s", s->cast->deadline);
		return;
	}
	if (!s->started && now - s->began > start) {
		for (size_t i = 0; i < s->n; i++)
			if (s->node[i].state == WAITED_FOR)
				source_fail(&s->node[i], "it didn't come within %g s",
					start);
		perhaps_begin(s);
	}
	if (s->started && !s->ending)
		try_another(s, now);
	if (s->opt->progress && s->started && !s->ending)
		show(s);
}

/* By which a node sees that it has just this. */
static int identify(struct source *s, struct weft_err *err)
{
	struct bcast_pack look = {
		.src = s->src, .opt = s->opt, .only = &s->plan.identity};

	if (stat(s->src, &s->plan.top))
		return weft_err_sys(err, WEFT_ESTAGE, "%s", s->src);
	return bcast_pack(&look, err);
}

static int prepare(struct source *s, struct weft_err *err)
{
	const struct weft_stage_cast *cast = s->cast;
	unsigned char id[8];
	char name[256] = "";

	if (!cast->n_hosts || (!cast->once && !cast->each))
		return weft_err_set(err, WEFT_EUSAGE, "no nodes to broadcast to");
	if (weft_stage_measure(s->src, &s->total, &s->total_files, err) ||
		identify(s, err) || weft_loop_new(&s->loop, err))
		return -1;
	if (getentropy(id, sizeof(id)))
		return weft_err_sys(err, WEFT_ESYS, "random numbers");
	snprintf(s->context, sizeof(s->context), "bcast-%016llx",
		(unsigned long long)bcast_get64(id));
	s->link.context = s->context;
	s->relay = (struct bcast_relay){.loop = s->loop,
		.link = &s->link,
		.lost = on_lost,
		.moved = on_moved,
		.arg = s};
	weft_loop_on_wake(s->loop, on_wake, s);
	if (weft_listener_new(
		    &s->listener, s->loop, NULL, 0, &s->link, on_knock, s, err))
		return -1;
	/* srun tells its tasks where it runs. */
	if (!cast->once)
		gethostname(name, sizeof(name) - 1);
	snprintf(s->self, sizeof(s->self), "%s:%u",
		cast->address ? cast->address : name, weft_listener_port(s->listener));
	s->node = calloc(cast->n_hosts, sizeof(*s->node));
	s->tick = weft_timer_new(s->loop, on_tick, s);
	if (!s->node || !s->tick)
		return weft_err_nomem(err);
	s->n = cast->n_hosts;
	for (uint32_t i = 0; i < s->n; i++) {
		s->node[i] = (struct node){.of = s, .rank = i, .parent = SOURCE};
		s->out[i].name = cast->host[i];
	}
	weft_timer_set(s->tick, 0.1, 0.1);
	return 0;
}

static int summary(const struct source *s, struct weft_err *err)
{
	size_t bad = 0, first = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!s->out[i].done && bad++ == 0)
			first = i;
	if (!bad)
		return 0;
	return weft_err_set(err, WEFT_ESTAGE, "%zu of %zu nodes don't have %s: %s: %s",
		bad, s->n, s->dst, s->out[first].name,
		s->out[first].why ? s->out[first].why : "it was not done in the end");
}

int weft_stage_broadcast(const char *src, const char *dst,
	const struct weft_stage_cast *cast, const struct weft_stage_options *opt,
	struct weft_stage_node *node, struct weft_stage_report *report,
	struct weft_err *err)
{
	double silence = cast->silence > 0 ? cast->silence : 5;
	weft_autofree char *real = realpath(src, NULL);
	struct source s = {.src = real,
		.dst = dst,
		.cast = cast,
		.opt = opt,
		.out = node,
		.err = err,
		.began = weft_monotonic()};
	int rc = -1;

	if (!real)
		return weft_err_sys(err, WEFT_ESTAGE, "%s", src);
	bcast_queue_init(&s.queue);
	s.pack = (struct bcast_pack){.src = real, .opt = opt, .emit = emit, .arg = &s};
	s.link = (struct weft_link_options){.auth = cast->auth,
		.keepalive = silence / 4,
		.deadline = silence,
		.patience = silence,
		.max_frame = BCAST_PIECE + 8};
	if (prepare(&s, err) || source_start(&s, err))
		goto out;
	weft_loop_run(s.loop);
	rc = s.result ? -1 : summary(&s, err);
	if (report)
		*report = (struct weft_stage_report){
			.bytes = s.started ? s.pack.bytes + s.pack.resumed : s.total,
			.moved = s.pack.bytes,
			.files = s.started ? s.pack.files : s.total_files,
			.folders = s.pack.folders,
			.skipped = s.pack.skipped,
			.resumed = s.pack.resumed,
			.retries = s.relinked,
			.strategy = !s.started ? "already there"
				    : s.tree   ? "tree"
					       : "chain",
			.why = !s.started ? "source and copies are as the records say"
			       : s.tree   ? "small"
					  : "large",
			.seconds = weft_monotonic() - s.began};
	for (size_t i = 0; report && i < s.n && !*report->hash; i++)
		if (node[i].done)
			memcpy(report->hash, node[i].hash, WEFT_DIGEST_HEX);
out:
	bcast_queue_close(&s.queue);
	if (s.reading)
		pthread_join(s.thread, NULL);
	for (size_t i = 0; i < s.n; i++) {
		weft_link_free(s.node[i].control);
		weft_link_free(s.node[i].parting);
		free(s.node[i].host);
	}
	if (s.starter)
		source_end_starters(&s);
	bcast_relay_clear(&s.relay);
	weft_timer_free(s.tick);
	weft_listener_free(s.listener);
	weft_loop_free(s.loop);
	bcast_queue_free(&s.queue);
	bcast_piece_trim();
	weft_err_clear(&s.read_err);
	free(s.starter);
	free(s.node);
	return rc;
}
