/*
 * room.h - when the nodes of a partition have room for a share of a job.
 *
 * From what is in use now and what running jobs give back at the end of their time
 * limits.  Room that may come at a time that nobody knows is none.
 */
#ifndef WEFT_SELECT_ROOM_H
#define WEFT_SELECT_ROOM_H

#include "select/fit.h"

/* Places for shares over time: place[i] of them from time[i] on.  A share of a job
 * of several nodes, and of one that shares no node, has a node for itself. */
struct room {
	size_t n;
	const double *time;  /* seconds, ascending */
	const double *place; /* ascending */
	const double *spent; /* sum of the times of those places */
	unsigned now;        /* nodes with room at once */
	double listed; /* when the nodes of nodelist have it; 0 without; INFINITY */
	const struct weft_node *node; /* one of them; NULL: none takes a share */
};

/* NULL: no memory. */
const struct room *room_of(struct pools *ps, const struct pool *pool,
	const struct ask *a, const struct sized *s, bool exclusive);
/* When a job of that many nodes has room; INFINITY: not known. */
double room_wait(const struct room *r, unsigned nodes);
/* Jobs that have room at a time, beside each other. */
double room_jobs(const struct room *r, unsigned nodes, double time);
/* When the last of `members` ends, at most `parallel` at a time (0: no limit), each
 * `run` seconds long; INFINITY: not known. */
double room_finish(const struct room *r, unsigned nodes, size_t members,
	size_t parallel, double run);

/* All of a partition over time, in nodes: the free part of one in use counts. */
const struct room *room_whole(struct pools *ps, const struct pool *pool);
/* The part of a node that a share takes. */
double room_part(const struct weft_cluster *c, const struct weft_node *n,
	const struct sized *s, bool exclusive);

void room_cache_free(struct room_cache *c);

#endif
