/* records.c - for tests and benches of large runs:
 *   records fill RUN N     N more members of the first sweep are done, by a writer that
 *                          was killed in the middle of the next line
 *   records left RUN       reads all, prints how many members have no end, and seconds
 */
#include "journal/journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP 500 /* records a commit */

static struct weft_run *run;
static struct weft_workflow *wf;

static int fail(struct weft_err *err)
{
	weft_autofree char *line = weft_err_line(err);

	fprintf(stderr, "records: %s\n", line ? line : "?");
	return 1;
}

static int add(struct weft_recorder *w, const struct weft_step *step, size_t i,
	char *definition, struct weft_err *err)
{
	char digest[WEFT_DIGEST_HEX];
	struct weft_member m;

	if (weft_sweep_member(wf, step, i, &m, err))
		return -1;
	struct weft_record r = {.state = WEFT_STATE_DONE,
		.step = (char *)step->name,
		.member = m.id,
		.index = i,
		.hosts = (char *)"node1",
		.job = (char *)"1234567",
		.started = weft_now(),
		.ended = weft_now(),
		.user_seconds = 0.001,
		.max_rss = 1 << 20,
		.digest = digest,
		.definition = definition};
	int bad = weft_record_digest(wf, step, &m, digest, err) ||
		  weft_recorder_add(w, &r, err) ||
		  (weft_recorder_pending(w) >= GROUP && weft_recorder_commit(w, err));
	weft_member_clear(&m);
	return bad ? -1 : 0;
}

static int fill(size_t n, struct weft_err *err)
{
	const char torn[] = "{\"step\":\"";
	char definition[WEFT_DIGEST_HEX];
	const struct weft_step *step = wf->step;
	struct weft_recorder *w;
	struct weft_records *rs;

	while (step->sweep.kind == WEFT_SWEEP_NONE && step < wf->step + wf->n_steps - 1)
		step++;
	if (weft_record_digest(wf, step, NULL, definition, err) ||
		weft_recorder_open(run, "local", &w, err) ||
		weft_records_open(run, wf, &rs, err) ||
		weft_records_poll(rs, NULL, NULL, err))
		return -1;
	for (size_t i = 0; n && i < step->sweep.count; i++) {
		if (weft_records_head(rs, step->index, i).known)
			continue;
		if (add(w, step, i, definition, err))
			return -1;
		n--;
	}
	weft_recorder_close(w);
	weft_records_free(rs);
	weft_autofree char *path = weft_path_join(run->dir, "records/local.jsonl");
	weft_autoclose int fd = path ? open(path, O_WRONLY | O_APPEND) : -1;
	return fd < 0 || weft_write_all(fd, torn, strlen(torn))
		       ? weft_err_sys(err, WEFT_ESYS, "%s", path)
		       : 0;
}

static int left(struct weft_err *err)
{
	double begin = weft_monotonic();
	struct weft_records *rs;
	size_t n = 0;

	if (weft_records_open(run, wf, &rs, err) ||
		weft_records_poll(rs, NULL, NULL, err))
		return -1;
	for (unsigned s = 0; s < wf->n_steps; s++)
		for (size_t i = 0; i < wf->step[s].sweep.count; i++)
			n += !weft_state_ended(weft_records_head(rs, s, i).state);
	printf("%zu %.3f\n", n, weft_monotonic() - begin);
	weft_records_free(rs);
	return 0;
}

int main(int argc, char **argv)
{
	struct weft_err err = {0};
	struct weft_errs errs = {0};
	int bad;

	if (argc < 3 || weft_run_open(argv[2], NULL, &run, &err))
		return fail(&err);
	if (weft_run_workflow(run, &wf, &errs))
		return fail(&errs.v[0]);
	bad = weft_streq(argv[1], "fill") && argc > 3
		      ? fill(strtoul(argv[3], NULL, 10), &err)
		      : left(&err);
	weft_spec_free(wf);
	weft_run_free(run);
	return bad ? fail(&err) : 0;
}
