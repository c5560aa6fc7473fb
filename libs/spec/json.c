/* json.c - values that are written as JSON */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

static int from_json(const json_t *j, struct weft_value *out)
{
	char text[40];

	switch (json_typeof(j)) {
	case JSON_STRING:
		return weft_value_set_string(out, json_string_value(j));
	case JSON_INTEGER: /* all of its digits */
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
			json_integer_value(j));
		return weft_value_from_text(out, text, false);
	case JSON_REAL:
		return weft_value_set_number(out, json_real_value(j));
	case JSON_TRUE:
	case JSON_FALSE:
		weft_value_set_bool(out, json_is_true(j));
		return 0;
	case JSON_NULL:
		weft_value_clear(out);
		return 0;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	bool map = json_is_object(j);
	size_t n = map ? json_object_size(j) : json_array_size(j), i = 0;
	const char *key;
	json_t *item;

	weft_value_clear(out);
	out->kind = map ? WEFT_V_MAP : WEFT_V_LIST;
	if (!n)
		return 0;
	out->item = calloc(n, sizeof(*out->item));
	out->name = map ? calloc(n, sizeof(*out->name)) : NULL;
	if (!out->item || (map && !out->name)) {
		free(out->item);
		free(out->name);
		*out = (struct weft_value){0};
		return -1;
	}
	out->n = n;
	if (map) {
		json_object_foreach((json_t *)j, key, item)
		{
			out->name[i] = strdup(key);
			if (!out->name[i] || from_json(item, &out->item[i]))
				return -1;
			i++;
		}
	} else {
		json_array_foreach(
			j, i, item) if (from_json(item, &out->item[i])) return -1;
	}
	return 0;
}

int weft_spec_json(
	const char *text, size_t n, struct weft_value *out, struct weft_err *err)
{
	json_error_t why;
	json_t *j = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);

	*out = (struct weft_value){0};
	if (!j)
		return weft_err_set(err, WEFT_ESPEC, "is no JSON: %s", why.text);
	int rc = from_json(j, out);
	json_decref(j);
	if (rc) {
		weft_value_clear(out);
		return weft_err_nomem(err);
	}
	return 0;
}
