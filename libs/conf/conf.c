#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys.h"

static void free_limits(struct weft_conf_limits *l)
{
	conf_names_free(&l->accounts);
	conf_names_free(&l->read_roots);
	conf_names_free(&l->write_roots);
	conf_names_free(&l->require_labels);
}

static void free_role(struct weft_conf_role *r)
{
	conf_names_free(&r->partitions);
	free(r->partition);
	free(r->qos);
	free(r->account);
	free(r->constraint);
	free(r->setup);
	for (size_t i = 0; i < r->n_env; i++) {
		free(r->env[i].name);
		free(r->env[i].value);
	}
	free(r->env);
}

void weft_conf_free(struct weft_conf *c)
{
	if (!c)
		return;
	free(c->file);
	free(c->policy_file);
	free(c->command);
	free(c->mpi);
	free(c->scratch);
	free(c->memory);
	free(c->cache);
	free(c->reserve);
	free(c->run_dir);
	free(c->reason);
	free(c->contact);
	conf_names_free(&c->avoid);
	free_limits(&c->limits);
	for (size_t i = 0; i < c->n_users; i++) {
		free(c->user[i].name);
		free(c->user[i].reason);
		free_limits(&c->user[i].limits);
	}
	free(c->user);
	for (size_t i = 0; i < c->n_partitions; i++) {
		free(c->partition[i].name);
		free(c->partition[i].reason);
	}
	free(c->partition);
	for (size_t i = 0; i < WEFT_CONF_ROLES; i++)
		free_role(&c->role[i]);
	free(c);
}

/*
 * Whose word a file is.  A trusted read runs as root: it takes no path from the
 * environment, and what it opens can have been written by root alone, so that
 * neither the text nor an error that quotes it tells a user what he could not read
 * or decide himself.  The site's file, read by a user's process, is as much root's
 * (its `command` is run by everyone), but links to it are followed.
 */
enum whose { ANYONES, SITES, TRUSTED };

static int read_text(const char *path, enum whose whose, char **text, size_t *n,
	struct weft_err *err)
{
	weft_autofree char *target = NULL;
	weft_autoclose int fd = -1;

	if (whose == ANYONES)
		return weft_read_file(path, WEFT_CONF_MAX_BYTES, text, n, err);
	if (whose == SITES) {
		target = realpath(path, NULL);
		if (!target)
			return weft_err_sys(err, WEFT_ECONF, "%s", path);
	}
	fd = weft_open_trusted(target ? target : path, err);
	if (fd < 0)
		return -1;
	return weft_read_fd(fd, path, WEFT_CONF_MAX_BYTES, text, n, err);
}

static int load(const char *path, enum whose whose, struct weft_conf **conf,
	struct weft_err *err)
{
	weft_autofree char *text = NULL;
	size_t n = 0;

	if (read_text(path, whose, &text, &n, err)) {
		if (err && err->code == WEFT_ESYS)
			err->code = WEFT_ECONF;
		return -1;
	}
	return weft_conf_parse(path, text, n, conf, err);
}

/*
 * What a user's process reads instead of the site's file can't lift the site's
 * policy.  A user who builds a weft of his own can; what must hold against him is
 * checked where root decides (job_submit, slurmstepd).
 */
static int hold_policy(struct weft_conf *conf, struct weft_err *err)
{
	weft_autofree char *text = NULL;
	weft_autoerr struct weft_err why = {0};
	struct weft_conf *site;
	size_t n = 0;

	/* No such file, or one that isn't root's and so nobody's policy. */
	if (geteuid() == 0 || read_text(WEFT_CONF_DEFAULT, SITES, &text, &n, &why))
		return 0;
	if (weft_conf_parse(WEFT_CONF_DEFAULT, text, n, &site, err))
		return -1;
	conf_policy_swap(conf, site);
	weft_conf_free(site);
	return 0;
}

int weft_conf_load(
	const char *path, bool trusted, struct weft_conf **conf, struct weft_err *err)
{
	weft_autoerr struct weft_err why = {0};

	*conf = NULL;
	if (!path && !trusted)
		path = secure_getenv("WEFT_CONF");
	if (path && *path) {
		int r = load(path, trusted ? TRUSTED : ANYONES, conf, err);

		if (r == 0 && !trusted && hold_policy(*conf, err)) {
			weft_conf_free(weft_steal(conf));
			return -1;
		}
		return r;
	}
	if (load(WEFT_CONF_DEFAULT, trusted ? TRUSTED : SITES, conf, &why) == 0)
		return 0;
	if (why.sys == ENOENT)
		return weft_conf_parse(NULL, "", 0, conf, err);
	if (err)
		weft_err_move(err, &why);
	return -1;
}
