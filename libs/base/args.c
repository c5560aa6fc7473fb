/* args.c - argument lists and environments under construction */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add_owned(struct weft_argv *a, char *s)
{
	/* One more than needed, so that the list always ends in NULL. */
	if (!s || a->failed || weft_grow(a->v, a->n + 1, a->cap)) {
		free(s);
		a->failed = true;
		return;
	}
	a->v[a->n++] = s;
	a->v[a->n] = NULL;
}

void weft_argv_add(struct weft_argv *a, const char *s)
{
	add_owned(a, strdup(s));
}

void weft_argv_addf(struct weft_argv *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_owned(a, weft_vprintf(fmt, ap));
	va_end(ap);
}

void weft_argv_free(struct weft_argv *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct weft_argv){0};
}

static bool is_var(const char *entry, const char *name, size_t len)
{
	/* Nearly all differ in their first letter. */
	return *entry == *name && strncmp(entry, name, len) == 0 && entry[len] == '=';
}

int weft_env_copy(struct weft_env *e, char *const *environ_like)
{
	weft_env_free(e);
	for (char *const *p = environ_like; p && *p; p++)
		weft_argv_add(&e->vars, *p);
	/* Empty is a list that ends at once; NULL would mean "ours" to weft_spawn(). */
	if (!e->vars.v && !e->vars.failed && weft_grow(e->vars.v, 0, e->vars.cap) == 0)
		e->vars.v[0] = NULL;
	return e->vars.v && !e->vars.failed ? 0 : -1;
}

int weft_env_set(struct weft_env *e, const char *name, const char *value)
{
	size_t len = strlen(name);
	size_t n = strlen(value) + 1;
	char *entry = malloc(len + 1 + n);

	if (!entry)
		return -1;
	memcpy(entry, name, len);
	entry[len] = '=';
	memcpy(entry + len + 1, value, n);
	for (size_t i = 0; i < e->vars.n; i++) {
		if (is_var(e->vars.v[i], name, len)) {
			free(e->vars.v[i]);
			e->vars.v[i] = entry;
			return 0;
		}
	}
	add_owned(&e->vars, entry);
	return e->vars.failed ? -1 : 0;
}

static void drop(struct weft_env *e, size_t i)
{
	free(e->vars.v[i]);
	memmove(&e->vars.v[i], &e->vars.v[i + 1], (e->vars.n - i) * sizeof(*e->vars.v));
	e->vars.n--;
}

void weft_env_unset(struct weft_env *e, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < e->vars.n;) {
		if (is_var(e->vars.v[i], name, len))
			drop(e, i);
		else
			i++;
	}
}

void weft_env_unset_prefix(struct weft_env *e, const char *prefix)
{
	for (size_t i = 0; i < e->vars.n;) {
		if (weft_starts_with(e->vars.v[i], prefix))
			drop(e, i);
		else
			i++;
	}
}

const char *weft_env_get(const struct weft_env *e, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < e->vars.n; i++)
		if (is_var(e->vars.v[i], name, len))
			return e->vars.v[i] + len + 1;
	return NULL;
}

void weft_env_free(struct weft_env *e)
{
	weft_argv_free(&e->vars);
}
