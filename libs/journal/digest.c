/* digest.c - what makes a step what it is */
#include "journal/journal.h"

#include <stdlib.h>
#include <string.h>

/* Lengths in front, so that two fields never read as one. */
static void add(struct weft_hasher *h, const char *what, const char *s)
{
	char head[64];
	size_t n = s ? strlen(s) : 0, len = strlen(what), left = n;
	char digits[20], *d = digits + sizeof(digits);

	/* "WHAT:LENGTH:1;", a hundred times a member. */
	do
		*--d = (char)('0' + left % 10);
	while (left /= 10);
	memcpy(head, what, len);
	head[len++] = ':';
	while (d < digits + sizeof(digits))
		head[len++] = *d++;
	head[len++] = ':';
	head[len++] = s ? '1' : '0';
	head[len++] = ';';
	weft_hasher_add(h, head, len);
	if (s)
		weft_hasher_add(h, s, n);
}

static void add_number(struct weft_hasher *h, const char *what, double v)
{
	char s[40];

	/* Counts and the like: %g is slow. */
	if (v >= 0 && v < 10 && v == (int)v)
		memcpy(s, (char[]){(char)('0' + (int)v), '\0'}, 2);
	else
		snprintf(s, sizeof(s), "%.17g", v);
	add(h, what, s);
}

static void add_texts(
	struct weft_hasher *h, const char *what, const struct weft_texts *t)
{
	add_number(h, what, (double)t->n);
	for (size_t i = 0; i < t->n; i++)
		add(h, what, t->v[i].s);
}

static void add_pairs(
	struct weft_hasher *h, const char *what, const struct weft_pairs *p)
{
	add_number(h, what, (double)p->n);
	for (size_t i = 0; i < p->n; i++) {
		add(h, what, p->v[i].name);
		add(h, what, p->v[i].value.s);
	}
}

static void add_resources(struct weft_hasher *h, const struct weft_resource_texts *r)
{
	/* What a program can see: its size; not where or how long it may run. */
	add(h, "nodes", r->nodes.s);
	add(h, "ntasks", r->ntasks.s);
	add(h, "ntasks_per_node", r->ntasks_per_node.s);
	add(h, "cpus_per_task", r->cpus_per_task.s);
	add(h, "gpus", r->gpus.s);
	add(h, "gpus_per_node", r->gpus_per_node.s);
	add(h, "gpus_per_task", r->gpus_per_task.s);
}

int weft_record_digest(const struct weft_workflow *wf, const struct weft_step *step,
	const struct weft_member *member, char hex[WEFT_DIGEST_HEX],
	struct weft_err *err)
{
	struct weft_hasher *h = weft_hasher_new();
	weft_autostr struct weft_str params = {0};

	if (!h)
		return weft_err_nomem(err);
	add(h, "step", step->name);
	if (member) {
		weft_value_json(&params, &member->params);
		add(h, "params", params.s);
	}
	add_pairs(h, "vars", &wf->vars);
	add_pairs(h, "env", &wf->env);
	add_pairs(h, "env", &step->env);
	add(h, "run", step->run.s);
	add_texts(h, "command", &step->command);
	add_texts(h, "shell", &step->shell);
	add(h, "setup", step->setup.s);
	add_number(h, "launch", step->launch);
	for (size_t i = 0; i < step->n_files; i++) {
		add(h, "file", step->file[i].name);
		add(h, "file", step->file[i].value.s);
	}
	for (size_t i = 0; i < step->n_resources; i++)
		add_resources(h, &step->resources[i]);
	for (size_t i = 0; i < step->n_inputs; i++) {
		add(h, "input", step->input[i].name);
		for (size_t k = 0; k < step->input[i].n_from; k++) {
			const struct weft_input_from *f = &step->input[i].from[k];

			add(h, "from",
				f->step == WEFT_NO_STEP ? f->path.s
							: wf->step[f->step].name);
			add_number(h, "output",
				f->step == WEFT_NO_STEP ? -1.0 : f->output);
		}
	}
	for (size_t i = 0; i < step->n_outputs; i++) {
		add(h, "output", step->output[i].name);
		add(h, "output", step->output[i].path.s);
	}
	weft_hasher_end(h, hex);
	return params.failed ? weft_err_nomem(err) : 0;
}
