/* The controller's half, with a slurmctld of the suite's own. */
#include <sys/stat.h>
#include <unistd.h>

#include "../tools/fake_slurmctld.h"
#include "request/request.h"
#include "suite.h"

#define R "WEFT_REQUEST=weft-request-1 step=train role=training"

static job_desc_msg_t job;
static char *msg;

static bool has_conf;

/* Each test is a process of its own. */
static int submit(const char *request)
{
	/* The suite may run under the environment of a user of weft's. */
	if (!has_conf)
		unsetenv("WEFT_CONF");
	ck_assert_int_eq(init(), SLURM_SUCCESS);
	if (request)
		ctl_job(&job, request);
	return job_submit(&job, 1000, &msg);
}

static const char *env(const char *name)
{
	size_t n = strlen(name);

	for (uint32_t i = 0; i < job.env_size; i++)
		if (!strncmp(job.environment[i], name, n) &&
			job.environment[i][n] == '=')
			return job.environment[i] + n + 1;
	return "";
}

static void end(void)
{
	ctl_job_free(&job);
	slurm_xfree_ptr(msg);
	msg = NULL;
	fini();
	ck_assert_int_eq(ctl_blocks, 0);
}

START_TEST(fills_what_is_open)
{
	ck_assert_int_eq(
		submit(R
			" partition=gpu account=phys qos=high reservation=r nodes=2 "
			"ntasks=8 ntasks_per_node=4 cpus_per_task=3 gpus_per_node=4 "
			"gpu_type=a100 mem=2048 tmp=7 time=90 constraint=ib exclude=c1 "
			"nodelist=c2 licenses=l gres=tape:1,disk exclusive=1"),
		SLURM_SUCCESS);
	ck_assert_str_eq(job.partition, "gpu");
	ck_assert_str_eq(job.account, "phys");
	ck_assert_str_eq(job.qos, "high");
	ck_assert_str_eq(job.reservation, "r");
	ck_assert(job.min_nodes == 2 && job.max_nodes == 2 && job.num_tasks == 8);
	ck_assert(job.ntasks_per_node == 4 && job.cpus_per_task == 3);
	ck_assert(job.pn_min_cpus == 3 && job.min_cpus == 24);
	ck_assert_str_eq(job.tres_per_node, "gres:gpu:a100:4,gres:tape:1,gres:disk");
	ck_assert_ptr_null(job.tres_per_job);
	ck_assert(job.pn_min_memory == 2048 && job.pn_min_tmp_disk == 7);
	ck_assert(job.time_limit == 90 && job.shared == 0);
	ck_assert_str_eq(job.features, "ib");
	ck_assert_str_eq(job.exc_nodes, "c1");
	ck_assert_str_eq(job.req_nodes, "c2");
	ck_assert_str_eq(job.licenses, "l");
	ck_assert_uint_eq(
		job.bitflags, USE_DEFAULT_WCKEY | JOB_NTASKS_SET | JOB_CPUS_SET);
	ck_assert_str_eq(env("SLURM_NTASKS"), "8");
	ck_assert_str_eq(env("SLURM_NPROCS"), "8");
	ck_assert_str_eq(env("SLURM_NTASKS_PER_NODE"), "4");
	ck_assert_str_eq(env("SLURM_CPUS_PER_TASK"), "3");
	ck_assert_str_eq(env("SLURM_GPUS_PER_NODE"), "a100:4");
	ck_assert_str_eq(env("PATH"), "/bin");
	ck_assert_str_eq(msg,
		"weft: step train: partition gpu, account phys, qos high, "
		"reservation r, constraint ib, exclude c1, nodelist c2, licenses l, "
		"ntasks 8, nodes 2, ntasks_per_node 4, cpus_per_task 3, "
		"gpus_per_node a100:4, gres tape:1,disk, mem 2048M, tmp 7M, "
		"time 01:30:00, exclusive");
	end();
}
END_TEST

START_TEST(leaves_other_jobs)
{
	job_desc_msg_t before;

	ctl_job(&job, NULL);
	before = job;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert_mem_eq(&job, &before, sizeof(job));
	ck_assert_ptr_null(msg);
	ck_assert_str_eq(env("SLURM_NTASKS_PER_NODE"), "77");
	ck_assert_int_eq(job_modify(&job, NULL, 0), SLURM_SUCCESS);
	ck_assert_mem_eq(&job, &before, sizeof(job));
	end();
}
END_TEST

/* What sbatch sends when these are typed, each alone. */
#define SIZES                                                                          \
	" partition=gpu nodes=2 ntasks=8 ntasks_per_node=4 cpus_per_task=3 "           \
	"gpus_per_node=4 mem=2048 time=90"
static void typed(void (*set)(void), bool nodes, bool ntasks, bool per_node, bool cpus)
{
	job_desc_msg_t before;

	ctl_job(&job, R SIZES);
	set();
	before = job;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert_ptr_null(ctl_changed(&before, &job));
	ck_assert_int_eq(nodes, job.min_nodes == 2 && job.max_nodes == 2);
	ck_assert_int_eq(ntasks, job.num_tasks == 8);
	ck_assert_int_eq(per_node, job.ntasks_per_node == 4);
	ck_assert_int_eq(cpus, job.cpus_per_task == 3);
	end();
}
static void set_nodes(void)
{
	job.min_nodes = job.max_nodes = 3;
}
static void set_many_nodes(void)
{
	job.min_nodes = job.max_nodes = 9;
}
static void set_tasks(void)
{
	job.num_tasks = 16;
}
static void set_same_tasks(void)
{
	job.num_tasks = 8;
}
static void set_per_node(void)
{
	job.ntasks_per_node = 2;
}
static void set_cpus(void)
{
	job.cpus_per_task = 16;
}
static void set_nodelist(void)
{
	job.req_nodes = slurm_xstrdup("c1");
	job.min_nodes = 1;
}
START_TEST(numbers_go_together)
{
	typed(set_nodes, false, true, false, true);
	typed(set_many_nodes, false, false, false, true);
	typed(set_tasks, false, false, false, true);
	typed(set_same_tasks, true, true, true, true);
	typed(set_per_node, false, true, false, true);
	typed(set_cpus, false, true, false, false);
	typed(set_nodelist, false, true, false, true);
}
END_TEST

START_TEST(nodes_of_the_file_hold)
{
	ctl_job(&job, R " nodes=2 nodes_given=1 ntasks=8");
	job.num_tasks = 6;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert(job.min_nodes == 2 && job.num_tasks == 6 && job.min_cpus == 6);
	end();
	ctl_job(&job, R " nodes=2 nodes_given=1 ntasks=8");
	job.num_tasks = 1;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert(job.min_nodes == NO_VAL && job.num_tasks == 1);
	end();
}
END_TEST

START_TEST(gpus)
{
	char **const fields[] = {&job.tres_per_job, &job.tres_per_node,
		&job.tres_per_socket, &job.tres_per_task};

	for (size_t i = 0; i < WEFT_COUNT(fields); i++) {
		ctl_job(&job, R " nodes=2 ntasks=2 gpus_per_node=4 gres=tape:1");
		*fields[i] = slurm_xstrdup("gres:gpu:1");
		ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
		ck_assert_str_eq(*fields[i], "gres:gpu:1");
		for (size_t k = 0; k < WEFT_COUNT(fields); k++)
			ck_assert(k == i || !*fields[k] || !strstr(*fields[k], "gpu"));
		end();
	}
	/* Other resources typed: GPUs join them. */
	ctl_job(&job, R " nodes=2 ntasks=2 gpus_per_node=4 gres=tape:1");
	job.tres_per_node = slurm_xstrdup("gres:disk:1");
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert_str_eq(job.tres_per_node, "gres:disk:1");
	ck_assert_str_eq(job.tres_per_job, "gres:gpu:8");
	end();
	ck_assert_int_eq(submit(R " gpus=3 gpu_type=h100"), SLURM_SUCCESS);
	ck_assert_str_eq(job.tres_per_job, "gres:gpu:h100:3");
	ck_assert_str_eq(env("SLURM_GPUS"), "h100:3");
	end();
}
END_TEST

START_TEST(memory_and_time)
{
	ctl_job(&job, R " mem=100 time=9");
	job.mem_per_tres = slurm_xstrdup("gres:gpu:100");
	job.time_limit = INFINITE;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert(job.pn_min_memory == NO_VAL64 && job.time_limit == INFINITE);
	end();
	ctl_job(&job, R " mem=100 time=9");
	job.pn_min_memory = 5 | MEM_PER_CPU;
	job.time_min = 3;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert(job.pn_min_memory == (5 | MEM_PER_CPU) && job.time_limit == NO_VAL);
	ck_assert_ptr_null(msg);
	end();
}
END_TEST

START_TEST(arrays)
{
	ck_assert_int_eq(submit(R " array=100 max_parallel=12"), SLURM_SUCCESS);
	ck_assert_str_eq(job.array_inx, "0-99%12");
	end();
	ck_assert_int_eq(submit(R " array=3 max_parallel=12"), SLURM_SUCCESS);
	ck_assert_str_eq(job.array_inx, "0-2");
	end();
	ctl_job(&job, R " array=100");
	job.array_inx = slurm_xstrdup("5");
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert_str_eq(job.array_inx, "5");
	end();
	ctl_job(&job, R " array=100");
	job.het_job_offset = 0;
	ck_assert_int_eq(submit(NULL), ESLURM_NOT_SUPPORTED);
	ck_assert_str_eq(msg,
		"weft: step train is a sweep of 100 members, and a heterogeneous job "
		"can't be a job array (name one member: --weft-step=train.0 to "
		"train.99)");
	end();
}
END_TEST

START_TEST(script_environment)
{
	/* A het job's script is the first component's, and has other variables. */
	ctl_job(&job, R " ntasks=8");
	job.het_job_offset = 0;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert(job.num_tasks == 8 && job.env_size == 3);
	end();
	/* salloc and srun send none. */
	ctl_job(&job, R " ntasks=8");
	for (uint32_t i = 0; i < job.env_size; i++)
		slurm_xfree_ptr(job.environment[i]);
	free(job.environment);
	slurm_xfree_ptr(job.script);
	job.environment = NULL;
	job.script = NULL;
	job.env_size = 0;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert(job.num_tasks == 8 && !job.environment);
	end();
	/* No client's environment has holes. */
	ctl_job(&job, R " ntasks=8");
	slurm_xfree_ptr(job.environment[1]);
	job.environment[1] = NULL;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	ck_assert(job.num_tasks == 8 && job.env_size == 3 && !job.environment[1]);
	end();
}
END_TEST

START_TEST(refuses)
{
	ck_assert_int_eq(submit("WEFT_REQUEST="), ESLURM_NOT_SUPPORTED);
	ck_assert_str_eq(msg, "weft: WEFT_REQUEST is no request of weft's");
	ck_assert_ptr_nonnull(strstr(ctl_log, "refused to uid 1000"));
	end();
	ctl_job(&job, R);
	slurm_xfree_ptr(job.spank_job_env[0]);
	job.spank_job_env[0] = slurm_xstrdup(R);
	ck_assert_int_eq(submit(NULL), ESLURM_NOT_SUPPORTED);
	ck_assert_str_eq(msg, "weft: WEFT_REQUEST is there twice");
	end();
	ctl_job(&job, R);
	slurm_xfree_ptr(job.spank_job_env[0]);
	job.spank_job_env[0] = NULL;
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	end();
	/* Another plug-in had a word for the user. */
	ctl_job(&job, R " nodes=0");
	msg = slurm_xstrdup("site: hello");
	ck_assert_int_eq(submit(NULL), ESLURM_NOT_SUPPORTED);
	ck_assert_str_eq(msg,
		"site: hello\nweft: WEFT_REQUEST is damaged: not what weft writes");
	end();
	ck_assert_int_eq(submit("WEFT_REQUEST=weft-request-1 step=a role=king"),
		ESLURM_NOT_SUPPORTED);
	ck_assert_str_eq(msg, "weft: step a: there is no role king");
	end();
}
END_TEST

/* ---- policy ---------------------------------------------------------------------- */

/* A weft.conf that root alone can have written: where root runs the suite. */
static bool conf(const char *text)
{
	static const char path[] = "/run/weft-test-submit.conf";
	FILE *f = geteuid() == 0 ? fopen(path, "we") : NULL;

	if (!f) {
		puts("skip  the policy of a weft.conf: needs root");
		return false;
	}
	fputs(text, f);
	fclose(f);
	chmod(path, 0644);
	setenv("WEFT_CONF", path, 1);
	has_conf = true;
	return true;
}

static void judged(const char *request, const char *want)
{
	int rc = submit(request);

	ck_assert_int_eq(rc, *want ? ESLURM_ACCESS_DENIED : SLURM_SUCCESS);
	ck_assert_msg(!*want || strstr(msg, want), "%s", msg);
	end();
}

START_TEST(policy)
{
	if (!conf("contact = help@site\n[limits]\nnodes = 2\ngpus = 8\ntime = 2h\n"
		  "accounts = phys chem\n[role training]\npartitions = gpu\n"
		  "[partition old]\nenabled = no\nreason = it goes away\n"
		  "[user root]\nenabled = no\n"))
		return;
	judged(R
		" partition=gpu account=phys nodes=2 ntasks=2 gpus_per_node=4 time=120",
		"");
	judged(R " partition=gpu account=phys nodes=3 ntasks=3",
		"weft: step train: the job asks for 3 nodes (the site's limit is 2; "
		"ask help@site)");
	judged(R " partition=gpu account=phys gpus=9", "asks for 9 GPUs");
	judged(R " partition=gpu account=phys nodes=2 ntasks=2 gpus_per_node=5",
		"asks for 10 GPUs");
	judged(R " partition=gpu account=phys time=121", "time limit is 02:01:00");
	judged(R " partition=gpu account=art", "account art isn't allowed");
	judged(R " partition=gpu", "names no account");
	judged(R " partition=cpu account=phys",
		"partition cpu isn't for role training");
	judged(R " partition=gpu,cpu account=phys",
		"partition cpu isn't for role training");
	judged(R " account=phys", "names no partition");
	judged("WEFT_REQUEST=weft-request-1 step=a role=analysis partition=gpu,old "
	       "account=phys",
		"it goes away");
	ctl_job(&job, R " partition=gpu account=phys");
	job.time_limit = INFINITE;
	judged(NULL, "time limit is endless");
	ctl_job(&job, R " partition=gpu account=phys");
	job.tres_per_task = slurm_xstrdup("gres:tape:70,gres:gpu:a100:3,gres:gpu");
	job.num_tasks = 3;
	judged(NULL, "asks for 12 GPUs");
	ctl_job(&job, R " partition=gpu account=phys");
	job.tres_per_node = slurm_xstrdup("gres:gpu:99999999999999999999999");
	judged(NULL, "GPUs");
	ctl_job(&job, R " partition=gpu account=phys");
	job.user_id = 0;
	judged(NULL, "switched off for user root");
	/* One line of the log stays one. */
	ctl_job(&job, R " partition=gpu");
	job.account = slurm_xstrdup("x\nroot: all is well");
	judged(NULL, "account x?root: all is well isn't allowed");
	/* None of weft's. */
	ctl_job(&job, NULL);
	job.min_nodes = job.max_nodes = 50;
	judged(NULL, "");
}
END_TEST

START_TEST(weft_conf_that_is_wrong)
{
	if (!conf("enabled = maybe\n"))
		return;
	ck_assert_int_eq(submit(R), ESLURM_NOT_SUPPORTED);
	ck_assert_ptr_nonnull(strstr(msg, "weft is off: slurmctld can't use"));
	end();
	ctl_job(&job, NULL);
	ck_assert_int_eq(submit(NULL), SLURM_SUCCESS);
	end();
}
END_TEST

SUITE("submit", fills_what_is_open, leaves_other_jobs, numbers_go_together,
	nodes_of_the_file_hold, gpus, memory_and_time, arrays, script_environment,
	refuses, policy, weft_conf_that_is_wrong)
