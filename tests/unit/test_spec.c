/* test_spec.c - what a good file is read as */
#include <unistd.h>

#include "conf/conf.h"
#include "spec.h"

START_TEST(a_small_workflow)
{
	struct weft_workflow *wf = load(HEAD STEP("a"));
	ck_assert_str_eq(wf->name, "t");
	ck_assert_str_eq(wf->file, "/home/me/flow/t.yaml");
	ck_assert_str_eq(wf->dir, "/home/me/flow");
	ck_assert_uint_eq(wf->n_steps, 1);
	ck_assert_int_eq(wf->on_failure, WEFT_ON_FAILURE_STOP);
	const struct weft_step *s = weft_spec_step(wf, "a");
	ck_assert_ptr_eq(s, &wf->step[0]);
	ck_assert_str_eq(s->run.s, "true");
	ck_assert_ptr_null(s->run.tpl);
	ck_assert_int_eq(s->role, WEFT_ROLE_ANALYSIS);
	ck_assert_int_eq(s->launch, WEFT_LAUNCH_DEFAULT);
	ck_assert_uint_eq(s->n_resources, 1);
	ck_assert_ptr_null(s->resources[0].ntasks.s);
	ck_assert_uint_eq(s->sweep.count, 1);
	ck_assert_str_eq(s->metrics, "metrics.jsonl");
	ck_assert_uint_eq(s->place.smt, 1);
	ck_assert(!s->place_given);
	ck_assert_ptr_null(s->when_expr);
	ck_assert_ptr_null(weft_spec_step(wf, "b"));
	weft_spec_free(wf);
	weft_spec_free(NULL);
}
END_TEST

START_TEST(the_field_decides_the_type)
{
	struct weft_workflow *wf =
		load("name: 007\n"
		     "labels: {a: no, b: 010, c: 1.10, d: 10:30, e: ''}\n"
		     "vars: {t: true, n: 1.50, s: 'true', w: yes}\n"
		     "steps:\n" STEP("010"));
	const char *want[] = {"no", "010", "1.10", "10:30", ""};
	ck_assert_str_eq(wf->name, "007");
	for (size_t i = 0; i < 5; i++)
		ck_assert_str_eq(wf->labels.v[i].value.s, want[i]);
	ck_assert_int_eq(wf->vars.v[0].axis.kind, WEFT_V_BOOL);
	ck_assert_int_eq(wf->vars.v[1].axis.kind, WEFT_V_NUMBER);
	ck_assert_str_eq(wf->vars.v[1].value.s, "1.50");
	ck_assert_int_eq(wf->vars.v[2].axis.kind, WEFT_V_STRING);
	ck_assert_int_eq(wf->vars.v[3].axis.kind, WEFT_V_STRING);
	ck_assert_ptr_nonnull(weft_spec_step(wf, "010"));
	weft_spec_free(wf);
}
END_TEST

START_TEST(vars_when_read)
{
	struct weft_workflow *wf =
		load("name: t\n"
		     "vars:\n"
		     "  all: ${{ vars.root }}/x-${{ vars.n }}\n"
		     "  n: ${{ vars.m * 2 }}\n"
		     "  m: 21\n"
		     "  root: ${{ workflow.dir }}\n"
		     "  r: training\n"
		     "steps:\n" STEP("a") "    max_parallel: ${{ vars.n }}\n"
					  "    role: ${{ vars.r }}\n"
					  "    sweep: {replicas: '${{ vars.m }}'}\n");
	ck_assert_str_eq(wf->vars.v[0].value.s, "/home/me/flow/x-42");
	ck_assert_int_eq(wf->vars.v[1].axis.kind, WEFT_V_NUMBER);
	ck_assert_uint_eq(wf->step[0].max_parallel, 42);
	ck_assert_int_eq(wf->step[0].role, WEFT_ROLE_TRAINING);
	ck_assert_uint_eq(wf->step[0].sweep.count, 21);
	weft_spec_free(wf);
}
END_TEST

START_TEST(defaults_merge)
{
	struct weft_workflow *wf = load(
		"name: t\n"
		"defaults:\n"
		"  resources: {mem: 1G, time: 1h}\n"
		"  env: {A: a, B: b}\n"
		"  labels: {x: y}\n"
		"  scratch: node\n"
		"  sweep: {k: [1, 2]}\n"
		"steps:\n" STEP("a") STEP("b") "    resources: {mem: 2G, ntasks: 4}\n"
					       "    env: {B: c, C: d}\n"
					       "    scratch: memory\n"
					       "    sweep: {j: [1, 2, 3]}\n");
	const struct weft_step *a = &wf->step[0], *b = &wf->step[1];
	ck_assert_str_eq(a->resources[0].mem.s, "1G");
	ck_assert_int_eq(a->scratch, WEFT_SCRATCH_NODE);
	ck_assert_uint_eq(a->sweep.count, 2);
	ck_assert_str_eq(b->resources[0].mem.s, "2G");
	ck_assert_str_eq(b->resources[0].time.s, "1h");
	ck_assert_str_eq(b->resources[0].ntasks.s, "4");
	ck_assert_uint_eq(b->env.n, 3);
	ck_assert_str_eq(b->env.v[0].value.s, "a");
	ck_assert_str_eq(b->env.v[1].value.s, "c");
	ck_assert_str_eq(b->env.v[2].value.s, "d");
	ck_assert_int_eq(b->scratch, WEFT_SCRATCH_MEMORY);
	ck_assert_uint_eq(b->sweep.count, 3);
	ck_assert_str_eq(b->labels.v[0].value.s, "y");
	weft_spec_free(wf);
}
END_TEST

START_TEST(any_of_has_a_common_base)
{
	struct weft_workflow *wf =
		load(HEAD STEP("a") "    resources: {time: 1h, ntasks: 2, any_of: "
				    "[{gpus: 1}, {ntasks: 16}]}\n");
	const struct weft_step *s = &wf->step[0];
	struct weft_scope sc = {.wf = wf, .step = s};
	struct weft_resources r;
	struct weft_err err = {0};
	ck_assert_uint_eq(s->n_resources, 2);
	ck_assert_int_eq(weft_scope_resources(&sc, s, 0, &r, &err), 0);
	ck_assert_uint_eq(r.gpus, 1);
	ck_assert(r.gpus_given);
	ck_assert_uint_eq(r.ntasks, 2);
	ck_assert_int_eq(r.time, 3600);
	weft_resources_clear(&r);
	ck_assert_int_eq(weft_scope_resources(&sc, s, 1, &r, &err), 0);
	ck_assert_uint_eq(r.ntasks, 16);
	ck_assert(!r.gpus_given);
	weft_resources_clear(&r);
	ck_assert_int_eq(weft_scope_resources(&sc, s, 2, &r, &err), -1);
	weft_err_clear(&err);
	weft_spec_free(wf);
}
END_TEST

START_TEST(inputs_are_dependencies)
{
	struct weft_workflow *wf =
		load(HEAD STEP("z") "    depends: [a, {step: b, state: ended}]\n" STEP(
			"a") "    outputs: {x: x.bin, y: {path: 'y-*', optional: "
			     "true}}\n" STEP("b") "    inputs:\n"
						  "      - {from: a.y, as: q, to: "
						  "node, mode: copy}\n"
						  "      - {from: [a.*.x, ./x], "
						  "optional: true}\n"
						  "    depends: a\n");
	const struct weft_step *a = &wf->step[1], *b = &wf->step[2], *z = &wf->step[0];
	ck_assert_uint_eq(a->n_outputs, 2);
	ck_assert(a->output[1].optional);
	ck_assert_uint_eq(b->n_inputs, 2);
	ck_assert_str_eq(b->input[0].name, "q");
	ck_assert_int_eq(b->input[0].to, WEFT_SCRATCH_NODE);
	ck_assert_int_eq(b->input[0].mode, WEFT_MODE_COPY);
	ck_assert_uint_eq(b->input[0].from[0].step, 1);
	ck_assert_uint_eq(b->input[0].from[0].output, 1);
	ck_assert_str_eq(b->input[1].name, "x");
	ck_assert(b->input[1].from[0].all && !b->input[0].from[0].all);
	ck_assert_uint_eq(b->input[1].from[1].step, WEFT_NO_STEP);
	ck_assert_str_eq(b->input[1].from[1].path.s, "./x");
	/* Three references, one edge: all members, and not optional. */
	ck_assert_uint_eq(b->n_edges, 1);
	ck_assert(b->edge[0].all && !b->edge[0].optional);
	ck_assert_uint_eq(z->n_edges, 2);
	ck_assert_int_eq(z->edge[1].state, WEFT_DEP_ENDED);
	ck_assert_uint_eq(wf->order[0], 1);
	ck_assert_uint_eq(wf->order[1], 2);
	ck_assert_uint_eq(wf->order[2], 0);
	weft_spec_free(wf);
}
END_TEST

START_TEST(the_order_is_the_files_where_it_can)
{
	struct weft_workflow *wf = load(HEAD STEP("end") "    finally: true\n" STEP(
		"c") "    depends: b\n" STEP("d") STEP("b") STEP("a"));
	const unsigned want[] = {2, 3, 1, 4, 0};
	for (size_t i = 0; i < 5; i++)
		ck_assert_uint_eq(wf->order[i], want[i]);
	weft_spec_free(wf);
}
END_TEST

START_TEST(set_and_overlay)
{
	char path[] = "/tmp/weft-test-overlay-XXXXXX";
	int fd = mkstemp(path);
	const char *text = "vars: {b: 3}\n"
			   "steps:\n"
			   "  - {name: a, resources: {ntasks: 8}}\n"
			   "  - {name: new, run: x, depends: a}\n";
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(weft_write_all(fd, text, strlen(text)), 0);
	close(fd);
	const char *set[] = {"vars.a=x: #y", "steps.a.resources.mem=2G", "name=other",
		"steps.a.env={A: '1', B: two}", "params.k=[1, 2]",
		"budget.gpu_hours=2.5", "steps.new.sweep=[k]"};
	const char *overlay[] = {path};
	struct weft_spec_options opt = {.set = set,
		.n_set = 7,
		.overlay = overlay,
		.n_overlay = 1,
		.dir = "/else"};
	struct weft_workflow *wf =
		load_with("name: t\nvars: {a: 1, b: 2}\nsteps:\n" STEP(
				  "a") "    resources: {ntasks: 4}\n",
			&opt);
	ck_assert_str_eq(wf->name, "other");
	ck_assert_str_eq(wf->dir, "/else");
	ck_assert_str_eq(wf->vars.v[0].value.s, "x: #y");
	ck_assert_str_eq(wf->vars.v[1].value.s, "3");
	ck_assert_uint_eq(wf->n_steps, 2);
	ck_assert_str_eq(wf->step[0].run.s, "true");
	ck_assert_str_eq(wf->step[0].resources[0].ntasks.s, "8");
	ck_assert_str_eq(wf->step[0].resources[0].mem.s, "2G");
	ck_assert_str_eq(wf->step[0].env.v[1].value.s, "two");
	ck_assert_uint_eq(wf->step[1].sweep.count, 2);
	ck_assert(wf->budget.gpu_hours == 2.5);
	weft_spec_free(wf);
	unlink(path);
}
END_TEST

START_TEST(set_that_is_wrong)
{
	static const struct {
		const char *set, *part;
	} bad[] = {
		{"vars.a", "must be KEY=VALUE"},
		{"=3", "must be KEY=VALUE"},
		{"vars..a=3", "is no key of a workflow"},
		{"steps.b.time=3", "there is no step `b`"},
		{"steps.a=3", "a step can't be replaced whole"},
		{"steps.a.rn=3", "unknown key"},
		{"steps.a.resources.time=30", "a duration needs a unit"},
		{"steps.a.inputs.0=3", "is a list"},
		{"vars.a=[1", "--set"},
		{"vars.a=\xff", "not UTF-8"},
		{"name=a b", "not a valid name"},
	};
	for (size_t i = 0; i < WEFT_COUNT(bad); i++) {
		struct weft_spec_options opt = {.set = &bad[i].set, .n_set = 1};
		refuse_with(HEAD STEP("a") "    inputs: [{from: ./x, as: x}]\n", &opt,
			0, bad[i].part);
	}
}
END_TEST

START_TEST(errors_of_an_overlay_are_there)
{
	char path[] = "/tmp/weft-test-overlay-XXXXXX";
	int fd = mkstemp(path);
	const char *text = "\n\nsteps:\n  - {name: a, resources: {ntask: 8}}\n";
	ck_assert_int_eq(weft_write_all(fd, text, strlen(text)), 0);
	close(fd);
	const char *overlay[] = {path};
	struct weft_spec_options opt = {.overlay = overlay, .n_overlay = 1};
	refuse_with(HEAD STEP("a"), &opt, 4, path);
	overlay[0] = "/nowhere/at/all.yaml";
	refuse_with(HEAD STEP("a"), &opt, 0, "/nowhere/at/all.yaml");
	unlink(path);
}
END_TEST

START_TEST(anchors_merge_keys_and_extensions)
{
	struct weft_workflow *wf =
		load("name: t\nx-small: &small {ntasks: 2, mem: 1G}\n"
		     "steps:\n" STEP("a") "    resources: *small\n" STEP(
			     "b") "    resources: {<<: *small, mem: 2G}\n");
	ck_assert_str_eq(wf->step[0].resources[0].mem.s, "1G");
	ck_assert_str_eq(wf->step[1].resources[0].mem.s, "2G");
	ck_assert_str_eq(wf->step[1].resources[0].ntasks.s, "2");
	weft_spec_free(wf);
}
END_TEST

START_TEST(what_the_rest_is_read_as)
{
	struct weft_workflow *wf = load(
		HEAD STEP("a") "    place: {cpus: compact, balance: even, smt: all, "
			       "spare_cores: 2}\n"
			       "    max_failed: 25%\n"
			       "    launch: torchrun\n"
			       "    stdout: out.txt\n"
			       "    files: {a/b: {text: hello}, c: {copy: ./x}}\n"
			       "    secrets: {KEY: {file: ~/key}}\n"
			       "    metrics: m/x.jsonl\n"
			       "    optional: true\n" STEP("b") "    place: none\n"
								"    max_failed: 3\n");
	const struct weft_step *a = &wf->step[0], *b = &wf->step[1];
	ck_assert(a->place_given && !a->place.none && a->place.balance_even);
	ck_assert_int_eq(a->place.cpus, WEFT_CPUS_COMPACT);
	ck_assert_uint_eq(a->place.smt, 0);
	ck_assert_uint_eq(a->place.spare_cores, 2);
	ck_assert(a->max_failed_share && a->max_failed == 0.25);
	ck_assert_int_eq(a->launch, WEFT_LAUNCH_TORCHRUN);
	ck_assert_str_eq(weft_launch_name(a->launch), "torchrun");
	ck_assert_uint_eq(a->n_files, 2);
	ck_assert_int_eq(a->file[0].kind, WEFT_FILE_TEXT);
	ck_assert_int_eq(a->file[1].kind, WEFT_FILE_COPY);
	ck_assert_str_eq(a->secrets.v[0].value.s, "~/key");
	ck_assert_str_eq(a->metrics, "m/x.jsonl");
	ck_assert(a->optional && !a->finally);
	ck_assert(b->place_given && b->place.none);
	ck_assert(!b->max_failed_share && b->max_failed == 3);
	weft_spec_free(wf);
}
END_TEST

START_TEST(names_of_enums)
{
	/* A step's role is an index into weft.conf's roles too. */
	ck_assert_uint_eq(WEFT_N_ROLES, WEFT_CONF_ROLES);
	for (int i = 0; i < WEFT_CONF_ROLES; i++)
		ck_assert_str_eq(weft_role_name((enum weft_role)i), weft_conf_roles[i]);
	ck_assert_str_eq(weft_launch_name(WEFT_LAUNCH_MPI), "mpi");
	ck_assert_str_eq(weft_scratch_name(WEFT_SCRATCH_MEMORY), "memory");
	ck_assert_str_eq(weft_scratch_name((enum weft_scratch)77), "shared");
}
END_TEST

SUITE("spec", a_small_workflow, the_field_decides_the_type, vars_when_read,
	defaults_merge, any_of_has_a_common_base, inputs_are_dependencies,
	the_order_is_the_files_where_it_can, set_and_overlay, set_that_is_wrong,
	errors_of_an_overlay_are_there, anchors_merge_keys_and_extensions,
	what_the_rest_is_read_as, names_of_enums)
