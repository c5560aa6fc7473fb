/* measure.c - runs a program a few times and prints what it took.
 *
 * usage: measure RUNS COMMAND [ARG...]   prints "SECONDS CPU MEBIBYTES": the least
 * of the elapsed times, to which other work on the machine has added least, what it
 * used of processors, and the largest resident size.  Exit status: the command's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_RUNS 100

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	double least = 0, cpu = 0;
	long peak = 0, runs = argc > 2 ? strtol(argv[1], NULL, 10) : 0;

	if (runs < 1 || runs > MAX_RUNS) {
		fprintf(stderr, "usage: measure RUNS COMMAND [ARG...]\n");
		return 2;
	}
	for (long i = 0; i < runs; i++) {
		struct rusage used;
		int status;
		double start = now();
		pid_t pid = fork();

		if (pid < 0)
			return 2;
		if (pid == 0) {
			if (!freopen("/dev/null", "w", stdout))
				_exit(127);
			execvp(argv[2], argv + 2);
			_exit(127);
		}
		if (wait4(pid, &status, 0, &used) != pid)
			return 2;
		double took = now() - start;

		if (i == 0 || took < least) {
			least = took;
			cpu = seconds(&used.ru_utime) + seconds(&used.ru_stime);
		}
		if (used.ru_maxrss > peak)
			peak = used.ru_maxrss;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
	}
	printf("%.3f %.3f %ld\n", least, cpu, (peak + 1023) / 1024);
	return 0;
}
