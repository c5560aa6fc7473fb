/* cmd_plan.c - `weft plan FILE`: where each step goes, and what it costs. */
#include "job.h"

static int plan_main(int argc, char **argv);
WEFT_VERB(plan, .name = "plan",
	.synopsis = "[--json | --dot | --explain STEP] [--cluster FILE | --local] "
		    "[--group none|auto|all] [--set KEY=VALUE] "
		    "[--overlay FILE] [--run-dir DIR] [--conf FILE] FILE",
	.summary = "Shows where the steps of a workflow would run, and what they cost",
	.help = "  --json           the whole plan as JSON (see plan.schema.json)\n"
		"  --dot            the steps and what they wait for as a graph in "
		"DOT\n"
		"  --explain STEP   each partition and alternative of a step, why not "
		"and why\n"
		"  --cluster FILE   plan for this snapshot (weft cluster --save) "
		"instead of\n"
		"                   live Slurm\n"
		"  --local          plan for this machine alone\n"
		"  --group MODE     none: a job for each step; auto (default): share "
		"one\n"
		"                   where that saves a wait; all: wherever it can be\n"
		"  --set KEY=VALUE  change a value of the workflow (vars.x, "
		"steps.NAME.KEY)\n"
		"  --overlay FILE   merge this file into the workflow\n"
		"  --run-dir DIR    parent of the run directories: what earlier runs "
		"took\n"
		"  --conf FILE      read this weft.conf\n"
		"\n"
		"Exit status: 3 the workflow has errors, 4 it can't be placed, 6 "
		"Slurm\n"
		"can't be asked.\n",
	.order = 20, .run = plan_main);

enum {
	OPT_CLUSTER = 256,
	OPT_CONF,
	OPT_DOT,
	OPT_EXPLAIN,
	OPT_GROUP,
	OPT_JSON,
	OPT_LOCAL,
	OPT_RUN_DIR
};

/* What to print instead of the table. */
struct what {
	bool dot;
	const char *explain;
};

static int read_options(int argc, char **argv, struct job_args *a, struct what *w)
{
	static const struct option longopts[] = {
		{"cluster", required_argument, NULL, OPT_CLUSTER},
		{"conf", required_argument, NULL, OPT_CONF},
		{"dot", no_argument, NULL, OPT_DOT},
		{"explain", required_argument, NULL, OPT_EXPLAIN},
		{"group", required_argument, NULL, OPT_GROUP},
		{"json", no_argument, NULL, OPT_JSON},
		{"local", no_argument, NULL, OPT_LOCAL},
		{"run-dir", required_argument, NULL, OPT_RUN_DIR},
		CMD_WORKFLOW_OPTIONS,
		{0},
	};
	int c, status;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_plan, argc, argv, "", longopts, &status)) != -1) {
		switch (c) {
		case -2:
			return status;
		case OPT_CLUSTER:
			a->cluster = optarg;
			break;
		case OPT_CONF:
			a->conf = optarg;
			break;
		case OPT_DOT:
			w->dot = true;
			break;
		case OPT_EXPLAIN:
			w->explain = optarg;
			a->no_plan = true;
			break;
		case OPT_GROUP:
			if ((status = job_group_option(&verb_plan, optarg, &a->group)))
				return status;
			break;
		case OPT_JSON:
			a->json = true;
			break;
		case OPT_LOCAL:
			a->local = true;
			break;
		case OPT_RUN_DIR:
			a->parent = optarg;
			break;
		case CMD_OPT_SET:
		case CMD_OPT_OVERLAY:
			if ((status = cmd_workflow_option(&verb_plan, &a->w, c)))
				return status;
			break;
		}
	}
	if (a->local && a->cluster)
		return cmd_usage(
			&verb_plan, "--local and --cluster exclude each other");
	if (a->json + w->dot + (w->explain != NULL) > 1)
		return cmd_usage(&verb_plan, "one of --json, --dot and --explain");
	if (a->local && w->explain)
		return cmd_usage(
			&verb_plan, "--explain is about partitions: not with --local");
	if (argc == optind)
		return cmd_usage(&verb_plan, "which workflow file?");
	if (argc - optind > 1)
		return cmd_usage(
			&verb_plan, "one workflow file, not %d", argc - optind);
	a->file = argv[optind];
	return -1;
}

/* 4 where nothing holds the step, as of the plan. */
static int explain(const struct job *j, const struct job_args *a, const char *name,
	const struct weft_style *style, struct weft_str *out)
{
	struct weft_select_options opt = job_options(j, a);
	struct weft_explanation *x;
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	const char *member;
	bool fits = false;
	const struct weft_step *step =
		cmd_step(j->wf, j->wf->file, name, &member, &err);

	if (step && member)
		weft_err_set(&err, WEFT_EUSAGE,
			"--explain takes a step: all members of a sweep are one job");
	if (!step || member)
		return cmd_fail(&err);
	if (weft_select_explain(
		    j->wf, j->cluster, j->conf, &opt, step->index, &x, &errs))
		return cmd_fail_errs(&errs, false);
	weft_report_explanation(x, step->name, style, out);
	for (size_t i = 0; i < x->n_candidates; i++)
		fits |= x->candidate[i].chosen;
	weft_explanation_free(x);
	int status = cmd_print(out);

	return status || fits ? status : WEFT_EPLACE;
}

static int plan_main(int argc, char **argv)
{
	struct job_args a = {.plan_only = true};
	struct weft_style style = cmd_style(stdout);
	struct weft_str out = {0};
	struct what w = {0};
	struct job j;
	int status = read_options(argc, argv, &a, &w);

	if (status >= 0)
		return status;
	status = job_open(&j, &a);
	if (status == 0 && w.explain) {
		status = explain(&j, &a, w.explain, &style, &out);
	} else if (status == 0) {
		if (w.dot)
			weft_report_plan_dot(j.plan, j.wf, &out);
		else if (a.json)
			weft_plan_print_json(j.plan, &out);
		else
			weft_report_plan(j.plan, &style, &out);
		status = cmd_print(&out);
	}
	job_close(&j);
	return status;
}
