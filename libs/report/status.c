/* status.c - how a run stands, as a table. */
#include "report/paint.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 7
#define HOSTS_SHOWN 3 /* of a step whose members ran on many */
#define METRICS_SHOWN 8
#define FAILED_SHOWN 5 /* members of a step whose reason is told */

static const char *const head[COLUMNS] = {
	"step", "state", "members", "where", "wait", "run", "staged"};

/* The mean of a step's members, and what they moved. */
struct sums {
	double wait, run;
	size_t n_wait, n_run;
	uint64_t staged;
};

static void sum_up(const struct weft_status_step *s, struct sums *sums)
{
	for (size_t i = 0; i < s->members; i++) {
		const struct weft_status_member *m = &s->member[i];

		/* Waiting for one's own workflow is no queue wait. */
		double from = m->ready > m->queued ? m->ready : m->queued;

		if (m->queued > 0 && m->started >= from) {
			sums->wait += m->started - from;
			sums->n_wait++;
		}
		if (m->started > 0 && m->ended >= m->started) {
			sums->run += m->ended - m->started;
			sums->n_run++;
		}
		sums->staged += m->staged;
	}
}

/* Seconds as people say them: "0.4 s", "12 s", "00:12:30". */
static const char *seconds(struct weft_arena *a, double v, size_t n)
{
	char buf[WEFT_UNIT_MAX];

	if (!n)
		return "-";
	v /= (double)n;
	if (v < 10)
		return weft_arena_printf(a, "%.1f s", v);
	if (v < 120)
		return weft_arena_printf(a, "%.0f s", v);
	return weft_arena_strdup(a, weft_format_duration(buf, (int64_t)(v + 0.5)));
}

/* The hosts of the members, each list once. */
static const char *hosts(struct weft_arena *a, const struct weft_status_step *s)
{
	weft_autostr struct weft_str out = {0};
	struct weft_map seen = {0};

	for (size_t i = 0; i < s->members; i++) {
		const char *h = s->member[i].hosts;

		if (!h || !*h || weft_map_add(&seen, h, 0, NULL) != 1)
			continue;
		if (seen.n <= HOSTS_SHOWN)
			weft_str_printf(&out, "%s%s", out.len ? "," : "", h);
	}
	if (seen.n > HOSTS_SHOWN)
		weft_str_printf(&out, ",+%zu", seen.n - HOSTS_SHOWN);
	weft_map_free(&seen);
	return weft_arena_strdup(a, out.len ? out.s : "-");
}

static int add_step(struct weft_table *t, struct weft_arena *a,
	const struct weft_status *st, const struct weft_status_step *s)
{
	struct sums sums = {0};
	char size[WEFT_UNIT_MAX];

	sum_up(s, &sums);
	const char *cell[COLUMNS + METRICS_SHOWN] = {
		s->name,
		weft_state_name(s->state),
		weft_arena_printf(a, "%zu/%zu", s->count[WEFT_STATE_DONE], s->members),
		hosts(a, s),
		seconds(a, sums.wait, sums.n_wait),
		seconds(a, sums.run, sums.n_run),
		sums.staged ? weft_arena_strdup(a, weft_format_size(size, sums.staged))
			    : "-",
	};

	for (size_t i = 0; i < COLUMNS; i++)
		if (!cell[i])
			return -1;
	for (size_t i = 0; i < METRICS_SHOWN && i < st->n_metrics; i++)
		cell[COLUMNS + i] = s->metric[i] ? s->metric[i] : "-";
	return weft_table_row(t, cell);
}

static bool is_bad(enum weft_state s)
{
	return s == WEFT_STATE_FAILED || s == WEFT_STATE_LOST ||
	       s == WEFT_STATE_CANCELLED || s == WEFT_STATE_NOT_RUN;
}

static void print_bad(const struct weft_status_step *s, const struct weft_style *st,
	struct weft_str *out)
{
	size_t bad = 0;
	const char *said = "";

	for (size_t i = 0; i < s->members; i++) {
		const struct weft_status_member *m = &s->member[i];
		const char *reason = m->reason ? m->reason : "";

		if (!is_bad(m->state))
			continue;
		/* A thousand members that did not run for one reason are one line. */
		if (bad && !m->log && strcmp(said, reason) == 0)
			continue;
		if (++bad > FAILED_SHOWN)
			continue;
		said = reason;
		if (bad == 1)
			weft_str_addc(out, '\n');
		paint_color(out, st,
			m->state == WEFT_STATE_NOT_RUN ? PAINT_YELLOW : PAINT_RED,
			weft_state_name(m->state));
		weft_str_add(out, " ");
		paint_add(out, s->name);
		if (s->members > 1)
			weft_str_printf(out, " member %zu", i);
		if (*reason) {
			weft_str_add(out, ": ");
			paint_add(out, reason);
		}
		weft_str_addc(out, '\n');
		if (m->log) {
			weft_str_add(out, "  log: ");
			paint_add(out, m->log);
			weft_str_addc(out, '\n');
		}
	}
	if (bad > FAILED_SHOWN)
		weft_str_printf(
			out, "  and %zu more of %s\n", bad - FAILED_SHOWN, s->name);
}

/* "attempts simulate: 3 members again, up to 2 times" */
static void print_attempts(const struct weft_status *st, struct weft_str *out)
{
	bool any = false;

	for (size_t i = 0; i < st->n_steps; i++) {
		const struct weft_status_step *s = &st->step[i];
		unsigned most = 0;
		size_t n = 0;

		for (size_t k = 0; k < s->members; k++) {
			n += s->member[k].attempt > 0;
			if (s->member[k].attempt > most)
				most = s->member[k].attempt;
		}
		if (!n)
			continue;
		weft_str_printf(out, "%sattempts ", any ? "" : "\n");
		any = true;
		paint_add(out, s->name);
		weft_str_printf(out, ": ");
		if (s->members > 1)
			weft_str_printf(out, "%zu member%s ", n, n == 1 ? "" : "s");
		weft_str_printf(out, "again, %u time%s%s\n", most, most == 1 ? "" : "s",
			n > 1 ? " at most" : "");
	}
}

/* "used 3.2 of 8 GPU-hours, 6.1 of 40 node-hours" */
static void print_budget(const struct weft_status *st, struct weft_str *out)
{
	const struct {
		const char *unit;
		double used, limit;
	} kinds[] = {{"node-hours", st->node_hours, st->budget->node_hours},
		{"core-hours", st->core_hours, st->budget->core_hours},
		{"GPU-hours", st->gpu_hours, st->budget->gpu_hours}};
	size_t n = 0;

	for (size_t i = 0; i < WEFT_COUNT(kinds); i++)
		if (kinds[i].limit > 0)
			weft_str_printf(out, "%s%.4g of %.10g %s",
				n++ ? ", " : "\nused ", kinds[i].used, kinds[i].limit,
				kinds[i].unit);
	if (n)
		weft_str_addc(out, '\n');
}

/* "simulate: 12 added, 3 cancelled, the last: stop: sure" */
static void print_steering(const struct weft_status *st, struct weft_str *out)
{
	for (size_t i = 0; i < st->n_steps; i++) {
		const struct weft_status_steer *s = &st->step[i].steer;

		if (!s->given)
			continue;
		weft_str_printf(out, "\n%s: %zu added, %zu cancelled", st->step[i].name,
			s->added, s->cancelled);
		if (s->odd)
			weft_str_printf(out, ", %zu refused", s->odd);
		if (s->last) {
			weft_str_add(out, ", the last: ");
			paint_add(out, s->last);
		}
		weft_str_addc(out, '\n');
	}
}

/* "done in 00:03:12", "stopped: ..." */
static void print_end(const struct weft_run *run, const struct weft_status *st,
	const struct weft_style *s, struct weft_str *out)
{
	weft_str_add(out, "\n");
	paint_add(out, run->id);
	weft_str_add(out, ": ");
	if (!st->finished)
		weft_str_add(out, "not finished");
	else if (st->code == WEFT_OK)
		paint_color(out, s, PAINT_GREEN, "done");
	else
		paint_color(out, s, PAINT_RED, "failed");
	if (st->stopped) {
		weft_str_add(out, ", stopped: ");
		paint_add(out, st->stopped);
	}
	weft_str_addc(out, '\n');
}

void weft_report_status(const struct weft_run *run, const struct weft_status *st,
	const struct weft_style *s, struct weft_str *out)
{
	size_t metrics = st->n_metrics < METRICS_SHOWN ? st->n_metrics : METRICS_SHOWN;
	const char *heads[COLUMNS + METRICS_SHOWN];
	struct weft_arena a = {0};

	memcpy(heads, head, sizeof(head));
	for (size_t i = 0; i < metrics; i++)
		heads[COLUMNS + i] = st->metric[i];
	struct weft_table *t = weft_table_new(COLUMNS + metrics, heads);

	weft_table_right(t, 2);
	weft_table_right(t, 4);
	weft_table_right(t, 5);
	weft_table_right(t, 6);
	for (size_t i = 0; i < metrics; i++)
		weft_table_right(t, COLUMNS + i);
	for (size_t i = 0; i < st->n_steps; i++)
		if (add_step(t, &a, st, &st->step[i]) < 0)
			out->failed = true;
	weft_table_print(t, s, out);
	weft_table_free(t);
	weft_arena_free(&a);
	for (size_t i = 0; i < st->n_steps; i++)
		print_bad(&st->step[i], s, out);
	print_attempts(st, out);
	paint_loops(st, out);
	print_steering(st, out);
	if (st->budget)
		print_budget(st, out);
	print_end(run, st, s, out);
}

/* ---- JSON -------------------------------------------------------------- */

static json_t *time_or_null(double t)
{
	return t > 0 ? json_real(t) : json_null();
}

static json_t *member_json(const struct weft_status_member *m, size_t index)
{
	return json_pack("{s:I,s:o,s:s,s:o,s:o,s:o,s:I,s:o,s:o,s:o,s:o,s:i,s:i,s:i}",
		"index", (json_int_t)index, "id",
		*m->id ? paint_json(m->id) : json_null(), "state",
		weft_state_name(m->state), "queued", time_or_null(m->queued), "started",
		time_or_null(m->started), "ended", time_or_null(m->ended), "staged",
		(json_int_t)m->staged, "hosts", paint_json(m->hosts), "job",
		paint_json(m->job), "reason", paint_json(m->reason), "log",
		paint_json(m->log), "exit_status", m->exit_status, "signal", m->signal,
		"attempt", (int)m->attempt);
}

static json_t *labels_json(const struct weft_pairs *labels)
{
	json_t *o = json_object();

	for (size_t i = 0; labels && i < labels->n; i++)
		json_object_set_new(
			o, labels->v[i].name, paint_json(labels->v[i].value.s));
	return o;
}

static json_t *metrics_json(
	const struct weft_status *st, const struct weft_status_step *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < st->n_metrics; i++)
		json_object_set_new(o, st->metric[i], paint_json(s->metric[i]));
	return o;
}

static json_t *step_json(const struct weft_status *st, const struct weft_status_step *s)
{
	json_t *members = json_array();

	for (size_t i = 0; members && i < s->members; i++)
		if (json_array_append_new(members, member_json(&s->member[i], i)) < 0) {
			json_decref(members);
			return NULL;
		}
	json_t *steer = !s->steer.given
				? json_null()
				: json_pack("{s:I,s:I,s:I,s:o}", "added",
					  (json_int_t)s->steer.added, "cancelled",
					  (json_int_t)s->steer.cancelled, "refused",
					  (json_int_t)s->steer.odd, "last",
					  paint_json(s->steer.last));
	return json_pack("{s:s,s:s,s:b,s:o,s:o,s:o,s:I,s:I,s:o}", "name", s->name,
		"state", weft_state_name(s->state), "optional", (int)s->optional,
		"labels", labels_json(s->labels), "metrics", metrics_json(st, s),
		"steer", steer, "done", (json_int_t)s->count[WEFT_STATE_DONE], "failed",
		(json_int_t)(s->count[WEFT_STATE_FAILED] + s->count[WEFT_STATE_LOST]),
		"members", members);
}

static json_t *hours_json(double used, double limit)
{
	return json_pack("{s:f,s:o}", "used", used, "limit",
		limit > 0 ? json_real(limit) : json_null());
}

/* null: the workflow has no budget. */
static json_t *budget_json(const struct weft_status *st)
{
	const struct weft_budget *b = st->budget;

	if (!b || (!(b->node_hours > 0) && !(b->core_hours > 0) && !(b->gpu_hours > 0)))
		return json_null();
	return json_pack("{s:o,s:o,s:o}", "node_hours",
		hours_json(st->node_hours, b->node_hours), "core_hours",
		hours_json(st->core_hours, b->core_hours), "gpu_hours",
		hours_json(st->gpu_hours, b->gpu_hours));
}

int weft_report_status_json(
	const struct weft_run *run, const struct weft_status *st, struct weft_str *out)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < st->n_steps; i++)
		if (json_array_append_new(steps, step_json(st, &st->step[i])) < 0) {
			json_decref(steps);
			steps = NULL;
		}
	return weft_report_json(
		json_pack("{s:o,s:o,s:b,s:i,s:o,s:o,s:o,s:o,s:o}", "run",
			paint_json(run->id), "dir", paint_json(run->dir), "finished",
			(int)st->finished, "code", (int)st->code, "stopped",
			paint_json(st->stopped), "labels", labels_json(st->labels),
			"budget", budget_json(st), "loops", paint_loops_json(st),
			"steps", steps),
		JSON_INDENT(1) | JSON_REAL_PRECISION(15), out);
}
