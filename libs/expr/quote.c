/* quote.c - may a value stand here, and how is it written? */
#include "expr/shell_state.h"

#include <string.h>

static void after_value(struct weft_shell *sh)
{
	top(sh)->odd = true;
	top(sh)->name = false;
	sh->line_odd = true;
	sh->dollar = sh->backslash = sh->glued = false;
	sh->before = NEXT_VALUE;
}

void weft_shell_paste(struct weft_shell *sh)
{
	if (sh->dollar || sh->backslash)
		doubt(sh, "after raw() right after '$' or '\\'");
	after_value(sh);
}

static const char *refusal(struct weft_shell *sh)
{
	const struct frame *f = top(sh);

	if (sh->doubt)
		return sh->doubt;
	for (unsigned i = 0; i <= sh->depth; i++) {
		if (sh->frame[i].refuse)
			return sh->frame[i].refuse;
		if (sh->frame[i].cond)
			return "inside [[ ]]";
		if (sh->frame[i].again)
			return "after 'eval' or 'let'";
	}
	if (sh->backslash)
		return "right after a backslash";
	if (f->mode == CMD && sh->dollar)
		return "right after a '$'";
	for (unsigned i = 0; i <= sh->depth; i++)
		if (sh->frame[i].subscript)
			return "inside a subscript";
	return NULL;
}

enum weft_shell_place weft_shell_value(
	struct weft_shell *sh, char next, const char **why)
{
	struct frame *f = top(sh);
	enum weft_shell_place at;

	if (!sh->doubt && f->mode == COMMENT)
		return WEFT_AT_COMMENT;
	*why = refusal(sh);
	if (*why)
		return WEFT_AT_REFUSED;
	switch (f->mode) {
	case CMD:
		/* Quotes may be left out where nothing can join the value to another
		 * token or give it a meaning. */
		at = WEFT_AT_WORD;
		if (((f->len == 0 && !f->odd && sh->before != '<' &&
			     sh->before != '>' && sh->before != '(') ||
			    (sh->before < NEXT_END && strchr("=/:.-", sh->before) &&
				    sh->before)) &&
			strchr(" \t\n/.:;&|)", next))
			at = WEFT_AT_WORD_BARE;
		break;
	case DOUBLE:
		at = sh->dollar || sh->glued ? WEFT_AT_REOPEN : WEFT_AT_DOUBLE;
		break;
	default:
		at = WEFT_AT_SINGLE;
		break;
	}
	after_value(sh);
	return at;
}

static bool is_bare(const char *s)
{
	static const char *const reserved[] = {"if", "then", "else", "elif", "fi", "do",
		"done", "case", "esac", "while", "until", "for", "in", "function",
		"select", "time", "coproc"};
	static const char harmless[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_./:%+@-";

	if (!*s || s[strspn(s, harmless)] || strstr(s, ".."))
		return false;
	for (size_t i = 0; i < WEFT_COUNT(reserved); i++)
		if (strcmp(s, reserved[i]) == 0)
			return false;
	return true;
}

static void write_single(struct weft_str *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			weft_str_add(out, "'\\''");
		else
			weft_str_addc(out, *s);
	}
}

void weft_shell_write(
	struct weft_str *out, enum weft_shell_place place, const char *value)
{
	switch (place) {
	case WEFT_AT_WORD_BARE:
		if (is_bare(value)) {
			weft_str_add(out, value);
			return;
		}
		/* fall through */
	case WEFT_AT_WORD:
		weft_str_addc(out, '\'');
		write_single(out, value);
		weft_str_addc(out, '\'');
		return;
	case WEFT_AT_REOPEN:
		weft_str_add(out, "\"'");
		write_single(out, value);
		weft_str_add(out, "'\"");
		return;
	case WEFT_AT_DOUBLE:
		for (; *value; value++) {
			if (strchr("$`\"\\", *value))
				weft_str_addc(out, '\\');
			weft_str_addc(out, *value);
		}
		return;
	default:
		write_single(out, value);
		return;
	}
}
