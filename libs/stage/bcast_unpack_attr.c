/* bcast_unpack_attr.c - the attributes of what came by a broadcast */
#include "stage/bcast_unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

void unpack_xattrs_clear(struct xattrs *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->v[i].name);
		free(x->v[i].value);
	}
	free(x->v);
	*x = (struct xattrs){0};
}

void unpack_forget_xattrs(int fd)
{
	ssize_t n = flistxattr(fd, NULL, 0);
	weft_autofree char *names = n > 0 ? malloc((size_t)n) : NULL;

	n = names ? flistxattr(fd, names, (size_t)n) : 0;
	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
		(void)!fremovexattr(fd, p); /* a label is the place's own */
}

int unpack_add_xattr(struct bcast_unpack *u, const unsigned char *at, size_t n)
{
	size_t len = n >= 2 ? bcast_get16(at) : SIZE_MAX;
	struct xattrs *x;

	if ((!u->f.on && !u->n_levels) || len > 255 || len == 0 || n < 2 + len)
		return unpack_bad(u);
	x = u->f.on ? &u->f.xattrs : &unpack_top(u)->xattrs;
	if (x->n > 100000)
		return unpack_bad(u);
	if (weft_grow(x->v, x->n, x->cap))
		return weft_err_nomem(&u->w.err);
	struct xattr *v = &x->v[x->n];
	*v = (struct xattr){.name = strndup((const char *)at + 2, len),
		.value = malloc(n - 2 - len + 1),
		.n = n - 2 - len};
	x->n++;
	if (!v->name || !v->value)
		return weft_err_nomem(&u->w.err);
	memcpy(v->value, at + 2 + len, v->n);
	return 0;
}

static int set_xattrs(struct bcast_unpack *u, int fd, const struct xattrs *x,
	const struct stage_folder *dir, const char *name)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct xattr *v = &x->v[i];

		if (fsetxattr(fd, v->name, v->value, v->n, 0) == 0)
			continue;
		if (errno == ENOSPC || errno == EDQUOT)
			return stage_sys(&u->w, "copying", dir, name);
		u->job.dropped += stage_xattr_matters(v->name, v->value, v->n);
	}
	return 0;
}

/* Owner, attributes, mode, times.  They are on the file already when stage_attrs copies
 * them from it to itself; a new owner takes its capabilities away, so those once more.
 */
int unpack_set_attrs(struct bcast_unpack *u, int fd, const struct stat *st,
	const struct xattrs *x, const struct stage_folder *dir, const char *name)
{
	struct xattrs again = {0};

	if (set_xattrs(u, fd, x, dir, name) ||
		stage_attrs(&u->w, st, fd, fd, dir, name))
		return -1;
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->v[i].name, "security.capability") == 0) {
			again.v = &x->v[i];
			again.n = 1;
			return set_xattrs(u, fd, &again, dir, name);
		}
	return 0;
}
