/* allow.c - partitions that the site switched off, and those of a role */
#include "select/allow.h"

#include <stdlib.h>
#include <string.h>

int allow_partition(const struct weft_conf *conf, enum weft_role role,
	const char *partition, struct weft_err *err)
{
	const struct weft_conf_names *of_role;
	weft_autostr struct weft_str list = {0};

	if (!conf)
		return 0;
	if (weft_conf_partition_on(conf, partition, err)) {
		if (err) {
			err->code = WEFT_EPLACE;
			/* The error is of the workflow's line. */
			free(err->file);
			err->file = NULL;
			err->pos = (struct weft_pos){0};
		}
		return -1;
	}
	of_role = &conf->role[role].partitions;
	if (!of_role->n || weft_conf_names_has(of_role, partition))
		return 0;
	if (!err)
		return -1;
	for (size_t i = 0; i < of_role->n; i++)
		weft_str_printf(&list, "%s%s", i ? ", " : "", of_role->v[i]);
	weft_err_set(err, WEFT_EPLACE, "steps of role %s may not use partition %s here",
		weft_role_name(role), partition);
	return weft_conf_hint_ask(
		conf, err, "they may use: %s", list.s ? list.s : "none");
}

int allow_partitions(const struct weft_conf *conf, enum weft_role role,
	const char *list, struct weft_err *err)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");
		weft_autofree char *name = strndup(p, n);

		if (!name)
			return weft_err_nomem(err);
		if (*name && allow_partition(conf, role, name, err))
			return -1;
		p += n + (p[n] == ',');
	}
	return 0;
}
