#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

bool spec_has_template(const struct weft_yaml_node *n)
{
	return n->kind == WEFT_YAML_SCALAR && strstr(n->text, "${{");
}

static bool ascii_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool is_name(const char *s)
{
	size_t n = 0;
	if (!ascii_alnum(s[0]))
		return false;
	for (; s[n]; n++)
		if (n >= 63 || !(ascii_alnum(s[n]) || s[n] == '_' || s[n] == '-'))
			return false;
	return true;
}

bool spec_is_ident(const char *s)
{
	if (!(ascii_alnum(s[0]) || s[0] == '_') || (s[0] >= '0' && s[0] <= '9'))
		return false;
	for (size_t i = 0; s[i]; i++)
		if (i >= 128 || !(ascii_alnum(s[i]) || s[i] == '_'))
			return false;
	return true;
}

/* JSON's numbers: no plus sign, no leading zeros, no hexadecimal, nothing infinite. */
bool spec_parse_number(const char *s, double *out)
{
	const char *c = s;
	if (*c == '-')
		c++;
	if (*c == '0')
		c++;
	else if (*c >= '1' && *c <= '9')
		c += strspn(c, "0123456789");
	else
		return false;
	if (*c == '.') {
		size_t n = strspn(c + 1, "0123456789");
		if (!n)
			return false;
		c += n + 1;
	}
	if (*c == 'e' || *c == 'E') {
		c++;
		if (*c == '+' || *c == '-')
			c++;
		size_t n = strspn(c, "0123456789");
		if (!n)
			return false;
		c += n;
	}
	if (*c)
		return false;
	*out = strtod(s, NULL);
	return isfinite(*out);
}

static const char *wrong_step_ref(const char *s, bool stars)
{
	char name[80];
	size_t n = strlen(s);
	if (stars && n > 2 && !strcmp(s + n - 2, ".*"))
		n -= 2;
	if (n >= sizeof(name))
		return "is not a valid name of a step";
	memcpy(name, s, n);
	name[n] = '\0';
	return is_name(name) ? NULL : "is not a valid name of a step";
}

/* STEP.OUTPUT, STEP.*.OUTPUT, or a path that shows that it is one. */
static const char *wrong_from(const char *s, const char **hint)
{
	static const char *const starts[] = {"/", "./", "../", "~/"};
	for (size_t i = 0; i < WEFT_COUNT(starts); i++)
		if (weft_starts_with(s, starts[i]))
			return NULL;
	const char *dot = strchr(s, '.');
	if (dot && dot - s < 64) {
		char name[64];
		memcpy(name, s, (size_t)(dot - s));
		name[dot - s] = '\0';
		if (weft_starts_with(dot, ".*."))
			dot += 2;
		if (is_name(name) && spec_is_ident(dot + 1))
			return NULL;
	}
	*hint = "a path begins with `/`, `./`, `../` or `~/`";
	return "must be STEP.OUTPUT or a path";
}

static const char *wrong_inside(const char *s, const char **hint)
{
	*hint = "give a path relative to the working directory, without `..`";
	if (s[0] == '/' || s[0] == '~')
		return "must be below the working directory";
	if (strstr(s, "${{")) { /* the rest is checked once it is known */
		if (weft_starts_with(s, "../"))
			return "leaves the working directory";
		return NULL;
	}
	return weft_path_is_inside(s) ? NULL : "leaves the working directory";
}

static const char *wrong_number(const struct spec_field *f, const char *s, bool whole)
{
	static __thread char text[160];
	double v;
	bool any = f->min == 0 && f->max == 0;
	if (!spec_parse_number(s, &v) ||
		(whole && (v != floor(v) || strpbrk(s, ".eE")))) {
		snprintf(text, sizeof(text), "must be %s",
			whole ? "a whole number" : "a number");
		return text;
	}
	if (!any && f->min == f->max && v != f->min) {
		snprintf(text, sizeof(text), "must be %.15g", f->min);
		return text;
	}
	if (!any && (v < f->min || v > f->max)) {
		snprintf(text, sizeof(text), "must be between %.15g and %.15g", f->min,
			f->max);
		return text;
	}
	return NULL;
}

static const char *wrong_counts(const struct spec_field *f, const char *s)
{
	char first[24];
	int64_t lo, hi;
	const char *dash = strchr(s, '-');
	size_t n = dash ? (size_t)(dash - s) : strlen(s);
	if (n == 0 || n >= sizeof(first))
		return "must be a number of nodes, N or N-M";
	memcpy(first, s, n);
	first[n] = '\0';
	if (!weft_parse_int(first, 0, INT64_MAX, &lo) ||
		!weft_parse_int(dash ? dash + 1 : first, 0, INT64_MAX, &hi))
		return "must be a number of nodes, N or N-M";
	if (lo < (int64_t)f->min || hi > (int64_t)f->max)
		return "must be between 1 and 65536";
	return lo <= hi ? NULL : "has the larger number first";
}

static const char *wrong_share(const char *s)
{
	char number[32];
	int64_t v;
	size_t n = strlen(s);
	bool share = n && s[n - 1] == '%';
	n -= share;
	if (n == 0 || n >= sizeof(number))
		return "must be a number of members, or a share as N%";
	memcpy(number, s, n);
	number[n] = '\0';
	if (share) {
		double d;
		return spec_parse_number(number, &d) && d >= 0 && d <= 100
			       ? NULL
			       : "must be a share from 0% to 100%";
	}
	return weft_parse_int(number, 0, SPEC_MAX_MEMBERS, &v)
		       ? NULL
		       : "must be a number of members, or a share as N%";
}

static const char *wrong_duration(const struct spec_field *f, const char *s)
{
	const char *why = NULL;
	int64_t t;
	if (!weft_parse_duration(s, &t, &why))
		return why ? why : "must be a duration";
	if (t < (int64_t)f->min)
		return "must be longer than zero";
	return t > (int64_t)f->max ? "must be at most 366 days" : NULL;
}

static const char *wrong_size(const char *s)
{
	const char *why = NULL;
	uint64_t v;
	if (!weft_parse_size(s, &v, &why))
		return why ? why : "must be a size";
	if (s[strlen(s) - 1] >= '0' && s[strlen(s) - 1] <= '9' && v)
		return "a size needs a unit: 512M, 4G, 1.5T";
	return v > 0 ? NULL : "must be more than zero";
}

static const char *wrong_enum(const struct spec_field *f, const char *s)
{
	static __thread char text[256];
	if (spec_enum(f->values, s) >= 0)
		return NULL;
	size_t n = 0;
	const char *v = f->values;
	n += (size_t)snprintf(text, sizeof(text), "must be ");
	while (*v && n < sizeof(text)) {
		int len = (int)strcspn(v, " ");
		const char *rest = v + len + (v[len] == ' ');
		const char *sep = !*rest ? "" : strchr(rest, ' ') ? ", " : " or ";
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "`%.*s`%s", len, v, sep);
		v = rest;
	}
	return text;
}

static const char *enum_hint(const struct spec_field *f, const char *s)
{
	static __thread char text[64];
	char list[256];
	const char *word[16];
	size_t n = 0;
	snprintf(list, sizeof(list), "%s", f->values);
	for (char *save, *w = strtok_r(list, " ", &save); w && n < WEFT_COUNT(word);
		w = strtok_r(NULL, " ", &save))
		word[n++] = w;
	const char *near = weft_nearest(s, word, n);
	if (!near)
		return NULL;
	snprintf(text, sizeof(text), "did you mean `%s`?", near);
	return text;
}

static const char *wrong_gpus(
	const struct spec_field *f, const char *s, const char **hint)
{
	double v;
	const char *w = wrong_number(f, s, false);
	if (w)
		return w;
	spec_parse_number(s, &v);
	if (v == floor(v))
		return NULL;
	if (v < 1 && fabs(floor(1 / v + 0.5) * v - 1) <= 1e-6)
		return NULL;
	*hint = "two tasks share a GPU with 0.5, four with 0.25";
	return "must be a whole number, or one over a whole number";
}

const char *spec_wrong(const struct spec_field *f, const char *s, const char **hint)
{
	*hint = NULL;
	switch (f->kind) {
	case K_TEXT:
	case K_EXPR:
	case K_VALUE:
		*hint = "write it to a file and give the path, or use `files`";
		return strlen(s) > SPEC_MAX_VALUE ? "is longer than 128 KiB" : NULL;
	case K_LONG:
		return NULL;
	case K_NAME:
		*hint = "letters, digits, `_` and `-`, at most 63, a letter or digit "
			"first";
		return is_name(s) ? NULL : "is not a valid name";
	case K_IDENT:
		*hint = "letters, digits and `_`, no digit first";
		return spec_is_ident(s) ? NULL : "is not a valid name";
	case K_STEPNAME:
		return wrong_step_ref(s, false);
	case K_STEPREF:
		return wrong_step_ref(s, true);
	case K_FROM:
		return wrong_from(s, hint);
	case K_INSIDE:
		return wrong_inside(s, hint);
	case K_BOOL:
		return !strcmp(s, "true") || !strcmp(s, "false")
			       ? NULL
			       : "must be `true` or `false`";
	case K_INT:
		if (strchr(s, ':') && strstr(f->key, "gpus"))
			*hint = "the type of the GPUs goes into `gpu_type`";
		return wrong_number(f, s, true);
	case K_NUMBER:
		return wrong_number(f, s, false);
	case K_GPUS:
		return wrong_gpus(f, s, hint);
	case K_COUNTS:
		return wrong_counts(f, s);
	case K_SHARE:
		return wrong_share(s);
	case K_DURATION:
		return wrong_duration(f, s);
	case K_SIZE:
		return wrong_size(s);
	case K_ENUM: {
		const char *w = wrong_enum(f, s);
		if (w)
			*hint = enum_hint(f, s);
		return w;
	}
	}
	return NULL;
}

static bool is_textual(enum spec_kind kind)
{
	return kind == K_TEXT || kind == K_LONG || kind == K_VALUE || kind == K_EXPR;
}

void spec_check_scalar(
	struct spec_parser *p, const struct spec_field *f, struct weft_yaml_node *n)
{
	const char *hint;
	if (weft_yaml_is_null(n)) {
		bool text = is_textual(f->kind);
		spec_bad(p, n, text ? "write `\"\"` for an empty text" : NULL,
			"has no value");
		return;
	}
	if (spec_has_template(n) && f->kind != K_EXPR) {
		if (f->names == AT_NEVER) {
			/* The text of a description may show one; elsewhere it is lost.
			 */
			if (f->kind == K_TEXT && !strcmp(f->key, "description"))
				return;
			spec_bad(p, n, NULL, "can't hold an expression");
			return;
		}
		if (f->kind == K_VALUE)
			return;
		if (f->names != AT_LOAD) {
			const char *wrong = f->kind == K_INSIDE || is_textual(f->kind)
						    ? spec_wrong(f, n->text, &hint)
						    : NULL;
			if (wrong)
				spec_bad(p, n, hint, "%s", wrong);
			return;
		}
		if (!spec_render_now(p, n))
			return;
	}
	const char *wrong = spec_wrong(f, n->text, &hint);
	if (wrong)
		spec_bad(p, n, hint, "%s", wrong);
}
