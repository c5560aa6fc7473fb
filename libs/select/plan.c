/* plan.c - weft_select_plan: each step in turn, then groups and the budget. */
#include "select/key.h"
#include "select/work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void give(struct work *w, struct weft_err *err)
{
	weft_errs_add(w->errs, err);
}

/* account, qos, reservation: the step's, else the workflow's, else the role's. */
static int text_of(struct work *w, const struct weft_step *step,
	const struct weft_text *own, const struct weft_text *top, const char *role,
	const char **out, struct weft_err *err)
{
	struct weft_scope scope = {.wf = w->wf, .step = step, .variant = -1};
	const struct weft_text *t = own->s ? own : top;
	weft_autofree char *value = NULL;

	*out = role ? role : "";
	if (t->s && weft_scope_text(&scope, t, &value, err) < 0)
		return -1;
	if (value)
		*out = value;
	*out = **out ? weft_arena_strdup(&w->plan->arena, *out) : "";
	return *out ? 0 : weft_err_nomem(err);
}

static int fill_ask(struct work *w, const struct weft_step *step, struct ask *a,
	const struct weft_resources *r, enum ask_key *key, struct weft_err *err)
{
	const struct weft_conf_role *role = w->conf ? &w->conf->role[step->role] : NULL;
	const struct weft_workflow *wf = w->wf;

	if (ask_make(a, r, step->launch, &w->plan->arena, key, err) < 0)
		return -1;
	a->role = step->role;
	a->in_memory = step_in_memory(w, step, r->tmp);
	/* There it is no disk that must have room for it. */
	if (step->scratch == WEFT_SCRATCH_MEMORY && !w->local)
		a->tmp = 0;
	if (role && role->partition) {
		a->role_partition = weft_arena_strdup(&w->plan->arena, role->partition);
		if (!a->role_partition)
			return weft_err_nomem(err);
	}
	if (!a->time && role)
		a->time = role->time;
	if (!a->time && w->conf)
		a->time = w->conf->time;
	a->time_of_conf = !r->time && a->time;
	if (text_of(w, step, &step->account, &wf->account, role ? role->account : NULL,
		    &a->account, err) < 0 ||
		text_of(w, step, &step->qos, &wf->qos, role ? role->qos : NULL, &a->qos,
			err) < 0)
		return -1;
	return text_of(w, step, &step->reservation, &wf->reservation, NULL,
		&a->reservation, err);
}

static void add_key(struct weft_str *key, const struct weft_resources *r)
{
	const uint64_t numbers[] = {r->min_nodes, r->max_nodes, r->ntasks,
		r->ntasks_per_node, r->cpus_per_task, r->cpus_per_gpu,
		r->ntasks_per_gpu, r->gpus_given, r->gpus, r->gpus_per_node, r->mem,
		r->mem_per_cpu, r->mem_per_gpu, r->tmp, (uint64_t)r->time,
		r->exclusive};
	const char *const texts[] = {r->partition, r->gpu_type, r->constraint,
		r->exclude, r->nodelist, r->licenses, r->gres};

	for (size_t i = 0; i < WEFT_COUNT(numbers); i++)
		key_number(key, numbers[i]);
	if (r->gpus_per_task > 0)
		weft_str_printf(key, "%g", r->gpus_per_task);
	for (size_t i = 0; i < WEFT_COUNT(texts); i++)
		key_text(key, texts[i]);
	weft_str_addc(key, '\x1e');
}

static bool same_texts(const struct ask *a, const struct ask *b)
{
	return weft_streq(a->partition, b->partition) &&
	       weft_streq(a->gpu_type, b->gpu_type) &&
	       weft_streq(a->constraint, b->constraint) &&
	       weft_streq(a->exclude, b->exclude) &&
	       weft_streq(a->nodelist, b->nodelist) &&
	       weft_streq(a->licenses, b->licenses) && weft_streq(a->gres, b->gres);
}

/* Adds the ask of one member unless an equal one is there. */
static int add_ask(struct work *w, const struct weft_step *step, size_t alternative,
	const struct weft_member *m, struct weft_map *seen, struct asks *asks)
{
	weft_autostr struct weft_str text = {0};
	struct weft_err err = {0};
	struct weft_resources r;
	enum ask_key key = KEY_NONE;
	int rc = -1;

	if (evaluate(w->wf, w->conf, step, alternative, m, &r, &err) < 0) {
		if (!err.file)
			blame(w->wf, step, alternative, KEY_NONE, &err);
		give(w, &err);
		return -1;
	}
	int added = 1;

	if (m) {
		add_key(&text, &r);
		const char *own = weft_arena_strdup(&w->scratch, text.s ? text.s : "");

		added = own ? weft_map_add(seen, own, asks->n, NULL) : -1;
	}
	if (added == 0) {
		weft_resources_clear(&r);
		return 0;
	}
	if (added < 0 || weft_grow(asks->v, asks->n, asks->cap) < 0) {
		weft_err_nomem(&err);
		goto out;
	}
	if (fill_ask(w, step, &asks->v[asks->n], &r, &key, &err) < 0) {
		if (!err.file)
			blame(w->wf, step, alternative, key, &err);
		goto out;
	}
	if (asks->n && !same_texts(&asks->v[0], &asks->v[asks->n])) {
		weft_err_set(&err, WEFT_EPLACE,
			"only numbers may differ between members: partition, gpu_type, "
			"constraint, exclude, nodelist, licenses and gres are the "
			"job's");
		weft_err_hint(&err, "make a step for each of them");
		blame(w->wf, step, alternative, KEY_NONE, &err);
		goto out;
	}
	asks->n++;
	rc = 0;
out:
	weft_resources_clear(&r);
	if (rc < 0)
		give(w, &err);
	return rc;
}

int collect_asks(struct work *w, const struct weft_step *step, size_t alternative,
	bool vary, struct asks *asks)
{
	struct weft_map seen = {0};
	size_t n = !vary ? 1 : step->sweep.round ? step->sweep.most : step->sweep.count;
	int rc = 0;

	asks->n = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct weft_member m = {0};
		struct weft_err err = {0};

		if (vary && weft_sweep_member(w->wf, step, i, &m, &err) < 0) {
			if (!err.file)
				blame(w->wf, step, alternative, KEY_NONE, &err);
			give(w, &err);
			rc = -1;
			break;
		}
		rc = add_ask(w, step, alternative, vary ? &m : NULL, &seen, asks);
		weft_member_clear(&m);
	}
	weft_map_free(&seen);
	return rc;
}

static void refuse_license(const struct weft_cluster *c, const char *name,
	const struct weft_license *have, int64_t count, struct weft_err *err)
{
	weft_autostr struct weft_str list = {0};

	if (have) {
		weft_err_set(err, WEFT_EPLACE,
			"the cluster has %u licences of %s, not %jd", have->total, name,
			(intmax_t)count);
		weft_err_hint(err, "use licenses: %s:%u at most", name, have->total);
		return;
	}
	for (size_t i = 0; i < c->n_licenses; i++)
		weft_str_printf(&list, "%s%s:%u", i ? ", " : "", c->license[i].name,
			c->license[i].total);
	weft_err_set(err, WEFT_EPLACE, "the cluster has no licence %s", name);
	weft_err_hint(err, "it has: %s", list.s ? list.s : "");
}

int check_licenses(struct work *w, const struct weft_step *step, size_t alternative,
	const char *list, struct weft_err *err)
{
	for (const char *p = list; *p && w->cluster->n_licenses;) {
		size_t n = strcspn(p, ",|");
		weft_autofree char *item = strndup(p, n);
		const struct weft_license *have = NULL;
		int64_t count = 1;

		if (!item)
			return weft_err_nomem(err);
		char *colon = strpbrk(item, ":=");

		if (colon)
			*colon = '\0';
		if (colon && !weft_parse_int(colon + 1, 1, INT32_MAX, &count))
			count = 1;
		for (size_t i = 0; i < w->cluster->n_licenses; i++)
			if (weft_streq(w->cluster->license[i].name, item))
				have = &w->cluster->license[i];
		if (!have || have->total < count) {
			refuse_license(w->cluster, item, have, count, err);
			blame(w->wf, step, alternative, KEY_LICENSES, err);
			return -1;
		}
		p += n + (p[n] != 0);
	}
	return 0;
}

static int write_choice(struct work *w, const struct weft_step *step,
	size_t alternative, const struct asks *asks, const struct choice *c,
	struct weft_plan_step *out)
{
	write_step(out, &asks->v[0], c, step->sweep.most);
	for (size_t i = 1; i < asks->n; i++) {
		out->exclusive |= asks->v[i].exclusive;
		out->tmp = asks->v[i].tmp > out->tmp ? asks->v[i].tmp : out->tmp;
	}
	add_hours(out, c, out->exclusive || (c->pool && c->pool->part->exclusive));
	out->variant = (int)alternative;
	out->partition = weft_arena_strdup(&w->plan->arena, out->partition);
	out->why = weft_arena_strdup(&w->plan->arena, c->why);
	return out->partition && out->why ? 0 : -1;
}

/* A step's inputs from the steps before it, for where it might go itself. */
struct route {
	struct work *w;
	const struct weft_step *step;
	const char *partition; /* NULL: nowhere yet */
	unsigned nodes;
};

/* What one node makes and one node takes can stay there; of what is on some already, a
 * job finds as much as it has of the partition's nodes. */
static double stays(void *ctx, const struct weft_input *in, double members)
{
	const struct route *r = ctx;
	const struct weft_plan_step *p = &r->w->plan->step[in->from->step];
	double part = r->partition ? places_part(r->w, in, r->partition) : -1;

	if (part >= 0)
		return part * r->nodes < 1 ? part * r->nodes : 1;
	return r->partition && p->partition && p->nodes == 1 && r->nodes == 1 &&
			       members <= 1 && weft_streq(p->partition, r->partition)
		       ? 1
		       : 0;
}

static double data_time(void *ctx, const struct weft_step *step, const char *partition,
	unsigned nodes, double *saved)
{
	struct route r = {ctx, step, partition, nodes};
	struct traffic t;

	*saved = 0;
	if (!step_traffic(r.w, step, stays, &r, &t))
		return 0;
	*saved = traffic_seconds(r.w, t.stays);
	return traffic_seconds(r.w, t.moved);
}

struct goal step_goal(
	struct work *w, const struct weft_step *step, const struct asks *asks)
{
	struct goal g = {.members = step->sweep.most,
		.parallel = step->max_parallel,
		.data = w->past && step->n_inputs ? data_time : NULL,
		.ctx = w,
		.step = step};
	const struct weft_select_past *past = w->past ? &w->past[step->index] : NULL;
	double limit = -1;

	for (size_t i = 0; i < asks->n; i++)
		if ((double)asks->v[i].time > limit && asks->v[i].time)
			limit = (double)asks->v[i].time;
	g.run = limit;
	/* Which of several alternatives an earlier run took is not known. */
	if (past && past->n && step->n_resources == 1 &&
		(limit < 0 || past->seconds < limit))
		g.run = past->seconds;
	return g;
}

/* The first alternative that something holds, unless it must wait and a later one
 * would have ended before it.  On a machine without GPUs it is the first that asks
 * for none, if there is one: it runs as it was meant. */
static int place_step(struct work *w, const struct weft_step *step, struct asks *asks,
	struct weft_plan_step *out)
{
	bool vary = weft_plan_step_varies(step);
	struct weft_errs refused = {0};
	bool placed = false;
	double wait = 0, end = 0;

	for (size_t alt = 0; alt < step->n_resources; alt++) {
		struct weft_err err = {0};
		enum ask_key key = KEY_NONE;
		struct goal goal;
		struct choice c;

		if (collect_asks(w, step, alt, vary, asks) < 0)
			break;
		goal = step_goal(w, step, asks);
		if (!w->local &&
			check_licenses(w, step, alt, asks->v[0].licenses, &err) < 0) {
			weft_errs_add(&refused, &err);
			continue;
		}
		if (choose(&w->pools, asks, &goal, w->local, &c, &key, &err) != 0) {
			if (!err.file)
				blame(w->wf, step, alt, key, &err);
			weft_errs_add(&refused, &err);
			continue;
		}
		if (placed && (c.fit.lacking || (!w->local && !alternative_better(wait,
								      end, c.end)))) {
			free(c.why);
			continue;
		}
		wait = c.wait;
		end = c.end;
		placed = true;
		if (write_choice(w, step, alt, asks, &c, out) < 0) {
			weft_err_nomem(&err);
			weft_errs_add(&refused, &err);
			placed = false;
		} else if (w->local ? !c.fit.lacking
				    : !alternative_better(wait, end, -INFINITY)) {
			alt = step->n_resources;
		}
		free(c.why);
	}
	for (size_t i = 0; !placed && i < refused.n; i++)
		give(w, &refused.v[i]);
	weft_errs_clear(&refused);
	return placed ? 0 : -1;
}

/* Steps that ask for the same get the same: key of all that is asked. */
static int request_key(
	struct work *w, const struct weft_step *step, struct weft_str *key)
{
	const struct weft_text *const texts[] = {
		&step->account, &step->qos, &step->reservation};

	key->len = 0;
	key_number(key, step->launch);
	key_number(key, step->role);
	key_number(key, step->sweep.most);
	key_number(key, step->sweep.growing);
	key_number(key, step->max_parallel);
	key_number(key, step->scratch);
	key_number(key, step_in_memory(w, step, 0));
	if (w->past && w->past[step->index].n)
		weft_str_printf(key, "%.17g ", w->past[step->index].seconds);
	for (size_t i = 0; i < WEFT_COUNT(texts); i++) {
		if (texts[i]->tpl)
			return 1;
		key_text(key, texts[i]->s);
	}
	for (size_t i = 0; i < step->n_resources; i++) {
		weft_autoerr struct weft_err err = {0};
		struct weft_resources r;

		if (evaluate(w->wf, w->conf, step, i, NULL, &r, &err) < 0)
			return 1;
		add_key(key, &r);
		weft_resources_clear(&r);
	}
	return key->failed ? 1 : 0;
}

void place_steps(struct work *w, struct asks *asks)
{
	weft_autostr struct weft_str key = {0};

	for (size_t k = 0; k < w->wf->n_steps; k++) {
		/* Where its data comes from is known before where it goes. */
		size_t i = w->past ? w->wf->order[k] : k;
		const struct weft_step *step = &w->wf->step[i];
		struct weft_plan_step *out = &w->plan->step[i];
		struct traffic t;
		struct route nowhere = {.w = w};
		bool one = !weft_plan_step_varies(step) &&
			   !step_traffic(w, step, stays, &nowhere, &t) &&
			   request_key(w, step, &key) == 0;
		size_t like;

		out->group = WEFT_NO_GROUP;
		if (one && weft_map_get(&w->cache, key.s, &like)) {
			*out = w->plan->step[like];
		} else if (place_step(w, step, asks, out) < 0) {
			continue;
		} else if (one) {
			const char *own = weft_arena_strdup(&w->scratch, key.s);

			/* Without memory for it the next one is computed again. */
			if (own)
				weft_map_add(&w->cache, own, i, NULL);
		}
		out->name = weft_arena_strdup(&w->plan->arena, step->name);
		out->max_parallel = step->max_parallel;
	}
}

static void sum_up(struct weft_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		plan->node_hours += plan->step[i].node_hours;
		plan->core_hours += plan->step[i].core_hours;
		plan->gpu_hours += plan->step[i].gpu_hours;
	}
}

int open_pools(
	struct work *w, const struct weft_select_options *opt, struct weft_err *err)
{
	if (pools_make(&w->pools, w->cluster, w->conf, err) < 0)
		return -1;
	if (!opt || !opt->n_forecasts)
		return 0;
	if (forecasts_open(&w->forecasts, opt->forecast, opt->n_forecasts) < 0)
		return weft_err_nomem(err);
	w->pools.forecasts = &w->forecasts;
	return 0;
}

void close_pools(struct work *w)
{
	forecasts_close(&w->forecasts);
	pools_free(&w->pools);
}

static int make_plan(struct work *w, const struct weft_select_options *opt,
	struct asks *asks, struct weft_err *err)
{
	const struct weft_workflow *wf = w->wf;
	struct weft_plan *plan = w->plan;

	plan->workflow = weft_arena_strdup(&plan->arena, wf->name);
	plan->n_steps = wf->n_steps;
	plan->step =
		weft_arena_alloc(&plan->arena, (wf->n_steps + 1) * sizeof(*plan->step));
	if (!plan->workflow || !plan->step)
		return weft_err_nomem(err);
	if (open_pools(w, opt, err) < 0)
		return -1;
	place_steps(w, asks);
	if (w->errs->total)
		return 1;
	for (size_t i = 0; i < plan->n_steps; i++)
		if (!plan->step[i].name)
			return weft_err_nomem(err);
	if (make_groups(w, err) < 0)
		return -1;
	sum_up(plan);
	if (!w->local && !w->errs->total)
		check_budget(w);
	return w->errs->total ? 1 : make_estimate(w, err);
}

int weft_select_plan(const struct weft_workflow *wf, const struct weft_cluster *cluster,
	const struct weft_conf *conf, const struct weft_select_options *opt,
	struct weft_plan **plan, struct weft_errs *errs)
{
	struct work w = {.wf = wf, .conf = conf, .cluster = cluster, .errs = errs};
	struct weft_err err = {0};
	struct asks asks = {0};
	int rc = -1;

	w.local = opt && opt->local;
	w.past = opt && !opt->local ? opt->past : NULL;
	w.given = opt ? opt->given : NULL;
	w.place = opt ? opt->place : NULL;
	w.n_places = opt ? opt->n_places : 0;
	w.longest = opt ? opt->longest : 0;
	w.group = !opt ? WEFT_GROUP_AUTO : opt->local ? WEFT_GROUP_NONE : opt->group;
	*plan = NULL;
	w.plan = calloc(1, sizeof(*w.plan));
	if (w.plan)
		rc = make_plan(&w, opt, &asks, &err);
	else
		weft_err_nomem(&err);
	if (rc < 0)
		weft_errs_add(errs, &err);
	free(asks.v);
	close_pools(&w);
	weft_map_free(&w.cache);
	weft_arena_free(&w.scratch);
	if (rc) {
		weft_plan_free(w.plan);
		return -1;
	}
	*plan = w.plan;
	return 0;
}

void weft_plan_free(struct weft_plan *plan)
{
	if (!plan)
		return;
	weft_arena_free(&plan->arena);
	free(plan);
}
