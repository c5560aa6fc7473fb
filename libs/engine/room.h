/* room.h - what is free on the nodes that steps share; private to the room */
#ifndef WEFT_ENGINE_ROOM_H
#define WEFT_ENGINE_ROOM_H

#include "engine/unit.h"

/* What is free of a node. */
struct room_node {
	unsigned cpus, gpus;
	/* Where members are given CPUs and GPUs of their own: which of them are free,
	 * a bit each GPU, and the index of each bit in the node's model. */
	struct weft_cpuset here;
	uint64_t gpus_here;
	struct weft_cpuset aside; /* of the node's, those that no member gets */
	uint64_t gpus_aside;
	unsigned gpu[64];
	/* GPUs that members share: how many may, and how many do; 0: none. */
	unsigned sharers[64], sharing[64];
	bool knows_gpus;         /* ... that is known */
	bool agent;              /* an agent runs members there */
	unsigned members, steps; /* that an agent, or srun, runs there now */
};

struct room {
	const struct weft_engine *e;
	struct room_node *node;
};

/* Who starts a member. */
enum how {
	HOW_HERE,  /* this process, on this machine */
	HOW_AGENT, /* the agent of a node */
	HOW_STEP,  /* srun */
};

/* A member's share of the nodes. */
struct share {
	unsigned *node; /* indices */
	size_t n_nodes;
	unsigned cpus, gpus; /* on each */
	unsigned sharers;    /* of its one GPU, at most; 1: it has its own */
	enum how how;
	struct weft_cpuset here;
	uint64_t gpus_here;
	struct slot slot; /* strings are the share's */
};

int room_open(struct room *r, const struct weft_engine *e, struct weft_err *err);
void room_close(struct room *r);
/* Who starts it, and what speaks for or against each node; both may be NULL. */
struct choice {
	enum how how;
	const unsigned char *bad; /* over 1: left alone while there are others */
	const uint64_t *near;     /* the more, the better */
};
/* Takes the best nodes with room, of equal ones the first; 1 when there are too few of
 * them now. */
int room_take(struct room *r, const struct weft_plan_step *p,
	const struct weft_step *step, const struct choice *choice, struct share *s,
	struct weft_err *err);
void room_give(struct room *r, struct share *s);

/* An agent has come to a node, whose CPUs and GPUs e->node tells; or it has gone. */
void room_agent(struct room *r, unsigned node, bool there);

/* seat.c: which of a node's free CPUs and GPUs; false: it can't be told, any will do.
 */
void seat_open(struct room *r, unsigned node);
bool seat_take(const struct room *r, unsigned node, const struct weft_plan_step *plan,
	const struct weft_step *step, unsigned cpus, unsigned gpus,
	struct weft_cpuset *got, uint64_t *got_gpus);

#endif
