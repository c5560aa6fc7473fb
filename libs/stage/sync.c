/* sync.c - what was written reaches the disk before it gets its name.
 *
 * A few files are flushed one by one, in the end, when the disk has begun with them;
 * of many, one flush of the whole file system is less work.  On a disk of this machine
 * a thread does that now and then while they are copied, so that little is left in the
 * end; a server's other users would feel it. */
#include "stage/room.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>
#include <unistd.h>

static void *flush(void *arg)
{
	struct stage_job *job = arg;

	pthread_mutex_lock(&job->lock);
	while (!job->flush_end) {
		if (job->moved - job->flushed < STAGE_FLUSH) {
			pthread_cond_wait(&job->flush, &job->lock);
			continue;
		}
		job->flushed = job->moved;
		pthread_mutex_unlock(&job->lock);
		int sys = syncfs(job->out) == 0 ? 0 : errno;
		pthread_mutex_lock(&job->lock);
		/* It is told once: the last flush wouldn't know of it. */
		if (sys)
			job->flush_errno = sys;
	}
	pthread_mutex_unlock(&job->lock);
	return NULL;
}

/* The lock is held. */
static void flush_start(struct stage_job *job)
{
	struct statfs fs;
	sigset_t all, old;

	if (!job->tree || stage_is_remote(job->out, NULL) ||
		fstatfs(job->out, &fs) != 0 || fs.f_type == TMPFS_MAGIC)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_cond_init(&job->flush, NULL);
	job->flushing = pthread_create(&job->flusher, NULL, flush, job) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void stage_flush_end(struct stage_job *job)
{
	if (!job->flushing)
		return;
	pthread_mutex_lock(&job->lock);
	job->flush_end = true;
	pthread_cond_signal(&job->flush);
	pthread_mutex_unlock(&job->lock);
	pthread_join(job->flusher, NULL);
	pthread_cond_destroy(&job->flush);
	job->flushing = false;
}

int stage_put_away(struct stage_job *job, int fd)
{
	if (job->opt->durable != WEFT_STAGE_NONE) {
		pthread_mutex_lock(&job->lock);
		if (job->n_kept < job->few) {
			job->kept[job->n_kept++] = fd;
			fd = -1;
		} else {
			if (!job->many)
				flush_start(job);
			job->many = true;
			if (job->flushing && job->moved - job->flushed >= STAGE_FLUSH)
				pthread_cond_signal(&job->flush);
		}
		pthread_mutex_unlock(&job->lock);
	}
	/* A network file system may tell only on closing that it has no room. */
	return fd >= 0 && close(fd) != 0 && errno != EINTR ? -1 : 0;
}

int stage_sync(struct stage_job *job, struct weft_err *err)
{
	double start = weft_monotonic();
	int bad;

	stage_flush_end(job);
	bad = job->flush_errno;
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
