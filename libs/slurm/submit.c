#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slurm/slurm.h"
#include "tool.h"

/* slurmctld may take its time when thousands submit, and sbatch asks again. */
#define SUBMIT_SECONDS 180
#define LIST_SECONDS 30
#define MAX_ANSWER (1u << 20)

extern char **environ;

void weft_slurm_scrub(struct weft_env *env)
{
	static const char *const keep[] = {"SLURM_CONF", "SLURM_JWT", "SBATCH_ACCOUNT"};
	char *kept[WEFT_COUNT(keep)] = {NULL};

	for (size_t i = 0; i < WEFT_COUNT(keep); i++) {
		const char *v = weft_env_get(env, keep[i]);
		kept[i] = v ? strdup(v) : NULL;
	}
	weft_env_unset_prefix(env, "SLURM_");
	weft_env_unset_prefix(env, "SLURMD_");
	weft_env_unset_prefix(env, "SBATCH_");
	weft_env_unset_prefix(env, "SRUN_");
	weft_env_unset_prefix(env, "_SLURM_SPANK_OPTION_");
	weft_env_unset_prefix(env, "PMI");
	for (size_t i = 0; i < WEFT_COUNT(keep); i++) {
		if (kept[i])
			weft_env_set(env, keep[i], kept[i]);
		free(kept[i]);
	}
}

static int not_there(const char *program, struct weft_err *err)
{
	weft_err_set(err, WEFT_ESLURM, "%s is not in PATH", program);
	return weft_err_hint(err, "use a host of the cluster, or --local, which needs "
				  "no Slurm");
}

/* What the program said, on one line, without its name and level. */
static char *said(const char *text)
{
	weft_autostr struct weft_str out = {0};

	while (*text) {
		size_t n = strcspn(text, "\n");
		const char *line = text, *end = text + n, *p;

		text = *end ? end + 1 : end;
		p = memmem(line, n, "error: ", 7);
		if (p)
			line = p + 7;
		while (line < end && (*line == ' ' || *line == '\t'))
			line++;
		if (line == end)
			continue;
		weft_str_add(&out, out.len ? "; " : "");
		weft_str_addn(&out, line, (size_t)(end - line));
	}
	weft_str_add(&out, out.len ? "" : "no reason given");
	return weft_str_take(&out);
}

/* The script as a file that nobody else can see. */
static int script_fd(const char *script, struct weft_err *err)
{
	int fd = memfd_create("script", MFD_CLOEXEC);

	if (fd < 0 || weft_write_all(fd, script, strlen(script)) ||
		lseek(fd, 0, SEEK_SET) < 0) {
		weft_err_sys(err, WEFT_ESYS, "the job's script");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* "123" or "123;cluster" on the last line: a site's wrapper may say more before. */
static int read_id(const char *out, uint32_t *job, struct weft_err *err)
{
	weft_autofree char *copy = strdup(out);
	char *line = NULL, *save = NULL;
	int64_t v;

	if (!copy)
		return weft_err_nomem(err);
	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		line = l;
	if (line)
		line[strcspn(line, ";")] = '\0';
	if (!line || !weft_parse_int(line, 1, UINT32_MAX - 1, &v))
		return weft_err_set(err, WEFT_ESLURM,
			"sbatch gave no job id, but: %.100s", line ? line : "nothing");
	*job = (uint32_t)v;
	return 0;
}

int slurm_tool(const char *program, char *const *args, int in, double timeout,
	char **out, char **errout, int *status, struct weft_err *err)
{
	weft_autofree char *path = weft_which(program);
	weft_autoargv struct weft_argv argv = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct weft_env env = {0};
	int r;

	if (!path)
		return not_there(program, err);
	weft_argv_add(&argv, path);
	for (size_t i = 0; args[i]; i++)
		weft_argv_add(&argv, args[i]);
	if (argv.failed || weft_env_copy(&env, environ)) {
		weft_env_free(&env);
		return weft_err_nomem(err);
	}
	weft_slurm_scrub(&env);
	s.argv = argv.v;
	s.envp = env.vars.v;
	s.in = in;
	r = weft_capture(&s, timeout, MAX_ANSWER, out, errout, status, err);
	if (r && err)
		err->code = WEFT_ESLURM;
	weft_env_free(&env);
	return r;
}

int weft_slurm_submit(
	char *const *args, const char *script, uint32_t *job, struct weft_err *err)
{
	weft_autofree char *out = NULL, *errout = NULL, *why = NULL;
	weft_autoargv struct weft_argv all = {0};
	weft_autoclose int in = script_fd(script, err);
	int status;

	if (in < 0)
		return -1;
	weft_argv_add(&all, "--parsable");
	for (size_t i = 0; args[i]; i++)
		weft_argv_add(&all, args[i]);
	if (all.failed)
		return weft_err_nomem(err);
	if (slurm_tool(
		    "sbatch", all.v, in, SUBMIT_SECONDS, &out, &errout, &status, err))
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return read_id(out, job, err);
	why = said(errout);
	if (!why)
		return weft_err_nomem(err);
	return weft_err_set(err, WEFT_ESLURM, "sbatch: %s", why);
}

/* "afterany:12(unfulfilled),afterany:13" without what Slurm says of each; "(null)":
 * none.
 */
static void plain_dependency(char *s)
{
	char *to = s;

	s[strcspn(s, "\n")] = '\0';
	for (; *s; s++) {
		char *end = *s == '(' ? strchr(s, ')') : NULL;

		if (end)
			s = end;
		else
			*to++ = *s;
	}
	*to = '\0';
}

static int set_dependency(const char *job, const char *dependency, struct weft_err *err)
{
	weft_autofree char *id = weft_printf("JobId=%s", job);
	weft_autofree char *set = weft_printf("Dependency=%s", dependency);
	weft_autofree char *ignored = NULL, *said_of = NULL, *why = NULL;
	char *const update[] = {(char *)"update", id, set, NULL};
	int status;

	if (!id || !set)
		return weft_err_nomem(err);
	if (slurm_tool("scontrol", update, -1, LIST_SECONDS, &ignored, &said_of,
		    &status, err))
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	why = said(said_of);
	return weft_err_set(
		err, WEFT_ESLURM, "scontrol update: %s", why ? why : "failed");
}

int weft_slurm_depend_on(uint32_t job, const char *dependency, struct weft_err *err)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", job);
	return set_dependency(id, dependency, err);
}

int weft_slurm_depend(const char *job, const char *dependency, struct weft_err *err)
{
	weft_autofree char *which = weft_printf("--jobs=%s", job);
	weft_autofree char *all = NULL, *out = NULL, *said_of = NULL;
	char *const ask[] = {(char *)"--noheader", (char *)"--states=PENDING",
		(char *)"--format=%E", which, NULL};
	int status;

	if (!which)
		return weft_err_nomem(err);
	if (slurm_tool("squeue", ask, -1, LIST_SECONDS, &out, &said_of, &status, err))
		return -1;
	if (status || !*out)
		return 0; /* it has begun, or ended */
	plain_dependency(out);
	all = weft_printf("%s%s%s", out, *out ? "," : "", dependency);
	return all ? set_dependency(job, all, err) : weft_err_nomem(err);
}

/*
 * A heading, then a type a line; before 21.08 each line began with "srun: ".  The
 * versions of pmix follow a colon, between commas, and are types as well.
 */
static void add_types(struct weft_str *types, char *list)
{
	char *save = NULL;

	for (char *l = strtok_r(list, "\n", &save); l;
		l = strtok_r(NULL, "\n", &save)) {
		char *inner = NULL, *colon;

		if (weft_starts_with(l, "srun: "))
			l += 6;
		l += strspn(l, " \t");
		colon = strstr(l, "available: ");
		if (colon)
			l = colon + 11;
		else if (strpbrk(l, " \t"))
			continue;
		for (char *t = strtok_r(l, ", ", &inner); t;
			t = strtok_r(NULL, ", ", &inner))
			weft_str_printf(types, "%s%s", types->len ? " " : "", t);
	}
}

int weft_slurm_mpi_types(char **types, struct weft_err *err)
{
	char *const args[] = {(char *)"--mpi=list", NULL};
	weft_autofree char *out = NULL, *errout = NULL;
	struct weft_str text = {0};
	int status;

	*types = NULL;
	if (slurm_tool("srun", args, -1, LIST_SECONDS, &out, &errout, &status, err))
		return -1;
	weft_str_add(&text, "");
	add_types(&text, out);
	add_types(&text, errout);
	if (!text.failed && (!text.len || status)) {
		weft_str_free(&text);
		return weft_err_set(err, WEFT_ESLURM, "srun --mpi=list names no type");
	}
	*types = weft_str_take(&text);
	return *types ? 0 : weft_err_nomem(err);
}
