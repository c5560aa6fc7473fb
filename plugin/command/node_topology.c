/*
 * node_topology.c - the machine model of another node of the cluster.
 *
 * Only the node itself knows it: it is asked through srun, with what the plug-in would
 * take there, its cache.  In a job that has the node that is a step beside the others;
 * otherwise it is a job of its own of a few seconds, which waits for a free CPU, but
 * not for long: an answer that takes an hour is none.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "common_topology.h"
#include "slurm/slurm.h"

#define WAIT_SECONDS 15 /* for a free CPU of the node */
#define RUN_SECONDS 90  /* until srun is given up */
#define ANSWER_MAX (8u << 20)
#define SCONTROL_SECONDS 20

extern char **environ;

static bool is_here(const char *name)
{
	const char *slurm = getenv("SLURMD_NODENAME");
	char host[65] = "";

	gethostname(host, sizeof(host) - 1);
	if (weft_streq(name, host) || weft_streq(name, slurm))
		return true;
	host[strcspn(host, ".")] = '\0';
	return weft_streq(name, host);
}

/* Whether the job that we are in has the node. */
static bool job_has(const char *name)
{
	const char *list = getenv("SLURM_JOB_NODELIST");
	weft_autoerr struct weft_err err = {0};
	char **v = NULL;
	size_t n = 0;
	bool found = false;

	if (!list || !getenv("SLURM_JOB_ID") ||
		weft_hostlist_expand(list, WEFT_CLUSTER_MAX_NODES, &v, &n, &err))
		return false;
	for (size_t i = 0; i < n && !found; i++)
		found = weft_streq(v[i], name);
	weft_hostlist_free(v, n);
	return found;
}

static const struct weft_partition *partition_with(
	const struct weft_cluster *c, unsigned node)
{
	const struct weft_partition *best = NULL;

	for (size_t i = 0; i < c->n_partitions; i++) {
		const struct weft_partition *p = &c->partition[i];

		for (size_t k = 0; k < p->n_nodes; k++)
			if (p->node[k] == node && p->up &&
				(!best || (p->is_default && !best->is_default)))
				best = p;
	}
	return best;
}

/* The partition through which a job gets to the node; malloced. */
static char *find_partition(const char *name, struct weft_err *err)
{
	struct weft_cluster *c = NULL;
	char *found = NULL;

	if (weft_slurm_snapshot(&c, err))
		return NULL;
	for (unsigned i = 0; i < c->n_nodes; i++) {
		const struct weft_node *node = &c->node[i];
		const struct weft_partition *p;

		if (!weft_streq(node->name, name))
			continue;
		p = partition_with(c, i);
		if (node->state == WEFT_NODE_DOWN)
			weft_err_set(err, WEFT_ESLURM, "node %s is down%s%s", name,
				*node->reason ? ": " : "", node->reason);
		else if (!p)
			weft_err_set(err, WEFT_ESLURM,
				"node %s is in no partition that is up", name);
		else if (!(found = strdup(p->name)))
			weft_err_nomem(err);
		weft_cluster_free(c);
		return found;
	}
	weft_cluster_free(c);
	weft_err_set(err, WEFT_ESLURM, "Slurm has no node %s", name);
	return NULL;
}

static int build(struct weft_argv *a, const char *name, const struct weft_conf *conf,
	struct weft_err *err)
{
	weft_autofree char *weft = cmd_path_on_nodes(conf);

	weft_argv_add(a, "srun");
	weft_argv_add(a, "--quiet");
	weft_argv_addf(a, "--nodelist=%s", name);
	weft_argv_add(a, "--nodes=1");
	weft_argv_add(a, "--ntasks=1");
	weft_argv_add(a, "--chdir=/");
	weft_argv_add(a, "--export=PATH=/usr/bin:/bin");
	if (job_has(name)) {
		weft_argv_addf(a, "--jobid=%s", getenv("SLURM_JOB_ID"));
		weft_argv_add(a, "--overlap");
		weft_argv_add(a, "--mem=0");
		weft_argv_add(a, "--gres=none");
	} else {
		weft_autofree char *partition = find_partition(name, err);

		if (!partition)
			return -1;
		weft_argv_addf(a, "--partition=%s", partition);
		weft_argv_add(a, "--job-name=weft-topology");
		weft_argv_add(a, "--mem=64M");
		weft_argv_add(a, "--time=1");
		weft_argv_addf(a, "--immediate=%d", WAIT_SECONDS);
	}
	weft_argv_add(a, weft ? weft : "weft");
	weft_argv_add(a, "topo");
	weft_argv_add(a, "dump");
	weft_argv_add(a, "--cached");
	return a->failed || !weft ? weft_err_nomem(err) : 0;
}

static int ask(char *const *argv, double seconds, char **out, char **errout,
	int *status, struct weft_err *err)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct weft_env env = {0};
	int rc = -1;

	if (weft_env_copy(&env, environ)) {
		weft_err_nomem(err);
	} else {
		weft_slurm_scrub(&env);
		s.argv = argv;
		s.envp = env.vars.v;
		rc = weft_capture(&s, seconds, ANSWER_MAX, out, errout, status, err);
	}
	weft_env_free(&env);
	return rc;
}

/* What srun or weft there said, on a line. */
static int refused(const char *name, const char *said, struct weft_err *err)
{
	const char *s = strstr(said, "error: ");

	if (strstr(said, "Immediate execution impossible") ||
		strstr(said, "Requested nodes are busy"))
		return weft_err_set(err, WEFT_ESLURM,
			"node %s has no free CPU, and was waited for %d s", name,
			WAIT_SECONDS);
	s = s ? s + 7 : said;
	return weft_err_set(err, WEFT_ESLURM, "node %s doesn't tell its topology: %.*s",
		name, (int)strcspn(s, "\n"), *s ? s : "srun failed without a word");
}

/* " KEY=VALUE" of scontrol's line; false: it has none. */
static bool field(const char *line, const char *key, char *buf, size_t size)
{
	const char *at = strstr(line, key);
	size_t n = at ? strcspn(at + strlen(key), " \n") : 0;

	if (!n || n >= size)
		return false;
	memcpy(buf, at + strlen(key), n);
	buf[n] = '\0';
	return true;
}

/* Slurm counts the CPUs that it keeps by cores in logical order, as the model does. */
static int find_kept(const char *name, const struct weft_machine *m,
	struct weft_cpuset *kept, struct weft_err *err)
{
	char *argv[] = {(char *)"scontrol", (char *)"--oneliner", (char *)"show",
		(char *)"node", (char *)name, NULL};
	weft_autofree char *line = NULL, *said = NULL;
	char list[4096], per_core[16];
	struct weft_cpuset cpus;
	int64_t threads = 1;
	int status;

	if (ask(argv, SCONTROL_SECONDS, &line, &said, &status, err))
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return refused(name, said, err);
	if (!field(line, " CPUSpecList=", list, sizeof(list)))
		return 0;
	if (!weft_cpuset_parse(list, &cpus))
		return weft_err_set(err, WEFT_ESLURM,
			"node %s: scontrol's CPUSpecList=%s is no list of CPUs", name,
			list);
	if (field(line, " ThreadsPerCore=", per_core, sizeof(per_core)))
		weft_parse_int(per_core, 1, 64, &threads);
	for (size_t i = 0; i < m->n_pus; i++)
		for (int64_t t = 0; t < threads; t++)
			if (weft_cpuset_has(&cpus,
				    m->pu[i].core * (unsigned)threads + (unsigned)t))
				weft_cpuset_add(kept, m->pu[i].cpu);
	return 0;
}

/* As srun and scontrol take it, and no list or option. */
static bool is_name(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return *s && *s != '-' && !s[strspn(s, allowed)];
}

static int there(const char *name, const struct weft_conf *conf,
	struct weft_machine **m, struct weft_cpuset *kept, struct weft_err *err)
{
	weft_autofree char *out = NULL, *errout = NULL;
	weft_autoargv struct weft_argv argv = {0};
	int status;

	if (build(&argv, name, conf, err) ||
		ask(argv.v, RUN_SECONDS, &out, &errout, &status, err))
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return refused(name, errout, err);
	if (weft_machine_parse(out, strlen(out), m, err))
		return weft_err_prefix(err, "what node %s said", name);
	/* Its numbers are no matter of the machine that we run on. */
	(*m)->borrowed = true;
	if (conf->reserve && weft_machine_reserve(*m, conf->reserve, err))
		return weft_err_prefix(err, "weft.conf: reserve");
	return kept ? find_kept(name, *m, kept, err) : 0;
}

int cmd_topology_node(const char *name, struct weft_machine **m,
	struct weft_cpuset *kept, struct weft_err *err)
{
	struct weft_conf *conf = NULL;

	*m = NULL;
	if (kept)
		memset(kept, 0, sizeof(*kept));
	if (!is_name(name))
		return weft_err_set(err, WEFT_EUSAGE, "'%s' is no node's name", name);
	if (is_here(name))
		return cmd_topology_here(m, NULL, err);
	if (weft_conf_load(NULL, false, &conf, err))
		return -1;
	int rc = there(name, conf, m, kept, err);
	weft_conf_free(conf);
	if (!rc)
		return 0;
	weft_machine_free(*m);
	*m = NULL;
	return weft_err_hint(err,
		"what `weft topo dump` prints there can be saved, and given by "
		"--topology FILE");
}
