/*
 * agent.h - runs members on its node; private to the room.
 *
 * In the engine's own process, or in `weft agent` on another node.  A member goes the
 * light way (light.h) where it can; else a child of ours goes the whole way with it
 * (member_run()).  Records and events are the owner's to write.
 */
#ifndef WEFT_ENGINE_AGENT_H
#define WEFT_ENGINE_AGENT_H

#include "engine/unit.h"
#include "wire/loop.h"

struct agent;
struct agent_member;

struct agent_sink {
	void (*event)(void *ctx, unsigned step, size_t member, enum weft_state state,
		const char *text, double time);
	/* It has ended; rec: its record, good until this returns.  Of a step without a
	 * sweep it is on disk already, and rec is NULL, as it is of one whose process
	 * died without a word. Comes from the loop, never from within agent_start(). */
	void (*ended)(void *ctx, void *tag, const struct weft_record *rec);
};

/* Of one that was ended because the program that steers its sweep wants no more of it:
 * that is no failure. */
#define STEER_CANCELLED "cancelled by the program that steers the sweep"
const struct weft_record *agent_off(
	const struct weft_record *rec, struct weft_record *off);

/* name: of its files in the run directory, unlike any other's. */
int agent_open(struct agent **a, const struct weft_engine *e, struct weft_loop *loop,
	const char *name, const struct agent_sink *sink, void *ctx,
	struct weft_err *err);
/* Ends what still runs, without a word of it. */
void agent_close(struct agent *a);
/* slot stays as it is until ended(). */
int agent_start(struct agent *a, unsigned step, size_t member, const struct slot *slot,
	void *tag, struct agent_member **m, struct weft_err *err);
/* Asks it to end: it is cancelled. */
void agent_cancel(struct agent *a, struct agent_member *m);

#endif
