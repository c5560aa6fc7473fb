/* loop_children.h - the children that a loop waits for, by pid; private to the room */
#ifndef WEFT_WIRE_LOOP_CHILDREN_H
#define WEFT_WIRE_LOOP_CHILDREN_H

#include "wire/loop.h"

struct loop_child {
	struct loop_child *next;
	pid_t pid;
	weft_child_fn *fn;
	void *arg;
};

struct loop_children {
	struct loop_child *bucket[1024];
	size_t n;
};

int loop_children_add(struct loop_children *c, pid_t pid, weft_child_fn *fn, void *arg);
void loop_children_drop(struct loop_children *c, pid_t pid);
/* Reaps those that have ended, and tells. */
void loop_children_reap(struct loop_children *c);
void loop_children_clear(struct loop_children *c);

#endif
