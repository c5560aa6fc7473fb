/*
 * select - workflow + snapshot + policy -> plan.  Pure.
 *
 * For every step: partition, nodes, tasks, GPUs, memory and time; for every
 * step or sweep a group, that is one Slurm job or job array.  An impossible
 * request is an error that says why and what the cluster has instead.
 *
 * Ownership: a plan owns all it holds (one arena) and borrows nothing.
 * Units: bytes, seconds, hours as double.  Errors: WEFT_EPLACE with the line in
 * the workflow file.  Threads: any.  Same input, byte-identical output.
 * Runs as: the user.
 */
#ifndef WEFT_SELECT_H
#define WEFT_SELECT_H

#include "cluster/cluster.h"
#include "conf/conf.h"
#include "spec/spec.h"

#define WEFT_NO_GROUP ((unsigned)-1)
#define WEFT_NO_BYTES UINT64_MAX /* nothing says how many */

struct weft_plan_step {
	const char *name;
	const char *partition;                   /* "" for --local */
	const char *account, *qos, *reservation; /* "" none */
	/* Of a member.  ntasks_per_node is the most on a node.  With torchrun tasks
	 * are its workers; Slurm gets one task a node with the CPUs of all of them. */
	unsigned nodes, ntasks, ntasks_per_node, cpus_per_task;
	/* In all; the most on a node (less on some where gpus is no multiple). */
	unsigned gpus, gpus_per_node;
	/* That share a GPU: gpus_per_task below 1; 0 where they have whole ones. */
	unsigned tasks_per_gpu;
	const char *gpu_type; /* "" any */
	uint64_t mem;         /* bytes a node; 0: the partition's default */
	uint64_t in_memory;   /* of mem: files that it has in the node's memory */
	uint64_t tmp;
	int64_t time; /* the job's limit in seconds, whole minutes; 0 none */
	/* "" none; gres: what is not GPUs */
	const char *constraint, *exclude, *nodelist, *licenses, *gres;
	bool exclusive;
	int variant;             /* alternative of any_of that was taken */
	enum weft_launch launch; /* never DEFAULT */
	size_t members;          /* 1 without a sweep */
	unsigned max_parallel;   /* 0: no limit */
	unsigned group;          /* index */
	double node_hours, core_hours, gpu_hours; /* upper bound, all members */
	const char *why;                          /* one line: why this partition */
	/* Expected, in seconds; negative: not known, and always with --local.  run: of
	 * a member; of a group's shape: of one of its jobs.  wait: of the group's job
	 * in the queue, from when it could start.  start, end: of the first and the
	 * last member, after the submission. */
	double run, wait, start, end;
	/* That its members read over the shared file system; WEFT_NO_BYTES. */
	uint64_t bytes;
};

/* Members that one GPU has at a time: those of a single task that weft starts by itself
 * and that ask for a part.  1: each has GPUs of its own. */
unsigned weft_plan_step_sharers(const struct weft_plan_step *p);

struct weft_plan_need {
	unsigned group;
	bool corresponding; /* aftercorr: task i needs task i only */
};

/* Steps that share an allocation: one sbatch.  A sweep is an array of `tasks` jobs,
 * each with a block of its members (weft_sweep_block_first()); several sweeps in one
 * array correspond member by member. */
struct weft_plan_group {
	const char *name;
	unsigned *step; /* indices, needed ones first */
	size_t n_steps;
	size_t tasks;          /* array tasks; 0: a plain job */
	size_t block;          /* members of a sweep that one job runs, the most */
	unsigned width;        /* of them beside each other */
	unsigned max_parallel; /* array tasks at a time; 0: no limit */
	struct weft_plan_need *need; /* earlier groups it waits for */
	size_t n_needs;
	struct weft_plan_step
		shape;   /* what the job asks of sbatch; name is the group's */
	const char *why; /* one line: why these together; "" nothing to say */
};

struct weft_plan {
	struct weft_arena arena;
	const char *workflow;
	struct weft_plan_step *step; /* as in the workflow, same indices */
	size_t n_steps;
	struct weft_plan_group *group; /* needed groups come first */
	size_t n_groups;
	double node_hours, core_hours, gpu_hours;
	double end;     /* expected, of the last group; negative: not known */
	uint64_t bytes; /* of all groups; WEFT_NO_BYTES */
};

/* What earlier runs of a step were like. */
struct weft_select_past {
	size_t n;            /* members that it was seen of; 0: nothing is known */
	double seconds;      /* of a member, the 95th percentile */
	const uint64_t *out; /* bytes of each of the step's outputs, of a member */
};

/* Data of an output that lies on a node, in its cache. */
struct weft_select_place {
	unsigned step, output;
	const char *node;
	uint64_t bytes;
};

/* Which steps and members share an allocation. */
enum weft_group_mode {
	WEFT_GROUP_AUTO, /* where that saves a wait and wastes little */
	WEFT_GROUP_NONE, /* a job for each step, an array task for each member */
	WEFT_GROUP_ALL,  /* whatever can */
};

/* A job, and when Slurm says that it would start. */
struct weft_select_forecast {
	struct weft_plan_step shape; /* what sbatch would be told */
	char key[WEFT_DIGEST_HEX];   /* of the shape, for a cache */
	double wait; /* seconds after cluster.taken; negative: not known */
};
struct weft_select_shapes {
	struct weft_arena arena; /* owns the strings */
	struct weft_select_forecast *v;
	size_t n;
};

struct weft_select_options {
	enum weft_group_mode group;
	/* By step of the workflow; NULL: nothing is known. */
	const struct weft_select_past *past;
	/* By step: bytes of each of its inputs that is a path, WEFT_NO_BYTES where that
	 * isn't known.  NULL: of none; given[i] NULL: of none of that step. */
	const uint64_t *const *given;
	/* Where data is already that steps read. */
	const struct weft_select_place *place;
	size_t n_places;
	/* Slurm's answers; where there is none the snapshot tells. */
	const struct weft_select_forecast *forecast;
	size_t n_forecasts;
	/* The longest job that members and steps may be put into; 0: the partition's.
	 */
	int64_t longest;
	/* The snapshot is this machine: no partition, no limits; what it lacks is
	 * left out, and `why` says so. */
	bool local;
};

/* What to ask Slurm: at most 16 distinct jobs that steps of the workflow might be, the
 * first steps first.  The caller asks, fills in `wait` and plans with them.  opt: what
 * the plan will be made with; past and given are looked at (NULL: none). */
int weft_select_shapes(const struct weft_workflow *wf,
	const struct weft_cluster *cluster, const struct weft_conf *conf,
	const struct weft_select_options *opt, struct weft_select_shapes **out,
	struct weft_err *err);
void weft_select_shapes_free(struct weft_select_shapes *s);

int weft_select_plan(const struct weft_workflow *wf, const struct weft_cluster *cluster,
	const struct weft_conf *conf, const struct weft_select_options *opt,
	struct weft_plan **plan, struct weft_errs *errs);
void weft_plan_free(struct weft_plan *plan);
/* Resources of one member when they depend on it (params in resources):
 * the step's plan with that member's numbers. */
int weft_plan_step_member(const struct weft_plan *plan, const struct weft_workflow *wf,
	const struct weft_conf *conf, unsigned step, size_t member,
	struct weft_plan_step *out, struct weft_arena *arena, struct weft_err *err);
/* Bytes that files of a member of the step take of a node's memory, as a plan counts
 * them: past and given of opt say of which size they are.  tmp: of the member's
 * resources. */
uint64_t weft_select_in_memory(const struct weft_workflow *wf,
	const struct weft_select_options *opt, unsigned step, uint64_t tmp);
/* Do they depend on it, or on the attempt? */
bool weft_plan_step_varies(const struct weft_step *step);
/* The same of an attempt, 0 the first: a later one may ask for more memory and time
 * than the step's plan has. */
int weft_plan_step_attempt(const struct weft_plan *plan, const struct weft_workflow *wf,
	const struct weft_conf *conf, unsigned step, size_t member, unsigned attempt,
	struct weft_plan_step *out, struct weft_arena *arena, struct weft_err *err);

/* A partition and an alternative of any_of, for one step. */
struct weft_candidate {
	int variant;
	const char *partition; /* "": of the whole alternative */
	bool fits, chosen;
	unsigned nodes, idle; /* that take a share; with room for one now */
	/* Seconds: until the first member has room, that one runs, that its data takes
	 * to get there, until the last has ended.  Negative: not known. */
	double wait, run, data, end;
	const char *why, *hint; /* why refused, not preferred, or chosen; "" none */
};
struct weft_explanation {
	struct weft_arena arena;
	uint64_t in_memory; /* as the plan's step has it */
	unsigned sharers;   /* members that have a GPU at a time; 1: one */
	size_t n_variants;
	struct weft_candidate *candidate; /* alternatives in order, then partitions */
	size_t n_candidates;
};
/* Every partition and alternative of a step, why not and why: also of a step that
 * nothing holds.  As weft_select_plan() chooses on a cluster. */
int weft_select_explain(const struct weft_workflow *wf,
	const struct weft_cluster *cluster, const struct weft_conf *conf,
	const struct weft_select_options *opt, unsigned step,
	struct weft_explanation **out, struct weft_errs *errs);
void weft_explanation_free(struct weft_explanation *x);

/* What is held while it runs, by the job of a step's group, or by one member. */
struct weft_plan_rate {
	double nodes, cores, gpus;
};
void weft_plan_rate(const struct weft_plan *plan, unsigned step, bool job,
	struct weft_plan_rate *out);

/* Where the step's tasks are to be put, by the step, else its role, else the site;
 * false: they aren't bound. */
bool weft_select_place(const struct weft_step *step, const struct weft_conf *conf,
	struct weft_place_request *out);

/* Whose plan it is, for what weft.conf says of users. */
struct weft_policy {
	const char *user;    /* NULL: [limits] alone */
	const char *account; /* of steps that name none; NULL: not known */
	/* What the user's other jobs of weft ask for; counted only for user_nodes and
	 * user_gpus. */
	uint64_t held_nodes, held_gpus;
	/* The plan is for an allocation that is there: what a job may be is settled. */
	bool allocated;
	/* Told of each refusal, for the admin's log; may be NULL. */
	void (*refused)(void *ctx, const char *rule, const char *value);
	void *ctx;
};
/* Is the plan, at its upper bound, what [limits] allows?  0, or -1: each error tells
 * what was counted, what is allowed and whom to ask. */
int weft_select_policy(const struct weft_workflow *wf, const struct weft_plan *plan,
	const struct weft_conf *conf, const struct weft_policy *policy,
	struct weft_errs *errs);

/* The loop of which each round has jobs of its own, because its steps can't share one,
 * and the group is one of these; WEFT_NO_LOOP: there is none. */
unsigned weft_plan_apart(
	const struct weft_plan *plan, const struct weft_workflow *wf, size_t group);

/* Seconds that a block of the group's members may take, where each job of its array may
 * run any block: one that has time left takes that of one that still waits.  0: they
 * may not, or the time isn't limited. */
int64_t weft_plan_block_time(const struct weft_plan *plan, size_t group);

/* The plan as JSON (schema: conf/plan.schema.json), and back. */
int weft_plan_print_json(const struct weft_plan *plan, struct weft_str *out);
int weft_plan_parse_json(
	const char *text, size_t n, struct weft_plan **plan, struct weft_err *err);

/* sbatch options of a group (with --array, without --dependency), or srun options
 * of a step inside an allocation, for an environment without SLURM_NTASKS_PER_NODE
 * and its like: words such as "--ntasks=4". */
int weft_plan_sbatch_args(const struct weft_plan_group *g, struct weft_argv *args);
int weft_plan_srun_args(const struct weft_plan_step *s, struct weft_argv *args);

#endif
