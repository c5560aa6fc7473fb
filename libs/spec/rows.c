/* rows.c - members that no axes make: rows of a file, members added while it runs. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

#define MAX_FILE ((size_t)1 << 30)

/*
 * A cell is a text and what it means: as a plain scalar says it, a quoted text, or
 * JSON. The cells of a row follow each other, each with its NUL.
 */
enum { PLAIN = 'p', QUOTED = 'q', JSON = 'j' };

struct weft_rows {
	struct weft_axis *axis; /* the columns */
	size_t n_axes;
	char *text;
	size_t len, cap_text;
	size_t *at; /* where each row begins */
	size_t n, cap_at;
	struct spec_index *index;
};

void spec_rows_free(struct weft_rows *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->axis && i < r->n_axes; i++)
		free((char *)r->axis[i].name);
	free(r->axis);
	free(r->text);
	free(r->at);
	spec_index_free(r->index);
	free(r);
}

struct spec_index **spec_rows_index(struct weft_rows *r)
{
	return &r->index;
}

size_t spec_rows_count(const struct weft_rows *r)
{
	return r->n;
}

struct weft_axis *spec_rows_axes(const struct weft_rows *r, size_t *n)
{
	*n = r->n_axes;
	return r->axis;
}

static int add_cell(struct weft_rows *r, char kind, const char *s, size_t n)
{
	while (r->cap_text - r->len < n + 2) {
		size_t cap = r->cap_text ? r->cap_text * 2 : 4096;
		char *more = realloc(r->text, cap);

		if (!more)
			return -1;
		r->text = more;
		r->cap_text = cap;
	}
	r->text[r->len++] = kind;
	memcpy(r->text + r->len, s, n);
	r->len += n;
	r->text[r->len++] = '\0';
	return 0;
}

static int begin_row(struct weft_rows *r)
{
	if (weft_grow(r->at, r->n, r->cap_at) < 0)
		return -1;
	r->at[r->n++] = r->len;
	return 0;
}

static const char *cell_of(const struct weft_rows *r, size_t row, size_t column)
{
	const char *s = r->text + r->at[row];

	while (column--)
		s += strlen(s) + 1;
	return s;
}

static int add_value(struct weft_rows *r, const struct weft_value *v)
{
	weft_autostr struct weft_str s = {0};

	if (v->kind == WEFT_V_STRING)
		return add_cell(r, QUOTED, v->str, strlen(v->str));
	bool plain = v->kind == WEFT_V_NUMBER || v->kind == WEFT_V_BOOL;
	if ((plain ? weft_value_print(&s, v) : weft_value_json(&s, v)) || s.failed)
		return -1;
	return add_cell(r, plain ? PLAIN : JSON, s.s ? s.s : "", s.len);
}

int spec_rows_value(
	const struct weft_rows *r, size_t row, size_t column, struct weft_value *out)
{
	const char *s = cell_of(r, row, column);
	weft_autoerr struct weft_err err = {0};

	if (*s == JSON)
		return weft_spec_json(s + 1, strlen(s + 1), out, &err);
	return weft_value_from_text(out, s + 1, *s == QUOTED);
}

/* ---- files --------------------------------------------------------------- */

struct reading {
	struct weft_rows *r;
	const char *file, *at, *end;
	unsigned line;
	size_t max;
	struct weft_map ids; /* of rows, to find one that comes twice */
	struct weft_arena id_text;
	struct weft_err *err;
};

static int at_line(struct reading *f, unsigned line, const char *hint)
{
	if (hint)
		weft_err_hint(f->err, "%s", hint);
	return weft_err_at(f->err, f->file, (struct weft_pos){line, 1}, NULL);
}

static int add_column(struct reading *f, const char *name, size_t n, unsigned line)
{
	struct weft_rows *r = f->r;
	struct weft_axis *more = realloc(r->axis, (r->n_axes + 1) * sizeof(*r->axis));

	if (!more)
		return weft_err_nomem(f->err);
	r->axis = more;
	char *own = strndup(name, n);
	if (!own)
		return weft_err_nomem(f->err);
	r->axis[r->n_axes++] = (struct weft_axis){.name = own, .pos = {line, 1}};
	if (!spec_is_ident(own)) {
		weft_err_set(f->err, WEFT_ESPEC, "`%s` is not a valid name of a column",
			own);
		return at_line(f, line, "letters, digits and `_`, no digit first");
	}
	for (size_t i = 0; i + 1 < r->n_axes; i++)
		if (!strcasecmp(r->axis[i].name, own)) {
			weft_err_set(f->err, WEFT_ESPEC,
				"the column `%s` is there twice", own);
			return at_line(f, line, NULL);
		}
	return 0;
}

/* A row was added: is it within bounds, and new? */
static int check_row(struct reading *f, unsigned line)
{
	weft_autostr struct weft_str json = {0};
	struct weft_rows *r = f->r;
	struct weft_value row = {.kind = WEFT_V_MAP, .n = r->n_axes};
	weft_autofree char **name = calloc(r->n_axes, sizeof(*name));
	char hex[WEFT_DIGEST_HEX];
	size_t other;
	int rc = -1;

	if (r->n > f->max) {
		weft_err_set(f->err, WEFT_ESPEC, "has more than %zu rows", f->max);
		return at_line(f, line,
			f->max < SPEC_MAX_MEMBERS ? "raise `max` of the sweep" : NULL);
	}
	row.item = calloc(r->n_axes, sizeof(*row.item));
	row.name = name;
	if (!row.item || !name)
		goto nomem;
	for (size_t i = 0; i < r->n_axes; i++) {
		name[i] = (char *)r->axis[i].name;
		if (spec_rows_value(r, r->n - 1, i, &row.item[i]))
			goto nomem;
	}
	if (spec_canonical(&json, &row))
		goto nomem;
	weft_digest(json.s, json.len, hex);
	char *id = weft_arena_strndup(&f->id_text, hex, WEFT_ID_DIGITS);
	int new = id ? weft_map_add(&f->ids, id, line, &other) : -1;
	if (new < 0)
		goto nomem;
	rc = 0;
	if (!new) {
		weft_err_set(
			f->err, WEFT_ESPEC, "is the same point as line %zu", other);
		rc = at_line(f, line, "for repetitions, add a column of seeds");
	}
	goto out;
nomem:
	weft_err_nomem(f->err);
out:
	for (size_t i = 0; row.item && i < r->n_axes; i++)
		weft_value_clear(&row.item[i]);
	free(row.item);
	return rc;
}

/* One cell; *more: another follows on this line. */
static int read_cell(struct reading *f, struct weft_str *cell, bool *quoted, bool *more)
{
	unsigned line = f->line;

	cell->len = 0;
	while (f->at < f->end && (*f->at == ' ' || *f->at == '\t'))
		f->at++;
	*quoted = f->at < f->end && *f->at == '"';
	if (*quoted) {
		for (f->at++;; f->at++) {
			if (f->at >= f->end) {
				weft_err_set(
					f->err, WEFT_ESPEC, "a quote is not closed");
				return at_line(f, line, NULL);
			}
			if (*f->at == '"' && (f->at + 1 == f->end || f->at[1] != '"'))
				break;
			f->at += *f->at == '"';
			f->line += *f->at == '\n';
			weft_str_addc(cell, *f->at);
		}
		f->at++;
		while (f->at < f->end && (*f->at == ' ' || *f->at == '\t'))
			f->at++;
		if (f->at < f->end && !strchr(",\r\n", *f->at)) {
			weft_err_set(
				f->err, WEFT_ESPEC, "text follows a closing quote");
			return at_line(f, f->line,
				"inside of quotes a quote is written twice");
		}
	} else {
		const char *from = f->at;

		while (f->at < f->end && *f->at != ',' && *f->at != '\n')
			f->at++;
		size_t n = (size_t)(f->at - from);
		while (n && strchr(" \t\r", from[n - 1]))
			n--;
		weft_str_addn(cell, from, n);
		if (memchr(from, '"', n)) {
			weft_err_set(
				f->err, WEFT_ESPEC, "a quote stands inside of a value");
			return at_line(f, f->line, "put the whole value in quotes");
		}
	}
	if (memchr(cell->s ? cell->s : "", '\0', cell->len)) {
		weft_err_set(f->err, WEFT_ESPEC, "has a NUL byte");
		return at_line(f, f->line, NULL);
	}
	*more = f->at < f->end && *f->at == ',';
	if (f->at < f->end && *f->at == '\r')
		f->at++;
	if (f->at < f->end && !*more && *f->at != '\n') {
		weft_err_set(f->err, WEFT_ESPEC, "a carriage return stands in a line");
		return at_line(f, f->line, NULL);
	}
	if (f->at < f->end)
		f->line += *f->at++ == '\n';
	return cell->failed ? weft_err_nomem(f->err) : 0;
}

static bool blank_line(struct reading *f)
{
	const char *p = f->at;

	while (p < f->end && strchr(" \t\r", *p))
		p++;
	if (p < f->end && *p != '\n')
		return false;
	f->at = p < f->end ? p + 1 : p;
	f->line++;
	return true;
}

static int read_csv(struct reading *f)
{
	weft_autostr struct weft_str cell = {0};
	bool quoted, more = true;

	while (f->at < f->end && blank_line(f))
		;
	for (unsigned line = f->line; more && f->at < f->end;) {
		if (read_cell(f, &cell, &quoted, &more) ||
			add_column(f, cell.s ? cell.s : "", cell.len, line))
			return -1;
	}
	while (f->at < f->end) {
		unsigned line = f->line;
		size_t column = 0;
		bool extra = false;

		if (blank_line(f))
			continue;
		if (begin_row(f->r))
			return weft_err_nomem(f->err);
		for (more = true; more; column++) {
			if (read_cell(f, &cell, &quoted, &more))
				return -1;
			extra = column == f->r->n_axes;
			if (extra)
				break;
			if (!quoted && !cell.len) {
				weft_err_set(f->err, WEFT_ESPEC, "`%s` has no value",
					f->r->axis[column].name);
				return at_line(
					f, line, "an empty text is written as \"\"");
			}
			if (add_cell(f->r, quoted ? QUOTED : PLAIN,
				    cell.s ? cell.s : "", cell.len))
				return weft_err_nomem(f->err);
		}
		if (column != f->r->n_axes || extra) {
			weft_err_set(f->err, WEFT_ESPEC,
				"has %s than the %zu values that the first line names",
				column < f->r->n_axes ? "fewer" : "more", f->r->n_axes);
			return at_line(f, line, NULL);
		}
		if (check_row(f, line))
			return -1;
	}
	return 0;
}

static int add_object(struct reading *f, const struct weft_value *row, unsigned line)
{
	struct weft_rows *r = f->r;

	for (size_t i = 0; !r->n && i < row->n; i++)
		if (add_column(f, row->name[i], strlen(row->name[i]), line))
			return -1;
	if (begin_row(r))
		return weft_err_nomem(f->err);
	for (size_t a = 0; a < r->n_axes; a++) {
		size_t i = 0;

		while (i < row->n && !weft_streq(row->name[i], r->axis[a].name))
			i++;
		if (i == row->n || row->item[i].kind == WEFT_V_NULL) {
			weft_err_set(f->err, WEFT_ESPEC, "`%s` has no value",
				r->axis[a].name);
			return at_line(f, line, NULL);
		}
		if (add_value(r, &row->item[i]))
			return weft_err_nomem(f->err);
	}
	if (row->n > r->n_axes) {
		weft_err_set(f->err, WEFT_ESPEC,
			"has more than the %zu values of the first line", r->n_axes);
		return at_line(f, line, NULL);
	}
	return check_row(f, line);
}

static int read_lines(struct reading *f)
{
	for (; f->at < f->end; f->line++) {
		const char *nl = memchr(f->at, '\n', (size_t)(f->end - f->at));
		size_t n = (size_t)((nl ? nl : f->end) - f->at);
		const char *line = f->at;
		struct weft_value row;

		f->at = nl ? nl + 1 : f->end;
		while (n && strchr(" \t\r", line[n - 1]))
			n--;
		if (!n)
			continue;
		if (weft_spec_json(line, n, &row, f->err))
			return at_line(f, f->line, NULL);
		int rc = -1;
		if (row.kind != WEFT_V_MAP || !row.n) {
			weft_err_set(f->err, WEFT_ESPEC, "is no object with values");
			at_line(f, f->line, "a line is a member: {\"x\": 0.1}");
		} else {
			rc = add_object(f, &row, f->line);
		}
		weft_value_clear(&row);
		if (rc)
			return -1;
	}
	return 0;
}

int spec_rows_read(
	const char *path, size_t max, struct weft_rows **rows, struct weft_err *err)
{
	weft_autofree char *text = NULL;
	struct reading f = {.file = path,
		.line = 1,
		.max = max ? max : SPEC_MAX_MEMBERS,
		.err = err};
	size_t n, len = strlen(path);
	int rc = -1;

	*rows = NULL;
	if (weft_read_file(path, MAX_FILE, &text, &n, err))
		return -1;
	f.r = calloc(1, sizeof(*f.r));
	if (!f.r)
		return weft_err_nomem(err);
	f.at = text;
	f.end = text + n;
	if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		f.at += 3;
	if (len > 6 && !strcmp(path + len - 6, ".jsonl"))
		rc = read_lines(&f);
	else if (len > 4 && !strcmp(path + len - 4, ".csv"))
		rc = read_csv(&f);
	else {
		weft_err_set(
			err, WEFT_ESPEC, "%s is neither a .csv nor a .jsonl", path);
		weft_err_hint(err, "name the file by what is in it");
	}
	weft_map_free(&f.ids);
	weft_arena_free(&f.id_text);
	if (rc == 0)
		*rows = weft_steal(&f.r);
	spec_rows_free(f.r);
	return rc;
}

/* ---- sweeps that grow ---------------------------------------------------- */

/* {each: STEP}, whose members these are as well. */
static void tell_followers(const struct weft_workflow *wf, unsigned root)
{
	const struct weft_sweep *of = &wf->step[root].sweep;

	for (size_t i = 0; i < wf->n_steps; i++) {
		struct weft_sweep *s = &wf->step[i].sweep;

		if (i == root || s->kind != WEFT_SWEEP_EACH || s->root != root)
			continue;
		s->axis = of->axis;
		s->n_axes = of->n_axes;
		s->rows = of->rows;
		s->fixed = of->fixed;
		s->count = of->count;
		s->growing = of->growing;
		s->broken = of->broken;
	}
}

int weft_sweep_read(const struct weft_workflow *wf, unsigned step, const char *path,
	struct weft_err *err)
{
	struct weft_sweep *s = &wf->step[step].sweep;
	struct weft_rows *rows;

	if (spec_rows_read(path, s->most, &rows, err))
		return -1;
	s->rows = rows;
	s->axis = rows->axis;
	s->n_axes = rows->n_axes;
	s->fixed = 0;
	s->count = rows->n;
	s->growing = false;
	tell_followers(wf, step);
	return 0;
}

int weft_sweep_id(const struct weft_value *params, char id[WEFT_MEMBER_ID])
{
	weft_autostr struct weft_str json = {0};
	char hex[WEFT_DIGEST_HEX];

	if (spec_canonical(&json, params) || json.failed)
		return -1;
	weft_digest(json.s, json.len, hex);
	memcpy(id, hex, WEFT_ID_DIGITS);
	id[WEFT_ID_DIGITS] = '\0';
	return 0;
}

static int check_params(const struct weft_step *step, const struct weft_value *params,
	const struct weft_value **value, struct weft_err *err)
{
	const struct weft_sweep *s = &step->sweep;

	for (size_t a = 0; a < s->n_axes; a++) {
		value[a] = NULL;
		for (size_t i = 0; i < params->n; i++)
			if (weft_streq(params->name[i], s->axis[a].name))
				value[a] = &params->item[i];
		if (!value[a] || value[a]->kind == WEFT_V_NULL)
			return weft_err_set(
				err, WEFT_ESPEC, "`%s` has no value", s->axis[a].name);
	}
	for (size_t i = 0; i < params->n; i++) {
		size_t a = 0;

		while (a < s->n_axes && !weft_streq(params->name[i], s->axis[a].name))
			a++;
		if (a == s->n_axes)
			return weft_err_set(err, WEFT_ESPEC,
				"the sweep has no axis `%s`", params->name[i]);
	}
	return params->n == s->n_axes
		       ? 0
		       : weft_err_set(err, WEFT_ESPEC, "an axis is there twice");
}

int weft_sweep_check(const struct weft_workflow *wf, unsigned step,
	const struct weft_value *params, struct weft_err *err)
{
	const struct weft_sweep *s = &wf->step[step].sweep;
	weft_autofree const struct weft_value **value =
		calloc(s->n_axes + 1, sizeof(*value));

	if (!value)
		return weft_err_nomem(err);
	if (params->kind != WEFT_V_MAP)
		return weft_err_set(err, WEFT_ESPEC, "params are an object");
	if (check_params(&wf->step[step], params, value, err))
		return -1;
	if (s->count >= s->most)
		return weft_err_set(
			err, WEFT_ESPEC, "there are %zu members already", s->most);
	return 0;
}

int weft_sweep_add(const struct weft_workflow *wf, unsigned step,
	const struct weft_value *params, size_t *index, struct weft_err *err)
{
	struct weft_sweep *s = &wf->step[step].sweep;
	weft_autofree const struct weft_value **value =
		calloc(s->n_axes + 1, sizeof(*value));

	if (!value || (!s->rows && !(s->rows = calloc(1, sizeof(*s->rows)))))
		return weft_err_nomem(err);
	if (weft_sweep_check(wf, step, params, err) ||
		check_params(&wf->step[step], params, value, err))
		return -1;
	size_t len = s->rows->len;
	if (begin_row(s->rows))
		return weft_err_nomem(err);
	for (size_t a = 0; a < s->n_axes; a++)
		if (add_value(s->rows, value[a])) {
			s->rows->n--;
			s->rows->len = len;
			return weft_err_nomem(err);
		}
	*index = s->count++;
	tell_followers(wf, step);
	return 0;
}

void weft_sweep_end(const struct weft_workflow *wf, unsigned step)
{
	wf->step[step].sweep.growing = false;
	tell_followers(wf, step);
}

int weft_sweep_break(const struct weft_workflow *wf, unsigned step, const char *why)
{
	struct weft_sweep *s = &wf->step[step].sweep;

	free(s->broken);
	s->broken = strdup(why);
	s->growing = false;
	tell_followers(wf, step);
	return s->broken ? 0 : -1;
}
