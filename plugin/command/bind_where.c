/* bind_where.c - which task of which launcher this process is, on which machine and
 * CPUs */
#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bind_command.h"
#include "common_topology.h"

static bool env_number(const char *name, int64_t max, int64_t *out)
{
	const char *s = getenv(name);

	return s && weft_parse_int(s, 0, max, out);
}

/* The innermost launcher first: torchrun or mpirun may run inside a Slurm task, whose
 * variables their processes inherit. */
static const char *const launcher[][2] = {
	{"LOCAL_RANK", "LOCAL_WORLD_SIZE"},
	{"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
	{"MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
};

bool bind_launched_by_slurm(void)
{
	for (size_t i = 0; i < WEFT_COUNT(launcher); i++)
		if (getenv(launcher[i][0]))
			return false;
	return getenv("SLURM_LOCALID") != NULL;
}

void bind_local_task(int64_t *id, int64_t *tasks)
{
	int64_t known = *tasks, node;

	for (size_t i = 0; i < WEFT_COUNT(launcher); i++)
		if (env_number(launcher[i][0], 16384, id) &&
			env_number(launcher[i][1], 16384, tasks) && *id < *tasks &&
			(!known || *tasks == known))
			return;
	const char *list = getenv("SLURM_STEP_TASKS_PER_NODE");
	if (env_number("SLURM_LOCALID", 16384, id)) {
		if (known && *id < known) {
			*tasks = known;
			return;
		}
		if (list && env_number("SLURM_NODEID", 1 << 24, &node)) {
			*tasks = weft_hostlist_number(list, (size_t)node);
			if (*id < *tasks)
				return;
		}
	}
	*id = 0;
	*tasks = known ? known : 1;
}

/* One hexadecimal mask, "0x" before it or not. */
static bool parse_mask(const char *s, size_t n, struct weft_cpuset *cpus)
{
	if (n > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		s += 2;
		n -= 2;
	}
	if (!n || n > WEFT_MAX_CPUS / 4)
		return false;
	for (size_t i = 0; i < n; i++) {
		int c = tolower((unsigned char)s[n - 1 - i]);
		if (!isxdigit(c))
			return false;
		unsigned digit = (unsigned)(isdigit(c) ? c - '0' : c - 'a' + 10);
		for (unsigned bit = 0; bit < 4; bit++)
			if (digit >> bit & 1)
				weft_cpuset_add(cpus, (unsigned)i * 4 + bit);
	}
	return true;
}

/* Slurm has bound each task: the masks of all of this node's tasks together. */
static bool slurm_masks(struct weft_cpuset *cpus)
{
	const char *type = getenv("SLURM_CPU_BIND_TYPE");
	const char *list = getenv("SLURM_CPU_BIND_LIST");
	struct weft_cpuset all = {0};

	if (!type || !list || !strstr(type, "mask_cpu") || !*list)
		return false;
	while (*list) {
		size_t n = strcspn(list, ",");
		if (!parse_mask(list, n, &all))
			return false;
		list += n + (list[n] != '\0');
	}
	*cpus = all;
	return true;
}

/* The CPUs of our cgroup, where one sets them: version 2, else 1. */
static bool cgroup_cpus(struct weft_cpuset *cpus)
{
	weft_autofree char *text = NULL;
	char *save = NULL;
	size_t n;

	if (weft_read_file("/proc/self/cgroup", 65536, &text, &n, NULL))
		return false;
	for (char *l = strtok_r(text, "\n", &save); l;
		l = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(l, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		bool two = weft_streq(controllers, ":");
		if (!two && !strstr(controllers, "cpuset"))
			continue;
		/* The nearest folder upwards that has the file. */
		for (;;) {
			weft_autofree char *list = NULL;
			weft_autofree char *file = weft_printf("/sys/fs/cgroup%s%s/%s",
				two ? "" : "/cpuset", path,
				two ? "cpuset.cpus.effective" : "cpuset.cpus");
			if (file && !weft_read_file(file, 65536, &list, &n, NULL)) {
				list[strcspn(list, "\n")] = '\0';
				if (*list && weft_cpuset_parse(list, cpus))
					return true;
			}
			char *slash = strrchr(path, '/');
			if (!slash || !*path)
				break;
			*slash = '\0';
		}
	}
	return false;
}

int bind_allowed(unsigned tasks, struct weft_cpuset *cpus, struct weft_err *err)
{
	struct weft_cpuset mine = {0}, wide = {0};

	if (sched_getaffinity(0, sizeof(mine), (cpu_set_t *)(void *)&mine))
		return weft_err_sys(err, WEFT_EPLACE, "sched_getaffinity");
	*cpus = mine;
	/* A launcher may have bound this task already: then what it may use is less
	 * than what the step's tasks share. */
	if (tasks < 2)
		return 0;
	if (slurm_masks(&wide) ||
		(getenv("OMPI_MCA_orte_bound_at_launch") && cgroup_cpus(&wide)))
		weft_cpuset_merge(cpus, &wide);
	return 0;
}

/* What the engine knows of this machine, so that each of its members needn't look
 * again.  Cores that are reserved are not among those that it names.  1: nothing. */
static int known_machine(struct weft_machine **m)
{
	const char *path = getenv("WEFT_BIND_TOPOLOGY");

	if (!path || cmd_topology_file(path, m, NULL))
		return 1;
	if (cmd_topology_is_mine(*m))
		return 0;
	weft_machine_free(*m);
	return 1;
}

int bind_machine(
	const struct bind_request *r, struct weft_machine **m, struct weft_err *err)
{
	struct weft_cpuset kept = {0};
	int rc = r->topology ? cmd_topology_file(r->topology, m, err)
		 : r->node   ? cmd_topology_node(r->node, m, &kept, err)
			     : known_machine(m);

	if (rc == 1)
		rc = cmd_topology_here(m, NULL, err);
	if (rc)
		return -1;
	/* A file's numbers are applied only where they are this machine's. */
	if (r->topology && !cmd_topology_is_mine(*m))
		(*m)->borrowed = true;
	if (r->reserve && weft_machine_reserve(*m, r->reserve, err)) {
		weft_machine_free(*m);
		*m = NULL;
		return -1;
	}
	weft_cpuset_merge(&(*m)->reserved, &kept);
	return 0;
}
