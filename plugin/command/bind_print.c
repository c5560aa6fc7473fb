/* bind_print.c - a placement as a table, as one line a task, or as srun's options */
#include <inttypes.h>
#include <string.h>

#include "bind_command.h"

static const char *or_dash(const char *s)
{
	return *s ? s : "-";
}

static void add_cpus(const struct weft_cpuset *cpus, struct weft_str *out)
{
	char list[WEFT_MAX_CPUS * 5];

	weft_cpuset_print(cpus, list, sizeof(list));
	weft_str_add(out, or_dash(list));
}

static void add_devices(
	const struct weft_device *d, const unsigned *v, size_t n, struct weft_str *out)
{
	for (size_t i = 0; i < n; i++)
		weft_str_printf(out, "%s%s", i ? "," : "", d[v[i]].pci);
	if (!n)
		weft_str_addc(out, '-');
}

static void add_numa(const struct weft_machine *m, const struct weft_placed_task *t,
	struct weft_str *out)
{
	for (size_t i = 0; i < t->n_numa; i++)
		weft_str_printf(
			out, "%s%u", i ? "," : "", m->numa[t->numa[i]].os_index);
	if (!t->n_numa)
		weft_str_add(out, "any");
}

void bind_describe(const struct weft_machine *m, const struct weft_placed_task *t,
	struct weft_str *out)
{
	weft_str_add(out, "cpus ");
	add_cpus(&t->cpus, out);
	weft_str_add(out, " numa ");
	add_numa(m, t, out);
	if (t->n_gpus) {
		weft_str_add(out, " gpu ");
		add_devices(m->gpu, t->gpu, t->n_gpus, out);
	}
}

static void print_map(const struct weft_machine *m, const struct weft_placement *p,
	struct weft_str *out)
{
	for (size_t i = 0; i < p->n_tasks; i++) {
		const struct weft_placed_task *t = &p->task[i];

		weft_str_printf(
			out, "T %zu threads=%u cpus=", i, weft_cpuset_count(&t->cpus));
		add_cpus(&t->cpus, out);
		weft_str_add(out, " gpus=");
		add_devices(m->gpu, t->gpu, t->n_gpus, out);
		weft_str_add(out, " nics=");
		add_devices(m->nic, t->nic, t->n_nics, out);
		weft_str_addc(out, '\n');
	}
}

/* Slurm's numbers of CPUs in masks are the kernel's, too. */
static void add_mask(const struct weft_cpuset *cpus, struct weft_str *out)
{
	size_t n = WEFT_CPU_WORDS;

	while (n > 1 && !cpus->w[n - 1])
		n--;
	weft_str_printf(out, "0x%" PRIx64, cpus->w[n - 1]);
	while (--n)
		weft_str_printf(out, "%016" PRIx64, cpus->w[n - 1]);
}

/* A line of srun's options a step. */
static void print_srun(const struct bind_request *r, const struct weft_placement *p,
	struct weft_str *out)
{
	for (size_t s = 0; s < p->n_steps; s++) {
		unsigned n = r->step[s].place.ntasks;
		weft_str_printf(out, "--ntasks-per-node=%u --cpu-bind=mask_cpu:", n);
		for (size_t i = 0; i < n; i++) {
			weft_str_add(out, i ? "," : "");
			add_mask(&p->task[p->first[s] + i].cpus, out);
		}
		weft_str_addc(out, '\n');
	}
}

static const char *note(const struct weft_placed_task *t)
{
	if (t->shared_cpus)
		return "shares its CPU: more tasks than CPUs";
	if (t->fewer)
		return "fewer CPUs than asked for";
	if (t->far)
		return "not all CPUs near its GPU";
	return t->spills ? "memory of other nodes, too" : "";
}

static int add_row(struct weft_table *t, struct weft_arena *a,
	const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, size_t step, size_t task)
{
	const struct weft_placed_task *x = &p->task[p->first[step] + task];
	struct weft_str part[4] = {0};
	const char *cell[7];

	add_cpus(&x->cpus, &part[0]);
	add_numa(m, x, &part[1]);
	add_devices(m->gpu, x->gpu, x->n_gpus, &part[2]);
	add_devices(m->nic, x->nic, x->n_nics, &part[3]);
	cell[0] = or_dash(r->step[step].name);
	cell[1] = weft_arena_printf(a, "%zu", task);
	for (int i = 0; i < 4; i++)
		cell[2 + i] = part[i].failed ? NULL : weft_arena_strdup(a, part[i].s);
	cell[6] = note(x);
	for (size_t i = 0; i < 4; i++)
		weft_str_free(&part[i]);
	for (size_t i = 0; i < WEFT_COUNT(cell); i++)
		if (!cell[i])
			return -1;
	return weft_table_row(t, cell);
}

static void print_table(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, struct weft_str *out)
{
	static const char *const head[] = {
		"STEP", "TASK", "CPUS", "NUMA", "GPUS", "NICS", "NOTE"};
	struct weft_style style = cmd_style(stdout);
	struct weft_table *t = weft_table_new(WEFT_COUNT(head), head);
	struct weft_arena a = {0};
	bool bad = !t || weft_table_right(t, 1);

	for (size_t s = 0; s < p->n_steps && !bad; s++)
		for (size_t i = 0; i < r->step[s].place.ntasks && !bad; i++)
			bad = add_row(t, &a, r, m, p, s, i) != 0;
	if (bad)
		out->failed = true;
	else
		weft_table_print(t, &style, out);
	weft_table_free(t);
	weft_arena_free(&a);
}

int bind_print(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p)
{
	struct weft_str out = {0};
	struct weft_err err = {0};
	int rc = 0;

	if (weft_streq(r->format, "map"))
		print_map(m, p, &out);
	else if (weft_streq(r->format, "srun"))
		print_srun(r, p, &out);
	else if (weft_streq(r->format, "json"))
		rc = bind_json(r, m, p, &out, &err);
	else
		print_table(r, m, p, &out);
	/* Other formats have no room for it, or have said it. */
	bool table = weft_streq(r->format, "table");
	if (table && r->explain)
		bind_explain_all(r, m, p, &out);
	if (table && r->score)
		rc = bind_score_table(r, m, p, &out, &err);
	if (rc) {
		weft_str_free(&out);
		return cmd_fail(&err);
	}
	return cmd_print(&out);
}
