/* fuzz_resume.c - what a killed copy has noted beside its temporary: as it is, and with
 * this source's header and the lines' checks made right */
#include "stage/resume.c"

#include "fuzz_dir.h"

static void adopt(struct stage_job *job, int dir, const struct stat *source)
{
	int rc = stage_resume_open(job, dir, "notes", source, true);

	fuzz_must(rc == 0 || rc == 1);
	fuzz_must((rc == 0) == (job->resume != NULL));
	if (rc == 0)
		fuzz_must(stage_resume_has(job) == (job->resume->n > 0));
	stage_resume_close(job);
}

static void add_checked(struct weft_str *s, const char *line)
{
	size_t from = s->len;

	weft_str_printf(s, "%s ", line);
	add_line(s, from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct weft_stage_options opt = {0};
	struct stage_job job = {.opt = &opt};
	const struct stat source = {.st_dev = 1, .st_ino = 2};
	weft_autofree char *text = fuzz_text(data, size),
			   *first = header(&job, &source);
	weft_autostr struct weft_str checked = {0};
	weft_autoclose int dir = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *rest = text;

	fuzz_must(dir >= 0 && first);
	fuzz_write(fuzz_dir(), "notes", data, size);
	adopt(&job, dir, &source);
	add_checked(&checked, first);
	for (char *line; (line = fuzz_line(&rest));)
		add_checked(&checked, line);
	fuzz_must(!checked.failed);
	fuzz_write(fuzz_dir(), "notes", checked.s, checked.len);
	adopt(&job, dir, &source);
	weft_err_clear(&job.err);
	return 0;
}
