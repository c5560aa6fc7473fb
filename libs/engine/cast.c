/*
 * cast.c - inputs that go to the own storage of several nodes are read once
 *
 * Each node's half of the staging makes the input's folder, takes it from its cache if
 * it is there, and else says that it wants it; then the engine, which is on the first
 * node, broadcasts to those that do, and what came there enters the cache.
 */
#include "engine/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "wire/link.h"

/* From so many on one reader beats as many, also where the file system is fast. */
#define CAST_NODES 3

bool cast_fits(const struct unit_input *in, unsigned nodes)
{
	return nodes > 1 && !in->absent && !in->fan_in &&
	       in->def->to != WEFT_SCRATCH_SHARED && in->def->mode != WEFT_MODE_LINK &&
	       (nodes >= CAST_NODES || in->def->mode == WEFT_MODE_BROADCAST);
}

int cast_want(struct unit *u, const struct unit_input *in, struct weft_err *err)
{
	struct weft_stage_report report = {0};

	if (cache_put(u, in->def, in->source[0].path, in->path, CACHE_ASK, &report)) {
		weft_str_printf(&u->want, "want %zu\n", (size_t)(in - u->input));
		return u->want.failed ? weft_err_nomem(err) : 0;
	}
	u->moved += report.moved;
	hashes_add(u, "in", in->def->name, report.hash);
	return hashes_check(u, in, &in->source[0], report.hash, err);
}

/* The hosts of "want I HOST" lines. */
static int hosts_of(const struct unit *u, size_t i, struct weft_argv *host)
{
	weft_autofree char *key = weft_printf("want %zu ", i);

	if (!key)
		return -1;
	for (const char *p = u->want.s; p && (p = strstr(p, key)); p++) {
		const char *name = p + strlen(key);

		if (p == u->want.s || p[-1] == '\n')
			weft_argv_addf(host, "%.*s", (int)strcspn(name, "\n"), name);
	}
	return host->failed ? -1 : 0;
}

static int broadcast(struct unit *u, const struct unit_input *in,
	const struct weft_auth *auth, const struct weft_argv *host,
	struct weft_err *err)
{
	weft_autofree char *list =
		weft_hostlist_compress((const char *const *)host->v, host->n);
	weft_autofree struct weft_stage_node *node = calloc(host->n, sizeof(*node));
	weft_autofree unsigned *at_switch = weft_cluster_switches(host->v, host->n);
	weft_autoargv struct weft_argv srun = {0};
	struct weft_stage_options opt = {.durable = WEFT_STAGE_DATA,
		.writable = in->def->mode == WEFT_MODE_COPY,
		.stop = u->e->stop};
	struct weft_stage_cast cast = {.host = host->v,
		.n_hosts = host->n,
		.at_switch = at_switch,
		.auth = auth,
		.weft = u->e->weft};
	struct weft_stage_report report = {0};
	weft_autofree char *cache = cache_dir(u, in->def->to, &cast.cache_limits);
	sigset_t child, old;

	if (!list || !node)
		return weft_err_nomem(err);
	launch_srun_beside(&srun, list, (unsigned)host->n, "broadcast");
	/* A node that fails is told of; it doesn't take the others with it. */
	weft_argv_add(&srun, "--no-kill");
	weft_argv_add(&srun, "--kill-on-bad-exit=0");
	weft_argv_add(&srun, "--wait=0");
	if (srun.failed)
		return weft_err_nomem(err);
	cast.once = srun.v;
	cast.cache = cache;
	/* Blocked in this process, which takes its signals in line. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_UNBLOCK, &child, &old);
	int r = weft_stage_broadcast(
		in->source[0].path, in->path, &cast, &opt, node, &report, err);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		weft_err_prefix(err, "input '%s'", in->def->name);
	for (size_t i = 0; i < host->n; i++) {
		u->moved += node[i].bytes;
		free(node[i].why);
		if (r)
			continue;
		hashes_add(u, "in", in->def->name, node[i].hash);
		r = hashes_check(u, in, &in->source[0], node[i].hash, err);
	}
	return r;
}

int cast_run(struct unit *u, struct weft_err *err)
{
	struct weft_auth *auth = NULL;
	int r = 0;

	for (size_t i = 0; i < u->n_inputs && r == 0; i++) {
		weft_autoargv struct weft_argv host = {0};

		if (!u->want.len || !cast_fits(&u->input[i], u->slot.n_nodes))
			continue;
		if (hosts_of(u, i, &host)) {
			r = weft_err_nomem(err);
		} else if (host.n) {
			if (!auth)
				r = weft_auth_new(&auth, NULL, err);
			if (r == 0)
				r = broadcast(u, &u->input[i], auth, &host, err);
		}
	}
	weft_auth_free(auth);
	return r;
}
