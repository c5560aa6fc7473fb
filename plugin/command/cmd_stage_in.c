/* cmd_stage_in.c - weft stage-in: inputs of an srun --weft-step, on one node */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage/stage.h"

static int run(int argc, char **argv);

WEFT_VERB(stage_in, .name = "stage-in", .synopsis = "FOLDER=PATH...",
	.summary = "Copies each path into its folder, unless it is there (weft's own)",
	.run = run);

/* FOLDER is SCRATCH/weft/JOBID/in/NAME; the site's Prolog makes the job's part. */
static int put(const char *word, struct weft_err *err)
{
	const char *eq = strchr(word, '='), *base = eq ? strrchr(eq, '/') : NULL;
	weft_autofree char *dir = NULL, *job = NULL, *dst = NULL;

	if (!base || *word != '/' || eq[1] != '/')
		return weft_err_set(err, WEFT_EUSAGE, "'%s' is not FOLDER=PATH", word);
	dir = strndup(word, (size_t)(eq - word));
	dst = weft_printf("%.*s%s", (int)(eq - word), word, base);
	const char *in = dir ? strstr(dir, "/in/") : NULL;
	job = in ? strndup(dir, (size_t)(in - dir)) : NULL;
	if (!dir || !dst || !job)
		return weft_err_nomem(err);
	if (access(job, W_OK)) {
		weft_err_sys(err, WEFT_ESTAGE, "%s", job);
		return weft_err_hint(err, "the site's Prolog makes it: weft-spank(8)");
	}
	if (access(dst, F_OK) == 0)
		return 0; /* an earlier step of the job brought it */
	if (weft_mkdirs(dir, 0700, err))
		return -1;
	return weft_stage_put(eq + 1, dst, WEFT_STAGE_AUTO, NULL, err);
}

static int run(int argc, char **argv)
{
	const struct weft_verb *v = cmd_verb("stage-in");
	struct weft_err err = {0};

	if (argc < 2)
		return cmd_usage(v, "a folder and a path");
	for (int i = 1; i < argc; i++)
		if (put(argv[i], &err))
			return cmd_fail(&err);
	return 0;
}
