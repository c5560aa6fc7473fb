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

#define WEFT_CONF_MAX_KEYS 16 /* of the top, or of a role */

struct weft_conf_env {
	char *name, *value;
	unsigned line;
};

/* [role NAME]: defaults of the steps with that role. NULL, 0: none. */
struct weft_conf_role {
	char *partition, *qos, *account, *constraint;
	char *setup;  /* path of a shell file, sourced before the step's own setup */
	int64_t time; /* default time limit, seconds */
	uint64_t mem_per_cpu;      /* bytes */
	struct weft_conf_env *env; /* env.NAME = VALUE */
	size_t n_env;
	unsigned line[WEFT_CONF_MAX_KEYS]; /* by key, where it was set; 0: nowhere */
};

struct weft_conf {
	char *file;    /* where it was read; NULL: built-in defaults */
	bool enabled;  /* enabled = yes|no */
	char *command; /* absolute path of weft on the nodes; NULL: this program's */
	char *mpi;     /* srun --mpi type of launch: mpi; NULL: probe */
	char *scratch; /* node-local folder, default /tmp */
	char *memory;  /* tmpfs folder, default /dev/shm */
	char *cache;   /* root-owned folder of the topology cache, /run/weft */
	char *run_dir; /* default parent of run directories, "weft-runs" */
	bool bind;     /* bind = auto|none: the default of --weft-bind */
	int64_t time;  /* default time limit of a step without one; 0: partition's */
	char **avoid;  /* partitions never chosen by themselves */
	size_t n_avoid;
	struct weft_conf_role role[WEFT_CONF_ROLES];
	unsigned line[WEFT_CONF_MAX_KEYS]; /* of the keys at the top */
};

/* path NULL: $WEFT_CONF, else the default; a missing default file gives the
 * built-in defaults. `trusted`: refuse what others than root could have written,
 * and leave $WEFT_CONF alone. */
int weft_conf_load(
	const char *path, bool trusted, struct weft_conf **conf, struct weft_err *err);
int weft_conf_parse(const char *file, const char *text, size_t n,
	struct weft_conf **conf, struct weft_err *err);
/* Every mistake of a text, not the first alone; 0 when there is none. */
int weft_conf_check(
	const char *file, const char *text, size_t n, struct weft_errs *errs);

/* What holds: every key at the top, and what roles set. */
struct weft_conf_rule {
	const char *role; /* NULL: at the top */
	const char *key;
	const char *value; /* as the file would say it; "" none */
	unsigned line;     /* of the file; 0: built in */
};
/* Calls f for each, in the order of weft.conf(5), until it returns non-zero. */
int weft_conf_each_rule(const struct weft_conf *c,
	int (*f)(void *ctx, const struct weft_conf_rule *rule), void *ctx);
void weft_conf_free(struct weft_conf *conf);

#endif
