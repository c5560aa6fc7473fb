/* member.c - the members of a sweep: computed, never stored. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

int spec_axis_value(const struct weft_axis *axis, size_t i, struct weft_value *out)
{
	if (!axis->range)
		return weft_value_copy(out, &axis->value[i]);
	double v = axis->first + (double)i * axis->step;
	if (axis->decimals >= 0) { /* 0.1 + 2 * 0.1 is 0.3 here */
		char text[400];
		snprintf(text, sizeof(text), "%.*f", axis->decimals, v);
		v = strtod(text, NULL);
	}
	return weft_value_set_number(out, v == 0 ? 0 : v);
}

static int canonical_number(struct weft_str *out, const struct weft_value *v)
{
	/* Integers beyond the 53 bits of a double keep the digits they have. */
	const char *s = v->str;
	if (s && strspn(s, "-0123456789") == strlen(s) && strlen(s) > 15) {
		weft_str_add(out, s);
		return 0;
	}
	struct weft_value plain = {0};
	int rc = weft_value_set_number(&plain, v->num == 0 ? 0 : v->num);
	if (rc == 0)
		rc = weft_value_json(out, &plain);
	weft_value_clear(&plain);
	return rc;
}

static int by_name(const void *a, const void *b, void *names)
{
	char **name = names;
	return strcmp(name[*(const size_t *)a], name[*(const size_t *)b]);
}

int spec_canonical(struct weft_str *out, const struct weft_value *v)
{
	if (v->kind == WEFT_V_NUMBER)
		return canonical_number(out, v);
	if (v->kind != WEFT_V_LIST && v->kind != WEFT_V_MAP)
		return weft_value_json(out, v);
	bool map = v->kind == WEFT_V_MAP;
	weft_autofree size_t *order = calloc(v->n ? v->n : 1, sizeof(*order));
	int rc = order ? 0 : -1;
	for (size_t i = 0; order && i < v->n; i++)
		order[i] = i;
	if (order && map)
		qsort_r(order, v->n, sizeof(*order), by_name, v->name);
	weft_str_addc(out, map ? '{' : '[');
	for (size_t i = 0; rc == 0 && i < v->n; i++) {
		if (i)
			weft_str_addc(out, ',');
		if (map) {
			struct weft_value key = {
				.kind = WEFT_V_STRING, .str = v->name[order[i]]};
			rc = weft_value_json(out, &key);
			weft_str_addc(out, ':');
		}
		if (rc == 0)
			rc = spec_canonical(out, &v->item[order[i]]);
	}
	weft_str_addc(out, map ? '}' : ']');
	return out->failed ? -1 : rc;
}

bool spec_value_equal(const struct weft_value *a, const struct weft_value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == WEFT_V_STRING)
		return weft_streq(a->str, b->str);
	struct weft_str x = {0}, y = {0};
	bool same = spec_canonical(&x, a) == 0 && spec_canonical(&y, b) == 0 &&
		    weft_streq(x.s, y.s);
	weft_str_free(&x);
	weft_str_free(&y);
	return same;
}

size_t spec_coordinate(const struct weft_sweep *s, size_t a, size_t index)
{
	if (s->zip)
		return index;
	for (size_t i = s->n_axes - 1; i > a; i--)
		index /= s->axis[i].n;
	return index % s->axis[a].n;
}

int spec_sweep_value(
	const struct weft_sweep *s, size_t a, size_t index, struct weft_value *out)
{
	if (s->rows && index >= s->fixed)
		return spec_rows_value(s->rows, index - s->fixed, a, out);
	return spec_axis_value(&s->axis[a], spec_coordinate(s, a, index), out);
}

int weft_sweep_member(const struct weft_workflow *wf, const struct weft_step *step,
	size_t index, struct weft_member *m, struct weft_err *err)
{
	const struct weft_sweep *s = &step->sweep;
	struct weft_str json = {0};
	char hex[WEFT_DIGEST_HEX];
	(void)wf;
	size_t known = s->round ? s->most : s->count;
	*m = (struct weft_member){.index = index, .count = s->count};
	m->params.kind = WEFT_V_MAP;
	if (index >= known)
		return weft_err_set(err, WEFT_ESPEC,
			"step `%s` has %zu members, no %zu", step->name, known, index);
	if (s->round) {
		m->round = index / s->round;
		m->count = s->round;
		m->index = index %= s->round;
	}
	if (s->n_axes) {
		m->params.item = calloc(s->n_axes, sizeof(*m->params.item));
		m->params.name = calloc(s->n_axes, sizeof(*m->params.name));
		if (!m->params.item || !m->params.name)
			goto nomem;
	}
	for (size_t a = 0; a < s->n_axes; a++) {
		m->params.name[a] = strdup(s->axis[a].name);
		m->params.n = a + 1;
		if (!m->params.name[a] ||
			spec_sweep_value(s, a, index, &m->params.item[a]) < 0)
			goto nomem;
	}
	if (spec_canonical(&json, &m->params) < 0)
		goto nomem;
	if (s->round)
		weft_str_printf(&json, "#%zu", m->round);
	if (json.failed)
		goto nomem;
	weft_digest(json.s, json.len, hex);
	memcpy(m->id, hex, WEFT_MEMBER_ID - 1);
	m->id[WEFT_MEMBER_ID - 1] = '\0';
	weft_str_free(&json);
	return 0;
nomem:
	weft_str_free(&json);
	weft_member_clear(m);
	return weft_err_nomem(err);
}

void weft_member_clear(struct weft_member *m)
{
	if (!m->params.n) { /* arrays without entries: an error came between */
		free(m->params.item);
		free(m->params.name);
		m->params.item = NULL;
		m->params.name = NULL;
	}
	weft_value_clear(&m->params);
}

size_t weft_sweep_block_first(size_t count, size_t blocks, size_t block)
{
	/* Without count * block, which may be too large for a size_t. */
	return count / blocks * block + count % blocks * block / blocks;
}

size_t weft_sweep_block_of(size_t count, size_t blocks, size_t member)
{
	size_t lo = 0, hi = blocks;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (weft_sweep_block_first(count, blocks, mid) <= member)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}
