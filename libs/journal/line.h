/* line.h - a checksummed JSON line of a file with one writer; private to the room */
#ifndef WEFT_JOURNAL_LINE_H
#define WEFT_JOURNAL_LINE_H

#include "base/base.h"

#include <jansson.h>

/* A line is `{...,"sum":"XXXXXXXX"}`: the first 8 digits of the digest of what is
 * before `,"sum"`. */

/* Ends the line whose `{...` begins at `from` of out: its sum, brace and newline. */
void line_close(struct weft_str *out, size_t from);
/* n: without the newline. */
bool line_is_whole(const char *line, size_t n);
/* Adds `"..."`, escaped; bytes that are not UTF-8 become '?'. */
void line_string(struct weft_str *out, const char *s);

/* Opens a file below a run for appending, with its folders.  A torn last line of a
 * writer that died stays by itself: the next begins on a line of its own. */
int line_open(const char *path, int *fd, struct weft_err *err);
/* A file whose name is lost with the power is as good as none: puts that on disk.  By
 * itself, for it takes milliseconds that may be had when there is nothing to do. */
int line_keep_name(const char *path);

/* Files of lines below a folder, as paths below it, sorted: two readers see the same
 * order.  A folder that isn't there has none. */
int line_files(const char *dir, char ***path, size_t *n);
void line_files_free(char **path, size_t n);

/* Text of a member of an object, malloced, never NULL but without memory. */
char *line_copy(const json_t *o, const char *key);

#endif
