/*
 * spec - the workflow file, checked.
 *
 * From YAML nodes to a workflow in which every name resolves, every number is
 * in its range and every key that this version can't do was refused.  One
 * table of fields (fields.c) feeds the parser, conf/weft.schema.json and the
 * table in weft-workflow(5).  Members of sweeps are computed, never stored.
 *
 * Ownership: the workflow owns all it points to (one arena).  Units: bytes,
 * seconds, counts.  "Not given" is NULL, 0 or -1 as said at the field.
 * Errors: WEFT_ESPEC, up to 20 of a file in one go.  Threads: a loaded
 * workflow is read-only, but that looking up members which others need may note where
 * they are: one at a time.  Runs as: the user, never in slurmstepd, slurmd or
 * slurmctld.
 */
#ifndef WEFT_SPEC_H
#define WEFT_SPEC_H

#include "base/base.h"
#include "expr/expr.h"

#define WEFT_NO_STEP ((unsigned)-1)
#define WEFT_MAX_TASKS (1 << 22)

/* A text as written, with ${{ }} in it perhaps.  s NULL: not given. */
struct weft_text {
	const char *s;
	const struct weft_template *tpl; /* NULL: s is the value */
	struct weft_pos pos;
};

struct weft_pair { /* of a map: env, labels, vars, slurm, secrets */
	const char *name;
	struct weft_text value;
	struct weft_value axis; /* of a var: its value where not a template */
	struct weft_pos pos;    /* of the key */
};
struct weft_pairs {
	struct weft_pair *v;
	size_t n;
};
struct weft_texts {
	struct weft_text *v;
	size_t n;
};

enum weft_role {
	WEFT_ROLE_ANALYSIS, /* the default */
	WEFT_ROLE_SIMULATION,
	WEFT_ROLE_TRAINING,
	WEFT_ROLE_INFERENCE,
	WEFT_ROLE_STEERING,
	WEFT_N_ROLES
};
enum weft_launch { /* DEFAULT: single with one task, srun with more */
	WEFT_LAUNCH_DEFAULT,
	WEFT_LAUNCH_SINGLE,
	WEFT_LAUNCH_SRUN,
	WEFT_LAUNCH_MPI,
	WEFT_LAUNCH_TORCHRUN
};
enum weft_scratch { WEFT_SCRATCH_SHARED, WEFT_SCRATCH_NODE, WEFT_SCRATCH_MEMORY };
enum weft_keep { WEFT_KEEP_ALL, WEFT_KEEP_FAILED, WEFT_KEEP_NONE };
enum weft_mode { WEFT_MODE_AUTO, WEFT_MODE_LINK, WEFT_MODE_COPY, WEFT_MODE_BROADCAST };
enum weft_dep_state { WEFT_DEP_DONE, WEFT_DEP_FAILED, WEFT_DEP_ENDED };
enum weft_on_failure {
	WEFT_ON_FAILURE_STOP,
	WEFT_ON_FAILURE_CANCEL,
	WEFT_ON_FAILURE_CONTINUE
};
enum weft_cpus_policy { WEFT_CPUS_NEAR_GPU, WEFT_CPUS_SPREAD, WEFT_CPUS_COMPACT };
enum weft_memory_policy { WEFT_MEMORY_LOCAL, WEFT_MEMORY_INTERLEAVE, WEFT_MEMORY_NONE };

enum { /* keys of `place` that were given, a bit each */
	WEFT_GIVEN_CPUS = 1,
	WEFT_GIVEN_BALANCE = 2,
	WEFT_GIVEN_MEMORY = 4,
	WEFT_GIVEN_SMT = 8,
	WEFT_GIVEN_SPARE = 16,
	WEFT_GIVEN_ALL = 31 /* place: auto leaves nothing to a role */
};
struct weft_place_request {
	bool none; /* place: none */
	unsigned given;
	enum weft_cpus_policy cpus;
	bool balance_even; /* balance: even; else cores */
	enum weft_memory_policy memory;
	unsigned smt; /* hardware threads a core: 1, 2; 0: all */
	unsigned spare_cores;
};

/* resources, as written: one alternative (its siblings merged in). */
struct weft_resource_texts {
	struct weft_text partition, nodes, ntasks, ntasks_per_node, cpus_per_task,
		cpus_per_gpu, gpus, gpus_per_node, gpus_per_task, ntasks_per_gpu,
		gpu_type, mem, mem_per_cpu, mem_per_gpu, tmp, time, constraint, exclude,
		nodelist, exclusive, licenses, gres;
};

/* One alternative, evaluated.  Counts: 0 not given.  Texts: NULL not given.
 * Free with weft_resources_clear. */
struct weft_resources {
	char *partition, *gpu_type, *constraint, *exclude, *nodelist, *licenses, *gres;
	unsigned min_nodes, max_nodes; /* nodes: N, or N-M */
	unsigned ntasks, ntasks_per_node, cpus_per_task, cpus_per_gpu, ntasks_per_gpu;
	bool gpus_given; /* one of the gpu keys was, be it 0 */
	unsigned gpus, gpus_per_node;
	double gpus_per_task;
	uint64_t mem, mem_per_cpu, mem_per_gpu, tmp; /* bytes; mem is a node's */
	int64_t time;                                /* seconds; 0 not given */
	bool exclusive;
};

struct weft_axis {
	const char *name;
	struct weft_pos pos;
	bool range; /* first, last, step inclusive; else values */
	double first, last, step;
	int decimals; /* of a range's values; -1: as many as it takes */
	struct weft_value *value;
	size_t n;      /* values, of a range too */
	bool shared;   /* of `params`: members match by it */
	bool distinct; /* no value comes twice */
};
enum weft_sweep_kind {
	WEFT_SWEEP_NONE,
	WEFT_SWEEP_AXES,
	WEFT_SWEEP_EACH,
	WEFT_SWEEP_REPLICAS,
	WEFT_SWEEP_FILE,
	WEFT_SWEEP_ROUNDS /* no sweep, but a member a round of a loop */
};
struct weft_rows; /* members that no axes make, compact */
struct weft_sweep {
	enum weft_sweep_kind kind;
	bool zip; /* sweep_mode */
	struct weft_axis
		*axis; /* of replicas: one, named replica; of a file: columns */
	size_t n_axes;
	unsigned each; /* step index of {each: STEP}, whose axes these are */
	unsigned root; /* the step that `each` leads to in the end; else the step */
	size_t count;  /* members that are known; 1 without a sweep */
	size_t round;  /* of those, in each round of the step's loop; 0: in no loop */
	size_t most;   /* that there can ever be: what a plan reckons with */
	/* More may come: count isn't the last word.  See weft_sweep_read(). */
	bool growing;
	char *broken; /* why no more will come, and what there is isn't right; NULL */
	struct weft_rows *rows; /* of members from `fixed` on; NULL: none */
	size_t fixed;
	const char *file;           /* of rows, absolute; NULL: from a step */
	unsigned from, from_output; /* that step and its output; WEFT_NO_STEP */
};

/* What a step needs of another, from depends, inputs. */
struct weft_edge {
	unsigned step; /* index */
	enum weft_dep_state state;
	bool optional; /* a skip or lack doesn't spread; of several `from` neither */
	bool all;      /* NAME.*: all members, whatever the axes */
	struct weft_pos pos;
};

struct weft_input_from { /* one of `from` */
	unsigned step;   /* WEFT_NO_STEP: a path */
	unsigned output; /* index in that step's outputs */
	bool all;
	struct weft_text path;
};
enum weft_round { WEFT_ROUND_THIS, WEFT_ROUND_PREV, WEFT_ROUND_ALL };
struct weft_input {
	const char *name;
	struct weft_input_from *from;
	size_t n_from;
	enum weft_round round; /* of a step of the same loop: prev, or all before */
	struct weft_input_from
		*first; /* what stands for it in round 0; NULL: nothing */
	enum weft_scratch to;
	enum weft_mode mode;
	bool optional;
	struct weft_pos pos;
};
struct weft_output {
	const char *name;
	struct weft_text path; /* relative to the working directory, or a glob */
	bool optional;
	struct weft_pos pos;
};
struct weft_file { /* of `files` */
	const char *name;
	enum { WEFT_FILE_COPY, WEFT_FILE_TEMPLATE, WEFT_FILE_TEXT } kind;
	struct weft_text value; /* path, or text */
	struct weft_pos pos;
};

/* Why an attempt failed, as far as `retries` tells causes apart. */
enum weft_cause {
	WEFT_CAUSE_NONE, /* it didn't, or of itself: exit status, signal */
	WEFT_CAUSE_TIMEOUT,
	WEFT_CAUSE_NODE_FAIL,
	WEFT_CAUSE_PREEMPTED,
	WEFT_CAUSE_OOM,
	WEFT_CAUSE_CHECKPOINT, /* no failure: it goes on where it was; not in `retries`
				*/
};
const char *weft_cause_name(enum weft_cause cause); /* "node_fail"; "" of none */
enum weft_cause weft_cause_of(const char *name);    /* NULL: none */

struct weft_retry {      /* of `retries` */
	unsigned max;    /* attempts after the first, whatever they failed of */
	unsigned causes; /* 1u << enum weft_cause; 0 without exit codes: any failure */
	unsigned char *status; /* exit codes */
	size_t n_status;
	int64_t backoff; /* seconds */
	struct weft_text restart;
};
struct weft_checkpoint {
	int signal; /* 0: the step has none */
	int64_t before;
	unsigned max;
	struct weft_text path; /* NULL text: the whole working directory */
};

/* A program that looks at members that have ended, and adds and cancels others. */
struct weft_steer {
	bool given;
	struct weft_text run;
	struct weft_texts command;
	size_t every_members; /* or */
	int64_t every;        /* seconds; both 0: as soon as a member has ended */
	int64_t time;         /* limit of a call, seconds */
	unsigned cpus, gpus;  /* that are kept for it; cpus 0: nothing is */
	uint64_t mem;         /* bytes; 0: as members have */
};
#define WEFT_NO_LOOP ((unsigned)-1)
struct weft_step {
	const char *name;
	struct weft_pos pos;
	unsigned index; /* in the file */
	const char *description;
	enum weft_role role;
	struct weft_pairs labels, env, secrets, slurm;
	struct weft_text account, qos, reservation;
	struct weft_text run;      /* shell text */
	struct weft_texts command; /* or argv */
	struct weft_texts shell;   /* n 0: the default */
	struct weft_text setup;
	enum weft_launch launch;
	struct weft_file *file;
	size_t n_files;
	struct weft_text stdout_path, stderr_path;
	struct weft_edge *edge; /* depends and inputs, one a (step, state) */
	size_t n_edges;
	struct weft_resource_texts *resources; /* alternatives, >= 1, in order */
	size_t n_resources;
	bool place_given;
	struct weft_place_request place;
	struct weft_sweep sweep;
	unsigned max_parallel; /* 0: no limit */
	double max_failed;     /* members, or a share of them when max_failed_share */
	bool max_failed_share;
	enum weft_keep keep;
	enum weft_scratch scratch;
	struct weft_input *input;
	size_t n_inputs;
	struct weft_output *output;
	size_t n_outputs;
	const char *metrics; /* never NULL: "metrics.jsonl" */
	struct weft_text when;
	const struct weft_expr *when_expr; /* NULL: always */
	bool optional, finally;
	struct weft_retry *retry;
	size_t n_retries;
	struct weft_checkpoint checkpoint;
	struct weft_steer steer;
	unsigned loop; /* index; WEFT_NO_LOOP */
};

/* Steps that are run again and again; the members of round r come after those of all
 * rounds before. */
struct weft_loop {
	unsigned *step; /* indices, in file order */
	size_t n_steps, max;
	struct weft_text until;
	const struct weft_expr *until_expr; /* NULL: all of max */
	size_t rounds;                      /* that have begun */
	bool ended;                         /* no more will */
	char *why;                          /* it did; NULL: not known */
	struct weft_pos pos;
};

struct weft_budget {
	double node_hours, gpu_hours, core_hours; /* 0: no limit */
	struct weft_pos pos;
};

struct weft_workflow {
	struct weft_arena arena;
	const char *file; /* absolute path of the workflow file */
	const char *dir;  /* its folder: ${{ workflow.dir }} */
	const char *name, *description;
	struct weft_pairs labels, vars, env, secrets, slurm;
	struct weft_text account, qos, reservation, mail;
	struct weft_budget budget;
	enum weft_on_failure on_failure;
	struct weft_step *step;
	size_t n_steps;
	struct weft_loop *loop;
	size_t n_loops;
	unsigned *order; /* step indices, dependencies first; ties in file order */
	struct weft_map by_name;     /* step name -> index */
	struct weft_map var_by_name; /* name of a var -> index */
};

struct weft_spec_options {
	const char *dir;        /* overrides the folder that paths are relative to */
	const char *const *set; /* --set KEY=VALUE, in order */
	size_t n_set;
	const char *const *overlay; /* --overlay FILE, in order */
	size_t n_overlay;
	/* A folder with copies of the files of sweeps, each STEP.csv or STEP.jsonl,
	 * that are read in their place; NULL: none. */
	const char *points;
};

/* *wf is NULL on error, then errs has at least one. */
int weft_spec_load(const char *path, const struct weft_spec_options *opt,
	struct weft_workflow **wf, struct weft_errs *errs);
/* As load, from a text that claims to be `path`. */
int weft_spec_parse(const char *path, const char *text, size_t n,
	const struct weft_spec_options *opt, struct weft_workflow **wf,
	struct weft_errs *errs);
void weft_spec_free(struct weft_workflow *wf);
const struct weft_step *weft_spec_step(
	const struct weft_workflow *wf, const char *name);
/* Names in the field's words: "training", "torchrun". */
const char *weft_role_name(enum weft_role role);
const char *weft_launch_name(enum weft_launch launch);
const char *weft_scratch_name(enum weft_scratch scratch);
/* The entry of `retries` that fits an attempt (0 the first) that failed of this; NULL:
 * none, it stays failed.  status: of the program; -1 none. */
const struct weft_retry *weft_spec_retry(const struct weft_step *step, unsigned attempt,
	enum weft_cause cause, int status);

/* ---- members ----------------------------------------------------------- */

#define WEFT_ID_DIGITS 12 /* hex, of the digest of the params */
#define WEFT_MEMBER_ID (WEFT_ID_DIGITS + 1)
struct weft_member {
	size_t index, count;      /* in a loop: of its round */
	size_t round;             /* 0 but in a loop */
	char id[WEFT_MEMBER_ID];  /* digest of params and round: stays when others come
				   */
	struct weft_value params; /* WEFT_V_MAP; empty without a sweep */
};
/* Fills *m (clear with weft_member_clear). index < step->sweep.count, or of a loop any
 * up to .most. */
/* The index that it was made with. */
static inline size_t weft_member_number(const struct weft_member *m)
{
	return m->round * m->count + m->index;
}
int weft_sweep_member(const struct weft_workflow *wf, const struct weft_step *step,
	size_t index, struct weft_member *m, struct weft_err *err);
void weft_member_clear(struct weft_member *m);
/* A sweep grows while the workflow runs: the workflow is read-only but for these, which
 * every process of a run calls in the same order (weft_run_grow()).  Members keep their
 * index.  Not while another thread reads the workflow. */
/* The rows of a sweep from a STEP.OUTPUT, once that is there.  Errors have the file's
 * name and line. */
int weft_sweep_read(const struct weft_workflow *wf, unsigned step, const char *path,
	struct weft_err *err);
/* They'll never be there, or can't be read. -1: no memory. */
int weft_sweep_break(const struct weft_workflow *wf, unsigned step, const char *why);
/* A member with these params, of which every axis has one: *index is its number. */
int weft_sweep_add(const struct weft_workflow *wf, unsigned step,
	const struct weft_value *params, size_t *index, struct weft_err *err);
/* Could they be a member's?  There may be one already. */
int weft_sweep_check(const struct weft_workflow *wf, unsigned step,
	const struct weft_value *params, struct weft_err *err);
/* The id that it would have. */
int weft_sweep_id(const struct weft_value *params, char id[WEFT_MEMBER_ID]);
/* No more will be added. */
void weft_sweep_end(const struct weft_workflow *wf, unsigned step);
/* The next round of a loop begins; at max it is the last. */
void weft_loop_next(const struct weft_workflow *wf, unsigned loop);
/* It was the last one. -1: no memory. */
int weft_loop_end(const struct weft_workflow *wf, unsigned loop, const char *why);
/* JSON to a value; *out is the caller's to clear. */
int weft_spec_json(
	const char *text, size_t n, struct weft_value *out, struct weft_err *err);
/* A sweep cut into blocks of neighbours as even as can be: the first member of a
 * block (block == blocks: count), and the block that a member is in. */
size_t weft_sweep_block_first(size_t count, size_t blocks, size_t block);
size_t weft_sweep_block_of(size_t count, size_t blocks, size_t member);
/* Do members of `step` match members of edge's step by shared axes (not all
 * to all)?  Which does `index` need: calls f with each index.  In one loop: of the same
 * round; from outside of a loop: of its last round. */
bool weft_spec_matches(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_edge *edge);
int weft_spec_each_match(const struct weft_workflow *wf, const struct weft_step *step,
	size_t index, const struct weft_edge *edge, int (*f)(void *ctx, size_t index),
	void *ctx);
/* As each_match, of a round of the edge's step rather than the one that belongs to it.
 */
int weft_spec_each_in_round(const struct weft_workflow *wf,
	const struct weft_step *step, size_t index, const struct weft_edge *edge,
	size_t round, int (*f)(void *ctx, size_t index), void *ctx);
/* Are all members known that `step` needs by this edge? */
bool weft_spec_whole(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_edge *edge);
/* True when the members correspond one to one in index (same axes, same
 * order): Slurm's aftercorr says the same. */
bool weft_spec_one_to_one(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_edge *edge);

/* ---- values ------------------------------------------------------------ */

/* What names mean at a moment. Zero or NULL: not known (a use is an error). */
struct weft_scope {
	const struct weft_workflow *wf;
	const struct weft_step *step; /* NULL at the top level */
	const struct weft_member *member;
	unsigned attempt;
	int variant; /* index of the resources alternative; -1 unknown */
	const char *run_id, *run_dir, *step_dir;
	unsigned step_ntasks;
	/* inputs.X, outputs.X, steps.NAME.*: asked of the run; NULL before one. */
	weft_lookup runtime;
	void *ctx;
	unsigned env_level; /* 0; the room's own while it reads values of env */
};
int weft_scope_lookup(void *scope, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err);
/* The value of a text, malloced.  Errors carry the text's file and line. */
int weft_scope_text(const struct weft_scope *scope, const struct weft_text *text,
	char **out, struct weft_err *err);
int weft_scope_when(const struct weft_scope *scope, const struct weft_step *step,
	bool *yes, struct weft_err *err);
/* Is a round of the loop the last one?  The scope is a member's of that round. */
int weft_scope_until(const struct weft_scope *scope, const struct weft_loop *loop,
	bool *yes, struct weft_err *err);
/* Evaluates one alternative of a step's resources.  Missing keys stay "not
 * given": defaults are select's. */
int weft_scope_resources(const struct weft_scope *scope, const struct weft_step *step,
	size_t alternative, struct weft_resources *out, struct weft_err *err);
void weft_resources_clear(struct weft_resources *r);

/* ---- the table of fields ----------------------------------------------- */

/* Prints what is generated from the table, byte for byte what the repository
 * holds: the draft-07 schema, and the rows of weft-workflow(5) in mdoc. */
int weft_spec_print_schema(struct weft_str *out);
int weft_spec_print_mdoc(struct weft_str *out);

#endif
