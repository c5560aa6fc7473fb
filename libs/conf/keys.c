/* keys.c - the tables: which section has which keys, of which kind */
#include <stdlib.h>
#include <string.h>

#include "value.h"

static const char *const estimates[] = {"nodes", "will_run", NULL};
static const char *const node_caches[] = {"yes", "check", "no", NULL};
static const char *const binds[] = {"auto", "none", NULL};
static const char *const cpus[] = {"near_gpu", "spread", "compact", NULL};
static const char *const balances[] = {"cores", "even", NULL};
static const char *const memories[] = {"local", "interleave", "none", NULL};
static const char *const smts[] = {"1", "2", "all", NULL};

#define TOP(key) #key, offsetof(struct weft_conf, key)
#define ROLE(key) #key, offsetof(struct weft_conf_role, key)
#define LIMIT(key) #key, offsetof(struct weft_conf_limits, key)
#define PARTITION(key) #key, offsetof(struct weft_conf_partition, key)
#define USER(key) #key, offsetof(struct weft_conf_user, key)
#define USER_LIMIT(key) #key, offsetof(struct weft_conf_user, limits.key)

static const struct key top_keys[] = {
	{TOP(enabled), KIND_YESNO, NULL, true},
	{TOP(reason), KIND_TEXT, NULL, true},
	{TOP(contact), KIND_TEXT, NULL, true},
	{TOP(command), KIND_ABSOLUTE, NULL, false},
	{TOP(mpi), KIND_MPI, NULL, false},
	{TOP(scratch), KIND_ABSOLUTE, NULL, false},
	{TOP(memory), KIND_ABSOLUTE, NULL, false},
	{TOP(cache), KIND_ABSOLUTE, NULL, false},
	{TOP(run_dir), KIND_RUN_DIR, NULL, false},
	{TOP(reserve), KIND_RESERVE, NULL, false},
	{TOP(bind), KIND_BIND, NULL, false},
	{TOP(time), KIND_DURATION, NULL, false},
	{TOP(avoid), KIND_NAMES, NULL, false},
	{TOP(group_waste), KIND_PERCENT, NULL, false},
	{TOP(group_jobs), KIND_COUNT, NULL, false},
	{TOP(group_time), KIND_DURATION, NULL, false},
	{TOP(job_limit), KIND_NUMBER, NULL, true},
	{TOP(estimate), KIND_WORD_OF, estimates, false},
	{TOP(bandwidth), KIND_SIZE, NULL, false},
	{TOP(node_cache), KIND_WORD_OF, node_caches, false},
	{TOP(node_cache_bytes), KIND_SIZE, NULL, false},
	{TOP(node_cache_files), KIND_LIMIT, NULL, false},
};

static const struct key role_keys[] = {
	{ROLE(partition), KIND_WORD, NULL, false},
	{ROLE(partitions), KIND_NAMES, NULL, true},
	{ROLE(qos), KIND_WORD, NULL, false},
	{ROLE(account), KIND_WORD, NULL, false},
	{ROLE(constraint), KIND_WORD, NULL, false},
	{ROLE(setup), KIND_ABSOLUTE, NULL, false},
	{ROLE(time), KIND_DURATION, NULL, false},
	{ROLE(mem_per_cpu), KIND_SIZE, NULL, false},
	{ROLE(bind), KIND_CHOICE, binds, false},
	{ROLE(place.cpus), KIND_CHOICE, cpus, false},
	{ROLE(place.balance), KIND_CHOICE, balances, false},
	{ROLE(place.memory), KIND_CHOICE, memories, false},
	{ROLE(place.smt), KIND_CHOICE, smts, false},
	{ROLE(place.spare_cores), KIND_NUMBER, NULL, false},
};

static const struct key limits_keys[] = {
	{LIMIT(nodes), KIND_LIMIT, NULL, true},
	{LIMIT(gpus), KIND_LIMIT, NULL, true},
	{LIMIT(members), KIND_LIMIT, NULL, true},
	{LIMIT(time), KIND_LIMIT_TIME, NULL, true},
	{LIMIT(node_hours), KIND_LIMIT_HOURS, NULL, true},
	{LIMIT(core_hours), KIND_LIMIT_HOURS, NULL, true},
	{LIMIT(gpu_hours), KIND_LIMIT_HOURS, NULL, true},
	{LIMIT(user_nodes), KIND_LIMIT, NULL, true},
	{LIMIT(user_gpus), KIND_LIMIT, NULL, true},
	{LIMIT(accounts), KIND_NAMES_OR_NONE, NULL, true},
	{LIMIT(read_roots), KIND_ROOTS, NULL, true},
	{LIMIT(write_roots), KIND_ROOTS, NULL, true},
	{LIMIT(require_labels), KIND_NAMES_OR_NONE, NULL, true},
};

/* Those of [limits] first, at the same numbers. */
static const struct key user_keys[] = {
	{USER_LIMIT(nodes), KIND_LIMIT, NULL, true},
	{USER_LIMIT(gpus), KIND_LIMIT, NULL, true},
	{USER_LIMIT(members), KIND_LIMIT, NULL, true},
	{USER_LIMIT(time), KIND_LIMIT_TIME, NULL, true},
	{USER_LIMIT(node_hours), KIND_LIMIT_HOURS, NULL, true},
	{USER_LIMIT(core_hours), KIND_LIMIT_HOURS, NULL, true},
	{USER_LIMIT(gpu_hours), KIND_LIMIT_HOURS, NULL, true},
	{USER_LIMIT(user_nodes), KIND_LIMIT, NULL, true},
	{USER_LIMIT(user_gpus), KIND_LIMIT, NULL, true},
	{USER_LIMIT(accounts), KIND_NAMES_OR_NONE, NULL, true},
	{USER_LIMIT(read_roots), KIND_ROOTS, NULL, true},
	{USER_LIMIT(write_roots), KIND_ROOTS, NULL, true},
	{USER_LIMIT(require_labels), KIND_NAMES_OR_NONE, NULL, true},
	{USER(enabled), KIND_YESNO, NULL, true},
	{USER(reason), KIND_TEXT, NULL, true},
};

static const struct key partition_keys[] = {
	{PARTITION(enabled), KIND_YESNO, NULL, true},
	{PARTITION(reason), KIND_TEXT, NULL, true},
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

bool conf_key_is_policy(enum conf_place place, int key)
{
	return tables[place].key[key].policy;
}

static void swap(void *a, void *b, size_t n)
{
	char *x = a, *y = b;

	for (size_t i = 0; i < n; i++) {
		char c = x[i];

		x[i] = y[i];
		y[i] = c;
	}
}
#define SWAP(a, b) swap(&(a), &(b), sizeof(a))

static void swap_section(
	enum conf_place place, void *a, void *b, unsigned *line_a, unsigned *line_b)
{
	for (size_t i = 0; i < tables[place].n; i++) {
		const struct key *k = &tables[place].key[i];

		if (!k->policy)
			continue;
		swap((char *)a + k->at, (char *)b + k->at, value_size(k));
		SWAP(line_a[i], line_b[i]);
	}
}

void conf_policy_swap(struct weft_conf *a, struct weft_conf *b)
{
	SWAP(a->policy_file, b->policy_file);
	swap_section(CONF_TOP, a, b, a->line, b->line);
	for (size_t i = 0; i < WEFT_CONF_ROLES; i++)
		swap_section(CONF_ROLE, &a->role[i], &b->role[i], a->role[i].line,
			b->role[i].line);
	SWAP(a->limits, b->limits);
	SWAP(a->user, b->user);
	SWAP(a->n_users, b->n_users);
	SWAP(a->partition, b->partition);
	SWAP(a->n_partitions, b->n_partitions);
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

void conf_limit_copy(
	int key, struct weft_conf_limits *to, const struct weft_conf_limits *from)
{
	const struct key *k = &limits_keys[key];

	memcpy((char *)to + k->at, (const char *)from + k->at, value_size(k));
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
