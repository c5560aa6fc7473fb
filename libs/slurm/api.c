#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"

/* libslurm's soname, which is also what slurm_api_version() tells, grows by one a
 * release; the headers only have the release. */
static const struct {
	unsigned major, minor, soname;
} releases[] = {
	{20, 11, 36},
	{21, 8, 37},
	{22, 5, 38},
	{23, 2, 39},
	{23, 11, 40},
	{24, 5, 41},
	{24, 11, 42},
	{25, 5, 43},
	{25, 11, 44},
};

#define BUILT_MAJOR SLURM_VERSION_MAJOR(SLURM_VERSION_NUMBER)
#define BUILT_MINOR SLURM_VERSION_MINOR(SLURM_VERSION_NUMBER)

static struct slurm_api table;
static bool ready;

void slurm_hush_begin(struct slurm_hush *h)
{
	fflush(stderr);
	h->log = memfd_create("slurm", MFD_CLOEXEC);
	h->saved = h->log < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (h->saved >= 0)
		dup2(h->log, STDERR_FILENO);
}

/* The first line of the log, without "program: error: ". */
static void first_line(int log, char *line, size_t max)
{
	ssize_t n = pread(log, line, max - 1, 0);
	char *s = line, *colon;

	line[n < 0 ? 0 : n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	colon = strstr(s, "error: ");
	if (colon)
		s = colon + 7;
	colon = strstr(s, "fatal: ");
	if (colon)
		s = colon + 7;
	memmove(line, s, strlen(s) + 1);
}

void slurm_hush_end(struct slurm_hush *h, struct weft_err *err)
{
	char line[256];

	if (h->saved >= 0) {
		fflush(stderr);
		dup2(h->saved, STDERR_FILENO);
		close(h->saved);
	}
	if (h->log < 0)
		return;
	first_line(h->log, line, sizeof(line));
	if (err && err->code && *line && err->text && !strstr(err->text, line)) {
		char *text = weft_printf("%s (%s)", err->text, line);

		if (text) {
			free(err->text);
			err->text = text;
		}
	}
	close(h->log);
}

int slurm_error(const struct slurm_api *api, struct weft_err *err, const char *what)
{
	int code = api->slurm_get_errno();

	weft_err_set(err, WEFT_ESLURM, "%s: %s", what, api->slurm_strerror(code));
	return weft_err_hint(err, "'scontrol ping' tells whether slurmctld answers");
}

static int find_symbols(void *lib, struct weft_err *err)
{
#define LOOKUP(name)                                                                   \
	table.name = (__typeof__(&name))dlsym(lib, #name);                             \
	if (!table.name)                                                               \
		return weft_err_set(err, WEFT_ESLURM, "libslurm has no %s()", #name);
	SLURM_API(LOOKUP)
#undef LOOKUP
	table.free_will_run = (void (*)(will_run_response_msg_t *))dlsym(
		lib, "slurm_free_will_run_response_msg");
	table.reason_string = (char *(*)(int))dlsym(lib, "slurm_job_reason_string");
	if (!table.reason_string)
		table.reason_string =
			(char *(*)(int))dlsym(lib, "slurm_job_state_reason_string");
	return 0;
}

/* Structures differ from release to release: a wrong one would be read wrongly. */
static int check_version(struct weft_err *err)
{
	unsigned have = (unsigned)(table.slurm_api_version() >> 16);

	for (size_t i = 0; i < WEFT_COUNT(releases); i++) {
		if (releases[i].soname != have)
			continue;
		if (releases[i].major == BUILT_MAJOR &&
			releases[i].minor == BUILT_MINOR)
			return 0;
		weft_err_set(err, WEFT_ESLURM,
			"libslurm is of Slurm %02u.%02u, but weft was built for "
			"%02d.%02d",
			releases[i].major, releases[i].minor, BUILT_MAJOR, BUILT_MINOR);
		return weft_err_hint(err, "build weft with this site's Slurm headers");
	}
	weft_err_set(err, WEFT_ESLURM,
		"libslurm.so.%u is of a Slurm that this weft, "
		"built for %02d.%02d, doesn't know",
		have, BUILT_MAJOR, BUILT_MINOR);
	return weft_err_hint(err, "build weft with this site's Slurm headers");
}

/* The library of the release that weft was built for; else any, so that the
 * message can say which one is there. */
static void *open_library(void)
{
	void *lib = NULL;
	char name[32];

	for (int fits = 1; fits >= 0; fits--) {
		for (size_t i = 0; i < WEFT_COUNT(releases) && !lib; i++) {
			if ((releases[i].major == BUILT_MAJOR &&
				    releases[i].minor == BUILT_MINOR) != fits)
				continue;
			snprintf(name, sizeof(name), "libslurm.so.%u",
				releases[i].soname);
			/* Slurm's own plug-ins look for its symbols: global. */
			lib = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
		}
	}
	return lib ? lib : dlopen("libslurm.so", RTLD_NOW | RTLD_GLOBAL);
}

/*
 * Without a usable slurm.conf, slurm_init() ends the program.  So a child tries it
 * first, and what it wrote becomes the error.
 */
static int try_init(struct weft_err *err)
{
	const char *conf = getenv("SLURM_CONF");
	struct slurm_hush hush;
	int status = 0, r = 0;
	pid_t pid;

	/* It would wait a minute for a file that isn't there. */
	if (conf && access(conf, R_OK)) {
		weft_err_sys(err, WEFT_ESLURM, "%s", conf);
		return weft_err_hint(err, "SLURM_CONF names it");
	}
	slurm_hush_begin(&hush);
	pid = fork();
	if (pid == 0) {
		table.slurm_init(NULL);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0) {
		r = weft_err_sys(err, WEFT_ESYS, "fork");
	} else if (status) {
		weft_err_set(err, WEFT_ESLURM, "Slurm's configuration cannot be read");
		r = weft_err_hint(err, "set SLURM_CONF, or see whether this host is "
				       "part of a cluster; --local and --cluster FILE "
				       "need no Slurm");
	}
	slurm_hush_end(&hush, err);
	return r;
}

const struct slurm_api *slurm_api(struct weft_err *err)
{
	void *lib;

	if (ready)
		return &table;
	lib = open_library();
	if (!lib) {
		weft_err_set(err, WEFT_ESLURM, "libslurm is not installed here");
		weft_err_hint(err, "use a host of the cluster, or --local or --cluster "
				   "FILE, which need no Slurm");
		return NULL;
	}
	if (find_symbols(lib, err) || check_version(err) || try_init(err)) {
		dlclose(lib);
		return NULL;
	}
	/* Expressions of array tasks are cut after 64 characters otherwise. */
	setenv("SLURM_BITSTR_LEN", "0", 0);
	table.slurm_init(NULL);
	ready = true;
	return &table;
}
