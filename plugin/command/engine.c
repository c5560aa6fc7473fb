/* engine.c - what an engine needs to know about where it runs */
#include "job.h"

#include "bind/bind.h"
#include "common_topology.h"
#include "slurm/slurm.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The model as text in memory of ours; without it members find out by themselves. */
static void tell_machine(struct weft_engine *e, const struct weft_machine *m)
{
	weft_autostr struct weft_str text = {0};
	int fd = -1;

	e->machine = m;
	if (!m || weft_machine_print(m, &text) || text.failed)
		return;
	fd = memfd_create("weft-topology", MFD_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, text.s, text.len) == (ssize_t)text.len)
		e->machine_path = weft_printf("/proc/%d/fd/%d", (int)getpid(), fd);
	else
		close(fd); /* else open as long as the engine runs */
}

static int local_node(struct weft_engine *e, struct weft_err *err)
{
	struct weft_engine_node *node = calloc(1, sizeof(*node));
	struct weft_cluster *c = NULL;
	struct weft_machine *m = NULL;
	char host[256] = "";

	if (!node)
		return weft_err_nomem(err);
	if (cmd_local_cluster(&c, &m, err)) {
		free(node);
		return -1;
	}
	gethostname(host, sizeof(host) - 1);
	node->name = strdup(host);
	node->cpus = c->node[0].cpus;
	node->gpus = c->node[0].n_gpus;
	const char *visible =
		getenv(m ? weft_bind_visible_name(m) : "CUDA_VISIBLE_DEVICES");
	tell_machine(e, m);
	node->visible = visible && *visible ? strdup(visible) : NULL;
	cpu_set_t own;
	if (sched_getaffinity(0, sizeof(own), &own) == 0)
		for (unsigned i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &own))
				weft_cpuset_add(&node->allowed, i);
	if (m)
		weft_cpuset_remove(&node->allowed, &m->reserved);
	weft_cluster_free(c);
	e->node = node;
	e->n_nodes = 1;
	return node->name ? 0 : weft_err_nomem(err);
}

/* Does this site's srun know the plug-in's options? */
bool engine_has_plugin(void)
{
	char *argv[] = {(char *)"srun", (char *)"--help", NULL};
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
	static const char *const good[] = {"pmi2", "cray_shasta", "pmix"};
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

char *engine_mpi(const struct weft_conf *conf)
{
	return conf->mpi ? strdup(conf->mpi) : probe_mpi();
}

static bool needs_mpi(const struct weft_engine *e)
{
	for (size_t i = 0; i < (e->step ? e->n_steps : e->plan->n_steps); i++)
		if (e->plan->step[e->step ? e->step[i] : i].launch == WEFT_LAUNCH_MPI)
			return true;
	return false;
}

/* "1234", or of an array "1234_7" */
static char *job_name(void)
{
	const char *array = getenv("SLURM_ARRAY_JOB_ID"),
		   *task = getenv("SLURM_ARRAY_TASK_ID");
	const char *id = getenv("SLURM_JOB_ID");

	return array && task ? weft_printf("%s_%s", array, task) : strdup(id ? id : "");
}

int engine_fill(struct weft_engine *e, const struct opened *o, struct weft_err *err)
{
	e->run = o->run;
	e->wf = o->wf;
	e->plan = o->plan;
	e->conf = o->conf;
	e->weft = weft_self_path();
	if (!e->weft)
		return weft_err_sys(err, WEFT_ESYS, "/proc/self/exe");
	if (!e->slurm) {
		e->job = strdup("");
		return local_node(e, err);
	}
	e->user = strdup(cmd_user());
	if (!e->user)
		return weft_err_nomem(err);
	e->job = job_name();
	if (!e->job)
		return weft_err_nomem(err);
	if (allocation_nodes(e, err))
		return -1;
	e->shared = true; /* unless the caller knows better */
	e->direct = weft_engine_can_direct(e);
	/* Each question starts an srun, in each of a sweep's jobs: only where srun is
	 * what starts members. */
	if (e->direct)
		return 0;
	e->plugin = engine_has_plugin();
	if (o->conf->mpi || needs_mpi(e))
		e->mpi = engine_mpi(o->conf);
	return 0;
}

int engine_fill_agent(
	struct weft_engine *e, const struct opened *o, struct weft_err *err)
{
	e->run = o->run;
	e->wf = o->wf;
	e->plan = o->plan;
	e->conf = o->conf;
	e->weft = weft_self_path();
	e->user = strdup(cmd_user());
	e->job = job_name();
	if (!e->weft || !e->user || !e->job)
		return weft_err_nomem(err);
	e->shared = true;
	e->direct = true;
	return allocation_own_node(e, err);
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
	free((char *)e->user);
	free((char *)e->machine_path);
	weft_machine_free((struct weft_machine *)e->machine);
}

void engine_find_machine(struct weft_engine *e)
{
	const char *numbers = getenv("SLURM_STEP_GPUS"), *visible;
	struct weft_engine_node *node = (struct weft_engine_node *)e->node;
	weft_autoerr struct weft_err err = {0};
	struct weft_cpuset left;
	struct weft_machine *m;

	if (!e->slurm || !e->direct || !e->shared ||
		weft_cpuset_next(&node->allowed, 0) < 0)
		return;
	if (cmd_topology_here(&m, NULL, &err)) {
		weft_log(WEFT_WARN, "%s: members are not placed beside their GPUs",
			err.text ? err.text : "no topology");
		return;
	}
	if (m->borrowed) {
		weft_machine_free(m);
		return;
	}
	tell_machine(e, m);
	/* A job that has reserved cores only has been given them. */
	left = node->allowed;
	weft_cpuset_remove(&left, &m->reserved);
	if (weft_cpuset_next(&left, 0) >= 0) {
		node->allowed = left;
		node->cpus = weft_cpuset_count(&left);
	}
	node->gpu_numbers = numbers ? numbers : getenv("SLURM_JOB_GPUS");
	visible = getenv(weft_bind_visible_name(m));
	free((char *)node->visible);
	node->visible = visible && *visible ? strdup(visible) : NULL;
}
