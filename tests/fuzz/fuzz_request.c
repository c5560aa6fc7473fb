/*
 * fuzz_request.c - the controller's half: a request, and lines "field=value" of what
 * the user typed.  What was typed holds, a refusal says why, nothing leaks.
 */
#include "fuzz.h"
#include "request/request.h"
#include "tests/tools/fake_slurmctld.h"

static void decode(const char *text)
{
	weft_autostr struct weft_str one = {0}, two = {0};
	struct weft_request r, again;
	struct weft_err err = {0};

	if (weft_request_decode(text, &r, &err)) {
		fuzz_refused(&err);
		return;
	}
	fuzz_must(weft_request_encode(&r, &one, &err) == 0);
	fuzz_must(weft_request_decode(one.s, &again, &err) == 0);
	fuzz_must(weft_request_encode(&again, &two, &err) == 0);
	fuzz_must(strcmp(one.s, two.s) == 0);
}

static void type(job_desc_msg_t *job, char *line)
{
	char *value = strchr(line, '=');

	if (!value)
		return;
	*value++ = '\0';
#define X(field)                                                                       \
	if (strcmp(line, #field) == 0) {                                               \
		slurm_xfree_ptr(job->field);                                           \
		job->field = slurm_xstrdup(value);                                     \
	}
	CTL_TEXTS
#undef X
#define X(field, unset)                                                                \
	if (strcmp(line, #field) == 0)                                                 \
		job->field = (__typeof__(job->field))strtoull(value, NULL, 10);
	CTL_NUMBERS X(het_job_offset, ) X(overcommit, ) X(sockets_per_node, )
#undef X
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	weft_autofree char *text = fuzz_text(data, size);
	char *rest = text, *request = fuzz_line(&rest), *msg = NULL;
	weft_autofree char *variable = weft_printf(WEFT_REQUEST_ENV "=%s", request);
	job_desc_msg_t job, before;

	if (!ready) {
		unsetenv("WEFT_CONF");
		fuzz_must(init() == SLURM_SUCCESS);
	}
	ready = true;
	decode(request);
	fuzz_must(variable);
	ctl_job(&job, variable);
	for (char *line; (line = fuzz_line(&rest));)
		type(&job, line);
	before = job;
	int rc = job_submit(&job, 1000, &msg);

	fuzz_must(rc == SLURM_SUCCESS || msg);
	fuzz_must(!ctl_changed(&before, &job));
	slurm_xfree_ptr(msg);
	ctl_job_free(&job);
	fuzz_must(ctl_blocks == 0);
	return 0;
}
