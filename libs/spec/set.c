/* set.c - --set KEY=VALUE: one value of the tree, changed on the command line. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

#define MAX_PARTS 16

struct setting {
	const char *arg; /* "--set KEY=VALUE", as messages name it */
	size_t origin;
	const char *part[MAX_PARTS];
	size_t n;
	struct weft_yaml_node *value;
};

static void own(
	struct spec_parser *p, const struct setting *s, struct weft_yaml_node *n)
{
	if (spec_nodes_add(&p->origins, n, s->origin) < 0)
		spec_nomem(p);
	if (n->kind == WEFT_YAML_SCALAR)
		return;
	for (size_t i = 0; i < n->n; i++) {
		if (n->kind == WEFT_YAML_MAP)
			own(p, s, n->key[i]);
		own(p, s, n->item[i]);
	}
}

static struct weft_yaml_node *scalar(
	struct spec_parser *p, const struct setting *s, const char *text)
{
	struct weft_yaml_node *n =
		weft_yaml_new(p->doc, WEFT_YAML_SCALAR, (struct weft_pos){0, 0});
	const char *copy = spec_dup(p, text);
	if (!n || !copy) {
		spec_nomem(p);
		return NULL;
	}
	n->text = copy;
	n->n = strlen(copy);
	own(p, s, n);
	return n;
}

static void complain(struct spec_parser *p, const struct setting *s, const char *hint,
	const char *fmt, ...) WEFT_PRINTF(4, 5);
static void complain(struct spec_parser *p, const struct setting *s, const char *hint,
	const char *fmt, ...)
{
	struct weft_err err = {0};
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	weft_err_set(&err, WEFT_ESPEC, "%s", text);
	weft_err_at(&err, s->arg, (struct weft_pos){0, 0}, NULL);
	if (hint)
		weft_err_hint(&err, "%s", hint);
	p->failed = true;
	weft_errs_add(p->errs, &err);
}

static struct weft_yaml_node *copy(
	struct spec_parser *p, const struct weft_yaml_node *n, enum weft_yaml_kind kind)
{
	struct weft_yaml_node *c =
		weft_yaml_new(p->doc, kind, n ? n->pos : (struct weft_pos){0, 0});
	size_t room = (n ? n->n : 0) + 1;
	if (c) {
		c->item = spec_alloc(p, room, sizeof(struct weft_yaml_node *));
		if (kind == WEFT_YAML_MAP)
			c->key = spec_alloc(p, room, sizeof(struct weft_yaml_node *));
	}
	if (!c || !c->item || (kind == WEFT_YAML_MAP && !c->key)) {
		spec_nomem(p);
		return NULL;
	}
	for (size_t i = 0; n && i < n->n; i++) {
		c->item[i] = n->item[i];
		if (c->key)
			c->key[i] = n->key[i];
	}
	c->n = room - 1;
	return c;
}

static struct weft_yaml_node *change(struct spec_parser *p, const struct setting *s,
	size_t at, struct weft_yaml_node *n);

/* The entry of `steps` with the name of the next part. */
static struct weft_yaml_node *change_steps(struct spec_parser *p,
	const struct setting *s, size_t at, struct weft_yaml_node *list)
{
	struct weft_yaml_node *c = copy(p, list, WEFT_YAML_SEQ);
	const char **names = spec_alloc(p, list->n, sizeof(*names));
	size_t n_names = 0;
	if (!c || !names)
		return list;
	for (size_t i = 0; i < list->n; i++) {
		struct weft_yaml_node *name = NULL;
		if (list->item[i]->kind == WEFT_YAML_MAP)
			name = weft_yaml_get(list->item[i], "name");
		if (!name || name->kind != WEFT_YAML_SCALAR)
			continue;
		names[n_names++] = name->text;
		if (strcmp(name->text, s->part[at]) != 0)
			continue;
		if (at + 1 == s->n)
			complain(p, s, "name the key: `steps.NAME.KEY=VALUE`",
				"a step can't be replaced whole");
		else
			c->item[i] = change(p, s, at + 1, list->item[i]);
		return c;
	}
	complain(p, s, spec_did_you_mean(p, s->part[at], names, n_names),
		"there is no step `%s`", s->part[at]);
	return list;
}

static struct weft_yaml_node *change(struct spec_parser *p, const struct setting *s,
	size_t at, struct weft_yaml_node *n)
{
	if (at == s->n)
		return s->value;
	if (n && n->kind == WEFT_YAML_SEQ && at == 1 && !strcmp(s->part[0], "steps"))
		return change_steps(p, s, at, n);
	if (n && n->kind == WEFT_YAML_SEQ) {
		complain(
			p, s, "give the whole list", "`%s` is a list", s->part[at - 1]);
		return n;
	}
	struct weft_yaml_node *c =
		copy(p, n && n->kind == WEFT_YAML_MAP ? n : NULL, WEFT_YAML_MAP);
	if (!c)
		return n;
	if (!n || n->kind != WEFT_YAML_MAP)
		own(p, s, c);
	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->key[i]->text, s->part[at])) {
			c->item[i] = change(p, s, at + 1, c->item[i]);
			return c;
		}
	}
	struct weft_yaml_node *key = scalar(p, s, s->part[at]);
	struct weft_yaml_node *value = change(p, s, at + 1, NULL);
	if (!key || !value)
		return n ? n : c;
	c->key[c->n] = key;
	c->item[c->n++] = value;
	return c;
}

/* `[1, 2]`, `{a: 1}` and quoted texts as YAML has them; anything else is a text. */
static struct weft_yaml_node *read_value(
	struct spec_parser *p, const struct setting *s, const char *text)
{
	struct weft_err err = {0};
	struct weft_yaml_doc *doc = NULL;
	if (!*text || !strchr("[{\"'", *text))
		return scalar(p, s, text);
	if (weft_grow(p->more, p->n_more, p->cap_more) < 0) {
		spec_nomem(p);
		return NULL;
	}
	if (weft_yaml_parse(s->arg, text, strlen(text), &doc, &err) < 0) {
		p->failed = true;
		err.pos = (struct weft_pos){0, 0};
		weft_errs_add(p->errs, &err);
		return NULL;
	}
	p->more[p->n_more++] = doc;
	if (doc->root)
		own(p, s, doc->root);
	return doc->root;
}

void spec_set(struct spec_parser *p, const char *arg, struct weft_yaml_node **root)
{
	struct setting s = {.arg = "--set"};
	char *shown = weft_arena_printf(
		&p->wf->arena, "--set %.60s%s", arg, strlen(arg) > 60 ? ".." : "");
	char *key = weft_arena_strdup(&p->wf->arena, arg);
	if (!shown || !key) {
		spec_nomem(p);
		return;
	}
	s.arg = shown;
	s.origin = spec_add_origin(p, NULL, s.arg);
	char *equals = strchr(key, '=');
	if (!equals || equals == key) {
		complain(p, &s, "as in `--set vars.mesh=512`", "must be KEY=VALUE");
		return;
	}
	*equals = '\0';
	for (char *part = key; part; s.n++) {
		char *dot = strchr(part, '.');
		if (dot)
			*dot = '\0';
		if (!*part || s.n == MAX_PARTS) {
			complain(p, &s, "as in `--set steps.train.resources.time=2h`",
				"is no key of a workflow");
			return;
		}
		s.part[s.n] = part;
		part = dot ? dot + 1 : NULL;
	}
	if (!weft_utf8_valid(equals + 1, strlen(equals + 1))) {
		complain(p, &s, NULL, "the value is not UTF-8");
		return;
	}
	s.value = read_value(p, &s, equals + 1);
	if (s.value)
		*root = change(p, &s, 0, *root);
}
