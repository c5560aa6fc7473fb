/* fuzz_note.c - the note in the environment of another process of the user's: what it
 * says is only ever left out of what is had */
#include "bind/bind.h"
#include "fuzz_machine.h"

static bool has(const unsigned *list, size_t n, unsigned x)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == x)
			return true;
	return false;
}

static void around(const struct weft_note *note)
{
	const struct weft_machine *m = fuzz_machine();
	const struct weft_place_step step = {.ntasks = 2, .gpus_per_task = 1};
	static struct weft_others o;
	struct weft_cpuset cpus, before;
	unsigned gpu[] = {2, 0, 1};
	size_t n = WEFT_COUNT(gpu);

	o = (struct weft_others){.cpus = note->cpus};
	weft_bind_add_others(&o, note->gpus);
	weft_bind_add_others(&o, note->around_gpus);
	fuzz_must(o.n_gpus <= WEFT_MAX_DEVICES);
	fuzz_must(weft_cpuset_parse("0-9", &cpus));
	before = cpus;
	weft_bind_around(m, &o, &step, &cpus, gpu, &n);
	fuzz_must(n >= step.ntasks && n <= WEFT_COUNT(gpu));
	for (size_t i = 0; i < n; i++)
		fuzz_must(gpu[i] < m->n_gpus && !has(gpu, i, gpu[i]));
	fuzz_must(weft_cpuset_count(&cpus) >= step.ntasks);
	for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
		fuzz_must((cpus.w[w] & ~before.w[w]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_text(data, size);
	weft_autostr struct weft_str differences = {0};
	struct weft_note note;

	if (!weft_bind_read_note(text, &note))
		return 0;
	fuzz_must(memchr(note.by, '\0', sizeof(note.by)));
	fuzz_must(memchr(note.visible, '\0', sizeof(note.visible)));
	around(&note);
	weft_bind_verify(&note, &differences);
	return 0;
}
