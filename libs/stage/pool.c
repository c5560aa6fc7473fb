/* pool.c - the threads of one transfer, and what is waiting for them.
 *
 * Files of a folder that is open come first, then folders, then chunks of large files,
 * the largest file first: so few folders are open at a time, and large files fill up
 * what is left to the end.  It begins with a thread a core and adds some while they
 * wait for a disk or a server.  They also wait for each other, for all names of one
 * folder are made in turn: there more of them only wait longer. */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 32
/* How often it looks whether more threads would help, and tells progress. */
#define ADAPT_SECONDS 0.0125
#define TELL_SECONDS 0.1

enum kind { NOTHING, BATCH, FOLDER, OPEN, CHUNK };

struct task {
	enum kind kind;
	struct stage_folder *dir;
	char *names;
	size_t n;
	struct stage_file *big;
	uint64_t chunk;
};

struct stage_pool {
	struct stage_job *job;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct task *batch, *folder; /* last in, first out */
	size_t n_batches, cap_batches, n_folders, cap_folders;
	struct stage_file **heap, **open; /* by size; with chunks to take */
	size_t n_heap, cap_heap, n_open, cap_open;
	unsigned n_cpus, n_threads, target, max, idle, busy, scanning;
	pthread_t thread[MAX_THREADS];
	struct stage_worker worker[MAX_THREADS];
	double adapted; /* when, in seconds */
	bool remote;    /* a server is waited for */
};

static bool anything(const struct stage_pool *p)
{
	return p->n_batches || p->n_folders || p->n_heap || p->n_open;
}

static void *work(void *arg);

/* The lock is held. */
static void call_somebody(struct stage_pool *p)
{
	sigset_t all, old;

	if (p->idle > 0) {
		pthread_cond_signal(&p->more);
		return;
	}
	if (p->n_threads >= p->target || p->job->failed)
		return;
	/* Signals are the caller's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&p->thread[p->n_threads], NULL, work,
		    &p->worker[p->n_threads]) == 0)
		p->n_threads++;
	else
		p->target = p->n_threads; /* then with those that there are */
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int add(struct stage_worker *w, struct task t)
{
	struct stage_pool *p = w->job->pool;
	int rc;

	pthread_mutex_lock(&p->lock);
	if (t.kind == BATCH)
		rc = weft_grow(p->batch, p->n_batches, p->cap_batches);
	else
		rc = weft_grow(p->folder, p->n_folders, p->cap_folders);
	if (rc == 0) {
		if (t.kind == BATCH)
			p->batch[p->n_batches++] = t;
		else
			p->folder[p->n_folders++] = t;
		call_somebody(p);
	}
	pthread_mutex_unlock(&p->lock);
	return rc == 0 ? 0 : weft_err_nomem(&w->err);
}

int stage_pool_add_folder(struct stage_worker *w, struct stage_folder *dir)
{
	return add(w, (struct task){.kind = FOLDER, .dir = dir});
}

int stage_pool_add_batch(
	struct stage_worker *w, struct stage_folder *dir, char *names, size_t n)
{
	return add(w, (struct task){.kind = BATCH, .dir = dir, .names = names, .n = n});
}

static bool larger(const struct stage_file *a, const struct stage_file *b)
{
	return a->st.st_size > b->st.st_size;
}

static void swap(struct stage_file **a, struct stage_file **b)
{
	struct stage_file *t = *a;

	*a = *b;
	*b = t;
}

int stage_pool_add_big(struct stage_worker *w, struct stage_file *f)
{
	struct stage_pool *p = w->job->pool;
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = weft_grow(p->heap, p->n_heap, p->cap_heap);
	if (rc == 0) {
		size_t i = p->n_heap++;

		p->heap[i] = f;
		for (; i > 0 && larger(p->heap[i], p->heap[(i - 1) / 2]);
			i = (i - 1) / 2)
			swap(&p->heap[i], &p->heap[(i - 1) / 2]);
		call_somebody(p);
	}
	pthread_mutex_unlock(&p->lock);
	return rc == 0 ? 0 : weft_err_nomem(&w->err);
}

static struct stage_file *pop_largest(struct stage_pool *p)
{
	struct stage_file *f = p->heap[0];
	size_t i = 0, n = --p->n_heap;

	p->heap[0] = p->heap[n];
	for (;;) {
		size_t big = i, l = 2 * i + 1, r = l + 1;

		if (l < n && larger(p->heap[l], p->heap[big]))
			big = l;
		if (r < n && larger(p->heap[r], p->heap[big]))
			big = r;
		if (big == i)
			return f;
		swap(&p->heap[i], &p->heap[big]);
		i = big;
	}
}

static struct task pop(struct stage_pool *p)
{
	if (p->n_batches)
		return p->batch[--p->n_batches];
	if (p->n_folders)
		return p->folder[--p->n_folders];
	if (p->n_open) {
		struct stage_file *f = p->open[p->n_open - 1];
		struct task t = {.kind = CHUNK, .big = f, .chunk = f->next++};

		if (f->next == f->n_chunks)
			p->n_open--;
		return t;
	}
	if (p->n_heap)
		return (struct task){.kind = OPEN, .big = pop_largest(p)};
	return (struct task){.kind = NOTHING};
}

/* Seconds that this thread was on a core, or ready for one that others had. */
static double wanted_cpu(void)
{
	unsigned long long ran, waited;
	weft_autofree char *text = NULL;
	struct timespec t;

	if (weft_read_file("/proc/thread-self/schedstat", 256, &text, NULL, NULL) ==
			0 &&
		sscanf(text, "%llu %llu", &ran, &waited) == 2)
		return (double)(ran + waited) * 1e-9;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The lock is held. */
static void look_at_clock(struct stage_worker *w, double now)
{
	double seconds = now - w->looked, used;
	struct rusage own = {0};
	bool waits;

	if (seconds < ADAPT_SECONDS)
		return;
	used = wanted_cpu();
	getrusage(RUSAGE_THREAD, &own);
	waits = w->job->pool->remote || own.ru_inblock > w->read;
	w->blocked = w->looked > 0 && waits ? 1 - (used - w->used) / seconds : 0;
	w->looked = now;
	w->used = used;
	w->read = own.ru_inblock;
}

/* More threads while those that there are wait for a disk or a server and there is
 * work.  The lock is held. */
static void adapt(struct stage_pool *p, double now)
{
	double blocked = 0;

	if (now - p->adapted < ADAPT_SECONDS)
		return;
	p->adapted = now;
	for (unsigned i = 0; i < p->n_threads; i++)
		blocked += p->worker[i].blocked;
	if (anything(p) && p->idle == 0 && p->n_threads == p->target &&
		p->target < p->max && blocked > 0.4 * p->n_threads) {
		p->target *= 2;
		if (p->target > p->max)
			p->target = p->max;
	}
	while (anything(p) && p->idle == 0 && p->n_threads < p->target) {
		unsigned before = p->n_threads;

		call_somebody(p);
		if (p->n_threads == before)
			break;
	}
}

static void tell(struct stage_worker *w, double now)
{
	const struct stage_job *job = w->job;

	if (!job->opt->progress || w->index != 0 || now - w->told < TELL_SECONDS)
		return;
	w->told = now;
	job->opt->progress(
		job->opt->arg, &(struct weft_stage_progress){.bytes = job->bytes,
				       .total = job->seen,
				       .files = job->files,
				       .seconds = now - job->start,
				       .scanned = job->scanned});
}

bool stage_go_on(struct stage_worker *w)
{
	struct stage_job *job = w->job;
	double now;

	if (job->failed)
		return false;
	if (job->opt->stop && *job->opt->stop) {
		weft_err_set(&w->err, WEFT_EINTR, "interrupted");
		return false;
	}
	now = weft_monotonic();
	/* A folder's files, cold, take longer than help should take to come. */
	if (now - w->looked >= ADAPT_SECONDS) {
		pthread_mutex_lock(&job->pool->lock);
		look_at_clock(w, now);
		adapt(job->pool, now);
		pthread_mutex_unlock(&job->pool->lock);
	}
	tell(w, now);
	return true;
}

static bool scans(enum kind kind)
{
	return kind == BATCH || kind == FOLDER;
}

/* The caller's own thread wakes up to tell how far it is.  The lock is held. */
static void wait_and_tell(struct stage_pool *p, struct stage_worker *w)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(TELL_SECONDS * 1e9);
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&p->more, &p->lock, &until);
	pthread_mutex_unlock(&p->lock);
	tell(w, weft_monotonic());
	pthread_mutex_lock(&p->lock);
}

/* The next task, after one of that kind; NOTHING: all is done, or it has failed. */
static struct task take(struct stage_pool *p, struct stage_worker *w, enum kind done)
{
	struct task t = {.kind = NOTHING};
	double now = weft_monotonic();

	pthread_mutex_lock(&p->lock);
	look_at_clock(w, now);
	p->busy--;
	p->scanning -= scans(done);
	adapt(p, now);
	while (!p->job->failed && (t = pop(p)).kind == NOTHING && p->busy > 0) {
		p->idle++;
		if (w->index == 0 && p->job->opt->progress)
			wait_and_tell(p, w);
		else
			pthread_cond_wait(&p->more, &p->lock);
		p->idle--;
	}
	p->scanning += scans(t.kind);
	if (p->n_batches == 0 && p->n_folders == 0 && p->scanning == 0)
		p->job->scanned = true;
	if (t.kind == NOTHING)
		pthread_cond_broadcast(&p->more);
	else
		p->busy++;
	pthread_mutex_unlock(&p->lock);
	return t;
}

static int run_batch(struct stage_worker *w, struct task *t)
{
	const char *name = t->names;
	int rc = 0;

	for (size_t i = 0; i < t->n && rc == 0; i++) {
		rc = stage_go_on(w) ? stage_file(w, t->dir, name, name, false) : -1;
		name += strlen(name) + 1;
	}
	if (rc != 0)
		t->dir->later = true; /* not finished */
	free(t->names);
	return stage_folder_drop(w, t->dir) != 0 ? -1 : rc;
}

static int run_open(struct stage_worker *w, struct stage_file *f)
{
	struct stage_pool *p = w->job->pool;
	int rc = stage_big_open(w, f);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	pthread_mutex_lock(&p->lock);
	rc = weft_grow(p->open, p->n_open, p->cap_open);
	if (rc == 0) {
		p->open[p->n_open++] = f;
		pthread_cond_broadcast(&p->more);
		call_somebody(p);
	}
	pthread_mutex_unlock(&p->lock);
	if (rc != 0) {
		stage_big_free(f);
		return weft_err_nomem(&w->err);
	}
	return 0;
}

static int run(struct stage_worker *w, struct task *t)
{
	switch (t->kind) {
	case BATCH:
		return run_batch(w, t);
	case FOLDER:
		return stage_go_on(w) ? stage_scan(w, t->dir) : -1;
	case OPEN:
		return run_open(w, t->big);
	default:
		return stage_big_chunk(w, t->big, t->chunk);
	}
}

static void fail(struct stage_worker *w)
{
	struct stage_job *job = w->job;

	pthread_mutex_lock(&job->pool->lock);
	if (!job->failed && w->err.code != WEFT_OK)
		weft_err_move(&job->err, &w->err);
	job->failed = true;
	pthread_cond_broadcast(&job->pool->more);
	pthread_mutex_unlock(&job->pool->lock);
	weft_err_clear(&w->err);
}

static bool equip(struct stage_worker *w)
{
	if (!w->buf && (w->buf = aligned_alloc(4096, STAGE_BUFFER)))
		w->buf_size = STAGE_BUFFER;
	w->hasher = w->hasher ? w->hasher : weft_hasher_new();
	if (w->buf && w->hasher)
		return true;
	weft_err_nomem(&w->err);
	return false;
}

static void *work(void *arg)
{
	struct stage_worker *w = arg;
	struct stage_pool *p = w->job->pool;
	struct task t = {.kind = NOTHING};

	w->born = w->ended = weft_monotonic();
	pthread_mutex_lock(&p->lock);
	p->busy++;
	pthread_mutex_unlock(&p->lock);
	if (!equip(w)) {
		fail(w);
		pthread_mutex_lock(&p->lock);
		p->busy--;
		pthread_mutex_unlock(&p->lock);
		return NULL;
	}
	while ((t = take(p, w, t.kind)).kind != NOTHING)
		if (run(w, &t) != 0)
			fail(w);
	stage_resume_flush(w);
	w->ended = weft_monotonic();
	return NULL;
}

static void init(struct stage_pool *p, struct stage_job *job)
{
	cpu_set_t cpus;

	p->job = job;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	p->n_cpus = sched_getaffinity(0, sizeof(cpus), &cpus) == 0
			    ? (unsigned)CPU_COUNT(&cpus)
			    : 1;
	p->target = job->opt->threads ? job->opt->threads : p->n_cpus;
	p->max = job->opt->threads ? job->opt->threads : MAX_THREADS;
	if (p->max > MAX_THREADS)
		p->max = MAX_THREADS;
	/* Each has two files and two folders open. */
	if (p->max > job->few / 2 + 1)
		p->max = (unsigned)(job->few / 2 + 1);
	if (p->target > p->max)
		p->target = p->max;
	p->n_threads = 1; /* the caller's */
	p->adapted = weft_monotonic();
	p->remote = stage_is_remote(job->in, job->src) ||
		    (!job->read_only && stage_is_remote(job->out, NULL));
	for (unsigned i = 0; i < MAX_THREADS; i++) {
		p->worker[i].job = job;
		p->worker[i].index = i;
	}
}

/* After a failure there is something left. */
static void empty(struct stage_pool *p)
{
	for (size_t i = 0; i < p->n_batches; i++) {
		free(p->batch[i].names);
		stage_folder_drop(&p->worker[0], p->batch[i].dir);
	}
	for (size_t i = 0; i < p->n_heap; i++)
		stage_big_free(p->heap[i]);
	for (size_t i = 0; i < p->n_open; i++)
		stage_big_free(p->open[i]);
	free(p->batch);
	free(p->folder);
	free(p->heap);
	free(p->open);
}

/* All entries that were recorded, and the arenas that hold them. */
static int gather(struct stage_pool *p)
{
	struct stage_job *job = p->job;
	size_t n = 0;

	for (unsigned i = 0; i < p->n_threads; i++)
		n += p->worker[i].n_entries;
	job->entry = malloc((n + 1) * sizeof(*job->entry));
	if (!job->entry)
		return weft_err_nomem(&job->err);
	for (unsigned i = 0; i < p->n_threads; i++) {
		struct stage_worker *w = &p->worker[i];

		if (w->n_entries)
			memcpy(job->entry + job->n_entries, w->entry,
				w->n_entries * sizeof(*w->entry));
		job->n_entries += w->n_entries;
	}
	return 0;
}

int stage_pool_run(struct stage_job *job, struct stage_folder *top, const char *name,
	const char *to, unsigned *threads)
{
	struct stage_pool *p = job->pool;
	struct stage_worker *w = &p->worker[0];
	struct task t = {.kind = FOLDER};
	int rc;

	init(p, job);
	p->busy = p->scanning = 1;
	rc = equip(w) ? 0 : -1;
	if (rc == 0)
		rc = name ? stage_file(w, top, name, to, true) : stage_scan(w, top);
	if (rc != 0)
		fail(w);
	while ((t = take(p, w, t.kind)).kind != NOTHING)
		if (run(w, &t) != 0)
			fail(w);
	for (unsigned i = 1; i < p->n_threads; i++)
		pthread_join(p->thread[i], NULL);
	for (unsigned i = 0; i < p->n_threads; i++) {
		job->moving += p->worker[i].moving;
		job->lived += p->worker[i].ended - p->worker[i].born;
	}
	stage_resume_flush(w);
	if (!job->failed && !name && stage_tree_end(w) != 0)
		fail(w);
	clock_gettime(CLOCK_REALTIME_COARSE, &job->ended);
	if (!job->failed && job->record && gather(p) != 0)
		job->failed = true;
	*threads = p->n_threads;
	empty(p);
	return job->failed ? -1 : 0;
}

struct stage_pool *stage_pool_new(void)
{
	return calloc(1, sizeof(struct stage_pool));
}

void stage_pool_free(struct stage_pool *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n_threads; i++) {
		struct stage_worker *w = &p->worker[i];

		free(w->buf);
		weft_hasher_free(w->hasher);
		weft_arena_free(&w->arena);
		free(w->entry);
		weft_str_free(&w->note);
		weft_err_clear(&w->err);
	}
	if (p->n_threads) {
		pthread_mutex_destroy(&p->lock);
		pthread_cond_destroy(&p->more);
	}
	free(p);
}
