#include "plugin/spank/sizes.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/spank/host.h"

struct size {
	const char *name;
	const char *typed; /* options that say it better */
	bool fresh;        /* only where srun makes the allocation itself */
	const char *word;  /* in the field's words, where a difference is told */
};
#define MEM "--mem --mem-per-cpu --mem-per-gpu"
#define GPUS "--gpus -G --gpus-per-node --gpus-per-task --gpus-per-socket --gres"
static const struct size sizes[] = {
	{"SLURM_NTASKS", "--ntasks -n", false, "ntasks"},
	{"SLURM_NNODES", "--nodes -N", true, "nodes"},
	{"SLURM_NTASKS_PER_NODE", "--ntasks-per-node --ntasks -n --nodes -N", false,
		"ntasks_per_node"},
	{"SRUN_CPUS_PER_TASK", "--cpus-per-task -c", false, "cpus_per_task"},
	{"SLURM_CPUS_PER_GPU", "--cpus-per-gpu --cpus-per-task -c", false, NULL},
	{"SLURM_GPUS", GPUS, false, "gpus"},
	{"SLURM_GPUS_PER_NODE", GPUS, false, "gpus_per_node"},
	{"SLURM_GRES", GPUS, false, NULL},
	{"SLURM_MEM_PER_NODE", MEM, true, NULL},
	{"SLURM_MEM_PER_CPU", MEM, true, NULL},
	{"SLURM_MEM_PER_GPU", MEM, true, NULL},
	{"SLURM_TIMELIMIT", "--time -t", true, NULL},
	{"SLURM_PARTITION", "--partition -p", true, NULL},
	{"SLURM_CONSTRAINT", "--constraint -C", true, NULL},
	{"SLURM_ACCOUNT", "--account -A", true, NULL},
	{"SLURM_QOS", "--qos -q", true, NULL},
	{"SLURM_RESERVATION", "--reservation", true, NULL},
	{"SLURM_EXCLUSIVE", "--exclusive", true, NULL},
};

static bool is_set[WEFT_COUNT(sizes)]; /* by us */

static bool inside_job(const struct cmdline *line)
{
	const char *id = getenv("SLURM_JOB_ID");

	return (id && *id) || cmdline_typed(line, "--jobid");
}

static const struct size *find(const char *assignment)
{
	size_t n = strcspn(assignment, "=");

	for (size_t i = 0; i < WEFT_COUNT(sizes); i++)
		if (strlen(sizes[i].name) == n &&
			strncmp(sizes[i].name, assignment, n) == 0)
			return &sizes[i];
	return NULL;
}

void sizes_apply(const struct order *order, const struct cmdline *line)
{
	bool inside = inside_job(line);
	struct order_record r;

	sizes_differ(order, line, line->step);
	for (size_t at = 0; order_next(order, &at, &r);) {
		const struct size *s = order_is(&r, "size") ? find(r.value) : NULL;

		if (!s || (inside && s->fresh) || cmdline_typed(line, s->typed) ||
			getenv(s->name))
			continue;
		is_set[s - sizes] = order_setenv(r.value, false);
	}
}

void sizes_withdraw(void)
{
	for (size_t i = 0; i < WEFT_COUNT(sizes); i++) {
		if (is_set[i])
			unsetenv(sizes[i].name);
		is_set[i] = false;
	}
}

void sizes_differ(
	const struct order *order, const struct cmdline *line, const char *step)
{
	weft_autostr struct weft_str text = {0};
	struct order_record r;

	for (size_t at = 0; order_next(order, &at, &r);) {
		const struct size *s = order_is(&r, "size") ? find(r.value) : NULL;

		if (!s || !s->word || cmdline_typed(line, s->typed))
			continue;
		const char *want = r.value + strlen(s->name) + 1,
			   *have = getenv(s->name);
		if (have && !weft_streq(have, want))
			weft_str_printf(&text, "%s%s %s, the job %s",
				text.len ? "; " : "", s->word, want, have);
	}
	if (text.len && !text.failed)
		host_say("step %s asks for %s: the job's number holds (weft exec %s -- "
			 "COMMAND, or srun's own options, take the file's)",
			step, text.s, step);
}
