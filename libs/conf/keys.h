/* keys.h - the table of keys: what a section may say, and how a value is read. */
#ifndef WEFT_CONF_KEYS_H
#define WEFT_CONF_KEYS_H

#include "conf/conf.h"

/* Where a key stands: at the top, or in [role NAME]. */
enum conf_place { CONF_TOP, CONF_ROLE };

/* Of one place: a bit each in a section's `seen`. */
#define CONF_MAX_KEYS WEFT_CONF_MAX_KEYS
#define CONF_MAX_ENV 256 /* env.NAME lines of one role */

/* Number of the key in its place's table, or -1 with the error set. */
int conf_key_find(enum conf_place place, const char *name, struct weft_err *err);
/* Reads the value into `into`: the weft_conf, or the weft_conf_role. */
int conf_key_set(enum conf_place place, int key, void *into, const char *value,
	struct weft_err *err);
/* env.NAME = VALUE of a role. */
int conf_env_set(struct weft_conf_role *role, const char *name, const char *value,
	unsigned line, struct weft_err *err);
/* Replaces a string of the conf; -1 without memory. */
int conf_dup(char **to, const char *value, struct weft_err *err);

#endif
