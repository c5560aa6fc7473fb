#include "engine/logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"stdout", "stderr"};

int logs_open(struct log_pool *p, const struct weft_engine *e, const char *name,
	struct weft_err *err)
{
	*p = (struct log_pool){.e = e};
	p->dir = weft_printf("%s/logs/%s", e->run->dir, name);
	return p->dir ? 0 : weft_err_nomem(err);
}

static void drop(struct logs *l)
{
	weft_autofree char *work = l->folder ? weft_path_join(l->folder, "work") : NULL;

	if (l->has_folder && work) {
		rmdir(work);
		rmdir(l->folder);
	}
	free(l->folder);
	for (int i = 0; i < 2; i++) {
		if (l->fd[i] >= 0)
			close(l->fd[i]);
		if (l->path[i])
			unlink(l->path[i]);
		free(l->path[i]);
	}
	free(l);
}

void logs_close(struct log_pool *p)
{
	while (p->idle) {
		struct logs *l = p->idle;

		p->idle = l->next;
		drop(l);
	}
	if (p->made) {
		weft_autofree char *up = weft_path_join(p->e->run->dir, "logs");

		rmdir(p->dir);
		if (up)
			rmdir(up);
	}
	free(p->dir);
	*p = (struct log_pool){0};
}

static int make(struct log_pool *p, struct logs *l, int i, struct weft_err *err)
{
	if (!l->path[i])
		l->path[i] = weft_printf("%s/%u.%s", p->dir, p->made, names[i]);
	if (!l->path[i])
		return weft_err_nomem(err);
	l->fd[i] = open(l->path[i],
		O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	return l->fd[i] < 0 ? weft_err_sys(err, WEFT_ESYS, "%s", l->path[i]) : 0;
}

static int make_folder(struct logs *l, struct weft_err *err)
{
	weft_autofree char *work = l->folder ? weft_path_join(l->folder, "work") : NULL;

	if (!work)
		return weft_err_nomem(err);
	if (!l->has_folder && (mkdir(l->folder, 0777) || mkdir(work, 0777)))
		return weft_err_sys(err, WEFT_ESYS, "%s", work);
	l->has_folder = true;
	return 0;
}

int logs_folder(struct logs *l, const char *member_dir, struct weft_err *err)
{
	int r = rename(l->folder, member_dir);

	if (r && errno == ENOENT) {
		weft_autofree char *up = strndup(
			member_dir, (size_t)(strrchr(member_dir, '/') - member_dir));

		if (!up)
			return weft_err_nomem(err);
		if (weft_mkdirs(up, 0777, err))
			return -1;
		r = rename(l->folder, member_dir);
	}
	/* The one of an earlier try. */
	if (r && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR))
		return 1;
	if (r)
		return weft_err_sys(err, WEFT_ESYS, "%s", member_dir);
	l->has_folder = false;
	return 0;
}

/* Has it no entry but, perhaps, this one? */
static bool holds_only(const char *path, const char *name)
{
	struct dirent *e;
	bool only = true;
	DIR *d = opendir(path);

	if (!d)
		return false;
	while (only && (e = readdir(d)))
		only = weft_streq(e->d_name, ".") || weft_streq(e->d_name, "..") ||
		       weft_streq(e->d_name, name);
	closedir(d);
	return only;
}

int logs_folder_back(struct logs *l, const char *member_dir)
{
	weft_autofree char *work = weft_path_join(member_dir, "work");

	if (l->has_folder || !work || !holds_only(work, NULL) ||
		!holds_only(member_dir, "work") || rename(member_dir, l->folder))
		return 1;
	l->has_folder = true;
	return 0;
}

struct logs *logs_take(struct log_pool *p, struct weft_err *err)
{
	struct logs *l = p->idle;

	if (l) {
		p->idle = l->next;
	} else {
		if (!p->made && weft_mkdirs(p->dir, 0777, err))
			return NULL;
		l = calloc(1, sizeof(*l));
		if (!l) {
			weft_err_nomem(err);
			return NULL;
		}
		l->fd[0] = l->fd[1] = -1;
		l->folder = weft_printf("%s/%u", p->dir, ++p->made);
	}
	if (make_folder(l, err)) {
		drop(l);
		return NULL;
	}
	for (int i = 0; i < 2; i++)
		if (l->fd[i] < 0 && make(p, l, i, err)) {
			drop(l);
			return NULL;
		}
	return l;
}

void logs_show(struct logs *l, const char *member_dir)
{
	for (int i = 0; i < 2; i++) {
		weft_autofree char *path = weft_path_join(member_dir, names[i]);

		if (path && !l->shown[i])
			l->shown[i] = link(l->path[i], path) == 0;
	}
}

bool logs_silent(const struct logs *l)
{
	for (int i = 0; i < 2; i++) {
		struct stat st;

		if (l->shown[i] || fstat(l->fd[i], &st) || st.st_size > 0)
			return false;
	}
	return true;
}

int logs_settle(
	struct logs *l, const char *member_dir, bool always, struct weft_err *err)
{
	int r = 0;

	for (int i = 0; i < 2; i++) {
		weft_autofree char *path = weft_path_join(member_dir, names[i]);
		struct stat st;

		if (!path)
			return weft_err_nomem(err);
		bool has = always || fstat(l->fd[i], &st) || st.st_size > 0;
		if (!has && l->shown[i])
			unlink(path);
		if (has &&
			(l->shown[i] ? unlink(l->path[i]) : rename(l->path[i], path)))
			r = weft_err_sys(err, WEFT_ESYS, "%s", path);
		if (has) {
			close(l->fd[i]);
			l->fd[i] = -1;
		}
		l->shown[i] = false;
	}
	return r;
}

void logs_drop(struct logs *l, const char *member_dir)
{
	for (int i = 0; i < 2; i++) {
		weft_autofree char *path = weft_path_join(member_dir, names[i]);

		if (l->shown[i] && path)
			unlink(path);
		l->shown[i] = false;
		/* Else the next one has a new file. */
		if (ftruncate(l->fd[i], 0)) {
			close(l->fd[i]);
			l->fd[i] = -1;
		}
	}
}

void logs_give(struct log_pool *p, struct logs *l)
{
	l->next = p->idle;
	p->idle = l;
}
