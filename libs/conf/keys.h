/* keys.h - the table of keys: what a section may say, and how a value is read. */
#ifndef WEFT_CONF_KEYS_H
#define WEFT_CONF_KEYS_H

#include "conf/conf.h"

/* Where a key stands: at the top, or in a section. */
enum conf_place {
	CONF_TOP,
	CONF_LIMITS,
	CONF_PARTITION,
	CONF_ROLE,
	CONF_USER, /* the keys of [limits], then its own */
	CONF_N_PLACES
};

/* Of one place: a bit each in a section's `seen`. */
#define CONF_MAX_KEYS WEFT_CONF_MAX_KEYS
#define CONF_MAX_ENV 256 /* env.NAME lines of one role */

/* Number of the key in its place's table, or -1 with the error set. */
int conf_key_find(enum conf_place place, const char *name, struct weft_err *err);
/* Reads the value into `into`: the struct of the place (of [limits] the
 * weft_conf_limits). */
int conf_key_set(enum conf_place place, int key, void *into, const char *value,
	struct weft_err *err);
size_t conf_n_keys(enum conf_place place);
const char *conf_key_name(enum conf_place place, int key);
/* The value as the file would say it; nothing where there is none. */
void conf_key_print(
	enum conf_place place, int key, const void *in, struct weft_str *out);
/* One key of the limits, borrowed from another, with its line. */
void conf_limit_copy(
	int key, struct weft_conf_limits *to, const struct weft_conf_limits *from);
/* env.NAME = VALUE of a role. */
int conf_env_set(struct weft_conf_role *role, const char *name, const char *value,
	unsigned line, struct weft_err *err);
/* Each gets the policy of the other, and where it was said. */
void conf_policy_swap(struct weft_conf *a, struct weft_conf *b);
bool conf_key_is_policy(enum conf_place place, int key);
/* Replaces a string of the conf; -1 without memory. */
int conf_dup(char **to, const char *value, struct weft_err *err);
void conf_names_free(struct weft_conf_names *names);

#endif
