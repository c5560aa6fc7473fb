/* build.h - between the files of the yaml room. */
#ifndef WEFT_YAML_BUILD_H
#define WEFT_YAML_BUILD_H

#include "yaml/yaml.h"

/* Lines whose indentation holds a tab: fine inside a block scalar only. */
struct weft_yaml_tabs {
	struct weft_pos *v;
	size_t n, cap;
};

/* Refuses what no YAML text may hold (bytes, control characters, odd line ends)
 * and lists the tabs. */
int weft_yaml_check_text(const struct weft_yaml_doc *doc, struct weft_yaml_tabs *tabs,
	struct weft_err *err);
/* Fills doc->root from doc->source. */
int weft_yaml_build(struct weft_yaml_doc *doc, const struct weft_yaml_tabs *tabs,
	struct weft_err *err);

/* What libyaml's parser says of a text that it can't read, in the user's words. */
struct weft_yaml_problem {
	const char *problem, *context;    /* libyaml's; NULL: none */
	struct weft_pos at, from;         /* of the problem; of what it is in */
	struct weft_pos quote, quote_end; /* the last quoted scalar; line 0: none */
};
int weft_yaml_explain(const struct weft_yaml_doc *doc,
	const struct weft_yaml_problem *p, struct weft_err *err);
int weft_yaml_tab_error(
	const struct weft_yaml_doc *doc, struct weft_pos pos, struct weft_err *err);

#endif
