/* test_spec_hostile.c - what is large, twisted or no workflow at all */
#include "spec.h"

static void refuse_n(const char *text, size_t n, const char *part)
{
	struct weft_errs errs = {0};
	ck_assert_ptr_null(try_load(text, n, NULL, &errs));
	ck_assert_uint_le(errs.n, 20);
	for (size_t i = 0; i < errs.n; i++) {
		ck_assert_ptr_nonnull(errs.v[i].text);
		ck_assert_ptr_null(strchr(errs.v[i].text, '\n'));
	}
	char *first = weft_err_line(&errs.v[0]);
	ck_assert_msg(!part || strstr(first, part), "no '%s' in: %s", part ? part : "",
		first);
	free(first);
	weft_errs_clear(&errs);
}

static void refuse_str(struct weft_str *s, const char *part)
{
	refuse_n(s->s, s->len, part);
	weft_str_free(s);
}

START_TEST(no_workflow_at_all)
{
	static const char elf[] = "\177ELF\2\1\1\0\0\0\0";
	static const char nul[] = "name: t\0x\nsteps: []\n";
	char junk[4096];
	unsigned seed = 1;
	refuse_n("", 0, NULL);
	refuse_n("\n\n# only this\n", 14, NULL);
	refuse_n(elf, sizeof(elf) - 1, NULL);
	refuse_n(nul, sizeof(nul) - 1, NULL);
	refuse_n("\xff\xfe", 2, NULL);
	refuse_n("name: \xc3\x28\n", 9, NULL);
	refuse_n("text", 4, "must be a mapping");
	refuse_n("[]", 2, "must be a mapping");
	refuse_n("~", 1, NULL);
	refuse_n("{}", 2, "is missing");
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(junk); i++) {
			seed = seed * 1103515245u + 12345u;
			junk[i] = (char)(seed >> 16);
		}
		refuse_n(junk, (size_t)round * 20, NULL);
	}
}
END_TEST

/* A good file with one byte changed, removed or doubled is good or refused. */
START_TEST(files_with_a_wrong_byte)
{
	static const char good[] =
		"name: t\nvars: {x: 1, y: '${{ vars.x }}'}\nparams: {k: [1, {a: 2}], "
		"s: {range: "
		"[1, 3]}}\ndefaults: {resources: {mem: 1G}, env: {A: b}}\nsteps:\n"
		"  - name: a\n    sweep: [k, s]\n    run: e ${{ params.k }} > \"${{ "
		"outputs.o }}\"\n"
		"    outputs: {o: o.txt, p: {path: 'p-*', optional: true}}\n"
		"    resources: {time: 1h, any_of: [{gpus: 1}, {ntasks: '${{ vars.x "
		"}}'}]}\n"
		"  - {name: b, command: [c, \"${{ inputs.o }}\"], inputs: {from: a.o}, "
		"when: "
		"steps.a.state == \"done\", depends: [{step: a.*, state: ended}]}\n";
	static const char bytes[] = "{}[]:,-#&*!|>'\"%@`$ \n\t0a~\\.\x01\xc3";
	size_t n = sizeof(good) - 1, taken = 0;
	char text[sizeof(good) + 1];
	struct weft_errs errs = {0};
	struct weft_workflow *wf = try_load(good, n, NULL, &errs);
	ck_assert_ptr_nonnull(wf);
	weft_spec_free(wf);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(bytes) + 1; k++) {
			size_t len = n;
			memcpy(text, good, n + 1);
			if (k < sizeof(bytes) - 1) {
				text[i] = bytes[k];
			} else if (k == sizeof(bytes) - 1) {
				memmove(text + i, text + i + 1, n - i);
				len--;
			} else {
				memmove(text + i + 1, text + i, n - i + 1);
				len++;
			}
			wf = try_load(text, len, NULL, &errs);
			taken += wf != NULL;
			weft_spec_free(wf);
			weft_errs_clear(&errs);
		}
	}
	ck_assert_uint_gt(taken, 0);
}
END_TEST

START_TEST(deep_nesting)
{
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\nsteps: ");
	for (int i = 0; i < 100000; i++)
		weft_str_addc(&s, '[');
	refuse_str(&s, NULL);
	weft_str_add(&s, HEAD STEP("a") "    sweep: {x: [");
	for (int i = 0; i < 50; i++)
		weft_str_add(&s, "{y: ");
	weft_str_addc(&s, '1');
	for (int i = 0; i < 50; i++)
		weft_str_addc(&s, '}');
	weft_str_add(&s, "]}\n");
	struct weft_workflow *wf = load(s.s); /* deep, and within bounds */
	struct weft_member m;
	ck_assert_int_eq(weft_sweep_member(wf, &wf->step[0], 0, &m, NULL), 0);
	weft_member_clear(&m);
	weft_spec_free(wf);
	weft_str_free(&s);
}
END_TEST

START_TEST(alias_bombs)
{
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\nx-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
	for (int i = 1; i < 20; i++)
		weft_str_printf(&s,
			"x-%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
			i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	weft_str_add(&s, "params: {k: [*a19]}\nsteps:\n" STEP("a") "    sweep: [k]\n");
	refuse_str(&s, NULL);
}
END_TEST

START_TEST(vars_that_grow)
{
	/* Each twice the one before: 2^40 bytes, if it were let. */
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\nvars:\n  v0: 'xxxxxxxxxxxxxxxx'\n");
	for (int i = 1; i < 40; i++)
		weft_str_printf(&s, "  v%d: '${{ vars.v%d }}${{ vars.v%d }}'\n", i,
			i - 1, i - 1);
	weft_str_add(&s, "steps:\n" STEP("a"));
	refuse_str(&s, "longer than 128 KiB");
	/* A chain that is too long to follow. */
	weft_str_add(&s, "name: t\nvars:\n");
	for (int i = 0; i < 20000; i++)
		weft_str_printf(&s, "  v%d: '${{ vars.v%d }}'\n", i, i + 1);
	weft_str_add(&s, "  v20000: 1\nsteps:\n" STEP("a"));
	refuse_str(&s, "more than 64 deep");
}
END_TEST

START_TEST(long_texts)
{
	struct weft_str s = {0};
	char *long_text = malloc((128 << 10) + 2);
	memset(long_text, 'x', (128 << 10) + 1);
	long_text[(128 << 10) + 1] = '\0';
	static const char *const places[] = {"    env: {A: %s}\n", "    setup: %s\n",
		"    stdout: %s\n", "    labels: {a: %s}\n",
		"    inputs: [{from: ./%s}]\n"};
	for (size_t i = 0; i < WEFT_COUNT(places); i++) {
		weft_str_add(&s, HEAD STEP("a"));
		weft_str_printf(&s, places[i], long_text);
		refuse_str(&s, NULL);
	}
	weft_str_printf(&s, "name: %s\n", long_text);
	refuse_str(&s, NULL);
	weft_str_printf(&s, HEAD "  - {name: a, run: x, %s: 1}\n", long_text);
	refuse_str(&s, NULL);
	weft_str_printf(&s, HEAD STEP("a") "    when: a%s\n", long_text);
	refuse_str(&s, NULL);
	/* A file's text may be long: it is no argument. */
	weft_str_printf(&s, HEAD STEP("a") "    files: {f: {text: %s}}\n", long_text);
	struct weft_workflow *wf = load(s.s);
	weft_spec_free(wf);
	weft_str_free(&s);
	free(long_text);
}
END_TEST

START_TEST(many_steps)
{
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\ndefaults: {resources: {mem: 1G}}\nsteps:\n");
	for (int i = 0; i < 100000; i++) {
		weft_str_printf(&s,
			"- name: s%d\n  run: x > ${{ outputs.o }}\n"
			"  outputs: {o: f}\n",
			i);
		if (i)
			weft_str_printf(&s, "  inputs: [{from: s%d.o}]\n", i - 1);
	}
	struct weft_workflow *wf = load(s.s);
	ck_assert_uint_eq(wf->n_steps, 100000);
	for (unsigned i = 0; i < 100000; i++)
		ck_assert_uint_eq(wf->order[i], i);
	ck_assert_uint_eq(weft_spec_step(wf, "s99999")->edge[0].step, 99998);
	weft_spec_free(wf);
	weft_str_free(&s);
}
END_TEST

START_TEST(many_mistakes)
{
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\nsteps:\n");
	for (int i = 0; i < 50000; i++)
		weft_str_printf(
			&s, "- {name: s%d, run: x, depends: [z%d], cpus: 3}\n", i, i);
	struct weft_errs errs = {0};
	ck_assert_ptr_null(try_load(s.s, s.len, NULL, &errs));
	ck_assert_uint_eq(errs.n, 20);
	ck_assert_uint_eq(errs.total, 100000);
	weft_errs_clear(&errs);
	weft_str_free(&s);
}
END_TEST

START_TEST(fans)
{
	/* One needs all, and all need one: no list is searched for each entry. */
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\nsteps:\n- {name: end, run: x, depends: [");
	for (int i = 0; i < 30000; i++)
		weft_str_printf(
			&s, "%ss%d, {step: s%d, state: ended}", i ? ", " : "", i, i);
	weft_str_add(&s, "]}\n- {name: first, run: x}\n");
	for (int i = 0; i < 30000; i++)
		weft_str_printf(&s, "- {name: s%d, run: x, depends: first}\n", i);
	struct weft_workflow *wf = load(s.s);
	ck_assert_uint_eq(wf->step[0].n_edges, 60000);
	ck_assert_uint_eq(wf->order[wf->n_steps - 1], 0);
	weft_spec_free(wf);
	weft_str_free(&s);
}
END_TEST

START_TEST(long_circle)
{
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\nsteps:\n");
	for (int i = 0; i < 30000; i++)
		weft_str_printf(&s, "- {name: s%d, run: x, depends: s%d}\n", i,
			(i + 1) % 30000);
	refuse_str(&s, "circle: `s0` -> `s1` -> `s2`");
}
END_TEST

START_TEST(far_references)
{
	/* Each step asks for the first, which it needs only through all between. */
	struct weft_str s = {0};
	weft_str_add(&s, "name: t\nsteps:\n- {name: s0, run: x}\n");
	for (int i = 1; i < 3000; i++)
		weft_str_printf(&s,
			"- {name: s%d, run: 'x ${{ steps.s0.state }}', depends: s%d}\n",
			i, i - 1);
	struct weft_workflow *wf = load(s.s);
	weft_spec_free(wf);
	weft_str_free(&s);
	/* So many that the search is given up: an error that says what to do. */
	weft_str_add(&s, "name: t\nsteps:\n- {name: s0, run: x}\n");
	for (int i = 1; i < 20000; i++)
		weft_str_printf(&s,
			"- {name: s%d, run: 'x ${{ steps.s0.state }}', depends: s%d}\n",
			i, i - 1);
	refuse_str(&s, "needed through too many others");
}
END_TEST

START_TEST(wide_sweeps)
{
	refuse(HEAD STEP("a") "    sweep: {a: {range: [1, 1e300]}}\n", 5, "members");
	refuse(HEAD STEP("a") "    sweep: {a: {range: [0, 1, 1e-300]}}\n", 5,
		"members");
	refuse(HEAD STEP("a") "    sweep: {a: {range: [-1e308, 1e308, 1e308]}}\n", 5,
		"");
	refuse(HEAD STEP("a") "    sweep: {replicas: 10000001}\n", 5, "between");
	refuse(HEAD STEP("a") "    sweep: {a: {range: [1, 4000]}, b: {range: [1, "
			      "4000]}}\n",
		5, "16000000 members");
	struct weft_str s = {0};
	weft_str_add(&s, HEAD STEP("a") "    sweep: {");
	for (int i = 0; i < 400; i++)
		weft_str_printf(&s, "%sa%d: [1, 2]", i ? ", " : "", i);
	weft_str_add(&s, "}\n");
	refuse_str(&s, "members");
}
END_TEST

SUITE("spec_hostile", no_workflow_at_all, files_with_a_wrong_byte, deep_nesting,
	alias_bombs, vars_that_grow, long_texts, many_steps, many_mistakes, fans,
	long_circle, far_references, wide_sweeps)
