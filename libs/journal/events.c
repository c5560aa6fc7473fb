/* events.c - the append-only record: one writer a file, readers merge */
#include "journal/journal.h"
#include "journal/line.h"
#include "journal/record.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct weft_journal {
	int fd;
	char *path;
	struct weft_str buf; /* whole lines */
	bool torn;           /* the last line in the file may not be whole */
};

static bool numbered(const char *text, const char *word, size_t *number)
{
	size_t n = strlen(word);
	int64_t v;

	if (strncmp(text, word, n) != 0 || !weft_parse_int(text + n, 0, INT32_MAX, &v))
		return false;
	*number = (size_t)v;
	return true;
}

bool weft_event_loop(const struct weft_event *e, size_t *loop)
{
	return e->state == WEFT_STATE_SUBMITTED && numbered(e->step, "loop/", loop);
}

bool weft_event_round(const struct weft_event *e, size_t *round)
{
	return e->state == WEFT_STATE_SUBMITTED && numbered(e->text, "round ", round);
}

int weft_journal_open(const struct weft_run *run, const char *name,
	struct weft_journal **j, struct weft_err *err)
{
	weft_autofree char *path = weft_printf("%s/journal/%s.jsonl", run->dir, name);

	*j = NULL;
	if (!path)
		return weft_err_nomem(err);
	int fd;
	if (line_open(path, &fd, err))
		return -1;
	struct weft_journal *n = calloc(1, sizeof(*n));
	if (!n) {
		close(fd);
		return weft_err_nomem(err);
	}
	n->fd = fd;
	n->path = weft_steal(&path);
	*j = n;
	return 0;
}

static void text(struct weft_str *out, const char *key, const char *s)
{
	if (!s || !*s)
		return;
	weft_str_printf(out, ",\"%s\":", key);
	line_string(out, s);
}

static void add_line(struct weft_str *out, const struct weft_event *e)
{
	size_t from = out->len;

	weft_str_printf(out, "{\"time\":%.6f,\"state\":%d",
		isfinite(e->time) ? e->time : 0, (int)e->state);
	text(out, "step", e->step);
	text(out, "member", e->member);
	text(out, "job", e->job);
	text(out, "text", e->text);
	if (e->total > 0 && isfinite(e->total) && isfinite(e->done))
		weft_str_printf(
			out, ",\"done\":%.17g,\"total\":%.17g", e->done, e->total);
	line_close(out, from);
}

int weft_journal_put(
	struct weft_journal *j, const struct weft_event *e, struct weft_err *err)
{
	add_line(&j->buf, e);
	if (!j->buf.failed)
		return 0;
	weft_str_free(&j->buf);
	return weft_err_nomem(err);
}

int weft_journal_flush(struct weft_journal *j, struct weft_err *err)
{
	if (!j->buf.len)
		return 0;
	/* One write, so that a reader sees whole lines on a local file system. */
	bool bad = (j->torn && weft_write_all(j->fd, "\n", 1)) ||
		   weft_write_all(j->fd, j->buf.s, j->buf.len);
	if (bad)
		weft_err_sys(err, WEFT_ESYS, "%s", j->path);
	/* What they say is in the records too: they aren't kept for another try. */
	j->torn = bad;
	j->buf.len = 0;
	return bad ? -1 : 0;
}

int weft_journal_add(
	struct weft_journal *j, const struct weft_event *e, struct weft_err *err)
{
	return weft_journal_put(j, e, err) || weft_journal_flush(j, err) ? -1 : 0;
}

void weft_journal_sync(struct weft_journal *j)
{
	weft_journal_flush(j, NULL);
	(void)!fsync(j->fd);
	(void)line_keep_name(j->path);
}

void weft_journal_close(struct weft_journal *j)
{
	if (!j)
		return;
	weft_journal_flush(j, NULL);
	close(j->fd);
	free(j->path);
	weft_str_free(&j->buf);
	free(j);
}

/* ---- reading ----------------------------------------------------------- */

struct tail {
	char *path; /* below the run */
	off_t at;
};
struct weft_reader {
	char *dir;
	bool records; /* of members, too */
	struct tail *tail;
	size_t n, cap;
	struct weft_map by_path;
};

struct events {
	struct weft_event *v;
	size_t n, cap;
};

int weft_reader_open(
	const struct weft_run *run, struct weft_reader **r, struct weft_err *err)
{
	struct weft_reader *n = calloc(1, sizeof(*n));

	*r = NULL;
	if (n)
		n->dir = strdup(run->dir);
	if (!n || !n->dir) {
		weft_reader_free(n);
		return weft_err_nomem(err);
	}
	*r = n;
	return 0;
}

void weft_reader_free(struct weft_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->tail[i].path);
	free(r->tail);
	free(r->dir);
	weft_map_free(&r->by_path);
	free(r);
}

void weft_reader_add_records(struct weft_reader *r)
{
	r->records = true;
}

static void clear_event(struct weft_event *e)
{
	free(e->step);
	free(e->member);
	free(e->job);
	free(e->text);
}

void weft_events_free(struct weft_event *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		clear_event(&e[i]);
	free(e);
}

static int add_event(struct events *ev, struct weft_event *e)
{
	if (!e->step || !e->member || !e->job || !e->text ||
		weft_grow(ev->v, ev->n, ev->cap)) {
		clear_event(e);
		return -1;
	}
	ev->v[ev->n++] = *e;
	return 0;
}

/* What a line of records/ tells: its member's end. */
static int read_record(struct events *ev, const char *line, size_t n)
{
	struct weft_record *r = record_line_read(line, n);

	if (!r)
		return 0;
	struct weft_event e = {.time = r->ended, .state = r->state};

	e.step = weft_steal(&r->step);
	e.member = weft_steal(&r->member);
	e.job = weft_steal(&r->job);
	e.text = weft_steal(&r->reason);
	weft_record_free(r);
	return add_event(ev, &e);
}

static int read_event(struct events *ev, const char *line, size_t n)
{
	json_t *o = json_loadb(line, n, 0, NULL);
	json_int_t state = json_integer_value(json_object_get(o, "state"));

	if (!json_is_object(o) || state < 0 || state > WEFT_STATE_LOST) {
		json_decref(o);
		return 0;
	}
	struct weft_event e = {
		.time = json_number_value(json_object_get(o, "time")),
		.state = (enum weft_state)state,
		.step = line_copy(o, "step"),
		.member = line_copy(o, "member"),
		.job = line_copy(o, "job"),
		.text = line_copy(o, "text"),
		.done = json_number_value(json_object_get(o, "done")),
		.total = json_number_value(json_object_get(o, "total")),
	};
	json_decref(o);
	return add_event(ev, &e);
}

static int read_tail(struct weft_reader *r, struct tail *t, struct events *ev)
{
	weft_autofree char *path = weft_path_join(r->dir, t->path);
	weft_autoclose int fd =
		path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || st.st_size <= t->at)
		return 0;
	size_t n = (size_t)(st.st_size - t->at);
	weft_autofree char *buf = malloc(n);
	if (!buf)
		return -1;
	ssize_t got = pread(fd, buf, n, t->at);
	bool record = weft_starts_with(t->path, "records/");
	for (const char *p = buf, *end = buf + (got > 0 ? got : 0); p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (!nl)
			break; /* the line isn't whole yet */
		size_t len = (size_t)(nl - p);
		/* Damaged lines are passed over. */
		if (line_is_whole(p, len) &&
			(record ? read_record(ev, p, len) : read_event(ev, p, len)))
			return -1;
		t->at += nl + 1 - p;
		p = nl + 1;
	}
	return 0;
}

static int tail_of(struct weft_reader *r, const char *dir, const char *name, size_t *i)
{
	weft_autofree char *path = weft_path_join(dir, name);

	if (!path)
		return -1;
	if (weft_map_get(&r->by_path, path, i))
		return 0;
	*i = r->n;
	if (weft_grow(r->tail, r->n, r->cap) ||
		weft_map_add(&r->by_path, path, r->n, NULL) < 0)
		return -1;
	r->tail[r->n++] = (struct tail){weft_steal(&path), 0};
	return 0;
}

static int scan(struct weft_reader *r, const char *below, struct events *ev)
{
	weft_autofree char *dir = weft_path_join(r->dir, below);
	char **name;
	size_t n, i;
	int bad = 0;

	if (!dir || line_files(dir, &name, &n))
		return -1;
	for (size_t k = 0; !bad && k < n; k++)
		bad = tail_of(r, below, name[k], &i) || read_tail(r, &r->tail[i], ev)
			      ? -1
			      : 0;
	line_files_free(name, n);
	return bad;
}

static int by_time(const void *a, const void *b)
{
	const struct weft_event *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

int weft_reader_poll(
	struct weft_reader *r, struct weft_event **e, size_t *n, struct weft_err *err)
{
	struct events ev = {0};

	*e = NULL;
	*n = 0;
	if (scan(r, "journal", &ev) || (r->records && scan(r, "records", &ev))) {
		weft_events_free(ev.v, ev.n);
		return weft_err_nomem(err);
	}
	if (ev.n)
		qsort(ev.v, ev.n, sizeof(*ev.v), by_time);
	*e = ev.v;
	*n = ev.n;
	return 0;
}
