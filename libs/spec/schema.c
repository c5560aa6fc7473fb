/* schema.c - the table of fields as a JSON schema, draft-07. */
#include <string.h>

#include "spec/fields.h"

static const char *const definition[N_CONTEXTS] = {"workflow", "step", "resources",
	"place", "sweep", "range", "input", "output", "depend", "file", "secret",
	"budget", "channel", "loop", "track", "with", "service", "ready", "publish",
	"steer", "seat", "retry", "checkpoint", "container"};

static void string(struct weft_str *o, const char *s)
{
	weft_str_addc(o, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			weft_str_addc(o, '\\');
		weft_str_addc(o, *s);
	}
	weft_str_addc(o, '"');
}

static bool is_numeric(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* "a b 1" -> "a", "b", 1, "1": YAML may read a number where a word is meant. */
static void words(struct weft_str *o, const char *values)
{
	char word[32];
	for (const char *v = values; *v;) {
		size_t n = strcspn(v, " ");
		snprintf(word, sizeof(word), "%.*s", (int)n, v);
		if (v != values)
			weft_str_add(o, ", ");
		if (is_numeric(word))
			weft_str_printf(o, "%s, ", word);
		string(o, word);
		v += n + (v[n] == ' ');
	}
}

static void bounds(struct weft_str *o, const struct spec_field *f, const char *type)
{
	weft_str_printf(o, "\"type\": \"%s\"", type);
	if (f->min != 0 || f->max != 0)
		weft_str_printf(
			o, ", \"minimum\": %.15g, \"maximum\": %.15g", f->min, f->max);
}

/* The members of an object for a scalar of this kind, without expressions. */
static void scalar(struct weft_str *o, const struct spec_field *f)
{
	const char *ref = NULL;
	switch (f->kind) {
	case K_TEXT:
	case K_LONG:
	case K_VALUE:
	case K_EXPR:
	case K_INSIDE:
		ref = "text";
		break;
	case K_NAME:
	case K_STEPNAME:
		ref = "name";
		break;
	case K_IDENT:
		ref = "identifier";
		break;
	case K_STEPREF:
		ref = "step_ref";
		break;
	case K_FROM:
		ref = "from";
		break;
	case K_BOOL:
		weft_str_add(o, "\"type\": \"boolean\"");
		return;
	case K_INT:
		bounds(o, f, "integer");
		return;
	case K_NUMBER:
	case K_GPUS:
		bounds(o, f, "number");
		return;
	case K_COUNTS:
		ref = "counts";
		break;
	case K_SHARE:
		ref = "share";
		break;
	case K_DURATION:
		ref = "duration";
		break;
	case K_SIZE:
		ref = "size";
		break;
	case K_ENUM:
		weft_str_add(o, "\"enum\": [");
		words(o, f->values);
		weft_str_add(o, "]");
		return;
	}
	weft_str_printf(o, "\"$ref\": \"#/definitions/%s\"", ref);
}

static bool is_text(const struct spec_field *f)
{
	return f->kind == K_TEXT || f->kind == K_LONG || f->kind == K_VALUE ||
	       f->kind == K_EXPR || f->kind == K_INSIDE;
}

/* A whole schema for a scalar: the kind, or an expression where one may stand. */
static void value(struct weft_str *o, const struct spec_field *f)
{
	bool expression = f->names != AT_NEVER && !is_text(f);
	weft_str_add(o, expression ? "{\"anyOf\": [{" : "{");
	scalar(o, f);
	weft_str_add(
		o, expression ? "}, {\"$ref\": \"#/definitions/expression\"}]}" : "}");
}

static void reference(struct weft_str *o, const char *name)
{
	weft_str_printf(o, "{\"$ref\": \"#/definitions/%s\"}", name);
}

static const char *key_pattern(enum spec_keys keys)
{
	switch (keys) {
	case KEY_IDENT:
		return "^[A-Za-z_][A-Za-z0-9_]*$";
	case KEY_ENV:
	case KEY_SECRET:
		return "^(?!WEFT_)[A-Za-z_][A-Za-z0-9_]*$";
	case KEY_OPTION:
		return "^[a-z0-9][a-z0-9-]*$";
	case KEY_NONE:
	case KEY_LABEL:
	case KEY_FILE:
		break;
	}
	return "^.+$";
}

static void named(struct weft_str *o, const struct spec_field *f, unsigned shapes)
{
	weft_str_add(o, "{\"type\": \"object\", \"additionalProperties\": false, "
			"\"patternProperties\": {");
	string(o, key_pattern(f->keys));
	weft_str_add(o, ": ");
	if (shapes & AXES) {
		reference(o, "axis");
	} else if ((shapes & (PAIRS | NAMED)) == (PAIRS | NAMED)) {
		weft_str_add(o, "{\"anyOf\": [");
		value(o, f);
		weft_str_add(o, ", ");
		reference(o, definition[f->sub]);
		weft_str_add(o, "]}");
	} else if (shapes & NAMED) {
		reference(o, definition[f->sub]);
	} else {
		value(o, f);
	}
	weft_str_add(o, "}}");
}

static void list(struct weft_str *o, const struct spec_field *f, unsigned shapes)
{
	weft_str_add(o, "{\"type\": \"array\", \"items\": ");
	if ((shapes & (LIST | MAPS)) == (LIST | MAPS)) {
		weft_str_add(o, "{\"anyOf\": [");
		value(o, f);
		weft_str_add(o, ", ");
		reference(o, definition[f->sub]);
		weft_str_add(o, "]}");
	} else if (shapes & MAPS) {
		reference(o, definition[f->sub]);
	} else {
		value(o, f);
	}
	weft_str_add(o, "}");
}

static void forms(struct weft_str *o, const struct spec_field *f)
{
	size_t n = 0;
	weft_str_add(o, "\"anyOf\": [");
	if (f->shapes & ONE) {
		value(o, f);
		n++;
	}
	if (f->shapes & (LIST | MAPS)) {
		weft_str_add(o, n++ ? ", " : "");
		list(o, f, f->shapes);
	}
	if (f->shapes & MAP) {
		weft_str_add(o, n++ ? ", " : "");
		reference(o, f == &spec_fields[TOP_defaults] ? "defaults"
							     : definition[f->sub]);
	}
	if (f->shapes & (PAIRS | NAMED | AXES)) {
		weft_str_add(o, n++ ? ", " : "");
		named(o, f, f->shapes);
	}
	weft_str_add(o, "]");
}

static void default_value(struct weft_str *o, const struct spec_field *f)
{
	const char *def = f->def;
	weft_str_add(o, "\"default\": ");
	if (def[0] == '[') { /* [a, b] */
		weft_str_add(o, "[");
		for (const char *s = def + 1; *s && *s != ']';) {
			char word[64];
			size_t n = strcspn(s, ",]");
			snprintf(word, sizeof(word), "%.*s", (int)n, s);
			string(o, word);
			s += n;
			if (*s == ',') {
				weft_str_add(o, ", ");
				s += 1 + strspn(s + 1, " ");
			}
		}
		weft_str_add(o, "]");
	} else if (f->kind == K_BOOL || is_numeric(def)) {
		weft_str_add(o, def);
	} else {
		string(o, def);
	}
	weft_str_add(o, ", ");
}

static void context(struct weft_str *o, enum spec_context in, bool defaults)
{
	size_t n, first = spec_first(in, &n), required = 0, printed = 0;
	weft_str_printf(o, "    \"%s\": {\n      \"type\": \"object\",\n",
		defaults ? "defaults" : definition[in]);
	weft_str_add(o, "      \"additionalProperties\": false,\n");
	if (in == IN_TOP)
		weft_str_add(o, "      \"patternProperties\": {\"^x-\": {}},\n");
	if (in == IN_STEP && !defaults)
		weft_str_add(o, "      \"oneOf\": [{\"required\": [\"run\"]}, "
				"{\"required\": [\"command\"]}],\n");
	if (in == IN_FILE)
		weft_str_add(o, "      \"minProperties\": 1, \"maxProperties\": 1,\n");
	for (size_t i = first; i < first + n && !defaults; i++) {
		if (!(spec_fields[i].flags & REQUIRED))
			continue;
		weft_str_add(o, required++ ? ", " : "      \"required\": [");
		string(o, spec_fields[i].key);
	}
	weft_str_add(o, required ? "],\n" : "");
	weft_str_add(o, "      \"properties\": {");
	for (size_t i = first; i < first + n; i++) {
		const struct spec_field *f = &spec_fields[i];
		if (defaults && f->flags & NO_DEFAULT)
			continue;
		weft_str_printf(o,
			"%s\n        \"%s\": {\"description\": ", printed++ ? "," : "",
			f->key);
		weft_autostr struct weft_str doc = {0};
		weft_str_printf(&doc, "%s%s", f->doc,
			f->flags & NOT_YET ? " Not supported yet." : "");
		string(o, doc.s ? doc.s : "");
		weft_str_add(o, ", ");
		if (f->def)
			default_value(o, f);
		forms(o, f);
		weft_str_add(o, "}");
	}
	weft_str_add(o, "\n      }\n    }");
}

/* What the kinds refer to.  A text may look like a number or a boolean to YAML. */
static const char common[] =
	"    \"text\": {\"type\": [\"string\", \"number\", \"boolean\"]},\n"
	"    \"expression\": {\"type\": \"string\", \"pattern\": "
	"\"\\\\$\\\\{\\\\{\"},\n"
	"    \"name\": {\"type\": [\"string\", \"number\"], \"pattern\": "
	"\"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$\"},\n"
	"    \"identifier\": {\"type\": \"string\", \"pattern\": "
	"\"^[A-Za-z_][A-Za-z0-9_]*$\"},\n"
	"    \"step_ref\": {\"type\": [\"string\", \"number\"], \"pattern\": "
	"\"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\\\\.\\\\*)?$\"},\n"
	"    \"from\": {\"type\": \"string\", \"pattern\": "
	"\"^(/|\\\\./|\\\\.\\\\./|~/|[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\\\\.\\\\*)?\\\\."
	"[A-Za-z_][A-Za-z0-9_]*$)\"},\n"
	"    \"counts\": {\"type\": [\"integer\", \"string\"], \"minimum\": 1, "
	"\"pattern\": "
	"\"^[1-9][0-9]*(-[1-9][0-9]*)?$\"},\n"
	"    \"share\": {\"type\": [\"integer\", \"string\"], \"minimum\": 0, "
	"\"pattern\": "
	"\"^[0-9]+(\\\\.[0-9]+)?%?$\"},\n"
	"    \"duration\": {\"type\": \"string\", \"pattern\": "
	"\"^([0-9]+(\\\\.[0-9]+)?[smhd]|([0-9]+-)?[0-9]+:[0-5]?[0-9]:[0-5]?[0-9])$\"},"
	"\n"
	"    \"size\": {\"type\": \"string\", \"pattern\": "
	"\"^[0-9]+(\\\\.[0-9]+)?[KMGTPEkmgtpe]$\"},\n"
	"    \"axis\": {\"anyOf\": [{\"type\": \"array\", \"minItems\": 1}, "
	"{\"$ref\": \"#/definitions/range\"}]}";

int weft_spec_print_schema(struct weft_str *out)
{
	weft_str_add(out,
		"{\n"
		"  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
		"  \"title\": \"weft workflow\",\n"
		"  \"description\": \"See weft-workflow(5). Made by `weft schema`.\",\n"
		"  \"allOf\": [{\"$ref\": \"#/definitions/workflow\"}],\n"
		"  \"definitions\": {\n");
	for (size_t i = 0; i < N_CONTEXTS; i++) {
		context(out, (enum spec_context)i, false);
		weft_str_add(out, ",\n");
	}
	context(out, IN_STEP, true);
	weft_str_add(out, ",\n");
	weft_str_add(out, common);
	weft_str_add(out, "\n  }\n}\n");
	return out->failed ? -1 : 0;
}
