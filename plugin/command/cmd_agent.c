/* cmd_agent.c - weft agent: what runs members on each node of a job of ours */
#include "job.h"

#include <stdlib.h>
#include <string.h>

static int agent(int argc, char **argv);

WEFT_VERB(agent, .name = "agent", .synopsis = "--connect=HOST:PORT RUN",
	.summary = "Runs members on its node for the engine of a job (weft's own)",
	.run = agent);

/* HOST:PORT, in place. */
static bool address(char *text, const char **host, int64_t *port)
{
	char *colon = strrchr(text, ':');

	if (!colon || colon == text || !weft_parse_int(colon + 1, 1, 65535, port))
		return false;
	*colon = '\0';
	*host = text;
	return true;
}

static int agent(int argc, char **argv)
{
	static const struct option options[] = {
		{"connect", required_argument, NULL, 'c'},
		{"end", required_argument, NULL, 'e'}, {NULL, 0, NULL, 0}};
	struct weft_err err = {0};
	struct opened o = {0};
	struct weft_engine e = {.slurm = true};
	const char *host = NULL;
	int64_t port = 0, end = 0;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_agent, argc, argv, "", options, &status)) != -1) {
		if (c == -2)
			return status;
		if (c == 'c' && !address(optarg, &host, &port))
			return cmd_usage(&verb_agent, "--connect takes HOST:PORT");
		if (c == 'e' && !weft_parse_int(optarg, 0, INT64_MAX, &end))
			return cmd_usage(&verb_agent, "--end takes a time");
	}
	if (optind != argc - 1 || !host)
		return cmd_usage(&verb_agent, "for whom, and for which run?");
	if ((status = opened_open(&o, argv[optind], NULL)))
		goto out;
	if (engine_fill_agent(&e, &o, &err)) {
		status = cmd_fail(&err);
		goto out;
	}
	e.end = (double)end;
	engine_find_machine(&e);
	if (weft_records_open(o.run, o.wf, &e.records, &err) ||
		weft_engine_agent(&e, host, (unsigned)port, &err))
		status = cmd_fail(&err);
out:
	weft_records_free(e.records);
	engine_clear(&e);
	opened_close(&o);
	return status;
}
