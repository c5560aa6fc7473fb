/* fuzz_topo_model.c - a machine's model as text: what is read prints and reads again */
#include "fuzz.h"
#include "place/place.h"

static void print(const struct weft_machine *m, struct weft_str *out)
{
	fuzz_must(weft_machine_print(m, out) == 0 && !out->failed);
}

/* Any machine that the reader takes can be placed on, or says why not. */
static void place(const struct weft_machine *m)
{
	const struct weft_place_step steps[] = {
		{.ntasks = 1},
		{.ntasks = 3, .gpus_all = true, .balance_even = true},
		{.ntasks = 2,
			.gpus_per_task = 0.5,
			.cpus_per_task = 2,
			.beside = 1,
			.mem_per_task = 1 << 30},
		{.ntasks = 4,
			.cpus = WEFT_PLACE_SPREAD,
			.smt = 1,
			.spare_cores = 1,
			.talk = {{.step = 1, .bytes = 7}},
			.n_talks = 1},
	};

	for (size_t n = 1; n <= WEFT_COUNT(steps); n++) {
		struct weft_err err = {0};
		struct weft_placement *p;

		if (weft_place(m, NULL, NULL, 0, steps, n, &p, &err)) {
			fuzz_must(!p);
			fuzz_refused(&err);
			continue;
		}
		for (size_t i = 0; i < p->n_tasks; i++)
			fuzz_must(weft_cpuset_next(&p->task[i].cpus, 0) >= 0);
		weft_placement_free(p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_bytes(data, size);
	weft_autostr struct weft_str one = {0}, two = {0};
	struct weft_err err = {0};
	struct weft_machine *m, *again;

	if (weft_machine_parse(text, size, &m, &err)) {
		fuzz_must(!m);
		fuzz_refused(&err);
		return 0;
	}
	print(m, &one);
	fuzz_must(weft_machine_parse(one.s, one.len, &again, &err) == 0);
	print(again, &two);
	fuzz_must(strcmp(one.s, two.s) == 0);
	place(again);
	weft_machine_free(m);
	weft_machine_free(again);
	return 0;
}
