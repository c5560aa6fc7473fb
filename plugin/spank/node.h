/*
 * node - a step's tasks on this node: which CPUs, GPUs and memory, and the binding.
 *
 * node_prepare() runs once in user_init, where the allocation is known; the
 * binding is applied once a task in task_init.  A step with GPUs on a machine
 * with some is mapped in task_init, since only there does Slurm say which GPUs the step
 * has; every task computes the same mapping.
 *
 * Ownership: the node owns what it points to.  Runs as: see remote.c.
 */
#ifndef WEFT_NODE_H
#define WEFT_NODE_H

#include "bind/bind.h"
#include "plugin/spank/host.h"
#include "ticket/ticket.h"

struct node {
	struct weft_machine *machine; /* NULL: nothing to bind */
	struct weft_cpuset allowed;
	bool all_cpus;              /* the allocation isn't known: no limit of ours */
	struct weft_others *others; /* of the job's other steps; NULL: none */
	char by[72];                /* "JOB.STEP" */
	struct weft_place_step step;
	bool no_gpus;                     /* GPUs are asked for, the machine has none */
	struct weft_placement *placement; /* NULL: made in task_init */
	char name[64];
};

/* Near GPU, local memory, an even share of CPUs and GPUs. */
void node_default_ticket(struct weft_ticket *t);
int node_prepare(
	struct node *n, spank_t sp, const struct weft_ticket *t, struct weft_err *err);
/* Binds the calling process and sets its variables. 0, or -1 with why. */
int node_bind_task(struct node *n, spank_t sp, unsigned task, char *why, size_t size);
void node_clear(struct node *n);

#endif
