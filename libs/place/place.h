/*
 * place - which cores, GPUs, NICs and memory each task of a node gets.  Pure.
 *
 * Strict, in this order: no CPU given twice while there are enough; every task
 * has the GPUs that it asked for while there are some; a GPU task's cores are in
 * its GPU's NUMA node where those suffice, else the nearest, and said.  Then even
 * cores, shared caches within a task, near NICs with balanced load; steps that exchange
 * data near each other, those with most bytes for a core first.  A task's memory comes
 * from the nodes near its CPUs as long as they hold it, else also from the next, and
 * said.
 *
 * Ownership: the placement owns its tasks.  Errors: WEFT_EPLACE with the reason.
 * Threads: any.  Same input, byte-identical output.  No I/O, no clock.  Runs as: the
 * user, in a command or in slurmstepd's user_init.
 */
#ifndef WEFT_PLACE_H
#define WEFT_PLACE_H

#include "topo/topo.h"

enum weft_place_cpus { WEFT_PLACE_NEAR_GPU, WEFT_PLACE_SPREAD, WEFT_PLACE_COMPACT };
enum weft_place_memory { WEFT_PLACE_LOCAL, WEFT_PLACE_INTERLEAVE, WEFT_PLACE_ANY };

#define WEFT_PLACE_MAX_TALKS 16
struct weft_place_talk { /* data that two steps exchange while both run */
	unsigned step;   /* index of the other one */
	uint64_t bytes;  /* in all; only their proportions matter. 0: not known */
};
struct weft_place_step { /* the tasks of one step on this node */
	unsigned ntasks;
	unsigned cpus_per_task; /* 0: an even share of what is allowed */
	double gpus_per_task;   /* 0: none; 0.5: two tasks a GPU */
	/* All usable GPUs, dealt evenly (gpus_per_task: 0); to more tasks than GPUs so
	 * that each GPU has one and the others are where most cores are for them. */
	bool gpus_all;
	unsigned gpus; /* with gpus_all: so many of them; 0: no limit */
	/* Task i exchanges data with task i * theirs / ours of each of these steps:
	 * name them in the step that has more tasks. */
	struct weft_place_talk talk[WEFT_PLACE_MAX_TALKS];
	unsigned n_talks;
	unsigned beside;       /* 1 + index of one more, of unknown bytes; 0: none */
	uint64_t mem_per_task; /* bytes that a task needs; 0: not known */
	enum weft_place_cpus cpus;
	enum weft_place_memory memory;
	bool balance_even;
	unsigned smt;         /* hardware threads used a core; 0: all */
	unsigned spare_cores; /* left idle */
};

struct weft_placed_task {
	struct weft_cpuset cpus;
	unsigned gpu[16]; /* indices in machine->gpu */
	size_t n_gpus;
	unsigned nic[8];
	size_t n_nics;
	/* Memory nodes, the nearest first: indices in machine->numa; none: any.  With
	 * mem_per_task those that hold it. */
	unsigned numa[16];
	size_t n_numa;
	bool shared_cpus; /* more tasks than threads: CPUs are shared, said */
	bool far;         /* cores not all local to its GPU, said */
	bool fewer;       /* fewer CPUs than cpus_per_task, for want of them, said */
	bool spills;      /* memory beyond what is near its CPUs, said */
};

struct weft_placement {
	struct weft_placed_task *task; /* steps in order, their tasks in order */
	size_t n_tasks;
	size_t *first; /* of each step */
	size_t n_steps;
};

/* allowed NULL: all CPUs; never those that m reserves.  gpus: usable devices as indices
 * (NULL: all).  CPUs are hardware threads; tasks get whole cores as long as there are
 * enough. */
int weft_place(const struct weft_machine *m, const struct weft_cpuset *allowed,
	const unsigned *gpus, size_t n_gpus, const struct weft_place_step *steps,
	size_t n_steps, struct weft_placement **p, struct weft_err *err);
void weft_placement_free(struct weft_placement *p);

/* How well the tasks of a step sit, told from their CPUs and devices alone. */
struct weft_place_score {
	unsigned tasks, empty; /* empty: without a CPU */
	bool wants_gpu;
	unsigned with_gpu;
	unsigned local;      /* all CPUs near all its GPUs; without GPUs: in one node */
	bool local_possible; /* threads near the GPUs suffice for their tasks */
	double jain;         /* evenness of cores: 1 is all alike */
	unsigned far_nic;    /* GPU tasks without a NIC of the nearest class */
	unsigned uneven_nic; /* GPU tasks whose nearest NICs' loads differ by > 1 */
	/* With the steps that it exchanges data with, and of these in one node; their
	 * bytes count as 1 an edge where they are not known. */
	unsigned edges, edges_inside;
	double bytes, bytes_inside;
};
struct weft_place_load {      /* of the node */
	unsigned shared_cpus; /* hardware threads that several tasks have */
	unsigned cores, idle_cores;
};
int weft_place_score(const struct weft_machine *m, const struct weft_placement *p,
	const struct weft_place_step *steps, size_t step, struct weft_place_score *s,
	struct weft_err *err);
void weft_place_load(const struct weft_machine *m, const struct weft_cpuset *allowed,
	const struct weft_placement *p, struct weft_place_load *l);
/* Of two devices: 0 behind one PCI switch, 1 at one host bridge or NUMA node, 2 in
 * one package, 3 farther. */
unsigned weft_place_apart(const struct weft_machine *m, const struct weft_device *a,
	const struct weft_device *b);

#endif
