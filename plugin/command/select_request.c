/* select_request.c - a planned step as a request to slurmctld (see request/request.h)
 */
#include "selected.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)

static int copy(
	char *to, size_t size, const char *what, const char *from, struct weft_err *err)
{
	size_t n = strlen(from);

	if (n >= size)
		return weft_err_set(err, WEFT_EPLACE,
			"%s is longer than %zu bytes: it can't be told to slurmctld",
			what, size - 1);
	memcpy(to, from, n + 1);
	return 0;
}

static uint32_t mib(uint64_t bytes)
{
	uint64_t n = bytes ? (bytes - 1) / MIB + 1 : 0;

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* As weft_plan_sbatch_args(): torchrun starts its workers by itself. */
static void tasks(const struct weft_plan_step *p, struct weft_request *r)
{
	bool torchrun = p->launch == WEFT_LAUNCH_TORCHRUN;

	r->nodes = p->nodes;
	r->ntasks = torchrun ? p->nodes : p->ntasks;
	r->ntasks_per_node = torchrun ? 1 : p->ntasks_per_node;
	r->cpus_per_task =
		torchrun ? p->cpus_per_task * p->ntasks_per_node : p->cpus_per_task;
	if (p->gpus && p->gpus == p->gpus_per_node * p->nodes)
		r->gpus_per_node = p->gpus_per_node;
	else
		r->gpus = p->gpus;
}

static int nodes_given(
	const struct selected *s, struct weft_request *r, struct weft_err *err)
{
	struct weft_member first = {0};
	struct weft_scope scope = {.wf = s->j->wf,
		.step = s->step,
		.member = s->one ? &s->member : &first,
		.variant = s->plan.variant};
	struct weft_resources res = {0};
	int rc;

	if (!s->one && weft_sweep_member(s->j->wf, s->step, 0, &first, err))
		return -1;
	rc = weft_scope_resources(&scope, s->step, (size_t)s->plan.variant, &res, err);
	r->nodes_given = rc == 0 && r->nodes && res.min_nodes == r->nodes;
	weft_resources_clear(&res);
	weft_member_clear(&first);
	return rc;
}

int selected_request(
	const struct selected *s, struct weft_request *r, struct weft_err *err)
{
	const struct weft_plan_step *p = &s->plan;
	const struct {
		char *to;
		size_t size;
		const char *what, *from;
	} texts[] = {
		{r->step, sizeof(r->step), "the step's name", s->step->name},
		{r->role, sizeof(r->role), "the role", weft_conf_roles[s->step->role]},
		{r->partition, sizeof(r->partition), "partition", p->partition},
		{r->account, sizeof(r->account), "account", p->account},
		{r->qos, sizeof(r->qos), "qos", p->qos},
		{r->reservation, sizeof(r->reservation), "reservation", p->reservation},
		{r->gpu_type, sizeof(r->gpu_type), "gpu_type", p->gpu_type},
		{r->constraint, sizeof(r->constraint), "constraint", p->constraint},
		{r->exclude, sizeof(r->exclude), "exclude", p->exclude},
		{r->nodelist, sizeof(r->nodelist), "nodelist", p->nodelist},
		{r->licenses, sizeof(r->licenses), "licenses", p->licenses},
		{r->gres, sizeof(r->gres), "gres", p->gres},
	};

	for (size_t i = 0; i < WEFT_COUNT(texts); i++)
		if (copy(texts[i].to, texts[i].size, texts[i].what, texts[i].from, err))
			return weft_err_prefix(err, "step %s", s->step->name);
	if (!p->gpus)
		r->gpu_type[0] = '\0';
	tasks(p, r);
	r->mem = mib(p->mem);
	r->tmp = mib(p->tmp);
	r->time = (uint32_t)((p->time + 59) / 60);
	r->exclusive = p->exclusive;
	if (!s->one) {
		r->array = (uint32_t)p->members;
		r->max_parallel = p->max_parallel;
	}
	return nodes_given(s, r, err);
}
