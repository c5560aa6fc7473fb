#include <stdlib.h>
#include <string.h>

#include "read.h"

#define MAX_FIELDS 24

int read_error(struct reader *r, const struct weft_yaml_node *n, const char *path,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weft_err_vset(r->err, WEFT_ESPEC, fmt, ap);
	va_end(ap);
	if (n && r->err)
		r->err->width = n->width;
	return weft_err_at(r->err, r->file, n ? n->pos : (struct weft_pos){0, 0}, path);
}

const char *read_text(
	struct reader *r, const struct weft_yaml_node *n, const char *path)
{
	if (n->kind != WEFT_YAML_SCALAR) {
		read_error(r, n, path, "must be text, not a %s",
			n->kind == WEFT_YAML_SEQ ? "list" : "mapping");
		return NULL;
	}
	if (weft_yaml_is_null(n)) {
		read_error(r, n, path, "has no value");
		return NULL;
	}
	return n->text;
}

int read_count(struct reader *r, const struct weft_yaml_node *n, const char *path,
	unsigned *out)
{
	const char *s = read_text(r, n, path);
	int64_t v;

	if (!s)
		return -1;
	if (!weft_parse_int(s, 0, INT32_MAX, &v))
		return read_error(r, n, path, "must be a whole number, not '%.40s'", s);
	*out = (unsigned)v;
	return 0;
}

static int read_unit(struct reader *r, const struct weft_yaml_node *n, const char *path,
	enum field_type type, void *at)
{
	const char *s = read_text(r, n, path);
	const char *why = NULL;

	if (!s)
		return -1;
	if (type == FIELD_SIZE ? !weft_parse_size(s, at, &why)
			       : !weft_parse_duration(s, at, &why))
		return read_error(r, n, path, "bad %s '%.40s': %s",
			type == FIELD_SIZE ? "size" : "duration", s, why);
	return 0;
}

static int read_bool(
	struct reader *r, const struct weft_yaml_node *n, const char *path, bool *out)
{
	const char *s = read_text(r, n, path);

	if (!s)
		return -1;
	if (!weft_streq(s, "true") && !weft_streq(s, "false"))
		return read_error(r, n, path, "must be true or false, not '%.40s'", s);
	*out = weft_streq(s, "true");
	return 0;
}

static int read_names(struct reader *r, const struct weft_yaml_node *n,
	const char *path, struct field_names *out)
{
	const char **v;

	if (n->kind != WEFT_YAML_SEQ)
		return read_error(r, n, path, "must be a list of names");
	v = weft_arena_alloc(&r->c->arena, (n->n + 1) * sizeof(*v));
	if (!v)
		return weft_err_nomem(r->err);
	for (size_t i = 0; i < n->n; i++) {
		const char *s = read_text(r, n->item[i], path);

		if (!s)
			return -1;
		v[i] = weft_arena_strdup(&r->c->arena, s);
		if (!v[i])
			return weft_err_nomem(r->err);
	}
	*out = (struct field_names){v, n->n};
	return 0;
}

static int read_one(struct reader *r, struct weft_yaml_node *n, const char *path,
	const struct field *f, void *into)
{
	void *at = (char *)into + f->at;
	const char *s;

	switch (f->type) {
	case FIELD_TEXT:
		s = read_text(r, n, path);
		if (!s)
			return -1;
		s = weft_arena_strdup(&r->c->arena, s);
		*(const char **)at = s;
		return s ? 0 : weft_err_nomem(r->err);
	case FIELD_COUNT:
		return read_count(r, n, path, at);
	case FIELD_SIZE:
	case FIELD_TIME:
		return read_unit(r, n, path, f->type, at);
	case FIELD_BOOL:
		return read_bool(r, n, path, at);
	case FIELD_NAMES:
		return read_names(r, n, path, at);
	case FIELD_NODE:
		*(struct weft_yaml_node **)at = n;
		return 0;
	}
	return -1;
}

static int unknown_key(struct reader *r, const struct weft_yaml_node *key,
	const char *path, const struct field *field, size_t n)
{
	const char *names[MAX_FIELDS];
	const char *near;

	for (size_t i = 0; i < n && i < MAX_FIELDS; i++)
		names[i] = field[i].name;
	near = weft_nearest(key->text, names, n < MAX_FIELDS ? n : MAX_FIELDS);
	read_error(r, key, *path ? path : NULL, "unknown key '%.60s'", key->text);
	if (near)
		weft_err_hint(r->err, "did you mean '%s'?", near);
	else
		weft_err_hint(r->err, "see weft-cluster(5) for the keys");
	return -1;
}

int read_fields(struct reader *r, const struct weft_yaml_node *map, const char *path,
	const struct field *field, size_t n, void *into)
{
	if (map->kind != WEFT_YAML_MAP)
		return read_error(r, map, *path ? path : NULL, "must be a mapping");
	for (size_t i = 0; i < map->n; i++) {
		weft_autofree char *sub = NULL;
		size_t f = 0;

		while (f < n && !weft_streq(field[f].name, map->key[i]->text))
			f++;
		if (f == n)
			return unknown_key(r, map->key[i], path, field, n);
		sub = weft_printf("%s%s%s", path, *path ? "." : "", field[f].name);
		if (!sub)
			return weft_err_nomem(r->err);
		if (read_one(r, map->item[i], sub, &field[f], into))
			return -1;
	}
	return 0;
}
