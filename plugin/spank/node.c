#include "plugin/spank/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/spank/child.h"
#include "plugin/spank/others.h"
#include "plugin/spank/site.h"

#define DUMP_SECONDS 10.0
#define DUMP_BYTES (8u << 20)
#define TASKS_MAX 65536u /* of one step on one node; the tasks' count is the user's */

void node_default_ticket(struct weft_ticket *t)
{
	memset(t, 0, sizeof(*t));
	t->bind = true;
	t->place.gpus_all = true;
	t->place.cpus = WEFT_PLACE_NEAR_GPU;
	t->place.memory = WEFT_PLACE_LOCAL;
}

/*
 * The model from a child without privileges: hwloc may hang where drivers do, and
 * reads much that a root process had better not.
 */
static int dump(spank_t sp, struct weft_machine **m, struct weft_err *err)
{
	static char *const argv[] = {
		(char *)"weft", (char *)"topo", (char *)"dump", NULL};
	const struct child c = {argv, NULL, DUMP_SECONDS, DUMP_BYTES, false, -1};
	weft_autofree char *text = NULL;

	if (child_run(sp, &c, &text, err)) {
		weft_err_prefix(err, "no topology cache on this node, and");
		return weft_err_hint(err, "site: weft topo cache at boot");
	}
	return weft_machine_parse(text, strlen(text), m, err);
}

/*
 * Slurm's list counts cores by their logical order, as the model does.  Where the
 * two disagree about the machine there is no telling which CPUs are meant.
 */
static void find_allowed(struct node *n, const char *cores)
{
	struct weft_cpuset list;
	unsigned found = 0, want;

	n->all_cpus = true;
	if (!cores || !*cores || !weft_cpuset_parse(cores, &list))
		return;
	want = weft_cpuset_count(&list);
	memset(&n->allowed, 0, sizeof(n->allowed));
	for (size_t i = 0, last = SIZE_MAX; i < n->machine->n_pus; i++) {
		const struct weft_pu *pu = &n->machine->pu[i];

		if (!weft_cpuset_has(&list, pu->core))
			continue;
		weft_cpuset_add(&n->allowed, pu->cpu);
		found += pu->core != last;
		last = pu->core;
	}
	n->all_cpus = found != want;
	if (n->all_cpus)
		host_debug("cores %s of the step aren't all in the topology: not "
			   "limited to "
			   "them",
			cores);
}

/* The site keeps cores for the system.  A step that Slurm gave no others runs on them.
 */
static int reserve(struct node *n, struct weft_err *err)
{
	const char *what = site_conf()->reserve;
	struct weft_cpuset left = n->allowed;

	if (!what)
		return 0;
	if (weft_machine_reserve(n->machine, what, err))
		return weft_err_prefix(err, "weft.conf: reserve");
	weft_cpuset_remove(&left, &n->machine->reserved);
	if (n->all_cpus || weft_cpuset_next(&left, 0) >= 0)
		return 0;
	memset(&n->machine->reserved, 0, sizeof(n->machine->reserved));
	host_debug("the step has reserved cores only: it gets them");
	return 0;
}

/* Around what the job's other steps have, where that leaves enough. */
static int place(
	struct node *n, const unsigned *gpus, size_t n_gpus, struct weft_err *err)
{
	struct weft_cpuset cpus = n->allowed;
	unsigned left[WEFT_MAX_DEVICES];

	if (n->all_cpus)
		memset(&cpus, 0xff, sizeof(cpus));
	weft_cpuset_remove(&cpus, &n->machine->reserved);
	memcpy(left, gpus, n_gpus * sizeof(*left));
	if (n->others)
		weft_bind_around(n->machine, n->others, &n->step, &cpus, left, &n_gpus);
	return weft_place(
		n->machine, &cpus, left, n_gpus, &n->step, 1, &n->placement, err);
}

static bool wants_gpus(const struct node *n)
{
	return n->step.gpus_all || n->step.gpus_per_task > 0;
}

/* The GPUs of the step and what its environment calls them. */
struct usable {
	unsigned gpu[WEFT_MAX_DEVICES];
	size_t n;
	char visible[1024];
	bool has_visible;
};

static int place_with(struct node *n, const struct usable *u, struct weft_err *err)
{
	/* Fewer than the tasks ask for: Slurm has dealt them out by itself
	 * (--gpu-bind), each task sees its own, and only CPUs are ours to place. */
	if (u->n == 0 || (double)u->n < n->step.gpus_per_task * n->step.ntasks)
		n->step.gpus_per_task = 0;
	if (u->n == 0)
		n->step.gpus_all = false;
	return place(n, u->gpu, u->n, err);
}

int node_prepare(
	struct node *n, spank_t sp, const struct weft_ticket *t, struct weft_err *err)
{
	uint32_t tasks = 0, job, step;

	node_clear(n);
	n->step = t->place;
	memcpy(n->name, t->step, sizeof(n->name));
	if (host_local_tasks(sp, &tasks) || tasks == 0 || tasks > TASKS_MAX)
		return weft_err_set(
			err, WEFT_EPLACE, "%u tasks on a node", (unsigned)tasks);
	n->step.ntasks = tasks;
	int r = weft_machine_load_cache(site_conf()->cache, &n->machine, err);
	if (r < 0)
		host_debug("%s: %s", site_conf()->cache,
			err && err->text ? err->text : "?");
	if (r)
		weft_err_clear(err);
	if (r && dump(sp, &n->machine, err))
		return -1;
	weft_bind_known_memory(n->machine, &n->step);
	find_allowed(n, host_step_cores(sp));
	if (reserve(n, err)) {
		node_clear(n);
		return -1;
	}
	if (!host_job_id(sp, &job) && !host_step_id(sp, &step))
		snprintf(n->by, sizeof(n->by), "%u.%u", (unsigned)job, (unsigned)step);
	n->others = others_find(sp);
	/* Here once, not in each task; what GPUs the step has, only a task is told. */
	if (wants_gpus(n) && n->machine->n_gpus)
		return 0;
	n->no_gpus = wants_gpus(n);
	struct usable none = {.n = 0};
	if (place_with(n, &none, err)) {
		node_clear(n);
		return -1;
	}
	return 0;
}

/* The variable in which this machine's GPU vendor is told what may be used. */
static const char *visible_name(const struct weft_machine *m)
{
	switch (m->gpu[0].vendor) {
	case WEFT_VENDOR_AMD:
		return "ROCR_VISIBLE_DEVICES";
	case WEFT_VENDOR_INTEL:
		return "ZE_AFFINITY_MASK";
	default:
		return "CUDA_VISIBLE_DEVICES";
	}
}

static void find_gpus(const struct node *n, spank_t sp, struct usable *u)
{
	char list[1024];
	const char *visible = NULL, *ids = NULL;

	u->n = 0;
	u->has_visible = n->machine->n_gpus &&
			 host_getenv(sp, visible_name(n->machine), u->visible,
				 sizeof(u->visible)) == HOST_HAVE;
	if (!u->has_visible)
		return; /* a step without GPUs */
	visible = u->visible;
	if (host_getenv(sp, "SLURM_STEP_GPUS", list, sizeof(list)) == HOST_HAVE ||
		host_getenv(sp, "SLURM_JOB_GPUS", list, sizeof(list)) == HOST_HAVE)
		ids = list;
	u->n = weft_bind_usable_gpus(n->machine, ids, visible, u->gpu);
}

static int tell(struct weft_err *err, char *why, size_t size)
{
	snprintf(why, size, "%s%s%s", err->text ? err->text : "out of memory",
		err->hint ? "; " : "", err->hint ? err->hint : "");
	weft_err_clear(err);
	return -1;
}

/* To the task's own standard error: the step runs, but not as the file has it. */
static void warn_no_gpus(const struct node *n)
{
	char host[65] = "?", line[256];

	gethostname(host, sizeof(host) - 1);
	int len = snprintf(line, sizeof(line),
		"weft: warning: %s: step %s asks for GPUs, and %s\n", host, n->name,
		n->machine->n_gpus
			? "Slurm gives it none here"
			: "the node's topology has none: they aren't dealt out");
	(void)!write(2, line, (size_t)len);
}

int node_bind_task(struct node *n, spank_t sp, unsigned task, char *why, size_t size)
{
	struct weft_err err = {0};
	struct weft_binding b;
	struct usable u = {.n = 0};
	bool late = !n->placement;

	if (late) {
		find_gpus(n, sp, &u);
		if (place_with(n, &u, &err))
			return tell(&err, why, size);
	}
	if ((n->no_gpus || (late && !u.has_visible)) && *n->name && task == 0)
		warn_no_gpus(n);
	if (task >= n->placement->n_tasks) {
		snprintf(why, size, "task %u of %zu on this node", task,
			n->placement->n_tasks);
		return -1;
	}
	if (weft_bind_prepare(n->machine, &n->placement->task[task], &n->step,
		    late ? u.gpu : NULL, u.n, u.has_visible ? u.visible : NULL,
		    n->machine->borrowed, &b, &err))
		return tell(&err, why, size);
	weft_bind_nic_map(n->machine, n->placement, 0, &b);
	if (*n->by)
		weft_bind_add_note(
			n->machine, &n->placement->task[task], n->by, n->others, &b);
	const char *failed = weft_bind_apply(&b);
	if (failed) {
		snprintf(why, size, "step %s, task %u: %s: %s", n->name, task, failed,
			strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < b.n_vars; i++)
		if (host_setenv(sp, b.var[i].name, b.var[i].value, !b.var[i].keep)) {
			snprintf(why, size,
				"Slurm doesn't take %s into the environment",
				b.var[i].name);
			return -1;
		}
	return 0;
}

void node_clear(struct node *n)
{
	weft_machine_free(n->machine);
	weft_placement_free(n->placement);
	free(n->others);
	memset(n, 0, sizeof(*n));
}
