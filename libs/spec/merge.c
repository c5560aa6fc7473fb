/* merge.c - defaults, overlays: two trees of nodes as one.  Nodes may be shared
 * (anchors), so none is changed: what differs is made anew. */
#include <string.h>

#include "spec/parse.h"

static struct weft_yaml_node *new_map(
	struct spec_parser *p, size_t room, struct weft_pos pos)
{
	struct weft_yaml_node *m = weft_yaml_new(p->doc, WEFT_YAML_MAP, pos);
	if (m) {
		m->item = spec_alloc(p, room, sizeof(struct weft_yaml_node *));
		m->key = spec_alloc(p, room, sizeof(struct weft_yaml_node *));
	}
	if (m && m->item && m->key)
		return m;
	spec_nomem(p);
	return NULL;
}

static bool index_of(const struct weft_yaml_node *map, const char *key, size_t *at)
{
	for (*at = 0; *at < map->n; ++*at)
		if (!strcmp(map->key[*at]->text, key))
			return true;
	return false;
}

/* How the values below are merged: by the table, by names, or not at all. */
static struct weft_yaml_node *merge_maps(struct spec_parser *p,
	struct weft_yaml_node *base, struct weft_yaml_node *over,
	const enum spec_context *in, bool deep)
{
	struct weft_map keys = {0};
	struct weft_yaml_node *m = new_map(p, base->n + over->n, base->pos);
	bool large = over->n > 16;
	for (size_t i = 0; m && large && i < over->n; i++)
		if (weft_map_add(&keys, over->key[i]->text, i, NULL) < 0)
			m = NULL;
	if (!m) {
		weft_map_free(&keys);
		spec_nomem(p);
		return NULL;
	}
	for (size_t i = 0; i < base->n; i++) {
		size_t at, id;
		struct weft_yaml_node *value = base->item[i], *key = base->key[i];
		if (large ? weft_map_get(&keys, key->text, &at)
			  : index_of(over, key->text, &at)) {
			const struct spec_field *f = NULL;
			if (in && weft_map_get(&p->keys[*in], key->text, &id))
				f = &spec_fields[id];
			key = over->key[at];
			if (f)
				value = spec_merge_field(p, f, value, over->item[at]);
			else if (deep && value->kind == WEFT_YAML_MAP &&
				 over->item[at]->kind == WEFT_YAML_MAP)
				value = merge_maps(
					p, value, over->item[at], NULL, true);
			else
				value = over->item[at];
		}
		m->key[m->n] = key;
		m->item[m->n++] = value;
	}
	weft_map_free(&keys);
	large = base->n > 16;
	for (size_t i = 0; large && i < base->n; i++) {
		if (weft_map_add(&keys, base->key[i]->text, i, NULL) < 0) {
			weft_map_free(&keys);
			spec_nomem(p);
			return NULL;
		}
	}
	for (size_t i = 0; i < over->n; i++) {
		size_t at;
		if (large ? weft_map_get(&keys, over->key[i]->text, &at)
			  : index_of(base, over->key[i]->text, &at))
			continue;
		m->key[m->n] = over->key[i];
		m->item[m->n++] = over->item[i];
	}
	weft_map_free(&keys);
	return m;
}

struct weft_yaml_node *spec_merge(struct spec_parser *p, struct weft_yaml_node *base,
	struct weft_yaml_node *over, enum spec_context in)
{
	return merge_maps(p, base, over, &in, false);
}

struct weft_yaml_node *spec_merge_field(struct spec_parser *p,
	const struct spec_field *f, struct weft_yaml_node *base,
	struct weft_yaml_node *over)
{
	struct weft_yaml_node *m = over;
	bool whole = f->flags & WHOLE;
	if (base->kind != WEFT_YAML_MAP || over->kind != WEFT_YAML_MAP)
		return over;
	if (f->shapes & AXES)
		m = whole ? over : merge_maps(p, base, over, NULL, false);
	else if (f->shapes & (PAIRS | NAMED))
		m = merge_maps(p, base, over, NULL, !whole);
	else if (f->shapes & MAP)
		m = spec_merge(p, base, over, f->sub);
	return m ? m : over;
}

/* ---- overlays ---- */

size_t spec_add_origin(
	struct spec_parser *p, struct weft_yaml_doc *doc, const char *file)
{
	if (weft_grow(p->origin, p->n_origin, p->cap_origin) < 0) {
		spec_nomem(p);
		return 0;
	}
	p->origin[p->n_origin] = (struct spec_origin){doc, file};
	return p->n_origin++;
}

static void remember(
	struct spec_parser *p, const struct weft_yaml_node *n, size_t origin)
{
	if (spec_nodes_get(&p->origins, n, NULL))
		return;
	if (spec_nodes_add(&p->origins, n, origin) < 0) {
		spec_nomem(p);
		return;
	}
	if (n->kind == WEFT_YAML_SCALAR)
		return;
	for (size_t i = 0; i < n->n; i++) {
		if (n->kind == WEFT_YAML_MAP)
			remember(p, n->key[i], origin);
		remember(p, n->item[i], origin);
	}
}

static struct weft_yaml_node *merge_steps(
	struct spec_parser *p, struct weft_yaml_node *base, struct weft_yaml_node *over)
{
	struct weft_map names = {0};
	struct weft_yaml_node *seq = weft_yaml_new(p->doc, WEFT_YAML_SEQ, base->pos);
	if (seq)
		seq->item = spec_alloc(p, base->n + over->n, sizeof(*seq->item));
	if (!seq || !seq->item) {
		spec_nomem(p);
		return base;
	}
	for (size_t i = 0; i < base->n; i++) {
		struct weft_yaml_node *name = NULL;
		seq->item[seq->n++] = base->item[i];
		if (base->item[i]->kind == WEFT_YAML_MAP)
			name = weft_yaml_get(base->item[i], "name");
		if (name && name->kind == WEFT_YAML_SCALAR &&
			weft_map_add(&names, name->text, i, NULL) < 0)
			spec_nomem(p);
	}
	for (size_t i = 0; i < over->n; i++) {
		struct weft_yaml_node *name = NULL, *step = over->item[i];
		size_t at;
		if (step->kind == WEFT_YAML_MAP)
			name = weft_yaml_get(step, "name");
		if (name && name->kind == WEFT_YAML_SCALAR &&
			weft_map_get(&names, name->text, &at) &&
			seq->item[at]->kind == WEFT_YAML_MAP) {
			struct weft_yaml_node *m =
				spec_merge(p, seq->item[at], step, IN_STEP);
			seq->item[at] = m ? m : seq->item[at];
		} else {
			seq->item[seq->n++] = step;
		}
	}
	weft_map_free(&names);
	return seq;
}

int spec_overlay(struct spec_parser *p, const char *file, struct weft_yaml_node **root)
{
	struct weft_err err = {0};
	struct weft_yaml_doc *doc = NULL;
	if (weft_grow(p->more, p->n_more, p->cap_more) < 0) {
		spec_nomem(p);
		return -1;
	}
	if (weft_yaml_load(file, &doc, &err) < 0) {
		p->failed = true;
		weft_errs_add(p->errs, &err);
		return -1;
	}
	p->more[p->n_more++] = doc;
	if (!doc->root)
		return 0;
	remember(p, doc->root, spec_add_origin(p, doc, doc->file));
	if (doc->root->kind != WEFT_YAML_MAP) {
		spec_bad(p, doc->root, NULL, "an overlay must be a mapping");
		return -1;
	}
	struct weft_yaml_node *over = doc->root, *base = *root;
	struct weft_yaml_node *steps = weft_yaml_get(base, "steps");
	struct weft_yaml_node *more = weft_yaml_get(over, "steps");
	struct weft_yaml_node *merged = spec_merge(p, base, over, IN_TOP);
	if (!merged)
		return -1;
	if (steps && more && steps->kind == WEFT_YAML_SEQ &&
		more->kind == WEFT_YAML_SEQ)
		for (size_t i = 0; i < merged->n; i++)
			if (!strcmp(merged->key[i]->text, "steps"))
				merged->item[i] = merge_steps(p, steps, more);
	*root = merged;
	return 0;
}
