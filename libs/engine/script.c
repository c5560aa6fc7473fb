/* script.c - the launch script of a member: what weft does, readable and rerunnable */
#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>

static int write_script(const char *dir, const char *name, const char *text,
	char **path, struct weft_err *err)
{
	*path = weft_path_join(dir, name);
	if (!*path)
		return weft_err_nomem(err);
	return weft_write_file_sync(
		*path, text, strlen(text), 0755, WEFT_SYNC_NONE, err);
}

static void add_words(struct weft_str *out, const struct weft_argv *words)
{
	for (size_t i = 0; i < words->n; i++) {
		weft_str_addc(out, ' ');
		weft_str_add_shell_word(out, words->v[i]);
	}
}

int script_run(struct unit *u, const char *text, char **path, struct weft_err *err)
{
	return write_script(u->dir, "run.sh", text, path, err);
}

/* `run` goes into a file of its own, so that every task of the step can read it. */
static int add_run(struct unit *u, const struct weft_text *run, struct weft_str *out,
	struct weft_err *err)
{
	weft_autofree char *text = NULL, *path = NULL;

	if (weft_scope_text(&u->scope, run, &text, err) ||
		script_run(u, text, &path, err))
		return -1;
	if (!u->step->shell.n)
		weft_str_add(out, " /bin/bash -eo pipefail");
	for (size_t i = 0; i < u->step->shell.n; i++) {
		weft_autofree char *word = NULL;

		if (weft_scope_text(&u->scope, &u->step->shell.v[i], &word, err))
			return -1;
		weft_str_addc(out, ' ');
		weft_str_add_shell_word(out, word);
	}
	weft_str_addc(out, ' ');
	weft_str_add_shell_word(out, path);
	return 0;
}

static int add_command(struct unit *u, struct weft_str *out, struct weft_err *err)
{
	for (size_t i = 0; i < u->step->command.n; i++) {
		weft_autofree char *word = NULL;

		if (weft_scope_text(&u->scope, &u->step->command.v[i], &word, err))
			return -1;
		weft_str_addc(out, ' ');
		weft_str_add_shell_word(out, word);
	}
	return 0;
}

int script_setup(struct unit *u, struct weft_str *out, struct weft_err *err)
{
	const char *site = u->e->conf->role[u->step->role].setup;
	weft_autofree char *text = NULL;

	if (site) {
		weft_str_add(out, "# the site's setup of this role\n. ");
		weft_str_add_shell_word(out, site);
		weft_str_add(out, "\n");
	}
	if (!u->step->setup.s)
		return 0;
	if (weft_scope_text(&u->scope, &u->step->setup, &text, err))
		return -1;
	weft_str_printf(out, "# setup\n%s\n", text);
	return 0;
}

/* `setup` is bash's; without one the shell that starts in a quarter of the time does.
 */
const char *script_shell(const struct unit *u)
{
	return u->step->setup.s || u->e->conf->role[u->step->role].setup ? "/bin/bash"
									 : "/bin/sh";
}

int script_write(struct unit *u, char **path, struct weft_err *err)
{
	weft_autostr struct weft_str out = {0};
	weft_autoargv struct weft_argv words = {0};
	const struct weft_retry *retry = unit_retry(u);
	const struct weft_text *run =
		retry && retry->restart.s ? &retry->restart : &u->step->run;

	*path = NULL;
	weft_str_printf(&out, "#!%s\n# weft: step %s%s%s of run %s\nset -e\n",
		script_shell(u), u->step->name, *u->member.id ? ", member " : "",
		u->member.id, u->e->run->id);
	if (script_setup(u, &out, err) || launch_words(u, &words, err))
		return -1;
	weft_str_add(&out, "exec");
	add_words(&out, &words);
	if (run->s ? add_run(u, run, &out, err) : add_command(u, &out, err))
		return -1;
	weft_str_add(&out, "\n");
	if (words.failed || out.failed)
		return weft_err_nomem(err);
	return write_script(u->dir, "launch.sh", out.s, path, err);
}
