#include "plugin/spank/options.h"

#include <string.h>

enum { OPT_FILE = 1, OPT_STEP, OPT_BIND, OPT_DRY_RUN };

static struct options given;
static void (*watcher)(const char *step);

static int note(int val, const char *arg, int remote);

/* Slurm keeps pointers to these. */
static struct spank_option table[] = {
	{(char *)"weft", (char *)"FILE",
		(char *)"weft " WEFT_VERSION ": workflow file that the steps are in", 1,
		OPT_FILE, note},
	{(char *)"weft-step", (char *)"NAME",
		(char *)"run the command as this step of the workflow file: its size, "
			"placement, environment and inputs",
		1, OPT_STEP, note},
	{(char *)"weft-bind", (char *)"auto|none",
		(char *)"bind tasks next to their GPUs, NICs and memory, or leave them",
		1, OPT_BIND, note},
	{(char *)"weft-dry-run", NULL,
		(char *)"print what would be set for the step and run nothing", 0,
		OPT_DRY_RUN, note},
};

static void bad(const char *fmt, ...) WEFT_PRINTF(1, 2);
static void bad(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(given.bad, sizeof(given.bad), fmt, ap);
	va_end(ap);
}

static void keep(char *to, size_t size, const char *option, const char *arg)
{
	if (strlen(arg) >= size)
		bad("%s: longer than %zu bytes", option, size - 1);
	else
		strcpy(to, arg);
}

/*
 * Never returns an error: under `required` that would drain the node, and under
 * `optional` it is ignored. What is wrong is kept, and said where it can be.
 */
static int note(int val, const char *arg, int remote)
{
	if (!arg)
		arg = "";
	switch (val) {
	case OPT_FILE:
		given.has_file = true;
		if (!remote && !*arg)
			bad("--weft: the name of a workflow file is missing");
		else if (!remote)
			keep(given.file, sizeof(given.file), "--weft", arg);
		break;
	case OPT_STEP:
		given.any = true;
		if (weft_starts_with(arg, OPTIONS_OUTER)) {
			/* sbatch reads a script's lines before its environment. */
			if (given.has_step && !given.step_is_outer)
				break;
			given.step_is_outer = true;
			arg += strlen(OPTIONS_OUTER);
		} else {
			given.step_is_outer = false;
			if (!remote && watcher)
				watcher(arg);
		}
		given.has_step = true;
		if (!remote && !*arg)
			bad("--weft-step: the name of a step is missing");
		else if (!remote)
			keep(given.step, sizeof(given.step), "--weft-step", arg);
		break;
	case OPT_BIND:
		given.any = true;
		if (weft_streq(arg, "auto"))
			given.bind = OPTION_BIND_AUTO;
		else if (weft_streq(arg, "none"))
			given.bind = OPTION_BIND_NONE;
		else
			bad("--weft-bind: auto or none");
		break;
	case OPT_DRY_RUN:
		given.dry_run = true;
		break;
	}
	return 0;
}

int options_register(spank_t sp)
{
	int r = 0;

	memset(&given, 0, sizeof(given));
	for (size_t i = 0; i < WEFT_COUNT(table); i++)
		if (host_register(sp, &table[i]))
			r = -1;
	return r;
}

void options_watch_step(void (*step_is)(const char *step))
{
	watcher = step_is;
}

void options_forget_step(void)
{
	given.has_step = given.step_is_outer = false;
	*given.step = '\0';
	if (watcher)
		watcher(NULL);
}

const struct options *options_given(void)
{
	return &given;
}
