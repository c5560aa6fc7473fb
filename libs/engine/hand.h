/*
 * hand.h - what the process of a member hands to its engine: events, and in the end its
 * record; private to the room.
 *
 * Messages of a socket that all members of an engine share: each arrives whole or not
 * at all, and whoever writes waits while the engine is behind.
 */
#ifndef WEFT_ENGINE_HAND_H
#define WEFT_ENGINE_HAND_H

#include "journal/journal.h"

/* fd[0] is the engine's, not blocking, fd[1] the members'. */
int hand_open(int fd[2], struct weft_err *err);
void hand_close(int fd[2]);

/* Text of the event that its programs are through, and what they made is staged. */
#define STAGING_OUT "out"

/* In the member's process. */
int hand_event(
	int fd, unsigned step, size_t member, enum weft_state state, const char *text);
int hand_record(int fd, unsigned step, size_t member, const char *line, size_t n);

struct hand_got {
	unsigned step;
	size_t member;
	bool record; /* a piece of its record's line, the last of them perhaps; else
			event */
	bool last;
	enum weft_state state;
	double time;
	char *data; /* with a NUL behind it; good until the next call */
	size_t n;
};
/* The next message. 1: there is none now. */
int hand_take(int fd, struct hand_got *got, struct weft_err *err);

#endif
