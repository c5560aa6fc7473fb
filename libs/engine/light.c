#include "engine/light.h"

#include "bind/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAN_IN_MAX 64 /* files that a light member gathers while others wait */

/* Does nothing of it take long enough to hold up the others? */
bool light_fits(const struct unit *u)
{
	const struct weft_step *step = u->step;

	if (step->sweep.kind == WEFT_SWEEP_NONE || unit_srun(u) ||
		u->plan->ntasks > 1 || step->checkpoint.signal ||
		(u->plan->launch != WEFT_LAUNCH_SINGLE &&
			u->plan->launch != WEFT_LAUNCH_DEFAULT) ||
		unit_on_nodes(u))
		return false;
	for (size_t i = 0; i < step->n_inputs; i++) {
		const struct weft_input *in = &step->input[i];

		if (in->mode == WEFT_MODE_COPY)
			return false;
		for (size_t k = 0; k < in->n_from; k++)
			if (in->from[k].step != WEFT_NO_STEP &&
				u->e->wf->step[in->from[k].step].sweep.count >
					FAN_IN_MAX &&
				!weft_spec_matches(u->e->wf, step,
					&(struct weft_edge){.step = in->from[k].step,
						.all = in->from[k].all}))
				return false;
	}
	for (size_t i = 0; i < step->n_files; i++)
		if (step->file[i].kind == WEFT_FILE_COPY)
			return false;
	return true;
}

static int digest(
	struct unit *u, char definition[WEFT_DIGEST_HEX], struct weft_err *err)
{
	char *own = weft_arena_alloc(&u->arena, WEFT_DIGEST_HEX);

	if (!own)
		return weft_err_nomem(err);
	if (!*definition &&
		weft_record_digest(u->e->wf, u->step, NULL, definition, err))
		return -1;
	u->record.definition = definition;
	u->record.digest = own;
	return weft_record_digest(u->e->wf, u->step, &u->member, own, err);
}

/* As member_prepare(), where as a rule nothing was before. */
static int prepare(struct light *l, struct weft_err *err)
{
	int r = logs_folder(l->logs, l->u.dir, err);

	return r > 0 ? member_prepare(&l->u, err) : r;
}

static int stage_in(struct unit *u, struct weft_err *err)
{
	if (!u->step->n_inputs)
		return files_place(u, err);
	return inputs_resolve(u, err) || inputs_stage(u, false, err) ||
			       files_place(u, err)
		       ? -1
		       : 0;
}

/* ---- its program --------------------------------------------------------- */

static int add_text(const struct unit *u, const struct weft_text *t,
	struct weft_argv *argv, struct weft_err *err)
{
	weft_autofree char *word = NULL;

	if (weft_scope_text(&u->scope, t, &word, err))
		return -1;
	weft_argv_add(argv, word);
	return 0;
}

/* A kernel's limit of one argument; a longer text goes by a file. */
#define ARGUMENT_MAX ((size_t)100 << 10)

/* `run` as an argument of the usual shell; another one reads it from a file. */
static int add_run(struct unit *u, struct weft_argv *argv, struct weft_err *err)
{
	weft_autofree char *text = NULL;

	if (weft_scope_text(&u->scope, &u->step->run, &text, err))
		return -1;
	for (size_t i = 0; i < u->step->shell.n; i++)
		if (add_text(u, &u->step->shell.v[i], argv, err))
			return -1;
	if (!u->step->shell.n) {
		weft_argv_add(argv, "/bin/bash");
		weft_argv_add(argv, "-eo");
		weft_argv_add(argv, "pipefail");
	}
	if (u->step->shell.n || strlen(text) > ARGUMENT_MAX) {
		weft_autofree char *path = NULL;

		if (script_run(u, text, &path, err))
			return -1;
		weft_argv_add(argv, path);
		return 0;
	}
	weft_argv_add(argv, "-c");
	weft_argv_add(argv, text);
	weft_argv_add(argv, "run.sh"); /* what it calls itself */
	return 0;
}

static int words(struct unit *u, struct weft_argv *argv, struct weft_err *err)
{
	weft_autostr struct weft_str setup = {0};

	if (script_setup(u, &setup, err))
		return -1;
	if (setup.len) {
		weft_str_add(&setup, "exec \"$@\"\n");
		weft_argv_add(argv, "/bin/bash");
		weft_argv_add(argv, "-ec");
		weft_argv_add(argv, setup.s);
		weft_argv_add(argv, "setup");
	}
	if (u->step->run.s) {
		if (add_run(u, argv, err))
			return -1;
	} else {
		for (size_t i = 0; i < u->step->command.n; i++)
			if (add_text(u, &u->step->command.v[i], argv, err))
				return -1;
	}
	return argv->failed || setup.failed ? weft_err_nomem(err) : 0;
}

/* What the child does last, and says of it in our memory. */
struct last {
	const struct weft_binding *b;
	const char *failed;
	int sys;
	bool differs;
};

static int bind_child(void *arg)
{
	struct last *l = arg;
	struct weft_cpuset is = {0};

	l->failed = weft_bind_apply(l->b);
	l->sys = l->failed ? errno : 0;
	if (!l->b->borrowed && !l->failed)
		l->differs =
			sched_getaffinity(0, sizeof(is.w), (cpu_set_t *)is.w) < 0 ||
			memcmp(&is, &l->b->cpus, sizeof(is)) != 0;
	return 0; /* binding is help, not a duty */
}

static void note_placement(
	struct light *l, const struct weft_str *what, const struct last *last)
{
	weft_autostr struct weft_str line = {0};

	weft_str_printf(&line, "task 0: %s", what->s ? what->s : "");
	if (last->failed)
		weft_str_printf(&line, " not applied: %s: %s", last->failed,
			strerror(last->sys));
	else if (last->b->borrowed)
		weft_str_add(&line, " not applied: borrowed topology");
	else
		weft_str_add(&line,
			last->differs ? " differs: other CPUs" : " applied, verified");
	if (last->failed || last->differs)
		weft_log(WEFT_WARN, "%s: %s", l->u.step->name, line.s);
	if (!line.failed)
		l->u.record.placement = weft_arena_strdup(&l->u.arena, line.s);
}

/* The program by the PATH that it will have. */
static char *find(const char *name, const struct weft_env *env)
{
	const char *path = weft_env_get(env, "PATH");

	if (strchr(name, '/'))
		return strdup(name);
	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		char *full = weft_printf("%.*s/%s", (int)n, p, name);
		struct stat st;

		if (full && n && *p == '/' && access(full, X_OK) == 0 &&
			stat(full, &st) == 0 && S_ISREG(st.st_mode))
			return full;
		free(full);
		p += n;
		p += *p == ':';
	}
	return NULL;
}

/* As a shell would say it. */
static int not_started(struct unit *u, const char *name, struct weft_err *err)
{
	u->record.exit_status = err && err->sys == EACCES ? 126 : 127;
	if (!err->text)
		weft_err_set(err, WEFT_EFAILED, "%s: there is no such program in PATH",
			name);
	err->code = WEFT_EFAILED;
	return -1;
}

static int spawn(struct light *l, struct weft_argv *argv, struct weft_env *env, int out,
	int errfd, struct weft_err *err)
{
	weft_autofree struct weft_binding *b = calloc(1, sizeof(*b));
	weft_autofree char *program = find(argv->v[0], env);
	weft_autostr struct weft_str what = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct last last = {.b = b};

	if (!b)
		return weft_err_nomem(err);
	if (!program)
		return not_started(&l->u, argv->v[0], err);
	bool bound = light_place(&l->u, env, b, &what);
	s.program = program;
	s.argv = argv->v;
	s.envp = env->vars.v;
	s.cwd = l->u.work;
	s.out = out;
	s.err = errfd;
	s.group = true;
	s.die_with_parent = true;
	s.prepare = bound ? bind_child : NULL;
	s.arg = &last;
	int r = weft_spawn(&s, &l->pid, err);
	if (r && err->sys == ENOEXEC) {
		/* A script that doesn't name its shell. */
		weft_autoargv struct weft_argv sh = {0};

		weft_argv_add(&sh, "/bin/sh");
		weft_argv_add(&sh, program);
		for (size_t i = 1; i < argv->n; i++)
			weft_argv_add(&sh, argv->v[i]);
		if (sh.failed)
			return weft_err_nomem(err);
		weft_err_clear(err);
		s.program = "/bin/sh";
		s.argv = sh.v;
		r = weft_spawn(&s, &l->pid, err);
	}
	if (r)
		return not_started(&l->u, argv->v[0], err);
	if (bound)
		note_placement(l, &what, &last);
	return 0;
}

static int start(struct light *l, struct weft_err *err)
{
	weft_autoargv struct weft_argv argv = {0};
	struct unit *u = &l->u;
	struct weft_env env = {0};
	int r = -1, out = -1, errfd = -1;

	if (unit_env(u, &env, err) || words(u, &argv, err))
		goto out;
	if (u->step->stdout_path.s &&
		(out = member_log(u, &u->step->stdout_path, "stdout", err)) < 0)
		goto out;
	if (u->step->stderr_path.s &&
		(errfd = member_log(u, &u->step->stderr_path, "stderr", err)) < 0)
		goto out;
	r = spawn(l, &argv, &env, out >= 0 ? out : l->logs->fd[0],
		errfd >= 0 ? errfd : l->logs->fd[1], err);
out:
	if (out >= 0)
		close(out);
	if (errfd >= 0)
		close(errfd);
	weft_env_free(&env);
	return r;
}

/* ---- its end ------------------------------------------------------------- */

/* Of what went well the working directory is of no more use; of what failed it is the
 * first thing to look at, if there is anything in it. */
static void clean_up(struct light *l)
{
	weft_autoerr struct weft_err err = {0};
	struct unit *u = &l->u;
	bool done = u->record.state == WEFT_STATE_DONE;

	if (l->empty)
		return;
	if (rmdir(u->work) && errno != ENOENT && done &&
		weft_remove_tree(u->work, &err))
		weft_log(WEFT_WARN, "%s: %s", u->step->name, err.text);
	weft_err_clear(&err);
	if (done && u->step->n_inputs) {
		weft_autofree char *in = weft_path_join(u->dir, "in");

		if (in && weft_remove_tree(in, &err))
			weft_log(WEFT_WARN, "%s: %s", u->step->name, err.text);
	}
	if (done && !u->record.n_outputs) {
		weft_autofree char *out = weft_path_join(u->dir, "out");

		if (out)
			rmdir(out);
	}
	/* A member's files are there only where there are any. */
	rmdir(u->dir);
}

/* Nothing was asked for, and nothing is there: no need to look for it. */
static bool made_nothing(struct light *l)
{
	l->empty = !l->u.step->n_outputs && !l->u.step->n_inputs &&
		   logs_silent(l->logs) && logs_folder_back(l->logs, l->u.dir) == 0;
	return l->empty;
}

static void end(struct light *l, struct weft_err *err)
{
	weft_autoerr struct weft_err own = {0};
	weft_autofree char *script = NULL;
	struct unit *u = &l->u;

	if (err->code)
		member_fail(u, err);
	if (!u->record.reason)
		u->record.reason = (char *)"";
	bool failed = u->record.state != WEFT_STATE_DONE;
	if (!failed && u->step->keep != WEFT_KEEP_ALL)
		logs_drop(l->logs, u->dir);
	else if (!l->empty &&
		 logs_settle(l->logs, u->dir, failed && l->pid > 0, &own)) {
		weft_log(WEFT_WARN, "%s: %s", u->step->name, own.text);
		weft_err_clear(&own);
	}
	/* How it was started, for who looks into it. */
	if (failed && script_write(u, &script, &own))
		weft_err_clear(&own);
	clean_up(l);
	member_fill(u);
	if (!l->empty)
		member_tidy(u);
}

int light_start(struct light *l, char definition[WEFT_DIGEST_HEX], struct logs *logs)
{
	weft_autoerr struct weft_err err = {0};
	struct unit *u = &l->u;

	l->logs = logs;
	u->engine = getppid();
	u->record.exit_status = -1;
	if (digest(u, definition, &err) || prepare(l, &err) || stage_in(u, &err))
		goto failed;
	u->record.started = weft_now();
	if (start(l, &err))
		goto failed;
	l->since = weft_monotonic();
	if ((!u->e->slurm || u->e->shared) && u->plan->time)
		l->deadline = l->since + (double)u->plan->time;
	return 0;
failed:
	end(l, &err);
	return -1;
}

bool light_reap(struct light *l, int status, const struct rusage *use)
{
	/* What the program left behind in its group doesn't outlive it. */
	kill(-l->pid, SIGKILL);
	l->end.status = status;
	l->end.use = *use;
	return !l->kill_at && unit_end_by_others(&l->end);
}

void light_finish(struct light *l)
{
	weft_autoerr struct weft_err err = {0};

	member_judge(&l->u, &l->end);
	if (l->u.record.state == WEFT_STATE_DONE && !made_nothing(l))
		member_stage_out(&l->u, &err);
	end(l, &err);
}

static void ask_to_end(struct light *l)
{
	kill(-l->pid, SIGTERM);
	l->kill_at = weft_monotonic() + MEMBER_GRACE;
}

void light_cancel(struct light *l)
{
	if (l->kill_at)
		return;
	l->end.cancelled = true;
	ask_to_end(l);
}

void light_tick(struct light *l, double now)
{
	if (l->deadline && !l->kill_at && now >= l->deadline) {
		l->end.over_time = true;
		ask_to_end(l);
	}
	if (l->kill_at && now >= l->kill_at) {
		kill(-l->pid, SIGKILL);
		l->kill_at = now + 3600;
	}
}

void light_abandon(struct light *l)
{
	double end = weft_monotonic() + MEMBER_GRACE;
	struct timespec pause = {0, 10000000};

	while (waitpid(l->pid, NULL, WNOHANG) == 0) {
		if (weft_monotonic() >= end)
			kill(-l->pid, SIGKILL);
		nanosleep(&pause, NULL);
	}
	kill(-l->pid, SIGKILL);
}
