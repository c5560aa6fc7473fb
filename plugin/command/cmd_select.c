/* cmd_select.c - weft select: the options of sbatch or srun for one step, or a script
 */
#include "selected.h"

#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

WEFT_VERB(select, .name = "select",
	.synopsis = "[--sbatch | --srun | --script | --request] [--cluster FILE] "
		    "[--set KEY=VALUE] "
		    "[--overlay FILE] [--conf FILE] FILE STEP[.MEMBER]",
	.summary = "Prints the options of sbatch for a step, or a script for it",
	.help = "  --sbatch         options of sbatch, on one line (the default)\n"
		"  --srun           options of srun, inside the job\n"
		"  --script         a batch script that needs no weft where it runs\n"
		"  --request        what slurmctld's half of weft is asked for, on one "
		"line\n"
		"  --cluster FILE   for this snapshot (weft cluster --save) instead of "
		"live\n"
		"                   Slurm\n"
		"  --set KEY=VALUE  change a value of the workflow\n"
		"  --overlay FILE   merge this file into the workflow\n"
		"  --conf FILE      read this weft.conf\n"
		"\n"
		"  sbatch $(weft select heat.yaml train) train.sh\n",
	.order = 22, .run = run);

enum what { SBATCH, SRUN, SCRIPT, REQUEST };

/* "c[007-009]" would be a pattern to the shell: the names, one by one. */
static int add_names(struct weft_str *out, const char *option, const char *list,
	struct weft_err *err)
{
	char **name = NULL;
	size_t n = 0;

	if (weft_hostlist_expand(list, 100000, &name, &n, err))
		return -1;
	weft_str_add(out, option);
	for (size_t i = 0; i < n; i++)
		weft_str_printf(out, "%c%s", i ? ',' : '=', name[i]);
	weft_hostlist_free(name, n);
	return 0;
}

int selected_line(
	const struct weft_argv *args, struct weft_str *out, struct weft_err *err)
{
	for (size_t i = 0; i < args->n; i++) {
		const char *w = args->v[i];

		weft_str_add(out, i ? " " : "");
		if (weft_starts_with(w, "--nodelist=") && strchr(w, '[')) {
			if (add_names(out, "--nodelist", strchr(w, '=') + 1, err))
				return -1;
			continue;
		}
		if (weft_starts_with(w, "--exclude=") && strchr(w, '[')) {
			if (add_names(out, "--exclude", strchr(w, '=') + 1, err))
				return -1;
			continue;
		}
		if (w[strcspn(w, " \t\r\n*?[\\")]) {
			weft_err_set(err, WEFT_EUSAGE,
				"%s would not survive $(...): the shell splits at "
				"blanks "
				"and expands * ? [ \\",
				w);
			return weft_err_hint(err,
				"write it into your script as a #SBATCH "
				"line and leave it out of the file, or take weft "
				"select "
				"--script");
		}
		weft_str_add(out, w);
	}
	return out->failed ? weft_err_nomem(err) : 0;
}

int selected_sbatch(
	const struct selected *s, struct weft_argv *args, struct weft_err *err)
{
	struct weft_plan_group g = {.name = s->step->name,
		.tasks = s->one ? 0 : s->plan.members,
		.max_parallel = s->plan.max_parallel,
		.shape = s->plan};

	if (weft_plan_sbatch_args(&g, args))
		return weft_err_nomem(err);
	add_user_options(s->j->wf, s->step, args);
	return args->failed ? weft_err_nomem(err) : 0;
}

int selected_srun(
	const struct selected *s, struct weft_argv *args, struct weft_err *err)
{
	if (weft_plan_srun_args(&s->plan, args))
		return weft_err_nomem(err);
	if (s->mpi)
		weft_argv_addf(args, "--mpi=%s", s->mpi);
	return args->failed ? weft_err_nomem(err) : 0;
}

void selected_clear(struct selected *s)
{
	weft_member_clear(&s->member);
	weft_arena_free(&s->arena);
	free(s->mpi);
	*s = (struct selected){0};
}

int selected_find(struct selected *s, const struct job *j, const struct job_args *a,
	const char *name, struct weft_err *err)
{
	const char *member;
	size_t index = 0;

	s->j = j;
	s->step = cmd_step(j->wf, j->wf->file, name, &member, err);
	if (!s->step)
		return -1;
	s->one = member || s->step->sweep.kind == WEFT_SWEEP_NONE;
	s->plan = j->plan->step[s->step->index];
	if (member && s->step->sweep.kind == WEFT_SWEEP_NONE)
		return weft_err_set(err, WEFT_EUSAGE,
			"step '%s' is no sweep: it has no member '%s'", s->step->name,
			member);
	if (member && cmd_member(j->wf, s->step, member, &index, err))
		return -1;
	if (s->one && (weft_sweep_member(j->wf, s->step, index, &s->member, err) ||
			      weft_plan_step_member(j->plan, j->wf, j->conf,
				      s->step->index, index, &s->plan, &s->arena, err)))
		return -1;
	if (s->plan.launch != WEFT_LAUNCH_MPI)
		return 0;
	/* What this machine's Slurm has says nothing about the snapshot's. */
	if (j->conf->mpi || !a->cluster)
		s->mpi = engine_mpi(j->conf);
	return 0;
}

static int print(const struct selected *s, enum what what, struct weft_str *out,
	struct weft_err *err)
{
	weft_autoargv struct weft_argv args = {0};

	if (what == REQUEST) {
		struct weft_request r = {0};

		if (selected_request(s, &r, err) || weft_request_encode(&r, out, err))
			return weft_err_prefix(err, "step %s", s->step->name);
		weft_str_addc(out, '\n');
		return 0;
	}
	if (what != SBATCH && s->plan.launch == WEFT_LAUNCH_MPI && !s->mpi) {
		weft_err_set(
			err, WEFT_EPLACE, "no --mpi type is known for launch: mpi");
		return weft_err_hint(
			err, "set `mpi` in weft.conf; srun --mpi=list names them");
	}
	if (what == SCRIPT)
		return selected_script(s, out, err);
	if (what == SRUN ? selected_srun(s, &args, err)
			 : selected_sbatch(s, &args, err))
		return -1;
	if (selected_line(&args, out, err))
		return weft_err_prefix(err, "step %s", s->step->name);
	weft_str_addc(out, '\n');
	return 0;
}

enum { OPT_SBATCH = 256, OPT_SRUN, OPT_SCRIPT, OPT_REQUEST, OPT_CLUSTER, OPT_CONF };

static int read_options(int argc, char **argv, struct job_args *a, enum what *what)
{
	static const struct option longopts[] = {
		{"sbatch", no_argument, NULL, OPT_SBATCH},
		{"srun", no_argument, NULL, OPT_SRUN},
		{"script", no_argument, NULL, OPT_SCRIPT},
		{"request", no_argument, NULL, OPT_REQUEST},
		{"cluster", required_argument, NULL, OPT_CLUSTER},
		{"conf", required_argument, NULL, OPT_CONF}, CMD_WORKFLOW_OPTIONS, {0}};
	bool given[4] = {false};
	int c, status;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_select, argc, argv, "", longopts, &status)) !=
		-1) {
		if (c == -2)
			return status;
		if (c == OPT_CLUSTER) {
			a->cluster = optarg;
		} else if (c == OPT_CONF) {
			a->conf = optarg;
		} else if (c >= OPT_SBATCH && c <= OPT_REQUEST) {
			*what = (enum what)(c - OPT_SBATCH);
			given[*what] = true;
		} else if ((status = cmd_workflow_option(&verb_select, &a->w, c))) {
			return status;
		}
	}
	if (given[SBATCH] + given[SRUN] + given[SCRIPT] + given[REQUEST] > 1)
		return cmd_usage(&verb_select,
			"one of --sbatch, --srun, --script and --request");
	if (argc - optind != 2)
		return cmd_usage(&verb_select, "one workflow file and one step");
	a->file = argv[optind];
	return -1;
}

static int run(int argc, char **argv)
{
	struct job_args a = {.plan_only = true, .group = WEFT_GROUP_NONE};
	struct weft_str out = {0};
	struct weft_err err = {0};
	struct selected s = {0};
	const char *dir = getenv("WEFT_RUN_DIR");
	struct weft_run *own = NULL;
	enum what what = SBATCH;
	struct job j;
	int status = read_options(argc, argv, &a, &what);

	if (status >= 0)
		return status;
	a.one_step = what == REQUEST;
	if (dir && *dir && weft_run_open(dir, NULL, &own, NULL) == 0)
		a.run = own;
	status = job_open(&j, &a);
	if (status == 0) {
		if (selected_find(&s, &j, &a, argv[optind + 1], &err) ||
			print(&s, what, &out, &err)) {
			weft_str_free(&out);
			status = cmd_fail(&err);
		} else {
			status = cmd_print(&out);
		}
	}
	selected_clear(&s);
	job_close(&j);
	weft_run_free(own);
	return status;
}
