/*
 * group.h - records reach the disk in groups, while the loop goes on; private to the
 * room.
 *
 * A thread waits for the disk: all records that come meanwhile are the next group.
 */
#ifndef WEFT_ENGINE_GROUP_H
#define WEFT_ENGINE_GROUP_H

#include "journal/journal.h"
#include "wire/loop.h"

struct group;

/* synced: what group_begin() wrote is on disk, or isn't (why); from the loop.  The
 * recorder stays the caller's. */
int group_open(struct group **g, struct weft_recorder *recorder, struct weft_loop *loop,
	void (*synced)(void *ctx, const struct weft_err *why), void *ctx,
	struct weft_err *err);
/* Waits for what is under way, without a word of it. */
void group_close(struct group *g);
bool group_busy(const struct group *g);
/* Writes what was added to the recorder; not while it is busy. */
int group_begin(struct group *g, struct weft_err *err);

#endif
