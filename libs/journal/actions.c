/* actions.c - what was decided while a run went on: rounds of loops, members of sweeps.
 * Each line is on disk before it takes effect, and every process that opens the run
 * makes the same of it. */
#include "journal/journal.h"
#include "journal/line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACTIONS_MAX ((size_t)1 << 30)

static const char *const kinds[] = {
	"round", "end", "add", "cancel", "priority", "stop", "note"};

struct weft_actions {
	int fd;
	char *path;
	uint64_t seq; /* of the next line */
	bool torn;    /* the last write failed: its line may not be whole */
};

/* ---- reading ------------------------------------------------------------- */

struct actions {
	struct weft_action *v;
	size_t n, cap;
};

static void clear(struct weft_action *a)
{
	free(a->step);
	free(a->member);
	free(a->params);
	free(a->text);
}

void weft_actions_free(struct weft_action *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		clear(&v[i]);
	free(v);
}

static int kind_of(const json_t *o)
{
	const char *s = json_string_value(json_object_get(o, "action"));

	for (size_t i = 0; s && i < WEFT_COUNT(kinds); i++)
		if (weft_streq(s, kinds[i]))
			return (int)i;
	return -1;
}

static int add_line(struct actions *all, const char *line, size_t n)
{
	if (!line_is_whole(line, n))
		return 0; /* it had no effect: that comes after the line */
	json_t *o = json_loadb(line, n, 0, NULL);
	int kind = kind_of(o);
	if (kind < 0) {
		json_decref(o);
		return 0;
	}
	const json_t *params = json_object_get(o, "params");
	struct weft_action a = {
		.seq = (uint64_t)json_integer_value(json_object_get(o, "seq")),
		.time = json_number_value(json_object_get(o, "time")),
		.kind = (enum weft_action_kind)kind,
		.step = line_copy(o, "step"),
		.member = line_copy(o, "member"),
		.params = params ? json_dumps(params, JSON_COMPACT | JSON_ENCODE_ANY)
				 : strdup(""),
		.number = json_integer_value(json_object_get(o, "number")),
		.text = line_copy(o, "text")};
	json_decref(o);
	if (!a.step || !a.member || !a.params || !a.text ||
		weft_grow(all->v, all->n, all->cap)) {
		clear(&a);
		return -1;
	}
	all->v[all->n++] = a;
	return 0;
}

static int by_seq(const void *a, const void *b)
{
	const struct weft_action *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->time < y->time ? -1 : x->time > y->time;
}

static int read_file(const char *dir, const char *name, struct actions *all)
{
	weft_autofree char *path = weft_path_join(dir, name), *text = NULL;
	size_t n;

	if (!path)
		return -1;
	if (weft_read_file(path, ACTIONS_MAX, &text, &n, NULL))
		return 0;
	for (const char *p = text, *end = text + n, *nl; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			nl = end;
		if (add_line(all, p, (size_t)(nl - p)))
			return -1;
	}
	return 0;
}

int weft_actions_read(const struct weft_run *run, struct weft_action **v, size_t *n,
	struct weft_err *err)
{
	weft_autofree char *dir = weft_path_join(run->dir, "actions");
	struct actions all = {0};
	int bad = 0;

	*v = NULL;
	*n = 0;
	if (!dir)
		return weft_err_nomem(err);
	DIR *d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : weft_err_sys(err, WEFT_ESYS, "%s", dir);
	for (struct dirent *e; !bad && (e = readdir(d));)
		if (e->d_name[0] != '.')
			bad = read_file(dir, e->d_name, &all);
	closedir(d);
	if (bad) {
		weft_actions_free(all.v, all.n);
		return weft_err_nomem(err);
	}
	if (all.n)
		qsort(all.v, all.n, sizeof(*all.v), by_seq);
	*v = all.v;
	*n = all.n;
	return 0;
}

/* ---- writing ------------------------------------------------------------- */

int weft_actions_open(const struct weft_run *run, const char *name,
	struct weft_actions **out, struct weft_err *err)
{
	struct weft_actions *a = calloc(1, sizeof(*a));
	struct weft_action *v = NULL;
	size_t n;

	*out = NULL;
	if (a) {
		a->fd = -1;
		a->path = weft_printf("%s/actions/%s.jsonl", run->dir, name);
	}
	if (!a || !a->path) {
		weft_actions_close(a);
		return weft_err_nomem(err);
	}
	if (weft_actions_read(run, &v, &n, err) || line_open(a->path, &a->fd, err) ||
		(line_keep_name(a->path) &&
			weft_err_sys(err, WEFT_ESYS, "%s", a->path))) {
		weft_actions_free(v, n);
		weft_actions_close(a);
		return -1;
	}
	a->seq = n ? v[n - 1].seq + 1 : 0;
	weft_actions_free(v, n);
	*out = a;
	return 0;
}

int weft_actions_add(
	struct weft_actions *w, const struct weft_action *a, struct weft_err *err)
{
	weft_autostr struct weft_str s = {0};

	if (w->torn)
		weft_str_addc(&s, '\n');
	size_t from = s.len;
	weft_str_printf(&s, "{\"seq\":%ju,\"time\":%.6f,\"action\":\"%s\"",
		(uintmax_t)w->seq, weft_now(), kinds[a->kind]);
	weft_str_add(&s, ",\"step\":");
	line_string(&s, a->step ? a->step : "");
	if (a->member && *a->member) {
		weft_str_add(&s, ",\"member\":");
		line_string(&s, a->member);
	}
	if (a->params && *a->params)
		weft_str_printf(&s, ",\"params\":%s", a->params);
	if (a->number)
		weft_str_printf(&s, ",\"number\":%jd", (intmax_t)a->number);
	if (a->text && *a->text) {
		weft_str_add(&s, ",\"text\":");
		line_string(&s, a->text);
	}
	line_close(&s, from);
	if (s.failed)
		return weft_err_nomem(err);
	w->torn = weft_write_all(w->fd, s.s, s.len) != 0;
	if (w->torn || fdatasync(w->fd)) {
		w->torn = true;
		return weft_err_sys(err, WEFT_ESYS, "%s", w->path);
	}
	w->seq++;
	return 0;
}

void weft_actions_close(struct weft_actions *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	free(w->path);
	free(w);
}
