/* agents_room.h - what is known of the agents; private to agents*.c */
#ifndef WEFT_ENGINE_AGENTS_ROOM_H
#define WEFT_ENGINE_AGENTS_ROOM_H

#include "engine/agents.h"
#include "wire/link.h"

enum stage {
	STARTING,
	UP,
	LOST, /* until its members must have ended */
	GONE, /* for good */
};

struct node_agent {
	struct agents *all;
	unsigned node;
	enum stage stage;
	double until; /* of STARTING and LOST; monotonic */
	unsigned tries;
	bool news; /* it has recorded something since its file was read */
	struct weft_link *link;
	struct weft_machine *machine;
	char *visible, *gpu_numbers;
};

/* A step of srun that has started agents. */
struct agent_step {
	struct agent_step *next;
	struct agents *all;
	pid_t pid;
};

struct agents {
	struct engine *g;
	struct weft_auth *auth;
	struct weft_listener *listener;
	char *context;
	bool needed; /* there are steps that need others */
	struct weft_timer *look;
	struct node_agent *node; /* of each of the engine's */
	unsigned count[GONE + 1];
	struct agent_step *step;
	/* What runs, by the low half of its tag; the high half tells those apart that
	 * had the same place. */
	struct running **by_tag;
	size_t n_tags, cap;
	size_t *free_tag, n_free, cap_free;
	uint32_t turn;
	/* Agents that haven't said where they are, and their models. */
	struct newcomer {
		struct newcomer *next;
		struct agents *all;
		struct weft_link *link;
		struct weft_machine *machine;
	} * newcomer;
};

/* agents_step.c: starts one on a node, or (NULL) on each of them */
int agents_start_step(struct agents *a, const char *node, struct weft_err *err);

#endif
