/* copy_limit - what copying costs at least on this machine: the calls that bring the
 * data and times of a folder's files, or of one file, to another place, and nothing
 * else, by several threads.  No name is checked, nothing is hashed, recorded or
 * renamed.
 *
 * usage: copy_limit SRC DST THREADS [sync] */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

#define BUFFER ((size_t)256 << 10)
#define CHUNK ((off_t)32 << 20)
#define BATCH 32

static int in, out;
static bool folder;
static off_t size;
static char **name;
static size_t n_names;
static atomic_size_t next;
static atomic_bool bad;

static bool move(int from, int to, char *buf, off_t off, off_t end)
{
	while (off < end) {
		size_t want = end - off < (off_t)BUFFER ? (size_t)(end - off) : BUFFER;
		ssize_t n = pread(from, buf, want, off);

		if (n <= 0 || pwrite(to, buf, (size_t)n, off) != n)
			return false;
		off += n;
	}
	return true;
}

static bool copy(const char *file, char *buf)
{
	int from = openat(in, file, O_RDONLY | O_CLOEXEC);
	int to = openat(out, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct stat st;
	bool ok = from >= 0 && to >= 0 && fstat(from, &st) == 0 &&
		  move(from, to, buf, 0, st.st_size);

	if (ok) {
		struct timespec times[2] = {st.st_atim, st.st_mtim};

		ok = futimens(to, times) == 0;
	}
	weft_closep(&from);
	weft_closep(&to);
	return ok;
}

static void *work(void *arg)
{
	char *buf = aligned_alloc(4096, BUFFER);
	size_t at, step = folder ? BATCH : (size_t)CHUNK;
	size_t end = folder ? n_names : (size_t)size;

	(void)arg;
	while (buf && !bad && (at = atomic_fetch_add(&next, step)) < end) {
		size_t to = at + step < end ? at + step : end;

		if (!folder && !move(in, out, buf, (off_t)at, (off_t)to))
			bad = true;
		for (; folder && at < to && !bad; at++)
			bad = !copy(name[at], buf);
	}
	free(buf);
	return NULL;
}

static bool list(void)
{
	DIR *d = fdopendir(dup(in));
	size_t cap = 0;
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		if (*e->d_name == '.')
			continue;
		if (weft_grow(name, n_names, cap) != 0)
			return false;
		name[n_names++] = strdup(e->d_name);
	}
	if (d)
		closedir(d);
	return d != NULL;
}

static bool open_both(const char *src, const char *dst)
{
	struct stat st;

	in = open(src, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) != 0)
		return false;
	folder = S_ISDIR(st.st_mode);
	size = st.st_size;
	if (folder && mkdir(dst, 0755) != 0)
		return false;
	out = folder ? open(dst, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		     : open(dst, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return out >= 0 && (folder ? list() : ftruncate(out, size) == 0);
}

int main(int argc, char **argv)
{
	pthread_t thread[64];
	unsigned n = argc >= 4 ? (unsigned)atoi(argv[3]) : 0, made = 0;

	if (n < 1 || n > 64) {
		fputs("usage: copy_limit SRC DST THREADS [sync]\n", stderr);
		return 2;
	}
	if (!open_both(argv[1], argv[2])) {
		perror("copy_limit");
		return 1;
	}
	while (made + 1 < n && pthread_create(&thread[made], NULL, work, NULL) == 0)
		made++;
	work(NULL);
	while (made > 0)
		pthread_join(thread[--made], NULL);
	if (!bad && argc > 4)
		bad = syncfs(out) != 0;
	for (size_t i = 0; i < n_names; i++)
		free(name[i]);
	free(name);
	return bad;
}
