/* forecast.c - which jobs to ask Slurm about, and its answers. */
#include "select/forecast.h"
#include "select/work.h"

#include <stdlib.h>
#include <string.h>

#define SHAPES 16  /* that Slurm is asked about: each takes its controller's locks */
#define STEPS 1000 /* that are looked at for them */

void forecast_key(const struct weft_plan_step *s, char key[WEFT_DIGEST_HEX])
{
	const char *const texts[] = {s->partition, s->account, s->qos, s->reservation,
		s->gpu_type, s->constraint, s->exclude, s->nodelist, s->licenses,
		s->gres};
	struct weft_hasher *h = weft_hasher_new();
	char numbers[256];

	key[0] = '\0';
	if (!h)
		return;
	snprintf(numbers, sizeof(numbers), "%u %u %u %u %u %u %ju %ju %jd %d", s->nodes,
		s->ntasks, s->ntasks_per_node, s->cpus_per_task, s->gpus,
		s->gpus_per_node, (uintmax_t)s->mem, (uintmax_t)s->tmp,
		(intmax_t)s->time, s->exclusive);
	weft_hasher_add(h, numbers, strlen(numbers) + 1);
	for (size_t i = 0; i < WEFT_COUNT(texts); i++)
		weft_hasher_add(h, texts[i], strlen(texts[i]) + 1);
	weft_hasher_end(h, key);
}

int forecasts_open(struct forecasts *f, const struct weft_select_forecast *v, size_t n)
{
	*f = (struct forecasts){.v = v};
	for (size_t i = 0; i < n; i++)
		if (weft_map_add(&f->by_key, v[i].key, i, NULL) < 0)
			return -1;
	return 0;
}

void forecasts_close(struct forecasts *f)
{
	weft_map_free(&f->by_key);
}

double forecast_wait(const struct forecasts *f, const struct weft_plan_step *shape)
{
	char key[WEFT_DIGEST_HEX];
	size_t at;

	if (!f || !f->by_key.n)
		return -1;
	forecast_key(shape, key);
	return weft_map_get(&f->by_key, key, &at) ? f->v[at].wait : -1;
}

void candidate_shape(const struct asks *asks, const struct candidate *c,
	struct weft_plan_step *shape)
{
	struct choice as = {.pool = c->pool, .fit = c->fit};

	*shape = (struct weft_plan_step){.name = "", .why = ""};
	write_step(shape, &asks->v[0], &as, 1);
	for (size_t i = 1; i < asks->n; i++) {
		shape->exclusive |= asks->v[i].exclusive;
		if (asks->v[i].tmp > shape->tmp)
			shape->tmp = asks->v[i].tmp;
	}
}

struct asking {
	struct work *w;
	struct weft_select_shapes *out;
	struct weft_map seen;
	struct asks asks;
};

static int add_shape(struct asking *k, const struct weft_plan_step *shape)
{
	struct weft_select_forecast *f = &k->out->v[k->out->n];
	struct weft_arena *arena = &k->out->arena;
	const char **const texts[] = {&f->shape.partition, &f->shape.account,
		&f->shape.qos, &f->shape.reservation, &f->shape.gpu_type,
		&f->shape.constraint, &f->shape.exclude, &f->shape.nodelist,
		&f->shape.licenses, &f->shape.gres};

	forecast_key(shape, f->key);
	if (weft_map_get(&k->seen, f->key, NULL))
		return 0;
	f->shape = *shape;
	f->wait = -1;
	for (size_t i = 0; i < WEFT_COUNT(texts); i++)
		if (!(*texts[i] = weft_arena_strdup(arena, *texts[i])))
			return -1;
	k->out->n++;
	return weft_map_add(&k->seen, f->key, 0, NULL) < 0 ? -1 : 0;
}

/* The partitions where an alternative of a step could go: none that wastes GPUs or is
 * closed where one isn't. */
static int add_alternative(struct asking *k, const struct weft_step *step, size_t alt,
	struct weft_err *err)
{
	struct pools *ps = &k->w->pools;
	bool vary = weft_plan_step_varies(step);
	weft_autofree struct candidate *v = calloc(ps->n + 1, sizeof(*v));
	const struct candidate *best = NULL;
	struct goal goal;

	if (!v)
		return weft_err_nomem(err);
	if (collect_asks(k->w, step, alt, vary, &k->asks) < 0)
		return 0;
	goal = step_goal(k->w, step, &k->asks);
	goal.data = NULL; /* no step has a place yet that it could come from */
	for (size_t i = 0; i < ps->n; i++) {
		struct candidate *c = &v[i];
		size_t failed;

		*c = (struct candidate){.pool = &ps->pool[i]};
		if (!candidate_allowed(ps, &k->asks, c->pool))
			c->fit.stage = STAGE_DOWN;
		else if (candidate_fit(ps, &k->asks, &goal, c, &failed, err) < 0)
			return -1;
		if (c->fit.stage == STAGE_FITS &&
			(!best || c->wasteful < best->wasteful ||
				(c->wasteful == best->wasteful &&
					c->closed < best->closed)))
			best = c;
	}
	for (size_t i = 0; i < ps->n && k->out->n < SHAPES; i++) {
		struct weft_plan_step shape;

		if (!best || v[i].fit.stage != STAGE_FITS ||
			v[i].wasteful > best->wasteful || v[i].closed > best->closed)
			continue;
		candidate_shape(&k->asks, &v[i], &shape);
		if (add_shape(k, &shape) < 0)
			return weft_err_nomem(err);
	}
	return 0;
}

static int add_all(struct asking *k, struct weft_err *err)
{
	const struct weft_workflow *wf = k->w->wf;

	k->out->v = weft_arena_alloc(&k->out->arena, (SHAPES + 1) * sizeof(*k->out->v));
	if (!k->out->v)
		return weft_err_nomem(err);
	if (open_pools(k->w, NULL, err) < 0)
		return -1;
	/* What starts first is what the queue of today says most of. */
	for (size_t i = 0; i < wf->n_steps && i < STEPS && k->out->n < SHAPES; i++) {
		const struct weft_step *step = &wf->step[wf->order[i]];

		for (size_t alt = 0; alt < step->n_resources; alt++)
			if (add_alternative(k, step, alt, err) < 0)
				return -1;
	}
	return 0;
}

int weft_select_shapes(const struct weft_workflow *wf,
	const struct weft_cluster *cluster, const struct weft_conf *conf,
	const struct weft_select_options *opt, struct weft_select_shapes **out,
	struct weft_err *err)
{
	struct weft_plan plan = {0}; /* an arena for what the asks hold */
	struct weft_errs dropped = {0};
	struct work w = {.wf = wf,
		.conf = conf,
		.cluster = cluster,
		.errs = &dropped,
		.past = opt ? opt->past : NULL,
		.given = opt ? opt->given : NULL,
		.plan = &plan};
	struct asking k = {.w = &w};
	int rc = -1;

	*out = NULL;
	k.out = calloc(1, sizeof(*k.out));
	if (k.out)
		rc = add_all(&k, err);
	else
		weft_err_nomem(err);
	free(k.asks.v);
	weft_map_free(&k.seen);
	close_pools(&w);
	weft_arena_free(&w.scratch);
	weft_arena_free(&plan.arena);
	weft_errs_clear(&dropped);
	if (rc < 0) {
		weft_select_shapes_free(k.out);
		return -1;
	}
	*out = k.out;
	return 0;
}

void weft_select_shapes_free(struct weft_select_shapes *s)
{
	if (!s)
		return;
	weft_arena_free(&s->arena);
	free(s);
}
