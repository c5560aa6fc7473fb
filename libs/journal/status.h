/* status.h - parts of a run's status; private to the room */
#ifndef WEFT_JOURNAL_STATUS_H
#define WEFT_JOURNAL_STATUS_H

#include "journal/journal.h"

/* status_new.c: nothing is known of any member. */
struct weft_status *status_new(const struct weft_workflow *wf);

/* status_loops.c: steps of a loop that may have another round are not done.  alive():
 * is the job of the step's last member still there? */
void status_loops(const struct weft_workflow *wf, struct weft_status *st,
	bool (*alive)(void *ctx, const struct weft_status_step *step),
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member),
	void *ctx);

/* What programs that steer sweeps have done. */
int status_steering(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_status *st, struct weft_err *err);

#endif
