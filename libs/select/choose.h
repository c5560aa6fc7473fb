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

/* 0; 1: no partition holds it, *err says why and *key what to blame; -1: error. */
int choose(struct pools *ps, const struct asks *asks, bool local, struct choice *out,
	enum ask_key *key, struct weft_err *err);

#endif
