#include "plugin/job_submit/fill.h"

#include <string.h>

/* A real client sends a handful; who sends more looks for trouble. */
#define MAX_SPANK 4096

struct filler {
	const struct weft_request *r;
	job_desc_msg_t *job;
	struct weft_str *said;
	/* Left open by the user, before anything is filled. */
	bool nodes, ntasks, per_node, cpus;
	bool script_env; /* the script's environment is here */
};

int fill_find(const job_desc_msg_t *job, const char **text, struct weft_err *err)
{
	static const char name[] = WEFT_REQUEST_ENV "=";
	uint32_t n = job->spank_job_env ? job->spank_job_env_size : 0;

	*text = NULL;
	for (uint32_t i = 0; i < n && i < MAX_SPANK; i++) {
		const char *s = job->spank_job_env[i];

		if (!s || !weft_starts_with(s, name))
			continue;
		if (*text)
			return weft_err_set(err, WEFT_EPLACE, "%s is there twice",
				WEFT_REQUEST_ENV);
		*text = s + strlen(name);
	}
	return 0;
}

static void say(const struct filler *f, const char *what, const char *value)
{
	weft_str_printf(f->said, "%s%s%s%s", f->said->len ? ", " : "", what,
		*value ? " " : "", value);
}

static void say_number(const struct filler *f, const char *what, uint32_t n)
{
	weft_str_printf(f->said, "%s%s %u", f->said->len ? ", " : "", what, n);
}

static bool text(const struct filler *f, const char *what, const char *value, char **to)
{
	if (!*value || *to)
		return false;
	*to = slurm_xstrdup(value);
	say(f, what, value);
	return true;
}

/* A variable of the script, as sbatch sets it for an option that was typed. */
static void script_env(const struct filler *f, const char *name, const char *value)
{
	job_desc_msg_t *job = f->job;
	uint32_t n = 0;

	if (!f->script_env)
		return;
	slurm_env_array_overwrite(&job->environment, name, value);
	while (job->environment[n])
		n++;
	job->env_size = n;
}

static void script_number(const struct filler *f, const char *name, uint32_t n)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%u", n);
	script_env(f, name, buf);
}

/* Only an environment without holes can be searched to its end. */
static bool has_script_env(const job_desc_msg_t *job)
{
	if (!job->script || !job->environment || job->het_job_offset != NO_VAL)
		return false;
	for (uint32_t i = 0; i < job->env_size; i++)
		if (!job->environment[i])
			return false;
	return true;
}

static void fill_texts(const struct filler *f)
{
	const struct weft_request *r = f->r;
	job_desc_msg_t *job = f->job;

	if (text(f, "partition", r->partition, &job->partition))
		job->bitflags &= ~(uint64_t)USE_DEFAULT_PART;
	if (text(f, "account", r->account, &job->account))
		job->bitflags &= ~(uint64_t)USE_DEFAULT_ACCT;
	if (text(f, "qos", r->qos, &job->qos))
		job->bitflags &= ~(uint64_t)USE_DEFAULT_QOS;
	text(f, "reservation", r->reservation, &job->reservation);
	text(f, "constraint", r->constraint, &job->features);
	text(f, "exclude", r->exclude, &job->exc_nodes);
	text(f, "nodelist", r->nodelist, &job->req_nodes);
	text(f, "licenses", r->licenses, &job->licenses);
}

/*
 * Nodes and tasks a node were worked out from ntasks and cpus_per_task: where the user
 * has typed others, Slurm is left to work them out anew.  Nodes that the file itself
 * names hold, unless there are fewer tasks than that.
 */
static void fill_tasks(const struct filler *f)
{
	const struct weft_request *r = f->r;
	job_desc_msg_t *job = f->job;
	bool same = (f->ntasks || job->num_tasks == r->ntasks) &&
		    (f->nodes || job->min_nodes == r->nodes) &&
		    (f->cpus || job->cpus_per_task == r->cpus_per_task) &&
		    (f->per_node || job->ntasks_per_node == r->ntasks_per_node);

	if (f->ntasks && r->ntasks && (f->nodes || job->min_nodes <= r->ntasks)) {
		job->num_tasks = r->ntasks;
		job->bitflags |= JOB_NTASKS_SET;
		script_number(f, "SLURM_NTASKS", r->ntasks);
		script_number(f, "SLURM_NPROCS", r->ntasks);
		say_number(f, "ntasks", r->ntasks);
	}
	if (f->nodes && r->nodes && (same || r->nodes_given) &&
		(job->num_tasks == NO_VAL || r->nodes <= job->num_tasks)) {
		job->min_nodes = job->max_nodes = r->nodes;
		say_number(f, "nodes", r->nodes);
	}
	if (f->per_node && r->ntasks_per_node && same) {
		job->ntasks_per_node = (uint16_t)r->ntasks_per_node;
		script_number(f, "SLURM_NTASKS_PER_NODE", r->ntasks_per_node);
		say_number(f, "ntasks_per_node", r->ntasks_per_node);
	}
	if (f->cpus && r->cpus_per_task) {
		job->cpus_per_task = (uint16_t)r->cpus_per_task;
		job->bitflags |= JOB_CPUS_SET;
		if (job->pn_min_cpus == NO_VAL16 || job->pn_min_cpus < r->cpus_per_task)
			job->pn_min_cpus = (uint16_t)r->cpus_per_task;
		script_number(f, "SLURM_CPUS_PER_TASK", r->cpus_per_task);
		say_number(f, "cpus_per_task", r->cpus_per_task);
	}
}

/* min_cpus can't be typed: sbatch, too, works it out from the others. */
static void count_cpus(job_desc_msg_t *job)
{
	uint32_t nodes = job->min_nodes == NO_VAL ? 1 : job->min_nodes;
	uint32_t tasks = job->num_tasks == NO_VAL ? nodes : job->num_tasks;
	uint64_t cpus = tasks;

	if (job->cpus_per_task != NO_VAL16)
		cpus *= job->cpus_per_task;
	if (job->overcommit != NO_VAL8 && job->overcommit)
		cpus = nodes ? nodes : 1;
	job->min_cpus = cpus < NO_VAL ? (uint32_t)cpus : NO_VAL - 1;
}

static bool has_gpu(const char *tres)
{
	return tres && strstr(tres, "gpu");
}

/* "gres:gpu:a100:2", and "gres:" before each of the other resources. */
static void tres(const struct weft_request *r, uint32_t gpus, const char *gres,
	struct weft_str *out)
{
	if (gpus)
		weft_str_printf(out, "gres:gpu%s%s:%u", *r->gpu_type ? ":" : "",
			r->gpu_type, gpus);
	for (const char *p = gres; *p;) {
		size_t n = strcspn(p, ",");

		weft_str_printf(out, "%sgres:%.*s", out->len ? "," : "", (int)n, p);
		p += n;
		p += *p == ',';
	}
}

static void tres_to(const struct weft_str *s, char **to)
{
	if (s->len && !s->failed)
		*to = slurm_xstrdup(s->s);
}

static void fill_gpus(const struct filler *f)
{
	weft_autostr struct weft_str per_node = {0}, in_all = {0};
	const struct weft_request *r = f->r;
	job_desc_msg_t *job = f->job;
	char count[96];
	bool open = !has_gpu(job->tres_per_job) && !has_gpu(job->tres_per_node) &&
		    !has_gpu(job->tres_per_socket) && !has_gpu(job->tres_per_task) &&
		    job->ntasks_per_tres == NO_VAL16;
	uint32_t each = open ? r->gpus_per_node : 0, all = open ? r->gpus : 0;
	const char *gres = job->tres_per_node ? "" : r->gres;

	/* Resources of other kinds were typed for each node: GPUs join them in all. */
	if (each && job->tres_per_node) {
		uint64_t n = job->min_nodes == NO_VAL ? r->nodes : job->min_nodes;

		n = (n ? n : 1) * each;
		all = n < NO_VAL ? (uint32_t)n : 0;
		each = 0;
	}
	if (all && job->tres_per_job)
		all = 0;
	tres(r, each, gres, &per_node);
	tres(r, all, "", &in_all);
	tres_to(&per_node, &job->tres_per_node);
	tres_to(&in_all, &job->tres_per_job);
	snprintf(count, sizeof(count), "%s%s%u", r->gpu_type, *r->gpu_type ? ":" : "",
		each ? each : all);
	if (each || all) {
		script_env(f, each ? "SLURM_GPUS_PER_NODE" : "SLURM_GPUS", count);
		say(f, each ? "gpus_per_node" : "gpus", count);
	}
	if (*gres)
		say(f, "gres", gres);
}

static void fill_rest(const struct filler *f)
{
	const struct weft_request *r = f->r;
	job_desc_msg_t *job = f->job;

	if (r->mem && job->pn_min_memory == NO_VAL64 && !job->mem_per_tres) {
		job->pn_min_memory = r->mem;
		weft_str_printf(f->said, "%smem %uM", f->said->len ? ", " : "", r->mem);
	}
	if (r->tmp && job->pn_min_tmp_disk == NO_VAL) {
		job->pn_min_tmp_disk = r->tmp;
		weft_str_printf(f->said, "%stmp %uM", f->said->len ? ", " : "", r->tmp);
	}
	if (r->time && job->time_limit == NO_VAL && job->time_min == NO_VAL) {
		char buf[WEFT_UNIT_MAX];

		job->time_limit = r->time;
		say(f, "time", weft_format_duration(buf, (int64_t)r->time * 60));
	}
	if (r->exclusive && job->shared == NO_VAL16) {
		job->shared = 0;
		say(f, "exclusive", "");
	}
}

static int fill_array(const struct filler *f, struct weft_err *err)
{
	const struct weft_request *r = f->r;
	job_desc_msg_t *job = f->job;
	char list[64];

	if (!r->array || job->array_inx)
		return 0;
	if (job->het_job_offset != NO_VAL || !job->script) {
		weft_err_set(err, WEFT_EPLACE,
			"step %s is a sweep of %u members, and %s can't be a job array",
			r->step, r->array,
			job->het_job_offset != NO_VAL ? "a heterogeneous job"
						      : "this job");
		return weft_err_hint(err, "name one member: --weft-step=%s.0 to %s.%u",
			r->step, r->step, r->array - 1);
	}
	if (r->max_parallel && r->max_parallel < r->array)
		snprintf(list, sizeof(list), "0-%u%%%u", r->array - 1, r->max_parallel);
	else
		snprintf(list, sizeof(list), "0-%u", r->array - 1);
	job->array_inx = slurm_xstrdup(list);
	say(f, "array", list);
	return 0;
}

int fill(const struct weft_request *r, job_desc_msg_t *job, struct weft_str *said,
	struct weft_err *err)
{
	struct filler f = {.r = r,
		.job = job,
		.said = said,
		/* --nodelist sends its own number of nodes. */
		.nodes = job->min_nodes == NO_VAL && job->max_nodes == NO_VAL,
		.ntasks = job->num_tasks == NO_VAL,
		.per_node = job->ntasks_per_node == NO_VAL16,
		.cpus = job->cpus_per_task == NO_VAL16 && !job->cpus_per_tres,
		.script_env = has_script_env(job)};
	size_t before;

	fill_texts(&f);
	before = said->len;
	fill_tasks(&f);
	if (said->len > before)
		count_cpus(job);
	fill_gpus(&f);
	fill_rest(&f);
	if (fill_array(&f, err))
		return -1;
	return said->failed ? weft_err_nomem(err) : 0;
}
