/* keys.c - the tables: which section has which keys, of which kind */
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define TOP(key, kind)                                                                 \
	{                                                                              \
#key, kind, offsetof(struct weft_conf, key), NULL                      \
	}

static const char *const estimates[] = {"nodes", "will_run", NULL};
static const char *const binds[] = {"auto", "none", NULL};
static const char *const cpus[] = {"near_gpu", "spread", "compact", NULL};
static const char *const balances[] = {"cores", "even", NULL};
static const char *const memories[] = {"local", "interleave", "none", NULL};
static const char *const smts[] = {"1", "2", "all", NULL};

static const struct key top_keys[] = {
	TOP(enabled, KIND_YESNO),
	TOP(reason, KIND_TEXT),
	TOP(contact, KIND_TEXT),
	TOP(command, KIND_ABSOLUTE),
	TOP(mpi, KIND_MPI),
	TOP(scratch, KIND_ABSOLUTE),
	TOP(memory, KIND_ABSOLUTE),
	TOP(cache, KIND_ABSOLUTE),
	TOP(run_dir, KIND_RUN_DIR),
	TOP(bind, KIND_BIND),
	TOP(time, KIND_DURATION),
	TOP(avoid, KIND_NAMES),
	TOP(group_waste, KIND_PERCENT),
	TOP(group_jobs, KIND_COUNT),
	TOP(group_time, KIND_DURATION),
	TOP(job_limit, KIND_NUMBER),
	{"estimate", KIND_WORD_OF, offsetof(struct weft_conf, estimate), estimates},
	TOP(bandwidth, KIND_SIZE),
};

#define ROLE(key, kind)                                                                \
	{                                                                              \
#key, kind, offsetof(struct weft_conf_role, key), NULL                 \
	}
#define ROLE_WORD(key, words)                                                          \
	{                                                                              \
#key, KIND_CHOICE, offsetof(struct weft_conf_role, key), words         \
	}

static const struct key role_keys[] = {
	ROLE(partition, KIND_WORD),
	ROLE(partitions, KIND_NAMES),
	ROLE(qos, KIND_WORD),
	ROLE(account, KIND_WORD),
	ROLE(constraint, KIND_WORD),
	ROLE(setup, KIND_ABSOLUTE),
	ROLE(time, KIND_DURATION),
	ROLE(mem_per_cpu, KIND_SIZE),
	ROLE_WORD(bind, binds),
	ROLE_WORD(place.cpus, cpus),
	ROLE_WORD(place.balance, balances),
	ROLE_WORD(place.memory, memories),
	ROLE_WORD(place.smt, smts),
	ROLE(place.spare_cores, KIND_NUMBER),
};

/* Of a struct that has the limits `at` an offset. */
#define LIMIT(at, key, kind)                                                           \
	{                                                                              \
#key, kind, at + offsetof(struct weft_conf_limits, key), NULL          \
	}
#define LIMITS(at)                                                                     \
	LIMIT(at, nodes, KIND_LIMIT), LIMIT(at, gpus, KIND_LIMIT),                     \
		LIMIT(at, members, KIND_LIMIT), LIMIT(at, time, KIND_LIMIT_TIME),      \
		LIMIT(at, node_hours, KIND_LIMIT_HOURS),                               \
		LIMIT(at, core_hours, KIND_LIMIT_HOURS),                               \
		LIMIT(at, gpu_hours, KIND_LIMIT_HOURS),                                \
		LIMIT(at, user_nodes, KIND_LIMIT), LIMIT(at, user_gpus, KIND_LIMIT),   \
		LIMIT(at, accounts, KIND_NAMES_OR_NONE),                               \
		LIMIT(at, read_roots, KIND_ROOTS), LIMIT(at, write_roots, KIND_ROOTS), \
		LIMIT(at, require_labels, KIND_NAMES_OR_NONE)

static const struct key limits_keys[] = {LIMITS(0)};

static const struct key user_keys[] = {
	LIMITS(offsetof(struct weft_conf_user, limits)),
	{"enabled", KIND_YESNO, offsetof(struct weft_conf_user, enabled), NULL},
	{"reason", KIND_TEXT, offsetof(struct weft_conf_user, reason), NULL},
};

static const struct key partition_keys[] = {
	{"enabled", KIND_YESNO, offsetof(struct weft_conf_partition, enabled), NULL},
	{"reason", KIND_TEXT, offsetof(struct weft_conf_partition, reason), NULL},
};

static const struct {
	const char *where; /* for a hint */
	const struct key *key;
	size_t n;
} tables[CONF_N_PLACES] = {
	[CONF_TOP] = {"above the first [section] line", top_keys, WEFT_COUNT(top_keys)},
	[CONF_LIMITS] = {"below a [limits] line", limits_keys, WEFT_COUNT(limits_keys)},
	[CONF_PARTITION] = {"below a [partition NAME] line", partition_keys,
		WEFT_COUNT(partition_keys)},
	[CONF_ROLE] = {"below a [role NAME] line", role_keys, WEFT_COUNT(role_keys)},
	[CONF_USER] = {"below a [user NAME] line", user_keys, WEFT_COUNT(user_keys)},
};

_Static_assert(WEFT_COUNT(top_keys) <= CONF_MAX_KEYS, "a bit a key");
_Static_assert(WEFT_COUNT(role_keys) <= CONF_MAX_KEYS, "a bit a key");
_Static_assert(WEFT_COUNT(user_keys) <= CONF_MAX_KEYS, "a bit a key");

static bool has(enum conf_place place, const char *name)
{
	for (size_t i = 0; i < tables[place].n; i++)
		if (weft_streq(tables[place].key[i].name, name))
			return true;
	return false;
}

int conf_key_find(enum conf_place place, const char *name, struct weft_err *err)
{
	const char *names[CONF_MAX_KEYS];
	size_t n = tables[place].n;
	const char *near;

	for (size_t i = 0; i < n; i++) {
		if (weft_streq(tables[place].key[i].name, name))
			return (int)i;
		names[i] = tables[place].key[i].name;
	}
	weft_err_set(err, WEFT_ECONF, "unknown key '%s'", name);
	for (enum conf_place other = 0; other < CONF_N_PLACES; other++)
		if (other != place && has(other, name))
			return weft_err_hint(err, "it belongs %s", tables[other].where);
	if (place != CONF_ROLE && weft_starts_with(name, "env."))
		return weft_err_hint(err, "it belongs below a [role NAME] line");
	near = weft_nearest(name, names, n);
	if (near)
		return weft_err_hint(err, "did you mean '%s'?", near);
	return weft_err_hint(err, "see weft.conf(5) for the keys");
}

size_t conf_n_keys(enum conf_place place)
{
	return tables[place].n;
}

const char *conf_key_name(enum conf_place place, int key)
{
	return tables[place].key[key].name;
}

int conf_key_set(enum conf_place place, int key, void *into, const char *value,
	struct weft_err *err)
{
	const struct key *k = &tables[place].key[key];

	if (!*value) {
		weft_err_set(err, WEFT_ECONF, "%s has no value", k->name);
		return weft_err_hint(err, "leave the line out to have the default");
	}
	return value_set(k, (char *)into + k->at, value, err);
}

void conf_key_print(
	enum conf_place place, int key, const void *in, struct weft_str *out)
{
	const struct key *k = &tables[place].key[key];

	value_print(k, (const char *)in + k->at, out);
}

static size_t size_of(enum kind kind)
{
	switch (kind) {
	case KIND_LIMIT:
		return sizeof(uint64_t);
	case KIND_LIMIT_TIME:
		return sizeof(int64_t);
	case KIND_LIMIT_HOURS:
		return sizeof(double);
	default:
		return sizeof(struct weft_conf_names);
	}
}

void conf_limit_copy(
	int key, struct weft_conf_limits *to, const struct weft_conf_limits *from)
{
	const struct key *k = &limits_keys[key];

	memcpy((char *)to + k->at, (const char *)from + k->at, size_of(k->kind));
	to->line[key] = from->line[key];
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
