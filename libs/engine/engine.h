/*
 * engine - runs a group inside its allocation, or a whole workflow here.
 *
 * Decides from completion records what may start, stages inputs, launches,
 * checks and publishes outputs, writes the completion record.  Each member is
 * run by a child process of its own, so that one that dies takes nothing along.
 *
 * Ownership: options are borrowed for the call.  Errors: those of a member go
 * into its record; the call's own are the engine's (run directory, memory).
 * Threads: none; forks.  Runs as: the user, in the job or on this machine.
 */
#ifndef WEFT_ENGINE_H
#define WEFT_ENGINE_H

#include <signal.h>

#include "conf/conf.h"
#include "topo/topo.h"
#include "journal/journal.h"
#include "select/select.h"

struct weft_stage_cache;

struct weft_engine_node {
	const char *name;
	unsigned cpus, gpus;
	/* This machine's, for members that are children: each gets its own.  Empty:
	 * which ones are the job's is not known, members share them. */
	struct weft_cpuset allowed;
	/* CUDA_VISIBLE_DEVICES, or the like of another vendor, as it was; NULL: not
	 * set. gpu_numbers: Slurm's numbers of the same, or NULL. */
	const char *visible, *gpu_numbers;
	/* The model that its members are placed by; NULL: not known. */
	const struct weft_machine *machine;
};

/* What members that are left to another job need beyond this one; 0: nothing. */
struct weft_engine_more {
	uint64_t mem;        /* bytes a node */
	int64_t time;        /* seconds */
	const char *exclude; /* nodes not to use; NULL none */
};

struct weft_engine {
	const struct weft_run *run;
	const struct weft_workflow *wf;
	/* What is recorded of it; NULL: read when it is needed. */
	struct weft_records *records;
	const struct weft_plan *plan;
	const struct weft_conf *conf;
	bool slurm;           /* in a Slurm allocation; else on this machine */
	bool plugin;          /* srun knows --weft-bind: weft.so is there */
	const char *weft;     /* absolute path of the command */
	const char *mpi;      /* srun --mpi type of launch: mpi; NULL: none works */
	const char *job;      /* "1234", "1234_7"; "" here */
	const char *user;     /* whom weft.conf's roots are for; NULL: not checked */
	const unsigned *step; /* the steps to run; NULL: all */
	size_t n_steps;
	/* The share of each sweep's members that is ours; n_blocks 0: all. */
	size_t block, n_blocks;
	/* A loop whose rounds have jobs of their own: of its steps only the members of
	 * this round are ours, and what follows on it is weft_engine_round()'s to say.
	 * NULL: there is none, or we run all of its rounds. */
	const struct weft_loop *apart;
	size_t round;
	/* Members run beside or after each other in this allocation: each has its own
	 * time limit, and the engine keeps it. */
	bool shared;
	/* Members are children of this process rather than srun steps: an allocation of
	 * this node alone, and nothing but single tasks (weft_engine_can_direct()). */
	bool direct;
	const struct weft_engine_node *node; /* what the steps share */
	/* This machine's model, where members are children; NULL: not known. */
	const struct weft_machine *machine;
	/* Where its text is to be read while the engine runs, so that members needn't
	 * look at the machine again; NULL: nowhere. */
	const char *machine_path;
	size_t n_nodes;
	double end;   /* when the allocation ends; 0: unknown */
	uint64_t mem; /* of each node that the job has; 0: not known */
	/* What all engines of these members are called: of two at a time the older one
	 * ends.  NULL: there can be only one. */
	const char *fence;
	unsigned resumed; /* as often was the run by then; once more ends this engine */
	/* Has what isn't done by then done by another job of the same group, once this
	 * one has ended; NULL: there is no other job. Called once. */
	int (*go_on)(
		void *next, const struct weft_engine_more *more, struct weft_err *err);
	void *next;
	/* Nonzero: staging on a node stops; NULL: nothing stops it. */
	const volatile sig_atomic_t *stop;
	/* Ends the run's other jobs (on_failure: cancel); may be NULL. */
	void (*cancel_run)(void *ctx);
	void *ctx;
};

/* Do all of its members run as well without srun? */
bool weft_engine_can_direct(const struct weft_engine *e);

/* May staging read, or write, this path for this user?  Links are followed: where it
 * really is must be below a root of weft.conf. */
int weft_engine_may_read(const struct weft_conf *conf, const char *user,
	const char *path, struct weft_err *err);
int weft_engine_may_write(const struct weft_conf *conf, const char *user,
	const char *path, struct weft_err *err);

/* The user's cache on this node, below weft.conf's scratch.  1: the site has none; the
 * folder must be the user's own. */
int weft_engine_node_cache(const struct weft_conf *conf,
	struct weft_stage_cache **cache, struct weft_err *err);

/* Runs what there is to run, to the end; SIGTERM and SIGINT end the members and
 * are recorded. The result is the kind of the first failure, WEFT_OK, or -1. */
int weft_engine_run(const struct weft_engine *e, struct weft_err *err);

/* What follows on a round of a loop whose rounds have jobs of their own. */
enum weft_engine_next {
	WEFT_ROUND_OPEN,   /* members of it have no end yet */
	WEFT_ROUND_FAILED, /* there is no other one, unless the run is resumed */
	WEFT_ROUND_NEXT,   /* another one */
	WEFT_ROUND_LAST,   /* it was the last one */
};
/* Asked of the records, and of `until`; written down, so that every process of the run
 * says the same.  Of e: run, wf, plan, conf, job, and records, which are read here
 * where they are NULL. */
int weft_engine_round(const struct weft_engine *e, unsigned loop, size_t round,
	enum weft_engine_next *next, struct weft_err *err);

/* The digest of definition, params and inputs that a record of this member would have,
 * were it run now.  -1: an input isn't there, say. */
int weft_engine_digest(const struct weft_engine *e, const struct weft_step *step,
	size_t member, char own[WEFT_DIGEST_HEX], struct weft_err *err);

/* `weft agent`: runs members on this node, e->node[0], for the engine that listens
 * there; until that has no more of them, or the link breaks.  WEFT_WIRE_AUTH says who
 * we are. */
int weft_engine_agent(const struct weft_engine *e, const char *host, unsigned port,
	struct weft_err *err);

/* The half of a member's staging that happens on each of its nodes: run by
 * `weft member stage-in` and so on, under srun. `root` is the member's folder on the
 * node; nodes: how many the member has; *moved: bytes that were written there; *want:
 * "want INPUT" lines of what the engine is to broadcast, *hashes: lines for the record,
 * "hash in NAME HASH", both the caller's. */
int weft_engine_stage_in(const struct weft_engine *e, const struct weft_step *step,
	size_t member, const char *node_root, const char *memory_root, unsigned nodes,
	uint64_t *moved, struct weft_str *want, struct weft_str *hashes,
	struct weft_err *err);
int weft_engine_stage_out(const struct weft_engine *e, const struct weft_step *step,
	size_t member, const char *node_root, const char *memory_root, unsigned part,
	struct weft_str *hashes, struct weft_err *err);
/* Into this node's caches alone, as far as that goes. */
void weft_engine_stage_ahead(const struct weft_engine *e, const struct weft_step *step,
	size_t member, unsigned nodes);
/* Removes the member's folders on this node. */
int weft_engine_stage_clean(
	const char *node_root, const char *memory_root, struct weft_err *err);

/* Inputs and environment of a step for `weft exec` and --weft-step, where another
 * starts the program: paths resolved, shared inputs staged.  env gets WEFT_*. */
int weft_engine_environment(const struct weft_engine *e, const struct weft_step *step,
	size_t member, struct weft_env *env, struct weft_err *err);

/* Takes from an environment what the job was asked for in tasks, CPUs and GPUs, and its
 * plug-in options: no defaults for a step's own srun. */
void weft_engine_forget_sizes(struct weft_env *env);
/* Words of srun for a task on each of n nodes of our job, beside what runs there. */
void weft_engine_srun_beside(struct weft_argv *a, unsigned n, const char *name);

#endif
