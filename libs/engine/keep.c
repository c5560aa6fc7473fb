/* keep.c - the engine's own journal and records: one file of each, written in groups */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#define GROUP 256     /* records that wait for the disk together, at most ... */
#define SOON 0.005    /* ... and so many seconds, or as long as it took ... */
#define SHARE 4.0     /* ... times this: a fifth of the time goes to waiting */
#define PATIENCE 10.0 /* seconds in which a full disk may find room again */

/* The job, or for tasks of an array JOB.SHARD/TASK: no folder of too many files. */
static char *writer_name(const struct weft_engine *e)
{
	const char *task = strchr(e->job, '_');

	if (!*e->job)
		return strdup("local");
	if (!task)
		return strdup(e->job);
	return weft_printf("%.*s.%lu/%s", (int)(task - e->job), e->job,
		strtoul(task + 1, NULL, 10) / 1000, task + 1);
}

int keep_open(struct engine *g, struct weft_err *err)
{
	g->writer = writer_name(g->e);
	if (!g->writer)
		return weft_err_nomem(err);
	return weft_journal_open(g->e->run, g->writer, &g->journal, err) ||
			       weft_recorder_open(
				       g->e->run, g->writer, &g->recorder, err)
		       ? -1
		       : 0;
}

void keep_close(struct engine *g)
{
	weft_journal_close(g->journal);
	weft_recorder_close(g->recorder);
	free(g->writer);
}

void keep_event(struct engine *g, unsigned s, size_t i, enum weft_state state,
	const char *text, double time)
{
	const struct weft_step *step = &g->e->wf->step[s];
	weft_autoerr struct weft_err err = {0};
	struct weft_member m = {0};
	bool sweep = step->sweep.kind != WEFT_SWEEP_NONE;

	if (sweep && weft_sweep_member(g->e->wf, step, i, &m, &err)) {
		weft_log(WEFT_WARN, "journal: %s", err.text);
		return;
	}
	struct weft_event e = {.time = time,
		.step = (char *)step->name,
		.member = sweep ? m.id : (char *)"",
		.job = (char *)g->e->job,
		.state = state,
		.text = (char *)text};
	if (weft_journal_put(g->journal, &e, &err))
		weft_log(WEFT_WARN, "journal: %s", err.text);
	weft_member_clear(&m);
}

int keep_end(struct engine *g, unsigned s, size_t i, enum weft_state state,
	enum weft_code code, const char *reason, struct weft_err *err)
{
	const struct weft_step *step = &g->e->wf->step[s];
	struct weft_member m;
	int r = -1;

	if (weft_sweep_member(g->e->wf, step, i, &m, err))
		return -1;
	bool sweep = step->sweep.kind != WEFT_SWEEP_NONE;
	struct weft_record rec = {.state = state,
		.code = code,
		.step = (char *)step->name,
		.member = sweep ? m.id : (char *)"",
		.index = i,
		.attempt = g->slot[s][i].attempt,
		.exit_status = -1,
		.reason = (char *)(reason ? reason : ""),
		.job = (char *)g->e->job,
		.ended = weft_now()};
	if (sweep) {
		r = weft_recorder_add(g->recorder, &rec, err);
	} else {
		weft_autofree char *dir = weft_run_step_dir(g->e->run, step, NULL);

		if (!dir)
			weft_err_nomem(err);
		else if (weft_mkdirs(dir, 0777, err) == 0 &&
			 weft_record_write(dir, &rec, err) == 0)
			r = 0;
		if (r == 0)
			keep_event(g, s, i, state, rec.reason, rec.ended);
	}
	weft_member_clear(&m);
	return r;
}

int keep_commit(struct engine *g, struct weft_err *err)
{
	weft_autoerr struct weft_err why = {0};

	if (weft_journal_flush(g->journal, &why)) {
		weft_log(WEFT_WARN, "journal: %s", why.text);
		weft_err_clear(&why);
	}
	if (!weft_recorder_pending(g->recorder)) {
		if (g->n_running)
			weft_recorder_settle(g->recorder, NULL);
		return 0;
	}
	double begin = weft_monotonic();
	if (weft_recorder_commit(g->recorder, &why)) {
		double now = weft_monotonic();

		if (!g->stuck) {
			weft_log(WEFT_WARN, "%s; nothing starts until there is room",
				why.text);
			g->stuck = now;
		}
		if (g->n_running || now < g->stuck + PATIENCE)
			return 1;
		weft_err_move(err, &why);
		return -1;
	}
	double end = weft_monotonic(), wait = SHARE * (end - begin);
	g->next_commit = end + (wait < SOON ? SOON : wait < 1 ? wait : 1);
	g->stuck = 0;
	return weft_records_poll_writer(g->records, g->writer, NULL, NULL, err);
}

int keep_turn(struct engine *g, struct weft_err *err)
{
	if (g->stuck || !g->n_running || weft_monotonic() >= g->next_commit ||
		weft_recorder_pending(g->recorder) >= GROUP)
		return keep_commit(g, err);
	weft_recorder_flush(g->recorder);
	if (weft_journal_flush(g->journal, NULL))
		weft_log(WEFT_WARN, "journal: it can't be written");
	return 0;
}

int keep_wait(const struct engine *g, int most)
{
	double left = (g->next_commit - weft_monotonic()) * 1e3;

	if (g->stuck || !weft_recorder_pending(g->recorder) || left >= most)
		return most;
	return left > 0 ? (int)left + 1 : 0;
}
