/*
 * journal - the run directory, the append-only record of a run, completion
 * records.
 *
 *   RUN/run.json        who, when, which file, --set, --overlay (written once)
 *   RUN/workflow.yaml   the file as it was
 *   RUN/plan.json       what select decided (written once)
 *   RUN/points/         the files that sweeps were read from, as they were
 *   RUN/revisions/N/    the same three of a run that was given another file
 *   RUN/claims/         who runs what, where several could: the first who says so
 *   RUN/journal/        JSON lines, one writer a file, each line checksummed
 *   RUN/records/        completion records of sweeps' members, likewise
 *   RUN/stop            the stop marker: nothing new starts
 *   RUN/steps/STEP/     a step without a sweep
 *     done.json         its completion record, complete or absent
 *   RUN/steps/STEP/ID/  a member (STEP/XX/ID where there are over 1,000)
 *   RUN/steps/STEP/rN/  of round N of a loop: as a step, or with members in it
 *   RUN/actions/        what was decided while it ran: rounds, members added
 *     stdout stderr     of the step
 *     work/             working directory with scratch: shared
 *     out/              published outputs
 *
 * Run directories live on shared file systems where locks can't be trusted:
 * numbers are claimed with mkdir, files have one writer, readers merge.
 *
 * Ownership: as said at each.  Errors: WEFT_ESYS; WEFT_ESPEC for a damaged
 * record.  Threads: one writer or reader object a thread.  Runs as: the user.
 */
#ifndef WEFT_JOURNAL_H
#define WEFT_JOURNAL_H

#include "spec/spec.h"

/* ---- run directory ----------------------------------------------------- */

struct weft_run {
	char *dir; /* absolute */
	char *id;  /* "heat-surrogate/3" */
	char *name;
	unsigned number;
	char *file;    /* the workflow file, absolute, as it was given */
	char *workdir; /* its folder */
	char **set;
	size_t n_set;
	char **overlay; /* copies inside the run directory, in order */
	size_t n_overlay;
	char *user;
	char *version; /* of weft */
	bool local;
	double created;
	size_t n_steps; /* of the workflow: folders are sharded above 1,000 */
	/* How often it was given another workflow file, and where what it goes by is.
	 */
	unsigned revision;
	char *files;
	/* Digests of workflow.yaml, plan.json and the overlays; "" unknown. */
	char (*sum)[WEFT_DIGEST_HEX];
};
struct weft_run_new {
	const char *parent; /* "weft-runs", made if missing */
	const char *name;   /* workflow's */
	const char *file, *dir;
	const char *source; /* text of the workflow file */
	size_t source_len;
	const char *const *set, *const *overlay;
	size_t n_set, n_overlay;
	bool local;
	size_t n_steps;
	const struct weft_pairs *labels; /* of the workflow; NULL none */
	const struct weft_workflow *wf;  /* whose files of sweeps are kept; NULL none */
	const char *plan_json;
};
/* Claims PARENT/NAME/N with the next free N and fills it. */
int weft_run_create(
	const struct weft_run_new *def, struct weft_run **run, struct weft_err *err);
/* Gives a run another workflow (of the same name) and plan: they count from when it is
 * opened next, all at once.  def->parent isn't looked at. */
int weft_run_revise(const struct weft_run *run, const struct weft_run_new *def,
	struct weft_err *err);
/* dir: a run directory; or PARENT/NAME (latest N); or NAME, NAME/N below parent. */
int weft_run_open(const char *dir, const char *parent, struct weft_run **run,
	struct weft_err *err);
void weft_run_free(struct weft_run *run);
/* The workflow and plan text that the run was made from; an error if they were
 * changed since. */
int weft_run_workflow(
	const struct weft_run *run, struct weft_workflow **wf, struct weft_errs *errs);
int weft_run_plan_text(
	const struct weft_run *run, char **text, size_t *n, struct weft_err *err);
/* Brings the workflow up to what the run knows by now: sweeps read from outputs that
 * are done (weft_sweep_read()).  weft_run_workflow() has done so. */
int weft_run_grow(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_err *err);
/* Folder of a step or member (member NULL: step without a sweep), malloced;
 * not made. */
char *weft_run_step_dir(const struct weft_run *run, const struct weft_step *step,
	const struct weft_member *member);
/* Number of the latest run in PARENT/NAME; 0: none. */
unsigned weft_run_last(const char *dir);
/* Stop marker: reason in one line. 1: not stopped. reason malloced. */
int weft_run_stop(const struct weft_run *run, const char *reason, struct weft_err *err);
int weft_run_stopped(const struct weft_run *run, char **reason);
/* It goes on: the marker is gone. */
int weft_run_unstop(const struct weft_run *run, struct weft_err *err);

/* Jobs of an array may run each other's blocks of members: each block is run by the job
 * ("1234_7") that says so first, for as long as the run directory is there.  0: it is
 * this job; 1: another one was faster. */
int weft_claim(const struct weft_run *run, const char *array, size_t task,
	const char *job, struct weft_err *err);
/* The job that runs the block of array task "1234_7", malloced; NULL: none said so. */
char *weft_claimed_by(const struct weft_run *run, const char *job);

/* ---- completion records ------------------------------------------------ */

enum weft_state {
	WEFT_STATE_NONE,      /* nothing known: waiting */
	WEFT_STATE_SUBMITTED, /* a job of it is queued */
	WEFT_STATE_STAGING,
	WEFT_STATE_RUNNING,
	WEFT_STATE_DONE,
	WEFT_STATE_FAILED,
	WEFT_STATE_SKIPPED, /* `when` was false, or a skip spread */
	WEFT_STATE_NOT_RUN, /* something it needs failed, or the run was stopped */
	WEFT_STATE_CANCELLED,
	WEFT_STATE_LOST, /* its job is gone without a record */
};
const char *weft_state_name(enum weft_state s); /* "done", "not run" ... */

struct weft_record {
	enum weft_state state;
	enum weft_code code; /* kind of failure: 1 step failed, 5 staging ... */
	char *step, *member; /* member "" without a sweep */
	size_t index;        /* of the member */
	unsigned round;      /* of a loop */
	unsigned attempt;    /* the newest of a member counts */
	int exit_status;     /* of the program; -1: none */
	int signal;          /* 0: none */
	char *reason;        /* one line for people; "" */
	/* A record whose state is no end (waiting) says that its attempt failed and
	 * that another follows. */
	char *cause;      /* of a failure, as in `retries`: "timeout" "node_fail" "oom"
			   * "preempted"; "" else */
	char *job;        /* "1234" "1234_7"; "" local */
	char *digest;     /* of definition and inputs */
	char *definition; /* of the definition alone: alike for all members */
	char *hosts;      /* host list where it ran */
	double queued, started, ended;  /* submission, launch, end */
	uint64_t staged_in, staged_out; /* bytes */
	double stage_seconds;
	double user_seconds, system_seconds; /* of its processes; 0 not known */
	uint64_t max_rss;                    /* bytes, of the largest of them */
	char *placement; /* what each task was given, a line each; "" not known */
	struct weft_record_output {
		char *name, *path; /* absolute; for a glob its folder */
		uint64_t bytes, files;
		char *hash; /* root hash of what was copied; NULL or "": not known */
		/* Of which that is known: a digest of its names, sizes and times. */
		char *identity;
	} * output;
	size_t n_outputs;
	/* Of which that is known. */
	struct weft_record_input {
		char *name, *hash;
	} * input;
	size_t n_inputs;
};
/* Of a step without a sweep; dir: its folder. read: 1 when there is none. */
int weft_record_write(
	const char *dir, const struct weft_record *r, struct weft_err *err);
int weft_record_read(const char *dir, struct weft_record **r, struct weft_err *err);
void weft_record_free(struct weft_record *r);
/* Digest of a step's definition: everything that makes it what it is. */
int weft_record_digest(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_member *member, char hex[WEFT_DIGEST_HEX],
	struct weft_err *err);

/*
 * Records of members: lines of RUN/records/NAME.jsonl, written by one process (an
 * engine, or the agent of a node).  The newest attempt of a member counts; of two valid
 * records of one attempt the first counts, and the store tells of it; but one that
 * waits takes back what its attempt has ended in (a run that is resumed).  A torn or
 * damaged line is as if it weren't there.
 */
struct weft_recorder;
/* name: as of a journal; the same name again goes on with the file, once whoever wrote
 * it is gone. */
int weft_recorder_open(const struct weft_run *run, const char *name,
	struct weft_recorder **r, struct weft_err *err);
/* A member's record as such a line, and back; parse: NULL without memory, or when the
 * line isn't whole. */
int weft_record_print(
	const struct weft_record *r, struct weft_str *out, struct weft_err *err);
struct weft_record *weft_record_parse(const char *line, size_t n);
/* Puts it into the buffer: step, member and index must be the member's. */
int weft_recorder_add(
	struct weft_recorder *r, const struct weft_record *rec, struct weft_err *err);
/* As many were added and are not on disk yet. */
size_t weft_recorder_pending(const struct weft_recorder *r);
/* Does beforehand what the first commit waits for besides; for when there is nothing
 * else to do. */
int weft_recorder_settle(struct weft_recorder *r, struct weft_err *err);
/* Writes what was added, and waits until it is on disk: only then a result counts.  On
 * -1 nothing of it does; it stays in the buffer for the next commit. */
int weft_recorder_commit(struct weft_recorder *r, struct weft_err *err);
/* The same in three parts, so that more may be added meanwhile: writes what was added;
 * waits for the disk, which another thread may do (errno); and is told how that went.
 */
int weft_recorder_begin(struct weft_recorder *r, struct weft_err *err);
int weft_recorder_sync(const struct weft_recorder *r);
void weft_recorder_end(struct weft_recorder *r, bool synced);
/* Commits what is left as far as it goes; NULL is fine. */
void weft_recorder_close(struct weft_recorder *r);

/*
 * The store: all completion records of a run, those of steps without a sweep too.
 * Holds a few bytes a member; the whole record is read from its file when asked for.
 */
struct weft_records;
struct weft_record_head {
	bool known;            /* there is a record */
	enum weft_state state; /* NONE: none, or the attempt failed and one follows */
	enum weft_code code;
	unsigned attempt;
};
/* Reads nothing yet.  run and wf stay borrowed; the sweeps of wf may grow. */
int weft_records_open(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_records **rs, struct weft_err *err);
void weft_records_free(struct weft_records *rs);
/* Reads what is new in all files; changed (may be NULL) is called for each member, or
 * step, whose record is new or another one now. */
int weft_records_poll(struct weft_records *rs,
	void (*changed)(void *ctx, unsigned step, size_t member), void *ctx,
	struct weft_err *err);
/* Only what is new in the file of one writer; one that isn't there has nothing. */
int weft_records_poll_writer(struct weft_records *rs, const char *name,
	void (*changed)(void *ctx, unsigned step, size_t member), void *ctx,
	struct weft_err *err);
/* Only a step without a sweep. A damaged record is an error here, and none for poll. */
int weft_records_poll_step(
	struct weft_records *rs, unsigned step, struct weft_err *err);
struct weft_record_head weft_records_head(
	const struct weft_records *rs, unsigned step, size_t member);
/* 1 when there is none. */
int weft_records_read(struct weft_records *rs, unsigned step, size_t member,
	struct weft_record **r, struct weft_err *err);
/* What is odd in the lines that were read so far. */
struct weft_records_odd {
	size_t damaged;   /* their sum is wrong; a torn one at the end isn't read yet */
	size_t strangers; /* of members that the workflow doesn't have */
	/* Of one attempt there are two records that differ: who wrote them; the first
	 * 100, borrowed until the next poll. */
	struct weft_records_twice {
		unsigned step;
		size_t member;
		unsigned attempt;
		char *counts, *other; /* files below records/ */
	} * twice;
	size_t n_twice;
};
void weft_records_odd(const struct weft_records *rs, struct weft_records_odd *odd);
/* Puts what counts into one file, records/compact-N.jsonl, where there are many files
 * or most lines don't count any more; 1: there are not.  Nobody may be writing: no
 * engine of the run lives.  Who reads meanwhile misses nothing. */
int weft_records_compact(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_err *err);

/* ---- history ----------------------------------------------------------- */

/* What a step was like, of members that were done by the definition that it has now. */
struct weft_history_step {
	size_t n;       /* members that were looked at; 0: nothing is known */
	double seconds; /* from a member's launch to its end, 95th percentile */
	uint64_t *out;  /* bytes of each of the step's outputs, of a member: the mean */
};
struct weft_history {
	struct weft_arena arena;
	struct weft_history_step *step; /* by index; NULL: there is no earlier run */
	size_t n_steps;
};
/* From the latest runs in PARENT/NAME, local ones or Slurm's: a sample of at most 512
 * records, spread over steps and members.  What can't be read counts as not there. */
int weft_history_load(const char *parent, const struct weft_workflow *wf, bool local,
	struct weft_history **h, struct weft_err *err);
void weft_history_free(struct weft_history *h);

/* Last value of a metric in a JSON-lines file. 1: missing. */
int weft_metric_last(const char *file, const char *name, struct weft_value *out,
	struct weft_err *err);

/* All metrics of such a file as a JSON object, the last value of each; `{}` without
 * one. */
void weft_metrics_json(const char *file, struct weft_str *out);

/* ---- journal ----------------------------------------------------------- */

struct weft_event {
	double time;
	char *step, *member; /* "" of the run */
	char *job;           /* "" unknown */
	enum weft_state state;
	char *text; /* detail in one line: of RUNNING its hosts; "" */
	/* Progress 0..total; total 0: none.  Of SUBMITTED: total array tasks, each with
	 * a block of the members; 0: one job has them all; done: the one task, from 1,
	 * that is meant. */
	double done, total;
};
/* SUBMITTED of a job that goes on with a loop, whose `step` is "loop/N"; and of a job
 * for one round of a loop, whose `text` is "round N". */
bool weft_event_loop(const struct weft_event *e, size_t *loop);
bool weft_event_round(const struct weft_event *e, size_t *round);
struct weft_journal; /* a writer */
/* name: file below journal/ (folders allowed), unique to this writer, e.g.
 * "submit", "train-1234", "simulate-1235.0/7" (shard of a thousand / task). */
int weft_journal_open(const struct weft_run *run, const char *name,
	struct weft_journal **j, struct weft_err *err);
int weft_journal_add(
	struct weft_journal *j, const struct weft_event *e, struct weft_err *err);
/* Buffers it, to be written with others at once: by flush, sync or close. */
int weft_journal_put(
	struct weft_journal *j, const struct weft_event *e, struct weft_err *err);
int weft_journal_flush(struct weft_journal *j, struct weft_err *err);
/* fsync: for what no record says as well, job ids among it. */
void weft_journal_sync(struct weft_journal *j);
void weft_journal_close(struct weft_journal *j);

struct weft_reader; /* merges all files, remembers where it was */
int weft_reader_open(
	const struct weft_run *run, struct weft_reader **r, struct weft_err *err);
/* New events since the last call, by time; torn tails are left for the next. */
int weft_reader_poll(
	struct weft_reader *r, struct weft_event **e, size_t *n, struct weft_err *err);
/* From now on ends of members, too, which their records tell. */
void weft_reader_add_records(struct weft_reader *r);
void weft_events_free(struct weft_event *e, size_t n);
void weft_reader_free(struct weft_reader *r);

/* ---- actions ----------------------------------------------------------- */

/* What is decided while a run goes on, and by what its members come to be. */
enum weft_action_kind {
	WEFT_ACTION_ROUND,    /* of a loop, round `number` begins */
	WEFT_ACTION_END,      /* of a loop: no more rounds, for `text` */
	WEFT_ACTION_ADD,      /* `member` with `params` */
	WEFT_ACTION_CANCEL,   /* `member` */
	WEFT_ACTION_PRIORITY, /* `member`, to `number` */
	WEFT_ACTION_STOP,     /* of a sweep: what hasn't begun won't, for `text` */
	WEFT_ACTION_NOTE,     /* without effect: what was wrong is `text` */
};
struct weft_action {
	uint64_t seq; /* their order */
	double time;
	enum weft_action_kind kind;
	char *step;   /* of a loop: its first */
	char *member; /* its id; "" */
	char *params; /* JSON; "" */
	int64_t number;
	char *text; /* "" */
};
/* A writer: one a file, and one at a time in a run for each step. */
struct weft_actions;
int weft_actions_open(const struct weft_run *run, const char *name,
	struct weft_actions **w, struct weft_err *err);
/* On disk when it returns 0: only then may it take effect.  seq and time are set here;
 * texts may be NULL. */
int weft_actions_add(
	struct weft_actions *w, const struct weft_action *a, struct weft_err *err);
void weft_actions_close(struct weft_actions *w);
/* All of a run, in their order. */
int weft_actions_read(const struct weft_run *run, struct weft_action **v, size_t *n,
	struct weft_err *err);
void weft_actions_free(struct weft_action *v, size_t n);

/* ---- status ------------------------------------------------------------ */

struct weft_status_member {
	enum weft_state state;
	char id[WEFT_MEMBER_ID];              /* "" without a sweep */
	double queued, ready, started, ended; /* ready: what it needs had ended */
	uint64_t staged;
	char *hosts, *reason, *job, *log; /* log: the file to look at; NULL none */
	int exit_status, signal;
	enum weft_code code;
	unsigned attempt; /* the last that is known of, 0 the first */
};
struct weft_status_step {
	const char *name;      /* borrowed from the workflow */
	enum weft_state state; /* of the whole step */
	size_t count[WEFT_STATE_LOST + 1], members;
	struct weft_status_member *member; /* in member order */
	bool optional;
	const struct weft_pairs *labels; /* borrowed from the workflow */
	struct weft_status_steer {       /* what the program that steers it has done */
		bool given;
		size_t added, cancelled, odd; /* odd: what it said and can't be */
		char *last;                   /* NULL: nothing yet */
	} steer;
	char **metric; /* of weft_status.metric: last value, or "MIN to MAX"; NULL none
			*/
};
struct weft_status {
	struct weft_status_step *step; /* in file order */
	size_t n_steps;
	bool finished;  /* every member has an end state */
	bool may_go_on; /* some ended with their job, which Slurm may start again */
	enum weft_code code;             /* what `weft run` exits with once finished */
	char *stopped;                   /* reason; NULL */
	const struct weft_pairs *labels; /* borrowed from the workflow */
	const char *const *metric;       /* names that were asked for, borrowed */
	size_t n_metrics;
	/* Hours that were used, where somebody counted them; budget borrowed. */
	double node_hours, core_hours, gpu_hours;
	const struct weft_budget *budget;
	const struct weft_loop *loop; /* borrowed from the workflow */
	size_t n_loops;
	const struct weft_workflow *wf; /* borrowed */
	/* Of each loop whose rounds have jobs of their own: the job that goes on with
	 * it, should they die; NULL: there is none. */
	char **watch;
};

/* What stands between a member and its start. */
enum weft_verdict {
	WEFT_READY,
	WEFT_WAIT,  /* something that it needs has not ended */
	WEFT_SKIP,  /* a skip spreads to it */
	WEFT_NEVER, /* something that it needs failed */
};
/* How many members of a step are in each state. */
struct weft_tally {
	bool known;
	size_t count[WEFT_STATE_LOST + 1];
};
/* state_of tells a member's state; *why (malloced, may be NULL) names what it
 * waits for or what failed. tally: one a step, counted when first needed, kept right
 * by whoever changes a state; NULL: count each time. Doesn't look at `when` or at the
 * stop marker. */
enum weft_verdict weft_verdict(const struct weft_workflow *wf,
	const struct weft_step *step, size_t member,
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member), void *ctx,
	struct weft_tally *tally, char **why);
/* Does a step deal with failure, or come last whatever happened, so that the stop
 * marker is not for it? */
bool weft_step_after_stop(const struct weft_step *step);
/* Has it an end: done, failed, skipped, not run, cancelled, lost? */
bool weft_state_ended(enum weft_state s);
/* A loop whose present round has ended: did that fail, so that there won't be another?
 * WEFT_WAIT: it has not ended; WEFT_READY: it went well. tally: one a step. */
enum weft_verdict weft_round_verdict(const struct weft_workflow *wf,
	const struct weft_loop *loop, const struct weft_tally *tally,
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member),
	void *ctx);
/* More failed than max_failed allows: of the sweep, or of a round of it. */
bool weft_sweep_failed(const struct weft_step *step, size_t failed);
/* Have more failed, of the sweep or in any of its rounds?  not_run: that counts, too.
 * tally: of the step. */
bool weft_step_failed(const struct weft_step *step, const struct weft_tally *tally,
	bool not_run,
	enum weft_state (*state_of)(void *ctx, unsigned step, size_t member),
	void *ctx);

/* State of a run from its records, its journal and, through job_alive, what
 * Slurm says: a member whose job (of a local run: "", its engine) is gone without a
 * record is LOST (job_alive NULL: never); one that ended with its job waits again where
 * that is alive.  What can't run any more because something it
 * needs failed is NOT_RUN, record or no record.  *st is the caller's to free. */
int weft_status_load(const struct weft_run *run, const struct weft_workflow *wf,
	bool (*job_alive)(void *ctx, const char *job), void *ctx,
	struct weft_status **st, struct weft_err *err);
void weft_status_free(struct weft_status *st);
/* Adds the last values of metrics; names stay borrowed. */
int weft_status_metrics(const struct weft_run *run, const struct weft_workflow *wf,
	const char *const *name, size_t n, struct weft_status *st,
	struct weft_err *err);

#endif
