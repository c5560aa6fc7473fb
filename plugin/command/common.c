/* common.c - options, errors and output as every verb does them */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void cmd_getopt_start(void)
{
	optind = 0; /* GNU: start afresh */
	opterr = 0;
}

static void print_help(const struct weft_verb *v)
{
	printf("usage: weft %s%s%s\n\n%s.\n", v->name, *v->synopsis ? " " : "",
		v->synopsis, v->summary);
	if (v->help)
		printf("\n%s", v->help);
}

int cmd_usage(const struct weft_verb *v, const char *fmt, ...)
{
	weft_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = weft_vprintf(fmt, ap);
	va_end(ap);
	fprintf(stderr, "weft %s: %s\nusage: weft %s %s\n", v->name, text ? text : "?",
		v->name, v->synopsis);
	return WEFT_EUSAGE;
}

static int bad_option(
	const struct weft_verb *v, char **argv, const struct option *longopts, int c)
{
	const char *names[64], *word = argv[optind - 1];
	size_t n = 0;

	if (c == ':')
		return cmd_usage(v, "option %s needs a value", word);
	if (optopt && !weft_starts_with(word, "--"))
		return cmd_usage(v, "no option -%c", optopt);
	for (const struct option *o = longopts; o->name && n < WEFT_COUNT(names); o++)
		names[n++] = o->name;
	const char *near = weft_nearest(word + strspn(word, "-"), names, n);
	if (near)
		return cmd_usage(v, "no option %s (did you mean --%s?)", word, near);
	return cmd_usage(v, "no option %s", word);
}

int cmd_getopt(const struct weft_verb *v, int argc, char **argv, const char *shortopts,
	const struct option *longopts, int *status)
{
	/* Leading ':' tells a missing value from an unknown option; a leading '+'
	 * of the verb's (stop at the first argument) stays in front. */
	char opts[64];
	bool plus = *shortopts == '+';

	for (int i = 1; i < argc && !weft_streq(argv[i], "--"); i++) {
		if (plus && argv[i][0] != '-')
			break;
		if (weft_streq(argv[i], "--help")) {
			print_help(v);
			*status = 0;
			return -2;
		}
	}
	snprintf(opts, sizeof(opts), "%s:%s", plus ? "+" : "", shortopts + plus);
	int c = getopt_long(argc, argv, opts, longopts, NULL);
	if (c == '?' || c == ':') {
		*status = bad_option(v, argv, longopts, c);
		return -2;
	}
	return c;
}

int cmd_workflow_option(const struct weft_verb *v, struct cmd_workflow_args *w, int c)
{
	bool set = c == CMD_OPT_SET;
	size_t *n = set ? &w->n_set : &w->n_overlay;
	size_t max = set ? WEFT_COUNT(w->set) : WEFT_COUNT(w->overlay);

	if (*n == max)
		return cmd_usage(v, "more than %zu %s options", max,
			set ? "--set" : "--overlay");
	(set ? w->set : w->overlay)[(*n)++] = optarg;
	return 0;
}

struct weft_spec_options cmd_spec_options(const struct cmd_workflow_args *w)
{
	return (struct weft_spec_options){.set = w->set,
		.n_set = w->n_set,
		.overlay = w->overlay,
		.n_overlay = w->n_overlay};
}

static int exit_status(enum weft_code code)
{
	/* weft.1 documents 0 to 7; the rest are the system's failures. */
	return code <= WEFT_EINTR ? (int)code : WEFT_EUSAGE;
}

int cmd_fail(struct weft_err *err)
{
	struct weft_style style = cmd_style(stderr);
	weft_autostr struct weft_str out = {0};
	int status = exit_status(err->code);

	weft_report_error(err, &style, &out);
	fputs(out.s ? out.s : "weft: out of memory\n", stderr);
	weft_err_clear(err);
	return status;
}

int cmd_fail_errs(struct weft_errs *errs, bool json)
{
	struct weft_str out = {0};
	int status = errs->n ? exit_status(errs->v[0].code) : WEFT_ESPEC;

	if (json) {
		weft_report_errors_json(errs, &out);
		cmd_print(&out);
	} else {
		struct weft_style style = cmd_style(stderr);

		weft_report_errors(errs, &style, &out);
		fputs(out.s ? out.s : "weft: out of memory\n", stderr);
		weft_str_free(&out);
	}
	weft_errs_clear(errs);
	return status;
}

struct weft_style cmd_style(FILE *f)
{
	struct weft_style s = {0};
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize w;

	if (!isatty(fileno(f)))
		return s;
	s.color = !(no_color && *no_color) && term && !weft_streq(term, "dumb");
	if (ioctl(fileno(f), TIOCGWINSZ, &w) == 0)
		s.width = w.ws_col;
	const char *lang = getenv("LC_ALL");
	if (!lang || !*lang)
		lang = getenv("LC_CTYPE");
	if (!lang || !*lang)
		lang = getenv("LANG");
	s.utf8 = lang && (strcasestr(lang, "utf-8") || strcasestr(lang, "utf8"));
	return s;
}

int cmd_print(struct weft_str *s)
{
	bool bad = s->failed;

	if (!bad && s->len)
		bad = fwrite(s->s, 1, s->len, stdout) != s->len;
	bad |= fflush(stdout) != 0;
	weft_str_free(s);
	if (bad)
		fputs("weft: cannot write the output\n", stderr);
	return bad ? WEFT_EUSAGE : 0;
}
