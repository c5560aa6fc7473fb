#include <string.h>

#include "spec/parse.h"

static const struct spec_field *field_of(
	const struct spec_parser *p, enum spec_context in, const char *key)
{
	size_t id;
	return weft_map_get(&p->keys[in], key, &id) ? &spec_fields[id] : NULL;
}

static bool is_extension(enum spec_context in, const char *key)
{
	return in == IN_TOP && weft_starts_with(key, "x-");
}

static void unknown_key(
	struct spec_parser *p, const struct weft_yaml_node *key, enum spec_context in)
{
	const char *words[64];
	size_t n, first = spec_first(in, &n), count = 0;
	for (size_t i = 0; i < n && count < WEFT_COUNT(words); i++)
		if (!(p->in_defaults && spec_fields[first + i].flags & NO_DEFAULT))
			words[count++] = spec_fields[first + i].key;
	const char *hint = spec_did_you_mean(p, key->text, words, count);
	if (!hint && in == IN_STEP && field_of(p, IN_RESOURCES, key->text))
		hint = spec_hint(p, "`%s` belongs in `resources`", key->text);
	spec_bad(p, key, hint, "unknown key");
}

static const char *noun(const struct spec_field *f)
{
	switch (f->kind) {
	case K_BOOL:
		return "`true` or `false`";
	case K_INT:
		return "a whole number";
	case K_NUMBER:
	case K_GPUS:
	case K_COUNTS:
		return "a number";
	case K_SHARE:
		return "a number or a share";
	case K_DURATION:
		return "a duration";
	case K_SIZE:
		return "a size";
	case K_NAME:
	case K_IDENT:
		return "a name";
	case K_STEPNAME:
	case K_STEPREF:
		return "a step";
	case K_INSIDE:
		return "a path";
	case K_EXPR:
		return "an expression";
	default:
		return "a text";
	}
}

/* "must be a list or a mapping" */
static void wrong_shape(struct spec_parser *p, const struct spec_field *f,
	unsigned shapes, const struct weft_yaml_node *n)
{
	const char *forms[3];
	size_t count = 0;
	if (shapes & ONE)
		forms[count++] = noun(f);
	if (shapes & (LIST | MAPS))
		forms[count++] = "a list";
	if (shapes & (MAP | PAIRS | NAMED | AXES))
		forms[count++] = "a mapping";
	const char *is = n->kind == WEFT_YAML_SCALAR ? "a single value"
			 : n->kind == WEFT_YAML_SEQ  ? "a list"
						     : "a mapping";
	spec_bad(p, n, NULL, "must be %s%s%s%s%s, not %s", count ? forms[0] : "a text",
		count == 3   ? ", "
		: count == 2 ? " or "
			     : "",
		count > 1 ? forms[1] : "", count == 3 ? " or " : "",
		count > 2 ? forms[2] : "", is);
}

/* Is it the option, or an abbreviation of it, which sbatch takes too? */
static bool means(const char *option, const char *taken)
{
	for (; *option; option++, taken++)
		if (*option != (*taken == '_' ? '-' : *taken))
			return false;
	return true;
}

/* Options of sbatch that a key here, or weft itself, already decides. */
static const char *taken_option(struct spec_parser *p, const char *option)
{
	static const char *const ours[] = {"array", "chdir", "dependency", "error",
		"export", "hold", "input", "job-name", "kill-on-invalid-dep",
		"no-requeue", "open-mode", "output", "parsable", "requeue", "test-only",
		"wait", "wrap"};
	static const char *const keys[] = {"account", "qos", "reservation"};
	for (size_t id = RESOURCES_partition; id < RESOURCES_any_of; id++)
		if (means(option, spec_fields[id].key))
			return spec_hint(
				p, "use `resources: {%s: ..}`", spec_fields[id].key);
	for (size_t i = 0; i < WEFT_COUNT(keys); i++)
		if (means(option, keys[i]))
			return spec_hint(p, "use the key `%s`", keys[i]);
	for (size_t i = 0; i < WEFT_COUNT(ours); i++)
		if (means(option, ours[i]))
			return spec_hint(p, "weft sets `--%s` itself", ours[i]);
	return NULL;
}

static void check_key(
	struct spec_parser *p, enum spec_keys keys, const struct weft_yaml_node *key)
{
	const char *s = key->text;
	switch (keys) {
	case KEY_NONE:
		return;
	case KEY_IDENT:
	case KEY_ENV:
	case KEY_SECRET:
		if (!spec_is_ident(s))
			spec_bad(p, key, "letters, digits and `_`, no digit first",
				"is not a valid name");
		else if (keys != KEY_IDENT && weft_starts_with(s, "WEFT_"))
			spec_bad(p, key, "choose another name",
				"variables that begin with `WEFT_` are weft's own");
		return;
	case KEY_LABEL:
		if (!*s || strlen(s) > 128 || strpbrk(s, "\n\t"))
			spec_bad(p, key, "at most 128 characters on one line",
				"is not a valid name");
		return;
	case KEY_OPTION:
		if (!*s ||
			strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
				strlen(s) ||
			*s == '-') {
			spec_bad(p, key, "a long option without the dashes: `comment`",
				"is not an option of sbatch");
		} else {
			const char *hint = taken_option(p, s);
			if (hint)
				spec_bad(p, key, hint, "can't be given here");
		}
		return;
	case KEY_FILE:
		if (!weft_path_is_inside(s) || *s == '~')
			spec_bad(p, key, "a path relative to the working directory",
				"leaves the working directory");
		return;
	}
}

static void check_axis_value(
	struct spec_parser *p, const struct spec_field *f, struct weft_yaml_node *n)
{
	if (n->kind == WEFT_YAML_SCALAR) {
		struct spec_field value = *f;
		value.kind = K_VALUE;
		spec_check_scalar(p, &value, n);
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		if (n->kind == WEFT_YAML_MAP) {
			spec_enter(p, n->key[i]->text);
			check_key(p, KEY_IDENT, n->key[i]);
		} else {
			spec_enter_item(p, i);
		}
		check_axis_value(p, f, n->item[i]);
		spec_leave(p);
	}
}

static void check_axis(
	struct spec_parser *p, const struct spec_field *f, struct weft_yaml_node *n)
{
	if (n->kind == WEFT_YAML_MAP) {
		spec_check(p, n, IN_AXIS);
	} else if (n->kind == WEFT_YAML_SEQ) {
		for (size_t i = 0; i < n->n; i++) {
			spec_enter_item(p, i);
			check_axis_value(p, f, n->item[i]);
			spec_leave(p);
		}
	} else {
		spec_bad(p, n, "write `[1, 2, 3]` or `{range: [1, 3]}`",
			"must be a list of values or a range, not a single value");
	}
}

/* A mapping with names that the user chose. */
static void check_named(
	struct spec_parser *p, const struct spec_field *f, struct weft_yaml_node *n)
{
	bool fold = f->keys == KEY_IDENT || f->keys == KEY_SECRET;
	struct weft_map names = {.fold = true};
	for (size_t i = 0; i < n->n; i++) {
		struct weft_yaml_node *key = n->key[i], *value = n->item[i];
		size_t other;
		spec_enter(p, key->text);
		check_key(p, f->keys, key);
		int new = fold ? weft_map_add(&names, key->text, i, &other) : 1;
		if (new < 0)
			spec_nomem(p);
		else if (new == 0)
			spec_bad(p, key,
				"names differ by more than case, for they become "
				"environment variables",
				"is `%s` of line %u again", n->key[other]->text,
				n->key[other]->pos.line);
		if (f->shapes & AXES)
			check_axis(p, f, value);
		else if (value->kind == WEFT_YAML_SCALAR && f->shapes & PAIRS)
			spec_check_scalar(p, f, value);
		else if (value->kind == WEFT_YAML_MAP && f->shapes & NAMED)
			spec_check(p, value, f->sub);
		else
			wrong_shape(p, f,
				(f->shapes & PAIRS ? ONE : 0) |
					(f->shapes & NAMED ? MAP : 0),
				value);
		spec_leave(p);
	}
	weft_map_free(&names);
}

bool spec_is_special_sweep(const struct weft_yaml_node *n)
{
	return weft_yaml_get(n, "file") || weft_yaml_get(n, "each") ||
	       weft_yaml_get(n, "replicas");
}

void spec_check_value(
	struct spec_parser *p, const struct spec_field *f, struct weft_yaml_node *n)
{
	if (n->kind == WEFT_YAML_SCALAR) {
		if (f->shapes & ONE)
			spec_check_scalar(p, f, n);
		else if (weft_yaml_is_null(n))
			spec_bad(p, n, "leave the key out", "has no value");
		else
			wrong_shape(p, f, f->shapes, n);
	} else if (n->kind == WEFT_YAML_SEQ) {
		if (!(f->shapes & (LIST | MAPS))) {
			wrong_shape(p, f, f->shapes, n);
			return;
		}
		unsigned shapes =
			(f->shapes & LIST ? ONE : 0) | (f->shapes & MAPS ? MAP : 0);
		for (size_t i = 0; i < n->n; i++) {
			struct weft_yaml_node *item = n->item[i];
			spec_enter_item(p, i);
			if (item->kind == WEFT_YAML_SCALAR && shapes & ONE)
				spec_check_scalar(p, f, item);
			else if (item->kind == WEFT_YAML_MAP && shapes & MAP)
				spec_check(p, item, f->sub);
			else
				wrong_shape(p, f, shapes, item);
			spec_leave(p);
		}
	} else if (f->shapes & MAP &&
		   (!(f->shapes & AXES) || spec_is_special_sweep(n))) {
		spec_check(p, n, f->sub);
	} else if (f->shapes & (PAIRS | NAMED | AXES)) {
		check_named(p, f, n);
	} else {
		wrong_shape(p, f, f->shapes, n);
	}
}

bool spec_has_bad_key(const struct spec_parser *p, const struct weft_yaml_node *map)
{
	for (size_t i = 0; i < map->n; i++)
		if (spec_is_bad(p, map->key[i]))
			return true;
	return false;
}

static void check_required(struct spec_parser *p, const struct weft_yaml_node *map,
	enum spec_context in, const bool *given)
{
	size_t n = p->fields[in].n, first = p->fields[in].first;
	if (spec_has_bad_key(p, map)) /* the one that is missing, perhaps */
		return;
	for (size_t i = 0; i < n; i++) {
		const struct spec_field *f = &spec_fields[first + i];
		if (f->flags & REQUIRED && !given[i] && !p->in_defaults)
			spec_bad(p, map, NULL, "the key `%s` is missing", f->key);
	}
}

void spec_check(struct spec_parser *p, struct weft_yaml_node *map, enum spec_context in)
{
	bool given[64] = {false};
	bool defaults = p->in_defaults;
	size_t first = p->fields[in].first;
	for (size_t i = 0; i < map->n; i++) {
		struct weft_yaml_node *key = map->key[i], *value = map->item[i];
		const struct spec_field *f = field_of(p, in, key->text);
		if (!f && is_extension(in, key->text))
			continue;
		spec_enter(p, key->text);
		if (!f) {
			unknown_key(p, key, in);
		} else if (in == IN_STEP && defaults && f->flags & NO_DEFAULT) {
			spec_bad(
				p, key, "give it in each step", "can't have a default");
		} else {
			given[(size_t)(f - spec_fields) - first] = true;
			if (f == &spec_fields[TOP_defaults])
				p->in_defaults = true;
			else if (in == IN_STEP)
				p->in_defaults = false; /* what is inside is whole */
			/* Vars and steps have their own turn: others need them. */
			if (f != &spec_fields[TOP_vars] && f != &spec_fields[TOP_steps])
				spec_check_value(p, f, value);
			p->in_defaults = defaults;
			if (f->flags & NOT_YET && !spec_is_bad(p, value)) {
				spec_bad(p, key, NULL, "not supported yet");
				spec_nodes_add(&p->bad, value, 0);
			}
		}
		spec_leave(p);
	}
	check_required(p, map, in, given);
}

void spec_collect(struct spec_parser *p, const struct weft_yaml_node *map,
	enum spec_context in, struct weft_yaml_node *at[N_FIELDS])
{
	size_t n = p->fields[in].n, first = p->fields[in].first;
	memset(at + first, 0, n * sizeof(*at));
	if (!map || map->kind != WEFT_YAML_MAP)
		return;
	for (size_t i = 0; i < map->n; i++) {
		size_t id;
		if (weft_map_get(&p->keys[in], map->key[i]->text, &id) &&
			!(spec_fields[id].flags & NOT_YET) &&
			!spec_is_bad(p, map->item[i]))
			at[id] = map->item[i];
	}
}
