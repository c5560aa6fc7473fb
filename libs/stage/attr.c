/* attr.c - modes, owners, times, extended attributes and ACLs
 *
 * The order matters: a new owner clears set-id bits and capabilities, an ACL changes
 * the mode, and all of it the ctime but not the times that are set last. */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

mode_t stage_umask(void)
{
	weft_autofree char *text = NULL;
	const char *at;

	/* umask() itself would have to set it, for all threads. */
	if (weft_read_file("/proc/self/status", 1 << 16, &text, NULL, NULL) != 0 ||
		!(at = strstr(text, "\nUmask:")))
		return 07777;
	return (mode_t)strtoul(at + 7, NULL, 8);
}

/* What has attributes: open, or of a kind that can't be, by its path. */
struct node {
	int fd;
	const char *path;
};

static ssize_t list(const struct node *n, char *buf, size_t size)
{
	return n->path ? llistxattr(n->path, buf, size) : flistxattr(n->fd, buf, size);
}

static ssize_t get(const struct node *n, const char *name, void *buf, size_t size)
{
	return n->path ? lgetxattr(n->path, name, buf, size)
		       : fgetxattr(n->fd, name, buf, size);
}

static int set(const struct node *n, const char *name, const void *value, size_t size)
{
	return n->path ? lsetxattr(n->path, name, value, size, 0)
		       : fsetxattr(n->fd, name, value, size, 0);
}

static int copy_one(struct stage_worker *w, const struct node *in,
	const struct node *out, const char *name)
{
	ssize_t len = get(in, name, NULL, 0);
	weft_autofree char *value = len >= 0 ? malloc((size_t)len + 1) : NULL;

	if (len < 0)
		return 0; /* gone, or not ours to read */
	if (!value)
		return weft_err_nomem(&w->err);
	len = get(in, name, value, (size_t)len);
	if (len >= 0 && set(out, name, value, (size_t)len) != 0) {
		if (errno == ENOSPC || errno == EDQUOT)
			return -1;
		w->job->dropped += stage_xattr_matters(name, value, (size_t)len);
	}
	return 0;
}

static int copy_xattrs(struct stage_worker *w, const struct node *in,
	const struct node *out, struct stat *made)
{
	weft_autofree char *more = NULL;
	char few[512], *names = few;
	ssize_t n = list(in, few, sizeof(few));

	if (n < 0 && errno == ERANGE) {
		n = list(in, NULL, 0);
		names = more = n > 0 ? malloc((size_t)n) : NULL;
		n = more ? list(in, more, (size_t)n) : 0;
	}
	if (n < 0 && errno == ENOTSUP)
		w->job->no_xattrs = true;
	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		if (!stage_xattr_wanted(p, w->job->opt->archive))
			continue;
		made->st_mode = 0; /* an ACL changes it */
		if (copy_one(w, in, out, p) != 0)
			return -1;
	}
	return 0;
}

int stage_folder_xattrs(int in, int out, bool archive)
{
	const struct weft_stage_options opt = {.archive = archive};
	struct stage_job job = {.opt = &opt};
	struct stage_worker w = {.job = &job};
	struct stat made;
	int rc = copy_xattrs(
		&w, &(struct node){in, NULL}, &(struct node){out, NULL}, &made);

	weft_err_clear(&w.err);
	return rc;
}

/* The mode without the bits that mean the owner, where that isn't kept. */
static int copy_owner(struct stage_worker *w, const struct stat *st, int out,
	struct stat *made, mode_t *mode)
{
	struct stat own;

	if (fstat(out, made) != 0)
		return -1;
	own = *made;
	if (!w->job->opt->archive) {
		/* A folder keeps the group it passes on. */
		*mode = (*mode & 0777) |
			(S_ISDIR(st->st_mode) ? own.st_mode & S_ISGID : 0);
		return 0;
	}
	if (own.st_uid == st->st_uid && own.st_gid == st->st_gid)
		return 0;
	made->st_mode = 0; /* may be another now */
	if (fchown(out, st->st_uid, st->st_gid) == 0)
		return 0;
	w->job->owners++;
	/* The group may be one of the user's. */
	if (own.st_gid == st->st_gid || fchown(out, (uid_t)-1, st->st_gid) == 0)
		*mode &= ~(mode_t)S_ISUID;
	else
		*mode &= ~(mode_t)(S_ISUID | S_ISGID);
	return 0;
}

int stage_attrs(struct stage_worker *w, const struct stat *st, int in, int out,
	const struct stage_folder *dir, const char *name)
{
	const struct stage_job *job = w->job;
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	mode_t mode = st->st_mode & 07777;
	struct stat made;

	if (copy_owner(w, st, out, &made, &mode) != 0)
		goto fail;
	if (job->opt->writable)
		mode |= S_ISDIR(st->st_mode) ? 0700 : 0200;
	if (!job->no_xattrs && copy_xattrs(w, &(struct node){in, NULL},
				       &(struct node){out, NULL}, &made) != 0)
		goto fail;
	if (((made.st_mode & 07777) == mode && made.st_mode) || fchmod(out, mode) == 0)
		if (futimens(out, times) == 0)
			return 0;
fail:
	return stage_sys(w, "copying the permissions and times of", dir, name);
}

/* Most new files have the owner and mode from their first moment: that is looked at
 * once, in the end, and if it isn't so all is done in its order. */
int stage_file_attrs(
	struct stage_worker *w, const struct stage_file *f, struct stat *now)
{
	const struct stage_job *job = w->job;
	struct timespec times[2] = {f->st.st_atim, f->st.st_mtim};
	struct stat made;

	if (f->final_mode && job->opt->archive) {
		if (!job->no_xattrs &&
			copy_xattrs(w, &(struct node){f->in, NULL},
				&(struct node){f->out, NULL}, &made) != 0)
			goto fail;
		if (futimens(f->out, times) != 0 || fstat(f->out, now) != 0)
			goto fail;
		if (now->st_uid == f->st.st_uid && now->st_gid == f->st.st_gid &&
			now->st_mode == f->st.st_mode)
			return 0;
	}
	if (stage_attrs(w, &f->st, f->in, f->out, f->dir, f->name) != 0)
		return -1;
	if (fstat(f->out, now) == 0)
		return 0;
fail:
	return stage_sys(w, "copying the permissions and times of", f->dir, f->name);
}

/* A link or special file can't be opened for this.  Its folders are: no name on the way
 * to them is looked up again, and a link at the end isn't followed. */
int stage_name_xattrs(
	struct stage_worker *w, const struct stage_folder *dir, const char *name)
{
	weft_autofree char *from = weft_printf("/proc/self/fd/%d/%s", dir->in, name);
	weft_autofree char *to = weft_printf("/proc/self/fd/%d/%s", dir->out, name);
	struct stat made;

	/* None of the attributes that anybody may give is for these. */
	if (!w->job->opt->archive || w->job->no_xattrs)
		return 0;
	if (!from || !to)
		return weft_err_nomem(&w->err);
	if (copy_xattrs(w, &(struct node){-1, from}, &(struct node){-1, to}, &made) !=
		0)
		return stage_sys(w, "copying the attributes of", dir, name);
	return 0;
}
