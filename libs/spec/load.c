/* load.c - from a file to a workflow. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spec/parse.h"

static void read_budget(struct spec_parser *p, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_budget *b = &p->wf->budget;
	if (!n)
		return;
	spec_collect(p, n, IN_BUDGET, at);
	b->pos = n->pos;
	if (at[BUDGET_node_hours])
		b->node_hours = strtod(at[BUDGET_node_hours]->text, NULL);
	if (at[BUDGET_gpu_hours])
		b->gpu_hours = strtod(at[BUDGET_gpu_hours]->text, NULL);
	if (at[BUDGET_core_hours])
		b->core_hours = strtod(at[BUDGET_core_hours]->text, NULL);
}

static struct weft_text top_text(
	struct spec_parser *p, struct weft_yaml_node **at, enum spec_id id)
{
	spec_enter(p, spec_fields[id].key);
	struct weft_text t =
		spec_text(p, at[id], spec_fields[id].names, WEFT_QUOTE_NONE);
	spec_leave(p);
	return t;
}

static struct weft_pairs top_pairs(
	struct spec_parser *p, struct weft_yaml_node **at, enum spec_id id)
{
	spec_enter(p, spec_fields[id].key);
	struct weft_pairs t = spec_pairs(p, at[id], spec_fields[id].names);
	spec_leave(p);
	return t;
}

/* Names come first: everything else refers to them. */
static void name_steps(struct spec_parser *p, const struct weft_yaml_node *list)
{
	struct weft_workflow *wf = p->wf;
	for (size_t i = 0; i < list->n; i++) {
		const struct weft_yaml_node *map = list->item[i];
		struct weft_step *s = &wf->step[i];
		size_t other;
		s->index = (unsigned)i;
		s->pos = map->pos;
		s->name = "?";
		s->metrics = spec_fields[STEP_metrics].def;
		s->sweep.count = s->sweep.most = 1;
		s->sweep.root = (unsigned)i;
		s->loop = WEFT_NO_LOOP;
		struct weft_yaml_node *name =
			map->kind == WEFT_YAML_MAP ? weft_yaml_get(map, "name") : NULL;
		if (!name || name->kind != WEFT_YAML_SCALAR)
			continue;
		const char *text = spec_dup(p, name->text);
		if (!text)
			return;
		s->name = text;
		int new = weft_map_add(&wf->by_name, s->name, i, &other);
		if (new < 0) {
			spec_nomem(p);
		} else if (new == 0 && !spec_is_bad(p, name)) {
			spec_enter_item(p, i);
			spec_enter(p, "name");
			spec_bad(p, name, NULL,
				"there is a step `%s` on line %u already", s->name,
				wf->step[other].pos.line);
			spec_leave(p);
			spec_leave(p);
		}
	}
}

static void read_steps(struct spec_parser *p, struct weft_yaml_node *list,
	struct weft_yaml_node *defaults)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_workflow *wf = p->wf;
	if (!list)
		return;
	spec_enter(p, "steps");
	spec_check_value(p, &spec_fields[TOP_steps], list);
	if (list->kind != WEFT_YAML_SEQ || !list->n) {
		if (list->kind == WEFT_YAML_SEQ)
			spec_bad(p, list, "a workflow has at least one step",
				"is empty");
		spec_leave(p);
		return;
	}
	wf->step = spec_alloc(p, list->n, sizeof(*wf->step));
	if (!wf->step)
		return;
	wf->n_steps = list->n;
	name_steps(p, list);
	spec_collect(p, defaults, IN_STEP, at);
	for (size_t i = 0; i < list->n && !p->nomem; i++) {
		if (list->item[i]->kind != WEFT_YAML_MAP)
			continue;
		p->step = (unsigned)i;
		spec_enter_item(p, i);
		spec_step(p, &wf->step[i], list->item[i], defaults ? at : NULL);
		spec_leave(p);
	}
	p->step = WEFT_NO_STEP;
	spec_leave(p);
}

static void read_top(struct spec_parser *p, struct weft_yaml_node *root)
{
	struct weft_workflow *wf = p->wf;
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_yaml_node *vars = weft_yaml_get(root, "vars");
	struct weft_yaml_node *steps = weft_yaml_get(root, "steps");
	if (vars) {
		spec_enter(p, "vars");
		spec_check_value(p, &spec_fields[TOP_vars], vars);
		spec_leave(p);
		spec_vars(p, vars);
	}
	spec_check(p, root, IN_TOP);
	spec_collect(p, root, IN_TOP, at);
	if (at[TOP_name])
		wf->name = spec_dup(p, at[TOP_name]->text);
	if (at[TOP_description])
		wf->description = spec_dup(p, at[TOP_description]->text);
	wf->labels = top_pairs(p, at, TOP_labels);
	wf->env = top_pairs(p, at, TOP_env);
	wf->slurm = top_pairs(p, at, TOP_slurm);
	wf->secrets = spec_secrets(p, at[TOP_secrets]);
	wf->account = top_text(p, at, TOP_account);
	wf->qos = top_text(p, at, TOP_qos);
	wf->reservation = top_text(p, at, TOP_reservation);
	wf->mail = top_text(p, at, TOP_mail);
	read_budget(p, at[TOP_budget]);
	if (at[TOP_on_failure])
		wf->on_failure = (enum weft_on_failure)spec_enum(
			spec_fields[TOP_on_failure].values, at[TOP_on_failure]->text);
	spec_params(p, at[TOP_params]);
	read_steps(p, steps, at[TOP_defaults]);
	if (p->nomem || !wf->n_steps)
		return;
	spec_loops(p, at[TOP_loop]);
	spec_each(p);
	spec_count_rounds(p);
	bool whole = spec_graph(p) == 0;
	if (!whole)
		p->rank = NULL;
	spec_names_check(p);
	if (whole && !p->failed)
		spec_check_matches(p);
	if (!p->failed)
		spec_try_resources(p);
}

/* Slurm stops reading options at the first line of the file itself. */
static void check_sbatch_lines(struct spec_parser *p)
{
	const struct weft_yaml_doc *doc = p->doc;
	const char *s = doc->source, *end = s + doc->source_len;
	bool begun = false;
	for (unsigned line = 1; s < end; line++) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t len = (size_t)((stop ? stop : end) - s);
		if (len > 7 && !memcmp(s, "#SBATCH", 7) &&
			(s[7] == ' ' || s[7] == '\t')) {
			struct weft_yaml_node at = {
				.pos = {line, 1}, .width = 7, .kind = WEFT_YAML_SCALAR};
			if (begun)
				spec_bad(p, &at, "move it above the first key",
					"Slurm does not read `#SBATCH` lines after the "
					"first key");
		} else if (len && s[0] != '#' && s[strspn(s, " \t\r")] != '\n') {
			begun = true;
		}
		s = stop ? stop + 1 : end;
	}
}

static int make_keys(struct spec_parser *p)
{
	for (size_t c = 0; c < N_CONTEXTS; c++)
		p->fields[c].first = spec_first((enum spec_context)c, &p->fields[c].n);
	for (size_t i = 0; i < N_FIELDS; i++)
		if (weft_map_add(&p->keys[spec_fields[i].in], spec_fields[i].key, i,
			    NULL) < 0)
			return -1;
	return 0;
}

/* Absolute path of the file, and the folder that its paths are relative to. */
static int find_folder(struct spec_parser *p, const char *path, const char *dir)
{
	struct weft_arena *a = &p->wf->arena;
	weft_autofree char *cwd = getcwd(NULL, 0);
	weft_autofree char *full = cwd ? weft_path_absolute(cwd, path) : NULL;
	weft_autofree char *folder = NULL;
	if (full && dir)
		folder = weft_path_absolute(cwd, dir);
	else if (full) {
		char *slash = strrchr(full, '/');
		folder = strndup(
			full, slash && slash > full ? (size_t)(slash - full) : 1);
	}
	if (!folder)
		return -1;
	p->wf->file = weft_arena_strdup(a, full);
	p->wf->dir = weft_arena_strdup(a, folder);
	return p->wf->file && p->wf->dir ? 0 : -1;
}

static void read_root(struct spec_parser *p, const struct weft_spec_options *opt)
{
	struct weft_yaml_node *root = p->doc->root;
	if (!root || root->kind != WEFT_YAML_MAP) {
		struct weft_yaml_node at = {.pos = {1, 1}, .kind = WEFT_YAML_MAP};
		spec_bad(p, root ? root : &at, "a workflow begins with `name: ..`",
			root ? "a workflow must be a mapping of keys"
			     : "the file is empty");
		return;
	}
	check_sbatch_lines(p);
	for (size_t i = 0; opt && i < opt->n_overlay; i++)
		if (spec_overlay(p, opt->overlay[i], &root) < 0)
			return;
	for (size_t i = 0; opt && i < opt->n_set; i++)
		spec_set(p, opt->set[i], &root);
	read_top(p, root);
}

static void parser_free(struct spec_parser *p)
{
	for (size_t i = 0; i < N_CONTEXTS; i++)
		weft_map_free(&p->keys[i]);
	weft_map_free(&p->seen);
	weft_map_free(&p->param_by_name);
	free(p->origins.slot);
	free(p->bad.slot);
	free(p->origin);
	free(p->pending);
	free(p->ref);
	free(p->each);
	for (size_t i = 0; i < p->n_more; i++)
		weft_yaml_free(p->more[i]);
	free(p->more);
	weft_yaml_free(p->doc);
}

static int finish(const char *path, struct weft_yaml_doc *doc,
	const struct weft_spec_options *opt, struct weft_workflow **wf,
	struct weft_errs *errs)
{
	struct spec_parser p = {.doc = doc,
		.errs = errs,
		.step = WEFT_NO_STEP,
		.loop = WEFT_NO_LOOP,
		.points = opt ? opt->points : NULL};
	*wf = NULL;
	p.wf = calloc(1, sizeof(*p.wf));
	if (!p.wf) {
		struct weft_err err = {0};
		weft_err_nomem(&err);
		weft_errs_add(errs, &err);
		weft_yaml_free(doc);
		return -1;
	}
	if (make_keys(&p) < 0 || find_folder(&p, path, opt ? opt->dir : NULL) < 0)
		spec_nomem(&p);
	else
		read_root(&p, opt);
	spec_sort_errors(&p);
	parser_free(&p);
	if (p.failed) {
		weft_spec_free(p.wf);
		return -1;
	}
	*wf = p.wf;
	return 0;
}

int weft_spec_load(const char *path, const struct weft_spec_options *opt,
	struct weft_workflow **wf, struct weft_errs *errs)
{
	struct weft_yaml_doc *doc;
	struct weft_err err = {0};
	*wf = NULL;
	if (weft_yaml_load(path, &doc, &err) < 0) {
		weft_errs_add(errs, &err);
		return -1;
	}
	return finish(path, doc, opt, wf, errs);
}

int weft_spec_parse(const char *path, const char *text, size_t n,
	const struct weft_spec_options *opt, struct weft_workflow **wf,
	struct weft_errs *errs)
{
	struct weft_yaml_doc *doc;
	struct weft_err err = {0};
	*wf = NULL;
	if (weft_yaml_parse(path, text, n, &doc, &err) < 0) {
		weft_errs_add(errs, &err);
		return -1;
	}
	return finish(path, doc, opt, wf, errs);
}

void weft_spec_free(struct weft_workflow *wf)
{
	if (!wf)
		return;
	weft_map_free(&wf->by_name);
	weft_map_free(&wf->var_by_name);
	for (size_t i = 0; i < wf->n_loops; i++)
		free(wf->loop[i].why);
	for (size_t i = 0; i < wf->n_steps; i++)
		if (wf->step[i].sweep.root == i) {
			spec_rows_free(wf->step[i].sweep.rows);
			free(wf->step[i].sweep.broken);
		}
	weft_arena_free(&wf->arena);
	free(wf);
}

const struct weft_step *weft_spec_step(const struct weft_workflow *wf, const char *name)
{
	size_t i;
	return weft_map_get(&wf->by_name, name, &i) ? &wf->step[i] : NULL;
}
