/* data.c - what a step needs and leaves: depends, inputs, outputs, files. */
#include <string.h>

#include "spec/parse.h"

static void add_ref(struct spec_parser *p, struct spec_ref ref)
{
	ref.owner = p->step;
	ref.path = spec_path(p);
	if (!ref.step || !ref.path || weft_grow(p->ref, p->n_ref, p->cap_ref) < 0)
		spec_nomem(p);
	else
		p->ref[p->n_ref++] = ref;
}

/* NAME or NAME.*, cut where the name ends. */
static const char *step_name(struct spec_parser *p, const char *s, bool *all)
{
	size_t n = strlen(s);
	*all = n > 2 && !strcmp(s + n - 2, ".*");
	return weft_arena_strndup(&p->wf->arena, s, n - (*all ? 2 : 0));
}

static void read_depend(struct spec_parser *p, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct spec_ref ref = {.node = n};
	if (spec_is_bad(p, n)) {
		p->torn = true;
		return;
	}
	if (n->kind == WEFT_YAML_MAP) {
		spec_collect(p, n, IN_DEPEND, at);
		if (!at[DEPEND_step]) {
			p->torn = true;
			return;
		}
		ref.node = at[DEPEND_step];
		if (at[DEPEND_state])
			ref.state = (enum weft_dep_state)spec_enum(
				spec_fields[DEPEND_state].values,
				at[DEPEND_state]->text);
		ref.optional = at[DEPEND_optional] &&
			       !strcmp(at[DEPEND_optional]->text, "true");
	}
	ref.step = step_name(p, ref.node->text, &ref.all);
	add_ref(p, ref);
}

void spec_depends(struct spec_parser *p, const struct weft_yaml_node *n)
{
	if (!n)
		return;
	spec_enter(p, "depends");
	if (n->kind != WEFT_YAML_SEQ)
		read_depend(p, n);
	for (size_t i = 0; n->kind == WEFT_YAML_SEQ && i < n->n; i++) {
		spec_enter_item(p, i);
		read_depend(p, n->item[i]);
		spec_leave(p);
	}
	spec_leave(p);
}

/* ---- inputs ---- */

bool spec_is_path(const char *s)
{
	return s[0] == '/' || s[0] == '~' || !strncmp(s, "./", 2) ||
	       !strncmp(s, "../", 3);
}

/* to: the index of in->from, or FIRST for in->first */
#define FIRST ((size_t)-1)
static void read_from(struct spec_parser *p, struct weft_input *in,
	const struct weft_yaml_node *n, bool several, size_t to)
{
	struct weft_input_from *from = to == FIRST ? in->first : &in->from[to];
	if (n->kind != WEFT_YAML_SCALAR || spec_is_bad(p, n)) {
		p->torn = true;
		return;
	}
	from->step = WEFT_NO_STEP;
	in->n_from += to != FIRST;
	if (spec_is_path(n->text)) {
		from->path = spec_text(p, n, AT_START, WEFT_QUOTE_NONE);
		return;
	}
	const char *dot = strrchr(n->text, '.');
	const char *wrong, *hint;
	/* An expression was let through by the check: here it must be a path. */
	wrong = spec_wrong(&spec_fields[INPUT_from], n->text, &hint);
	if (wrong || !dot) {
		p->torn = true;
		spec_bad(p, n, hint, "%s",
			wrong ? wrong : "must be STEP.OUTPUT or a path");
		return;
	}
	/* Of several the first that exists is taken: none of them must. */
	struct spec_ref ref = {.node = n,
		.input = in,
		.from = to,
		.back = to != FIRST && in->round != WEFT_ROUND_THIS,
		.optional = in->optional || several};
	char *step =
		weft_arena_strndup(&p->wf->arena, n->text, (size_t)(dot - n->text));
	ref.output = spec_dup(p, dot + 1);
	if (step) {
		ref.step = step_name(p, step, &ref.all);
		from->all = ref.all;
	}
	add_ref(p, ref);
}

void spec_sweep_needs(struct spec_parser *p, const struct weft_yaml_node *n)
{
	const char *dot = strrchr(n->text, '.');
	struct spec_ref ref = {.node = n, .rows = true};
	char *step = dot ? weft_arena_strndup(
				   &p->wf->arena, n->text, (size_t)(dot - n->text))
			 : NULL;

	if (!step) {
		p->torn = true;
		return;
	}
	ref.output = spec_dup(p, dot + 1);
	ref.step = step_name(p, step, &ref.all);
	add_ref(p, ref);
}

static const char *input_name(struct spec_parser *p, const struct weft_yaml_node *map,
	struct weft_yaml_node **at, const struct weft_yaml_node *from)
{
	if (at[INPUT_as])
		return spec_dup(p, at[INPUT_as]->text);
	if (weft_yaml_get(map, "as") || !from || from->kind != WEFT_YAML_SCALAR)
		return NULL;
	const char *dot = strrchr(from->text, '.');
	if (!spec_is_path(from->text) && dot)
		return spec_dup(p, dot + 1);
	spec_bad(p, from, "add `as: NAME`", "an input from a path needs a name");
	return NULL;
}

/* What feeds round 0, of an input that comes from earlier rounds. */
static void read_first(struct spec_parser *p, struct weft_input *in,
	const struct weft_yaml_node *map, struct weft_yaml_node **at)
{
	const struct weft_yaml_node *n = at[INPUT_first];
	if (in->round == WEFT_ROUND_THIS) {
		if (n)
			spec_bad(p, n, "add `round: prev` or `round: all`",
				"`first` stands for an earlier round");
		return;
	}
	if (!n) {
		if (!weft_yaml_get(map, "first") && !in->optional &&
			in->round == WEFT_ROUND_PREV)
			spec_bad(p, at[INPUT_round],
				"add `first: STEP.OUTPUT` or `optional: true`",
				"in round 0 there is no round before");
		return;
	}
	in->first = spec_alloc(p, 1, sizeof(*in->first));
	if (!in->first)
		return;
	spec_enter(p, "first");
	read_from(p, in, n, false, FIRST);
	spec_leave(p);
}

static void read_input(struct spec_parser *p, struct weft_step *s,
	const struct weft_yaml_node *map, struct weft_map *names)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_input *in = &s->input[s->n_inputs];
	spec_collect(p, map, IN_INPUT, at);
	struct weft_yaml_node *from = at[INPUT_from];
	if (!from) {
		p->torn = true;
		return;
	}
	bool list = from->kind == WEFT_YAML_SEQ;
	if (list && !from->n) {
		spec_bad(p, from, NULL, "is empty");
		return;
	}
	in->pos = map->pos;
	in->name = input_name(p, map, at, list ? from->item[0] : from);
	in->to = at[INPUT_to]
			 ? (enum weft_scratch)spec_enum(
				   spec_fields[INPUT_to].values, at[INPUT_to]->text)
			 : WEFT_SCRATCH_SHARED;
	in->mode = at[INPUT_mode]
			   ? (enum weft_mode)spec_enum(spec_fields[INPUT_mode].values,
				     at[INPUT_mode]->text)
			   : WEFT_MODE_AUTO;
	in->optional = at[INPUT_optional] && !strcmp(at[INPUT_optional]->text, "true");
	if (at[INPUT_round])
		in->round = (enum weft_round)spec_enum(
			spec_fields[INPUT_round].values, at[INPUT_round]->text);
	in->from = spec_alloc(p, list ? from->n : 1, sizeof(*in->from));
	if (!in->from)
		return;
	spec_enter(p, "from");
	if (!list)
		read_from(p, in, from, false, 0);
	for (size_t i = 0; list && i < from->n; i++) {
		spec_enter_item(p, i);
		read_from(p, in, from->item[i], from->n > 1, in->n_from);
		spec_leave(p);
	}
	spec_leave(p);
	read_first(p, in, map, at);
	s->n_inputs++;
	if (!in->name)
		in->name = ""; /* reported; references point here */
	else if (!weft_map_add(names, in->name, 0, NULL))
		spec_bad(p, at[INPUT_as] ? at[INPUT_as] : from,
			"give it another name with `as`",
			"there is an input `%s` already", in->name);
}

void spec_inputs(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	struct weft_map names = {.fold = true};
	if (!n)
		return;
	bool list = n->kind == WEFT_YAML_SEQ;
	s->input = spec_alloc(p, list ? n->n : 1, sizeof(*s->input));
	if (!s->input)
		return;
	spec_enter(p, "inputs");
	if (!list)
		read_input(p, s, n, &names);
	for (size_t i = 0; list && i < n->n; i++) {
		spec_enter_item(p, i);
		read_input(p, s, n->item[i], &names);
		spec_leave(p);
	}
	spec_leave(p);
	weft_map_free(&names);
}

/* ---- outputs ---- */

static void read_output(
	struct spec_parser *p, struct weft_output *out, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	if (n->kind == WEFT_YAML_SCALAR) {
		out->path = spec_text(p, n, AT_START, WEFT_QUOTE_NONE);
		return;
	}
	spec_collect(p, n, IN_OUTPUT, at);
	spec_enter(p, "path");
	out->path = spec_text(p, at[OUTPUT_path], AT_START, WEFT_QUOTE_NONE);
	spec_leave(p);
	if (at[OUTPUT_keep] && !strcmp(at[OUTPUT_keep]->text, "never")) {
		spec_enter(p, "keep");
		spec_bad(p, at[OUTPUT_keep],
			"it would stay; the step's `keep` is about what members print",
			"`never` is not supported yet");
		spec_leave(p);
	}
	out->optional =
		at[OUTPUT_optional] && !strcmp(at[OUTPUT_optional]->text, "true");
	if (at[OUTPUT_sync] && !strcmp(at[OUTPUT_sync]->text, "continuous")) {
		spec_enter(p, "sync");
		spec_bad(p, at[OUTPUT_sync], NULL, "`continuous` is not supported yet");
		spec_leave(p);
	}
}

void spec_outputs(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	if (!n || n->kind != WEFT_YAML_MAP)
		return;
	s->output = spec_alloc(p, n->n, sizeof(*s->output));
	spec_enter(p, "outputs");
	for (size_t i = 0; s->output && i < n->n; i++) {
		struct weft_output *out = &s->output[s->n_outputs];
		/* A bad one stays known by name, so that its uses are no errors. */
		out->name = spec_dup(p, n->key[i]->text);
		out->pos = n->key[i]->pos;
		s->n_outputs += out->name != NULL;
		spec_enter(p, n->key[i]->text);
		if (!spec_is_bad(p, n->item[i]))
			read_output(p, out, n->item[i]);
		spec_leave(p);
	}
	spec_leave(p);
}

/* ---- files ---- */

static void read_file(struct spec_parser *p, struct weft_step *s,
	const struct weft_yaml_node *key, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_file *f = &s->file[s->n_files];
	if (n->n != 1) {
		spec_bad(p, n, NULL,
			"needs exactly one of `copy`, `template` and `text`");
		return;
	}
	spec_collect(p, n, IN_FILE, at);
	enum spec_id id = at[FILE_copy]       ? FILE_copy
			  : at[FILE_template] ? FILE_template
					      : FILE_text;
	if (!at[id])
		return;
	f->kind = id == FILE_copy       ? WEFT_FILE_COPY
		  : id == FILE_template ? WEFT_FILE_TEMPLATE
					: WEFT_FILE_TEXT;
	f->name = spec_dup(p, key->text);
	f->pos = key->pos;
	spec_enter(p, spec_fields[id].key);
	f->value = spec_text(p, at[id], AT_RUN, WEFT_QUOTE_NONE);
	spec_leave(p);
	s->n_files++;
}

void spec_files(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	if (!n || n->kind != WEFT_YAML_MAP)
		return;
	s->file = spec_alloc(p, n->n, sizeof(*s->file));
	spec_enter(p, "files");
	for (size_t i = 0; s->file && i < n->n; i++) {
		if (spec_is_bad(p, n->item[i]) || spec_is_bad(p, n->key[i]))
			continue;
		spec_enter(p, n->key[i]->text);
		read_file(p, s, n->key[i], n->item[i]);
		spec_leave(p);
	}
	spec_leave(p);
}
