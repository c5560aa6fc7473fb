/*
 * fake_spank - a program that loads weft.so as slurmstepd, srun or sbatch would,
 * with spank_* functions of its own, and does to it what no Slurm ever does.
 *
 * usage: fake_spank WEFT.SO SCENARIO [conf=PATH...]
 *        fake_spank --cache DIR    writes a borrowed topology there
 *
 * A scenario runs in a child, so that an exit or a crash inside a hook is seen.
 * Around each hook that Slurm calls in slurmstepd, environment, umask, signals,
 * working directory, descriptors and user ids are compared.  The plug-in's calls
 * of open() and the like come here first and are noted.
 */
#include <dlfcn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/tools/fake_host.h"

/* ---- hooks ---------------------------------------------------------------- */

static const char *const hook_name[] = {"slurm_spank_init", "slurm_spank_init_post_opt",
	"slurm_spank_local_user_init", "slurm_spank_user_init", "slurm_spank_task_init",
	"slurm_spank_exit", "slurm_spank_task_exit"};
/* TASK_EXIT comes after TASK in any order of the others. */
enum {
	INIT,
	POST_OPT,
	LOCAL_USER,
	USER,
	TASK,
	EXIT,
	N_ORDERED,
	TASK_EXIT = N_ORDERED,
	N_HOOKS
};
static int (*hook[N_HOOKS])(spank_t, int, char **);
static int conf_argc;
static char **conf_argv;

static int call(int h)
{
	struct around was;

	look(&was);
	if (h == INIT)
		host.n_options = 0;
	int r = hook[h] ? hook[h](NULL, conf_argc, conf_argv) : 0;
	if (host.context == S_CTX_REMOTE)
		compare(hook_name[h], &was);
	check(r == 0, "%s returned %d", hook_name[h], r);
	return r;
}

/* As slurmstepd: in a child of its own, standard error to a pipe.  Exit status of
 * the child: 0 the command would run.  said, vars: what came out. */
static char said[4096];
static char vars[8192];

static int run_task(int id)
{
	int e[2], v[2], status;

	if (pipe(e) || pipe(v))
		return -1;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		cpu_set_t cpus;

		dup2(e[1], 2);
		host.task = id;
		(void)!hook[TASK](NULL, conf_argc, conf_argv);
		sched_getaffinity(0, sizeof(cpus), &cpus);
		dprintf(v[1], "count=%d first=%d\n", CPU_COUNT(&cpus),
			CPU_ISSET(0, &cpus));
		for (int i = 0; i < host.n_env; i++)
			dprintf(v[1], "%s=%s\n", host.env[i][0], host.env[i][1]);
		_exit(0);
	}
	close(e[1]);
	close(v[1]);
	ssize_t n = read(v[0], vars, sizeof(vars) - 1);
	for (ssize_t k;
		n > 0 && (k = read(v[0], vars + n, sizeof(vars) - 1 - (size_t)n)) > 0;)
		n += k;
	vars[n > 0 ? n : 0] = '\0';
	n = read(e[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(e[0]);
	close(v[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void give(const char *name, const char *value)
{
	for (int i = 0; i < host.n_options; i++)
		if (strcmp(host.option[i]->name, name) == 0) {
			/* Twice, as srun before 24.05 does. */
			int remote = host.context == S_CTX_REMOTE;
			int r = host.option[i]->cb(host.option[i]->val, value, remote);

			r |= host.option[i]->cb(host.option[i]->val, value, remote);
			check(r == 0, "the callback of --%s returned %d", name, r);
		}
}

static void fresh(spank_context_t context, const char *ticket)
{
	for (int i = 0; i < host.n_env; i++) {
		free(host.env[i][0]);
		free(host.env[i][1]);
	}
	memset(&host, 0, sizeof(host));
	host.context = context;
	host.tasks = 2;
	host.cores = "0-1";
	host.fail_at = -1;
	if (ticket)
		job_env(WEFT_TICKET_ENV, ticket);
	*opened = '\0';
}

static void start(const char *ticket, const char *bind)
{
	fresh(S_CTX_REMOTE, ticket);
	call(INIT);
	give("weft-step", "train");
	give("weft-bind", bind);
	call(POST_OPT);
	call(USER);
}

static char *good_ticket(void)
{
	struct weft_ticket t = {.step = "train", .bind = true, .ntasks = 2};
	struct weft_str s = {0};

	t.place.memory = WEFT_PLACE_LOCAL;
	if (weft_ticket_encode(&t, &s))
		return NULL;
	return weft_str_take(&s);
}

/* ---- scenarios ------------------------------------------------------------- */

/* argv: NAME=VALUE expectations on the last task's variables. */
static void good(void)
{
	char *t = good_ticket();

	start(t, "auto");
	int r = run_task(0);
	check(r == 0, "a whole ticket: exit status %d: %s", r, said);
	r = run_task(1);
	check(r == 0, "a whole ticket, task 1: exit status %d: %s", r, said);
	check(strstr(vars, "WEFT_") || strstr(vars, "OMP_"), "no variable was set: %s",
		vars);
	printf("%s", vars);
	call(EXIT);
	/* Every byte may be the forger's; the tasks' count is his too. */
	uint32_t counts[] = {0, 1, 3, 129, 4096, 70000, UINT32_MAX};
	for (size_t i = 0; i < WEFT_COUNT(counts); i++) {
		fresh(S_CTX_REMOTE, t);
		host.tasks = counts[i];
		call(INIT);
		give("weft-bind", "auto");
		call(USER);
		r = run_task(0);
		check(r == 0 || r == 64, "%u tasks: exit status %d: %s", counts[i], r,
			said);
		r = run_task(1 << 20);
		check(r == 64, "task out of range: exit status %d: %s", r, said);
		call(EXIT);
	}
	const char *cores[] = {NULL, "", "0", "0-4095", "9999999", "0-", "-1", ",",
		"1,0,0", "4095-0", "x"};
	for (size_t i = 0; i < WEFT_COUNT(cores); i++) {
		fresh(S_CTX_REMOTE, t);
		host.cores = cores[i];
		call(INIT);
		give("weft-bind", "auto");
		call(USER);
		r = run_task(0);
		check(r == 0 || r == 64, "cores '%s': exit status %d: %s", cores[i], r,
			said);
		call(EXIT);
	}
	free(t);
}

static void must_refuse(const char *ticket, const char *what)
{
	start(ticket, "auto");
	int r = run_task(0);
	check(r == 64, "%s: exit status %d", what, r);
	check(strstr(said, "weft: error:") && strstr(said, "nothing was run"),
		"%s: no message: %s", what, said);
	call(EXIT);
}

static void bad(void)
{
	weft_autofree char *t = good_ticket(), *copy = strdup(t), *big = malloc(200001);
	size_t n = strlen(t);
	unsigned seed = 1;

	must_refuse(NULL, "no ticket");
	must_refuse("", "an empty ticket");
	for (size_t cut = 1; cut < n; cut++) {
		copy[cut] = '\0';
		must_refuse(copy, "a ticket cut short");
		copy[cut] = t[cut];
	}
	memset(big, 'A', 200000);
	big[200000] = '\0';
	must_refuse(big, "a ticket of 200,000 bytes");
	memcpy(big, t, n);
	must_refuse(big, "a ticket with a tail");
	for (int i = 0; i < 400; i++) {
		size_t len = 1 + (size_t)rand_r(&seed) % 4200;

		for (size_t k = 0; k < len; k++)
			big[k] = (char)(1 + rand_r(&seed) % 255);
		big[len] = '\0';
		must_refuse(big, "random bytes");
	}
	/* One byte altered: refused, or another order that is as harmless. */
	for (size_t i = 0; i < n; i++) {
		for (int k = 0; k < 4; k++) {
			copy[i] = (char)(1 + rand_r(&seed) % 255);
			start(copy, "auto");
			int r = run_task(0);
			check(r == 0 || r == 64, "altered '%s': exit status %d", copy,
				r);
			call(EXIT);
		}
		copy[i] = t[i];
	}
}

/* Tickets that the checks let through: any numbers at all. */
static void forged(void)
{
	const unsigned numbers[] = {0, 1, 2, 3, 7, 64, 4095, 4096};
	unsigned seed = 2;

	for (int i = 0; i < 500; i++) {
#define PICK numbers[(size_t)rand_r(&seed) % WEFT_COUNT(numbers)]
		struct weft_ticket t = {.step = "%n%s%s$(id)",
			.bind = true,
			.ntasks = PICK,
			.nodes = PICK};
		weft_autostr struct weft_str s = {0};

		t.place = (struct weft_place_step){.cpus_per_task = PICK,
			.gpus_per_task = PICK % 257 / 8.0,
			.gpus_all = rand_r(&seed) % 2,
			.cpus = (enum weft_place_cpus)(rand_r(&seed) % 3),
			.memory = (enum weft_place_memory)(rand_r(&seed) % 3),
			.balance_even = rand_r(&seed) % 2,
			.smt = PICK % 65,
			.spare_cores = PICK};
		if (weft_ticket_encode(&t, &s)) {
			check(false, "no ticket to forge");
			continue;
		}
		fresh(S_CTX_REMOTE, s.s);
		if (rand_r(&seed) % 2)
			job_env("CUDA_VISIBLE_DEVICES", "3,1,99,x,-1,GPU-1");
		if (rand_r(&seed) % 2)
			job_env("SLURM_STEP_GPUS", "1,3,4294967297");
		call(INIT);
		give("weft-step", "train");
		call(USER);
		int r = run_task(rand_r(&seed) % 2);
		check(r == 0 || r == 64, "%s: exit status %d: %s", s.s, r, said);
		call(EXIT);
	}
}

/* With no option, nothing: not a call, not a file beyond weft.conf. */
static void unused(void)
{
	weft_autofree char *t = good_ticket();

	fresh(S_CTX_REMOTE, t);
	call(INIT);
	call(POST_OPT);
	host.calls = 0;
	*opened = '\0';
	call(USER);
	int r = run_task(0);
	check(r == 0, "unused: exit status %d", r);
	check(host.calls == 0, "unused: %d calls of the host", host.calls);
	check(!*opened, "unused: opened %s", opened);
	check(!strstr(vars, "OMP_"), "unused: variables set: %s", vars);
	call(EXIT);
	/* --weft=FILE alone is the batch job's, not the step's. */
	fresh(S_CTX_REMOTE, t);
	call(INIT);
	give("weft", "/hostile/file.yaml");
	call(USER);
	check(run_task(0) == 0 && !strstr(vars, "OMP_"), "--weft alone did something");
	call(EXIT);
	/* The batch script, extern and interactive steps are left alone. */
	for (uint32_t id = 0xfffffffa; id != 0xfffffffe; id++) {
		fresh(S_CTX_REMOTE, "junk");
		host.step = id;
		call(INIT);
		give("weft-step", "train");
		call(USER);
		r = run_task(0);
		check(r == 0, "step %x: exit status %d", id, r);
		call(EXIT);
	}
	/* bind=none: the ticket isn't even read. */
	start("junk", "none");
	check(run_task(0) == 0, "--weft-bind=none: %s", said);
	call(EXIT);
	start(t, "sideways");
	check(run_task(0) == 64 && strstr(said, "auto or none"),
		"--weft-bind=sideways: %s", said);
	call(EXIT);
}

/* The same with a site whose configuration is wrong: jobs don't notice. */
static void unused_broken(void)
{
	fresh(S_CTX_REMOTE, NULL);
	call(INIT);
	call(POST_OPT);
	call(USER);
	int r = run_task(0);
	check(r == 0 && !*said, "unused: exit status %d: %s", r, said);
	call(EXIT);
}

/* Every call of the host fails in turn, with every code, and all at once. */
static void faults(void)
{
	weft_autofree char *t = good_ticket();
	const spank_err_t codes[] = {ESPANK_ERROR, ESPANK_BAD_ARG, ESPANK_NOT_TASK,
		ESPANK_ENV_EXISTS, ESPANK_ENV_NOEXIST, ESPANK_NOSPACE,
		ESPANK_NOT_REMOTE, ESPANK_NOEXIST, ESPANK_NOT_EXECD, ESPANK_NOT_AVAIL,
		ESPANK_NOT_LOCAL, -1, 12345};

	for (size_t c = 0; c < WEFT_COUNT(codes); c++)
		for (int at = 0; at < 24; at++) {
			fresh(S_CTX_REMOTE, t);
			host.fail_with = codes[c];
			host.fail_at = at;
			host.all_fail = at == 0;
			call(INIT);
			give("weft-bind", "auto");
			call(POST_OPT);
			call(USER);
			int r = run_task(0);
			check(r == 0 || r == 64, "fault %d at call %d: exit status %d",
				codes[c], at, r);
			call(TASK_EXIT);
			call(EXIT);
		}
}

/* Every hook in every order, in every context. */
static void permute(int *order, int n, const char *ticket, bool options)
{
	if (n == N_ORDERED) {
		fresh(host.context, ticket);
		for (int i = 0; i < N_ORDERED; i++) {
			if (options)
				give("weft-step", "train");
			if (order[i] == TASK) {
				int r = run_task(0);

				check(r == 0 || r == 64, "order: exit status %d", r);
				call(TASK_EXIT);
			} else {
				call(order[i]);
			}
		}
		return;
	}
	for (int i = n; i < N_ORDERED; i++) {
		int keep = order[n];

		order[n] = order[i];
		order[i] = keep;
		permute(order, n + 1, ticket, options);
		order[i] = order[n];
		order[n] = keep;
	}
}

static void orders(void)
{
	weft_autofree char *t = good_ticket();
	const spank_context_t contexts[] = {S_CTX_REMOTE, S_CTX_LOCAL, S_CTX_ALLOCATOR,
		S_CTX_SLURMD, S_CTX_JOB_SCRIPT, S_CTX_ERROR};

	for (size_t i = 0; i < WEFT_COUNT(contexts); i++) {
		int order[] = {INIT, POST_OPT, LOCAL_USER, USER, TASK, EXIT};

		host.context = contexts[i];
		permute(order, 0, t, host.context == S_CTX_REMOTE);
	}
}

/* What is the user's to choose: nothing of it is opened. */
static void hostile(void)
{
	weft_autofree char *t = good_ticket();
	const char *names[] = {"WEFT_FILE", "WEFT_CONF", "WEFT_RUN_DIR", "WEFT_CACHE",
		"HOME", "PATH", "TMPDIR", "LD_PRELOAD", "XDG_CACHE_HOME",
		"HWLOC_XMLFILE", "SLURM_CONF", "SLURM_STEP_GPUS",
		"CUDA_VISIBLE_DEVICES"};

	for (int forged = 0; forged < 2; forged++) {
		fresh(S_CTX_REMOTE, forged ? "step=/hostile/../../etc/shadow" : t);
		for (size_t i = 0; i < WEFT_COUNT(names); i++)
			job_env(names[i], "/hostile/../hostile/link");
		call(INIT);
		give("weft", "/hostile/file.yaml");
		give("weft-step", "../../hostile/step");
		give("weft-bind", "auto");
		call(POST_OPT);
		call(USER);
		int r = run_task(0);
		check(r == (forged ? 64 : 0), "hostile: exit status %d: %s", r, said);
		check(!strstr(opened, "hostile"), "opened: %s", opened);
		check(!strstr(opened, "write") && !strstr(opened, "change"),
			"changed: %s", opened);
		check(strstr(opened, "nofollow"), "nothing was noted: %s", opened);
		call(EXIT);
	}
}

#include "tests/tools/fake_outputs.h"

/* Prints what a task is told and with which status it ends. */
static void task(void)
{
	weft_autofree char *t = good_ticket();

	start(t, "auto");
	int r = run_task(0);
	printf("status=%d\n%s%s", r, said, vars);
	call(EXIT);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {{"good", good}, {"bad", bad}, {"forged", forged}, {"unused", unused},
	{"unused_broken", unused_broken}, {"faults", faults}, {"orders", orders},
	{"hostile", hostile}, {"outputs", outputs}, {"outputs_killed", outputs_killed},
	{"task", task}};

/* A machine of 2 packages, 4 cores and 2 GPUs, as another's model. */
static int write_cache(const char *dir)
{
	struct weft_pu pu[4];
	struct weft_numa numa[2] = {{.os_index = 0}, {.os_index = 1}};
	struct weft_device gpu[2];
	struct weft_machine m = {.host = "borrowed",
		.pu = pu,
		.n_pus = 4,
		.n_cores = 4,
		.n_l3 = 2,
		.n_packages = 2,
		.numa = numa,
		.n_numa = 2,
		.gpu = gpu,
		.n_gpus = 2};
	weft_autoerr struct weft_err err = {0};

	memset(gpu, 0, sizeof(gpu));
	for (unsigned i = 0; i < 4; i++) {
		pu[i] = (struct weft_pu){.cpu = i,
			.core = i,
			.l3 = i / 2,
			.numa = i / 2,
			.package = i / 2};
		weft_cpuset_add(&numa[i / 2].cpus, i);
		numa[i / 2].bytes = 1u << 30;
		weft_cpuset_add(&gpu[i / 2].cpus, i);
	}
	for (unsigned i = 0; i < 2; i++) {
		snprintf(gpu[i].pci, sizeof(gpu[i].pci), "0000:%02x:00.0", 1 + i);
		snprintf(gpu[i].name, sizeof(gpu[i].name), "%u", i);
		gpu[i].package = i;
		gpu[i].path[0] = i;
		gpu[i].n_path = 1;
	}
	if (weft_machine_save_cache(dir, &m, true, &err)) {
		printf("FAIL  %s\n", err.text);
		return 1;
	}
	return 0;
}

/* Of a sanitizer, where there is one. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* What the hooks have lost. */
static void leaks(void)
{
	if (!__lsan_do_recoverable_leak_check)
		return;
	/* The sanitizer looks at this process as a debugger would. */
	if (getuid() == 0)
		check(seteuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0, "root again");
	check(__lsan_do_recoverable_leak_check() == 0, "the hooks leak memory");
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--cache") == 0)
		return write_cache(argv[2]);
	if (argc < 3)
		return 2;
	void *so = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		printf("FAIL  %s\n", dlerror());
		return 1;
	}
	for (int i = 0; i < N_HOOKS; i++)
		*(void **)&hook[i] = dlsym(so, hook_name[i]);
	guarded = true;
	conf_argc = argc - 3;
	conf_argv = argv + 3;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < WEFT_COUNT(scenarios); i++) {
		if (strcmp(argv[2], scenarios[i].name))
			continue;
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			/* As slurmstepd in user_init: the user's effective id, root's
			 * real one. */
			if (getuid() == 0 && (setegid(65534) || seteuid(65534)))
				_exit(2);
			scenarios[i].run();
			leaks();
			printf("checks=%d failed=%d\n", passed, failed);
			fflush(NULL);
			/* By the back door: an exit() inside a hook looks different. */
			_exit(failed ? 3 : 42);
		}
		int status;
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) ||
			(WEXITSTATUS(status) != 42 && WEXITSTATUS(status) != 3))
			printf("FAIL  a hook ended the host: wait status %x\n",
				(unsigned)status);
		return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : 1;
	}
	return 2;
}
