/* file.c - one file: opened, filled by the first way that works, checked, finished */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

struct stage_entry *stage_entry_new(struct stage_worker *w, struct stage_folder *dir,
	const char *name, char type, const struct stat *st)
{
	struct stage_entry *e;

	if (weft_grow(w->entry, w->n_entries, w->cap_entries) != 0 ||
		!(e = weft_arena_alloc(&w->arena, sizeof(*e))) ||
		!(e->name = weft_arena_strdup(&w->arena, name))) {
		weft_err_nomem(&w->err);
		return NULL;
	}
	e->dir = dir;
	e->type = type;
	e->mode = st->st_mode;
	e->src = stage_id_of(st);
	w->entry[w->n_entries++] = e;
	return e;
}

static void close_both(struct stage_file *f)
{
	weft_closep(&f->in);
	weft_closep(&f->out);
}

/* Of an earlier call, of the user's own, and no name of the source itself: its chunks
 * can be gone on with. */
static bool is_ours(const struct stage_file *f, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_ino == f->st.st_ino && st.st_dev == f->st.st_dev);
}

/* A new file; in what a killed call has left, the old one where that serves. */
int stage_create(struct stage_worker *w, struct stage_file *f)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	mode_t mode = f->st.st_mode & 07777;
	const struct stage_job *job = w->job;

	f->part = false;
	if (f->again) {
		f->out = openat(f->into, f->to, flags);
		return f->out < 0 ? stage_sys(w, "copying", f->dir, f->name) : 0;
	}
	/* The mode at once where it can be: nobody else gets into the temporary. */
	if (!job->tree || mode & 07000 || mode & job->umask || !job->opt->archive)
		mode = 0600;
	if (f->dir->was_there || (!job->tree && stage_resume_has(job))) {
		f->out = openat(f->into, f->to, flags);
		f->part = f->out >= 0 && is_ours(f, f->out);
		if (f->part)
			return 0;
		weft_closep(&f->out);
		if (unlinkat(f->into, f->to, 0) != 0 && errno != ENOENT)
			return stage_sys(w, "copying", f->dir, f->name);
	}
	f->final_mode = mode == (f->st.st_mode & 07777) && !job->opt->writable;
	f->out = openat(f->into, f->to, flags | O_CREAT | O_EXCL, mode);
	if (f->out < 0)
		return stage_sys(w, "copying", f->dir, f->name);
	if (!job->tree) {
		(void)!flock(f->out, LOCK_EX | LOCK_NB);
		/* What the folder would have it inherit is not the source's. */
		if (job->opt->archive)
			(void)!fremovexattr(f->out, "system.posix_acl_access");
	}
	return 0;
}

/* What was there may be another version: it goes, unless it is what was noted. */
static int start_over(struct stage_worker *w, struct stage_file *f)
{
	f->part = false;
	if (ftruncate(f->out, 0) != 0)
		return stage_sys(w, "copying", f->dir, f->name);
	return 0;
}

/* The bytes of a small file.  1: it has changed. */
static int fill(struct stage_worker *w, struct stage_file *f, struct stage_sum *sum)
{
	off_t size = f->st.st_size;
	char one;
	int rc;

	sum->known = false;
	if (f->out >= 0) {
		rc = stage_clone(w, f);
		if (rc == 0)
			rc = stage_server_copy(w, f);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
		w->job->streamed++;
		if (size >= STAGE_ROOM && stage_reserve(w, f) != 0)
			return -1;
	}
	rc = stage_data(w, f, 0, size);
	if (rc != 0)
		return rc;
	weft_hasher_take(w->hasher, sum->b);
	sum->known = true;
	if (f->out >= 0 && f->sparse && ftruncate(f->out, size) != 0)
		return stage_sys(w, "copying", f->dir, f->name);
	/* Files of /proc and /sys say that they are empty. */
	if (size == 0 && pread(f->in, &one, 1, 0) > 0) {
		weft_autofree char *path = stage_shown(w->job, f->dir, f->name);

		return weft_err_set(&w->err, WEFT_ESTAGE,
			"%s has data, but says it is empty: it is written to, or no "
			"ordinary file",
			path ? path : f->name);
	}
	return 0;
}

static bool same_as_noted(
	struct stage_worker *w, struct stage_file *f, struct stage_sum *sum)
{
	uint64_t len;
	const unsigned char *noted = f->part ? stage_resume_find(w, f, -1, &len) : NULL;
	struct stage_file old = {
		.dir = f->dir, .name = f->name, .in = f->out, .out = -1};
	struct stat st;

	if (!noted || fstat(f->out, &st) != 0 || st.st_size != f->st.st_size)
		return false;
	if (stage_data(w, &old, 0, st.st_size) != 0) {
		weft_err_clear(&w->err);
		return false;
	}
	weft_hasher_take(w->hasher, sum->b);
	sum->known = true;
	return memcmp(noted, sum->b, sizeof(sum->b)) == 0;
}

int stage_file_end(struct stage_worker *w, struct stage_file *f)
{
	struct stat now;

	if (fstat(f->in, &now) != 0)
		return stage_sys(w, "reading", f->dir, f->name);
	if (!stage_same(&f->st, &now))
		return 1;
	if (f->out >= 0 && stage_file_attrs(w, f, &now) != 0)
		return -1;
	if (f->entry && f->out >= 0)
		f->entry->dst = stage_id_of(&now);
	return 0;
}

static int close_copy(struct stage_worker *w, struct stage_file *f)
{
	int fd = f->out;

	f->out = -1;
	return fd >= 0 && stage_put_away(w->job, fd) != 0
		       ? stage_sys(w, "copying", f->dir, f->name)
		       : 0;
}

/* 0; 1: it has changed; -1. */
static int copy_once(struct stage_worker *w, struct stage_file *f)
{
	struct stage_sum sum;
	int rc = 0;

	stage_holes(f);
	if (same_as_noted(w, f, &sum)) {
		w->job->resumed += (uint64_t)f->st.st_size;
	} else {
		/* A digest that was begun for a file that failed is not its own. */
		weft_hasher_take(w->hasher, sum.b);
		rc = f->part || f->again ? start_over(w, f) : 0;
		if (rc == 0)
			rc = fill(w, f, &sum);
	}
	if (rc == 0)
		rc = stage_file_end(w, f);
	if (rc != 0)
		return rc;
	if (f->entry)
		f->entry->sum = sum;
	stage_resume_note(w, f, -1, (uint64_t)f->st.st_size, sum.known ? sum.b : NULL);
	w->job->bytes += (uint64_t)f->st.st_size;
	return close_copy(w, f);
}

static int copy_small(struct stage_worker *w, struct stage_file *f)
{
	int rc;

	if (!w->job->read_only && stage_create(w, f) != 0)
		return -1;
	rc = copy_once(w, f);
	if (rc == 1) {
		w->job->retries++;
		f->again = true;
		if (fstat(f->in, &f->st) != 0)
			return stage_sys(w, "reading", f->dir, f->name);
		if (f->entry)
			f->entry->src = stage_id_of(&f->st);
		rc = (uint64_t)f->st.st_size > STAGE_CHUNK ? 1 : copy_once(w, f);
	}
	return rc == 1 ? stage_changed(w, f->dir, f->name) : rc;
}

/* 1: linked; 0: it can't be; -1. */
static int try_link(struct stage_worker *w, struct stage_file *f)
{
	struct stat st;

	if (linkat(f->from, f->name, f->into, f->to,
		    f->follow ? AT_SYMLINK_FOLLOW : 0) != 0) {
		if (errno == ENOSPC || errno == EDQUOT)
			return stage_sys(w, "linking", f->dir, f->name);
		return 0;
	}
	if (fstatat(f->into, f->to, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return stage_sys(w, "linking", f->dir, f->name);
	if (!stage_same(&f->st, &st))
		return stage_changed(w, f->dir, f->name);
	/* Its data may still be on the way to the disk. */
	(void)!stage_put_away(w->job, f->in);
	f->in = -1;
	w->job->linked++;
	w->job->bytes += (uint64_t)f->st.st_size;
	/* Its new name has changed the source's ctime, too. */
	if (f->entry)
		f->entry->src = f->entry->dst = stage_id_of(&st);
	return 1;
}

/* One of several names of a file: the first is copied, the others become names of the
 * copy in the end. */
int stage_known_name(struct stage_worker *w, struct stage_folder *dir, const char *name,
	const struct stat *st, struct stage_entry *entry)
{
	struct stage_job *job = w->job;
	struct stage_first *first = NULL;
	char *key, *copy;
	size_t found = 0;
	int got = -1;

	pthread_mutex_lock(&job->lock);
	key = weft_arena_printf(&job->arena, "%llx:%llx",
		(unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	copy = weft_arena_strdup(&job->arena, name);
	if (key && copy)
		got = weft_map_add(&job->links, key, job->n_first, &found);
	if (got == 1 && weft_grow(job->first, job->n_first, job->cap_first) == 0 &&
		(first = weft_arena_alloc(&job->arena, sizeof(*first)))) {
		*first = (struct stage_first){dir, copy, entry, false};
		job->first[job->n_first++] = first;
		/* Its folder must let us in again. */
		dir->later = true;
	} else if (got == 0 &&
		   weft_grow(job->link, job->n_links, job->cap_links) == 0) {
		first = job->first[found];
		job->link[job->n_links++] =
			(struct stage_link){dir, copy, first, entry};
		dir->later = true;
	}
	pthread_mutex_unlock(&job->lock);
	return first ? got == 0 : weft_err_nomem(&w->err);
}

int stage_file(struct stage_worker *w, struct stage_folder *dir, const char *name,
	const char *to, bool follow)
{
	/* O_NONBLOCK: should it be a FIFO by now, don't wait for a writer. */
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stage_job *job = w->job;
	struct stage_file f = {.dir = dir,
		.name = name,
		.to = to,
		.follow = follow,
		.from = dir->in,
		.into = dir->out,
		.out = -1};
	int rc = 0;

	f.in = openat(dir->in, name, flags | (follow ? 0 : O_NOFOLLOW));
	if (f.in < 0 || fstat(f.in, &f.st) != 0) {
		rc = errno == ELOOP ? stage_changed(w, dir, name)
				    : stage_sys(w, "reading", dir, name);
		goto out;
	}
	if (!S_ISREG(f.st.st_mode)) {
		rc = stage_changed(w, dir, name);
		goto out;
	}
	job->files++;
	if (job->record && !(f.entry = stage_entry_new(w, dir, name, 'f', &f.st))) {
		rc = -1;
		goto out;
	}
	if (job->opt->how == WEFT_STAGE_HARD && !job->read_only) {
		rc = try_link(w, &f);
		if (rc != 0)
			goto out;
	}
	if (f.st.st_nlink > 1 && job->tree) {
		rc = stage_known_name(w, dir, name, &f.st, f.entry);
		if (rc != 0)
			goto out;
	}
	job->seen += (uint64_t)f.st.st_size;
	if ((uint64_t)f.st.st_size > STAGE_CHUNK)
		rc = stage_big_add(w, &f);
	else
		rc = copy_small(w, &f);
out:
	close_both(&f);
	return rc < 0 ? -1 : 0;
}
