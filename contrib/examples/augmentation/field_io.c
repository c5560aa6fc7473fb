/* SPDX-License-Identifier: Apache-2.0 */
#include "field_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first failure, by rank, becomes everybody's. */
static int agree(const struct grid *g, int failed, char *why, size_t why_size)
{
	int first = failed ? g->rank : g->ranks;

	MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, g->comm);
	if (first == g->ranks)
		return 0;
	MPI_Bcast(why, (int)why_size, MPI_CHAR, first, g->comm);
	return -1;
}

static int mpi_fail(int code, const char *path, char *why, size_t why_size)
{
	char text[MPI_MAX_ERROR_STRING];
	int len;

	if (code == MPI_SUCCESS)
		return 0;
	MPI_Error_string(code, text, &len);
	snprintf(why, why_size, "%s: %s", path, text);
	return 1;
}

/* This rank's block of a plane: as it lies in memory, and in the file. */
static void block_types(const struct grid *g, MPI_Datatype *memory, MPI_Datatype *file)
{
	int whole[2] = {g->size, g->size}, part[2] = {g->ny, g->nx};
	int framed[2] = {g->ny + 2, g->nx + 2}, inside[2] = {1, 1};
	int at[2] = {g->y0, g->x0};

	MPI_Type_create_subarray(
		2, framed, part, inside, MPI_ORDER_C, MPI_DOUBLE, memory);
	MPI_Type_create_subarray(2, whole, part, at, MPI_ORDER_C, MPI_DOUBLE, file);
	MPI_Type_commit(memory);
	MPI_Type_commit(file);
}

static int write_open(const struct grid *g, MPI_File f, const char *path,
	const struct field_head *head, const double *const plane[], char *why,
	size_t why_size)
{
	MPI_Datatype memory, file;
	MPI_Offset plane_size =
		(MPI_Offset)g->size * g->size * (MPI_Offset)sizeof(double);
	int failed = 0;

	block_types(g, &memory, &file);
	if (g->rank == 0)
		failed = mpi_fail(MPI_File_write_at(f, 0, head, (int)sizeof(*head),
					  MPI_BYTE, MPI_STATUS_IGNORE),
			path, why, why_size);
	for (uint32_t i = 0; i < head->planes; i++) {
		int code =
			MPI_File_set_view(f, (MPI_Offset)sizeof(*head) + i * plane_size,
				MPI_DOUBLE, file, "native", MPI_INFO_NULL);

		if (code == MPI_SUCCESS)
			code = MPI_File_write_all(
				f, plane[i], 1, memory, MPI_STATUS_IGNORE);
		if (!failed)
			failed = mpi_fail(code, path, why, why_size);
	}
	if (!failed)
		failed = mpi_fail(MPI_File_sync(f), path, why, why_size);
	else
		MPI_File_sync(f);
	MPI_Type_free(&memory);
	MPI_Type_free(&file);
	return failed;
}

int field_write(const struct grid *g, const char *path, struct field_head head,
	const double *const plane[], int planes, char *why, size_t why_size)
{
	char temp[4096 + 8];
	MPI_File f;
	int code, failed;

	if (snprintf(temp, sizeof(temp), "%s.part", path) >= (int)sizeof(temp)) {
		snprintf(why, why_size, "%.60s...: path too long", path);
		return -1;
	}
	memcpy(head.magic, FIELD_MAGIC, sizeof(head.magic));
	head.planes = (uint32_t)planes;
	head.ny = head.nx = (uint32_t)g->size;
	head.zero = 0;

	/* What an earlier, interrupted run left would keep its length. */
	if (g->rank == 0)
		unlink(temp);
	MPI_Barrier(g->comm);
	code = MPI_File_open(
		g->comm, temp, MPI_MODE_CREATE | MPI_MODE_WRONLY, MPI_INFO_NULL, &f);
	failed = mpi_fail(code, path, why, why_size);
	if (agree(g, failed, why, why_size) != 0)
		return -1;
	failed = write_open(g, f, path, &head, plane, why, why_size);
	code = MPI_File_close(&f);
	if (!failed)
		failed = mpi_fail(code, path, why, why_size);
	if (agree(g, failed, why, why_size) != 0) {
		if (g->rank == 0)
			unlink(temp);
		return -1;
	}
	if (g->rank == 0 && rename(temp, path) != 0) {
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
		failed = 1;
	}
	return agree(g, failed, why, why_size);
}

static int check_head(const struct grid *g, const struct field_head *head,
	long long bytes, const char *path, char *why, size_t why_size)
{
	long long due = (long long)sizeof(*head) +
			2LL * g->size * g->size * (long long)sizeof(double);

	if (memcmp(head->magic, FIELD_MAGIC, sizeof(head->magic)) != 0 ||
		head->planes != 2) {
		snprintf(why, why_size,
			"%s: not a field file (field-*.gsf) of this solver", path);
		return 1;
	}
	if (head->ny != (uint32_t)g->size || head->nx != (uint32_t)g->size) {
		snprintf(why, why_size, "%s: %u x %u cells; give --size %u", path,
			head->ny, head->nx, head->nx);
		return 1;
	}
	if (bytes != due) {
		snprintf(why, why_size, "%s: %lld bytes where %lld are due: cut short?",
			path, bytes, due);
		return 1;
	}
	return 0;
}

int field_read(const struct grid *g, const char *path, struct field_head *head,
	double *u, double *v, char *why, size_t why_size)
{
	MPI_Offset bytes = 0,
		   plane = (MPI_Offset)g->size * g->size * (MPI_Offset)sizeof(double);
	double *const to[2] = {u, v};
	MPI_Datatype memory, file;
	MPI_File f;
	int failed, code;

	code = MPI_File_open(g->comm, path, MPI_MODE_RDONLY, MPI_INFO_NULL, &f);
	failed = mpi_fail(code, path, why, why_size);
	if (agree(g, failed, why, why_size) != 0)
		return -1;
	memset(head, 0, sizeof(*head));
	MPI_File_get_size(f, &bytes);
	failed = mpi_fail(MPI_File_read_at_all(f, 0, head, (int)sizeof(*head), MPI_BYTE,
				  MPI_STATUS_IGNORE),
		path, why, why_size);
	if (!failed)
		failed = check_head(g, head, bytes, path, why, why_size);
	if (agree(g, failed, why, why_size) != 0) {
		MPI_File_close(&f);
		return -1;
	}
	block_types(g, &memory, &file);
	for (int i = 0; i < 2; i++) {
		code = MPI_File_set_view(f, (MPI_Offset)sizeof(*head) + i * plane,
			MPI_DOUBLE, file, "native", MPI_INFO_NULL);
		if (code == MPI_SUCCESS)
			code = MPI_File_read_all(
				f, to[i], 1, memory, MPI_STATUS_IGNORE);
		if (!failed)
			failed = mpi_fail(code, path, why, why_size);
	}
	MPI_Type_free(&memory);
	MPI_Type_free(&file);
	MPI_File_close(&f);
	return agree(g, failed, why, why_size);
}

int text_write(const char *path, const char *text)
{
	char temp[4096 + 8];
	size_t len = strlen(text);
	ssize_t n;
	int fd, saved;

	if (snprintf(temp, sizeof(temp), "%s.part", path) >= (int)sizeof(temp)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return -1;
	n = write(fd, text, len);
	if (n >= 0 && n < (ssize_t)len)
		errno = ENOSPC;
	if (n == (ssize_t)len && fsync(fd) == 0 && rename(temp, path) == 0)
		return close(fd);
	saved = errno;
	close(fd);
	unlink(temp);
	errno = saved;
	return -1;
}
