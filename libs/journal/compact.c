/* compact.c - many files of records become one that says the same.  A crash at any
 * moment leaves the old files, or both, or what is left of the old ones and the new
 * one: a line that is there twice is one record. */
#include "journal/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES 16           /* fewer are left alone ... */
#define LINES 1000         /* ... and fewer lines */
#define CHUNK (1u << 20)   /* bytes that are written at once */
#define NUMBERS 1000000000 /* of files */

static int flush(int fd, struct weft_str *out)
{
	int bad = out->failed || weft_write_all(fd, out->s, out->len) ? -1 : 0;

	out->len = 0;
	return bad;
}

static int copy(struct weft_records *rs, int fd, struct weft_str *out, uint32_t file,
	uint64_t at)
{
	weft_autofree char *line = NULL;
	size_t n;

	if (records_line_at(rs, file, at, &line, &n))
		return -1;
	weft_str_addn(out, line, n);
	weft_str_addc(out, '\n');
	return out->len < CHUNK ? 0 : flush(fd, out);
}

/* What counts, and what isn't known: another workflow may know it. */
static int copy_all(struct weft_records *rs, int fd)
{
	weft_autostr struct weft_str out = {0};

	for (size_t s = 0; s < rs->wf->n_steps; s++) {
		const struct records_step *step = &rs->step[s];

		if (rs->wf->step[s].sweep.kind == WEFT_SWEEP_NONE)
			continue;
		for (size_t i = 0; i < step->n; i++)
			if (step->slot[i].file &&
				copy(rs, fd, &out, step->slot[i].file - 1,
					step->slot[i].at))
				return -1;
	}
	for (size_t i = 0; i < rs->n_late; i++)
		if (copy(rs, fd, &out, rs->late[i].file, rs->late[i].at))
			return -1;
	return flush(fd, &out);
}

static bool worth_it(const struct weft_records *rs, size_t files)
{
	size_t count = rs->n_late;

	for (size_t s = 0; s < rs->wf->n_steps; s++)
		for (size_t i = 0; i < rs->step[s].n; i++)
			count += rs->wf->step[s].sweep.kind != WEFT_SWEEP_NONE &&
				 rs->step[s].slot[i].file;
	return files >= FILES || (rs->lines > LINES && rs->lines > 2 * count);
}

static int sync_folder(const char *dir)
{
	weft_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? -1 : 0;
}

/* Whole under its own name, or not there: a link fails where the name is taken. */
static int publish(const char *dir, const char *tmp, struct weft_err *err)
{
	for (unsigned n = 1; n < NUMBERS; n++) {
		weft_autofree char *path = weft_printf("%s/compact-%u.jsonl", dir, n);

		if (!path)
			return weft_err_nomem(err);
		if (link(tmp, path) == 0)
			return sync_folder(dir)
				       ? weft_err_sys(err, WEFT_ESYS, "%s", dir)
				       : 0;
		if (errno != EEXIST)
			return weft_err_sys(err, WEFT_ESYS, "%s", path);
	}
	return weft_err_set(err, WEFT_ESYS, "%s: too many files", dir);
}

static int write_new(struct weft_records *rs, struct weft_err *err)
{
	weft_autofree char *tmp = weft_printf("%s/.compact.%d", rs->dir, (int)getpid());
	int r;

	if (!tmp)
		return weft_err_nomem(err);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return weft_err_sys(err, WEFT_ESYS, "%s", tmp);
	r = copy_all(rs, fd) || fsync(fd) ? weft_err_sys(err, WEFT_ESYS, "%s", tmp) : 0;
	close(fd);
	if (r == 0)
		r = publish(rs->dir, tmp, err);
	unlink(tmp);
	return r;
}

int weft_records_compact(const struct weft_run *run, const struct weft_workflow *wf,
	struct weft_err *err)
{
	struct weft_records *rs = NULL;
	char **path = NULL;
	size_t n = 0;
	int r = -1;

	if (weft_records_open(run, wf, &rs, err))
		return -1;
	/* The list first: a file that comes now isn't one of those that go. */
	if (line_files(rs->dir, &path, &n)) {
		weft_err_nomem(err);
		goto out;
	}
	if (weft_records_poll(rs, NULL, NULL, err))
		goto out;
	r = worth_it(rs, n) ? write_new(rs, err) : 1;
	for (size_t i = 0; r == 0 && i < n; i++) {
		weft_autofree char *old = weft_path_join(rs->dir, path[i]);

		if (!old || (unlink(old) && errno != ENOENT))
			r = weft_err_sys(err, WEFT_ESYS, "%s", path[i]);
	}
out:
	line_files_free(path, n);
	weft_records_free(rs);
	return r;
}
