/* explain.c - libyaml's complaints in the words of who wrote the file.
 *
 * libyaml says what its grammar wanted; people made one of a few typical mistakes.
 * Each rule below knows one of them from the complaint and the line it is in. */
#include "yaml/build.h"

#include <string.h>

struct line {
	const char *s;
	size_t n;  /* without the line end */
	size_t at; /* byte of the column looked at */
};

static struct line line_at(const struct weft_yaml_doc *doc, struct weft_pos pos)
{
	const char *p = doc->source, *end = p + doc->source_len;
	struct line l;

	for (unsigned i = 1; i < pos.line && p < end; i++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : end;
	}
	l.s = p;
	p = memchr(l.s, '\n', (size_t)(end - l.s));
	l.n = (size_t)((p ? p : end) - l.s);
	if (l.n && l.s[l.n - 1] == '\r')
		l.n--;
	l.at = 0;
	for (unsigned col = 1; l.at < l.n && col < pos.col; col++)
		do
			l.at++;
		while (l.at < l.n && ((unsigned char)l.s[l.at] & 0xc0) == 0x80);
	return l;
}

static bool says(const char *text, const char *part)
{
	return text && strstr(text, part);
}

/* "key: " in the line before the column: where a value began; 0: there is none. */
static size_t value_before(struct line l)
{
	for (size_t i = 0; i + 1 < l.at; i++)
		if (l.s[i] == ':' && l.s[i + 1] == ' ')
			return i + 2;
	return 0;
}

/* A ':' with neither space nor line end after it. */
static bool tight_colon(struct line l)
{
	for (size_t i = 1; i + 1 < l.n; i++)
		if (l.s[i] == ':' && l.s[i + 1] != ' ' && l.s[i - 1] != ':')
			return true;
	return false;
}

static bool after_quote(struct line l)
{
	size_t i = l.at;

	while (i > 0 && l.s[i - 1] == ' ')
		i--;
	return i > 0 && (l.s[i - 1] == '"' || l.s[i - 1] == '\'');
}

static int tell(const struct weft_yaml_doc *doc, struct weft_pos pos,
	struct weft_err *err, const char *what, const char *hint)
{
	weft_err_set(err, WEFT_ESPEC, "%s", what);
	if (hint)
		weft_err_hint(err, "%s", hint);
	return weft_err_at(err, doc->file, pos, NULL);
}

int weft_yaml_tab_error(
	const struct weft_yaml_doc *doc, struct weft_pos pos, struct weft_err *err)
{
	return tell(doc, pos, err, "a tab in the indentation", "indent with spaces");
}

static int bad_start(
	const struct weft_yaml_doc *doc, struct weft_pos at, struct weft_err *err)
{
	struct line l = line_at(doc, at);
	char c = l.at < l.n ? l.s[l.at] : '?';

	if (c == '\t')
		return weft_yaml_tab_error(doc, at, err);
	weft_err_set(err, WEFT_ESPEC, "a value can't begin with '%c'", c);
	weft_err_hint(err, "quote it");
	return weft_err_at(err, doc->file, at, NULL);
}

/* The parser found something else than the next key, item, ',' or bracket. */
static int wrong_next(const struct weft_yaml_doc *doc,
	const struct weft_yaml_problem *p, struct weft_err *err)
{
	struct line l = line_at(doc, p->at);
	bool flow = says(p->context, "flow");

	if (flow && l.at > 0 && l.at < l.n && l.s[l.at] == '{' && l.s[l.at - 1] == '$')
		return tell(doc, (struct weft_pos){p->at.line, p->at.col - 1}, err,
			"an expression inside of {} or [] without quotes",
			"quote it: \"${{ ... }}\"");
	if (p->quote.line && p->quote.line < p->quote_end.line &&
		p->quote_end.line == p->at.line) {
		weft_err_set(err, WEFT_ESPEC,
			"a quote that closes only in line %u, with more text after it",
			p->at.line);
		weft_err_hint(err, "was it to be closed before?");
		return weft_err_at(err, doc->file, p->quote, NULL);
	}
	if (after_quote(l) && p->quote_end.line == p->at.line && l.at < l.n)
		return tell(doc, p->at, err, "text after the closing quote",
			"quote the whole value, in '...' if it holds \", or write it "
			"below 'key: |'");
	if (flow) {
		weft_err_set(err, WEFT_ESPEC, "a ',' or the closing '%c' is missing",
			says(p->context, "mapping") ? '}' : ']');
		weft_err_hint(err, "it opens in line %u, column %u", p->from.line,
			p->from.col);
		return weft_err_at(err, doc->file, p->at, NULL);
	}
	if (l.at < l.n && l.s[l.at] == ':')
		return tell(doc, p->at, err, "a ':' without a key before it", NULL);
	if (p->at.col == p->from.col)
		return tell(doc, p->at, err,
			says(p->context, "mapping") ? "not a key" : "not a list item",
			says(p->context, "mapping") ? "write 'key: value'"
						    : "begin the line with '- '");
	weft_err_set(err, WEFT_ESPEC, "this line fits no indentation above");
	weft_err_hint(err, "line it up with column %u, where the %s of line %u begins",
		p->from.col, says(p->context, "mapping") ? "mapping" : "list",
		p->from.line);
	return weft_err_at(err, doc->file, p->at, NULL);
}

static int no_colon(const struct weft_yaml_doc *doc, const struct weft_yaml_problem *p,
	struct weft_err *err)
{
	struct line l = line_at(doc, p->from);

	if (tight_colon(l))
		return tell(doc, p->from, err, "no space after the ':'",
			"write 'key: value'");
	return tell(doc, p->from, err, "neither a key with a ':' nor part of a value",
		"write 'key: value'; a text of several lines goes below 'key: |', "
		"indented");
}

static int second_colon(const struct weft_yaml_doc *doc,
	const struct weft_yaml_problem *p, struct weft_err *err)
{
	struct line l = line_at(doc, p->at);
	size_t from = value_before(l);

	if (from) {
		size_t key = strspn(l.s, " -"), len = from - 1 - key;

		weft_err_set(err, WEFT_ESPEC, "a second ': ' in the line");
		weft_err_hint(err, "quote the value, or write it below '%.*s |'",
			len < 40 ? (int)len : 4, len < 40 ? l.s + key : "key:");
		return weft_err_at(err, doc->file, p->at, NULL);
	}
	struct weft_pos up = {p->at.line - 1, 1};
	l = line_at(doc, up);
	while (up.col <= l.n && (l.s[up.col - 1] == ' ' || l.s[up.col - 1] == '-'))
		up.col++;
	if (up.line && tight_colon(l))
		return tell(
			doc, up, err, "no space after the ':'", "write 'key: value'");
	return tell(doc, p->at, err, "a key where the value above goes on",
		"check the indentation; a key has either a value or deeper lines");
}

int weft_yaml_explain(const struct weft_yaml_doc *doc,
	const struct weft_yaml_problem *p, struct weft_err *err)
{
	const char *what = p->problem;

	if (says(p->context, "quoted scalar") &&
		(says(what, "end of stream") || says(what, "document indicator")))
		return tell(doc, p->from, err, "a quote that is never closed",
			"close it, or quote a value that begins with a quote");
	if (says(what, "tab character"))
		return weft_yaml_tab_error(doc, p->at, err);
	if (says(what, "cannot start any token"))
		return bad_start(doc, p->at, err);
	if (says(what, "could not find expected ':'"))
		return no_colon(doc, p, err);
	if (says(what, "mapping values are not allowed"))
		return second_colon(doc, p, err);
	if (says(what, "expected key") || says(what, "expected '-'") ||
		says(what, "expected ','"))
		return wrong_next(doc, p, err);
	if (says(p->context, "an alias") || says(p->context, "an anchor"))
		return tell(doc, p->from, err, "not the name of an anchor",
			"quote a value that begins with '*' or '&'");
	if (says(p->context, "a tag") || says(what, "tag handle"))
		return tell(doc, p->from, err, "a tag",
			"quote a value that begins with '!'");
	if (says(what, "block sequence entries"))
		return tell(doc, p->at, err, "a list item can't begin here",
			"put each '-' on a line of its own, below the key");
	if (says(what, "escape"))
		return tell(doc, p->at, err, "an escape that \"...\" doesn't have",
			"write \\\\ for a backslash, or use '...'");
	if (says(what, "node content"))
		return tell(doc, p->at, err, "a value is missing here", NULL);
	if (says(what, "document start"))
		return tell(doc, p->at, err, "text after the end of the document",
			"check the indentation of this line");
	weft_err_set(err, WEFT_ESPEC, "not YAML: %s", what ? what : "unreadable");
	if (p->context)
		weft_err_hint(err, "%s", p->context);
	return weft_err_at(err, doc->file, p->at, NULL);
}
