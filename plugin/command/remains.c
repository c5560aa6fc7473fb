/*
 * remains.c - what of a run is still to be done, and why.
 *
 * A member stays done when it has a completion record, was made by the definition and
 * from the inputs that it has now, and nothing that it needs runs again.
 */
#include "remains.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct weft_engine as_engine(
	const struct opened *o, struct weft_records *records)
{
	return (struct weft_engine){.run = o->run,
		.wf = o->wf,
		.records = records,
		.plan = o->plan,
		.conf = o->conf,
		.job = ""};
}

struct looking {
	const struct remains *r;
	unsigned step;
};

static int runs_again(void *ctx, size_t member)
{
	const struct looking *l = ctx;

	return l->r->why[l->step] && l->r->why[l->step][member] != REMAINS_NOT;
}

/* ... in an earlier round of its loop? */
static bool follows_round(const struct remains *r, const struct weft_step *step,
	size_t member, unsigned *by)
{
	const struct weft_workflow *wf = r->o->wf;
	size_t own = step->sweep.round ? member / step->sweep.round : 0;

	for (size_t k = 0; own && k < step->n_inputs; k++) {
		const struct weft_input *in = &step->input[k];

		for (size_t n = 0; in->round != WEFT_ROUND_THIS && n < in->n_from;
			n++) {
			const struct weft_input_from *from = &in->from[n];
			const struct weft_edge e = {
				.step = from->step, .all = from->all};
			struct looking l = {r, from->step};
			size_t round = in->round == WEFT_ROUND_ALL ? 0 : own - 1;

			if (from->step == WEFT_NO_STEP || !r->n[from->step])
				continue;
			*by = from->step;
			for (; round < own; round++)
				if (weft_spec_each_in_round(wf, step, member, &e, round,
					    runs_again, &l))
					return true;
		}
	}
	return false;
}

/* Does anything run again that it needs?  *by: of which step. */
static bool follows(const struct remains *r, const struct weft_step *step,
	size_t member, unsigned *by)
{
	const struct weft_workflow *wf = r->o->wf;

	for (unsigned k = 0; step->finally && k < wf->n_steps; k++)
		if (!wf->step[k].finally && r->n[k]) {
			*by = k;
			return true;
		}
	for (size_t k = 0; k < step->n_edges; k++) {
		const struct weft_edge *e = &step->edge[k];
		struct looking l = {r, e->step};

		if (!r->n[e->step])
			continue;
		*by = e->step;
		/* Of a loop's step it is the members of a round that are needed. */
		if ((!weft_spec_matches(wf, step, e) &&
			    !wf->step[e->step].sweep.round) ||
			weft_spec_each_match(wf, step, member, e, runs_again, &l))
			return true;
	}
	return follows_round(r, step, member, by);
}

static bool has_outputs(const struct weft_step *step, const struct weft_record *rec)
{
	for (size_t i = 0; i < rec->n_outputs; i++)
		for (size_t k = 0; k < step->n_outputs; k++)
			if (weft_streq(step->output[k].name, rec->output[i].name) &&
				access(rec->output[i].path, F_OK))
				return false;
	return true;
}

static enum remains_why judge(struct remains *r, const struct weft_engine *e,
	const struct weft_step *step, size_t member, const char *definition)
{
	struct weft_record_head h = weft_records_head(r->records, step->index, member);
	weft_autoerr struct weft_err err = {0};
	struct weft_record *rec = NULL;
	char now[WEFT_DIGEST_HEX];
	enum remains_why why = REMAINS_NOT;

	if (follows(r, step, member, &r->by[step->index]))
		return REMAINS_FOLLOWS;
	if (!weft_state_ended(h.state))
		return REMAINS_NEVER;
	/* A skip holds as long as what it came from does. */
	if (h.state == WEFT_STATE_SKIPPED)
		return REMAINS_NOT;
	if (h.state != WEFT_STATE_DONE)
		return REMAINS_ENDED;
	if (weft_records_read(r->records, step->index, member, &rec, &err))
		return REMAINS_DAMAGED;
	if (!weft_streq(rec->definition, definition))
		why = REMAINS_CHANGED;
	else if (weft_engine_digest(e, step, member, now, &err) ||
		 !weft_streq(rec->digest, now))
		why = REMAINS_INPUTS;
	else if (!has_outputs(step, rec))
		why = REMAINS_GONE;
	weft_record_free(rec);
	return why;
}

/* A round may need the one before, whose members come later in the order of steps. */
static void follow_rounds(struct remains *r)
{
	const struct weft_workflow *wf = r->o->wf;
	bool more = wf->n_loops > 0;

	while (more) {
		more = false;
		for (size_t k = 0; k < wf->n_steps; k++) {
			const struct weft_step *step = &wf->step[wf->order[k]];
			unsigned s = step->index, by;

			for (size_t i = 0; i < step->sweep.count; i++) {
				if (r->why[s][i] != REMAINS_NOT ||
					!follows(r, step, i, &by))
					continue;
				r->why[s][i] = REMAINS_FOLLOWS;
				r->by[s] = by;
				r->n[s]++;
				r->total++;
				more = true;
			}
		}
	}
}

/* A sweep that is steered, or the rounds of a loop: all of it may have ended, and yet
 * nobody has said that it is over.  Or one that is read from what is to be made again.
 */
static bool is_open(const struct remains *r, unsigned step)
{
	const struct weft_step *all = r->o->wf->step;
	const struct weft_sweep *w = &all[step].sweep;
	bool growing = w->growing;

	if (w->kind == WEFT_SWEEP_EACH)
		w = &all[w->root].sweep;
	if (w->kind == WEFT_SWEEP_FILE && w->from != WEFT_NO_STEP)
		return growing && r->n[w->from];
	return growing;
}

int remains_find(struct remains *r, const struct opened *o, struct weft_err *err)
{
	const struct weft_workflow *wf = o->wf;
	char definition[WEFT_DIGEST_HEX];

	*r = (struct remains){.o = o};
	r->why = calloc(wf->n_steps + 1, sizeof(*r->why));
	r->n = calloc(wf->n_steps + 1, sizeof(*r->n));
	r->by = calloc(wf->n_steps + 1, sizeof(*r->by));
	if (!r->why || !r->n || !r->by)
		return weft_err_nomem(err);
	if (weft_records_open(o->run, wf, &r->records, err) ||
		weft_records_poll(r->records, NULL, NULL, err))
		return -1;
	struct weft_engine e = as_engine(o, r->records);
	for (size_t k = 0; k < wf->n_steps; k++) {
		const struct weft_step *step = &wf->step[wf->order[k]];
		unsigned s = step->index;

		r->why[s] = calloc(step->sweep.count + 1, 1);
		if (!r->why[s])
			return weft_err_nomem(err);
		if (weft_record_digest(wf, step, NULL, definition, err))
			return -1;
		for (size_t i = 0; i < step->sweep.count; i++) {
			r->why[s][i] = (unsigned char)judge(r, &e, step, i, definition);
			r->n[s] += r->why[s][i] != REMAINS_NOT;
		}
		r->total += r->n[s];
		r->open += is_open(r, s);
	}
	follow_rounds(r);
	return 0;
}

void remains_free(struct remains *r)
{
	for (size_t s = 0; r->why && s < r->o->wf->n_steps; s++)
		free(r->why[s]);
	free(r->why);
	free(r->n);
	free(r->by);
	weft_records_free(r->records);
	*r = (struct remains){0};
}

/* Of the first such member; the others are alike but for its own words. */
static void add_reason(
	const struct remains *r, unsigned s, size_t i, struct weft_str *out)
{
	weft_autoerr struct weft_err err = {0};
	struct weft_record *rec = NULL;

	switch ((enum remains_why)r->why[s][i]) {
	case REMAINS_NOT:
		return;
	case REMAINS_NEVER:
		weft_str_add(out, "no completion record");
		return;
	case REMAINS_DAMAGED:
		weft_str_add(out, "its completion record is damaged");
		return;
	case REMAINS_GONE:
		weft_str_add(out, "an output of it is gone");
		return;
	case REMAINS_CHANGED:
		weft_str_add(out, "the step's definition has changed");
		return;
	case REMAINS_INPUTS:
		weft_str_add(out, "its inputs have changed");
		return;
	case REMAINS_FOLLOWS:
		weft_str_printf(out, "%s runs again", r->o->wf->step[r->by[s]].name);
		return;
	case REMAINS_ENDED:
		break;
	}
	if (weft_records_read(r->records, s, i, &rec, &err))
		return;
	weft_str_printf(
		out, "%s%s", weft_state_name(rec->state), *rec->reason ? ": " : "");
	weft_report_text(out, rec->reason);
	weft_record_free(rec);
}

int remains_print(const struct remains *r, struct weft_str *out)
{
	const struct weft_workflow *wf = r->o->wf;

	for (size_t k = 0; k < wf->n_steps; k++) {
		const struct weft_step *step = &wf->step[wf->order[k]];
		unsigned s = step->index;

		for (int why = REMAINS_NEVER; why <= REMAINS_FOLLOWS; why++) {
			size_t n = 0, first = 0;

			for (size_t i = step->sweep.count; i-- > 0;)
				if (r->why[s][i] == why) {
					first = i;
					n++;
				}
			if (!n)
				continue;
			weft_str_printf(out, "%s", step->name);
			if (step->sweep.kind != WEFT_SWEEP_NONE)
				weft_str_printf(out, "  %zu of %zu members", n,
					step->sweep.count);
			weft_str_add(out, "  ");
			add_reason(r, s, first, out);
			weft_str_add(out, n > 1 && why == REMAINS_ENDED
						  ? ", and others\n"
						  : "\n");
		}
	}
	for (unsigned s = 0; s < wf->n_steps; s++)
		if (is_open(r, s) && !r->n[s])
			weft_str_printf(
				out, "%s  more members may come\n", wf->step[s].name);
	return out->failed ? -1 : 0;
}

/* A record that waits takes back what its attempt has ended in. */
static int void_one(struct remains *r, struct weft_recorder *to,
	const struct weft_step *step, size_t i, struct weft_err *err)
{
	struct weft_record_head h = weft_records_head(r->records, step->index, i);
	struct weft_member m;
	int bad;

	if (!weft_state_ended(h.state))
		return 0;
	if (weft_sweep_member(r->o->wf, step, i, &m, err))
		return -1;
	struct weft_record rec = {.state = WEFT_STATE_NONE,
		.step = (char *)step->name,
		.member = m.id,
		.index = i,
		.attempt = h.attempt,
		.exit_status = -1,
		.reason = (char *)"resumed",
		.ended = weft_now()};
	bad = weft_recorder_add(to, &rec, err);
	weft_member_clear(&m);
	return bad;
}

static int void_step(
	const struct remains *r, const struct weft_step *step, struct weft_err *err)
{
	weft_autofree char *dir = weft_run_step_dir(r->o->run, step, NULL);
	weft_autofree char *path = dir ? weft_path_join(dir, "done.json") : NULL;

	return path ? weft_remove_tree(path, err) : weft_err_nomem(err);
}

int remains_void(struct remains *r, const char *writer, struct weft_err *err)
{
	struct weft_recorder *to = NULL;
	int bad = weft_recorder_open(r->o->run, writer, &to, err);

	for (size_t s = 0; !bad && s < r->o->wf->n_steps; s++) {
		const struct weft_step *step = &r->o->wf->step[s];

		if (step->sweep.kind == WEFT_SWEEP_NONE) {
			bad = r->n[s] ? void_step(r, step, err) : 0;
			continue;
		}
		for (size_t i = 0; !bad && i < step->sweep.count; i++)
			if (r->why[s][i] != REMAINS_NOT)
				bad = void_one(r, to, step, i, err);
	}
	bad = bad || weft_recorder_commit(to, err);
	weft_recorder_close(to);
	return bad ? -1 : 0;
}

/* "0-3,7": the blocks of a group that have any of it. */
static char *blocks(const struct remains *r, const struct weft_plan_group *g)
{
	weft_autofree bool *has = calloc(g->tasks + 1, sizeof(*has));
	weft_autostr struct weft_str out = {0};
	size_t n = 0;

	if (!has)
		return NULL;
	for (size_t k = 0; k < g->n_steps; k++) {
		size_t count = r->o->wf->step[g->step[k]].sweep.count;

		for (size_t i = 0; i < count; i++)
			if (r->why[g->step[k]][i] != REMAINS_NOT)
				has[weft_sweep_block_of(count, g->tasks, i)] = true;
	}
	for (size_t b = 0; b < g->tasks; b++)
		n += has[b];
	if (n == g->tasks)
		return strdup("");
	for (size_t b = 0; b < g->tasks; b++) {
		size_t last = b;

		if (!has[b])
			continue;
		while (last + 1 < g->tasks && has[last + 1])
			last++;
		weft_str_printf(&out, "%s%zu", out.len ? "," : "", b);
		if (last > b)
			weft_str_printf(&out, "-%zu", last);
		b = last;
	}
	if (g->max_parallel)
		weft_str_printf(&out, "%%%u", g->max_parallel);
	return weft_str_take(&out);
}

size_t *remains_rounds(const struct remains *r, struct weft_err *err)
{
	const struct weft_workflow *wf = r->o->wf;
	size_t *round = calloc(wf->n_loops + 1, sizeof(*round));

	for (size_t k = 0; round && k < wf->n_loops; k++) {
		const struct weft_loop *l = &wf->loop[k];

		round[k] = l->rounds - 1;
		for (size_t n = 0; n < l->n_steps; n++) {
			const struct weft_step *s = &wf->step[l->step[n]];

			for (size_t i = 0; i < round[k] * s->sweep.round; i++)
				if (r->why[s->index][i] != REMAINS_NOT)
					round[k] = i / s->sweep.round;
		}
	}
	if (!round)
		weft_err_nomem(err);
	return round;
}

/* Of a loop whose rounds have jobs of their own any part needs all of a round's jobs:
 * the last of them sees to the next round. */
static bool loop_remains(const struct remains *r, unsigned loop)
{
	const struct weft_loop *l = &r->o->wf->loop[loop];
	size_t n = 0;

	for (size_t k = 0; k < l->n_steps; k++)
		n += r->n[l->step[k]];
	return n > 0;
}

char **remains_tasks(const struct remains *r, struct weft_err *err)
{
	const struct weft_plan *plan = r->o->plan;
	char **tasks = calloc(plan->n_groups + 1, sizeof(*tasks));

	for (size_t i = 0; tasks && i < plan->n_groups; i++) {
		const struct weft_plan_group *g = &plan->group[i];
		size_t n = 0;

		unsigned loop = weft_plan_apart(plan, r->o->wf, i);

		for (size_t k = 0; k < g->n_steps; k++)
			n += r->n[g->step[k]] + is_open(r, g->step[k]);
		if (!n && (loop == WEFT_NO_LOOP || !loop_remains(r, loop)))
			continue;
		tasks[i] = g->tasks ? blocks(r, g) : strdup("");
		if (!tasks[i]) {
			remains_tasks_free(r, tasks);
			tasks = NULL;
		}
	}
	if (!tasks)
		weft_err_nomem(err);
	return tasks;
}

void remains_tasks_free(const struct remains *r, char **tasks)
{
	for (size_t i = 0; tasks && i < r->o->plan->n_groups; i++)
		free(tasks[i]);
	free(tasks);
}
