/* cmd_member.c - weft member: the engine's staging of a member, on the member's node */
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int member(int argc, char **argv);

WEFT_VERB(member, .name = "member",
	.synopsis = "stage-ahead|stage-in|stage-out|stage-clean OPTION...",
	.summary = "Stages a member on its node (weft's own)", .run = member);

/* With this node's name, for the engine hears many. */
static void print_wants(const struct weft_str *want)
{
	const char *name = getenv("SLURMD_NODENAME");
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	for (const char *p = want->s; p && *p;) {
		size_t n = strcspn(p, "\n");

		printf("%.*s %s\n", (int)n, p, name ? name : host);
		p += n + (p[n] == '\n');
	}
}

static int member(int argc, char **argv)
{
	static const struct option options[] = {{"run", required_argument, NULL, 'r'},
		{"step", required_argument, NULL, 's'},
		{"member", required_argument, NULL, 'm'},
		{"node-root", required_argument, NULL, 'n'},
		{"memory-root", required_argument, NULL, 'M'},
		{"nodes", required_argument, NULL, 'N'}, {NULL, 0, NULL, 0}};
	const char *run = NULL, *step_name = NULL, *node = NULL, *memory = NULL;
	const char *proc = getenv("SLURM_PROCID");
	struct weft_err err = {0};
	struct opened o = {0};
	struct weft_engine e = {0};
	int64_t index = 0, part = 0, nodes = 0;
	weft_autostr struct weft_str want = {0}, hashes = {0};
	uint64_t moved = 0;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_member, argc, argv, "", options, &status)) != -1) {
		switch (c) {
		case -2:
			return status;
		case 'r':
			run = optarg;
			break;
		case 's':
			step_name = optarg;
			break;
		case 'm':
			if (!weft_parse_int(optarg, 0, INT64_MAX, &index))
				return cmd_usage(
					&verb_member, "--member takes a number");
			break;
		case 'n':
			node = optarg;
			break;
		case 'M':
			memory = optarg;
			break;
		case 'N':
			if (!weft_parse_int(optarg, 0, 1 << 24, &nodes))
				return cmd_usage(
					&verb_member, "--nodes takes a number");
			break;
		}
	}
	if (optind != argc - 1 || !run || !step_name)
		return cmd_usage(&verb_member, "what of which member?");
	const char *what = argv[optind];
	if (weft_streq(what, "stage-clean")) {
		if (weft_engine_stage_clean(node, memory, &err))
			return cmd_fail(&err);
		return 0;
	}
	if (proc && !weft_parse_int(proc, 0, 1 << 24, &part))
		part = 0;
	if ((status = opened_open(&o, run, NULL)))
		return status;
	const struct weft_step *step = weft_spec_step(o.wf, step_name);
	e.run = o.run;
	e.wf = o.wf;
	e.plan = o.plan;
	e.conf = o.conf;
	e.job = "";
	e.user = cmd_user();
	e.stop = cmd_stop();
	if (!step || (size_t)index >= step->sweep.count)
		status = cmd_usage(&verb_member, "no such member");
	else if (weft_streq(what, "stage-ahead"))
		weft_engine_stage_ahead(&e, step, (size_t)index, (unsigned)nodes);
	else if (weft_streq(what, "stage-in"))
		status = weft_engine_stage_in(&e, step, (size_t)index, node, memory,
			(unsigned)nodes, &moved, &want, &hashes, &err);
	else if (weft_streq(what, "stage-out"))
		status = weft_engine_stage_out(&e, step, (size_t)index, node, memory,
			(unsigned)part, &hashes, &err);
	else
		status = cmd_usage(&verb_member, "no '%s'", what);
	if (status < 0) {
		/* On one line: the engine puts it into the record. */
		weft_autofree char *line = weft_err_line(&err);

		fprintf(stderr, "weft: %s\n", line ? line : "out of memory");
		status = err.code == WEFT_EINTR ? WEFT_EINTR : WEFT_ESTAGE;
		weft_err_clear(&err);
	}
	/* The engine adds up what the nodes say. */
	if (status == 0 && weft_streq(what, "stage-in")) {
		printf("moved %ju\n", (uintmax_t)moved);
		print_wants(&want);
	}
	if (status == 0 && hashes.s)
		fputs(hashes.s, stdout);
	opened_close(&o);
	return status;
}
