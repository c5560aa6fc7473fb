/* value.c - values: made, copied, printed. */
#include "expr/ast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void weft_value_clear(struct weft_value *v)
{
	free(v->str);
	for (size_t i = 0; i < v->n; i++) {
		weft_value_clear(&v->item[i]);
		if (v->name)
			free(v->name[i]);
	}
	free(v->item);
	free(v->name);
	*v = (struct weft_value){.kind = WEFT_V_NULL};
}

int weft_value_copy(struct weft_value *dst, const struct weft_value *src)
{
	struct weft_value v = {.kind = src->kind, .b = src->b, .num = src->num};

	if (src->str && !(v.str = strdup(src->str)))
		goto fail;
	if (src->n) {
		v.item = calloc(src->n, sizeof(*v.item));
		if (src->name)
			v.name = calloc(src->n, sizeof(*v.name));
		if (!v.item || (src->name && !v.name))
			goto fail;
	}
	for (; v.n < src->n; v.n++) {
		if (src->name && !(v.name[v.n] = strdup(src->name[v.n])))
			goto fail;
		if (weft_value_copy(&v.item[v.n], &src->item[v.n]) != 0) {
			if (v.name)
				free(v.name[v.n]);
			goto fail;
		}
	}
	weft_value_clear(dst);
	*dst = v;
	return 0;
fail:
	weft_value_clear(&v);
	return -1;
}

int weft_value_set_string(struct weft_value *v, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		return -1;
	weft_value_clear(v);
	v->kind = WEFT_V_STRING;
	v->str = copy;
	return 0;
}

int weft_value_take_str(struct weft_value *v, struct weft_str *s)
{
	char *text = weft_str_take(s);

	if (!text)
		return -1;
	weft_value_clear(v);
	v->kind = WEFT_V_STRING;
	v->str = text;
	return 0;
}

int weft_value_set_number(struct weft_value *v, double num)
{
	weft_value_clear(v);
	v->kind = WEFT_V_NUMBER;
	v->num = num;
	return 0;
}

void weft_value_set_bool(struct weft_value *v, bool b)
{
	weft_value_clear(v);
	v->kind = WEFT_V_BOOL;
	v->b = b;
}

static size_t digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?   Source: RFC 8259, 6. */
bool weft_number_valid(const char *s, size_t n)
{
	size_t i = n > 0 && s[0] == '-', d;

	d = digits(s + i, n - i);
	if (d == 0 || (d > 1 && s[i] == '0'))
		return false;
	i += d;
	if (i < n && s[i] == '.') {
		d = digits(s + i + 1, n - i - 1);
		if (d == 0)
			return false;
		i += d + 1;
	}
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		if (i < n && (s[i] == '+' || s[i] == '-'))
			i++;
		d = digits(s + i, n - i);
		if (d == 0)
			return false;
		i += d;
	}
	return i == n;
}

int weft_value_from_text(struct weft_value *v, const char *text, bool quoted)
{
	char *copy;
	double num;

	if (!quoted && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
		weft_value_set_bool(v, text[0] == 't');
		return 0;
	}
	if (quoted || !weft_number_valid(text, strlen(text)) ||
		!isfinite(num = strtod(text, NULL)))
		return weft_value_set_string(v, text);
	copy = strdup(text);
	if (!copy)
		return -1;
	weft_value_set_number(v, num);
	v->str = copy;
	return 0;
}

const char *weft_value_kind_name(enum weft_value_kind kind)
{
	static const char *const name[] = {
		"nothing", "true or false", "a number", "a text", "a list", "a map"};

	return name[kind];
}

/* The shortest text that reads back as the same number. */
static void print_number(struct weft_str *out, double num)
{
	char buf[40];

	if (num == trunc(num) && fabs(num) < 1e15) {
		weft_str_printf(out, "%.0f", num + 0.0);
		return;
	}
	for (int digits10 = 1; digits10 <= 17; digits10++) {
		snprintf(buf, sizeof(buf), "%.*g", digits10, num);
		if (strtod(buf, NULL) == num)
			break;
	}
	weft_str_add(out, buf);
}

static void json_string(struct weft_str *out, const char *s)
{
	weft_str_addc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			weft_str_addc(out, '\\'), weft_str_addc(out, (char)c);
		else if (c == '\n')
			weft_str_add(out, "\\n");
		else if (c == '\t')
			weft_str_add(out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			weft_str_printf(out, "\\u%04x", c);
		else
			weft_str_addc(out, (char)c);
	}
	weft_str_addc(out, '"');
}

static void json(struct weft_str *out, const struct weft_value *v)
{
	switch (v->kind) {
	case WEFT_V_NULL:
		weft_str_add(out, "null");
		break;
	case WEFT_V_BOOL:
		weft_str_add(out, v->b ? "true" : "false");
		break;
	case WEFT_V_NUMBER:
		if (v->str)
			weft_str_add(out, v->str);
		else
			print_number(out, v->num);
		break;
	case WEFT_V_STRING:
		json_string(out, v->str);
		break;
	case WEFT_V_LIST:
	case WEFT_V_MAP:
		weft_str_addc(out, v->kind == WEFT_V_LIST ? '[' : '{');
		for (size_t i = 0; i < v->n; i++) {
			if (i)
				weft_str_add(out, ", ");
			if (v->kind == WEFT_V_MAP) {
				json_string(out, v->name[i]);
				weft_str_add(out, ": ");
			}
			json(out, &v->item[i]);
		}
		weft_str_addc(out, v->kind == WEFT_V_LIST ? ']' : '}');
		break;
	}
}

int weft_value_json(struct weft_str *out, const struct weft_value *v)
{
	json(out, v);
	return out->failed ? -1 : 0;
}

int weft_value_print(struct weft_str *out, const struct weft_value *v)
{
	switch (v->kind) {
	case WEFT_V_NULL:
		break;
	case WEFT_V_STRING:
		weft_str_add(out, v->str);
		break;
	case WEFT_V_LIST:
		for (size_t i = 0; i < v->n; i++) {
			if (i)
				weft_str_addc(out, ' ');
			weft_value_print(out, &v->item[i]);
		}
		break;
	default:
		json(out, v);
		break;
	}
	return out->failed ? -1 : 0;
}
