/* SPDX-License-Identifier: Apache-2.0 */
#include "solver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int solver_init(struct solver *s, struct grid *grid, int samples)
{
	size_t pair = 2 * grid->plane;
	int failed;

	memset(s, 0, sizeof(*s));
	s->grid = grid;
	s->field = calloc(pair, sizeof(double));
	s->next = calloc(pair, sizeof(double));
	if (samples)
		s->sample = calloc(2 * pair, sizeof(double));
	failed = !s->field || !s->next || (samples && !s->sample);
	MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, grid->comm);
	if (failed) {
		free(s->field);
		free(s->next);
		free(s->sample);
		return -1;
	}
	halo_init(&s->halo, grid, s->field);
	halo_init(&s->next_halo, grid, s->next);
	return 0;
}

void solver_fini(struct solver *s)
{
	halo_fini(&s->halo);
	halo_fini(&s->next_halo);
	free(s->field);
	free(s->next);
	free(s->sample);
}

double *solver_u(const struct solver *s)
{
	return s->field;
}

double *solver_v(const struct solver *s)
{
	return s->field + s->grid->plane;
}

/* A random number in [0, 1) that depends on seed and index alone (splitmix64). */
static double random_at(uint64_t seed, uint64_t index)
{
	uint64_t z = seed * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* The shortest way on a ring of n cells. */
static int ring(int a, int b, int n)
{
	int d = abs(a - b);

	return d < n - d ? d : n - d;
}

void solver_seed(struct solver *s, uint64_t seed)
{
	const struct grid *g = s->grid;
	int drops = 2 + g->size * g->size / 2048, radius = 7;
	/* Numbers of cells come first, those of drops behind them. */
	uint64_t behind = (uint64_t)g->size * (uint64_t)g->size;

	for (int y = 0; y < g->ny; y++)
		for (int x = 0; x < g->nx; x++) {
			solver_u(s)[grid_at(g, y, x)] = 1.0;
			solver_v(s)[grid_at(g, y, x)] = 0.0;
		}
	for (int d = 0; d < drops; d++) {
		uint64_t at = behind + 2 * (uint64_t)d;
		int cy = (int)(random_at(seed, at) * g->size);
		int cx = (int)(random_at(seed, at + 1) * g->size);

		for (int y = 0; y < g->ny; y++)
			for (int x = 0; x < g->nx; x++) {
				int wy = g->y0 + y, wx = g->x0 + x;
				int dy = ring(wy, cy, g->size);
				int dx = ring(wx, cx, g->size);
				double noise = random_at(
					seed, (uint64_t)wy * (uint64_t)g->size +
						      (uint64_t)wx);

				if (dy * dy + dx * dx > radius * radius)
					continue;
				solver_u(s)[grid_at(g, y, x)] = 0.50;
				solver_v(s)[grid_at(g, y, x)] = 0.25 + 0.02 * noise;
			}
	}
}

/* CPU time, not the wall's: it stays true where ranks share cores. */
static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void diffuse_plane(const struct grid *g, const double *restrict from,
	double *restrict to, double rate)
{
	for (int y = 0; y < g->ny; y++) {
		const double *c = from + grid_at(g, y, 0);
		const double *up = c - g->stride, *down = c + g->stride;
		double *out = to + grid_at(g, y, 0);

		for (int x = 0; x < g->nx; x++)
			out[x] = c[x] +
				 rate * ((up[x] + down[x]) + (c[x - 1] + c[x + 1]) -
						4.0 * c[x]);
	}
}

static void diffuse(struct solver *s, double time)
{
	double largest = fmax(s->diffuse_u, s->diffuse_v), begin = cpu_now();
	/* Stable up to 4 D t = 1; a little less, for accuracy. */
	int pieces = (int)ceil(4.0 * largest * time / 0.8);
	const struct grid *g = s->grid;

	for (int i = 0; i < pieces; i++) {
		double tau = time / pieces, *swap = s->field;
		struct halo halo = s->halo;

		halo_exchange(&s->halo);
		diffuse_plane(g, s->field, s->next, tau * s->diffuse_u);
		diffuse_plane(
			g, s->field + g->plane, s->next + g->plane, tau * s->diffuse_v);
		s->field = s->next;
		s->next = swap;
		/* The requests go with the buffer that they were made for. */
		s->halo = s->next_halo;
		s->next_halo = halo;
	}
	s->transport_cpu += cpu_now() - begin;
}

static void react(struct solver *s)
{
	const struct grid *g = s->grid;
	double begin = cpu_now();

	for (int y = 0; y < g->ny; y++) {
		double *u = solver_u(s) + grid_at(g, y, 0);
		double *v = solver_v(s) + grid_at(g, y, 0);

		if (s->net)
			net_advance(s->net, s->reaction.feed, s->reaction.kill, u, v,
				g->nx);
		else
			reaction_advance(&s->reaction, u, v, g->nx);
	}
	s->reaction_cpu += cpu_now() - begin;
}

void solver_step(struct solver *s, int sample)
{
	size_t pair = 2 * s->grid->plane;

	diffuse(s, 0.5 * s->reaction.dt);
	if (sample)
		memcpy(s->sample, s->field, pair * sizeof(double));
	react(s);
	if (sample)
		memcpy(s->sample + pair, s->field, pair * sizeof(double));
	diffuse(s, 0.5 * s->reaction.dt);
}

int solver_check(const struct solver *s, double *mean, double *max)
{
	const struct grid *g = s->grid;
	double sum = 0.0, top = 0.0;
	int bad = 0;

	for (int y = 0; y < g->ny; y++)
		for (int x = 0; x < g->nx; x++) {
			double u = solver_u(s)[grid_at(g, y, x)];
			double v = solver_v(s)[grid_at(g, y, x)];

			/* Both are concentrations; written so that NaN is bad too. */
			if (!(u > -0.5 && u < 1.5 && v > -0.5 && v < 1.5))
				bad = 1;
			sum += v;
			top = fmax(top, v);
		}
	MPI_Allreduce(MPI_IN_PLACE, &bad, 1, MPI_INT, MPI_MAX, g->comm);
	MPI_Allreduce(&sum, mean, 1, MPI_DOUBLE, MPI_SUM, g->comm);
	MPI_Allreduce(&top, max, 1, MPI_DOUBLE, MPI_MAX, g->comm);
	*mean /= (double)g->size * (double)g->size;
	return bad ? -1 : 0;
}
