/* bcast_unpack_folder.c - folders that come by a broadcast: entered, left */
#include "stage/bcast_unpack.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* The top of a tree, as in copy.c: nobody else may enter before it is whole. */
static int open_top(struct bcast_unpack *u)
{
	if (!u->adopted && mkdirat(u->t.fd, u->t.part, 0700))
		return weft_err_sys(&u->w.err, WEFT_ESTAGE, "copying to %s", u->dst);
	u->part = true;
	u->job.tree = true;
	u->job.out = openat(
		u->t.fd, u->t.part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u->job.out < 0)
		return weft_err_sys(&u->w.err, WEFT_ESTAGE, "copying to %s", u->dst);
	if (!u->adopted)
		(void)!flock(u->job.out, LOCK_EX | LOCK_NB);
	if (u->opt.archive) {
		(void)!fremovexattr(u->job.out, "system.posix_acl_access");
		(void)!fremovexattr(u->job.out, "system.posix_acl_default");
		(void)!fchmod(u->job.out, 0700);
	}
	return 0;
}

int unpack_enter(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	struct level l = {.fd = -1};
	struct level *up = u->n_levels ? unpack_top(u) : NULL;
	struct stat st;

	if (n < BCAST_META || u->f.on || (u->begun && !up))
		return unpack_bad(u);
	bcast_meta_read(at, &st);
	char *name = unpack_name(u, at + BCAST_META, n - BCAST_META);
	if (!name || !S_ISDIR(st.st_mode))
		return name ? unpack_bad(u) : -1;
	if (!up && open_top(u))
		return -1;
	if (weft_grow(u->level, u->n_levels, u->cap_levels))
		return weft_err_nomem(&u->w.err);
	up = u->n_levels ? unpack_top(u) : NULL; /* may have moved */
	l.dir = stage_folder_new(&u->w, up ? up->dir : NULL, name);
	if (!l.dir)
		return -1;
	l.dir->st = st;
	int was_there = up ? unpack_make_way(u, name, S_IFDIR) : u->adopted;
	if (was_there < 0)
		return -1;
	l.was_there = was_there;
	if (up && (was_there ? fchmodat(up->fd, name, 0700, 0)
			     : mkdirat(up->fd, name, 0700)))
		return stage_sys(&u->w, "copying", up->dir, name);
	l.fd = up ? openat(up->fd, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		  : fcntl(u->job.out, F_DUPFD_CLOEXEC, 0);
	if (l.fd < 0)
		return stage_sys(&u->w, "copying", l.dir, NULL);
	if (l.was_there)
		unpack_forget_xattrs(l.fd);
	u->begun = true;
	u->job.n_folders++;
	u->level[u->n_levels++] = l;
	return 0;
}

int unpack_leave(struct bcast_unpack *u)
{
	struct level *l;
	struct stat st;

	if (!u->n_levels || u->f.on)
		return unpack_bad(u);
	l = unpack_top(u);
	if (l->was_there && unpack_remove_stale(u, l))
		return -1;
	if (unpack_set_attrs(u, l->fd, &l->dir->st, &l->xattrs, l->dir, NULL))
		return -1;
	if (fstat(l->fd, &st))
		return stage_sys(&u->w, "copying", l->dir, NULL);
	l->dir->dst = stage_id_of(&st);
	unpack_xattrs_clear(&l->xattrs);
	weft_map_free(&l->said);
	u->n_levels--;
	return stage_put_away(&u->job, l->fd)
		       ? stage_sys(&u->w, "copying", l->dir, NULL)
		       : 0;
}
