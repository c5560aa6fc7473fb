/*
 * choose.h - which partition a step goes to, and with how many of everything.
 */
#ifndef WEFT_SELECT_CHOOSE_H
#define WEFT_SELECT_CHOOSE_H

#include "select/room.h"

/* What the members of a step ask for: one ask where their resources don't
 * differ, else each distinct one; a node count and size that holds them all. */
struct asks {
	struct ask *v;
	size_t n, cap;
};

/* What makes one candidate better than another. */
struct goal {
	size_t members, parallel; /* at most so many at a time; 0: no limit */
	double run;               /* seconds of a member; negative: not known */
	/* Seconds that a member's data takes to get to a partition, and that it would
	 * take if it weren't there already; NULL: nothing is known. */
	double (*data)(void *ctx, const struct weft_step *step, const char *partition,
		unsigned nodes, double *saved);
	void *ctx;
	const struct weft_step *step;
};

struct choice {
	const struct pool *pool; /* NULL with --local */
	struct fit fit;          /* of all asks together */
	double wait, end;        /* as the candidate's */
	enum weft_launch launch;
	char *why; /* malloced */
};

struct candidate {
	const struct pool *pool;
	struct fit fit;
	bool role;
	bool closed;   /* to some, and nothing here says whether to this user */
	bool wasteful; /* GPUs that the step has no use for */
	/* Seconds; INFINITY: not known. */
	double wait, run, data, end;
};

/* All asks against one pool.  With FITS c->fit is their sum; else what failed, and
 * *failed the ask. */
int candidate_fit(struct pools *ps, const struct asks *asks, const struct goal *goal,
	struct candidate *c, size_t *failed, struct weft_err *err);
/* Is the pool one that the asks may go to: named by the step, or not left out by
 * weft.conf; in no case one that policy keeps from them? */
bool candidate_allowed(
	const struct pools *ps, const struct asks *asks, const struct pool *pool);
/* The latest end that is as good as the earliest of those that come into question; of
 * candidates that don't fit nothing is read but their fit. */
double candidates_good_end(const struct candidate *v, size_t n);
/* -1: a is better. *rule: which rule decided. */
int candidate_prefer(const struct candidate *a, const struct candidate *b,
	double good_end, const char **rule);
/* Is a later alternative of any_of taken although the one before it fits? */
bool alternative_better(double wait, double end, double later_end);

/* 0; 1: no partition holds it, *err says why and *key what to blame; -1: error. */
int choose(struct pools *ps, const struct asks *asks, const struct goal *goal,
	bool local, struct choice *out, enum ask_key *key, struct weft_err *err);

#endif
