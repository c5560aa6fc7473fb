/* cmd_plan.c - `weft plan FILE`: where each step goes, and what it costs. */
#include "command.h"

#include "select/select.h"

struct options {
	const char *cluster, *conf;
	bool json, local;
	struct cmd_workflow_args wf;
};

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

enum { OPT_CLUSTER = 256, OPT_CONF, OPT_JSON, OPT_LOCAL, OPT_SET, OPT_OVERLAY };

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longopts[] = {
		{"cluster", required_argument, NULL, OPT_CLUSTER},
		{"conf", required_argument, NULL, OPT_CONF},
		{"json", no_argument, NULL, OPT_JSON},
		{"local", no_argument, NULL, OPT_LOCAL},
		{"set", required_argument, NULL, OPT_SET},
		{"overlay", required_argument, NULL, OPT_OVERLAY},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, status;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_plan, argc, argv, "", longopts, &status)) != -1) {
		switch (c) {
		case -2:
			return status;
		case OPT_CLUSTER:
			o->cluster = optarg;
			break;
		case OPT_CONF:
			o->conf = optarg;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_LOCAL:
			o->local = true;
			break;
		case OPT_SET:
			if (o->wf.n_set == WEFT_COUNT(o->wf.set))
				return cmd_usage(&verb_plan, "too many --set");
			o->wf.set[o->wf.n_set++] = optarg;
			break;
		case OPT_OVERLAY:
			if (o->wf.n_overlay == WEFT_COUNT(o->wf.overlay))
				return cmd_usage(&verb_plan, "too many --overlay");
			o->wf.overlay[o->wf.n_overlay++] = optarg;
			break;
		}
	}
	if (o->local && o->cluster)
		return cmd_usage(
			&verb_plan, "--local and --cluster exclude each other");
	if (argc == optind)
		return cmd_usage(&verb_plan, "which workflow file?");
	if (argc - optind > 1)
		return cmd_usage(
			&verb_plan, "one workflow file, not %d", argc - optind);
	return -1;
}

static int get_cluster(const struct options *o, struct weft_cluster **c)
{
	struct weft_err err = {0};

	if (o->local ? cmd_local_cluster(c, &err) : cmd_cluster(o->cluster, c, &err)) {
		/* Only Slurm itself can be left out by naming a file. */
		if (!o->local && !o->cluster && !err.hint)
			weft_err_hint(&err,
				"plan for a saved snapshot with --cluster FILE, or for "
				"this machine with --local");
		return cmd_fail(&err);
	}
	return 0;
}

static int print_plan(const struct options *o, const struct weft_plan *plan)
{
	struct weft_style style = cmd_style(stdout);
	struct weft_str out = {0};

	if (o->json)
		weft_plan_print_json(plan, &out);
	else
		weft_report_plan(plan, &style, &out);
	return cmd_print(&out);
}

static int plan_main(int argc, char **argv)
{
	struct options o = {0};
	struct weft_workflow *wf = NULL;
	struct weft_cluster *cluster = NULL;
	struct weft_conf *conf = NULL;
	struct weft_plan *plan = NULL;
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	const struct weft_spec_options spec = {.set = o.wf.set,
		.n_set = o.wf.n_set,
		.overlay = o.wf.overlay,
		.n_overlay = o.wf.n_overlay};
	const struct weft_select_options opt = {.local = o.local};

	if (weft_spec_load(argv[optind], &spec, &wf, &errs) < 0) {
		status = cmd_fail_errs(&errs, o.json);
		goto out;
	}
	if (weft_conf_load(o.conf, false, &conf, &err) < 0) {
		status = cmd_fail(&err);
		goto out;
	}
	status = get_cluster(&o, &cluster);
	if (status)
		goto out;
	if (weft_select_plan(wf, cluster, conf, &opt, &plan, &errs) < 0)
		status = cmd_fail_errs(&errs, o.json);
	else
		status = print_plan(&o, plan);
out:
	weft_plan_free(plan);
	weft_cluster_free(cluster);
	weft_conf_free(conf);
	weft_spec_free(wf);
	return status;
}
