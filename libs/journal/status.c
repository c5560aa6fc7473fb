/* status.c - the state of a run, from its journal, its records and Slurm's word */
#include "journal/status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct load {
	const struct weft_run *run;
	const struct weft_workflow *wf;
	struct weft_status *st;
	struct weft_records *records;
	struct weft_map *ids; /* of each sweep: member id -> index */
	char **id_text;
	bool submitted;   /* all of it */
	double *watched;  /* of each loop: when st->watch was submitted */
	double last_word; /* of who submits it */
};

static int set_text(char **slot, const char *s)
{
	char *copy = s && *s ? strdup(s) : NULL;

	if (s && *s && !copy)
		return -1;
	free(*slot);
	*slot = copy;
	return 0;
}

/* The file to look at: stderr if something was said there, else stdout. */
static char *log_file(const char *dir)
{
	static const char *const name[] = {"stderr", "stdout"};

	for (size_t i = 0; i < WEFT_COUNT(name); i++) {
		char *path = weft_path_join(dir, name[i]);
		struct stat st;

		if (path && stat(path, &st) == 0 && st.st_size > 0)
			return path;
		free(path);
	}
	return NULL;
}

static int from_record(struct load *l, const struct weft_step *step,
	const struct weft_member *member, const struct weft_record *r,
	struct weft_err *err)
{
	struct weft_status_member *m =
		&l->st->step[step->index].member[weft_member_number(member)];

	m->state = r->state;
	m->attempt = r->attempt + !weft_state_ended(r->state);
	m->code = r->code;
	m->exit_status = r->exit_status;
	m->signal = r->signal;
	m->started = weft_state_ended(r->state) ? r->started : 0;
	m->ended = r->ended;
	if (r->queued > 0)
		m->queued = r->queued;
	m->staged = r->staged_in + r->staged_out;
	int bad = set_text(&m->hosts, r->hosts) || set_text(&m->reason, r->reason) ||
		  set_text(&m->job, r->job);
	if (m->state == WEFT_STATE_FAILED || m->state == WEFT_STATE_CANCELLED) {
		weft_autofree char *dir = weft_run_step_dir(l->run, step, member);

		bad |= !dir;
		m->log = dir ? log_file(dir) : NULL;
	}
	return bad ? weft_err_nomem(err) : 0;
}

static int read_record(struct load *l, size_t step, size_t index, struct weft_err *err)
{
	const struct weft_step *s = &l->wf->step[step];
	struct weft_record *r = NULL;
	struct weft_member m;

	if (weft_sweep_member(l->wf, s, index, &m, err))
		return -1;
	if (s->sweep.kind != WEFT_SWEEP_NONE)
		memcpy(l->st->step[step].member[index].id, m.id, sizeof(m.id));
	int got = weft_records_read(l->records, (unsigned)step, index, &r, err);
	if (got == 0) {
		got = from_record(l, s, &m, r, err);
	} else if (got < 0) {
		/* A damaged record is no proof: say so, and go on. */
		struct weft_status_member *sm = &l->st->step[step].member[index];

		sm->state = WEFT_STATE_LOST;
		set_text(&sm->reason, err && err->text ? err->text : "damaged record");
		weft_err_clear(err);
		got = 0;
	}
	weft_record_free(r);
	weft_member_clear(&m);
	return got < 0 ? -1 : 0;
}

static int index_members(struct load *l, size_t step, struct weft_err *err)
{
	const struct weft_step *s = &l->wf->step[step];

	if (s->sweep.kind == WEFT_SWEEP_NONE || l->ids[step].n)
		return 0;
	l->id_text[step] = calloc(s->sweep.count, WEFT_MEMBER_ID);
	if (!l->id_text[step])
		return weft_err_nomem(err);
	for (size_t i = 0; i < s->sweep.count; i++) {
		char *id = l->id_text[step] + i * WEFT_MEMBER_ID;
		struct weft_member m;

		if (weft_sweep_member(l->wf, s, i, &m, err))
			return -1;
		memcpy(id, m.id, WEFT_MEMBER_ID);
		weft_member_clear(&m);
		if (weft_map_add(&l->ids[step], id, i, NULL) < 0)
			return weft_err_nomem(err);
	}
	return 0;
}

/* Ended with its job, before its own end: Slurm may start that job again, and its
 * engine then goes on. */
static bool with_its_job(const struct weft_status_member *m)
{
	return m->code == WEFT_EINTR &&
	       (m->state == WEFT_STATE_CANCELLED || m->state == WEFT_STATE_NOT_RUN);
}

static void one_event(
	struct weft_status_member *m, const struct weft_event *e, const char *job)
{
	if (e->state == WEFT_STATE_SUBMITTED && !m->queued)
		m->queued = e->time;
	/* It may have been submitted again by then. */
	if (e->state == WEFT_STATE_SUBMITTED && with_its_job(m) && job && *job)
		set_text(&m->job, job);
	/* What was before its record tells of an attempt that is over. */
	if (weft_state_ended(m->state) || e->time < m->ended)
		return;
	if (e->state == WEFT_STATE_RUNNING && !m->started) {
		m->started = e->time;
		set_text(&m->hosts, e->text);
	}
	/* Ends count from records only. */
	if (!weft_state_ended(e->state) && e->state > m->state)
		m->state = e->state;
	if (job && *job)
		set_text(&m->job, job);
}

static int apply_event(struct load *l, const struct weft_event *e, struct weft_err *err)
{
	size_t step, member, loop, round;

	if (e->state == WEFT_STATE_SUBMITTED) {
		l->submitted |= !*e->step;
		if (e->time > l->last_word)
			l->last_word = e->time;
		if (weft_event_loop(e, &loop) && loop < l->wf->n_loops) {
			l->watched[loop] = e->time;
			return set_text(&l->st->watch[loop], e->job)
				       ? weft_err_nomem(err)
				       : 0;
		}
	}
	if (!*e->step || !weft_map_get(&l->wf->by_name, e->step, &step))
		return 0;
	struct weft_status_step *s = &l->st->step[step];
	if (*e->member) {
		if (index_members(l, step, err))
			return -1;
		if (weft_map_get(&l->ids[step], e->member, &member))
			one_event(&s->member[member], e, e->job);
		return 0;
	}
	/* Of a whole sweep: its array's submission. A task has a block of members. */
	size_t tasks = e->total > 0 ? (size_t)e->total : 0;
	size_t only = tasks && e->done > 0 ? (size_t)e->done : 0;
	size_t size = l->wf->step[step].sweep.round;
	bool one_round = size && weft_event_round(e, &round);
	for (size_t i = 0; i < s->members; i++) {
		if (one_round && i / size != round)
			continue;
		if (only && weft_sweep_block_of(s->members, tasks, i) != only - 1)
			continue;
		weft_autofree char *job =
			tasks && *e->job
				? weft_printf("%s_%zu", e->job,
					  weft_sweep_block_of(s->members, tasks, i))
				: strdup(e->job);
		one_event(&s->member[i], e, job);
	}
	return 0;
}

static enum weft_state state_of(void *ctx, unsigned step, size_t member)
{
	struct load *l = ctx;

	return l->st->step[step].member[member].state;
}

/* Seconds without a word after which who submits counts as gone; sbatch may ask a busy
 * controller for minutes. */
#define SUBMITTING 300
/* Seconds in which a job may be newer than Slurm's list of jobs. */
#define NEW_JOB 10

/* Is there a job that goes on with the loop of this step, whatever becomes of the
 * others? */
static bool is_watched(const struct load *l, size_t step, double now,
	bool (*job_alive)(void *ctx, const char *job), void *ctx)
{
	unsigned loop = l->wf->step[step].loop;

	if (loop == WEFT_NO_LOOP || !l->st->watch[loop])
		return false;
	return (l->watched[loop] <= now && now < l->watched[loop] + NEW_JOB) ||
	       job_alive(ctx, l->st->watch[loop]);
}

/* Will nothing ever run it, by all that Slurm says? */
static bool is_gone(const struct load *l, size_t step,
	const struct weft_status_member *m, double now,
	bool (*job_alive)(void *ctx, const char *job), void *ctx)
{
	if (!job_alive)
		return false;
	if (l->run->local)
		return !job_alive(ctx, "");
	if (!l->st->stopped && is_watched(l, step, now, job_alive, ctx))
		return false;
	if (!m->job && l->wf->step[step].loop != WEFT_NO_LOOP &&
		l->st->watch[l->wf->step[step].loop])
		return true;
	if (!m->job) /* not submitted */
		return l->st->stopped ||
		       (!l->submitted && now > l->last_word + SUBMITTING);
	if (m->state < WEFT_STATE_STAGING && !l->st->stopped && m->queued <= now &&
		now < m->queued + NEW_JOB)
		return false;
	if (job_alive(ctx, m->job))
		return false;
	/* Another job of its array may have taken it. */
	weft_autofree char *other = weft_claimed_by(l->run, m->job);
	return !other || !job_alive(ctx, other);
}

static const char *why_lost(const struct load *l, const struct weft_status_member *m)
{
	if (l->run->local)
		return "weft was killed before it ended";
	if (!m->job)
		return "it was never submitted: weft was ended while it submitted the "
		       "run";
	return m->state >= WEFT_STATE_STAGING
		       ? "its job ended without a completion record (killed, or its "
			 "node failed)"
		       : "its job is gone from Slurm and never started it";
}

static void wait_again(
	struct load *l, bool (*job_alive)(void *ctx, const char *job), void *ctx)
{
	if (l->run->local || l->st->stopped)
		return;
	for (size_t s = 0; s < l->st->n_steps; s++)
		for (size_t i = 0; i < l->st->step[s].members; i++) {
			struct weft_status_member *m = &l->st->step[s].member[i];

			if (!m->job || !with_its_job(m))
				continue;
			l->st->may_go_on = true;
			if (!job_alive || !job_alive(ctx, m->job))
				continue;
			m->state = WEFT_STATE_SUBMITTED;
			m->code = WEFT_OK;
			m->started = m->ended = 0;
			free(weft_steal(&m->hosts));
			free(weft_steal(&m->reason));
			free(weft_steal(&m->log));
		}
}

/* In dependency order, so that what can't run any more spreads. */
static void spread(struct load *l, struct weft_tally *tally,
	bool (*job_alive)(void *ctx, const char *job), void *ctx)
{
	double now = weft_now();

	for (size_t o = 0; o < l->wf->n_steps; o++) {
		const struct weft_step *s = &l->wf->step[l->wf->order[o]];
		struct weft_status_step *ss = &l->st->step[s->index];

		for (size_t i = 0; i < ss->members; i++) {
			struct weft_status_member *m = &ss->member[i];
			char *why = NULL;

			if (weft_state_ended(m->state))
				continue;
			bool begun = m->state >= WEFT_STATE_STAGING;
			bool gone = is_gone(l, s->index, m, now, job_alive, ctx);
			enum weft_verdict v = begun ? WEFT_READY
						    : weft_verdict(l->wf, s, i,
							      state_of, l, tally, &why);
			if (v == WEFT_NEVER || v == WEFT_SKIP) {
				m->state = v == WEFT_SKIP ? WEFT_STATE_SKIPPED
							  : WEFT_STATE_NOT_RUN;
				free(m->reason);
				m->reason = weft_steal(&why);
			} else if (gone && l->st->stopped && !begun) {
				m->state = WEFT_STATE_NOT_RUN;
				set_text(&m->reason, l->st->stopped);
			} else if (gone) {
				set_text(&m->reason, why_lost(l, m));
				m->state = WEFT_STATE_LOST;
				m->code = m->job || l->run->local ? WEFT_EFAILED
								  : WEFT_ESLURM;
			}
			free(why);
		}
	}
}

struct latest {
	const struct weft_status_step *of;
	double ended;
};

static int look_at_end(void *ctx, size_t member)
{
	struct latest *l = ctx;

	if (l->of->member[member].ended > l->ended)
		l->ended = l->of->member[member].ended;
	return 0;
}

/* When the last thing that a member needs had ended: only from then on did it wait for
 * Slurm and not for its own workflow. */
static void set_ready(struct load *l)
{
	for (size_t s = 0; s < l->wf->n_steps; s++) {
		const struct weft_step *step = &l->wf->step[s];
		struct weft_status_step *ss = &l->st->step[s];

		for (size_t k = 0; k < step->n_edges; k++) {
			const struct weft_edge *e = &step->edge[k];
			struct latest all = {&l->st->step[e->step], 0};
			bool matches = weft_spec_matches(l->wf, step, e);

			for (size_t i = 0; !matches && i < all.of->members; i++)
				look_at_end(&all, i);
			for (size_t i = 0; i < ss->members; i++) {
				struct latest own = all;

				if (matches)
					weft_spec_each_match(
						l->wf, step, i, e, look_at_end, &own);
				if (own.ended > ss->member[i].ready)
					ss->member[i].ready = own.ended;
			}
		}
	}
}

/* The first failure is what a run ended by; what was cancelled may have been so because
 * of it. */
static enum weft_code worse(enum weft_code first, enum weft_code next)
{
	return !first || (first == WEFT_EINTR && next) ? next : first;
}

/* A sweep whose file isn't there yet, and may come. */
static bool unread(const struct load *l, size_t step)
{
	const struct weft_sweep *s = &l->wf->step[l->wf->step[step].sweep.root].sweep;

	return s->kind == WEFT_SWEEP_FILE && s->growing &&
	       !weft_state_ended(l->st->step[s->from].member[0].state);
}

/* A sweep that has no members because its file can't be read, or was never made. */
static enum weft_state no_rows(const struct load *l, size_t step)
{
	unsigned root = l->wf->step[step].sweep.root;
	const struct weft_sweep *s = &l->wf->step[root].sweep;

	return root == step && l->st->step[s->from].member[0].state == WEFT_STATE_DONE
		       ? WEFT_STATE_FAILED
		       : WEFT_STATE_NOT_RUN;
}

static void sum_up(struct load *l)
{
	struct weft_status *st = l->st;
	bool cut_short = false, interrupted = false;

	st->finished = true;
	for (size_t i = 0; i < st->n_steps; i++) {
		struct weft_status_step *s = &st->step[i];
		size_t ended = 0, bad;
		enum weft_code code = WEFT_OK;

		for (size_t k = 0; k < s->members; k++) {
			const struct weft_status_member *m = &s->member[k];

			s->count[m->state]++;
			ended += weft_state_ended(m->state);
			if (m->state == WEFT_STATE_FAILED ||
				m->state == WEFT_STATE_LOST)
				code = worse(code, m->code ? m->code : WEFT_EFAILED);
			if (m->state == WEFT_STATE_CANCELLED)
				code = worse(code, WEFT_EINTR);
			interrupted |= with_its_job(m) && !s->optional;
		}
		bad = s->count[WEFT_STATE_FAILED] + s->count[WEFT_STATE_LOST] +
		      s->count[WEFT_STATE_CANCELLED];
		struct weft_tally tally = {.known = true};

		memcpy(tally.count, s->count, sizeof(tally.count));
		bool failed =
			weft_step_failed(&l->wf->step[i], &tally, false, state_of, l);
		if (failed && s->count[WEFT_STATE_FAILED])
			s->state = WEFT_STATE_FAILED;
		else if (failed && s->count[WEFT_STATE_LOST])
			s->state = WEFT_STATE_LOST;
		else if (failed)
			s->state = WEFT_STATE_CANCELLED;
		else if (s->count[WEFT_STATE_RUNNING] || (ended && ended < s->members))
			s->state = WEFT_STATE_RUNNING;
		else if (s->count[WEFT_STATE_STAGING])
			s->state = WEFT_STATE_STAGING;
		else if (ended < s->members)
			s->state = s->count[WEFT_STATE_SUBMITTED] ? WEFT_STATE_SUBMITTED
								  : WEFT_STATE_NONE;
		else if (s->count[WEFT_STATE_NOT_RUN])
			s->state = WEFT_STATE_NOT_RUN;
		else
			s->state = s->count[WEFT_STATE_DONE] || bad
					   ? WEFT_STATE_DONE
					   : WEFT_STATE_SKIPPED;
		if (unread(l, i))
			s->state = WEFT_STATE_NONE;
		else if (!s->members && l->wf->step[i].sweep.broken)
			s->state = no_rows(l, i);
		if (ended < s->members || unread(l, i))
			st->finished = false;
		if (!s->members && s->state == WEFT_STATE_FAILED && !s->optional)
			st->code = worse(st->code, WEFT_ESPEC);
		if (failed && !s->optional)
			st->code = worse(st->code, code ? code : WEFT_EFAILED);
		cut_short |= s->count[WEFT_STATE_NOT_RUN] && !s->optional;
	}
	/* Nothing failed, and yet not all of it ran: somebody ended the run. */
	if (((cut_short && st->stopped) || interrupted) && !st->code)
		st->code = WEFT_EINTR;
}

struct asking {
	struct load *l;
	bool (*job_alive)(void *ctx, const char *job);
	void *ctx;
};

static bool alive(void *ctx, const struct weft_status_step *step)
{
	const struct asking *a = ctx;
	const char *job = step->members ? step->member[step->members - 1].job : NULL;

	if (!a->job_alive || is_watched(a->l, (size_t)(step - a->l->st->step),
				     weft_now(), a->job_alive, a->ctx))
		return true;
	return a->job_alive(a->ctx, a->l->run->local || !job ? "" : job);
}

static enum weft_state asked_state(void *ctx, unsigned step, size_t member)
{
	const struct asking *a = ctx;

	return state_of(a->l, step, member);
}

int weft_status_load(const struct weft_run *run, const struct weft_workflow *wf,
	bool (*job_alive)(void *ctx, const char *job), void *ctx,
	struct weft_status **st, struct weft_err *err)
{
	struct load l = {.run = run, .wf = wf, .last_word = run->created};
	struct weft_reader *r = NULL;
	struct weft_event *e = NULL;
	size_t n = 0;
	int ret = -1;

	*st = NULL;
	if (weft_run_grow(run, wf, err))
		return -1;
	l.st = status_new(wf);
	l.ids = calloc(wf->n_steps + 1, sizeof(*l.ids));
	l.id_text = calloc(wf->n_steps + 1, sizeof(*l.id_text));
	l.watched = calloc(wf->n_loops + 1, sizeof(*l.watched));
	weft_autofree struct weft_tally *tally =
		calloc(wf->n_steps + 1, sizeof(*tally));
	if (!l.st || !l.ids || !l.id_text || !l.watched || !tally) {
		weft_err_nomem(err);
		goto out;
	}
	if (weft_reader_open(run, &r, err) || weft_reader_poll(r, &e, &n, err) ||
		weft_records_open(run, wf, &l.records, err) ||
		weft_records_poll(l.records, NULL, NULL, err))
		goto out;
	for (size_t i = 0; i < wf->n_steps; i++)
		for (size_t k = 0; k < wf->step[i].sweep.count; k++)
			if (read_record(&l, i, k, err))
				goto out;
	for (size_t i = 0; i < n; i++)
		if (apply_event(&l, &e[i], err))
			goto out;
	for (size_t i = 0; i < wf->n_steps; i++)
		for (size_t k = 0; k < l.st->step[i].members; k++)
			if (!weft_state_ended(l.st->step[i].member[k].state))
				l.st->step[i].member[k].ended = 0;
	weft_run_stopped(run, &l.st->stopped);
	wait_again(&l, job_alive, ctx);
	spread(&l, tally, job_alive, ctx);
	set_ready(&l);
	sum_up(&l);
	struct asking asking = {&l, job_alive, ctx};
	status_loops(wf, l.st, alive, asked_state, &asking);
	if (status_steering(run, wf, l.st, err))
		goto out;
	*st = weft_steal(&l.st);
	ret = 0;
out:
	weft_events_free(e, n);
	weft_reader_free(r);
	weft_records_free(l.records);
	weft_status_free(l.st);
	for (size_t i = 0; l.ids && l.id_text && i < wf->n_steps; i++) {
		weft_map_free(&l.ids[i]);
		free(l.id_text[i]);
	}
	free(l.watched);
	free(l.ids);
	free(l.id_text);
	return ret;
}
