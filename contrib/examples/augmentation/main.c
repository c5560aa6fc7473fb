/* SPDX-License-Identifier: Apache-2.0 */
/* gray-scott: reads the command line, runs the solver, writes what came out. */
#include "field_io.h"
#include "options.h"
#include "solver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, WHY = 512, PATH = 4096 };

struct run {
	struct options o;
	struct grid grid;
	struct solver solver;
	struct net net;
	uint64_t first; /* step that the run begins with */
	double time0;   /* and its time */
	double wall;    /* seconds in the steps, without writing */
	char why[WHY];
};

/* What rank 0 found out, for all. */
static int share_outcome(struct run *r, int rc)
{
	MPI_Bcast(&rc, 1, MPI_INT, 0, r->grid.comm);
	if (rc != 0)
		MPI_Bcast(r->why, WHY, MPI_CHAR, 0, r->grid.comm);
	return rc;
}

static int load_network(struct run *r)
{
	int rc = 0;

	if (!r->o.network)
		return 0;
	if (r->grid.rank == 0)
		rc = net_read(&r->net, r->o.network, r->why, WHY);
	if (share_outcome(r, rc) != 0)
		return -1;
	MPI_Bcast(&r->net, sizeof(r->net), MPI_BYTE, 0, r->grid.comm);
	if (r->o.dt_given && r->o.dt != r->net.dt) {
		snprintf(r->why, WHY,
			"--dt %g: the network was trained for %g; leave --dt out, or "
			"train "
			"one for it",
			r->o.dt, r->net.dt);
		return -1;
	}
	r->o.dt = r->net.dt;
	return 0;
}

/* The folder and those above it; 0 or -1 with errno. */
static int make_folders(const char *path)
{
	char part[PATH];

	if (snprintf(part, PATH, "%s", path) >= PATH) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *slash = part; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		if (mkdir(part, 0777) != 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(part, 0777) != 0 && errno != EEXIST ? -1 : 0;
}

static int make_folder(struct run *r)
{
	int rc = 0;

	if (r->grid.rank == 0 && make_folders(r->o.out) != 0) {
		snprintf(r->why, WHY, "%s: %s", r->o.out, strerror(errno));
		rc = -1;
	}
	return share_outcome(r, rc);
}

static int begin(struct run *r)
{
	struct field_head head;

	if (!r->o.restart) {
		solver_seed(&r->solver, r->o.seed);
		return 0;
	}
	if (field_read(&r->grid, r->o.restart, &head, solver_u(&r->solver),
		    solver_v(&r->solver), r->why, WHY) != 0)
		return -1;
	if (head.step >= r->o.steps) {
		snprintf(r->why, WHY,
			"%s: is at step %llu already; give --steps more than that",
			r->o.restart, (unsigned long long)head.step);
		return -1;
	}
	r->first = head.step;
	r->time0 = head.time;
	return 0;
}

static int write_fields(struct run *r, const char *kind, uint64_t step,
	const double *const plane[], int planes)
{
	const struct options *o = &r->o;
	struct field_head head = {
		.step = step,
		.time = r->time0 + (double)(step - r->first) * o->dt,
		.dt = o->dt,
		.feed = o->feed,
		.kill = o->kill,
	};
	char path[PATH];

	if (snprintf(path, PATH, "%s/%s-%06llu.gsf", o->out, kind,
		    (unsigned long long)step) >= PATH) {
		snprintf(r->why, WHY, "%.60s...: path too long", o->out);
		return -1;
	}
	return field_write(&r->grid, path, head, plane, planes, r->why, WHY);
}

static int snapshot(struct run *r, uint64_t step)
{
	const double *const plane[] = {solver_u(&r->solver), solver_v(&r->solver)};
	double mean, max;

	if (solver_check(&r->solver, &mean, &max) != 0) {
		snprintf(r->why, WHY, "the field has left its bounds by step %llu; %s",
			(unsigned long long)step,
			r->o.network
				? "train the network on feeds and kills around these"
				: "try a smaller --dt");
		return -1;
	}
	if (r->grid.rank == 0) {
		printf("step %llu/%llu  t %g  v mean %.4f max %.4f\n",
			(unsigned long long)step, (unsigned long long)r->o.steps,
			r->time0 + (double)(step - r->first) * r->o.dt, mean, max);
		fflush(stdout);
	}
	return write_fields(r, "field", step, plane, 2);
}

static int samples(struct run *r, uint64_t step)
{
	const double *s = r->solver.sample;
	size_t p = r->grid.plane;
	const double *const plane[] = {s, s + p, s + 2 * p, s + 3 * p};

	return write_fields(r, "samples", step, plane, 4);
}

static int take_steps(struct run *r)
{
	const struct options *o = &r->o;

	for (uint64_t step = r->first; step < o->steps; step++) {
		int due = o->every && step % o->every == 0;
		double begin;

		if (due && snapshot(r, step) != 0)
			return -1;
		begin = MPI_Wtime();
		solver_step(&r->solver, due && o->samples);
		r->wall += MPI_Wtime() - begin;
		if (due && o->samples && samples(r, step) != 0)
			return -1;
	}
	return snapshot(r, o->steps);
}

static int append(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");
	int rc;

	if (!f)
		return -1;
	rc = fputs(text, f) < 0 ? -1 : 0;
	return fclose(f) != 0 ? -1 : rc;
}

/* run.json comes last: where it is, the run is complete. */
static int finish(struct run *r)
{
	const struct options *o = &r->o;
	double cpu[2] = {r->solver.reaction_cpu, r->solver.transport_cpu}, wall;
	char line[1024], path[PATH];
	int rc = 0;

	MPI_Allreduce(MPI_IN_PLACE, cpu, 2, MPI_DOUBLE, MPI_SUM, r->grid.comm);
	MPI_Allreduce(&r->wall, &wall, 1, MPI_DOUBLE, MPI_MAX, r->grid.comm);
	if (r->grid.rank == 0) {
		snprintf(line, sizeof(line),
			"{\"reaction\": \"%s\", \"feed\": %.17g, \"kill\": %.17g, "
			"\"size\": %d, \"first_step\": %llu, \"steps\": %llu, "
			"\"dt\": %.17g, \"ranks\": %d, \"wall_s\": %.4f, "
			"\"reaction_cpu_s\": %.4f, \"transport_cpu_s\": %.4f}\n",
			o->network ? "network" : "integrator", o->feed, o->kill,
			o->size, (unsigned long long)r->first,
			(unsigned long long)o->steps, o->dt, r->grid.ranks, wall,
			cpu[0], cpu[1]);
		fputs(line, stdout);
		snprintf(path, sizeof(path), "%s/run.json", o->out);
		if (o->metrics && append(o->metrics, line) != 0) {
			snprintf(r->why, WHY, "%s: %s", o->metrics, strerror(errno));
			rc = -1;
		} else if (text_write(path, line) != 0) {
			snprintf(r->why, WHY, "%.400s: %s", path, strerror(errno));
			rc = -1;
		}
	}
	return share_outcome(r, rc);
}

/*
 * srun without a type of MPI starts strangers: each would solve the whole domain and
 * write the same files.
 */
static int check_launch(struct run *r)
{
	const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
	int ranks;

	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	if (!tasks || atoi(tasks) < 2 || ranks > 1)
		return 0;
	snprintf(r->why, WHY,
		"srun started %d tasks that do not see each other; give srun "
		"--mpi=pmix",
		atoi(tasks));
	return -1;
}

static int run(struct run *r)
{
	int rc = -1;

	if (check_launch(r) != 0)
		return -1;
	if (grid_init(&r->grid, MPI_COMM_WORLD, r->o.size) != 0) {
		snprintf(r->why, WHY,
			"--size %d: fewer cells than ranks along a side; start fewer "
			"ranks",
			r->o.size);
		return -1;
	}
	if (load_network(r) != 0 || make_folder(r) != 0)
		goto out_grid;
	if (solver_init(&r->solver, &r->grid, r->o.samples) != 0) {
		snprintf(r->why, WHY, "--size %d: not enough memory; use more ranks",
			r->o.size);
		goto out_grid;
	}
	r->solver.reaction = (struct reaction){
		.feed = r->o.feed,
		.kill = r->o.kill,
		.dt = r->o.dt,
		.tolerance = r->o.tolerance,
	};
	r->solver.net = r->o.network ? &r->net : NULL;
	/* Pearson's values for cells of width 1. */
	r->solver.diffuse_u = 0.16;
	r->solver.diffuse_v = 0.08;
	if (begin(r) == 0 && take_steps(r) == 0)
		rc = finish(r);
	solver_fini(&r->solver);
out_grid:
	grid_fini(&r->grid);
	return rc;
}

int main(int argc, char **argv)
{
	static struct run r; /* the network is too large for some stacks */
	int rank, status = DONE;

	/* Asking for help must work where MPI does not. */
	if (argc == 2 &&
		(strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(options_help, stdout);
		return DONE;
	}
	if (MPI_Init(&argc, &argv) != MPI_SUCCESS)
		return FAILED;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	if (options_read(&r.o, argc, argv, r.why, WHY) != 0)
		status = USAGE;
	else if (!r.o.help && run(&r) != 0)
		status = FAILED;
	if (rank == 0 && r.o.help)
		fputs(options_help, stdout);
	if (rank == 0 && status != DONE)
		fprintf(stderr, "gray-scott: %s\n", r.why);
	MPI_Finalize();
	return status;
}
