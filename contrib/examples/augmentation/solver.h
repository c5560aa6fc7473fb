/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gray-Scott by Strang splitting: half a step of diffusion (explicit, five points), a
 * whole step of reaction (integrator or network), half a step of diffusion.
 *
 * The field is bitwise the same for any number of ranks: no sum runs over cells of
 * several ranks, and the initial noise is a hash of the seed and the cell's number.
 * All functions are collective over the grid's communicator.
 */
#ifndef SOLVER_H
#define SOLVER_H

#include "grid.h"
#include "net.h"
#include "reaction.h"

#include <stdint.h>

struct solver {
	struct grid *grid;
	struct reaction reaction;
	const struct net *net; /* NULL: the integrator */
	double diffuse_u, diffuse_v;
	double *field, *next; /* u, then v; swapped at each piece of diffusion */
	struct halo halo, next_halo;
	double *sample; /* u, v before and after the reaction, or NULL */
	double reaction_cpu, transport_cpu; /* seconds of this rank */
};

/* -1 when memory is short. The reaction's and net's values are the caller's to set. */
int solver_init(struct solver *s, struct grid *grid, int samples);
void solver_fini(struct solver *s);

double *solver_u(const struct solver *s);
double *solver_v(const struct solver *s);

/* u = 1, v = 0, and drops of V at random places. */
void solver_seed(struct solver *s, uint64_t seed);

/* One step of reaction.dt; with sample, what the reaction did is kept in s->sample. */
void solver_step(struct solver *s, int sample);

/* Of v over the whole domain; returns 0 when every value is finite and sane, or -1. */
int solver_check(const struct solver *s, double *mean, double *max);

#endif
