/*
 * ask.h - what a step asks for, as sbatch would mean it, before it is known
 * which nodes it gets.
 *
 * The keys of `resources` say the same thing in many ways (gpus, gpus_per_node,
 * gpus_per_task, ntasks_per_gpu...).  An ask holds one way each: tasks in all or
 * on a node, GPUs in all, on a node or by task, a range of nodes.  For a number
 * of nodes it then says what a node must hold.
 */
#ifndef WEFT_SELECT_ASK_H
#define WEFT_SELECT_ASK_H

#include "select/select.h"

/* A key of `resources`, to say where an error is. */
enum ask_key {
	KEY_NONE,
	KEY_PARTITION,
	KEY_NODES,
	KEY_NTASKS,
	KEY_NTASKS_PER_NODE,
	KEY_CPUS_PER_TASK,
	KEY_CPUS_PER_GPU,
	KEY_GPUS,
	KEY_GPUS_PER_NODE,
	KEY_GPUS_PER_TASK,
	KEY_NTASKS_PER_GPU,
	KEY_GPU_TYPE,
	KEY_MEM,
	KEY_MEM_PER_CPU,
	KEY_MEM_PER_GPU,
	KEY_TMP,
	KEY_TIME,
	KEY_CONSTRAINT,
	KEY_EXCLUDE,
	KEY_NODELIST,
	KEY_LICENSES,
	KEY_GRES,
	N_KEYS
};
extern const char *const ask_key_names[N_KEYS];
const struct weft_text *ask_key_text(
	const struct weft_resource_texts *r, enum ask_key key);

enum gpu_mode { GPUS_NONE, GPUS_TOTAL, GPUS_NODE, GPUS_TASK };

struct ask {
	unsigned lo, hi;    /* nodes; hi 0: open */
	unsigned tasks;     /* in all; 0: task_node on every node */
	unsigned task_node; /* on a node; beside tasks: at most, 0 no limit */
	bool many;          /* more than one task was meant by what is written */
	enum gpu_mode gpu_mode;
	unsigned gpus;             /* in all, or on a node */
	unsigned gpu_num, gpu_den; /* GPUs for tasks: num for every den */
	unsigned tasks_gpu;        /* den of gpus_per_task below 1 */
	unsigned cpus_task, cpus_gpu;
	uint64_t mem, mem_cpu, mem_gpu, tmp;
	uint64_t in_memory; /* files there, besides */
	int64_t time;       /* 0: the partition's */
	bool exclusive;
	enum weft_launch launch;
	enum weft_role role;
	/* "" none; borrowed */
	const char *partition, *gpu_type, *constraint, *exclude, *nodelist, *licenses,
		*gres;
	const char *account, *qos, *reservation, *role_partition;
	/* Which key is behind each number: where an error points. */
	enum ask_key gpus_key, tasks_key, mem_key;
	bool time_of_conf;
};

/* A node's share and the whole, for a number of nodes. */
struct sized {
	unsigned nodes, tasks, tasks_node, cpus_task, gpus, gpus_node;
	unsigned tasks_gpu; /* that share a GPU: gpus_per_task below 1; else 0 */
	uint64_t cpus_node, mem;
	uint64_t in_memory; /* of mem; where that is 0, besides */
};

/* Fills *a from evaluated resources: strings are copied into the arena.  -1 with
 * err and *key where they contradict each other. */
int ask_make(struct ask *a, const struct weft_resources *r, enum weft_launch launch,
	struct weft_arena *arena, enum ask_key *key, struct weft_err *err);
/* False where n nodes can't be: more than tasks, not even for torchrun. */
bool ask_size(const struct ask *a, unsigned n, struct sized *out);
/* Most nodes that make sense: of an open range, as many as tasks or GPUs. */
unsigned ask_most_nodes(const struct ask *a);
/* Of a single task: as many as it have a GPU at a time; 1: it has its own. */
unsigned ask_sharers(const struct ask *a, const struct sized *s);
/* What launch means for it. */
enum weft_launch ask_launch(const struct ask *a, const struct sized *s);

#endif
