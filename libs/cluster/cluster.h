/*
 * cluster - a snapshot of partitions, nodes, GRES and limits as plain data.
 *
 * From live Slurm (room slurm) or from a YAML file (`weft cluster --save`), so
 * that planning works anywhere.  Nodes of a file are written as host lists with
 * shared attributes; in memory every node stands by itself.  See weft-cluster(5).
 *
 * Ownership: the snapshot owns all (one arena).  Units: bytes, seconds, counts.
 * Errors: WEFT_ESPEC with file and line for a file.  Threads: read-only once
 * built.  Fork: no process is started.  Runs as: the user.
 */
#ifndef WEFT_CLUSTER_H
#define WEFT_CLUSTER_H

#include "base/base.h"

#define WEFT_CLUSTER_MAX_GPU_TYPES 8
#define WEFT_CLUSTER_MAX_RELEASES 64 /* of a node */
#define WEFT_CLUSTER_MAX_NODES 262144
#define WEFT_CLUSTER_MAX_PARTITIONS 4096

enum weft_node_state {
	WEFT_NODE_IDLE,
	WEFT_NODE_MIXED,
	WEFT_NODE_ALLOCATED,
	WEFT_NODE_DOWN
};

struct weft_gpus {
	const char *type; /* "a100"; "" where the site names none */
	unsigned count;
	unsigned used;
};

/* What running jobs give back to their node at a moment. */
struct weft_release {
	int64_t after; /* seconds after the snapshot was taken, at the latest */
	unsigned cpus;
	uint64_t mem;
	unsigned gpus[WEFT_CLUSTER_MAX_GPU_TYPES]; /* as the node's types */
};

struct weft_node {
	const char *name;
	enum weft_node_state
		state;      /* DOWN: drained, down, maintenance: not to be had */
	const char *reason; /* of DOWN, as Slurm says it; "" */
	unsigned cpus, cores, sockets, threads_per_core; /* cores: of all sockets */
	unsigned cpus_used;
	uint64_t mem, mem_used, tmp;
	const char *const *feature;
	size_t n_features;
	struct weft_gpus gpus[WEFT_CLUSTER_MAX_GPU_TYPES];
	size_t n_gpu_types;
	unsigned n_gpus; /* sum */
	/* By time.  What is used and isn't here is free at a time that nobody knows. */
	const struct weft_release *release;
	size_t n_releases;
};

struct weft_partition {
	const char *name;
	bool up, is_default, exclusive;
	int64_t max_time, default_time; /* 0: no limit, none */
	unsigned min_nodes, max_nodes;  /* max 0: no limit */
	uint64_t max_mem_per_node, def_mem_per_cpu, def_mem_per_node; /* 0: none */
	unsigned max_cpus_per_node;                                   /* 0: none */
	const char *const *allow_accounts,
		*const *deny_accounts, *const *allow_groups,
					       *const *allow_qos; /* n 0: all */
	size_t n_allow_accounts, n_deny_accounts, n_allow_groups, n_allow_qos;
	unsigned *node; /* indices */
	size_t n_nodes;
};

struct weft_reservation {
	const char *name, *partition; /* partition "": of no one */
	/* Seconds after the snapshot was taken; start 0: it holds now; end 0: never. */
	int64_t start, end;
	const char *const *users, *const *accounts; /* for whom; both n 0: not known */
	size_t n_users, n_accounts;
	unsigned *node; /* indices */
	size_t n_nodes;
};

/* Who the snapshot was taken by: what is open to whom is asked of this one. */
struct weft_association {                /* of Slurm's accounting */
	const char *account, *partition; /* "": every one */
	const char *const *qos;          /* that may be asked for; n 0: every one */
	size_t n_qos;
	const char *default_qos; /* "" not known */
};
struct weft_user {
	const char *name; /* "": not known */
	const char *const *group;
	size_t n_groups;
	const char *default_account; /* "" not known */
	struct weft_association
		*association; /* n 0: none are asked for, or not known */
	size_t n_associations;
};

struct weft_license {
	const char *name;
	unsigned total, used;
};

struct weft_cluster {
	struct weft_arena arena;
	const char *name, *slurm_version;
	double taken;            /* when, seconds since the epoch; 0: not said */
	unsigned max_array_size; /* 0: unknown */
	bool select_by_memory;   /* memory is a consumable resource */
	struct weft_partition *partition;
	size_t n_partitions;
	struct weft_node *node;
	size_t n_nodes;
	struct weft_license *license;
	size_t n_licenses;
	struct weft_user user;
	/* Loaded where one holds nodes now; n 0: whether there are any is not known. */
	struct weft_reservation *reservation;
	size_t n_reservations;
};

int weft_cluster_load(const char *path, struct weft_cluster **c, struct weft_err *err);
int weft_cluster_parse(const char *file, const char *text, size_t n,
	struct weft_cluster **c, struct weft_err *err);
/* The YAML that load reads: same snapshot, same bytes; like nodes share a line. */
int weft_cluster_print(const struct weft_cluster *c, struct weft_str *out);
void weft_cluster_free(struct weft_cluster *c);
const char *weft_node_state_name(enum weft_node_state s); /* "idle" ... */
const struct weft_partition *weft_cluster_partition(
	const struct weft_cluster *c, const char *name);
const struct weft_reservation *weft_cluster_reservation(
	const struct weft_cluster *c, const char *name);

/* Host lists as Slurm writes them: "c[1-3,7],g01", "r[1-2]n[01-16]". expand:
 * malloced array of malloced names, at most max (error beyond).  compress keeps
 * the given order, so that expand gives the same names back; NULL: no memory. */
int weft_hostlist_expand(
	const char *list, size_t max, char ***name, size_t *n, struct weft_err *err);
void weft_hostlist_free(char **name, size_t n);
char *weft_hostlist_compress(const char *const *name, size_t n);
/* Of "4(x2),3", as Slurm writes a number a node: that of the node; 0: it has none. */
unsigned weft_hostlist_number(const char *list, size_t node);

/* Of each host the number of its leaf switch, as slurm.conf
 * (TopologyPlugin=topology/tree) and topology.conf on this host have them: near ones
 * have near numbers, those that are in none the highest.  Malloced; NULL: nothing is
 * known, or all are at one switch. */
unsigned *weft_cluster_switches(char *const *host, size_t n);

#endif
