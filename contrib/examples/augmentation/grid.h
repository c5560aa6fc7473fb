/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domain: a square of size x size cells, periodic on all sides, cut into blocks,
 * one a rank. A block is stored with a frame of one cell (the halo) around it, the
 * planes of u and v one behind the other, so that one message carries both.
 *
 * All functions are collective over grid->comm. Lengths are in cells.
 */
#ifndef GRID_H
#define GRID_H

#include <mpi.h>
#include <stddef.h>

struct grid {
	MPI_Comm comm;
	int rank, ranks;
	int size;     /* cells a side, of the whole domain */
	int ny, nx;   /* cells of this block */
	int y0, x0;   /* its first cell in the domain */
	int stride;   /* nx + 2: from a cell to the one below */
	size_t plane; /* (ny + 2) * (nx + 2): from u to v */
	int up, down, left, right;
	MPI_Datatype row, column; /* a row or column of u and of v */
};

/* -1 when there are more ranks along a side than cells; nothing to free then. */
int grid_init(struct grid *g, MPI_Comm comm, int size);
void grid_fini(struct grid *g);

/* Position of cell (y, x) of the block in a plane; the halo is at -1 and ny or nx. */
static inline size_t grid_at(const struct grid *g, int y, int x)
{
	return (size_t)(y + 1) * (size_t)g->stride + (size_t)(x + 1);
}

/* The messages that fill the halo of one buffer: set up once, started often. */
struct halo {
	MPI_Request request[8];
};

void halo_init(struct halo *h, const struct grid *g, double *buffer);
void halo_exchange(struct halo *h);
void halo_fini(struct halo *h);

#endif
