/* common_local.c - this machine as a cluster of one node, for --local */
#include "command.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "bind/bind.h"
#include "topo/discover.h"
#include "common_topology.h"

/* Counts only the CPUs that this process may use. */
static int count_cpus(
	const struct weft_machine *m, struct weft_node *node, struct weft_err *err)
{
	struct weft_cpuset mine = {0};
	unsigned core = UINT32_MAX, threads = 0, package = UINT32_MAX;

	if (sched_getaffinity(0, sizeof(mine), (cpu_set_t *)(void *)&mine))
		return weft_err_sys(err, WEFT_EPLACE, "sched_getaffinity");
	for (size_t i = 0; i < m->n_pus; i++) {
		const struct weft_pu *pu = &m->pu[i];

		if (!weft_cpuset_has(&mine, pu->cpu) ||
			weft_cpuset_has(&m->reserved, pu->cpu))
			continue;
		if (pu->core != core) {
			node->cores++;
			threads = 0;
		}
		if (pu->package != package)
			node->sockets++;
		core = pu->core;
		package = pu->package;
		node->cpus++;
		if (++threads > node->threads_per_core)
			node->threads_per_core = threads;
	}
	if (node->cpus)
		return 0;
	/* Without a topology the CPUs alone will do for a trial. */
	node->cpus = node->cores = weft_cpuset_count(&mine);
	node->sockets = node->threads_per_core = 1;
	return 0;
}

/* Memory that a container or a batch job leaves us may be less than the machine's. */
static uint64_t memory(void)
{
	struct sysinfo si;
	uint64_t bytes = sysinfo(&si) ? 0 : (uint64_t)si.totalram * si.mem_unit;
	weft_autofree char *text = NULL;
	int64_t limit;
	size_t n;

	if (weft_read_file("/sys/fs/cgroup/memory.max", 64, &text, &n, NULL) == 0) {
		text[strcspn(text, "\n")] = '\0';
		if (weft_parse_int(text, 1, INT64_MAX, &limit) &&
			(uint64_t)limit < bytes)
			bytes = (uint64_t)limit;
	}
	return bytes;
}

static int fill(
	struct weft_cluster *c, const struct weft_machine *m, struct weft_err *err)
{
	struct weft_arena *a = &c->arena;
	struct weft_node *node = weft_arena_alloc(a, sizeof(*node));
	struct weft_partition *part = weft_arena_alloc(a, sizeof(*part));
	unsigned gpus[WEFT_MAX_DEVICES];
	char host[256] = "localhost";
	struct statvfs fs;

	if (!node || !part)
		return weft_err_nomem(err);
	gethostname(host, sizeof(host) - 1);
	c->node = node;
	c->partition = part;
	c->n_nodes = c->n_partitions = 1;
	c->taken = weft_now();
	c->select_by_memory = true;
	c->name = part->name = "local";
	c->slurm_version = "";
	node->name = weft_arena_strdup(a, host);
	node->reason = "";
	part->node = weft_arena_alloc(a, sizeof(*part->node));
	if (!node->name || !part->node)
		return weft_err_nomem(err);
	part->n_nodes = 1;
	part->up = part->is_default = true;
	part->min_nodes = part->max_nodes = 1;
	if (count_cpus(m, node, err))
		return -1;
	node->mem = memory();
	if (statvfs("/tmp", &fs) == 0)
		node->tmp = (uint64_t)fs.f_bavail * fs.f_frsize;
	size_t n =
		weft_bind_usable_gpus(m, NULL, getenv(weft_bind_visible_name(m)), gpus);
	for (size_t i = 0; i < n; i++)
		node->n_gpus += m->gpu[gpus[i]].vendor != WEFT_VENDOR_OTHER;
	if (node->n_gpus) {
		node->gpus[0] = (struct weft_gpus){.type = "", .count = node->n_gpus};
		node->n_gpu_types = 1;
	}
	return 0;
}

int cmd_local_cluster(
	struct weft_cluster **c, struct weft_machine **out, struct weft_err *err)
{
	weft_autoerr struct weft_err why = {0};
	struct weft_machine *m = NULL, none = {0};
	int rc;

	*c = NULL;
	if (out)
		*out = NULL;
	rc = cmd_topology_here(&m, NULL, &why);
	if (rc == 0 && m->borrowed) {
		weft_machine_free(m);
		rc = weft_topo_discover(NULL, &m, &why);
	}
	if (rc)
		weft_log(WEFT_WARN, "%s: planning with CPUs only",
			why.text ? why.text : "no topology");
	struct weft_cluster *new = calloc(1, sizeof(*new));
	rc = new ? fill(new, m ? m : &none, err) : weft_err_nomem(err);
	if (out && !rc)
		*out = m;
	else
		weft_machine_free(m);
	if (rc) {
		weft_cluster_free(new);
		return -1;
	}
	*c = new;
	return 0;
}
