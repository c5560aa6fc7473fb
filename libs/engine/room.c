#include "engine/room.h"

#include <stdlib.h>
#include <string.h>

/* Members will be given their own of it. */
static void open_node(struct room *r, unsigned i)
{
	const struct weft_engine_node *node = &r->e->node[i];
	struct room_node *n = &r->node[i];

	n->here = node->allowed;
	n->gpus_here =
		node->gpus >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << node->gpus) - 1;
	for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
		n->here.w[w] &= ~n->aside.w[w];
	n->gpus_here &= ~n->gpus_aside;
	seat_open(r, i);
}

int room_open(struct room *r, const struct weft_engine *e, struct weft_err *err)
{
	*r = (struct room){.e = e};
	r->node = calloc(e->n_nodes + 1, sizeof(*r->node));
	if (!r->node)
		return weft_err_nomem(err);
	for (size_t i = 0; i < e->n_nodes; i++) {
		r->node[i].cpus = e->node[i].cpus;
		r->node[i].gpus = e->node[i].gpus;
	}
	if ((!e->slurm || e->direct) && e->n_nodes)
		open_node(r, 0);
	return 0;
}

void room_agent(struct room *r, unsigned node, bool there)
{
	struct room_node *n = &r->node[node];

	n->agent = there;
	/* Nobody has anything of it: what it has may be more or less than was thought.
	 */
	if (there && !n->members && !n->steps) {
		n->cpus = r->e->node[node].cpus;
		n->gpus = r->e->node[node].gpus;
	}
	if (there)
		open_node(r, node);
}

void room_close(struct room *r)
{
	free(r->node);
	*r = (struct room){0};
}

static unsigned per_node(unsigned total, unsigned nodes)
{
	return nodes ? (total + nodes - 1) / nodes : total;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* What a share takes of a node.  More than a node has counts as the whole of it: a
 * laptop may run what a big machine is meant for. */
static unsigned cpus_of(const struct room *r, const struct share *s, unsigned node)
{
	return least(s->cpus, r->e->node[node].cpus);
}

static unsigned gpus_of(const struct room *r, const struct share *s, unsigned node)
{
	return least(s->gpus, r->e->node[node].gpus);
}

/* The first GPU that members like it share and that has room for one more, or -1. */
static int open_gpu(const struct room_node *n, const struct share *s)
{
	for (int i = 0; s->sharers > 1 && i < (int)WEFT_COUNT(n->sharers); i++)
		if (n->sharers[i] == s->sharers && n->sharing[i] < s->sharers)
			return i;
	return -1;
}

static bool has_gpus(const struct room *r, const struct share *s, unsigned i)
{
	const struct room_node *n = &r->node[i];

	return n->gpus >= gpus_of(r, s, i) || open_gpu(n, s) >= 0;
}

static char *node_names(const struct room *r, const struct share *s)
{
	weft_autostr struct weft_str names = {0};

	for (size_t k = 0; k < s->n_nodes; k++)
		weft_str_printf(
			&names, "%s%s", k ? "," : "", r->e->node[s->node[k]].name);
	return weft_str_take(&names);
}

/* Entry i of "0,2,GPU-x", or i itself where nothing was set. */
static void add_gpu(struct weft_str *out, const char *visible, unsigned i)
{
	if (out->len)
		weft_str_addc(out, ',');
	if (!visible) {
		weft_str_printf(out, "%u", i);
		return;
	}
	for (; i && *visible; i--) {
		visible += strcspn(visible, ",");
		visible += *visible == ',';
	}
	weft_str_addn(out, visible, strcspn(visible, ","));
}

/* Where nothing is known of the machine: the first. */
static void take_first(
	struct room_node *n, struct share *s, unsigned cpus, unsigned gpus)
{
	for (int cpu = -1; cpus && (cpu = weft_cpuset_next(&n->here, cpu + 1)) >= 0;
		cpus--)
		weft_cpuset_add(&s->here, (unsigned)cpu);
	for (unsigned i = 0; gpus && i < 64; i++)
		if (n->gpus_here >> i & 1) {
			s->gpus_here |= UINT64_C(1) << i;
			gpus--;
		}
}

/* Its GPUs are taken: so many that were free, or one that others share. */
static void join_gpu(struct room_node *n, const struct share *s, unsigned gpus)
{
	n->gpus -= gpus;
	for (unsigned i = 0; s->sharers > 1 && i < WEFT_COUNT(n->sharers); i++)
		if (s->gpus_here >> i & 1) {
			n->sharers[i] = s->sharers;
			n->sharing[i]++;
		}
}

/* The last one of those that share a GPU gives it back. */
static void leave_gpu(struct room_node *n, const struct share *s, unsigned gpus)
{
	for (unsigned i = 0; s->sharers > 1 && i < WEFT_COUNT(n->sharers); i++)
		if (s->gpus_here >> i & 1) {
			if (--n->sharing[i])
				return;
			n->sharers[i] = 0;
		}
	n->gpus += gpus;
	n->gpus_here |= s->gpus_here;
}

/* Without srun nobody else keeps members that run at once apart. */
static int take_own(struct room *r, const struct weft_plan_step *p,
	const struct weft_step *step, struct share *s, struct weft_err *err)
{
	unsigned node = s->node[0];
	struct room_node *n = &r->node[node];
	unsigned cpus = cpus_of(r, s, node), gpus = gpus_of(r, s, node);
	weft_autostr struct weft_str list = {0};
	uint64_t free_gpus = n->gpus_here;
	int open = gpus ? open_gpu(n, s) : -1;
	char text[4096];

	/* As if it were the only one that is free. */
	if (open >= 0)
		n->gpus_here = UINT64_C(1) << open;
	if (!seat_take(r, node, p, step, cpus, gpus, &s->here, &s->gpus_here)) {
		s->here = (struct weft_cpuset){0};
		s->gpus_here = 0;
		take_first(n, s, cpus, gpus);
	}
	for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
		n->here.w[w] &= ~s->here.w[w];
	n->gpus_here = free_gpus & ~s->gpus_here;
	join_gpu(n, s, open < 0 ? gpus : 0);
	for (unsigned i = 0; i < 64; i++)
		if (s->gpus_here >> i & 1)
			add_gpu(&list, r->e->node[node].visible, i);
	if (weft_cpuset_count(&s->here) &&
		weft_cpuset_print(&s->here, text, sizeof(text)))
		s->slot.cpus = strdup(text);
	/* In a job with GPUs none of them are for a member that asked for none. */
	if (list.len || (r->e->slurm && r->e->node[node].gpus))
		s->slot.gpus = list.len ? weft_str_take(&list) : strdup("");
	return list.failed ? weft_err_nomem(err) : 0;
}

/* Steps of srun get whatever CPUs Slurm thinks are free, which knows nothing of an
 * agent's members: a node has the ones or the others. */
static bool may_use(const struct room_node *n, enum how how)
{
	return how == HOW_HERE ||
	       (how == HOW_AGENT ? n->agent && !n->steps : !n->members);
}

static void count(struct room_node *n, enum how how, int change)
{
	if (how == HOW_AGENT)
		n->members += (unsigned)change;
	else if (how == HOW_STEP)
		n->steps += (unsigned)change;
}

#define BAD 2 /* failures in a row */

static bool has_room(const struct room *r, const unsigned char *bad,
	const struct share *s, unsigned i)
{
	const struct room_node *n = &r->node[i];

	return n->cpus >= cpus_of(r, s, i) && has_gpus(r, s, i) && may_use(n, s->how) &&
	       (!bad || bad[i] < BAD);
}

static bool is_picked(const struct share *s, size_t n, unsigned i)
{
	for (size_t k = 0; k < n; k++)
		if (s->node[k] == i)
			return true;
	return false;
}

/* The nodes with most of what it reads, and room. */
static size_t pick_near(const struct room *r, const unsigned char *bad,
	const uint64_t *near, unsigned want, struct share *s)
{
	size_t n = 0;

	for (bool found = true; found && n < want;) {
		unsigned best = 0;

		found = false;
		for (unsigned i = 0; i < r->e->n_nodes; i++)
			if (near[i] && (!found || near[i] > near[best]) &&
				has_room(r, bad, s, i) && !is_picked(s, n, i)) {
				best = i;
				found = true;
			}
		if (found)
			s->node[n++] = best;
	}
	return n;
}

int room_take(struct room *r, const struct weft_plan_step *p,
	const struct weft_step *step, const struct choice *choice, struct share *s,
	struct weft_err *err)
{
	unsigned want = r->e->slurm && p->nodes ? p->nodes : 1;
	const unsigned char *bad = choice->bad;
	enum how how = choice->how;
	size_t n = 0, good = 0;

	for (size_t i = 0; i < r->e->n_nodes; i++)
		good += !bad || bad[i] < BAD;
	if (good < want)
		bad = NULL; /* better there than nowhere */

	*s = (struct share){.how = how, .slot = {.n_nodes = 1}};
	s->cpus = per_node(p->ntasks * p->cpus_per_task, want);
	s->gpus = p->gpus_per_node ? p->gpus_per_node : per_node(p->gpus, want);
	/* Slurm gives a step whole ones. */
	s->sharers = how == HOW_STEP ? 1 : weft_plan_step_sharers(p);
	s->node = calloc(want, sizeof(*s->node));
	if (!s->node)
		return weft_err_nomem(err);
	if (choice->near)
		n = pick_near(r, bad, choice->near, want, s);
	for (unsigned i = 0; i < r->e->n_nodes && n < want; i++)
		if (has_room(r, bad, s, i) && !is_picked(s, n, i))
			s->node[n++] = i;
	if (n < want) {
		free(s->node);
		s->node = NULL;
		return 1;
	}
	s->n_nodes = n;
	for (size_t k = 0; k < n; k++) {
		struct room_node *node = &r->node[s->node[k]];

		node->cpus -= cpus_of(r, s, s->node[k]);
		if (how == HOW_STEP)
			node->gpus -= gpus_of(r, s, s->node[k]);
		count(node, how, 1);
	}
	if (r->e->slurm) {
		s->slot.n_nodes = (unsigned)n;
		s->slot.nodes = node_names(r, s);
		if (!s->slot.nodes)
			return weft_err_nomem(err);
	}
	return how == HOW_STEP ? 0 : take_own(r, p, step, s, err);
}

void room_give(struct room *r, struct share *s)
{
	for (size_t k = 0; k < s->n_nodes; k++) {
		struct room_node *node = &r->node[s->node[k]];

		node->cpus += cpus_of(r, s, s->node[k]);
		count(node, s->how, -1);
		if (s->how == HOW_STEP) {
			node->gpus += gpus_of(r, s, s->node[k]);
			continue;
		}
		leave_gpu(node, s, gpus_of(r, s, s->node[k]));
		for (int cpu = -1; (cpu = weft_cpuset_next(&s->here, cpu + 1)) >= 0;)
			weft_cpuset_add(&node->here, (unsigned)cpu);
	}
	free(s->node);
	free((char *)s->slot.nodes);
	free((char *)s->slot.cpus);
	free((char *)s->slot.gpus);
	*s = (struct share){0};
}
