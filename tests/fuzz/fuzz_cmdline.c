/* fuzz_cmdline.c - the command line of srun and sbatch, a word a line */
#include "fuzz.h"
#include "plugin/spank/cmdline.h"

#define WORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"--ntasks -n", "--nodes -N", "--time -t",
		"--gpus -G", "--cpus-per-task -c", "--mem", NULL};
	weft_autofree char *text = fuzz_text(data, size);
	char *argv[WORDS + 1], *rest = text, *end = text + strlen(text);
	struct cmdline c;
	size_t n = 0;

	while (n < WORDS && (argv[n] = fuzz_line(&rest)))
		n++;
	argv[n] = NULL;
	fuzz_must(cmdline_scan(argv, &c) == 0);
	fuzz_must(c.n_options <= n);
	for (size_t i = 0; i < c.n_options; i++)
		fuzz_must(c.option[i] >= text && c.option[i] <= end);
	fuzz_must(!c.file || (c.file >= text && c.file <= end));
	fuzz_must(!c.step || (c.step >= text && c.step <= end));
	for (size_t i = 0; i < WEFT_COUNT(names); i++)
		cmdline_typed(&c, names[i]);
	cmdline_clear(&c);
	return 0;
}
