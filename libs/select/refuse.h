/* refuse.h - a request that cannot be, in words: the reason, and what there is. */
#ifndef WEFT_SELECT_REFUSE_H
#define WEFT_SELECT_REFUSE_H

#include "select/fit.h"

/* Sets err (text and hint) and *key, the key to blame.  pool NULL: there is no
 * partition at all.  given: the step names it; `given_hint` else. */
int refuse(const struct pools *ps, const struct pool *pool, const struct ask *a,
	const struct fit *f, bool given, enum ask_key *key, struct weft_err *err);
/* A partition of that name is not there. */
int refuse_partition(const struct pools *ps, const char *name, struct weft_err *err);

#endif
