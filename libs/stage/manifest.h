/* manifest.h - the record beside a copy, as it is read again; private to the room */
#ifndef WEFT_STAGE_MANIFEST_H
#define WEFT_STAGE_MANIFEST_H

#include "stage/room.h"

struct stage_line {
	char type; /* 'd' 'f' 'l' 's' */
	mode_t mode;
	struct stage_sum sum;
	struct stage_id src, dst;
	const char *name;   /* of a folder its path below the top, "" the top */
	const char *target; /* of a link */
};

struct stage_manifest {
	char *text; /* the lines' strings are in here */
	const char *source;
	struct stage_line *line;
	size_t n, cap;
	char hash[WEFT_DIGEST_HEX]; /* or "" */
};

/* The record as text again, without the hashes of chunks. */
int stage_manifest_text(
	const struct stage_manifest *m, struct weft_str *text, struct weft_err *err);
/* Of text that stage_manifest_make() or _text() gave; NULL: it isn't whole. */
struct stage_manifest *stage_manifest_parse(const char *text, size_t n);
/* As stage_manifest_holds(), of the source alone. */
bool stage_manifest_source_holds(const struct stage_manifest *m, const char *src,
	struct weft_stage_report *report);
/* The same of the copy. */
bool stage_manifest_copy_holds(const struct stage_manifest *m, int dir,
	const char *name, struct weft_stage_report *report);

#endif
