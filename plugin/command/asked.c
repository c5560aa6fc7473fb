/* asked.c - the step, its member, its numbers and its ticket */
#include "asked.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define SLACK 1e-4 /* a third of a GPU is never exact */

void asked_clear(struct asked *a)
{
	weft_env_free(&a->env);
	weft_env_free(&a->secret);
	weft_argv_free(&a->size);
	weft_argv_free(&a->option);
	weft_argv_free(&a->stage);
	weft_argv_free(&a->out);
	weft_argv_free(&a->say);
	for (size_t i = 0; a->input && i < a->step->n_inputs; i++)
		free(a->input[i]);
	free(a->input);
	weft_resources_clear(&a->res);
	weft_member_clear(&a->member);
	weft_spec_free(a->wf);
	weft_run_free(a->run);
	weft_conf_free(a->conf);
	memset(a, 0, sizeof(*a));
}

static int add(struct weft_errs *errs, struct weft_err *err)
{
	weft_errs_add(errs, err);
	return -1;
}

static int load_file(struct asked *a, const char *file, struct weft_errs *errs)
{
	struct weft_err err = {0};
	const char *dir = getenv("WEFT_RUN_DIR"), *env = getenv("WEFT_FILE");

	if (dir && *dir && weft_run_open(dir, NULL, &a->run, &err)) {
		if (!file)
			return add(errs, &err);
		weft_err_clear(&err);
	}
	if (!file && a->run)
		return weft_run_workflow(a->run, &a->wf, errs);
	if (!file)
		file = env && *env ? env : NULL;
	if (!file) {
		weft_err_set(&err, WEFT_EUSAGE,
			"no workflow file: --file, WEFT_FILE and "
			"WEFT_RUN_DIR aren't set");
		return add(errs, &err);
	}
	return weft_spec_load(file, NULL, &a->wf, errs);
}

static int find_member(
	struct asked *a, const char *which, size_t *index, struct weft_err *err)
{
	static const char *const vars[] = {"WEFT_MEMBER_INDEX", "SLURM_ARRAY_TASK_ID"};
	const struct weft_step *s = a->step;

	*index = 0;
	if (s->sweep.kind == WEFT_SWEEP_NONE && which)
		return weft_err_set(err, WEFT_EUSAGE,
			"step '%s' is no sweep: it has no member "
			"'%s'",
			s->name, which);
	if (s->sweep.kind == WEFT_SWEEP_NONE)
		return 0;
	if (which)
		return cmd_member(a->wf, s, which, index, err);
	for (size_t i = 0; i < WEFT_COUNT(vars); i++) {
		which = getenv(vars[i]);
		if (!which)
			continue;
		return cmd_member(a->wf, s, which, index, err)
			       ? weft_err_prefix(err, "%s", vars[i])
			       : 0;
	}
	weft_err_set(err, WEFT_EUSAGE, "step '%s' is a sweep of %zu members", s->name,
		s->sweep.count);
	return weft_err_hint(
		err, "say which: %s.0 to %s.%zu", s->name, s->name, s->sweep.count - 1);
}

int asked_load(
	struct asked *a, const char *file, const char *name, struct weft_errs *errs)
{
	struct weft_err err = {0};
	const char *member;
	size_t index;

	if (weft_conf_load(NULL, false, &a->conf, &err))
		return add(errs, &err);
	if (load_file(a, file, errs))
		return -1;
	if (cmd_switched_on(a->conf, a->wf->name, &err))
		return add(errs, &err);
	if (!name)
		return 0;
	a->step = cmd_step(a->wf, a->wf->file, name, &member, &err);
	if (!a->step)
		return add(errs, &err);
	if (find_member(a, member, &index, &err) ||
		weft_sweep_member(a->wf, a->step, index, &a->member, &err))
		return add(errs, &err);
	a->scope = (struct weft_scope){.wf = a->wf,
		.step = a->step,
		.member = &a->member,
		.variant = 0,
		.run_id = a->run ? a->run->id : NULL,
		.run_dir = a->run ? a->run->dir : NULL};
	return 0;
}

/* ---- numbers --------------------------------------------------------------- */

/* One number, as srun's environment and as its option. */
static void size(struct asked *a, const char *name, const char *option, const char *fmt,
	...) WEFT_PRINTF(4, 5);
static void size(
	struct asked *a, const char *name, const char *option, const char *fmt, ...)
{
	char value[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	weft_argv_addf(&a->size, "%s=%s", name, value);
	if (option)
		weft_argv_addf(&a->option, "%s=%s", option, value);
}

static unsigned ceil_div(uint64_t n, uint64_t by)
{
	return (unsigned)((n + by - 1) / by);
}

static void count_tasks(struct asked *a)
{
	const struct weft_resources *r = &a->res;
	unsigned nodes = r->min_nodes ? r->min_nodes : 1;

	a->nodes = r->min_nodes;
	a->ntasks_per_node = r->ntasks_per_node;
	a->ntasks = r->ntasks                      ? r->ntasks
		    : r->ntasks_per_node           ? nodes * r->ntasks_per_node
		    : r->ntasks_per_gpu && r->gpus ? r->gpus * r->ntasks_per_gpu
		    : r->gpus_per_task > 0 && r->gpus
			    ? (unsigned)(r->gpus / r->gpus_per_task + SLACK)
			    : nodes;
	a->launch = a->step->launch;
	if (a->launch == WEFT_LAUNCH_DEFAULT)
		a->launch = a->ntasks > 1 ? WEFT_LAUNCH_SRUN : WEFT_LAUNCH_SINGLE;
	a->workers = 1;
	if (a->launch == WEFT_LAUNCH_TORCHRUN) {
		/* One Slurm task a node, which starts a worker a GPU. */
		a->workers = r->ntasks_per_node ? r->ntasks_per_node
			     : r->gpus_per_node ? r->gpus_per_node
			     : r->gpus          ? ceil_div(r->gpus, nodes)
						: 1;
		a->ntasks = nodes;
		a->ntasks_per_node = 1;
	}
}

/*
 * Never as gpus_per_task: Slurm would then show each task its own GPUs only, or
 * with --gpu-bind=none (22.05) no GPU at all, and the placement deals out those of
 * the node.
 */
static void size_gpus(struct asked *a)
{
	const struct weft_resources *r = &a->res;
	const char *type = r->gpu_type ? r->gpu_type : "", *colon = *type ? ":" : "";
	unsigned per_node = a->ntasks_per_node ? a->ntasks_per_node
			    : a->nodes         ? ceil_div(a->ntasks, a->nodes)
					       : 0;

	if (r->gpus_per_node)
		size(a, "SLURM_GPUS_PER_NODE", "--gpus-per-node", "%s%s%u", type, colon,
			r->gpus_per_node);
	else if (r->gpus)
		size(a, "SLURM_GPUS", "--gpus", "%s%s%u", type, colon, r->gpus);
	else if (r->gpus_per_task > 0 && per_node)
		size(a, "SLURM_GPUS_PER_NODE", "--gpus-per-node", "%s%s%.0f", type,
			colon, ceil(r->gpus_per_task * per_node - SLACK));
	else if (r->gpus_per_task > 0)
		size(a, "SLURM_GPUS", "--gpus", "%s%s%.0f", type, colon,
			ceil(r->gpus_per_task * a->ntasks - SLACK));
	if (r->gres)
		size(a, "SLURM_GRES", "--gres", "%s", r->gres);
}

static void size_memory(struct asked *a, uint64_t per_cpu)
{
	const struct weft_resources *r = &a->res;
	uint64_t files = asked_in_memory(a);
	uint64_t node = files ? asked_node_memory(a, per_cpu) : 0;
	char text[WEFT_UNIT_MAX];

	/* Only a number a node can hold both. */
	if (node) {
		size(a, "SLURM_MEM_PER_NODE", NULL, "%u", ceil_div(node + files, MIB));
		return;
	}
	if (files)
		weft_argv_addf(&a->say,
			"step %s: %s of files are to be in its node's memory, on top "
			"of "
			"Slurm's default: give resources.mem",
			a->step->name, weft_format_size(text, files));
	if (r->mem)
		size(a, "SLURM_MEM_PER_NODE", NULL, "%u", ceil_div(r->mem, MIB));
	if (per_cpu)
		size(a, "SLURM_MEM_PER_CPU", NULL, "%u", ceil_div(per_cpu, MIB));
	if (r->mem_per_gpu)
		size(a, "SLURM_MEM_PER_GPU", NULL, "%u", ceil_div(r->mem_per_gpu, MIB));
}

/* What only a new allocation can be given: no options, since `weft exec` runs in
 * one that is there. */
static int size_job(struct asked *a, struct weft_err *err)
{
	const struct weft_conf_role *role = &a->conf->role[a->step->role];
	const struct weft_resources *r = &a->res;
	const struct {
		const char *name;
		const struct weft_text *step, *top;
		const char *role;
	} texts[] = {
		{"SLURM_ACCOUNT", &a->step->account, &a->wf->account, role->account},
		{"SLURM_QOS", &a->step->qos, &a->wf->qos, role->qos},
		{"SLURM_RESERVATION", &a->step->reservation, &a->wf->reservation, NULL},
	};
	const char *partition = r->partition ? r->partition : role->partition;
	const char *constraint = r->constraint ? r->constraint : role->constraint;
	uint64_t per_cpu = r->mem || r->mem_per_cpu || r->mem_per_gpu
				   ? r->mem_per_cpu
				   : role->mem_per_cpu;
	int64_t time = r->time ? r->time : role->time ? role->time : a->conf->time;

	size_memory(a, per_cpu);
	if (time)
		size(a, "SLURM_TIMELIMIT", NULL, "%u", ceil_div((uint64_t)time, 60));
	if (partition)
		size(a, "SLURM_PARTITION", NULL, "%s", partition);
	if (constraint)
		size(a, "SLURM_CONSTRAINT", NULL, "%s", constraint);
	if (r->exclusive)
		size(a, "SLURM_EXCLUSIVE", NULL, "exclusive");
	for (size_t i = 0; i < WEFT_COUNT(texts); i++) {
		weft_autofree char *value = NULL;
		const struct weft_text *t =
			texts[i].step->s ? texts[i].step : texts[i].top;

		if (t->s && weft_scope_text(&a->scope, t, &value, err))
			return -1;
		if (value || texts[i].role)
			size(a, texts[i].name, NULL, "%s",
				value ? value : texts[i].role);
	}
	const char *const left[] = {r->nodelist ? "nodelist" : NULL,
		r->exclude ? "exclude" : NULL, r->licenses ? "licenses" : NULL,
		r->tmp && a->step->scratch != WEFT_SCRATCH_MEMORY ? "tmp" : NULL};
	for (size_t i = 0; i < WEFT_COUNT(left); i++)
		if (left[i])
			weft_argv_addf(&a->say,
				"step %s: resources.%s is not taken: give it as an "
				"option",
				a->step->name, left[i]);
	return 0;
}

/* A task's part of what the step asks of a node: where it lies, not how much may be
 * used, which Slurm says. */
static uint64_t mem_per_task(const struct asked *a)
{
	const struct weft_resources *r = &a->res;
	unsigned tasks = asked_node_tasks(a);

	if (r->mem_per_cpu)
		return r->mem_per_cpu * (r->cpus_per_task ? r->cpus_per_task : 1);
	if (r->mem_per_gpu)
		return (uint64_t)((double)r->mem_per_gpu * r->gpus_per_task);
	return tasks ? r->mem / tasks : 0;
}

static int make_ticket(struct asked *a, struct weft_err *err)
{
	static const enum weft_place_cpus cpus[] = {
		[WEFT_CPUS_NEAR_GPU] = WEFT_PLACE_NEAR_GPU,
		[WEFT_CPUS_SPREAD] = WEFT_PLACE_SPREAD,
		[WEFT_CPUS_COMPACT] = WEFT_PLACE_COMPACT};
	static const enum weft_place_memory memory[] = {
		[WEFT_MEMORY_LOCAL] = WEFT_PLACE_LOCAL,
		[WEFT_MEMORY_INTERLEAVE] = WEFT_PLACE_INTERLEAVE,
		[WEFT_MEMORY_NONE] = WEFT_PLACE_ANY};
	struct weft_place_request want;
	const struct weft_resources *r = &a->res;
	struct weft_ticket *t = &a->ticket;
	bool gpus = r->gpus || r->gpus_per_node || r->gpus_per_task > 0;

	memset(t, 0, sizeof(*t));
	snprintf(t->step, sizeof(t->step), "%s", a->step->name);
	t->bind = weft_select_place(a->step, a->conf, &want);
	t->ntasks = a->ntasks;
	t->nodes = a->nodes;
	t->place.cpus = cpus[want.cpus];
	t->place.memory = memory[want.memory];
	t->place.balance_even = want.balance_even;
	t->place.smt = want.smt;
	t->place.spare_cores = want.spare_cores;
	t->place.cpus_per_task = r->cpus_per_task;
	t->place.mem_per_task = mem_per_task(a);
	if (a->launch == WEFT_LAUNCH_TORCHRUN) {
		/* The node's one task has all there is; its workers share it out. */
		t->place.cpus_per_task = 0;
		t->place.gpus_all = gpus;
	} else if (r->gpus_per_task > 0) {
		t->place.gpus_per_task = r->gpus_per_task;
	} else {
		t->place.gpus_all = gpus;
	}
	if (t->place.cpus_per_task > WEFT_MAX_CPUS)
		return weft_err_set(err, WEFT_EPLACE,
			"step '%s': cpus_per_task %u is more than a "
			"node can have",
			a->step->name, t->place.cpus_per_task);
	return 0;
}

int asked_sizes(struct asked *a, struct weft_err *err)
{
	struct weft_resources *r = &a->res;

	if (weft_scope_resources(&a->scope, a->step, 0, r, err))
		return -1;
	count_tasks(a);
	a->scope.step_ntasks = a->ntasks;
	if (make_ticket(a, err))
		return -1;
	size(a, "SLURM_NTASKS", "--ntasks", "%u", a->ntasks);
	if (r->max_nodes > r->min_nodes)
		size(a, "SLURM_NNODES", "--nodes", "%u-%u", r->min_nodes, r->max_nodes);
	else if (r->min_nodes)
		size(a, "SLURM_NNODES", "--nodes", "%u", r->min_nodes);
	if (a->ntasks_per_node)
		size(a, "SLURM_NTASKS_PER_NODE", "--ntasks-per-node", "%u",
			a->ntasks_per_node);
	if (r->cpus_per_task)
		size(a, "SRUN_CPUS_PER_TASK", "--cpus-per-task", "%u",
			r->cpus_per_task * a->workers);
	else if (r->cpus_per_gpu)
		size(a, "SLURM_CPUS_PER_GPU", "--cpus-per-gpu", "%u", r->cpus_per_gpu);
	size_gpus(a);
	if (size_job(a, err))
		return -1;
	return a->size.failed || a->option.failed || a->say.failed ? weft_err_nomem(err)
								   : 0;
}
