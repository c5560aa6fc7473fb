/* test_base_proc.c - child processes: what they get, what they can't, how they end */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "scratch.h"
#include "suite.h"

/* A shell's answer. */
static char *say(struct weft_spawn *s, const char *text)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)text, NULL};
	char *out;
	int status = -1;

	s->argv = argv;
	ok(weft_capture(s, 20, 1 << 20, &out, NULL, &status, &ok_err));
	ck_assert_int_eq(status, 0);
	return out;
}

static void says(struct weft_spawn *s, const char *text, const char *want)
{
	char *out = say(s, text);

	ck_assert_str_eq(out, want);
	free(out);
}

START_TEST(environment_and_folder)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	char *env[] = {(char *)"A=1 2", NULL};

	setenv("OURS", "yes", 1);
	says(&s, "echo $OURS", "yes\n");
	s.envp = env;
	s.cwd = scratch();
	says(&s, "echo \"$A:$OURS\"", "1 2:\n");
	struct weft_str want = {0};
	weft_str_printf(&want, "%s\n", scratch());
	says(&s, "/bin/pwd -P", want.s);
	weft_str_free(&want);
	/* Nothing at all. */
	struct weft_env none = {0};
	ck_assert_int_eq(weft_env_copy(&none, NULL), 0);
	s.envp = none.vars.v;
	char *argv[] = {(char *)"/usr/bin/env", NULL};
	char *out;
	int status;
	s.argv = argv;
	ok(weft_capture(&s, 20, 1000, &out, NULL, &status, &ok_err));
	ck_assert_str_eq(out, "");
	free(out);
	weft_env_free(&none);
}
END_TEST

START_TEST(descriptors)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	int kept[40];

	for (size_t i = 0; i < WEFT_COUNT(kept); i++) {
		kept[i] = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC */
		ck_assert_int_ge(kept[i], 3);
	}
	ck_assert_int_ge(fcntl(kept[0], F_DUPFD, 900), 900);
	s.err = -1;
	/* ls has one more open: the folder that it reads. */
	says(&s, "exec ls -1 /proc/self/fd", "0\n1\n2\n3\n");
	says(&s, "readlink /proc/self/fd/0; readlink /proc/self/fd/2",
		"/dev/null\n/dev/null\n");
	/* Swapped: what was our 2 becomes the child's 1. */
	int fd = open(in_scratch("o"), O_RDWR | O_CREAT, 0600);
	char *argv[] = {
		(char *)"/bin/sh", (char *)"-c", (char *)"echo o; echo e >&2", NULL};
	int first = dup(1), second = dup(2);
	dup2(fd, 2);
	struct weft_spawn w = {.argv = argv, .in = -1, .out = 2, .err = 2, .until = -1};
	pid_t pid;
	ok(weft_spawn(&w, &pid, &ok_err));
	dup2(first, 1);
	dup2(second, 2);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	char *text;
	ok(weft_read_file(in_scratch("o"), 100, &text, NULL, &ok_err));
	ck_assert_str_eq(text, "o\ne\n");
	free(text);
}
END_TEST

START_TEST(works_without_standard_descriptors)
{
	int save[3];

	for (int i = 0; i < 3; i++) {
		save[i] = fcntl(i, F_DUPFD, 100);
		close(i);
	}
	char *argv[] = {
		(char *)"/bin/sh", (char *)"-c", (char *)"echo o; echo e >&2", NULL};
	struct weft_spawn s = {
		.argv = argv, .in = -1, .out = -1, .err = -1, .until = -1};
	char *out = NULL, *errout = NULL;
	int status = -1, r = weft_capture(&s, 20, 100, &out, &errout, &status, NULL);
	for (int i = 0; i < 3; i++)
		dup2(save[i], i);
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(out, "o\n");
	ck_assert_str_eq(errout, "e\n");
	free(out);
	free(errout);
}
END_TEST

START_TEST(says_why_it_cannot_start)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	pid_t pid;

	char *none[] = {(char *)"/no/such", NULL};
	s.argv = none;
	refused(weft_spawn(&s, &pid, &ok_err), "/no/such: No such file");
	ck_assert_int_eq(pid, -1);
	char *unknown[] = {(char *)"no-such-program", NULL};
	s.argv = unknown;
	refused(weft_spawn(&s, &pid, &ok_err), "no-such-program: No such file");
	put_text(in_scratch("plain"), "x");
	char *plain[] = {(char *)in_scratch("plain"), NULL};
	s.argv = plain;
	refused(weft_spawn(&s, &pid, &ok_err), "Permission denied");
	char *folder[] = {(char *)scratch(), NULL};
	s.argv = folder;
	refused(weft_spawn(&s, &pid, &ok_err), "Permission denied");
	put_text(in_scratch("script"), "#!/no/such/shell\n");
	ck_assert_int_eq(chmod(in_scratch("script"), 0755), 0);
	char *script[] = {(char *)in_scratch("script"), NULL};
	s.argv = script;
	refused(weft_spawn(&s, &pid, &ok_err), "No such file");
	char *good[] = {(char *)"/bin/true", NULL};
	s.argv = good;
	s.cwd = "/no/folder";
	refused(weft_spawn(&s, &pid, &ok_err), "in /no/folder: No such file");
	/* None of them stays behind as a zombie. */
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(finds_programs)
{
	ck_assert_int_eq(mkdir(in_scratch("bin"), 0755), 0);
	ck_assert_int_eq(
		mkdir(in_scratch("bin/sh"), 0755), 0); /* a folder is no program */
	char *path = weft_printf("relative::%s:/bin", in_scratch("bin"));
	setenv("PATH", path, 1);
	char *sh = weft_which("sh");
	ck_assert_str_eq(sh, "/bin/sh");
	free(sh);
	ck_assert_ptr_null(weft_which("no-such-program"));
	ck_assert_ptr_null(weft_which("/bin"));
	free(path);
	char *self = weft_self_path();
	ck_assert(*self == '/' && strstr(self, "test_base_proc"));
	free(self);
}
END_TEST

START_TEST(signals_are_as_a_program_expects)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/*
	 * Signals 32 and 33 are the C library's own: a parent that used posix_spawn(),
	 * as make does, leaves them ignored, and sigaction() refuses to change them.
	 */
	says(&s,
		"grep -E '^Sig(Blk|Ign)' /proc/self/status | sed "
		"s/0000000180000000/0000000000000000/",
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	sigset_t now;
	sigprocmask(SIG_SETMASK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGUSR1), 1);
	ck_assert_int_eq(sigismember(&now, SIGUSR2), 0);
}
END_TEST

static bool gone(pid_t pid)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (weft_read_file(path, 4096, &text, NULL, NULL))
		return true;
	const char *end = strrchr(text, ')');
	bool dead = end && (end[2] == 'Z' || end[2] == 'X');
	free(text);
	return dead;
}

static bool ends_within(pid_t pid, double seconds)
{
	double end = weft_monotonic() + seconds;

	while (!gone(pid)) {
		if (weft_monotonic() > end)
			return false;
		usleep(10000);
	}
	return true;
}

static pid_t pid_in(const char *path)
{
	double end = weft_monotonic() + 20;
	pid_t pid = 0;

	while (!pid && weft_monotonic() < end) {
		char *text;

		if (weft_read_file(path, 100, &text, NULL, NULL) == 0) {
			if (strchr(text, '\n'))
				pid = (pid_t)strtol(text, NULL, 10);
			free(text);
		}
		if (!pid)
			usleep(10000);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

START_TEST(timeout_ends_the_whole_group)
{
	/* The pipe stays open; it is closed and the program runs on; the program has
	 * ended, but a child of it holds the pipe. */
	static const char *const text[] = {"sleep 100 & echo $! >pid; wait",
		"exec >&- 2>&-; sleep 100 & echo $! >pid; wait",
		"sleep 100 & echo $! >pid"};

	for (size_t i = 0; i < WEFT_COUNT(text); i++) {
		struct weft_spawn s = WEFT_SPAWN_INIT;
		char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)text[i], NULL};
		char *out;
		int status;
		double start = weft_monotonic();

		unlink(in_scratch("pid"));
		s.argv = argv;
		s.cwd = scratch();
		refused(weft_capture(&s, 0.5, 100, &out, NULL, &status, &ok_err),
			"within 0.5 s");
		ck_assert_ptr_null(out);
		double took = weft_monotonic() - start;
		ck_assert_msg(took >= 0.4 && took < 20, "%zu: %g s", i, took);
		ck_assert(ends_within(pid_in(in_scratch("pid")), 20));
	}
}
END_TEST

/* As above: the pipe stays open, or is closed and the program runs on. */
START_TEST(is_killed_when_nobody_wants_it)
{
	static const char *const text[] = {"echo $$ >pid; exec sleep 100",
		"echo $$ >pid; exec >&- 2>&-; exec sleep 100"};

	for (size_t i = 0; i < WEFT_COUNT(text); i++) {
		struct weft_spawn s = WEFT_SPAWN_INIT;
		char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)text[i], NULL};
		int fd[2], status;
		char *out;

		unlink(in_scratch("pid"));
		ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
		pid_t other = fork();
		if (other == 0) {
			close(fd[1]);
			pid_in(in_scratch("pid"));
			_exit(0);
		}
		close(fd[0]);
		s.argv = argv;
		s.cwd = scratch();
		s.until = fd[1];
		refused(weft_capture(&s, 0, 100, &out, NULL, &status, &ok_err),
			"killed");
		ck_assert(!out);
		close(fd[1]);
		waitpid(other, NULL, 0);
		ck_assert(ends_within(pid_in(in_scratch("pid")), 20));
	}
}
END_TEST

START_TEST(limits_output)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"yes", NULL};
	char *out, *errout;
	int status;

	s.argv = argv;
	refused(weft_capture(&s, 20, 1000, &out, NULL, &status, &ok_err), "1000 bytes");
	argv[2] = (char *)"yes >&2";
	refused(weft_capture(&s, 20, 1000, &out, &errout, &status, &ok_err),
		"1000 bytes");
	ck_assert(!out && !errout);
	argv[2] = (char *)"printf 1234; printf err >&2; exit 3";
	ok(weft_capture(&s, 20, 4, &out, &errout, &status, &ok_err));
	ck_assert_str_eq(out, "1234");
	ck_assert_str_eq(errout, "err");
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	free(out);
	free(errout);
	argv[2] = (char *)"kill -9 $$";
	ok(weft_capture(&s, 0, 4, &out, NULL, &status, &ok_err));
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	free(out);
}
END_TEST

static volatile sig_atomic_t stop_told;

static void tell_stop(int sig)
{
	(void)sig;
	stop_told = 1;
}

START_TEST(stops_when_told)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct sigaction act = {.sa_handler = tell_stop};
	weft_autofree char *text =
		weft_printf("trap 'echo told; exit 5' TERM; kill -USR1 %d; "
			    "while :; do sleep 0.1; done",
			(int)getpid());
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", text, NULL};
	char *out;
	int status;

	/* While it waits: all of the group hear of it, and what they say is collected.
	 */
	sigaction(SIGUSR1, &act, NULL);
	s.argv = argv;
	s.stop = &stop_told;
	ok(weft_capture(&s, 20, 100, &out, NULL, &status, &ok_err));
	ck_assert_int_eq(WEXITSTATUS(status), 5);
	ck_assert_str_eq(out, "told\n");
	free(out);
	/* Before. */
	argv[2] = (char *)"exec sleep 100";
	ok(weft_capture(&s, 20, 100, &out, NULL, &status, &ok_err));
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
	free(out);
}
END_TEST

/* A parent that starts `sleep` so and is killed: does the child end? */
static void dies_with_parent(bool drop)
{
	int fd[2];
	pid_t child;

	ck_assert_int_eq(pipe(fd), 0);
	pid_t parent = fork();
	if (parent == 0) {
		char *argv[] = {(char *)"/bin/sleep", (char *)"100", NULL};
		struct weft_spawn s = WEFT_SPAWN_INIT;

		s.argv = argv;
		s.die_with_parent = true;
		s.drop = drop;
		s.uid = s.gid = 65534;
		if (weft_spawn(&s, &child, NULL))
			_exit(1);
		(void)!write(fd[1], &child, sizeof(child));
		pause();
	}
	close(fd[1]);
	ck_assert_int_eq(read(fd[0], &child, sizeof(child)), sizeof(child));
	close(fd[0]);
	ck_assert(!gone(child));
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	bool ended = ends_within(child, 10);
	kill(child, SIGKILL);
	ck_assert_msg(ended, "it outlived its parent (drop: %d)", drop);
}

START_TEST(dies_with_its_parent)
{
	dies_with_parent(false);
	if (geteuid() == 0)
		dies_with_parent(true);
	else
		printf("skip  dies_with_its_parent: with drop: not root\n");
}
END_TEST

START_TEST(gives_up_root_for_good)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	gid_t groups[] = {0, 4, 1234};

	if (geteuid() != 0) {
		printf("skip  gives_up_root_for_good: not root\n");
		return;
	}
	ck_assert_int_eq(setgroups(3, groups), 0);
	s.drop = true;
	s.uid = 65534;
	s.gid = 65533;
	says(&s,
		"grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff|CapPrm|CapInh)' "
		"/proc/self/status",
		"Uid:\t65534\t65534\t65534\t65534\nGid:\t65533\t65533\t65533\t65533\n"
		"Groups:\t \nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
		"CapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
	/* The groups that it is given, and no protection from short memory. */
	s.groups = &groups[1];
	s.n_groups = 2;
	put_text("/proc/self/oom_score_adj", "200");
	says(&s,
		"sed -n 's/^Groups:\t//p' /proc/self/status; cat "
		"/proc/self/oom_score_adj",
		"4 1234 \n0\n");
	put_text("/proc/self/oom_score_adj", "0");
	/* A setuid program of root's doesn't help. */
	char *out = say(&s, "command -v su >/dev/null && su -c id </dev/null 2>&1; :");
	ck_assert_msg(!strstr(out, "uid=0"), "%s", out);
	free(out);
	/* Nor is root a user to become. */
	static const struct {
		uid_t uid;
		gid_t gid;
	} bad[] = {{0, 65534}, {65534, 0}, {0, 0}};
	for (size_t i = 0; i < WEFT_COUNT(bad); i++) {
		char *argv[] = {(char *)"/bin/true", NULL};
		pid_t pid;

		s.argv = argv;
		s.uid = bad[i].uid;
		s.gid = bad[i].gid;
		refused(weft_spawn(&s, &pid, &ok_err), "not permitted");
	}
}
END_TEST

static atomic_bool enough;

static void *nothing(void *arg)
{
	return arg;
}

static void *start_threads(void *arg)
{
	pthread_t t;

	while (!atomic_load(&enough))
		if (pthread_create(&t, NULL, nothing, NULL) == 0)
			pthread_join(t, NULL);
	return arg;
}

/* While other threads come and go, and the C library holds its locks for that: a child
 * that waited for one would wait for ever, and we for it. */
START_TEST(gives_up_root_beside_threads)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	char *argv[] = {(char *)"/bin/true", NULL};
	pthread_t t[4];

	if (geteuid() != 0) {
		printf("skip  gives_up_root_beside_threads: not root\n");
		return;
	}
	s.argv = argv;
	s.drop = true;
	s.uid = s.gid = 65534;
	for (size_t i = 0; i < WEFT_COUNT(t); i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, start_threads, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		pid_t pid;

		ok(weft_spawn(&s, &pid, &ok_err));
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
	atomic_store(&enough, true);
	for (size_t i = 0; i < WEFT_COUNT(t); i++)
		pthread_join(t[i], NULL);
}
END_TEST

START_TEST(binds)
{
	cpu_set_t before;
	uint64_t mask[16] = {0};
	int cpu = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	mask[cpu / 64] = UINT64_C(1) << cpu % 64;
	struct weft_spawn s = WEFT_SPAWN_INIT;
	s.cpus = mask;
	s.n_cpu_words = 16;
	char want[64];
	snprintf(want, sizeof(want), "Cpus_allowed_list:\t%d\n", cpu);
	says(&s, "grep Cpus_allowed_list /proc/self/status", want);
	/* None that is there: refused, not ignored. */
	char *argv[] = {(char *)"/bin/true", NULL};
	pid_t pid;
	memset(mask, 0, sizeof(mask));
	s.argv = argv;
	refused(weft_spawn(&s, &pid, &ok_err), "Invalid argument");
}
END_TEST

SUITE("base_proc", environment_and_folder, descriptors,
	works_without_standard_descriptors, says_why_it_cannot_start, finds_programs,
	signals_are_as_a_program_expects, timeout_ends_the_whole_group,
	is_killed_when_nobody_wants_it, limits_output, stops_when_told,
	dies_with_its_parent, gives_up_root_for_good, gives_up_root_beside_threads,
	binds)
