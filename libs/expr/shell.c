/* shell.c - reads a shell text as far as needed to know, at each place, inside of
 * which quotes or construct it is.
 *
 * The security argument: a value is inserted only where the shell takes it for a
 * part of a word and for nothing else, in dash and bash alike.  These are a word
 * without quotes (the value gets its own quotes), "..." (escaped), and '...', at the
 * top or in $( ) that is itself not inside quotes.  Every other construct is known
 * only well enough to find its end, and refuses values; where its end can't be told
 * for certain the rest of the text refuses them ("doubt").  Places where bash
 * evaluates the text of a quoted word once more, as arithmetic ([[ -eq ]], (( )),
 * a subscript), refuse them too.
 * Source: POSIX.1-2017 XCU 2.2, 2.3, 2.6, 2.7.4; bash(1). */
#include "expr/shell_state.h"

#include <stdlib.h>
#include <string.h>

struct weft_shell *weft_shell_new(void)
{
	struct weft_shell *sh = calloc(1, sizeof(*sh));

	if (sh)
		sh->frame[0].name = true;
	return sh;
}

void weft_shell_free(struct weft_shell *sh)
{
	free(sh);
}

static const char *const inside[] = {[PARAM] = "inside ${ }",
	[ARITH] = "inside (( ))",
	[BACKTICK] = "inside backticks",
	[ANSI] = "inside $'...'",
	[HEREDOC] = "inside a here-document"};

static struct frame *push(struct weft_shell *sh, enum mode mode)
{
	struct frame *f = top(sh);

	if (f->mode == CMD && mode != COMMENT && mode != HEREDOC)
		f->odd = true;
	if (sh->depth + 1 == MAX_FRAMES) {
		doubt(sh, "after text that is nested too deeply");
		return f;
	}
	f = &sh->frame[++sh->depth];
	*f = (struct frame){.mode = mode, .refuse = inside[mode], .name = true};
	return f;
}

static void pop(struct weft_shell *sh)
{
	if (top(sh)->mode == CMD && sh->n_pending && sh->pending_depth == sh->depth)
		doubt(sh, "after a here-document that begins in $( )");
	if (sh->depth)
		sh->depth--;
}

static bool name_char(int c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

static bool letters_are(const struct frame *f, const char *s)
{
	return f->len == strlen(s) && memcmp(f->word, s, f->len) == 0;
}

static bool word_is(const struct frame *f, const char *s)
{
	return !f->odd && letters_are(f, s);
}

static void end_word(struct weft_shell *sh)
{
	struct frame *f = top(sh);

	if (word_is(f, "[["))
		f->cond = true;
	else if (word_is(f, "]]"))
		f->cond = false;
	else if (letters_are(f, "eval") || letters_are(f, "let"))
		f->again = true;
	else if (word_is(f, "case") && sh->depth)
		doubt(sh, "after 'case' in $( )");
	f->len = 0;
	f->odd = f->subscript = false;
	f->name = true;
}

static void word_char(struct frame *f, int c)
{
	if (c == '[' && f->name && (f->len || f->odd))
		f->subscript = true;
	if (!name_char(c, f->len == 0))
		f->name = false;
	if (f->len < sizeof(f->word))
		f->word[f->len] = (char)c;
	f->len++;
}

/* After "<<": which line ends it. */
static size_t read_delimiter(struct weft_shell *sh, size_t i)
{
	char *d = sh->pending[sh->n_pending].delimiter;
	bool strip = peek(sh, i) == '-', quoted = false, odd = false;
	size_t n = 0;
	int c, quote = 0;

	if (strip)
		i++;
	while (peek(sh, i) == ' ' || peek(sh, i) == '\t')
		i++;
	for (; n + 1 < MAX_DELIMITER && (c = peek(sh, i)) < NEXT_END; i++) {
		if (quote && c == quote) {
			quote = 0;
			continue;
		}
		if (c == '\n' && quote)
			odd = true;
		if (!quote && strchr(" \t\n;&|<>()", c))
			break;
		if (!quote && (c == '\'' || c == '"')) {
			quote = c;
			quoted = true;
			continue;
		}
		if (c == '\\' && quote != '\'') {
			quoted = true;
			odd |= quote == '"';
			c = peek(sh, ++i);
			odd |= c == '\n';
		}
		if (c >= NEXT_END || c == '$' || c == '`')
			odd = true;
		d[n++] = (char)c;
	}
	d[n] = '\0';
	if (odd || quote || n == 0 || n + 1 == MAX_DELIMITER ||
		peek(sh, i) == NEXT_VALUE ||
		(sh->n_pending && sh->pending_depth != sh->depth) || top(sh)->cond) {
		doubt(sh, "after a here-document whose end can't be told");
		return i;
	}
	sh->pending[sh->n_pending].strip = strip;
	sh->pending[sh->n_pending].quoted = quoted;
	sh->pending_depth = sh->depth;
	if (++sh->n_pending == MAX_PENDING)
		doubt(sh, "after so many here-documents");
	top(sh)->odd = true;
	return i;
}

static size_t read_heredoc(struct weft_shell *sh, size_t i)
{
	int c = (unsigned char)sh->text[i];
	const char *line = sh->line, *d = sh->pending[sh->reading].delimiter;

	if (c != '\n') {
		if (sh->line_len < sizeof(sh->line) &&
			!(c == '\t' && sh->line_len == 0 &&
				sh->pending[sh->reading].strip))
			sh->line[sh->line_len++] = (char)c;
		/* Joined lines end a document elsewhere than in its own line. */
		if (c == '\\' && peek(sh, i + 1) == '\n' &&
			!sh->pending[sh->reading].quoted)
			doubt(sh, "after a here-document with joined lines");
		return i + 1;
	}
	if (!sh->line_odd && sh->line_len == strlen(d) &&
		memcmp(line, d, sh->line_len) == 0 && ++sh->reading == sh->n_pending) {
		sh->n_pending = 0;
		pop(sh);
	}
	sh->line_len = 0;
	sh->line_odd = false;
	return i + 1;
}

static void end_line(struct weft_shell *sh)
{
	end_word(sh);
	if (!sh->n_pending)
		return;
	if (sh->pending_depth != sh->depth) {
		doubt(sh, "after a here-document that begins outside of $( )");
		return;
	}
	push(sh, HEREDOC);
	sh->reading = 0;
	sh->line_len = 0;
	sh->line_odd = false;
}

static size_t read_backslash(struct weft_shell *sh, size_t i)
{
	int c = peek(sh, i + 1);

	if (c == NEXT_VALUE) {
		sh->backslash = true;
	} else if (c != '\n') {
		word_char(top(sh), c);
		top(sh)->odd = true;
	} else if (i > sh->from && sh->text[i - 1] != ' ' && sh->text[i - 1] != '\t' &&
		   sh->text[i - 1] != '\n') {
		/* The lines are joined before anything else: "$\" and "(" is "$(". */
		doubt(sh, "after a line that ends in '\\' without a space before it");
	}
	return c >= NEXT_END ? i + 1 : i + 2;
}

static size_t read_dollar(struct weft_shell *sh, size_t i)
{
	struct frame *f = top(sh), *g;
	bool quoted = f->mode == DOUBLE || f->mode == ARITH || f->quoted;
	int c = peek(sh, i + 1), c2 = peek(sh, i + 2);

	f->odd = true;
	switch (c) {
	case NEXT_VALUE:
		sh->dollar = true;
		return i + 1;
	case '\'':
		if (f->mode == DOUBLE)
			return i + 1;
		if (quoted)
			doubt(sh, "after $' inside quotes");
		push(sh, ANSI);
		return i + 2;
	case '"':
		if (f->mode == DOUBLE)
			return i + 1;
		if (quoted)
			doubt(sh, "after $\" inside quotes");
		push(sh, DOUBLE)->refuse = "inside $\"...\"";
		return i + 2;
	case '{':
		if (strchr(" \t\n|", c2 < NEXT_END ? c2 : 'x'))
			doubt(sh, "after a command in ${ }");
		push(sh, PARAM)->quoted = quoted;
		return i + 2;
	case '(':
		if (c2 == '(') {
			push(sh, ARITH);
			return i + 3;
		}
		g = push(sh, CMD);
		g->refuse = quoted ? "inside $( ) inside quotes" : NULL;
		return i + 2;
	case '[':
		doubt(sh, "after $[");
		return i + 2;
	default:
		break;
	}
	if (c < NEXT_END && strchr("@*#?-$!", c))
		return i + 2;
	i++;
	if (c >= '0' && c <= '9') {
		while ((c = peek(sh, i)) >= '0' && c <= '9')
			i++;
	} else if (name_char(c, true)) {
		while (name_char(c = peek(sh, i), false))
			i++;
	} else {
		return i;
	}
	sh->glued = c == NEXT_VALUE;
	return i;
}

static size_t read_cmd(struct weft_shell *sh, size_t i)
{
	struct frame *f = top(sh);
	int c = (unsigned char)sh->text[i];

	switch (c) {
	case '\\':
		return read_backslash(sh, i);
	case '\'':
		push(sh, SINGLE);
		break;
	case '"':
		push(sh, DOUBLE);
		break;
	case '`':
		push(sh, BACKTICK);
		break;
	case '$':
		return read_dollar(sh, i);
	case '\n':
		end_line(sh);
		f->again = false;
		break;
	case ';':
	case '&':
	case '|':
		end_word(sh);
		f->again = false;
		break;
	case ' ':
	case '\t':
	case '>':
		end_word(sh);
		break;
	case '<':
		end_word(sh);
		if (peek(sh, i + 1) != '<')
			break;
		return peek(sh, i + 2) == '<' ? i + 3 : read_delimiter(sh, i + 2);
	case '(':
		end_word(sh);
		if (peek(sh, i + 1) == '(') {
			push(sh, ARITH);
			return i + 2;
		}
		f->parens++;
		break;
	case ')':
		end_word(sh);
		if (f->parens)
			f->parens--;
		else if (sh->depth)
			pop(sh);
		break;
	case '#':
		if (f->len == 0 && !f->odd) {
			push(sh, COMMENT);
			break;
		}
		/* fall through */
	default:
		if (c == ']')
			f->subscript = false;
		word_char(f, c);
		break;
	}
	return i + 1;
}

static size_t read_double(struct weft_shell *sh, size_t i)
{
	switch (sh->text[i]) {
	case '\\':
		return read_backslash(sh, i);
	case '"':
		pop(sh);
		break;
	case '`':
		push(sh, BACKTICK);
		break;
	case '$':
		return read_dollar(sh, i);
	}
	return i + 1;
}

static size_t read_param(struct weft_shell *sh, size_t i)
{
	bool quoted = top(sh)->quoted;

	switch (sh->text[i]) {
	case '\\':
		return read_backslash(sh, i);
	case '\'':
	case '"':
		/* Shells don't agree on what a quote in "${ }" means. */
		if (quoted)
			doubt(sh, "after a quote in \"${ }\"");
		push(sh, sh->text[i] == '"' ? DOUBLE : SINGLE);
		break;
	case '`':
		push(sh, BACKTICK);
		break;
	case '$':
		return read_dollar(sh, i);
	case '}':
		pop(sh);
		break;
	}
	return i + 1;
}

static size_t read_arith(struct weft_shell *sh, size_t i)
{
	struct frame *f = top(sh);

	switch (sh->text[i]) {
	case '\\':
		return read_backslash(sh, i);
	case '\'':
	case '"':
		doubt(sh, "after a quote in (( ))");
		break;
	case '`':
		push(sh, BACKTICK);
		break;
	case '$':
		return read_dollar(sh, i);
	case '(':
		f->parens++;
		break;
	case ')':
		if (f->parens) {
			f->parens--;
			break;
		}
		/* One ")" only: these were two subshells, not arithmetic. */
		if (peek(sh, i + 1) != ')') {
			doubt(sh, "after '((' that is no arithmetic");
			break;
		}
		pop(sh);
		return i + 2;
	}
	return i + 1;
}

static size_t step(struct weft_shell *sh, size_t i)
{
	char c = sh->text[i];

	switch (top(sh)->mode) {
	case CMD:
		return read_cmd(sh, i);
	case DOUBLE:
		return read_double(sh, i);
	case PARAM:
		return read_param(sh, i);
	case ARITH:
		return read_arith(sh, i);
	case HEREDOC:
		return read_heredoc(sh, i);
	case SINGLE:
		if (c == '\'')
			pop(sh);
		return i + 1;
	case BACKTICK:
		if (c == '\\')
			return read_backslash(sh, i);
		if (c == '`')
			pop(sh);
		return i + 1;
	case ANSI:
		if (c == '\\') {
			/* dash takes neither $'' nor the escape for anything special.
			 */
			if (peek(sh, i + 1) == '\'' || peek(sh, i + 1) == '\\')
				doubt(sh, "after an escape in $'...'");
			return i + 2;
		}
		if (c == '\'')
			pop(sh);
		return i + 1;
	case COMMENT:
		if (c != '\n')
			return i + 1;
		pop(sh);
		return i;
	}
	return i + 1;
}

void weft_shell_read(struct weft_shell *sh, const char *text, size_t from, size_t to,
	bool value_follows)
{
	size_t i = from;

	sh->text = text;
	sh->from = from;
	sh->to = to;
	sh->value_follows = value_follows;
	if (from < to) {
		sh->dollar = sh->backslash = sh->glued = false;
		sh->before = (unsigned char)text[to - 1];
	}
	while (i < to && !sh->doubt) {
		enum mode mode = top(sh)->mode;

		if (text[i] == '\n' && sh->n_pending &&
			(mode == PARAM || mode == ARITH || mode == BACKTICK ||
				mode == ANSI))
			doubt(sh, "after a here-document that begins in a line that "
				  "goes on");
		i = step(sh, i);
	}
}
