/* bind_explain.c - why a task sits where it does, in a line */
#include <string.h>

#include "bind_command.h"

struct nodes {
	bool has[WEFT_MAX_NUMA];
	unsigned n;
};

/* The NUMA nodes of CPUs. */
static void nodes_of(
	const struct weft_machine *m, const struct weft_cpuset *cpus, struct nodes *out)
{
	for (size_t i = 0; i < m->n_pus; i++) {
		const struct weft_pu *pu = &m->pu[i];
		if (!weft_cpuset_has(cpus, pu->cpu) || out->has[pu->numa])
			continue;
		out->has[pu->numa] = true;
		out->n++;
	}
}

static void add_nodes(
	const struct weft_machine *m, const struct nodes *nodes, struct weft_str *out)
{
	const char *before = nodes->n > 1 ? "NUMA nodes " : "NUMA node ";

	for (size_t i = 0; i < m->n_numa; i++)
		if (nodes->has[i]) {
			weft_str_printf(out, "%s%u", before, m->numa[i].os_index);
			before = ",";
		}
}

static void explain_gpus(const struct weft_machine *m, const struct weft_placed_task *t,
	struct nodes *near, struct weft_str *out)
{
	for (size_t i = 0; i < t->n_gpus; i++) {
		weft_str_printf(out, "%s%s",
			i               ? ","
			: t->n_gpus > 1 ? "GPUs "
					: "GPU ",
			m->gpu[t->gpu[i]].pci);
		nodes_of(m, &m->gpu[t->gpu[i]].cpus, near);
	}
	if (!t->n_gpus)
		return;
	weft_str_add(out, t->n_gpus > 1 ? " are near " : " is near ");
	if (near->n)
		add_nodes(m, near, out);
	else
		weft_str_add(out, "no NUMA node that is known");
	weft_str_add(out, "; ");
}

static unsigned cores_of(const struct weft_machine *m, const struct weft_cpuset *cpus)
{
	bool has[WEFT_MAX_CPUS] = {false};
	unsigned n = 0;

	for (size_t i = 0; i < m->n_pus; i++)
		if (weft_cpuset_has(cpus, m->pu[i].cpu) && !has[m->pu[i].core]) {
			has[m->pu[i].core] = true;
			n++;
		}
	return n;
}

static unsigned outside(const struct weft_machine *m, const struct weft_cpuset *cpus,
	const struct nodes *near)
{
	unsigned n = 0;

	for (size_t i = 0; i < m->n_pus; i++)
		n += weft_cpuset_has(cpus, m->pu[i].cpu) && !near->has[m->pu[i].numa];
	return n;
}

static void explain_cpus(const struct weft_machine *m, const struct weft_placed_task *t,
	const struct nodes *near, const struct weft_place_step *step,
	struct weft_str *out)
{
	unsigned n = weft_cpuset_count(&t->cpus), cores = cores_of(m, &t->cpus);
	unsigned far = near->n ? outside(m, &t->cpus, near) : 0;
	struct nodes own = {0};

	weft_str_printf(out, "%u CPU%s of %u core%s ", n, n == 1 ? "" : "s", cores,
		cores == 1 ? "" : "s");
	nodes_of(m, &t->cpus, &own);
	weft_str_add(out, own.n > 1 ? "over " : "in ");
	add_nodes(m, &own, out);
	if (far)
		weft_str_printf(out, ", %u of them far: too few near the GPU", far);
	if (t->fewer)
		weft_str_printf(out, ", fewer than the %u asked for: there are no more",
			step->cpus_per_task);
	if (t->shared_cpus)
		weft_str_add(out, ", shared: more tasks than CPUs");
}

/* The task of another step that this one exchanges data with. */
static void explain_partner(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, size_t step, size_t task,
	const struct weft_place_talk *talk, struct weft_str *out)
{
	const struct weft_placed_task *t = &p->task[p->first[step] + task];
	size_t other = talk->step;
	struct nodes its = {0};

	if (!r->place[other].ntasks)
		return;
	size_t k = task * r->place[other].ntasks / r->place[step].ntasks;
	nodes_of(m, &p->task[p->first[other] + k].cpus, &its);
	weft_str_printf(
		out, "; %s %zu, with which it exchanges ", r->step[other].name, k);
	if (talk->bytes) {
		char size[WEFT_UNIT_MAX];
		weft_str_printf(out, "%s, is ",
			weft_format_size(size, talk->bytes / r->place[step].ntasks));
	} else {
		weft_str_add(out, "data, is ");
	}
	if (!outside(m, &t->cpus, &its)) {
		weft_str_add(out, "there, too");
		return;
	}
	weft_str_add(out, its.n > 1 ? "over " : "in ");
	add_nodes(m, &its, out);
}

/* Only where a need is known: else it's the CPUs' own. */
static void explain_memory(const struct weft_machine *m,
	const struct weft_placed_task *t, const struct weft_place_step *step,
	struct weft_str *out)
{
	char size[WEFT_UNIT_MAX];

	if (!step->mem_per_task || !t->n_numa)
		return;
	weft_str_printf(out, "; %s of memory from NUMA node%s ",
		weft_format_size(size, step->mem_per_task), t->n_numa > 1 ? "s" : "");
	for (size_t i = 0; i < t->n_numa; i++)
		weft_str_printf(
			out, "%s%u", i ? "," : "", m->numa[t->numa[i]].os_index);
	if (t->spills)
		weft_str_add(out, ": too little is left near its CPUs");
}

static const char *nic_of_gpus(const struct weft_machine *m,
	const struct weft_placed_task *t, const struct weft_device *nic)
{
	static const char *const places[] = {"behind the GPU's PCI switch",
		"at the GPU's host bridge or NUMA node", "at the GPU's socket",
		"far from the GPU"};
	unsigned best = WEFT_COUNT(places) - 1;

	for (size_t i = 0; i < t->n_gpus; i++) {
		unsigned far = weft_place_apart(m, &m->gpu[t->gpu[i]], nic);
		best = far < best ? far : best;
	}
	return places[best];
}

static const char *nic_of_cpus(const struct weft_machine *m,
	const struct weft_placed_task *t, const struct weft_device *nic)
{
	struct nodes own = {0}, its = {0};

	nodes_of(m, &t->cpus, &own);
	nodes_of(m, &nic->cpus, &its);
	for (size_t i = 0; i < m->n_numa; i++)
		if (own.has[i] && its.has[i])
			return "in its NUMA node";
	for (size_t i = 0; i < m->n_pus; i++)
		if (weft_cpuset_has(&t->cpus, m->pu[i].cpu) &&
			m->pu[i].package == nic->package)
			return "at its socket";
	return "at another socket";
}

void bind_explain(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, size_t step, size_t task, struct weft_str *out)
{
	const struct weft_placed_task *t = &p->task[p->first[step] + task];
	struct nodes near = {0};

	explain_gpus(m, t, &near, out);
	explain_cpus(m, t, &near, &r->place[step], out);
	explain_memory(m, t, &r->place[step], out);
	for (unsigned i = 0; i < r->place[step].n_talks; i++)
		explain_partner(r, m, p, step, task, &r->place[step].talk[i], out);
	for (size_t i = 0; i < t->n_nics; i++) {
		const struct weft_device *nic = &m->nic[t->nic[i]];
		weft_str_printf(out, "; NIC %s is %s",
			*nic->name ? nic->name : nic->pci,
			t->n_gpus ? nic_of_gpus(m, t, nic) : nic_of_cpus(m, t, nic));
	}
}

void bind_explain_all(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, struct weft_str *out)
{
	weft_str_addc(out, '\n');
	for (size_t s = 0; s < p->n_steps; s++)
		for (size_t i = 0; i < r->place[s].ntasks; i++) {
			const char *name = r->step[s].name;
			weft_str_printf(out, "%s %zu: ", *name ? name : "task", i);
			bind_explain(r, m, p, s, i, out);
			weft_str_addc(out, '\n');
		}
}
