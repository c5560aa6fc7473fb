/* env - threads and network cards, by the names that OpenMP, NCCL, UCX and MPICH read.
 */
#include "bind/env.h"

#include <string.h>

bool weft_bind_add_var(
	struct weft_binding *b, const char *name, const char *value, bool keep)
{
	if (b->n_vars == WEFT_BIND_MAX_VARS || strlen(name) >= sizeof(b->var[0].name) ||
		strlen(value) >= sizeof(b->var[0].value))
		return false;
	struct weft_bind_var *v = &b->var[b->n_vars++];
	strcpy(v->name, name);
	strcpy(v->value, value);
	v->keep = keep;
	return true;
}

static unsigned cores_of(const struct weft_machine *m, const struct weft_cpuset *cpus)
{
	unsigned n = 0, last = UINT32_MAX;

	for (size_t i = 0; i < m->n_pus; i++)
		if (weft_cpuset_has(cpus, m->pu[i].cpu) && m->pu[i].core != last) {
			last = m->pu[i].core;
			n++;
		}
	return n;
}

/* A thread a core, unless CPUs or hardware threads were asked for by number. */
void weft_bind_omp_env(const struct weft_machine *m, const struct weft_placed_task *t,
	const struct weft_place_step *step, struct weft_binding *out)
{
	unsigned cpus = weft_cpuset_count(&t->cpus), cores = cores_of(m, &t->cpus);
	unsigned n = step->smt ? cpus : cores;
	char value[16];

	if (step->cpus_per_task)
		n = step->cpus_per_task < cpus ? step->cpus_per_task : cpus;
	snprintf(value, sizeof(value), "%u", n ? n : 1);
	weft_bind_add_var(out, "OMP_NUM_THREADS", value, true);
	weft_bind_add_var(out, "OMP_PLACES", n > cores ? "threads" : "cores", true);
	weft_bind_add_var(out, "OMP_PROC_BIND",
		step->cpus == WEFT_PLACE_SPREAD ? "spread" : "close", true);
}

/* Is the card's first port up?  A name alone may be of a card without a cable, and
 * a library that is held to it would fail. */
static bool active(const char *name)
{
	weft_autofree char *path =
		weft_printf("/sys/class/infiniband/%s/ports/1/state", name);
	weft_autofree char *state = NULL;
	size_t n;

	return path && !strchr(name, '/') &&
	       weft_read_file(path, 64, &state, &n, NULL) == 0 &&
	       strstr(state, "ACTIVE") != NULL;
}

/* Only where there is a choice: with one card the libraries find it themselves. */
void weft_bind_nic_env(const struct weft_machine *m, const struct weft_placed_task *t,
	struct weft_binding *out)
{
	weft_autostr struct weft_str nccl = {0}, ucx = {0};
	size_t choice = 0;

	for (size_t i = 0; i < m->n_nics; i++)
		choice += m->nic[i].link == WEFT_LINK_VERBS;
	if (choice < 2)
		return;
	for (size_t i = 0; i < t->n_nics; i++) {
		if (t->nic[i] >= m->n_nics)
			return;
		const struct weft_device *nic = &m->nic[t->nic[i]];
		if (nic->link != WEFT_LINK_VERBS || !*nic->name ||
			(!out->borrowed && !active(nic->name)))
			return;
		/* "=": this name, not all that begin so. */
		weft_str_printf(&nccl, "%s%s", nccl.len ? "," : "=", nic->name);
		weft_str_printf(&ucx, "%s%s:1", ucx.len ? "," : "", nic->name);
	}
	if (!ucx.len || ucx.failed || nccl.failed)
		return;
	if (t->n_gpus)
		weft_bind_add_var(out, "NCCL_IB_HCA", nccl.s, true);
	weft_bind_add_var(out, "UCX_NET_DEVICES", ucx.s, true);
}

/* MPICH counts Slingshot's cards by their number: that of "hsn2" or "cxi2". */
static unsigned number_of(const struct weft_machine *m, unsigned nic)
{
	const char *digits = m->nic[nic].name + strcspn(m->nic[nic].name, "0123456789");
	int64_t v;
	unsigned at = 0;

	if (*digits && weft_parse_int(digits, 0, WEFT_MAX_DEVICES, &v))
		return (unsigned)v;
	for (unsigned i = 0; i < nic; i++)
		at += m->nic[i].link == WEFT_LINK_FABRIC;
	return at;
}

void weft_bind_nic_map(const struct weft_machine *m, const struct weft_placement *p,
	size_t step, struct weft_binding *out)
{
	size_t end = step + 1 < p->n_steps ? p->first[step + 1] : p->n_tasks;
	const struct weft_placed_task *t = &p->task[p->first[step]];
	size_t n = end - p->first[step], choice = 0;
	weft_autostr struct weft_str map = {0};
	char list[sizeof(out->var[0].value)];

	for (size_t i = 0; i < m->n_nics; i++)
		choice += m->nic[i].link == WEFT_LINK_FABRIC;
	for (size_t i = 0; i < n; i++)
		if (!t[i].n_nics || t[i].nic[0] >= m->n_nics ||
			m->nic[t[i].nic[0]].link != WEFT_LINK_FABRIC)
			return;
	if (choice < 2 || n > WEFT_MAX_CPUS)
		return;
	for (unsigned k = 0; k < m->n_nics; k++) {
		struct weft_cpuset ranks = {0}; /* numbers of tasks, not CPUs */
		for (unsigned i = 0; i < n; i++)
			if (t[i].nic[0] == k)
				weft_cpuset_add(&ranks, i);
		if (weft_cpuset_next(&ranks, 0) < 0)
			continue;
		if (!weft_cpuset_print(&ranks, list, sizeof(list)))
			return;
		weft_str_printf(
			&map, "%s%u:%s", map.len ? ";" : "", number_of(m, k), list);
	}
	if (map.failed || map.len >= sizeof(list))
		return;
	weft_bind_add_var(out, "MPICH_OFI_NIC_POLICY", "USER", true);
	weft_bind_add_var(out, "MPICH_OFI_NIC_MAPPING", map.s, true);
}
