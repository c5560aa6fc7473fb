/* cmd_stage_in.c - weft stage-in, stage-out: what an srun --weft-step has on one node
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "stage/stage.h"

static int run_in(int argc, char **argv);
static int run_out(int argc, char **argv);

WEFT_VERB(stage_in, .name = "stage-in", .synopsis = "FOLDER=[PATH]...",
	.summary = "Copies each path into its folder, unless it is there (weft's own)",
	.run = run_in);
WEFT_VERB(stage_out, .name = "stage-out", .synopsis = "[MADE=PATH...]",
	.summary = "Copies what was made to its place (weft's own)", .run = run_out);

/* FOLDER is SCRATCH/weft/JOBID/in/NAME; the site's Prolog makes the job's part. */
static int make_folder(const char *dir, struct weft_err *err)
{
	const char *part = strstr(dir, "/weft/"), *end;

	part = part ? part + 6 : NULL;
	end = part ? strchr(part, '/') : NULL;
	if (!end)
		return weft_err_set(
			err, WEFT_EUSAGE, "'%s' is in no job's folder", dir);
	weft_autofree char *job = strndup(dir, (size_t)(end - dir));
	if (!job)
		return weft_err_nomem(err);
	if (access(job, W_OK)) {
		weft_err_sys(err, WEFT_ESTAGE, "%s", job);
		return weft_err_hint(err, "the site's Prolog makes it: weft-spank(8)");
	}
	return weft_mkdirs(dir, 0700, err);
}

/* By way of the node's cache, where it has a use for it. */
static int bring(const char *src, const char *dst, struct weft_err *err)
{
	const struct weft_stage_options opt = {
		.durable = WEFT_STAGE_DATA, .stop = cmd_stop()};
	struct weft_stage_cache *cache = NULL;
	struct weft_conf *conf = NULL;
	int rc = 1;

	if (weft_conf_load(NULL, false, &conf, NULL) == 0 &&
		weft_starts_with(dst, conf->scratch) &&
		weft_engine_node_cache(conf, &cache, NULL) == 0)
		rc = weft_stage_cache_get(cache, src, dst, &opt,
			conf->node_cache == WEFT_NODE_CACHE_CHECK ? WEFT_CACHE_CHECK
								  : 0,
			NULL, NULL);
	weft_stage_cache_close(cache);
	weft_conf_free(conf);
	return rc == 0 ? 0 : weft_stage_copy(src, dst, &opt, NULL, err);
}

static int put(const char *word, struct weft_err *err)
{
	const char *eq = strchr(word, '='), *base = eq ? strrchr(eq, '/') : NULL;
	weft_autofree char *dir = NULL, *dst = NULL;

	if (!eq || *word != '/' || (eq[1] && eq[1] != '/'))
		return weft_err_set(err, WEFT_EUSAGE, "'%s' is not FOLDER=PATH", word);
	dir = strndup(word, (size_t)(eq - word));
	dst = weft_printf("%.*s%s", (int)(eq - word), word, base ? base : "");
	if (!dir || !dst)
		return weft_err_nomem(err);
	if (base && access(dst, F_OK) == 0)
		return 0; /* an earlier step of the job brought it */
	if (make_folder(dir, err))
		return -1;
	return base ? bring(eq + 1, dst, err) : 0;
}

static int run_in(int argc, char **argv)
{
	struct weft_err err = {0};

	if (argc < 2)
		return cmd_usage(&verb_stage_in, "a folder and a path");
	for (int i = 1; i < argc; i++)
		if (put(argv[i], &err))
			return cmd_fail(&err);
	return 0;
}

static int copy(const char *made, const char *path, bool replace, struct weft_err *err)
{
	const struct weft_stage_options opt = {
		.durable = WEFT_STAGE_DATA, .replace = replace};

	return weft_stage_copy(made, path, &opt, NULL, err);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What is in a folder that is there already, an earlier run's or another node's, stays
 * beside what was made, as if that had been made in it. */
static int join(const char *made, const char *path, struct weft_err *err)
{
	static const char *const all[] = {"*", ".*"};
	int rc = 0;

	for (size_t k = 0; k < WEFT_COUNT(all) && rc == 0; k++) {
		char **name;
		size_t n;

		if (weft_stage_glob(made, all[k], &name, &n, err))
			return -1;
		for (size_t i = 0; i < n && rc == 0; i++) {
			weft_autofree char *from = weft_path_join(made, name[i]);
			weft_autofree char *to = weft_path_join(path, name[i]);

			if (!from || !to)
				rc = weft_err_nomem(err);
			else if (is_folder(from) && is_folder(to))
				rc = join(from, to, err);
			else
				rc = copy(from, to, true, err);
		}
		weft_stage_glob_free(name, n);
	}
	return rc;
}

/* What isn't there wasn't made. */
static int take(const char *word, struct weft_err *err)
{
	const char *eq = strchr(word, '=');
	const char *slash = eq ? strrchr(eq, '/') : NULL;
	weft_autofree char *made = eq ? strndup(word, (size_t)(eq - word)) : NULL;
	weft_autofree char *up =
		slash ? strndup(eq + 1, (size_t)(slash - eq - 1)) : NULL;
	bool folder;
	int rc;

	if (!made || !up || *word != '/' || eq[1] != '/')
		return weft_err_set(err, WEFT_EUSAGE, "'%s' is not MADE=PATH", word);
	if (access(made, F_OK))
		return 0;
	if (*up && weft_mkdirs(up, 0777, err))
		return -1;
	folder = is_folder(made);
	rc = copy(made, eq + 1, !folder, err);
	if (rc && folder && is_folder(eq + 1)) {
		weft_err_clear(err);
		rc = join(made, eq + 1, err);
	}
	return rc ? rc : weft_remove_tree(made, err);
}

/* "DONE\nMADE=PATH...": what slurmstepd has from srun; DONE.NODE tells srun. */
static int take_lines(char *text, struct weft_err *err)
{
	const char *node = getenv("SLURM_NODEID");
	char *save = NULL, *done = strtok_r(text, "\n", &save);
	weft_autofree char *mark = weft_printf("%s.%s", done ? done : "", node);
	weft_autofree char *up = NULL;
	weft_autoclose int fd = -1;
	int rc = 0;

	if (!done || *done != '/' || !node || !mark)
		return weft_err_set(err, WEFT_EUSAGE, "what was made?");
	for (char *l = strtok_r(NULL, "\n", &save); l && rc == 0;
		l = strtok_r(NULL, "\n", &save))
		rc = take(l, err);
	/* Where nothing was made, nobody has made the folder. */
	if (rc == 0 && (up = strndup(done, (size_t)(strrchr(done, '/') - done))) && *up)
		rc = weft_mkdirs(up, 0777, err);
	if (rc == 0)
		fd = open(mark, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	return rc == 0 && fd < 0 ? weft_err_sys(err, WEFT_ESTAGE, "%s", mark) : rc;
}

/* The one before was killed: what it has left beside the places goes. */
static int clean_lines(char *text)
{
	char *save = NULL;

	strtok_r(text, "\n", &save);
	for (char *l; (l = strtok_r(NULL, "\n", &save));) {
		const char *path = strchr(l, '=');
		char *slash = strrchr(l, '/');
		uint64_t n;

		if (!path || path[1] != '/' || slash <= path)
			continue;
		if (is_folder(path + 1))
			(void)!weft_stage_clean(path + 1, 0, &n, NULL);
		*slash = '\0';
		(void)!weft_stage_clean(path[1] ? path + 1 : "/", 0, &n, NULL);
	}
	return 0;
}

static int run_out(int argc, char **argv)
{
	char *text = getenv("WEFT_STAGE_OUT");
	struct weft_err err = {0};
	int rc = 0;

	if (argc == 2 && text && weft_streq(argv[1], "--killed"))
		return clean_lines(text);
	if (argc < 2 && text)
		rc = take_lines(text, &err);
	for (int i = 1; i < argc && rc == 0; i++)
		rc = take(argv[i], &err);
	return rc == 0 ? 0 : cmd_fail(&err);
}
