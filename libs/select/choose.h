/*
 * choose.h - which partition a step goes to, and with how many of everything.
 */
#ifndef WEFT_SELECT_CHOOSE_H
#define WEFT_SELECT_CHOOSE_H

#include "select/fit.h"

/* What the members of a step ask for: one ask where their resources don't
 * differ, else each distinct one; a node count and size that holds them all. */
struct asks {
	struct ask *v;
	size_t n, cap;
};

struct choice {
	const struct pool *pool; /* NULL with --local */
	struct fit fit;          /* of all asks together */
	enum weft_launch launch;
	char *why; /* malloced */
};

struct candidate {
	const struct pool *pool;
	struct fit fit;
	bool role;
	bool closed; /* to some, and nothing here says whether to this user */
};

/* All asks against one pool.  With FITS c->fit is their sum; else what failed, and
 * *failed the ask. */
int candidate_fit(struct pools *ps, const struct asks *asks, struct candidate *c,
	size_t *failed, struct weft_err *err);
/* Is the pool one that the asks may go to: named by the step, or not left out by
 * weft.conf? */
bool candidate_allowed(const struct asks *asks, const struct pool *pool);
/* -1: a is better. *rule: which rule decided. */
int candidate_prefer(const struct candidate *a, const struct candidate *b,
	const struct asks *asks, const char **rule);

/* 0; 1: no partition holds it, *err says why and *key what to blame; -1: error. */
int choose(struct pools *ps, const struct asks *asks, bool local, struct choice *out,
	enum ask_key *key, struct weft_err *err);

#endif
