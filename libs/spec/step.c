#include <stdlib.h>
#include <string.h>

#include "spec/parse.h"

/* The number that a table's value stands for; the enums have the same order. */
static int choice(const struct weft_yaml_node *n, enum spec_id id, int otherwise)
{
	int i = n && n->kind == WEFT_YAML_SCALAR
			? spec_enum(spec_fields[id].values, n->text)
			: -1;
	return i < 0 ? otherwise : i;
}

static bool truth(const struct weft_yaml_node *n)
{
	return n && n->kind == WEFT_YAML_SCALAR && !strcmp(n->text, "true");
}

static double number(const struct weft_yaml_node *n)
{
	double v = 0;
	if (n && n->kind == WEFT_YAML_SCALAR && !spec_parse_number(n->text, &v))
		v = 0;
	return v;
}

/* ---- run, command, shell ---- */

bool spec_is_posix_shell(const char *program)
{
	static const char *const shells[] = {
		"sh", "bash", "dash", "ksh", "mksh", "zsh", "ash", "busybox"};
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;
	for (size_t i = 0; i < WEFT_COUNT(shells); i++)
		if (!strcmp(name, shells[i]))
			return true;
	return false;
}

/* Of a shell whose quoting is not known, only raw() goes into the text. */
static bool only_raw(const char *s)
{
	while ((s = strstr(s, "${{"))) {
		s += 3;
		s += strspn(s, " \t\n");
		if (strncmp(s, "raw", 3) || (s[3] != '(' && s[3] != ' '))
			return false;
	}
	return true;
}

static void read_program(struct spec_parser *p, struct weft_step *s,
	struct weft_yaml_node *map, struct weft_yaml_node **at)
{
	struct weft_yaml_node *run = weft_yaml_get(map, "run");
	struct weft_yaml_node *command = weft_yaml_get(map, "command");
	if (!run && !command && !spec_has_bad_key(p, map))
		spec_bad(p, map,
			"`run` is shell text, `command` a list without a shell",
			"needs `run` or `command`");
	else if (run && command)
		spec_bad(p, command, "keep one of them",
			"a step has `run` or `command`, not both");
	spec_enter(p, "shell");
	s->shell = spec_texts(p, at[STEP_shell], AT_RUN);
	if (at[STEP_shell] && !at[STEP_shell]->n)
		spec_bad(p, at[STEP_shell], NULL, "is empty");
	spec_leave(p);
	bool posix = !s->shell.n || spec_is_posix_shell(s->shell.v[0].s);
	spec_enter(p, "run");
	run = at[STEP_run];
	if (run && !posix && spec_has_template(run) && !only_raw(run->text))
		spec_bad(p, run,
			"use the environment variable (`WEFT_PARAM_X`, `WEFT_INPUT_X`, "
			"..), "
			"or `raw(x)` to paste the value as it is",
			"values can't be quoted for the shell `%s`", s->shell.v[0].s);
	else
		s->run = spec_text(
			p, run, AT_RUN, posix ? WEFT_QUOTE_SHELL : WEFT_QUOTE_NONE);
	spec_leave(p);
	spec_enter(p, "command");
	s->command = spec_texts(p, at[STEP_command], AT_RUN);
	if (at[STEP_command] && !at[STEP_command]->n)
		spec_bad(p, at[STEP_command], "give the program and its arguments",
			"is empty");
	spec_leave(p);
	spec_enter(p, "setup");
	s->setup = spec_text(p, at[STEP_setup], AT_RUN, WEFT_QUOTE_SHELL);
	spec_leave(p);
}

/* ---- resources ---- */

_Static_assert(
	sizeof(struct weft_resource_texts) ==
		(RESOURCES_any_of - RESOURCES_partition) * sizeof(struct weft_text),
	"resources: the structure and the table have the same keys in the same order");

struct pair_of_keys {
	enum spec_id a, b;
};

/* What Slurm doesn't take together (sbatch(1)). */
static const struct pair_of_keys exclusions[] = {
	{RESOURCES_mem, RESOURCES_mem_per_cpu},
	{RESOURCES_mem, RESOURCES_mem_per_gpu},
	{RESOURCES_mem_per_cpu, RESOURCES_mem_per_gpu},
	{RESOURCES_cpus_per_task, RESOURCES_cpus_per_gpu},
	{RESOURCES_ntasks_per_gpu, RESOURCES_gpus_per_task},
	{RESOURCES_ntasks_per_gpu, RESOURCES_ntasks_per_node},
};

static void read_alternative(struct spec_parser *p, const struct weft_yaml_node *map,
	struct weft_resource_texts *texts)
{
	struct weft_yaml_node *at[N_FIELDS];
	struct weft_text *text = (struct weft_text *)texts;
	spec_collect(p, map, IN_RESOURCES, at);
	for (enum spec_id id = RESOURCES_partition; id < RESOURCES_any_of; id++) {
		if (!at[id])
			continue;
		spec_enter(p, spec_fields[id].key);
		text[id - RESOURCES_partition] =
			spec_text(p, at[id], AT_SIZE, WEFT_QUOTE_NONE);
		spec_leave(p);
	}
	for (size_t i = 0; i < WEFT_COUNT(exclusions); i++) {
		const struct weft_yaml_node *a = at[exclusions[i].a],
					    *b = at[exclusions[i].b];
		if (!a || !b)
			continue;
		spec_enter(p, spec_fields[exclusions[i].b].key);
		spec_bad(p, b, "keep one of them", "can't be given together with `%s`",
			spec_fields[exclusions[i].a].key);
		spec_leave(p);
	}
}

static void resource_texts(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	spec_collect(p, n, IN_RESOURCES, at);
	/* Steps that ask for the same share one: the defaults, or nothing. */
	if (p->shared_resources.v && p->shared_resources.node == n) {
		s->resources = p->shared_resources.v;
		s->n_resources = p->shared_resources.n;
		return;
	}
	size_t before = p->n_pending;
	struct weft_yaml_node *any = at[RESOURCES_any_of];
	spec_enter(p, "resources");
	if (any && any->kind == WEFT_YAML_MAP)
		any = NULL;
	if (any && !any->n) {
		spec_enter(p, "any_of");
		spec_bad(p, any, "give at least one alternative", "is empty");
		spec_leave(p);
		any = NULL;
	}
	s->n_resources = any ? any->n : 1;
	s->resources = spec_alloc(p, s->n_resources, sizeof(*s->resources));
	for (size_t i = 0; s->resources && i < s->n_resources; i++) {
		const struct weft_yaml_node *map = n;
		if (any) {
			spec_enter(p, "any_of");
			spec_enter_item(p, i);
			if (any->item[i]->kind == WEFT_YAML_MAP &&
				weft_yaml_get(any->item[i], "any_of"))
				spec_bad(p, weft_yaml_get(any->item[i], "any_of"), NULL,
					"alternatives can't be nested");
			map = spec_is_bad(p, any->item[i])
				      ? NULL
				      : spec_merge(p, (struct weft_yaml_node *)n,
						any->item[i], IN_RESOURCES);
		}
		read_alternative(p, map, &s->resources[i]);
		if (any) {
			spec_leave(p);
			spec_leave(p);
		}
	}
	spec_leave(p);
	if (!s->resources)
		s->n_resources = 0;
	if (p->n_pending == before) {
		p->shared_resources.node = n;
		p->shared_resources.v = s->resources;
		p->shared_resources.n = s->n_resources;
	}
}

/* ---- the rest ---- */

static void read_place(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	struct weft_yaml_node *at[N_FIELDS];
	s->place.smt = 1;
	if (!n)
		return;
	s->place_given = true;
	if (n->kind == WEFT_YAML_SCALAR) {
		s->place.none = !strcmp(n->text, "none");
		s->place.given = WEFT_GIVEN_ALL;
		return;
	}
	spec_collect(p, n, IN_PLACE, at);
	s->place.given = (at[PLACE_cpus] ? WEFT_GIVEN_CPUS : 0u) |
			 (at[PLACE_balance] ? WEFT_GIVEN_BALANCE : 0u) |
			 (at[PLACE_memory] ? WEFT_GIVEN_MEMORY : 0u) |
			 (at[PLACE_smt] ? WEFT_GIVEN_SMT : 0u) |
			 (at[PLACE_spare_cores] ? WEFT_GIVEN_SPARE : 0u);
	s->place.cpus = (enum weft_cpus_policy)choice(at[PLACE_cpus], PLACE_cpus, 0);
	s->place.balance_even = choice(at[PLACE_balance], PLACE_balance, 0) == 1;
	s->place.memory =
		(enum weft_memory_policy)choice(at[PLACE_memory], PLACE_memory, 0);
	s->place.smt = (unsigned)(choice(at[PLACE_smt], PLACE_smt, 0) + 1) % 3;
	s->place.spare_cores = (unsigned)number(at[PLACE_spare_cores]);
}

const struct weft_expr *spec_condition(struct spec_parser *p,
	const struct weft_yaml_node *n, enum spec_names names, struct weft_text *text)
{
	struct weft_err err = {0};
	struct weft_expr *e = NULL;
	if (spec_has_template(n)) {
		const struct weft_expr *whole = NULL;
		*text = spec_text(p, n, names, WEFT_QUOTE_NONE);
		if (text->tpl && !(whole = weft_template_single(text->tpl)))
			spec_bad(p, n, "leave the braces out",
				"must be one expression and nothing else");
		return whole;
	}
	*text = spec_text(p, n, AT_NEVER, WEFT_QUOTE_NONE);
	const char *path = spec_path(p);
	if (weft_expr_parse(&p->wf->arena, n->text, strlen(n->text), &e, &err) < 0)
		spec_bad_expr(p, n, path, &err);
	else
		spec_add_pending(p, (struct spec_pending){.node = n,
					    .path = path,
					    .expr = e,
					    .step = p->step,
					    .loop = p->loop,
					    .names = names});
	return e;
}

static void read_when(
	struct spec_parser *p, struct weft_step *s, const struct weft_yaml_node *n)
{
	if (!n)
		return;
	spec_enter(p, "when");
	s->when_expr = spec_condition(p, n, AT_WHEN, &s->when);
	spec_leave(p);
}

static void read_max_failed(struct weft_step *s, const struct weft_yaml_node *n)
{
	if (!n)
		return;
	s->max_failed = strtod(n->text, NULL);
	s->max_failed_share = n->text[n->n - 1] == '%';
	if (s->max_failed_share)
		s->max_failed /= 100;
}

static struct weft_text named_text(
	struct spec_parser *p, const struct weft_yaml_node *n, enum spec_id id)
{
	spec_enter(p, spec_fields[id].key);
	struct weft_text t = spec_text(p, n, spec_fields[id].names, WEFT_QUOTE_NONE);
	spec_leave(p);
	return t;
}

static struct weft_pairs named_pairs(
	struct spec_parser *p, const struct weft_yaml_node *n, enum spec_id id)
{
	spec_enter(p, spec_fields[id].key);
	struct weft_pairs t = spec_pairs(p, n, spec_fields[id].names);
	spec_leave(p);
	return t;
}

void spec_step(struct spec_parser *p, struct weft_step *s, struct weft_yaml_node *map,
	struct weft_yaml_node **defaults)
{
	struct weft_yaml_node *at[N_FIELDS];
	spec_collect(p, map, IN_STEP, at);
	for (size_t i = STEP_name; defaults && i <= STEP_container; i++) {
		if (!defaults[i] || spec_fields[i].flags & NO_DEFAULT)
			continue;
		at[i] = at[i] ? spec_merge_field(p, &spec_fields[i], defaults[i], at[i])
			      : defaults[i];
	}
	if (at[STEP_description])
		s->description = spec_dup(p, at[STEP_description]->text);
	s->labels = named_pairs(p, at[STEP_labels], STEP_labels);
	s->env = named_pairs(p, at[STEP_env], STEP_env);
	s->secrets = spec_secrets(p, at[STEP_secrets]);
	s->slurm = named_pairs(p, at[STEP_slurm], STEP_slurm);
	s->account = named_text(p, at[STEP_account], STEP_account);
	s->qos = named_text(p, at[STEP_qos], STEP_qos);
	s->reservation = named_text(p, at[STEP_reservation], STEP_reservation);
	s->role = (enum weft_role)choice(at[STEP_role], STEP_role, 0);
	read_program(p, s, map, at);
	s->launch = (enum weft_launch)(choice(at[STEP_launch], STEP_launch, -1) + 1);
	spec_files(p, s, at[STEP_files]);
	s->stdout_path = named_text(p, at[STEP_stdout], STEP_stdout);
	s->stderr_path = named_text(p, at[STEP_stderr], STEP_stderr);
	spec_depends(p, at[STEP_depends]);
	resource_texts(p, s, at[STEP_resources]);
	read_place(p, s, at[STEP_place]);
	spec_sweep(p, s, at[STEP_sweep], at[STEP_sweep_mode]);
	s->max_parallel = (unsigned)number(at[STEP_max_parallel]);
	read_max_failed(s, at[STEP_max_failed]);
	s->keep = (enum weft_keep)choice(at[STEP_keep], STEP_keep, WEFT_KEEP_ALL);
	s->scratch = (enum weft_scratch)choice(at[STEP_scratch], STEP_scratch, 0);
	spec_inputs(p, s, at[STEP_inputs]);
	spec_outputs(p, s, at[STEP_outputs]);
	s->metrics = at[STEP_metrics] ? spec_dup(p, at[STEP_metrics]->text)
				      : spec_fields[STEP_metrics].def;
	read_when(p, s, at[STEP_when]);
	s->optional = truth(at[STEP_optional]);
	s->finally = truth(at[STEP_finally]);
	spec_retries(p, s, at[STEP_retries]);
	spec_checkpoint(p, s, at[STEP_checkpoint]);
	spec_steer(p, s, at[STEP_steer], map);
}
