/* select_script.c - a step as a batch script that needs no weft where it runs.  What a
 * script can't do is refused, or stands in it as a comment. */
#include "selected.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct script {
	const struct selected *s;
	struct weft_str *out;
	struct weft_scope scope;
	char *dir;    /* where the job works: here */
	char **input; /* absolute paths, one an input; NULL: there is none */
};

static void word(struct weft_str *out, const char *before, const char *s)
{
	weft_str_add(out, before);
	weft_str_add_shell_word(out, s);
}

/* export PREFIX_NAME=value, what follows the prefix in capitals */
static void export(
	struct script *c, const char *prefix, const char *name, const char *value)
{
	weft_str_add(c->out, "export ");
	weft_str_add(c->out, prefix);
	for (const char *p = name; *p; p++)
		weft_str_addc(c->out, *prefix ? (char)toupper((unsigned char)*p) : *p);
	word(c->out, "=", value);
	weft_str_addc(c->out, '\n');
}

/* ---- what the names in the texts mean ------------------------------------------ */

static char *upper(const char *prefix, const char *name)
{
	char *s = weft_printf("%s%s", prefix, name);

	for (char *p = s; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return s;
}

/* A path that is there; one that comes from a step is the caller's to tell. */
static int find_input(struct script *c, const struct weft_input *in, char **path,
	struct weft_err *err)
{
	const struct weft_workflow *wf = c->s->j->wf;
	weft_autofree char *var = upper("WEFT_INPUT_", in->name);
	const char *given = var ? getenv(var) : NULL;
	const char *from = NULL;
	struct stat st;

	if (given && *given) {
		*path = weft_path_absolute(c->dir, given);
		return *path ? 0 : weft_err_nomem(err);
	}
	for (size_t i = 0; i < in->n_from; i++) {
		weft_autofree char *text = NULL;

		if (in->from[i].step != WEFT_NO_STEP) {
			from = wf->step[in->from[i].step].name;
			continue;
		}
		if (weft_scope_text(&c->scope, &in->from[i].path, &text, err))
			return -1;
		weft_autofree char *full = weft_path_absolute(wf->dir, text);
		if (!full)
			return weft_err_nomem(err);
		if (stat(full, &st) == 0) {
			*path = weft_steal(&full);
			return 0;
		}
	}
	if (in->optional)
		return 0;
	if (from) {
		weft_err_set(err, WEFT_EUSAGE,
			"input '%s' comes from step %s: a script can't "
			"know where it is",
			in->name, from);
		weft_err_hint(err, "say so: %s=PATH weft select --script ...", var);
	} else {
		weft_err_set(err, WEFT_ESTAGE, "input '%s' isn't there", in->name);
	}
	return weft_err_at(err, wf->file, in->pos, NULL);
}

/* Of a glob its folder. */
static char *output_path(
	const struct script *c, const struct weft_output *def, struct weft_err *err)
{
	weft_autofree char *text = NULL;

	if (weft_scope_text(&c->scope, &def->path, &text, err))
		return NULL;
	size_t wild = strcspn(text, "*?[");
	if (text[wild]) {
		while (wild > 0 && text[wild - 1] != '/')
			wild--;
		text[wild] = '\0';
	}
	char *path = weft_path_absolute(c->dir, text);
	if (!path)
		weft_err_nomem(err);
	return path;
}

static int lookup(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	const struct script *c = ctx;
	const struct weft_step *step = c->s->step;

	if (weft_streq(name->part[0], "steps")) {
		weft_err_set(err, WEFT_EUSAGE,
			"what step %s did is known in a run only",
			name->n > 1 ? name->part[1] : "");
		if (err)
			err->pos = name->pos;
		return weft_err_hint(err,
			"weft run knows it; a script for step %s alone needs "
			"a value in its place: see --set",
			step->name);
	}
	for (size_t i = 0; weft_streq(name->part[0], "inputs") && i < step->n_inputs;
		i++)
		if (weft_streq(step->input[i].name, name->part[1]))
			return !c->input[i] ? 1
			       : weft_value_set_string(out, c->input[i])
				       ? weft_err_nomem(err)
				       : 0;
	for (size_t i = 0; weft_streq(name->part[0], "outputs") && i < step->n_outputs;
		i++)
		if (weft_streq(step->output[i].name, name->part[1])) {
			weft_autofree char *path =
				output_path(c, &step->output[i], err);

			return !path                              ? -1
			       : weft_value_set_string(out, path) ? weft_err_nomem(err)
								  : 0;
		}
	return 1;
}

/* ---- the parts of the script ----------------------------------------------------- */

static int head(struct script *c, struct weft_err *err)
{
	const struct weft_workflow *wf = c->s->j->wf;
	const char *file = strrchr(wf->file, '/');
	weft_autoargv struct weft_argv a = {0};

	weft_str_printf(c->out,
		"#!/bin/bash\n# Step %s%s%s of %s, written by weft select "
		"--script from %s\n",
		c->s->step->name, c->s->member.params.n ? ", member " : "",
		c->s->member.params.n ? c->s->member.id : "", wf->name,
		file ? file + 1 : wf->file);
	weft_argv_addf(&a, "--job-name=%s.%s", wf->name, c->s->step->name);
	weft_argv_addf(&a, "--chdir=%s", c->dir);
	if (selected_sbatch(c->s, &a, err) || a.failed)
		return a.failed ? weft_err_nomem(err) : -1;
	for (size_t i = 0; i < a.n; i++) {
		if (strpbrk(a.v[i], "\r\n")) {
			weft_err_set(err, WEFT_EUSAGE, "a #SBATCH line can't hold %s",
				a.v[i]);
			return weft_err_hint(err, "write it on one line");
		}
		/* sbatch reads these lines with the quotes of a shell. */
		word(c->out, "#SBATCH ", a.v[i]);
		weft_str_addc(c->out, '\n');
	}
	return 0;
}

static void note(struct script *c, const char *text)
{
	weft_str_printf(c->out, "# - %s\n", text);
}

/* What weft run does besides, and this script doesn't. */
static void notes(struct script *c)
{
	const struct weft_step *s = c->s->step;
	bool staged = false, copied = false;

	for (size_t i = 0; i < s->n_inputs; i++) {
		staged |= s->input[i].to != WEFT_SCRATCH_SHARED;
		copied |= s->input[i].mode == WEFT_MODE_COPY;
	}
	weft_str_add(
		c->out, "\n# What weft run does besides, and this script doesn't:\n");
	note(c, "the step's folder, its completion record and log");
	note(c, "binding of tasks near their GPUs: Slurm's own is in effect");
	if (s->n_edges)
		note(c, "waiting for the steps before it: sbatch "
			"--dependency=afterok:JOBID");
	if (s->when.s)
		note(c, "its `when`: it runs whenever it is submitted");
	if (staged)
		note(c, "copies of inputs on the nodes: they are read where they are");
	if (copied)
		note(c, "private copies of inputs: they are the originals, don't write "
			"to them");
	if (s->scratch != WEFT_SCRATCH_SHARED)
		note(c, "a working directory on the nodes: it works in the job's");
	if (s->n_outputs)
		note(c, "a look whether the outputs are there");
	if (s->stdout_path.s || s->stderr_path.s)
		note(c, "the step's stdout and stderr: all goes to the job's output");
}

static int pairs(
	struct script *c, const struct weft_pairs *p, bool secret, struct weft_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		weft_autofree char *value = NULL;

		if (weft_scope_text(&c->scope, &p->v[i].value, &value, err))
			return -1;
		if (!secret) {
			export(c, "", p->v[i].name, value);
			continue;
		}
		/* Read when the job runs: never in the script itself. */
		weft_autofree char *path = weft_path_absolute(c->s->j->wf->dir, value);
		if (!path)
			return weft_err_nomem(err);
		weft_str_add(c->out, p->v[i].name);
		word(c->out, "=$(cat ", path);
		weft_str_printf(c->out, ")\nexport %s\n", p->v[i].name);
	}
	return 0;
}

static int values(struct script *c, struct weft_err *err)
{
	const struct weft_pairs *vars = &c->s->j->wf->vars;
	const struct weft_value *p = &c->s->member.params;

	for (size_t i = 0; i < vars->n; i++) {
		struct weft_name name = {.part = {"vars", vars->v[i].name}, .n = 2};
		weft_autostr struct weft_str text = {0};
		struct weft_value v = {0};

		if (weft_scope_lookup(&c->scope, &name, &v, err))
			return -1;
		int bad = weft_value_print(&text, &v);
		weft_value_clear(&v);
		if (bad || text.failed)
			return weft_err_nomem(err);
		export(c, "WEFT_VAR_", vars->v[i].name, text.s ? text.s : "");
	}
	for (size_t i = 0; i < p->n; i++) {
		weft_autostr struct weft_str text = {0};

		if (weft_value_print(&text, &p->item[i]) || text.failed)
			return weft_err_nomem(err);
		export(c, "WEFT_PARAM_", p->name[i], text.s ? text.s : "");
	}
	return 0;
}

static int environment(struct script *c, struct weft_err *err)
{
	const struct job *j = c->s->j;
	const struct weft_step *s = c->s->step;
	const struct weft_conf_role *role = &j->conf->role[s->role];
	weft_autofree char *metrics = weft_path_absolute(c->dir, s->metrics);

	if (!metrics)
		return weft_err_nomem(err);
	weft_str_add(c->out, "\nset -e\n\n# the environment\n");
	for (size_t i = 0; i < role->n_env; i++)
		export(c, "", role->env[i].name, role->env[i].value);
	if (pairs(c, &j->wf->env, false, err) || pairs(c, &s->env, false, err) ||
		pairs(c, &j->wf->secrets, true, err) ||
		pairs(c, &s->secrets, true, err))
		return -1;
	export(c, "", "WEFT_STEP", s->name);
	export(c, "", "WEFT_FILE", j->wf->file);
	export(c, "", "WEFT_WORKFLOW_DIR", j->wf->dir);
	export(c, "", "WEFT_METRICS", metrics);
	weft_str_printf(
		c->out, "export WEFT_NTASKS=%u WEFT_ATTEMPT=0\n", c->s->plan.ntasks);
	if (s->sweep.kind != WEFT_SWEEP_NONE)
		weft_str_printf(c->out,
			"export WEFT_MEMBER=%s WEFT_MEMBER_INDEX=%zu "
			"WEFT_MEMBER_COUNT=%zu\n",
			c->s->member.id, c->s->member.index, c->s->member.count);
	if (values(c, err))
		return -1;
	for (size_t i = 0; i < s->n_inputs; i++)
		if (c->input[i])
			export(c, "WEFT_INPUT_", s->input[i].name, c->input[i]);
	for (size_t i = 0; i < s->n_outputs; i++) {
		weft_autofree char *path = output_path(c, &s->output[i], err);

		if (!path)
			return -1;
		export(c, "WEFT_OUTPUT_", s->output[i].name, path);
	}
	return 0;
}

static int setup(struct script *c, struct weft_err *err)
{
	const struct weft_step *s = c->s->step;
	const char *site = c->s->j->conf->role[s->role].setup;
	weft_autofree char *text = NULL;

	if (site) {
		word(c->out, "\n# the site's setup of this role\n. ", site);
		weft_str_addc(c->out, '\n');
	}
	if (!s->setup.s)
		return 0;
	if (weft_scope_text(&c->scope, &s->setup, &text, err))
		return -1;
	weft_str_printf(c->out, "\n# setup\n%s%s", text,
		*text && text[strlen(text) - 1] == '\n' ? "" : "\n");
	return 0;
}

/* The words in front of the program: as weft run starts it, binding apart. */
static int launcher(struct script *c, struct weft_err *err)
{
	const struct weft_plan_step *p = &c->s->plan;
	bool torchrun = p->launch == WEFT_LAUNCH_TORCHRUN;
	weft_autoargv struct weft_argv a = {0};
	weft_autostr struct weft_str line = {0};

	if (selected_srun(c->s, &a, err))
		return -1;
	if (!torchrun && p->ntasks != p->nodes * p->ntasks_per_node)
		weft_str_add(c->out,
			"unset SLURM_NTASKS_PER_NODE # the last node has fewer\n");
	if (p->launch == WEFT_LAUNCH_SINGLE) {
		/* Split into words where it is used. */
		if (selected_line(&a, &line, err))
			return -1;
		weft_autofree char *all = weft_printf("srun %s", line.s);
		if (!all)
			return weft_err_nomem(err);
		export(c, "", "WEFT_LAUNCH", all);
		return 0;
	}
	if (torchrun)
		weft_str_add(c->out, "# torchrun of torch 1.13 fails on its own "
				     "defaults of these two under "
				     "Python 3.11\n"
				     "export PET_REDIRECTS=${PET_REDIRECTS-9:1} "
				     "PET_TEE=${PET_TEE-9:1}\n"
				     "first=$(scontrol show hostnames "
				     "\"$SLURM_JOB_NODELIST\" | head -n 1)\n"
				     "port=$((20000 + SLURM_JOB_ID % 20000))\n");
	weft_str_add(c->out, "srun");
	for (size_t i = 0; i < a.n; i++)
		word(c->out, " ", a.v[i]);
	weft_str_add(c->out, " --input=none --kill-on-bad-exit=1");
	if (p->launch == WEFT_LAUNCH_SRUN || torchrun)
		weft_str_add(c->out, " --mpi=none");
	if (torchrun)
		weft_str_printf(c->out,
			" --cpu-bind=none \\\n\t/bin/bash -c 'exec torchrun "
			"--no_python --nnodes=%u --node_rank=\"$SLURM_NODEID\" "
			"--nproc_per_node=%u --master_addr=\"$0\" --master_port=\"$1\" "
			"\"${@:2}\"' \\\n\t\"$first\" \"$port\"",
			p->nodes, p->ntasks_per_node ? p->ntasks_per_node : 1);
	weft_str_add(c->out, " \\\n\t");
	return 0;
}

/* A word that no line of the text is. */
static char *delimiter(const char *text)
{
	for (unsigned i = 0;; i++) {
		char *mark = i ? weft_printf("STEP%u", i) : strdup("STEP");
		size_t n = mark ? strlen(mark) : 0;
		bool taken = false;

		for (const char *p = text; mark && p && !taken; p = strchr(p, '\n')) {
			p += *p == '\n';
			taken = strncmp(p, mark, n) == 0 && (p[n] == '\n' || !p[n]);
		}
		if (!taken)
			return mark;
		free(mark);
	}
}

/* `run` of many tasks or another shell: a file that all of them can read. */
static int run_as_file(
	struct script *c, const char *text, const char *end, struct weft_err *err)
{
	const struct weft_step *s = c->s->step;
	weft_autofree char *mark = delimiter(text);

	if (!mark)
		return weft_err_nomem(err);
	weft_str_printf(c->out,
		"\n# the step, in a file that all tasks can read\n"
		"step=$PWD/%s.$SLURM_JOB_ID.sh\ntrap 'rm -f \"$step\"' EXIT\n"
		"cat >\"$step\" <<'%s'\n%s%s%s\n",
		s->name, mark, text, end, mark);
	if (launcher(c, err))
		return -1;
	if (!s->shell.n)
		weft_str_add(c->out, "/bin/bash -eo pipefail ");
	for (size_t i = 0; i < s->shell.n; i++) {
		weft_autofree char *w = NULL;

		if (weft_scope_text(&c->scope, &s->shell.v[i], &w, err))
			return -1;
		word(c->out, "", w);
		weft_str_addc(c->out, ' ');
	}
	weft_str_add(c->out, "\"$step\"\n");
	return 0;
}

static int program(struct script *c, struct weft_err *err)
{
	const struct weft_step *s = c->s->step;
	weft_autofree char *text = NULL;

	if (!s->run.s) {
		weft_str_add(c->out, "\n# the step\n");
		if (launcher(c, err))
			return -1;
		for (size_t i = 0; i < s->command.n; i++) {
			weft_autofree char *w = NULL;

			if (weft_scope_text(&c->scope, &s->command.v[i], &w, err))
				return -1;
			word(c->out, i ? " " : "", w);
		}
		weft_str_addc(c->out, '\n');
		return 0;
	}
	if (weft_scope_text(&c->scope, &s->run, &text, err))
		return -1;
	const char *end = *text && text[strlen(text) - 1] == '\n' ? "" : "\n";
	if (c->s->plan.launch != WEFT_LAUNCH_SINGLE || s->shell.n)
		return run_as_file(c, text, end, err);
	weft_str_add(c->out, "\n# the step\n");
	if (launcher(c, err))
		return -1;
	weft_str_printf(c->out, "set -o pipefail\n%s%s", text, end);
	return 0;
}

static int check(const struct selected *s, struct weft_err *err)
{
	if (!s->one) {
		weft_err_set(err, WEFT_EUSAGE,
			"step %s is a sweep of %zu members: a script is "
			"for one",
			s->step->name, s->step->sweep.count);
		return weft_err_hint(err, "say which: %s.0 to %s.%zu", s->step->name,
			s->step->name, s->step->sweep.count - 1);
	}
	if (s->step->n_files) {
		weft_err_set(err, WEFT_EUSAGE,
			"`files` of a step are made by weft run only");
		weft_err_hint(err,
			"put them where the job works, and leave them out with an "
			"--overlay");
		return weft_err_at(err, s->j->wf->file, s->step->file[0].pos, NULL);
	}
	return 0;
}

int selected_script(
	const struct selected *s, struct weft_str *out, struct weft_err *err)
{
	struct script c = {.s = s, .out = out};
	int r = -1;

	if (check(s, err))
		return -1;
	c.scope = (struct weft_scope){.wf = s->j->wf,
		.step = s->step,
		.member = &s->member,
		.variant = s->plan.variant,
		.step_ntasks = s->plan.ntasks,
		.runtime = lookup,
		.ctx = &c};
	c.dir = getcwd(NULL, 0);
	c.input = calloc(s->step->n_inputs + 1, sizeof(*c.input));
	if (!c.dir || !c.input) {
		weft_err_sys(err, WEFT_ESYS, "the working directory");
		goto out;
	}
	for (size_t i = 0; i < s->step->n_inputs; i++)
		if (find_input(&c, &s->step->input[i], &c.input[i], err))
			goto out;
	if (head(&c, err))
		goto out;
	notes(&c);
	if (environment(&c, err) || setup(&c, err) || program(&c, err))
		goto out;
	r = out->failed ? weft_err_nomem(err) : 0;
out:
	for (size_t i = 0; c.input && i < s->step->n_inputs; i++)
		free(c.input[i]);
	free(c.input);
	free(c.dir);
	return r;
}
