/* roots.c - what staging may read and write, by weft.conf */
#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>

static int refuse(const struct weft_conf *conf, const char *user, const char *key,
	const struct weft_conf_names *roots, const char *path, const char *real,
	struct weft_err *err)
{
	bool read = weft_streq(key, "limits.read_roots");
	weft_autostr struct weft_str list = {0};

	for (size_t i = 0; i < roots->n; i++)
		weft_str_printf(&list, "%s%s", i ? ", " : "", roots->v[i]);
	weft_err_set(err, WEFT_ESTAGE, "%s%s%s%s: weft may not %s there", path,
		weft_streq(path, real) ? "" : " (", weft_streq(path, real) ? "" : real,
		weft_streq(path, real) ? "" : ")", read ? "read" : "write");
	weft_conf_hint_ask(conf, err, "this site lets it %s below %s",
		read ? "read" : "write", list.s ? list.s : "");
	weft_log_refusal(
		&(struct weft_refusal){.user = user, .rule = key, .value = real});
	return -1;
}

static int check(const struct weft_conf *conf, const char *user, bool read,
	const char *path, const char *const *own, size_t n_own, struct weft_err *err)
{
	const struct weft_conf_names *roots;
	struct weft_conf_limits limits;
	weft_autofree char *real = NULL;
	int inside;

	weft_conf_limits(conf, user, &limits);
	roots = read ? &limits.read_roots : &limits.write_roots;
	if (!roots->n)
		return 0;
	inside = weft_stage_within(path, (char *const *)own, n_own, &real, err);
	if (inside == 0) {
		free(real);
		inside = weft_stage_within(path, roots->v, roots->n, &real, err);
	}
	if (inside != 0)
		return inside < 0 ? -1 : 0;
	return refuse(conf, user, read ? "limits.read_roots" : "limits.write_roots",
		roots, path, real, err);
}

int weft_engine_may_read(const struct weft_conf *conf, const char *user,
	const char *path, struct weft_err *err)
{
	return check(conf, user, true, path, NULL, 0, err);
}

int weft_engine_may_write(const struct weft_conf *conf, const char *user,
	const char *path, struct weft_err *err)
{
	return check(conf, user, false, path, NULL, 0, err);
}

/* What the run itself has made is its own. */
static int check_unit(
	const struct unit *u, bool read, const char *path, struct weft_err *err)
{
	const char *const own[] = {u->e->run->dir, u->work};

	if (!u->e->user)
		return 0;
	return check(u->e->conf, u->e->user, read, path, own, WEFT_COUNT(own), err);
}

int unit_may_read(const struct unit *u, const char *path, struct weft_err *err)
{
	return check_unit(u, true, path, err);
}

int unit_may_write(const struct unit *u, const char *path, struct weft_err *err)
{
	return check_unit(u, false, path, err);
}
