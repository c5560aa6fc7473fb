/*
 * yaml - a YAML file as nodes that know where they stand.
 *
 * The only room with libyaml.  It reads events and builds the nodes itself:
 * anchors, aliases and merge keys are resolved, duplicate keys, tags, tabs in
 * indentation, bad UTF-8, several documents, nesting beyond 64, files beyond
 * 16 MiB and aliases that expand beyond bounds are errors (weft-workflow(5)).
 * Scalars keep their text: the reader of a field decides its type.  Columns
 * count characters, not bytes.
 *
 * Ownership: a document owns its nodes and their text.  An aliased node is
 * shared, not copied: its position is where it was written.  Errors: WEFT_ESPEC
 * with file, line and column.  Threads: a document may be read by many.
 * Runs as: the user, never in slurmstepd, slurmd or slurmctld.
 */
#ifndef WEFT_YAML_H
#define WEFT_YAML_H

#include "base/base.h"

enum weft_yaml_kind { WEFT_YAML_SCALAR, WEFT_YAML_SEQ, WEFT_YAML_MAP };

enum weft_yaml_style {
	WEFT_YAML_PLAIN,
	WEFT_YAML_SINGLE,
	WEFT_YAML_DOUBLE,
	WEFT_YAML_LITERAL, /* | */
	WEFT_YAML_FOLDED,  /* > */
};

struct weft_yaml_node {
	enum weft_yaml_kind kind;
	enum weft_yaml_style style; /* of a scalar */
	struct weft_pos pos;        /* of its first character; of | or > */
	unsigned width;             /* columns, if it ends on its first line; else 1 */
	const char *text;           /* scalar: NUL-terminated; no NUL inside */
	size_t n;                   /* scalar: bytes of text; else: children */
	struct weft_yaml_node **item; /* sequence: items; mapping: values */
	struct weft_yaml_node **key;  /* mapping: scalar keys */
};

#define WEFT_YAML_MAX_BYTES (16u << 20)
#define WEFT_YAML_MAX_DEPTH 64
/* Nodes, an alias counting as often as it is used. */
#define WEFT_YAML_MAX_NODES 4000000u

struct weft_yaml_doc {
	struct weft_arena arena;
	const char *file;   /* as given, for messages */
	const char *source; /* the whole text */
	size_t source_len;
	struct weft_yaml_node *root; /* NULL for an empty document */
};

/* Reads a file ("-": standard input) or a text.  *doc is NULL on error. */
int weft_yaml_load(const char *path, struct weft_yaml_doc **doc, struct weft_err *err);
int weft_yaml_parse(const char *file, const char *text, size_t n,
	struct weft_yaml_doc **doc, struct weft_err *err);
void weft_yaml_free(struct weft_yaml_doc *doc);

/* Value of a key in a mapping, or NULL. Linear: mappings are small. */
struct weft_yaml_node *weft_yaml_get(const struct weft_yaml_node *map, const char *key);
/* Plain and one of: empty, ~, null. */
bool weft_yaml_is_null(const struct weft_yaml_node *n);
/* A new node in the document's arena, for overlays and --set; NULL: no memory. */
struct weft_yaml_node *weft_yaml_new(
	struct weft_yaml_doc *doc, enum weft_yaml_kind kind, struct weft_pos pos);
/* Appends text as a double-quoted scalar on one line; a byte that is no UTF-8 becomes
 * U+FFFD. */
void weft_yaml_quote(struct weft_str *out, const char *text);

#endif
