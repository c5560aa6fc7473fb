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

	*out = (struct weft_value){0};
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

void weft_metrics_json(const char *file, struct weft_str *out)
{
	weft_autofree char *text = NULL, *s = NULL;
	json_t *all = json_object();
	size_t n = 0;

	if (weft_read_file(file, METRICS_MAX, &text, &n, NULL))
		n = 0;
	for (const char *p = text, *end = text + n, *nl; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			nl = end;
		json_t *o = json_loadb(p, (size_t)(nl - p), 0, NULL);
		if (json_is_object(o))
			json_object_update(all, o);
		json_decref(o);
	}
	s = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	weft_str_add(out, s ? s : "{}");
}

/* What a metric was over the members of a step. */
struct range {
	struct weft_value first, last; /* smallest and largest number, or any value */
	size_t n;
};

static void widen(struct range *r, struct weft_value *v)
{
	if (!r->n++) {
		r->first = *v;
		weft_value_copy(&r->last, v);
	} else if (v->kind == WEFT_V_NUMBER && r->first.kind == WEFT_V_NUMBER &&
		   (v->num < r->first.num || v->num > r->last.num)) {
		struct weft_value *end = v->num < r->first.num ? &r->first : &r->last;

		weft_value_clear(end);
		*end = *v;
	} else {
		weft_value_clear(v);
	}
}

static int print_range(const struct range *r, char **text)
{
	weft_autostr struct weft_str b = {0};

	if (!r->n)
		return 0;
	if (r->first.kind != WEFT_V_NUMBER)
		weft_value_print(&b, &r->first);
	else if (r->first.num < r->last.num)
		weft_str_printf(&b, "%.4g to %.4g", r->first.num, r->last.num);
	else
		weft_str_printf(&b, "%.4g", r->first.num);
	*text = weft_str_take(&b);
	return *text ? 0 : -1;
}

static int one_metric(const struct weft_run *run, const struct weft_workflow *wf,
	const struct weft_step *step, const char *name, char **text,
	struct weft_err *err)
{
	struct range r = {0};
	int bad = 0;

	for (size_t i = 0; !bad && i < step->sweep.count; i++) {
		struct weft_member m;
		struct weft_value v;

		if (weft_sweep_member(wf, step, i, &m, err))
			return -1;
		weft_autofree char *dir = weft_run_step_dir(run, step, &m);
		weft_autofree char *file =
			dir ? weft_path_join(dir, "metrics.jsonl") : NULL;
		weft_member_clear(&m);
		if (!file)
			return weft_err_nomem(err);
		int got = weft_metric_last(file, name, &v, err);
		if (got == 0)
			widen(&r, &v);
		bad = got < 0;
	}
	if (!bad && print_range(&r, text))
		bad = weft_err_nomem(err);
	weft_value_clear(&r.first);
	weft_value_clear(&r.last);
	return bad;
}

int weft_status_metrics(const struct weft_run *run, const struct weft_workflow *wf,
	const char *const *name, size_t n, struct weft_status *st, struct weft_err *err)
{
	st->metric = name;
	st->n_metrics = n;
	for (size_t s = 0; s < st->n_steps; s++) {
		st->step[s].metric = calloc(n + 1, sizeof(*st->step[s].metric));
		if (!st->step[s].metric)
			return weft_err_nomem(err);
		for (size_t k = 0; k < n; k++)
			if (one_metric(run, wf, &wf->step[s], name[k],
				    &st->step[s].metric[k], err))
				return -1;
	}
	return 0;
}
