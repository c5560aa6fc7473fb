/* scope.c - what names mean, and the values of texts. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

static int not_known(const struct weft_name *name, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESPEC, "`%s%s%s` is not known here", name->part[0],
		name->n > 1 ? "." : "", name->n > 1 ? name->part[1] : "");
	if (err)
		err->pos = name->pos;
	return -1;
}

static int text_value(struct weft_value *out, const char *s,
	const struct weft_name *name, struct weft_err *err)
{
	if (!s)
		return not_known(name, err);
	return weft_value_set_string(out, s) < 0 ? weft_err_nomem(err) : 0;
}

static int number_value(struct weft_value *out, double v, struct weft_err *err)
{
	return weft_value_set_number(out, v) < 0 ? weft_err_nomem(err) : 0;
}

static int lookup_var(const struct weft_scope *sc, const struct weft_name *name,
	struct weft_value *out, struct weft_err *err)
{
	size_t i;
	if (name->n != 2 || !weft_map_get(&sc->wf->var_by_name, name->part[1], &i))
		return not_known(name, err);
	return weft_value_copy(out, &sc->wf->vars.v[i].axis) < 0 ? weft_err_nomem(err)
								 : 0;
}

/* params.AXIS, and params.case.size in an axis whose values are mappings. */
static int lookup_param(const struct weft_scope *sc, const struct weft_name *name,
	struct weft_value *out, struct weft_err *err)
{
	const struct weft_value *v = sc->member ? &sc->member->params : NULL;
	if (!v || name->n < 2)
		return not_known(name, err);
	for (size_t part = 1; part < name->n; part++) {
		size_t i = 0;
		if (v->kind != WEFT_V_MAP) {
			weft_err_set(err, WEFT_ESPEC, "`params.%s` has no `%s`",
				name->part[part - 1], name->part[part]);
			if (err)
				err->pos = name->pos;
			return -1;
		}
		while (i < v->n && strcmp(v->name[i], name->part[part]) != 0)
			i++;
		if (i == v->n)
			return part == 1 ? not_known(name, err) : 1;
		v = &v->item[i];
	}
	return weft_value_copy(out, v) < 0 ? weft_err_nomem(err) : 0;
}

static const struct weft_pair *find_pair(
	const struct weft_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (!strcmp(pairs->v[i].name, name))
			return &pairs->v[i];
	return NULL;
}

/* The file's own env only.  A value of the step's env sees the top level's, and
 * one of those sees none (weft_scope_text), so this ends. */
static int lookup_env(const struct weft_scope *sc, const struct weft_name *name,
	struct weft_value *out, struct weft_err *err)
{
	const struct weft_pair *pair = NULL;
	if (name->n == 2 && sc->env_level < 2) {
		if (sc->step && sc->env_level == 0)
			pair = find_pair(&sc->step->env, name->part[1]);
		if (!pair)
			pair = find_pair(&sc->wf->env, name->part[1]);
	}
	if (!pair)
		return not_known(name, err);
	weft_autofree char *s = NULL;
	if (weft_scope_text(sc, &pair->value, &s, err) < 0)
		return -1;
	return text_value(out, s, name, err);
}

static int lookup_step(const struct weft_scope *sc, const struct weft_name *name,
	struct weft_value *out, struct weft_err *err)
{
	const char *what = name->n == 2 ? name->part[1] : "";
	if (!strcmp(what, "dir"))
		return text_value(out, sc->step_dir, name, err);
	if (!strcmp(what, "ntasks") && sc->step_ntasks)
		return number_value(out, sc->step_ntasks, err);
	if (!strcmp(what, "variant") && sc->variant >= 0)
		return number_value(out, sc->variant, err);
	return not_known(name, err);
}

static int check_length(
	const struct weft_name *name, struct weft_value *out, struct weft_err *err)
{
	weft_autostr struct weft_str s = {0};
	size_t n = out->str ? strlen(out->str) : 0;
	if (out->kind == WEFT_V_LIST || out->kind == WEFT_V_MAP) {
		if (weft_value_print(&s, out) < 0 || s.failed)
			return weft_err_nomem(err);
		n = s.len;
	}
	if (n <= SPEC_MAX_VALUE)
		return 0;
	weft_value_clear(out);
	weft_err_set(err, WEFT_ESPEC, "the value of `%s%s%s` is longer than 128 KiB",
		name->part[0], name->n > 1 ? "." : "",
		name->n > 1 ? name->part[1] : "");
	if (err)
		err->pos = name->pos;
	return weft_err_hint(err, "pass a file or the folder instead");
}

int weft_scope_lookup(void *scope, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	const struct weft_scope *sc = scope;
	const char *root = name->n ? name->part[0] : "";
	int rc;
	if (!strcmp(root, "vars"))
		rc = lookup_var(sc, name, out, err);
	else if (!strcmp(root, "params"))
		rc = lookup_param(sc, name, out, err);
	else if (!strcmp(root, "env"))
		rc = lookup_env(sc, name, out, err);
	else if (!strcmp(root, "member") && name->n == 2 && sc->member &&
		 !strcmp(name->part[1], "index"))
		rc = number_value(out, (double)sc->member->index, err);
	else if (!strcmp(root, "member") && name->n == 2 && sc->member &&
		 !strcmp(name->part[1], "count"))
		rc = number_value(out, (double)sc->member->count, err);
	else if (!strcmp(root, "loop") && name->n == 2 && sc->member &&
		 !strcmp(name->part[1], "index"))
		rc = number_value(out, (double)sc->member->round, err);
	else if (!strcmp(root, "attempt") && name->n == 1)
		rc = number_value(out, sc->attempt, err);
	else if (!strcmp(root, "run") && name->n == 2 && !strcmp(name->part[1], "id"))
		rc = text_value(out, sc->run_id, name, err);
	else if (!strcmp(root, "run") && name->n == 2 && !strcmp(name->part[1], "dir"))
		rc = text_value(out, sc->run_dir, name, err);
	else if (!strcmp(root, "step"))
		rc = lookup_step(sc, name, out, err);
	else if (!strcmp(root, "workflow") && name->n == 2 &&
		 !strcmp(name->part[1], "dir"))
		rc = text_value(out, sc->wf->dir, name, err);
	else if (sc->runtime && (!strcmp(root, "inputs") || !strcmp(root, "outputs") ||
					!strcmp(root, "steps")))
		rc = sc->runtime(sc->ctx, name, out, err);
	else
		rc = not_known(name, err);
	return rc == 0 ? check_length(name, out, err) : rc;
}

/* Which level of env is this text a value of? */
static unsigned env_level(const struct weft_scope *sc, const struct weft_text *text)
{
	const struct weft_pairs *env = &sc->wf->env;
	for (unsigned level = 2; level; level--) {
		const char *at = (const char *)text, *from = (const char *)env->v;
		if (env->n && at >= from && at < (const char *)(env->v + env->n))
			return level;
		if (!sc->step)
			break;
		env = &sc->step->env;
	}
	return 0;
}

static int at_text(
	const struct weft_scope *sc, const struct weft_text *text, struct weft_err *err)
{
	if (err && !err->file) {
		err->pos = (struct weft_pos){0, 0};
		weft_err_at(err, sc->wf->file, text->pos, NULL);
	}
	return -1;
}

int weft_scope_text(const struct weft_scope *scope, const struct weft_text *text,
	char **out, struct weft_err *err)
{
	struct weft_scope sc = *scope;
	struct weft_str s = {0};
	*out = NULL;
	if (!text->tpl) {
		*out = text->s ? strdup(text->s) : NULL;
		return text->s && !*out ? weft_err_nomem(err) : 0;
	}
	unsigned level = env_level(scope, text);
	if (level > sc.env_level)
		sc.env_level = level;
	if (weft_template_render(text->tpl, weft_scope_lookup, &sc, &s, err) < 0) {
		weft_str_free(&s);
		return at_text(scope, text, err);
	}
	*out = weft_str_take(&s);
	return *out ? 0 : weft_err_nomem(err);
}

static int condition(const struct weft_scope *scope, const struct weft_expr *expr,
	const struct weft_text *text, const char *key, bool *yes, struct weft_err *err)
{
	struct weft_scope sc = *scope;
	struct weft_value v = {0};
	int rc = weft_expr_eval(expr, weft_scope_lookup, &sc, &v, err);
	if (rc == 0 && v.kind != WEFT_V_BOOL) {
		weft_value_clear(&v);
		weft_err_set(err, WEFT_ESPEC, "`%s` is neither true nor false", key);
		rc = weft_err_hint(err, "compare the value with something: `x > 0`");
	}
	if (rc != 0) {
		if (err && !err->text)
			weft_err_set(err, WEFT_ESPEC, "`%s` has no value", key);
		return at_text(scope, text, err);
	}
	*yes = v.b;
	weft_value_clear(&v);
	return 0;
}

int weft_scope_when(const struct weft_scope *scope, const struct weft_step *step,
	bool *yes, struct weft_err *err)
{
	*yes = true;
	return step->when_expr ? condition(scope, step->when_expr, &step->when, "when",
					 yes, err)
			       : 0;
}

int weft_scope_until(const struct weft_scope *scope, const struct weft_loop *loop,
	bool *yes, struct weft_err *err)
{
	*yes = false;
	return loop->until_expr ? condition(scope, loop->until_expr, &loop->until,
					  "until", yes, err)
				: 0;
}
