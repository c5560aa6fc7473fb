/* cmd_status.c - weft status: how a run stands */
#include "job.h"

static int status(int argc, char **argv);

WEFT_VERB(status, .name = "status", .synopsis = "[--json] [--follow] [--check] RUN",
	.summary = "Tells how a run stands: what failed, why, and where its log is",
	.help = "  --json               as JSON\n"
		"  --metric NAME        add a column: its last value in a step's "
		"metrics\n"
		"  -f, --follow         until it has ended, as weft run does\n"
		"  --offline            don't ask Slurm: records and journal only\n"
		"  --check              look for records that contradict each other\n\n"
		"RUN is a run directory, or the name of a workflow for its latest run "
		"below\n"
		"weft-runs.  Exit status: 0 unless a step failed (see weft run "
		"--help).\n",
	.order = 12, .run = status);

/* What the store passes over in silence. */
static int check_records(const struct opened *o)
{
	struct weft_records *rs = NULL;
	struct weft_records_odd odd;
	struct weft_str out = {0};
	struct weft_err err = {0};

	if (weft_records_open(o->run, o->wf, &rs, &err) ||
		weft_records_poll(rs, NULL, NULL, &err)) {
		weft_records_free(rs);
		return cmd_fail(&err);
	}
	weft_records_odd(rs, &odd);
	for (size_t i = 0; i < odd.n_twice; i++) {
		const struct weft_records_twice *t = &odd.twice[i];

		weft_str_printf(&out,
			"twice: %s member %zu attempt %u: records/%s counts, "
			"records/%s doesn't\n",
			o->wf->step[t->step].name, t->member, t->attempt, t->counts,
			t->other);
	}
	weft_str_printf(&out,
		"records: %zu damaged lines, %zu of members that the workflow doesn't "
		"have, %zu twice\n",
		odd.damaged, odd.strangers, odd.n_twice);
	int bad = odd.n_twice || odd.damaged || odd.strangers ? WEFT_EFAILED : WEFT_OK;
	weft_records_free(rs);
	int r = cmd_print(&out);
	return r ? r : bad;
}

static int status(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
		{"follow", no_argument, NULL, 'f'}, {"offline", no_argument, NULL, 'o'},
		{"metric", required_argument, NULL, 'm'},
		{"check", no_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
	bool json = false, watch = false, offline = false, check = false;
	const char *metric[8];
	size_t n_metrics = 0;
	struct weft_err err = {0};
	struct weft_status *st = NULL;
	struct opened o;
	int c, ret = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_status, argc, argv, "f", options, &ret)) != -1) {
		switch (c) {
		case -2:
			return ret;
		case 'j':
			json = true;
			break;
		case 'f':
			watch = true;
			break;
		case 'o':
			offline = true;
			break;
		case 'c':
			check = true;
			break;
		case 'm':
			if (n_metrics == WEFT_COUNT(metric))
				return cmd_usage(&verb_status,
					"at most %zu --metric options",
					WEFT_COUNT(metric));
			metric[n_metrics++] = optarg;
			break;
		}
	}
	if (optind != argc - 1)
		return cmd_usage(&verb_status, "which run?");
	if ((ret = opened_open(&o, argv[optind], NULL)))
		goto out;
	if (check) {
		ret = check_records(&o);
		goto out;
	}
	if (watch) {
		ret = follow(&o, 0, false, json);
		goto out;
	}
	if (status_of(&o, !offline, &st, &err)) {
		weft_log(WEFT_WARN,
			"Slurm doesn't answer (%s); this is what the records say",
			err.text);
		weft_err_clear(&err);
		if (status_of(&o, false, &st, &err)) {
			ret = cmd_fail(&err);
			goto out;
		}
	}
	if (n_metrics &&
		weft_status_metrics(o.run, o.wf, metric, n_metrics, st, &err)) {
		ret = cmd_fail(&err);
		goto out;
	}
	struct weft_str out = {0};
	struct weft_style style = cmd_style(stdout);
	if (json)
		weft_report_status_json(o.run, st, &out);
	else
		weft_report_status(o.run, st, &style, &out);
	ret = cmd_print(&out);
	if (!ret)
		ret = st->code;
out:
	weft_status_free(st);
	opened_close(&o);
	return ret;
}
