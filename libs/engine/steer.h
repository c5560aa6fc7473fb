/* steer.h - a program that steers a sweep; private to the room */
#ifndef WEFT_ENGINE_STEER_H
#define WEFT_ENGINE_STEER_H

#include "engine/run.h"

struct steer {
	unsigned step;
	char *dir;                   /* of the program */
	pid_t pid;                   /* 0: it doesn't run */
	bool late;                   /* it was ended for its time limit */
	double deadline, last, from; /* of this call; last call; not before */
	size_t seen;                 /* members that had ended at the last call */
	unsigned calls, failed;      /* failed: in a row */
	bool over;                   /* it isn't called any more */
	bool seated;                 /* it has its share: */
	struct share share;
	bool *told; /* members whose results it was given */
	size_t n_told;
	int results;          /* the file of these; -1 */
	struct weft_map ids;  /* of members, to their index */
	struct weft_arena id; /* their text */
	size_t n_ids;
};

static inline const struct weft_step *steer_step(
	const struct engine *g, const struct steer *st)
{
	return &g->e->wf->step[st->step];
}

/* steer_given.c: writes what it is given: results are added to a file that grows, what
 * is yet to come is written anew. */
int steer_write_files(struct engine *g, struct steer *st, struct weft_err *err);

/* steer_seat.c: its share of the first node is others' again. */
void steer_rise(struct engine *g, struct steer *st);
/* ... or is what its program is bound to. */
void steer_sit(const struct engine *g, const struct steer *st, struct unit *u,
	struct weft_spawn *s);

#endif
