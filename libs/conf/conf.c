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
	free(c->command);
	free(c->mpi);
	free(c->scratch);
	free(c->memory);
	free(c->cache);
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
 * A trusted read runs as root.  It takes no path from the environment, and what
 * it opens can have been written by root alone, so that neither the text nor an
 * error that quotes it tells a user what he could not read or decide himself.
 */
static int read_text(
	const char *path, bool trusted, char **text, size_t *n, struct weft_err *err)
{
	weft_autoclose int fd = -1;
	int r;

	if (!trusted)
		return weft_read_file(path, WEFT_CONF_MAX_BYTES, text, n, err);
	fd = weft_open_trusted(path, err);
	if (fd < 0)
		return -1;
	r = weft_read_fd(fd, path, WEFT_CONF_MAX_BYTES, text, n, err);
	return r;
}

int weft_conf_load(
	const char *path, bool trusted, struct weft_conf **conf, struct weft_err *err)
{
	weft_autofree char *text = NULL;
	weft_autoerr struct weft_err why = {0};
	bool fallback = false;
	size_t n = 0;

	*conf = NULL;
	if (!path && !trusted)
		path = secure_getenv("WEFT_CONF");
	if (!path || !*path) {
		path = WEFT_CONF_DEFAULT;
		fallback = true;
	}
	if (read_text(path, trusted, &text, &n, &why)) {
		if (fallback && why.sys == ENOENT)
			return weft_conf_parse(NULL, "", 0, conf, err);
		if (why.code == WEFT_ESYS)
			why.code = WEFT_ECONF;
		if (err)
			weft_err_move(err, &why);
		return -1;
	}
	return weft_conf_parse(path, text, n, conf, err);
}
