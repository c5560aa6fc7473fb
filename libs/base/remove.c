/* remove.c - rm -rf that stays inside */
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder on the way down, by what it is and by its name in the one above. */
struct level {
	dev_t dev;
	ino_t ino;
	char *name;
};
struct walk {
	dev_t dev;
	uint64_t mount; /* 0: this kernel doesn't tell */
	struct level *level;
	size_t n, cap;
};

/* The device isn't enough: a bind mount may be of the same file system. */
static uint64_t mount_of(int fd)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx))
		return 0;
	return sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0;
}

/* One level down: a folder that is ours to read and change, not a mount. */
static int enter(struct walk *w, int parent, const char *name, struct weft_err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);
	struct stat st;

	if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
		fd = openat(parent, name, flags);
	if (fd < 0)
		return weft_err_sys(err, WEFT_ESYS, "removing %s", name);
	if (fstat(fd, &st)) {
		weft_err_sys(err, WEFT_ESYS, "removing %s", name);
		goto fail;
	}
	if (!w->n) {
		w->dev = st.st_dev;
		w->mount = mount_of(fd);
	} else if (st.st_dev != w->dev || mount_of(fd) != w->mount) {
		errno = EXDEV;
		weft_err_set(err, WEFT_ESYS,
			"removing %s: a file system is mounted there", name);
		goto fail;
	}
	if ((st.st_mode & 0700) != 0700)
		(void)!fchmod(fd, 0700);
	char *copy = strdup(name);
	if (!copy || weft_grow(w->level, w->n, w->cap)) {
		free(copy);
		weft_err_nomem(err);
		goto fail;
	}
	w->level[w->n++] = (struct level){st.st_dev, st.st_ino, copy};
	return fd;
fail:
	close(fd);
	return -1;
}

/* Back to the folder above the last level, if `..` is still what it was. */
static int leave(const struct walk *w, int fd, struct weft_err *err)
{
	const struct level *up = &w->level[w->n - 2];
	int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (parent >= 0 && fstat(parent, &st) == 0 && st.st_dev == up->dev &&
		st.st_ino == up->ino)
		return parent;
	if (parent >= 0)
		close(parent);
	errno = EBUSY;
	return weft_err_sys(err, WEFT_ESYS, "removing %s", up->name);
}

/* Unlinks what isn't a folder.  1: *name (malloced) is one; 0: nothing is left. */
static int empty(int fd, char **name, struct weft_err *err)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0), r = 0;
	DIR *d = own < 0 ? NULL : fdopendir(own);

	if (!d) {
		weft_err_sys(err, WEFT_ESYS, "removing");
		if (own >= 0)
			close(own);
		return -1;
	}
	rewinddir(d);
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		if (weft_streq(e->d_name, ".") || weft_streq(e->d_name, "..") ||
			unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = weft_err_sys(err, WEFT_ESYS, "removing %s", e->d_name);
		} else {
			*name = strdup(e->d_name);
			r = *name ? 1 : weft_err_nomem(err);
		}
	}
	closedir(d);
	return r;
}

/*
 * Every step down is an openat(O_NOFOLLOW) from a folder that is already open, so
 * no link is followed and no rename can lead outside; what is mounted inside is
 * left alone and reported.  One folder is open at a time, so that depth costs no
 * descriptors.
 */
static int remove_folder(struct walk *w, const char *path, struct weft_err *err)
{
	weft_autofree char *name = NULL;
	int fd = enter(w, AT_FDCWD, path, err);

	while (fd >= 0) {
		int got = empty(fd, &name, err), next = -1;

		if (got == 1) {
			next = enter(w, fd, name, err);
			free(weft_steal(&name));
		} else if (got == 0 && w->n > 1) {
			next = leave(w, fd, err);
			if (next >= 0) {
				weft_autofree char *done = w->level[--w->n].name;

				if (unlinkat(next, done, AT_REMOVEDIR) &&
					errno != ENOENT) {
					weft_err_sys(
						err, WEFT_ESYS, "removing %s", done);
					close(next);
					next = -1;
				}
			}
		} else if (got == 0) {
			close(fd);
			if (rmdir(path) && errno != ENOENT)
				return weft_err_sys(
					err, WEFT_ESYS, "removing %s", path);
			return 0;
		}
		close(fd);
		fd = next;
	}
	return -1;
}

int weft_remove_tree(const char *path, struct weft_err *err)
{
	struct walk w = {0};

	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return weft_err_sys(err, WEFT_ESYS, "removing %s", path);
	int r = remove_folder(&w, path, err);
	for (size_t i = 0; i < w.n; i++)
		free(w.level[i].name);
	free(w.level);
	return r;
}
