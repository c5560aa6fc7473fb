/* recorder.c - the one who writes a file of members' records, in groups */
#include "journal/line.h"
#include "journal/record.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct weft_recorder {
	int fd;
	char *path;
	struct weft_str buf; /* whole lines, that are not on disk yet */
	size_t pending;      /* so many */
	size_t written;      /* bytes of buf that are in the file by now */
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

static int write_rest(struct weft_recorder *r)
{
	/* After a failure all of it is written again: nobody knows what of it the disk
	 * has.  A line that is there twice is one record. */
	int bad = (r->torn && weft_write_all(r->fd, "\n", 1)) ||
		  weft_write_all(r->fd, r->buf.s + r->written, r->buf.len - r->written);

	r->torn = bad;
	r->written = bad ? 0 : r->buf.len;
	return bad ? -1 : 0;
}

void weft_recorder_flush(struct weft_recorder *r)
{
	if (!r->torn && r->written < r->buf.len)
		write_rest(r);
}

int weft_recorder_commit(struct weft_recorder *r, struct weft_err *err)
{
	if (!r->pending)
		return 0;
	if (weft_recorder_settle(r, err))
		return -1;
	if (write_rest(r) || fdatasync(r->fd)) {
		r->torn = true;
		r->written = 0;
		return weft_err_sys(err, WEFT_ESYS, "%s", r->path);
	}
	r->pending = 0;
	r->written = 0;
	r->buf.len = 0;
	return 0;
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
	free(r->path);
	free(r);
}
