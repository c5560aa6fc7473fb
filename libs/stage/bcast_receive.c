/*
 * bcast_receive.c - a node's half of a broadcast
 *
 * The loop's thread takes pieces from the parent, hands them to the children, then to
 * the thread that writes.  The link to the source is the order to live: when it breaks,
 * all stops and what isn't whole is removed.
 */
#include "stage/bcast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct receiver {
	struct weft_loop *loop;
	struct weft_link_options link;
	const char *name;
	struct weft_link *control, *parent;
	struct weft_listener *listener;
	struct weft_timer *tick;
	struct bcast_relay relay;
	struct bcast_piece *coming; /* its bytes are on their way */
	uint64_t granted_less;      /* came, and no room for as much more yet */
	uint64_t told;              /* acknowledged */
	bool told_waits;
	double wrote; /* when the disk took something, or had nothing to do */
	uint64_t wrote_at;
	/* The thread that writes. */
	struct bcast_queue queue;
	pthread_t thread;
	bool started, threaded;
	struct weft_soon write; /* without a thread */
	atomic_bool ready;      /* what is there has been read */
	bool told_ready;
	const struct bcast_had *had; /* what that was */
	size_t told_had;
	struct bcast_unpack *unpack;
	atomic_uint_fast64_t written; /* pieces */
	atomic_bool waits;            /* the loop does, for room in the queue */
	atomic_bool over;             /* all, or failed */
	int rc;
	struct weft_err write_err;
	/* How it ends. */
	bool said; /* done or failed, to the source */
	bool left; /* the source said goodbye */
	bool keep; /* what there is */
	const volatile sig_atomic_t *stop;
	int result;
	struct weft_err *err;
};

/* ---- the thread that writes -------------------------------------------------- */

/* true: there is more to come. */
static bool write_one(struct receiver *r, struct bcast_piece *p)
{
	bool last = p->last;

	r->rc = bcast_unpack_piece(r->unpack, p, &r->write_err);
	bcast_piece_drop(p);
	r->written++;
	return r->rc == 0 && !last;
}

static void write_over(struct receiver *r)
{
	bcast_queue_close(&r->queue);
	r->over = true;
	weft_loop_wake(r->loop);
}

static void *write_all(void *arg)
{
	struct receiver *r = arg;
	struct bcast_piece *p;
	bool more = true;

	r->had = bcast_unpack_had(r->unpack);
	r->ready = true;
	weft_loop_wake(r->loop);
	if (!r->threaded)
		return NULL;
	while (more && (p = bcast_queue_take(&r->queue, true))) {
		more = write_one(r, p);
		if (atomic_exchange(&r->waits, false))
			weft_loop_wake(r->loop);
	}
	write_over(r);
	return NULL;
}

/* After what was passed on in the same turn went to the network. */
static void write_soon(void *arg)
{
	struct receiver *r = arg;
	struct bcast_piece *p;

	while (!r->over && (p = bcast_queue_take(&r->queue, false)))
		if (!write_one(r, p))
			write_over(r);
}

/* ---- saying ------------------------------------------------------------------ */

static void say_failed(struct receiver *r, struct weft_err *err)
{
	weft_autofree char *line = weft_err_line(err);
	const char *text = line ? line : "out of memory";
	size_t n = strlen(text);
	unsigned char msg[1004];

	if (r->said || !r->control)
		return;
	r->said = true;
	n = n < 1000 ? n : 1000;
	bcast_put32(msg, (uint32_t)err->sys);
	memcpy(msg + 4, text, n);
	weft_link_send(r->control, MSG_FAILED, msg, 4 + n);
	if (r->result == 0) {
		r->result = -1;
		if (r->err)
			weft_err_move(r->err, err);
	}
}

static void say_done(struct receiver *r, const struct weft_stage_report *report)
{
	unsigned char msg[17 + WEFT_DIGEST_HEX];

	if (r->said || !r->control)
		return;
	r->said = true;
	bcast_put64(msg, report->bytes);
	bcast_put64(msg + 8, report->files);
	msg[16] = r->unpack == NULL;
	memcpy(msg + 17, report->hash, WEFT_DIGEST_HEX);
	weft_link_send(r->control, MSG_DONE, msg, sizeof(msg));
}

static void acknowledge(struct receiver *r)
{
	uint64_t acked = bcast_relay_acked(&r->relay);
	bool waits = !bcast_relay_has_room(&r->relay);
	unsigned char msg[9];

	if (!r->parent)
		return;
	if (waits == r->told_waits &&
		(acked <= r->told || (acked < r->told + 4 && !r->relay.complete)))
		return;
	bcast_put64(msg, acked);
	msg[8] = waits;
	if (weft_link_send(r->parent, MSG_ACK, msg, 9) == 0) {
		r->told = acked;
		r->told_waits = waits;
	}
}

#define HAD_AT_ONCE ((size_t)1000)

static void tell_had(struct receiver *r)
{
	unsigned char msg[1 + HAD_AT_ONCE * BCAST_HAD];

	while (!r->told_ready) {
		size_t left = r->had->n - r->told_had;
		size_t n = left < HAD_AT_ONCE ? left : HAD_AT_ONCE;

		msg[0] = n < left;
		for (size_t i = 0; i < n; i++) {
			const struct bcast_had_file *f = &r->had->file[r->told_had + i];
			unsigned char *at = msg + 1 + i * BCAST_HAD;

			memcpy(at, f->key, WEFT_DIGEST_BYTES);
			bcast_put64(at + WEFT_DIGEST_BYTES, f->chunks);
		}
		if (weft_link_send(r->control, MSG_HAD, msg, 1 + n * BCAST_HAD))
			return;
		r->told_had += n;
		r->told_ready = !msg[0];
	}
}

/* More may come while both the children and the disk follow. */
static void look(struct receiver *r)
{
	if (r->started && r->over && !r->said) {
		struct weft_stage_report report;

		bcast_unpack_report(r->unpack, &report);
		if (r->rc)
			say_failed(r, &r->write_err);
		else
			say_done(r, &report);
	}
	if (r->ready && !r->told_ready && r->control)
		tell_had(r);
	if (r->granted_less && r->parent && bcast_relay_has_room(&r->relay)) {
		if (r->over || bcast_queue_bytes(&r->queue) < BCAST_KEEP) {
			weft_link_grant(r->parent, r->granted_less);
			r->granted_less = 0;
		} else {
			r->waits = true;
		}
	}
	acknowledge(r);
}

/* ---- the parent -------------------------------------------------------------- */

static void take(struct receiver *r, struct bcast_piece *p)
{
	bcast_piece_read(p);
	if (p->no != r->relay.end || r->relay.complete) {
		/* A new parent may say again what the old one had said. */
		bcast_piece_drop(p);
		return;
	}
	bcast_piece_use(p);
	bcast_relay_add(&r->relay, p);
	/* A node that can't write still passes on, until it is taken out. */
	if (r->over)
		bcast_piece_drop(p);
	else if (bcast_queue_put(&r->queue, p, SIZE_MAX) == 0 && !r->threaded)
		weft_loop_soon(r->loop, &r->write);
}

static void *place(void *arg, struct weft_link *link, unsigned type, size_t n)
{
	struct receiver *r = arg;

	(void)link;
	if (type != MSG_PIECE || n < 8 || n > BCAST_PIECE + 8)
		return NULL;
	bcast_piece_drop(r->coming);
	r->coming = bcast_piece_new(n - 8);
	return r->coming ? r->coming->frame : NULL;
}

static void on_piece(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct receiver *r = arg;
	struct bcast_piece *p = NULL;

	(void)link;
	if (type != MSG_PIECE || n < 8)
		return;
	r->granted_less += n;
	if (r->coming && data == r->coming->frame) {
		p = weft_steal(&r->coming);
	} else {
		p = bcast_piece_new(n - 8);
		if (p)
			memcpy(p->frame, data, n);
	}
	if (p)
		take(r, p);
	look(r);
}

static void drop_parent(struct receiver *r)
{
	weft_link_free(r->parent);
	r->parent = NULL;
	bcast_piece_drop(r->coming);
	r->coming = NULL;
	r->granted_less = 0;
}

/* The source hears of it from the parent, or misses the parent, and names another. */
static void on_parent_closed(
	void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct receiver *r = arg;

	(void)why;
	if (link == r->parent)
		drop_parent(r);
}

static const struct weft_link_events parent_events = {
	.frame = on_piece, .place = place, .closed = on_parent_closed};

static void on_parent(void *arg, struct weft_link *link)
{
	struct receiver *r = arg;
	unsigned char msg[8];

	drop_parent(r);
	r->parent = link;
	weft_link_set(link, &parent_events, r);
	bcast_put64(msg, r->relay.end);
	weft_link_send(link, MSG_NEED, msg, 8);
	r->told = 0;
	r->told_waits = false;
	acknowledge(r);
}

/* ---- the source -------------------------------------------------------------- */

#define PLAN_HEAD (8 + BCAST_IDENTITY + 8 + BCAST_META + 16)

/* The next of a message's texts, in memory with a NUL behind it; NULL: there is none.
 */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;

	if (text >= end)
		return NULL;
	*at += strlen(text) + 1;
	return text;
}

static bool read_plan(
	struct bcast_plan *plan, const unsigned char *data, const char *text, size_t n)
{
	const char *at = text;

	plan->cached = bcast_get32(data) & 16;
	plan->identity.sum[0] = bcast_get64(data + 8);
	plan->identity.sum[1] = bcast_get64(data + 16);
	bcast_meta_read(data + 32, &plan->top);
	plan->top.st_dev = (dev_t)bcast_get64(data + 24);
	plan->limits.bytes = bcast_get64(data + 32 + BCAST_META);
	plan->limits.inodes = bcast_get64(data + 40 + BCAST_META);
	plan->dst = next_text(&at, text + n);
	plan->src = next_text(&at, text + n);
	plan->cache = next_text(&at, text + n);
	return plan->dst && plan->src && plan->cache;
}

static void on_plan(struct receiver *r, const unsigned char *data, size_t n)
{
	struct weft_stage_options opt = {0};
	size_t left = n > PLAN_HEAD ? n - PLAN_HEAD : 0;
	weft_autofree char *text = calloc(left + 1, 1);
	struct weft_stage_report report = {0};
	struct bcast_plan plan;
	struct weft_err err = {0};

	if (!text || !left || r->started)
		return;
	memcpy(text, data + PLAN_HEAD, left);
	if (!read_plan(&plan, data, text, left))
		return;
	opt.archive = bcast_get32(data) & 1;
	opt.replace = bcast_get32(data) & 2;
	opt.manifest = bcast_get32(data) & 4;
	opt.writable = bcast_get32(data) & 8;
	opt.durable = (enum weft_stage_durable)(bcast_get32(data + 4) % 3);
	opt.special = WEFT_STAGE_MAKE;
	if (bcast_unpack_new(&r->unpack, &plan, &opt, &report, &err)) {
		r->over = true;
		say_failed(r, &err);
		weft_err_clear(&err);
		return;
	}
	if (!r->unpack) {
		r->over = true;
		say_done(r, &report);
		return;
	}
	r->threaded = !bcast_unpack_is_quick(r->unpack);
	if (pthread_create(&r->thread, NULL, write_all, r)) {
		r->over = true;
		weft_err_nomem(&err);
		say_failed(r, &err);
		weft_err_clear(&err);
		return;
	}
	r->started = true;
}

static void on_order(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct receiver *r = arg;
	const unsigned char *at = data;

	if (type == MSG_PLAN) {
		on_plan(r, at, n);
	} else if (type == MSG_FEED && n > 8) {
		weft_autofree char *host = strndup((const char *)at + 8, n - 8);

		if (host)
			bcast_relay_feed(
				&r->relay, bcast_get32(at), host, bcast_get32(at + 4));
	} else if (type == MSG_TRY && n == 1) {
		weft_link_send(link, MSG_TRIED, "", 1);
	} else if (type == MSG_LEAVE && n == 4) {
		bcast_relay_leave(&r->relay, bcast_get32(at));
		look(r);
	}
}

static void on_control_open(void *arg, struct weft_link *link)
{
	struct receiver *r = arg;
	size_t n = strlen(r->name);
	unsigned char msg[4 + 256];
	unsigned port = weft_listener_port(r->listener);

	n = n < 256 ? n : 256;
	bcast_put32(msg, port);
	memcpy(msg + 4, r->name, n);
	weft_link_send(link, MSG_JOIN, msg, 4 + n);
}

static void on_control_closed(
	void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct receiver *r = arg;

	weft_link_free(link);
	r->control = NULL;
	r->left = why->code == WEFT_OK;
	if (!r->left || !r->said) {
		/* Without a word: it was killed, and may be started again. */
		if (!r->left && !r->said && r->unpack)
			r->keep = true;
		if (r->result == 0)
			weft_err_set(r->err, WEFT_ESTAGE, "the source is gone: %s",
				why->text ? why->text : "it said goodbye");
		r->result = -1;
	}
	weft_loop_stop(r->loop);
}

static const struct weft_link_events control_events = {
	.open = on_control_open, .frame = on_order, .closed = on_control_closed};

/* ---- the rest ---------------------------------------------------------------- */

static void on_lost(void *arg, uint32_t rank, const char *why, bool final)
{
	struct receiver *r = arg;
	unsigned char msg[5 + 500];
	size_t n = strlen(why);

	if (!r->control)
		return;
	n = n < 500 ? n : 500;
	bcast_put32(msg, rank);
	msg[4] = final;
	memcpy(msg + 5, why, n);
	weft_link_send(r->control, MSG_LOST, msg, 5 + n);
}

static void on_moved(void *arg)
{
	look(arg);
}

static void on_wake(void *arg)
{
	look(arg);
}

/* A disk that takes nothing for long: others needn't wait for this node. */
static void watch_disk(struct receiver *r)
{
	double now = weft_monotonic();
	struct weft_err err = {0};

	if (!r->started || r->over || bcast_queue_bytes(&r->queue) < BCAST_KEEP ||
		r->written != r->wrote_at) {
		r->wrote = now;
		r->wrote_at = r->written;
	} else if (now - r->wrote > 3 * r->link.deadline) {
		weft_err_set(&err, WEFT_ESTAGE, "nothing could be written for %.0f s",
			now - r->wrote);
		say_failed(r, &err);
		weft_err_clear(&err);
	}
}

static void on_tick(void *arg)
{
	struct receiver *r = arg;
	unsigned char msg[16];

	watch_disk(r);
	bcast_relay_watch(&r->relay, weft_monotonic());
	look(r);
	if (r->stop && *r->stop) {
		r->result = -1;
		weft_err_set(r->err, WEFT_EINTR, "interrupted");
		weft_loop_stop(r->loop);
		return;
	}
	if (r->control && weft_link_is_open(r->control)) {
		bcast_put64(msg, r->relay.end);
		bcast_put64(msg + 8, r->written);
		weft_link_send(r->control, MSG_STATE, msg, 16);
	}
}

int weft_stage_receive(const struct weft_auth *auth, const char *host, unsigned port,
	const char *context, const char *name, double silence,
	const volatile sig_atomic_t *stop, struct weft_err *err)
{
	struct receiver r = {.name = name, .stop = stop, .err = err};
	struct weft_link_options own;
	int rc = -1;

	bcast_queue_init(&r.queue);
	r.write = (struct weft_soon){.fn = write_soon, .arg = &r};
	r.link = (struct weft_link_options){.auth = auth,
		.context = context,
		.keepalive = silence / 4,
		.deadline = silence,
		.patience = silence,
		.manual = true,
		.max_frame = BCAST_PIECE + 8};
	r.relay = (struct bcast_relay){
		.link = &r.link, .lost = on_lost, .moved = on_moved, .arg = &r};
	if (weft_loop_new(&r.loop, err))
		goto out;
	r.relay.loop = r.loop;
	weft_loop_on_wake(r.loop, on_wake, &r);
	r.tick = weft_timer_new(r.loop, on_tick, &r);
	if (!r.tick) {
		weft_err_nomem(err);
		goto out;
	}
	weft_timer_set(r.tick, 0.2, 0.2);
	own = r.link;
	if (weft_listener_new(&r.listener, r.loop, NULL, 0, &own, on_parent, &r, err))
		goto out;
	own.on = &control_events;
	own.arg = &r;
	own.manual = false;
	if (weft_link_connect(&r.control, r.loop, host, port, &own, err))
		goto out;
	weft_loop_run(r.loop);
	rc = r.result;
out:
	bcast_queue_close(&r.queue);
	if (r.started)
		pthread_join(r.thread, NULL);
	if (r.keep && !r.rc)
		bcast_unpack_keep(r.unpack);
	if (r.loop)
		weft_loop_not_soon(r.loop, &r.write);
	drop_parent(&r);
	bcast_relay_clear(&r.relay);
	weft_link_free(r.control);
	weft_listener_free(r.listener);
	weft_timer_free(r.tick);
	weft_loop_free(r.loop);
	bcast_unpack_free(r.unpack);
	bcast_queue_free(&r.queue);
	bcast_piece_trim();
	weft_err_clear(&r.write_err);
	return rc;
}
