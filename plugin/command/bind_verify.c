/* bind_verify.c - what a task was given: compared with what it has, and told to others
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind_command.h"

void bind_placer(char *buf, size_t size)
{
	const char *job = getenv("SLURM_JOB_ID"), *step = getenv("SLURM_STEP_ID");
	int64_t number;

	if (job && step && weft_parse_int(job, 0, UINT32_MAX, &number) &&
		weft_parse_int(step, 0, UINT32_MAX, &number))
		snprintf(buf, size, "%s.%s", job, step);
	else
		snprintf(buf, size, "pid:%d", (int)getppid());
}

const struct weft_note *bind_note(void)
{
	static struct weft_note note;
	const char *text = getenv(WEFT_PLACED_ENV);

	return text && weft_bind_read_note(text, &note) ? &note : NULL;
}

int bind_verify(void)
{
	const struct weft_note *note = bind_note();
	weft_autostr struct weft_str lines = {0};

	if (!note) {
		fprintf(stderr,
			"weft bind: this task was not placed by weft: it has no "
			"%s\n",
			WEFT_PLACED_ENV);
		return WEFT_EFAILED;
	}
	weft_bind_verify(note, &lines);
	if (lines.failed)
		return WEFT_EFAILED;
	if (lines.len) {
		fputs(lines.s, stdout);
		return WEFT_EFAILED;
	}
	puts(note->borrowed ? "as planned; not applied: borrowed topology"
			    : "as planned");
	return 0;
}

int bind_others(void)
{
	struct weft_others *o = malloc(sizeof(*o));
	char by[72], cpus[WEFT_MAX_CPUS * 5];
	weft_autostr struct weft_str out = {0};

	if (!o)
		return WEFT_EFAILED;
	bind_placer(by, sizeof(by));
	weft_bind_find_others(by, bind_note(), o);
	weft_cpuset_print(&o->cpus, cpus, sizeof(cpus));
	weft_str_printf(&out, "cpus=%s\ngpus=", cpus);
	for (size_t i = 0; i < o->n_gpus; i++)
		weft_str_printf(&out, "%s%s", i ? "," : "", o->gpu[i]);
	weft_str_addc(&out, '\n');
	free(o);
	return cmd_print(&out);
}
