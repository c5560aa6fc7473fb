/* policy.c - the plan against the site's limits */
#include "select/arith.h"
#include "select/width.h"

#include <stdlib.h>
#include <string.h>

struct check {
	const struct weft_workflow *wf;
	const struct weft_plan *plan;
	const struct weft_conf *conf;
	const struct weft_policy *policy;
	struct weft_conf_limits limits;
	struct weft_errs *errs;
};

/* Told to both; takes over *err, which says what is wrong. */
static void refuse_rule(struct check *c, const char *key, const char *value,
	struct weft_pos pos, const char *path, struct weft_err *err)
{
	weft_autofree char *rule = weft_printf("limits.%s", key);

	weft_err_at(err, c->wf->file, pos, path);
	weft_errs_add(c->errs, err);
	if (c->policy->refused)
		c->policy->refused(c->policy->ctx, rule ? rule : key, value);
}

static const struct weft_step *first_step(
	const struct check *c, const struct weft_plan_group *g)
{
	return &c->wf->step[g->step[0]];
}

/* ---- nodes, GPUs ------------------------------------------------------- */

struct kind {
	enum width what;
	const char *key, *user_key, *unit;
	uint64_t limit, user_limit, held;
};

/* The most members at a time that keep the plan within the limit; 0: there is none. */
static uint64_t parallel_within(const struct weft_plan_group *g, enum width what,
	uint64_t width, uint64_t limit)
{
	uint64_t own = width_group(g, what), rest = width - own;
	uint64_t one = what == WIDTH_NODES ? g->shape.nodes : g->shape.gpus;

	if (g->tasks < 2 || !one || rest >= limit)
		return 0;
	return (limit - rest) / one * (g->width ? g->width : 1);
}

static void check_width(struct check *c, const struct kind *k)
{
	bool own = k->limit != 0, user = k->user_limit != 0;
	const struct weft_plan_group *most;
	weft_autostr struct weft_str sum = {0};
	weft_autofree char *value = NULL, *less = NULL;
	struct weft_err err = {0};
	uint64_t width, limit, held = 0;

	if (!own && !user)
		return;
	if (width_plan(c->plan, k->what, &width, &most, &sum)) {
		weft_err_nomem(&err);
		weft_errs_add(c->errs, &err);
		return;
	}
	if (own && width > k->limit) {
		limit = k->limit;
		weft_err_set(&err, WEFT_EPLACE,
			"its jobs can hold %ju %s at the same time; this site allows "
			"a workflow %ju",
			(uintmax_t)width, k->unit, (uintmax_t)limit);
	} else if (user && width && width + k->held > k->user_limit) {
		held = k->held;
		limit = k->user_limit > held ? k->user_limit - held : 0;
		weft_err_set(&err, WEFT_EPLACE,
			"its jobs can hold %ju %s at the same time, and your other "
			"jobs of weft ask for %ju; this site allows a user %ju",
			(uintmax_t)width, k->unit, (uintmax_t)held,
			(uintmax_t)k->user_limit);
	} else {
		return;
	}
	uint64_t parallel = parallel_within(most, k->what, width, limit);
	if (parallel)
		less = weft_printf("; max_parallel: %ju of step %s would do",
			(uintmax_t)parallel, most->name);
	weft_conf_hint_ask(c->conf, &err, "%s%s", sum.s ? sum.s : "", less ? less : "");
	value = weft_printf("%ju+%ju %s", (uintmax_t)width, (uintmax_t)held, k->unit);
	refuse_rule(c, own && width > k->limit ? k->key : k->user_key,
		value ? value : "", first_step(c, most)->pos, NULL, &err);
}

/* ---- members, time, hours ---------------------------------------------- */

static void check_members(struct check *c)
{
	const struct weft_plan_step *most = NULL;
	weft_autofree char *value = NULL;
	struct weft_err err = {0};
	uint64_t sum = 0;

	for (size_t i = 0; i < c->plan->n_steps; i++) {
		const struct weft_plan_step *s = &c->plan->step[i];

		sum += s->members;
		if (!most || s->members > most->members)
			most = s;
	}
	if (!c->limits.members || !most || sum <= c->limits.members)
		return;
	weft_err_set(&err, WEFT_EPLACE,
		"its steps have %ju members in all; this site allows a workflow %ju",
		(uintmax_t)sum, (uintmax_t)c->limits.members);
	weft_conf_hint_ask(
		c->conf, &err, "%s has %zu of them", most->name, most->members);
	value = weft_printf("%ju members", (uintmax_t)sum);
	refuse_rule(c, "members", value ? value : "",
		c->wf->step[most - c->plan->step].pos, NULL, &err);
}

static void check_time(struct check *c)
{
	for (size_t i = 0; i < c->plan->n_groups && c->limits.time; i++) {
		const struct weft_plan_group *g = &c->plan->group[i];
		char have[WEFT_UNIT_MAX], most[WEFT_UNIT_MAX];
		struct weft_err err = {0};

		if (g->shape.time && g->shape.time <= c->limits.time)
			continue;
		weft_format_duration(have, g->shape.time);
		weft_format_duration(most, c->limits.time);
		if (g->shape.time)
			weft_err_set(&err, WEFT_EPLACE,
				"its job may take %s; this site allows a job %s", have,
				most);
		else
			weft_err_set(&err, WEFT_EPLACE,
				"its job has no time limit; this site allows a job %s",
				most);
		weft_conf_hint_ask(c->conf, &err, "write resources: {time: %s}", most);
		refuse_rule(c, "time", g->shape.time ? have : "none",
			first_step(c, g)->pos, NULL, &err);
	}
}

static void check_hours(struct check *c, enum arith what, const char *key,
	const char *unit, double plan, double limit)
{
	weft_autostr struct weft_str sum = {0};
	weft_autofree char *value = NULL;
	struct weft_err err = {0};

	if (!(limit > 0))
		return;
	for (size_t i = 0; i < c->plan->n_steps; i++) {
		const struct weft_plan_step *s = &c->plan->step[i];

		if (s->time)
			continue;
		weft_err_set(&err, WEFT_EPLACE,
			"this site allows a workflow %.10g %s, and neither the step "
			"nor partition %s limits its time",
			limit, unit, s->partition);
		weft_conf_hint_ask(c->conf, &err, "write resources: {time: ...}");
		refuse_rule(c, key, "no time limit", c->wf->step[i].pos, NULL, &err);
		return;
	}
	if (!(plan > limit))
		return;
	weft_err_set(&err, WEFT_EPLACE,
		"its steps may take %.10g %s at their time limits; this site allows a "
		"workflow %.10g",
		plan, unit, limit);
	arith_print(c->plan, what, &sum);
	weft_conf_hint_ask(c->conf, &err, "%s", sum.s ? sum.s : "");
	value = weft_printf("%.10g %s", plan, unit);
	refuse_rule(c, key, value ? value : "",
		first_step(c, arith_most(c->plan, what))->pos, NULL, &err);
}

/* ---- accounts, labels -------------------------------------------------- */

static void list(const struct weft_conf_names *names, struct weft_str *out)
{
	for (size_t i = 0; i < names->n; i++)
		weft_str_printf(out, "%s%s", i ? ", " : "", names->v[i]);
}

static void check_accounts(struct check *c)
{
	const struct weft_conf_names *allowed = &c->limits.accounts;

	for (size_t i = 0; i < c->plan->n_steps && allowed->n; i++) {
		const struct weft_plan_step *s = &c->plan->step[i];
		const struct weft_step *step = &c->wf->step[i];
		const struct weft_text *text =
			step->account.s ? &step->account : &c->wf->account;
		const char *account = *s->account ? s->account : c->policy->account;
		weft_autostr struct weft_str all = {0};
		struct weft_err err = {0};

		if (account && weft_conf_names_has(allowed, account))
			continue;
		if (account && *account)
			weft_err_set(&err, WEFT_EPLACE,
				"account %s may not be charged by weft here", account);
		else
			weft_err_set(&err, WEFT_EPLACE,
				"no account is named, and not all may be charged by "
				"weft here");
		list(allowed, &all);
		weft_conf_hint_ask(
			c->conf, &err, "write account: one of %s", all.s ? all.s : "");
		refuse_rule(c, "accounts", account ? account : "",
			text->s ? text->pos : step->pos, NULL, &err);
		/* All steps without one of their own would say the same. */
		if (!step->account.s)
			return;
	}
}

static bool has_label(const struct weft_workflow *wf, const char *name)
{
	for (size_t i = 0; i < wf->labels.n; i++)
		if (weft_streq(wf->labels.v[i].name, name) && wf->labels.v[i].value.s &&
			*wf->labels.v[i].value.s)
			return true;
	return false;
}

static void check_labels(struct check *c)
{
	for (size_t i = 0; i < c->limits.require_labels.n; i++) {
		const char *name = c->limits.require_labels.v[i];
		struct weft_err err = {0};

		if (has_label(c->wf, name))
			continue;
		weft_err_set(&err, WEFT_EPLACE,
			"the workflow has no label %s, which this site requires", name);
		weft_conf_hint_ask(c->conf, &err, "write labels: {%s: ...}", name);
		refuse_rule(c, "require_labels", name,
			c->wf->labels.n ? c->wf->labels.v[0].pos
					: (struct weft_pos){0, 0},
			"labels", &err);
	}
}

int weft_select_policy(const struct weft_workflow *wf, const struct weft_plan *plan,
	const struct weft_conf *conf, const struct weft_policy *policy,
	struct weft_errs *errs)
{
	struct check c = {
		.wf = wf, .plan = plan, .conf = conf, .policy = policy, .errs = errs};
	const struct weft_conf_limits *l = &c.limits;
	size_t before = errs->total;

	weft_conf_limits(conf, policy->user, &c.limits);
	check_labels(&c);
	check_members(&c);
	check_hours(&c, ARITH_NODE_HOURS, "node_hours", "node-hours", plan->node_hours,
		l->node_hours);
	check_hours(&c, ARITH_CORE_HOURS, "core_hours", "core-hours", plan->core_hours,
		l->core_hours);
	check_hours(&c, ARITH_GPU_HOURS, "gpu_hours", "GPU-hours", plan->gpu_hours,
		l->gpu_hours);
	if (!policy->allocated) {
		check_accounts(&c);
		check_time(&c);
		check_width(
			&c, &(struct kind){WIDTH_NODES, "nodes", "user_nodes", "nodes",
				    l->nodes, l->user_nodes, policy->held_nodes});
		check_width(&c, &(struct kind){WIDTH_GPUS, "gpus", "user_gpus", "GPUs",
					l->gpus, l->user_gpus, policy->held_gpus});
	}
	return errs->total == before ? 0 : -1;
}
