/* job.h - what run, submit, engine, status and their kin share; private to command */
#ifndef WEFT_COMMAND_JOB_H
#define WEFT_COMMAND_JOB_H

#include "command.h"

#include "engine/engine.h"

/* A workflow, read and planned. */
struct job {
	struct weft_workflow *wf;
	struct weft_conf *conf;
	struct weft_cluster *cluster;
	struct weft_plan *plan;
	struct weft_select_shapes *forecast; /* of Slurm; NULL: it was not asked */
	struct past *past;     /* what earlier runs were like; NULL: nothing is known */
	struct given *given;   /* sizes of files that steps read; NULL: not known */
	struct places *places; /* nodes that have data of the run; NULL: none */
	char *source;          /* the file's text */
	size_t source_len;
};
struct job_args {
	const char *file, *conf, *cluster;
	const char *parent;         /* of run directories: --run-dir */
	const struct weft_run *run; /* that it is a part of; NULL: of none */
	struct cmd_workflow_args w;
	bool one_step;   /* of it goes: what is said of whole workflows isn't asked */
	bool plan_only;  /* for `weft plan`: also where weft is switched off */
	bool local;      /* plan for this machine */
	bool allocation; /* plan for the Slurm job that we are in */
	bool json;       /* errors as JSON */
	bool no_plan;    /* read and check only */
	enum weft_group_mode group;
};
/* What select is told of earlier runs and the like; borrows from j. */
struct weft_select_options job_options(const struct job *j, const struct job_args *a);
/* forecast.c: asks Slurm when the workflow's first jobs would start; never an error. */
struct weft_select_shapes *forecast_load(const struct weft_workflow *wf,
	const struct weft_cluster *c, const struct weft_conf *conf,
	const struct weft_select_options *opt);
/* past.c: never an error, a plan does without. */
struct past *past_load(const char *parent, const struct weft_workflow *wf);
const struct weft_select_past *past_of_steps(const struct past *p);
void past_free(struct past *p);
/* given.c: bytes of inputs that are paths and go to memory; never an error. */
struct given *given_measure(const struct weft_workflow *wf);
const uint64_t *const *given_of_steps(const struct given *g);
void given_free(struct given *g);
/* places.c: where nodes have data of a run in their caches; never an error. */
struct places *places_find(const struct weft_run *run, const struct weft_workflow *wf);
const struct weft_select_place *places_of(const struct places *p, size_t *n);
void places_free(struct places *p);
/* --group none|auto|all; 0, or the exit status. */
int job_group_option(
	const struct weft_verb *v, const char *word, enum weft_group_mode *group);
/* Reads, checks and plans; prints what is wrong. 0, or the exit status. */
int job_open(struct job *j, const struct job_args *a);
void job_close(struct job *j);

/* policy.c: is the plan what the site allows this user? 0, or -1 with errors. */
int check_policy(const struct job *j, const struct job_args *a, struct weft_errs *errs);
/* policy_roots.c: may staging read and write what the workflow names? */
void check_roots(const struct job *j, struct weft_errs *errs);
/* How the comment of each of our Slurm jobs begins. */
#define WEFT_JOB_COMMENT "weft "

/* A run that exists, opened for its engine, status and the like. */
struct opened {
	struct weft_run *run;
	struct weft_workflow *wf;
	struct weft_conf *conf;
	struct weft_plan *plan;
};
int opened_open(struct opened *o, const char *dir, const char *conf);
void opened_close(struct opened *o);

/* The default parent of run directories: --run-dir, weft.conf, "weft-runs". */
const char *run_parent(const char *given, const struct weft_conf *conf);
/* Makes the run directory of a planned workflow. */
int make_run(const struct job *j, const struct job_args *a, const char *parent,
	struct weft_run **run, struct weft_err *err);

/* Gives a run this workflow and plan. */
int revise_run(const struct job *j, const struct job_args *a,
	const struct weft_run *run, struct weft_err *err);

/* engine.c: what an engine needs besides the run and its steps, which are set before;
 * strings stay with *e. */
int engine_fill(struct weft_engine *e, const struct opened *o, struct weft_err *err);
/* For `weft agent`: of this node alone. */
int engine_fill_agent(
	struct weft_engine *e, const struct opened *o, struct weft_err *err);
void engine_clear(struct weft_engine *e);
/* Once it is known whether members share this node as children: its model. */
void engine_find_machine(struct weft_engine *e);
/* Does srun know --weft-bind: is weft.so there? */
bool engine_has_plugin(void);
/* The site's srun --mpi type, else the first that works here; NULL: none. malloced. */
char *engine_mpi(const struct weft_conf *conf);

/* allocation.c: the job that we are in, as the engine's nodes (freed with
 * engine_clear) and as a cluster of its partition and nodes alone. */
int allocation_nodes(struct weft_engine *e, struct weft_err *err);
/* Of these, the one that we are on. */
int allocation_own_node(struct weft_engine *e, struct weft_err *err);
int allocation_cluster(struct weft_cluster **c, struct weft_err *err);
/* When its time is over, by Slurm; 0: not known.  And of a text of scontrol's, the time
 * after a key. */
double allocation_end(void);
double allocation_time_after(const char *text, const char *key);
/* What another job like this one is asked for with. */
int allocation_sbatch_args(struct weft_argv *a, struct weft_err *err);
/* Memory on each node, bytes; 0: not known. */
uint64_t allocation_mem(void);

/* submit.c: one sbatch a group; all borrowed. */
struct submission {
	const struct weft_run *run;
	const struct weft_workflow *wf;
	const struct weft_plan *plan;
	const struct weft_conf *conf;
	const char *weft; /* its path on the nodes */
};
/* What a job differs by from its group's first one. */
struct submit_how {
	const char *dependency; /* of sbatch; NULL none */
	const char *array;      /* tasks of it; NULL: as planned */
	unsigned turn; /* counts those that take over from each other; 0 first */
	/* Of a loop whose rounds have jobs of their own: this one's. */
	bool apart;
	size_t round;
	uint64_t mem; /* bytes a node, and seconds, where they are more */
	int64_t time;
	const char *exclude; /* further nodes; NULL none */
};
int submit_group(const struct submission *s, size_t group, const struct submit_how *how,
	uint32_t *job, struct weft_err *err);
/* Of a job that runs all of a run in one allocation: one like that we are in. */
int submit_allocation(const struct submission *s, const struct submit_how *how,
	uint32_t *job, struct weft_err *err);
int submit_allocation_note(const struct weft_run *run, const struct weft_workflow *wf,
	const char *job, const char *writer, struct weft_err *err);
/* Tells the journal of it.  block: from 1, of the one array task that the job is for;
 * 0: it is for all. */
int submit_note(const struct submission *s, struct weft_journal *journal, size_t group,
	uint32_t job, size_t block, const struct submit_how *how, struct weft_err *err);
/* All groups, or (tasks: NULL all) of each group tasks of its array, "" all, NULL none.
 * round: of each loop, which one its jobs are for; NULL: the first.  On error nothing
 * stays queued. */
int submit_run(const struct submission *s, const char *const *tasks,
	const size_t *round, unsigned turn, struct weft_err *err);
/* The line of a job's script that calls `weft engine`; before: what it begins with. */
void submit_engine_line(const struct submission *s, const char *before,
	const char *what, unsigned turn, struct weft_str *script);
/* A map of long options. */
void add_pairs(const struct weft_pairs *pairs, struct weft_argv *a);
/* sbatch options that the file says itself: mail, and the maps `slurm`. */
void add_user_options(const struct weft_workflow *wf, const struct weft_step *step,
	struct weft_argv *a);
/* shared.c: is the run directory to be seen on the nodes?  A node of each partition is
 * asked, once a day for all in a user's folder. */
int check_shared(const struct job *j, const struct weft_run *run, struct weft_err *err);

/* jobs.c: the jobs of a run, and which of them Slurm still knows as alive. */
struct run_jobs {
	uint32_t *id;
	char **step; /* a step of each */
	size_t n;
};
int run_jobs_read(
	const struct weft_run *run, struct run_jobs *jobs, struct weft_err *err);
void run_jobs_free(struct run_jobs *jobs);
/* The comment by which Slurm knows its jobs, malloced. */
char *run_jobs_comment(const struct weft_run *run);
struct live_jobs;
int live_jobs_load(struct live_jobs **l, struct weft_err *err);
/* Adds those that the journal doesn't have. */
int run_jobs_add_live(const struct weft_run *run, const struct live_jobs *l,
	struct run_jobs *jobs, struct weft_err *err);
bool live_jobs_has_id(const struct live_jobs *l, uint32_t id);
/* Does Slurm still know that somebody cancelled it? */
bool live_jobs_cancelled(const struct live_jobs *l, uint32_t id);
void live_jobs_free(struct live_jobs *l);
/* How many of them Slurm still has; all that it knows of the run is added. */
int run_jobs_left(const struct weft_run *run, struct run_jobs *jobs, size_t *left,
	struct weft_err *err);
/* Cancels them, and what Slurm knows of the run besides, and waits until none is left,
 * two minutes at most. */
int run_jobs_end(
	const struct weft_run *run, struct run_jobs *jobs, struct weft_err *err);
/* Turns of a resumption: jobs of the K-th count from K times this. */
#define RESUME_TURNS 1000000

/* local.c: who runs a run without Slurm; gone: surely not there any more. */
int local_engine_note(const struct weft_run *run, struct weft_err *err);
bool local_engine_gone(const struct weft_run *run);
/* Of an engine that is gone: waits until its members have ended, too. */
int local_engine_ended(const struct weft_run *run, struct weft_err *err);
/* As a child of ours that doesn't outlive us. */
int local_engine_start(const struct opened *o, pid_t *pid, struct weft_err *err);

/* State of a run, with Slurm's word where it has jobs. */
int status_of(const struct opened *o, bool ask_slurm, struct weft_status **st,
	struct weft_err *err);

/* follow.c: progress until the run has ended; the exit status of `weft run`. A local
 * run passes the engine's process, whose end is the end. */
int follow(const struct opened *o, pid_t engine, bool quiet, bool json);

#endif
