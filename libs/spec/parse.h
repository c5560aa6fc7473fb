/*
 * parse - what the files of the reader share; private to the room.
 *
 * The order: nodes are merged (merge.c), checked against the table (check.c),
 * built into the workflow (top.c, step.c, data.c, sweep.c), the steps are tied
 * together (graph.c), and every name in every expression is looked up (names.c).
 * A value that is wrong is reported once and then treated as not given.
 */
#ifndef WEFT_SPEC_PARSE_H
#define WEFT_SPEC_PARSE_H

#include "spec/fields.h"
#include "yaml/yaml.h"

#define SPEC_MAX_ERRORS 20
#define SPEC_MAX_VALUE (128u << 10) /* Linux: MAX_ARG_STRLEN */
#define SPEC_MAX_MEMBERS 10000000u
#define SPEC_MAX_NESTED 64 /* vars that use vars, env that uses env */

struct spec_crumb { /* of the path to where we are: a key, or an index */
	const char *key;
	size_t index;
};

/* A text whose names are looked up once all steps are known. */
struct spec_pending {
	const struct weft_yaml_node *node;
	const char *path;
	const struct weft_template *tpl;
	const struct weft_expr *expr; /* of `when` */
	const char *env;              /* the name, when it is the value of an env */
	unsigned step;                /* WEFT_NO_STEP: top level */
	unsigned loop;                /* of `until` */
	enum spec_names names;
};

struct spec_ref { /* STEP or STEP.OUTPUT as written, bound in graph.c */
	const struct weft_yaml_node *node;
	const char *path;
	const char *step, *output; /* output NULL: depends */
	struct weft_input *input;
	size_t from; /* which of input->from */
	enum weft_dep_state state;
	bool all, optional;
	bool rows; /* of `sweep: {file: ..}` */
	bool back; /* of an earlier round: no need of this one's */
	unsigned owner;
};

struct spec_each { /* {each: STEP} */
	const struct weft_yaml_node *node;
	const char *path;
	unsigned owner;
};

struct spec_origin {               /* of nodes that are not in the main document */
	struct weft_yaml_doc *doc; /* NULL: --set */
	const char *file;
};

/* Pointer -> number, for what is known of some nodes. */
struct spec_nodes {
	struct spec_nodes_slot {
		const void *key;
		size_t value;
	} * slot;
	size_t n, cap;
};
int spec_nodes_add(struct spec_nodes *m, const void *key, size_t value);
bool spec_nodes_get(const struct spec_nodes *m, const void *key, size_t *value);

struct spec_parser {
	struct weft_workflow *wf;
	struct weft_yaml_doc *doc;   /* the workflow file */
	struct weft_yaml_doc **more; /* overlays, --set */
	size_t n_more, cap_more;
	struct weft_errs *errs;
	bool failed; /* an error was reported */
	bool torn;   /* some references lead nowhere: who needs whom is not known */
	bool nomem;
	struct spec_crumb crumb[80];
	size_t depth;
	unsigned step; /* being read; WEFT_NO_STEP: top level */
	unsigned loop; /* whose `until` is being read; WEFT_NO_LOOP */
	bool in_defaults;
	char hint[320];
	const char *points;   /* of the options */
	struct weft_map seen; /* errors, so that a shared node's comes once */
	struct weft_map keys[N_CONTEXTS];
	struct {
		size_t first, n;
	} fields[N_CONTEXTS];
	struct spec_origin *origin;
	size_t n_origin, cap_origin;
	struct spec_nodes origins; /* node -> index of origin */
	struct spec_nodes bad;     /* nodes that an error was reported for */
	struct spec_pending *pending;
	size_t n_pending, cap_pending;
	struct spec_ref *ref;
	size_t n_ref, cap_ref;
	struct weft_map param_by_name;
	struct weft_axis *param; /* axes of `params` */
	size_t n_params;
	struct spec_each *each; /* sweeps that are another step's */
	size_t n_each, cap_each;
	struct { /* what was read last from resources without expressions */
		const struct weft_yaml_node *node;
		struct weft_resource_texts *v;
		size_t n;
	} shared_resources;
	unsigned *rank; /* place of a step in wf->order */
	unsigned *direct, *visited, *queue, direct_of, visit_mark, visits;
	unsigned char *var_state;
	const struct weft_yaml_node **var_node;
	unsigned var_depth;
};

/* ---- errors.c ---- */
/* Reports at a node; hint may be NULL. The node then counts as bad. */
void spec_bad(struct spec_parser *p, const struct weft_yaml_node *n, const char *hint,
	const char *fmt, ...) WEFT_PRINTF(4, 5);
/* The same at another path than the present one. */
void spec_bad_path(struct spec_parser *p, const struct weft_yaml_node *n,
	const char *path, const char *hint, const char *fmt, ...) WEFT_PRINTF(5, 6);
/* An error of expr, whose position is relative to the node's text; err is moved. */
void spec_bad_expr(struct spec_parser *p, const struct weft_yaml_node *n,
	const char *path, struct weft_err *err);
unsigned spec_name_width(const struct weft_name *name);
bool spec_is_bad(const struct spec_parser *p, const struct weft_yaml_node *n);
const char *spec_hint(struct spec_parser *p, const char *fmt, ...) WEFT_PRINTF(2, 3);
/* "did you mean `x`?" or NULL */
const char *spec_did_you_mean(
	struct spec_parser *p, const char *word, const char *const *words, size_t n);
void spec_enter(struct spec_parser *p, const char *key);
void spec_enter_item(struct spec_parser *p, size_t index);
void spec_leave(struct spec_parser *p);
/* "steps[2].resources.gpus", in the workflow's arena. */
const char *spec_path(struct spec_parser *p);
void spec_nomem(struct spec_parser *p);
/* As they stand in the file. */
void spec_sort_errors(struct spec_parser *p);
void *spec_alloc(struct spec_parser *p, size_t n, size_t size);
const char *spec_dup(struct spec_parser *p, const char *s);
/* Where the node was written; *doc NULL for --set. */
const char *spec_file(const struct spec_parser *p, const struct weft_yaml_node *n,
	struct weft_yaml_doc **doc);

/* ---- check.c, scalar.c ---- */
void spec_check(
	struct spec_parser *p, struct weft_yaml_node *map, enum spec_context in);
void spec_check_value(
	struct spec_parser *p, const struct spec_field *f, struct weft_yaml_node *n);
void spec_check_scalar(
	struct spec_parser *p, const struct spec_field *f, struct weft_yaml_node *n);
/* The values of a mapping by field, without those that are bad.  Only the part of
 * `at` that is the context's is written. */
void spec_collect(struct spec_parser *p, const struct weft_yaml_node *map,
	enum spec_context in, struct weft_yaml_node *at[N_FIELDS]);
bool spec_has_bad_key(const struct spec_parser *p, const struct weft_yaml_node *map);
/* A sweep's mapping is one of axes unless it has one of these keys. */
bool spec_is_special_sweep(const struct weft_yaml_node *n);
/* Or STEP.OUTPUT? */
bool spec_is_path(const char *s);
bool spec_has_template(const struct weft_yaml_node *n);
bool spec_is_ident(const char *s);
/* NULL, or what is wrong with the text; *hint may be set (static). */
const char *spec_wrong(const struct spec_field *f, const char *s, const char **hint);
bool spec_parse_number(const char *s, double *out);

/* ---- merge.c ---- */
/* A mapping with the keys of both; where both have one, `over` wins, or both
 * merge where both are mappings.  Neither is changed. */
struct weft_yaml_node *spec_merge(struct spec_parser *p, struct weft_yaml_node *base,
	struct weft_yaml_node *over, enum spec_context in);
struct weft_yaml_node *spec_merge_field(struct spec_parser *p,
	const struct spec_field *f, struct weft_yaml_node *base,
	struct weft_yaml_node *over);
int spec_overlay(struct spec_parser *p, const char *file, struct weft_yaml_node **root);
/* ---- set.c ---- */
void spec_set(struct spec_parser *p, const char *arg, struct weft_yaml_node **root);
size_t spec_add_origin(
	struct spec_parser *p, struct weft_yaml_doc *doc, const char *file);

/* ---- text.c ---- */
struct weft_text spec_text(struct spec_parser *p, const struct weft_yaml_node *n,
	enum spec_names names, enum weft_quoting quoting);
struct weft_pairs spec_pairs(
	struct spec_parser *p, const struct weft_yaml_node *map, enum spec_names names);
struct weft_texts spec_texts(struct spec_parser *p, const struct weft_yaml_node *list,
	enum spec_names names);
void spec_add_pending(struct spec_parser *p, struct spec_pending pending);
struct weft_pairs spec_secrets(struct spec_parser *p, const struct weft_yaml_node *map);
/* What a node means where any value may stand. */
int spec_value(
	struct spec_parser *p, const struct weft_yaml_node *n, struct weft_value *out);

/* ---- vars.c ---- */
void spec_vars(struct spec_parser *p, const struct weft_yaml_node *map);
/* Replaces the text of a scalar by its value when the file is read. */
bool spec_render_now(struct spec_parser *p, struct weft_yaml_node *n);
/* A value that is one expression. */
int spec_eval_now(
	struct spec_parser *p, const struct weft_yaml_node *n, struct weft_value *out);

/* ---- step.c, data.c, sweep.c ---- */
void spec_step(struct spec_parser *p, struct weft_step *s, struct weft_yaml_node *map,
	struct weft_yaml_node **defaults);
void spec_depends(struct spec_parser *p, const struct weft_yaml_node *n);
void spec_inputs(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n);
void spec_outputs(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n);
void spec_files(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n);
void spec_params(struct spec_parser *p, const struct weft_yaml_node *map);
void spec_sweep(struct spec_parser *p, struct weft_step *s,
	const struct weft_yaml_node *n, const struct weft_yaml_node *mode);
/* STEP.OUTPUT of a sweep's file: the step that it is in needs that one. */
void spec_sweep_needs(struct spec_parser *p, const struct weft_yaml_node *n);
/* ---- retry.c ---- */
void spec_retries(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n);
void spec_checkpoint(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n);
/* ---- step.c ---- */
/* May values be quoted for this shell? */
bool spec_is_posix_shell(const char *program);
/* ---- sweep.c ---- */
/* {each: STEP}, once all steps are known. */
void spec_each(struct spec_parser *p);
/* Evaluates resources that hold expressions, with the first member. */
void spec_try_resources(struct spec_parser *p);

/* An expression that is true or false, with or without braces. */
const struct weft_expr *spec_condition(struct spec_parser *p,
	const struct weft_yaml_node *n, enum spec_names names, struct weft_text *text);
/* ---- steer.c ---- */
void spec_steer(struct spec_parser *p, struct weft_step *s,
	const struct weft_yaml_node *n, const struct weft_yaml_node *map);
/* Once all sweeps are known. */
void spec_check_steer(struct spec_parser *p);
/* ---- loop.c ---- */
void spec_loops(struct spec_parser *p, const struct weft_yaml_node *n);
/* Once all sweeps are known. */
void spec_count_rounds(struct spec_parser *p);
/* ---- rows.c ---- */
int spec_rows_read(
	const char *path, size_t max, struct weft_rows **rows, struct weft_err *err);
int spec_rows_value(
	const struct weft_rows *r, size_t row, size_t column, struct weft_value *out);
size_t spec_rows_count(const struct weft_rows *r);
struct weft_axis *spec_rows_axes(const struct weft_rows *r, size_t *n);
void spec_rows_free(struct weft_rows *r);
/* Of a sweep with rows, by their values: made when first asked for. */
struct spec_index **spec_rows_index(struct weft_rows *r);

/* ---- index.c ---- */
struct spec_index;
void spec_index_free(struct spec_index *ix);
/* Appends a value to the key that it is looked up by; in the order of the axes. */
int spec_index_key(struct weft_str *key, const struct weft_value *v);
/* Calls f with each member of s below a number that has the key's values on these of
 * its axes (a bit each), in their order. */
int spec_index_each(struct spec_index **all, const struct weft_sweep *s, uint64_t axes,
	const char *key, size_t below, int (*f)(void *ctx, size_t member), void *ctx);

/* ---- member.c ---- */
int spec_axis_value(const struct weft_axis *axis, size_t i, struct weft_value *out);
/* What axis `a` is for a member. */
int spec_sweep_value(
	const struct weft_sweep *s, size_t a, size_t index, struct weft_value *out);
/* Which value of axis `a` has member `index`?  The last axis runs fastest. */
size_t spec_coordinate(const struct weft_sweep *s, size_t a, size_t index);
/* Does every member find one of the step that it needs? */
void spec_check_matches(struct spec_parser *p);
/* JSON in which equal values have equal text. */
int spec_canonical(struct weft_str *out, const struct weft_value *v);
bool spec_value_equal(const struct weft_value *a, const struct weft_value *b);

/* ---- graph.c, names.c ---- */
int spec_graph(struct spec_parser *p);
/* Does `from` need `to`, directly or through others? -1: no answer in time. */
int spec_reaches(struct spec_parser *p, unsigned from, unsigned to);
void spec_names_check(struct spec_parser *p);
const char *spec_nearest_step(struct spec_parser *p, const char *name);

#endif
