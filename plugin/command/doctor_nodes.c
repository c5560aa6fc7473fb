/* doctor_nodes.c - what a node of each partition says: one srun a partition */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "slurm/slurm.h"

#define WAIT_SECONDS 5 /* for a free node */
#define RUN_SECONDS 60 /* until srun is given up */

/* A file where run directories will be, which the nodes are to see. */
struct marker {
	char *path, content[40];
};

static bool make_marker(struct doctor *d, struct marker *m)
{
	const char *run_dir = d->conf ? d->conf->run_dir : "weft-runs";
	weft_autofree char *cwd = get_current_dir_name();
	weft_autofree char *dir = cwd ? weft_path_absolute(cwd, run_dir) : NULL;
	weft_autoerr struct weft_err err = {0};

	/* Nothing is made but the file: what exists of the path is enough. */
	while (dir && dir[1] && access(dir, F_OK)) {
		char *slash = strrchr(dir, '/');

		slash[slash == dir] = '\0';
	}
	m->path = dir ? weft_printf(
				"%s/.weft-doctor.%d", dir[1] ? dir : "", (int)getpid())
		      : NULL;
	snprintf(m->content, sizeof(m->content), "%d.%.6f", (int)getpid(), weft_now());
	if (!m->path)
		return false;
	if (weft_write_file(m->path, m->content, strlen(m->content), 0600, &err) == 0)
		return true;
	doctor_say(d, DOCTOR_WARN, "run directory",
		"call weft doctor where your run directories will be",
		"%s is not writable, so whether the nodes share it was not tried", dir);
	free(m->path);
	m->path = NULL;
	return false;
}

/* The value of a line "key=value"; malloced, NULL: there is none. */
static char *fact(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *l = text; l; l = strchr(l, '\n')) {
		l += *l == '\n';
		if (strncmp(l, key, n) == 0 && l[n] == '=')
			return strndup(l + n + 1, strcspn(l + n + 1, "\n"));
	}
	return NULL;
}

static void judge_marker(
	struct doctor *d, const char *check, const char *marker, const char *path)
{
	weft_autofree char *dir = strdup(path);

	if (!marker || !dir)
		return;
	*strrchr(dir, '/') = '\0';
	if (weft_streq(marker, "same"))
		doctor_say(d, DOCTOR_OK, check, NULL, "see %s", *dir ? dir : "/");
	else
		doctor_say(d, DOCTOR_FAIL, check,
			"call weft where the file system is shared, or set run_dir in "
			"weft.conf",
			"don't see %s (%s)", *dir ? dir : "/", marker);
}

static void judge_topology(struct doctor *d, const char *check, const char *cache)
{
	if (!cache)
		return;
	if (weft_streq(cache, "yes"))
		doctor_say(d, DOCTOR_OK, check, NULL, "topology is cached");
	else if (weft_streq(cache, "borrowed"))
		doctor_say(d, DOCTOR_OK, check, NULL,
			"topology is cached: another machine's, placement is not "
			"applied");
	else
		doctor_say(d, DOCTOR_WARN, check,
			"run `weft topo cache` as root at boot: without it every step "
			"discovers the machine anew",
			"topology is not cached: %s", cache);
}

static void judge_gpus(struct doctor *d, const char *check, const char *cuda)
{
	if (cuda && *cuda && !weft_streq(cuda, "NoDevFiles"))
		doctor_say(d, DOCTOR_OK, check, NULL,
			"give a GPU (CUDA_VISIBLE_DEVICES=%s)", cuda);
	else
		doctor_say(d, DOCTOR_FAIL, check,
			"gres.conf(5): does File= name the GPU's device files?",
			"give a GPU, but CUDA_VISIBLE_DEVICES is not set");
}

/* What `weft node check` said, one finding a fact. */
static void judge_facts(struct doctor *d, const char *check, const char *text,
	bool gpus, const char *marker_path)
{
	weft_autofree char *version = fact(text, "version"), *host = fact(text, "host");
	weft_autofree char *conf = fact(text, "conf"), *cache = fact(text, "topology");
	weft_autofree char *scratch = fact(text, "scratch"), *cuda = fact(text, "cuda");
	weft_autofree char *marker = fact(text, "marker");

	if (!weft_streq(version, weft_version))
		doctor_say(d, DOCTOR_FAIL, check, "install the same weft on all hosts",
			"%s has weft %s, but this is weft %s", host ? host : "?",
			version, weft_version);
	else
		doctor_say(d, DOCTOR_OK, check, NULL, "%s has weft %s",
			host ? host : "?", version);
	if (conf && !weft_streq(conf, "ok"))
		doctor_say(d, DOCTOR_FAIL, check,
			"weft.conf(5); the same on every host", "%s", conf);
	if (scratch && strstr(scratch, " is not writable"))
		doctor_say(d, DOCTOR_FAIL, check, "set scratch in weft.conf", "%s",
			scratch);
	if (marker_path)
		judge_marker(d, check, marker, marker_path);
	judge_topology(d, check, cache);
	if (gpus)
		judge_gpus(d, check, cuda);
}

/* The first line that srun wrote, without its name and level. */
static char *srun_said(const char *text)
{
	const char *s = strstr(text, "error: ");

	s = s ? s + 7 : text;
	return strndup(s, strcspn(s, "\n"));
}

static void judge_failure(
	struct doctor *d, const char *check, const char *text, const char *weft)
{
	weft_autofree char *said = srun_said(text), *hint = NULL;

	if (strstr(text, "Immediate execution impossible") ||
		strstr(text, "Requested nodes are busy")) {
		doctor_say(d, DOCTOR_WARN, check, "try again when a node is free",
			"busy: no node within %d s, so nothing was tried",
			WAIT_SECONDS);
		return;
	}
	if (strstr(text, "not permitted")) {
		doctor_say(d, DOCTOR_WARN, check,
			"steps of yours will not be placed there", "closed to you: %s",
			said ? said : "?");
		return;
	}
	if (strstr(text, "execve()") || strstr(text, "No such file or directory") ||
		strstr(text, "Permission denied")) {
		hint = weft_printf(
			"install weft on the nodes, and say in weft.conf where: "
			"command = %s",
			weft);
		doctor_say(d, DOCTOR_FAIL, check, hint, "%s cannot be run there (%s)",
			weft, said ? said : "?");
		return;
	}
	doctor_say(d, DOCTOR_FAIL, check, "try the same: srun -p PARTITION hostname",
		"srun: %s", said && *said ? said : "failed without a word");
}

static bool any_gpu(const struct weft_cluster *c, const struct weft_partition *p)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (c->node[p->node[i]].n_gpus &&
			c->node[p->node[i]].state != WEFT_NODE_DOWN)
			return true;
	return false;
}

static size_t usable(const struct weft_cluster *c, const struct weft_partition *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		n += c->node[p->node[i]].state != WEFT_NODE_DOWN;
	return n;
}

static void srun_args(struct weft_argv *a, const char *partition, int tasks)
{
	weft_argv_add(a, "srun");
	weft_argv_add(a, "--quiet");
	weft_argv_add(a, "--job-name=weft-doctor");
	weft_argv_addf(a, "--partition=%s", partition);
	weft_argv_add(a, "--nodes=1");
	weft_argv_addf(a, "--ntasks=%d", tasks);
	weft_argv_add(a, "--mem=64M");
	weft_argv_add(a, "--time=1");
	weft_argv_addf(a, "--immediate=%d", WAIT_SECONDS);
	weft_argv_add(a, "--chdir=/");
}

static void check_partition(struct doctor *d, const struct weft_partition *p,
	const char *weft, const struct marker *m)
{
	weft_autofree char *text = NULL;
	weft_autoargv struct weft_argv argv = {0};
	bool gpus = any_gpu(d->cluster, p);
	struct weft_err err = {0};
	/* Lives as long as the findings: the cluster's arena. */
	const char *check =
		weft_arena_printf(&d->cluster->arena, "nodes of %s", p->name);
	int status;

	if (!check)
		return;
	if (!p->up || !usable(d->cluster, p)) {
		doctor_say(d, DOCTOR_WARN, check, "sinfo -R tells why",
			p->up ? "all are down" : "the partition is not up");
		return;
	}
	srun_args(&argv, p->name, 1);
	if (gpus)
		weft_argv_add(&argv, "--gres=gpu:1");
	weft_argv_add(&argv, weft);
	weft_argv_add(&argv, "node");
	weft_argv_add(&argv, "check");
	if (m->path) {
		weft_argv_addf(&argv, "--marker=%s", m->path);
		weft_argv_addf(&argv, "--content=%s", m->content);
	}
	status = argv.failed ? weft_err_nomem(&err)
			     : doctor_run(argv.v, RUN_SECONDS, &text, &err);
	if (status < 0)
		doctor_say_err(
			d, DOCTOR_FAIL, check, "does srun work in it at all?", &err);
	else if (status != 0 || !strstr(text, "version="))
		judge_failure(d, check, text, weft);
	else
		judge_facts(d, check, text, gpus, m->path);
	/* The default one, or else the first. */
	if (status == 0 && (!d->partition || p->is_default))
		d->partition = p->name;
}

void doctor_check_nodes(struct doctor *d)
{
	weft_autofree char *weft = cmd_path_on_nodes(d->conf);
	struct marker m = {0};

	if (!weft) {
		d->no_memory = true;
		return;
	}
	make_marker(d, &m);
	for (size_t i = 0; i < d->cluster->n_partitions; i++)
		check_partition(d, &d->cluster->partition[i], weft, &m);
	if (m.path)
		unlink(m.path);
	free(m.path);
}

/* Whether two tasks of this type learn their ranks; *busy: it couldn't be tried. */
static bool mpi_works(
	const char *type, const char *partition, const char *weft, bool *busy)
{
	weft_autofree char *text = NULL;
	weft_autoargv struct weft_argv argv = {0};

	srun_args(&argv, partition, 2);
	weft_argv_addf(&argv, "--mpi=%s", type);
	weft_argv_add(&argv, weft);
	weft_argv_add(&argv, "node");
	weft_argv_add(&argv, "rank");
	if (argv.failed || doctor_run(argv.v, RUN_SECONDS, &text, NULL) < 0)
		return false;
	*busy = strstr(text, "Immediate execution impossible") ||
		strstr(text, "Requested nodes are busy");
	return strstr(text, "rank=0") && strstr(text, "rank=1");
}

/* pmix_v4 is what pmix stands for: tried only where the conf names it. */
static bool worth_trying(const char *type, const struct weft_conf *conf)
{
	if (conf && weft_streq(conf->mpi, type))
		return true;
	return !weft_streq(type, "none") && !weft_streq(type, "cray_shasta") &&
	       !weft_starts_with(type, "pmix_");
}

static void judge_mpi(struct doctor *d, const char *works, const char *types)
{
	const char *want = d->conf ? d->conf->mpi : NULL;
	weft_autofree char *padded = weft_printf(" %s ", works);
	weft_autofree char *word = want ? weft_printf(" %s ", want) : NULL;
	weft_autofree char *hint = NULL;

	if (!padded || (want && !word)) {
		d->no_memory = true;
	} else if (!*works) {
		doctor_say(d, DOCTOR_FAIL, "MPI",
			"install a PMI library that Slurm can load: slurm.conf(5), "
			"MpiDefault",
			"no --mpi type works (srun lists: %s)", types);
	} else if (want && !strstr(padded, word)) {
		hint = weft_printf(
			"say mpi = %.*s in weft.conf", (int)strcspn(works, " "), works);
		doctor_say(d, DOCTOR_FAIL, "MPI", hint,
			"weft.conf says mpi = %s, which doesn't work; these do: %s",
			want, works);
	} else {
		doctor_say(d, DOCTOR_OK, "MPI", NULL, "--mpi types that work: %s%s%s%s",
			works, want ? " (weft.conf: " : "", want ? want : "",
			want ? ")" : "");
	}
}

void doctor_check_mpi(struct doctor *d)
{
	weft_autofree char *weft = cmd_path_on_nodes(d->conf), *types = NULL,
			   *copy = NULL;
	weft_autostr struct weft_str works = {0};
	struct weft_err err = {0};
	char *save = NULL;
	bool busy = false;

	if (!d->partition) {
		doctor_say(d, DOCTOR_WARN, "MPI", "see above",
			"no job ran, so no --mpi type was tried");
		return;
	}
	if (weft_slurm_mpi_types(&types, &err)) {
		doctor_say_err(d, DOCTOR_FAIL, "MPI", NULL, &err);
		return;
	}
	copy = strdup(types);
	if (!copy || !weft) {
		d->no_memory = true;
		return;
	}
	weft_str_add(&works, "");
	for (char *t = strtok_r(copy, " ", &save); t && !busy;
		t = strtok_r(NULL, " ", &save))
		if (worth_trying(t, d->conf) && mpi_works(t, d->partition, weft, &busy))
			weft_str_printf(&works, "%s%s", works.len ? " " : "", t);
	if (busy)
		doctor_say(d, DOCTOR_WARN, "MPI", "try again when a node is free",
			"%s is busy, so not every --mpi type was tried", d->partition);
	else if (!works.failed)
		judge_mpi(d, works.s, types);
}
