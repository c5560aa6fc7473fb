/*
 * light.h - a member without a process of ours; private to the room.
 *
 * For a single task whose working directory and inputs need nothing of the node's own:
 * the agent makes its folder, starts the program itself and writes its record.
 */
#ifndef WEFT_ENGINE_LIGHT_H
#define WEFT_ENGINE_LIGHT_H

#include "engine/logs.h"

#include <sys/resource.h>

struct weft_binding;

struct light {
	struct unit u;
	struct unit_end end;
	pid_t pid;
	double deadline, kill_at; /* monotonic; 0: none */
	double since;
	struct logs *logs;
	bool empty; /* its working directory was, and is gone */
};

/* May this member go the light way? */
bool light_fits(const struct unit *u);
/* u is open and has its slot, and is the light member's from now.  definition: of the
 * step's, made when it is "".  logs: where its output goes.  -1: it has ended already,
 * and its record says why. */
int light_start(struct light *l, char definition[WEFT_DIGEST_HEX], struct logs *logs);
/* Its program has ended.  True: somebody else may have ended it together with us, and
 * we are to hear of that in a moment. */
bool light_reap(struct light *l, int status, const struct rusage *use);
/* Publishes, and fills the record. */
void light_finish(struct light *l);
/* Asks it to end, once. */
void light_cancel(struct light *l);
/* Waits until it has ended, a grace at most after it was asked to, and forgets it. */
void light_abandon(struct light *l);
/* Whatever is due by now: its time limit, the end of its grace. */
void light_tick(struct light *l, double now);

/* light_bind.c: what `weft bind` does for one task.  The variables go into env, the
 * rest into b for the child; false: nothing is to be bound. what: for the record. */
bool light_place(const struct unit *u, struct weft_env *env, struct weft_binding *b,
	struct weft_str *what);

#endif
