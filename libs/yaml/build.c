/* build.c - libyaml's events become nodes: anchors, aliases, merge keys. */
#include "yaml/build.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* An anchor; while its collection is open its node can't be used. */
struct anchor {
	const char *name;
	struct weft_yaml_node *node;
	size_t weight;   /* nodes below, aliases expanded, and itself */
	unsigned height; /* collections below and itself */
	bool open;
};

/* A collection that is being read: its children wait on the stack. */
struct frame {
	struct weft_yaml_node *node;
	size_t first;
	size_t weight;
	unsigned height;
	size_t anchor; /* index + 1; 0: none */
};

struct builder {
	struct weft_yaml_doc *doc;
	struct weft_err *err;
	const struct weft_yaml_tabs *tabs;
	size_t tab; /* the next of them */

	struct weft_yaml_node **stack;
	size_t n_stack, cap_stack;
	struct frame frame[WEFT_YAML_MAX_DEPTH];
	unsigned depth;
	size_t total; /* weight of all */

	struct anchor *anchor;
	size_t n_anchor, cap_anchor;
	struct weft_map names; /* of anchors */

	struct weft_pos quote, quote_end; /* the last quoted scalar */
	unsigned documents;
};

/* Mappings up to here find duplicates by comparing each with each. */
#define SMALL_MAP 12

static struct weft_pos pos_of(yaml_mark_t m)
{
	return (struct weft_pos){(unsigned)m.line + 1, (unsigned)m.column + 1};
}

static int fail(struct builder *b, struct weft_pos pos, unsigned width,
	const char *what, const char *hint)
{
	weft_err_set(b->err, WEFT_ESPEC, "%s", what);
	if (hint)
		weft_err_hint(b->err, "%s", hint);
	if (b->err)
		b->err->width = width;
	return weft_err_at(b->err, b->doc->file, pos, NULL);
}

static int push(struct builder *b, struct weft_yaml_node *n)
{
	if (weft_grow(b->stack, b->n_stack, b->cap_stack) != 0)
		return weft_err_nomem(b->err);
	b->stack[b->n_stack++] = n;
	return 0;
}

static struct frame *top(struct builder *b)
{
	return b->depth ? &b->frame[b->depth - 1] : NULL;
}

static bool wants_key(struct builder *b)
{
	struct frame *f = top(b);

	return f && f->node->kind == WEFT_YAML_MAP && (b->n_stack - f->first) % 2 == 0;
}

/* A node, read or aliased, becomes a child of what is open, or the root. */
static int place(struct builder *b, struct weft_yaml_node *n, size_t weight,
	unsigned height, struct weft_pos at)
{
	struct frame *f = top(b);

	if (f) {
		f->weight += weight;
		if (f->height < height + 1)
			f->height = height + 1;
		return push(b, n);
	}
	if (b->doc->root)
		return fail(b, at, 1, "a second value after the first", NULL);
	b->doc->root = n;
	return 0;
}

static int count(struct builder *b, size_t weight, struct weft_pos at, bool alias)
{
	b->total += weight;
	if (b->total <= WEFT_YAML_MAX_NODES)
		return 0;
	weft_err_set(b->err, WEFT_ESPEC,
		alias ? "aliases expand to more than %u values" : "more than %u values",
		WEFT_YAML_MAX_NODES);
	weft_err_hint(b->err, "a sweep, or a file of its rows, says the same in less");
	return weft_err_at(b->err, b->doc->file, at, NULL);
}

static int check_no_tag(struct builder *b, const yaml_char_t *tag, struct weft_pos pos)
{
	if (!tag)
		return 0;
	weft_err_set(b->err, WEFT_ESPEC, "a tag: %.60s", (const char *)tag);
	weft_err_hint(b->err,
		"the field decides the type: leave the tag out, or quote a "
		"value that begins with '!'");
	return weft_err_at(b->err, b->doc->file, pos, NULL);
}

static int add_anchor(struct builder *b, const yaml_char_t *name, struct weft_pos pos,
	const struct anchor *a, size_t *index)
{
	size_t found;
	char *key;

	if (!name)
		return 0;
	key = weft_arena_strdup(&b->doc->arena, (const char *)name);
	if (!key || weft_grow(b->anchor, b->n_anchor, b->cap_anchor) != 0)
		return weft_err_nomem(b->err);
	switch (weft_map_add(&b->names, key, b->n_anchor, &found)) {
	case 1:
		break;
	case 0:
		weft_err_set(b->err, WEFT_ESPEC, "the anchor &%s is given twice", key);
		weft_err_hint(
			b->err, "first at line %u", b->anchor[found].node->pos.line);
		return weft_err_at(b->err, b->doc->file, pos, NULL);
	default:
		return weft_err_nomem(b->err);
	}
	b->anchor[b->n_anchor] = *a;
	b->anchor[b->n_anchor++].name = key;
	if (index)
		*index = b->n_anchor;
	return 0;
}

static int no_such_anchor(struct builder *b, const char *name, struct weft_pos pos)
{
	const char **names = calloc(b->n_anchor + 1, sizeof(*names));
	const char *near;

	if (!names)
		return weft_err_nomem(b->err);
	for (size_t i = 0; i < b->n_anchor; i++)
		names[i] = b->anchor[i].name;
	near = weft_nearest(name, names, b->n_anchor);
	weft_err_set(b->err, WEFT_ESPEC, "the alias *%s has no anchor &%s before it",
		name, name);
	if (near)
		weft_err_hint(b->err, "did you mean *%s?", near);
	else
		weft_err_hint(b->err, "quote a value that begins with '*'");
	free(names);
	return weft_err_at(b->err, b->doc->file, pos, NULL);
}

static int on_alias(struct builder *b, const yaml_event_t *ev)
{
	const char *name = (const char *)ev->data.alias.anchor;
	struct weft_pos pos = pos_of(ev->start_mark);
	const struct anchor *a;
	size_t i;

	if (!weft_map_get(&b->names, name, &i))
		return no_such_anchor(b, name, pos);
	a = &b->anchor[i];
	if (a->open)
		return fail(b, pos, 1, "an alias inside of its own anchor",
			"a value can't contain itself");
	if (wants_key(b) && a->node->kind != WEFT_YAML_SCALAR)
		return fail(b, pos, 1, "a key must be a text, not a list or a mapping",
			NULL);
	if (b->depth + a->height > WEFT_YAML_MAX_DEPTH)
		return fail(b, pos, 1, "nested too deeply through aliases", NULL);
	if (count(b, a->weight, pos, true) != 0)
		return -1;
	return place(b, a->node, a->weight, a->height, pos);
}

/* A block scalar may hold tabs; any other line that begins with one is refused. */
static int allow_tabs(struct builder *b, size_t first_line, size_t last_line)
{
	while (b->tab < b->tabs->n && b->tabs->v[b->tab].line <= last_line) {
		if (b->tabs->v[b->tab].line <= first_line)
			return weft_yaml_tab_error(b->doc, b->tabs->v[b->tab], b->err);
		b->tab++;
	}
	return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *ev)
{
	struct weft_pos pos = pos_of(ev->start_mark);
	size_t n = ev->data.scalar.length;
	struct weft_yaml_node *node;
	char *text;

	if (check_no_tag(b, ev->data.scalar.tag, pos) != 0 ||
		count(b, 1, pos, false) != 0)
		return -1;
	/* The node and its text in one piece: there are millions of them. */
	node = weft_arena_alloc(&b->doc->arena, sizeof(*node) + n + 1);
	if (!node)
		return weft_err_nomem(b->err);
	text = (char *)(node + 1);
	memcpy(text, ev->data.scalar.value, n);
	node->kind = WEFT_YAML_SCALAR;
	node->pos = pos;
	node->width = 1;
	if (ev->end_mark.line == ev->start_mark.line &&
		ev->end_mark.column > ev->start_mark.column)
		node->width = (unsigned)(ev->end_mark.column - ev->start_mark.column);
	node->text = text;
	node->n = n;
	switch (ev->data.scalar.style) {
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
		node->style = WEFT_YAML_SINGLE;
		break;
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		node->style = WEFT_YAML_DOUBLE;
		break;
	case YAML_LITERAL_SCALAR_STYLE:
		node->style = WEFT_YAML_LITERAL;
		break;
	case YAML_FOLDED_SCALAR_STYLE:
		node->style = WEFT_YAML_FOLDED;
		break;
	default:
		node->style = WEFT_YAML_PLAIN;
		break;
	}
	if (node->style == WEFT_YAML_SINGLE || node->style == WEFT_YAML_DOUBLE) {
		b->quote = pos;
		b->quote_end = pos_of(ev->end_mark);
	} else if (node->style != WEFT_YAML_PLAIN) {
		node->width = 1;
		if (allow_tabs(b, pos.line, ev->end_mark.line + 1) != 0)
			return -1;
	}
	if (memchr(text, '\0', n))
		return fail(
			b, pos, node->width, "a text with a NUL character in it", NULL);
	if (wants_key(b) && n == 0 && node->style == WEFT_YAML_PLAIN)
		return fail(b, pos, 1, "a ':' without a key before it", NULL);
	if (add_anchor(b, ev->data.scalar.anchor, pos,
		    &(struct anchor){.node = node, .weight = 1}, NULL) != 0)
		return -1;
	return place(b, node, 1, 0, pos);
}

static int on_open(struct builder *b, enum weft_yaml_kind kind, const yaml_char_t *tag,
	const yaml_char_t *anchor, struct weft_pos pos)
{
	struct weft_yaml_node *node;
	struct frame *f;

	if (check_no_tag(b, tag, pos) != 0 || count(b, 1, pos, false) != 0)
		return -1;
	if (wants_key(b))
		return fail(b, pos, 1, "a key must be a text, not a list or a mapping",
			"quote a value that begins with '{' or '['");
	if (b->depth == WEFT_YAML_MAX_DEPTH) {
		weft_err_set(b->err, WEFT_ESPEC, "nested more than %d deep",
			WEFT_YAML_MAX_DEPTH);
		return weft_err_at(b->err, b->doc->file, pos, NULL);
	}
	node = weft_yaml_new(b->doc, kind, pos);
	if (!node)
		return weft_err_nomem(b->err);
	f = &b->frame[b->depth];
	*f = (struct frame){.node = node, .weight = 1, .height = 1};
	if (add_anchor(b, anchor, pos, &(struct anchor){.node = node, .open = true},
		    &f->anchor) != 0)
		return -1;
	b->depth++;
	f->first = b->n_stack;
	return 0;
}

static int duplicate(struct builder *b, const struct weft_yaml_node *key,
	const struct weft_yaml_node *before)
{
	weft_err_set(b->err, WEFT_ESPEC, "the key '%.80s' is given twice", key->text);
	weft_err_hint(b->err, "first at line %u", before->pos.line);
	if (b->err)
		b->err->width = key->width;
	return weft_err_at(b->err, b->doc->file, key->pos, NULL);
}

static bool is_merge(const struct weft_yaml_node *key)
{
	return key->n == 2 && key->style == WEFT_YAML_PLAIN &&
	       memcmp(key->text, "<<", 2) == 0;
}

/* No key twice among the n pairs at `pair`; *merge is the index of "<<", or n. */
static int check_keys(
	struct builder *b, struct weft_yaml_node **pair, size_t n, size_t *merge)
{
	struct weft_map seen = {0};
	int rc = 0;

	*merge = n;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct weft_yaml_node *key = pair[2 * i];
		size_t j;

		if (is_merge(key))
			*merge = i;
		if (n > SMALL_MAP) {
			int added = weft_map_add(&seen, key->text, i, &j);
			if (added < 0)
				rc = weft_err_nomem(b->err);
			else if (added == 0)
				rc = duplicate(b, key, pair[2 * j]);
			continue;
		}
		for (j = 0; j < i; j++) {
			if (pair[2 * j]->n == key->n &&
				memcmp(pair[2 * j]->text, key->text, key->n) == 0)
				rc = duplicate(b, key, pair[2 * j]);
		}
	}
	weft_map_free(&seen);
	return rc;
}

static int merge_one(struct builder *b, struct weft_map *seen,
	const struct weft_yaml_node *at, const struct weft_yaml_node *from)
{
	if (from->kind != WEFT_YAML_MAP)
		return fail(b, at->pos, at->width,
			"'<<' takes a mapping or a list of them",
			"as in '<<: *common' or '<<: [*a, *b]'");
	for (size_t i = 0; i < from->n; i++) {
		int added = weft_map_add(seen, from->key[i]->text, 0, NULL);

		if (added < 0)
			return weft_err_nomem(b->err);
		if (added &&
			(push(b, from->key[i]) != 0 || push(b, from->item[i]) != 0))
			return -1;
	}
	return 0;
}

/* Puts what "<<" stands for in its place: keys that are written win, then those of
 * the first mapping.  The result lies on the stack from *first on. */
static int merge(struct builder *b, size_t *first, size_t n, size_t at)
{
	size_t from = *first, start = b->n_stack;
	struct weft_yaml_node *value = b->stack[from + 2 * at + 1];
	struct weft_map seen = {0};
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		if (i != at &&
			weft_map_add(&seen, b->stack[from + 2 * i]->text, 0, NULL) < 0)
			rc = weft_err_nomem(b->err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct weft_yaml_node *key = b->stack[from + 2 * i];

		if (i != at) {
			rc = push(b, key);
			if (rc == 0)
				rc = push(b, b->stack[from + 2 * i + 1]);
		} else if (value->kind == WEFT_YAML_SEQ) {
			for (size_t j = 0; j < value->n && rc == 0; j++)
				rc = merge_one(b, &seen, key, value->item[j]);
		} else {
			rc = merge_one(b, &seen, key, value);
		}
	}
	weft_map_free(&seen);
	*first = start;
	return rc;
}

static int finish_map(struct builder *b, struct weft_yaml_node *node, size_t first)
{
	size_t n = (b->n_stack - first) / 2, at;

	if (n == 0) /* there may be no stack yet */
		return 0;
	if (check_keys(b, b->stack + first, n, &at) != 0)
		return -1;
	if (at < n) {
		if (merge(b, &first, n, at) != 0)
			return -1;
		n = (b->n_stack - first) / 2;
	}
	node->n = n;
	if (n == 0)
		return 0;
	node->item = weft_arena_alloc(&b->doc->arena, 2 * n * sizeof(*node->item));
	if (!node->item)
		return weft_err_nomem(b->err);
	node->key = node->item + n;
	for (size_t i = 0; i < n; i++) {
		node->key[i] = b->stack[first + 2 * i];
		node->item[i] = b->stack[first + 2 * i + 1];
	}
	return 0;
}

static int on_close(struct builder *b, const yaml_event_t *ev)
{
	struct frame f = b->frame[b->depth - 1];
	struct weft_yaml_node *node = f.node;

	if (node->kind == WEFT_YAML_MAP) {
		if (finish_map(b, node, f.first) != 0)
			return -1;
	} else if ((node->n = b->n_stack - f.first) > 0) {
		node->item =
			weft_arena_alloc(&b->doc->arena, node->n * sizeof(*node->item));
		if (!node->item)
			return weft_err_nomem(b->err);
		memcpy(node->item, b->stack + f.first, node->n * sizeof(*node->item));
	}
	node->width = 1;
	if (ev->end_mark.line + 1 == node->pos.line &&
		ev->end_mark.column + 1 > node->pos.col)
		node->width = (unsigned)ev->end_mark.column + 1 - node->pos.col;
	b->n_stack = f.first;
	b->depth--;
	if (f.anchor) {
		struct anchor *a = &b->anchor[f.anchor - 1];

		a->weight = f.weight;
		a->height = f.height;
		a->open = false;
	}
	return place(b, node, f.weight, f.height, node->pos);
}

static int on_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++ == 0)
			return 0;
		return fail(b, pos_of(ev->start_mark), 3, "a second document",
			"a workflow is one document: write one file each");
	case YAML_ALIAS_EVENT:
		return on_alias(b, ev);
	case YAML_SCALAR_EVENT:
		return on_scalar(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, WEFT_YAML_SEQ, ev->data.sequence_start.tag,
			ev->data.sequence_start.anchor, pos_of(ev->start_mark));
	case YAML_MAPPING_START_EVENT:
		return on_open(b, WEFT_YAML_MAP, ev->data.mapping_start.tag,
			ev->data.mapping_start.anchor, pos_of(ev->start_mark));
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(b, ev);
	default:
		return 0;
	}
}

static int explain(struct builder *b, const yaml_parser_t *p)
{
	struct weft_yaml_problem w = {
		.problem = p->problem,
		.context = p->context,
		.at = pos_of(p->problem_mark),
		.from = pos_of(p->context_mark),
		.quote = b->quote,
		.quote_end = b->quote_end,
	};

	if (p->error == YAML_MEMORY_ERROR)
		return weft_err_nomem(b->err);
	/* What is wrong first is told first. */
	size_t block = p->context && strstr(p->context, "block scalar") ? w.from.line
									: w.at.line - 1;
	if (allow_tabs(b, block, w.at.line - 1) != 0)
		return -1;
	return weft_yaml_explain(b->doc, &w, b->err);
}

int weft_yaml_build(struct weft_yaml_doc *doc, const struct weft_yaml_tabs *tabs,
	struct weft_err *err)
{
	struct builder *b = calloc(1, sizeof(*b));
	yaml_parser_t parser;
	bool end = false;
	int rc = 0;

	if (!b || !yaml_parser_initialize(&parser)) {
		free(b);
		return weft_err_nomem(err);
	}
	b->doc = doc;
	b->err = err;
	b->tabs = tabs;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&parser, (const unsigned char *)doc->source, doc->source_len);
	while (rc == 0 && !end) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&parser, &ev)) {
			rc = explain(b, &parser);
			break;
		}
		rc = on_event(b, &ev);
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	if (rc == 0)
		rc = allow_tabs(b, SIZE_MAX, SIZE_MAX);
	/* An empty document is an empty plain scalar. */
	if (rc == 0 && weft_yaml_is_null(doc->root) && doc->root->n == 0)
		doc->root = NULL;
	yaml_parser_delete(&parser);
	weft_map_free(&b->names);
	free(b->anchor);
	free(b->stack);
	free(b);
	return rc;
}
