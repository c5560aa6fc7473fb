/*
 * bind - applies a placed task to the calling process.
 *
 * CPU affinity, memory policy, and the environment that names GPUs, threads and
 * NICs.  Split in two so that a SPANK plug-in can do the first part where it may
 * allocate and the second in the forked child: prepare() makes plain data,
 * apply() is async-signal-safe.
 *
 * Ownership: plain data.  Errors: WEFT_EPLACE; apply returns a static reason or
 * NULL.  Threads: no shared state; what is applied holds for the calling thread.
 * Fork: apply() is made for a forked child.
 * Runs as: the task's user, in the task's process.
 */
#ifndef WEFT_BIND_H
#define WEFT_BIND_H

#include "place/place.h"

#define WEFT_BIND_MAX_VARS 16
struct weft_bind_var {
	char name[40];
	char value[1024];
	bool keep; /* a value that the user has set already wins */
};
struct weft_binding {
	struct weft_cpuset cpus;
	uint64_t nodemask[16]; /* 1,024 memory nodes by OS index */
	enum weft_place_memory memory;
	struct weft_bind_var var[WEFT_BIND_MAX_VARS];
	size_t n_vars;
	bool borrowed; /* the model is another machine's: environment only */
};

/* The GPUs that this job step may use, as indices in m->gpu, in the order in which
 * the launcher counts them: what weft_place() and weft_bind_prepare() want.
 * slurm_gpus: SLURM_STEP_GPUS or SLURM_JOB_GPUS ("0,1": numbers on the node) or
 * NULL; visible: CUDA_VISIBLE_DEVICES or the vendor's like, or NULL.  Never more
 * than visible lists.  `gpus` has room for WEFT_MAX_DEVICES. */
size_t weft_bind_usable_gpus(const struct weft_machine *m, const char *slurm_gpus,
	const char *visible, unsigned *gpus);

/* Of tasks that a launcher has let onto this machine: a need of more memory than the
 * model has is not known rather than refused. */
void weft_bind_known_memory(const struct weft_machine *m, struct weft_place_step *step);

/* The variable in which a launcher lists the visible GPUs of this machine's vendor. */
const char *weft_bind_visible_name(const struct weft_machine *m);

/* gpus, n_gpus: the list that weft_place() got (NULL: all of m).  visible: what the
 * launcher already put in CUDA_VISIBLE_DEVICES and the like (NULL: nothing); entry
 * i of it is GPU gpus[i].  A device outside visible is never named: where the list
 * is too short, the variable is left as it is.  borrowed: environment only. */
int weft_bind_prepare(const struct weft_machine *m, const struct weft_placed_task *t,
	const struct weft_place_step *step, const unsigned *gpus, size_t n_gpus,
	const char *visible, bool borrowed, struct weft_binding *out,
	struct weft_err *err);
/* Which card each task of the step uses, for MPICH on Slingshot: one text for all tasks
 * of the node.  Nothing where there is no choice of such cards. */
void weft_bind_nic_map(const struct weft_machine *m, const struct weft_placement *p,
	size_t step, struct weft_binding *out);

/* ---- the note in a task's environment of what it was given ---------------- */

#define WEFT_PLACED_ENV "WEFT_PLACED"
struct weft_note {
	char by[72];   /* who placed it: "JOB.STEP" of Slurm, "pid:PARENT" elsewhere */
	char host[72]; /* where */
	bool borrowed;
	struct weft_cpuset cpus;
	enum weft_place_memory memory;
	uint64_t nodemask[16];
	char gpus[512];    /* PCI addresses with commas; "" none */
	char variable[32]; /* that names them, "" none; and its value: */
	char visible[512];
	struct weft_cpuset around; /* what others had when it was placed, */
	char around_gpus[512];     /* and their GPUs */
};
/* What the tasks of others have. */
struct weft_others {
	struct weft_cpuset cpus;
	char gpu[WEFT_MAX_DEVICES][24]; /* PCI addresses */
	size_t n_gpus;
};
/* Adds the note of a prepared binding to its variables; left out where it is too
 * long.  by without blanks; around may be NULL. */
void weft_bind_add_note(const struct weft_machine *m, const struct weft_placed_task *t,
	const char *by, const struct weft_others *around, struct weft_binding *out);
/* False: not a note.  The text is a user's; any is safe. */
bool weft_bind_read_note(const char *text, struct weft_note *note);

/* Compares the note with what the kernel and the environment say of this process: a
 * line for each difference, nothing where all is as it was planned. */
void weft_bind_verify(const struct weft_note *note, struct weft_str *differences);

/* What others have: this user's processes here that have a note.  by: ours; its tasks
 * are no others, and where one of them has been placed already it is followed in what
 * was avoided.  ancestor: the note of this process itself, or NULL: who wrote it is no
 * other, either.  Of a Slurm job only those of the same job (and node: SLURMD_NODENAME)
 * count.  Reads /proc with the rights of the caller; never in slurmstepd. */
void weft_bind_find_others(
	const char *by, const struct weft_note *ancestor, struct weft_others *o);
/* "a,b": adds those that are not there yet. */
void weft_bind_add_others(struct weft_others *o, const char *gpus);
/* Leaves what others have out of the CPUs and GPUs, as long as enough is left: a thread
 * for each task, the GPUs that are asked for.  *n is the new number of GPUs. */
void weft_bind_around(const struct weft_machine *m, const struct weft_others *o,
	const struct weft_place_step *step, struct weft_cpuset *cpus, unsigned *gpus,
	size_t *n);

/* sched_setaffinity, set_mempolicy (the CPUs are set when only that fails).  NULL, or
 * a static text of what failed with errno set.  Doesn't touch the environment; does
 * nothing with a borrowed model. */
const char *weft_bind_apply(const struct weft_binding *b);

#endif
