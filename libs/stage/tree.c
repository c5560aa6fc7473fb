/* tree.c - a folder with all that is in it.
 *
 * Each folder is opened from the top, by its path below it, without following a link
 * on either side (stage_open_beneath), so nobody can lead the walk elsewhere; then
 * single names are worked on in the folder that is open.  On the copy's side nobody
 * else has the right to enter: its top is 0700 until all is there. */
#include "stage/room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files of one folder that a thread takes at once. */
#define BATCH 32

struct stage_folder *stage_folder_new(
	struct stage_worker *w, struct stage_folder *up, const char *name)
{
	struct stage_job *job = w->job;
	struct stage_folder *dir;

	pthread_mutex_lock(&job->lock);
	dir = weft_arena_alloc(&job->arena, sizeof(*dir));
	if (dir && (dir->name = weft_arena_strdup(&job->arena, name))) {
		dir->up = up;
		dir->in = dir->out = -1;
		dir->older = job->folders;
		job->folders = dir;
	} else {
		dir = NULL;
		weft_err_nomem(&w->err);
	}
	pthread_mutex_unlock(&job->lock);
	return dir;
}

void stage_folder_use(struct stage_folder *dir)
{
	dir->users++;
}

static int open_folder(struct stage_worker *w, struct stage_folder *dir)
{
	const int flags = O_RDONLY | O_DIRECTORY;
	weft_autostr struct weft_str path = {0};

	stage_folder_path(dir, &path);
	if (path.failed)
		return weft_err_nomem(&w->err);
	dir->in = stage_open_beneath(w->job->in, path.s, flags);
	if (dir->in < 0)
		return errno == ELOOP || errno == ENOTDIR
			       ? stage_changed(w, dir, NULL)
			       : stage_sys(w, "reading", dir, NULL);
	if (w->job->read_only)
		return 0;
	dir->out = stage_open_beneath(w->job->out, path.s, flags);
	return dir->out < 0 ? stage_sys(w, "copying", dir, NULL) : 0;
}

static void close_folder(struct stage_folder *dir)
{
	weft_closep(&dir->in);
	weft_closep(&dir->out);
}

/* All that is in it is there. */
static int finish(struct stage_worker *w, struct stage_folder *dir)
{
	struct stat now;
	int fd;

	if (fstat(dir->in, &now) != 0)
		return stage_sys(w, "reading", dir, NULL);
	if (!stage_same(&dir->st, &now)) {
		w->job->folder_changed = true;
		return stage_changed(w, dir, NULL);
	}
	dir->done = true;
	if (w->job->read_only)
		return 0;
	if (stage_attrs(w, &dir->st, dir->in, dir->out, dir, NULL) != 0)
		return -1;
	if (w->job->record) {
		if (fstat(dir->out, &now) != 0)
			return stage_sys(w, "copying", dir, NULL);
		dir->dst = stage_id_of(&now);
	}
	fd = dir->out;
	dir->out = -1;
	return stage_put_away(w->job, fd) != 0 ? stage_sys(w, "copying", dir, NULL) : 0;
}

int stage_folder_drop(struct stage_worker *w, struct stage_folder *dir)
{
	int rc = 0;

	if (atomic_fetch_sub(&dir->users, 1) != 1)
		return 0;
	if (!dir->later && !w->job->failed && dir->in >= 0)
		rc = finish(w, dir);
	close_folder(dir);
	return rc;
}

/* The subfolder's copy; one that a killed call has made is entered again. */
static int make_folder(struct stage_worker *w, struct stage_folder *dir,
	const char *name, bool *was_there)
{
	struct stat st;

	*was_there = false;
	if (mkdirat(dir->out, name, 0700) == 0)
		return 0;
	if (errno != EEXIST || !dir->was_there ||
		fstatat(dir->out, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return stage_sys(w, "copying", dir, name);
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dir->out, name, 0) != 0 ||
			mkdirat(dir->out, name, 0700) != 0)
			return stage_sys(w, "copying", dir, name);
		return 0;
	}
	*was_there = true;
	return fchmodat(dir->out, name, 0700, 0) != 0
		       ? stage_sys(w, "copying", dir, name)
		       : 0;
}

static int add_folder(
	struct stage_worker *w, struct stage_folder *dir, const char *name)
{
	struct stage_folder *sub;
	bool was_there = false;

	dir->later = true;
	if (!w->job->read_only && make_folder(w, dir, name, &was_there) != 0)
		return -1;
	sub = stage_folder_new(w, dir, name);
	if (!sub)
		return -1;
	sub->was_there = was_there;
	return stage_pool_add_folder(w, sub);
}

/* Names of files that are waiting to be copied, one after the other. */
struct names {
	struct weft_str s;
	size_t n;
};

static int hand_out(
	struct stage_worker *w, struct stage_folder *dir, struct names *names)
{
	char *s = weft_str_take(&names->s);
	size_t n = names->n;

	names->n = 0;
	if (!s)
		return weft_err_nomem(&w->err);
	stage_folder_use(dir);
	if (stage_pool_add_batch(w, dir, s, n) == 0)
		return 0;
	dir->users--;
	free(s);
	return -1;
}

static int add_file(struct stage_worker *w, struct stage_folder *dir, const char *name,
	struct names *names)
{
	weft_str_addn(&names->s, name, strlen(name) + 1);
	if (names->s.failed)
		return weft_err_nomem(&w->err);
	return ++names->n == BATCH ? hand_out(w, dir, names) : 0;
}

static int add_entry(struct stage_worker *w, struct stage_folder *dir,
	const struct dirent *e, struct names *names)
{
	unsigned char type = e->d_type;
	struct stat st;

	if (type == DT_REG)
		return add_file(w, dir, e->d_name, names);
	if (type == DT_DIR)
		return add_folder(w, dir, e->d_name);
	if (type == DT_LNK)
		return stage_symlink(w, dir, e->d_name);
	if (fstatat(dir->in, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return stage_sys(w, "reading", dir, e->d_name);
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return add_file(w, dir, e->d_name, names);
	case S_IFDIR:
		return add_folder(w, dir, e->d_name);
	case S_IFLNK:
		return stage_symlink(w, dir, e->d_name);
	default:
		return stage_special(w, dir, e->d_name, &st);
	}
}

static DIR *list(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own >= 0 ? fdopendir(own) : NULL;

	if (!d && own >= 0)
		close(own);
	return d;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What a killed call had copied and the source no longer has. */
static int remove_stale(struct stage_worker *w, struct stage_folder *dir)
{
	DIR *d = list(dir->out);
	struct dirent *e;
	struct stat st;
	int rc = 0;

	if (!d)
		return stage_sys(w, "copying", dir, NULL);
	while (rc == 0 && (e = readdir(d)) != NULL) {
		weft_autofree char *path = NULL;

		if (is_dots(e->d_name) ||
			fstatat(dir->in, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		path = weft_printf("/proc/self/fd/%d/%s", dir->out, e->d_name);
		rc = path ? weft_remove_tree(path, &w->err) : weft_err_nomem(&w->err);
	}
	closedir(d);
	return rc;
}

static int scan_entries(struct stage_worker *w, struct stage_folder *dir)
{
	struct names names = {0};
	DIR *d = list(dir->in);
	struct dirent *e = NULL;
	int rc = 0;

	if (!d)
		return stage_sys(w, "reading", dir, NULL);
	while (rc == 0 && (errno = 0, e = readdir(d)) != NULL)
		if (!is_dots(e->d_name))
			rc = add_entry(w, dir, e, &names);
	if (rc == 0 && errno != 0)
		rc = stage_sys(w, "reading", dir, NULL);
	closedir(d);
	for (const char *p = names.s.s; rc == 0 && names.n > 0; names.n--) {
		if (!stage_go_on(w))
			rc = -1;
		else
			rc = stage_file(w, dir, p, p, false);
		p += strlen(p) + 1;
	}
	weft_str_free(&names.s);
	return rc;
}

static int start(struct stage_worker *w, struct stage_folder *dir)
{
	struct stage_job *job = w->job;
	struct stat st;

	if (open_folder(w, dir) != 0)
		return -1;
	if (fstat(dir->in, &dir->st) != 0)
		return stage_sys(w, "reading", dir, NULL);
	job->n_folders++;
	if (job->read_only)
		return 0;
	if (dir->st.st_ino == job->out_ino && dir->st.st_dev == job->out_dev) {
		weft_autofree char *path = stage_shown(job, dir, NULL);

		return weft_err_set(&w->err, WEFT_ESTAGE,
			"the copy would be inside of what is copied: %s",
			path ? path : job->src);
	}
	if (fstat(dir->out, &st) != 0)
		return stage_sys(w, "copying", dir, NULL);
	dir->gid = st.st_mode & S_ISGID ? st.st_gid : getegid();
	return dir->was_there ? remove_stale(w, dir) : 0;
}

int stage_scan(struct stage_worker *w, struct stage_folder *dir)
{
	int rc;

	stage_folder_use(dir);
	rc = start(w, dir);
	if (rc == 0)
		rc = scan_entries(w, dir);
	if (rc != 0)
		dir->later = true; /* not finished */
	return stage_folder_drop(w, dir) != 0 ? -1 : rc;
}

static int open_copy(struct stage_worker *w, const struct stage_folder *dir)
{
	weft_autostr struct weft_str path = {0};
	int fd;

	stage_folder_path(dir, &path);
	fd = path.failed
		     ? -1
		     : stage_open_beneath(w->job->out, path.s, O_PATH | O_DIRECTORY);
	if (fd < 0)
		stage_sys(w, "copying", dir, NULL);
	return fd;
}

static int make_link(struct stage_worker *w, struct stage_link *l)
{
	weft_autoclose int from = open_copy(w, l->first->dir);
	weft_autoclose int to = from >= 0 ? open_copy(w, l->dir) : -1;
	int rc;

	if (from < 0 || to < 0)
		return -1;
	rc = linkat(from, l->first->name, to, l->name, 0);
	if (rc != 0 && errno == EEXIST && l->dir->was_there &&
		unlinkat(to, l->name, 0) == 0)
		rc = linkat(from, l->first->name, to, l->name, 0);
	if (rc != 0)
		return stage_sys(w, "linking", l->dir, l->name);
	l->first->linked = true;
	return 0;
}

/* Being linked has changed what they are. */
static int look_again(struct stage_worker *w, const struct stage_first *first)
{
	weft_autoclose int dir = open_copy(w, first->dir);
	struct stat st;

	if (dir < 0)
		return -1;
	if (fstatat(dir, first->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return stage_sys(w, "linking", first->dir, first->name);
	first->entry->dst = stage_id_of(&st);
	return 0;
}

int stage_tree_end(struct stage_worker *w)
{
	struct stage_job *job = w->job;

	for (size_t i = 0; i < job->n_links; i++) {
		if (job->record)
			job->link[i].entry->same = job->link[i].first->entry;
		if (!job->read_only && make_link(w, &job->link[i]) != 0)
			return -1;
	}
	for (size_t i = 0; i < job->n_first && job->record && !job->read_only; i++)
		if (job->first[i]->linked && look_again(w, job->first[i]) != 0)
			return -1;
	for (struct stage_folder *d = job->folders; d; d = d->older) {
		int rc;

		if (d->done)
			continue;
		rc = open_folder(w, d);
		if (rc == 0)
			rc = finish(w, d);
		close_folder(d);
		if (rc != 0)
			return -1;
	}
	return 0;
}
