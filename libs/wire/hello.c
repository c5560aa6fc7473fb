/*
 * hello.c - the handshake: who speaks first proves itself first, so that a listener
 * spends nothing on a stranger's account before it has seen a proof
 *
 *     0 -> 1   how, nonce          1 -> 0   how, nonce
 *     0 -> 1   proof               1 -> 0   proof
 *
 * then both make the keys and send a frame; the first good one opens the link.  An end
 * that refuses says so in a message of its own, which proves nothing and is only shown.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/link_room.h"

enum { SAY_NONCE = 1, SAY_PROOF, SAY_REFUSED };

static int say(struct weft_link *l, unsigned kind, const void *text, size_t n)
{
	unsigned char head[HEAD] = {'w', 'e', 'f', 't', LINK_VERSION,
		(unsigned char)kind, (unsigned char)(n >> 8), (unsigned char)n};

	return link_put_raw(l, head, sizeof(head)) || link_put_raw(l, text, n) ? -1 : 0;
}

static int say_nonce(struct weft_link *l)
{
	unsigned side = l->first ? 0 : 1;
	unsigned char text[1 + SECRET];

	if (secret_random(l->proof.nonce[side], SECRET)) {
		link_sys(l, "random numbers");
		return -1;
	}
	text[0] = l->opt.auth->munge ? 'm' : 'k';
	memcpy(text + 1, l->proof.nonce[side], SECRET);
	return say(l, SAY_NONCE, text, sizeof(text));
}

static int say_proof(struct weft_link *l)
{
	weft_autofree char *text = NULL;

	if (proof_make(l->opt.auth, &l->proof, l->first ? 0 : 1, &text, &l->why)) {
		link_fail(l);
		return -1;
	}
	return say(l, SAY_PROOF, text, strlen(text));
}

/* The other end hears it as the reason, if there is still a way. */
static int refuse(struct weft_link *l)
{
	const char *text = l->why.text ? l->why.text : "refused";

	if (say(l, SAY_REFUSED, text, strlen(text)) == 0)
		link_write(l);
	if (l->state != LINK_DONE && l->peer)
		weft_err_prefix(&l->why, "%s", l->peer);
	link_fail(l);
	return -1;
}

static int make_keys(struct weft_link *l)
{
	unsigned char key[2][SECRET], ready[16];
	unsigned us = l->first ? 0 : 1;
	int r = proof_keys(l->opt.auth, &l->proof, key) ||
				mac_init(&l->out_mac, key[us]) ||
				mac_init(&l->in_mac, key[!us])
			? -1
			: 0;

	explicit_bzero(key, sizeof(key));
	explicit_bzero(l->proof.secret, sizeof(l->proof.secret));
	if (r) {
		link_failed(l, ENOSYS, "libcrypto has no AES-256-GCM");
		return -1;
	}
	l->state = LINK_READY_WAIT;
	put64(ready, l->opt.window);
	put64(ready + 8, l->opt.max_frame);
	l->in_open = (int64_t)l->opt.window;
	return link_put_frame(l, FRAME_READY, ready, sizeof(ready));
}

int link_hello_start(struct weft_link *l)
{
	l->state = LINK_HELLO_WAIT;
	l->heard = l->said = weft_monotonic();
	weft_timer_set(l->timer, l->opt.handshake, 0);
	if (l->first && say_nonce(l))
		return -1;
	link_want(l);
	return 0;
}

static int take_nonce(struct weft_link *l, const unsigned char *text, size_t n)
{
	char how = l->opt.auth->munge ? 'm' : 'k';

	if (n != 1 + SECRET || (text[0] != 'm' && text[0] != 'k')) {
		weft_err_set(&l->why, WEFT_ESYS, "a greeting that isn't one");
		return refuse(l);
	}
	if (text[0] != how) {
		weft_err_set(&l->why, WEFT_ESYS, "one end has munge, the other a key");
		l->why.sys = EACCES;
		return refuse(l);
	}
	memcpy(l->proof.nonce[l->first ? 1 : 0], text + 1, SECRET);
	return l->first ? say_proof(l) : say_nonce(l);
}

static int take_proof(struct weft_link *l, const unsigned char *text, size_t n)
{
	weft_autofree char *s = strndup((const char *)text, n);

	if (!s)
		weft_err_nomem(&l->why);
	if (!s || proof_check(l->opt.auth, &l->proof, l->first ? 1 : 0, s, &l->why))
		return refuse(l);
	if (!l->first && say_proof(l))
		return -1;
	return make_keys(l);
}

static int take_refusal(struct weft_link *l, const unsigned char *text, size_t n)
{
	char shown[200];
	size_t m = n < sizeof(shown) - 1 ? n : sizeof(shown) - 1;

	for (size_t i = 0; i < m; i++)
		shown[i] = (char)(isprint(text[i]) ? text[i] : '?');
	shown[m] = '\0';
	link_failed(l, EACCES, "the other end refuses: %s", shown);
	return -1;
}

static int take(struct weft_link *l, unsigned kind, const unsigned char *text, size_t n)
{
	/* Their first message is a nonce, their second a proof. */
	unsigned want = l->step == 0 ? SAY_NONCE : SAY_PROOF;

	if (kind == SAY_REFUSED)
		return take_refusal(l, text, n);
	if (kind != want) {
		weft_err_set(&l->why, WEFT_ESYS, "a handshake out of turn");
		return refuse(l);
	}
	l->step++;
	return kind == SAY_NONCE ? take_nonce(l, text, n) : take_proof(l, text, n);
}

int link_hello_in(struct weft_link *l)
{
	while (l->state == LINK_HELLO_WAIT && l->in_n - l->in_at >= HEAD) {
		const unsigned char *b = l->in + l->in_at;
		size_t n = (size_t)b[6] << 8 | b[7];

		if (memcmp(b, "weft", 4) != 0 || n > LINK_HELLO_MAX) {
			link_failed(l, EBADMSG, "it doesn't speak weft");
			return -1;
		}
		if (b[4] != LINK_VERSION) {
			weft_err_set(&l->why, WEFT_ESYS,
				"it speaks version %u of weft's links, we %u", b[4],
				LINK_VERSION);
			return refuse(l);
		}
		if (l->in_n - l->in_at < HEAD + n)
			return 0;
		l->in_at += HEAD + n;
		if (take(l, b[5], b + HEAD, n))
			return -1;
	}
	return 0;
}
