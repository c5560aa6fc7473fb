/* fuzz_plan.c - plan.json of a run directory: what is read prints and reads again */
#include "fuzz.h"
#include "select/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_bytes(data, size);
	weft_autostr struct weft_str one = {0}, two = {0};
	struct weft_plan *p, *again;
	struct weft_err err = {0};

	if (weft_plan_parse_json(text, size, &p, &err)) {
		fuzz_must(!p);
		fuzz_refused(&err);
		return 0;
	}
	for (size_t g = 0; g < p->n_groups; g++) {
		weft_autoargv struct weft_argv args = {0};

		for (size_t i = 0; i < p->group[g].n_steps; i++)
			fuzz_must(p->group[g].step[i] < p->n_steps);
		for (size_t i = 0; i < p->group[g].n_needs; i++)
			fuzz_must(p->group[g].need[i].group < g);
		fuzz_must(weft_plan_sbatch_args(&p->group[g], &args) == 0);
	}
	for (size_t i = 0; i < p->n_steps; i++) {
		weft_autoargv struct weft_argv args = {0};

		fuzz_must(p->step[i].group < p->n_groups);
		fuzz_must(weft_plan_srun_args(&p->step[i], &args) == 0);
	}
	fuzz_must(weft_plan_print_json(p, &one) == 0);
	fuzz_must(weft_plan_parse_json(one.s, one.len, &again, &err) == 0);
	fuzz_must(weft_plan_print_json(again, &two) == 0);
	fuzz_must(strcmp(one.s, two.s) == 0);
	weft_plan_free(p);
	weft_plan_free(again);
	return 0;
}
