#include "engine/agent.h"

#include "engine/guard.h"
#include "engine/hand.h"
#include "engine/light.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK 0.2       /* seconds between two looks at time limits */
#define MOMENT 1.0     /* in which a signal of the job's has come to all of it */
#define SHOW_AFTER 1.0 /* of a member that has run for so long others are told */

struct agent_member {
	struct agent *a;
	size_t at; /* in a->member */
	unsigned step;
	size_t member;
	void *tag;
	pid_t pid;            /* -1: it has ended */
	bool full;            /* pid goes the whole way with it */
	struct weft_str line; /* full: of its record, as far as it was handed over */
	bool recorded;        /* ... which is all of it */
	bool shown;
	double held;  /* its program has ended; until then that doesn't count */
	size_t place; /* in the guard's table */
	struct light light;
};

struct agent {
	const struct weft_engine *e;
	struct weft_loop *loop;
	const struct agent_sink *sink;
	void *ctx;
	struct agent_member **member;
	size_t n, cap;
	char (*definition)[WEFT_DIGEST_HEX]; /* of each step */
	struct log_pool logs;
	struct guard guard;
	struct weft_timer *tick;
	bool ticking;
	struct weft_soon soon;
	struct agent_member **ended; /* without having run */
	size_t n_ended, cap_ended;
	char host[256];
	int hand[2]; /* of those that go the whole way */
	struct weft_watch *watch;
};

static void drop(struct agent_member *m)
{
	struct agent *a = m->a;

	a->member[m->at] = a->member[--a->n];
	a->member[m->at]->at = m->at;
	if (!a->n && a->ticking) {
		weft_timer_stop(a->tick);
		a->ticking = false;
	}
	weft_str_free(&m->line);
	if (!m->full)
		unit_close(&m->light.u);
	free(m);
}

/* ---- time ---------------------------------------------------------------- */

static void show(struct agent_member *m)
{
	struct light *l = &m->light;

	m->shown = true;
	logs_show(l->logs, l->u.dir);
	m->a->sink->event(m->a->ctx, m->step, m->member, WEFT_STATE_RUNNING,
		l->u.record.hosts, l->u.record.started);
}

static void light_over(struct agent_member *m);

static void tick(void *arg)
{
	struct agent *a = arg;
	double now = weft_monotonic();

	/* One that is over gives its place to one that was looked at. */
	for (size_t i = a->n; i-- > 0;) {
		struct agent_member *m = a->member[i];

		if (m->held && now >= m->held) {
			light_finish(&m->light);
			light_over(m);
			continue;
		}
		if (m->full || m->pid <= 0)
			continue;
		light_tick(&m->light, now);
		if (!m->shown && now >= m->light.since + SHOW_AFTER)
			show(m);
	}
}

/* ---- ends ---------------------------------------------------------------- */

static void light_over(struct agent_member *m)
{
	struct agent *a = m->a;

	if (m->light.logs)
		logs_give(&a->logs, m->light.logs);
	a->sink->ended(a->ctx, m->tag, &m->light.u.record);
	drop(m);
}

static void light_ended(void *arg, const struct weft_child_end *end)
{
	struct agent_member *m = arg;

	guard_drop(&m->a->guard, m->place);
	m->pid = -1;
	/* Slurm signals all of a job at once: who is about to be ended, too, doesn't
	 * count that as the member's failure. */
	if (light_reap(&m->light, end->status, &end->usage)) {
		m->held = weft_monotonic() + MOMENT;
		return;
	}
	light_finish(&m->light);
	light_over(m);
}

/* Those that ended before they began. */
static void tell_ended(void *arg)
{
	struct agent *a = arg;

	while (a->n_ended)
		light_over(a->ended[--a->n_ended]);
}

static void take_words(struct agent *a)
{
	weft_autoerr struct weft_err err = {0};
	struct hand_got got;

	while (hand_take(a->hand[0], &got, &err) == 0) {
		struct agent_member *of = NULL;

		for (size_t i = 0; i < a->n; i++)
			if (a->member[i]->full && a->member[i]->step == got.step &&
				a->member[i]->member == got.member)
				of = a->member[i];
		if (!of)
			continue;
		if (!got.record) {
			a->sink->event(a->ctx, got.step, got.member, got.state,
				got.data, got.time);
			continue;
		}
		weft_str_addn(&of->line, got.data, got.n);
		of->recorded = got.last && !of->line.failed;
	}
	if (err.code)
		weft_log(WEFT_WARN, "%s", err.text);
}

static void hear(void *arg, unsigned what)
{
	(void)what;
	take_words(arg);
}

static void full_ended(void *arg, const struct weft_child_end *end)
{
	struct agent_member *m = arg;
	struct agent *a = m->a;
	struct weft_record *rec = NULL;

	(void)end;
	/* Whose process is gone has said all that it had to say. */
	take_words(a);
	m->pid = -1;
	if (m->recorded)
		rec = weft_record_parse(m->line.s, m->line.len);
	a->sink->ended(a->ctx, m->tag, rec);
	weft_record_free(rec);
	drop(m);
}

/* ---- starts -------------------------------------------------------------- */

/* An engine that dies takes its members along, in good order. */
static int start_full(
	struct agent_member *m, const struct slot *slot, struct weft_err *err)
{
	static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	struct agent *a = m->a;
	pid_t self = getpid();
	sigset_t set, old;

	fflush(NULL);
	signals_watched(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	m->pid = fork();
	if (m->pid == 0) {
		for (size_t i = 0; i < WEFT_COUNT(handled); i++)
			if (sigismember(&set, handled[i]))
				sigaction(handled[i], &dfl, NULL);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != self)
			raise(SIGTERM); /* it is blocked, and waits in line */
		guard_leave(&a->guard);
		close(a->hand[0]); /* else nobody tells us when the engine is gone */
		_exit(member_run(
			a->e, &a->e->wf->step[m->step], m->member, slot, a->hand[1]));
	}
	int fork_errno = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = fork_errno;
	if (m->pid < 0)
		return weft_err_sys(err, WEFT_ESYS, "fork");
	return weft_loop_child(a->loop, m->pid, full_ended, m, err);
}

static int start_light(struct agent_member *m, struct weft_err *err)
{
	struct agent *a = m->a;
	struct logs *logs = logs_take(&a->logs, err);

	if (!logs)
		return -1;
	m->light.u.record.hosts =
		(char *)(m->light.u.slot.nodes ? m->light.u.slot.nodes : a->host);
	if (light_start(&m->light, a->definition[m->step], logs)) {
		if (weft_grow(a->ended, a->n_ended, a->cap_ended))
			return weft_err_nomem(err);
		a->ended[a->n_ended++] = m;
		weft_loop_soon(a->loop, &a->soon);
		return 0;
	}
	m->pid = m->light.pid;
	m->place = guard_add(&a->guard, m->pid);
	return weft_loop_child(a->loop, m->pid, light_ended, m, err);
}

int agent_start(struct agent *a, unsigned step, size_t member, const struct slot *slot,
	void *tag, struct agent_member **out, struct weft_err *err)
{
	struct agent_member *m = calloc(1, sizeof(*m));
	struct unit *u = m ? &m->light.u : NULL;

	*out = NULL;
	if (!m || weft_grow(a->member, a->n, a->cap)) {
		free(m);
		return weft_err_nomem(err);
	}
	*m = (struct agent_member){.a = a,
		.at = a->n,
		.step = step,
		.member = member,
		.tag = tag,
		.pid = -1,
		.place = SIZE_MAX};
	a->member[a->n++] = m;
	*out = m;
	/* What is wrong with it the whole way will find, too, and record. */
	m->full = unit_open_attempt(u, a->e, &a->e->wf->step[step], member,
			  slot->attempt, NULL) != 0;
	if (!m->full) {
		u->slot = *slot;
		m->full = !light_fits(u);
	}
	if (m->full)
		unit_close(u);
	if (!a->ticking) {
		weft_timer_set(a->tick, TICK, TICK);
		a->ticking = true;
	}
	return m->full ? start_full(m, slot, err) : start_light(m, err);
}

const struct weft_record *agent_off(
	const struct weft_record *rec, struct weft_record *off)
{
	if (rec->state == WEFT_STATE_DONE)
		return rec;
	*off = *rec;
	off->state = WEFT_STATE_SKIPPED;
	off->code = WEFT_OK;
	off->reason = (char *)STEER_CANCELLED;
	return off;
}

void agent_cancel(struct agent *a, struct agent_member *m)
{
	(void)a;
	if (m->held) {
		m->light.end.cancelled = true;
		m->held = weft_monotonic();
	}
	if (m->pid <= 0)
		return;
	if (m->full)
		kill(m->pid, SIGTERM);
	else
		light_cancel(&m->light);
}

int agent_open(struct agent **out, const struct weft_engine *e, struct weft_loop *loop,
	const char *name, const struct agent_sink *sink, void *ctx,
	struct weft_err *err)
{
	struct agent *a = calloc(1, sizeof(*a));

	*out = NULL;
	if (!a)
		return weft_err_nomem(err);
	*a = (struct agent){.e = e,
		.loop = loop,
		.sink = sink,
		.ctx = ctx,
		.hand = {-1, -1},
		.guard = {.pid = -1, .fd = -1}};
	a->soon = (struct weft_soon){.fn = tell_ended, .arg = a};
	gethostname(a->host, sizeof(a->host) - 1);
	a->definition = calloc(e->wf->n_steps + 1, sizeof(*a->definition));
	a->tick = weft_timer_new(loop, tick, a);
	if (!a->definition || !a->tick) {
		weft_err_nomem(err);
		goto bad;
	}
	if (guard_open(&a->guard, err) || logs_open(&a->logs, e, name, err) ||
		hand_open(a->hand, err) ||
		weft_watch_new(&a->watch, loop, a->hand[0], hear, a, err))
		goto bad;
	weft_watch_want(a->watch, WEFT_READABLE);
	*out = a;
	return 0;
bad:
	agent_close(a);
	return -1;
}

void agent_close(struct agent *a)
{
	if (!a)
		return;
	/* First, so that none of them waits for us to listen. */
	weft_watch_free(a->watch);
	hand_close(a->hand);
	for (size_t i = 0; i < a->n; i++)
		if (a->member[i]->pid > 0)
			kill(a->member[i]->full ? a->member[i]->pid
						: -a->member[i]->pid,
				SIGTERM);
	while (a->n) {
		struct agent_member *m = a->member[a->n - 1];

		/* Whoever watches over a member gives it the time that it has. */
		if (m->pid > 0 && m->full)
			waitpid(m->pid, NULL, 0);
		else if (m->pid > 0)
			light_abandon(&m->light);
		if (!m->full && m->light.logs)
			logs_give(&a->logs, m->light.logs);
		drop(m);
	}
	weft_loop_not_soon(a->loop, &a->soon);
	weft_timer_free(a->tick);
	guard_close(&a->guard);
	logs_close(&a->logs);
	free(a->member);
	free(a->ended);
	free(a->definition);
	free(a);
}
