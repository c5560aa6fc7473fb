/* metric.c - the last value of a metric in a file of JSON lines */
#include "journal/journal.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define METRICS_MAX ((size_t)256 << 20)

static int to_value(const json_t *j, struct weft_value *out)
{
	if (json_is_boolean(j)) {
		weft_value_set_bool(out, json_is_true(j));
		return 0;
	}
	if (json_is_number(j))
		return weft_value_set_number(out, json_number_value(j));
	if (json_is_string(j))
		return weft_value_set_string(out, json_string_value(j));
	weft_autofree char *s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
	return s ? weft_value_set_string(out, s) : -1;
}

int weft_metric_last(const char *file, const char *name, struct weft_value *out,
	struct weft_err *err)
{
	weft_autofree char *text = NULL;
	size_t n;

	*out = (struct weft_value){ 0 };
	if (weft_read_file(file, METRICS_MAX, &text, &n, err)) {
		if (errno != ENOENT)
			return -1;
		weft_err_clear(err);
		return 1;
	}
	/* From the end: the last line that has it decides. */
	for (size_t end = n; end > 0;) {
		const char *nl = memrchr(text, '\n', end - 1);
		size_t start = nl ? (size_t)(nl - text) + 1 : 0;
		json_t *o = json_loadb(text + start, end - start, 0, NULL);
		const json_t *v = json_object_get(o, name);

		if (v) {
			int bad = to_value(v, out);

			json_decref(o);
			return bad ? weft_err_nomem(err) : 0;
		}
		json_decref(o);
		end = start;
	}
	return 1;
}
