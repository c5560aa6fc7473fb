/* cmd_torchrun.c - weft torchrun: one node's part of a torchrun that spans several */
#include "command.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int torchrun(int argc, char **argv);

WEFT_VERB(torchrun, .name = "torchrun",
	.synopsis = "--workers=N --meet=FILE -- PROGRAM [ARG...]",
	.summary = "Starts a node's part of torchrun (weft's own)", .run = torchrun);

#define MEET_SECONDS 120.0

/* A port that is free now: the system's choice, given back at once. */
static int free_port(void)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	socklen_t n = sizeof(a);
	struct sockaddr_in a4 = {.sin_family = AF_INET};
	weft_autoclose int s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s >= 0 && bind(s, (struct sockaddr *)&a, n) == 0 &&
		getsockname(s, (struct sockaddr *)&a, &n) == 0)
		return ntohs(a.sin6_port);
	weft_autoclose int s4 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	n = sizeof(a4);
	if (s4 >= 0 && bind(s4, (struct sockaddr *)&a4, n) == 0 &&
		getsockname(s4, (struct sockaddr *)&a4, &n) == 0)
		return ntohs(a4.sin_port);
	return -1;
}

/* The first node finds a port and says so in a file that all of them see. */
static int meet(
	const char *file, bool first, char **host, int *port, struct weft_err *err)
{
	double end = weft_monotonic() + MEET_SECONDS;
	weft_autofree char *text = NULL;

	if (first) {
		char name[256] = "", line[300];

		gethostname(name, sizeof(name) - 1);
		*port = free_port();
		if (*port < 0)
			return weft_err_sys(
				err, WEFT_ESYS, "no free port for torchrun");
		snprintf(line, sizeof(line), "%s %d\n", name, *port);
		if (weft_write_file(file, line, strlen(line), 0600, err))
			return -1;
		*host = strdup(name);
		return *host ? 0 : weft_err_nomem(err);
	}
	while (weft_read_file(file, 4096, &text, NULL, NULL)) {
		if (weft_monotonic() > end)
			return weft_err_set(err, WEFT_ESYS,
				"the first node wrote no %s within %.0f s", file,
				MEET_SECONDS);
		nanosleep(&(struct timespec){0, 50000000}, NULL);
	}
	char *space = strchr(text, ' ');
	if (!space || (*port = atoi(space + 1)) <= 0)
		return weft_err_set(err, WEFT_ESYS, "%s is damaged", file);
	*host = strndup(text, (size_t)(space - text));
	return *host ? 0 : weft_err_nomem(err);
}

static int torchrun(int argc, char **argv)
{
	static const struct option options[] = {
		{"workers", required_argument, NULL, 'w'},
		{"meet", required_argument, NULL, 'm'}, {NULL, 0, NULL, 0}};
	const char *file = NULL, *id = getenv("SLURM_NODEID"),
		   *count = getenv("SLURM_STEP_NUM_NODES");
	struct weft_err err = {0};
	weft_autofree char *host = NULL;
	weft_autoargv struct weft_argv a = {0};
	int64_t workers = 1, node = 0, nodes = 1;
	int c, status = 0, port = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_torchrun, argc, argv, "+", options, &status)) !=
		-1) {
		if (c == -2)
			return status;
		if (c == 'm')
			file = optarg;
		else if (!weft_parse_int(optarg, 1, 1024, &workers))
			return cmd_usage(&verb_torchrun, "--workers takes a number");
	}
	if (!file || optind == argc)
		return cmd_usage(&verb_torchrun, "where to meet, and which program?");
	if ((id && !weft_parse_int(id, 0, 1 << 24, &node)) ||
		(count && !weft_parse_int(count, 1, 1 << 24, &nodes)))
		return cmd_usage(&verb_torchrun, "Slurm's environment is damaged");
	if (meet(file, node == 0, &host, &port, &err))
		return cmd_fail(&err);
	weft_argv_add(&a, "torchrun");
	weft_argv_add(&a, "--no_python");
	weft_argv_addf(&a, "--nnodes=%d", (int)nodes);
	weft_argv_addf(&a, "--node_rank=%d", (int)node);
	weft_argv_addf(&a, "--nproc_per_node=%d", (int)workers);
	weft_argv_addf(&a, "--master_addr=%s", host);
	weft_argv_addf(&a, "--master_port=%d", port);
	for (int i = optind; i < argc; i++)
		weft_argv_add(&a, argv[i]);
	if (a.failed)
		return WEFT_EUSAGE;
	execvp(a.v[0], a.v);
	weft_err_sys(&err, WEFT_EPLACE, "torchrun");
	weft_err_hint(&err,
		"install PyTorch on the nodes, or activate its environment in `setup`");
	return cmd_fail(&err);
}
