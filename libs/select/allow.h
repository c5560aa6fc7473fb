/* allow.h - may a step go to a partition at all, by weft.conf? */
#ifndef WEFT_SELECT_ALLOW_H
#define WEFT_SELECT_ALLOW_H

#include "conf/conf.h"
#include "spec/spec.h"

/* 0; -1: err says why not (the partition is switched off, or isn't one of the
 * role's), its hint what is allowed.  conf NULL: everything is. */
int allow_partition(const struct weft_conf *conf, enum weft_role role,
	const char *partition, struct weft_err *err);
/* Of a list "a,b" the first that may not be; 0: all may. */
int allow_partitions(const struct weft_conf *conf, enum weft_role role,
	const char *list, struct weft_err *err);

#endif
