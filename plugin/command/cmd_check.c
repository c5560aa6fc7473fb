/* cmd_check.c - weft check: is the workflow right? */
#include "command.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"      --json         print what was found as JSON\n"
	"  -q, --quiet        print only errors\n"
	"      --set KEY=VALUE  change a value: vars.mesh=512, "
	"steps.train.resources.time=2h\n"
	"      --overlay FILE   merge FILE over the workflow, steps by name\n";

static int check_run(int argc, char **argv);
WEFT_VERB(check, .name = "check",
	.synopsis = "[--json] [--quiet] [--set KEY=VALUE] [--overlay FILE] FILE...",
	.summary = "Checks workflow files and prints every error", .help = help,
	.order = 10, .run = check_run);

struct counts {
	size_t steps, members;
};

static int check_file(const char *file, const struct weft_spec_options *opt,
	struct counts *counts, struct weft_errs *errs)
{
	struct weft_workflow *wf;

	if (weft_spec_load(file, opt, &wf, errs) < 0)
		return -1;
	counts->steps = wf->n_steps;
	counts->members = 0;
	for (size_t i = 0; i < wf->n_steps; i++)
		counts->members += wf->step[i].sweep.most;
	weft_spec_free(wf);
	return 0;
}

/* One object a file; the errors as weft_report_errors_json() has them. */
static json_t *file_json(const char *file, int rc, const struct counts *counts,
	const struct weft_errs *errs)
{
	weft_autostr struct weft_str text = {0};
	const char *name = weft_utf8_valid(file, strlen(file)) ? file : "?";

	if (rc == 0)
		return json_pack("{s:s, s:b, s:I, s:I, s:[], s:i}", "file", name, "ok",
			1, "steps", (json_int_t)counts->steps, "members",
			(json_int_t)counts->members, "errors", "total", 0);
	json_t *o = NULL;
	if (weft_report_errors_json(errs, &text) == 0 && text.s)
		o = json_loadb(text.s, text.len, 0, NULL);
	if (o && (json_object_set_new(o, "file", json_string(name)) < 0 ||
			 json_object_set_new(o, "ok", json_false()) < 0)) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

static void print_ok(const char *file, const struct counts *c)
{
	printf("%s: ok, %zu %s, %zu %s\n", file, c->steps,
		c->steps == 1 ? "step" : "steps", c->members,
		c->members == 1 ? "member" : "members");
}

static int check_files(
	char **file, int n, const struct weft_spec_options *opt, bool json, bool quiet)
{
	json_t *files = json ? json_array() : NULL;
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct weft_errs errs = {0};
		struct counts counts = {0};
		int rc = check_file(file[i], opt, &counts, &errs);

		if (json && json_array_append_new(
				    files, file_json(file[i], rc, &counts, &errs)))
			status = WEFT_ESPEC;
		if (rc == 0 && !json && !quiet)
			print_ok(file[i], &counts);
		fflush(stdout);
		if (rc < 0 && !json)
			cmd_fail_errs(&errs, false);
		if (rc < 0)
			status = WEFT_ESPEC;
		weft_errs_clear(&errs);
	}
	if (json) {
		struct weft_str out = {0};
		weft_report_json(
			json_pack("{s:o}", "files", files), JSON_INDENT(2), &out);
		int rc = cmd_print(&out);
		status = rc ? rc : status;
	}
	return status;
}

static int check_run(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'}, CMD_WORKFLOW_OPTIONS, {0}};
	struct cmd_workflow_args w = {0};
	bool json = false, quiet = false;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_check, argc, argv, "q", options, &status)) != -1) {
		if (c == -2)
			return status;
		if (c == 'j')
			json = true;
		else if (c == 'q')
			quiet = true;
		else if ((status = cmd_workflow_option(&verb_check, &w, c)))
			return status;
	}
	if (optind >= argc)
		return cmd_usage(&verb_check, "name at least one workflow file");
	struct weft_spec_options opt = cmd_spec_options(&w);
	return check_files(argv + optind, argc - optind, &opt, json, quiet);
}
