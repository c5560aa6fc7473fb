/* unchanged.c - nothing to do: source and copy are what the record says.
 *
 * A folder whose times are unchanged has the same names in it, so no folder is listed:
 * it takes one look at each name on both sides. */
#include "stage/manifest.h"

#include <fcntl.h>
#include <unistd.h>

/* A ctime of 0 is left out: a published artifact's changes with its name. */
static bool same_id(const struct stage_id *id, const struct stat *st, bool ctime)
{
	struct stage_id now = stage_id_of(st);

	if (!ctime || (!id->ctime.tv_sec && !id->ctime.tv_nsec))
		now.ctime = id->ctime;
	return stage_id_same(id, &now);
}

static bool folder_holds(const struct stage_line *l, int in, int out)
{
	struct stat a, b;

	/* Getting its final name has changed the top's ctime. */
	return (in < 0 || (fstat(in, &a) == 0 && same_id(&l->src, &a, true))) &&
	       (out < 0 ||
		       (fstat(out, &b) == 0 && same_id(&l->dst, &b, *l->name != '\0')));
}

/* dst -1: the source alone; src -1: the copy. */
static bool tree_holds(
	const struct stage_manifest *m, int src, int dst, struct weft_stage_report *r)
{
	int in = -1, out = -1;
	bool same = true;

	for (size_t i = 0; i < m->n && same; i++) {
		const struct stage_line *l = &m->line[i];
		struct stat a, b;

		if (l->type == 'd') {
			weft_closep(&in);
			weft_closep(&out);
			if (src >= 0)
				in = stage_open_beneath(
					src, l->name, O_PATH | O_DIRECTORY);
			if (dst >= 0)
				out = stage_open_beneath(
					dst, l->name, O_PATH | O_DIRECTORY);
			same = (in >= 0 || src < 0) && (out >= 0 || dst < 0) &&
			       folder_holds(l, in, out);
			r->folders++;
			continue;
		}
		same = (in >= 0 || src < 0) && (out >= 0 || dst < 0) &&
		       (src < 0 ||
			       (fstatat(in, l->name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
				       same_id(&l->src, &a, true))) &&
		       (dst < 0 ||
			       (fstatat(out, l->name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
				       same_id(&l->dst, &b, true)));
		r->files++;
		r->bytes += l->type == 'f' ? l->src.size : 0;
	}
	weft_closep(&in);
	weft_closep(&out);
	return same;
}

bool stage_manifest_holds(const struct stage_manifest *m, const char *src, int dir,
	const char *name, struct weft_stage_report *report)
{
	const struct stage_line *l = m->line;
	struct stat a, b;

	if (l->type != 'd') {
		report->files = 1;
		report->bytes = l->src.size;
		return m->n == 1 && stat(src, &a) == 0 &&
		       fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
		       S_ISREG(b.st_mode) && same_id(&l->src, &a, true) &&
		       same_id(&l->dst, &b, true);
	}
	weft_autoclose int in = open(src, O_PATH | O_DIRECTORY | O_CLOEXEC);
	weft_autoclose int out =
		openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return in >= 0 && out >= 0 && tree_holds(m, in, out, report);
}

bool stage_manifest_copy_holds(const struct stage_manifest *m, int dir,
	const char *name, struct weft_stage_report *report)
{
	const struct stage_line *l = m->line;
	struct stat st;

	if (l->type != 'd') {
		report->files = 1;
		report->bytes = l->src.size;
		return m->n == 1 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		       S_ISREG(st.st_mode) && same_id(&l->dst, &st, true);
	}
	weft_autoclose int out =
		openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return out >= 0 && tree_holds(m, -1, out, report);
}

bool stage_manifest_source_holds(const struct stage_manifest *m, const char *src,
	struct weft_stage_report *report)
{
	const struct stage_line *l = m->line;
	struct stat st;

	if (l->type != 'd') {
		report->files = 1;
		report->bytes = l->src.size;
		return m->n == 1 && stat(src, &st) == 0 && same_id(&l->src, &st, true);
	}
	weft_autoclose int in = open(src, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return in >= 0 && tree_holds(m, in, -1, report);
}
