/* sync.c - what was written reaches the disk before it gets its name.
 *
 * A few files are flushed one by one, in the end, when the disk has begun with them;
 * of many, one flush of the whole file system is less work. */
#include "stage/room.h"

#include <errno.h>
#include <unistd.h>

int stage_put_away(struct stage_job *job, int fd)
{
	if (job->opt->durable != WEFT_STAGE_NONE) {
		pthread_mutex_lock(&job->lock);
		if (job->n_kept < job->few) {
			job->kept[job->n_kept++] = fd;
			fd = -1;
		} else {
			job->many = true;
		}
		pthread_mutex_unlock(&job->lock);
	}
	/* A network file system may tell only on closing that it has no room. */
	return fd >= 0 && close(fd) != 0 && errno != EINTR ? -1 : 0;
}

int stage_sync(struct stage_job *job, struct weft_err *err)
{
	double start = weft_monotonic();
	int bad = 0;

	for (size_t i = 0; i < job->n_kept; i++) {
		/* Some network file systems refuse fsync on folders: nothing to be
		 * had. */
		if (!job->many && fsync(job->kept[i]) != 0 && errno != EINVAL &&
			errno != EROFS && errno != ENOTSUP)
			bad = errno;
		if (close(job->kept[i]) != 0 && errno != EINTR)
			bad = errno;
	}
	job->n_kept = 0;
	if (!bad && job->many && syncfs(job->out) != 0)
		bad = errno;
	job->moving += weft_monotonic() - start;
	if (!bad)
		return 0;
	errno = bad;
	return weft_err_sys(
		err, WEFT_ESTAGE, "making the copy of %s durable", job->src);
}
