/* args.c - a plan as options of sbatch and srun. */
#include "select/select.h"

static void opt_text(struct weft_argv *args, const char *name, const char *value)
{
	if (*value)
		weft_argv_addf(args, "--%s=%s", name, value);
}

/* Slurm counts memory in whole MiB. */
static void opt_size(struct weft_argv *args, const char *name, uint64_t bytes)
{
	if (bytes)
		weft_argv_addf(args, "--%s=%juM", name,
			(uintmax_t)((bytes - 1) / (1u << 20) + 1));
}

/* The GPUs of a job or step: the same on each node, or else in all. */
static void opt_gpus(struct weft_argv *args, const struct weft_plan_step *s)
{
	bool even = s->gpus == s->gpus_per_node * s->nodes;

	if (s->gpus)
		weft_argv_addf(args, "--gpus%s=%s%s%u", even ? "-per-node" : "",
			s->gpu_type, *s->gpu_type ? ":" : "",
			even ? s->gpus_per_node : s->gpus);
}

/* torchrun starts its workers by itself: to Slurm it is a task a node. */
static void opt_tasks(struct weft_argv *args, const struct weft_plan_step *s, bool job)
{
	bool torchrun = s->launch == WEFT_LAUNCH_TORCHRUN;
	unsigned tasks = torchrun ? s->nodes : s->ntasks;
	unsigned per_node = torchrun ? 1 : s->ntasks_per_node;

	weft_argv_addf(args, "--nodes=%u", s->nodes);
	weft_argv_addf(args, "--ntasks=%u", tasks);
	/* To sbatch it is a most, so uneven tasks are fine; srun warns of them, and
	 * spreads them over what each node has anyway. */
	if (job || tasks == per_node * s->nodes)
		weft_argv_addf(args, "--ntasks-per-node=%u", per_node);
	weft_argv_addf(args, "--cpus-per-task=%u",
		torchrun ? s->cpus_per_task * s->ntasks_per_node : s->cpus_per_task);
}

int weft_plan_sbatch_args(const struct weft_plan_group *g, struct weft_argv *args)
{
	const struct weft_plan_step *s = &g->shape;
	char buf[WEFT_UNIT_MAX];

	opt_text(args, "partition", s->partition);
	opt_text(args, "account", s->account);
	opt_text(args, "qos", s->qos);
	opt_text(args, "reservation", s->reservation);
	opt_tasks(args, s, true);
	opt_gpus(args, s);
	opt_size(args, "mem", s->mem);
	opt_size(args, "tmp", s->tmp);
	if (s->time)
		weft_argv_addf(args, "--time=%s", weft_format_duration(buf, s->time));
	opt_text(args, "constraint", s->constraint);
	opt_text(args, "exclude", s->exclude);
	opt_text(args, "nodelist", s->nodelist);
	opt_text(args, "licenses", s->licenses);
	opt_text(args, "gres", s->gres);
	if (s->exclusive)
		weft_argv_add(args, "--exclusive");
	if (g->tasks && g->max_parallel && g->max_parallel < g->tasks)
		weft_argv_addf(
			args, "--array=0-%zu%%%u", g->tasks - 1, g->max_parallel);
	else if (g->tasks)
		weft_argv_addf(args, "--array=0-%zu", g->tasks - 1);
	return args->failed ? -1 : 0;
}

int weft_plan_srun_args(const struct weft_plan_step *s, struct weft_argv *args)
{
	/* Said again, all of it: srun takes cpus-per-task from no sbatch since
	 * 22.05, and the job may be larger than this step. */
	weft_argv_add(args, "--exact");
	opt_tasks(args, s, false);
	opt_gpus(args, s);
	opt_size(args, "mem", s->mem);
	/* Without GPUs in a job that has some, "none" leaves them to other steps. */
	if (*s->gres)
		opt_text(args, "gres", s->gres);
	else if (!s->gpus)
		weft_argv_add(args, "--gres=none");
	return args->failed ? -1 : 0;
}
