/* cmd_config.c - weft config: what is wrong in weft.conf, and what holds */
#include "command.h"

#include <stdlib.h>
#include <unistd.h>

static int run(int argc, char **argv);

WEFT_VERB(config, .name = "config", .synopsis = "check | show [FILE]",
	.summary = "Checks weft.conf, or shows the rules of the site",
	.help = "  check            print every mistake, with its line\n"
		"  show             print what holds, and where it is said\n"
		"\n"
		"FILE is the site's weft.conf where nothing else is said.\n",
	.order = 62, .run = run);

static const char *site_file(void)
{
	const char *env = getenv("WEFT_CONF");

	return env && *env ? env : WEFT_CONF_DEFAULT;
}

/* The site's own file is read by root, too: others may not have written it. */
static void check_trust(const char *path, struct weft_errs *errs)
{
	struct weft_err err = {0};
	int fd = weft_open_trusted(path, &err);

	if (fd >= 0) {
		close(fd);
		return;
	}
	err.code = WEFT_ECONF;
	weft_errs_add(errs, &err);
}

static int check(const char *file)
{
	const char *path = file ? file : site_file();
	struct weft_errs errs = {.max = 1000};
	struct weft_err err = {0};
	struct weft_str out = {0};
	weft_autofree char *text = NULL;
	size_t n;

	if (!file && access(path, F_OK)) {
		weft_str_printf(&out, "%s: not there, the built-in rules hold\n", path);
		return cmd_print(&out);
	}
	if (weft_read_file(path, WEFT_CONF_MAX_BYTES, &text, &n, &err)) {
		err.code = WEFT_ECONF;
		return cmd_fail(&err);
	}
	weft_conf_check(path, text, n, &errs);
	if (weft_streq(path, WEFT_CONF_DEFAULT))
		check_trust(path, &errs);
	if (errs.total)
		return cmd_fail_errs(&errs, false);
	weft_str_printf(&out, "%s: no mistakes\n", path);
	return cmd_print(&out);
}

struct show {
	struct weft_table *table; /* borrows from the arena */
	struct weft_arena arena;
};

static int add_rule(void *ctx, const struct weft_conf_rule *rule)
{
	struct show *s = ctx;
	const char *cell[] = {!rule->section ? "-"
			      : rule->name   ? weft_arena_printf(&s->arena, "%s %s",
						       rule->section, rule->name)
					     : rule->section,
		weft_arena_strdup(&s->arena, rule->key),
		weft_arena_strdup(&s->arena, *rule->value ? rule->value : "-"),
		rule->line
			? weft_arena_printf(&s->arena, "%s:%u", rule->file, rule->line)
			: "built-in"};

	for (size_t i = 0; i < WEFT_COUNT(cell); i++)
		if (!cell[i])
			return -1;
	return weft_table_row(s->table, cell);
}

static int show(const char *file)
{
	static const char *const head[] = {"section", "key", "value", "from"};
	struct weft_style style = cmd_style(stdout);
	struct weft_err err = {0};
	struct weft_str out = {0};
	struct weft_conf *conf;
	struct show s = {0};

	if (weft_conf_load(file, false, &conf, &err))
		return cmd_fail(&err);
	s.table = weft_table_new(WEFT_COUNT(head), head);
	if (!s.table || weft_conf_each_rule(conf, add_rule, &s))
		out.failed = true;
	else
		weft_table_print(s.table, &style, &out);
	weft_table_free(s.table);
	weft_arena_free(&s.arena);
	weft_conf_free(conf);
	return cmd_print(&out);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{NULL, 0, NULL, 0}};
	int status = 0;

	cmd_getopt_start();
	if (cmd_getopt(&verb_config, argc, argv, "", options, &status) == -2)
		return status;
	const char *what = optind < argc ? argv[optind] : NULL;
	if (argc - optind > 2)
		return cmd_usage(&verb_config, "one file, not %d", argc - optind - 1);
	if (weft_streq(what, "check"))
		return check(argv[optind + 1]);
	if (weft_streq(what, "show"))
		return show(argv[optind + 1]);
	return cmd_usage(&verb_config, "check or show?");
}
