/* records_read.c - the files of a store: what is new in them, and a line again */
#include "journal/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20)
#define LINE_MAX_BYTES ((size_t)64 << 20)

static void close_line(struct weft_records *rs)
{
	if (rs->fd >= 0)
		close(rs->fd);
	rs->fd = -1;
}

void records_rewind(struct weft_records *rs)
{
	close_line(rs);
	for (size_t i = 0; i < rs->n_files; i++)
		rs->file[i].at = 0;
}

void records_files_free(struct weft_records *rs)
{
	close_line(rs);
	for (size_t i = 0; i < rs->n_files; i++)
		free(rs->file[i].path);
	free(rs->file);
	weft_map_free(&rs->by_path);
}

/* Each time anew: so a shared file system gives what others have written. */
static int open_file(const struct weft_records *rs, const char *path)
{
	weft_autofree char *full = weft_path_join(rs->dir, path);

	if (!full) {
		errno = ENOMEM;
		return -1;
	}
	return open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

static bool is_gone(int why)
{
	return why == ENOENT || why == ENOTDIR || why == ESTALE;
}

static int file_of(struct weft_records *rs, const char *path, size_t *at)
{
	if (weft_map_get(&rs->by_path, path, at))
		return 0;
	char *own = strdup(path);
	if (!own || weft_grow(rs->file, rs->n_files, rs->cap_files) ||
		weft_map_add(&rs->by_path, own, rs->n_files, NULL) < 0) {
		free(own);
		return -1;
	}
	*at = rs->n_files++;
	rs->file[*at] = (struct records_file){own, 0};
	return 0;
}

/* The lines of a chunk.  A last one without a newline counts if its sum says that it is
 * whole, whatever comes after it. *used: bytes that need not be read again. */
static int add_lines(struct weft_records *rs, uint32_t file, const char *buf, size_t n,
	size_t *used, struct records_changed *changed, struct weft_err *err)
{
	uint64_t at = rs->file[file].at;

	*used = 0;
	while (*used < n) {
		const char *line = buf + *used, *nl = memchr(line, '\n', n - *used);
		size_t len = nl ? (size_t)(nl - line) : n - *used;

		if (!nl && !line_is_whole(line, len))
			break;
		if (records_add(rs, file, at + *used, line, len, changed, err))
			return -1;
		*used += len + (nl != NULL);
	}
	return 0;
}

static int read_new(struct weft_records *rs, uint32_t file,
	struct records_changed *changed, struct weft_err *err)
{
	weft_autoclose int fd = open_file(rs, rs->file[file].path);
	weft_autofree char *buf = NULL;
	struct stat st;
	size_t cap = CHUNK;

	/* What isn't a file that we may read says nothing. */
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
		(uint64_t)st.st_size <= rs->file[file].at)
		return 0;
	if ((uint64_t)st.st_size - rs->file[file].at < cap)
		cap = (size_t)((uint64_t)st.st_size - rs->file[file].at);
	for (;;) {
		size_t used;

		if (!buf && !(buf = malloc(cap)))
			return weft_err_nomem(err);
		ssize_t got = pread(fd, buf, cap, (off_t)rs->file[file].at);
		if (got < 0)
			return weft_err_sys(
				err, WEFT_ESYS, "%s/%s", rs->dir, rs->file[file].path);
		if (add_lines(rs, file, buf, (size_t)got, &used, changed, err))
			return -1;
		rs->file[file].at += used;
		if ((size_t)got < cap)
			return 0;
		if (used)
			continue;
		/* Longer than the buffer.  Beyond all measure it is no line of ours:
		 * what is left of it has no sum that fits. */
		if (cap >= LINE_MAX_BYTES) {
			rs->file[file].at += (size_t)got;
			continue;
		}
		free(weft_steal(&buf));
		cap *= 2;
	}
}

int records_scan_file(struct weft_records *rs, const char *path,
	struct records_changed *changed, struct weft_err *err)
{
	size_t at;

	if (file_of(rs, path, &at))
		return weft_err_nomem(err);
	return read_new(rs, (uint32_t)at, changed, err);
}

int records_scan(
	struct weft_records *rs, struct records_changed *changed, struct weft_err *err)
{
	char **path;
	size_t n;
	int bad = 0;

	if (line_files(rs->dir, &path, &n))
		return weft_err_nomem(err);
	for (size_t i = 0; !bad && i < n; i++)
		bad = records_scan_file(rs, path[i], changed, err);
	line_files_free(path, n);
	return bad;
}

int records_line_at(
	struct weft_records *rs, uint32_t file, uint64_t at, char **line, size_t *n)
{
	size_t cap = 2048, len = 0;
	char *buf = NULL;

	/* Neighbours are in one file. */
	if (rs->fd < 0 || rs->open_file != file) {
		int fd = open_file(rs, rs->file[file].path);

		if (fd < 0)
			return is_gone(errno) ? 1 : -1;
		close_line(rs);
		rs->fd = fd;
		rs->open_file = file;
	}
	for (;;) {
		char *bigger = realloc(buf, cap);
		ssize_t got = -1;

		if (bigger) {
			buf = bigger;
			got = pread(rs->fd, buf + len, cap - len, (off_t)(at + len));
		}
		if (got < 0) {
			int why = errno;

			free(buf);
			errno = why;
			return is_gone(why) ? 1 : -1;
		}
		char *nl = memchr(buf + len, '\n', (size_t)got);
		len += (size_t)got;
		if (nl || len < cap || cap >= LINE_MAX_BYTES) {
			*n = nl ? (size_t)(nl - buf) : len;
			*line = buf;
			return 0;
		}
		cap *= 2;
	}
}
