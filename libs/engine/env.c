/* env.c - the environment of a member's program:
 * submitter < role < workflow < step < secrets < WEFT_* */
#include "engine/unit.h"

#include "bind/bind.h"
#include "ticket/ticket.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX ((size_t)128 << 10) /* the kernel's limit of one variable */

extern char **environ;

static int set(
	struct weft_env *env, const char *name, const char *value, struct weft_err *err)
{
	if (strlen(name) + strlen(value) + 2 > VALUE_MAX) {
		weft_err_set(err, WEFT_ESPEC, "the value of %s is over 128 KiB", name);
		return weft_err_hint(err, "pass a file or a folder instead");
	}
	return weft_env_set(env, name, value) ? weft_err_nomem(err) : 0;
}

/* PREFIX_NAME in capitals */
static int set_upper(struct weft_env *env, const char *prefix, const char *name,
	const char *value, struct weft_err *err)
{
	weft_autofree char *full = weft_printf("%s%s", prefix, name);

	if (!full)
		return weft_err_nomem(err);
	for (char *p = full + strlen(prefix); *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return set(env, full, value, err);
}

static int set_pairs(const struct unit *u, struct weft_env *env,
	const struct weft_pairs *pairs, struct weft_err *err)
{
	for (size_t i = 0; i < pairs->n; i++) {
		weft_autofree char *value = NULL;

		if (weft_scope_text(&u->scope, &pairs->v[i].value, &value, err) ||
			set(env, pairs->v[i].name, value, err))
			return -1;
	}
	return 0;
}

/* Secrets are read here and nowhere else: never in plan, journal, script. */
static int set_secrets(const struct unit *u, struct weft_env *env,
	const struct weft_pairs *pairs, struct weft_err *err)
{
	for (size_t i = 0; i < pairs->n; i++) {
		weft_autofree char *text = NULL, *value = NULL;

		if (weft_scope_text(&u->scope, &pairs->v[i].value, &text, err))
			return -1;
		weft_autofree char *path = weft_path_absolute(u->e->wf->dir, text);
		if (!path)
			return weft_err_nomem(err);
		size_t n;
		if (weft_read_file(path, VALUE_MAX, &value, &n, err))
			return weft_err_prefix(err, "secret '%s'", pairs->v[i].name);
		while (n && (value[n - 1] == '\n' || value[n - 1] == '\r'))
			value[--n] = '\0';
		if (strlen(value) != n)
			return weft_err_set(err, WEFT_ESTAGE,
				"secret '%s': a NUL byte in %s", pairs->v[i].name,
				path);
		int r = set(env, pairs->v[i].name, value, err);
		explicit_bzero(value, n);
		if (r)
			return -1;
	}
	return 0;
}

static int set_vars(const struct unit *u, struct weft_env *env, struct weft_err *err)
{
	for (size_t i = 0; i < u->e->wf->vars.n; i++) {
		struct weft_name name = {
			.part = {"vars", u->e->wf->vars.v[i].name}, .n = 2};
		weft_autostr struct weft_str text = {0};
		struct weft_value v = {0};

		if (weft_scope_lookup((void *)&u->scope, &name, &v, err))
			return -1;
		int bad = weft_value_print(&text, &v);
		weft_value_clear(&v);
		if (bad || text.failed)
			return weft_err_nomem(err);
		if (set_upper(
			    env, "WEFT_VAR_", name.part[1], text.s ? text.s : "", err))
			return -1;
	}
	return 0;
}

static int set_params(const struct unit *u, struct weft_env *env, struct weft_err *err)
{
	const struct weft_value *p = &u->member.params;

	for (size_t i = 0; i < p->n; i++) {
		weft_autostr struct weft_str text = {0};

		if (weft_value_print(&text, &p->item[i]) || text.failed)
			return weft_err_nomem(err);
		if (set_upper(
			    env, "WEFT_PARAM_", p->name[i], text.s ? text.s : "", err))
			return -1;
	}
	return 0;
}

static int set_data(const struct unit *u, struct weft_env *env, struct weft_err *err)
{
	for (size_t i = 0; i < u->n_inputs; i++)
		if (!u->input[i].absent &&
			set_upper(env, "WEFT_INPUT_", u->input[i].def->name,
				u->input[i].path, err))
			return -1;
	for (size_t i = 0; i < u->step->n_outputs; i++) {
		weft_autofree char *path =
			unit_output_path(u, &u->step->output[i], err);

		if (!path || set_upper(env, "WEFT_OUTPUT_", u->step->output[i].name,
				     path, err))
			return -1;
	}
	return 0;
}

static int set_number(
	struct weft_env *env, const char *name, unsigned long v, struct weft_err *err)
{
	char s[24];

	snprintf(s, sizeof(s), "%lu", v);
	return set(env, name, s, err);
}

static int set_own(const struct unit *u, struct weft_env *env, struct weft_err *err)
{
	weft_autofree char *metrics = weft_path_absolute(u->work, u->step->metrics);

	if (!metrics)
		return weft_err_nomem(err);
	if (set(env, "WEFT_STEP", u->step->name, err) ||
		set(env, "WEFT_RUN_ID", u->e->run->id, err) ||
		set(env, "WEFT_RUN_DIR", u->e->run->dir, err) ||
		set(env, "WEFT_STEP_DIR", u->dir, err) ||
		set(env, "WEFT_WORKFLOW_DIR", u->e->wf->dir, err) ||
		set(env, "WEFT_FILE", u->e->run->file, err) ||
		set(env, "WEFT_METRICS", metrics, err) ||
		set_number(env, "WEFT_NTASKS", u->plan->ntasks, err) ||
		set_number(env, "WEFT_ATTEMPT", u->scope.attempt, err))
		return -1;
	if (u->step->checkpoint.signal &&
		set_number(env, "WEFT_RESTART_COUNT", u->scope.attempt, err))
		return -1;
	if (u->step->sweep.kind == WEFT_SWEEP_NONE)
		return 0;
	if (u->step->sweep.round &&
		set_number(env, "WEFT_LOOP_INDEX", u->member.round, err))
		return -1;
	return set(env, "WEFT_MEMBER", u->member.id, err) ||
			       set_number(env, "WEFT_MEMBER_INDEX", u->member.index,
				       err) ||
			       set_number(
				       env, "WEFT_MEMBER_COUNT", u->member.count, err)
		       ? -1
		       : 0;
}

static const char *gpu_variable(const struct weft_engine *e)
{
	return e->machine ? weft_bind_visible_name(e->machine) : "CUDA_VISIBLE_DEVICES";
}

/* Uneven tasks that share GPUs have fewer each than GPUs by tasks would say. */
static double gpus_per_task(const struct weft_plan_step *p)
{
	if (p->tasks_per_gpu)
		return 1.0 / p->tasks_per_gpu;
	return p->ntasks ? (double)p->gpus / p->ntasks : 0;
}

/* What a placement needs to know, for the plug-in or for `weft bind`. */
void unit_ticket(const struct unit *u, struct weft_ticket *out)
{
	const struct weft_plan_step *p = u->plan;
	struct weft_place_request r;
	bool bind = weft_select_place(u->step, u->e->conf, &r);
	bool torchrun = p->launch == WEFT_LAUNCH_TORCHRUN;
	*out = (struct weft_ticket){
		.bind = bind,
		.ntasks = p->ntasks,
		.nodes = p->nodes,
		.place =
			{
				.cpus_per_task = p->cpus_per_task,
				.gpus_per_task = gpus_per_task(p),
				.cpus = r.cpus == WEFT_CPUS_SPREAD ? WEFT_PLACE_SPREAD
					: r.cpus == WEFT_CPUS_COMPACT
						? WEFT_PLACE_COMPACT
						: WEFT_PLACE_NEAR_GPU,
				.memory = r.memory == WEFT_MEMORY_INTERLEAVE
						  ? WEFT_PLACE_INTERLEAVE
					  : r.memory == WEFT_MEMORY_NONE
						  ? WEFT_PLACE_ANY
						  : WEFT_PLACE_LOCAL,
				.balance_even = r.balance_even,
				.smt = r.smt,
				.spare_cores = r.spare_cores,
			},
	};

	/* torchrun is one task a node that spreads its workers over what it gets. */
	if (torchrun)
		out->place.cpus_per_task = 0;
	out->place.mem_per_task = p->mem / (p->ntasks_per_node ? p->ntasks_per_node
						   : p->ntasks ? p->ntasks
							       : 1);
	snprintf(out->step, sizeof(out->step), "%s", u->step->name);
}

static int set_ticket(const struct unit *u, struct weft_env *env, struct weft_err *err)
{
	weft_autostr struct weft_str text = {0};
	struct weft_ticket t;

	unit_ticket(u, &t);
	if (weft_ticket_encode(&t, &text) || text.failed)
		return weft_err_nomem(err);
	return set(env, WEFT_TICKET_ENV, text.s, err);
}

static int set_launch(const struct unit *u, struct weft_env *env, struct weft_err *err)
{
	weft_autostr struct weft_str words = {0};

	if (u->plan->launch != WEFT_LAUNCH_SINGLE)
		return 0;
	weft_str_add_shell_word(&words, u->e->weft);
	weft_str_add(&words, " exec ");
	weft_str_add_shell_word(&words, u->step->name);
	weft_str_add(&words, " --");
	return words.failed ? weft_err_nomem(err)
			    : set(env, "WEFT_LAUNCH", words.s, err);
}

/* torchrun of torch 1.13 fails on its own defaults of these two under Python 3.11. A
 * rule for a worker has one digit there; of a tenth worker, where a node has one, both
 * together keep a copy of its standard output and still print it. */
static int set_torchrun(struct weft_env *env, struct weft_err *err)
{
	static const char *const name[] = {"PET_REDIRECTS", "PET_TEE"};

	for (size_t i = 0; i < WEFT_COUNT(name); i++)
		if (!weft_env_get(env, name[i]) && set(env, name[i], "9:1", err))
			return -1;
	return 0;
}

void weft_engine_forget_sizes(struct weft_env *env)
{
	static const char *const names[] = {"SLURM_NTASKS", "SLURM_NPROCS",
		"SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK", "SRUN_CPUS_PER_TASK",
		"SLURM_TRES_PER_TASK", "SLURM_GPUS", "SLURM_GPUS_PER_NODE",
		"SLURM_GPUS_PER_TASK", "SLURM_GPUS_PER_SOCKET", "SLURM_CPUS_PER_GPU",
		"SLURM_NTASKS_PER_GPU", "SLURM_DISTRIBUTION", "SLURM_CPU_BIND",
		"SLURM_GPU_BIND"};

	for (size_t i = 0; i < WEFT_COUNT(names); i++)
		weft_env_unset(env, names[i]);
	weft_env_unset_prefix(env, "_SLURM_SPANK_OPTION_");
	weft_env_unset_prefix(env, "SLURM_SPANK_");
}

/* The job is weft's own: nothing that it was asked for is the user's word about a step
 * of it. */
static void forget_job(struct weft_env *env)
{
	static const char *const names[] = {"SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU",
		"SLURM_MEM_PER_GPU", "SLURM_EXCLUSIVE", "SLURM_EXPORT_ENV",
		"SLURM_STEP_ID", "SLURM_STEPID"};

	for (size_t i = 0; i < WEFT_COUNT(names); i++)
		weft_env_unset(env, names[i]);
	weft_engine_forget_sizes(env);
}

int unit_env(struct unit *u, struct weft_env *env, struct weft_err *err)
{
	const struct weft_conf_role *role = &u->e->conf->role[u->step->role];

	if (weft_env_copy(env, environ))
		return weft_err_nomem(err);
	forget_job(env);
	weft_env_unset_prefix(env, "WEFT_");
	/* A `weft exec` of the program goes by the same weft.conf as we do. */
	const char *conf = getenv("WEFT_CONF");
	if (conf && set(env, "WEFT_CONF", conf, err))
		return -1;
	for (size_t i = 0; i < role->n_env; i++)
		if (set(env, role->env[i].name, role->env[i].value, err))
			return -1;
	if (set_pairs(u, env, &u->e->wf->env, err) ||
		set_pairs(u, env, &u->step->env, err) ||
		set_secrets(u, env, &u->e->wf->secrets, err) ||
		set_secrets(u, env, &u->step->secrets, err))
		return -1;
	if (set_own(u, env, err) || set_vars(u, env, err) || set_params(u, env, err) ||
		set_data(u, env, err) || set_launch(u, env, err))
		return -1;
	if (u->slot.gpus && set(env, gpu_variable(u->e), u->slot.gpus, err))
		return -1;
	if (u->e->machine_path &&
		set(env, "WEFT_BIND_TOPOLOGY", u->e->machine_path, err))
		return -1;
	if (u->placed_path && set(env, "WEFT_BIND_REPORT", u->placed_path, err))
		return -1;
	if (u->plan->launch == WEFT_LAUNCH_TORCHRUN && set_torchrun(env, err))
		return -1;
	return set_ticket(u, env, err);
}
