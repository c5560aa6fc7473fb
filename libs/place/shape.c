/* shape - the usable cores of a node, by domain. */
#include "place/inner.h"

#include <stdlib.h>
#include <string.h>

void weft_place_shape_free(struct shape *s)
{
	free(s->cpu);
	free(s->core);
	free(s->dom);
}

unsigned weft_place_distance(const struct shape *s, unsigned a, unsigned b)
{
	unsigned apart = a < b ? b - a : a - b;
	return s->dom[a].package == s->dom[b].package ? apart : apart + WEFT_MAX_NUMA;
}

/* Domains in the order in which the CPUs meet them. */
static void find_domains(struct shape *s, unsigned *of_numa)
{
	const struct weft_machine *m = s->m;

	for (size_t i = 0; i < m->n_numa; i++)
		of_numa[i] = UINT32_MAX;
	for (size_t i = 0; i < m->n_pus; i++) {
		const struct weft_pu *pu = &m->pu[i];
		if (of_numa[pu->numa] != UINT32_MAX)
			continue;
		of_numa[pu->numa] = s->n_doms;
		s->dom[s->n_doms++] =
			(struct domain){.numa = pu->numa, .package = pu->package};
	}
	s->words = s->n_doms / 64 + 1;
}

static void add_cores(struct shape *s, struct domain *d,
	const struct weft_cpuset *allowed, unsigned smt)
{
	const struct weft_machine *m = s->m;

	d->core0 = s->n_cores;
	d->cpu0 = s->n_cpus;
	for (size_t i = 0; i < m->n_pus;) {
		unsigned core = m->pu[i].core, l3 = m->pu[i].l3, numa = m->pu[i].numa;
		struct core *c = &s->core[s->n_cores];
		*c = (struct core){.cpu0 = s->n_cpus, .l3 = l3};
		for (; i < m->n_pus && m->pu[i].core == core; i++)
			if (numa == d->numa && c->n < smt &&
				(!allowed || weft_cpuset_has(allowed, m->pu[i].cpu)) &&
				!weft_cpuset_has(&m->reserved, m->pu[i].cpu)) {
				s->cpu[s->n_cpus++] = m->pu[i].cpu;
				c->n++;
			}
		if (c->n)
			s->n_cores++;
	}
	d->n_cores = s->n_cores - d->core0;
	d->n_cpus = s->n_cpus - d->cpu0;
}

/* Leaves n cores idle: the first of each cache in turn, domain by domain, as sites
 * do where they keep cores for the system. */
static int spare(
	struct shape *s, unsigned n, struct weft_cpuset *allowed, struct weft_err *err)
{
	bool *taken = calloc(s->n_cores + 1, sizeof(*taken));
	unsigned *turn = calloc(s->n_doms + 1, sizeof(*turn));
	unsigned left = n;

	if (!taken || !turn) {
		free(taken);
		free(turn);
		return weft_err_nomem(err);
	}
	for (unsigned d = 0; left; d = (d + 1) % s->n_doms) {
		const struct domain *dom = &s->dom[d];
		int pick = -1;
		/* The next cache's first core; past the last cache, from the front. */
		for (int pass = 0; pass < 2 && pick < 0; pass++) {
			for (unsigned i = 0; i < dom->n_cores && pick < 0; i++) {
				unsigned c = dom->core0 + i;
				if (!taken[c] && s->core[c].l3 >= turn[d])
					pick = (int)c;
			}
			if (pick < 0)
				turn[d] = 0;
		}
		if (pick < 0)
			continue;
		taken[pick] = true;
		turn[d] = s->core[pick].l3 + 1;
		left--;
		for (unsigned i = 0; i < s->core[pick].n; i++)
			weft_cpuset_del(allowed, s->cpu[s->core[pick].cpu0 + i]);
	}
	free(taken);
	free(turn);
	return 0;
}

static void build(struct shape *s, const struct weft_cpuset *allowed, unsigned smt)
{
	s->n_cores = s->n_cpus = s->max_threads = 0;
	s->uniform = true;
	for (unsigned d = 0; d < s->n_doms; d++)
		add_cores(s, &s->dom[d], allowed, smt);
	for (unsigned c = 0; c < s->n_cores; c++) {
		if (s->core[c].n > s->max_threads)
			s->max_threads = s->core[c].n;
		if (s->core[c].n != s->core[0].n)
			s->uniform = false;
	}
}

int weft_place_shape(const struct weft_machine *m, const struct weft_cpuset *allowed,
	const struct weft_place_step *steps, size_t n_steps, struct shape *s,
	struct weft_err *err)
{
	unsigned smt = 0, spares = 0;

	for (size_t i = 0; i < n_steps; i++) {
		if (!steps[i].smt || steps[i].smt > smt)
			smt = steps[i].smt ? steps[i].smt : WEFT_MAX_CPUS;
		if (steps[i].spare_cores > spares)
			spares = steps[i].spare_cores;
	}
	*s = (struct shape){.m = m};
	s->cpu = calloc(m->n_pus + 1, sizeof(*s->cpu));
	s->core = calloc(m->n_pus + 2, sizeof(*s->core));
	s->dom = calloc(m->n_numa + 1, sizeof(*s->dom));
	unsigned *of_numa = calloc(m->n_numa + 1, sizeof(*of_numa));
	if (!s->cpu || !s->core || !s->dom || !of_numa) {
		free(of_numa);
		return weft_err_nomem(err);
	}
	find_domains(s, of_numa);
	free(of_numa);
	build(s, allowed, smt);
	if (spares && spares < s->n_cores) {
		struct weft_cpuset left = {0};
		for (unsigned i = 0; i < s->n_cpus; i++)
			weft_cpuset_add(&left, s->cpu[i]);
		if (spare(s, spares, &left, err))
			return -1;
		build(s, &left, smt);
	} else if (spares) {
		return weft_err_set(err, WEFT_EPLACE,
			"spare_cores: %u leaves none of the %u usable cores", spares,
			s->n_cores);
	}
	if (!s->n_cpus)
		return weft_err_set(err, WEFT_EPLACE, "%s",
			weft_cpuset_next(&m->reserved, 0) < 0
				? "no CPU of this node is usable here"
				: "no CPU of this node is usable here but what is "
				  "reserved for the system");
	return 0;
}
