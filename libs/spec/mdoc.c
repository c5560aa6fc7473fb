/* mdoc.c - the table of fields as rows of weft-workflow(5). */
#include <string.h>

#include "spec/fields.h"

static const char *type_name(const struct spec_field *f)
{
	switch (f->kind) {
	case K_TEXT:
	case K_LONG:
		return "text";
	case K_VALUE:
		return "value";
	case K_NAME:
	case K_IDENT:
		return "name";
	case K_STEPNAME:
		return "step";
	case K_STEPREF:
		return "step or step.*";
	case K_FROM:
		return "step.output or path";
	case K_INSIDE:
		return "path";
	case K_BOOL:
		return "true or false";
	case K_INT:
		return "whole number";
	case K_NUMBER:
	case K_GPUS:
		return "number";
	case K_COUNTS:
		return "number or range";
	case K_SHARE:
		return "number or share";
	case K_DURATION:
		return "duration";
	case K_SIZE:
		return "size";
	case K_ENUM:
		return "word";
	case K_EXPR:
		return "expression";
	}
	return "text";
}

static void types(struct weft_str *o, const struct spec_field *f)
{
	size_t n = 0;
	if (f->shapes & ONE)
		weft_str_printf(o, "%s%s", n++ ? ", " : "", type_name(f));
	if (f->shapes & LIST)
		weft_str_printf(o, "%slist", n++ ? ", " : "");
	if (f->shapes & MAP)
		weft_str_printf(o, "%smapping", n++ ? ", " : "");
	if (f->shapes & MAPS && !(f->shapes & LIST))
		weft_str_printf(o, "%slist of mappings", n++ ? ", " : "");
	if (f->shapes & AXES)
		weft_str_printf(o, "%snames to axes", n++ ? ", " : "");
	if (f->shapes & PAIRS)
		weft_str_printf(o, "%snames to %ss", n++ ? ", " : "", type_name(f));
	if (f->shapes & NAMED)
		weft_str_printf(o, "%snames to mappings", n++ ? ", " : "");
}

#define LINE 78 /* columns of the page's source */

/* mdoc wants a new line where a sentence begins; long lines are folded. */
static void sentences(struct weft_str *o, const char *s)
{
	size_t column = 0;
	while (*s) {
		size_t n = strcspn(s, " ");
		const char *next = s + n + (s[n] == ' ');
		if (column && column + 1 + n > LINE) {
			weft_str_addc(o, '\n');
			column = 0;
		} else if (column) {
			weft_str_addc(o, ' ');
			column++;
		}
		weft_str_addn(o, s, n);
		column += n;
		if (s[n - 1] == '.' && *next >= 'A' && *next <= 'Z') {
			weft_str_addc(o, '\n');
			column = 0;
		}
		s = next;
	}
	weft_str_addc(o, '\n');
}

static void values(struct weft_str *o, const char *v)
{
	weft_str_add(o, "One of\n");
	while (*v) {
		size_t n = strcspn(v, " ");
		const char *rest = v + n + (v[n] == ' ');
		weft_str_printf(o, ".Cm %.*s%s\n", (int)n, v, *rest ? " ," : " .");
		v = rest;
	}
}

static void row(struct weft_str *o, const struct spec_field *f)
{
	weft_str_printf(o, ".It Ic %s Pq ", f->key);
	types(o, f);
	weft_str_add(o, f->flags & REQUIRED ? "; required\n" : "\n");
	sentences(o, f->doc);
	if (f->kind == K_ENUM && f->shapes & ONE)
		values(o, f->values);
	if (f->max > f->min && f->kind != K_DURATION && f->kind != K_COUNTS)
		weft_str_printf(o, "From %.15g to %.15g.\n", f->min, f->max);
	if (f->def)
		weft_str_printf(o, "The default is\n.Li %s .\n", f->def);
	if (f->flags & NOT_YET)
		weft_str_add(o, "Not supported yet.\n");
}

int weft_spec_print_mdoc(struct weft_str *out)
{
	for (size_t c = 0; c < N_CONTEXTS; c++) {
		size_t n, first = spec_first((enum spec_context)c, &n);
		weft_str_printf(
			out, ".Ss %s\n", spec_context_title((enum spec_context)c));
		weft_str_add(out, ".Bl -tag -width Ds -compact\n");
		for (size_t i = first; i < first + n; i++)
			row(out, &spec_fields[i]);
		weft_str_add(out, ".El\n");
	}
	return out->failed ? -1 : 0;
}
