/* keep.c - the engine's own journal and records: one file of each, written in groups */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

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

/* The disk is full, perhaps for a while. -1: for too long. */
static int stuck(struct engine *g, const char *why, struct weft_err *err)
{
	double now = weft_monotonic();

	if (!g->stuck) {
		weft_log(WEFT_WARN, "%s; nothing starts until there is room", why);
		g->stuck = now;
	}
	if (g->n_running > g->n_kept || now < g->stuck + PATIENCE)
		return 0;
	return weft_err_set(err, WEFT_ESYS, "%s", why);
}

void keep_running(struct engine *g, struct running *r, const struct weft_record *rec)
{
	r->kept = (struct kept){.is = true,
		.state = rec->state,
		.code = rec->code,
		.exit_status = rec->exit_status,
		.attempt = rec->attempt,
		.ended = rec->ended,
		.cause = weft_cause_name(weft_cause_of(rec->cause))};
	g->n_kept++;
}

/* What was written is on disk: it counts from now. */
static void synced(void *ctx, const struct weft_err *why)
{
	struct engine *g = ctx;

	if (why->code) {
		if (!g->err.code)
			stuck(g, why->text, &g->err);
		return;
	}
	g->stuck = 0;
	if (!g->err.code)
		weft_records_poll_writer(g->records, g->writer, NULL, NULL, &g->err);
	for (size_t k = g->n_running; k-- > 0;) {
		struct running *r = k < g->n_running ? g->run[k] : NULL;

		if (!r || !r->kept.is || !r->kept.written)
			continue;
		g->n_kept--;
		struct weft_record rec = {.state = r->kept.state,
			.code = r->kept.code,
			.exit_status = r->kept.exit_status,
			.attempt = r->kept.attempt,
			.ended = r->kept.ended,
			.cause = (char *)r->kept.cause,
			.reason = (char *)""};
		run_ended(g, r, &rec);
	}
}

int keep_commit(struct engine *g, struct weft_err *err)
{
	weft_autoerr struct weft_err why = {0};

	if (weft_journal_flush(g->journal, &why)) {
		weft_log(WEFT_WARN, "journal: %s", why.text);
		weft_err_clear(&why);
	}
	if (group_busy(g->group))
		return 0;
	if (!weft_recorder_pending(g->recorder)) {
		if (g->n_running)
			weft_recorder_settle(g->recorder, NULL);
		return 0;
	}
	if (group_begin(g->group, &why))
		return stuck(g, why.text, err);
	for (size_t k = 0; k < g->n_running; k++)
		g->run[k]->kept.written = g->run[k]->kept.is;
	return 0;
}

int keep_start(struct engine *g, struct weft_err *err)
{
	return group_open(&g->group, g->recorder, g->loop, synced, g, err);
}
