/*
 * fuzz_note.c - WEFT_PLACED of another process of the user's: no field leaves its
 * place, and what it says is only ever left out of what is had, as long as enough is
 * left.
 */
#include "bind/bind.h"
#include "fuzz_machine.h"

static bool has(const unsigned *list, size_t n, unsigned x)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == x)
			return true;
	return false;
}

static bool ends(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
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
	fuzz_must(o.n_gpus <= WEFT_COUNT(o.gpu));
	for (size_t i = 0; i < o.n_gpus; i++)
		fuzz_must(*o.gpu[i] && ends(o.gpu[i], sizeof(o.gpu[i])));
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
	fuzz_must(ends(note.by, sizeof(note.by)) &&
		  ends(note.host, sizeof(note.host)) &&
		  ends(note.gpus, sizeof(note.gpus)) &&
		  ends(note.variable, sizeof(note.variable)) &&
		  ends(note.visible, sizeof(note.visible)) &&
		  ends(note.around_gpus, sizeof(note.around_gpus)));
	fuzz_must(note.memory == WEFT_PLACE_LOCAL ||
		  note.memory == WEFT_PLACE_INTERLEAVE ||
		  note.memory == WEFT_PLACE_ANY);
	around(&note);
	weft_bind_verify(&note, &differences);
	return 0;
}
