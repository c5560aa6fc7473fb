/* unit.h - one member on its way from inputs to record; private to the room */
#ifndef WEFT_ENGINE_UNIT_H
#define WEFT_ENGINE_UNIT_H

#include "engine/engine.h"
#include "stage/stage.h"

#include <signal.h>
#include <sys/resource.h>

/* What a member gets of its nodes. */
struct slot {
	const char *nodes; /* host list; NULL: this machine */
	unsigned n_nodes;
	const char *cpus; /* here: "0-3,8"; NULL: all */
	const char *gpus; /* here: CUDA_VISIBLE_DEVICES; NULL: as it is */
	unsigned attempt; /* 0 the first */
	/* Of a later attempt: the entry of `retries` that it follows from, which may
	 * say what runs; -1: none does. */
	int retry;
};

struct unit_input {
	const struct weft_input *def;
	char *path;  /* where the program finds it */
	bool absent; /* optional, and there is none */
	/* What it is made of: one source, or one a member for a fan-in. */
	struct unit_source {
		char *path;     /* absolute */
		char *id;       /* member id; NULL: not a fan-in */
		char *params;   /* JSON; NULL: not a fan-in */
		bool folder;    /* the source is a folder of several files */
		uint64_t bytes; /* as its record has it; 0: there is none */
		/* As that, too; NULL: not known.  of, output: whose, borrowed. */
		char *hash, *identity;
		const char *of, *output;
	} * source;
	size_t n_sources;
	bool fan_in;
};

struct unit {
	const struct weft_engine *e;
	const struct weft_step *step;
	const struct weft_plan_step *plan;
	struct weft_arena arena;
	struct weft_plan_step own_plan;
	size_t index;
	bool whole; /* of other steps it sees all members, whichever are its own */
	struct weft_member member;
	struct weft_scope scope;
	char *dir;       /* of the step or member in the run directory */
	char *work;      /* working directory of the program */
	char *node_root; /* its folder on the node's disk; NULL: not needed */
	struct slot slot;
	char *memory_root; /* its folder in the node's memory; NULL: not needed */
	/* Of the node, and of its memory; opened when it is asked. */
	struct unit_cache {
		struct weft_stage_cache *cache;
		bool asked;
	} cache[2];
	uint64_t moved;         /* bytes that were really written to the node */
	struct weft_str hashes; /* "hash in|out NAME HASH", a line each */
	/* On a node: of so many; the engine brings what is broadcast.  0: all is
	 * brought by who stages. */
	unsigned cast_nodes;
	struct weft_str want; /* "want INPUT HOST" lines, "have" where it was there */
	struct unit_input *input;
	size_t n_inputs;
	struct weft_records *own_records; /* where the engine's can't be asked */
	int hand;                         /* to the engine; -1: there is none */
	pid_t engine;                     /* that started this process */
	char *placed_path;  /* where its tasks tell what they were given; NULL: nowhere
			     */
	bool told;          /* that its time is nearly over */
	uint64_t oom_kills; /* in our cgroup, before it began */
	int placed_fd;      /* of it, where it is memory of this process; -1: a file */
	struct weft_record record; /* strings borrowed or in the arena */
};

/* Is it started by srun, rather than as a child of this process? */
static inline bool unit_srun(const struct unit *u)
{
	return u->e->slurm && !u->e->direct;
}

/* The store to ask of others' records; NULL: an error. */
struct weft_records *unit_records(struct unit *u, struct weft_err *err);
int unit_open(struct unit *u, const struct weft_engine *e, const struct weft_step *step,
	size_t member, struct weft_err *err);
int unit_open_attempt(struct unit *u, const struct weft_engine *e,
	const struct weft_step *step, size_t member, unsigned attempt,
	struct weft_err *err);
void unit_close(struct unit *u);
/* Names the folders on the node, when any input, or the work, belongs there. */
int unit_node_roots(struct unit *u, struct weft_err *err);
bool unit_on_nodes(const struct unit *u); /* has anything on the node's own storage */

/* values.c: inputs.X, outputs.X, steps.* */
int unit_lookup(void *unit, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err);
/* Absolute path of an output while the program runs; for a glob its folder. */
char *unit_output_path(
	const struct unit *u, const struct weft_output *out, struct weft_err *err);
bool output_is_glob(const char *path);

/* roots.c: of weft.conf, and the run's own folders; just before it is done, for a link
 * may have come in between. */
int unit_may_read(const struct unit *u, const char *path, struct weft_err *err);
int unit_may_write(const struct unit *u, const char *path, struct weft_err *err);

/* cache.c */
enum cache_ask {
	CACHE_FETCH, /* what isn't there is fetched by way of it */
	CACHE_MANY,  /* the same, but for what is small: it is one of many */
	CACHE_ASK,   /* nothing is fetched */
};
/* src at dst, which is on the node's own storage, from the node's cache or by way of
 * it.  1: not by it. */
int cache_put(struct unit *u, const struct weft_input *in, const char *src,
	const char *dst, enum cache_ask ask, struct weft_stage_report *report);
/* Into the cache alone. */
void cache_ahead(struct unit *u, const struct unit_input *in);
/* May what is made here be kept here, once it is published below `into`? */
bool cache_wants(struct unit *u, const char *into);
/* made was published, or will be when it is renamed, as `published`. */
void cache_offer(
	struct unit *u, const char *made, const char *published, const char *record);
void cache_close(struct unit *u);
/* That of the node's disk or memory; NULL: there is none. */
struct weft_stage_cache *cache_of(struct unit *u, enum weft_scratch where);
/* Its folder, the same on each node; malloced, NULL: none. */
char *cache_dir(const struct unit *u, enum weft_scratch where,
	struct weft_stage_limits *limits);

/* space.c: before anything is staged to the node */
int space_check(struct unit *u, struct weft_err *err);

/* ahead.c: a process that brings a member's inputs to this node's caches; nodes: to
 * those of so many, by srun.  -1: errno. */
int ahead_fork(pid_t *pid, const struct weft_engine *e, const struct weft_step *step,
	size_t member, const char *nodes, unsigned n);
void ahead_reap(pid_t *pid, bool end); /* end: it is ended */
/* What it does; nodes: that the member has. */
void ahead_bring(const struct weft_engine *e, const struct weft_step *step,
	size_t member, unsigned nodes);

/* cast.c */
/* Is it broadcast to a member of so many nodes? */
bool cast_fits(const struct unit_input *in, unsigned nodes);
/* On a node: from its cache, else it is wanted. */
int cast_want(struct unit *u, const struct unit_input *in, struct weft_err *err);
/* In the engine: to the nodes that want it. */
int cast_run(struct unit *u, struct weft_err *err);

/* inputs.c */
int inputs_resolve(struct unit *u, struct weft_err *err);
/* identity.c: joins what the inputs are (sizes and times) to the digest of the member's
 * definition; without inputs it stays. */
int inputs_identity(
	const struct unit *u, char digest[WEFT_DIGEST_HEX], struct weft_err *err);
/* The same of one file or folder alone. */
void identity_of(const char *path, char digest[WEFT_DIGEST_HEX]);
/* Stages those inputs whose place is (or isn't) the node's own storage. */
int inputs_stage(struct unit *u, bool on_node, struct weft_err *err);
int files_place(struct unit *u, struct weft_err *err);
enum weft_stage_how input_how(const struct unit_input *in);
/* One source of it. */
int input_put(struct unit *u, const struct unit_input *in, const struct unit_source *s,
	const char *dst, struct weft_err *err);

/* hashes.c; what: "in", "out"; hash "": not known, so that of the whole isn't. */
void hashes_add(struct unit *u, const char *what, const char *name, const char *hash);
/* Is what came of a source, by its hash, what its producer's record says? */
int hashes_check(const struct unit *u, const struct unit_input *in,
	const struct unit_source *s, const char *hash, struct weft_err *err);
/* The same of all that nodes have said of it. */
int hashes_check_all(
	const struct unit *u, const struct unit_input *in, struct weft_err *err);
/* Into the record. */
void hashes_record(struct unit *u);

/* fan_in.c */
int fan_in_stage(struct unit *u, const struct unit_input *in, struct weft_err *err);

/* outputs.c */
/* Publishes what is there of each output into a folder; *missing (malloced) names
 * the first one that isn't and must be. */
int outputs_publish(struct unit *u, const char *into, struct weft_err *err);
/* Joins the parts that several nodes published. */
int outputs_merge(struct unit *u, const char *parts, unsigned n, const char *into,
	struct weft_err *err);
/* What was published, into the record; an output that is missing is an error. */
int outputs_record(struct unit *u, const char *out, struct weft_err *err);

/* env.c */
int unit_env(struct unit *u, struct weft_env *env, struct weft_err *err);
struct weft_ticket;
void unit_ticket(const struct unit *u, struct weft_ticket *out);

/* script.c: the launch script of the member, in its folder */
int script_write(struct unit *u, char **path, struct weft_err *err);
const char *script_shell(const struct unit *u); /* that runs it */
/* Its parts: the text of setup, "" where there is none; the file that has `run`. */
int script_setup(struct unit *u, struct weft_str *out, struct weft_err *err);
int script_run(struct unit *u, const char *text, char **path, struct weft_err *err);

/* launch.c, launch_local.c, launch_srun.c: the words in front of the program */
int launch_words(const struct unit *u, struct weft_argv *argv, struct weft_err *err);
int launch_local_words(
	const struct unit *u, struct weft_argv *argv, struct weft_err *err);
int launch_srun_words(
	const struct unit *u, struct weft_argv *argv, struct weft_err *err);
/* Are its tasks bound? */
bool launch_binds(const struct unit *u);
/* srun, for a step of weft's own on these nodes, beside whatever the job runs. */
void launch_srun_beside(
	struct weft_argv *a, const char *nodes, unsigned n, const char *name);
/* A step of weft's own on every node of the member. */
int launch_on_nodes(struct unit *u, const char *verb, struct weft_err *err);
/* A command that stages, until it ends or *stop: what it prints is taken in. */
int launch_staging(struct unit *u, const struct weft_argv *a,
	const volatile sig_atomic_t *stop, struct weft_err *err);

/* placed.c: what its tasks were given, for the record */
void placed_open(struct unit *u);
void placed_read(struct unit *u);
void placed_close(struct unit *u);

/* cause.c: why an attempt failed, and whether another follows */
void cause_begin(struct unit *u);
/* Of a failure that was judged; used: bytes of memory, at most, at a time. */
void cause_find(struct unit *u, bool timeout, uint64_t used);
/* The last word before the record is written: where `retries` fit a failure the record
 * says that it waits for the next attempt. */
const struct weft_retry *cause_again(struct unit *u);
/* checkpoint.c: when it is told that its time is nearly over, of weft_monotonic(); 0:
 * never.  deadline: its own; 0 none. */
double checkpoint_at(const struct unit *u, double deadline);
/* Tells the processes of the group that answer the signal; false: there is none. */
bool checkpoint_tell(const struct unit *u, pid_t group);
/* As cause_again(): what was told, and isn't done, goes on. */
void checkpoint_again(struct unit *u);

/* What says how this attempt differs from the first; NULL: it doesn't. */
const struct weft_retry *unit_retry(const struct unit *u);
/* Does this attempt go on in the directory that the one before left? */
bool unit_goes_on(const struct unit *u);

/* member.c: how its program ended */
struct unit_end {
	int status; /* wait()'s */
	struct rusage use;
	bool cancelled; /* we were told to stop */
	bool over_time;
};
/* By a signal that ends a job, and that we haven't sent? */
bool unit_end_by_others(const struct unit_end *end);
#define MEMBER_GRACE 5.0 /* seconds between SIGTERM and SIGKILL */

/* What the record says of which definition it was. */
int member_digest(struct unit *u, struct weft_err *err);
/* An empty folder to run in. */
int member_prepare(struct unit *u, struct weft_err *err);
/* Its standard output or error: where the file says, else NAME in its folder. A
 * descriptor, or -1. */
int member_log(struct unit *u, const struct weft_text *text, const char *name,
	struct weft_err *err);
/* The record's verdict on an end. */
void member_judge(struct unit *u, const struct unit_end *end);
/* Publishes and records what it has made. */
int member_stage_out(struct unit *u, struct weft_err *err);
/* An error of ours becomes its end; err is empty after. */
void member_fail(struct unit *u, struct weft_err *err);
/* Who, when, by which attempt. */
void member_fill(struct unit *u);
/* Removes what isn't to stay, by the step's `keep`, of one that has ended. */
void member_tidy(struct unit *u);

/* Signals that wait in line (blocked) until sigtimedwait takes them */
void signals_watched(sigset_t *set);
/* stop.c: from now on (off: no longer) those of them that mean to end set a flag, which
 * is this one.  For a process of one member alone. */
const volatile sig_atomic_t *stop_hear(bool on);
/* Has there been one that nothing else has taken? */
bool stop_told(void);
/* The whole way, in a process of its own; its result is a record: of a sweep's member
 * handed to the engine (hand.h), else written into the step's folder. */
enum weft_code member_run(const struct weft_engine *e, const struct weft_step *step,
	size_t member, const struct slot *slot, int hand);

#endif
