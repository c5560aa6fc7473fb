/* SPDX-License-Identifier: Apache-2.0 */
#include "grid.h"

/* n cells shared among parts: the first n % parts get one more. */
static int share(int n, int parts, int i, int *first)
{
	int each = n / parts, more = n % parts;

	*first = i * each + (i < more ? i : more);
	return each + (i < more);
}

/* Both planes of a piece of the frame as one type. */
static void pair_type(MPI_Datatype piece, size_t plane, MPI_Datatype *type)
{
	MPI_Type_create_hvector(2, 1, (MPI_Aint)(plane * sizeof(double)), piece, type);
	MPI_Type_commit(type);
	MPI_Type_free(&piece);
}

int grid_init(struct grid *g, MPI_Comm comm, int size)
{
	int dims[2] = {0, 0}, periods[2] = {1, 1}, at[2];
	MPI_Datatype piece;

	MPI_Comm_size(comm, &g->ranks);
	MPI_Dims_create(g->ranks, 2, dims);
	if (dims[0] > size || dims[1] > size)
		return -1;
	MPI_Cart_create(comm, 2, dims, periods, 1, &g->comm);
	MPI_Comm_rank(g->comm, &g->rank);
	MPI_Cart_coords(g->comm, g->rank, 2, at);
	MPI_Cart_shift(g->comm, 0, 1, &g->up, &g->down);
	MPI_Cart_shift(g->comm, 1, 1, &g->left, &g->right);

	g->size = size;
	g->ny = share(size, dims[0], at[0], &g->y0);
	g->nx = share(size, dims[1], at[1], &g->x0);
	g->stride = g->nx + 2;
	g->plane = (size_t)(g->ny + 2) * (size_t)g->stride;

	MPI_Type_contiguous(g->nx, MPI_DOUBLE, &piece);
	pair_type(piece, g->plane, &g->row);
	MPI_Type_vector(g->ny, 1, g->stride, MPI_DOUBLE, &piece);
	pair_type(piece, g->plane, &g->column);
	return 0;
}

void grid_fini(struct grid *g)
{
	MPI_Type_free(&g->row);
	MPI_Type_free(&g->column);
	MPI_Comm_free(&g->comm);
}

void halo_init(struct halo *h, const struct grid *g, double *buffer)
{
	/*
	 * The tag is the direction of travel: with one or two ranks along a side the
	 * neighbours on both sides are the same rank, and only the tag tells the two
	 * messages apart.
	 */
	const struct {
		int to, from, send_y, send_x, recv_y, recv_x;
		MPI_Datatype type;
	} way[4] = {
		{g->up, g->down, 0, 0, g->ny, 0, g->row},
		{g->down, g->up, g->ny - 1, 0, -1, 0, g->row},
		{g->left, g->right, 0, 0, 0, g->nx, g->column},
		{g->right, g->left, 0, g->nx - 1, 0, -1, g->column},
	};

	for (int i = 0; i < 4; i++) {
		MPI_Recv_init(buffer + grid_at(g, way[i].recv_y, way[i].recv_x), 1,
			way[i].type, way[i].from, i, g->comm, &h->request[i]);
		MPI_Send_init(buffer + grid_at(g, way[i].send_y, way[i].send_x), 1,
			way[i].type, way[i].to, i, g->comm, &h->request[4 + i]);
	}
}

void halo_exchange(struct halo *h)
{
	MPI_Startall(8, h->request);
	MPI_Waitall(8, h->request, MPI_STATUSES_IGNORE);
}

void halo_fini(struct halo *h)
{
	for (int i = 0; i < 8; i++)
		MPI_Request_free(&h->request[i]);
}
