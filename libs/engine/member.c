/* member.c - one member from its inputs to its completion record.  Runs in a
 * process of its own, one thing after the other. */
#include "engine/hand.h"
#include "engine/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void journal(struct unit *u, enum weft_state state, const char *text)
{
	if (hand_event(u->hand, u->step->index, u->index, state, text))
		weft_log(WEFT_WARN, "journal: %s", strerror(errno));
}

void member_fill(struct unit *u)
{
	u->record.step = (char *)u->step->name;
	u->record.member =
		u->step->sweep.kind == WEFT_SWEEP_NONE ? (char *)"" : u->member.id;
	u->record.index = u->index;
	u->record.job = (char *)u->e->job;
	u->record.attempt = u->slot.attempt;
	u->record.ended = weft_now();
	hashes_record(u);
	checkpoint_again(u);
	cause_again(u);
}

/* Before the record says so: killed in between, it is a member that runs again. */
void member_tidy(struct unit *u)
{
	static const char *const own[] = {"stdout", "stderr", "run.sh", "launch.sh",
		"work", "in", "parts", "rendezvous"};
	weft_autoerr struct weft_err err = {0};
	enum weft_state state = u->record.state;

	/* Of one that was cancelled or waits for another attempt nothing is over. */
	if (u->step->keep == WEFT_KEEP_ALL ||
		(state != WEFT_STATE_DONE && state != WEFT_STATE_FAILED) ||
		(state == WEFT_STATE_FAILED && u->step->keep == WEFT_KEEP_FAILED))
		return;
	for (size_t i = 0; i < WEFT_COUNT(own); i++) {
		weft_autofree char *path = weft_path_join(u->dir, own[i]);

		if (path && weft_remove_tree(path, &err)) {
			weft_log(WEFT_WARN, "%s: %s", u->step->name, err.text);
			weft_err_clear(&err);
		}
	}
	/* Its record is elsewhere. */
	if (u->step->sweep.kind != WEFT_SWEEP_NONE)
		rmdir(u->dir);
}

static int record(struct unit *u, struct weft_err *err)
{
	weft_autostr struct weft_str line = {0};

	member_fill(u);
	member_tidy(u);
	if (u->step->sweep.kind == WEFT_SWEEP_NONE) {
		if (weft_record_write(u->dir, &u->record, err))
			return -1;
		journal(u, u->record.state, u->record.reason);
		return 0;
	}
	if (weft_record_print(&u->record, &line, err))
		return -1;
	if (hand_record(u->hand, u->step->index, u->index, line.s, line.len))
		return weft_err_sys(err, WEFT_ESYS, "handing over a record");
	return 0;
}

/* What an earlier try left goes away: a run starts in an empty directory. */
int member_prepare(struct unit *u, struct weft_err *err)
{
	static const char *const leftover[] = {"done.json", "work", "out", "in",
		"parts", "metrics.jsonl", "rendezvous"};

	if (weft_mkdirs(u->dir, 0777, err))
		return -1;
	for (size_t i = 0; i < WEFT_COUNT(leftover); i++) {
		weft_autofree char *path = weft_path_join(u->dir, leftover[i]);

		if (unit_goes_on(u) && weft_streq(leftover[i], "work"))
			continue;
		if (!path)
			return weft_err_nomem(err);
		if (weft_remove_tree(path, err))
			return -1;
	}
	if (u->step->scratch == WEFT_SCRATCH_SHARED && weft_mkdirs(u->work, 0777, err))
		return -1;
	return 0;
}

int member_digest(struct unit *u, struct weft_err *err)
{
	char *own = weft_arena_alloc(&u->arena, WEFT_DIGEST_HEX);
	char *all = weft_arena_alloc(&u->arena, WEFT_DIGEST_HEX);

	u->record.digest = own;
	u->record.definition = all;
	if (!own || !all)
		return weft_err_nomem(err);
	if (weft_record_digest(u->e->wf, u->step, NULL, all, err))
		return -1;
	return weft_record_digest(u->e->wf, u->step, &u->member, own, err);
}

static int stage_in(struct unit *u, struct weft_err *err)
{
	if (unit_node_roots(u, err) || inputs_resolve(u, err) ||
		inputs_stage(u, false, err))
		return -1;
	if (unit_on_nodes(u)) {
		double start = weft_monotonic();
		uint64_t before = u->moved; /* counted already */

		if (launch_on_nodes(u, "stage-in", err) || cast_run(u, err))
			return -1;
		u->record.stage_seconds += weft_monotonic() - start;
		u->record.staged_in += u->moved - before;
	}
	return u->step->scratch == WEFT_SCRATCH_SHARED ? files_place(u, err) : 0;
}

int member_log(struct unit *u, const struct weft_text *text, const char *name,
	struct weft_err *err)
{
	weft_autofree char *path = NULL, *given = NULL;

	if (text->s) {
		if (weft_scope_text(&u->scope, text, &given, err))
			return -1;
		path = weft_path_absolute(u->dir, given);
	} else {
		path = weft_path_join(u->dir, name);
	}
	if (!path)
		return weft_err_nomem(err);
	if (unit_may_write(u, path, err))
		return -1;
	int fd = open(path,
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY |
			(unit_goes_on(u) ? 0 : O_TRUNC),
		0666);
	return fd < 0 ? weft_err_sys(err, WEFT_ESYS, "%s", path) : fd;
}

static int start(struct unit *u, pid_t *pid, struct weft_err *err)
{
	weft_autofree char *script = NULL;
	struct weft_env env = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	/* Until the program's own working directory exists here: it may be on
	 * another node. */
	bool here = u->step->scratch == WEFT_SCRATCH_SHARED || !unit_srun(u);
	int r = -1, out = -1, errfd = -1;

	placed_open(u);
	if (unit_env(u, &env, err) || script_write(u, &script, err))
		goto out;
	out = member_log(u, &u->step->stdout_path, "stdout", err);
	errfd = out < 0 ? -1 : member_log(u, &u->step->stderr_path, "stderr", err);
	if (errfd < 0)
		goto out;
	char *argv[] = {(char *)script_shell(u), script, NULL};
	s.argv = argv;
	s.envp = env.vars.v;
	s.cwd = here ? u->work : u->dir;
	s.out = out;
	s.err = errfd;
	s.group = true;
	s.die_with_parent = true;
	r = weft_spawn(&s, pid, err);
out:
	if (out >= 0)
		close(out);
	if (errfd >= 0)
		close(errfd);
	weft_env_free(&env);
	return r;
}

void signals_watched(sigset_t *set)
{
	struct sigaction hup;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	/* Under nohup it stays ignored. */
	if (sigaction(SIGHUP, NULL, &hup) || hup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
}

static bool ended_by(int status, int sig)
{
	return (WIFSIGNALED(status) && WTERMSIG(status) == sig) ||
	       (WIFEXITED(status) && WEXITSTATUS(status) == 128 + sig);
}

bool unit_end_by_others(const struct unit_end *end)
{
	return !end->cancelled && !end->over_time &&
	       (ended_by(end->status, SIGTERM) || ended_by(end->status, SIGKILL));
}

static void wait_for(struct unit *u, pid_t pid, double deadline, struct unit_end *end)
{
	double kill_at = 0, tell_at = checkpoint_at(u, deadline);
	sigset_t set;

	signals_watched(&set);
	for (;;) {
		pid_t got = wait4(pid, &end->status, WNOHANG, &end->use);

		if (got == pid || (got < 0 && errno != EINTR))
			break;
		double now = weft_monotonic(), next = now + 60;
		if (tell_at && !kill_at && now >= tell_at) {
			tell_at = 0;
			u->told = checkpoint_tell(u, pid);
		}
		if (deadline && !kill_at && now >= deadline) {
			end->over_time = true;
			kill(-pid, SIGTERM);
			kill_at = now + MEMBER_GRACE;
		}
		if (kill_at && now >= kill_at) {
			kill(-pid, SIGKILL);
			kill_at = now + 3600;
		}
		if (kill_at && kill_at < next)
			next = kill_at;
		if (!kill_at && deadline && deadline < next)
			next = deadline;
		if (!kill_at && tell_at && tell_at < next)
			next = tell_at;
		double left = next - now > 0 ? next - now : 0;
		struct timespec t = {(time_t)left, (long)(fmod(left, 1) * 1e9)};
		int sig = sigtimedwait(&set, NULL, &t);
		if ((sig == SIGTERM || sig == SIGINT || sig == SIGHUP) && !kill_at) {
			end->cancelled = true;
			kill(-pid, SIGTERM);
			kill_at = weft_monotonic() + MEMBER_GRACE;
		}
	}
	/* Slurm signals all of a job at once: the program may have heard it before us.
	 */
	struct timespec moment = {1, 0};
	int told = 0;
	if (!kill_at && unit_end_by_others(end))
		while ((told = sigtimedwait(&set, NULL, &moment)) == SIGCHLD)
			;
	end->cancelled |= told == SIGTERM || told == SIGINT || told == SIGHUP;
	/* What the program left behind in its group doesn't outlive it. */
	kill(-pid, SIGKILL);
}

/* Was this end the allocation's limit rather than a person's? */
static bool at_limit(const struct unit *u)
{
	return u->e->end > 0 && weft_now() >= u->e->end - 5;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

/* What wait4() says of its processes; of a step of srun it would be srun's own. */
static void note_use(struct unit *u, const struct rusage *use)
{
	struct weft_record *r = &u->record;
	struct rusage own;

	if (unit_srun(u))
		return;
	r->user_seconds = seconds(&use->ru_utime);
	r->system_seconds = seconds(&use->ru_stime);
	/* Until its exec it had our memory, and the kernel counts that, too. */
	if (getrusage(RUSAGE_SELF, &own) == 0 && use->ru_maxrss > own.ru_maxrss)
		r->max_rss = (uint64_t)use->ru_maxrss * 1024;
}

/* What ends by now does so because all of the job does: not the member's fault, and the
 * next job has it again. */
static bool job_is_over(struct unit *u)
{
	if (!u->e->shared || !at_limit(u))
		return false;
	u->record.reason = (char *)"the job that it ran in came to its time limit";
	if (u->e->go_on)
		u->record.state = WEFT_STATE_NONE;
	return true;
}

static void judge_told(struct unit *u, const char *what)
{
	struct weft_record *r = &u->record;

	if (getppid() != u->engine) {
		r->state = WEFT_STATE_LOST;
		r->reason = (char *)"the engine that ran it died";
	} else {
		r->state = WEFT_STATE_CANCELLED;
		r->code = WEFT_EINTR;
		r->reason = (char *)what;
	}
}

void member_judge(struct unit *u, const struct unit_end *end)
{
	struct weft_record *r = &u->record;
	char limit[WEFT_UNIT_MAX];

	note_use(u, &end->use);

	r->state = WEFT_STATE_FAILED;
	r->code = WEFT_EFAILED;
	r->exit_status = WIFEXITED(end->status) ? WEXITSTATUS(end->status) : -1;
	r->signal = WIFSIGNALED(end->status) ? WTERMSIG(end->status) : 0;
	/* A shell and srun say 128 + N when their program died of signal N. */
	if (r->exit_status > 128 && r->exit_status < 128 + 65)
		r->signal = r->exit_status - 128;
	/* At its limit Slurm ends the step itself, perhaps before it tells us. */
	bool timeout = false,
	     stopped = end->cancelled || r->signal == SIGTERM || r->signal == SIGKILL;
	if (stopped && !end->over_time && job_is_over(u)) {
		timeout = true;
	} else if (end->over_time || (stopped && at_limit(u))) {
		r->reason =
			weft_arena_printf(&u->arena, "ran into its time limit of %s",
				weft_format_duration(limit, u->plan->time));
		timeout = true;
	} else if (end->cancelled) {
		judge_told(u, "cancelled while it ran");
	} else if (r->signal) {
		r->reason = weft_arena_printf(&u->arena,
			"killed by signal %d (SIG%s)%s", r->signal,
			sigabbrev_np(r->signal) ? sigabbrev_np(r->signal) : "?",
			r->signal == SIGKILL ? ": out of memory, perhaps" : "");
	} else if (r->exit_status) {
		r->reason = weft_arena_printf(
			&u->arena, "exited with status %d", r->exit_status);
	} else {
		r->state = WEFT_STATE_DONE;
		r->code = WEFT_OK;
		r->reason = (char *)"";
	}
	cause_find(u, timeout, r->max_rss);
}

int member_stage_out(struct unit *u, struct weft_err *err)
{
	weft_autofree char *out = weft_path_join(u->dir, "out");
	weft_autofree char *parts = weft_path_join(u->dir, "parts");

	if (!out || !parts)
		return weft_err_nomem(err);
	if (u->step->scratch == WEFT_SCRATCH_SHARED) {
		if (outputs_publish(u, out, err))
			return -1;
	} else {
		double begin = weft_monotonic();

		journal(u, WEFT_STATE_STAGING, STAGING_OUT);
		if (weft_mkdirs(parts, 0777, err) ||
			launch_on_nodes(u, "stage-out", err) ||
			outputs_merge(u, parts, u->slot.n_nodes, out, err)) {
			/* Of a failure it may be all that there is to look at. */
			if (stop_told())
				(void)!weft_remove_tree(parts, NULL);
			return -1;
		}
		u->record.stage_seconds += weft_monotonic() - begin;
	}
	if (outputs_record(u, out, err))
		return -1;
	if (u->step->scratch != WEFT_SCRATCH_SHARED)
		for (size_t i = 0; i < u->record.n_outputs; i++)
			u->record.staged_out += u->record.output[i].bytes;
	return 0;
}

/* The working directory of what went well is of no more use; of what failed it is
 * the first thing to look at. */
static void clean_up(struct unit *u)
{
	weft_autoerr struct weft_err err = {0};
	weft_autofree char *in = weft_path_join(u->dir, "in");

	if (unit_on_nodes(u) && launch_on_nodes(u, "stage-clean", &err)) {
		weft_log(WEFT_WARN, "%s: cleaning up: %s", u->step->name, err.text);
		weft_err_clear(&err);
	}
	if (u->record.state != WEFT_STATE_DONE)
		return;
	if (u->step->scratch == WEFT_SCRATCH_SHARED && weft_remove_tree(u->work, &err))
		weft_log(WEFT_WARN, "%s: %s", u->step->name, err.text);
	weft_err_clear(&err);
	if (in && weft_remove_tree(in, &err))
		weft_log(WEFT_WARN, "%s: %s", u->step->name, err.text);
}

/* An error of ours becomes the member's end. */
void member_fail(struct unit *u, struct weft_err *err)
{
	weft_autofree char *line = weft_err_line(err);
	struct weft_record *r = &u->record;

	r->state = WEFT_STATE_FAILED;
	r->code = err->code && err->code < WEFT_EINTR ? err->code : WEFT_ESTAGE;
	if (err->code != WEFT_EINTR) {
		r->reason = weft_arena_strdup(&u->arena, line ? line : "out of memory");
	} else if (job_is_over(u)) {
		r->code = WEFT_EFAILED;
		cause_find(u, true, 0);
	} else {
		judge_told(u, "cancelled while it staged");
	}
	weft_err_clear(err);
}

/* Told to end, a copy does so. */
static int promptly(struct unit *u, int (*stage)(struct unit *, struct weft_err *),
	struct weft_err *err)
{
	stop_hear(true);
	int r = stage(u, err);
	stop_hear(false);
	return r;
}

static int run(struct unit *u, struct weft_err *err)
{
	struct unit_end end = {0};
	pid_t pid;

	if (member_digest(u, err) || member_prepare(u, err))
		return -1;
	journal(u, WEFT_STATE_STAGING, "");
	if (promptly(u, stage_in, err))
		return -1;
	if (stop_told())
		return weft_err_set(err, WEFT_EINTR, "interrupted");
	u->record.started = weft_now();
	cause_begin(u);
	if (start(u, &pid, err))
		return -1;
	journal(u, WEFT_STATE_RUNNING, u->record.hosts);
	/* In a job of its own Slurm keeps the time; else we do. */
	double deadline = (!u->e->slurm || u->e->shared) && u->plan->time
				  ? weft_monotonic() + (double)u->plan->time
				  : 0;
	wait_for(u, pid, deadline, &end);
	placed_read(u);
	member_judge(u, &end);
	return u->record.state == WEFT_STATE_DONE ? promptly(u, member_stage_out, err)
						  : 0;
}

enum weft_code member_run(const struct weft_engine *e, const struct weft_step *step,
	size_t member, const struct slot *slot, int hand)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_engine own = *e;
	enum weft_code code;
	struct unit u;
	char host[256] = "";

	own.stop = stop_hear(false);
	if (unit_open_attempt(&u, &own, step, member, slot->attempt, &err)) {
		weft_log(WEFT_ERROR, "%s: %s", step->name, err.text);
		unit_close(&u);
		return WEFT_EFAILED;
	}
	gethostname(host, sizeof(host) - 1);
	u.engine = getppid();
	u.hand = hand;
	u.slot = *slot;
	u.record.exit_status = -1;
	u.record.hosts = slot->nodes ? (char *)slot->nodes : host;
	if (run(&u, &err)) {
		/* What failed after that failed for that. */
		if (stop_told())
			err.code = WEFT_EINTR;
		member_fail(&u, &err);
	}
	if (!u.record.reason)
		u.record.reason = (char *)"";
	clean_up(&u);
	placed_close(&u);
	code = u.record.code;
	if (record(&u, &err)) {
		weft_log(WEFT_ERROR, "%s: %s", step->name, err.text);
		code = WEFT_EFAILED;
	}
	unit_close(&u);
	return code;
}
