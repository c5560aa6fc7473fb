/* nics - the nearest network card of each task, the load balanced among equals. */
#include "place/inner.h"

#include <stdlib.h>

static unsigned common_path(const struct weft_device *a, const struct weft_device *b)
{
	unsigned n = 0;

	while (n < a->n_path && n < b->n_path && a->path[n] == b->path[n])
		n++;
	return n;
}

/* 0: behind one PCI bridge; 1: at one host bridge or NUMA node; 2: at one package;
 * 3: anywhere. */
static unsigned gpu_class(
	const struct job *j, unsigned gpu, const struct weft_device *nic)
{
	const struct shape *s = &j->shape;
	const struct weft_device *g = &s->m->gpu[gpu];
	unsigned common = common_path(g, nic);

	if (common >= 2)
		return 0;
	if (common)
		return 1;
	/* A card of which nothing is known is near all, as a GPU is. */
	bool known = weft_cpuset_next(&nic->cpus, 0) >= 0;
	for (unsigned d = 0; d < s->n_doms; d++)
		if (in_set(&j->near[gpu * s->words], d) &&
			(!known || weft_cpuset_meets(&nic->cpus,
					   &s->m->numa[s->dom[d].numa].cpus)))
			return 1;
	return g->package == nic->package ? 2 : 3;
}

static unsigned cpu_class(
	const struct job *j, const struct task *t, const struct weft_device *nic)
{
	const struct domain *dom = &j->shape.dom[t->home];

	if (weft_cpuset_meets(&nic->cpus, &j->shape.m->numa[dom->numa].cpus))
		return 0;
	return dom->package == nic->package ? 1 : 2;
}

struct choice {
	const struct job *j;
	unsigned *load;
	bool any_fabric; /* then Ethernet ports are for the system */
};

static int pick(const struct choice *c, const struct task *t, int gpu)
{
	const struct weft_machine *m = c->j->shape.m;
	unsigned best_class = 0, best_common = 0;
	int best = -1;

	for (size_t i = 0; i < m->n_nics; i++) {
		const struct weft_device *nic = &m->nic[i];
		if (c->any_fabric && nic->link == WEFT_LINK_ETHERNET)
			continue;
		unsigned class = gpu >= 0 ? gpu_class(c->j, (unsigned)gpu, nic)
					  : cpu_class(c->j, t, nic);
		unsigned common = gpu >= 0 ? common_path(&m->gpu[gpu], nic) : 0;
		bool better = best < 0 || class < best_class;
		if (best >= 0 && class == best_class) {
			if (c->load[i] != c->load[best])
				better = c->load[i] < c->load[best];
			else
				better = common > best_common;
		}
		if (better) {
			best = (int)i;
			best_class = class;
			best_common = common;
		}
	}
	return best;
}

static void add(struct choice *c, struct weft_placed_task *out, int nic)
{
	if (nic < 0)
		return;
	for (size_t i = 0; i < out->n_nics; i++)
		if (out->nic[i] == (unsigned)nic)
			return;
	if (out->n_nics == WEFT_COUNT(out->nic))
		return;
	out->nic[out->n_nics++] = (unsigned)nic;
	c->load[nic]++;
}

int weft_place_nics(
	const struct job *j, struct weft_placed_task *out, struct weft_err *err)
{
	const struct weft_machine *m = j->shape.m;
	struct choice c = {.j = j, .load = calloc(m->n_nics + 1, sizeof(*c.load))};

	if (!c.load)
		return weft_err_nomem(err);
	for (size_t i = 0; i < m->n_nics; i++)
		c.any_fabric |= m->nic[i].link == WEFT_LINK_VERBS ||
				m->nic[i].link == WEFT_LINK_FABRIC;
	for (size_t i = 0; i < j->n_tasks; i++) {
		const struct task *t = &j->task[i];
		for (size_t k = 0; k < t->n_gpus; k++)
			add(&c, &out[i], pick(&c, t, (int)t->gpu[k]));
		if (!t->n_gpus)
			add(&c, &out[i], pick(&c, t, -1));
	}
	free(c.load);
	return 0;
}
