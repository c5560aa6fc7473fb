/* rounds.h - loops whose rounds have jobs of their own; private to command */
#ifndef WEFT_COMMAND_ROUNDS_H
#define WEFT_COMMAND_ROUNDS_H

#include "next.h"

/* Of jobs of one round that are submitted again the turns count from K times this. */
#define ROUND_TURNS 1000

/* The group of a loop that is submitted last. */
size_t rounds_last_group(const struct submission *s, unsigned loop);
/* The --dependency that waits for all jobs of a round; job: of each group, 0 none.
 * malloced. */
char *rounds_wait(const struct submission *s, unsigned loop, const uint32_t *job);
/* The job that goes on with the loop, should all others have died, and that what comes
 * after the loop waits for.  dependency: what it waits for. */
int rounds_submit_watch(const struct submission *s, unsigned loop, unsigned turn,
	const char *dependency, struct weft_journal *journal, uint32_t *job,
	struct weft_err *err);
/* The last one that was submitted; 0: there is none. */
uint32_t rounds_watch_of(const struct run_jobs *jobs, unsigned loop);

/* A job of a round has ended: if the round has, submits the jobs of the next one. */
int rounds_go_on(const struct next *n, struct weft_err *err);
/* What the job that watches does. */
int rounds_watch(const struct opened *o, const struct weft_engine *e, unsigned loop,
	unsigned turn, struct weft_err *err);
/* Has the round been submitted again since a job of this turn? */
bool rounds_outdated(const struct next *n);

#endif
