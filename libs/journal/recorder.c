/* recorder.c - the one who writes a file of members' records, in groups */
#include "journal/line.h"
#include "journal/record.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct weft_recorder {
	int fd;
	char *path;
	struct weft_str buf; /* whole lines, that are not written yet */
	struct weft_str out; /* those that are, and not yet on disk */
	size_t pending;      /* so many, in both */
	size_t written;      /* of these, in out */
	bool torn;           /* the last line in the file may not be whole */
	bool named;          /* the file's name is on disk */
};

int weft_recorder_open(const struct weft_run *run, const char *name,
	struct weft_recorder **r, struct weft_err *err)
{
	struct weft_recorder *n = calloc(1, sizeof(*n));

	*r = NULL;
	if (n) {
		n->fd = -1;
		n->path = weft_printf("%s/records/%s.jsonl", run->dir, name);
	}
	if (!n || !n->path) {
		weft_recorder_close(n);
		return weft_err_nomem(err);
	}
	if (line_open(n->path, &n->fd, err)) {
		weft_recorder_close(n);
		return -1;
	}
	*r = n;
	return 0;
}

int weft_recorder_add(
	struct weft_recorder *r, const struct weft_record *rec, struct weft_err *err)
{
	size_t len = r->buf.len;

	record_line_add(&r->buf, rec);
	if (r->buf.failed) {
		/* The lines before it are as they were. */
		r->buf.failed = false;
		r->buf.len = len;
		return weft_err_nomem(err);
	}
	r->pending++;
	return 0;
}

size_t weft_recorder_pending(const struct weft_recorder *r)
{
	return r->pending;
}

int weft_recorder_settle(struct weft_recorder *r, struct weft_err *err)
{
	if (!r->named && line_keep_name(r->path))
		return weft_err_sys(err, WEFT_ESYS, "%s", r->path);
	r->named = true;
	return 0;
}

/* Nobody knows what of it the disk has: all of it is written again.  A line that is
 * there twice is one record. */
static void take_back(struct weft_recorder *r)
{
	r->torn = true;
	if (!r->out.len)
		return;
	weft_str_addn(&r->out, r->buf.s, r->buf.len);
	struct weft_str was = r->buf;
	r->buf = r->out;
	r->out = was;
	r->out.len = 0;
}

int weft_recorder_begin(struct weft_recorder *r, struct weft_err *err)
{
	struct weft_str was = r->out;

	if (weft_recorder_settle(r, err))
		return -1;
	r->out = r->buf;
	r->buf = was;
	r->written = r->pending;
	if ((r->torn && weft_write_all(r->fd, "\n", 1)) ||
		weft_write_all(r->fd, r->out.s, r->out.len)) {
		weft_err_sys(err, WEFT_ESYS, "%s", r->path);
		take_back(r);
		return -1;
	}
	r->torn = false;
	return 0;
}

int weft_recorder_sync(const struct weft_recorder *r)
{
	return fdatasync(r->fd);
}

void weft_recorder_end(struct weft_recorder *r, bool synced)
{
	if (!synced) {
		take_back(r);
		return;
	}
	r->pending -= r->written;
	r->out.len = 0;
}

int weft_recorder_commit(struct weft_recorder *r, struct weft_err *err)
{
	if (!r->pending)
		return 0;
	if (weft_recorder_begin(r, err))
		return -1;
	bool synced = weft_recorder_sync(r) == 0;
	if (!synced)
		weft_err_sys(err, WEFT_ESYS, "%s", r->path);
	weft_recorder_end(r, synced);
	return synced ? 0 : -1;
}

void weft_recorder_close(struct weft_recorder *r)
{
	if (!r)
		return;
	if (r->pending)
		weft_recorder_commit(r, NULL);
	if (r->fd >= 0)
		close(r->fd);
	weft_str_free(&r->buf);
	weft_str_free(&r->out);
	free(r->path);
	free(r);
}
