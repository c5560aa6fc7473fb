/* steer_seat.c - what a program that steers has of the node that it runs on */
#include "engine/steer.h"

#include <stdlib.h>

/* Beside one member at least: a small machine may run what a large one is meant for. */
static unsigned fit(unsigned want, unsigned have, unsigned member)
{
	unsigned left = have > member ? have - member : 0;

	return want < left ? want : left;
}

static unsigned of_member(unsigned total, unsigned nodes)
{
	return nodes > 1 ? (total + nodes - 1) / nodes : total;
}

static struct steer *find(struct engine *g, unsigned s)
{
	for (size_t i = 0; i < g->n_steers; i++)
		if (g->steer[i].step == s)
			return &g->steer[i];
	return NULL;
}

int steer_seat(struct engine *g, unsigned s, const struct weft_plan_step *plan,
	enum how how, struct weft_err *err)
{
	const struct weft_engine_node *here = &g->e->node[0];
	struct steer *st = find(g, s);

	if (!st || st->over || !steer_step(g, st)->steer.cpus || !g->e->n_nodes)
		return 0;
	if (st->seated && (!st->share.node || st->share.how == how))
		return 0;
	/* Members of srun and those of an agent don't share a node. */
	steer_rise(g, st);
	st->seated = false;
	const struct weft_steer *want = &steer_step(g, st)->steer;
	struct weft_plan_step seat = {.ntasks = 1, .nodes = 1};

	seat.cpus_per_task = fit(want->cpus, here->cpus,
		of_member(plan->ntasks * plan->cpus_per_task, plan->nodes));
	seat.gpus = fit(want->gpus, here->gpus,
		plan->gpus_per_node ? plan->gpus_per_node
				    : of_member(plan->gpus, plan->nodes));
	if (!seat.cpus_per_task) {
		st->seated = true; /* with the members */
		return 0;
	}
	/* It runs where we do. */
	weft_autofree unsigned char *others = malloc(g->e->n_nodes);
	if (!others)
		return weft_err_nomem(err);
	for (size_t i = 0; i < g->e->n_nodes; i++)
		others[i] = i ? UINT8_MAX : 0;
	const struct choice choice = {how, others, NULL};
	int r = room_take(&g->room, &seat, steer_step(g, st), &choice, &st->share, err);

	if (r)
		return r;
	st->seated = true;
	for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
		g->room.node[0].aside.w[w] |= st->share.here.w[w];
	g->room.node[0].gpus_aside |= st->share.gpus_here;
	return 0;
}

void steer_rise(struct engine *g, struct steer *st)
{
	if (!st->share.node)
		return;
	for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
		g->room.node[0].aside.w[w] &= ~st->share.here.w[w];
	g->room.node[0].gpus_aside &= ~st->share.gpus_here;
	room_give(&g->room, &st->share);
}

void steer_sit(const struct engine *g, const struct steer *st, struct unit *u,
	struct weft_spawn *s)
{
	const struct weft_machine *m = g->e->node[0].machine;

	if (!st->share.node)
		return;
	u->slot.gpus = st->share.slot.gpus;
	/* Of a machine that is another's in truth only the numbers are true. */
	if (!weft_cpuset_count(&st->share.here) || (m && m->borrowed))
		return;
	s->cpus = st->share.here.w;
	s->n_cpu_words = WEFT_CPU_WORDS;
}
