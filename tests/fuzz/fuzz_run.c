/* fuzz_run.c - run.json of a run directory, and a file of metrics */
#include "fuzz_dir.h"
#include "journal/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *dir = fuzz_dir();
	weft_autofree char *file = weft_path_join(dir, "run.json");
	struct weft_value v;
	struct weft_err err = {0};
	struct weft_run *run;

	fuzz_write(dir, "run.json", data, size);
	int got = weft_metric_last(file, "loss", &v, &err);
	fuzz_must(got >= 0);
	weft_value_clear(&v);
	if (weft_run_open(dir, "/nowhere", &run, &err)) {
		fuzz_must(!run);
		fuzz_refused(&err);
		return 0;
	}
	fuzz_must(run->dir && run->id && run->name);
	weft_run_free(run);
	return 0;
}
