/* rules.c - what holds: for whom, from where, and what is switched off */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

const struct weft_conf_user *weft_conf_user(const struct weft_conf *c, const char *name)
{
	for (size_t i = 0; name && i < c->n_users; i++)
		if (weft_streq(c->user[i].name, name))
			return &c->user[i];
	return NULL;
}

const struct weft_conf_partition *weft_conf_partition(
	const struct weft_conf *c, const char *name)
{
	for (size_t i = 0; name && i < c->n_partitions; i++)
		if (weft_streq(c->partition[i].name, name))
			return &c->partition[i];
	return NULL;
}

bool weft_conf_names_has(const struct weft_conf_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (weft_streq(names->v[i], name))
			return true;
	return false;
}

void weft_conf_limits(
	const struct weft_conf *c, const char *user, struct weft_conf_limits *out)
{
	const struct weft_conf_user *u = weft_conf_user(c, user);

	*out = c->limits;
	for (size_t i = 0; u && i < conf_n_keys(CONF_LIMITS); i++)
		if (u->limits.line[i])
			conf_limit_copy((int)i, out, &u->limits);
}

int weft_conf_hint_ask(
	const struct weft_conf *c, struct weft_err *err, const char *fmt, ...)
{
	weft_autofree char *allowed = NULL;
	va_list ap;

	va_start(ap, fmt);
	allowed = fmt ? weft_vprintf(fmt, ap) : NULL;
	va_end(ap);
	return weft_err_hint(err, "%s%sask %s", allowed ? allowed : "",
		allowed ? "; " : "", c->contact ? c->contact : "the site's support");
}

static int switched_off(const struct weft_conf *c, unsigned line, const char *what,
	const char *reason, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESLURM, "%s by the site%s%s", what, reason ? ": " : "",
		reason ? reason : "");
	weft_err_at(err, c->policy_file, (struct weft_pos){line, 0}, NULL);
	return weft_conf_hint_ask(c, err, NULL);
}

static unsigned line_of(
	enum conf_place place, const unsigned *line, const char *key_name)
{
	for (size_t i = 0; i < conf_n_keys(place); i++)
		if (weft_streq(conf_key_name(place, (int)i), key_name))
			return line[i];
	return 0;
}

int weft_conf_switched_on(
	const struct weft_conf *c, const char *user, struct weft_err *err)
{
	const struct weft_conf_user *u = weft_conf_user(c, user);
	weft_autofree char *what = NULL;

	if (!c->enabled)
		return switched_off(c, line_of(CONF_TOP, c->line, "enabled"),
			"weft is switched off", c->reason, err);
	if (!u || u->enabled)
		return 0;
	what = weft_printf("weft is switched off for user %s", user);
	return switched_off(c, line_of(CONF_USER, u->limits.line, "enabled"),
		what ? what : "weft is switched off for you", u->reason, err);
}

int weft_conf_partition_on(
	const struct weft_conf *c, const char *partition, struct weft_err *err)
{
	const struct weft_conf_partition *p = weft_conf_partition(c, partition);
	weft_autofree char *what = NULL;

	if (!p || p->enabled)
		return 0;
	what = weft_printf("partition %s is switched off for weft", partition);
	return switched_off(c, line_of(CONF_PARTITION, p->line, "enabled"),
		what ? what : "the partition is switched off for weft", p->reason, err);
}

/* ---- every rule -------------------------------------------------------- */

struct walk {
	const struct weft_conf *conf;
	int (*f)(void *ctx, const struct weft_conf_rule *rule);
	void *ctx;
};

static int tell(const struct walk *w, enum conf_place place, const char *name, int key,
	const void *in, unsigned line)
{
	static const char *const section[CONF_N_PLACES] = {[CONF_LIMITS] = "limits",
		[CONF_PARTITION] = "partition",
		[CONF_ROLE] = "role",
		[CONF_USER] = "user"};
	const char *file =
		conf_key_is_policy(place, key) ? w->conf->policy_file : w->conf->file;
	weft_autostr struct weft_str value = {0};

	conf_key_print(place, key, in, &value);
	if (value.failed)
		return -1;
	return w->f(w->ctx, &(struct weft_conf_rule){section[place], name,
				    conf_key_name(place, key), value.s ? value.s : "",
				    line ? file : NULL, line});
}

/* all: also what nobody set. */
static int tell_all(const struct walk *w, enum conf_place place, const char *name,
	const void *in, const unsigned *line, bool all)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < conf_n_keys(place); i++)
		if (all || line[i])
			rc = tell(w, place, name, (int)i, in, line[i]);
	return rc;
}

static int tell_role(
	const struct walk *w, const char *name, const struct weft_conf_role *r)
{
	int rc = tell_all(w, CONF_ROLE, name, r, r->line, false);

	for (size_t k = 0; rc == 0 && k < r->n_env; k++) {
		weft_autofree char *key = weft_printf("env.%s", r->env[k].name);

		rc = !key ? -1
			  : w->f(w->ctx, &(struct weft_conf_rule){"role", name, key,
						 r->env[k].value, w->conf->file,
						 r->env[k].line});
	}
	return rc;
}

static int tell_partitions_and_roles(const struct walk *w)
{
	const struct weft_conf *c = w->conf;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n_partitions; i++)
		rc = tell_all(w, CONF_PARTITION, c->partition[i].name, &c->partition[i],
			c->partition[i].line, false);
	for (size_t i = 0; rc == 0 && i < WEFT_CONF_ROLES; i++)
		rc = tell_role(w, weft_conf_roles[i], &c->role[i]);
	return rc;
}

static int tell_user(const struct walk *w, const struct weft_conf_user *u)
{
	return tell_all(w, CONF_USER, u->name, u, u->limits.line, false);
}

int weft_conf_each_rule(const struct weft_conf *c,
	int (*f)(void *ctx, const struct weft_conf_rule *rule), void *ctx)
{
	struct walk w = {c, f, ctx};
	int rc = tell_all(&w, CONF_TOP, NULL, c, c->line, true);

	if (rc == 0)
		rc = tell_all(&w, CONF_LIMITS, NULL, &c->limits, c->limits.line, true);
	if (rc == 0)
		rc = tell_partitions_and_roles(&w);
	for (size_t i = 0; rc == 0 && i < c->n_users; i++)
		rc = tell_user(&w, &c->user[i]);
	return rc;
}

/* A user's keys replace those of [limits]; each is told once. */
static int tell_limits_of(const struct walk *w, const struct weft_conf_user *u)
{
	const struct weft_conf *c = w->conf;
	size_t n = conf_n_keys(CONF_LIMITS);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (!u || !u->limits.line[i])
			rc = tell(w, CONF_LIMITS, NULL, (int)i, &c->limits,
				c->limits.line[i]);
	return rc == 0 && u ? tell_user(w, u) : rc;
}

int weft_conf_each_rule_of(const struct weft_conf *c, const char *user,
	int (*f)(void *ctx, const struct weft_conf_rule *rule), void *ctx)
{
	struct walk w = {c, f, ctx};
	int rc = tell_all(&w, CONF_TOP, NULL, c, c->line, true);

	if (rc == 0)
		rc = tell_limits_of(&w, weft_conf_user(c, user));
	return rc ? rc : tell_partitions_and_roles(&w);
}
