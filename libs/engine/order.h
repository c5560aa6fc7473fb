/*
 * order.h - what an engine and the agents of its nodes tell each other; private to the
 * room.
 *
 * Frames of a link (wire/link.h), which has made sure who the other end is; still, each
 * is read with its bounds.  Texts that were read point into the frame.
 */
#ifndef WEFT_ENGINE_ORDER_H
#define WEFT_ENGINE_ORDER_H

#include "engine/unit.h"

/* Seconds; after so much silence each end takes the other for gone. */
#define ORDER_KEEPALIVE 4.0
#define ORDER_DEADLINE 15.0

enum order_type {
	ORDER_MODEL = 1, /* agent: the node's model as text, where it has one; and */
	ORDER_HELLO,     /* here I am, and this is my node */
	ORDER_START,     /* engine: run this member */
	ORDER_CANCEL,    /* engine: end it */
	ORDER_DROP,      /* engine: end it, for nobody wants it any more */
	ORDER_FREE,      /* agent: it is done, and others may have its share */
	ORDER_RESULT,    /* agent: it has ended, and its record is on disk */
	ORDER_AHEAD,     /* engine: bring what this member will read; as START */
};

struct order_hello {
	const char *node;
	unsigned gpus;
	/* CPUs that its members may have, "" not known; GPUs as struct
	 * weft_engine_node has them, NULL as there. */
	const char *allowed, *visible, *gpu_numbers;
};
struct order_start {
	uint64_t tag; /* of the engine's; comes back with the result */
	unsigned step;
	size_t member;
	unsigned attempt;
	int retry;
	const char *cpus, *gpus; /* as in struct slot */
};
struct order_result {
	uint64_t tag;
	enum weft_state state;
	enum weft_code code;
	int exit_status;
	unsigned attempt;
	double ended;
	const char *cause;
};

int order_put_hello(struct weft_str *out, const struct order_hello *h);
int order_put_start(struct weft_str *out, const struct order_start *s);
int order_put_tag(struct weft_str *out, uint64_t tag);
int order_put_result(struct weft_str *out, const struct order_result *r);
/* False: not a frame of that type. */
bool order_get_hello(const void *data, size_t n, struct order_hello *h);
bool order_get_start(const void *data, size_t n, struct order_start *s);
bool order_get_tag(const void *data, size_t n, uint64_t *tag);
bool order_get_result(const void *data, size_t n, struct order_result *r);

/* What both ends must agree on for a link to come about. */
char *order_context(const struct weft_engine *e);
/* The name of an agent's files in the run directory. */
char *order_writer(const struct weft_engine *e, const char *node);

#endif
