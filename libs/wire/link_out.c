/* link_out.c - frames that go */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "wire/link_room.h"

static struct piece *piece_new(struct weft_link *l, size_t cap)
{
	struct piece *p = malloc(sizeof(*p) + cap);

	if (!p)
		return NULL;
	*p = (struct piece){.cap = cap};
	p->data = p->own;
	*l->out_end = p;
	l->out_end = &p->next;
	return p;
}

/* Where so many bytes can be appended to what is on its way. */
static unsigned char *room(struct weft_link *l, size_t n)
{
	struct piece *p = NULL;

	if (l->out) {
		/* The last one: its next is what out_end points to. */
		p = (struct piece *)((char *)l->out_end - offsetof(struct piece, next));
		if (p->data != p->own || p->cap - p->n < n)
			p = NULL;
	}
	if (!p)
		p = piece_new(l, n > LINK_OUT ? n : LINK_OUT);
	if (!p)
		return NULL;
	unsigned char *at = p->own + p->n;
	p->n += n;
	l->summed += n;
	return at;
}

static int no_memory(struct weft_link *l)
{
	link_failed(l, ENOMEM, "no memory for a frame");
	return -1;
}

int link_put_raw(struct weft_link *l, const void *data, size_t n)
{
	unsigned char *at = room(l, n);

	if (!at)
		return no_memory(l);
	memcpy(at, data, n);
	weft_loop_soon(l->loop, &l->flush);
	return 0;
}

static int sum(struct weft_link *l, const void *head, const void *data, size_t n,
	unsigned char *tag)
{
	if (mac_begin(&l->out_mac) || mac_add(&l->out_mac, head, HEAD) ||
		mac_add(&l->out_mac, data, n) || mac_end(&l->out_mac, tag)) {
		link_failed(l, ENOSYS, "libcrypto failed");
		return -1;
	}
	return 0;
}

static void put_head(unsigned char *at, unsigned type, size_t n)
{
	put32(at, (uint32_t)n);
	at[4] = (unsigned char)(type >> 8);
	at[5] = (unsigned char)type;
	at[6] = at[7] = 0;
}

int link_put_frame(struct weft_link *l, unsigned type, const void *data, size_t n)
{
	unsigned char *at = room(l, HEAD + n + MAC);

	if (!at)
		return no_memory(l);
	put_head(at, type, n);
	if (n)
		memcpy(at + HEAD, data, n);
	weft_loop_soon(l->loop, &l->flush);
	return sum(l, at, at + HEAD, n, at + HEAD + n);
}

/* Without a copy of the payload; done() comes in any case. */
static int put_ref(struct weft_link *l, const struct held *h)
{
	unsigned char *head = room(l, HEAD), *tag;
	struct piece *p = head ? piece_new(l, 0) : NULL;

	if (!p) {
		h->done(h->arg);
		return no_memory(l);
	}
	put_head(head, h->type, h->n);
	p->data = h->data;
	p->n = h->n;
	p->done = h->done;
	p->arg = h->arg;
	l->summed += h->n;
	tag = room(l, MAC);
	return tag ? sum(l, head, h->data, h->n, tag) : no_memory(l);
}

void link_say_bye(struct weft_link *l)
{
	const char *text = l->bye ? l->bye : "";
	size_t n = strlen(text);

	l->bye_due = false;
	if (link_put_frame(l, FRAME_BYE, text, n < 1000 ? n : 1000) == 0)
		l->bye_sent = true;
}

/* Frames for which there is credit, a little ahead of the network. */
static void release_held(struct weft_link *l)
{
	while (l->held && l->credit > 0 && l->summed < LINK_AHEAD &&
		l->state == LINK_OPEN) {
		struct held *h = l->held;

		l->held = h->next;
		if (!l->held)
			l->held_end = &l->held;
		l->queued -= h->n;
		l->credit -= (int64_t)(h->n + HEAD + MAC);
		if (h->done)
			put_ref(l, h);
		else
			link_put_frame(l, h->type, h->data, h->n);
		free(h);
	}
	if (!l->held && l->bye_due && l->state == LINK_OPEN)
		link_say_bye(l);
}

/* So many bytes are on their way. */
static void written(struct weft_link *l, size_t n)
{
	l->summed -= n;
	l->bytes_out += n;
	while (l->out) {
		struct piece *p = l->out;
		size_t part = p->n - p->at < n ? p->n - p->at : n;

		p->at += part;
		n -= part;
		if (p->at < p->n)
			return;
		l->out = p->next;
		if (!l->out)
			l->out_end = &l->out;
		if (p->done)
			p->done(p->arg);
		free(p);
	}
}

void link_want(struct weft_link *l)
{
	if (l->watch)
		weft_watch_want(l->watch, (l->going ? 0U : WEFT_READABLE) |
						  (l->out ? WEFT_WRITABLE : 0U));
}

void link_write(struct weft_link *l)
{
	bool some = l->queued > 0 || l->summed > 0;

	for (;;) {
		struct iovec v[64];
		unsigned n_v = 0;

		release_held(l);
		if (l->state == LINK_DONE)
			return;
		size_t asked = 0;
		for (struct piece *p = l->out; p && n_v < WEFT_COUNT(v); p = p->next) {
			v[n_v++] =
				(struct iovec){(void *)(p->data + p->at), p->n - p->at};
			asked += p->n - p->at;
		}
		if (!n_v)
			break;
		struct msghdr msg = {.msg_iov = v, .msg_iovlen = n_v};
		ssize_t n = sendmsg(l->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			/* What it said before it went may still be read, and says more.
			 */
			if (!l->reading)
				link_read(l);
			if (l->state != LINK_DONE && l->state != LINK_CONNECTING &&
				!l->freed) {
				errno = ECONNRESET;
				link_sys(l, "writing");
			}
			return;
		}
		l->said = weft_monotonic();
		written(l, (size_t)n);
		if (l->freed)
			return;
		if ((size_t)n < asked)
			break;
	}
	if (l->going && !l->out) {
		link_fail(l);
		return;
	}
	link_want(l);
	if (some && !l->queued && !l->summed && l->state == LINK_OPEN && l->on->drained)
		l->on->drained(l->arg, l);
}

static int hold(struct weft_link *l, unsigned type, const void *data, size_t n,
	void (*done)(void *arg), void *arg)
{
	struct held *h;

	if (l->state != LINK_OPEN || l->bye_due || l->bye_sent || n > l->their_max ||
		type >= WEFT_LINK_TYPES || l->going)
		return -1;
	h = malloc(sizeof(*h) + (done ? 0 : n));
	if (!h)
		return -1;
	*h = (struct held){
		.type = type, .data = data, .n = n, .done = done, .arg = arg};
	if (!done) {
		if (n)
			memcpy(h->own, data, n);
		h->data = h->own;
	}
	*l->held_end = h;
	l->held_end = &h->next;
	l->queued += n;
	weft_loop_soon(l->loop, &l->flush);
	return 0;
}

int weft_link_send(struct weft_link *l, unsigned type, const void *data, size_t n)
{
	/* Most need not wait: straight to what goes next. */
	if (l->state == LINK_OPEN && !l->held && l->credit > 0 && !l->bye_due &&
		!l->bye_sent && !l->going && n <= WEFT_LINK_SMALL &&
		n <= l->their_max && type < WEFT_LINK_TYPES && l->summed < LINK_AHEAD) {
		l->credit -= (int64_t)(n + HEAD + MAC);
		return link_put_frame(l, type, data, n);
	}
	return hold(l, type, data, n, NULL, NULL);
}

int weft_link_send_ref(struct weft_link *l, unsigned type, const void *data, size_t n,
	void (*done)(void *arg), void *arg)
{
	return hold(l, type, data, n, done, arg);
}

uint64_t weft_link_queued(const struct weft_link *l)
{
	return l->queued + l->summed;
}

void weft_link_close(struct weft_link *l, const char *why)
{
	if (l->state == LINK_DONE || l->bye_due || l->bye_sent || l->going)
		return;
	if (l->state != LINK_OPEN) {
		weft_err_clear(&l->why);
		link_fail(l);
		return;
	}
	l->bye = why ? strdup(why) : NULL;
	l->bye_due = true;
	weft_loop_soon(l->loop, &l->flush);
}

void link_held_clear(struct weft_link *l)
{
	while (l->held) {
		struct held *h = l->held;

		l->held = h->next;
		if (h->done)
			h->done(h->arg);
		free(h);
	}
	l->held_end = &l->held;
	l->queued = 0;
}

void link_out_clear(struct weft_link *l)
{
	link_held_clear(l);
	while (l->out) {
		struct piece *p = l->out;

		l->out = p->next;
		if (p->done)
			p->done(p->arg);
		free(p);
	}
	l->out_end = &l->out;
	l->summed = 0;
}
