/* cmd_exec.c - weft exec: a command as a step of the workflow file, started as its
 * tasks inside the allocation that is there, or on this machine */
#include "exec_stage.h"
#include "job.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run(int argc, char **argv);

WEFT_VERB(exec, .name = "exec",
	.synopsis = "[OPTION...] STEP[.MEMBER] -- COMMAND [ARG...]",
	.summary =
		"Runs a command with a step's tasks, placement, environment and inputs",
	.help = "  --file FILE      the workflow file (default: WEFT_FILE, else "
		"WEFT_RUN_DIR's)\n"
		"  --run-dir DIR    where inputs from other steps are (default: "
		"WEFT_RUN_DIR)\n"
		"  --dry-run        print the command line that would start it\n"
		"\nIn a Slurm job the tasks are started by srun, with the step's "
		"sizes; without\n"
		"Slurm on this machine.\n",
	.order = 45, .run = run);

/* How to start the tasks, whoever knows the step's numbers. */
struct start {
	struct weft_argv option; /* of srun */
	unsigned ntasks;
	bool bind;
	enum weft_launch launch;
	struct weft_env env;
	struct weft_conf *conf;
	struct exec_stage stage;
};

static int merge(struct weft_env *to, const struct weft_env *from, struct weft_err *err)
{
	for (size_t i = 0; i < from->vars.n; i++) {
		weft_autofree char *name = strdup(from->vars.v[i]);
		char *eq = name ? strchr(name, '=') : NULL;

		if (!eq)
			return weft_err_nomem(err);
		*eq = '\0';
		if (weft_env_set(to, name, eq + 1))
			return weft_err_nomem(err);
	}
	return 0;
}

/* In a step that an engine runs ($WEFT_LAUNCH): environment and ticket are there,
 * the plan has the numbers. 1: this isn't such a step. */
static int from_run(struct start *s, const char *step, int *status)
{
	const char *dir = getenv("WEFT_RUN_DIR"), *here = getenv("WEFT_STEP");
	const char *index = getenv("WEFT_MEMBER_INDEX");
	struct weft_arena arena = {0};
	struct weft_plan_step plan;
	struct weft_err err = {0};
	struct opened o = {0};
	int64_t member = 0;

	if (!dir || !weft_streq(here, step) || !getenv(WEFT_TICKET_ENV))
		return 1;
	*status = opened_open(&o, dir, NULL);
	if (*status)
		return -1;
	const struct weft_step *st = weft_spec_step(o.wf, step);
	if (!st || (index && !weft_parse_int(
				     index, 0, (int64_t)st->sweep.count - 1, &member)))
		weft_err_set(&err, WEFT_EUSAGE,
			"WEFT_STEP and WEFT_MEMBER_INDEX don't fit the run "
			"of WEFT_RUN_DIR");
	else if (weft_plan_step_member(o.plan, o.wf, o.conf, st->index, (size_t)member,
			 &plan, &arena, &err) == 0) {
		s->ntasks = plan.ntasks;
		s->launch = plan.launch;
		struct weft_place_request place;

		s->bind = weft_select_place(st, o.conf, &place);
		if (weft_plan_srun_args(&plan, &s->option) || s->option.failed)
			weft_err_nomem(&err);
		s->conf = weft_steal(&o.conf);
	}
	weft_arena_free(&arena);
	opened_close(&o);
	if (!err.code)
		return 0;
	*status = cmd_fail(&err);
	return -1;
}

static int from_file(
	struct start *s, const char *file, const char *step, bool dry_run, int *status)
{
	struct asked a = {0};
	struct weft_errs errs = {0};
	weft_autoerr struct weft_err err = {0};
	weft_autostr struct weft_str ticket = {0};
	int r = -1;

	if (asked_load(&a, file, step, &errs)) {
		*status = cmd_fail_errs(&errs, false);
		asked_clear(&a);
		return -1;
	}
	if (asked_sizes(&a, &err) || asked_environment(&a, &err))
		goto out;
	for (size_t i = 0; i < a.say.n; i++)
		weft_log(WEFT_WARN, "%s", a.say.v[i]);
	if (weft_ticket_encode(&a.ticket, &ticket) || ticket.failed ||
		weft_env_set(&s->env, WEFT_TICKET_ENV, ticket.s)) {
		weft_err_nomem(&err);
		goto out;
	}
	if (merge(&s->env, &a.env, &err) || merge(&s->env, &a.secret, &err) ||
		(!dry_run && exec_stage_in(&s->stage, &a, &s->env, &err)))
		goto out;
	s->option = a.option;
	a.option = (struct weft_argv){0};
	s->ntasks = a.ntasks;
	s->launch = a.launch;
	s->bind = a.ticket.bind;
	s->conf = weft_steal(&a.conf);
	r = 0;
out:
	if (r)
		*status = cmd_fail(&err);
	asked_clear(&a);
	return r;
}

/* tasks: on this machine; 0: srun tells. */
static void add_bind(
	struct weft_argv *argv, const struct start *s, const char *weft, unsigned tasks)
{
	if (!s->bind)
		return;
	weft_argv_add(argv, weft);
	weft_argv_add(argv, "bind");
	if (tasks)
		weft_argv_addf(argv, "--tasks=%u", tasks);
	weft_argv_add(argv, "--");
}

static void add_srun(struct weft_argv *argv, struct start *s, const char *weft)
{
	const char *in_step = getenv("SLURM_STEP_ID");
	bool plugin = engine_has_plugin();

	weft_engine_forget_sizes(&s->env);
	weft_argv_add(argv, "srun");
	for (size_t i = 0; i < s->option.n; i++)
		weft_argv_add(argv, s->option.v[i]);
	/* Inside a step of tasks its own CPUs are what there is to share. */
	if (in_step && isdigit((unsigned char)*in_step))
		weft_argv_add(argv, "--overlap");
	if (s->launch == WEFT_LAUNCH_MPI && s->conf->mpi)
		weft_argv_addf(argv, "--mpi=%s", s->conf->mpi);
	if (plugin)
		weft_argv_add(argv, s->bind ? "--weft-bind=auto" : "--weft-bind=none");
	else
		add_bind(argv, s, weft, 0);
}

static void add_local(struct weft_argv *argv, const struct start *s, const char *weft)
{
	if (s->ntasks > 1) {
		weft_argv_add(argv, weft);
		weft_argv_add(argv, "tasks");
		weft_argv_addf(argv, "--ntasks=%u", s->ntasks);
		weft_argv_add(argv, "--");
	}
	add_bind(argv, s, weft, s->ntasks);
}

static pid_t running;

static void pass_on(int sig)
{
	kill(running, sig);
}

/* There is something to be done after it: so we stay, and are as if we had become it.
 */
static int run_and_stage(struct start *s, const struct weft_argv *argv)
{
	struct sigaction on = {.sa_handler = pass_on}, ign = {.sa_handler = SIG_IGN};
	struct weft_spawn spawn = WEFT_SPAWN_INIT;
	struct weft_err err = {0};
	int status = 0;

	spawn.argv = argv->v;
	spawn.envp = s->env.vars.v;
	spawn.in = 0;
	spawn.die_with_parent = true;
	if (weft_spawn(&spawn, &running, &err))
		return cmd_fail(&err);
	/* From a terminal it hears of these itself. */
	sigaction(SIGINT, &ign, NULL);
	sigaction(SIGQUIT, &ign, NULL);
	sigaction(SIGTERM, &on, NULL);
	sigaction(SIGHUP, &on, NULL);
	while (waitpid(running, &status, 0) < 0 && errno == EINTR)
		;
	if (exec_stage_out(&s->stage))
		return WEFT_ESTAGE;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int start(struct start *s, char **command, bool dry_run)
{
	weft_autofree char *weft = weft_self_path(), *path = NULL;
	weft_autoargv struct weft_argv argv = {0};
	struct weft_err err = {0};

	if (!weft)
		weft = strdup("weft");
	if (getenv("SLURM_JOB_ID"))
		add_srun(&argv, s, weft);
	else
		add_local(&argv, s, weft);
	for (; *command; command++)
		weft_argv_add(&argv, *command);
	if (!weft || argv.failed || s->env.vars.failed) {
		weft_err_nomem(&err);
		return cmd_fail(&err);
	}
	if (dry_run) {
		struct weft_str line = {0};

		for (size_t i = 0; i < argv.n; i++) {
			weft_str_add(&line, i ? " " : "");
			weft_str_add_shell_word(&line, argv.v[i]);
		}
		weft_str_addc(&line, '\n');
		return cmd_print(&line);
	}
	if (s->stage.out.n || s->stage.own || s->stage.own_memory)
		return run_and_stage(s, &argv);
	path = weft_which(argv.v[0]);
	if (path)
		execve(path, argv.v, s->env.vars.v);
	fprintf(stderr, "weft exec: %s: %s\n", argv.v[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"file", required_argument, NULL, 'f'},
		{"run-dir", required_argument, NULL, 'r'},
		{"dry-run", no_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
	const struct weft_verb *v = cmd_verb("exec");
	const char *file = NULL;
	struct start s = {0};
	bool dry_run = false;
	int status = 0, c;

	cmd_getopt_start();
	while ((c = cmd_getopt(v, argc, argv, "+", options, &status)) >= 0) {
		if (c == 'f')
			file = optarg;
		else if (c == 'r')
			setenv("WEFT_RUN_DIR", optarg, 1);
		else if (c == 'n')
			dry_run = true;
	}
	if (c == -2)
		return status;
	const char *step = argv[optind];
	char **command = step ? argv + optind + 1 : NULL;
	if (command && weft_streq(*command, "--"))
		command++;
	if (!command || !*command)
		return cmd_usage(v, "a step and a command");
	if (weft_env_copy(&s.env, environ))
		return WEFT_EUSAGE;
	int r = file ? 1 : from_run(&s, step, &status);
	if (r > 0)
		r = from_file(&s, file, step, dry_run, &status);
	if (r == 0)
		status = start(&s, command, dry_run);
	weft_argv_free(&s.option);
	weft_env_free(&s.env);
	exec_stage_free(&s.stage);
	weft_conf_free(s.conf);
	return status;
}
