/*
 * asked - what a workflow file asks for one step, where somebody else starts the
 * program: for `weft ticket` (srun --weft-step) and `weft exec`.
 *
 * Ownership: an asked owns all it holds.  Runs as: the user.
 */
#ifndef WEFT_ASKED_H
#define WEFT_ASKED_H

#include "command.h"
#include "journal/journal.h"
#include "spec/spec.h"
#include "ticket/ticket.h"

struct asked {
	struct weft_conf *conf;
	struct weft_workflow *wf;
	struct weft_run *run; /* of WEFT_RUN_DIR; NULL: none */
	const struct weft_step *step;
	struct weft_member member;
	struct weft_scope scope;
	struct weft_resources res; /* the first alternative, with the role's defaults */
	unsigned nodes, ntasks, ntasks_per_node, workers;
	enum weft_launch launch; /* never DEFAULT */
	struct weft_ticket ticket;
	struct weft_env env, secret; /* what the file sets, not the submitter's */
	struct weft_argv size;       /* srun's environment: "SLURM_NTASKS=4" */
	struct weft_argv option;     /* the same as srun's options: "--ntasks=4" */
	struct weft_argv stage;      /* inputs for the nodes: "NAME=node:/path" */
	struct weft_argv out;        /* outputs of node scratch: "NAME=node:/path" */
	struct weft_argv say;        /* lines for the user */
	char **input; /* paths, one a step's input; NULL: there is none */
};

/* file NULL: WEFT_RUN_DIR's workflow, else WEFT_FILE.  name: "train", or of a sweep
 * "train.7" (index) or "train.1a2b3c4d5e6f" (id); without one WEFT_MEMBER_INDEX or
 * SLURM_ARRAY_TASK_ID tells the member. */
int asked_load(
	struct asked *a, const char *file, const char *name, struct weft_errs *errs);
/* The rest, in this order. */
int asked_sizes(struct asked *a, struct weft_err *err);
int asked_environment(struct asked *a, struct weft_err *err);
void asked_clear(struct asked *a);

/* asked_memory.c: bytes of files that an srun of its own has in a node's memory; what
 * else it asks for there, 0: Slurm's default. */
uint64_t asked_in_memory(const struct asked *a);
uint64_t asked_node_memory(const struct asked *a, uint64_t per_cpu);
unsigned asked_node_tasks(const struct asked *a);

#endif
