/* light_bind.c - which CPUs, memory and GPUs a light member gets within its slot */
#include "engine/light.h"

#include "bind/bind.h"
#include "ticket/ticket.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void describe(const struct weft_machine *m, const struct weft_placed_task *t,
	struct weft_str *what)
{
	struct weft_cpuset numa = {0};
	char list[WEFT_MAX_CPUS * 5];

	weft_cpuset_print(&t->cpus, list, sizeof(list));
	weft_str_printf(what, "cpus %s numa ", list);
	for (size_t i = 0; i < t->n_numa; i++)
		weft_cpuset_add(&numa, m->numa[t->numa[i]].os_index);
	weft_cpuset_print(&numa, list, sizeof(list));
	weft_str_add(what, *list ? list : "any");
	for (size_t i = 0; i < t->n_gpus; i++)
		weft_str_printf(what, "%s%s", i ? "," : " gpu ", m->gpu[t->gpu[i]].pci);
}

struct usable {
	struct weft_cpuset cpus;
	unsigned gpu[WEFT_MAX_DEVICES];
	size_t n_gpus;
	const char *visible;
};

static struct weft_placement *place(const struct weft_machine *m, struct usable *us,
	struct weft_place_step *step, struct weft_err *err)
{
	struct weft_placement *p = NULL;

	if (weft_place(m, &us->cpus, us->gpu, us->n_gpus, step, 1, &p, err) == 0)
		return p;
	if (!(step->gpus_per_task > 0) && !step->gpus_all)
		return NULL;
	/* CPUs can be placed without GPUs that the topology doesn't show. */
	weft_err_clear(err);
	step->gpus_per_task = 0;
	step->gpus_all = false;
	return weft_place(m, &us->cpus, us->gpu, us->n_gpus, step, 1, &p, err) == 0
		       ? p
		       : NULL;
}

static int bind_to(const struct unit *u, const struct weft_ticket *ticket,
	struct weft_env *env, struct usable *us, struct weft_binding *b,
	struct weft_str *what, struct weft_err *err)
{
	static unsigned count;
	const struct weft_machine *m = u->e->machine;
	struct weft_place_step step = ticket->place;
	struct weft_placement *p;
	char by[72];
	int r = -1;

	step.ntasks = 1;
	weft_bind_known_memory(m, &step);
	us->visible = weft_env_get(env, weft_bind_visible_name(m));
	const char *numbers = weft_env_get(env, "SLURM_STEP_GPUS");
	us->n_gpus = weft_bind_usable_gpus(m,
		numbers ? numbers : weft_env_get(env, "SLURM_JOB_GPUS"), us->visible,
		us->gpu);
	p = place(m, us, &step, err);
	if (!p)
		return -1;
	describe(m, &p->task[0], what);
	if (weft_bind_prepare(m, &p->task[0], &step, us->gpu, us->n_gpus, us->visible,
		    m->borrowed, b, err))
		goto out;
	weft_bind_nic_map(m, p, 0, b);
	snprintf(by, sizeof(by), "pid:%d.%u", (int)getpid(), ++count);
	weft_bind_add_note(m, &p->task[0], by, NULL, b);
	for (size_t i = 0; i < b->n_vars; i++)
		if (!(b->var[i].keep && weft_env_get(env, b->var[i].name)) &&
			weft_env_set(env, b->var[i].name, b->var[i].value)) {
			weft_err_nomem(err);
			goto out;
		}
	r = 0;
out:
	weft_placement_free(p);
	return r;
}

bool light_place(const struct unit *u, struct weft_env *env, struct weft_binding *b,
	struct weft_str *what)
{
	weft_autofree struct usable *us = calloc(1, sizeof(*us));
	weft_autoerr struct weft_err err = {0};
	struct weft_ticket ticket;

	weft_env_unset(env, "WEFT_BIND_TOPOLOGY");
	/* Which CPUs are the job's is not known: others' may be among them. */
	if (!us || !u->e->machine || !launch_binds(u) || (u->e->slurm && !u->slot.cpus))
		return false;
	if (u->slot.cpus && !weft_cpuset_parse(u->slot.cpus, &us->cpus))
		return false;
	if (!u->slot.cpus)
		us->cpus = u->e->node[0].allowed;
	weft_cpuset_remove(&us->cpus, &u->e->machine->reserved);
	unit_ticket(u, &ticket);
	if (bind_to(u, &ticket, env, us, b, what, &err) == 0)
		return true;
	weft_log(WEFT_WARN, "%s: not bound: %s", u->step->name,
		err.text ? err.text : "out of memory");
	return false;
}
