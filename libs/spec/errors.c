#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

void spec_nomem(struct spec_parser *p)
{
	if (p->nomem)
		return;
	p->nomem = p->failed = true;
	struct weft_err err = {0};
	weft_err_nomem(&err);
	weft_errs_add(p->errs, &err);
}

void *spec_alloc(struct spec_parser *p, size_t n, size_t size)
{
	size_t bytes;
	void *m = NULL;
	if (!__builtin_mul_overflow(n ? n : 1, size, &bytes))
		m = weft_arena_alloc(&p->wf->arena, bytes);
	if (!m)
		spec_nomem(p);
	return m;
}

const char *spec_dup(struct spec_parser *p, const char *s)
{
	char *d = weft_arena_strdup(&p->wf->arena, s);
	if (!d)
		spec_nomem(p);
	return d;
}

/* ---- sets of nodes ---- */

static size_t slot_of(const struct spec_nodes *m, const void *key)
{
	uint64_t h = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
	size_t i = (size_t)(h >> 20) & (m->cap - 1);
	while (m->slot[i].key && m->slot[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

int spec_nodes_add(struct spec_nodes *m, const void *key, size_t value)
{
	if (m->n * 2 >= m->cap) {
		struct spec_nodes big = {.cap = m->cap ? m->cap * 2 : 64, .n = m->n};
		big.slot = calloc(big.cap, sizeof(*big.slot));
		if (!big.slot)
			return -1;
		for (size_t i = 0; i < m->cap; i++)
			if (m->slot[i].key)
				big.slot[slot_of(&big, m->slot[i].key)] = m->slot[i];
		free(m->slot);
		*m = big;
	}
	size_t i = slot_of(m, key);
	m->n += !m->slot[i].key;
	m->slot[i] = (struct spec_nodes_slot){key, value};
	return 0;
}

bool spec_nodes_get(const struct spec_nodes *m, const void *key, size_t *value)
{
	if (!m->n)
		return false;
	size_t i = slot_of(m, key);
	if (value && m->slot[i].key)
		*value = m->slot[i].value;
	return m->slot[i].key;
}

/* ---- where we are ---- */

void spec_enter(struct spec_parser *p, const char *key)
{
	if (p->depth < WEFT_COUNT(p->crumb))
		p->crumb[p->depth] = (struct spec_crumb){.key = key};
	p->depth++;
}

void spec_enter_item(struct spec_parser *p, size_t index)
{
	if (p->depth < WEFT_COUNT(p->crumb))
		p->crumb[p->depth] = (struct spec_crumb){.index = index};
	p->depth++;
}

void spec_leave(struct spec_parser *p)
{
	p->depth--;
}

/* Made for every reference, so without printf. */
struct path {
	char text[512]; /* longer ones are cut */
	size_t n;
};

static void add(struct path *to, const char *s)
{
	size_t n = strlen(s), room = sizeof(to->text) - 1 - to->n;
	memcpy(to->text + to->n, s, n < room ? n : room);
	to->n += n < room ? n : room;
}

static void add_index(struct path *to, size_t i)
{
	char digits[32] = {0};
	size_t at = sizeof(digits) - 1;
	digits[--at] = ']';
	do
		digits[--at] = (char)('0' + i % 10);
	while (i /= 10);
	digits[--at] = '[';
	add(to, digits + at);
}

static void add_key(struct path *to, const char *key)
{
	if (to->n)
		add(to, ".");
	add(to, key);
}

const char *spec_path(struct spec_parser *p)
{
	struct path path;
	path.n = 0;
	size_t n = p->depth < WEFT_COUNT(p->crumb) ? p->depth : WEFT_COUNT(p->crumb);
	for (size_t i = 0; i < n; i++) {
		if (p->crumb[i].key)
			add_key(&path, p->crumb[i].key);
		else
			add_index(&path, p->crumb[i].index);
	}
	const char *s = weft_arena_strndup(&p->wf->arena, path.text, path.n);
	if (!s)
		spec_nomem(p);
	return s;
}

const char *spec_file(const struct spec_parser *p, const struct weft_yaml_node *n,
	struct weft_yaml_doc **doc)
{
	size_t i;
	if (spec_nodes_get(&p->origins, n, &i)) {
		*doc = p->origin[i].doc;
		return p->origin[i].file;
	}
	*doc = p->doc;
	return p->doc->file;
}

/* ---- reporting ---- */

bool spec_is_bad(const struct spec_parser *p, const struct weft_yaml_node *n)
{
	return spec_nodes_get(&p->bad, n, NULL);
}

/* Each error is wanted once, though the node that holds it may be used often
 * (anchors, defaults). */
static void report(
	struct spec_parser *p, const struct weft_yaml_node *n, struct weft_err *err)
{
	p->failed = true;
	char *key = weft_arena_printf(&p->wf->arena, "%s:%u:%u:%s", err->file,
		err->pos.line, err->pos.col, err->text);
	int new = key ? weft_map_add(&p->seen, key, 0, NULL) : -1;
	if (new < 0 || spec_nodes_add(&p->bad, n, 0) < 0)
		spec_nomem(p);
	if (new == 1)
		weft_errs_add(p->errs, err);
	weft_err_clear(err);
}

static void WEFT_PRINTF(5, 0)
	bad_v(struct spec_parser *p, const struct weft_yaml_node *n, const char *path,
		const char *hint, const char *fmt, va_list ap)
{
	struct weft_err err = {0};
	struct weft_yaml_doc *doc;
	const char *file = spec_file(p, n, &doc);
	weft_err_vset(&err, WEFT_ESPEC, fmt, ap);
	weft_err_at(&err, file, doc ? n->pos : (struct weft_pos){0, 0},
		path && path[0] ? path : NULL);
	err.width = doc && n->kind == WEFT_YAML_SCALAR ? n->width : 0;
	if (hint)
		weft_err_hint(&err, "%s", hint);
	report(p, n, &err);
}

void spec_bad(struct spec_parser *p, const struct weft_yaml_node *n, const char *hint,
	const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bad_v(p, n, spec_path(p), hint, fmt, ap);
	va_end(ap);
}

void spec_bad_path(struct spec_parser *p, const struct weft_yaml_node *n,
	const char *path, const char *hint, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bad_v(p, n, path, hint, fmt, ap);
	va_end(ap);
}

const char *spec_hint(struct spec_parser *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(p->hint, sizeof(p->hint), fmt, ap);
	va_end(ap);
	return p->hint;
}

const char *spec_did_you_mean(
	struct spec_parser *p, const char *word, const char *const *words, size_t n)
{
	const char *near = weft_nearest(word, words, n);
	return near ? spec_hint(p, "did you mean `%s`?", near) : NULL;
}

/* ---- positions inside a scalar ---- */

/* Columns that the first line of a block scalar's content is indented by. */
static unsigned block_indent(const struct weft_yaml_doc *doc, unsigned line)
{
	const char *s = doc->source, *end = s + doc->source_len;
	for (unsigned at = 1; s < end; at++) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t len = (size_t)((stop ? stop : end) - s), blank = 0;
		while (blank < len && s[blank] == ' ')
			blank++;
		if (at > line && blank < len && s[blank] != '\r')
			return (unsigned)blank;
		if (!stop)
			break;
		s = stop + 1;
	}
	return 0;
}

/* expr counts in the text; the reader of the message counts in the file. */
static struct weft_pos place(const struct spec_parser *p,
	const struct weft_yaml_node *n, struct weft_pos in, bool *exact)
{
	struct weft_yaml_doc *doc;
	spec_file(p, n, &doc);
	struct weft_pos at = n->pos;
	*exact = true;
	if (in.line && in.col && n->style == WEFT_YAML_LITERAL && doc) {
		at.line = n->pos.line + in.line;
		at.col = block_indent(doc, n->pos.line) + in.col;
		return at;
	}
	unsigned quote = n->style == WEFT_YAML_PLAIN ? 0 : 1;
	if (in.line == 1 && in.col && n->style != WEFT_YAML_FOLDED &&
		n->style != WEFT_YAML_LITERAL && in.col + quote <= n->width) {
		at.col = n->pos.col + quote + in.col - 1;
		return at;
	}
	*exact = false;
	return at;
}

void spec_bad_expr(struct spec_parser *p, const struct weft_yaml_node *n,
	const char *path, struct weft_err *err)
{
	struct weft_yaml_doc *doc;
	const char *file = spec_file(p, n, &doc);
	bool exact;
	struct weft_pos at = place(p, n, err->pos, &exact);
	err->pos = doc ? at : (struct weft_pos){0, 0};
	weft_err_at(err, file, err->pos, path);
	err->width = !doc ? 0 : exact ? err->width : n->width;
	report(p, n, err);
}

unsigned spec_name_width(const struct weft_name *name)
{
	size_t width = 0;
	for (size_t i = 0; i < name->n; i++)
		width += strlen(name->part[i]) + (i > 0);
	return width > 200 ? 200 : (unsigned)width;
}

/* The command line first, then the file, then overlays. */
static int by_place(const void *x, const void *y, void *main_file)
{
	const struct weft_err *a = x, *b = y;
	const char *file_a = a->file ? a->file : "", *file_b = b->file ? b->file : "";
	int rank_a = !a->pos.line ? 0 : strcmp(file_a, main_file) ? 2 : 1;
	int rank_b = !b->pos.line ? 0 : strcmp(file_b, main_file) ? 2 : 1;
	if (rank_a != rank_b)
		return rank_a - rank_b;
	int files = strcmp(file_a, file_b);
	if (files)
		return files;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line ? -1 : 1;
	if (a->pos.col != b->pos.col)
		return a->pos.col < b->pos.col ? -1 : 1;
	return strcmp(a->text ? a->text : "", b->text ? b->text : "");
}

void spec_sort_errors(struct spec_parser *p)
{
	if (p->errs->n)
		qsort_r(p->errs->v, p->errs->n, sizeof(*p->errs->v), by_place,
			(void *)p->doc->file);
}
