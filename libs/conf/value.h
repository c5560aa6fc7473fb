/* value.h - the kinds of values: read strictly, printed as the file would say them. */
#ifndef WEFT_CONF_VALUE_H
#define WEFT_CONF_VALUE_H

#include "keys.h"

enum kind {
	KIND_YESNO,    /* bool */
	KIND_BIND,     /* bool: auto, none */
	KIND_TEXT,     /* one line, for people */
	KIND_ABSOLUTE, /* path from the root, without ".." */
	KIND_RUN_DIR,  /* path, also relative or from "~/" */
	KIND_MPI,
	KIND_RESERVE,  /* cores: "l3:1,0-3" */
	KIND_WORD,     /* an argument of sbatch: no blanks, no leading dash */
	KIND_WORD_OF,  /* enum: number of the word, from 0 */
	KIND_CHOICE,   /* unsigned: number of the word, from 1 */
	KIND_DURATION, /* int64_t */
	KIND_SIZE,     /* uint64_t */
	KIND_NUMBER,   /* unsigned */
	KIND_COUNT,    /* unsigned, not 0 */
	KIND_PERCENT,  /* unsigned */
	KIND_NAMES,    /* names between commas or blanks */
	/* These may also be "none": no limit. */
	KIND_LIMIT,       /* uint64_t */
	KIND_LIMIT_TIME,  /* int64_t */
	KIND_LIMIT_HOURS, /* double */
	KIND_NAMES_OR_NONE,
	KIND_ROOTS, /* absolute paths between commas */
};

struct key {
	const char *name;
	size_t at; /* in the struct of the section */
	enum kind kind;
	const char *const *word; /* of KIND_WORD_OF and KIND_CHOICE; NULL at the end */
	bool policy;             /* the site's, whatever a user reads instead */
};

size_t value_size(const struct key *k);
int value_set(const struct key *k, void *at, const char *value, struct weft_err *err);
void value_print(const struct key *k, const void *at, struct weft_str *out);

#endif
