/* read.h - mappings of the snapshot file read by tables of fields. */
#ifndef WEFT_CLUSTER_READ_H
#define WEFT_CLUSTER_READ_H

#include "cluster/cluster.h"
#include "yaml/yaml.h"

enum field_type {
	FIELD_TEXT,  /* const char * */
	FIELD_COUNT, /* unsigned */
	FIELD_SIZE,  /* uint64_t, bytes */
	FIELD_TIME,  /* int64_t, seconds */
	FIELD_BOOL,
	FIELD_NAMES, /* struct field_names */
	FIELD_NODE,  /* struct weft_yaml_node *: the caller reads it */
};

struct field_names {
	const char *const *v;
	size_t n;
};

struct field {
	const char *name;
	enum field_type type;
	size_t at; /* offset into what is filled */
};

struct reader {
	const char *file;
	struct weft_cluster *c;
	struct weft_err *err;
};

/* Sets the error at the node; path is "nodes[2].cpus". Returns -1. */
int read_error(struct reader *r, const struct weft_yaml_node *n, const char *path,
	const char *fmt, ...) WEFT_PRINTF(4, 5);
/* Fills `into` from the mapping; unknown keys are errors. */
int read_fields(struct reader *r, const struct weft_yaml_node *map, const char *path,
	const struct field *field, size_t n, void *into);
int read_count(struct reader *r, const struct weft_yaml_node *n, const char *path,
	unsigned *out);
/* The text of a scalar that isn't null, or NULL with the error set. */
const char *read_text(
	struct reader *r, const struct weft_yaml_node *n, const char *path);
/* Host list -> names, to be freed with weft_hostlist_free(). */
int read_hosts(struct reader *r, const struct weft_yaml_node *n, const char *path,
	size_t max, char ***name, size_t *count);
/* The list "nodes": fills c->node, and the index of their names. */
int read_nodes(struct reader *r, struct weft_yaml_node *seq, struct weft_map *index);

#endif
