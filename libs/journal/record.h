/* record.h - completion records as JSON; private to the room */
#ifndef WEFT_JOURNAL_RECORD_H
#define WEFT_JOURNAL_RECORD_H

#include "journal/journal.h"

#include <jansson.h>

/* -1: no such state. */
int record_state(const char *name, size_t n, enum weft_state *s);
/* o: as in done.json or a record line; NULL: no memory, or no record. */
struct weft_record *record_from_json(const json_t *o);

/* record_line.c: a member's record as a line of records/ */
void record_line_add(struct weft_str *out, const struct weft_record *r);
/* What a store keeps of a line whose sum is right; texts point into the line, or into
 * what the caller frees as *keep. */
struct record_line {
	const char *step, *member;
	size_t step_len;
	size_t index;
	struct weft_record_head head;
};
bool record_line_head(const char *line, size_t n, struct record_line *l, json_t **keep);
/* The whole of it; NULL: no memory, or no record. */
struct weft_record *record_line_read(const char *line, size_t n);

#endif
