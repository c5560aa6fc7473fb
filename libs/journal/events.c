/* events.c - the append-only record: one writer a file, readers merge */
#include "journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line is `{...,"sum":"XXXXXXXX"}`: the first 8 digits of the digest of what is
 * before `,"sum"`. */
#define SUM_KEY ",\"sum\":\""
#define SUM_HEX 8

struct weft_journal {
	int fd;
	char *path;
	bool torn; /* the last line may not be whole */
};

int weft_journal_open(const struct weft_run *run, const char *name,
	struct weft_journal **j, struct weft_err *err)
{
	weft_autofree char *path = weft_printf("%s/journal/%s.jsonl", run->dir, name);

	*j = NULL;
	if (!path)
		return weft_err_nomem(err);
	weft_autofree char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	if (!dir)
		return weft_err_nomem(err);
	if (weft_mkdirs(dir, 0777, err))
		return -1;
	int fd = open(
		path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	/* A torn last line of a writer that died stays by itself. */
	struct stat st;
	char last = '\n';
	weft_autoclose int rd = open(path, O_RDONLY | O_CLOEXEC);
	if (fstat(fd, &st) == 0 && st.st_size > 0 && rd >= 0)
		(void)!pread(rd, &last, 1, st.st_size - 1);
	if (last != '\n' && weft_write_all(fd, "\n", 1)) {
		weft_err_sys(err, WEFT_ESYS, "%s", path);
		close(fd);
		return -1;
	}
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

static json_t *text(const char *s)
{
	json_t *j = json_string(s ? s : "");

	return j ? j : json_string("?");
}

int weft_journal_add(
	struct weft_journal *j, const struct weft_event *e, struct weft_err *err)
{
	json_t *o = json_object();
	char hex[WEFT_DIGEST_HEX];

	json_object_set_new(o, "time", json_real(e->time));
	json_object_set_new(o, "state", json_integer(e->state));
	if (e->step && *e->step)
		json_object_set_new(o, "step", text(e->step));
	if (e->member && *e->member)
		json_object_set_new(o, "member", text(e->member));
	if (e->job && *e->job)
		json_object_set_new(o, "job", text(e->job));
	if (e->text && *e->text)
		json_object_set_new(o, "text", text(e->text));
	if (e->total > 0) {
		json_object_set_new(o, "done", json_real(e->done));
		json_object_set_new(o, "total", json_real(e->total));
	}
	weft_autofree char *s = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!s)
		return weft_err_nomem(err);
	size_t n = strlen(s) - 1; /* without the last brace */
	weft_digest(s, n, hex);
	weft_autofree char *line = weft_printf("%s%.*s" SUM_KEY "%.*s\"}\n",
		j->torn ? "\n" : "", (int)n, s, SUM_HEX, hex);
	if (!line)
		return weft_err_nomem(err);
	/* One write, so that a reader sees whole lines on a local file system. */
	j->torn = weft_write_all(j->fd, line, strlen(line)) != 0;
	return j->torn ? weft_err_sys(err, WEFT_ESYS, "%s", j->path) : 0;
}

void weft_journal_sync(struct weft_journal *j)
{
	(void)!fsync(j->fd);
}

void weft_journal_close(struct weft_journal *j)
{
	if (!j)
		return;
	close(j->fd);
	free(j->path);
	free(j);
}

/* ---- reading ----------------------------------------------------------- */

struct tail {
	char *path; /* below journal/ */
	off_t at;
};
struct weft_reader {
	char *dir;
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
		n->dir = weft_path_join(run->dir, "journal");
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

static char *copy(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return strdup(s ? s : "");
}

/* Damaged lines are passed over: what they said is in the records too. */
static int add_line(struct events *ev, const char *line, size_t n)
{
	size_t tail = strlen(SUM_KEY) + SUM_HEX + 2;
	char hex[WEFT_DIGEST_HEX];

	if (n <= tail || memcmp(line + n - tail, SUM_KEY, strlen(SUM_KEY)))
		return 0;
	weft_digest(line, n - tail, hex);
	if (memcmp(hex, line + n - SUM_HEX - 2, SUM_HEX))
		return 0;
	json_t *o = json_loadb(line, n, 0, NULL);
	json_int_t state = json_integer_value(json_object_get(o, "state"));
	if (!json_is_object(o) || state < 0 || state > WEFT_STATE_LOST) {
		json_decref(o);
		return 0;
	}
	struct weft_event e = {
		.time = json_number_value(json_object_get(o, "time")),
		.state = (enum weft_state)state,
		.step = copy(o, "step"),
		.member = copy(o, "member"),
		.job = copy(o, "job"),
		.text = copy(o, "text"),
		.done = json_number_value(json_object_get(o, "done")),
		.total = json_number_value(json_object_get(o, "total")),
	};
	json_decref(o);
	if (!e.step || !e.member || !e.job || !e.text ||
		weft_grow(ev->v, ev->n, ev->cap)) {
		clear_event(&e);
		return -1;
	}
	ev->v[ev->n++] = e;
	return 0;
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
	for (const char *p = buf, *end = buf + (got > 0 ? got : 0); p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (!nl)
			break; /* the line isn't whole yet */
		if (add_line(ev, p, (size_t)(nl - p)))
			return -1;
		t->at += nl + 1 - p;
		p = nl + 1;
	}
	return 0;
}

static int scan(struct weft_reader *r, const char *below, int depth, struct events *ev)
{
	weft_autofree char *path = weft_path_join(r->dir, below);
	DIR *d = path ? opendir(path) : NULL;
	int bad = 0;

	if (!d)
		return 0;
	for (struct dirent *e; !bad && (e = readdir(d));) {
		size_t len = strlen(e->d_name), i;

		if (e->d_name[0] == '.')
			continue;
		weft_autofree char *name =
			*below ? weft_path_join(below, e->d_name) : strdup(e->d_name);
		if (!name) {
			bad = -1;
		} else if (len > 6 && weft_streq(e->d_name + len - 6, ".jsonl")) {
			if (!weft_map_get(&r->by_path, name, &i)) {
				i = r->n;
				if (weft_grow(r->tail, r->n, r->cap) ||
					weft_map_add(&r->by_path, name, i, NULL) < 0) {
					bad = -1;
					break;
				}
				r->tail[r->n++] = (struct tail){weft_steal(&name), 0};
			}
			bad = read_tail(r, &r->tail[i], ev);
		} else if (depth) {
			bad = scan(r, name, depth - 1, ev);
		}
	}
	closedir(d);
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
	if (scan(r, "", 3, &ev)) {
		weft_events_free(ev.v, ev.n);
		return weft_err_nomem(err);
	}
	if (ev.n)
		qsort(ev.v, ev.n, sizeof(*ev.v), by_time);
	*e = ev.v;
	*n = ev.n;
	return 0;
}
