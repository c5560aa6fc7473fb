/*
 * fields - the table of all keys, private to the room.  See field_list.h.
 */
#ifndef WEFT_SPEC_FIELDS_H
#define WEFT_SPEC_FIELDS_H

#include "spec/spec.h"

/* The mappings that a workflow is made of. */
enum spec_context {
	IN_TOP,
	IN_STEP,
	IN_RESOURCES,
	IN_PLACE,
	IN_SWEEP,
	IN_AXIS,
	IN_INPUT,
	IN_OUTPUT,
	IN_DEPEND,
	IN_FILE,
	IN_SECRET,
	IN_BUDGET,
	IN_CHANNEL,
	IN_LOOP,
	IN_TRACK,
	IN_WITH,
	IN_SERVICE,
	IN_READY,
	IN_PUBLISH,
	IN_STEER,
	IN_SEAT,
	IN_RETRY,
	IN_CHECKPOINT,
	IN_CONTAINER,
	N_CONTEXTS
};

/* What a scalar means: the field decides, not the scalar. */
enum spec_kind {
	K_TEXT,     /* any text of at most 128 KiB */
	K_LONG,     /* any text */
	K_VALUE,    /* number, boolean, text; in an axis also a map */
	K_NAME,     /* of a step or the workflow */
	K_IDENT,    /* of axes, inputs, worlds */
	K_STEPNAME, /* NAME of a step of this file */
	K_STEPREF,  /* NAME or NAME.* */
	K_FROM,     /* STEP.OUTPUT or a path */
	K_INSIDE,   /* a path below the working directory */
	K_BOOL,
	K_INT,
	K_NUMBER,
	K_GPUS,   /* K_NUMBER, whole or an even part of one */
	K_COUNTS, /* N or N-M */
	K_SHARE,  /* N or N% */
	K_DURATION,
	K_SIZE,
	K_ENUM,
	K_EXPR, /* an expression, braces or not */
};

/* The forms that a value may have. */
enum spec_shape {
	ONE = 1,    /* a scalar */
	LIST = 2,   /* a list of scalars */
	MAP = 4,    /* a mapping of the context .sub */
	MAPS = 8,   /* a list of such mappings; with LIST mixed */
	PAIRS = 16, /* a mapping of free names to scalars */
	NAMED = 32, /* a mapping of free names to mappings of .sub */
	AXES = 64,  /* a mapping of names to axes */
};

/* What the free names of a mapping look like. */
enum spec_keys {
	KEY_NONE,
	KEY_IDENT,
	KEY_ENV,
	KEY_SECRET,
	KEY_LABEL,
	KEY_OPTION,
	KEY_FILE
};

enum spec_flags {
	REQUIRED = 1,
	NOT_YET = 2,    /* checked, then refused */
	NO_DEFAULT = 4, /* not in `defaults` */
	WHOLE = 8,      /* merging replaces the value's mappings */
};

/* Which names an expression may use, by the moment when it is evaluated. */
enum spec_names {
	AT_NEVER, /* no expression here */
	AT_LOAD,  /* when the file is read */
	AT_TOP,   /* at launch, but of no step in particular */
	AT_SIZE,  /* when the plan is made */
	AT_WHEN,  /* when a member could start */
	AT_UNTIL, /* when a round of a loop has ended */
	AT_STEER, /* between members of a sweep */
	AT_START, /* before a member's inputs are there */
	AT_RUN,   /* at launch: everything */
};

struct spec_field {
	const char *key;
	enum spec_context in;
	enum spec_kind kind;
	unsigned shapes;
	const char *doc;
	unsigned flags;
	enum spec_names names;
	enum spec_keys keys;
	enum spec_context sub;
	const char *values; /* of K_ENUM, with spaces between */
	double min, max;
	const char *def;
};

enum spec_id {
#define F(ctx, key, ...) ctx##_##key,
#include "field_list.h"
#undef F
	N_FIELDS
};

extern const struct spec_field spec_fields[N_FIELDS];

/* The fields of a context are neighbours. */
size_t spec_first(enum spec_context in, size_t *n);
const char *spec_context_title(enum spec_context in);
/* Position of `word` in values "a b c", or -1. */
int spec_enum(const char *values, const char *word);
/* The names that a moment allows, as in "`vars`, `params`". */
const char *spec_names_text(enum spec_names names);

#endif
