/* shell.h - where in a shell text a place is: between the files of the room. */
#ifndef WEFT_EXPR_SHELL_H
#define WEFT_EXPR_SHELL_H

#include "base/base.h"

/* How a value is inserted. */
enum weft_shell_place {
	WEFT_AT_WORD,      /* part of a word without quotes: quoted as a whole */
	WEFT_AT_WORD_BARE, /* the same, and a harmless value needs no quotes */
	WEFT_AT_DOUBLE,    /* inside "": escaped */
	WEFT_AT_REOPEN,    /* inside "", but it must not touch what is before it */
	WEFT_AT_SINGLE,    /* inside '' */
	WEFT_AT_COMMENT,   /* nothing is inserted */
	WEFT_AT_REFUSED,
};

struct weft_shell;
struct weft_shell *weft_shell_new(void);
void weft_shell_free(struct weft_shell *sh);
/* Reads text[from, to); a value follows at `to`, or the text ends there. */
void weft_shell_read(struct weft_shell *sh, const char *text, size_t from, size_t to,
	bool value_follows);
/* A value stands here, and `next` after it ('\0': the end, '$': maybe a value).  For
 * a refusal *why is a static text: "inside ...". */
enum weft_shell_place weft_shell_value(
	struct weft_shell *sh, char next, const char **why);
/* Text that is pasted stands here: taken for a part of a word. */
void weft_shell_paste(struct weft_shell *sh);
/* Writes a value. */
void weft_shell_write(
	struct weft_str *out, enum weft_shell_place place, const char *value);

#endif
