/* cmd_node.c - `weft node`: what weft does on a node for the site and for doctor */
#include "node.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo/topo.h"

static bool job_number(const char *name, int64_t max, int64_t *v, struct weft_err *err)
{
	const char *s = getenv(name);

	if (s && weft_parse_int(s, 0, max, v))
		return true;
	weft_err_set(
		err, WEFT_EUSAGE, "%s is %s", name, s ? "not a number" : "not set");
	weft_err_hint(err, "Slurm sets it for its Prolog and Epilog");
	return false;
}

static bool job_owner(uid_t *uid, gid_t *gid, struct weft_err *err)
{
	const struct passwd *pw;
	int64_t v;

	if (!job_number("SLURM_JOB_UID", UINT32_MAX - 1, &v, err))
		return false;
	*uid = (uid_t)v;
	if (getenv("SLURM_JOB_GID")) {
		if (!job_number("SLURM_JOB_GID", UINT32_MAX - 1, &v, err))
			return false;
		*gid = (gid_t)v;
		return true;
	}
	pw = getpwuid(*uid);
	if (!pw) {
		weft_err_set(err, WEFT_ESYS, "no user has the uid %u", (unsigned)*uid);
		return false;
	}
	*gid = pw->pw_gid;
	return true;
}

/*
 * Failing would drain the node, and with one mistake in weft.conf, or one user who
 * makes a folder named weft, the whole cluster.  The error goes to the log; a step
 * that asks for node scratch misses its folder, and says so.
 */
static int one_scratch(const char *dir, bool start, uint32_t job, struct weft_err *err)
{
	uid_t uid;
	gid_t gid;

	if (!start)
		return node_scratch_remove(dir, job, err);
	node_scratch_clean(dir, job);
	return job_owner(&uid, &gid, err) ? node_scratch_make(dir, job, uid, gid, err)
					  : -1;
}

static int prolog_epilog(bool start)
{
	struct weft_err err = {0};
	struct weft_conf *conf = NULL;
	int64_t job;

	if (geteuid() != 0) {
		weft_err_set(&err, WEFT_EUSAGE, "only root makes and removes scratch");
		weft_err_hint(
			&err, "Slurm's Prolog and Epilog run it, see weft-spank(8)");
		return cmd_fail(&err);
	}
	if (job_number("SLURM_JOB_ID", UINT32_MAX - 1, &job, &err))
		cmd_site_conf(&conf, &err);
	if (err.code)
		cmd_fail(&err);
	/* What fails in one place is no reason to leave out the other. */
	for (int i = 0; conf && conf->enabled && i < 2; i++) {
		const char *dir = i ? conf->memory : conf->scratch;

		if (i && weft_streq(conf->memory, conf->scratch))
			break;
		if (one_scratch(dir, start, (uint32_t)job, &err))
			cmd_fail(&err);
	}
	weft_conf_free(conf);
	return 0;
}

static void say_marker(const char *path, const char *content)
{
	weft_autofree char *text = NULL;
	size_t n;

	if (weft_read_file(path, 4096, &text, &n, NULL))
		printf("marker=%s\n", errno == ENOENT ? "missing" : strerror(errno));
	else
		printf("marker=%s\n", weft_streq(text, content) ? "same" : "differs");
}

static void say_cache(const char *dir)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_machine *m = NULL;
	int r = weft_machine_load_cache(dir, &m, &err);

	if (r == 0)
		printf("topology=%s\n", m->borrowed ? "borrowed" : "yes");
	else
		printf("topology=%s\n", r == 1 || !err.text ? "none" : err.text);
	weft_machine_free(m);
}

/* A line a fact, "key=value", for doctor on the other end of srun. */
static int check(const char *marker, const char *content)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_conf *conf = NULL;
	const char *cuda = getenv("CUDA_VISIBLE_DEVICES");
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	printf("version=%s\nhost=%s\n", weft_version, host);
	if (weft_conf_load(NULL, false, &conf, &err)) {
		weft_autofree char *line = weft_err_line(&err);

		printf("conf=%s\n", line ? line : "?");
	} else {
		printf("conf=ok\nscratch=%s%s\n", conf->scratch,
			access(conf->scratch, W_OK) ? " is not writable" : "");
		say_cache(conf->cache);
		weft_conf_free(conf);
	}
	if (cuda)
		printf("cuda=%s\n", cuda);
	if (marker)
		say_marker(marker, content ? content : "");
	return 0;
}

/* Which process manager started this task, for doctor's --mpi probe. */
static int rank(void)
{
	const char *id = getenv("PMIX_RANK");

	if (!id)
		id = getenv("PMI_RANK");
	printf("rank=%s\n", id ? id : "none");
	return 0;
}

static int run(int argc, char **argv);

WEFT_VERB(node, .name = "node",
	.synopsis =
		"prolog | epilog | check [--marker FILE --content TEXT] | rank | empty",
	.summary = "Does a node's part: the job's scratch (as root), checks for doctor",
	.help = "  prolog, epilog  make and remove SCRATCH/weft/JOBID; from Slurm's "
		"Prolog\n"
		"                  and Epilog, which run as root\n"
		"  check, rank     answer `weft doctor`\n"
		"  empty           remove what is in the working directory\n",
	.run = run);

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"marker", required_argument, NULL, 'm'},
		{"content", required_argument, NULL, 'c'}, {0}};
	const char *marker = NULL, *content = NULL, *what;
	struct weft_err err = {0};
	int opt, status;

	cmd_getopt_start();
	while ((opt = cmd_getopt(&verb_node, argc, argv, "", options, &status)) != -1) {
		if (opt == -2)
			return status;
		if (opt == 'm')
			marker = optarg;
		if (opt == 'c')
			content = optarg;
	}
	if (argc - optind != 1)
		return cmd_usage(
			&verb_node, "one of prolog, epilog, check, rank, empty");
	what = argv[optind];
	if (weft_streq(what, "prolog") || weft_streq(what, "epilog"))
		return prolog_epilog(weft_streq(what, "prolog"));
	if (weft_streq(what, "check"))
		return check(marker, content);
	if (weft_streq(what, "rank"))
		return rank();
	if (!weft_streq(what, "empty"))
		return cmd_usage(&verb_node, "no '%s'", what);
	if (geteuid() == 0)
		return cmd_usage(&verb_node, "empty is not for root");
	return node_empty_here(&err) ? cmd_fail(&err) : 0;
}
