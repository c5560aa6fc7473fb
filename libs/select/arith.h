/* arith.h - what a plan takes at most, as a sum that a person can check. */
#ifndef WEFT_SELECT_ARITH_H
#define WEFT_SELECT_ARITH_H

#include "select/select.h"

enum arith { ARITH_NODE_HOURS, ARITH_CORE_HOURS, ARITH_GPU_HOURS };

/* The group with the most; NULL: none takes any. */
const struct weft_plan_group *arith_most(const struct weft_plan *plan, enum arith what);
/* "simulate: 12 jobs x 1 node x 4 h = 48; train: 2 nodes x 1 h = 2", the largest
 * first, at most four groups by name. */
int arith_print(const struct weft_plan *plan, enum arith what, struct weft_str *out);

#endif
