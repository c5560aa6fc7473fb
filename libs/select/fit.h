/*
 * fit.h - can a partition hold an ask, on how many nodes, and if not, why not.
 */
#ifndef WEFT_SELECT_FIT_H
#define WEFT_SELECT_FIT_H

#include "select/access.h"
#include "select/pool.h"

/* How far an ask got with a partition: the later, the nearer it was. */
enum stage {
	STAGE_DOWN,       /* the partition is down, or all its nodes */
	STAGE_ACCESS,     /* account, QOS */
	STAGE_NODELIST,   /* nodelist or exclude */
	STAGE_GPU_TYPE,   /* no such GPUs, or none */
	STAGE_GPUS,       /* GPUs of a node */
	STAGE_CONSTRAINT, /* features */
	STAGE_CPUS,
	STAGE_MEM,
	STAGE_TMP,
	STAGE_NODES, /* not as many such nodes */
	STAGE_LIMIT, /* the partition's least or most nodes */
	STAGE_TIME,
	STAGE_FITS,
};

struct fit {
	enum stage stage;
	struct sized size;    /* with FITS; else what was looked for, nodes maybe 0 */
	unsigned nodes, idle; /* up nodes that can take a share; idle of them */
	uint64_t best;        /* the most that there is of what lacks */
	enum access access;
	const char *detail; /* a name, for the message; "" */
	int64_t time;       /* seconds, whole minutes; 0 without limit */
	bool shortened;     /* weft.conf's default time is over the partition's limit */
	bool lacking;       /* --local: GPUs that it asks for are not here */
	const struct weft_node *node; /* one that takes a share */
};

/* Does a node, when nothing runs there, take a share? */
bool fit_share(const struct pools *ps, const struct weft_partition *p,
	const struct weft_node *n, const struct ask *a, const struct sized *s);
/* Memory of a share: the partition's default where nothing says how much. */
uint64_t fit_mem(
	const struct pools *ps, const struct weft_partition *p, const struct sized *s);
int fit_pool(struct pools *ps, const struct pool *pool, const struct ask *a,
	struct fit *out, struct weft_err *err);
/* As fit_pool for a machine by itself: one node, no limits; what it lacks is
 * left out and *note says so. */
int fit_local(const struct weft_node *n, const struct ask *a, struct fit *out,
	struct weft_str *note, struct weft_err *err);

#endif
