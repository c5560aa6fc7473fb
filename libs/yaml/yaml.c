/* yaml.c - files and texts in, nodes looked at and changed. */
#include "yaml/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int too_big(const char *file, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESPEC, "the file is larger than %u MiB",
		WEFT_YAML_MAX_BYTES >> 20);
	weft_err_hint(err, "keep long tables of parameters in a .csv or .jsonl file");
	return weft_err_at(err, file, (struct weft_pos){0, 0}, NULL);
}

/* Takes over *text, which is NUL-terminated, even on failure. */
static int parse_owned(const char *file, char *text, size_t n,
	struct weft_yaml_doc **out, struct weft_err *err)
{
	struct weft_yaml_doc *doc = calloc(1, sizeof(*doc));
	struct weft_yaml_tabs tabs = {0};
	int rc;

	*out = NULL;
	if (!doc || !(doc->file = weft_arena_strdup(&doc->arena, file))) {
		weft_yaml_free(doc);
		free(text);
		return weft_err_nomem(err);
	}
	/* A byte order mark says nothing in UTF-8: leave it out. */
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		n -= 3;
		memmove(text, text + 3, n + 1);
	}
	doc->source = text;
	doc->source_len = n;
	rc = weft_yaml_check_text(doc, &tabs, err);
	if (rc == 0)
		rc = weft_yaml_build(doc, &tabs, err);
	free(tabs.v);
	if (rc != 0) {
		weft_yaml_free(doc);
		return -1;
	}
	*out = doc;
	return 0;
}

int weft_yaml_parse(const char *file, const char *text, size_t n,
	struct weft_yaml_doc **doc, struct weft_err *err)
{
	char *copy;

	*doc = NULL;
	if (n > WEFT_YAML_MAX_BYTES)
		return too_big(file, err);
	copy = malloc(n + 1);
	if (!copy)
		return weft_err_nomem(err);
	memcpy(copy, text, n);
	copy[n] = '\0';
	return parse_owned(file, copy, n, doc, err);
}

int weft_yaml_load(const char *path, struct weft_yaml_doc **doc, struct weft_err *err)
{
	bool in = strcmp(path, "-") == 0;
	struct weft_err why = {0};
	char *text = NULL;
	size_t n = 0;
	int rc;

	*doc = NULL;
	rc = in ? weft_read_fd(
			  0, "standard input", WEFT_YAML_MAX_BYTES, &text, &n, &why)
		: weft_read_file(path, WEFT_YAML_MAX_BYTES, &text, &n, &why);
	if (rc == 0)
		return parse_owned(path, text, n, doc, err);
	if (why.sys == EFBIG) {
		weft_err_clear(&why);
		return too_big(path, err);
	}
	if (why.code != WEFT_OK && why.sys != ENOMEM)
		why.code = WEFT_ESPEC;
	if (err)
		weft_err_move(err, &why);
	weft_err_clear(&why);
	return -1;
}

void weft_yaml_free(struct weft_yaml_doc *doc)
{
	if (!doc)
		return;
	free((char *)doc->source);
	weft_arena_free(&doc->arena);
	free(doc);
}

struct weft_yaml_node *weft_yaml_get(const struct weft_yaml_node *map, const char *key)
{
	size_t len = strlen(key);

	if (!map || map->kind != WEFT_YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (map->key[i]->n == len && memcmp(map->key[i]->text, key, len) == 0)
			return map->item[i];
	return NULL;
}

bool weft_yaml_is_null(const struct weft_yaml_node *n)
{
	return n && n->kind == WEFT_YAML_SCALAR && n->style == WEFT_YAML_PLAIN &&
	       (n->n == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

struct weft_yaml_node *weft_yaml_new(
	struct weft_yaml_doc *doc, enum weft_yaml_kind kind, struct weft_pos pos)
{
	struct weft_yaml_node *n = weft_arena_alloc(&doc->arena, sizeof(*n));

	if (n) {
		n->kind = kind;
		n->pos = pos;
		if (kind == WEFT_YAML_SCALAR)
			n->text = "";
	}
	return n;
}

/* Bytes of the character that begins here; 0: it is none. */
static size_t utf8_length(const unsigned char *p)
{
	size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;

	return strnlen((const char *)p, n) == n && weft_utf8_valid((const char *)p, n)
		       ? n
		       : 0;
}

void weft_yaml_quote(struct weft_str *out, const char *text)
{
	size_t n = 1;

	weft_str_addc(out, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p += n ? n : 1) {
		n = utf8_length(p);
		if (!n)
			weft_str_add(out, "\\uFFFD");
		else if (*p == '"' || *p == '\\')
			weft_str_addc(out, '\\'), weft_str_addc(out, (char)*p);
		else if (*p == '\n')
			weft_str_add(out, "\\n");
		else if (*p == '\t')
			weft_str_add(out, "\\t");
		else if (*p < 0x20 || *p == 0x7f)
			weft_str_printf(out, "\\x%02x", *p);
		else if (*p == 0xc2 && p[1] < 0xa0) /* C1 controls, next line */
			weft_str_printf(out, "\\x%02x", p[1]);
		else if (*p == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
			weft_str_add(out, p[2] == 0xa8 ? "\\L" : "\\P");
		else if (*p == 0xef && p[1] == 0xbb && p[2] == 0xbf)
			weft_str_add(out, "\\uFEFF");
		else if (*p == 0xef && p[1] == 0xbf && p[2] >= 0xbe)
			weft_str_printf(out, "\\uFFF%c", p[2] == 0xbe ? 'E' : 'F');
		else
			weft_str_addn(out, (const char *)p, n);
	}
	weft_str_addc(out, '"');
}
