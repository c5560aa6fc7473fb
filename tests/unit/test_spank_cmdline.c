/* srun's command line, as the plug-in reads it before srun has */
#include "plugin/spank/cmdline.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"

static void scan(const char *line, struct cmdline *c, char *copy, char **argv)
{
	size_t n = 0;

	strcpy(copy, line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[n++] = w;
	argv[n] = NULL;
	ck_assert_int_eq(cmdline_scan(argv, c), 0);
}

START_TEST(test_step)
{
	static const struct {
		const char *line, *file, *step;
	} cases[] = {
		{"srun true", NULL, NULL},
		{"srun --weft-step=a true", NULL, "a"},
		{"srun --weft-step a --weft f.yaml true", "f.yaml", "a"},
		{"srun -n 2 --weft=f --weft-step=a true", "f", "a"},
		{"srun -n2 -l --weft-step=a true", NULL, "a"},
		{"srun -ln 2 --weft-step=a true", NULL, "a"},
		{"srun --label --pty --weft-step=a true", NULL, "a"},
		{"srun --time 5 --weft-step=a true", NULL, "a"},
		{"srun --exclusive --weft-step=a true", NULL, "a"},
		/* What the command is given is the command's. */
		{"srun true --weft-step=a", NULL, NULL},
		{"srun -l true --weft-step=a", NULL, NULL},
		{"srun -n 2 true --weft-step=a", NULL, NULL},
		{"srun --label true --weft-step=a", NULL, NULL},
		{"srun --weft-dry-run true --weft-step=a", NULL, NULL},
		{"srun -- true --weft-step=a", NULL, NULL},
		/* Taken as srun's getopt takes it. */
		{"srun --weft-step=a --weft-step=b true", NULL, "b"},
		{"srun --weft-step", NULL, NULL},
		{"srun --weft-step=", NULL, ""},
		{"srun --weft-steps=a true", NULL, NULL},
		{"srun", NULL, NULL},
	};

	for (size_t i = 0; i < WEFT_COUNT(cases); i++) {
		struct cmdline c;
		char copy[256], *argv[64];

		scan(cases[i].line, &c, copy, argv);
		ck_assert_msg(weft_streq(c.step, cases[i].step), "%s: step %s",
			cases[i].line, c.step);
		ck_assert_msg(weft_streq(c.file, cases[i].file), "%s: file %s",
			cases[i].line, c.file);
		cmdline_clear(&c);
	}
	struct cmdline none;
	char *empty[] = {NULL};
	ck_assert_int_eq(cmdline_scan(empty, &none), 0);
	ck_assert_ptr_null(none.step);
	cmdline_clear(&none);
}
END_TEST

START_TEST(test_typed)
{
	struct cmdline c;
	char copy[256], *argv[64];

	scan("srun -n2 --mem-per-cpu=1G --par gpu -t 5 --weft-step=a true -c 4", &c,
		copy, argv);
	ck_assert(cmdline_typed(&c, "--ntasks -n"));
	ck_assert(cmdline_typed(&c, "--mem --mem-per-cpu --mem-per-gpu"));
	ck_assert(!cmdline_typed(&c, "--mem"));
	ck_assert(cmdline_typed(&c, "--partition -p")); /* abbreviated */
	ck_assert(cmdline_typed(&c, "--time -t"));
	ck_assert(!cmdline_typed(&c, "--cpus-per-task -c")); /* the command's */
	ck_assert(!cmdline_typed(&c, "--nodes -N"));
	ck_assert(!cmdline_typed(&c, NULL));
	cmdline_clear(&c);
}
END_TEST

START_TEST(test_read)
{
	char **argv = cmdline_read();

	ck_assert_ptr_nonnull(argv);
	ck_assert_ptr_nonnull(strstr(argv[0], "test_spank_cmdline"));
	ck_assert_ptr_null(argv[1]);
	free(argv);
}
END_TEST

SUITE("spank_cmdline", test_step, test_typed, test_read)
