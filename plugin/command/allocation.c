/* allocation.c - the Slurm job that we are in, from its environment */
#include "job.h"

#include "slurm/slurm.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_NODES 100000

static unsigned number_of(const char *name)
{
	const char *s = getenv(name);
	int64_t v;

	return s && weft_parse_int(s, 0, 1 << 20, &v) ? (unsigned)v : 0;
}

/* The CPUs of this job here, if what the kernel lets us have is what Slurm gave; a
 * site that doesn't confine jobs leaves them open. */
static void own_cpus(struct weft_engine_node *node)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	cpu_set_t own;

	node->visible = visible && *visible ? strdup(visible) : NULL;
	if (sched_getaffinity(0, sizeof(own), &own) ||
		(unsigned)CPU_COUNT(&own) != node->cpus)
		return;
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &own))
			weft_cpuset_add(&node->allowed, i);
}

int allocation_nodes(struct weft_engine *e, struct weft_err *err)
{
	const char *list = getenv("SLURM_JOB_NODELIST");
	const char *cpus = getenv("SLURM_JOB_CPUS_PER_NODE");
	struct weft_engine_node *node;
	char **name;
	size_t n;

	if (!list)
		return weft_err_set(
			err, WEFT_ESLURM, "SLURM_JOB_NODELIST isn't set in this job");
	if (weft_hostlist_expand(list, MAX_NODES, &name, &n, err))
		return -1;
	node = calloc(n + 1, sizeof(*node));
	if (!node) {
		weft_hostlist_free(name, n);
		return weft_err_nomem(err);
	}
	for (size_t i = 0; i < n; i++) {
		node[i].name = name[i];
		node[i].cpus = cpus ? weft_hostlist_number(cpus, i) : 0;
		node[i].gpus = number_of("SLURM_GPUS_ON_NODE");
	}
	free(name); /* the names belong to the nodes now */
	if (n == 1)
		own_cpus(&node[0]);
	e->node = node;
	e->n_nodes = n;
	return 0;
}

/* How many entries "0,1" has. */
static unsigned listed(const char *s)
{
	unsigned n = s && *s ? 1 : 0;

	for (; s && *s; s++)
		n += *s == ',';
	return n;
}

int allocation_own_node(struct weft_engine *e, struct weft_err *err)
{
	const char *own = getenv("SLURMD_NODENAME");
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	struct weft_engine_node *all, *node;

	if (!own)
		return weft_err_set(
			err, WEFT_ESLURM, "SLURMD_NODENAME isn't set in this job");
	if (allocation_nodes(e, err))
		return -1;
	all = (struct weft_engine_node *)e->node;
	for (size_t i = 0; i < e->n_nodes; i++)
		if (weft_streq(all[i].name, own)) {
			struct weft_engine_node was = all[0];

			all[0] = all[i];
			all[i] = was;
		}
	for (size_t i = 1; i < e->n_nodes; i++)
		free((char *)all[i].name);
	node = &all[0];
	if (e->n_nodes > 1)
		own_cpus(node);
	e->n_nodes = 1;
	if (!weft_streq(node->name, own))
		return weft_err_set(
			err, WEFT_ESLURM, "%s isn't a node of this job", own);
	/* What the step of the agents was given. */
	node->gpus = number_of("SLURM_GPUS_ON_NODE");
	if (!node->gpus)
		node->gpus = listed(visible);
	return 0;
}

/* All of the job's share of a node is ours now. */
static void take(struct weft_node *node, unsigned cpus, unsigned gpus)
{
	node->state = WEFT_NODE_IDLE;
	node->cpus = cpus;
	node->cpus_used = 0;
	node->mem_used = 0;
	node->n_gpus = gpus;
	for (size_t i = 0; i < node->n_gpu_types; i++) {
		struct weft_gpus *g = &node->gpus[i];

		g->used = 0;
		g->count = g->count < gpus ? g->count : gpus;
		gpus -= g->count;
	}
}

/* Live Slurm's word about our nodes, cut down to what the job was given. */
int allocation_cluster(struct weft_cluster **c, struct weft_err *err)
{
	const char *list = getenv("SLURM_JOB_NODELIST");
	const char *partition = getenv("SLURM_JOB_PARTITION");
	const char *cpus = getenv("SLURM_JOB_CPUS_PER_NODE");
	char **name = NULL;
	size_t n = 0;
	int r = -1;

	*c = NULL;
	if (!list || !partition)
		return weft_err_set(err, WEFT_ESLURM, "not in a Slurm job");
	if (getenv("SLURM_HET_SIZE"))
		return weft_err_set(err, WEFT_ESLURM,
			"a heterogeneous job can't run a whole workflow yet: use `weft "
			"run`");
	if (weft_hostlist_expand(list, MAX_NODES, &name, &n, err))
		return -1;
	if (weft_slurm_snapshot(c, err))
		goto out;
	/* Only our partition, only our nodes. */
	struct weft_partition *p = NULL;
	for (size_t i = 0; i < (*c)->n_partitions; i++)
		if (weft_streq((*c)->partition[i].name, partition))
			p = &(*c)->partition[i];
	unsigned *mine = weft_arena_alloc(&(*c)->arena, (n + 1) * sizeof(*mine));
	if (!p || !mine) {
		weft_err_set(err, WEFT_ESLURM, "Slurm doesn't know the partition %s",
			partition);
		goto out;
	}
	size_t got = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < (*c)->n_nodes; k++) {
			struct weft_node *node = &(*c)->node[k];

			if (!weft_streq(node->name, name[i]))
				continue;
			take(node, cpus ? weft_hostlist_number(cpus, i) : 0,
				number_of("SLURM_GPUS_ON_NODE"));
			mine[got++] = (unsigned)k;
		}
	p->node = mine;
	p->n_nodes = got;
	p->up = true;
	p->min_nodes = 0;
	p->is_default = true;
	(*c)->partition = p;
	(*c)->n_partitions = 1;
	r = 0;
out:
	weft_hostlist_free(name, n);
	if (r) {
		weft_cluster_free(*c);
		*c = NULL;
	}
	return r;
}

/* "2026-11-21T04:05:06", local time, after a key; 0 where there is none. */
double allocation_time_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	struct tm t = {.tm_isdst = -1};

	return at && strptime(at + strlen(key), "%Y-%m-%dT%H:%M:%S", &t)
		       ? (double)mktime(&t)
		       : 0;
}

/* What Slurm says of this job, on one line. */
static char *described(struct weft_err *err)
{
	const char *job = getenv("SLURM_JOB_ID");
	char *argv[] = {(char *)"scontrol", (char *)"-o", (char *)"show", (char *)"job",
		(char *)job, NULL};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *said = NULL;
	char *out = NULL;
	int status;

	s.argv = argv;
	if (!job) {
		weft_err_set(err, WEFT_ESLURM, "not in a job");
		return NULL;
	}
	if (weft_capture(&s, 60, (size_t)1 << 20, &out, &said, &status, err))
		return NULL;
	if (status) {
		free(out);
		weft_err_set(err, WEFT_ESLURM, "scontrol show job %s: %s", job, said);
		return NULL;
	}
	return out;
}

double allocation_end(void)
{
	weft_autoerr struct weft_err err = {0};
	weft_autofree char *text = described(&err);

	return text ? allocation_time_after(text, " EndTime=") : 0;
}

/* Source: scontrol(1), sbatch(1). */
int allocation_sbatch_args(struct weft_argv *a, struct weft_err *err)
{
	static const struct {
		const char *key, *skip, *option;
	} same[] = {{" JobName=", "", "job-name"}, {" Account=", "", "account"},
		{" QOS=", "", "qos"}, {" Partition=", "", "partition"},
		{" TimeLimit=", "", "time"}, {" NumNodes=", "", "nodes"},
		{" NumTasks=", "", "ntasks"}, {" CPUs/Task=", "", "cpus-per-task"},
		{" MinMemoryNode=", "", "mem"}, {" MinMemoryCPU=", "", "mem-per-cpu"},
		{" Features=", "", "constraint"}, {" Licenses=", "", "licenses"},
		{" Reservation=", "", "reservation"},
		{" TresPerNode=", "gres:", "gres"},
		{" TresPerJob=", "gres:gpu:", "gpus"}, {" WorkDir=", "", "chdir"}};
	weft_autofree char *text = described(err);

	if (!text)
		return -1;
	for (size_t i = 0; i < WEFT_COUNT(same); i++) {
		const char *at = strstr(text, same[i].key);
		size_t skip = strlen(same[i].skip);

		if (!at)
			continue;
		at += strlen(same[i].key);
		if (strncmp(at, same[i].skip, skip) == 0)
			at += skip;
		int n = (int)strcspn(at, " \n");
		if (n && strncmp(at, "(null)", 6) != 0)
			weft_argv_addf(a, "--%s=%.*s", same[i].option, n, at);
	}
	if (strstr(text, " OverSubscribe=NO "))
		weft_argv_add(a, "--exclusive");
	const char *out = strstr(text, " StdOut="),
		   *end = out ? strstr(out, " Power=") : 0;
	if (out && !strpbrk(out, "%\\"))
		weft_argv_addf(a, "--output=%.*s",
			end ? (int)(end - out - 8) : (int)strcspn(out + 8, " \n"),
			out + 8);
	weft_argv_add(a, "--open-mode=append");
	return a->failed ? weft_err_nomem(err) : 0;
}

uint64_t allocation_mem(void)
{
	const char *node = getenv("SLURM_MEM_PER_NODE");
	int64_t mib;

	return node && weft_parse_int(node, 1, INT64_MAX >> 20, &mib)
		       ? (uint64_t)mib << 20
		       : 0;
}
