/* What needs no Slurm: GRES texts, array expressions, the scrubbed environment, and
 * what becomes of sbatch's answers. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slurm/gres.h"
#include "slurm/releases.h"
#include "slurm/slurm.h"
#include "slurm/user.h"
#include "suite.h"

/* "type:used/count ..." of the GPUs in the two texts. */
static void gpus(const char *have, const char *used, const char *want)
{
	weft_autostr struct weft_str s = {0};
	struct weft_arena arena = {0};
	struct weft_node n = {0};

	ck_assert_int_eq(slurm_gres_have(&n, have, &arena), 0);
	ck_assert_int_eq(slurm_gres_used(&n, used), 0);
	weft_str_add(&s, "");
	for (size_t i = 0; i < n.n_gpu_types; i++)
		weft_str_printf(&s, "%s%s:%u/%u", i ? " " : "", n.gpus[i].type,
			n.gpus[i].used, n.gpus[i].count);
	ck_assert_str_eq(s.s, want);
	weft_arena_free(&arena);
}

START_TEST(gres)
{
	gpus(NULL, NULL, "");
	gpus("", "", "");
	gpus("gpu:2", "gpu:0", ":0/2");
	gpus("gpu", NULL, ":0/1");
	gpus("gpu:a100", NULL, "a100:0/1");
	gpus("gpu:a100:2", "gpu:a100:1(IDX:0)", "a100:1/2");
	gpus("gpu:a100:2(S:0-1)", "gpu:a100:2(IDX:0-1)", "a100:2/2");
	gpus("gpu:a100:4(S:0,1),gpu:t4:1(S:0)", "gpu:a100:2(IDX:0,3),gpu:t4:0(IDX:N/A)",
		"a100:2/4 t4:0/1");
	gpus("nic:2,gpu:3,shard:8,mps:100", "nic:1,gpu:1(IDX:2)", ":1/3");
	gpus("gpu:2", "gpu:(null):1(IDX:0)", ":1/2");
	gpus("gpu:a100:2,gpu:a100:2", "gpu:a100:9", "a100:4/4");
	gpus("gpus:2,gpuX,xgpu:1,gpu:0", NULL, "");
	gpus("gpu:a:b:c:9,gpu:2(S:0", NULL, ":0/2");
	gpus("gpu:a:x:1:2,,,:,(,", NULL, "");
	gpus("gpu:a:1,gpu:b:1,gpu:c:1,gpu:d:1,gpu:e:1,gpu:f:1,gpu:g:1,gpu:h:1,gpu:i:1",
		"", "a:0/1 b:0/1 c:0/1 d:0/1 e:0/1 f:0/1 g:0/1 h:0/1");
}
END_TEST

/* "minutes:cpus/MiB/gpus ..." of the node's releases. */
static void releases(struct slurm_share *share, size_t n, const char *want)
{
	struct weft_node nodes[2] = {{.cpus = 8,
		.cpus_used = 7,
		.mem_used = 1000,
		.n_gpu_types = 1,
		.gpus = {{"a100", 4, 3}}}};
	struct weft_cluster c = {.node = nodes, .n_nodes = 2};
	weft_autostr struct weft_str s = {0};

	ck_assert_int_eq(slurm_releases(&c, share, n), 0);
	weft_str_add(&s, "");
	for (size_t i = 0; i < nodes[0].n_releases; i++) {
		const struct weft_release *r = &nodes[0].release[i];

		weft_str_printf(&s, "%s%jd:%u/%ju/%u", i ? " " : "",
			(intmax_t)r->after / 60, r->cpus, (uintmax_t)r->mem,
			r->gpus[0]);
	}
	ck_assert_str_eq(s.s, want);
	weft_arena_free(&c.arena);
}

START_TEST(given_back)
{
	struct slurm_share ordered[] = {{0, 300, 2, 100, "gpu:a100:1(IDX:0)"},
		{1, 10, 1, 1, ""}, {0, 61, 4, 500, ""}, {0, 0, 1, 1, ""}};
	struct slurm_share same[] = {{0, 20, 2, 100, ""}, {0, 50, 3, 100, ""}};
	struct slurm_share over[] = {{0, 60, 9, 2000, "gpu:a100:9"}};
	struct slurm_share many[WEFT_CLUSTER_MAX_RELEASES + 5];
	weft_autostr struct weft_str want = {0};

	releases(NULL, 0, "");
	/* All CPUs are there, so the job that ends last has the rest. */
	releases(ordered, WEFT_COUNT(ordered), "1:1/1/0 2:4/500/0 5:2/499/3");
	/* Two CPUs are another's, whose job is not to be seen: when is not known. */
	releases(same, WEFT_COUNT(same), "1:5/200/0");
	releases(over, WEFT_COUNT(over), "1:7/1000/3");
	for (size_t i = 0; i < WEFT_COUNT(many); i++) {
		many[i] = (struct slurm_share){0, 60 * ((int64_t)i + 1), 0, 10, ""};
		if (i + 1 < WEFT_CLUSTER_MAX_RELEASES)
			weft_str_printf(&want, "%zu:0/10/0 ", i + 1);
	}
	weft_str_printf(&want, "%zu:0/60/0", WEFT_COUNT(many));
	releases(many, WEFT_COUNT(many), want.s);
}
END_TEST

START_TEST(associations)
{
	struct weft_cluster c = {.user = {.name = "alice", .default_account = ""}};
	const struct weft_user *u = &c.user;

	ck_assert_int_eq(slurm_user_associations(&c, "phys|phys||normal,high|normal\n"
						     "phys|chem|gpu||\n"
						     "phys||||\n"),
		0);
	ck_assert_str_eq(u->default_account, "phys");
	ck_assert_uint_eq(u->n_associations, 2);
	ck_assert_str_eq(u->association[0].account, "phys");
	ck_assert_str_eq(u->association[0].partition, "");
	ck_assert_uint_eq(u->association[0].n_qos, 2);
	ck_assert_str_eq(u->association[0].qos[1], "high");
	ck_assert_str_eq(u->association[0].default_qos, "normal");
	ck_assert_str_eq(u->association[1].partition, "gpu");
	ck_assert_uint_eq(u->association[1].n_qos, 0);
	weft_arena_free(&c.arena);

	c = (struct weft_cluster){.user = {.name = "bob", .default_account = "own"}};
	ck_assert_int_eq(slurm_user_associations(&c, "phys\n\nx|y"), 0);
	ck_assert_str_eq(c.user.default_account, "own");
	ck_assert_uint_eq(c.user.n_associations, 1);
	weft_arena_free(&c.arena);
}
END_TEST

/* A program of that name in a PATH of its own; the folder is returned. */
static char *fake(const char *name, const char *text)
{
	char *dir = strdup("/tmp/weft-slurm.XXXXXX");
	weft_autofree char *path = NULL, *env = NULL;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = weft_path_join(dir, name);
	ck_assert_int_eq(weft_write_file(path, text, strlen(text), 0755, NULL), 0);
	env = weft_printf("%s:/usr/bin:/bin", dir);
	setenv("PATH", env, 1);
	return dir;
}

static struct weft_cluster *user_by(const char *script, bool enforced)
{
	weft_autofree char *dir = fake("sacctmgr", script);
	struct weft_cluster *c = calloc(1, sizeof(*c));

	ck_assert_int_eq(slurm_user(c, enforced), 0);
	ck_assert_int_eq(weft_remove_tree(dir, NULL), 0);
	return c;
}

START_TEST(user)
{
	struct weft_cluster *c = user_by("#!/bin/sh\necho \"phys|phys||$5|\"\n", true);

	ck_assert(*c->user.name);
	ck_assert_uint_gt(c->user.n_groups, 0);
	ck_assert_uint_eq(c->user.n_associations, 1);
	ck_assert_str_eq(c->user.association[0].qos[0], "user");
	weft_cluster_free(c);
	c = user_by("#!/bin/sh\nexit 1\n", true); /* no accounting: not known */
	ck_assert_uint_eq(c->user.n_associations, 0);
	weft_cluster_free(c);
	c = user_by("#!/bin/sh\necho \"phys|phys|||\"\n", false); /* not asked */
	ck_assert_uint_eq(c->user.n_associations, 0);
	weft_cluster_free(c);
	setenv("SBATCH_ACCOUNT", "mine", 1);
	c = user_by("#!/bin/sh\necho \"phys|phys|||\"\n", true);
	ck_assert_str_eq(c->user.default_account, "mine");
	weft_cluster_free(c);
}
END_TEST

static void tasks(const char *expression, const char *want)
{
	weft_autofree char *got = slurm_array_tasks(expression);

	if (want)
		ck_assert_str_eq(got, want);
	else
		ck_assert_ptr_null(got);
}

START_TEST(array)
{
	tasks("3", "3");
	tasks("3-9,12", "3-9,12");
	tasks("3-9,12%4", "3-9,12");
	tasks("0-6:2,9", "0,2,4,6,9");
	tasks("5-5", "5");
	tasks("1-3,...", "1-3");
	tasks("", NULL);
	tasks("x", NULL);
	tasks("9-3", NULL);
	tasks("0-4294967294", NULL);
	tasks("18446744073709551615:2", NULL);
}
END_TEST

START_TEST(scrub)
{
	struct weft_env e = {0};
	char *const vars[] = {(char *)"PATH=/bin", (char *)"SLURM_JOB_ID=1",
		(char *)"SLURM_CONF=/c", (char *)"SLURM_JWT=t",
		(char *)"SBATCH_ACCOUNT=a", (char *)"SBATCH_EXCLUSIVE=1",
		(char *)"SRUN_CPUS_PER_TASK=4", (char *)"SLURM_SPANK_X=1",
		(char *)"_SLURM_SPANK_OPTION_weft_weft=f", (char *)"PMI_RANK=0",
		(char *)"PMIX_RANK=0", (char *)"SLURMD_NODENAME=c1", (char *)"HOME=/h",
		NULL};

	ck_assert_int_eq(weft_env_copy(&e, vars), 0);
	weft_slurm_scrub(&e);
	ck_assert_uint_eq(e.vars.n, 5);
	ck_assert_str_eq(weft_env_get(&e, "PATH"), "/bin");
	ck_assert_str_eq(weft_env_get(&e, "SLURM_CONF"), "/c");
	ck_assert_str_eq(weft_env_get(&e, "SLURM_JWT"), "t");
	ck_assert_str_eq(weft_env_get(&e, "SBATCH_ACCOUNT"), "a");
	ck_assert_str_eq(weft_env_get(&e, "HOME"), "/h");
	weft_env_free(&e);
}
END_TEST

static void submit_is(const char *script, int want, uint32_t id, const char *part)
{
	char *const args[] = {(char *)"--job-name", (char *)"a b", NULL};
	weft_autofree char *dir = fake("sbatch", script);
	weft_autoerr struct weft_err err = {0};
	uint32_t job = 0;

	ck_assert_msg(
		weft_slurm_submit(args, "#!/bin/sh\necho 'hi'\n", &job, &err) == want,
		"%s", err.text ? err.text : "accepted");
	ck_assert_uint_eq(job, id);
	if (want) {
		ck_assert_int_eq(err.code, WEFT_ESLURM);
		ck_assert_msg(strstr(err.text, part) != NULL, "no '%s' in %s", part,
			err.text);
	}
	weft_remove_tree(dir, NULL);
}

START_TEST(submit)
{
	setenv("SLURM_JOB_ID", "77", 1);
	submit_is("#!/bin/sh\necho 123\n", 0, 123, NULL);
	submit_is("#!/bin/sh\necho '123;cluster'\n", 0, 123, NULL);
	submit_is("#!/bin/sh\necho 'welcome to the site'; echo 4294967293\n", 0,
		4294967293u, NULL);
	/* Arguments and script arrive whole; the outer job's variables don't. */
	submit_is(
		"#!/bin/sh\n[ \"$*\" = '--parsable --job-name a b' ] && [ $# = 3 ] &&\n"
		"[ \"$(cat)\" = \"$(printf '#!/bin/sh\\necho %shi%s' \"'\" \"'\")\" ] "
		"&&\n"
		"[ -z \"$SLURM_JOB_ID\" ] && echo 5\n",
		0, 5, NULL);
	submit_is("#!/bin/sh\necho >&2 'sbatch: error: Batch job submission failed: "
		  "Invalid account'\nexit 1\n",
		-1, 0, "sbatch: Batch job submission failed: Invalid account");
	submit_is("#!/bin/sh\necho >&2 'sbatch: error: one'\necho >&2 'sbatch: error: "
		  "two'\n"
		  "exit 1\n",
		-1, 0, "sbatch: one; two");
	submit_is("#!/bin/sh\nexit 1\n", -1, 0, "no reason given");
	submit_is("#!/bin/sh\nkill -9 $$\n", -1, 0, "no reason given");
	submit_is("#!/bin/sh\necho done\n", -1, 0, "no job id, but: done");
	submit_is("#!/bin/sh\n:\n", -1, 0, "no job id");
}
END_TEST

START_TEST(no_sbatch)
{
	char *const args[] = {NULL};
	weft_autoerr struct weft_err err = {0};
	uint32_t job;

	setenv("PATH", "/nonexistent", 1);
	ck_assert_int_eq(weft_slurm_submit(args, "", &job, &err), -1);
	ck_assert_int_eq(err.code, WEFT_ESLURM);
	ck_assert_str_eq(err.text, "sbatch is not in PATH");
}
END_TEST

static void mpi_is(const char *script, const char *want)
{
	weft_autofree char *dir = fake("srun", script), *types = NULL;

	ck_assert_int_eq(weft_slurm_mpi_types(&types, NULL), want ? 0 : -1);
	if (want)
		ck_assert_str_eq(types, want);
	weft_remove_tree(dir, NULL);
}

START_TEST(mpi)
{
	mpi_is("#!/bin/sh\nprintf 'MPI plugin types "
	       "are...\\n\\tpmix\\n\\tnone\\n\\tpmi2\\n"
	       "specific pmix plugin versions available: pmix_v3,pmix_v4\\n'\n",
		"pmix none pmi2 pmix_v3 pmix_v4");
	mpi_is("#!/bin/sh\nprintf 'srun: MPI types are...\\nsrun: none\\nsrun: "
	       "pmi2\\n' >&2\n",
		"none pmi2");
	mpi_is("#!/bin/sh\nexit 1\n", NULL);
}
END_TEST

START_TEST(held)
{
	static const char tres[] =
		"cpu=8,mem=4G,node=2,billing=8,gres/gpu=4,gres/gpu:a100=3";

	ck_assert_uint_eq(slurm_count_tasks("7"), 1);
	ck_assert_uint_eq(slurm_count_tasks("0-6,9,11-12"), 10);
	ck_assert_uint_eq(slurm_count_tasks("0-8:2"), 5);
	ck_assert_uint_eq(slurm_count_tasks(""), 0);
	ck_assert_uint_eq(slurm_tres_count(tres, "gres/gpu"), 4);
	ck_assert_uint_eq(slurm_tres_count(tres, "node"), 2);
	ck_assert_uint_eq(slurm_tres_count(tres, "gres/gpu:a100"), 3);
	ck_assert_uint_eq(slurm_tres_count(tres, "gpu"), 0);
	ck_assert_uint_eq(slurm_tres_count(NULL, "node"), 0);
}
END_TEST

SUITE("slurm", gres, given_back, associations, user, array, scrub, submit, no_sbatch,
	mpi, held)
