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
	char value[512];
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
/* sched_setaffinity, set_mempolicy (the CPUs are set when only that fails).  NULL, or
 * a static text of what failed with errno set.  Doesn't touch the environment; does
 * nothing with a borrowed model. */
const char *weft_bind_apply(const struct weft_binding *b);

#endif
