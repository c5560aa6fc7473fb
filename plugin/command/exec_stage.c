/* exec_stage.c - weft exec's data on the nodes: what srun --weft-step does in srun,
 * with the same words, before the command starts and after it has ended.
 *
 * In a Slurm job they lie in the job's folders, which the site's Prolog has made, on
 * all of its nodes; without Slurm in folders of our own here. */
#include "exec_stage.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"

extern char **environ;

/* "NAME=node:/path" */
struct item {
	char *name;
	const char *path;
	bool memory;
};

static bool read_item(const char *value, struct item *it)
{
	const char *eq = strchr(value, '='), *colon = eq ? strchr(eq, ':') : NULL;

	it->name = colon ? strndup(value, (size_t)(eq - value)) : NULL;
	it->path = colon ? colon + 1 : NULL;
	it->memory = eq && weft_starts_with(eq + 1, "memory");
	return it->name && strrchr(it->path, '/');
}

static const char *job(void)
{
	return getenv("SLURM_JOB_ID");
}

/* Without Slurm: ours alone, and gone in the end. */
static int own_root(char **own, const char *root, struct weft_err *err)
{
	weft_autofree char *up = weft_printf("%s/weft-%u", root, (unsigned)geteuid());

	if (*own)
		return 0;
	*own = up ? weft_printf("%s/weft/exec.%ld", up, (long)getpid()) : NULL;
	if (!*own)
		return weft_err_nomem(err);
	return weft_mkdirs(*own, 0700, err);
}

/* Where an item lies on a node; outputs of several commands at a time are apart. */
static char *folder(struct exec_stage *s, const struct weft_conf *conf,
	const struct item *it, bool input, struct weft_err *err)
{
	const char *root = it->memory ? conf->memory : conf->scratch;
	char **own = it->memory ? &s->own_memory : &s->own;
	char *dir;

	if (!job() && own_root(own, root, err))
		return NULL;
	if (!job())
		dir = weft_printf("%s/%s/%s", *own, input ? "in" : "out", it->name);
	else if (input)
		dir = weft_printf("%s/weft/%s/in/%s", root, job(), it->name);
	else
		dir = weft_printf(
			"%s/weft/%s/out/%ld/%s", root, job(), (long)getpid(), it->name);
	if (!dir)
		weft_err_nomem(err);
	return dir;
}

static int point_to(struct weft_env *env, const char *prefix, const struct item *it,
	const char *dir, struct weft_err *err)
{
	weft_autofree char *var = weft_printf("%s%s", prefix, it->name);
	weft_autofree char *path = weft_printf("%s%s", dir, strrchr(it->path, '/'));

	for (char *p = var; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return !var || !path || weft_env_set(env, var, path) ? weft_err_nomem(err) : 0;
}

/* `weft VERB WORD...` on every node. */
static int run(const char *verb, const struct weft_argv *words)
{
	const char *nodes = getenv("SLURM_JOB_NUM_NODES");
	weft_autofree char *weft = weft_self_path(), *out = NULL;
	weft_autoerr struct weft_err err = {0};
	weft_autoargv struct weft_argv argv = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct weft_env env = {0};
	int64_t n = 1;
	int status = 0, r = -1;

	if (nodes && !weft_parse_int(nodes, 1, 1 << 20, &n))
		n = 1;
	if (job())
		weft_engine_srun_beside(&argv, (unsigned)n, verb);
	weft_argv_add(&argv, weft ? weft : "weft");
	weft_argv_add(&argv, verb);
	for (size_t i = 0; i < words->n; i++)
		weft_argv_add(&argv, words->v[i]);
	if (argv.failed || weft_env_copy(&env, environ))
		goto out;
	weft_engine_forget_sizes(&env);
	s.argv = argv.v;
	s.envp = env.vars.v;
	if (weft_capture(&s, 0, 1 << 16, &out, NULL, &status, &err))
		weft_log(WEFT_WARN, "%s: %s", verb, err.text ? err.text : "?");
	else if (WIFEXITED(status) && !WEXITSTATUS(status))
		r = 0;
out:
	weft_env_free(&env);
	return r;
}

/* Words for the nodes of each item, or with env the variables. */
static int each(struct exec_stage *s, const struct asked *a, bool input,
	struct weft_argv *words, struct weft_env *env, struct weft_err *err)
{
	const struct weft_argv *items = input ? &a->stage : &a->out;
	int r = 0;

	for (size_t i = 0; i < items->n && r == 0; i++) {
		struct item it;
		weft_autofree char *dir = NULL;

		if (!read_item(items->v[i], &it)) {
			free(it.name);
			continue;
		}
		dir = folder(s, a->conf, &it, input, err);
		if (!dir)
			r = -1;
		else if (env)
			r = point_to(env, input ? "WEFT_INPUT_" : "WEFT_OUTPUT_", &it,
				dir, err);
		else if (input)
			weft_argv_addf(words, "%s=%s", dir, it.path);
		else
			weft_argv_addf(
				words, "%s%s=%s", dir, strrchr(it.path, '/'), it.path);
		free(it.name);
	}
	return r;
}

int exec_stage_in(struct exec_stage *s, const struct asked *a, struct weft_env *env,
	struct weft_err *err)
{
	weft_autoargv struct weft_argv in = {0}, made = {0};

	if (each(s, a, true, &in, NULL, err) || each(s, a, false, &s->out, NULL, err))
		return -1;
	if (in.n && run("stage-in", &in))
		weft_log(WEFT_WARN, "inputs could not be brought to the nodes: they "
				    "are used where they are");
	else if (in.n && each(s, a, true, NULL, env, err))
		return -1;
	/* FOLDER=: nothing but the folder. */
	for (size_t i = 0; i < s->out.n; i++) {
		const char *word = s->out.v[i], *eq = strchr(word, '=');
		const char *slash = memrchr(word, '/', (size_t)(eq - word));

		weft_argv_addf(&made, "%.*s=", (int)(slash - word), word);
	}
	if (in.failed || made.failed || s->out.failed)
		return weft_err_nomem(err);
	if (!made.n)
		return 0;
	if (run("stage-in", &made)) {
		weft_log(WEFT_WARN, "there is no scratch folder on the nodes: outputs "
				    "are made where they are to be");
		weft_argv_free(&s->out);
		return 0;
	}
	return each(s, a, false, NULL, env, err);
}

int exec_stage_out(struct exec_stage *s)
{
	if (!s->out.n || run("stage-out", &s->out) == 0)
		return 0;
	weft_log(WEFT_ERROR, "outputs could not be brought back from the nodes%s%s",
		s->own || s->own_memory ? ": they are left in " : "",
		s->own          ? s->own
		: s->own_memory ? s->own_memory
				: "");
	free(weft_steal(&s->own));
	free(weft_steal(&s->own_memory));
	return -1;
}

void exec_stage_free(struct exec_stage *s)
{
	if (s->own)
		(void)!weft_remove_tree(s->own, NULL);
	if (s->own_memory)
		(void)!weft_remove_tree(s->own_memory, NULL);
	free(s->own);
	free(s->own_memory);
	weft_argv_free(&s->out);
	*s = (struct exec_stage){0};
}
