/*
 * link - authenticated, framed, two-way links between a user's own processes on
 * different nodes, over TCP or a socket pair.
 *
 * Both ends prove, before a byte of theirs counts, that they are the same user's: with
 * munge each seals a secret in a credential that only this uid can open, bound to both
 * ends' nonces and to the link's context (which run, for what); without munge both know
 * a 32-byte key that the parent handed on.  HKDF-SHA256 makes of it one key a
 * direction, and each frame ends in a MAC of 16 bytes: GMAC (AES-256-GCM over nothing
 * but additional data), its nonce the frame's number in this direction.  Why GMAC: it
 * needs a nonce that never comes twice under a key, which a counter and a fresh key a
 * link give for nothing; it is the fastest MAC that every libcrypto has (5 GB/s a core
 * where XXH3, which is no MAC, has 15), and one false frame ends the link, so nobody
 * can try twice.  The number makes a frame that is repeated, left out or moved false,
 * too.  Nothing is encrypted but the secrets: who can read the wire sees the data, as
 * with a network file system.
 *
 * Against whom: other users, on the nodes and on the network, who connect, listen on a
 * port that was ours, alter, replay or insert.  Not against root, nor the user's own
 * processes.  munge: as good as the site's munge key.  A handed-on key is as secret as
 * its way: an environment can be read by root and this user alone, but Slurm's launch
 * message carries it in clear over the cluster's network.  weft_auth_new() takes munge
 * wherever it answers.
 *
 * Flow: a frame is sent when the other end has granted credit for it, so that a slow
 * reader holds up its own link and no memory.  Silence: each end says something every
 * `keepalive` seconds, and one that heard nothing for `deadline` closes.
 *
 * Ownership: a link is freed by whoever has it, in its callbacks too.  Units: bytes,
 * seconds.  Errors: WEFT_ESYS, told by closed(); sys is ETIMEDOUT for silence, EACCES
 * for who is not us, EBADMSG for a false frame, ECONNRESET, ECONNREFUSED... Callbacks
 * come from the loop, never from within a call on the link.  Threads: the loop's.
 * Fork: a child closes all (weft_spawn() does).  Runs as: the user.  Names are looked
 * up and munge is asked in the loop's thread, as a rule within a millisecond.
 */
#ifndef WEFT_WIRE_LINK_H
#define WEFT_WIRE_LINK_H

#include "wire/loop.h"

/* ---- who we are -------------------------------------------------------- */

struct weft_auth;
/* munge, where its daemon answers at this socket (NULL: the one that slurm.conf's
 * AuthInfo names, else the usual one); else a fresh key. */
int weft_auth_new(
	struct weft_auth **auth, const char *munge_socket, struct weft_err *err);
/* A fresh key, even where munge answers. */
int weft_auth_new_key(struct weft_auth **auth, struct weft_err *err);
void weft_auth_free(struct weft_auth *auth);
bool weft_auth_is_munge(const struct weft_auth *auth);

/* What a child needs to be of the same kind: "munge", "munge:SOCKET" or "key:HEX", by
 * environment or pipe, never as an argument. */
#define WEFT_AUTH_ENV "WEFT_WIRE_AUTH"
int weft_auth_text(const struct weft_auth *auth, struct weft_str *text);
int weft_auth_parse(struct weft_auth **auth, const char *text, struct weft_err *err);
/* Of the environment, from which it takes it, so that no program of the user's gets it.
 */
int weft_auth_from_env(struct weft_auth **auth, struct weft_err *err);

/* ---- links ------------------------------------------------------------- */

struct weft_link;

struct weft_link_events {
	/* The other end is who it should be. */
	void (*open)(void *arg, struct weft_link *link);
	/* data: good until it returns, unless place() gave the memory. */
	void (*frame)(
		void *arg, struct weft_link *link, unsigned type, void *data, size_t n);
	/* Of a payload over WEFT_LINK_SMALL: where to read it to; NULL: no memory, and
	 * the link closes.  What was given and not yet told by frame() is the caller's
	 * when the link closes.  Absent: the link's own. */
	void *(*place)(void *arg, struct weft_link *link, unsigned type, size_t n);
	/* All that was to be sent is on its way. */
	void (*drained)(void *arg, struct weft_link *link);
	/* Once, nothing comes after it.  why->code is WEFT_OK when the other end said
	 * goodbye, why->text its words, or NULL. */
	void (*closed)(void *arg, struct weft_link *link, const struct weft_err *why);
};

#define WEFT_LINK_SMALL ((size_t)16 << 10)
#define WEFT_LINK_TYPES 60000 /* types are below */

/* Zero, or NULL: the default. */
struct weft_link_options {
	const struct weft_auth *auth; /* outlives the link */
	const char *context;          /* the same at both ends; copied */
	const struct weft_link_events *on;
	void *arg;
	size_t max_frame;   /* of payloads that come: 1 MiB */
	uint64_t window;    /* credit that is given: 4 MiB */
	bool manual;        /* credit comes back by weft_link_grant() alone */
	double keepalive;   /* 5 */
	double deadline;    /* 30 */
	double handshake;   /* from connected to open: 10 */
	double patience;    /* connect: tries for so long: 10 */
	unsigned strangers; /* listener: that haven't proved themselves yet: 256 */
};

/* Connects, again and again while nobody listens. */
int weft_link_connect(struct weft_link **link, struct weft_loop *loop, const char *host,
	unsigned port, const struct weft_link_options *opt, struct weft_err *err);
/* One end of a connected stream socket, which is the link's from now; first: this end
 * speaks first (one of the two must). */
int weft_link_adopt(struct weft_link **link, struct weft_loop *loop, int fd, bool first,
	const struct weft_link_options *opt, struct weft_err *err);
/* Another owner. */
void weft_link_set(
	struct weft_link *link, const struct weft_link_events *on, void *arg);

/* Queues a frame; 0, or -1: too long for the other end, no memory, or not open (the
 * closed() event says why). */
int weft_link_send(struct weft_link *link, unsigned type, const void *data, size_t n);
/* The same without a copy: data stays as it is until done(arg), called from the loop or
 * from weft_link_free(). After -1 it isn't called. */
int weft_link_send_ref(struct weft_link *link, unsigned type, const void *data,
	size_t n, void (*done)(void *arg), void *arg);
/* Bytes of payload that wait here, for credit or for the network. */
uint64_t weft_link_queued(const struct weft_link *link);
/* So many bytes of payloads that came have been dealt with (manual). */
void weft_link_grant(struct weft_link *link, uint64_t bytes);

/* Goodbye after what is queued; closed() comes when the other end is gone, too. */
void weft_link_close(struct weft_link *link, const char *why);
/* At once, without closed(). */
void weft_link_free(struct weft_link *link);

/* "10.0.0.7:41233" or "a socket pair". */
const char *weft_link_peer(const struct weft_link *link);
bool weft_link_is_open(const struct weft_link *link);
/* Bytes that came and went, headers and all; when last something came. */
struct weft_link_counts {
	uint64_t in, out;
	double heard;
};
struct weft_link_counts weft_link_counts(const struct weft_link *link);

/* ---- listening --------------------------------------------------------- */

struct weft_listener;
/* Of a link that is open; it is the callee's, who gives it events. */
typedef void weft_listener_fn(void *arg, struct weft_link *link);
/* address: of this host, NULL: any.  port 0: a free one.  opt: of its links.  Strangers
 * can't keep others out: of more than opt->strangers that haven't proved themselves the
 * oldest goes. */
int weft_listener_new(struct weft_listener **l, struct weft_loop *loop,
	const char *address, unsigned port, const struct weft_link_options *opt,
	weft_listener_fn *fn, void *arg, struct weft_err *err);
unsigned weft_listener_port(const struct weft_listener *l);
/* How many were refused, and why the last one was (NULL: none). */
uint64_t weft_listener_refused(const struct weft_listener *l, const char **why);
void weft_listener_free(struct weft_listener *l);

#endif
