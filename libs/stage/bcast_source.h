/* bcast_source.h - a broadcast as its source knows it; private to the room */
#ifndef WEFT_STAGE_BCAST_SOURCE_H
#define WEFT_STAGE_BCAST_SOURCE_H

#include "stage/bcast.h"

#define SOURCE UINT32_MAX /* as a parent */
#define TRIES 3           /* of a node that lives, but whose link breaks */
#define TREE_ARITY 2

/* JOINED: it looks what of it is there already. */
enum node_state { WAITED_FOR, JOINED, HERE, DONE, FAILED };

struct node {
	struct source *of;
	uint32_t rank, parent;
	enum node_state state;
	struct weft_link *control;
	struct weft_link *parting; /* of one that was taken out, until it knows */
	char *host;                /* as the source sees it */
	unsigned port, tries;
	uint64_t pieces;
	bool told; /* some of what it has */
};

struct starter {
	struct source *of;
	pid_t pid;
	uint32_t rank; /* of one node, or SOURCE: of all */
	bool running;
};

struct source {
	const char *src, *dst;
	const struct weft_stage_cast *cast;
	const struct weft_stage_options *opt;
	struct weft_stage_node *out;
	struct weft_loop *loop;
	struct weft_link_options link;
	char context[64], self[300];
	struct weft_listener *listener;
	struct bcast_relay relay;
	struct node *node;
	size_t n, n_here, n_over;
	struct starter *starter;
	size_t n_starters;
	struct weft_timer *tick;
	double began, sending;
	bool started, ending, tree;
	uint64_t total, total_files;
	struct bcast_plan plan;
	struct bcast_had had; /* by the nodes that have told */
	uint32_t n_told;
	uint64_t relinked; /* links that broke between two who live */
	/* Another node is tried, as the first one takes little. */
	struct {
		bool on;
		uint32_t first, other;
		unsigned against;   /* trials in a row that spoke against the first */
		double began, rate; /* pieces a second of the first */
	} trial;
	/* The thread that reads. */
	struct bcast_queue queue;
	struct bcast_pack pack;
	struct bcast_cached *cached;
	bool no_cache;
	pthread_t thread;
	bool reading;
	atomic_bool read_over;
	int read_rc;
	struct weft_err read_err;
	int result;
	struct weft_err *err;
};

/* ---- bcast.c ---- */
/* From the thread that reads to the children, as far as there is room. */
void source_feed(struct source *s);
/* Once all are here, or won't come. */
void source_perhaps_begin(struct source *s);
/* Once it is known of each node what became of it. */
void source_perhaps_end(struct source *s);
/* Once no node has a link any more. */
void source_stop_if_alone(struct source *s);

/* ---- who feeds whom: bcast_parents.c ---- */
/* Their ranks, for n nodes at most; returns how many are here. */
size_t source_in_order(const struct source *s, uint32_t *order);
void source_name_parents(struct source *s, const uint32_t *order, size_t n);
/* Its parent, or who lives above that, is told to feed it. */
void source_adopt(struct source *s, struct node *d);
/* Out with it; its children go to who fed it. */
void source_take_out(struct node *d);
/* It won't have it, for this reason. */
void source_fail(struct node *d, const char *fmt, ...) WEFT_PRINTF(2, 3);
/* Its parent has lost it: bcast_relay's lost(). */
void source_lost(void *arg, uint32_t rank, const char *why, bool final);

/* ---- what the nodes say: bcast_control.c ---- */
void source_on_knock(void *arg, struct weft_link *link);

/* ---- who is too slow: bcast_trial.c ---- */
/* Some times a second. */
void source_try_another(struct source *s, double now);
void source_tried(struct node *d);

/* ---- what starts the nodes' half, and its end: bcast_start.c ---- */
int source_start(struct source *s, struct weft_err *err);
void source_end_starters(struct source *s);

#endif
