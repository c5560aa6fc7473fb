/* cmd_bind.c - `weft bind`: where tasks sit, and being one of them */
#include <stdlib.h>
#include <string.h>

#include "bind_command.h"

static int bind_run(int argc, char **argv);

WEFT_VERB(bind, .name = "bind", .synopsis = "[OPTION...] [-- COMMAND [ARG...]]",
	.summary = "Places tasks beside their GPUs, or runs a command so",
	.help = "Without a command: prints where each task would sit.  With one: binds "
		"this\n"
		"process as the task that srun, mpirun or torchrun made it, and runs "
		"it.\n"
		"\n"
		"  --tasks N            tasks on this node (default: the launcher's, "
		"or 1)\n"
		"  --cpus-per-task N    hardware threads each (default: an even "
		"share)\n"
		"  --gpus-per-task N    may be a fraction: 0.5 is two tasks a GPU\n"
		"  --gpus all|N         all GPUs or N of them, dealt evenly\n"
		"  --policy P           near_gpu (default), spread, compact\n"
		"  --memory P           local (default), interleave, none\n"
		"  --balance P          cores (default), even\n"
		"  --smt N|all          hardware threads used of a core\n"
		"  --spare-cores N      left idle\n"
		"  --mem-per-task SIZE  memory that a task needs\n"
		"  --step K=V,...       a step with the fields above (name, ntasks,\n"
		"                       cpus_per_task, gpus_per_task, gpus, cpus, "
		"memory,\n"
		"                       balance, smt, spare_cores, mem_per_task) and "
		"beside=NAME of\n"
		"                       the step it exchanges data with; repeatable: "
		"placed\n"
		"                       together\n"
		"  --talk A:B=BYTES     steps A and B exchange so much; repeatable\n"
		"  --topology FILE      an hwloc XML file or a `weft topo dump`\n"
		"  --node NAME          another node of the cluster, which is asked by "
		"srun\n"
		"  --allowed CPULIST    only these CPUs\n"
		"  --reserve WHAT       cores that no task gets: l3:N, numa:N or "
		"package:N (the\n"
		"                       first N of each), first:N or last:N (as "
		"Slurm's\n"
		"                       specialized cores), CPUs, none; with commas\n"
		"  --format F           table (default); json; map: one line a task, "
		"for\n"
		"                       scripts; srun: its options, one line a step\n"
		"  --explain            also say why each task is there\n"
		"  --score              also say how well the tasks sit, in figures\n"
		"\n"
		"  --task I             with a command: which task this is\n"
		"  --strict             do not run the command unbound\n"
		"  --report[=FILE]      say on one line what was applied (default: "
		"stderr)\n"
		"  --around             keep off the CPUs and GPUs of this user's "
		"other "
		"tasks\n"
		"                       here; in a Slurm job it does so for the job's "
		"by "
		"itself\n"
		"  --verify             in a task, without a command: is it where it "
		"was "
		"placed?\n"
		"                       With one: compare after binding, and say "
		"differences\n"
		"  --others             print what the other steps' tasks have here\n",
	.order = 72, .run = bind_run);

enum {
	OPT_STEP = 256,
	OPT_TALK,
	OPT_TOPOLOGY,
	OPT_NODE,
	OPT_RESERVE,
	OPT_ALLOWED,
	OPT_FORMAT,
	OPT_EXPLAIN,
	OPT_SCORE,
	OPT_TASK,
	OPT_STRICT,
	OPT_REPORT,
	OPT_AROUND,
	OPT_VERIFY,
	OPT_OTHERS,
	OPT_FIELD
};

/* Options that are a field of the (only) step: OPT_FIELD + index. */
static const char *const fields[] = {"ntasks", "cpus_per_task", "gpus_per_task", "gpus",
	"cpus", "memory", "balance", "smt", "spare_cores", "mem_per_task"};

static const struct option longopts[] = {{"tasks", required_argument, NULL, OPT_FIELD},
	{"cpus-per-task", required_argument, NULL, OPT_FIELD + 1},
	{"gpus-per-task", required_argument, NULL, OPT_FIELD + 2},
	{"gpus", required_argument, NULL, OPT_FIELD + 3},
	{"policy", required_argument, NULL, OPT_FIELD + 4},
	{"memory", required_argument, NULL, OPT_FIELD + 5},
	{"balance", required_argument, NULL, OPT_FIELD + 6},
	{"smt", required_argument, NULL, OPT_FIELD + 7},
	{"spare-cores", required_argument, NULL, OPT_FIELD + 8},
	{"mem-per-task", required_argument, NULL, OPT_FIELD + 9},
	{"step", required_argument, NULL, OPT_STEP},
	{"talk", required_argument, NULL, OPT_TALK},
	{"topology", required_argument, NULL, OPT_TOPOLOGY},
	{"node", required_argument, NULL, OPT_NODE},
	{"reserve", required_argument, NULL, OPT_RESERVE},
	{"allowed", required_argument, NULL, OPT_ALLOWED},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"score", no_argument, NULL, OPT_SCORE},
	{"task", required_argument, NULL, OPT_TASK},
	{"strict", no_argument, NULL, OPT_STRICT},
	{"report", optional_argument, NULL, OPT_REPORT},
	{"around", no_argument, NULL, OPT_AROUND},
	{"verify", no_argument, NULL, OPT_VERIFY},
	{"others", no_argument, NULL, OPT_OTHERS}, {0}};

static int set_format(struct bind_request *r, const char *format, struct weft_err *err)
{
	static const char *const formats[] = {"table", "json", "map", "srun"};

	for (size_t i = 0; i < WEFT_COUNT(formats); i++)
		if (weft_streq(format, formats[i])) {
			r->format = formats[i];
			return 0;
		}
	return weft_err_set(err, WEFT_EUSAGE, "--format: table, json, map or srun");
}

static int option(struct bind_request *r, int c, struct weft_err *err)
{
	switch (c) {
	case OPT_STEP:
		if (r->n_steps == BIND_MAX_STEPS)
			return weft_err_set(
				err, WEFT_EUSAGE, "more than %d steps", BIND_MAX_STEPS);
		return bind_parse_step(optarg, &r->step[r->n_steps++], err);
	case OPT_TALK:
		if (r->n_talks == BIND_MAX_STEPS)
			return weft_err_set(err, WEFT_EUSAGE, "more than %d --talk",
				BIND_MAX_STEPS);
		return bind_parse_talk(optarg, &r->talk[r->n_talks++], err);
	case OPT_TOPOLOGY:
		r->topology = optarg;
		return 0;
	case OPT_NODE:
		r->node = optarg;
		return 0;
	case OPT_RESERVE:
		r->reserve = optarg;
		return weft_machine_reserve(NULL, optarg, err) == 0
			       ? 0
			       : weft_err_prefix(err, "--reserve");
	case OPT_ALLOWED:
		r->has_allowed = true;
		if (!weft_cpuset_parse(optarg, &r->allowed))
			return weft_err_set(err, WEFT_EUSAGE,
				"--allowed: '%s' is not a list "
				"of CPUs like 0-7,16",
				optarg);
		return 0;
	case OPT_FORMAT:
		return set_format(r, optarg, err);
	case OPT_EXPLAIN:
		r->explain = true;
		return 0;
	case OPT_SCORE:
		r->score = true;
		return 0;
	case OPT_TASK:
		if (!weft_parse_int(optarg, 0, 16384, &r->task))
			return weft_err_set(
				err, WEFT_EUSAGE, "--task: a number from 0");
		return 0;
	case OPT_STRICT:
		r->strict = true;
		return 0;
	case OPT_REPORT:
		r->report = true;
		r->report_file = optarg;
		return 0;
	case OPT_AROUND:
		r->around = true;
		return 0;
	case OPT_VERIFY:
		r->verify = true;
		return 0;
	case OPT_OTHERS:
		r->others = true;
		return 0;
	default:
		/* How many there are is no matter of the ticket's. */
		r->described |= c != OPT_FIELD;
		r->single = true;
		return bind_set(&r->step[0], fields[c - OPT_FIELD], optarg, err);
	}
}

/* Without a command: print the placement. */
static int show(struct bind_request *r)
{
	unsigned gpus[WEFT_MAX_DEVICES];
	struct weft_machine *m = NULL;
	struct weft_placement *p = NULL;
	struct weft_err err = {0};
	size_t n = 0;
	int rc, status;

	rc = bind_machine(r, &m, &err);
	bool other = r->topology || (r->node && !rc && m->borrowed);
	if (!rc && !other && !r->has_allowed && !m->borrowed) {
		r->has_allowed = true;
		rc = bind_allowed(1, &r->allowed, &err);
	}
	for (size_t i = 0; i < r->n_steps; i++)
		r->place[i] = r->step[i].place;
	if (!rc && !other)
		n = weft_bind_usable_gpus(
			m, NULL, getenv(weft_bind_visible_name(m)), gpus);
	if (!rc)
		rc = weft_place(m, r->has_allowed ? &r->allowed : NULL,
			other ? NULL : gpus, n, r->place, r->n_steps, &p, &err);
	status = rc ? cmd_fail(&err) : bind_print(r, m, p);
	weft_placement_free(p);
	weft_machine_free(m);
	return status;
}

static int bind_run(int argc, char **argv)
{
	struct bind_request *r = calloc(1, sizeof(*r));
	struct weft_err err = {0};
	int c, status = 0;

	if (!r) {
		weft_err_nomem(&err);
		return cmd_fail(&err);
	}
	r->task = -1;
	r->format = "table";
	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_bind, argc, argv, "+", longopts, &status)) != -1) {
		if (c == -2)
			goto out;
		if (option(r, c, &err))
			break;
	}
	char **command = optind < argc ? argv + optind : NULL;
	if (!err.text && r->n_steps && (r->single || command))
		weft_err_set(&err, WEFT_EUSAGE,
			r->single ? "--step excludes the options of a single step"
				  : "--step is for printing; a command is one task "
				    "of one step");
	if (!err.text && r->node && (r->topology || command))
		weft_err_set(&err, WEFT_EUSAGE,
			r->topology ? "--node and --topology exclude each other"
				    : "--node is for printing; a command runs here");
	if (!err.text && !command && (r->verify || r->others) &&
		(r->single || r->n_steps || r->topology || r->node ||
			r->verify == r->others))
		weft_err_set(&err, WEFT_EUSAGE,
			"--verify and --others stand alone: they are about tasks that "
			"run");
	if (!err.text && !command &&
		(r->around || r->strict || r->report || r->task >= 0))
		weft_err_set(&err, WEFT_EUSAGE, "nothing to run: write -- COMMAND");
	bool text = weft_streq(r->format, "map") || weft_streq(r->format, "srun");
	if (!err.text && (r->score || r->explain) && (text || command))
		weft_err_set(&err, WEFT_EUSAGE,
			"--score and --explain are for a placement as a table or as "
			"JSON");
	if (!r->n_steps)
		r->n_steps = 1;
	if (!r->step[0].place.ntasks && !command)
		r->step[0].place.ntasks = 1;
	if (err.text || bind_find_talks(r, &err)) {
		status = cmd_usage(
			&verb_bind, "%s", err.text ? err.text : "out of memory");
		weft_err_clear(&err);
		goto out;
	}
	if (command)
		status = bind_exec(r, command);
	else if (r->verify)
		status = bind_verify();
	else
		status = r->others ? bind_others() : show(r);
out:
	free(r);
	return status;
}
