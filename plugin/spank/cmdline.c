#include "plugin/spank/cmdline.h"

#include <stdlib.h>
#include <string.h>

/* srun's options without a value of their own in the next word; those with an
 * optional value take it after '=' only. Source: srun(1) of 21.08 to 24.05. */
static const char flags_short[] = "EHIKOQVWXZhklsuv";
static const char *const flags_long[] = {
	"allow-overcommit",
	"contiguous",
	"disable-status",
	"exact",
	"exclusive",
	"external",
	"help",
	"hold",
	"ignore-pbs",
	"immediate",
	"interactive",
	"kill-on-bad-exit",
	"label",
	"multi-prog",
	"no-allocate",
	"no-kill",
	"no-requeue",
	"oom-kill-step",
	"overcommit",
	"overlap",
	"oversubscribe",
	"preserve-env",
	"pty",
	"quiet",
	"quit-on-interrupt",
	"reboot",
	"resv-ports",
	"send-libs",
	"share",
	"spread-job",
	"stepmgr",
	"test-only",
	"unbuffered",
	"usage",
	"use-min-nodes",
	"verbose",
	"version",
	"weft-dry-run",
	"whole",
};

static bool is_flag(const char *word)
{
	if (word[1] != '-') {
		/* A group of flags takes no value; a letter that takes one has it
		 * right behind it, or it is the word's last. */
		size_t n = strspn(word + 1, flags_short);

		return word[1 + n] == '\0' || word[2 + n] != '\0';
	}
	if (strchr(word, '='))
		return true;
	for (size_t i = 0; i < WEFT_COUNT(flags_long); i++)
		if (weft_streq(word + 2, flags_long[i]))
			return true;
	return false;
}

/* --NAME=VALUE, or --NAME VALUE. */
static const char *value_of(char **argv, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(*argv, name, n))
		return NULL;
	if ((*argv)[n] == '=')
		return *argv + n + 1;
	return (*argv)[n] == '\0' ? argv[1] : NULL;
}

int cmdline_scan(char **argv, struct cmdline *c)
{
	size_t n = 0;

	memset(c, 0, sizeof(*c));
	while (argv[n])
		n++;
	c->option = calloc(n + 1, sizeof(*c->option));
	if (!c->option)
		return -1;
	/* Up to the command, or to the colon of a het job's next component. */
	for (char **w = argv + (n > 0); *w; w++) {
		const char *v;

		if ((*w)[0] != '-' || (*w)[1] == '\0' || weft_streq(*w, "--"))
			break;
		c->option[c->n_options++] = *w;
		if ((v = value_of(w, "--weft")))
			c->file = v;
		else if ((v = value_of(w, "--weft-step")))
			c->step = v;
		if (!is_flag(*w) && w[1])
			w++;
	}
	return 0;
}

void cmdline_clear(struct cmdline *c)
{
	free(c->option);
	memset(c, 0, sizeof(*c));
}

static bool same_option(const char *word, const char *name, size_t n)
{
	if (name[1] != '-')
		return word[1] == name[1];
	size_t len = strcspn(word, "=");
	/* "--ntas=4" is --ntasks; "--mem-per-cpu" isn't --mem. */
	return word[1] == '-' && len > 3 && len <= n && strncmp(word, name, len) == 0;
}

bool cmdline_typed(const struct cmdline *c, const char *names)
{
	if (!names)
		return false;
	for (const char *name = names; *name;) {
		size_t n = strcspn(name, " ");

		for (size_t i = 0; i < c->n_options; i++)
			if (same_option(c->option[i], name, n))
				return true;
		name += n;
		name += *name == ' ';
	}
	return false;
}

char **cmdline_read(void)
{
	weft_autofree char *text = NULL;
	size_t n = 0, words = 0;

	if (weft_read_file("/proc/self/cmdline", 8u << 20, &text, &n, NULL))
		return NULL;
	for (size_t i = 0; i < n; i++)
		words += text[i] == '\0';
	if (n && text[n - 1])
		words++;
	char **argv = malloc((words + 1) * sizeof(*argv) + n + 1);
	if (!argv)
		return NULL;
	char *copy = (char *)(argv + words + 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	for (size_t i = 0; i < words; i++) {
		argv[i] = copy;
		copy += strlen(copy) + 1;
	}
	argv[words] = NULL;
	return argv;
}
