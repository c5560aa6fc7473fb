/*
 * cast.c - inputs that go to the own storage of several nodes are read once
 *
 * Each node's half of the staging makes the input's folder, takes it from its cache if
 * it is there, and says that it has or wants it; then the engine, which is on the first
 * node, broadcasts to those that want it, and what came there enters the cache.  Where
 * another node has it and this one hasn't, that one broadcasts it from its cache: then
 * nobody reads the file system.
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

	bool has = cache_put(u, in->def, in->source[0].path, in->path, CACHE_ASK,
			   &report) == 0;

	weft_str_printf(
		&u->want, "%s %zu\n", has ? "have" : "want", (size_t)(in - u->input));
	if (!has || u->want.failed)
		return u->want.failed ? weft_err_nomem(err) : 0;
	u->moved += report.moved;
	hashes_add(u, "in", in->def->name, report.hash);
	return hashes_check(u, in, &in->source[0], report.hash, err);
}

/* The hosts of "WHAT I HOST" lines. */
static int hosts_of(
	const struct unit *u, const char *what, size_t i, struct weft_argv *host)
{
	weft_autofree char *key = weft_printf("%s %zu ", what, i);

	if (!key)
		return -1;
	for (const char *p = u->want.s; p && (p = strstr(p, key)); p++) {
		const char *name = p + strlen(key);

		if (p == u->want.s || p[-1] == '\n')
			weft_argv_addf(host, "%.*s", (int)strcspn(name, "\n"), name);
	}
	return host->failed ? -1 : 0;
}

/* From the node that has it. */
static int send_from(struct unit *u, const struct unit_input *in, const char *node,
	const char *list, struct weft_err *err)
{
	struct weft_stage_limits limits;
	weft_autofree char *cache = cache_dir(u, in->def->to, &limits);
	weft_autoargv struct weft_argv a = {0};

	if (!cache)
		return weft_err_nomem(err);
	launch_srun_beside(&a, node, 1, "broadcast");
	weft_argv_add(&a, u->e->weft);
	weft_argv_add(&a, "stage");
	weft_argv_add(&a, "send");
	weft_argv_addf(&a, "--nodes=%s", list);
	weft_argv_addf(&a, "--dir=%s", cache);
	weft_argv_addf(&a, "--name=%s", in->def->name);
	if (in->def->mode == WEFT_MODE_COPY)
		weft_argv_add(&a, "--writable");
	weft_argv_add(&a, in->source[0].path);
	weft_argv_add(&a, in->path);
	return launch_staging(u, &a, u->e->stop, err);
}

static int broadcast(struct unit *u, const struct unit_input *in,
	const struct weft_auth *auth, const struct weft_argv *host, bool again,
	struct weft_err *err)
{
	weft_autofree char *list =
		weft_hostlist_compress((const char *const *)host->v, host->n);
	weft_autofree struct weft_stage_node *node = calloc(host->n, sizeof(*node));
	weft_autofree unsigned *at_switch = weft_cluster_switches(host->v, host->n);
	weft_autoargv struct weft_argv srun = {0};
	struct weft_stage_options opt = {.durable = WEFT_STAGE_DATA,
		.replace = again,
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
	/* In memory there is one only where the site makes the job's folder. */
	cast.cache = cache_of(u, in->def->to) ? cache : NULL;
	cast.cache_check = u->e->conf->node_cache == WEFT_NODE_CACHE_CHECK;
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

/* The first of those that have it, unless this node does; NULL: this one reads. */
static const char *other_of(const struct weft_argv *have)
{
	const char *own = getenv("SLURMD_NODENAME");

	for (size_t i = 0; i < have->n; i++)
		if (weft_streq(have->v[i], own))
			return NULL;
	return have->n ? have->v[0] : NULL;
}

static int bring(struct unit *u, const struct unit_input *in,
	const struct weft_auth *auth, const struct weft_argv *have,
	const struct weft_argv *want, struct weft_err *err)
{
	weft_autofree char *list =
		weft_hostlist_compress((const char *const *)want->v, want->n);
	const char *from = other_of(have);

	if (!list)
		return weft_err_nomem(err);
	if (!from)
		return broadcast(u, in, auth, want, false, err);
	if (send_from(u, in, from, list, err) == 0)
		return hashes_check_all(u, in, err);
	if (err->code == WEFT_EINTR)
		return -1;
	/* Nothing fails for want of a cache; some may have it by now. */
	weft_log(WEFT_WARN, "input '%s', from %s: %s", in->def->name, from, err->text);
	weft_err_clear(err);
	return broadcast(u, in, auth, want, true, err);
}

int cast_run(struct unit *u, struct weft_err *err)
{
	struct weft_auth *auth = NULL;
	int r = 0;

	for (size_t i = 0; i < u->n_inputs && r == 0; i++) {
		weft_autoargv struct weft_argv want = {0}, have = {0};

		if (!u->want.len || !cast_fits(&u->input[i], u->slot.n_nodes))
			continue;
		if (hosts_of(u, "want", i, &want) || hosts_of(u, "have", i, &have)) {
			r = weft_err_nomem(err);
		} else if (want.n) {
			if (!auth)
				r = weft_auth_new(&auth, NULL, err);
			if (r == 0)
				r = bring(u, &u->input[i], auth, &have, &want, err);
		}
	}
	weft_auth_free(auth);
	return r;
}
