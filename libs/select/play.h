/*
 * play.h - a plan played through in time: groups, partitions, and what happens.
 *
 * A group may start when its needs have ended, and does when its partition has room,
 * which is what the snapshot says less what earlier groups of the plan take.  Groups
 * wait in the order in which they could have started; those behind one that must wait
 * go on where that doesn't make it later, as Slurm's backfill lets them.  An array
 * takes more places as they come.  Events are in a heap, so that it takes O((groups +
 * needs + releases) log) time.
 *
 * Partitions that share nodes are played by themselves, and nodes are divided as if
 * their free parts lay together: it is an estimate.
 */
#ifndef WEFT_SELECT_PLAY_H
#define WEFT_SELECT_PLAY_H

#include "select/room.h"

#define PLAY_NONE UINT32_MAX
#define PLAY_LITTLE 1e-9 /* of a node: rounding */

struct event; /* of play.c */
struct work;

/* A partition, as the plan's groups see it. */
struct lane {
	const struct pool *pool;
	const struct room *whole;
	size_t step;    /* of whole: what is free by now */
	double taken;   /* nodes that the plan's groups hold */
	double last;    /* when all of these have ended, at the latest */
	double awaited; /* the next moment to look again; INFINITY */
	/* Lists through job.next: those that wait, arrays that could take more. */
	unsigned wait, last_wait, grow, last_grow;
	bool dirty;
};

enum job_state { NEEDS, WAITS, RUNS, ENDED };

struct job {
	enum job_state state;
	unsigned lane, next;
	unsigned barrier; /* what it waits for */
	unsigned version; /* of its end */
	unsigned nodes;
	double tasks, most;    /* of the array; at a time */
	double run;            /* seconds of a task */
	double part;           /* nodes that one takes */
	double slots, left;    /* running now; tasks to do, at `changed` */
	double changed, grown; /* when; INFINITY: never */
	double ready, start, end;
	double when; /* it has room, whatever the plan takes; INFINITY */
	const struct room *room;
};

/* A list of needs; groups that wait for the same one share it. */
struct barrier {
	size_t open;
	unsigned first, last; /* jobs, through waiter */
};

struct play {
	struct weft_plan *plan;
	struct job *job;
	unsigned *waiter; /* job -> the next that waits for the same */
	struct lane *lane;
	size_t n_lanes;
	struct barrier *barrier;
	size_t n_barriers;
	/* Group -> the barriers that it is in, twice that and whether its first task is
	 * enough. */
	size_t *from;
	unsigned *to;
	struct event *heap;
	size_t n_events, cap;
	double now;
	bool failed;
	/* estimate.c's own: of steps, seconds into a job of their group. */
	struct work *w;
	double *first, *last;
};

/* Fills start, end and ready of every job; INFINITY: not known.  failed: no memory. */
void play_through(struct play *p);

#endif
