/* resources.c - one alternative of a step's resources, evaluated. */
#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

/* What a text of the table's kind comes to. */
union result {
	double num;
	uint64_t bytes;
	int64_t seconds;
	bool truth;
};

/* 1: not given; 0: *s is the text, checked as the table says. */
static int fetch(const struct weft_scope *sc, const struct weft_step *step,
	size_t alternative, enum spec_id id, char **s, struct weft_err *err)
{
	const struct weft_text *t =
		(const struct weft_text *)&step->resources[alternative] +
		(id - RESOURCES_partition);
	const struct spec_field *f = &spec_fields[id];
	const char *hint;
	*s = NULL;
	if (!t->s)
		return 1;
	if (weft_scope_text(sc, t, s, err) < 0)
		return -1;
	const char *wrong = t->tpl ? spec_wrong(f, *s, &hint) : NULL;
	if (!wrong)
		return 0;
	weft_err_set(err, WEFT_ESPEC, "`%s` %s", *s, wrong);
	weft_err_at(err, sc->wf->file, t->pos, NULL);
	if (err) {
		free(err->path);
		err->path = weft_printf("steps[%u].resources.%s", step->index, f->key);
	}
	if (hint)
		weft_err_hint(err, "%s", hint);
	free(*s);
	*s = NULL;
	return -1;
}

static void convert(enum spec_kind kind, const char *s, union result *v)
{
	*v = (union result){0};
	if (kind == K_SIZE)
		weft_parse_size(s, &v->bytes, NULL);
	else if (kind == K_DURATION)
		weft_parse_duration(s, &v->seconds, NULL);
	else if (kind == K_BOOL)
		v->truth = !strcmp(s, "true");
	else
		spec_parse_number(s, &v->num);
}

static void keep(
	struct weft_resources *r, enum spec_id id, char **text, const union result *v)
{
	char *s = *text;
	unsigned n = v->num > 0 && v->num < 4294967295.0 ? (unsigned)v->num : 0;
	char **slot = id == RESOURCES_partition    ? &r->partition
		      : id == RESOURCES_gpu_type   ? &r->gpu_type
		      : id == RESOURCES_constraint ? &r->constraint
		      : id == RESOURCES_exclude    ? &r->exclude
		      : id == RESOURCES_nodelist   ? &r->nodelist
		      : id == RESOURCES_licenses   ? &r->licenses
		      : id == RESOURCES_gres       ? &r->gres
						   : NULL;
	if (slot) {
		*slot = weft_steal(text);
		return;
	}
	switch ((int)id) {
	case RESOURCES_nodes: {
		const char *dash = strchr(s, '-');
		r->min_nodes = (unsigned)strtoul(s, NULL, 10);
		r->max_nodes =
			dash ? (unsigned)strtoul(dash + 1, NULL, 10) : r->min_nodes;
		break;
	}
	case RESOURCES_ntasks:
		r->ntasks = n;
		break;
	case RESOURCES_ntasks_per_node:
		r->ntasks_per_node = n;
		break;
	case RESOURCES_cpus_per_task:
		r->cpus_per_task = n;
		break;
	case RESOURCES_cpus_per_gpu:
		r->cpus_per_gpu = n;
		break;
	case RESOURCES_ntasks_per_gpu:
		r->ntasks_per_gpu = n;
		break;
	case RESOURCES_gpus:
		r->gpus = n;
		r->gpus_given = true;
		break;
	case RESOURCES_gpus_per_node:
		r->gpus_per_node = n;
		r->gpus_given = true;
		break;
	case RESOURCES_gpus_per_task:
		r->gpus_per_task = v->num;
		r->gpus_given = true;
		break;
	case RESOURCES_mem:
		r->mem = v->bytes;
		break;
	case RESOURCES_mem_per_cpu:
		r->mem_per_cpu = v->bytes;
		break;
	case RESOURCES_mem_per_gpu:
		r->mem_per_gpu = v->bytes;
		break;
	case RESOURCES_tmp:
		r->tmp = v->bytes;
		break;
	case RESOURCES_time:
		r->time = v->seconds;
		break;
	case RESOURCES_exclusive:
		r->exclusive = v->truth;
		break;
	}
}

int weft_scope_resources(const struct weft_scope *scope, const struct weft_step *step,
	size_t alternative, struct weft_resources *out, struct weft_err *err)
{
	*out = (struct weft_resources){0};
	if (alternative >= step->n_resources)
		return weft_err_set(err, WEFT_ESPEC, "step `%s` has %zu alternatives",
			step->name, step->n_resources);
	for (enum spec_id id = RESOURCES_partition; id < RESOURCES_any_of; id++) {
		union result v;
		char *s = NULL;
		int rc = fetch(scope, step, alternative, id, &s, err);
		if (rc < 0) {
			weft_resources_clear(out);
			return -1;
		}
		if (rc > 0)
			continue;
		convert(spec_fields[id].kind, s, &v);
		keep(out, id, &s, &v);
		free(s);
	}
	return 0;
}

void weft_resources_clear(struct weft_resources *r)
{
	free(r->partition);
	free(r->gpu_type);
	free(r->constraint);
	free(r->exclude);
	free(r->nodelist);
	free(r->licenses);
	free(r->gres);
	*r = (struct weft_resources){0};
}

static bool has_template(const struct weft_resource_texts *texts)
{
	const struct weft_text *t = (const struct weft_text *)texts;
	for (size_t i = 0; i < sizeof(*texts) / sizeof(*t); i++)
		if (t[i].tpl)
			return true;
	return false;
}

void spec_try_resources(struct spec_parser *p)
{
	struct weft_workflow *wf = p->wf;
	for (size_t i = 0; i < wf->n_steps; i++) {
		const struct weft_step *s = &wf->step[i];
		/* Steps share what they ask for where it holds no expression. */
		if (i && s->resources == s[-1].resources)
			continue;
		for (size_t a = 0; a < s->n_resources; a++) {
			struct weft_member m = {0};
			struct weft_resources r;
			struct weft_err err = {0};
			if (!has_template(&s->resources[a]))
				continue;
			struct weft_scope sc = {.wf = wf, .step = s, .variant = (int)a};
			if (s->sweep.count)
				sc.member = &m; /* else no params are known yet */
			if ((s->sweep.count &&
				    weft_sweep_member(wf, s, 0, &m, &err) < 0) ||
				weft_scope_resources(&sc, s, a, &r, &err) < 0) {
				p->failed = true;
				if (err.file) /* as the user named it */
					weft_err_at(&err, p->doc->file, err.pos, NULL);
				if (!err.path)
					err.path =
						weft_printf("steps[%zu].resources", i);
				weft_errs_add(p->errs, &err);
			} else {
				weft_resources_clear(&r);
			}
			weft_member_clear(&m);
		}
	}
}
