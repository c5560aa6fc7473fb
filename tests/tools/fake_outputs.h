/* fake_outputs.h - a step that has outputs on its nodes, as slurmstepd lives through
 * it; part of fake_spank.c, which has the host, its calls and checks. */

/* Below the folder of weft.conf. */
static char *beside_conf(const char *name)
{
	const char *path = conf_argv[0] + strlen("conf=");

	return weft_printf("%.*s%s", (int)(strrchr(path, '/') + 1 - path), path, name);
}

/* A child that isn't ours by birth: the one that watches. */
static pid_t find_orphan(void)
{
	weft_autofree char *list = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if (weft_read_file(path, 4096, &list, NULL, NULL))
		return -1;
	return (pid_t)strtol(list, NULL, 10);
}

static bool ends(pid_t pid)
{
	double end = weft_monotonic() + 20;

	while (waitpid(pid, NULL, WNOHANG) == 0)
		if (weft_monotonic() > end || usleep(10000))
			return false;
	return true;
}

/* A step of two tasks with outputs; what brings them back writes who it is to `mark`.
 */
static pid_t start_outputs(const char *mark, bool here)
{
	weft_autofree char *t = good_ticket();

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fresh(S_CTX_REMOTE, t);
	host.keeps = true;
	if (here)
		job_env("WEFT_STAGE_OUT", mark);
	call(INIT);
	give("weft-step", "train");
	call(POST_OPT);
	call(USER);
	for (int i = 0; i < 2; i++) {
		int r = run_task(i);

		check(r == 0, "a task with outputs: exit status %d: %s", r, said);
	}
	return find_orphan();
}

/* They are brought back once, when the last task has ended; nothing stays. */
static void outputs(void)
{
	weft_autofree char *mark = beside_conf("seen/outputs");
	struct around was, is;

	for (int here = 0; here < 2; here++) {
		look(&was);
		pid_t watch = start_outputs(mark, here);
		check(here ? watch > 0 : watch == 0, "who watches: %d", (int)watch);
		call(TASK_EXIT);
		check(access(mark, F_OK) != 0, "before all tasks have ended");
		call(TASK_EXIT);
		check((access(mark, F_OK) == 0) == here, "when all tasks have ended");
		check(!here || ends(watch), "the one that watches is left");
		call(EXIT);
		look(&is);
		check(memcmp(is.fds, was.fds, sizeof(is.fds)) == 0,
			"a descriptor was left");
	}
}

/* Slurm kills the step meanwhile. */
static void outputs_killed(void)
{
	weft_autofree char *mark = beside_conf("seen/killed");
	weft_autofree char *text = NULL;
	pid_t watch = start_outputs(mark, true), killer;

	check(watch > 0, "nobody watches");
	call(TASK_EXIT);
	killer = fork();
	if (killer == 0) {
		double end = weft_monotonic() + 20;

		while (access(mark, F_OK) && weft_monotonic() < end)
			usleep(10000);
		_exit(kill(watch, SIGKILL));
	}
	call(TASK_EXIT);
	check(ends(killer) && ends(watch), "the one that watches was killed");
	check(weft_read_file(mark, 100, &text, NULL, NULL) == 0 &&
			kill((pid_t)strtol(text, NULL, 10), 0) < 0 && errno == ESRCH,
		"what brought outputs back runs on: %s", text ? text : "?");
	call(EXIT);
}
