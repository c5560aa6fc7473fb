#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

enum kind {
	KIND_YESNO,
	KIND_BIND,
	KIND_ABSOLUTE, /* path from the root, without ".." */
	KIND_RUN_DIR,  /* path, also relative or from "~/" */
	KIND_MPI,
	KIND_WORD, /* an argument of sbatch: no blanks, no leading dash */
	KIND_DURATION,
	KIND_SIZE,
	KIND_NAMES, /* names between commas or blanks */
};

struct key {
	const char *name;
	enum kind kind;
	size_t at;
};

static const struct key top_keys[] = {
	{"enabled", KIND_YESNO, offsetof(struct weft_conf, enabled)},
	{"command", KIND_ABSOLUTE, offsetof(struct weft_conf, command)},
	{"mpi", KIND_MPI, offsetof(struct weft_conf, mpi)},
	{"scratch", KIND_ABSOLUTE, offsetof(struct weft_conf, scratch)},
	{"memory", KIND_ABSOLUTE, offsetof(struct weft_conf, memory)},
	{"cache", KIND_ABSOLUTE, offsetof(struct weft_conf, cache)},
	{"run_dir", KIND_RUN_DIR, offsetof(struct weft_conf, run_dir)},
	{"bind", KIND_BIND, offsetof(struct weft_conf, bind)},
	{"time", KIND_DURATION, offsetof(struct weft_conf, time)},
	{"avoid", KIND_NAMES, offsetof(struct weft_conf, avoid)},
};

static const struct key role_keys[] = {
	{"partition", KIND_WORD, offsetof(struct weft_conf_role, partition)},
	{"qos", KIND_WORD, offsetof(struct weft_conf_role, qos)},
	{"account", KIND_WORD, offsetof(struct weft_conf_role, account)},
	{"constraint", KIND_WORD, offsetof(struct weft_conf_role, constraint)},
	{"setup", KIND_ABSOLUTE, offsetof(struct weft_conf_role, setup)},
	{"time", KIND_DURATION, offsetof(struct weft_conf_role, time)},
	{"mem_per_cpu", KIND_SIZE, offsetof(struct weft_conf_role, mem_per_cpu)},
};

static const struct {
	const struct key *key;
	size_t n;
} tables[] = {
	[CONF_TOP] = {top_keys, WEFT_COUNT(top_keys)},
	[CONF_ROLE] = {role_keys, WEFT_COUNT(role_keys)},
};

_Static_assert(WEFT_COUNT(top_keys) <= CONF_MAX_KEYS, "a bit a key");
_Static_assert(WEFT_COUNT(role_keys) <= CONF_MAX_KEYS, "a bit a key");

int conf_key_find(enum conf_place place, const char *name, struct weft_err *err)
{
	enum conf_place other = place == CONF_TOP ? CONF_ROLE : CONF_TOP;
	const char *names[CONF_MAX_KEYS + 1];
	size_t n = tables[place].n;
	const char *near;

	for (size_t i = 0; i < n; i++) {
		if (weft_streq(tables[place].key[i].name, name))
			return (int)i;
		names[i] = tables[place].key[i].name;
	}
	weft_err_set(err, WEFT_ECONF, "unknown key '%s'", name);
	for (size_t i = 0; i < tables[other].n; i++) {
		if (!weft_streq(tables[other].key[i].name, name))
			continue;
		return weft_err_hint(
			err, place == CONF_TOP
				     ? "it belongs below a [role NAME] line"
				     : "it belongs above the first [role NAME] line");
	}
	if (place == CONF_TOP && weft_starts_with(name, "env."))
		return weft_err_hint(err, "it belongs below a [role NAME] line");
	near = weft_nearest(name, names, n);
	if (near)
		return weft_err_hint(err, "did you mean '%s'?", near);
	return weft_err_hint(err, "see weft.conf(5) for the keys");
}

int conf_dup(char **to, const char *value, struct weft_err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return weft_err_nomem(err);
	free(*to);
	*to = copy;
	return 0;
}

static int choice(const char *name, const char *value, const char *yes, const char *no,
	bool *out, struct weft_err *err)
{
	if (!weft_streq(value, yes) && !weft_streq(value, no))
		return weft_err_set(err, WEFT_ECONF, "%s is %s or %s, not '%s'", name,
			yes, no, value);
	*out = weft_streq(value, yes);
	return 0;
}

/* ".." is refused: root makes and removes folders below some of these paths. */
static bool has_dotdot(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '\0' || p[2] == '/'))
			return true;
	return false;
}

static int set_path(
	const struct key *k, char **to, const char *value, struct weft_err *err)
{
	if (k->kind == KIND_ABSOLUTE && value[0] != '/')
		return weft_err_set(err, WEFT_ECONF, "%s is an absolute path, not '%s'",
			k->name, value);
	if (has_dotdot(value))
		return weft_err_set(
			err, WEFT_ECONF, "%s: '..' in '%s'", k->name, value);
	if (conf_dup(to, value, err))
		return -1;
	/* Compared and printed as written once: no slash at the end. */
	for (size_t n = strlen(*to); n > 1 && (*to)[n - 1] == '/'; n--)
		(*to)[n - 1] = '\0';
	return 0;
}

static bool is_word(const char *value)
{
	return value[0] != '-' && !strpbrk(value, " \t\"'\\;$`");
}

static int set_word(
	const struct key *k, char **to, const char *value, struct weft_err *err)
{
	if (!is_word(value))
		return weft_err_set(
			err, WEFT_ECONF, "%s: bad value '%s'", k->name, value);
	return conf_dup(to, value, err);
}

static int set_mpi(char **to, const char *value, struct weft_err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	if (value[strspn(value, allowed)])
		return weft_err_set(err, WEFT_ECONF,
			"mpi is a type that 'srun --mpi=list' names, not '%s'", value);
	if (weft_streq(value, "none")) {
		weft_err_set(err, WEFT_ECONF,
			"mpi = none starts every task as a rank 0 of its own");
		return weft_err_hint(err, "use a type that 'srun --mpi=list' names, or "
					  "leave mpi out to have weft probe");
	}
	return conf_dup(to, value, err);
}

static int set_duration(
	const struct key *k, int64_t *to, const char *value, struct weft_err *err)
{
	const char *why = NULL;

	if (!weft_parse_duration(value, to, &why))
		return weft_err_set(err, WEFT_ECONF, "%s: bad duration '%s': %s",
			k->name, value, why);
	if (*to <= 0)
		return weft_err_set(err, WEFT_ECONF, "%s must be more than 0", k->name);
	return 0;
}

static int set_size(
	const struct key *k, uint64_t *to, const char *value, struct weft_err *err)
{
	const char *why = NULL;

	if (!weft_parse_size(value, to, &why))
		return weft_err_set(
			err, WEFT_ECONF, "%s: bad size '%s': %s", k->name, value, why);
	if (*to == 0)
		return weft_err_set(err, WEFT_ECONF, "%s must be more than 0", k->name);
	return 0;
}

static int set_avoid(struct weft_conf *conf, const char *value, struct weft_err *err)
{
	static const char blank[] = ", \t";
	weft_autofree char *copy = strdup(value);
	char *save = NULL;
	size_t cap = 0;

	if (!copy)
		return weft_err_nomem(err);
	for (char *w = strtok_r(copy, blank, &save); w;
		w = strtok_r(NULL, blank, &save)) {
		if (!is_word(w))
			return weft_err_set(
				err, WEFT_ECONF, "avoid: bad partition name '%s'", w);
		if (weft_grow(conf->avoid, conf->n_avoid, cap))
			return weft_err_nomem(err);
		conf->avoid[conf->n_avoid] = strdup(w);
		if (!conf->avoid[conf->n_avoid])
			return weft_err_nomem(err);
		conf->n_avoid++;
	}
	if (!conf->n_avoid)
		return weft_err_set(err, WEFT_ECONF, "avoid names no partition");
	return 0;
}

int conf_key_set(enum conf_place place, int key, void *into, const char *value,
	struct weft_err *err)
{
	const struct key *k = &tables[place].key[key];
	void *at = (char *)into + k->at;

	if (!*value) {
		weft_err_set(err, WEFT_ECONF, "%s has no value", k->name);
		return weft_err_hint(err, "leave the line out to have the default");
	}
	switch (k->kind) {
	case KIND_YESNO:
		return choice(k->name, value, "yes", "no", at, err);
	case KIND_BIND:
		return choice(k->name, value, "auto", "none", at, err);
	case KIND_ABSOLUTE:
	case KIND_RUN_DIR:
		return set_path(k, at, value, err);
	case KIND_MPI:
		return set_mpi(at, value, err);
	case KIND_WORD:
		return set_word(k, at, value, err);
	case KIND_DURATION:
		return set_duration(k, at, value, err);
	case KIND_SIZE:
		return set_size(k, at, value, err);
	case KIND_NAMES:
		return set_avoid(into, value, err);
	}
	return -1;
}

static bool is_env_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz_0123456789";

	return *name && !(*name >= '0' && *name <= '9') && !name[strspn(name, allowed)];
}

int conf_env_set(struct weft_conf_role *role, const char *name, const char *value,
	unsigned line, struct weft_err *err)
{
	struct weft_conf_env *e;

	if (!is_env_name(name))
		return weft_err_set(err, WEFT_ECONF,
			"'%s' cannot be the name of an environment variable", name);
	if (weft_starts_with(name, "WEFT_"))
		return weft_err_set(
			err, WEFT_ECONF, "%s: names with WEFT_ are set by weft", name);
	for (size_t i = 0; i < role->n_env; i++)
		if (weft_streq(role->env[i].name, name))
			return weft_err_set(
				err, WEFT_ECONF, "env.%s is repeated", name);
	if (role->n_env == CONF_MAX_ENV)
		return weft_err_set(err, WEFT_ECONF, "more than %d env lines in a role",
			CONF_MAX_ENV);
	e = realloc(role->env, (role->n_env + 1) * sizeof(*e));
	if (!e)
		return weft_err_nomem(err);
	role->env = e;
	e += role->n_env;
	e->line = line;
	e->name = strdup(name);
	e->value = strdup(value);
	if (!e->name || !e->value) {
		free(e->name);
		free(e->value);
		return weft_err_nomem(err);
	}
	role->n_env++;
	return 0;
}

/* Exactly: in the largest unit that it is a multiple of. */
static void print_size(struct weft_str *out, uint64_t bytes)
{
	static const char *const unit[] = {"", "K", "M", "G", "T"};
	size_t i = 0;

	for (; i + 1 < WEFT_COUNT(unit) && bytes % 1024 == 0; i++)
		bytes /= 1024;
	weft_str_printf(out, "%ju%s", (uintmax_t)bytes, unit[i]);
}

/* A value as the file would say it. */
static void print_value(struct weft_str *out, const struct key *k, const void *in)
{
	const void *at = (const char *)in + k->at;
	const struct weft_conf *conf = in;
	char buf[WEFT_UNIT_MAX];
	const char *text;

	switch (k->kind) {
	case KIND_YESNO:
		weft_str_add(out, *(const bool *)at ? "yes" : "no");
		break;
	case KIND_BIND:
		weft_str_add(out, *(const bool *)at ? "auto" : "none");
		break;
	case KIND_ABSOLUTE:
	case KIND_RUN_DIR:
	case KIND_MPI:
	case KIND_WORD:
		text = *(char *const *)at;
		weft_str_add(out, text ? text : "");
		break;
	case KIND_DURATION:
		if (*(const int64_t *)at)
			weft_str_add(
				out, weft_format_duration(buf, *(const int64_t *)at));
		break;
	case KIND_SIZE:
		if (*(const uint64_t *)at)
			print_size(out, *(const uint64_t *)at);
		break;
	case KIND_NAMES:
		for (size_t i = 0; i < conf->n_avoid; i++)
			weft_str_printf(out, "%s%s", i ? ", " : "", conf->avoid[i]);
		break;
	}
}

static int rules_of(enum conf_place place, const char *role, const void *in,
	const unsigned *line, int (*f)(void *ctx, const struct weft_conf_rule *rule),
	void *ctx)
{
	for (size_t i = 0; i < tables[place].n; i++) {
		const struct key *k = &tables[place].key[i];
		weft_autostr struct weft_str value = {0};
		int rc;

		if (role && !line[i])
			continue;
		print_value(&value, k, in);
		if (value.failed)
			return -1;
		rc = f(ctx, &(struct weft_conf_rule){
				    role, k->name, value.s ? value.s : "", line[i]});
		if (rc)
			return rc;
	}
	return 0;
}

int weft_conf_each_rule(const struct weft_conf *c,
	int (*f)(void *ctx, const struct weft_conf_rule *rule), void *ctx)
{
	int rc = rules_of(CONF_TOP, NULL, c, c->line, f, ctx);

	for (size_t i = 0; rc == 0 && i < WEFT_CONF_ROLES; i++) {
		const struct weft_conf_role *r = &c->role[i];

		rc = rules_of(CONF_ROLE, weft_conf_roles[i], r, r->line, f, ctx);
		for (size_t k = 0; rc == 0 && k < r->n_env; k++) {
			weft_autofree char *key = weft_printf("env.%s", r->env[k].name);

			rc = !key ? -1
				  : f(ctx, &(struct weft_conf_rule){weft_conf_roles[i],
						   key, r->env[k].value,
						   r->env[k].line});
		}
	}
	return rc;
}
