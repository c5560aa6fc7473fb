/* test_spec_scope.c - what names mean at a moment; hostile values in each place */
#include <sys/wait.h>
#include <unistd.h>

#include "spec.h"
#include "yaml/yaml.h"

/* What a run would answer. */
static int runtime(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	const char *value = ctx;
	if (!strcmp(name->part[name->n - 1], "missing"))
		return 1;
	if (!strcmp(name->part[name->n - 1], "broken"))
		return weft_err_set(err, WEFT_ESPEC, "broken");
	return weft_value_set_string(out, value);
}

static char *text_of(const struct weft_scope *sc, const struct weft_text *t)
{
	struct weft_err err = {0};
	char *s;
	int rc = weft_scope_text(sc, t, &s, &err);
	char *line = rc < 0 ? weft_err_line(&err) : NULL;
	ck_assert_msg(rc == 0, "%s", line ? line : "?");
	return s;
}

static void check_text(
	const struct weft_scope *sc, const struct weft_text *t, const char *want)
{
	char *s = text_of(sc, t);
	ck_assert_str_eq(s, want);
	free(s);
}

static void check_error(const struct weft_scope *sc, const struct weft_text *t,
	unsigned line, const char *part)
{
	struct weft_err err = {0};
	char *s;
	ck_assert_int_eq(weft_scope_text(sc, t, &s, &err), -1);
	ck_assert_ptr_null(s);
	ck_assert_str_eq(err.file, "/home/me/flow/t.yaml");
	ck_assert_uint_eq(err.pos.line, line);
	ck_assert_msg(strstr(err.text, part), "no '%s' in: %s", part, err.text);
	weft_err_clear(&err);
}

static const char everything[] =
	"name: t\n"
	"vars: {mesh: 64}\n"
	"env: {TOP: 'top-${{ run.id }}', BOTH: t}\n"
	"steps:\n" STEP("first") "    outputs: {o: o.txt}\n"
				 "  - name: a\n"
				 "    depends: first\n"
				 "    sweep: {case: [{n: 1, m: x}, {n: 2}]}\n"
				 "    env: {BOTH: '${{ env.BOTH }}-s', P: '${{ "
				 "params.case.n }}'}\n"
				 "    outputs: {o: 'o-${{ member.index }}'}\n"
				 "    command:\n"
				 "      - ${{ vars.mesh }} ${{ params.case.n }} ${{ "
				 "member.index }}/${{ "
				 "member.count }}\n"
				 "      - ${{ env.TOP }} ${{ env.BOTH }} ${{ env.P }} "
				 "${{ attempt }}\n"
				 "      - ${{ run.dir }} ${{ step.dir }} ${{ "
				 "step.ntasks }} ${{ step.variant "
				 "}}\n"
				 "      - ${{ workflow.dir }} ${{ outputs.o }} ${{ "
				 "steps.first.state }}\n"
				 "      - ${{ default(steps.first.metrics.missing, "
				 "\"none\") }} ${{ "
				 "params.case.m }}\n"
				 "      - ${{ steps.first.metrics.broken }}\n"
				 "      - ${{ steps.first.metrics.missing }}\n";

START_TEST(names_mean_something)
{
	struct weft_workflow *wf = load(everything);
	const struct weft_step *s = &wf->step[1];
	struct weft_member m;
	ck_assert_int_eq(weft_sweep_member(wf, s, 0, &m, NULL), 0);
	struct weft_scope sc = {.wf = wf,
		.step = s,
		.member = &m,
		.attempt = 2,
		.variant = 1,
		.run_id = "r1",
		.run_dir = "/r",
		.step_dir = "/r/s",
		.step_ntasks = 8,
		.runtime = runtime,
		.ctx = (void *)"val"};
	check_text(&sc, &s->command.v[0], "64 1 0/2");
	check_text(&sc, &s->command.v[1], "top-r1 t-s 1 2");
	check_text(&sc, &s->command.v[2], "/r /r/s 8 1");
	check_text(&sc, &s->command.v[3], "/home/me/flow val val");
	check_text(&sc, &s->command.v[4], "none x");
	check_error(&sc, &s->command.v[5], 19, "broken");
	check_error(&sc, &s->command.v[6], 20, "missing");
	check_text(&sc, &s->env.v[0].value, "t-s");
	check_text(&sc, &wf->env.v[0].value, "top-r1");
	check_text(&sc, &s->output[0].path, "o-0");
	weft_member_clear(&m);

	/* What is not known is an error, never an empty text. */
	ck_assert_int_eq(weft_sweep_member(wf, s, 1, &m, NULL), 0);
	struct weft_scope bare = {.wf = wf, .step = s, .variant = -1};
	check_error(&bare, &s->command.v[0], 14, "params.case");
	check_error(&bare, &s->command.v[2], 16, "run.dir");
	check_error(&bare, &s->command.v[3], 17, "outputs.o");
	bare.member = &m; /* whose case has no m */
	check_text(&bare, &s->command.v[0], "64 2 1/2");
	sc.member = &m;
	check_error(&sc, &s->command.v[4], 18, "m");
	weft_member_clear(&m);
	struct weft_text none = {0};
	char *text;
	ck_assert_int_eq(weft_scope_text(&sc, &none, &text, NULL), 0);
	ck_assert_ptr_null(text);
	weft_spec_free(wf);
}
END_TEST

START_TEST(resources_of_a_member)
{
	struct weft_workflow *wf =
		load("name: t\nvars: {gib: 4}\nparams: {n: [1, 2, x]}\nsteps:\n" STEP(
			"a") "    sweep: [n]\n"
			     "    resources:\n"
			     "      ntasks: ${{ params.n }}\n"
			     "      mem: \"${{ vars.gib * (attempt + 1) }}G\"\n"
			     "      nodes: 2-4\n"
			     "      time: 1-00:00:00\n"
			     "      tmp: 1.5G\n"
			     "      gpus_per_task: 2\n"
			     "      exclusive: true\n"
			     "      partition: cpu,big\n");
	const struct weft_step *s = &wf->step[0];
	struct weft_member m;
	struct weft_resources r;
	struct weft_err err = {0};
	ck_assert_int_eq(weft_sweep_member(wf, s, 1, &m, NULL), 0);
	struct weft_scope sc = {.wf = wf, .step = s, .member = &m, .attempt = 1};
	ck_assert_int_eq(weft_scope_resources(&sc, s, 0, &r, &err), 0);
	ck_assert_uint_eq(r.ntasks, 2);
	ck_assert(r.mem == UINT64_C(8) << 30);
	ck_assert(r.tmp == UINT64_C(3) << 29);
	ck_assert_uint_eq(r.min_nodes, 2);
	ck_assert_uint_eq(r.max_nodes, 4);
	ck_assert_int_eq(r.time, 86400);
	ck_assert(r.exclusive && r.gpus_given && r.gpus_per_task == 2);
	ck_assert_str_eq(r.partition, "cpu,big");
	weft_resources_clear(&r);
	weft_member_clear(&m);
	/* A later member's value that does not fit. */
	ck_assert_int_eq(weft_sweep_member(wf, s, 2, &m, NULL), 0);
	ck_assert_int_eq(weft_scope_resources(&sc, s, 0, &r, &err), -1);
	ck_assert_uint_eq(err.pos.line, 9);
	ck_assert_str_eq(err.path, "steps[0].resources.ntasks");
	ck_assert(strstr(err.text, "`x` must be a whole number"));
	weft_err_clear(&err);
	weft_member_clear(&m);
	weft_spec_free(wf);
}
END_TEST

START_TEST(conditions)
{
	struct weft_workflow *wf = load(
		"name: t\nvars: {x: 1, word: true}\nsteps:\n" STEP("a")
			STEP("yes") "    when: vars.x < 2\n" STEP(
				"no") "    when: ${{ "
				      "vars.x > 2 "
				      "}}\n" STEP(
					      "bo"
					      "o"
					      "l") "    when: vars.word\n" STEP("numbe"
										"r") " "
										     " "
										     " "
										     " "
										     "w"
										     "h"
										     "e"
										     "n"
										     ":"
										     " "
										     "v"
										     "a"
										     "r"
										     "s"
										     "."
										     "x"
										     "\n" STEP(
											     "later") "    depends: a\n    when: steps.a.metrics.missing > "
												      "1\n");
	struct weft_scope sc = {.wf = wf, .runtime = runtime, .ctx = (void *)"1"};
	struct weft_err err = {0};
	bool yes;
	const bool want[] = {true, true, false, true};
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(weft_scope_when(&sc, &wf->step[i], &yes, &err), 0);
		ck_assert_int_eq(yes, want[i]);
	}
	for (size_t i = 4; i < 6; i++) {
		ck_assert_int_eq(weft_scope_when(&sc, &wf->step[i], &yes, &err), -1);
		ck_assert_uint_eq(err.pos.line, i == 4 ? 17u : 21u);
		weft_err_clear(&err);
	}
	weft_spec_free(wf);
}
END_TEST

/* ---- hostile values ---- */

static const char *const hostile[] = {"$(touch CANARY)", "`touch CANARY`",
	"; touch CANARY;", "'; touch CANARY; '", "\"; touch CANARY; \"",
	"\ntouch CANARY\n", "$HOME", "${IFS}", "\\", "\\\\'", "a'b\"c", "*", "~", "-n",
	"&& touch CANARY #", "|touch CANARY", "$((1+1))", "!!", "{a,b}",
	"${{ vars.x }}", " ", "", "%s%n", "\xc3\xa9 \xe2\x82\xac",
	"$'\\x24(touch CANARY)'", "<(touch CANARY)"};

static char *run_shell(const char *dir, const char *text)
{
	char *out = NULL;
	int status;
	struct weft_err err = {0};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	char *argv[] = {(char *)"/bin/bash", (char *)"-c", (char *)text, NULL};
	s.argv = argv;
	s.cwd = dir;
	ck_assert_int_eq(weft_capture(&s, 30, 1 << 20, &out, NULL, &status, &err), 0);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", text);
	return out;
}

START_TEST(hostile_values_run_nothing)
{
	struct weft_workflow *wf = load(HEAD STEP(
		"first") "    outputs: {o: o}\n"
			 "  - name: a\n"
			 "    depends: first\n"
			 "    inputs: [{from: ./x, as: x}]\n"
			 "    run: |\n"
			 "      # a comment\n"
			 "      printf '[%s]' ${{ inputs.x }} \"${{ inputs.x }}\" '${{ "
			 "inputs.x }}'\n"
			 "      x=${{ inputs.x }}; printf '[%s]' \"$x\"\n"
			 "    setup: export X=${{ steps.first.outputs.o }}\n"
			 "    env: {V: \"${{ attempt }}\"}\n"
			 "    files: {f: {text: \"v=${{ inputs.x }}.\"}}\n"
			 "    stdout: \"${{ steps.first.outputs.o }}\"\n"
			 "  - name: b\n"
			 "    depends: first\n"
			 "    command: [\"v=${{ steps.first.outputs.o }}\"]\n");
	const struct weft_step *a = &wf->step[1], *b = &wf->step[2];
	char dir[] = "/tmp/weft-test-scope-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (size_t i = 0; i < WEFT_COUNT(hostile); i++) {
		const char *v = hostile[i];
		struct weft_scope sc = {
			.wf = wf, .step = a, .runtime = runtime, .ctx = (void *)v};
		char *script = text_of(&sc, &a->run), *setup = text_of(&sc, &a->setup);
		char *want = weft_printf("[%s][%s][%s][%s]", v, v, v, v);
		char *got = run_shell(dir, script);
		ck_assert_str_eq(got, want);
		free(got);
		free(script);
		free(want);
		script = weft_printf("%s\nprintf '[%%s]' \"$X\"", setup);
		want = weft_printf("[%s]", v);
		got = run_shell(dir, script);
		ck_assert_str_eq(got, want);
		free(want);
		/* Where no shell reads it, it is put in as it is,
			and not read again. */
		want = weft_printf("v=%s.", v);
		check_text(&sc, &a->file[0].value, want);
		want[strlen(want) - 1] = '\0';
		sc.step = b;
		check_text(&sc, &b->command.v[0], want);
		check_text(&sc, &a->stdout_path, v);
		char *canary = weft_path_join(dir, "CANARY");
		ck_assert_msg(access(canary, F_OK) < 0, "it ran: %s", v);
		free(canary);
		free(want);
		free(got);
		free(script);
		free(setup);
	}
	struct weft_err err = {0};
	ck_assert_int_eq(weft_remove_tree(dir, &err), 0);
	weft_spec_free(wf);
}
END_TEST

START_TEST(hostile_values_of_the_file)
{
	/* The same from vars and params, which are in the file. */
	for (size_t i = 0; i < WEFT_COUNT(hostile); i++) {
		struct weft_str yaml = {0};
		if (strstr(hostile[i], "${{"))
			continue; /* an expression, and meant */
		weft_str_add(&yaml, "name: t\nvars: {v: ");
		weft_yaml_quote(&yaml, hostile[i]);
		weft_str_add(&yaml, "}\n"
				    "steps:\n  - name: a\n    sweep: {p: [");
		weft_yaml_quote(&yaml, hostile[i]);
		weft_str_add(&yaml, "]}\n    env: {E: \"${{ vars.v }}\"}\n"
				    "    run: printf '[%s]' ${{ vars.v }} \"${{ env.E "
				    "}}\" "
				    "'${{ params.p }}'\n");
		struct weft_workflow *wf = load(yaml.s);
		struct weft_member m;
		ck_assert_int_eq(weft_sweep_member(wf, &wf->step[0], 0, &m, NULL), 0);
		struct weft_scope sc = {.wf = wf, .step = &wf->step[0], .member = &m};
		char *script = text_of(&sc, &wf->step[0].run);
		char *got = run_shell("/", script);
		char *want =
			weft_printf("[%s][%s][%s]", hostile[i], hostile[i], hostile[i]);
		ck_assert_str_eq(got, want);
		ck_assert(access("/CANARY", F_OK) < 0);
		free(want);
		free(got);
		free(script);
		weft_member_clear(&m);
		weft_spec_free(wf);
		weft_str_free(&yaml);
	}
}
END_TEST

START_TEST(resources_are_not_options)
{
	/* A value that looks like another option is refused or stays one word. */
	for (size_t i = 0; i < WEFT_COUNT(hostile); i++) {
		struct weft_workflow *wf =
			load("name: t\nparams: {p: [1]}\nsteps:\n" STEP(
				"a") "    sweep: [p]\n    resources: {ntasks: '${{ "
				     "params.p }}'}\n");
		struct weft_member m;
		struct weft_resources r;
		struct weft_err err = {0};
		ck_assert_int_eq(weft_sweep_member(wf, &wf->step[0], 0, &m, NULL), 0);
		ck_assert_int_eq(
			weft_value_set_string(&m.params.item[0], hostile[i]), 0);
		struct weft_scope sc = {.wf = wf, .step = &wf->step[0], .member = &m};
		ck_assert_int_eq(
			weft_scope_resources(&sc, &wf->step[0], 0, &r, &err), -1);
		weft_err_clear(&err);
		weft_member_clear(&m);
		weft_spec_free(wf);
	}
}
END_TEST

START_TEST(values_are_not_too_long)
{
	struct weft_workflow *wf = load(HEAD STEP(
		"first") "    outputs: {o: o}\n"
			 "  - name: a\n    depends: first\n    command: ['${{ "
			 "steps.first.outputs.o }}']\n");
	char *long_value = malloc((128 << 10) + 2);
	memset(long_value, 'x', (128 << 10) + 1);
	long_value[(128 << 10) + 1] = '\0';
	struct weft_scope sc = {
		.wf = wf, .step = &wf->step[1], .runtime = runtime, .ctx = long_value};
	check_error(&sc, &wf->step[1].command.v[0], 8, "longer than 128 KiB");
	long_value[128 << 10] = '\0';
	free(text_of(&sc, &wf->step[1].command.v[0]));
	free(long_value);
	weft_spec_free(wf);
}
END_TEST

SUITE("spec_scope", names_mean_something, resources_of_a_member, conditions,
	hostile_values_run_nothing, hostile_values_of_the_file,
	resources_are_not_options, values_are_not_too_long)
