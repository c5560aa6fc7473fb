/*
 * stage - data moves whole or not at all, always as the user.
 *
 * A file or tree is copied (reflinked, hard-linked where allowed) to a temporary
 * sibling, made durable, and renamed to its final name: after any kill the final
 * name is absent or whole.  The source's identity is checked before and after.
 * Kept: permissions (a private copy is writable), modification times, holes, user
 * attributes, links inside a tree.  Not kept: owner, set-id bits, ACLs.  FIFOs,
 * sockets and devices are refused.
 *
 * Ownership: reports are plain data.  Units: bytes, seconds.  Errors: WEFT_ESTAGE
 * with the path and what to do.  Threads: calls on different destinations may
 * run at the same time.  Runs as: the user, never root on a user's behalf.
 */
#ifndef WEFT_STAGE_H
#define WEFT_STAGE_H

#include "base/base.h"

enum weft_stage_how {
	WEFT_STAGE_AUTO, /* reflink, else copy */
	WEFT_STAGE_LINK, /* symbolic link to the source, read-only use */
	WEFT_STAGE_HARD, /* hard link where the file system allows, else copy */
	WEFT_STAGE_COPY, /* private, writable copy (reflink is one) */
};

struct weft_stage_report {
	uint64_t bytes; /* of the data, however it got there */
	uint64_t moved; /* bytes that were really written */
	uint64_t files;
	double seconds;
	const char *strategy; /* "reflink", "hard link", "copy", "link", "mixed" */
};

/* src: file or folder, a link at the top is followed. dst: final name in a folder
 * that exists; must not exist itself (err->sys is EEXIST then); leftover temporaries
 * of killed attempts are removed. No space: err->sys is ENOSPC or EDQUOT. */
int weft_stage_put(const char *src, const char *dst, enum weft_stage_how how,
	struct weft_stage_report *report, struct weft_err *err);
/* Bytes and files below a path. */
int weft_stage_measure(
	const char *path, uint64_t *bytes, uint64_t *files, struct weft_err *err);
/* Free bytes and inodes where dst will be. */
int weft_stage_space(
	const char *dst, uint64_t *bytes, uint64_t *inodes, struct weft_err *err);
/* Matches of a glob below dir ("frame-*.bin", "run-?/x"; no "..", hidden only if
 * asked), sorted by bytes, relative to dir.  None is no error. */
int weft_stage_glob(const char *dir, const char *pattern, char ***path, size_t *n,
	struct weft_err *err);
void weft_stage_glob_free(char **path, size_t n);

#endif
