/* stage.c - srun's part: runs as the user */
#include "plugin/spank/stage.h"

#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin/spank/child.h"
#include "plugin/spank/site.h"

#define STAGE_BYTES (1u << 20) /* of messages */
/* What slurmstepd's child may take where Slurm has killed the step before: a slurmstepd
 * that doesn't end then drains its node after UnkillableStepTimeout, 60 s. */
#define KILLED_SECONDS 25.0
#define CLEAN_SECONDS 10.0 /* besides */
/* The nodes were through before srun was told: a file system may show it later. */
#define WAIT_SECONDS 5.0
#define OUT_ENV "WEFT_STAGE_OUT"
#define OUT_MAX 16384

extern char **environ;

/* Outputs on their way, from stage_in() to stage_out(). */
static struct {
	struct weft_argv words; /* "ON_NODE=PATH" */
	char *command;
	char *done; /* of an own allocation: a file a node tells that it is through */
	uint32_t job, nodes;
} out;

struct item {
	char *name, *path;
	bool memory;
};

/* "NAME=node:/path"; false: not that. */
static bool read_item(const char *value, struct item *it)
{
	const char *eq = strchr(value, '='), *colon = eq ? strchr(eq, ':') : NULL;

	if (!colon || colon[1] != '/')
		return false;
	it->name = strndup(value, (size_t)(eq - value));
	it->path = strdup(colon + 1);
	it->memory = weft_starts_with(eq + 1, "memory");
	return it->name && it->path;
}

static void free_item(struct item *it)
{
	free(it->name);
	free(it->path);
}

/* JOB's folder on a node, which the site's Prolog makes; outputs of several sruns at a
 * time are apart. */
static char *folder(const struct item *it, uint32_t job, bool input)
{
	const struct weft_conf *conf = site_conf();
	const char *root = it->memory ? conf->memory : conf->scratch;

	return input ? weft_printf("%s/weft/%u/in/%s", root, job, it->name)
		     : weft_printf("%s/weft/%u/out/%ld/%s", root, job, (long)getpid(),
			       it->name);
}

static void point_to(const struct item *it, const char *prefix, const char *dir)
{
	weft_autofree char *var = weft_printf("%s%s", prefix, it->name);
	weft_autofree char *path = weft_printf("%s%s", dir, strrchr(it->path, '/'));

	for (char *p = var; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (var && path)
		setenv(var, path, 1);
}

/* A step of its own must not take this srun's sizes and options for its own. */
static int scrub(struct weft_env *env)
{
	static const char *const prefix[] = {
		"SLURM_", "SBATCH_", "SRUN_", "_SLURM_SPANK_OPTION_", "PMI"};
	const char *conf = getenv("SLURM_CONF");

	if (weft_env_copy(env, environ))
		return -1;
	for (size_t i = 0; i < WEFT_COUNT(prefix); i++)
		weft_env_unset_prefix(env, prefix[i]);
	return conf ? weft_env_set(env, "SLURM_CONF", conf) : 0;
}

/* `weft VERB WORD...` on every node of the job; -1 after saying why. */
static int run(const char *verb, const struct weft_argv *words, const char *command,
	uint32_t job, uint32_t nodes)
{
	weft_autoerr struct weft_err err = {0};
	weft_autoargv struct weft_argv argv = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *said = NULL;
	struct weft_env env = {0};
	int status = 0, r = -1;

	weft_argv_add(&argv, "srun");
	weft_argv_addf(&argv, "--jobid=%u", job);
	weft_argv_addf(&argv, "--nodes=%u", nodes);
	weft_argv_addf(&argv, "--ntasks=%u", nodes);
	/* Without --gres=none it fails in a job that has GPUs. */
	weft_argv_add(&argv, "--overlap");
	weft_argv_add(&argv, "--ntasks-per-node=1");
	weft_argv_add(&argv, "--mem=0");
	weft_argv_add(&argv, "--gres=none");
	weft_argv_add(&argv, "--mpi=none");
	weft_argv_add(&argv, "--input=none");
	weft_argv_add(&argv, command);
	weft_argv_add(&argv, verb);
	for (size_t i = 0; i < words->n; i++)
		weft_argv_add(&argv, words->v[i]);
	if (argv.failed || scrub(&env)) {
		host_error("out of memory");
		goto out;
	}
	s.argv = argv.v;
	s.envp = env.vars.v;
	if (weft_capture(&s, 0, STAGE_BYTES, &said, NULL, &status, &err))
		host_error("%s: %s", verb, err.text ? err.text : "?");
	else if (WIFEXITED(status) && !WEXITSTATUS(status))
		r = 0;
out:
	weft_env_free(&env);
	return r;
}

/* Each record of that kind, as words for the nodes; or, with point, as variables. */
static void each(
	const struct order *order, bool input, uint32_t job, struct weft_argv *words)
{
	struct order_record r;

	for (size_t at = 0; order_next(order, &at, &r);) {
		struct item it = {0};

		if (order_is(&r, input ? "stage" : "out") && read_item(r.value, &it)) {
			weft_autofree char *dir = folder(&it, job, input);

			if (!dir || !words)
				point_to(&it, input ? "WEFT_INPUT_" : "WEFT_OUTPUT_",
					dir ? dir : "");
			else if (input)
				weft_argv_addf(words, "%s=%s", dir, it.path);
			else
				weft_argv_addf(words, "%s%s=%s", dir,
					strrchr(it.path, '/'), it.path);
		}
		free_item(&it);
	}
}

/* The nodes have no other way to hear of it when srun's own allocation is gone: a line
 * each.  False: they can't be told. */
static bool tell_nodes(uint32_t job)
{
	const char *path = strchr(out.words.v[0], '=') + 1;
	const char *slash = strrchr(path, '/');
	weft_autostr struct weft_str text = {0};

	out.done = weft_printf("%.*s/.weft-out.%u.%ld", (int)(slash - path), path,
		(unsigned)job, (long)getpid());
	weft_str_add(&text, out.done ? out.done : "");
	for (size_t i = 0; i < out.words.n; i++) {
		if (strchr(out.words.v[i], '\n'))
			return false;
		weft_str_printf(&text, "\n%s", out.words.v[i]);
	}
	return out.done && !text.failed && text.len < OUT_MAX &&
	       setenv(OUT_ENV, text.s, 1) == 0;
}

void stage_in(const struct order *order, const char *command, uint32_t job,
	uint32_t nodes, bool inside)
{
	weft_autoargv struct weft_argv in = {0}, made = {0};

	stage_forget();
	each(order, true, job, &in);
	each(order, false, job, &out.words);
	if (in.n && run("stage-in", &in, command, job, nodes))
		host_error("inputs could not be brought to the nodes: they are used "
			   "where they are");
	else if (in.n)
		each(order, true, job, NULL);
	if (!out.words.n)
		return;
	if (!inside && !tell_nodes(job)) {
		host_error("the nodes can't be told of so many outputs, or of such "
			   "names: they are made where they are to be");
		stage_forget();
		return;
	}
	/* FOLDER=: nothing but the folder. */
	for (size_t i = 0; i < out.words.n; i++) {
		const char *word = out.words.v[i];
		const char *eq = strchr(word, '=');
		const char *slash = memrchr(word, '/', (size_t)(eq - word));

		weft_argv_addf(&made, "%.*s=", (int)(slash - word), word);
	}
	if (made.failed || run("stage-in", &made, command, job, nodes)) {
		host_error("there is no scratch folder on the nodes: outputs are made "
			   "where they are to be");
		stage_forget();
		return;
	}
	each(order, false, job, NULL);
	out.command = strdup(command);
	out.job = job;
	out.nodes = nodes;
}

/* One a node that is through. */
static unsigned count_done(bool take_away)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < out.nodes; i++) {
		weft_autofree char *path = weft_printf("%s.%u", out.done, (unsigned)i);

		if (path && access(path, F_OK) == 0) {
			n++;
			if (take_away)
				unlink(path);
		}
	}
	return n;
}

static bool bring_back(void)
{
	struct timespec nap = {0, 20000000};
	double end = weft_monotonic() + WAIT_SECONDS;

	if (!out.done)
		return run("stage-out", &out.words, out.command, out.job, out.nodes) ==
		       0;
	while (count_done(false) < out.nodes && weft_monotonic() < end)
		nanosleep(&nap, NULL);
	return count_done(true) == out.nodes;
}

void stage_out(void)
{
	bool own = out.done != NULL;

	if (!out.words.n || bring_back()) {
		stage_forget();
		return;
	}
	/* Nobody may take this for a step that went well. */
	host_error("outputs could not be brought back from the nodes%s",
		own ? ", and what is missing is gone with the job's scratch" : "");
	exit(WEFT_ESTAGE);
}

void stage_forget(void)
{
	weft_argv_free(&out.words);
	free(out.command);
	free(out.done);
	memset(&out, 0, sizeof(out));
	unsetenv(OUT_ENV);
}

/* ---- slurmstepd ------------------------------------------------------------- */

static bool get(spank_t sp, char *value)
{
	return host_getenv(sp, OUT_ENV, value, OUT_MAX) == HOST_HAVE;
}

bool stage_is_here(spank_t sp)
{
	weft_autofree char *value = malloc(OUT_MAX);

	return value && get(sp, value);
}

static bool hung_up(int fd)
{
	struct pollfd p = {fd, 0, 0};

	return poll(&p, 1, 0) > 0;
}

/*
 * Security.  What is to be copied where is the user's word: it is looked at by no one
 * but the child, who is that user for good (child.c) and can read and write what the
 * user can.  Here it is a text of limited length that is handed on.
 */
void stage_out_here(spank_t sp, int until, bool killed)
{
	weft_autofree char *value = malloc(OUT_MAX), *said = NULL, *var = NULL;
	weft_autofree char *node = NULL;
	weft_autoerr struct weft_err err = {0};
	char *argv[] = {(char *)"weft", (char *)"stage-out", NULL, NULL};
	char *envp[5] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C"};
	struct child c = {argv, envp, 0, STAGE_BYTES, true, until};
	uint32_t id;

	if (!value || !get(sp, value) || host_node_id(sp, &id))
		return;
	var = weft_printf(OUT_ENV "=%s", value);
	node = weft_printf("SLURM_NODEID=%u", (unsigned)id);
	if (!var || !node)
		return;
	envp[2] = var;
	envp[3] = node;
	if (killed || until < 0 || hung_up(until)) {
		c.seconds = KILLED_SECONDS;
		c.until = -1;
	}
	if (child_run(sp, &c, &said, &err) == 0)
		return;
	host_error("outputs: %s", err.text ? err.text : "?");
	/* It was killed, perhaps, and has left half a copy beside the place. */
	free(weft_steal(&said));
	argv[2] = (char *)"--killed";
	c.seconds = CLEAN_SECONDS;
	c.until = -1;
	(void)!child_run(sp, &c, &said, NULL);
}
