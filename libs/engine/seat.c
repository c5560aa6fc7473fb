/*
 * seat.c - which of a node's free CPUs and GPUs a member gets.
 *
 * Members that run at once are placed by the machine's model: one with GPUs beside
 * them, one without where it leaves the cores beside free GPUs to those that may come
 * for them.  Within its share each member's own `weft bind` places the tasks.
 */
#include "engine/room.h"

#include "bind/bind.h"

static const enum weft_place_cpus policy[] = {
	[WEFT_CPUS_NEAR_GPU] = WEFT_PLACE_NEAR_GPU,
	[WEFT_CPUS_SPREAD] = WEFT_PLACE_SPREAD,
	[WEFT_CPUS_COMPACT] = WEFT_PLACE_COMPACT};

/* The room counts GPUs as the launcher's list does, without those of no known vendor.
 */
void seat_open(struct room *r, unsigned node)
{
	const struct weft_engine_node *of = &r->e->node[node];
	struct room_node *rn = &r->node[node];
	const struct weft_machine *m = of->machine;
	unsigned usable[WEFT_MAX_DEVICES];
	size_t n, k = 0;

	rn->knows_gpus = false;
	if (!m)
		return;
	n = weft_bind_usable_gpus(m, of->gpu_numbers, of->visible, usable);
	for (size_t i = 0; i < n && k < WEFT_COUNT(rn->gpu); i++)
		if (m->gpu[usable[i]].vendor != WEFT_VENDOR_OTHER)
			rn->gpu[k++] = usable[i];
	rn->knows_gpus = k == of->gpus;
}

/* A node, and what is free of it. */
struct at {
	const struct weft_engine_node *node;
	const struct room_node *free;
};

/* Free GPUs as indices of the model. */
static size_t free_gpus(const struct at *r, unsigned *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < r->node->gpus && i < WEFT_COUNT(r->free->gpu); i++)
		if (r->free->gpus_here >> i & 1)
			out[n++] = r->free->gpu[i];
	return n;
}

static struct weft_place_step member_of(const struct weft_plan_step *p,
	const struct weft_step *step, unsigned cpus, unsigned gpus)
{
	struct weft_place_step s = {.ntasks = p->ntasks ? p->ntasks : 1,
		.cpus_per_task = p->cpus_per_task ? p->cpus_per_task : 1,
		.gpus_all = gpus > 0,
		.gpus = gpus,
		.cpus = policy[step->place.cpus]};

	/* More than the machine has was cut to what it has. */
	if (s.ntasks * s.cpus_per_task != cpus) {
		s.ntasks = 1;
		s.cpus_per_task = cpus;
	}
	return s;
}

/* The most for each of those who may come for the free GPUs. */
static unsigned expected(const struct at *r, size_t gpus, unsigned cpus)
{
	const struct weft_engine_node *node = r->node;
	unsigned free = weft_cpuset_count(&r->free->here);
	unsigned each = free > cpus ? (free - cpus) / (unsigned)gpus : 0;
	unsigned fair = node->cpus / node->gpus;

	return each < fair ? each : fair;
}

static bool in_one_node(const struct weft_machine *m, const struct weft_cpuset *cpus)
{
	int first = -1;

	for (size_t i = 0; i < m->n_pus; i++) {
		if (!weft_cpuset_has(cpus, m->pu[i].cpu))
			continue;
		if (first >= 0 && m->pu[i].numa != (unsigned)first)
			return false;
		first = (int)m->pu[i].numa;
	}
	return true;
}

/* Tasks are given whole cores: the threads beyond their number are others'. */
static void trim(const struct weft_machine *m, const struct weft_cpuset *cpus,
	unsigned n, struct weft_cpuset *out)
{
	for (size_t i = 0; i < m->n_pus && n; i++)
		if (weft_cpuset_has(cpus, m->pu[i].cpu)) {
			weft_cpuset_add(out, m->pu[i].cpu);
			n--;
		}
}

static bool take(const struct at *r, const struct weft_placement *p,
	const struct weft_place_step *s, unsigned cpus, unsigned gpus,
	struct weft_cpuset *got, uint64_t *got_gpus)
{
	for (size_t i = 0; i < s->ntasks; i++) {
		const struct weft_placed_task *t = &p->task[i];
		trim(r->node->machine, &t->cpus, s->cpus_per_task, got);
		for (size_t g = 0; g < t->n_gpus; g++)
			for (unsigned k = 0; k < r->node->gpus; k++)
				if (r->free->gpu[k] == t->gpu[g])
					*got_gpus |= UINT64_C(1) << k;
	}
	return weft_cpuset_count(got) == cpus &&
	       (unsigned)__builtin_popcountll(*got_gpus) == gpus;
}

/* One try: the member, and beside it a task for each free GPU with so many CPUs. */
static bool try(const struct at *r, const struct weft_place_step *member,
	unsigned expected, const unsigned *free, size_t n_free, unsigned cpus,
	unsigned gpus, struct weft_cpuset *got, uint64_t *got_gpus)
{
	const struct weft_place_step s[] = {
		*member, {.ntasks = expected ? (unsigned)n_free : 0,
				 .cpus_per_task = expected,
				 .gpus_per_task = 1}};
	struct weft_placement *p;

	*got = (struct weft_cpuset){0};
	*got_gpus = 0;
	if (weft_place(r->node->machine, &r->free->here, free, n_free, s, 2, &p, NULL))
		return false;
	bool ok = take(r, p, s, cpus, gpus, got, got_gpus);
	weft_placement_free(p);
	return ok;
}

bool seat_take(const struct room *room, unsigned node_index,
	const struct weft_plan_step *plan, const struct weft_step *step, unsigned cpus,
	unsigned gpus, struct weft_cpuset *got, uint64_t *got_gpus)
{
	const struct at at = {&room->e->node[node_index], &room->node[node_index]};
	const struct at *r = &at;
	unsigned free[WEFT_COUNT(room->node->gpu)] = {0}, each = 0;
	struct weft_place_step member;
	size_t n = 0;

	if (!r->node->machine || !cpus || (gpus && !r->free->knows_gpus) ||
		r->node->gpus > WEFT_COUNT(r->free->gpu))
		return false;
	if (r->free->knows_gpus)
		n = free_gpus(r, free);
	member = member_of(plan, step, cpus, gpus);
	if (!gpus && n)
		each = expected(r, n, cpus);
	/* The more for them the better, but not at the price of its own locality. */
	for (;; each /= 2) {
		bool ok = try(r, &member, each, free, n, cpus, gpus, got, got_gpus);
		if (!each || (ok && in_one_node(r->node->machine, got)))
			return ok;
	}
}
