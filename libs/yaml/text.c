/* text.c - what the bytes of a YAML file may be, before it is parsed. */
#include "yaml/build.h"

#include <string.h>

static int refuse(const struct weft_yaml_doc *doc, const char *line, const char *at,
	unsigned lineno, const char *what, const char *hint, struct weft_err *err)
{
	unsigned col = 1;

	/* Columns count characters, as libyaml does. */
	for (const char *p = line; p < at; p++)
		col += ((unsigned char)*p & 0xc0) != 0x80;
	weft_err_set(err, WEFT_ESPEC, "%s", what);
	weft_err_hint(err, "%s", hint);
	return weft_err_at(err, doc->file, (struct weft_pos){lineno, col}, NULL);
}

/* Length of the UTF-8 sequence at p, 0 if it is none; *code is its code point. */
static size_t sequence(const unsigned char *p, size_t left, unsigned *code)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	unsigned c;

	if (*p < 0xc2 || *p > 0xf4 || n > left)
		return 0;
	c = *p & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

/* The tab in the indentation of a line that holds more than blanks, or NULL. */
static const char *indent_tab(const char *line, const char *end)
{
	const char *tab = NULL;

	for (; line < end && (*line == ' ' || *line == '\t'); line++)
		if (*line == '\t' && !tab)
			tab = line;
	return line < end && *line != '\n' && *line != '\r' ? tab : NULL;
}

int weft_yaml_check_text(const struct weft_yaml_doc *doc, struct weft_yaml_tabs *tabs,
	struct weft_err *err)
{
	const char *p = doc->source, *end = p + doc->source_len, *line = p;
	unsigned lineno = 1;
	bool line_start = true;

	while (p < end) {
		unsigned char c = (unsigned char)*p;
		unsigned code;
		size_t n;

		if (line_start) {
			const char *tab = indent_tab(p, end);
			line_start = false;
			if (tab) {
				if (weft_grow(tabs->v, tabs->n, tabs->cap) != 0)
					return weft_err_nomem(err);
				tabs->v[tabs->n++] = (struct weft_pos){
					lineno, (unsigned)(tab - line) + 1};
			}
		}
		if (c >= 0x20 && c < 0x7f) {
			p++;
		} else if (c == '\n') {
			line = ++p;
			lineno++;
			line_start = true;
		} else if (c == '\t' || (c == '\r' && p + 1 < end && p[1] == '\n')) {
			p++;
		} else if (c == '\r') {
			return refuse(doc, line, p, lineno,
				"a carriage return without a line feed",
				"end lines with a line feed", err);
		} else if (c == '\0') {
			return refuse(doc, line, p, lineno, "a NUL byte",
				"is this a text file?", err);
		} else if (c < 0x80) {
			return refuse(doc, line, p, lineno, "a control character",
				"write it as \"\\x..\" in double quotes", err);
		} else if ((n = sequence((const unsigned char *)p, (size_t)(end - p),
				    &code)) == 0) {
			return refuse(doc, line, p, lineno, "bytes that are not UTF-8",
				"save the file as UTF-8", err);
		} else if (code < 0xa0 || code == 0x2028 || code == 0x2029 ||
			   code == 0xfeff || code == 0xfffe || code == 0xffff) {
			return refuse(doc, line, p, lineno,
				"a control character or Unicode line separator",
				"write it as \"\\u....\" in double quotes", err);
		} else {
			p += n;
		}
	}
	return 0;
}
