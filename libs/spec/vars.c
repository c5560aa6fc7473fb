/* vars.c - values that are known as soon as the file is read. */
#include <string.h>

#include "spec/parse.h"

static void read_var(struct spec_parser *p, size_t i);

static int unknown_var(
	struct spec_parser *p, const struct weft_name *name, struct weft_err *err)
{
	struct weft_pairs *vars = &p->wf->vars;
	const char **words = spec_alloc(p, vars->n, sizeof(*words));
	weft_err_set(err, WEFT_ESPEC, "there is no variable `%s`", name->part[1]);
	if (words) {
		for (size_t i = 0; i < vars->n; i++)
			words[i] = vars->v[i].name;
		const char *near = weft_nearest(name->part[1], words, vars->n);
		if (near)
			weft_err_hint(err, "did you mean `vars.%s`?", near);
		else
			weft_err_hint(err, "add it under `vars` at the top level");
	}
	return -1;
}

static int lookup_now(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	struct spec_parser *p = ctx;
	struct weft_workflow *wf = p->wf;
	size_t i;
	int rc;
	if (name->n == 2 && !strcmp(name->part[0], "vars")) {
		if (!weft_map_get(&wf->var_by_name, name->part[1], &i)) {
			rc = unknown_var(p, name, err);
		} else if (p->var_state[i] == 1) {
			rc = weft_err_set(err, WEFT_ESPEC,
				"`vars.%s` is defined by itself", name->part[1]);
		} else {
			read_var(p, i);
			/* What is wrong with that one was reported there. */
			rc = wf->vars.v[i].axis.kind == WEFT_V_NULL
				     ? weft_value_set_string(out, "")
				     : weft_value_copy(out, &wf->vars.v[i].axis);
		}
	} else if (name->n == 2 && !strcmp(name->part[0], "workflow") &&
		   !strcmp(name->part[1], "dir")) {
		rc = weft_value_set_string(out, wf->dir);
	} else {
		weft_err_set(err, WEFT_ESPEC, "`%s` is not known when the file is read",
			name->part[0]);
		rc = weft_err_hint(err, "use only %s here", spec_names_text(AT_LOAD));
	}
	if (rc < 0 && err && !err->pos.line)
		err->pos = name->pos;
	if (rc < 0 && err && !err->width)
		err->width = spec_name_width(name);
	return rc;
}

int spec_eval_now(
	struct spec_parser *p, const struct weft_yaml_node *n, struct weft_value *out)
{
	struct weft_template *tpl = NULL;
	struct weft_err err = {0};
	struct weft_str text = {0};
	int rc = weft_template_parse(
		&p->wf->arena, n->text, WEFT_QUOTE_NONE, &tpl, &err);
	if (rc == 0 && !tpl) {
		rc = weft_value_from_text(out, n->text, true);
	} else if (rc == 0 && weft_template_single(tpl)) {
		rc = weft_expr_eval(
			weft_template_single(tpl), lookup_now, p, out, &err);
	} else if (rc == 0) {
		rc = weft_template_render(tpl, lookup_now, p, &text, &err);
		if (rc == 0)
			rc = weft_value_set_string(out, text.s ? text.s : "");
	}
	if (rc == 0 && out->str && strlen(out->str) > SPEC_MAX_VALUE)
		rc = weft_err_set(&err, WEFT_ESPEC, "the value is longer than 128 KiB");
	if (rc != 0) {
		if (!err.text)
			weft_err_set(&err, WEFT_ESPEC, "has no value");
		spec_bad_expr(p, n, spec_path(p), &err);
		weft_value_clear(out);
		rc = -1;
	}
	weft_str_free(&text);
	return rc;
}

bool spec_render_now(struct spec_parser *p, struct weft_yaml_node *n)
{
	struct weft_value v = {0};
	struct weft_str text = {0};
	bool ok = spec_eval_now(p, n, &v) == 0;
	if (ok && (weft_value_print(&text, &v) < 0 || text.failed)) {
		spec_nomem(p);
		ok = false;
	}
	if (ok) {
		const char *s = spec_dup(p, text.s ? text.s : "");
		if (s) {
			n->text = s;
			n->n = strlen(s);
		}
		ok = s != NULL;
	}
	weft_str_free(&text);
	weft_value_clear(&v);
	return ok;
}

/* The value of one variable, and of those that it uses. */
static void read_var(struct spec_parser *p, size_t i)
{
	struct weft_pair *var = &p->wf->vars.v[i];
	const struct weft_yaml_node *n = p->var_node[i];
	struct weft_str text = {0};
	if (p->var_state[i])
		return;
	p->var_state[i] = 1;
	size_t depth = p->depth; /* the path is this variable's, whoever asks */
	struct spec_crumb crumb[2] = {p->crumb[0], p->crumb[1]};
	p->crumb[0] = (struct spec_crumb){.key = "vars"};
	p->crumb[1] = (struct spec_crumb){.key = var->name};
	p->depth = 2;
	if (p->var_depth >= SPEC_MAX_NESTED) {
		spec_bad(p, n, NULL, "variables use each other more than %d deep",
			SPEC_MAX_NESTED);
	} else {
		p->var_depth++;
		if (spec_value(p, n, &var->axis) == 0 &&
			weft_value_print(&text, &var->axis) == 0)
			var->value.s = spec_dup(p, text.s ? text.s : "");
		p->var_depth--;
	}
	p->depth = depth;
	p->crumb[0] = crumb[0];
	p->crumb[1] = crumb[1];
	weft_str_free(&text);
	p->var_state[i] = 2;
}

void spec_vars(struct spec_parser *p, const struct weft_yaml_node *map)
{
	struct weft_pairs *vars = &p->wf->vars;
	if (!map || map->kind != WEFT_YAML_MAP || spec_is_bad(p, map))
		return;
	vars->v = spec_alloc(p, map->n, sizeof(*vars->v));
	p->var_node = spec_alloc(p, map->n, sizeof(*p->var_node));
	p->var_state = spec_alloc(p, map->n, sizeof(*p->var_state));
	if (!vars->v || !p->var_node || !p->var_state)
		return;
	for (size_t i = 0; i < map->n; i++) {
		struct weft_pair *var = &vars->v[vars->n];
		if (spec_is_bad(p, map->key[i]))
			continue;
		var->name = spec_dup(p, map->key[i]->text);
		var->pos = map->key[i]->pos;
		var->value.pos = map->item[i]->pos;
		p->var_node[vars->n] = map->item[i];
		if (!var->name || weft_map_add(&p->wf->var_by_name, var->name, vars->n,
					  NULL) < 0) {
			spec_nomem(p);
			return;
		}
		vars->n++;
	}
	for (size_t i = 0; i < vars->n; i++)
		read_var(p, i);
}
