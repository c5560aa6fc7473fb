/* inner - what the files of place/ share. */
#ifndef WEFT_PLACE_INNER_H
#define WEFT_PLACE_INNER_H

#include "place/place.h"

#define MAX_TASKS 16384 /* of a node */

struct core {
	unsigned cpu0, n; /* its usable threads: shape.cpu[cpu0 ... cpu0 + n - 1] */
	unsigned l3;
};
/* A CPU domain: a NUMA node with cores; none of them may be usable. */
struct domain {
	unsigned numa, package;
	unsigned core0, n_cores, cpu0, n_cpus;
};
/* The usable part of a node, cores in order of domain and cache. */
struct shape {
	const struct weft_machine *m;
	unsigned *cpu;
	struct core *core;
	struct domain *dom;
	unsigned n_cpus, n_cores, n_doms;
	unsigned max_threads; /* of a core */
	bool uniform;         /* all cores have as many */
	unsigned words;       /* of a set of domains */
};

/* Cores and threads are both counted in units; which one, a domain says. */
struct task {
	size_t step;
	unsigned rank;
	unsigned need_cores, need_cpus; /* at least; 1 where elastic */
	bool elastic;                   /* takes more where there is more */
	const uint64_t *near;           /* set of domains, NULL: anywhere */
	unsigned home;
	bool spans; /* did not fit into one domain */
	bool far, fewer, shared;
	unsigned gpu[16];
	size_t n_gpus;
};
/* Task i of step a exchanges data with task i * n(b) / n(a) of step b. */
struct edge {
	size_t a, b;
	double bytes; /* of each such pair of tasks */
};
struct job {
	struct shape shape;
	const struct weft_place_step *step;
	size_t n_steps;
	struct task *task;
	size_t n_tasks;
	size_t *first;
	uint64_t *near;          /* of each GPU of the machine: set of domains */
	uint64_t *unions;        /* of tasks whose GPUs are in several places */
	unsigned short *units;   /* [task * n_doms + domain] */
	bool *by_core;           /* of each domain: its units are cores */
	unsigned char *gpu_load; /* of each GPU: 1 where it is taken */
	struct edge *edge;
	size_t n_edges;
	bool *seated;      /* steps whose tasks have a home */
	bool knows_memory; /* a task's need, and what the nodes have */
	uint64_t *memory;  /* of each domain: bytes near it */
};

static inline bool in_set(const uint64_t *set, unsigned i)
{
	return !set || (set[i / 64] >> (i % 64) & 1);
}

int weft_place_shape(const struct weft_machine *m, const struct weft_cpuset *allowed,
	const struct weft_place_step *steps, size_t n_steps, struct shape *s,
	struct weft_err *err);
void weft_place_shape_free(struct shape *s);
/* How far apart two domains are; 0: the same. */
unsigned weft_place_distance(const struct shape *s, unsigned a, unsigned b);

int weft_place_gpus(struct job *j, size_t step, const unsigned *gpus, size_t n_gpus,
	struct weft_err *err);
/* talk.c */
int weft_place_edges(struct job *j, struct weft_err *err);
/* The step to be seated now; n_steps: none is left. */
size_t weft_place_next_step(const struct job *j);
/* Does the step exchange data with one that is seated? */
bool weft_place_leans(const struct job *j, size_t step);
/* What each domain would cost task i of it. */
void weft_place_lean(const struct job *j, size_t step, size_t i, double *cost);

/* memory.c */
int weft_place_memory_near(struct job *j, struct weft_err *err);
int weft_place_memory(
	const struct job *j, struct weft_placed_task *out, struct weft_err *err);

int weft_place_seats(struct job *j, struct weft_err *err);
void weft_place_grow(struct job *j);
int weft_place_cores(
	const struct job *j, struct weft_placed_task *out, struct weft_err *err);
int weft_place_nics(
	const struct job *j, struct weft_placed_task *out, struct weft_err *err);

#endif
