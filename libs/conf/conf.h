/*
 * conf - weft.conf: what the site decided.
 *
 * `key = value` lines and `[section]`s, strict and small, because code that
 * runs as root reads it: no YAML, no includes, no expansion, 64 KiB at most,
 * lines of 4,096 bytes, # comments.  Unknown keys, sections and repeated keys
 * are errors with file and line.  See weft.conf(5).
 *
 * Ownership: the conf owns its strings.  Units: bytes, seconds.  Errors: WEFT_ECONF.
 * Threads: read-only once read.  Fork: no process is started.  Runs as:
 * anyone; root reads only a trusted file (weft_open_trusted()).  Links: base only.
 */
#ifndef WEFT_CONF_H
#define WEFT_CONF_H

#include "base/base.h"

#define WEFT_CONF_DEFAULT "/etc/weft/weft.conf"
#define WEFT_CONF_MAX_BYTES 65536
#define WEFT_CONF_ROLES 5 /* in the order of weft_conf_roles */
extern const char *const weft_conf_roles[WEFT_CONF_ROLES];
/* analysis, simulation, training, inference, steering */

#define WEFT_CONF_MAX_KEYS 32 /* of a section */

struct weft_conf_env {
	char *name, *value;
	unsigned line;
};
struct weft_conf_names { /* names or paths */
	char **v;
	size_t n;
};

/* place.* of a role: 0 is not said, else the number of the word, from 1. */
struct weft_conf_place {
	unsigned cpus;    /* near_gpu, spread, compact */
	unsigned balance; /* cores, even */
	unsigned memory;  /* local, interleave, none */
	unsigned smt;     /* 1, 2, all */
	unsigned spare_cores;
};

/* [role NAME]: defaults of the steps with that role. NULL, 0: none. */
struct weft_conf_role {
	char *partition, *qos, *account, *constraint;
	struct weft_conf_names partitions; /* the allowed ones; n 0: all. Policy */
	char *setup;  /* path of a shell file, sourced before the step's own setup */
	int64_t time; /* default time limit, seconds */
	uint64_t mem_per_cpu; /* bytes */
	unsigned bind;        /* 0 not said, 1 auto, 2 none */
	struct weft_conf_place place;
	struct weft_conf_env *env; /* env.NAME = VALUE */
	size_t n_env;
	unsigned line[WEFT_CONF_MAX_KEYS]; /* by key, where it was set; 0: nowhere */
};

/* [limits], and what [user NAME] says instead: what a workflow's plan may be, at its
 * upper bound.  0, n 0: no limit.  Policy. */
struct weft_conf_limits {
	uint64_t nodes, gpus; /* that its jobs can hold at the same time */
	uint64_t members;     /* of all its steps together */
	int64_t time;         /* of one job, seconds */
	double node_hours, core_hours, gpu_hours;
	/* As nodes and gpus, with what the user's other jobs of weft ask for. */
	uint64_t user_nodes, user_gpus;
	struct weft_conf_names accounts; /* that its jobs may be charged to */
	/* Folders that staging may read and write: absolute, links not followed. */
	struct weft_conf_names read_roots, write_roots;
	struct weft_conf_names require_labels;
	unsigned line[WEFT_CONF_MAX_KEYS]; /* by key; a user's: `enabled`, too */
};

/* [user NAME]. */
struct weft_conf_user {
	char *name;
	bool enabled;
	char *reason; /* why not; NULL: not said */
	struct weft_conf_limits limits;
};
/* [partition NAME]. */
struct weft_conf_partition {
	char *name;
	bool enabled; /* no: never a candidate, and refused where it is named */
	char *reason;
	unsigned line[WEFT_CONF_MAX_KEYS];
};

enum weft_conf_estimate { WEFT_ESTIMATE_NODES, WEFT_ESTIMATE_WILL_RUN };

enum weft_conf_node_cache {
	WEFT_NODE_CACHE,
	WEFT_NODE_CACHE_CHECK,
	WEFT_NODE_CACHE_NO
};

struct weft_conf {
	char *file;        /* where it was read; NULL: built-in defaults */
	char *policy_file; /* where what is marked Policy was; mostly the same */
	bool enabled;      /* enabled = yes|no. Policy */
	char *reason;      /* why not; NULL: not said. Policy */
	char *contact;     /* whom to ask about a refusal; NULL: not said. Policy */
	char *command; /* absolute path of weft on the nodes; NULL: this program's */
	char *mpi;     /* srun --mpi type of launch: mpi; NULL: probe */
	char *scratch; /* node-local folder, default /tmp */
	char *memory;  /* tmpfs folder, default /dev/shm */
	char *cache;   /* root-owned folder of the topology cache, /run/weft */
	char *run_dir; /* default parent of run directories, "weft-runs" */
	char *reserve; /* cores kept for the system, as topo reads it; NULL: none */
	bool bind;     /* bind = auto|none: the default of --weft-bind */
	int64_t time;  /* default time limit of a step without one; 0: partition's */
	struct weft_conf_names avoid; /* partitions never chosen by themselves */
	unsigned group_waste;         /* percent of the node-seconds, 10 */
	unsigned group_jobs;          /* most jobs that a sweep is packed into, 16 */
	int64_t group_time;           /* longest job that packing makes, 4 h */
	unsigned job_limit; /* most jobs of a workflow at once; 0: none. Policy */
	enum weft_conf_estimate estimate; /* of the wait in the queue */
	uint64_t bandwidth; /* of the shared file system, bytes a second, 1G */
	enum weft_conf_node_cache node_cache;        /* of staged data, below scratch */
	uint64_t node_cache_bytes, node_cache_files; /* of a user; 0: a tenth of it */
	struct weft_conf_role role[WEFT_CONF_ROLES];
	struct weft_conf_limits limits;
	struct weft_conf_user *user;
	size_t n_users;
	struct weft_conf_partition *partition;
	size_t n_partitions;
	unsigned line[WEFT_CONF_MAX_KEYS]; /* of the keys at the top */
};

/* path NULL: $WEFT_CONF, else the default; a missing default file gives the
 * built-in defaults. `trusted`: refuse what others than root could have written,
 * and leave $WEFT_CONF alone.
 * The default file is refused unless it is root's, whoever reads it.  For all but root
 * its policy holds, too, where another file is read: see weft.conf(5). */
int weft_conf_load(
	const char *path, bool trusted, struct weft_conf **conf, struct weft_err *err);
int weft_conf_parse(const char *file, const char *text, size_t n,
	struct weft_conf **conf, struct weft_err *err);
/* Every mistake of a text, not the first alone; 0 when there is none. */
int weft_conf_check(
	const char *file, const char *text, size_t n, struct weft_errs *errs);

/* The section of that name, or NULL. */
const struct weft_conf_user *weft_conf_user(
	const struct weft_conf *c, const char *name);
const struct weft_conf_partition *weft_conf_partition(
	const struct weft_conf *c, const char *name);
bool weft_conf_names_has(const struct weft_conf_names *names, const char *name);
/* [limits], replaced key by key by the user's; *out borrows from c. user NULL:
 * [limits] alone. */
void weft_conf_limits(
	const struct weft_conf *c, const char *user, struct weft_conf_limits *out);
/* 0, or -1 where weft, or weft for this user, or the partition is switched off; err
 * (WEFT_ESLURM, one line, with the place in the file) says why, its hint whom to ask.
 * user NULL: weft alone is asked about. */
int weft_conf_switched_on(
	const struct weft_conf *c, const char *user, struct weft_err *err);
int weft_conf_partition_on(
	const struct weft_conf *c, const char *partition, struct weft_err *err);
/* The hint of a refusal: what is allowed (fmt NULL: nothing to say), whom to ask. */
int weft_conf_hint_ask(const struct weft_conf *c, struct weft_err *err, const char *fmt,
	...) WEFT_PRINTF(3, 4);

/* What holds: every key at the top and of [limits], and what other sections set. */
struct weft_conf_rule {
	const char *section; /* "role", "limits", "user", "partition"; NULL: top */
	const char *name;    /* of the section: "training"; NULL: it has none */
	const char *key;
	const char *value; /* as the file would say it; "" none */
	const char *file;  /* NULL: built in */
	unsigned line;     /* 0: built in */
};
/* Calls f for each, in the order of weft.conf(5), until it returns non-zero. */
int weft_conf_each_rule(const struct weft_conf *c,
	int (*f)(void *ctx, const struct weft_conf_rule *rule), void *ctx);
/* What holds for one user: as each_rule without the other users, with the user's
 * limits in place of the general ones. */
int weft_conf_each_rule_of(const struct weft_conf *c, const char *user,
	int (*f)(void *ctx, const struct weft_conf_rule *rule), void *ctx);
void weft_conf_free(struct weft_conf *conf);

#endif
