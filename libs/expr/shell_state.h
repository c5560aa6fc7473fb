/* shell_state.h - what is known while a shell text is read. */
#ifndef WEFT_EXPR_SHELL_STATE_H
#define WEFT_EXPR_SHELL_STATE_H

#include "expr/shell.h"

enum mode { CMD, DOUBLE, SINGLE, PARAM, ARITH, BACKTICK, ANSI, COMMENT, HEREDOC };

/* A construct that is open: quotes, $( ), ... */
struct frame {
	enum mode mode;
	const char *refuse; /* why no value is taken here and below; NULL: it is */
	bool quoted;        /* PARAM: inside double quotes */
	unsigned parens;    /* open ones, in CMD below the first and in ARITH */
	/* Of the word that is being read, in CMD. */
	char word[8];
	unsigned len;
	bool odd;       /* it has quotes, expansions, values in it */
	bool name;      /* only characters of a name so far */
	bool subscript; /* inside of NAME[ */
	bool cond;      /* between [[ and ]] */
	bool again;     /* in a command whose words are read once more */
};

#define MAX_FRAMES 40
#define MAX_PENDING 8
#define MAX_DELIMITER 64

struct weft_shell {
	struct frame frame[MAX_FRAMES];
	unsigned depth;    /* of the current frame */
	const char *doubt; /* no value is taken any more */

	struct {
		char delimiter[MAX_DELIMITER];
		bool strip, quoted;
	} pending[MAX_PENDING]; /* here-documents that begin after the line */
	unsigned n_pending, reading, pending_depth;
	char line[MAX_DELIMITER + 1]; /* of a here-document, as far as it matters */
	unsigned line_len;
	bool line_odd;

	/* Just before a value. */
	bool dollar, backslash, glued;
	int before;

	const char *text;
	size_t from, to;
	bool value_follows;
};

enum { NEXT_END = 256, NEXT_VALUE = 257 };

static inline int peek(const struct weft_shell *sh, size_t i)
{
	if (i < sh->to)
		return (unsigned char)sh->text[i];
	return sh->value_follows ? NEXT_VALUE : NEXT_END;
}

static inline struct frame *top(struct weft_shell *sh)
{
	return &sh->frame[sh->depth];
}

static inline void doubt(struct weft_shell *sh, const char *why)
{
	if (!sh->doubt)
		sh->doubt = why;
}

#endif
