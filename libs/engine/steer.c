/* steer.c - programs that look at members that have ended, and add and cancel others */
#include "engine/steer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILURES 3 /* calls in a row, then it is given up */
#define PAUSE 1.0  /* seconds after a failure */
#define SAID_MAX ((size_t)64 << 20)

static size_t ended(const struct engine *g, const struct steer *st)
{
	size_t n = 0;

	for (int s = 0; s <= WEFT_STATE_LOST; s++)
		if (weft_state_ended((enum weft_state)s))
			n += g->tally[st->step].count[s];
	return n;
}

/* ---- actions ------------------------------------------------------------- */

static int act(struct engine *g, const struct steer *st, struct weft_action a,
	struct weft_err *err)
{
	a.step = (char *)steer_step(g, st)->name;
	return grow_write(g, &a, err);
}

static int note(struct engine *g, const struct steer *st, const char *text,
	struct weft_err *err)
{
	weft_log(WEFT_WARN, "%s: steer: %s", steer_step(g, st)->name, text);
	return act(g, st,
		(struct weft_action){.kind = WEFT_ACTION_NOTE, .text = (char *)text},
		err);
}

static int index_ids(struct engine *g, struct steer *st, struct weft_err *err)
{
	const struct weft_step *step = steer_step(g, st);

	for (; st->n_ids < step->sweep.count; st->n_ids++) {
		struct weft_member m;

		if (weft_sweep_member(g->e->wf, step, st->n_ids, &m, err))
			return -1;
		char *id = weft_arena_strdup(&st->id, m.id);
		weft_member_clear(&m);
		if (!id || weft_map_add(&st->ids, id, st->n_ids, NULL) < 0)
			return weft_err_nomem(err);
	}
	return 0;
}

/* What hasn't begun is skipped, what runs is ended: neither is a failure. */
static void cancel_member(struct engine *g, struct steer *st, size_t i)
{
	if (weft_state_ended(g->slot[st->step][i].state))
		return;
	for (size_t k = 0; k < g->n_running; k++)
		if (g->run[k]->step == st->step && g->run[k]->member == i) {
			g->run[k]->off = true;
			run_cancel(g, g->run[k]);
			return;
		}
	finish_without(g, st->step, i, WEFT_STATE_SKIPPED, WEFT_OK, STEER_CANCELLED);
}

static void stop_sweep(struct engine *g, struct steer *st, const char *why)
{
	weft_autofree char *text = weft_printf("steering stopped the sweep: %s", why);

	for (size_t i = 0; i < g->count[st->step]; i++)
		if (g->slot[st->step][i].state == WEFT_STATE_NONE)
			finish_without(g, st->step, i, WEFT_STATE_SKIPPED, WEFT_OK,
				text ? text : why);
	weft_sweep_end(g->e->wf, st->step);
	st->over = true;
	g->grown = true;
}

static int add_member(struct engine *g, struct steer *st,
	const struct weft_value *params, const char **odd, struct weft_err *err)
{
	const struct weft_step *step = steer_step(g, st);
	weft_autostr struct weft_str json = {0};
	struct weft_action a = {
		.kind = WEFT_ACTION_ADD, .number = (int64_t)step->sweep.count};
	char id[WEFT_MEMBER_ID];
	size_t index;

	if (weft_sweep_id(params, id) || weft_value_json(&json, params) || json.failed)
		return weft_err_nomem(err);
	if (weft_map_get(&st->ids, id, &index)) {
		*odd = "there is such a member already";
		return 0;
	}
	if (weft_sweep_check(g->e->wf, st->step, params, err))
		return 1;
	a.member = id;
	a.params = json.s;
	if (act(g, st, a, err) ||
		weft_sweep_add(g->e->wf, st->step, params, &index, err))
		return -1;
	g->grown = true;
	return index_ids(g, st, err) || state_grow(g, err) ? -1 : 0;
}

static int find_member(
	struct steer *st, const struct weft_value *v, size_t *i, const char **odd)
{
	if (v->kind != WEFT_V_STRING)
		*odd = "a member is named by its id";
	else if (!weft_map_get(&st->ids, v->str, i))
		*odd = "there is no such member";
	return *odd ? -1 : 0;
}

static int set_priority(struct engine *g, struct steer *st, const struct weft_value *v,
	const char **odd, struct weft_err *err)
{
	size_t i;

	if (v->kind != WEFT_V_LIST || v->n != 2 || v->item[1].kind != WEFT_V_NUMBER ||
		!(v->item[1].num >= -1e9 && v->item[1].num <= 1e9)) {
		*odd = "a priority is [ID, NUMBER]";
		return 0;
	}
	if (find_member(st, &v->item[0], &i, odd))
		return 0;
	struct weft_action a = {.kind = WEFT_ACTION_PRIORITY,
		.member = v->item[0].str,
		.number = (int64_t)v->item[1].num};
	if (act(g, st, a, err))
		return -1;
	if (g->slot[st->step][i].state == WEFT_STATE_NONE &&
		queue_priority(g, st->step, i, (int)a.number))
		return weft_err_nomem(err);
	return 0;
}

/* One thing that the program said.  1 or *odd: it can't be, for what err or *odd says.
 */
static int obey(struct engine *g, struct steer *st, const struct weft_value *said,
	const char **odd, struct weft_err *err)
{
	const struct weft_value *v = said->item;
	size_t i;

	if (said->kind != WEFT_V_MAP || said->n != 1) {
		*odd = "an action is an object with one key";
		return 0;
	}
	if (weft_streq(said->name[0], "add")) {
		if (v->kind == WEFT_V_MAP)
			return add_member(g, st, v, odd, err);
		*odd = "params are an object";
	} else if (weft_streq(said->name[0], "cancel")) {
		if (find_member(st, v, &i, odd))
			return 0;
		if (act(g, st,
			    (struct weft_action){
				    .kind = WEFT_ACTION_CANCEL, .member = v->str},
			    err))
			return -1;
		cancel_member(g, st, i);
	} else if (weft_streq(said->name[0], "priority")) {
		return set_priority(g, st, v, odd, err);
	} else if (weft_streq(said->name[0], "stop")) {
		const char *why = v->kind == WEFT_V_STRING ? v->str : "";

		if (act(g, st,
			    (struct weft_action){
				    .kind = WEFT_ACTION_STOP, .text = (char *)why},
			    err))
			return -1;
		stop_sweep(g, st, why);
	} else {
		*odd = "an action is add, cancel, priority or stop";
	}
	return 0;
}

static int obey_line(struct engine *g, struct steer *st, const char *line, size_t n,
	struct weft_err *err)
{
	weft_autoerr struct weft_err bad = {0};
	struct weft_value said;
	const char *odd = NULL;

	int r = weft_spec_json(line, n, &said, &bad) ? 1
						     : obey(g, st, &said, &odd, &bad);
	weft_value_clear(&said);
	if (r < 0) {
		weft_err_move(err, &bad);
		return -1;
	}
	if (r == 0 && !odd)
		return 0;
	weft_autofree char *text = weft_printf("%s: %.*s",
		odd ? odd : (bad.text ? bad.text : "it can't be read"),
		(int)(n < 200 ? n : 200), line);
	return text ? note(g, st, text, err) : weft_err_nomem(err);
}

static int obey_all(struct engine *g, struct steer *st, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(st->dir, "stdout"), *text = NULL;
	weft_autoerr struct weft_err bad = {0};
	size_t n = 0;

	if (!path)
		return weft_err_nomem(err);
	if (weft_read_file(path, SAID_MAX, &text, &n, &bad))
		return note(g, st, bad.text ? bad.text : path, err);
	for (const char *p = text, *end = text + n; p < end && !st->over;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl : end) - p);

		if (strspn(p, " \t\r") < len && obey_line(g, st, p, len, err))
			return -1;
		p = nl ? nl + 1 : end;
	}
	return 0;
}

/* ---- the program --------------------------------------------------------- */

static int open_dir(struct steer *st, struct weft_err *err)
{
	weft_autofree char *path = weft_path_join(st->dir, "results.jsonl");

	if (!path)
		return weft_err_nomem(err);
	if (weft_mkdirs(st->dir, 0777, err))
		return -1;
	st->results = open(path,
		O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
	return st->results < 0 ? weft_err_sys(err, WEFT_ESYS, "%s", path) : 0;
}

static int program(struct unit *u, struct weft_argv *argv, struct weft_err *err)
{
	const struct weft_steer *s = &u->step->steer;
	static const char *const shell[] = {"/bin/bash", "-eo", "pipefail", "-c"};

	for (size_t i = 0; s->run.s && i < WEFT_COUNT(shell); i++)
		weft_argv_add(argv, shell[i]);
	for (size_t i = 0; i < (s->run.s ? 1 : s->command.n); i++) {
		weft_autofree char *word = NULL;

		if (weft_scope_text(&u->scope, s->run.s ? &s->run : &s->command.v[i],
			    &word, err))
			return -1;
		weft_argv_add(argv, word);
	}
	return argv->failed ? weft_err_nomem(err) : 0;
}

static int environment(struct unit *u, const struct steer *st, struct weft_env *env,
	struct weft_err *err)
{
	weft_autofree char *results = weft_path_join(st->dir, "results.jsonl");
	weft_autofree char *pending = weft_path_join(st->dir, "pending.jsonl");

	if (unit_env(u, env, err))
		return -1;
	/* Of one member, and this is of all. */
	weft_env_unset_prefix(env, "WEFT_PARAM");
	weft_env_unset_prefix(env, "WEFT_MEMBER");
	weft_env_unset_prefix(env, "WEFT_OUTPUT");
	weft_env_unset_prefix(env, "WEFT_METRICS");
	weft_env_unset_prefix(env, "WEFT_STEP_DIR");
	if (!results || !pending || weft_env_set(env, "WEFT_RESULTS", results) ||
		weft_env_set(env, "WEFT_PENDING", pending))
		return weft_err_nomem(err);
	return 0;
}

static int spawn(struct engine *g, struct steer *st, struct weft_err *err)
{
	weft_autoargv struct weft_argv argv = {0};
	weft_autofree char *out = weft_path_join(st->dir, "stdout");
	weft_autofree char *log = weft_path_join(st->dir, "stderr");
	struct weft_spawn s = WEFT_SPAWN_INIT;
	struct weft_env env = {0};
	struct unit u = {0};
	int r = -1;

	s.out = s.err = -1;
	if (!out || !log) {
		weft_err_nomem(err);
		goto done;
	}
	if (unit_open(&u, g->e, steer_step(g, st), 0, err))
		goto done;
	steer_sit(g, st, &u, &s);
	if (program(&u, &argv, err) || environment(&u, st, &env, err))
		goto done;
	s.out = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	s.err = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (s.out < 0 || s.err < 0) {
		weft_err_sys(err, WEFT_ESYS, "%s", s.out < 0 ? out : log);
		goto done;
	}
	s.argv = argv.v;
	s.envp = env.vars.v;
	s.cwd = st->dir;
	s.group = true;
	s.die_with_parent = true;
	r = weft_spawn(&s, &st->pid, err);
done:
	if (s.out >= 0)
		close(s.out);
	if (s.err >= 0)
		close(s.err);
	weft_env_free(&env);
	unit_close(&u);
	return r;
}

/* A call that failed is tried again, and then the sweep goes on by itself. */
static int call_failed(
	struct engine *g, struct steer *st, const char *why, struct weft_err *err)
{
	st->seen = 0; /* what it was to see it hasn't seen */
	st->from = weft_monotonic() + PAUSE;
	if (note(g, st, why, err))
		return -1;
	if (++st->failed < FAILURES)
		return 0;
	st->over = true;
	return note(g, st, "it failed too often: the sweep goes on without it", err);
}

static int call(struct engine *g, struct steer *st, struct weft_err *err)
{
	weft_autoerr struct weft_err bad = {0};
	double now = weft_monotonic();
	int kept = keep_commit(g, err);

	if (kept)
		return kept < 0 ? -1 : 0;
	if (index_ids(g, st, err))
		return -1;
	st->seen = ended(g, st);
	st->last = now;
	st->late = false;
	st->deadline = now + (double)steer_step(g, st)->steer.time;
	if ((st->results < 0 && open_dir(st, &bad)) || steer_write_files(g, st, &bad) ||
		spawn(g, st, &bad)) {
		st->pid = 0;
		weft_autofree char *line = weft_err_line(&bad);
		return call_failed(g, st, line ? line : "out of memory", err);
	}
	st->calls++;
	return 0;
}

static int take(struct engine *g, struct steer *st, int status, struct weft_err *err)
{
	weft_autofree char *why = NULL;

	kill(-st->pid, SIGKILL); /* what it left behind */
	st->pid = 0;
	if (obey_all(g, st, err))
		return -1;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		st->failed = 0;
		return 0;
	}
	if (st->over)
		return 0;
	why = st->late            ? strdup("its program ran into its time limit")
	      : WIFEXITED(status) ? weft_printf("its program exited with status %d",
					    WEXITSTATUS(status))
				  : weft_printf("its program was killed by signal %d",
					    WTERMSIG(status));
	return why ? call_failed(g, st, why, err) : weft_err_nomem(err);
}

/* ---- when ---------------------------------------------------------------- */

static bool is_due(const struct engine *g, const struct steer *st, bool idle)
{
	const struct weft_steer *s = &steer_step(g, st)->steer;
	double now = weft_monotonic();
	size_t new = ended(g, st) - st->seen;

	if (st->over || st->pid || now < st->from || !new)
		return false;
	if (idle)
		return true;
	if (s->every_members)
		return new >= s->every_members;
	return now >= st->last + (double)s->every;
}

/* Nothing of it runs or waits, and the program has seen all and added nothing. */
static int end_sweep(struct engine *g, struct steer *st, struct weft_err *err)
{
	struct weft_action a = {.kind = WEFT_ACTION_STOP,
		.text = (char *)"all members have ended and none was added"};

	/* A run that was ended may be resumed: no decision of the program's. */
	if (!g->stop && !g->stopping && act(g, st, a, err))
		return -1;
	weft_sweep_end(g->e->wf, st->step);
	st->over = true;
	g->grown = true;
	return 0;
}

static int look(struct engine *g, struct steer *st, struct weft_err *err)
{
	const struct weft_step *step = steer_step(g, st);
	bool idle = ended(g, st) >= step->sweep.count;
	int status;

	if (st->pid) {
		pid_t got = waitpid(st->pid, &status, WNOHANG);

		if (got == st->pid)
			return take(g, st, status, err) ? -1 : look(g, st, err);
		if (!st->late && weft_monotonic() >= st->deadline) {
			st->late = true;
			kill(-st->pid, SIGKILL);
		}
		return 0;
	}
	if (!step->sweep.growing)
		return 0;
	if (g->stop || g->stopping)
		return idle ? end_sweep(g, st, err) : 0;
	if (is_due(g, st, idle))
		return call(g, st, err);
	if (idle && (st->over || ended(g, st) == st->seen))
		return end_sweep(g, st, err);
	return 0;
}

int steer_look(struct engine *g, struct weft_err *err)
{
	for (size_t i = 0; i < g->n_steers; i++) {
		struct steer *st = &g->steer[i];

		if (look(g, st, err))
			return -1;
		if (st->over && !st->pid)
			steer_rise(g, st);
	}
	return 0;
}

bool steer_busy(const struct engine *g)
{
	for (size_t i = 0; i < g->n_steers; i++) {
		const struct steer *st = &g->steer[i];

		if (st->pid || (!st->over && !g->stopping && !g->stop &&
				       ended(g, st) > st->seen))
			return true;
	}
	return false;
}

time_t steer_wait(const struct engine *g, time_t most)
{
	double now = weft_monotonic();

	for (size_t i = 0; i < g->n_steers; i++) {
		const struct steer *st = &g->steer[i];
		double at = st->pid ? st->deadline
			    : st->from > now
				    ? st->from
				    : st->last + (double)steer_step(g, st)->steer.every;

		if (st->pid && st->late)
			continue; /* its end wakes us */
		if (!st->pid && (st->over || ended(g, st) == st->seen))
			continue;
		if (at - now < (double)most)
			most = at > now ? (time_t)(at - now) + 1 : 1;
	}
	return most;
}

/* ---- from one engine to the next ----------------------------------------- */

/* Members that were added are there already: the rest of what was said. */
static int replay(struct engine *g, struct steer *st, struct weft_err *err)
{
	const struct weft_step *step = steer_step(g, st);
	struct weft_action *v;
	size_t n, m;
	int bad = index_ids(g, st, err);

	if (bad || weft_actions_read(g->e->run, &v, &n, err))
		return -1;
	for (size_t i = 0; !bad && i < n; i++) {
		if (!weft_streq(v[i].step, step->name))
			continue;
		if (v[i].kind == WEFT_ACTION_STOP)
			stop_sweep(g, st, v[i].text);
		else if (!weft_map_get(&st->ids, v[i].member, &m))
			continue;
		else if (v[i].kind == WEFT_ACTION_CANCEL)
			cancel_member(g, st, m);
		else if (v[i].kind == WEFT_ACTION_PRIORITY &&
			 g->slot[st->step][m].state == WEFT_STATE_NONE &&
			 queue_priority(g, st->step, m, (int)v[i].number))
			bad = weft_err_nomem(err);
	}
	weft_actions_free(v, n);
	return bad;
}

int steer_open(struct engine *g, struct weft_err *err)
{
	const struct weft_workflow *wf = g->e->wf;
	size_t n = 0;

	for (size_t s = 0; s < wf->n_steps; s++)
		n += g->ours[s] && wf->step[s].steer.given;
	g->steer = calloc(n + 1, sizeof(*g->steer));
	if (!g->steer)
		return weft_err_nomem(err);
	for (unsigned s = 0; s < wf->n_steps; s++) {
		if (!g->ours[s] || !wf->step[s].steer.given)
			continue;
		struct steer *st = &g->steer[g->n_steers++];
		weft_autofree char *dir =
			weft_run_step_dir(g->e->run, &wf->step[s], NULL);

		st->step = s;
		st->results = -1;
		st->dir = dir ? weft_path_join(dir, "steer") : NULL;
		if (!st->dir)
			return weft_err_nomem(err);
		if (replay(g, st, err))
			return -1;
	}
	return 0;
}

void steer_close(struct engine *g)
{
	for (size_t i = 0; i < g->n_steers; i++) {
		struct steer *st = &g->steer[i];

		if (st->pid) {
			kill(-st->pid, SIGKILL);
			waitpid(st->pid, NULL, 0);
		}
		if (st->results >= 0)
			close(st->results);
		weft_map_free(&st->ids);
		weft_arena_free(&st->id);
		steer_rise(g, st);
		free(st->told);
		free(st->dir);
	}
	free(g->steer);
}
