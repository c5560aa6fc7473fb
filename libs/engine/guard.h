/*
 * guard.h - ends what an agent has started, when the agent itself is killed; private to
 * the room.
 *
 * One small process for all of an agent's members.  The kernel ends each member's own
 * process (PR_SET_PDEATHSIG), but not what that has started.
 */
#ifndef WEFT_ENGINE_GUARD_H
#define WEFT_ENGINE_GUARD_H

#include "base/base.h"

#include <sys/types.h>

struct guard {
	pid_t pid;
	int fd;       /* that it watches */
	pid_t *group; /* shared with it */
	size_t used;
};

int guard_open(struct guard *g, struct weft_err *err);
/* Also in a child that goes on without exec, where it does no more than let go. */
void guard_leave(struct guard *g);
void guard_close(struct guard *g);
/* A process group's place; too many have none. */
size_t guard_add(struct guard *g, pid_t group);
void guard_drop(struct guard *g, size_t place);

#endif
