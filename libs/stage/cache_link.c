/* cache_link.c - an entry's files under other names, without a byte that moves.
 *
 * The record leads the way: of each name that is in it the file is linked and then
 * looked at, so that what was changed, exchanged or cut since is found; what isn't in
 * it isn't entered. */
#include "stage/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A link more or less changes the ctime. */
static bool is(const struct stage_id *id, const struct stat *st)
{
	struct stage_id now = stage_id_of(st);

	now.ctime = id->ctime;
	return S_ISREG(st->st_mode) && stage_id_same(id, &now);
}

static int fail(struct weft_err *err)
{
	return weft_err_sys(err, WEFT_ESTAGE, "the node's cache");
}

/* Another file system, or a file with as many names as it may have. */
static bool cant_link(void)
{
	return errno == EXDEV || errno == EMLINK || errno == EPERM || errno == ENOENT ||
	       errno == ENOTDIR || errno == ELOOP;
}

static int link_file(const struct stage_line *l, bool made, int from, const char *what,
	int to, const char *name, struct weft_err *err)
{
	struct stat st;

	if (linkat(from, what, to, name, 0) != 0)
		return cant_link() ? 1 : fail(err);
	if (fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(err);
	if (is(made ? &l->src : &l->dst, &st))
		return 0;
	unlinkat(to, name, 0);
	return 1;
}

struct walk {
	const struct stage_manifest *m;
	bool made;
	int from, to; /* tops */
	int like;     /* of folders' attributes */
	bool archive;
	int in, out; /* the folder that is open on either side */
	struct weft_err *err;
};

static int next_folder(struct walk *w, const struct stage_line *l)
{
	const int flags = O_RDONLY | O_DIRECTORY;

	weft_closep(&w->in);
	weft_closep(&w->out);
	w->in = stage_open_beneath(w->from, l->name, flags);
	if (w->in < 0)
		return cant_link() ? 1 : fail(w->err);
	if (*l->name && mkdirat(w->to, l->name, 0700) != 0)
		return fail(w->err);
	w->out = stage_open_beneath(w->to, l->name, flags);
	return w->out < 0 ? fail(w->err) : 0;
}

static int next_line(struct walk *w, const struct stage_line *l)
{
	switch (l->type) {
	case 'd':
		return next_folder(w, l);
	case 'f':
		return link_file(l, w->made, w->in, l->name, w->out, l->name, w->err);
	case 'l':
		return symlinkat(l->target, w->out, l->name) != 0 ? fail(w->err) : 0;
	default:
		return 1; /* a FIFO, a device: not for a cache */
	}
}

/* Children before parents, whose times they would change. */
static int end_folders(struct walk *w)
{
	for (size_t i = w->m->n; i-- > 0;) {
		const struct stage_line *l = &w->m->line[i];
		struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, l->src.mtime};
		weft_autoclose int fd = -1, like = -1;

		if (l->type != 'd')
			continue;
		fd = stage_open_beneath(w->to, l->name, O_RDONLY | O_DIRECTORY);
		like = stage_open_beneath(w->like, l->name, O_RDONLY | O_DIRECTORY);
		/* The owner, who alone is here, takes it away again. */
		if (fd < 0 || like < 0 ||
			stage_folder_xattrs(like, fd, w->archive) != 0 ||
			fchmod(fd, (l->mode & 0777) | 0700) != 0 ||
			futimens(fd, t) != 0)
			return fail(w->err);
	}
	return 0;
}

int cache_link(const struct stage_manifest *m, bool made, int from, const char *what,
	int to, const char *name, const char *like, bool archive, struct weft_err *err)
{
	weft_autoclose int other = -1;
	struct walk w = {.m = m,
		.made = made,
		.archive = archive,
		.from = -1,
		.to = -1,
		.in = -1,
		.out = -1,
		.err = err};
	int rc = 0;

	if (m->line[0].type != 'd')
		return link_file(m->line, made, from, what, to, name, err);
	w.from = openat(from, what, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (w.from < 0)
		return cant_link() ? 1 : fail(err);
	w.like = w.from;
	if (like)
		w.like = other = open(like, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.like < 0 || mkdirat(to, name, 0700) != 0)
		rc = fail(err);
	if (rc == 0 && (w.to = openat(to, name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		rc = fail(err);
	for (size_t i = 0; i < m->n && rc == 0; i++)
		rc = next_line(&w, &m->line[i]);
	if (rc == 0)
		rc = end_folders(&w);
	weft_closep(&w.in);
	weft_closep(&w.out);
	weft_closep(&w.from);
	weft_closep(&w.to);
	return rc;
}

static int seal_line(struct stage_line *l, int dir, const char *name, bool again)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (S_ISREG(st.st_mode) && st.st_mode & 0222 && !again) {
		/* Not through a link: that it is a file was seen in a folder where
		 * nobody but this user comes. */
		if (fchmodat(dir, name, st.st_mode & 07555, 0) != 0 ||
			fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return -1;
	}
	l->dst = stage_id_of(&st);
	if (!S_ISLNK(st.st_mode))
		l->mode = st.st_mode & 07777;
	return 0;
}

int cache_seal(
	struct stage_manifest *m, int dir, const char *name, struct weft_err *err)
{
	weft_autoclose int top = -1, at = -1;

	if (m->line[0].type != 'd')
		return seal_line(m->line, dir, name, false) != 0 ? fail(err) : 0;
	top = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0)
		return fail(err);
	for (size_t i = 0; i < m->n; i++) {
		struct stage_line *l = &m->line[i];

		if (l->type == 'd') {
			weft_closep(&at);
			at = stage_open_beneath(top, l->name, O_RDONLY | O_DIRECTORY);
		}
		if (at < 0 || seal_line(l, at, l->type == 'd' ? "." : l->name,
				      l->type == 'd') != 0)
			return fail(err);
	}
	return 0;
}

bool cache_is_linked(const struct stage_manifest *m, int dir, const char *name)
{
	weft_autoclose int top = -1, at = -1;
	size_t names = 0;
	struct stat st;

	if (m->line[0].type != 'd')
		return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		       st.st_nlink > 1;
	top = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; i < m->n && top >= 0; i++) {
		const struct stage_line *l = &m->line[i];

		if (l->type == 'd') {
			weft_closep(&at);
			at = stage_open_beneath(top, l->name, O_RDONLY | O_DIRECTORY);
		}
		if (l->type != 'f' || at < 0 ||
			fstatat(at, l->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		/* All were linked together: one tells. */
		for (size_t k = 0; k < m->n; k++)
			names += m->line[k].type == 'f' &&
				 m->line[k].dst.ino == st.st_ino;
		return st.st_nlink > names;
	}
	return false;
}
