/* access.h - is a partition open to who plans, with the account and QOS of an ask? */
#ifndef WEFT_SELECT_ACCESS_H
#define WEFT_SELECT_ACCESS_H

#include "select/ask.h"

enum access {
	ACCESS_OPEN,
	ACCESS_PERHAPS,        /* closed to some, and to whom is not known */
	ACCESS_ACCOUNT,        /* the partition is not for this account */
	ACCESS_QOS,            /* nor for this QOS */
	ACCESS_GROUPS,         /* it is for groups that the user is not in */
	ACCESS_NOT_YOURS,      /* the user has no such account */
	ACCESS_ELSEWHERE,      /* the account is the user's, but not here */
	ACCESS_NO_RESERVATION, /* there is none of that name */
	ACCESS_RESERVED,       /* it is for others */
	ACCESS_NOT_RESERVED,   /* it has no node of the partition */
	ACCESS_QOS_NOT_YOURS,  /* the account has no such QOS */
};
enum access access_of(
	const struct weft_user *u, const struct weft_partition *p, const struct ask *a);
/* The same of the reservation that is asked for, if any. */
enum access access_reservation(const struct weft_cluster *c,
	const struct weft_partition *p, const struct ask *a);
/* The account and QOS that Slurm takes: what is asked for, else the user's default;
 * "" where that is not known. */
const char *access_account(const struct weft_user *u, const struct ask *a);
const char *access_qos(const struct weft_user *u, const struct ask *a);

#endif
