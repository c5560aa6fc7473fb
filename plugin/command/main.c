/* main.c - `weft VERB ...`: finds the verb, prints the help */
#include "command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The linker's bounds of the section that WEFT_VERB fills. */
extern const struct weft_verb *const __start_weft_verbs[];
extern const struct weft_verb *const __stop_weft_verbs[];

static size_t n_verbs(void)
{
	/* cppcheck-suppress comparePointers */
	return (size_t)(__stop_weft_verbs - __start_weft_verbs);
}

const struct weft_verb *cmd_verb(const char *name)
{
	for (size_t i = 0; i < n_verbs(); i++)
		if (weft_streq(__start_weft_verbs[i]->name, name))
			return __start_weft_verbs[i];
	return NULL;
}

static int by_order(const void *a, const void *b)
{
	const struct weft_verb *const *x = a, *const *y = b;

	return (*x)->order - (*y)->order;
}

static int help(FILE *to)
{
	weft_autofree const struct weft_verb **list =
		calloc(n_verbs() + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return WEFT_ESYS;
	for (size_t i = 0; i < n_verbs(); i++)
		if (__start_weft_verbs[i]->order)
			list[n++] = __start_weft_verbs[i];
	qsort(list, n, sizeof(*list), by_order);
	fprintf(to, "usage: weft VERB [OPTION...] [ARG...]\n\n"
		    "weft weaves simulations and AI training into one workflow on a "
		    "Slurm cluster.\n\n");
	for (size_t i = 0; i < n; i++)
		fprintf(to, "  %-9s %s\n", list[i]->name, list[i]->summary);
	fprintf(to, "\n`weft VERB --help` tells a verb's options; man weft, man "
		    "weft-workflow.\n"
		    "A workflow file may be a batch script: sbatch heat.yaml\n");
	return 0;
}

static int unknown(const char *word)
{
	const char *names[64];
	size_t n = 0;

	for (size_t i = 0; i < n_verbs() && n < WEFT_COUNT(names); i++)
		if (__start_weft_verbs[i]->order)
			names[n++] = __start_weft_verbs[i]->name;
	const char *near = weft_nearest(word, names, n);
	fprintf(stderr, "weft: no verb '%s'%s%s%s; see weft --help\n", word,
		near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	return WEFT_EUSAGE;
}

static int help_run(int argc, char **argv);

WEFT_VERB(help, .name = "help", .synopsis = "[VERB]",
	.summary = "Tells what a verb does", .order = 100, .run = help_run);

static int help_run(int argc, char **argv)
{
	static const struct option options[] = {{NULL, 0, NULL, 0}};
	const struct weft_verb *v;
	int status;

	cmd_getopt_start();
	if (cmd_getopt(&verb_help, argc, argv, "", options, &status) == -2)
		return status;
	if (argc < 2)
		return help(stdout);
	v = cmd_verb(argv[1]);
	if (!v)
		return unknown(argv[1]);
	char *args[] = {argv[1], (char *)"--help", NULL};
	return v->run(2, args);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		help(stderr);
		return WEFT_EUSAGE;
	}
	const char *word = argv[1];
	if (weft_streq(word, "--help") || weft_streq(word, "-h"))
		return help(stdout);
	if (weft_streq(word, "--version") || weft_streq(word, "-V")) {
		printf("weft %s\n", weft_version);
		return 0;
	}
	const struct weft_verb *v = cmd_verb(word);
	if (v)
		return v->run(argc - 1, argv + 1);
	/* `#!/usr/bin/env weft` runs us with the file as the only word. */
	size_t len = strlen(word);
	if (strchr(word, '/') || (len > 5 && weft_streq(word + len - 5, ".yaml"))) {
		v = cmd_verb("script");
		if (v)
			return v->run(argc, argv);
	}
	return unknown(word);
}
