/* follow.c - progress of a run: reads its journal, asks Slurm where that is silent */
#include "job.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUIET 15.0     /* seconds without a word in the journal, then Slurm is asked */
#define STOPPED 1.0    /* likewise, where the run was stopped */
#define ASK_EVERY 60.0 /* and at least so often, should all go well */
#define ASK_AGAIN 5.0  /* whether a job that ended waits to be started again */
#define LOOK_EVERY 0.5 /* between two looks at the journal */
#define BAR 24

struct follower {
	const struct opened *o;
	struct weft_style style;
	bool live; /* redraws a block of lines on a terminal */
	bool quiet;
	size_t drawn; /* lines of the block that stand on the terminal */
	char **last;  /* of each step: the line as it was printed last */
	double start;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static const char *color(const struct follower *f, enum weft_state s)
{
	if (!f->style.color)
		return "";
	switch (s) {
	case WEFT_STATE_DONE:
		return "\033[32m";
	case WEFT_STATE_FAILED:
	case WEFT_STATE_LOST:
	case WEFT_STATE_CANCELLED:
		return "\033[31m";
	case WEFT_STATE_RUNNING:
	case WEFT_STATE_STAGING:
		return "\033[36m";
	default:
		return "\033[2m";
	}
}

static void add_counts(struct weft_str *b, const struct weft_status_step *s)
{
	static const enum weft_state shown[] = {WEFT_STATE_RUNNING, WEFT_STATE_STAGING,
		WEFT_STATE_FAILED, WEFT_STATE_LOST, WEFT_STATE_CANCELLED,
		WEFT_STATE_NOT_RUN, WEFT_STATE_SKIPPED};

	weft_str_printf(b, "%zu/%zu done", s->count[WEFT_STATE_DONE], s->members);
	for (size_t i = 0; i < WEFT_COUNT(shown); i++)
		if (s->count[shown[i]])
			weft_str_printf(b, ", %zu %s", s->count[shown[i]],
				weft_state_name(shown[i]));
}

static void add_bar(
	struct weft_str *b, const struct follower *f, const struct weft_status_step *s)
{
	size_t ended = 0, full;

	for (size_t i = WEFT_STATE_DONE; i < WEFT_COUNT(s->count); i++)
		ended += s->count[i];
	full = s->members ? ended * BAR / s->members : 0;
	weft_str_addc(b, '[');
	for (size_t i = 0; i < BAR; i++)
		weft_str_add(b, i < full ? (f->style.utf8 ? "█" : "#")
					 : (f->style.utf8 ? "·" : "."));
	weft_str_add(b, "] ");
}

/* The one line of a step, without colours: what plain output prints. */
static char *step_line(
	const struct follower *f, const struct weft_status_step *s, size_t width)
{
	weft_autostr struct weft_str b = {0};

	weft_str_printf(&b, "%-*s  ", (int)width, s->name);
	if (f->live)
		add_bar(&b, f, s);
	if (s->members > 1) {
		weft_str_printf(&b, "%-9s ", weft_state_name(s->state));
		add_counts(&b, s);
	} else {
		const struct weft_status_member *m = &s->member[0];

		weft_str_add(&b, weft_state_name(s->state));
		if (m->hosts && s->state >= WEFT_STATE_RUNNING) {
			weft_str_add(&b, " on ");
			weft_report_text(&b, m->hosts);
		}
		if (s->state == WEFT_STATE_DONE && m->started > 0)
			weft_str_printf(&b, " in %.1f s", m->ended - m->started);
		if (m->reason && weft_state_ended(s->state) &&
			s->state != WEFT_STATE_DONE) {
			weft_str_add(&b, ": ");
			weft_report_text(&b, m->reason);
		}
	}
	return weft_str_take(&b);
}

static void draw(struct follower *f, const struct weft_status *st)
{
	size_t width = 4;

	if (f->quiet)
		return;
	for (size_t i = 0; i < st->n_steps; i++)
		if (strlen(st->step[i].name) > width)
			width = strlen(st->step[i].name);
	if (f->live && f->drawn)
		printf("\033[%zuA", f->drawn);
	f->drawn = 0;
	for (size_t i = 0; i < st->n_steps; i++) {
		char *line = step_line(f, &st->step[i], width);

		if (!line)
			continue;
		if (f->live) {
			/* A line that wraps would spoil the way back up. */
			printf("\r\033[K%s%.*s%s\n", color(f, st->step[i].state),
				f->style.width ? (int)f->style.width * 2 : 400, line,
				f->style.color ? "\033[0m" : "");
			f->drawn++;
		} else if (!weft_streq(line, f->last[i])) {
			printf("%7.1f s  %s\n", weft_now() - f->start, line);
		}
		free(f->last[i]);
		f->last[i] = line;
	}
	fflush(stdout);
}

static void how_to_come_back(const struct opened *o)
{
	fprintf(stderr,
		"\nweft: detached; the run goes on in Slurm\n"
		"  weft status --follow %s    to watch it again\n"
		"  weft cancel %s             to end it\n",
		o->run->dir, o->run->dir);
}

static int finish(struct follower *f, struct weft_status *st, bool json)
{
	struct weft_str out = {0};
	int code = st->code;

	if (json) {
		weft_report_status_json(f->o->run, st, &out);
	} else {
		weft_str_addc(&out, '\n');
		weft_report_status(f->o->run, st, &f->style, &out);
	}
	int r = f->quiet && !json ? (weft_str_free(&out), 0) : cmd_print(&out);
	return r ? r : code;
}

/* Has the local engine ended?  *code: what it says of the run, never WEFT_OK if it
 * was killed. */
static bool ended(pid_t engine, int *code)
{
	int status;

	if (engine <= 0 || waitpid(engine, &status, WNOHANG) != engine)
		return false;
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : WEFT_EFAILED;
	return true;
}

/* When to ask Slurm, which knows only what the journal can't say: that a job is gone
 * without a word.  In seconds of weft_monotonic(). */
struct asking {
	double word, asked; /* the last of each */
	double wait;        /* how long it may be silent */
	bool stopped;       /* the run: jobs that never began leave no word */
};

/* A run that was just submitted is surely there; of an older one nobody knows. */
static struct asking ask_first(const struct weft_run *run)
{
	double now = weft_monotonic(), age = weft_now() - run->created;
	double asked = age < 0 || age > QUIET ? now - ASK_EVERY : now;

	return (struct asking){.word = now, .asked = asked, .wait = QUIET};
}

static bool ask_now(struct asking *a, const struct weft_run *run, double now, bool word)
{
	weft_autofree char *why = NULL;
	bool stops = !a->stopped && weft_run_stopped(run, &why) == 0;

	if (word || stops) {
		a->stopped |= stops;
		a->word = now;
		a->wait = a->stopped ? STOPPED : QUIET;
	}
	double last = a->word > a->asked ? a->word : a->asked;
	if (now - a->asked < ASK_EVERY && now - last < a->wait)
		return false;
	a->asked = now;
	a->wait = 2 * a->wait < ASK_EVERY ? 2 * a->wait : ASK_EVERY;
	return true;
}

int follow(const struct opened *o, pid_t engine, bool quiet, bool json)
{
	struct follower f = {
		.o = o, .style = cmd_style(stdout), .quiet = quiet || json};
	struct sigaction act = {.sa_handler = on_interrupt}, was;
	struct weft_err err = {0};
	struct weft_reader *reader = NULL;
	struct weft_status *st = NULL;
	struct asking asking = ask_first(o->run);
	double loaded = 0, cost = 0;
	bool fresh = true, last = false;
	int code = -1, engine_code = WEFT_EFAILED;
	/* Readable when the engine ends; -1, where there is none to wait for. */
	int ends = engine ? (int)syscall(SYS_pidfd_open, engine, 0) : -1;

	f.live = f.style.width > 0 && !f.quiet && o->wf->n_steps <= 40;
	f.start = o->run->created;
	f.last = calloc(o->wf->n_steps + 1, sizeof(*f.last));
	if (!f.last || weft_reader_open(o->run, &reader, &err))
		return cmd_fail(&err);
	weft_reader_add_records(reader);
	interrupted = 0;
	sigaction(SIGINT, &act, &was);
	while (code < 0) {
		struct weft_event *e = NULL;
		size_t n = 0;
		double now = weft_monotonic();

		last = last || ended(engine, &engine_code);
		if (weft_reader_poll(reader, &e, &n, &err))
			weft_err_clear(&err);
		weft_events_free(e, n);
		fresh |= n > 0;
		bool ask = !engine && ask_now(&asking, o->run, now, n > 0);
		/* Only Slurm knows whether that is the end. */
		bool unsure = !engine && !ask && st && st->finished && st->may_go_on;
		if (unsure && now >= asking.asked + ASK_AGAIN) {
			asking.asked = now;
			ask = true;
		}
		/* Reading all records of a big run takes its time: not more than a
		 * tenth of ours. */
		if (last || ask || (fresh && now - loaded >= LOOK_EVERY + 10 * cost)) {
			struct weft_status *next = NULL;

			if (status_of(o, ask, &next, &err) && ask) {
				/* Slurm doesn't answer now: the records do. */
				weft_err_clear(&err);
				ask = false;
				status_of(o, false, &next, &err);
			}
			if (next) {
				weft_status_free(st);
				st = next;
				draw(&f, st);
			}
			weft_err_clear(&err);
			loaded = weft_monotonic();
			cost = loaded - now;
			fresh = false;
			if (st && (last || (st->finished && (ask || !st->may_go_on))))
				code = finish(&f, st, json);
			/* A full disk, say: there are steps whose end could not be
			 * written.  No record, no success. */
			if (last && (!st || !st->finished)) {
				weft_log(WEFT_ERROR, "the run ended without a "
						     "completion record of each step");
				code = engine_code ? engine_code : WEFT_EFAILED;
			}
		}
		if (code < 0 && interrupted && !engine) {
			how_to_come_back(o);
			code = WEFT_EINTR;
		}
		if (code < 0) {
			struct pollfd p = {.fd = ends, .events = POLLIN};

			poll(&p, 1, (int)(LOOK_EVERY * 1e3));
		}
	}
	if (ends >= 0)
		close(ends);
	sigaction(SIGINT, &was, NULL);
	for (size_t i = 0; i < o->wf->n_steps; i++)
		free(f.last[i]);
	free(f.last);
	weft_status_free(st);
	weft_reader_free(reader);
	return code;
}
