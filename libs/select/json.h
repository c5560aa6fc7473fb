/* json.h - the fields of a step in plan.json, for both ways. */
#ifndef WEFT_SELECT_JSON_H
#define WEFT_SELECT_JSON_H

#include "select/select.h"

#define PLAN_FORMAT 1 /* grows when a reader of an older plan would go wrong */
#define N_PLAN_FIELDS 37

enum plan_kind {
	TEXT,
	UINT,
	RARE, /* left out where it is 0 */
	SIZE,
	BYTES,
	SOME, /* bytes; left out where it is 0 */
	SECONDS,
	BOOLEAN,
	INTEGER,
	HOURS,
	LAUNCH,
	EXPECTED, /* seconds; null where not known */
	MOVED,    /* bytes; null */
};

struct plan_field {
	const char *name;
	enum plan_kind kind;
	size_t at; /* in struct weft_plan_step */
};
extern const struct plan_field plan_fields[N_PLAN_FIELDS];

#endif
