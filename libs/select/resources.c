/* resources.c - resources of a step: evaluated, with the defaults, and where they
 * stand in the file. */
#include "select/work.h"

#include <string.h>

void blame(const struct weft_workflow *wf, const struct weft_step *step,
	size_t alternative, enum ask_key key, struct weft_err *err)
{
	const struct weft_text *t =
		key == KEY_NONE ? NULL
				: ask_key_text(&step->resources[alternative], key);
	char path[128];

	if (!t || !t->s)
		snprintf(path, sizeof(path), "steps[%u].resources", step->index);
	else if (step->n_resources > 1)
		snprintf(path, sizeof(path), "steps[%u].resources.any_of[%zu].%s",
			step->index, alternative, ask_key_names[key]);
	else
		snprintf(path, sizeof(path), "steps[%u].resources.%s", step->index,
			ask_key_names[key]);
	weft_err_at(err, wf->file, t && t->s ? t->pos : step->pos, path);
	if (t && t->s && !strchr(t->s, '\n'))
		err->width = (unsigned)strlen(t->s);
}

static int counts(void *ctx, const struct weft_name *name)
{
	(void)ctx;
	return name->n > 0 && weft_streq(name->part[0], "attempt");
}

static int differs(void *ctx, const struct weft_name *name)
{
	(void)ctx;
	return name->n > 0 && (weft_streq(name->part[0], "params") ||
				      weft_streq(name->part[0], "member") ||
				      weft_streq(name->part[0], "loop"));
}

static bool any_names(const struct weft_step *step,
	int (*which)(void *ctx, const struct weft_name *name))
{
	for (size_t i = 0; i < step->n_resources; i++) {
		const struct weft_resource_texts *r = &step->resources[i];

		for (enum ask_key k = KEY_NONE + 1; k < N_KEYS; k++) {
			const struct weft_text *t = ask_key_text(r, k);

			if (t->tpl && weft_template_names(t->tpl, which, NULL))
				return true;
		}
		if (r->exclusive.tpl &&
			weft_template_names(r->exclusive.tpl, which, NULL))
			return true;
	}
	return false;
}

bool resources_vary(const struct weft_step *step)
{
	return any_names(step, differs);
}

bool resources_grow(const struct weft_step *step)
{
	return any_names(step, counts);
}

int evaluate(const struct weft_workflow *wf, const struct weft_conf *conf,
	const struct weft_step *step, size_t alternative,
	const struct weft_member *member, struct weft_resources *r,
	struct weft_err *err)
{
	return evaluate_attempt(wf, conf, step, alternative, member, 0, r, err);
}

int evaluate_attempt(const struct weft_workflow *wf, const struct weft_conf *conf,
	const struct weft_step *step, size_t alternative,
	const struct weft_member *member, unsigned attempt, struct weft_resources *r,
	struct weft_err *err)
{
	struct weft_scope scope = {.wf = wf,
		.step = step,
		.member = member,
		.attempt = attempt,
		.variant = (int)alternative};
	const struct weft_conf_role *role = conf ? &conf->role[step->role] : NULL;

	memset(r, 0, sizeof(*r));
	if (weft_scope_resources(&scope, step, alternative, r, err) < 0)
		return -1;
	if (role && role->mem_per_cpu && !r->mem && !r->mem_per_cpu && !r->mem_per_gpu)
		r->mem_per_cpu = role->mem_per_cpu;
	if (role && role->constraint && !r->constraint) {
		r->constraint = strdup(role->constraint);
		if (!r->constraint) {
			weft_resources_clear(r);
			return weft_err_nomem(err);
		}
	}
	return 0;
}

void write_step(struct weft_plan_step *out, const struct ask *a, const struct choice *c,
	size_t members)
{
	const struct sized *s = &c->fit.size;

	out->partition = c->pool ? c->pool->part->name : "";
	out->account = a->account;
	out->qos = a->qos;
	out->reservation = a->reservation;
	out->nodes = s->nodes;
	out->ntasks = s->tasks;
	out->ntasks_per_node = s->tasks_node;
	out->cpus_per_task = s->cpus_task;
	out->gpus = s->gpus;
	out->gpus_per_node = s->gpus_node;
	out->tasks_per_gpu = s->gpus ? s->tasks_gpu : 0;
	out->gpu_type = s->gpus ? a->gpu_type : "";
	out->mem = s->mem;
	out->in_memory = s->mem ? s->in_memory : 0;
	out->tmp = a->tmp;
	out->time = c->fit.time;
	out->constraint = a->constraint;
	out->exclude = a->exclude;
	out->nodelist = a->nodelist;
	out->licenses = a->licenses;
	out->gres = a->gres;
	out->exclusive = a->exclusive;
	out->launch = c->launch;
	out->members = members;
}

double round_hours(double v)
{
	return (double)(int64_t)(v * 1e4 + 0.5) / 1e4;
}

void add_hours(struct weft_plan_step *out, const struct choice *c, bool whole_nodes)
{
	const struct weft_node *n = c->fit.node;
	double h = (double)out->time / 3600 * (double)out->members;
	unsigned threads = n && n->threads_per_core ? n->threads_per_core : 1;
	uint64_t cores = (c->fit.size.cpus_node + threads - 1) / threads;

	if (whole_nodes && n)
		cores = n->cores ? n->cores : n->cpus / threads;
	out->node_hours = round_hours(out->nodes * h);
	out->core_hours = round_hours((double)out->nodes * (double)cores * h);
	out->gpu_hours = round_hours(out->gpus * h);
}
