/* cmd_doctor.c - `weft doctor`: is all there that weft needs, and what to do if not */
#include "doctor.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slurm/slurm.h"

extern char **environ;

static const char *const words[] = {"OK", "WARN", "FAIL"};

static void print_finding(const struct doctor *d, const struct doctor_finding *f)
{
	static const char *const color[] = {"\033[32m", "\033[33m", "\033[31m"};

	printf("%s%-4s%s  %s: %s\n", d->color ? color[f->verdict] : "",
		words[f->verdict], d->color ? "\033[0m" : "", f->check, f->text);
	if (f->hint)
		printf("      -> %s\n", f->hint);
	fflush(stdout);
}

/* Takes over text and hint; NULL text: no memory. */
static void add(struct doctor *d, enum doctor_verdict verdict, const char *check,
	char *text, char *hint)
{
	struct doctor_finding *f;
	struct weft_str clean = {0};

	/* Nodes and srun may say anything. */
	if (text) {
		weft_report_text(&clean, text);
		free(text);
		text = weft_str_take(&clean);
	}
	d->failed |= verdict == DOCTOR_FAIL;
	if (!text || weft_grow(d->found, d->n, d->cap)) {
		free(text);
		free(hint);
		d->no_memory = true;
		return;
	}
	f = &d->found[d->n++];
	*f = (struct doctor_finding){verdict, check, text, hint};
	if (!d->json)
		print_finding(d, f);
}

void doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *check,
	const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, verdict, check, weft_vprintf(fmt, ap), hint ? strdup(hint) : NULL);
	va_end(ap);
}

void doctor_say_err(struct doctor *d, enum doctor_verdict verdict, const char *check,
	const char *hint, struct weft_err *err)
{
	char *own = err->hint ? weft_steal(&err->hint) : hint ? strdup(hint) : NULL;

	add(d, verdict, check, weft_err_line(err), own);
	weft_err_clear(err);
}

int doctor_run(char *const *argv, double timeout, char **text, struct weft_err *err)
{
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autofree char *out = NULL, *errout = NULL;
	struct weft_env env = {0};
	int status, r;

	*text = NULL;
	if (weft_env_copy(&env, environ)) {
		weft_env_free(&env);
		return weft_err_nomem(err);
	}
	weft_slurm_scrub(&env);
	s.argv = argv;
	s.envp = env.vars.v;
	r = weft_capture(&s, timeout, 1 << 20, &out, &errout, &status, err);
	weft_env_free(&env);
	if (r)
		return -1;
	*text = weft_printf("%s%s", out, errout);
	if (!*text)
		return weft_err_nomem(err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int print_json(const struct doctor *d, int status)
{
	static const char *const verdicts[] = {"ok", "warn", "fail"};
	json_t *list = json_array();
	struct weft_str out = {0};

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:s*}", "check", d->found[i].check,
				"verdict", verdicts[d->found[i].verdict], "text",
				d->found[i].text, "hint", d->found[i].hint));
	weft_report_json(json_pack("{s:s, s:i, s:o}", "version", weft_version, "status",
				 status, "checks", list),
		JSON_INDENT(1), &out);
	return cmd_print(&out);
}

static void checks(struct doctor *d)
{
	doctor_check_conf(d);
	doctor_check_slurm(d);
	if (!d->cluster)
		return;
	doctor_check_plugin(d);
	doctor_check_nodes(d);
	doctor_check_mpi(d);
}

static int run(int argc, char **argv);

WEFT_VERB(doctor, .name = "doctor", .synopsis = "[--json]",
	.summary = "Checks that the site, its nodes and Slurm have what weft needs",
	.help = "Looks at weft.conf, Slurm and the plug-in here, and runs a job of a "
		"moment in\n"
		"each partition. Call it where your run directories will be. Exit "
		"status: 0\n"
		"nothing failed, 1 something did, 6 Slurm is not reachable.\n\n"
		"  --json   as JSON\n",
	.order = 70, .run = run);

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct doctor d = {0};
	int opt, status;

	cmd_getopt_start();
	while ((opt = cmd_getopt(&verb_doctor, argc, argv, "", options, &status)) !=
		-1) {
		if (opt == -2)
			return status;
		d.json |= opt == 'j';
	}
	if (optind < argc)
		return cmd_usage(&verb_doctor, "no argument is expected, not '%s'",
			argv[optind]);
	d.color = !d.json && cmd_style(stdout).color;
	checks(&d);
	status = d.no_slurm ? WEFT_ESLURM : d.failed ? WEFT_EFAILED : 0;
	if (d.json && print_json(&d, status))
		status = WEFT_EFAILED;
	if (d.no_memory) {
		fputs("weft: out of memory\n", stderr);
		status = WEFT_EFAILED;
	}
	for (size_t i = 0; i < d.n; i++) {
		free(d.found[i].text);
		free(d.found[i].hint);
	}
	free(d.found);
	weft_conf_free(d.conf);
	weft_cluster_free(d.cluster);
	return status;
}
