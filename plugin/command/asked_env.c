/* asked_env.c - the step's inputs, outputs and environment
 * submitter < role < workflow < step < secrets < WEFT_* */
#include "asked.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_MAX ((size_t)128 << 10) /* the kernel's limit of one variable */

static int set(struct weft_env *env, const char *prefix, const char *name,
	const char *value, struct weft_err *err)
{
	weft_autofree char *full = weft_printf("%s%s", prefix, name);

	if (!full)
		return weft_err_nomem(err);
	for (char *p = full; *prefix && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (strlen(full) + strlen(value) + 2 > VALUE_MAX) {
		weft_err_set(err, WEFT_ESPEC, "the value of %s is over 128 KiB", full);
		return weft_err_hint(err, "pass a file or a folder instead");
	}
	return weft_env_set(env, full, value) ? weft_err_nomem(err) : 0;
}

/* ---- inputs and outputs ------------------------------------------------------ */

static int input_of_path(struct asked *a, const struct weft_input_from *from,
	char **path, struct weft_err *err)
{
	weft_autofree char *text = NULL;
	struct stat st;

	if (weft_scope_text(&a->scope, &from->path, &text, err))
		return -1;
	*path = weft_path_absolute(a->wf->dir, text);
	if (!*path)
		return weft_err_nomem(err);
	if (stat(*path, &st) == 0)
		return 0;
	int why = errno;
	free(*path);
	*path = NULL;
	errno = why;
	return why == ENOENT || why == ENOTDIR
		       ? 0
		       : weft_err_sys(err, WEFT_ESTAGE, "%s", text);
}

static int only_member(void *ctx, size_t index)
{
	size_t *of = ctx;

	of[1]++;
	of[0] = index;
	return 0;
}

/* What one member of another step published in the run of WEFT_RUN_DIR. */
static int input_of_step(struct asked *a, const struct weft_input_from *from,
	char **path, struct weft_err *err)
{
	const struct weft_step *of = &a->wf->step[from->step];
	struct weft_edge edge = {.step = from->step, .all = from->all};
	struct weft_records *records = NULL;
	struct weft_record *record = NULL;
	size_t one[2] = {0, of->sweep.count};

	if (!a->run)
		return 0;
	if (weft_spec_matches(a->wf, a->step, &edge)) {
		one[1] = 0;
		if (weft_spec_each_match(a->wf, a->step, weft_member_number(&a->member),
			    &edge, only_member, one))
			return weft_err_nomem(err);
	}
	if (one[1] != 1) {
		weft_argv_addf(&a->say,
			"step %s: an input from %zu members of %s is made by "
			"weft run only",
			a->step->name, one[1], of->name);
		return 0;
	}
	int r = -1;
	if (weft_records_open(a->run, a->wf, &records, err) == 0 &&
		weft_records_poll(records, NULL, NULL, err) == 0)
		r = weft_records_read(records, of->index, one[0], &record, err);
	for (size_t i = 0;
		r == 0 && record->state == WEFT_STATE_DONE && i < record->n_outputs;
		i++)
		if (weft_streq(record->output[i].name, of->output[from->output].name))
			*path = strdup(record->output[i].path);
	weft_record_free(record);
	weft_records_free(records);
	return r < 0 ? -1 : 0;
}

static int find_input(
	struct asked *a, const struct weft_input *in, char **path, struct weft_err *err)
{
	bool of_step = false;

	for (size_t i = 0; i < in->n_from && !*path; i++) {
		const struct weft_input_from *from = &in->from[i];
		bool step = from->step != WEFT_NO_STEP;

		of_step |= step;
		if (step ? input_of_step(a, from, path, err)
			 : input_of_path(a, from, path, err))
			return -1;
	}
	if (*path || in->optional)
		return 0;
	if (of_step) {
		weft_argv_addf(&a->say, "step %s: input %s is not set: %s",
			a->step->name, in->name,
			a->run ? "no such output in the run of WEFT_RUN_DIR"
			       : "it comes from another step, and WEFT_RUN_DIR names "
				 "no "
				 "run directory");
		return 0;
	}
	weft_err_set(err, WEFT_ESTAGE, "input '%s' isn't there", in->name);
	return weft_err_at(err, a->wf->file, in->pos, NULL);
}

static int inputs(struct asked *a, struct weft_err *err)
{
	a->input = calloc(a->step->n_inputs + 1, sizeof(*a->input));
	if (!a->input)
		return weft_err_nomem(err);
	for (size_t i = 0; i < a->step->n_inputs; i++) {
		const struct weft_input *in = &a->step->input[i];

		if (find_input(a, in, &a->input[i], err))
			return -1;
		if (!a->input[i])
			continue;
		if (set(&a->env, "WEFT_INPUT_", in->name, a->input[i], err))
			return -1;
		if (in->to != WEFT_SCRATCH_SHARED)
			weft_argv_addf(&a->stage, "%s=%s:%s", in->name,
				weft_scratch_name(in->to), a->input[i]);
		else if (in->mode == WEFT_MODE_COPY)
			weft_argv_addf(&a->say,
				"step %s: input %s is the original, not a private "
				"copy: don't write to it",
				a->step->name, in->name);
	}
	return 0;
}

/* Relative to the directory that the command runs in; of a glob its folder. */
static char *output_path(
	const struct asked *a, const struct weft_output *out, struct weft_err *err)
{
	weft_autofree char *text = NULL, *cwd = getcwd(NULL, 0);

	if (weft_scope_text(&a->scope, &out->path, &text, err))
		return NULL;
	size_t wild = strcspn(text, "*?[");
	if (text[wild]) {
		while (wild > 0 && text[wild - 1] != '/')
			wild--;
		text[wild] = '\0';
	}
	char *path = weft_path_absolute(cwd ? cwd : "/", text);
	if (!path)
		weft_err_nomem(err);
	return path;
}

static int outputs(struct asked *a, struct weft_err *err)
{
	for (size_t i = 0; i < a->step->n_outputs; i++) {
		const struct weft_output *out = &a->step->output[i];
		weft_autofree char *path = output_path(a, out, err);

		if (!path || set(&a->env, "WEFT_OUTPUT_", out->name, path, err))
			return -1;
		if (a->step->scratch == WEFT_SCRATCH_SHARED)
			continue;
		if (strpbrk(out->path.s, "*?["))
			weft_argv_addf(&a->say,
				"step %s: output %s is a pattern: it is made where it "
				"is to be",
				a->step->name, out->name);
		else
			weft_argv_addf(&a->out, "%s=%s:%s", out->name,
				weft_scratch_name(a->step->scratch), path);
	}
	return 0;
}

static int runtime(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	const struct asked *a = ctx;

	if (name->n != 2)
		return 1;
	for (size_t i = 0; weft_streq(name->part[0], "inputs") && i < a->step->n_inputs;
		i++)
		if (weft_streq(a->step->input[i].name, name->part[1]))
			return !a->input || !a->input[i] ? 1
			       : weft_value_set_string(out, a->input[i])
				       ? weft_err_nomem(err)
				       : 0;
	for (size_t i = 0;
		weft_streq(name->part[0], "outputs") && i < a->step->n_outputs; i++)
		if (weft_streq(a->step->output[i].name, name->part[1])) {
			weft_autofree char *path =
				output_path(a, &a->step->output[i], err);

			return !path                              ? -1
			       : weft_value_set_string(out, path) ? weft_err_nomem(err)
								  : 0;
		}
	return 1;
}

/* ---- environment --------------------------------------------------------------- */

static int pairs(struct asked *a, const struct weft_pairs *p, struct weft_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		weft_autofree char *value = NULL;

		if (weft_scope_text(&a->scope, &p->v[i].value, &value, err) ||
			set(&a->env, "", p->v[i].name, value, err))
			return -1;
	}
	return 0;
}

static int secrets(struct asked *a, const struct weft_pairs *p, struct weft_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		weft_autofree char *text = NULL, *value = NULL;
		size_t n;

		if (weft_scope_text(&a->scope, &p->v[i].value, &text, err))
			return -1;
		weft_autofree char *path = weft_path_absolute(a->wf->dir, text);
		if (!path)
			return weft_err_nomem(err);
		if (weft_read_file(path, VALUE_MAX, &value, &n, err))
			return weft_err_prefix(err, "secret '%s'", p->v[i].name);
		while (n && (value[n - 1] == '\n' || value[n - 1] == '\r'))
			value[--n] = '\0';
		int r = set(&a->secret, "", p->v[i].name, value, err);
		explicit_bzero(value, n);
		if (r)
			return -1;
	}
	return 0;
}

static int params(struct asked *a, struct weft_err *err)
{
	const struct weft_value *p = &a->member.params;

	for (size_t i = 0; i < p->n; i++) {
		weft_autostr struct weft_str text = {0};

		if (weft_value_print(&text, &p->item[i]) || text.failed)
			return weft_err_nomem(err);
		if (set(&a->env, "WEFT_PARAM_", p->name[i], text.s ? text.s : "", err))
			return -1;
	}
	return 0;
}

static int own(struct asked *a, struct weft_err *err)
{
	char index[24], count[24], ntasks[24];

	snprintf(ntasks, sizeof(ntasks), "%u", a->ntasks);
	if (set(&a->env, "", "WEFT_STEP", a->step->name, err) ||
		set(&a->env, "", "WEFT_FILE", a->wf->file, err) ||
		set(&a->env, "", "WEFT_WORKFLOW_DIR", a->wf->dir, err) ||
		set(&a->env, "", "WEFT_NTASKS", ntasks, err))
		return -1;
	if (a->step->sweep.kind == WEFT_SWEEP_NONE)
		return 0;
	snprintf(index, sizeof(index), "%zu", a->member.index);
	snprintf(count, sizeof(count), "%zu", a->member.count);
	return set(&a->env, "", "WEFT_MEMBER", a->member.id, err) ||
			       set(&a->env, "", "WEFT_MEMBER_INDEX", index, err) ||
			       set(&a->env, "", "WEFT_MEMBER_COUNT", count, err)
		       ? -1
		       : 0;
}

int asked_environment(struct asked *a, struct weft_err *err)
{
	const struct weft_conf_role *role = &a->conf->role[a->step->role];

	a->scope.runtime = runtime;
	a->scope.ctx = a;
	if (inputs(a, err))
		return -1;
	for (size_t i = 0; i < role->n_env; i++)
		if (set(&a->env, "", role->env[i].name, role->env[i].value, err))
			return -1;
	if (pairs(a, &a->wf->env, err) || pairs(a, &a->step->env, err) ||
		secrets(a, &a->wf->secrets, err) ||
		secrets(a, &a->step->secrets, err) || own(a, err) || params(a, err))
		return -1;
	if (outputs(a, err))
		return -1;
	return a->stage.failed || a->out.failed || a->say.failed ? weft_err_nomem(err)
								 : 0;
}
