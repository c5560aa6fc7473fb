/*
 * discover - the machine's model through hwloc.
 *
 * hwloc, the drivers that it asks and its XML reader run in a child of their own
 * with a time limit; what comes back is the model's text, read with all checks.
 * So a driver that hangs, or an XML file that trips an assertion, is an error.
 */
#include "topo/discover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topo/discover_hwloc.h"

#define TIME_LIMIT 60            /* seconds; a DGX takes under 2 */
#define XML_MEMORY (2ull << 30)  /* a file of the largest size takes a quarter */
#define HERE_MEMORY (8ull << 30) /* with the vendors' libraries */
#define TEXT_MAX (8u << 20)

#ifdef __SANITIZE_ADDRESS__ /* its shadow is larger than any limit */
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Less only: what is set already may not be ours to raise. */
static void limit(int what, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(what, &r))
		return;
	r.rlim_cur = r.rlim_cur < most ? r.rlim_cur : most;
	r.rlim_max = r.rlim_max < most ? r.rlim_max : most;
	setrlimit(what, &r);
}

static void set_limits(bool xml, unsigned seconds)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, seconds);
	/* A library of a GPU reserves addresses by the terabyte, and uses few. */
	if (!SANITIZED)
		limit(xml ? RLIMIT_AS : RLIMIT_DATA, xml ? XML_MEMORY : HERE_MEMORY);
	alarm(seconds);
}

/* The child: never returns.  First byte 'm' (a model follows) or 'e' (a reason). */
static _Noreturn void child(const struct weft_topo_source *s, unsigned seconds, int out)
{
	weft_autostr struct weft_str text = {0};
	struct weft_err err = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGABRT, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	set_limits(s->xml, seconds);
	/* What hwloc says about odd firmware helps nobody here. */
	setenv("HWLOC_HIDE_ERRORS", "2", 1);
	/* Versions guess memory tiers differently; ours is the same with all. */
	setenv("HWLOC_MEMTIERS", "none", 1);
	setenv("HWLOC_MEMTIERS_GUESS", "none", 1);
	weft_str_addc(&text, 'm');
	if (weft_discover_hwloc(s, &text, &err) || text.failed) {
		weft_str_free(&text);
		weft_str_printf(&text, "e%s", err.text ? err.text : "out of memory");
	}
	_exit(!text.failed && weft_write_all(out, text.s, text.len) == 0 ? 0 : 1);
}

/* Everything that comes until the end or the deadline. */
static int collect(int fd, unsigned seconds, struct weft_str *text)
{
	double deadline = weft_monotonic() + seconds + 1;
	char buf[65536];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		double left = deadline - weft_monotonic();
		int ready = poll(&p, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return -1;
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -1 : 0;
		weft_str_addn(text, buf, (size_t)n);
		if (text->failed || text->len > TEXT_MAX)
			return -1;
	}
}

int weft_topo_discover(const char *xml, struct weft_machine **m, struct weft_err *err)
{
	struct weft_topo_source s = {.xml = xml};

	return weft_topo_discover_from(&s, m, err);
}

int weft_topo_discover_from(
	const struct weft_topo_source *s, struct weft_machine **m, struct weft_err *err)
{
	const char *xml = s->xml;
	unsigned seconds = s->seconds ? s->seconds : TIME_LIMIT;
	const char *what = xml ? xml : "the topology of this machine";
	weft_autostr struct weft_str text = {0};
	int fd[2], status = 0;

	*m = NULL;
	if (xml && access(xml, R_OK))
		return weft_err_sys(err, WEFT_EPLACE, "%s", xml);
	if (pipe2(fd, O_CLOEXEC))
		return weft_err_sys(err, WEFT_EPLACE, "%s", what);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(fd[0]);
		child(s, seconds, fd[1]);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return weft_err_sys(err, WEFT_EPLACE, "%s", what);
	}
	int got = collect(fd[0], seconds, &text);
	close(fd[0]);
	if (got)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!got && text.len && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (*text.s == 'm' &&
			weft_machine_parse(text.s + 1, text.len - 1, m, err))
			return weft_err_prefix(err, "%s", what);
		if (*text.s == 'm')
			return 0;
		return weft_err_set(err, WEFT_EPLACE, "%s: %s", what, text.s + 1);
	}
	if (got || (WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM ||
						   WTERMSIG(status) == SIGXCPU)))
		return weft_err_set(err, WEFT_EPLACE,
			"%s: hwloc gave no answer within %u s%s", what, seconds,
			xml ? "" : " (a driver hangs?)");
	return weft_err_set(err, WEFT_EPLACE,
		xml ? "%s: hwloc cannot read it" : "%s: hwloc failed", what);
}
