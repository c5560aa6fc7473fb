/*
 * gpus - which GPUs each task of a step gets.
 *
 * GPUs with the same near domains are a group; groups are in the order of their
 * domains, so that ranks that follow each other share a domain.  Tasks are dealt
 * to groups by how many cores each has for them, GPUs to tasks inside a group.
 */
#include "place/inner.h"

#include <stdlib.h>
#include <string.h>

struct group {
	const uint64_t *near;
	unsigned *gpu;
	size_t n, used, tasks;
	unsigned cores; /* near it */
	unsigned package;
};
struct groups {
	struct group *v;
	size_t n;
	unsigned *gpu; /* all free ones, by group */
	size_t n_gpus;
};

static unsigned lowest(const struct job *j, unsigned gpu)
{
	const uint64_t *near = &j->near[gpu * j->shape.words];

	for (unsigned d = 0; d < j->shape.n_doms; d++)
		if (in_set(near, d))
			return d;
	return j->shape.n_doms;
}

static bool same_near(const struct job *j, unsigned a, unsigned b)
{
	size_t w = j->shape.words;
	return !memcmp(&j->near[a * w], &j->near[b * w], w * sizeof(uint64_t));
}

static void groups_free(struct groups *g)
{
	free(g->v);
	free(g->gpu);
	*g = (struct groups){0};
}

/* Sorted by lowest near domain, GPUs of one set together, else as they come. */
static int make_groups(const struct job *j, const unsigned *gpus, size_t n_gpus,
	struct groups *g, struct weft_err *err)
{
	bool *done = calloc(n_gpus + 1, sizeof(*done));

	g->gpu = calloc(n_gpus + 1, sizeof(*g->gpu));
	g->v = calloc(n_gpus + 1, sizeof(*g->v));
	if (!done || !g->gpu || !g->v) {
		free(done);
		return weft_err_nomem(err);
	}
	for (unsigned d = 0; d <= j->shape.n_doms; d++)
		for (size_t i = 0; i < n_gpus; i++) {
			if (done[i] || j->gpu_load[gpus[i]] || lowest(j, gpus[i]) != d)
				continue;
			struct group *v = &g->v[g->n++];
			v->near = &j->near[gpus[i] * j->shape.words];
			v->gpu = &g->gpu[g->n_gpus];
			v->package = j->shape.m->gpu[gpus[i]].package;
			for (size_t k = i; k < n_gpus; k++)
				if (!done[k] && !j->gpu_load[gpus[k]] &&
					same_near(j, gpus[i], gpus[k])) {
					done[k] = true;
					v->gpu[v->n++] = gpus[k];
				}
			g->n_gpus += v->n;
			for (unsigned n = 0; n < j->shape.n_doms; n++)
				if (in_set(v->near, n))
					v->cores += j->shape.dom[n].n_cores;
		}
	free(done);
	return 0;
}

static size_t tasks_at(const struct groups *g, unsigned package)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->v[i].package == package ? g->v[i].tasks : 0;
	return n;
}

/* Fewest tasks a core, then a GPU, then in the package. */
static bool better(const struct groups *g, const struct group *a, const struct group *b)
{
	uint64_t x = (uint64_t)(a->tasks + 1) * b->cores;
	uint64_t y = (uint64_t)(b->tasks + 1) * a->cores;

	if (x == y) {
		x = (a->tasks + 1) * b->n;
		y = (b->tasks + 1) * a->n;
	}
	if (x == y) {
		x = tasks_at(g, a->package);
		y = tasks_at(g, b->package);
	}
	return x < y;
}

/* The group that one more task (of k GPUs) suits best, or NULL. */
static struct group *best_group(struct groups *g, size_t k, bool compact)
{
	struct group *best = NULL;

	for (size_t i = 0; i < g->n; i++) {
		struct group *v = &g->v[i];
		if (v->n - v->used < k)
			continue;
		if (!best || (!compact && better(g, v, best)))
			best = v;
	}
	return best;
}

static void give(struct job *j, struct task *t, unsigned gpu)
{
	t->gpu[t->n_gpus++] = gpu;
	j->gpu_load[gpu] = 1;
}

/* n holders (tasks, or GPUs that tasks share) of k GPUs each into out, k apiece. */
static void deal(struct groups *g, size_t n, size_t k, bool compact, unsigned *out)
{
	size_t left = 0, o = 0;

	for (size_t i = 0; i < n; i++) {
		struct group *v = best_group(g, k, compact);
		if (!v) {
			left = n - i;
			break;
		}
		v->tasks++;
		v->used += k;
	}
	for (size_t i = 0; i < g->n; i++) {
		memcpy(out + o, g->v[i].gpu, g->v[i].used * sizeof(*out));
		o += g->v[i].used;
	}
	/* No group has k left: what is left over, nearest domains first. */
	for (size_t i = 0, want = left * k; i < g->n; i++)
		while (want && g->v[i].used < g->v[i].n) {
			out[o++] = g->v[i].gpu[g->v[i].used++];
			want--;
		}
}

/* More tasks than GPUs: each GPU has one, the others go where a task finds most
 * cores, else sockets with few GPUs would have few tasks and leave the others short
 * of cores.  Inside a group evenly. */
static void share_all(struct job *j, struct groups *g, struct task *t, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < g->n; i++)
		g->v[i].tasks = g->v[i].n;
	for (size_t i = g->n_gpus; i < n; i++) {
		struct group *best = &g->v[0];
		for (size_t v = 1; v < g->n; v++)
			if (better(g, &g->v[v], best))
				best = &g->v[v];
		best->tasks++;
	}
	for (size_t v = 0; v < g->n; v++)
		for (size_t i = 0; i < g->v[v].tasks; i++)
			give(j, &t[at++], g->v[v].gpu[i * g->v[v].n / g->v[v].tasks]);
}

/* All GPUs, no task across groups if that can be. */
static void deal_all(struct job *j, struct groups *g, struct task *t, size_t n)
{
	size_t at = 0, base = 0;

	if (n >= g->n_gpus) {
		share_all(j, g, t, n);
		return;
	}
	if (n < g->n) {
		for (size_t i = 0; i < n; i++)
			for (size_t v = i * g->n / n; v < (i + 1) * g->n / n; v++)
				for (size_t k = 0; k < g->v[v].n; k++)
					give(j, &t[i], g->v[v].gpu[k]);
		return;
	}
	/* Each group one task, the others where most GPUs are for a task. */
	for (size_t i = 0; i < g->n; i++)
		g->v[i].tasks = 1;
	for (size_t i = g->n; i < n; i++) {
		struct group *best = &g->v[0];
		for (size_t v = 1; v < g->n; v++)
			if (g->v[v].n * best->tasks > best->n * g->v[v].tasks)
				best = &g->v[v];
		best->tasks++;
	}
	for (size_t v = 0; v < g->n; v++) {
		const struct group *gr = &g->v[v];
		for (size_t i = 0; i < gr->tasks; i++, at++)
			for (size_t k = i * gr->n / gr->tasks;
				k < (i + 1) * gr->n / gr->tasks; k++)
				give(j, &t[at], g->gpu[base + k]);
		base += gr->n;
	}
}

static int refuse(const struct job *j, size_t step, double each, size_t have,
	struct weft_err *err)
{
	unsigned n = j->step[step].ntasks;

	if (!have)
		return weft_err_set(
			err, WEFT_EPLACE, "no GPU of this node is usable here");
	weft_err_set(err, WEFT_EPLACE,
		"%u task%s with %g GPU%s each: only %zu GPU%s usable on this node", n,
		n == 1 ? "" : "s", each, each > 1 ? "s" : "", have,
		have == 1 ? " is" : "s are");
	return weft_err_hint(err, "ask for fewer tasks a node, or for more GPUs");
}

/* Where a task's GPUs are near several sets of domains, near all of them. */
static void set_near(struct job *j, struct task *t)
{
	size_t w = j->shape.words;
	bool mixed = false;

	for (size_t i = 1; i < t->n_gpus; i++)
		mixed |= !same_near(j, t->gpu[0], t->gpu[i]);
	if (!mixed) {
		t->near = &j->near[t->gpu[0] * w];
		return;
	}
	uint64_t *set = &j->unions[(size_t)(t - j->task) * w];
	for (size_t i = 0; i < t->n_gpus; i++)
		for (size_t k = 0; k < w; k++)
			set[k] |= j->near[t->gpu[i] * w + k];
	t->near = set;
}

static int assign(struct job *j, size_t step, struct groups *g, struct weft_err *err)
{
	const struct weft_place_step *s = &j->step[step];
	struct task *t = &j->task[j->first[step]];
	bool compact = s->cpus == WEFT_PLACE_COMPACT, shared = s->gpus_per_task < 1;
	size_t n = s->ntasks, per, holders;

	if (s->gpus_all) {
		if (!g->n_gpus)
			return refuse(j, step, 1, 0, err);
		if (g->n_gpus / n >= 16)
			return weft_err_set(
				err, WEFT_EPLACE, "more than 16 GPUs a task");
		deal_all(j, g, t, n);
		return 0;
	}
	if (!(s->gpus_per_task <= 16))
		return weft_err_set(err, WEFT_EPLACE, "more than 16 GPUs a task");
	/* Of one GPU shared by `per` tasks, or of `per` GPUs for one task. */
	if (shared && s->gpus_per_task * MAX_TASKS < 1)
		per = MAX_TASKS;
	else
		per = (size_t)(shared ? 1 / s->gpus_per_task + 1e-4
				      : s->gpus_per_task + 1 - 1e-4);
	holders = shared ? (n + per - 1) / per : n;
	if (holders * (shared ? 1 : per) > g->n_gpus)
		return refuse(j, step, s->gpus_per_task, g->n_gpus, err);
	unsigned *out = calloc(g->n_gpus + 1, sizeof(*out));
	if (!out)
		return weft_err_nomem(err);
	deal(g, holders, shared ? 1 : per, compact, out);
	for (size_t i = 0; i < n; i++) {
		if (shared)
			give(j, &t[i], out[i * holders / n]);
		for (size_t k = 0; !shared && k < per; k++)
			give(j, &t[i], out[i * per + k]);
	}
	free(out);
	return 0;
}

/* Not all but n of them: those that n tasks with one each would get. */
static int choose(struct job *j, size_t step, struct groups *g, struct weft_err *err)
{
	const struct weft_place_step *s = &j->step[step];
	unsigned *out = calloc(s->gpus, sizeof(*out));
	int rc = -1;

	if (!out)
		return weft_err_nomem(err);
	if (s->gpus > g->n_gpus) {
		weft_err_set(err, WEFT_EPLACE,
			"%u GPU%s: only %zu %s usable on this node", s->gpus,
			s->gpus == 1 ? "" : "s", g->n_gpus,
			g->n_gpus == 1 ? "is" : "are");
		goto out;
	}
	deal(g, s->gpus, 1, s->cpus == WEFT_PLACE_COMPACT, out);
	groups_free(g);
	rc = make_groups(j, out, s->gpus, g, err);
out:
	free(out);
	return rc;
}

int weft_place_gpus(struct job *j, size_t step, const unsigned *gpus, size_t n_gpus,
	struct weft_err *err)
{
	struct groups g = {0};
	int rc = make_groups(j, gpus, n_gpus, &g, err);

	if (!rc && j->step[step].gpus_all && j->step[step].gpus)
		rc = choose(j, step, &g, err);
	if (!rc)
		rc = assign(j, step, &g, err);
	for (size_t i = 0; !rc && i < j->step[step].ntasks; i++)
		set_near(j, &j->task[j->first[step] + i]);
	groups_free(&g);
	return rc;
}
