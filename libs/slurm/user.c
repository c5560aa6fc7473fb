#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"
#include "user.h"

#define ANSWER_SECONDS 10

/* The next field of a line, split at '|'; *p moves behind it. */
static char *field(char **p)
{
	char *s = *p, *end = s + strcspn(s, "|");

	*p = *end ? end + 1 : end;
	*end = '\0';
	return s;
}

/* "a,b" as names; the list is cut up. */
static int names(
	struct weft_arena *arena, char *list, const char *const **out, size_t *n)
{
	size_t max = 1;
	char *save = NULL;
	const char **v;

	for (const char *s = list; *s; s++)
		max += *s == ',';
	v = weft_arena_alloc(arena, max * sizeof(*v));
	if (!v)
		return -1;
	*n = 0;
	for (char *s = strtok_r(list, ",", &save); s; s = strtok_r(NULL, ",", &save))
		v[(*n)++] = s;
	*out = v;
	return 0;
}

static int line(struct weft_cluster *c, struct weft_user *u, char *text)
{
	struct weft_association *a = &u->association[u->n_associations];
	const char *account = field(&text);
	char *qos;

	if (*account && !*u->default_account)
		u->default_account = account;
	a->account = field(&text);
	a->partition = field(&text);
	qos = field(&text);
	a->default_qos = field(&text);
	/* A user without an association has a line without an account. */
	if (!*a->account)
		return 0;
	u->n_associations++;
	return names(&c->arena, qos, &a->qos, &a->n_qos);
}

int slurm_user_associations(struct weft_cluster *c, const char *text)
{
	char *copy = weft_arena_strdup(&c->arena, text), *save = NULL;
	size_t lines = 1;

	for (const char *s = text; *s; s++)
		lines += *s == '\n';
	c->user.association =
		weft_arena_alloc(&c->arena, lines * sizeof(*c->user.association));
	if (!copy || !c->user.association)
		return -1;
	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (line(c, &c->user, l) < 0)
			return -1;
	return 0;
}

static int ask_accounting(struct weft_cluster *c)
{
	char *const args[] = {(char *)"--noheader", (char *)"--parsable2",
		(char *)"--readonly", (char *)"show", (char *)"user",
		(char *)c->user.name, (char *)"withassoc",
		(char *)"format=defaultaccount,account,partition,qos,defaultqos", NULL};
	weft_autofree char *out = NULL, *errout = NULL;
	int status;

	if (slurm_tool("sacctmgr", args, -1, ANSWER_SECONDS, &out, &errout, &status,
		    NULL) ||
		status)
		return 0;
	return slurm_user_associations(c, out);
}

/* Every group of the process, the primary one first. */
static int own_groups(struct weft_cluster *c)
{
	int n = getgroups(0, NULL);
	weft_autofree gid_t *gid = calloc((size_t)(n < 0 ? 0 : n) + 1, sizeof(*gid));
	const char **v;

	if (!gid)
		return -1;
	gid[0] = getegid();
	n = n > 0 ? getgroups(n, gid + 1) : 0;
	n = n < 0 ? 0 : n;
	v = weft_arena_alloc(&c->arena, ((size_t)n + 1) * sizeof(*v));
	if (!v)
		return -1;
	c->user.group = v;
	for (int i = 0; i <= n; i++) {
		struct group *g = i && gid[i] == gid[0] ? NULL : getgrgid(gid[i]);

		if (!g)
			continue;
		v[c->user.n_groups] = weft_arena_strdup(&c->arena, g->gr_name);
		if (!v[c->user.n_groups++])
			return -1;
	}
	return 0;
}

int slurm_user(struct weft_cluster *c, bool enforced)
{
	const char *account = getenv("SBATCH_ACCOUNT");
	struct passwd *pw = getpwuid(geteuid());

	if (!pw)
		return 0;
	c->user.name = weft_arena_strdup(&c->arena, pw->pw_name);
	c->user.default_account =
		account && *account ? weft_arena_strdup(&c->arena, account) : "";
	if (!c->user.name || !c->user.default_account || own_groups(c) < 0)
		return -1;
	return enforced ? ask_accounting(c) : 0;
}
