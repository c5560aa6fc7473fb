/* cmd_ticket.c - weft ticket: what a step asks for, told to the SPANK plug-in */
#include "asked.h"
#include "selected.h"

#include <string.h>

#define RECORD_END '\x1e' /* plugin/spank/order.h */

static int run(int argc, char **argv);

WEFT_VERB(ticket, .name = "ticket", .synopsis = "[OPTION...] FILE [STEP[.MEMBER]]",
	.summary = "Prints a step's size, environment and ticket, as srun --weft-step "
		   "takes them",
	.help = "  --for WHAT   srun (default); sbatch, salloc: what slurmctld's half "
		"is\n"
		"               asked for, planned as by weft select\n"
		"  --sizes      only the sizes\n"
		"  --records    for the plug-in: secrets too, records ended by byte "
		"0x1e\n"
		"\nWithout STEP the file is checked and nothing printed.\n",
	.order = 0, .run = run);

struct printer {
	struct weft_str text;
	bool records;
	const char *bad; /* kind of a value that can't be told */
};

static void put(struct printer *p, const char *kind, const char *value)
{
	if (strchr(value, RECORD_END))
		p->bad = kind;
	weft_str_printf(&p->text, p->records ? "%s %s%c" : "%-7s %s%c", kind, value,
		p->records ? RECORD_END : '\n');
}

static void put_all(struct printer *p, const char *kind, const struct weft_argv *list)
{
	for (size_t i = 0; i < list->n; i++)
		put(p, kind, list->v[i]);
}

/* srun has the sizes from its environment: slurmctld gets what policy asks for. */
static int put_policy(const struct asked *a, struct printer *p)
{
	const struct weft_conf_names *allowed =
		&a->conf->role[a->step->role].partitions;
	weft_autostr struct weft_str text = {0};
	struct weft_request r = {0};

	snprintf(r.step, sizeof(r.step), "%s", a->step->name);
	snprintf(r.role, sizeof(r.role), "%s", weft_conf_roles[a->step->role]);
	/* Slurm takes the one where the job starts first. */
	for (size_t i = 0, n = 0; i < allowed->n && n < sizeof(r.partition); i++)
		n += (size_t)snprintf(r.partition + n, sizeof(r.partition) - n, "%s%s",
			i ? "," : "", allowed->v[i]);
	if (weft_request_encode(&r, &text, NULL))
		return -1;
	put(p, "request", text.s);
	return 0;
}

static int print(const struct asked *a, struct printer *p, bool only_sizes)
{
	weft_autostr struct weft_str ticket = {0};

	put_all(p, "size", &a->size);
	if (!only_sizes) {
		if (weft_ticket_encode(&a->ticket, &ticket) || ticket.failed)
			return -1;
		put(p, "step", a->step->name);
		put(p, "file", a->wf->file);
		put_all(p, "env", &a->env.vars);
		if (p->records)
			put_all(p, "secret", &a->secret.vars);
		put_all(p, "stage", &a->stage);
		put_all(p, "out", &a->out);
		put(p, "ticket", ticket.s);
		if (p->records && put_policy(a, p))
			return -1;
	}
	put_all(p, "say", &a->say);
	return p->text.failed ? -1 : 0;
}

static int ticket(
	const char *file, const char *step, bool only_sizes, struct printer *p)
{
	struct asked a = {0};
	struct weft_errs errs = {0};
	weft_autoerr struct weft_err err = {0};
	int r;

	if (asked_load(&a, file, step, &errs))
		r = cmd_fail_errs(&errs, false);
	else if (!step)
		r = 0;
	else if (asked_sizes(&a, &err) || (!only_sizes && asked_environment(&a, &err)))
		r = cmd_fail(&err);
	else if (print(&a, p, only_sizes) && !weft_err_nomem(&err))
		r = cmd_fail(&err);
	else
		r = 0;
	if (r == 0 && p->bad) {
		weft_err_set(&err, WEFT_ESPEC,
			"a value of step '%s' (%s) holds byte 0x1e", step, p->bad);
		r = cmd_fail(&err);
	}
	asked_clear(&a);
	return r;
}

/* What sbatch and salloc ask slurmctld for: the step as `weft select` plans it. */
static int request(const char *file, const char *step, bool array, struct printer *p)
{
	struct job_args args = {.file = file,
		.plan_only = true,
		.one_step = true,
		.group = WEFT_GROUP_NONE};
	weft_autoargv struct weft_argv left = {0};
	weft_autostr struct weft_str text = {0};
	struct weft_request r = {0};
	struct weft_err err = {0};
	struct selected s = {0};
	struct job j;
	int status = job_open(&j, &args);

	if (status == 0 && (selected_find(&s, &j, &args, step, &err) ||
				   selected_request(&s, &r, &err)))
		status = cmd_fail(&err);
	if (status == 0) {
		if (!array)
			r.array = r.max_parallel = 0;
		add_user_options(j.wf, s.step, &left);
		if (weft_request_encode(&r, &text, &err)) {
			weft_err_prefix(&err, "step %s", s.step->name);
			status = cmd_fail(&err);
		} else {
			put(p, "request", text.s);
		}
		for (size_t i = 0; i < left.n; i++) {
			weft_autofree char *say =
				weft_printf("step %s: %s of the file "
					    "isn't taken: give it as an option",
					s.step->name, left.v[i]);
			put(p, "say", say ? say : "");
		}
	}
	selected_clear(&s);
	job_close(&j);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"for", required_argument, NULL, 'f'},
		{"sizes", no_argument, NULL, 's'}, {"records", no_argument, NULL, 'r'},
		{NULL, 0, NULL, 0}};
	const struct weft_verb *v = cmd_verb("ticket");
	struct printer p = {0};
	bool only_sizes = false, sbatch = false, salloc = false;
	int status, c;

	cmd_getopt_start();
	while ((c = cmd_getopt(v, argc, argv, "", options, &status)) >= 0) {
		if (c == 'f' && !weft_streq(optarg, "srun") &&
			!weft_streq(optarg, "sbatch") && !weft_streq(optarg, "salloc"))
			return cmd_usage(v, "--for: srun, sbatch or salloc");
		sbatch |= c == 'f' && weft_streq(optarg, "sbatch");
		salloc |= c == 'f' && weft_streq(optarg, "salloc");
		only_sizes |= c == 's';
		p.records |= c == 'r';
	}
	if (c == -2)
		return status;
	if (argc - optind < 1 || argc - optind > 2)
		return cmd_usage(v, "a workflow file, and a step");
	if ((sbatch || salloc) && argv[optind + 1])
		status = request(argv[optind], argv[optind + 1], sbatch, &p);
	else
		status = ticket(argv[optind], argv[optind + 1], only_sizes, &p);
	if (status) {
		weft_str_free(&p.text);
		return status;
	}
	return cmd_print(&p.text);
}
