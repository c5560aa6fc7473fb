/* record_line.c - a member's completion record as a line: its head always in one
 * layout, so that most of a large file needn't be taken apart */
#include "journal/line.h"
#include "journal/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_STEP "{\"step\":\""
#define HEAD_INDEX "\",\"index\":"
#define HEAD_MEMBER ",\"member\":\""
#define HEAD_ATTEMPT "\",\"attempt\":"
#define HEAD_STATE ",\"state\":\""
#define HEAD_CODE "\",\"code\":"

/* ---- writing: what is empty or 0 is left out --------------------------- */

static void add_key(struct weft_str *out, const char *key)
{
	weft_str_add(out, ",\"");
	weft_str_add(out, key);
	weft_str_add(out, "\":");
}

static void real(struct weft_str *out, const char *key, double v)
{
	if (!(v > 0) || !isfinite(v))
		return;
	if (v >= 9e9) {
		weft_str_printf(out, ",\"%s\":%.6f", key, v);
		return;
	}
	/* %f is slow, and there are several in each of very many lines. */
	uint64_t us = (uint64_t)(v * 1e6 + 0.5);
	char fraction[7] = ".000000";
	for (uint64_t f = us % 1000000, at = 6; f; f /= 10)
		fraction[at--] = (char)('0' + f % 10);
	add_key(out, key);
	weft_str_add_number(out, us / 1000000);
	weft_str_addn(out, fraction, sizeof(fraction));
}

static void number(struct weft_str *out, const char *key, uint64_t v)
{
	if (!v)
		return;
	add_key(out, key);
	weft_str_add_number(out, v);
}

static void text(struct weft_str *out, const char *key, const char *s)
{
	if (!s || !*s)
		return;
	add_key(out, key);
	line_string(out, s);
}

static void placement(struct weft_str *out, const char *s)
{
	if (!s || !*s)
		return;
	weft_str_add(out, ",\"placement\":");
	for (char mark = '['; *s; mark = ',') {
		size_t n = strcspn(s, "\n");
		weft_autofree char *line = strndup(s, n);

		out->failed |= !line;
		weft_str_addc(out, mark);
		line_string(out, line ? line : "");
		s += n + (s[n] == '\n');
	}
	weft_str_addc(out, ']');
}

static void outputs(struct weft_str *out, const struct weft_record *r)
{
	if (!r->n_outputs)
		return;
	weft_str_add(out, ",\"outputs\":");
	for (size_t i = 0; i < r->n_outputs; i++) {
		const struct weft_record_output *o = &r->output[i];

		weft_str_add(out, i ? ",{\"name\":" : "[{\"name\":");
		line_string(out, o->name ? o->name : "");
		text(out, "path", o->path);
		number(out, "bytes", o->bytes);
		number(out, "files", o->files);
		text(out, "hash", o->hash);
		text(out, "identity", o->identity);
		weft_str_addc(out, '}');
	}
	weft_str_addc(out, ']');
}

static void inputs(struct weft_str *out, const struct weft_record *r)
{
	if (!r->n_inputs)
		return;
	weft_str_add(out, ",\"inputs\":");
	for (size_t i = 0; i < r->n_inputs; i++) {
		weft_str_add(out, i ? ",{\"name\":" : "[{\"name\":");
		line_string(out, r->input[i].name);
		text(out, "hash", r->input[i].hash);
		weft_str_addc(out, '}');
	}
	weft_str_addc(out, ']');
}

void record_line_add(struct weft_str *out, const struct weft_record *r)
{
	size_t from = out->len;

	weft_str_add(out, "{\"step\":");
	line_string(out, r->step);
	weft_str_printf(out, ",\"index\":%zu,\"member\":", r->index);
	line_string(out, r->member);
	weft_str_printf(out, ",\"attempt\":%u,\"state\":\"%s\",\"code\":%d", r->attempt,
		weft_state_name(r->state), (int)r->code);
	if (r->exit_status >= 0)
		weft_str_printf(out, ",\"exit_status\":%d", r->exit_status);
	number(out, "signal", r->signal > 0 ? (uint64_t)r->signal : 0);
	number(out, "round", r->round);
	text(out, "reason", r->reason);
	text(out, "cause", r->cause);
	text(out, "job", r->job);
	text(out, "hosts", r->hosts);
	real(out, "queued", r->queued);
	real(out, "started", r->started);
	real(out, "ended", r->ended);
	real(out, "user_seconds", r->user_seconds);
	real(out, "system_seconds", r->system_seconds);
	number(out, "max_rss", r->max_rss);
	number(out, "staged_in", r->staged_in);
	number(out, "staged_out", r->staged_out);
	real(out, "stage_seconds", r->stage_seconds);
	text(out, "digest", r->digest);
	text(out, "definition", r->definition);
	placement(out, r->placement);
	inputs(out, r);
	outputs(out, r);
	line_close(out, from);
}

/* ---- reading ----------------------------------------------------------- */

struct scan {
	const char *p, *end;
	bool bad;
};

static void expect(struct scan *s, const char *what, size_t n)
{
	if (s->bad || (size_t)(s->end - s->p) < n || memcmp(s->p, what, n))
		s->bad = true;
	else
		s->p += n;
}
#define EXPECT(s, literal) expect(s, literal, sizeof(literal) - 1)

/* Up to the next quote; what has escapes in it is left to JSON. */
static const char *word(struct scan *s, size_t *n)
{
	const char *from = s->p;

	while (!s->bad && s->p < s->end && *s->p != '"' && *s->p != '\\')
		s->p++;
	if (s->p == s->end || *s->p != '"')
		s->bad = true;
	*n = (size_t)(s->p - from);
	return from;
}

static size_t digits(struct scan *s)
{
	const char *from = s->p;
	size_t v = 0;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9' && s->p - from < 15)
		v = v * 10 + (size_t)(*s->p++ - '0');
	if (s->p == from || s->p - from == 15)
		s->bad = true;
	return v;
}

static bool head_of(const char *line, size_t n, struct record_line *l)
{
	struct scan s = {line, line + n, false};
	size_t member_len, state_len, attempt, code;

	EXPECT(&s, HEAD_STEP);
	l->step = word(&s, &l->step_len);
	EXPECT(&s, HEAD_INDEX);
	l->index = digits(&s);
	EXPECT(&s, HEAD_MEMBER);
	l->member = word(&s, &member_len);
	EXPECT(&s, HEAD_ATTEMPT);
	attempt = digits(&s);
	EXPECT(&s, HEAD_STATE);
	const char *state = word(&s, &state_len);
	EXPECT(&s, HEAD_CODE);
	code = digits(&s);
	EXPECT(&s, ",");
	if (s.bad || member_len != WEFT_MEMBER_ID - 1 || attempt > UINT32_MAX ||
		code > WEFT_ESYS || record_state(state, state_len, &l->head.state))
		return false;
	l->head.attempt = (unsigned)attempt;
	l->head.code = (enum weft_code)code;
	return true;
}

/* Any JSON that says the same. */
static bool head_of_json(const json_t *o, struct record_line *l)
{
	const char *state = json_string_value(json_object_get(o, "state"));
	json_int_t index = json_integer_value(json_object_get(o, "index")),
		   attempt = json_integer_value(json_object_get(o, "attempt")),
		   code = json_integer_value(json_object_get(o, "code"));

	l->step = json_string_value(json_object_get(o, "step"));
	l->member = json_string_value(json_object_get(o, "member"));
	if (!l->step || !l->member || strlen(l->member) != WEFT_MEMBER_ID - 1 ||
		!state || index < 0 || attempt < 0 || attempt > UINT32_MAX ||
		code < 0 || code > WEFT_ESYS ||
		record_state(state, strlen(state), &l->head.state))
		return false;
	l->step_len = strlen(l->step);
	l->index = (size_t)index;
	l->head.attempt = (unsigned)attempt;
	l->head.code = (enum weft_code)code;
	return true;
}

bool record_line_head(const char *line, size_t n, struct record_line *l, json_t **keep)
{
	*keep = NULL;
	if (!head_of(line, n, l)) {
		*keep = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
		if (!*keep || !head_of_json(*keep, l))
			return false;
	}
	return weft_state_ended(l->head.state) || l->head.state == WEFT_STATE_NONE;
}

int weft_record_print(
	const struct weft_record *r, struct weft_str *out, struct weft_err *err)
{
	record_line_add(out, r);
	return out->failed ? weft_err_nomem(err) : 0;
}

struct weft_record *weft_record_parse(const char *line, size_t n)
{
	while (n && line[n - 1] == '\n')
		n--;
	return line_is_whole(line, n) ? record_line_read(line, n) : NULL;
}

struct weft_record *record_line_read(const char *line, size_t n)
{
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	struct record_line l;
	struct weft_record *r = o && head_of_json(o, &l) ? record_from_json(o) : NULL;

	json_decref(o);
	return r;
}
