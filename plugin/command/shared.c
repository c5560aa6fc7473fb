/* shared.c - is the run directory to be seen on the nodes?  Asked before anything is
 * submitted, for a job that can't see it can't even say so. */
#include "job.h"

#include "slurm/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* File systems that nodes share by their nature. Source: statfs(2), linux/magic.h and
 * the file systems' own headers (Lustre, GPFS, BeeGFS). */
static bool is_network(const char *dir)
{
	static const unsigned long magic[] = {0x6969 /* NFS */, 0x0bd00bd0 /* Lustre */,
		0x47504653 /* GPFS */, 0x19830326 /* BeeGFS */, 0x00c36400 /* Ceph */,
		0xaad7aaea /* PanFS */, 0xff534d42 /* CIFS */, 0x013661 /* GFS2 */,
		0x7461636f /* OCFS2 */, 0x73757245 /* Coda */, 0x5346414f /* AFS */};
	struct statfs s;

	if (statfs(dir, &s))
		return false;
	for (size_t i = 0; i < WEFT_COUNT(magic); i++)
		if ((unsigned long)s.f_type == magic[i])
			return true;
	return false;
}

#define PROBE_SECONDS 5
#define SEEN_FOR 86400.0 /* seconds that a node's answer holds */

/* 0: seen; 1: no node was free to ask; -1: not to be seen. */
static int probe(
	const char *partition, const struct weft_run *run, struct weft_err *err)
{
	weft_autoargv struct weft_argv a = {0};
	weft_autofree char *out = NULL, *said = NULL;
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct weft_env env = {0};
	extern char **environ;
	int status = 0, r = -1;

	weft_argv_add(&a, "srun");
	weft_argv_addf(&a, "--partition=%s", partition);
	weft_argv_addf(&a, "--immediate=%d", PROBE_SECONDS);
	weft_argv_add(&a, "--nodes=1");
	weft_argv_add(&a, "--ntasks=1");
	weft_argv_add(&a, "--time=1");
	weft_argv_add(&a, "--quiet");
	weft_argv_add(&a, "--mpi=none");
	weft_argv_add(&a, "--input=none");
	weft_argv_add(&a, "--chdir=/");
	weft_argv_add(&a, "--job-name=weft-probe");
	weft_argv_add(&a, "/bin/sh");
	weft_argv_add(&a, "-c");
	weft_argv_add(&a, "if [ -r \"$0/run.json\" ]; then echo seen; else echo "
			  "\"unseen $(hostname)\"; fi");
	weft_argv_add(&a, run->dir);
	if (a.failed || weft_env_copy(&env, environ)) {
		weft_err_nomem(err);
		goto out;
	}
	weft_slurm_scrub(&env);
	s.argv = a.v;
	s.envp = env.vars.v;
	if (weft_capture(&s, PROBE_SECONDS + 15, 65536, &out, &said, &status, err)) {
		if (errno == ETIMEDOUT)
			r = 1;
		goto out;
	}
	if (weft_starts_with(out, "seen")) {
		r = 0;
	} else if (weft_starts_with(out, "unseen ")) {
		out[strcspn(out, "\n")] = '\0';
		weft_err_set(err, WEFT_ESLURM,
			"the run directory %s isn't to be seen on node %s", run->dir,
			out + 7);
		weft_err_hint(err,
			"run from a folder on a file system that the nodes share, or "
			"name one with --run-dir");
	} else {
		r = 1;
	}
out:
	weft_env_free(&env);
	return r;
}

/* The folder that a node's answer holds for: the topmost one of the user's own on the
 * same file system, the home folder as a rule. */
static char *own_top(const char *dir, dev_t *dev)
{
	char *top = realpath(dir, NULL);
	struct stat at, up;

	if (!top || stat(top, &at)) {
		free(top);
		return NULL;
	}
	*dev = at.st_dev;
	for (;;) {
		weft_autofree char *parent = weft_path_join(top, "..");
		char *next = parent ? realpath(parent, NULL) : NULL;

		if (!next || weft_streq(next, top) || stat(next, &up) ||
			up.st_uid != getuid() || up.st_uid == 0 ||
			up.st_dev != at.st_dev) {
			free(next);
			return top;
		}
		free(top);
		top = next;
	}
}

/* The file whose age says when nodes of a partition were last seen to share the
 * folder; NULL: nowhere. */
static char *seen_file(const char *cluster, const char *partition, const char *dir)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	weft_autofree char *top = NULL, *key = NULL;
	char hex[WEFT_DIGEST_HEX];
	dev_t dev = 0;

	top = own_top(dir, &dev);
	if (!top || !(key = weft_printf("%s\n%s\n%llu\n%s", cluster, partition,
			      (unsigned long long)dev, top)))
		return NULL;
	weft_digest(key, strlen(key), hex);
	if (cache && *cache == '/')
		return weft_printf("%s/weft/shared/%s", cache, hex);
	return home && *home == '/' ? weft_printf("%s/.cache/weft/shared/%s", home, hex)
				    : NULL;
}

static bool seen_lately(const char *file)
{
	struct stat st;
	double age = file && stat(file, &st) == 0 ? weft_now() - (double)st.st_mtime
						  : SEEN_FOR;

	return age > -60 && age < SEEN_FOR;
}

/* It only saves a question: where it can't be written, that is no harm. */
static void note_seen(const char *file)
{
	weft_autofree char *dir = file ? strdup(file) : NULL;

	if (!dir)
		return;
	*strrchr(dir, '/') = '\0';
	if (weft_mkdirs(dir, 0700, NULL))
		return;
	weft_autoclose int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		futimens(fd, NULL);
}

/* Has it a CPU that nothing runs on?  Else there is no use in waiting. */
static bool has_room(const struct weft_cluster *c, const char *partition)
{
	for (size_t i = 0; i < c->n_partitions; i++) {
		const struct weft_partition *p = &c->partition[i];

		for (size_t k = 0; weft_streq(p->name, partition) && k < p->n_nodes;
			k++) {
			const struct weft_node *n = &c->node[p->node[k]];

			if (n->state != WEFT_NODE_DOWN && n->cpus_used < n->cpus)
				return true;
		}
	}
	return false;
}

static int check_partition(const struct job *j, const struct weft_run *run,
	const char *partition, struct weft_err *err)
{
	weft_autofree char *seen = seen_file(j->cluster->name, partition, run->dir);

	if (seen_lately(seen))
		return 0;
	int r = has_room(j->cluster, partition) ? probe(partition, run, err) : 1;
	if (r < 0)
		return -1;
	if (r == 0) {
		note_seen(seen);
		return 0;
	}
	weft_err_clear(err);
	weft_log(WEFT_WARN,
		"no node of partition %s was free to see whether %s is shared; going "
		"on",
		partition, run->dir);
	return 0;
}

int check_shared(const struct job *j, const struct weft_run *run, struct weft_err *err)
{
	if (is_network(run->dir))
		return 0;
	for (size_t i = 0; i < j->plan->n_groups; i++) {
		const char *partition = j->plan->group[i].shape.partition;
		bool asked = false;

		for (size_t k = 0; k < i; k++)
			asked |= weft_streq(
				j->plan->group[k].shape.partition, partition);
		if (asked)
			continue;
		if (check_partition(j, run, partition, err))
			return -1;
	}
	return 0;
}
