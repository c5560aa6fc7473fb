/*
 * paint.h - colours and safe text, for the files of this room.
 *
 * What is printed comes from files and environments of users: control bytes
 * would let them drive the reader's terminal, so they are shown as '?'.
 */
#ifndef WEFT_REPORT_PAINT_H
#define WEFT_REPORT_PAINT_H

#include "report/report.h"

enum paint { PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_GREEN, PAINT_YELLOW, PAINT_CYAN };

/* Columns that a text takes: a character each, none for one that combines. */
size_t paint_width(const char *s);
/* Bytes of the first `columns` columns, and how many there were. */
size_t paint_prefix(const char *s, size_t columns, size_t *got);
/* Appends n bytes of s with control bytes as '?'; bytes that are not UTF-8 too. */
void paint_addn(struct weft_str *out, const char *s, size_t n);
void paint_add(struct weft_str *out, const char *s);
/* The same in a colour where the style has them. */
void paint_color(struct weft_str *out, const struct weft_style *st, enum paint color,
	const char *s);
void paint_pad(struct weft_str *out, size_t n, char c);

/* Seconds that are expected: "0", "00:10:00"; "?" where negative: not known. */
const char *paint_seconds(struct weft_arena *a, double v);

/* GPUs of a member: "2", or "0.5" of one that two share. */
const char *paint_gpus(char buf[WEFT_UNIT_MAX], const struct weft_plan_step *s);

/* A JSON string of any bytes, null of NULL: what is not UTF-8 becomes '?'. */
struct json_t *paint_json(const char *s);

/* loops.c: of each loop its rounds, and what waits for what. */
void paint_loops(const struct weft_status *st, struct weft_str *out);
struct json_t *paint_loops_json(const struct weft_status *st);

#endif
