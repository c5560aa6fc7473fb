#include "journal/line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUM_KEY ",\"sum\":\""
#define SUM_HEX 8
#define SUM_TAIL (sizeof(SUM_KEY) - 1 + SUM_HEX + 2)

void line_close(struct weft_str *out, size_t from)
{
	char hex[WEFT_DIGEST_HEX];

	if (out->failed)
		return;
	weft_digest(out->s + from, out->len - from, hex);
	weft_str_add(out, SUM_KEY);
	weft_str_addn(out, hex, SUM_HEX);
	weft_str_add(out, "\"}\n");
}

bool line_is_whole(const char *line, size_t n)
{
	char hex[WEFT_DIGEST_HEX];

	if (n <= SUM_TAIL || memcmp(line + n - 2, "\"}", 2) ||
		memcmp(line + n - SUM_TAIL, SUM_KEY, sizeof(SUM_KEY) - 1))
		return false;
	weft_digest(line, n - SUM_TAIL, hex);
	return memcmp(hex, line + n - SUM_HEX - 2, SUM_HEX) == 0;
}

void line_string(struct weft_str *out, const char *s)
{
	size_t n = strlen(s), done = 0;
	bool good = weft_utf8_valid(s, n);

	weft_str_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= ' ' && c != '"' && c != '\\' && (good || c < 0x80))
			continue;
		weft_str_addn(out, s + done, i - done);
		done = i + 1;
		if (c >= 0x80)
			weft_str_addc(out, '?');
		else if (c < ' ')
			weft_str_printf(out, "\\u%04x", c);
		else
			weft_str_printf(out, "\\%c", c);
	}
	weft_str_addn(out, s + done, n - done);
	weft_str_addc(out, '"');
}

int line_keep_name(const char *path)
{
	weft_autofree char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	weft_autoclose int fd =
		dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	/* Some network file systems refuse fsync on folders: nothing to be had. */
	return fd < 0 || (fsync(fd) && errno != EINVAL && errno != EROFS) ? -1 : 0;
}

int line_open(const char *path, int *out, struct weft_err *err)
{
	weft_autofree char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	struct stat st;
	char last = '\n';

	if (!dir)
		return weft_err_nomem(err);
	if (weft_mkdirs(dir, 0777, err))
		return -1;
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	if (fstat(fd, &st) ||
		(st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1) ||
		(last != '\n' && weft_write_all(fd, "\n", 1))) {
		weft_err_sys(err, WEFT_ESYS, "%s", path);
		close(fd);
		return -1;
	}
	*out = fd;
	return 0;
}

/* ---- finding files ----------------------------------------------------- */

#define DEPTH 3 /* of folders */

struct files {
	char **path;
	size_t n, cap;
};

static int list(struct files *f, const char *dir, const char *below, int depth)
{
	weft_autofree char *full = weft_path_join(dir, below);
	DIR *d = full ? opendir(full) : NULL;
	int bad = full ? 0 : -1;

	for (struct dirent *e; d && !bad && (e = readdir(d));) {
		size_t n = strlen(e->d_name);

		if (e->d_name[0] == '.')
			continue;
		char *path =
			*below ? weft_path_join(below, e->d_name) : strdup(e->d_name);
		if (!path) {
			bad = -1;
		} else if (n > 6 && weft_streq(e->d_name + n - 6, ".jsonl")) {
			bad = weft_grow(f->path, f->n, f->cap);
			if (!bad)
				f->path[f->n++] = weft_steal(&path);
		} else if (depth && e->d_type != DT_REG) {
			bad = list(f, dir, path, depth - 1);
		}
		free(path);
	}
	if (d)
		closedir(d);
	return bad;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int line_files(const char *dir, char ***path, size_t *n)
{
	struct files f = {0};

	if (list(&f, dir, "", DEPTH)) {
		line_files_free(f.path, f.n);
		return -1;
	}
	if (f.n)
		qsort(f.path, f.n, sizeof(*f.path), by_name);
	*path = f.path;
	*n = f.n;
	return 0;
}

void line_files_free(char **path, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(path[i]);
	free(path);
}

char *line_copy(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return strdup(s ? s : "");
}
