/* engine.c - what an engine needs to know about where it runs */
#include "job.h"

#include "slurm/slurm.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned number_of(const char *name)
{
	const char *s = getenv(name);
	int64_t v;

	return s && weft_parse_int(s, 0, 1 << 20, &v) ? (unsigned)v : 0;
}

/* "16(x2),4" -> CPUs of node i. Source: sbatch(1), SLURM_JOB_CPUS_PER_NODE. */
static unsigned cpus_of(const char *list, size_t node)
{
	unsigned long cpus = 0;

	while (list && *list) {
		char *end;
		unsigned long times = 1;

		cpus = strtoul(list, &end, 10);
		if (end[0] == '(' && end[1] == 'x') {
			times = strtoul(end + 2, &end, 10);
			end += *end == ')';
		}
		if (node < times)
			return (unsigned)cpus;
		node -= times;
		list = *end == ',' ? end + 1 : NULL;
	}
	return (unsigned)cpus;
}

static int slurm_nodes(struct weft_engine *e, struct weft_err *err)
{
	const char *list = getenv("SLURM_JOB_NODELIST");
	const char *cpus = getenv("SLURM_JOB_CPUS_PER_NODE");
	struct weft_engine_node *node;
	char **name;
	size_t n;

	if (!list)
		return weft_err_set(err, WEFT_ESLURM, "SLURM_JOB_NODELIST isn't set in this job");
	if (weft_hostlist_expand(list, 100000, &name, &n, err))
		return -1;
	node = calloc(n + 1, sizeof(*node));
	if (!node) {
		weft_hostlist_free(name, n);
		return weft_err_nomem(err);
	}
	for (size_t i = 0; i < n; i++) {
		node[i].name = name[i];
		node[i].cpus = cpus_of(cpus, i);
		node[i].gpus = number_of("SLURM_GPUS_ON_NODE");
	}
	free(name); /* the names belong to the nodes now */
	e->node = node;
	e->n_nodes = n;
	return 0;
}

static int local_node(struct weft_engine *e, struct weft_err *err)
{
	struct weft_engine_node *node = calloc(1, sizeof(*node));
	struct weft_cluster *c = NULL;
	char host[256] = "";

	if (!node)
		return weft_err_nomem(err);
	if (cmd_local_cluster(&c, err)) {
		free(node);
		return -1;
	}
	gethostname(host, sizeof(host) - 1);
	node->name = strdup(host);
	node->cpus = c->node[0].cpus;
	node->gpus = c->node[0].n_gpus;
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	node->visible = visible && *visible ? strdup(visible) : NULL;
	cpu_set_t own;
	if (sched_getaffinity(0, sizeof(own), &own) == 0)
		for (unsigned i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &own))
				weft_cpuset_add(&node->allowed, i);
	weft_cluster_free(c);
	e->node = node;
	e->n_nodes = 1;
	return node->name ? 0 : weft_err_nomem(err);
}

/* Does this site's srun know the plug-in's options? */
bool engine_has_plugin(void)
{
	char *argv[] = { (char *)"srun", (char *)"--help", NULL };
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *out = NULL, *said = NULL;
	int status;

	s.argv = argv;
	if (weft_capture(&s, 20, (size_t)1 << 20, &out, &said, &status, NULL))
		return false;
	return strstr(out, "--weft-bind") != NULL;
}

/* The first of the types that start MPI's ranks as one world. pmix is last: it may
 * be listed and yet lack its library. */
static char *probe_mpi(void)
{
	static const char *const good[] = { "pmi2", "cray_shasta", "pmix" };
	weft_autofree char *types = NULL;

	if (weft_slurm_mpi_types(&types, NULL))
		return NULL;
	for (size_t i = 0; i < WEFT_COUNT(good); i++) {
		const char *at = strstr(types, good[i]);

		if (at)
			return strdup(good[i]);
	}
	return NULL;
}

static bool needs_mpi(const struct weft_plan *p)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->step[i].launch == WEFT_LAUNCH_MPI)
			return true;
	return false;
}

int engine_fill(struct weft_engine *e, const struct opened *o, struct weft_err *err)
{
	e->run = o->run;
	e->wf = o->wf;
	e->plan = o->plan;
	e->conf = o->conf;
	e->member = -1;
	e->weft = weft_self_path();
	if (!e->weft)
		return weft_err_sys(err, WEFT_ESYS, "/proc/self/exe");
	if (!e->slurm) {
		e->job = strdup("");
		return local_node(e, err);
	}
	const char *array = getenv("SLURM_ARRAY_JOB_ID"), *task = getenv("SLURM_ARRAY_TASK_ID");
	const char *id = getenv("SLURM_JOB_ID");
	e->job = array && task ? weft_printf("%s_%s", array, task) : strdup(id ? id : "");
	e->plugin = engine_has_plugin();
	if (o->conf->mpi)
		e->mpi = strdup(o->conf->mpi);
	else if (needs_mpi(o->plan))
		e->mpi = probe_mpi();
	return e->job ? slurm_nodes(e, err) : weft_err_nomem(err);
}

void engine_clear(struct weft_engine *e)
{
	for (size_t i = 0; i < e->n_nodes; i++) {
		free((char *)e->node[i].name);
		free((char *)e->node[i].visible);
	}
	free((struct weft_engine_node *)e->node);
	free((char *)e->weft);
	free((char *)e->job);
	free((char *)e->mpi);
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
			"a heterogeneous job can't run a whole workflow yet: use `weft run`");
	if (weft_hostlist_expand(list, 100000, &name, &n, err))
		return -1;
	if (weft_slurm_snapshot(c, err))
		goto out;
	/* Only our partition, only our nodes, all of them ours now. */
	struct weft_partition *p = NULL;
	for (size_t i = 0; i < (*c)->n_partitions; i++)
		if (weft_streq((*c)->partition[i].name, partition))
			p = &(*c)->partition[i];
	unsigned *mine = weft_arena_alloc(&(*c)->arena, (n + 1) * sizeof(*mine));
	if (!p || !mine) {
		weft_err_set(err, WEFT_ESLURM, "Slurm doesn't know the partition %s", partition);
		goto out;
	}
	size_t got = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < (*c)->n_nodes; k++) {
			struct weft_node *node = &(*c)->node[k];

			if (!weft_streq(node->name, name[i]))
				continue;
			node->state = WEFT_NODE_IDLE;
			node->cpus_used = 0;
			node->mem_used = 0;
			node->cpus = cpus_of(cpus, i);
			unsigned gpus = number_of("SLURM_GPUS_ON_NODE");
			node->n_gpus = gpus;
			for (size_t t = 0; t < node->n_gpu_types; t++) {
				struct weft_gpus *g = &node->gpus[t];

				g->used = 0;
				g->count = g->count < gpus ? g->count : gpus;
				gpus -= g->count;
			}
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
