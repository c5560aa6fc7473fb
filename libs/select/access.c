/* access.c - accounts, groups and QOS. */
#include "select/access.h"

#include <string.h>

static bool listed(const char *const *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(v[i], name) == 0)
			return true;
	return false;
}

const char *access_account(const struct weft_user *u, const struct ask *a)
{
	return *a->account ? a->account : u->default_account ? u->default_account : "";
}

const char *access_qos(const struct weft_user *u, const struct ask *a)
{
	const char *account = access_account(u, a);

	if (*a->qos)
		return a->qos;
	for (size_t i = 0; i < u->n_associations; i++)
		if (strcasecmp(u->association[i].account, account) == 0)
			return u->association[i].default_qos;
	return "";
}

/* What accounting lets the user have. */
static enum access associated(const struct weft_user *u, const struct weft_partition *p,
	const char *account, const char *qos)
{
	bool mine = false, here = false;

	if (!u->n_associations || !*account)
		return ACCESS_OPEN;
	for (size_t i = 0; i < u->n_associations; i++) {
		const struct weft_association *s = &u->association[i];

		if (strcasecmp(s->account, account) != 0)
			continue;
		mine = true;
		if (*s->partition && !weft_streq(s->partition, p->name))
			continue;
		here = true;
		if (!*qos || !s->n_qos || listed(s->qos, s->n_qos, qos))
			return ACCESS_OPEN;
	}
	return here ? ACCESS_QOS_NOT_YOURS : mine ? ACCESS_ELSEWHERE : ACCESS_NOT_YOURS;
}

static bool in_a_group(const struct weft_user *u, const struct weft_partition *p)
{
	for (size_t i = 0; i < u->n_groups; i++)
		if (listed(p->allow_groups, p->n_allow_groups, u->group[i]))
			return true;
	return weft_streq(u->name, "root");
}

enum access access_of(
	const struct weft_user *u, const struct weft_partition *p, const struct ask *a)
{
	const char *account = access_account(u, a), *qos = access_qos(u, a);
	enum access may = associated(u, p, account, qos);

	if (may != ACCESS_OPEN)
		return may;
	if (*account &&
		((p->n_allow_accounts &&
			 !listed(p->allow_accounts, p->n_allow_accounts, account)) ||
			listed(p->deny_accounts, p->n_deny_accounts, account)))
		return ACCESS_ACCOUNT;
	if (*qos && p->n_allow_qos && !listed(p->allow_qos, p->n_allow_qos, qos))
		return ACCESS_QOS;
	if (p->n_allow_groups && u->n_groups && !in_a_group(u, p))
		return ACCESS_GROUPS;
	return (p->n_allow_groups && !u->n_groups) ||
			       (p->n_allow_accounts && !*account) ||
			       (p->n_allow_qos && !*qos)
		       ? ACCESS_PERHAPS
		       : ACCESS_OPEN;
}

/* Lists with "-name", for whom it is not, are Slurm's to read. */
static bool plain(const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (*v[i] == '-' || *v[i] == '+')
			return false;
	return true;
}

enum access access_reservation(const struct weft_cluster *c,
	const struct weft_partition *p, const struct ask *a)
{
	const char *account = access_account(&c->user, a);
	const struct weft_reservation *r;

	if (!*a->reservation || !c->n_reservations)
		return ACCESS_OPEN;
	r = weft_cluster_reservation(c, a->reservation);
	if (!r)
		return ACCESS_NO_RESERVATION;
	if (*r->partition && !weft_streq(r->partition, p->name))
		return ACCESS_NOT_RESERVED;
	/* To be one of the users is enough, and so is the account. */
	if (r->n_users + r->n_accounts == 0 || !plain(r->users, r->n_users) ||
		!plain(r->accounts, r->n_accounts) || !c->user.name || !*c->user.name ||
		(r->n_accounts && !*account))
		return ACCESS_OPEN;
	return listed(r->users, r->n_users, c->user.name) ||
			       listed(r->accounts, r->n_accounts, account)
		       ? ACCESS_OPEN
		       : ACCESS_RESERVED;
}
