/*
 * link_room.h - a link from within; private to the room
 *
 * On the wire: first four messages of the handshake (hello.c), each
 *     "weft" VERSION KIND LENGTH(2) text
 * then frames, all numbers big-endian:
 *     LENGTH(4) of the payload, TYPE(2), 0(2), payload, MAC(16) over all before it
 */
#ifndef WEFT_WIRE_LINK_ROOM_H
#define WEFT_WIRE_LINK_ROOM_H

#include "wire/secret.h"

#define HEAD 8
#define LINK_VERSION 1
#define LINK_HELLO_MAX 4096 /* of a message of the handshake */
#define LINK_FRAME_MAX ((size_t)64 << 20)
#define LINK_IN ((size_t)96 << 10)    /* holds some small frames */
#define LINK_BESIDE ((size_t)4 << 10) /* read together with the rest of a large one */
#define LINK_WAKE_MAX (1 << 20)
#define LINK_OUT ((size_t)32 << 10)  /* small frames that go together */
#define LINK_AHEAD ((size_t)1 << 20) /* summed, waiting for the network */

/* Types of our own, from WEFT_LINK_TYPES on. */
enum {
	FRAME_READY = WEFT_LINK_TYPES, /* window(8) max_frame(8) */
	FRAME_CREDIT,                  /* bytes(8) */
	FRAME_ALIVE,                   /* nothing */
	FRAME_BYE,                     /* text */
};

enum link_state {
	LINK_CONNECTING,
	LINK_HELLO_WAIT, /* the next of the handshake's messages is theirs */
	LINK_READY_WAIT, /* theirs are all there; the keys are made */
	LINK_OPEN,
	LINK_DONE, /* failed, or both said goodbye: closed() is due or was */
};

/* Bytes on their way to the network. */
struct piece {
	struct piece *next;
	const unsigned char *data;
	size_t n, at, cap; /* cap: of own */
	void (*done)(void *arg);
	void *arg;
	unsigned char own[];
};

/* A frame that waits for credit. */
struct held {
	struct held *next;
	unsigned type;
	const void *data;
	size_t n;
	void (*done)(void *arg); /* NULL: data is own */
	void *arg;
	unsigned char own[];
};

struct weft_link {
	struct weft_loop *loop;
	struct weft_link_options opt;
	char *context;
	const struct weft_link_events *on;
	void *arg;
	enum link_state state;
	bool first;  /* we spoke first: side 0 */
	bool client; /* we connect, and again if need be */
	int fd;
	struct weft_watch *watch;
	struct weft_timer *timer;
	struct weft_soon flush, end;
	unsigned busy; /* callbacks in which it mustn't vanish */
	bool freed;
	struct weft_err why;
	char *peer;

	/* connecting */
	struct link_addresses *addresses;
	double give_up, pause;

	/* the handshake */
	struct proof proof;
	unsigned step; /* messages so far, both ends' */

	/* in */
	struct mac in_mac;
	unsigned char *in;
	size_t in_n, in_at;
	struct {
		unsigned type;
		unsigned char *data;
		size_t n, have;
		bool placed, on;
	} big;
	uint64_t in_owed; /* credit to be told */
	int64_t in_open;  /* credit that they have; a frame may go beyond */
	double heard;

	/* out */
	struct mac out_mac;
	struct piece *out, **out_end;
	struct held *held, **held_end;
	uint64_t queued, summed; /* bytes in held; in out */
	int64_t credit;
	size_t their_max;
	double said;
	bool bye_sent, bye_due;
	bool going; /* they said goodbye; ours is on its way */
	bool reading;
	int wake_at; /* bytes that must be there before we are woken */
	char *bye;

	uint64_t bytes_in, bytes_out;
	struct link_waiting *waiting; /* the listener's, until it is open */
};

/* ---- link.c ---- */
struct weft_link *link_new(struct weft_loop *loop, const struct weft_link_options *opt,
	struct weft_err *err);
/* Takes the socket, and begins the handshake. */
int link_take(struct weft_link *l, int fd, struct weft_err *err);
/* The link fails: with l->why as it is, or set here.  closed() comes later. */
void link_fail(struct weft_link *l);
void link_failed(struct weft_link *l, int sys, const char *fmt, ...) WEFT_PRINTF(3, 4);
void link_sys(struct weft_link *l, const char *what);
void link_drop_socket(struct weft_link *l);
void link_enter(struct weft_link *l);
/* false: the link is gone. */
bool link_leave(struct weft_link *l);
void link_opened(struct weft_link *l);

/* ---- hello.c ---- */
int link_hello_start(struct weft_link *l);
/* Eats what it can of l->in; -1: failed. */
int link_hello_in(struct weft_link *l);

/* ---- link_in.c ---- */
void link_read(struct weft_link *l);
/* ---- link_out.c ---- */
int link_put_raw(struct weft_link *l, const void *data, size_t n);
int link_put_frame(struct weft_link *l, unsigned type, const void *data, size_t n);
void link_write(struct weft_link *l);
void link_want(struct weft_link *l);
void link_out_clear(struct weft_link *l);
void link_held_clear(struct weft_link *l);
void link_say_bye(struct weft_link *l);

/* ---- connect.c ---- */
int link_connect_next(struct weft_link *l);
void link_connected(struct weft_link *l);
/* They hung up before they said anything: is it tried again? */
bool link_again(struct weft_link *l);
void link_addresses_free(struct link_addresses *a);

/* ---- listen.c ---- */
/* It is open, or has failed before. */
void link_waiting_over(struct weft_link *l, bool open);

static inline void put32(unsigned char *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		b[i] = (unsigned char)(v >> (24 - 8 * i));
}
static inline void put64(unsigned char *b, uint64_t v)
{
	put32(b, (uint32_t)(v >> 32));
	put32(b + 4, (uint32_t)v);
}
static inline uint32_t get32(const unsigned char *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline uint64_t get64(const unsigned char *b)
{
	return (uint64_t)get32(b) << 32 | get32(b + 4);
}

#endif
