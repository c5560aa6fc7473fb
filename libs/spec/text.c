#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

void spec_add_pending(struct spec_parser *p, struct spec_pending pending)
{
	if (weft_grow(p->pending, p->n_pending, p->cap_pending) < 0)
		spec_nomem(p);
	else
		p->pending[p->n_pending++] = pending;
}

struct weft_text spec_text(struct spec_parser *p, const struct weft_yaml_node *n,
	enum spec_names names, enum weft_quoting quoting)
{
	struct weft_text t = {0};
	struct weft_yaml_doc *doc;
	if (!n || n->kind != WEFT_YAML_SCALAR || spec_is_bad(p, n))
		return t;
	t.s = spec_dup(p, n->text);
	/* Positions are of the workflow file; a text from elsewhere has none. */
	spec_file(p, n, &doc);
	if (doc == p->doc)
		t.pos = n->pos;
	/* What is known when the file is read was put in by the check. */
	if (names == AT_NEVER || names == AT_LOAD || !t.s || !spec_has_template(n))
		return t;
	struct weft_template *tpl = NULL;
	struct weft_err err = {0};
	const char *path = spec_path(p);
	if (weft_template_parse(&p->wf->arena, n->text, quoting, &tpl, &err) < 0) {
		spec_bad_expr(p, n, path, &err);
		return t;
	}
	t.tpl = tpl;
	if (tpl)
		spec_add_pending(p, (struct spec_pending){.node = n,
					    .path = path,
					    .tpl = tpl,
					    .step = p->step,
					    .loop = p->loop,
					    .names = names});
	return t;
}

struct weft_texts spec_texts(
	struct spec_parser *p, const struct weft_yaml_node *list, enum spec_names names)
{
	struct weft_texts t = {0};
	if (!list || list->kind != WEFT_YAML_SEQ || !list->n)
		return t;
	t.v = spec_alloc(p, list->n, sizeof(*t.v));
	for (size_t i = 0; t.v && i < list->n; i++) {
		spec_enter_item(p, i);
		t.v[t.n] = spec_text(p, list->item[i], names, WEFT_QUOTE_NONE);
		t.n += t.v[t.n].s != NULL;
		spec_leave(p);
	}
	return t;
}

struct weft_pairs spec_pairs(
	struct spec_parser *p, const struct weft_yaml_node *map, enum spec_names names)
{
	struct weft_pairs pairs = {0};
	if (!map || map->kind != WEFT_YAML_MAP || !map->n)
		return pairs;
	pairs.v = spec_alloc(p, map->n, sizeof(*pairs.v));
	for (size_t i = 0; pairs.v && i < map->n; i++) {
		struct weft_pair *pair = &pairs.v[pairs.n];
		if (spec_is_bad(p, map->key[i]))
			continue;
		spec_enter(p, map->key[i]->text);
		pair->name = spec_dup(p, map->key[i]->text);
		pair->pos = map->key[i]->pos;
		size_t before = p->n_pending;
		pair->value = spec_text(p, map->item[i], names, WEFT_QUOTE_NONE);
		if (p->n_pending > before && (names == AT_RUN || names == AT_TOP))
			p->pending[before].env = pair->name;
		pairs.n += pair->name && pair->value.s;
		spec_leave(p);
	}
	return pairs;
}

struct weft_pairs spec_secrets(struct spec_parser *p, const struct weft_yaml_node *map)
{
	struct weft_pairs pairs = {0};
	if (!map || map->kind != WEFT_YAML_MAP || !map->n)
		return pairs;
	pairs.v = spec_alloc(p, map->n, sizeof(*pairs.v));
	for (size_t i = 0; pairs.v && i < map->n; i++) {
		struct weft_yaml_node *at[N_FIELDS];
		struct weft_pair *pair = &pairs.v[pairs.n];
		spec_collect(p, map->item[i], IN_SECRET, at);
		pair->name = spec_dup(p, map->key[i]->text);
		pair->pos = map->key[i]->pos;
		pair->value = spec_text(p, at[SECRET_file], AT_NEVER, WEFT_QUOTE_NONE);
		pairs.n += pair->name && pair->value.s;
	}
	return pairs;
}

/* ---- values ---- */

/* A value in the workflow's arena. */
static int keep_value(
	struct spec_parser *p, const struct weft_value *v, struct weft_value *out)
{
	*out = (struct weft_value){.kind = v->kind, .b = v->b, .num = v->num};
	if (v->str) {
		out->str = weft_arena_strdup(&p->wf->arena, v->str);
		if (!out->str)
			goto nomem;
	}
	if (!v->n)
		return 0;
	out->item = spec_alloc(p, v->n, sizeof(*out->item));
	if (!out->item)
		goto nomem;
	if (v->name) {
		out->name = spec_alloc(p, v->n, sizeof(*out->name));
		if (!out->name)
			goto nomem;
	}
	out->n = v->n;
	for (size_t i = 0; i < v->n; i++) {
		if (v->name) {
			out->name[i] = weft_arena_strdup(&p->wf->arena, v->name[i]);
			if (!out->name[i])
				goto nomem;
		}
		if (keep_value(p, &v->item[i], &out->item[i]) < 0)
			goto nomem;
	}
	return 0;
nomem:
	*out = (struct weft_value){0};
	spec_nomem(p);
	return -1;
}

static int scalar_value(
	struct spec_parser *p, const struct weft_yaml_node *n, struct weft_value *out)
{
	struct weft_value v = {0};
	int rc;
	if (spec_has_template(n))
		rc = spec_eval_now(p, n, &v);
	else if ((rc = weft_value_from_text(&v, n->text, n->style != WEFT_YAML_PLAIN)) <
		 0)
		spec_nomem(p);
	if (rc == 0)
		rc = keep_value(p, &v, out);
	weft_value_clear(&v);
	return rc;
}

int spec_value(
	struct spec_parser *p, const struct weft_yaml_node *n, struct weft_value *out)
{
	*out = (struct weft_value){0};
	if (spec_is_bad(p, n))
		return -1;
	if (n->kind == WEFT_YAML_SCALAR)
		return scalar_value(p, n, out);
	bool map = n->kind == WEFT_YAML_MAP;
	out->kind = map ? WEFT_V_MAP : WEFT_V_LIST;
	out->item = spec_alloc(p, n->n, sizeof(*out->item));
	out->name = map ? spec_alloc(p, n->n, sizeof(*out->name)) : NULL;
	if (!out->item || (map && !out->name))
		return -1;
	out->n = n->n;
	for (size_t i = 0; i < n->n; i++) {
		if (map) {
			out->name[i] =
				weft_arena_strdup(&p->wf->arena, n->key[i]->text);
			if (!out->name[i]) {
				spec_nomem(p);
				return -1;
			}
		}
		if (spec_value(p, n->item[i], &out->item[i]) < 0)
			return -1;
	}
	return 0;
}
