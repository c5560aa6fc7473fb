/* cmd_plan.c - `weft plan FILE`: where each step goes, and what it costs. */
#include "job.h"

static int plan_main(int argc, char **argv);
WEFT_VERB(plan, .name = "plan",
	.synopsis = "[--json] [--cluster FILE | --local] [--set KEY=VALUE] "
		    "[--overlay FILE] [--conf FILE] FILE",
	.summary = "Shows where the steps of a workflow would run, and what they cost",
	.help = "  --json           the whole plan as JSON (see plan.schema.json)\n"
		"  --cluster FILE   plan for this snapshot (weft cluster --save) "
		"instead of\n"
		"                   live Slurm\n"
		"  --local          plan for this machine alone\n"
		"  --set KEY=VALUE  change a value of the workflow (vars.x, "
		"steps.NAME.KEY)\n"
		"  --overlay FILE   merge this file into the workflow\n"
		"  --conf FILE      read this weft.conf\n"
		"\n"
		"Exit status: 3 the workflow has errors, 4 it can't be placed, 6 "
		"Slurm\n"
		"can't be asked.\n",
	.order = 20, .run = plan_main);

enum { OPT_CLUSTER = 256, OPT_CONF, OPT_JSON, OPT_LOCAL };

static int read_options(int argc, char **argv, struct job_args *a)
{
	static const struct option longopts[] = {
		{"cluster", required_argument, NULL, OPT_CLUSTER},
		{"conf", required_argument, NULL, OPT_CONF},
		{"json", no_argument, NULL, OPT_JSON},
		{"local", no_argument, NULL, OPT_LOCAL},
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
		case OPT_JSON:
			a->json = true;
			break;
		case OPT_LOCAL:
			a->local = true;
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
	if (argc == optind)
		return cmd_usage(&verb_plan, "which workflow file?");
	if (argc - optind > 1)
		return cmd_usage(
			&verb_plan, "one workflow file, not %d", argc - optind);
	a->file = argv[optind];
	return -1;
}

static int plan_main(int argc, char **argv)
{
	struct job_args a = {.plan_only = true};
	struct weft_style style = cmd_style(stdout);
	struct weft_str out = {0};
	struct job j;
	int status = read_options(argc, argv, &a);

	if (status >= 0)
		return status;
	status = job_open(&j, &a);
	if (status == 0) {
		if (a.json)
			weft_plan_print_json(j.plan, &out);
		else
			weft_report_plan(j.plan, &style, &out);
		status = cmd_print(&out);
	}
	job_close(&j);
	return status;
}
