/* history.c - what earlier runs of a workflow were like, from a sample of their
 * completion records */
#include "journal/journal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define RUNS 20         /* the latest so many are looked at */
#define READS 512       /* records that are read, of all runs together */
#define MOST 50         /* of them of one step */
#define FOLDERS 1100    /* entries of a folder that are looked at */
#define PERCENTILE 0.95 /* of the run times */

/* Records of one step. */
struct sample {
	char definition[WEFT_DIGEST_HEX];
	double seconds[MOST];
	uint64_t *bytes; /* by output, of all records; in the arena */
	size_t n, tried;
};

struct reading {
	const struct weft_workflow *wf;
	const struct weft_run *run;
	struct sample *sample;
	const struct weft_step *step; /* of the sample */
	size_t quota;                 /* of a step */
	size_t left;                  /* of READS */
};

static void take(struct reading *r, const struct weft_record *rec)
{
	struct sample *s = r->sample;

	if (rec->state != WEFT_STATE_DONE || !(rec->ended >= rec->started) ||
		!(rec->started > 0) || !weft_streq(rec->definition, s->definition))
		return;
	s->seconds[s->n++] = rec->ended - rec->started;
	for (size_t i = 0; i < r->step->n_outputs; i++)
		for (size_t k = 0; k < rec->n_outputs; k++)
			if (weft_streq(rec->output[k].name, r->step->output[i].name))
				s->bytes[i] += rec->output[k].bytes;
}

/* A folder of members is named by their id, or by its first two digits. */
static bool is_member(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return !name[n] && (n == 2 || n == WEFT_MEMBER_ID - 1);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **list(const char *dir, size_t *n)
{
	DIR *d = opendir(dir);
	char **v = NULL;
	size_t cap = 0;

	*n = 0;
	for (struct dirent *e; d && *n < FOLDERS && (e = readdir(d));) {
		char *name = is_member(e->d_name) ? strdup(e->d_name) : NULL;

		if (!name)
			continue;
		if (weft_grow(v, *n, cap) < 0) {
			free(name);
			break;
		}
		v[(*n)++] = name;
	}
	if (d)
		closedir(d);
	if (*n)
		qsort(v, *n, sizeof(*v), by_name);
	return v;
}

/* At most `quota` records in a folder and those in it, spread evenly. */
static void read_folder(struct reading *r, const char *dir, size_t quota, int depth)
{
	struct weft_record *rec = NULL;
	char **name;
	size_t n, used = 0;

	if (!r->left || !quota)
		return;
	int rc = weft_record_read(dir, &rec, NULL);

	if (rc == 0)
		take(r, rec);
	weft_record_free(rec);
	if (rc <= 0) {
		r->left--;
		r->sample->tried++;
		return;
	}
	name = depth ? list(dir, &n) : NULL;
	for (size_t i = 0; name && i < n; i++) {
		weft_autofree char *sub = NULL;
		/* As many of the quota as belong to the folders until this one. */
		size_t due = (i + 1) * quota / n;

		if (due > used && (sub = weft_path_join(dir, name[i])))
			read_folder(r, sub, due - used, depth - 1);
		used = due;
	}
	for (size_t i = 0; name && i < n; i++)
		free(name[i]);
	free(name);
}

static void read_run(struct reading *r, struct sample *sample, size_t stride)
{
	for (size_t i = 0; i < r->wf->n_steps && r->left; i += stride) {
		struct sample *s = &sample[i / stride];
		weft_autofree char *dir = NULL;

		if (s->tried >= r->quota)
			continue;
		r->sample = s;
		r->step = &r->wf->step[i];
		dir = weft_run_step_dir(r->run, r->step, NULL);
		if (dir)
			read_folder(r, dir, r->quota - s->tried, 3);
	}
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
static void read_runs(struct reading *r, const char *dir, bool local,
	struct sample *sample, size_t stride)
{
	unsigned last = weft_run_last(dir);

	for (unsigned n = last; n && last - n < RUNS && r->left; n--) {
		weft_autofree char *path = weft_printf("%s/%u", dir, n);
		struct weft_run *run;

		if (!path || weft_run_open(path, NULL, &run, NULL))
			continue;
		r->run = run;
		if (run->local == local)
			read_run(r, sample, stride);
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
	read_runs(&r, dir, local, sample, stride);
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
