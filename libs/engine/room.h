/* room.h - what is free on the nodes that steps share; private to the room */
#ifndef WEFT_ENGINE_ROOM_H
#define WEFT_ENGINE_ROOM_H

#include "engine/unit.h"

struct room {
	const struct weft_engine *e;
	unsigned *cpus, *gpus;   /* free ones of each node */
	struct weft_cpuset here; /* without Slurm: this machine's free CPUs */
	uint64_t gpus_here;      /* and its free GPUs, a bit each */
	unsigned gpu[64];        /* of each bit: index in the machine's model */
	bool knows_gpus;         /* ... that is known */
};

/* A member's share of the nodes. */
struct share {
	unsigned *node; /* indices */
	size_t n_nodes;
	unsigned cpus, gpus; /* on each */
	struct weft_cpuset here;
	uint64_t gpus_here;
	struct slot slot; /* strings are the share's */
};

int room_open(struct room *r, const struct weft_engine *e, struct weft_err *err);
void room_close(struct room *r);
/* What speaks for or against each node; both may be NULL. */
struct choice {
	const unsigned char *bad; /* over 1: left alone while there are others */
	const uint64_t *near;     /* the more, the better */
};
/* Takes the best nodes with room, of equal ones the first; 1 when there are too few of
 * them now. */
int room_take(struct room *r, const struct weft_plan_step *p,
	const struct weft_step *step, const struct choice *choice, struct share *s,
	struct weft_err *err);
void room_give(struct room *r, struct share *s);

/* seat.c: which of this machine's free CPUs and GPUs; false: it can't be told, any
 * will do. */
void seat_open(struct room *r);
bool seat_take(const struct room *r, const struct weft_plan_step *plan,
	const struct weft_step *step, unsigned cpus, unsigned gpus,
	struct weft_cpuset *got, uint64_t *got_gpus);

#endif
