/* history.c - what earlier runs of a workflow were like, from a sample of their
 * completion records */
#include "journal/line.h"
#include "journal/record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNS 20         /* the latest so many are looked at */
#define READS 512       /* records that are read, of all runs together */
#define MOST 50         /* of them of one step */
#define FILES 64        /* of members' records that are looked at, of a run */
#define WINDOWS 64      /* in them, of all together */
#define WINDOW 16384    /* bytes */
#define LINE 65536      /* a longer one isn't looked at */
#define PERCENTILE 0.95 /* of the run times */

/* Records of one step. */
struct sample {
	char definition[WEFT_DIGEST_HEX];
	double seconds[MOST];
	uint64_t *bytes; /* by output, of all records; in the arena */
	size_t n, tried;
	size_t before; /* tried, when a run's files were begun */
};

struct reading {
	const struct weft_workflow *wf;
	size_t quota;  /* of a step */
	size_t stride; /* every so many steps are looked at */
	size_t left;   /* of READS */
};

static void take(
	struct sample *s, const struct weft_step *step, const struct weft_record *rec)
{
	if (rec->state != WEFT_STATE_DONE || !(rec->ended >= rec->started) ||
		!(rec->started > 0) || !weft_streq(rec->definition, s->definition))
		return;
	s->seconds[s->n++] = rec->ended - rec->started;
	for (size_t i = 0; i < step->n_outputs; i++)
		for (size_t k = 0; k < rec->n_outputs; k++)
			if (weft_streq(rec->output[k].name, step->output[i].name))
				s->bytes[i] += rec->output[k].bytes;
}

/* The record of a step without a sweep. */
static void read_steps(
	struct reading *r, const struct weft_run *run, struct sample *sample)
{
	for (size_t i = 0; i < r->wf->n_steps && r->left; i += r->stride) {
		struct sample *s = &sample[i / r->stride];
		weft_autofree char *dir = weft_run_step_dir(run, &r->wf->step[i], NULL);
		struct weft_record *rec = NULL;

		if (!dir || s->tried >= r->quota)
			continue;
		if (weft_record_read(dir, &rec, NULL) <= 0) {
			r->left--;
			s->tried++;
		}
		if (rec)
			take(s, &r->wf->step[i], rec);
		weft_record_free(rec);
	}
}

/* ---- records of members: windows spread over their files ---------------- */

static void read_line(struct reading *r, struct sample *sample, double part,
	const char *line, size_t n)
{
	struct record_line l;
	weft_autofree char *name = NULL;
	json_t *keep = NULL;
	size_t step;

	if (!line_is_whole(line, n) || !record_line_head(line, n, &l, &keep))
		goto out;
	name = strndup(l.step, l.step_len);
	if (!name || !weft_map_get(&r->wf->by_name, name, &step) || step % r->stride)
		goto out;
	struct sample *s = &sample[step / r->stride];
	/* As many of the quota as belong to the windows until this one. */
	if (s->tried >= r->quota ||
		(double)(s->tried - s->before) >= part * (double)(r->quota - s->before))
		goto out;
	struct weft_record *rec = record_line_read(line, n);
	r->left--;
	s->tried++;
	if (rec)
		take(s, &r->wf->step[step], rec);
	weft_record_free(rec);
out:
	json_decref(keep);
}

/* The lines that begin in a window. */
static void read_window(struct reading *r, struct sample *sample, double part, int fd,
	off_t at, size_t size)
{
	size_t want = size + LINE + 1;
	weft_autofree char *buf = malloc(want);
	off_t from = at ? at - 1 : 0;
	ssize_t got = buf ? pread(fd, buf, want, from) : -1;

	if (got <= 0)
		return;
	const char *p = buf, *end = buf + got, *nl;
	if (at) { /* what began before it is another window's */
		nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : end;
	}
	for (; r->left && p < end && from + (p - buf) < at + (off_t)size; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		read_line(r, sample, part, p, (size_t)(nl - p));
	}
}

static void read_file(struct reading *r, const char *dir, const char *name,
	struct sample *sample, size_t nth, size_t n)
{
	weft_autofree char *path = weft_path_join(dir, name);
	weft_autoclose int fd =
		path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	size_t windows = WINDOWS / n ? WINDOWS / n : 1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	off_t apart = st.st_size / (off_t)windows + 1;
	size_t size = apart < WINDOW ? (size_t)apart : WINDOW;
	for (size_t w = 0; w < windows && r->left; w++)
		read_window(r, sample,
			(double)(nth * windows + w + 1) / (double)(n * windows), fd,
			(off_t)w * apart, size);
}

static void read_members(
	struct reading *r, const struct weft_run *run, struct sample *sample)
{
	weft_autofree char *dir = weft_path_join(run->dir, "records");
	char **path = NULL;
	size_t n = 0;

	if (!dir || line_files(dir, &path, &n))
		return;
	for (size_t i = 0; i < r->wf->n_steps; i += r->stride)
		sample[i / r->stride].before = sample[i / r->stride].tried;
	size_t used = n < FILES ? n : FILES;
	for (size_t i = 0; i < used && r->left; i++)
		read_file(r, dir, path[i * n / used], sample, i, used);
	line_files_free(path, n);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void sum_up(
	struct sample *s, const struct weft_step *step, struct weft_history_step *to)
{
	size_t at = (size_t)(PERCENTILE * (double)s->n);

	if (!s->n)
		return;
	qsort(s->seconds, s->n, sizeof(*s->seconds), by_value);
	to->n = s->n;
	to->seconds = s->seconds[at < s->n ? at : s->n - 1];
	to->out = s->bytes;
	for (size_t i = 0; i < step->n_outputs; i++)
		to->out[i] /= s->n;
}

static int prepare(struct weft_history *h, const struct weft_workflow *wf,
	struct sample *sample, size_t stride, struct weft_err *err)
{
	h->n_steps = wf->n_steps;
	h->step = weft_arena_alloc(&h->arena, (wf->n_steps + 1) * sizeof(*h->step));
	if (!h->step)
		return weft_err_nomem(err);
	for (size_t i = 0; i < wf->n_steps; i += stride) {
		struct sample *s = &sample[i / stride];

		s->bytes = weft_arena_alloc(
			&h->arena, (wf->step[i].n_outputs + 1) * sizeof(*s->bytes));
		if (!s->bytes)
			return weft_err_nomem(err);
		if (weft_record_digest(wf, &wf->step[i], NULL, s->definition, err))
			return -1;
	}
	return 0;
}

/* The latest runs first; what can't be read counts as not there. */
static void read_runs(
	struct reading *r, const char *dir, bool local, struct sample *sample)
{
	unsigned last = weft_run_last(dir);

	for (unsigned n = last; n && last - n < RUNS && r->left; n--) {
		weft_autofree char *path = weft_printf("%s/%u", dir, n);
		struct weft_run *run;

		if (!path || weft_run_open(path, NULL, &run, NULL))
			continue;
		if (run->local == local) {
			read_steps(r, run, sample);
			read_members(r, run, sample);
		}
		weft_run_free(run);
	}
}

int weft_history_load(const char *parent, const struct weft_workflow *wf, bool local,
	struct weft_history **out, struct weft_err *err)
{
	weft_autofree char *dir = weft_path_join(parent, wf->name);
	struct reading r = {.wf = wf, .left = READS};
	struct weft_history *h = calloc(1, sizeof(*h));
	size_t stride = (wf->n_steps + READS - 1) / READS, n;
	struct sample *sample = NULL;
	int rc = -1;

	*out = NULL;
	if (!dir || !h) {
		weft_err_nomem(err);
		goto out;
	}
	if (!weft_run_last(dir)) {
		rc = 0; /* the first one: nothing to hash, nothing to read */
		goto out;
	}
	stride = stride ? stride : 1;
	r.stride = stride;
	n = wf->n_steps / stride + 1;
	r.quota = READS / n < MOST ? READS / n : MOST;
	r.quota = r.quota ? r.quota : 1;
	sample = calloc(n, sizeof(*sample));
	if (!sample) {
		weft_err_nomem(err);
		goto out;
	}
	if (prepare(h, wf, sample, stride, err) < 0)
		goto out;
	read_runs(&r, dir, local, sample);
	for (size_t i = 0; i < wf->n_steps; i += stride)
		sum_up(&sample[i / stride], &wf->step[i], &h->step[i]);
	rc = 0;
out:
	free(sample);
	if (rc < 0) {
		weft_history_free(h);
		h = NULL;
	}
	*out = h;
	return rc;
}

void weft_history_free(struct weft_history *h)
{
	if (!h)
		return;
	weft_arena_free(&h->arena);
	free(h);
}
