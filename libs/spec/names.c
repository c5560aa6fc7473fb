/* names.c - every name in every expression means something, there and then. */
#include <string.h>

#include "spec/parse.h"

struct where {
	struct spec_parser *p;
	const struct spec_pending *at;
	const struct weft_step *step; /* NULL: top level */
};

enum root {
	R_VARS = 1,
	R_PARAMS = 2,
	R_ENV = 4,
	R_INPUTS = 8,
	R_OUTPUTS = 16,
	R_STEPS = 32,
	R_MEMBER = 64,
	R_LOOP = 128,
	R_ATTEMPT = 256,
	R_RUN = 512,
	R_STEP = 1024,
	R_WORKFLOW = 2048,
};

static const char *const roots[] = {"vars", "params", "env", "inputs", "outputs",
	"steps", "member", "loop", "attempt", "run", "step", "workflow"};

static unsigned allowed(enum spec_names names)
{
	const unsigned start = R_VARS | R_PARAMS | R_ENV | R_STEPS | R_MEMBER | R_LOOP |
			       R_ATTEMPT | R_RUN | R_WORKFLOW;
	switch (names) {
	case AT_NEVER:
		return 0;
	case AT_LOAD:
		return R_VARS | R_WORKFLOW;
	case AT_TOP:
		return R_VARS | R_MEMBER | R_ATTEMPT | R_RUN | R_STEP | R_WORKFLOW;
	case AT_SIZE:
		return R_VARS | R_PARAMS | R_MEMBER | R_LOOP | R_ATTEMPT;
	case AT_STEER:
		return R_VARS | R_RUN | R_WORKFLOW;
	case AT_UNTIL:
		return R_VARS | R_STEPS | R_LOOP | R_RUN | R_WORKFLOW;
	case AT_WHEN:
		return start;
	case AT_START:
		return start | R_STEP;
	case AT_RUN:
		break;
	}
	return start | R_STEP | R_INPUTS | R_OUTPUTS;
}

static void bad(struct where *w, const struct weft_name *name, const char *hint,
	const char *fmt, ...) WEFT_PRINTF(4, 5);
static void bad(struct where *w, const struct weft_name *name, const char *hint,
	const char *fmt, ...)
{
	struct weft_err err = {0};
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	weft_err_set(&err, WEFT_ESPEC, "%s", text);
	err.pos = name->pos;
	err.width = spec_name_width(name);
	if (hint)
		weft_err_hint(&err, "%s", hint);
	spec_bad_expr(w->p, w->at->node, w->at->path, &err);
}

/* "vars.x" with its parts joined. */
static const char *dotted(const struct weft_name *name, char *buf, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < name->n && n < size; i++)
		n += (size_t)snprintf(
			buf + n, size - n, "%s%.80s", i ? "." : "", name->part[i]);
	return buf;
}

static void unknown(struct where *w, const struct weft_name *name, size_t part,
	const char *what, const char *const *words, size_t n, const char *otherwise)
{
	const char *hint = spec_did_you_mean(w->p, name->part[part], words, n);
	bad(w, name, hint ? hint : otherwise, "there is no %s `%s`", what,
		name->part[part]);
}

static void form(struct where *w, const struct weft_name *name, const char *forms)
{
	char buf[256];
	bad(w, name, spec_hint(w->p, "it is %s", forms), "`%s` is no value",
		dotted(name, buf, sizeof(buf)));
}

static const char **words_for(struct where *w, size_t n)
{
	return spec_alloc(w->p, n, sizeof(const char *));
}

static bool has_pair(const struct weft_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (!strcmp(pairs->v[i].name, name))
			return true;
	return false;
}

/* Names are listed only for the hint of an error. */
static void unknown_pair(struct where *w, const struct weft_name *name,
	const char *text, const struct weft_pairs *a, const struct weft_pairs *b,
	const char *otherwise)
{
	size_t count = 0;
	const char **words = words_for(w, a->n + (b ? b->n : 0));
	for (size_t i = 0; words && i < a->n; i++)
		words[count++] = a->v[i].name;
	for (size_t i = 0; words && b && i < b->n; i++)
		words[count++] = b->v[i].name;
	const char *hint =
		words ? spec_did_you_mean(w->p, name->part[1], words, count) : NULL;
	bad(w, name, hint ? hint : otherwise, text, name->part[1]);
}

static void check_vars(struct where *w, const struct weft_name *name)
{
	if (name->n != 2)
		form(w, name, "`vars.NAME`");
	else if (!weft_map_get(&w->p->wf->var_by_name, name->part[1], NULL))
		unknown_pair(w, name, "there is no variable `%s`", &w->p->wf->vars,
			NULL, "add it under `vars` at the top level");
}

static void check_params(struct where *w, const struct weft_name *name)
{
	const struct weft_sweep *sweep = &w->step->sweep;
	const char *hint = "add the axis to the step's `sweep`";
	if (name->n < 2) {
		form(w, name, "`params.AXIS`");
		return;
	}
	for (size_t a = 0; a < sweep->n_axes; a++)
		if (!strcmp(sweep->axis[a].name, name->part[1]))
			return;
	const char **words = words_for(w, sweep->n_axes);
	for (size_t a = 0; words && a < sweep->n_axes; a++)
		words[a] = sweep->axis[a].name;
	if (sweep->kind == WEFT_SWEEP_NONE && w->p->failed && !sweep->n_axes)
		return; /* its sweep may be what was wrong */
	if (w->p->wf->step[sweep->root].sweep.kind == WEFT_SWEEP_FILE && !sweep->n_axes)
		return; /* its columns are known once its file is there */
	if (!sweep->n_axes)
		bad(w, name, hint, "the step has no sweep, so no `params.%s`",
			name->part[1]);
	else if (words)
		unknown(w, name, 1, "axis", words, sweep->n_axes, hint);
}

static void check_env(struct where *w, const struct weft_name *name)
{
	const struct weft_pairs *top = &w->p->wf->env;
	const char *why = "`env.X` reads only the file's own `env`; in `run`, use $X";
	if (name->n != 2) {
		form(w, name, "`env.NAME`");
	} else if (w->at->env) {
		/* Values of env see the top level's only: no circles. */
		if (!has_pair(top, name->part[1]))
			unknown_pair(w, name,
				"there is no `%s` in the top level's `env`", top, NULL,
				why);
	} else if (!has_pair(&w->step->env, name->part[1]) &&
		   !has_pair(top, name->part[1])) {
		unknown_pair(
			w, name, "there is no `%s` in `env`", &w->step->env, top, why);
	}
}

static void check_inputs(struct where *w, const struct weft_name *name)
{
	const struct weft_step *s = w->step;
	if (name->n != 2) {
		form(w, name, "`inputs.NAME`");
		return;
	}
	for (size_t i = 0; i < s->n_inputs; i++)
		if (!strcmp(s->input[i].name, name->part[1]))
			return;
	const char **words = words_for(w, s->n_inputs);
	for (size_t i = 0; words && i < s->n_inputs; i++)
		words[i] = s->input[i].name;
	if (words)
		unknown(w, name, 1, "input", words, s->n_inputs,
			"add it to the step's `inputs`");
}

static void check_outputs(struct where *w, const struct weft_name *name,
	const struct weft_step *of, size_t part)
{
	for (size_t i = 0; i < of->n_outputs; i++)
		if (!strcmp(of->output[i].name, name->part[part]))
			return;
	const char **words = words_for(w, of->n_outputs);
	for (size_t i = 0; words && i < of->n_outputs; i++)
		words[i] = of->output[i].name;
	const char *hint =
		words ? spec_did_you_mean(w->p, name->part[part], words, of->n_outputs)
		      : NULL;
	bad(w, name, hint ? hint : "add it to the step's `outputs`",
		of == w->step ? "the step has no output `%s`"
			      : "step `%2$s` has no output `%1$s`",
		name->part[part], of->name);
}

static void check_steps(struct where *w, const struct weft_name *name)
{
	static const char *const members[] = {
		"outputs", "metrics", "state", "hosts", "dir", "address"};
	struct spec_parser *p = w->p;
	const char *forms =
		"`steps.NAME.outputs.X`, `.metrics.X`, `.state`, `.hosts` or "
		"`.dir`";
	size_t to;
	if (name->n < 3) {
		form(w, name, forms);
		return;
	}
	if (!weft_map_get(&p->wf->by_name, name->part[1], &to)) {
		bad(w, name, spec_nearest_step(p, name->part[1]),
			"there is no step `%s`", name->part[1]);
		return;
	}
	const struct weft_step *of = &p->wf->step[to];
	const char *what = name->part[2];
	bool longer = !strcmp(what, "outputs") || !strcmp(what, "metrics");
	if (!strcmp(what, "address")) {
		bad(w, name, NULL, "`address` is not supported yet");
	} else if (spec_enum("outputs metrics state hosts dir", what) < 0) {
		unknown(w, name, 2, "value of a step", members, 5, forms);
	} else if (name->n != (longer ? 4u : 3u)) {
		form(w, name, forms);
	} else if (w->at->names == AT_UNTIL) {
		if (of->loop != w->at->loop)
			bad(w, name, NULL, "step `%s` is not in the loop", of->name);
		else if (!strcmp(what, "outputs"))
			check_outputs(w, name, of, 3);
	} else if (of == w->step) {
		bad(w, name, "use `outputs.X` or `step.dir`",
			"the step can't ask for its own results");
	} else {
		if (!strcmp(what, "outputs"))
			check_outputs(w, name, of, 3);
		if (w->step->finally || !p->rank || p->torn)
			return; /* runs after all others; or the graph is not whole */
		int reaches = spec_reaches(p, w->step->index, (unsigned)to);
		if (reaches <= 0)
			bad(w, name, spec_hint(p, "add `depends: [%s]`", of->name),
				reaches ? "step `%s` is needed through too many others"
					: "step `%s` may not have run yet",
				of->name);
	}
}

static void check_fixed(
	struct where *w, const struct weft_name *name, const char *values)
{
	char forms[128] = "";
	size_t n = 0;
	if (name->n == 2 && spec_enum(values, name->part[1]) >= 0)
		return;
	for (const char *v = values; *v; v += strspn(v, " ")) {
		int len = (int)strcspn(v, " ");
		n += (size_t)snprintf(forms + n, sizeof(forms) - n, "%s`%s.%.*s`",
			n ? " or " : "", name->part[0], len, v);
		v += len;
	}
	form(w, name, forms);
}

/* What was meant by a first word that is none, such as `i` or `sweep.i` by `params.i`.
 */
static const char *meant(struct where *w, const struct weft_name *name)
{
	const struct weft_sweep *sweep = w->step ? &w->step->sweep : NULL;
	const char *last = name->part[name->n - 1];
	const char *near = weft_nearest(name->part[0], roots, WEFT_COUNT(roots));

	for (size_t a = 0; sweep && a < sweep->n_axes; a++)
		if (!strcmp(sweep->axis[a].name, last))
			return spec_hint(w->p, "did you mean `params.%s`?", last);
	if (weft_map_get(&w->p->wf->var_by_name, last, NULL))
		return spec_hint(w->p, "did you mean `vars.%s`?", last);
	return near ? spec_hint(w->p, "did you mean `%s`?", near)
		    : spec_hint(w->p, "a text is written in quotes: \"%.60s\"",
			      name->part[0]);
}

static int check_name(void *ctx, const struct weft_name *name)
{
	struct where *w = ctx;
	enum spec_names names = w->at->names;
	size_t r = 0;
	while (r < WEFT_COUNT(roots) && strcmp(roots[r], name->part[0]) != 0)
		r++;
	if (r == WEFT_COUNT(roots)) {
		bad(w, name, meant(w, name), "there is no name `%s`", name->part[0]);
		return 0;
	}
	if (!(allowed(names) & 1u << r)) {
		bad(w, name, spec_hint(w->p, "known here: %s", spec_names_text(names)),
			"`%s` can't be used here", name->part[0]);
		return 0;
	}
	switch ((enum root)(1u << r)) {
	case R_VARS:
		check_vars(w, name);
		break;
	case R_PARAMS:
		check_params(w, name);
		break;
	case R_ENV:
		check_env(w, name);
		break;
	case R_INPUTS:
		check_inputs(w, name);
		break;
	case R_OUTPUTS:
		if (name->n != 2)
			form(w, name, "`outputs.NAME`");
		else
			check_outputs(w, name, w->step, 1);
		break;
	case R_STEPS:
		check_steps(w, name);
		break;
	case R_MEMBER:
		check_fixed(w, name, "index count");
		break;
	case R_LOOP:
		check_fixed(w, name, "index");
		if (w->step && w->step->loop == WEFT_NO_LOOP)
			bad(w, name, "add it to the `steps` of a `loop`",
				"the step is in no loop");
		break;
	case R_ATTEMPT:
		if (name->n != 1)
			form(w, name, "`attempt`");
		break;
	case R_RUN:
		check_fixed(w, name, "id dir");
		break;
	case R_STEP:
		check_fixed(w, name, "dir ntasks variant");
		break;
	case R_WORKFLOW:
		check_fixed(w, name, "dir");
		break;
	}
	return 0;
}

void spec_names_check(struct spec_parser *p)
{
	for (size_t i = 0; i < p->n_pending; i++) {
		const struct spec_pending *at = &p->pending[i];
		struct where w = {p, at,
			at->step == WEFT_NO_STEP ? NULL : &p->wf->step[at->step]};
		if (at->expr)
			weft_expr_names(at->expr, check_name, &w);
		else
			weft_template_names(at->tpl, check_name, &w);
	}
}
