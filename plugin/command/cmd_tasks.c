/* cmd_tasks.c - weft tasks: N copies of a program here, numbered as srun numbers them
 */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int tasks(int argc, char **argv);

WEFT_VERB(tasks, .name = "tasks", .synopsis = "--ntasks=N -- PROGRAM [ARG...]",
	.summary = "Runs N tasks of a program on this machine (weft's own)",
	.run = tasks);

static pid_t start_task(char **argv, int64_t i, int64_t n, pid_t parent)
{
	pid_t pid = fork();
	char rank[16], count[16];

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	snprintf(rank, sizeof(rank), "%d", (int)i);
	snprintf(count, sizeof(count), "%d", (int)n);
	setenv("SLURM_PROCID", rank, 1);
	setenv("SLURM_LOCALID", rank, 1);
	setenv("SLURM_NTASKS", count, 1);
	setenv("SLURM_STEP_TASKS_PER_NODE", count, 1); /* weft bind counts by it */
	setenv("SLURM_NODEID", "0", 1);
	execvp(argv[0], argv);
	fprintf(stderr, "weft: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int tasks(int argc, char **argv)
{
	static const struct option options[] = {
		{"ntasks", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
	int64_t n = 0;
	int c, status = 0, first = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_tasks, argc, argv, "+n:", options, &status)) !=
		-1) {
		if (c == -2)
			return status;
		if (!weft_parse_int(optarg, 1, 65536, &n))
			return cmd_usage(&verb_tasks, "--ntasks takes a number");
	}
	if (!n || optind == argc)
		return cmd_usage(&verb_tasks, "how many tasks of which program?");
	weft_autofree pid_t *pid = calloc((size_t)n, sizeof(*pid));
	if (!pid)
		return WEFT_EUSAGE;
	fflush(NULL);
	for (int64_t i = 0; i < n; i++)
		pid[i] = start_task(argv + optind, i, n, getpid());
	/* As srun --kill-on-bad-exit: the first that fails ends all. */
	for (int64_t left = n; left > 0; left--) {
		int st;
		pid_t got = wait(&st);
		int code = got < 0         ? 0
			   : WIFEXITED(st) ? WEXITSTATUS(st)
					   : 128 + WTERMSIG(st);

		for (int64_t i = 0; i < n; i++)
			if (pid[i] == got)
				pid[i] = 0;
		if (code && !first) {
			first = code;
			for (int64_t i = 0; i < n; i++)
				if (pid[i] > 0)
					kill(pid[i], SIGTERM);
		}
	}
	return first;
}
