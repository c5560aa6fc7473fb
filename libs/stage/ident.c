/* ident.c - what a file is, and how messages name it */
#include "stage/room.h"

#include <errno.h>
#include <string.h>

const char *stage_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	case S_IFDIR:
		return "a folder";
	case S_IFLNK:
		return "a symbolic link";
	default:
		return "a file";
	}
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

struct stage_id stage_id_of(const struct stat *st)
{
	return (struct stage_id){.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim};
}

bool stage_id_same(const struct stage_id *a, const struct stage_id *b)
{
	return a->ino == b->ino && a->size == b->size &&
	       same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime);
}

bool stage_same(const struct stat *before, const struct stat *after)
{
	/* Another name given to it, or taken, changes its ctime but not its data. */
	return before->st_dev == after->st_dev && before->st_ino == after->st_ino &&
	       before->st_size == after->st_size &&
	       same_time(before->st_mtim, after->st_mtim) &&
	       (same_time(before->st_ctim, after->st_ctim) ||
		       before->st_nlink != after->st_nlink);
}

void stage_folder_path(const struct stage_folder *dir, struct weft_str *path)
{
	size_t n = 0, len;
	char *end;

	for (const struct stage_folder *d = dir; d->up; d = d->up)
		n += strlen(d->name) + (d->up->up ? 1 : 0);
	len = path->len;
	/* Written from its end, so that depth costs no stack. */
	weft_str_printf(path, "%*s", (int)n, "");
	if (path->failed || n == 0)
		return;
	end = path->s + len + n;
	for (const struct stage_folder *d = dir; d->up; d = d->up) {
		size_t k = strlen(d->name);

		end -= k;
		memcpy(end, d->name, k);
		if (d->up->up)
			*--end = '/';
	}
}

/* A path of thousands of bytes by its beginning and its end. */
#define SHOWN 400

static void shorten(struct weft_str *path)
{
	size_t cut = path->len > SHOWN + 3 ? path->len - SHOWN : 0;

	if (path->failed || !cut)
		return;
	memmove(path->s + SHOWN / 2 + 3, path->s + SHOWN / 2 + cut,
		path->len - SHOWN / 2 - cut + 1);
	memcpy(path->s + SHOWN / 2, "...", 3);
	path->len -= cut - 3;
}

char *stage_shown(
	const struct stage_job *job, const struct stage_folder *dir, const char *name)
{
	struct weft_str path = {0};

	weft_str_add(&path, job->src);
	if (job->tree) {
		size_t len;

		weft_str_addc(&path, '/');
		len = path.len;
		stage_folder_path(dir, &path);
		if (name && path.len > len)
			weft_str_addc(&path, '/');
		if (name)
			weft_str_add(&path, name);
		while (path.len > 1 && path.s[path.len - 1] == '/')
			path.s[--path.len] = '\0';
	}
	shorten(&path);
	return weft_str_take(&path);
}

int stage_sys(struct stage_worker *w, const char *what, const struct stage_folder *dir,
	const char *name)
{
	int sys = errno;
	weft_autofree char *path = stage_shown(w->job, dir, name);

	if (!path)
		return weft_err_nomem(&w->err);
	errno = sys;
	return weft_err_sys(&w->err, WEFT_ESTAGE, "%s %s", what, path);
}

int stage_changed(
	struct stage_worker *w, const struct stage_folder *dir, const char *name)
{
	weft_autofree char *path = stage_shown(w->job, dir, name);

	if (!path)
		return weft_err_nomem(&w->err);
	weft_err_set(&w->err, WEFT_ESTAGE, "%s changed while it was copied", path);
	w->err.sys = ESTALE;
	return weft_err_hint(&w->err, "let the step that writes it end first");
}
