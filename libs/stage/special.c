/* special.c - symbolic links, and what holds no data: FIFOs, sockets, devices */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* Owner and times of what can't be opened. */
static int finish(struct stage_worker *w, struct stage_folder *dir, const char *name,
	const struct stat *st, struct stage_entry *e)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	mode_t mode = st->st_mode & 07777;
	struct stat now;

	if (w->job->opt->archive &&
		(st->st_uid != geteuid() || st->st_gid != dir->gid) &&
		fchownat(dir->out, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) !=
			0) {
		w->job->owners++;
		(void)!fchownat(
			dir->out, name, (uid_t)-1, st->st_gid, AT_SYMLINK_NOFOLLOW);
		mode &= 0777;
	}
	if (stage_name_xattrs(w, dir, name) != 0)
		return -1;
	/* In a folder that is nobody else's yet, the name is what we made. */
	if (!S_ISLNK(st->st_mode) && fchmodat(dir->out, name, mode, 0) != 0)
		return stage_sys(w, "copying", dir, name);
	(void)!utimensat(dir->out, name, times, AT_SYMLINK_NOFOLLOW);
	if (e) {
		if (fstatat(dir->out, name, &now, AT_SYMLINK_NOFOLLOW) != 0)
			return stage_sys(w, "copying", dir, name);
		e->dst = stage_id_of(&now);
	}
	return 0;
}

/* Takes away what a killed call had made there. */
static bool made_room(const struct stage_folder *dir, const char *name)
{
	return errno == EEXIST && dir->was_there && unlinkat(dir->out, name, 0) == 0;
}

int stage_symlink(struct stage_worker *w, struct stage_folder *dir, const char *name)
{
	struct stage_entry *e = NULL;
	char to[PATH_MAX];
	struct stat st;
	ssize_t n;
	int rc;

	if (fstatat(dir->in, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		(n = readlinkat(dir->in, name, to, sizeof(to) - 1)) < 0)
		return errno == EINVAL ? stage_changed(w, dir, name)
				       : stage_sys(w, "reading", dir, name);
	to[n] = '\0';
	w->job->files++;
	if (w->job->record) {
		e = stage_entry_new(w, dir, name, 'l', &st);
		if (!e || !(e->target = weft_arena_strdup(&w->arena, to)))
			return weft_err_nomem(&w->err);
	}
	if (w->job->read_only)
		return 0;
	if (st.st_nlink > 1) {
		rc = stage_known_name(w, dir, name, &st, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	rc = symlinkat(to, dir->out, name);
	if (rc != 0 && made_room(dir, name))
		rc = symlinkat(to, dir->out, name);
	if (rc != 0)
		return stage_sys(w, "copying", dir, name);
	return finish(w, dir, name, &st, e);
}

int stage_special(struct stage_worker *w, struct stage_folder *dir, const char *name,
	const struct stat *st)
{
	weft_autofree char *path = stage_shown(w->job, dir, name);
	mode_t type = st->st_mode & S_IFMT;
	struct stage_entry *e = NULL;
	int rc;

	if (!path)
		return weft_err_nomem(&w->err);
	switch (w->job->opt->special) {
	case WEFT_STAGE_REFUSE:
		weft_err_set(&w->err, WEFT_ESTAGE,
			"%s is %s: only files, folders and links are staged", path,
			stage_kind(st->st_mode));
		return weft_err_hint(&w->err, "name what you want of it one by one, or "
					      "remove it when the step ends");
	case WEFT_STAGE_SKIP:
		w->job->skipped++;
		weft_log(
			WEFT_WARN, "%s is %s: left out", path, stage_kind(st->st_mode));
		return 0;
	case WEFT_STAGE_MAKE:
		break;
	}
	w->job->files++;
	if (w->job->record && !(e = stage_entry_new(w, dir, name, 's', st)))
		return -1;
	if (w->job->read_only)
		return 0;
	if (st->st_nlink > 1) {
		rc = stage_known_name(w, dir, name, st, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	rc = mknodat(dir->out, name, type | 0600, st->st_rdev);
	if (rc != 0 && made_room(dir, name))
		rc = mknodat(dir->out, name, type | 0600, st->st_rdev);
	if (rc != 0)
		return stage_sys(w, "making", dir, name);
	return finish(w, dir, name, st, e);
}
