/* cmd_config.c - weft config: what is wrong in weft.conf, and what holds */
#include "command.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static int run(int argc, char **argv);

WEFT_VERB(config, .name = "config",
	.synopsis = "check [FILE] | show [--json] [--user NAME] [FILE]",
	.summary = "Checks weft.conf, or shows the rules of the site",
	.help = "  check            print every mistake, with its line\n"
		"  show             print what holds, and where it is said\n"
		"  --json           print it as JSON\n"
		"  --user NAME      print what holds for this user\n"
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

static int add_json(void *ctx, const struct weft_conf_rule *r)
{
	json_t *o = json_pack("{s:s?, s:s?, s:s, s:s, s:s?, s:i}", "section",
		r->section, "name", r->name, "key", r->key, "value", r->value, "file",
		r->file, "line", (int)r->line);

	return json_array_append_new(ctx, o);
}

static int each_rule(const struct weft_conf *conf, const char *user,
	int (*f)(void *ctx, const struct weft_conf_rule *rule), void *ctx)
{
	return user ? weft_conf_each_rule_of(conf, user, f, ctx)
		    : weft_conf_each_rule(conf, f, ctx);
}

static int show_json(const struct weft_conf *conf, const char *user)
{
	json_t *rules = json_array();
	struct weft_str out = {0};

	if (rules && each_rule(conf, user, add_json, rules)) {
		json_decref(rules);
		rules = NULL;
	}
	/* json_pack() frees the list where it fails, and fails where that is NULL. */
	if (weft_report_json(json_pack("{s:s?, s:s?, s:s?, s:o}", "file", conf->file,
				     "policy_file", conf->policy_file, "user", user,
				     "rules", rules),
		    JSON_INDENT(2), &out))
		out.failed = true;
	return cmd_print(&out);
}

static int show_table(const struct weft_conf *conf, const char *user)
{
	static const char *const head[] = {"section", "key", "value", "from"};
	struct weft_style style = cmd_style(stdout);
	struct weft_str out = {0};
	struct show s = {0};

	s.table = weft_table_new(WEFT_COUNT(head), head);
	if (!s.table || each_rule(conf, user, add_rule, &s))
		out.failed = true;
	else
		weft_table_print(s.table, &style, &out);
	weft_table_free(s.table);
	weft_arena_free(&s.arena);
	return cmd_print(&out);
}

static int show(const char *file, const char *user, bool json)
{
	struct weft_err err = {0};
	struct weft_conf *conf;
	int status;

	if (weft_conf_load(file, false, &conf, &err))
		return cmd_fail(&err);
	status = json ? show_json(conf, user) : show_table(conf, user);
	weft_conf_free(conf);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
		{"user", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};
	const char *user = NULL;
	bool json = false;
	int status = 0, c;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_config, argc, argv, "", options, &status)) >= 0) {
		if (c == 'u')
			user = optarg;
		else
			json = true;
	}
	if (c == -2)
		return status;
	const char *what = optind < argc ? argv[optind] : NULL;
	if (argc - optind > 2)
		return cmd_usage(&verb_config, "one file, not %d", argc - optind - 1);
	if (weft_streq(what, "check") && (user || json))
		return cmd_usage(&verb_config, "--user and --json are of show");
	if (weft_streq(what, "check"))
		return check(argv[optind + 1]);
	if (weft_streq(what, "show"))
		return show(argv[optind + 1], user, json);
	return cmd_usage(&verb_config, "check or show?");
}
