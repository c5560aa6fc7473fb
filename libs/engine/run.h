/* run.h - a run of an engine: its members, what runs, what may; private to the room */
#ifndef WEFT_ENGINE_RUN_H
#define WEFT_ENGINE_RUN_H

#include "engine/agent.h"
#include "engine/budget.h"
#include "engine/group.h"
#include "engine/room.h"

struct member_slot {
	unsigned char state; /* enum weft_state */
	unsigned char code;  /* enum weft_code */
	int priority; /* the higher the earlier; 0 unless told (queue_priority()) */
	bool queued;  /* in its step's heap */
	unsigned short attempt; /* the next one, or that which runs */
	bool delayed;           /* again.c knows from when on, and where not */
};

/* What a record says of an end that counts once it is on disk. */
struct kept {
	bool is, written;
	enum weft_state state;
	enum weft_code code;
	int exit_status;
	unsigned attempt;
	double ended;
	const char *cause;
};

struct running {
	double begun; /* of weft_monotonic() */
	size_t at;    /* in engine.run */
	unsigned step;
	size_t member;
	struct share share; /* of the nodes */
	bool off;           /* the program that steers its sweep wants no more of it */
	struct agent_member *here; /* else */
	bool by_agent;             /* of a node: */
	unsigned node;
	uint64_t tag;
	struct kept kept;
	bool freed; /* its share is others' again */
};

/* Members whose inputs are brought before there is room for them. */
struct ahead {
	pid_t pid; /* of the process that does it; 0: there is none */
	struct ahead_next {
		bool is;
		unsigned step;
		size_t member;
	} * next; /* of each node */
	bool any; /* there were some */
};

struct engine {
	const struct weft_engine *e;
	struct ahead ahead;
	struct member_slot **slot; /* [step][member] */
	struct weft_tally *tally;  /* of each step */
	bool *ours;                /* steps that this engine runs */
	size_t *count;             /* members of each step that are known here */
	size_t *whole;             /* of each loop: rounds that have ended */
	bool *feeds;               /* others have members because of what it makes */
	bool grow;  /* one that feeds has ended: look for members to come */
	bool grown; /* there are more members, or it is known that there are no more */
	bool later; /* look again, for now what happened can't be written */
	struct steer *steer; /* programs that steer a sweep of ours */
	size_t n_steers;
	struct weft_actions
		*actions;     /* where it is written what was decided; or NULL */
	bool *alike;          /* all its members wait for the same */
	size_t *first, *last; /* members [first, last) of each step are ours */
	size_t *next;         /* none before it is unfinished, when that is asked */
	struct running **run;
	size_t n_running, cap;
	size_t n_kept; /* of these: ended, and their records not on disk yet */
	struct group *group;
	struct weft_engine own;       /* what e points to */
	struct weft_records *records; /* of the whole run */
	struct weft_recorder *recorder;
	struct weft_journal *journal;
	char *writer; /* name of the files of these two */
	double stuck; /* since when they can't be written; 0: they can */
	struct weft_engine_node *node; /* own.node */
	struct weft_loop *loop;
	int signals;              /* those that are watched, to be read */
	struct weft_watch *heard; /* ... by the loop */
	struct agent *agent;      /* of this process */
	struct agents *agents;    /* of the nodes; NULL: there are none */
	struct weft_err err;      /* that a callback has met with */
	struct room room;
	struct budget *budget; /* NULL: there is none */
	struct again *again;   /* members that wait for their next attempt */
	size_t n_again, cap_again;
	unsigned char *bad;  /* of each node: attempts that failed there in a row */
	size_t fence;        /* our number among the engines of these members */
	bool fenced;         /* there is a later one */
	double fence_looked; /* of weft_monotonic() */
	struct pace *pace;   /* of each step: how long its members take */
	struct weft_engine_more more; /* what is left needs */
	double begun;                 /* of weft_now() */
	bool at_limit;                /* the job ends because its time is over */
	bool left, left_told;         /* something is; the other job is there */
	bool broken;                  /* what ours need of their round was broken off */
	unsigned *active;             /* running members of each step */
	struct queue *queue;          /* of each step */
	bool *same_size;              /* all its members need as much */
	char *stop;                   /* what the stop marker says; NULL: not stopped */
	double stop_looked;           /* when it was last looked for; 0: look now */
	bool stopping;                /* told to end */
	bool cancelled;               /* what runs was ended: the budget is used up */
	enum weft_code code;
};

/* state.c: what is known of each member */
int state_open(struct engine *g, struct weft_err *err);
/* The workflow has more members than before. */
int state_grow(struct engine *g, struct weft_err *err);
void state_close(struct engine *g);
enum weft_state state_of(void *engine, unsigned step, size_t member);
void state_set(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code);
/* What its record says, if there is one, by what was read of them. 1: there is none. */
int state_read(struct engine *g, unsigned s, size_t i);
/* Of all its members, after another look at the records. */
int state_read_step(struct engine *g, unsigned s, struct weft_err *err);
/* What an earlier engine of this run has done already; the rest are further attempts.
 */
int state_read_ours(struct engine *g, struct weft_err *err);
/* What other jobs did: they have ended, where we waited for them. */
int state_read_others(struct engine *g, struct weft_err *err);
/* Our share of the sweeps is not all of them. */
static inline bool in_blocks(const struct engine *g)
{
	return g->e->n_blocks > 1;
}

/* grow.c: members that come while it runs */
int grow_open(struct engine *g, struct weft_err *err);
/* Where g->grow says that there may be some. */
int grow_look(struct engine *g, struct weft_err *err);

/* rounds.c: is the round that has ended the last one? */
int rounds_ask(const struct weft_engine *e, const struct weft_loop *l, size_t round,
	bool *last, struct weft_err *err);
/* `until` can't be asked, err says why: in words, malloced; err is cleared. */
char *rounds_odd(struct weft_err *err);

/* Is it of a round whose turn hasn't come? */
bool grow_holds(const struct engine *g, unsigned s, size_t i);
/* An action, on disk. */
int grow_write(struct engine *g, const struct weft_action *a, struct weft_err *err);

/* steer.c: programs that steer sweeps */
int steer_open(struct engine *g, struct weft_err *err);
void steer_close(struct engine *g);
/* Starts those whose time has come, and does what those say that have ended. */
int steer_look(struct engine *g, struct weft_err *err);
/* steer_seat.c: before the step's first member starts, who steers it gets what is kept
 * for it, on our own node; plan: of the member.  1: there is no room for it now. */
int steer_seat(struct engine *g, unsigned s, const struct weft_plan_step *plan,
	enum how how, struct weft_err *err);
/* Does one run, or is one about to? */
bool steer_busy(const struct engine *g);
/* Whole seconds, at most `most`, until there is something to do for one. */
time_t steer_wait(const struct engine *g, time_t most);

/* keep.c: what happened, on disk */
int keep_open(struct engine *g, struct weft_err *err);
void keep_close(struct engine *g);
void keep_event(struct engine *g, unsigned s, size_t i, enum weft_state state,
	const char *text, double time);
/* The record of a member that ended without a run, or without a record. */
int keep_end(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code, const char *reason, struct weft_err *err);
/* Once the loop is there. */
int keep_start(struct engine *g, struct weft_err *err);
/* A member's end counts (run_ended()) once the record, that was added, is on disk. */
void keep_running(struct engine *g, struct running *r, const struct weft_record *rec);
/* Has what was added written; -1: there was no room for it for too long. */
int keep_commit(struct engine *g, struct weft_err *err);

/* queue.c: which members to look at */
int queue_open(struct engine *g, struct weft_err *err);
void queue_close(struct engine *g);
/* Every step's members are looked at again. */
void queue_rewind(struct engine *g);
/* The first of a step that may be able to start; false: there is none to look at. */
bool queue_first(struct engine *g, unsigned s, size_t *i);
/* It was looked at; nothing but a push or a wake brings it back. */
void queue_drop(struct engine *g, unsigned s, size_t i);
/* It may be able to start, again: a retry, one that was put aside. */
int queue_push(struct engine *g, unsigned s, size_t i);
int queue_priority(struct engine *g, unsigned s, size_t i, int priority);
/* A member has ended: those that wait for just it are looked at again. */
void queue_wake(struct engine *g, unsigned s, size_t i);

/* ready.c: what may start, and what never will */
int ready_start(struct engine *g, struct weft_err *err);
/* Nothing runs and nothing can start; true: something ended by that, and others may
 * go on. */
bool ready_give_up(struct engine *g);

/* again.c: attempts after the first */
int again_open(struct engine *g, struct weft_err *err);
void again_close(struct engine *g);
/* It failed, and its record says that another attempt follows. */
int again_add(struct engine *g, unsigned s, size_t i, const struct weft_record *rec,
	struct weft_err *err);
/* May it start by now?  *retry: the entry of `retries` that it follows from, or -1. */
bool again_ready(const struct engine *g, unsigned s, size_t i, int *retry);
void again_forget(struct engine *g, unsigned s, size_t i);
/* Those whose time has come, or all, are to be looked at again. */
int again_wake(struct engine *g, bool all, struct weft_err *err);
/* Whole seconds, at most `most`, until the next one may start. */
time_t again_wait(const struct engine *g, time_t most);
/* Is the time of any yet to come? */
bool again_any(const struct engine *g);
/* An attempt ended on these nodes; two failures in a row make a bad one, which later
 * attempts keep away from while there is another. */
void again_count(struct engine *g, const struct share *share, bool failed);

/* ahead.c: inputs that come before there is room */
int ahead_open(struct engine *g, struct weft_err *err);
void ahead_close(struct engine *g);
/* This one would start if there were room; false: nothing is brought for it. */
bool ahead_start(struct engine *g, unsigned s, size_t i);
/* Might a further one of the step have its inputs brought? */
bool ahead_may(struct engine *g, unsigned s);
/* Is the node one that its inputs are brought to?  Or others, and none of these? */
bool ahead_is(struct engine *g, unsigned s, size_t i, unsigned node);
bool ahead_elsewhere(struct engine *g, unsigned s, size_t i, const struct share *share);
/* It starts. */
void ahead_forget(struct engine *g, unsigned s, size_t i);

/* near.c: bytes that the member reads and each node has; NULL: no node has any, or it
 * doesn't matter.  malloced. */
uint64_t *near_find(struct engine *g, unsigned s, size_t i);

/* fence.c: one engine at a time */
int fence_open(struct engine *g, struct weft_err *err);
/* Is there a later one? */
bool fence_lost(struct engine *g);
void fence_close(struct engine *g);

/* left.c: what is left to another job */
int left_open(struct engine *g, struct weft_err *err);
void left_close(struct engine *g);
/* A member was done in so many seconds. */
void left_pace(struct engine *g, unsigned s, double seconds);
/* Is it left, rather than started now? */
bool left_is(struct engine *g, unsigned s, size_t i, const struct weft_plan_step *p);
/* What ends now ends because the job's time is over; another job goes on. */
bool left_at_limit(const struct engine *g);
/* Has any member of ours no end, in a run that isn't stopped? */
bool left_any(const struct engine *g);
/* Submits the other job, where anything is left. */
void left_submit(struct engine *g);

/* run.c: where they run */
enum how run_how(const struct engine *g, unsigned s, const struct weft_plan_step *p);
/* r: its share. */
int run_start(struct engine *g, unsigned s, size_t i, struct running *r,
	struct weft_err *err);
/* Asks it to end. */
void run_cancel(struct engine *g, struct running *r);
/* It has ended, and its share is free; its record counts later. */
void run_free(struct engine *g, struct running *r);
/* It has ended, with this record, which is on disk, or none, and r is no more. */
void run_ended(struct engine *g, struct running *r, const struct weft_record *rec);
/* It has no end of its own, and starts anew unless nothing does; r is no more. */
void run_again(struct engine *g, struct running *r);

/* A member was cancelled: listens for a moment whether the job is. */
void run_hear(struct engine *g);

/* finish.c: ends, and what follows from them */
/* An end without a run. */
void finish_without(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code, const char *reason);
/* A member has ended; rec: its record, which is on disk; NULL: none, or in its step's
 * folder. */
int finish_member(struct engine *g, const struct running *r,
	const struct weft_record *rec, struct weft_err *err);
/* The step can't go on: what then? */
void finish_stop(struct engine *g, const struct weft_step *step, enum weft_code code,
	const char *why);
/* A member failed: has the step, and what then? */
void finish_failed(struct engine *g, unsigned s, size_t i);
/* The budget has no room for a member: that is its failure, and the step's, unless the
 * step may fail. */
void finish_spent(struct engine *g, unsigned s, size_t i, const char *why);
/* The budget is used up by what runs. */
void finish_over_budget(struct engine *g);

#endif
