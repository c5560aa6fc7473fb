#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char weft_version[] = WEFT_VERSION;

static void set_text(char **slot, char *text)
{
	free(*slot);
	*slot = text;
}

int weft_err_vset(
	struct weft_err *err, enum weft_code code, const char *fmt, va_list ap)
{
	int keep = errno;

	if (err) {
		/* The old text may be among the arguments. */
		char *text = weft_vprintf(fmt, ap);

		weft_err_clear(err);
		err->code = code;
		err->text = text;
	}
	errno = keep;
	return -1;
}

int weft_err_set(struct weft_err *err, enum weft_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	weft_err_vset(err, code, fmt, ap);
	va_end(ap);
	return -1;
}

int weft_err_sys(struct weft_err *err, enum weft_code code, const char *fmt, ...)
{
	int keep = errno;

	if (err) {
		va_list ap;

		va_start(ap, fmt);
		char *what = weft_vprintf(fmt, ap);
		va_end(ap);
		weft_err_clear(err);
		err->code = code;
		err->sys = keep;
		err->text = weft_printf("%s: %s", what ? what : "?", strerror(keep));
		free(what);
	}
	errno = keep;
	return -1;
}

int weft_err_nomem(struct weft_err *err)
{
	errno = ENOMEM;
	return weft_err_set(err, WEFT_ESYS, "out of memory");
}

int weft_err_at(
	struct weft_err *err, const char *file, struct weft_pos pos, const char *path)
{
	int keep = errno;

	if (err) {
		if (file)
			set_text(&err->file, strdup(file));
		if (pos.line)
			err->pos = pos;
		if (path)
			set_text(&err->path, strdup(path));
	}
	errno = keep;
	return -1;
}

int weft_err_hint(struct weft_err *err, const char *fmt, ...)
{
	int keep = errno;

	if (err) {
		va_list ap;

		va_start(ap, fmt);
		set_text(&err->hint, weft_vprintf(fmt, ap));
		va_end(ap);
	}
	errno = keep;
	return -1;
}

int weft_err_prefix(struct weft_err *err, const char *fmt, ...)
{
	int keep = errno;

	if (err) {
		va_list ap;

		va_start(ap, fmt);
		char *what = weft_vprintf(fmt, ap);
		va_end(ap);
		if (what) {
			char *text = weft_printf("%s: %s", what,
				err->text ? err->text : "out of memory");
			if (text)
				set_text(&err->text, text);
			free(what);
		}
	}
	errno = keep;
	return -1;
}

void weft_err_clear(struct weft_err *err)
{
	if (!err)
		return;
	free(err->file);
	free(err->path);
	free(err->text);
	free(err->hint);
	*err = (struct weft_err){0};
}

void weft_err_move(struct weft_err *dst, struct weft_err *src)
{
	if (dst == src)
		return;
	if (dst) {
		weft_err_clear(dst);
		*dst = *src;
		*src = (struct weft_err){0};
	} else {
		weft_err_clear(src);
	}
}

char *weft_err_line(const struct weft_err *err)
{
	struct weft_str b = {0};

	if (err->file) {
		weft_str_add(&b, err->file);
		if (err->pos.line)
			weft_str_printf(&b, ":%u", err->pos.line);
		if (err->pos.line && err->pos.col)
			weft_str_printf(&b, ":%u", err->pos.col);
		weft_str_add(&b, ": ");
	}
	if (err->path)
		weft_str_printf(&b, "%s: ", err->path);
	weft_str_add(&b, err->text ? err->text : "out of memory");
	if (err->hint)
		weft_str_printf(&b, " (%s)", err->hint);
	return weft_str_take(&b);
}

void weft_errs_add(struct weft_errs *errs, struct weft_err *err)
{
	size_t max = errs->max ? errs->max : 20;

	errs->total++;
	if (errs->n < max) {
		struct weft_err *v = reallocarray(errs->v, errs->n + 1, sizeof(*v));
		if (v) {
			errs->v = v;
			v[errs->n++] = *err;
			*err = (struct weft_err){0};
			return;
		}
	}
	weft_err_clear(err);
}

void weft_errs_clear(struct weft_errs *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		weft_err_clear(&errs->v[i]);
	free(errs->v);
	errs->v = NULL;
	errs->n = errs->total = 0;
}
