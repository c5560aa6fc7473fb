/* use.c - node-, core- and GPU-hours that a run has used */
#include "report/report.h"

#include <stdlib.h>

struct job {
	double from, to;
	unsigned group, step;
	bool several; /* it runs steps of several groups: an allocation for all of them
		       */
	struct weft_plan_rate hours; /* of its members, one by one */
};

struct use {
	const struct weft_plan *plan;
	struct job *job;
	size_t n, cap;
	struct weft_map by_id;
};

static void add(
	struct weft_plan_rate *to, const struct weft_plan_rate *rate, double hours)
{
	to->nodes += rate->nodes * hours;
	to->cores += rate->cores * hours;
	to->gpus += rate->gpus * hours;
}

static struct job *job_of(struct use *u, const char *id, unsigned step, double from)
{
	unsigned group = u->plan->step[step].group;
	size_t at;

	if (!weft_map_get(&u->by_id, id, &at)) {
		at = u->n;
		if (weft_grow(u->job, u->n, u->cap) ||
			weft_map_add(&u->by_id, id, at, NULL) < 0)
			return NULL;
		u->job[u->n++] = (struct job){
			.from = from, .to = from, .group = group, .step = step};
	}
	u->job[at].several |= u->job[at].group != group;
	return &u->job[at];
}

static int count(struct use *u, const struct weft_status_member *m, unsigned step,
	double now, struct weft_plan_rate *sum)
{
	double to = m->ended > 0 ? m->ended : m->state == WEFT_STATE_RUNNING ? now : 0;
	struct weft_plan_rate rate;
	struct job *job;

	if (!(m->started > 0) || !(to > m->started))
		return 0;
	weft_plan_rate(u->plan, step, false, &rate);
	if (!m->job || !*m->job) {
		add(sum, &rate, (to - m->started) / 3600);
		return 0;
	}
	job = job_of(u, m->job, step, m->started);
	if (!job)
		return -1;
	add(&job->hours, &rate, (to - m->started) / 3600);
	if (m->started < job->from)
		job->from = m->started;
	if (to > job->to)
		job->to = to;
	return 0;
}

int weft_report_use(struct weft_status *st, const struct weft_plan *plan, double now)
{
	struct use u = {.plan = plan};
	struct weft_plan_rate sum = {0};
	int bad = 0;

	for (unsigned i = 0; !bad && i < st->n_steps && i < plan->n_steps; i++)
		for (size_t k = 0; !bad && k < st->step[i].members; k++)
			bad = count(&u, &st->step[i].member[k], i, now, &sum);
	for (size_t i = 0; i < u.n; i++) {
		const struct job *j = &u.job[i];
		struct weft_plan_rate rate;

		weft_plan_rate(plan, j->step, true, &rate);
		if (j->several)
			add(&sum, &j->hours, 1);
		else
			add(&sum, &rate, (j->to - j->from) / 3600);
	}
	free(u.job);
	weft_map_free(&u.by_id);
	st->node_hours = sum.nodes;
	st->core_hours = sum.cores;
	st->gpu_hours = sum.gpus;
	return bad;
}
