/* func.c - the functions of expressions. */
#include "expr/ast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MANY ((size_t)16)

static int needs(struct weft_err *err, const char *func, const char *what,
	const struct weft_value *got)
{
	return weft_err_set(err, WEFT_ESPEC, "%s() needs %s, not %s", func, what,
		weft_value_kind_name(got->kind));
}

/* min() and max() take numbers, lists of numbers, or both. */
static int extreme(const struct weft_value *v, size_t n, bool largest, bool *found,
	const struct weft_value **best, struct weft_err *err)
{
	const char *name = largest ? "max" : "min";

	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == WEFT_V_LIST) {
			if (extreme(v[i].item, v[i].n, largest, found, best, err) != 0)
				return -1;
			continue;
		}
		if (v[i].kind != WEFT_V_NUMBER)
			return needs(err, name, "numbers", &v[i]);
		if (!*found ||
			(largest ? v[i].num > (*best)->num : v[i].num < (*best)->num))
			*best = &v[i];
		*found = true;
	}
	return 0;
}

static int call_extreme(struct weft_value *arg, size_t n, bool largest,
	struct weft_value *out, struct weft_err *err)
{
	const struct weft_value *best = NULL;
	bool found = false;

	if (extreme(arg, n, largest, &found, &best, err) != 0)
		return -1;
	if (!best)
		return weft_err_set(err, WEFT_ESPEC, "%s() of an empty list",
			largest ? "max" : "min");
	return weft_value_copy(out, best) ? weft_err_nomem(err) : 0;
}

static int call_min(
	struct weft_value *arg, size_t n, struct weft_value *out, struct weft_err *err)
{
	return call_extreme(arg, n, false, out, err);
}

static int call_max(
	struct weft_value *arg, size_t n, struct weft_value *out, struct weft_err *err)
{
	return call_extreme(arg, n, true, out, err);
}

static int call_len(
	struct weft_value *arg, size_t n, struct weft_value *out, struct weft_err *err)
{
	size_t len = 0;

	(void)n;
	if (arg->kind == WEFT_V_LIST || arg->kind == WEFT_V_MAP) {
		len = arg->n;
	} else if (arg->kind == WEFT_V_STRING) {
		for (const char *s = arg->str; *s; s++)
			len += ((unsigned char)*s & 0xc0) != 0x80;
	} else {
		return needs(err, "len", "a list, a map or a text", arg);
	}
	return weft_value_set_number(out, (double)len);
}

/* As basename(1): without the folders and without slashes at the end. */
static int call_basename(
	struct weft_value *arg, size_t n, struct weft_value *out, struct weft_err *err)
{
	struct weft_str s = {0};
	size_t end, start;

	(void)n;
	if (arg->kind != WEFT_V_STRING)
		return needs(err, "basename", "a text", arg);
	end = strlen(arg->str);
	while (end > 1 && arg->str[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && arg->str[start - 1] != '/')
		start--;
	if (start == end && end == 1)
		start = 0; /* "/" */
	weft_str_addn(&s, arg->str + start, end - start);
	return weft_value_take_str(out, &s) ? weft_err_nomem(err) : 0;
}

static int call_join(
	struct weft_value *arg, size_t n, struct weft_value *out, struct weft_err *err)
{
	struct weft_str s = {0};

	if (arg[0].kind != WEFT_V_LIST)
		return needs(err, "join", "a list", &arg[0]);
	if (n > 1 && arg[1].kind != WEFT_V_STRING)
		return needs(err, "join", "a text to put between", &arg[1]);
	for (size_t i = 0; i < arg[0].n; i++) {
		if (i)
			weft_str_add(&s, n > 1 ? arg[1].str : " ");
		weft_value_print(&s, &arg[0].item[i]);
	}
	return weft_value_take_str(out, &s) ? weft_err_nomem(err) : 0;
}

static int call_json(
	struct weft_value *arg, size_t n, struct weft_value *out, struct weft_err *err)
{
	struct weft_str s = {0};

	(void)n;
	weft_value_json(&s, arg);
	return weft_value_take_str(out, &s) ? weft_err_nomem(err) : 0;
}

/* One conversion: "%" flags width precision letter.  Returns its length, 0 if it is
 * none of ours: no "*", no "n", no lengths, at most 3 digits each. */
static size_t conversion(const char *s)
{
	size_t i = 1, d;

	i += strspn(s + i, "-+ 0#");
	d = strspn(s + i, "0123456789");
	i += d;
	if (d > 3)
		return 0;
	if (s[i] == '.') {
		d = strspn(s + i + 1, "0123456789");
		i += d + 1;
		if (d > 3)
			return 0;
	}
	return s[i] && strchr("dixXoueEfFgGs", s[i]) ? i + 1 : 0;
}

static int format_one(struct weft_str *out, const char *conv, size_t len,
	const struct weft_value *v, struct weft_err *err)
{
	char fmt[24], last = conv[len - 1];

	if (last == 's') {
		weft_autostr struct weft_str s = {0};

		weft_value_print(&s, v);
		snprintf(fmt, sizeof(fmt), "%.*s", (int)len, conv);
		if (s.failed)
			return weft_err_nomem(err);
		weft_str_printf(out, fmt, s.s ? s.s : "");
		return 0;
	}
	if (v->kind != WEFT_V_NUMBER)
		return needs(err, "format", "a number here", v);
	if (strchr("eEfFgG", last)) {
		snprintf(fmt, sizeof(fmt), "%.*s", (int)len, conv);
		weft_str_printf(out, fmt, v->num);
		return 0;
	}
	if (v->num != trunc(v->num) || fabs(v->num) > 9007199254740992.0) {
		weft_err_set(err, WEFT_ESPEC,
			"format() needs a whole number for '%.*s'", (int)len, conv);
		return weft_err_hint(err, "use %%g");
	}
	if (!strchr("di", last) && v->num < 0)
		return weft_err_set(err, WEFT_ESPEC,
			"format(): '%.*s' of a negative number", (int)len, conv);
	snprintf(fmt, sizeof(fmt), "%.*sll%c", (int)len - 1, conv, last);
	weft_str_printf(out, fmt, (long long)v->num);
	return 0;
}

static int call_format(
	struct weft_value *arg, size_t n, struct weft_value *out, struct weft_err *err)
{
	struct weft_str s = {0};
	size_t used = 1, len;

	if (arg[0].kind != WEFT_V_STRING)
		return needs(err, "format", "a text first", &arg[0]);
	for (const char *p = arg[0].str; *p; p += len) {
		len = strcspn(p, "%");
		if (len) {
			weft_str_addn(&s, p, len);
			continue;
		}
		if (p[1] == '%') {
			weft_str_addc(&s, '%');
			len = 2;
			continue;
		}
		len = conversion(p);
		if (len == 0) {
			weft_err_set(err, WEFT_ESPEC,
				"format(): '%.8s' is no conversion", p);
			weft_err_hint(
				err, "there are d i x X o u e E f F g G s and %%%%");
			goto fail;
		}
		if (used == n) {
			weft_err_set(
				err, WEFT_ESPEC, "format() has more %% than values");
			goto fail;
		}
		if (format_one(&s, p, len, &arg[used++], err) != 0)
			goto fail;
	}
	if (used != n) {
		weft_err_set(err, WEFT_ESPEC, "format() has more values than %%");
		goto fail;
	}
	return weft_value_take_str(out, &s) ? weft_err_nomem(err) : 0;
fail:
	weft_str_free(&s);
	return -1;
}

static const struct weft_func funcs[] = {
	{"default", 2, 2, NULL},
	{"raw", 1, 1, NULL},
	{"min", 1, MANY, call_min},
	{"max", 1, MANY, call_max},
	{"len", 1, 1, call_len},
	{"basename", 1, 1, call_basename},
	{"join", 1, 2, call_join},
	{"format", 1, MANY, call_format},
	{"json", 1, 1, call_json},
};

const struct weft_func *weft_func_find(const char *name)
{
	for (size_t i = 0; i < WEFT_COUNT(funcs); i++)
		if (strcmp(funcs[i].name, name) == 0)
			return &funcs[i];
	return NULL;
}

const char *weft_func_nearest(const char *name)
{
	const char *names[WEFT_COUNT(funcs)];

	for (size_t i = 0; i < WEFT_COUNT(funcs); i++)
		names[i] = funcs[i].name;
	return weft_nearest(name, names, WEFT_COUNT(funcs));
}

bool weft_func_is(const struct weft_func *f, const char *name)
{
	return strcmp(f->name, name) == 0;
}
