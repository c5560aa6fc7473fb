/* settle.c - a record that later changes can't slip through.
 *
 * Times come from a clock that stands still for some milliseconds: a file that is
 * changed right after it was copied may keep the times that were noted.  So a tree
 * gets its name only after that clock has moved on, and sources that were changed
 * shortly before are looked at once more then. */
#include "stage/room.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define SLACK_NS 20000000L

static struct timespec coarse(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return t;
}

static bool before(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

static int changed(
	struct stage_job *job, const struct stage_entry *e, struct weft_err *err)
{
	weft_autofree char *path = stage_shown(job, e->dir, e->name);

	weft_err_set(err, WEFT_ESTAGE, "%s changed while it was copied",
		path ? path : e->name);
	return weft_err_hint(err, "let the step that writes it end first");
}

static int look(
	struct stage_job *job, const struct stage_entry *e, struct weft_err *err)
{
	weft_autostr struct weft_str path = {0};
	weft_autoclose int dir = -1;
	struct stage_id id;
	struct stat st;

	stage_folder_path(e->dir, &path);
	if (path.failed)
		return weft_err_nomem(err);
	if (job->tree)
		dir = stage_open_beneath(job->in, path.s, O_PATH | O_DIRECTORY);
	if (job->tree ? dir < 0 || fstatat(dir, e->name, &st, AT_SYMLINK_NOFOLLOW) != 0
		      : stat(e->name, &st) != 0)
		return changed(job, e, err);
	id = stage_id_of(&st);
	return stage_id_same(&id, &e->src) ? 0 : changed(job, e, err);
}

int stage_settle(struct stage_job *job, struct weft_err *err)
{
	struct timespec since = job->started;
	const struct timespec nap = {0, 1000000};

	if (since.tv_nsec >= SLACK_NS) {
		since.tv_nsec -= SLACK_NS;
	} else {
		since.tv_sec--;
		since.tv_nsec += 1000000000 - SLACK_NS;
	}
	/* Its name will change the time of a file. */
	if (!job->tree && !before(since, job->entry[0]->src.ctime))
		return 0;
	while (!before(job->ended, coarse()))
		nanosleep(&nap, NULL);
	for (size_t i = 0; i < job->n_entries; i++)
		if (before(since, job->entry[i]->src.ctime) &&
			look(job, job->entry[i], err) != 0)
			return -1;
	return 0;
}
