/* link_in.c - frames that come */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "wire/link_room.h"

static int false_frame(struct weft_link *l)
{
	/* Without munge a wrong key shows here first. */
	if (l->state == LINK_READY_WAIT)
		link_failed(l, EACCES, "it has another key, or another purpose");
	else
		link_failed(l, EBADMSG, "a frame whose checksum is false");
	return -1;
}

static int bad_frame(struct weft_link *l, const char *what)
{
	link_failed(l, EBADMSG, "%s", what);
	return -1;
}

/* Credit goes back when a quarter of the window was used. */
static int owe(struct weft_link *l, uint64_t bytes)
{
	unsigned char text[8];

	l->in_owed += bytes;
	if (l->in_owed < l->opt.window / 4 || l->bye_sent)
		return 0;
	put64(text, l->in_owed);
	l->in_open += (int64_t)l->in_owed;
	l->in_owed = 0;
	return link_put_frame(l, FRAME_CREDIT, text, sizeof(text));
}

void weft_link_grant(struct weft_link *l, uint64_t bytes)
{
	if (l->state == LINK_OPEN && l->opt.manual)
		owe(l, bytes);
}

static int take_bye(struct weft_link *l, const unsigned char *text, size_t n)
{
	weft_err_clear(&l->why);
	l->why.text = n ? strndup((const char *)text, n) : NULL;
	if (l->bye_sent) {
		link_fail(l);
		return -1;
	}
	/* Ours after what is on its way, so that both know that all came. */
	link_held_clear(l);
	l->going = true;
	link_say_bye(l);
	link_write(l);
	return -1;
}

/* One of our own; -1: the link is over. */
static int take_own(
	struct weft_link *l, unsigned type, const unsigned char *text, size_t n)
{
	switch (type) {
	case FRAME_READY:
		if (l->state != LINK_READY_WAIT || n != 16)
			break;
		l->credit = (int64_t)(get64(text) & INT64_MAX);
		l->their_max = get64(text + 8) < LINK_FRAME_MAX ? get64(text + 8)
								: LINK_FRAME_MAX;
		link_opened(l);
		return l->freed ? -1 : 0;
	case FRAME_CREDIT:
		if (n != 8 || get64(text) > (uint64_t)1 << 40)
			break;
		l->credit += (int64_t)get64(text);
		if (l->credit > INT64_MAX / 2)
			break;
		weft_loop_soon(l->loop, &l->flush);
		return 0;
	case FRAME_ALIVE:
		if (n)
			break;
		return 0;
	case FRAME_BYE:
		return take_bye(l, text, n);
	}
	return bad_frame(l, "a frame that makes no sense");
}

/* A true frame of the user's; -1: the link is over. */
static int take_user(struct weft_link *l, unsigned type, void *data, size_t n)
{
	uint64_t bytes = n + HEAD + MAC;

	l->in_open -= (int64_t)bytes;
	if (l->on->frame)
		l->on->frame(l->arg, l, type, data, n);
	if (l->freed || l->state == LINK_DONE)
		return -1;
	return owe(l, l->opt.manual ? bytes - n : bytes);
}

/* The header of a frame: may it come? */
static int look(struct weft_link *l, unsigned type, size_t n, unsigned zero)
{
	if (zero || (l->state == LINK_READY_WAIT && type != FRAME_READY))
		return false_frame(l);
	if (type >= WEFT_LINK_TYPES)
		return n <= WEFT_LINK_SMALL ? 0 : bad_frame(l, "a frame too long");
	if (n > l->opt.max_frame)
		return bad_frame(l, "a frame too long");
	if (l->in_open <= 0)
		return bad_frame(l, "more than it has credit for");
	return 0;
}

static int begin_big(struct weft_link *l, unsigned type, size_t n)
{
	const unsigned char *head = l->in + l->in_at;
	bool place = l->on->place != NULL;
	void *data = place ? l->on->place(l->arg, l, type, n) : malloc(n);

	if (l->freed || l->state == LINK_DONE)
		return -1;
	if (!data) {
		link_failed(l, ENOMEM, "no memory for a frame");
		return -1;
	}
	l->big.type = type;
	l->big.data = data;
	l->big.n = n;
	l->big.have = 0;
	l->big.placed = place;
	l->big.on = true;
	l->in_at += HEAD;
	return mac_begin(&l->in_mac) || mac_add(&l->in_mac, head, HEAD) ? false_frame(l)
									: 0;
}

/* Its bytes as far as they are there; 1: it isn't whole yet. */
static int go_on_big(struct weft_link *l)
{
	size_t there = l->in_n - l->in_at, want = l->big.n - l->big.have;
	size_t n = there < want ? there : want;
	unsigned char tag[MAC];

	if (n) {
		memcpy(l->big.data + l->big.have, l->in + l->in_at, n);
		if (mac_add(&l->in_mac, l->in + l->in_at, n))
			return false_frame(l);
		l->in_at += n;
		l->big.have += n;
	}
	if (l->big.have < l->big.n || l->in_n - l->in_at < MAC)
		return 1;
	if (mac_end(&l->in_mac, tag) || !mac_same(tag, l->in + l->in_at))
		return false_frame(l);
	l->in_at += MAC;
	l->big.on = false;
	unsigned char *data = l->big.data;
	bool placed = l->big.placed;
	l->big.data = NULL;
	int r = take_user(l, l->big.type, data, l->big.n);
	if (!placed)
		free(data);
	return r;
}

/* 1: more bytes are needed; -1: the link is over. */
static int take_frame(struct weft_link *l)
{
	unsigned char *b = l->in + l->in_at;
	size_t there = l->in_n - l->in_at;
	unsigned char tag[MAC];

	if (l->big.on)
		return go_on_big(l);
	if (there < HEAD)
		return 1;
	size_t n = get32(b);
	unsigned type = (unsigned)b[4] << 8 | b[5], zero = b[6] | b[7];
	if (look(l, type, n, zero))
		return -1;
	if (n > WEFT_LINK_SMALL)
		return begin_big(l, type, n);
	if (there < HEAD + n + MAC)
		return 1;
	if (mac_begin(&l->in_mac) || mac_add(&l->in_mac, b, HEAD + n) ||
		mac_end(&l->in_mac, tag) || !mac_same(tag, b + HEAD + n))
		return false_frame(l);
	l->in_at += HEAD + n + MAC;
	return type >= WEFT_LINK_TYPES ? take_own(l, type, b + HEAD, n)
				       : take_user(l, type, b + HEAD, n);
}

static int take_all(struct weft_link *l)
{
	int r = 0;

	if (l->state == LINK_HELLO_WAIT && link_hello_in(l))
		return -1;
	while (r == 0 && (l->state == LINK_READY_WAIT || l->state == LINK_OPEN))
		r = take_frame(l);
	if (r < 0 || l->freed || l->state == LINK_DONE)
		return -1;
	memmove(l->in, l->in + l->in_at, l->in_n - l->in_at);
	l->in_n -= l->in_at;
	l->in_at = 0;
	return 0;
}

/* The other end's last word was said before, or never will be. */
static void ended(struct weft_link *l, int sys)
{
	if (link_again(l))
		return;
	if (sys)
		link_failed(l, sys, "reading: %s", strerror(sys));
	else
		link_failed(l, ECONNRESET, "the other end went away without a word");
}

/* One turn's worth, so that others have theirs, and so that what is done with it next
 * finds it in the core's cache. */
static void read_some(struct weft_link *l)
{
	for (size_t budget = (size_t)512 << 10; budget;) {
		struct iovec v[2];
		unsigned n_v = 0;
		size_t want = 0;

		/* Of a large frame straight to where it belongs. */
		if (l->big.on && l->in_n == 0 && l->big.have < l->big.n) {
			want = l->big.n - l->big.have;
			v[n_v++] = (struct iovec){l->big.data + l->big.have, want};
		}
		/* What comes behind it is copied once more: only its head. */
		size_t beside = want ? LINK_BESIDE : LINK_IN - l->in_n;
		v[n_v++] = (struct iovec){l->in + l->in_n, beside};
		size_t asked = want + beside;
		struct msghdr msg = {.msg_iov = v, .msg_iovlen = n_v};
		ssize_t got = recvmsg(l->fd, &msg, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			ended(l, got < 0 ? errno : 0);
			return;
		}
		l->heard = weft_monotonic();
		l->bytes_in += (uint64_t)got;
		size_t direct = (size_t)got < want ? (size_t)got : want;
		if (direct && mac_add(&l->in_mac, l->big.data + l->big.have, direct)) {
			false_frame(l);
			return;
		}
		l->big.have += direct;
		l->in_n += (size_t)got - direct;
		if (take_all(l))
			return;
		/* Less than there was room for: there is no more. */
		if ((size_t)got < asked)
			return;
		budget -= (size_t)got < budget ? (size_t)got : budget;
	}
}

/* Woken once for what is missing of a large frame, not for each of its packets.  More
 * than that is never waited for, and a window that is full wakes in any case. */
static void wake_at(struct weft_link *l)
{
	size_t rest = l->big.on ? l->big.n - l->big.have : 0;
	int at = rest < LINK_IN ? 1 : rest < LINK_WAKE_MAX ? (int)rest : LINK_WAKE_MAX;

	if (at == l->wake_at || l->fd < 0)
		return;
	l->wake_at = at;
	(void)!setsockopt(l->fd, SOL_SOCKET, SO_RCVLOWAT, &at, sizeof(at));
}

void link_read(struct weft_link *l)
{
	if (l->reading || l->going)
		return;
	l->reading = true;
	read_some(l);
	l->reading = false;
	if (!l->freed && l->state != LINK_DONE)
		wake_at(l);
}
