/* doctor_host.c - what can be seen on this host: weft.conf, Slurm, the plug-in */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "slurm/slurm.h"

void doctor_check_conf(struct doctor *d)
{
	struct weft_err err = {0};
	struct weft_conf *again;

	if (weft_conf_load(NULL, false, &d->conf, &err)) {
		doctor_say_err(d, DOCTOR_FAIL, "weft.conf",
			"weft.conf(5) tells what stands in it", &err);
		return;
	}
	if (!d->conf->file) {
		doctor_say(d, DOCTOR_WARN, "weft.conf",
			"an admin may copy weft.conf.example to " WEFT_CONF_DEFAULT,
			"none, so the defaults hold");
		return;
	}
	/* The plug-in, as root on the nodes, reads it only if it is root's. */
	if (weft_conf_load(d->conf->file, true, &again, &err)) {
		doctor_say_err(d, DOCTOR_FAIL, "weft.conf",
			"the plug-in refuses it: chown root and chmod go-w, also every "
			"folder above it",
			&err);
		return;
	}
	weft_conf_free(again);
	if (weft_conf_switched_on(d->conf, cmd_user(), &err))
		doctor_say_err(d, DOCTOR_WARN, "weft.conf", NULL, &err);
	else
		doctor_say(d, DOCTOR_OK, "weft.conf", NULL, "%s", d->conf->file);
}

void doctor_check_slurm(struct doctor *d)
{
	struct weft_err err = {0};

	if (weft_slurm_snapshot(&d->cluster, &err)) {
		d->no_slurm = true;
		doctor_say_err(d, DOCTOR_FAIL, "Slurm", NULL, &err);
		return;
	}
	doctor_say(d, DOCTOR_OK, "Slurm", NULL,
		"%s answers for cluster %s: %zu partitions, "
		"%zu nodes",
		d->cluster->slurm_version, d->cluster->name, d->cluster->n_partitions,
		d->cluster->n_nodes);
}

/* The value of a line "NAME = VALUE" of `scontrol show config`; malloced. */
static char *slurm_setting(const char *name)
{
	char *const argv[] = {
		(char *)"scontrol", (char *)"show", (char *)"config", NULL};
	weft_autofree char *text = NULL;
	char *save = NULL;

	if (doctor_run(argv, 30, &text, NULL) != 0)
		return NULL;
	for (char *l = strtok_r(text, "\n", &save); l;
		l = strtok_r(NULL, "\n", &save)) {
		size_t n = strlen(name);

		if (strncmp(l, name, n) || !strchr(" \t=", l[n]))
			continue;
		l += n + strspn(l + n, " \t=");
		return weft_streq(l, "(null)") ? NULL : strdup(l);
	}
	return NULL;
}

/* The line of a plugstack.conf that loads weft.so, looking one include deep. */
static char *plugstack_line(const char *path, int depth)
{
	weft_autofree char *text = NULL;
	char *save = NULL, *found = NULL;
	size_t n;

	if (weft_read_file(path, 1 << 20, &text, &n, NULL))
		return NULL;
	for (char *l = strtok_r(text, "\n", &save); l && !found;
		l = strtok_r(NULL, "\n", &save)) {
		char word[4096], arg[4096];
		glob_t g;

		if (sscanf(l, "%4095s %4095s", word, arg) != 2 || *word == '#')
			continue;
		if (weft_streq(word, "required") || weft_streq(word, "optional")) {
			const char *base = strrchr(arg, '/');

			if (weft_streq(base ? base + 1 : arg, "weft.so"))
				found = weft_printf("%s: %s", path, l);
			continue;
		}
		if (!weft_streq(word, "include") || depth || glob(arg, 0, NULL, &g))
			continue;
		for (size_t i = 0; i < g.gl_pathc && !found; i++)
			found = plugstack_line(g.gl_pathv[i], depth + 1);
		globfree(&g);
	}
	return found;
}

/* Of the help text, whether the options are there and of which version. */
static void judge_help(struct doctor *d, const char *help, const char *line)
{
	weft_autofree char *want = weft_printf("weft %s", weft_version);
	const char *version = strstr(help, "weft ");

	if (!strstr(help, "--weft-step")) {
		doctor_say(d, DOCTOR_FAIL, "plug-in",
			line ? "look into slurmd's log and try srun -vvv true; is the "
			       "file "
			       "there, built for this Slurm?"
			     : "add the line 'optional weft.so' to plugstack.conf, see "
			       "weft-spank(8)",
			"srun has no --weft options%s%s", line ? ", though " : "",
			line ? line : "");
		return;
	}
	/* The first "weft " that a digit follows is the version in an option's help. */
	while (version && !(version[5] >= '0' && version[5] <= '9'))
		version = strstr(version + 1, "weft ");
	if (!want || !version) {
		doctor_say(d, DOCTOR_WARN, "plug-in",
			"install the weft.so that belongs to this weft",
			"srun has --weft options of an unknown version");
		return;
	}
	if (strspn(version + 5, ".0123456789") == strlen(want) - 5 &&
		weft_starts_with(version, want))
		doctor_say(d, DOCTOR_OK, "plug-in", NULL, "%s%s%s", want,
			line ? ", " : "", line ? line : "");
	else
		doctor_say(d, DOCTOR_FAIL, "plug-in",
			"install weft and weft.so of the same version",
			"is weft %.*s, but this is %s",
			(int)strspn(version + 5, ".0123456789"), version + 5, want);
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ", ") == n && !strncmp(p, word, n))
			return true;
	return false;
}

/* slurm.conf's folder is where Slurm looks for the filter. */
static bool filter_is_ours(void)
{
	weft_autofree char *conf = slurm_setting("SLURM_CONF");
	weft_autofree char *path = NULL, *text = NULL;
	char *slash = conf ? strrchr(conf, '/') : NULL;
	size_t n;

	if (!slash)
		return false;
	path = weft_printf("%.*s/cli_filter.lua", (int)(slash - conf), conf);
	return path && weft_read_file(path, 1 << 20, &text, &n, NULL) == 0 &&
	       strstr(text, "weft select");
}

/* What makes the size of `sbatch --weft-step` the step's; a site may do without. */
static void check_hook(struct doctor *d)
{
	weft_autofree char *submit = slurm_setting("JobSubmitPlugins");
	weft_autofree char *filter = slurm_setting("CliFilterPlugins");

	if (has_word(submit, "weft"))
		doctor_say(d, DOCTOR_OK, "sizes", NULL,
			"slurmctld sizes jobs by their step (JobSubmitPlugins=%s)",
			submit);
	else if (has_word(filter, "lua") && filter_is_ours())
		doctor_say(d, DOCTOR_OK, "sizes", NULL,
			"cli_filter.lua sizes jobs by their step");
	else
		doctor_say(d, DOCTOR_OK, "sizes", NULL,
			"no hook sizes sbatch --weft-step; sbatch $(weft select FILE "
			"STEP) does");
}

void doctor_check_plugin(struct doctor *d)
{
	char *const argv[] = {(char *)"srun", (char *)"--help", NULL};
	weft_autofree char *stack = slurm_setting("PlugStackConfig");
	weft_autofree char *help = NULL, *line = NULL;
	struct weft_err err = {0};

	if (doctor_run(argv, 30, &help, &err) < 0) {
		doctor_say_err(d, DOCTOR_FAIL, "plug-in", "is srun in PATH?", &err);
		return;
	}
	if (stack)
		line = plugstack_line(stack, 0);
	judge_help(d, help, line);
	check_hook(d);
}
