/* bind_json.c - a placement as JSON */
#include <jansson.h>
#include <string.h>

#include "bind_command.h"

static json_t *devices(const struct weft_device *d, const unsigned *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(d[v[i]].pci));
	return list;
}

/* null: memory from anywhere. */
static json_t *memory(const struct weft_machine *m, const struct weft_placed_task *t)
{
	json_t *list = t->n_numa ? json_array() : json_null();

	for (size_t i = 0; i < t->n_numa; i++)
		json_array_append_new(list, json_integer(m->numa[t->numa[i]].os_index));
	return list;
}

static json_t *task_json(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, size_t step, size_t task)
{
	const struct weft_placed_task *t = &p->task[p->first[step] + task];
	const char *name = r->step[step].name;
	weft_autostr struct weft_str why = {0};
	char cpus[WEFT_MAX_CPUS * 5];

	if (r->explain)
		bind_explain(r, m, p, step, task, &why);
	if (why.failed)
		return NULL;
	weft_cpuset_print(&t->cpus, cpus, sizeof(cpus));
	return json_pack("{s:s?, s:I, s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:s*}",
		"step", *name ? name : NULL, "task", (json_int_t)task, "cpus", cpus,
		"numa", memory(m, t), "gpus", devices(m->gpu, t->gpu, t->n_gpus),
		"nics", devices(m->nic, t->nic, t->n_nics), "far", t->far, "fewer_cpus",
		t->fewer, "shared_cpus", t->shared_cpus, "spills", t->spills, "why",
		r->explain ? why.s : NULL);
}

int bind_json(const struct bind_request *r, const struct weft_machine *m,
	const struct weft_placement *p, struct weft_str *out, struct weft_err *err)
{
	json_t *tasks = json_array(), *score = NULL;
	int rc = 0;

	for (size_t s = 0; s < p->n_steps && !rc; s++)
		for (size_t i = 0; i < r->step[s].place.ntasks && !rc; i++)
			rc = json_array_append_new(tasks, task_json(r, m, p, s, i));
	if (rc)
		weft_err_nomem(err);
	else if (r->score && !(score = bind_score_json(r, m, p, err)))
		rc = -1;
	if (rc) {
		json_decref(tasks);
		return -1;
	}
	if (weft_report_json(json_pack("{s:s, s:o, s:o*}", "host", m->host, "tasks",
				     tasks, "score", score),
		    JSON_INDENT(1), out))
		return weft_err_nomem(err);
	return 0;
}
