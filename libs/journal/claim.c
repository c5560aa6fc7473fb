/* claim.c - which job of an array runs a block of members: the first to say so */
#include "journal/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARD 1000

/* claims/1234/7/7012 of task 7012 of job 1234. */
static char *claim_folder(const struct weft_run *run, const char *array, size_t task)
{
	return weft_printf("%s/claims/%s/%zu", run->dir, array, task / SHARD);
}

static char *claimed_by(const char *path)
{
	char text[64];
	ssize_t n = readlink(path, text, sizeof(text));

	return n > 0 && (size_t)n < sizeof(text) ? strndup(text, (size_t)n) : NULL;
}

/* A symbolic link appears with its text, for one of all who try, on file systems that
 * several nodes share, too. */
int weft_claim(const struct weft_run *run, const char *array, size_t task,
	const char *job, struct weft_err *err)
{
	weft_autofree char *dir = claim_folder(run, array, task);
	weft_autofree char *path = dir ? weft_printf("%s/%zu", dir, task) : NULL;

	if (!path)
		return weft_err_nomem(err);
	if (weft_mkdirs(dir, 0777, err))
		return -1;
	if (symlink(job, path) == 0)
		return 0;
	if (errno != EEXIST)
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	/* Slurm may have started us again. */
	weft_autofree char *by = claimed_by(path);
	return !weft_streq(by, job);
}

char *weft_claimed_by(const struct weft_run *run, const char *job)
{
	const char *mark = strchr(job, '_');
	weft_autofree char *array = mark ? strndup(job, (size_t)(mark - job)) : NULL;
	weft_autofree char *dir = NULL, *path = NULL;
	int64_t task;

	if (!array || !weft_parse_int(mark + 1, 0, INT32_MAX, &task))
		return NULL;
	dir = claim_folder(run, array, (size_t)task);
	path = dir ? weft_printf("%s/%jd", dir, (intmax_t)task) : NULL;
	return path ? claimed_by(path) : NULL;
}
