/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reaction of Gray and Scott, U + 2V -> 3V, with U fed and V removed:
 *
 *	u' = -u v^2 + feed (1 - u)
 *	v' =  u v^2 - (feed + kill) v
 *
 * a set of ordinary differential equations in every cell, without a neighbour. The
 * solver hands over a row of cells at a time.
 */
#ifndef REACTION_H
#define REACTION_H

struct reaction {
	double feed, kill;
	double dt;        /* the step to cover */
	double tolerance; /* largest local error of u and v that a sub-step may make */
};

/* Advances n cells by dt, each with as many sub-steps as the tolerance asks for. */
void reaction_advance(const struct reaction *r, double *u, double *v, int n);

#endif
