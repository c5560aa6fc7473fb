/* common_local.c - this machine as a cluster of one node, for --local. */
#include "command.h"
#include "topo/discover.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* CPUs that we may use: a container or taskset may leave few of the machine's. */
static unsigned usable_cpus(void)
{
	cpu_set_t *set = CPU_ALLOC(WEFT_MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(WEFT_MAX_CPUS);
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (set && sched_getaffinity(0, size, set) == 0)
		n = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	return n > 0 ? (unsigned)n : 1;
}

static unsigned usable_gpus(const struct weft_machine *m)
{
	unsigned n = 0;

	for (size_t i = 0; i < m->n_gpus; i++)
		n += m->gpu[i].vendor != WEFT_VENDOR_OTHER;
	return n;
}

static void fill_node(struct weft_node *n, const struct weft_machine *m)
{
	struct sysinfo info;
	unsigned all = m ? (unsigned)m->n_pus : 0;

	n->cpus = usable_cpus();
	n->threads_per_core = m && m->n_cores && all >= m->n_cores ? all / m->n_cores : 1;
	n->cores = (n->cpus + n->threads_per_core - 1) / n->threads_per_core;
	n->sockets = m && m->n_packages ? m->n_packages : 1;
	if (sysinfo(&info) == 0)
		n->mem = (uint64_t)info.totalram * info.mem_unit;
	n->n_gpus = m ? usable_gpus(m) : 0;
	if (n->n_gpus) {
		n->n_gpu_types = 1;
		n->gpus[0] = (struct weft_gpus){ .type = "", .count = n->n_gpus };
	}
}

int cmd_local_cluster(struct weft_cluster **c, struct weft_err *err)
{
	weft_autoerr struct weft_err ignored = { 0 };
	struct weft_machine *m = NULL;
	char host[64] = "localhost";

	*c = calloc(1, sizeof(**c));
	if (!*c)
		return weft_err_nomem(err);
	struct weft_arena *a = &(*c)->arena;

	(*c)->node = weft_arena_alloc(a, sizeof(*(*c)->node));
	(*c)->partition = weft_arena_alloc(a, sizeof(*(*c)->partition));
	unsigned *index = weft_arena_alloc(a, sizeof(*index));

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	(*c)->name = weft_arena_strdup(a, host);
	if (!(*c)->node || !(*c)->partition || !index || !(*c)->name) {
		weft_cluster_free(*c);
		*c = NULL;
		return weft_err_nomem(err);
	}
	(*c)->slurm_version = "";
	(*c)->n_nodes = (*c)->n_partitions = 1;
	(*c)->partition[0] = (struct weft_partition){
		.name = "local", .up = true, .is_default = true, .node = index, .n_nodes = 1
	};
	(*c)->node[0].name = (*c)->name;
	(*c)->node[0].reason = "";
	/* Without a topology the CPUs alone will do for a trial. */
	if (weft_topo_discover(NULL, &m, &ignored) < 0)
		weft_log(WEFT_WARN, "%s: planning with CPUs only",
			ignored.text ? ignored.text : "no topology");
	fill_node(&(*c)->node[0], m);
	weft_machine_free(m);
	return 0;
}
