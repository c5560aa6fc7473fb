#include "plugin/spank/stage.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "plugin/spank/site.h"

#define STAGE_BYTES (1u << 20) /* of messages */

extern char **environ;

struct item {
	char *name, *src;
	bool memory;
};

/* "NAME=node:/path"; false: not that. */
static bool read_item(const char *value, struct item *it)
{
	const char *eq = strchr(value, '='), *colon = eq ? strchr(eq, ':') : NULL;

	if (!colon || colon[1] != '/')
		return false;
	it->name = strndup(value, (size_t)(eq - value));
	it->src = strdup(colon + 1);
	it->memory = weft_starts_with(eq + 1, "memory");
	return it->name && it->src;
}

static void point_to(const struct item *it, const char *root)
{
	weft_autofree char *var = weft_printf("WEFT_INPUT_%s", it->name);
	weft_autofree char *path =
		weft_printf("%s/in/%s%s", root, it->name, strrchr(it->src, '/'));

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

static int run(const struct weft_argv *words, const char *command, uint32_t job,
	uint32_t nodes)
{
	weft_autoerr struct weft_err err = {0};
	weft_autoargv struct weft_argv argv = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *out = NULL;
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
	weft_argv_add(&argv, "stage-in");
	for (size_t i = 0; i < words->n; i++)
		weft_argv_add(&argv, words->v[i]);
	if (argv.failed || scrub(&env)) {
		host_error("out of memory");
		goto out;
	}
	s.argv = argv.v;
	s.envp = env.vars.v;
	if (weft_capture(&s, 0, STAGE_BYTES, &out, NULL, &status, &err))
		host_error("inputs: %s", err.text ? err.text : "?");
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		host_error("inputs could not be brought to the nodes: they are used "
			   "where they are");
	else
		r = 0;
out:
	weft_env_free(&env);
	return r;
}

void stage_inputs(
	const struct order *order, const char *command, uint32_t job, uint32_t nodes)
{
	const struct weft_conf *conf = site_conf();
	weft_autoargv struct weft_argv words = {0};
	struct order_record r;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t at = 0; order_next(order, &at, &r);) {
			struct item it = {0};

			if (order_is(&r, "stage") && read_item(r.value, &it)) {
				weft_autofree char *root = weft_printf("%s/weft/%u",
					it.memory ? conf->memory : conf->scratch, job);

				if (pass == 0)
					weft_argv_addf(&words, "%s/in/%s=%s",
						root ? root : "", it.name, it.src);
				else if (root)
					point_to(&it, root);
			}
			free(it.name);
			free(it.src);
		}
		if (pass == 0 && (!words.n || run(&words, command, job, nodes)))
			return;
	}
}
