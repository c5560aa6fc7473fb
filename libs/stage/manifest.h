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
	struct stage_line *line;
	size_t n, cap;
	char hash[WEFT_DIGEST_HEX]; /* or "" */
};

#endif
