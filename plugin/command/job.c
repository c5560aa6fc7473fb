/* job.c - from a workflow file to a plan and a run directory */
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_cluster(struct job *j, const struct job_args *a, struct weft_err *err)
{
	if (a->local)
		return cmd_local_cluster(&j->cluster, NULL, err);
	if (a->allocation)
		return allocation_cluster(&j->cluster, err);
	if (cmd_cluster(a->cluster, &j->cluster, err) == 0)
		return 0;
	/* Only a plan can do without Slurm itself. */
	if (a->plan_only && !a->cluster && !err->hint)
		weft_err_hint(err,
			"plan for a saved snapshot with --cluster FILE, or for "
			"this machine with --local");
	return -1;
}

struct weft_select_options job_options(const struct job *j, const struct job_args *a)
{
	struct weft_conf_limits limits;

	struct weft_select_options opt;

	weft_conf_limits(j->conf, cmd_user(), &limits);
	opt = (struct weft_select_options){.local = a->local,
		.longest = limits.time,
		/* In an allocation there is nothing to submit. */
		.group = a->allocation ? WEFT_GROUP_NONE : a->group,
		.forecast = j->forecast ? j->forecast->v : NULL,
		.n_forecasts = j->forecast ? j->forecast->n : 0,
		.past = past_of_steps(j->past),
		.given = given_of_steps(j->given)};
	opt.place = places_of(j->places, &opt.n_places);
	return opt;
}

int job_group_option(
	const struct weft_verb *v, const char *word, enum weft_group_mode *group)
{
	static const char *const words[] = {[WEFT_GROUP_AUTO] = "auto",
		[WEFT_GROUP_NONE] = "none",
		[WEFT_GROUP_ALL] = "all"};

	for (size_t i = 0; i < WEFT_COUNT(words); i++)
		if (weft_streq(word, words[i])) {
			*group = (enum weft_group_mode)i;
			return 0;
		}
	return cmd_usage(v, "--group is none, auto or all, not '%s'", word);
}

int job_open(struct job *j, const struct job_args *a)
{
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	struct weft_spec_options opt = cmd_spec_options(&a->w);
	struct weft_select_options how;

	*j = (struct job){0};
	if (weft_spec_load(a->file, &opt, &j->wf, &errs))
		return cmd_fail_errs(&errs, a->json);
	/* What the run directory keeps is what was read: from the path that was. */
	if (!a->plan_only && weft_read_file(j->wf->file, (size_t)16 << 20, &j->source,
				     &j->source_len, &err))
		return cmd_fail(&err);
	if (weft_conf_load(a->conf, false, &j->conf, &err))
		return cmd_fail(&err);
	if (!a->plan_only && cmd_switched_on(j->conf, j->wf->name, &err))
		return cmd_fail(&err);
	if (read_cluster(j, a, &err))
		return cmd_fail(&err);
	if (!a->local && !a->allocation && (!a->no_plan || a->plan_only))
		j->past = past_load(run_parent(a->parent, j->conf), j->wf);
	if (!a->local && (!a->no_plan || a->plan_only))
		j->given = given_measure(j->wf);
	if (a->run && !a->local && j->conf->node_cache != WEFT_NODE_CACHE_NO)
		j->places = places_find(a->run, j->wf);
	how = job_options(j, a);
	if (j->conf->estimate == WEFT_ESTIMATE_WILL_RUN && !a->cluster && !a->local &&
		!a->allocation && (!a->no_plan || a->plan_only))
		j->forecast = forecast_load(j->wf, j->cluster, j->conf, &how);
	how = job_options(j, a);
	if (!a->no_plan &&
		weft_select_plan(j->wf, j->cluster, j->conf, &how, &j->plan, &errs))
		return cmd_fail_errs(&errs, a->json);
	if (!a->no_plan && !a->one_step && check_policy(j, a, &errs))
		return cmd_fail_errs(&errs, a->json);
	return 0;
}

void job_close(struct job *j)
{
	weft_plan_free(j->plan);
	past_free(j->past);
	given_free(j->given);
	places_free(j->places);
	weft_select_shapes_free(j->forecast);
	weft_cluster_free(j->cluster);
	weft_conf_free(j->conf);
	weft_spec_free(j->wf);
	free(j->source);
	*j = (struct job){0};
}

int opened_open(struct opened *o, const char *dir, const char *conf)
{
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	weft_autofree char *text = NULL;
	size_t n;

	*o = (struct opened){0};
	if (weft_conf_load(conf, false, &o->conf, &err) ||
		weft_run_open(dir, run_parent(NULL, o->conf), &o->run, &err))
		return cmd_fail(&err);
	if (weft_run_workflow(o->run, &o->wf, &errs))
		return cmd_fail_errs(&errs, false);
	if (weft_run_plan_text(o->run, &text, &n, &err) ||
		weft_plan_parse_json(text, n, &o->plan, &err))
		return cmd_fail(&err);
	if (o->plan->n_steps != o->wf->n_steps) {
		weft_err_set(&err, WEFT_ESPEC, "%s: the plan isn't of this workflow",
			o->run->dir);
		return cmd_fail(&err);
	}
	return 0;
}

void opened_close(struct opened *o)
{
	weft_plan_free(o->plan);
	weft_spec_free(o->wf);
	weft_conf_free(o->conf);
	weft_run_free(o->run);
	*o = (struct opened){0};
}

const char *run_parent(const char *given, const struct weft_conf *conf)
{
	const char *env = getenv("WEFT_RUNS");

	if (given)
		return given;
	if (env && *env)
		return env;
	return conf->run_dir ? conf->run_dir : "weft-runs";
}

static int check_parent(const struct job *j, const char *parent, struct weft_err *err)
{
	weft_autofree char *cwd = getcwd(NULL, 0);
	weft_autofree char *path = weft_path_absolute(cwd ? cwd : "/", parent);

	if (!path)
		return weft_err_nomem(err);
	if (weft_engine_may_write(j->conf, cmd_user(), path, err) == 0)
		return 0;
	return weft_err_prefix(err, "the run directory");
}

static struct weft_run_new describe(
	const struct job *j, const struct job_args *a, const char *plan)
{
	return (struct weft_run_new){.name = j->wf->name,
		.file = j->wf->file,
		.dir = j->wf->dir,
		.source = j->source,
		.source_len = j->source_len,
		.set = a->w.set,
		.n_set = a->w.n_set,
		.overlay = a->w.overlay,
		.n_overlay = a->w.n_overlay,
		.local = a->local,
		.n_steps = j->wf->n_steps,
		.labels = &j->wf->labels,
		.wf = j->wf,
		.plan_json = plan};
}

int revise_run(const struct job *j, const struct job_args *a,
	const struct weft_run *run, struct weft_err *err)
{
	weft_autostr struct weft_str plan = {0};

	if (weft_plan_print_json(j->plan, &plan) || plan.failed)
		return weft_err_nomem(err);
	struct weft_run_new def = describe(j, a, plan.s);
	return weft_run_revise(run, &def, err);
}

int make_run(const struct job *j, const struct job_args *a, const char *parent,
	struct weft_run **run, struct weft_err *err)
{
	weft_autostr struct weft_str plan = {0};

	*run = NULL;
	if (!a->local && check_parent(j, parent, err))
		return -1;
	if (weft_plan_print_json(j->plan, &plan) || plan.failed)
		return weft_err_nomem(err);
	struct weft_run_new def = describe(j, a, plan.s);
	def.parent = parent;
	return weft_run_create(&def, run, err);
}
